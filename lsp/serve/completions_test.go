package serve

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode"
)

// TestZed: Zed (crates/edit_prediction, August 2026) writes the gap into the prompt in the
// words of the model it is told of, and fails on an answer without any of these fields.
func TestZed(t *testing.T) {
	const before, after = "fn add(a: i32, b: i32) -> i32 {\n    ", "\n}\n"
	for format, prompt := range map[string]string{
		"qwen":           "<|fim_prefix|>" + before + "<|fim_suffix|>" + after + "<|fim_middle|>",
		"starcoder":      "<fim_prefix>" + before + "<fim_suffix>" + after + "<fim_middle>",
		"deepseek_coder": "<｜fim▁begin｜>" + before + "<｜fim▁hole｜>" + after + "<｜fim▁end｜>",
		"code_llama":     "<PRE> " + before + " <SUF>" + after + " <MID>",
		"codestral":      "[SUFFIX]" + after + "[PREFIX]" + before,
		"glm":            "<|code_prefix|>" + before + "<|code_suffix|>" + after + "<|code_middle|>",
	} {
		t.Run(format, func(t *testing.T) {
			g := &says{text: "a + b\n}\n"}
			h := running(t, Options{Generator: g})
			r := post(t, h, "/v1/completions", object{"model": "seedling", "prompt": prompt, "max_tokens": 64, "stop": []string{"<|endoftext|>", "<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>"}})
			var v struct {
				ID, Object, Model *string
				Created           *uint64
				Choices           []struct {
					Text         *string
					FinishReason *string `json:"finish_reason"`
				}
				Usage *struct {
					Prompt     *uint32 `json:"prompt_tokens"`
					Completion *uint32 `json:"completion_tokens"`
					Total      *uint32 `json:"total_tokens"`
				}
			}
			if err := json.Unmarshal([]byte(r.body), &v); err != nil {
				t.Fatal(err)
			}
			if v.ID == nil || v.Object == nil || v.Model == nil || v.Created == nil || len(v.Choices) != 1 || v.Usage == nil || v.Usage.Prompt == nil || v.Usage.Completion == nil || *v.Usage.Total != 43 {
				t.Fatalf("Zed would not take %s", r.body)
			}
			if *v.Choices[0].Text != "a + b" || *v.Choices[0].FinishReason != "stop" {
				t.Errorf("%s", r.body)
			}
			if q := g.last(t); q.Prefix != before || q.Suffix != after {
				t.Errorf("the gap was read as %q ‖ %q", q.Prefix, q.Suffix)
			}
		})
	}
}

// events are the data of a stream, checked to be server-sent events that end with [DONE].
func events(t *testing.T, r reply) []string {
	t.Helper()
	var all []string
	for e := range strings.SplitSeq(strings.TrimSuffix(r.body, "\n\n"), "\n\n") {
		data, ok := strings.CutPrefix(e, "data: ")
		if !ok || strings.Contains(data, "\n") {
			t.Fatalf("no event: %q", e)
		}
		all = append(all, data)
	}
	if all[len(all)-1] != "[DONE]" {
		t.Fatalf("no [DONE]: %s", r.body)
	}
	return all[:len(all)-1]
}

