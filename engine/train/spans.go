package train

import "github.com/seedling-lsp/seedling/treesitter"

// SyntaxSpans finds statements, blocks and bodies with the syntax trees of treesitter.
// It is safe for concurrent use; text that cannot be parsed has no spans.
func SyntaxSpans() SpanFinder {
	// No limit on time: a process that is suspended must not draw another sample for it.
	parser := treesitter.NewParser(treesitter.Limits{Time: -1})
	languages := map[string]treesitter.Language{"go": treesitter.Go, "python": treesitter.Python}
	return func(language string, text []byte) [][2]int {
		s := string(text)
		tree, err := parser.Parse(languages[language], nil, s)
		if err != nil || tree == nil {
			return nil
		}
		defer tree.Close()
		var out [][2]int
		for _, sp := range treesitter.Spans(tree, s) {
			out = append(out, [2]int{int(sp.Start), int(sp.End)})
		}
		return out
	}
}
