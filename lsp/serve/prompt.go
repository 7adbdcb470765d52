package serve

import (
	"strings"

	"github.com/seedling-lsp/seedling/engine"
)

// Clients of /v1/completions that know no suffix write the gap into the prompt, in the
// words of the model that they believe to talk to: Zed by its prompt_format, Continue by
// the model's name. Here these words are undone.

// marks are the words of one family of models. A prompt is
//
//	… before P between S after          (prefix first)
//	… between S before P after          (suffix first)
//
// and after may be empty when the prompt ends with what comes second.
type marks struct {
	prefix, suffix, middle string
	pad                    string // that stands around the texts, too
}

var families = []marks{
	{prefix: "<|fim_prefix|>", suffix: "<|fim_suffix|>", middle: "<|fim_middle|>"},    // Qwen, CodeGemma
	{prefix: "<fim_prefix>", suffix: "<fim_suffix>", middle: "<fim_middle>"},          // StarCoder, StableCode, Granite
	{prefix: "<｜fim▁begin｜>", suffix: "<｜fim▁hole｜>", middle: "<｜fim▁end｜>"},          // DeepSeek
	{prefix: "<|code_prefix|>", suffix: "<|code_suffix|>", middle: "<|code_middle|>"}, // GLM, CodeGeeX
	{prefix: "<PRE>", suffix: "<SUF>", middle: "<MID>", pad: " "},                     // CodeLlama
	{prefix: "[PREFIX]", suffix: "[SUFFIX]", middle: ""},                              // Codestral, suffix first
}

// filled is what a prompt with marks says.
type filled struct {
	before, after string
	path          string           // of the file, if it is said
	snippets      []engine.Snippet // of other files
}

// unmarked reads a prompt that has the gap's marks; ok is false for any other. Marks count
// only in the places where templates put them, the last one at the very end, so that code
// about such marks is rarely taken for a template.
func unmarked(prompt string) (f filled, ok bool) {
	for _, m := range families {
		body, closed := strings.CutSuffix(strings.TrimSuffix(prompt, "<|assistant|>\n"), m.middle)
		if !closed {
			continue
		}
		p, s := strings.Index(body, m.prefix), strings.Index(body, m.suffix)
		if p < 0 || s < 0 {
			continue
		}
		var head string
		if p < s {
			if m.middle == "" {
				continue // Codestral has one order
			}
			head, f.before, f.after = body[:p], body[p+len(m.prefix):s], body[s+len(m.suffix):]
		} else {
			head, f.after, f.before = body[:s], body[s+len(m.suffix):p], body[p+len(m.prefix):]
		}
		if m.pad != "" {
			f.before = strings.TrimPrefix(strings.TrimSuffix(f.before, m.pad), m.pad)
			f.after = strings.TrimSuffix(f.after, m.pad)
		}
		f.path, f.snippets = others(head)
		return f, true
	}
	return filled{}, false
}

// others are the files that templates put before the gap: each behind a separator, its
// name on the first line where there is one. The last may be the name of the file itself.
func others(head string) (path string, snippets []engine.Snippet) {
	head = strings.ReplaceAll(head, "<file_sep>", "<|file_sep|>")
	parts := strings.Split(head, "<|file_sep|>")
	for _, part := range parts[1:] { // what stands before the first is the repository's name
		name, text, _ := strings.Cut(part, "\n")
		switch {
		case strings.TrimSpace(part) == "":
		case strings.TrimSpace(text) == "" && pathLike(name):
			path = name
		case pathLike(name):
			snippets = append(snippets, engine.Snippet{Path: name, Text: text})
		default:
			snippets = append(snippets, engine.Snippet{Text: part})
		}
	}
	return path, snippets
}

// pathLike says whether a line can be a file's name: one word with an extension.
func pathLike(s string) bool {
	s = strings.TrimSpace(s)
	dot := strings.LastIndexByte(s, '.')
	return dot >= 0 && dot < len(s)-1 && len(s) < 256 && !strings.ContainsAny(s, " \t(){};=\"'")
}