// TestContinue: Continue (core/llm/llms/OpenAI.ts and its template for StarCoder and for
// models that it does not know, 2025) streams, with other files before the gap.
func TestContinue(t *testing.T) {
	g := &says{text: "return a + b\n"}
	h := running(t, Options{Generator: g})
	prompt := "<file_sep>src/other.py\nx = 1\n<file_sep><fim_prefix># Path: other.py\n# x = 1\n# src/app.py\ndef add(a, b):\n    <fim_suffix>\n<fim_middle>"
	r := post(t, h, "/v1/completions", object{"model": "starcoder2", "prompt": prompt, "max_tokens": 256, "temperature": 0.01, "stream": true,
		"stop": []string{"<fim_prefix>", "<fim_suffix>", "<fim_middle>", "<file_sep>", "<|endoftext|>", "/src/", "#- coding: utf-8", "```"}})
	text, reason := "", any(nil)
	for _, e := range events(t, r) {
		var v struct {
			Object  string
			Choices []struct {
				Text         string
				FinishReason any `json:"finish_reason"`
			}
		}
		if err := json.Unmarshal([]byte(e), &v); err != nil || len(v.Choices) != 1 || v.Object != "text_completion" {
			t.Fatalf("%v in %s", err, e)
		}
		text += v.Choices[0].Text
		reason = v.Choices[0].FinishReason
	}
	if text != "return a + b" || reason != "stop" {
		t.Errorf("text %q, finish_reason %v", text, reason)
	}
	if q := g.last(t); len(q.Snippets) != 1 || q.Snippets[0].Path != "src/other.py" || strings.Contains(q.Prefix, "file_sep") {
		t.Errorf("asked %+v", q)
	}
}

// TestContinueLlamaCpp: its provider llama.cpp (core/llm/llms/LlamaCpp.ts) asks
// llama-server's POST /completion, and reads "content" of each event.
func TestContinueLlamaCpp(t *testing.T) {
	g := &says{text: "a + b\n}\n"}
	h := running(t, Options{Generator: g})
	r := post(t, h, "/completion", object{"prompt": "<|fim_prefix|>func add(a, b int) int {\n\treturn <|fim_suffix|>\n}\n<|fim_middle|>", "stream": true, "n_predict": 256,
		"stop": []string{"<|endoftext|>", "<|fim_prefix|>", "/src/"}, "top_k": 40, "temperature": 0.01, "mirostat": nil})
	text := ""
	for e := range strings.SplitSeq(strings.TrimSuffix(r.body, "\n\n"), "\n\n") {
		var v struct{ Content string }
		if err := json.Unmarshal([]byte(strings.TrimPrefix(e, "data: ")), &v); err != nil {
			t.Fatalf("%v in %q", err, e)
		}
		text += v.Content
	}
	if text != "a + b" {
		t.Errorf("text %q of %s", text, r.body)
	}
	if got := post(t, h, "/completion", object{"prompt": "func add(a, b int) int {\n\treturn ", "n_predict": 9}).content(t); got != "a + b\n}\n" || g.last(t).MaxTokens != 9 {
		t.Errorf("without marks it is no plain continuation: %q, %d tokens", got, g.last(t).MaxTokens)
	}
}

// TestMinuet: minuet-ai.nvim (479487c, August 2026) in its two ways: prompt and suffix,
// with its comments about the language, and the recipe for llama.cpp.
func TestMinuet(t *testing.T) {
	const before, after = "local M = {}\n\nfunction M.add(a, b)\n  return ", "\nend\n\nreturn M\n"
	for name, q := range map[string]object{
		"suffix": {"model": "deepseek-v4-flash", "stream": true, "prompt": "-- language: lua\n-- indentation: use 2 spaces for a tab\n" + before, "suffix": after},
		"recipe": {"model": "PLACEHOLDER", "stream": true, "max_tokens": 56, "top_p": 0.9, "prompt": "<|fim_prefix|>" + before + "<|fim_suffix|>" + after + "<|fim_middle|>"},
	} {
		t.Run(name, func(t *testing.T) {
			h := running(t, Options{Generator: &says{text: "a + b\nend\n"}})
			r := post(t, h, "/v1/completions", q)
			// As its stream_decode does it: line by line, what is no JSON is left out.
			text := ""
			for line := range strings.Lines(r.body) {
				var v struct{ Choices []struct{ Text string } }
				if json.Unmarshal([]byte(strings.TrimPrefix(line, "data:")), &v) == nil && len(v.Choices) > 0 {
					text += v.Choices[0].Text
				}
			}
			if text != "a + b" {
				t.Errorf("text %q of\n%s", text, r.body)
			}
			if strings.Contains(r.body, "error") {
				t.Errorf("minuet would show an error: %s", r.body)
			}
		})
	}
}

