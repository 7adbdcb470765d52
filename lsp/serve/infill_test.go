package serve

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/seedling-lsp/seedling/engine"
)

// vim is a request as llama.vim sends it (autoload/llama.vim at a1c8e6e, January 2026).
func vim(prefix, middle, suffix string) object {
	return object{
		"id_slot": 0, "input_prefix": prefix, "input_suffix": suffix,
		"input_extra": []object{{"text": "def helper():\n    return 1\n", "time": []int{12, 3456}, "filename": "helper.py"}},
		"prompt":      middle, "n_predict": 128, "stop": []string{}, "n_indent": 4, "top_k": 40, "top_p": 0.9,
		"samplers": []string{"top_k", "top_p", "infill"}, "stream": false, "cache_prompt": true,
		"t_max_prompt_ms": 500, "t_max_predict_ms": 250,
		"response_fields": []string{"content", "timings/prompt_n", "timings/prompt_ms", "timings/prompt_per_token_ms",
			"timings/prompt_per_second", "timings/predicted_n", "timings/predicted_ms", "timings/predicted_per_token_ms",
			"timings/predicted_per_second", "truncated", "tokens_cached"},
		"model": "",
	}
}

// TestLlamaVim: without it a change of the answer's shape would leave llama.vim without
// ghost text and without a word: it drops what it does not recognise.
func TestLlamaVim(t *testing.T) {
	g := &says{text: "total += x\n    return total\n"}
	h := running(t, Options{Generator: g})
	r := post(t, h, "/infill", vim("def add(xs):\n    total = 0\n    for x in xs:\n", "        ", "\n    return total\n"))
	if r.status != 200 {
		t.Fatalf("status %d: %s", r.status, r.body)
	}
	// The plugin's own check before it parses, and Vim's callback, which is called by line.
	if !regexp.MustCompile(`"content"\s*:"`).MatchString(r.body) || strings.Contains(r.body, "\n") {
		t.Errorf("llama.vim would not take\n%s", r.body)
	}
	if got := r.content(t); got != "total += x" {
		t.Errorf("content %q: the next line stands there already", got)
	}
	v := r.object(t)
	var keys []string
	for k := range v {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	want := "content,timings/predicted_ms,timings/predicted_n,timings/predicted_per_second,timings/predicted_per_token_ms,timings/prompt_ms,timings/prompt_n,timings/prompt_per_second,timings/prompt_per_token_ms,tokens_cached,truncated"
	if got := strings.Join(keys, ","); got != want {
		t.Errorf("fields\n%s, want\n%s", got, want)
	}
	if v["timings/prompt_n"] != 10.0 || v["timings/predicted_n"] != 3.0 || v["timings/prompt_ms"] != 4.0 || v["timings/predicted_per_second"] != 500.0 || v["tokens_cached"] != 43.0 {
		t.Errorf("timings are not of 10 tokens read in 4 ms and 3 written in 6 ms: %s", r.body)
	}
	q := g.last(t)
	if q.Priority != engine.Typed || q.MaxTokens > 128 || len(q.Snippets) != 1 || q.Snippets[0].Path != "helper.py" || q.Deadline.IsZero() {
		t.Errorf("asked %+v", q)
	}
	if !strings.HasSuffix(q.Prefix, "    for x in xs:\n        ") || !strings.HasPrefix(q.Suffix, "\n    return total") {
		t.Errorf("the gap was lost: %q ‖ %q", q.Prefix, q.Suffix)
	}
}

// TestLlamaVSCode: llama.vscode (v0.0.63, August 2026) reads whole objects.
func TestLlamaVSCode(t *testing.T) {
	h := running(t, Options{Generator: &says{text: "a + b\n"}})
	q := object{"id_slot": 0, "input_prefix": "func add(a, b int) int {\n", "input_suffix": "\n}\n",
		"input_extra": []object{{"text": "package x\n", "time": 1755590033111, "filename": "/home/me/x/x.go"}},
		"prompt":      "\treturn ", "n_predict": 128, "n_cmpl": 1, "top_k": 40, "top_p": 0.99, "stream": false,
		"samplers": []string{"top_k", "top_p", "infill"}, "cache_prompt": true, "n_indent": 1, "t_max_prompt_ms": 500, "t_max_predict_ms": 2500}
	r := post(t, h, "/infill", q)
	var v struct {
		Content  string
		Stop     bool
		StopType string `json:"stop_type"`
		Settings struct {
			Model *string
			NCtx  int `json:"n_ctx"`
		} `json:"generation_settings"`
		TokensCached int `json:"tokens_cached"`
		Truncated    *bool
		Timings      struct {
			PromptN     *int     `json:"prompt_n"`
			PredictedMS *float64 `json:"predicted_ms"`
		}
	}
	if err := json.Unmarshal([]byte(r.body), &v); err != nil {
		t.Fatal(err)
	}
	if v.Content != "a + b" || !v.Stop || v.StopType != "eos" || v.Settings.NCtx != 1024 || v.TokensCached == 0 || v.Truncated == nil || v.Timings.PromptN == nil || v.Timings.PredictedMS == nil {
		t.Errorf("%s", r.body)
	}
	// With n_cmpl its server answers with an array, which the extension tells by its length.
	q["n_cmpl"] = 3
	var all []object
	if r := post(t, h, "/infill", q); json.Unmarshal([]byte(r.body), &all) != nil || len(all) != 1 || all[0]["content"] != "a + b" {
		t.Errorf("n_cmpl 3: %s", r.body)
	}
}

// TestFits: without it clients that only insert would show what stands after the cursor
// twice, the first complaint about every completion backend.
func TestFits(t *testing.T) {
	for _, c := range []struct{ name, prefix, middle, suffix, says, want string }{
		{"a bracket that is there", "package a\n\nfunc f(x int) {\n", "\tg(", ")\n}\n", "x)\n", "x"},
		{"going on behind it to another of its kind", "package a\n\nfunc f(x int) {\n", "\tg(", ")\n}\n", "x).h()\n", "x).h("},
		{"going on behind it", "package a\n\nfunc f(x int) {\n", "\ty := g(", ")\n}\n", "x) + 1\n", "x"},
		{"going on behind its own brackets", "package a\n\nfunc f(x int) {\n", "\ty := g(", ")\n}\n", "h(x)) + 1\n", "h(x)"},
		{"the rest of the line", "package a\n\nvar x = ", "", "[]int{1, 2}\n", "[]int{1, 2}\n", ""},
		{"the next line", "def f():\n    a = 1\n", "    ", "\n    b = 2\n", "b = 2\n", ""},
		{"the block's end", "package a\n\nfunc f() {\n", "", "\n}\n", "\tg()\n}\n", "\tg()"},
		{"line ends", "package a\r\n\r\nfunc f() {\r\n", "", "\r\n}\r\n", "\tg()\n\th()\n}\n", "\tg()\r\n\th()"},
		{"nothing in a number", "def f():\n    x = 1", "2", "\n", "345\n", ""},
		{"characters of four bytes before the cursor", "# 🌱\ndef f():\n", "    return '🌱' + ", "\n", "'a'\n", "'a'"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := running(t, Options{Generator: &says{text: c.says}})
			r := post(t, h, "/infill", object{"input_prefix": c.prefix, "prompt": c.middle, "input_suffix": c.suffix})
			if got := r.content(t); got != c.want {
				t.Errorf("content %q, want %q", got, c.want)
			}
		})
	}
}