// TestUsageInStream: OpenAI's stream_options.
func TestUsageInStream(t *testing.T) {
	h := running(t, Options{Generator: &says{text: "1\n"}})
	all := events(t, post(t, h, "/v1/completions", object{"prompt": "x = ", "suffix": "\n", "stream": true, "stream_options": object{"include_usage": true}}))
	var v struct {
		Choices []any
		Usage   object
	}
	if err := json.Unmarshal([]byte(all[len(all)-1]), &v); err != nil || len(v.Choices) != 0 || v.Choices == nil || v.Usage["total_tokens"] != 43.0 {
		t.Errorf("%v: %s", err, all[len(all)-1])
	}
}

// TestPlain: without a suffix it is a plain continuation, over lines, of 16 tokens unless
// more are asked for, as OpenAI defines it.
func TestPlain(t *testing.T) {
	g := &says{text: "b():\n    pass\n\ndef c"}
	h := running(t, Options{Generator: g})
	r := post(t, h, "/v1/completions", object{"prompt": []string{"def a():\n    pass\n\ndef "}, "stop": "\ndef ", "suffix": nil})
	if got := r.content(t); got != "b():\n    pass\n" {
		t.Errorf("text %q", got)
	}
	if q := g.last(t); q.MaxTokens != 16 || q.Suffix != "" {
		t.Errorf("asked %+v", q)
	}
	post(t, h, "/v1/completions", object{"prompt": "def ", "max_tokens": 300})
	if q := g.last(t); q.MaxTokens != 300 {
		t.Errorf("asked for %d tokens, not 300", q.MaxTokens)
	}
}

// TestUnmarked: prompts that only look like templates must stay what they are.
func TestUnmarked(t *testing.T) {
	for prompt, want := range map[string]*filled{
		"<|fim_suffix|>S<|fim_prefix|>P<|fim_middle|>":                                                        {before: "P", after: "S"},
		"<|repo_name|>r\n<|file_sep|>a.go\nA\n<|file_sep|>b.go\n<|fim_prefix|>P<|fim_suffix|>S<|fim_middle|>": {before: "P", after: "S", path: "b.go"},
		"<|user|>\n###PATH:a.py\n<|code_suffix|>S<|code_prefix|>P<|code_middle|><|assistant|>\n":              {before: "P", after: "S"},
		"<fim_prefix><fim_suffix><fim_middle>":                                                                {},
		"x = '<fim_prefix>' + p + '<fim_suffix>' + s + '<fim_middle>'\n":                                      nil,
		"[PREFIX] a [SUFFIX] b": nil,
		"print('hello')":        nil,
		"":                      nil,
	} {
		f, ok := unmarked(prompt)
		if ok != (want != nil) {
			t.Errorf("%q: a template %v", prompt, ok)
		} else if ok && (f.before != want.before || f.after != want.after || f.path != want.path) {
			t.Errorf("%q: %+v", prompt, f)
		}
	}
}

// FuzzUnmarked: no prompt, however broken its marks are, loses or invents text.
func FuzzUnmarked(f *testing.F) {
	for _, m := range families {
		f.Add(m.prefix+"p"+m.suffix+"s"+m.middle, m.suffix+m.prefix+m.middle)
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		got, ok := unmarked(a + b)
		if !ok {
			return
		}
		if !strings.Contains(a+b, got.before) || !strings.Contains(a+b, got.after) || len(got.before)+len(got.after) > len(a+b) {
			t.Errorf("%q → %q, %q", a+b, got.before, got.after)
		}
		for _, s := range got.snippets {
			if strings.TrimFunc(s.Path+s.Text, unicode.IsSpace) == "" {
				t.Errorf("an empty file from %q", a+b)
			}
		}
	})
}