// TestStops: the bounds of a request, and the names under which llama-server reports them.
func TestStops(t *testing.T) {
	const text = "a = 1\n    b = 2\nc = 3\n"
	gap := object{"input_prefix": "def f():\n", "prompt": "    ", "input_suffix": "\n"}
	for _, c := range []struct {
		name                      string
		with                      object
		content, stopType, stopBy string
	}{
		{"nothing", object{}, "a = 1\n    b = 2", "eos", ""},
		{"a word", object{"stop": []string{"zz", " 2"}}, "a = 1\n    b =", "word", " 2"},
		{"a word alone", object{"stop": "\n"}, "a = 1", "word", "\n"},
		{"the word that ends first", object{"stop": []string{"1\n    b", "1\n"}}, "a =", "word", "1\n"},
		{"indentation", object{"n_indent": 8}, "a = 1", "limit", ""},
		{"indentation that is kept", object{"n_indent": 4}, "a = 1\n    b = 2", "eos", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := running(t, Options{Generator: &says{text: text}})
			q := object{}
			for _, m := range []object{gap, c.with} {
				for k, v := range m {
					q[k] = v
				}
			}
			v := post(t, h, "/infill", q).object(t)
			if strings.TrimRight(v["content"].(string), " ") != c.content || v["stop_type"] != c.stopType || v["stopping_word"] != c.stopBy {
				t.Errorf("content %q, stop_type %q, stopping_word %q; want %q, %q, %q", v["content"], v["stop_type"], v["stopping_word"], c.content, c.stopType, c.stopBy)
			}
		})
	}
}

// TestInfillStream: two events in llama-server's shape, with no [DONE], which belongs to
// OpenAI's endpoints.
func TestInfillStream(t *testing.T) {
	h := running(t, Options{Generator: &says{text: "1\n"}})
	r := post(t, h, "/infill", object{"input_prefix": "x = ", "input_suffix": "\n", "stream": true})
	if r.header.Get("Content-Type") != "text/event-stream" {
		t.Errorf("type %q", r.header.Get("Content-Type"))
	}
	events := strings.Split(strings.TrimSuffix(r.body, "\n\n"), "\n\n")
	if len(events) != 2 {
		t.Fatalf("%d events: %s", len(events), r.body)
	}
	var part, last struct {
		Content string
		Stop    *bool
		Timings *object
	}
	for i, to := range []any{&part, &last} {
		data, ok := strings.CutPrefix(events[i], "data: ")
		if !ok || json.Unmarshal([]byte(data), to) != nil {
			t.Fatalf("event %q", events[i])
		}
	}
	if part.Content != "1" || *part.Stop || last.Content != "" || !*last.Stop || last.Timings == nil {
		t.Errorf("%s", r.body)
	}
}

// TestWarm: llama.vim sends its ring of chunks ahead, with n_predict 0. Such a request must
// not end the question that the person waits for, and must not be answered with a text.
func TestWarm(t *testing.T) {
	g := &says{text: "no text\n"}
	h := running(t, Options{Generator: g})
	// llama.vim's, as of a1c8e6e.
	ring := object{"id_slot": 0, "input_prefix": "", "input_suffix": "", "input_extra": []object{{"text": "x = 1\n", "time": []int{1, 2}, "filename": "x.py"}},
		"prompt": "", "n_predict": 0, "temperature": 0.0, "samplers": []string{}, "stream": false, "cache_prompt": true,
		"t_max_prompt_ms": 1, "t_max_predict_ms": 1, "response_fields": []string{""}}
	if r := post(t, h, "/infill", ring); r.status != 200 || r.body != "{}" {
		t.Errorf("status %d: %s", r.status, r.body)
	}
	read := g.last(t)
	if read.Priority != engine.Speculative || len(read.Snippets) != 1 {
		t.Errorf("asked %+v", read)
	}
	if keep, name := read.Stop("anything"); keep != 0 || name == "" {
		t.Errorf("reading would write: %d %q", keep, name)
	}
	post(t, h, "/infill", vim("x = ", "", "\n"))
	if g.last(t).Document == read.Document {
		t.Error("reading ahead and asking are one document: the one would end the other")
	}
	n := g.times()
	ring["input_extra"] = []object{}
	if r := post(t, h, "/infill", ring); r.status != 200 || g.times() != n {
		t.Errorf("nothing to read, status %d, asked %d times", r.status, g.times()-n)
	}
}

// TestSecrets: a key that a client sends along reaches the model by no way in: not around
// the cursor, not in other files, not in a plain prompt, not ahead of a question.
func TestSecrets(t *testing.T) {
	g := &says{text: "1\n"}
	h := running(t, Options{Generator: g})
	const key = "ghp_" + "q7Rk2mX9vB4nT6wY1zL8cF3hJ5dS0pA" + "eGuKo"
	line := "token = \"" + key + "\"\n"
	extra := []object{{"text": line, "filename": "a.py"}}
	post(t, h, "/infill", object{"input_prefix": line + "x = ", "input_suffix": "\n" + line, "input_extra": extra})
	post(t, h, "/infill", object{"input_prefix": line, "input_suffix": line, "input_extra": extra, "n_predict": 0})
	post(t, h, "/v1/completions", object{"prompt": line + "x = "})
	if g.times() != 3 {
		t.Fatalf("asked %d times", g.times())
	}
	for i, q := range g.asked {
		seen := q.Prefix + q.Suffix
		for _, f := range q.Snippets {
			seen += f.Text
		}
		if strings.Contains(seen, key) || !strings.Contains(seen, "token = ") {
			t.Errorf("request %d shows %q", i, seen)
		}
	}
}
