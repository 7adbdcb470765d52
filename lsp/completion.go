package lsp

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"unicode/utf8"

	"go.lsp.dev/protocol"

	"github.com/seedling-lsp/seedling/lsp/stats"
)

// Editors that cannot draw inline completions get the same suggestion as an entry of their
// completion list: textDocument/completion.

// drawsInline says whether a client draws inline completions, by its initialize request: it
// names the capability, be it as null (Emacs' lsp-mode does both).
func drawsInline(params []byte) bool {
	var p struct {
		Capabilities struct {
			TextDocument map[string]json.RawMessage
		}
	}
	if json.Unmarshal(params, &p) != nil {
		return false
	}
	_, named := p.Capabilities.TextDocument["inlineCompletion"]
	return named
}

// lists says whether suggestions go into the completion list.
func (s *Server) lists(set Settings) bool {
	switch set.Completion {
	case "always":
		return true
	case "never":
		return false
	}
	return !s.inline && !s.copilot
}

// maxLabel is how many characters of a suggestion an entry of the list shows.
const maxLabel = 60

// Completion implements protocol.Server: what inline completion would suggest, as an entry
// of the list with a preview of all of it. Clients ask here as a person types; what they
// call invoked is mostly that, so an entry is withheld as an automatic suggestion is.
func (s *Server) Completion(ctx context.Context, p *protocol.CompletionParams) (protocol.CompletionResult, error) {
	list := &protocol.CompletionList{IsIncomplete: true, Items: []protocol.CompletionItem{}} // the next key may want another
	doc, _ := ctx.Value(taken{}).(*snapshot)
	if !s.lists(s.current()) {
		list.IsIncomplete = false
		return list, nil
	}
	a, err := s.suggest(ctx, question{doc: doc, position: p.Position, kind: stats.Listed})
	if err != nil || len(a.all) == 0 {
		return list, err
	}
	text := doc.text()
	g := a.all[0]
	// The edit replaces the word before the cursor, by which clients filter.
	from := a.at
	for from > 0 && wordByte(text[from-1]) {
		from--
	}
	word := text[from:a.at]
	label := word + strings.TrimLeft(firstLine(g.Text), " \t")
	insert := word + g.Text
	kind, language := protocol.CompletionItemKindText, doc.language.String()
	if strings.Contains(g.Text, "\n") {
		kind = protocol.CompletionItemKindSnippet
	}
	preview := &protocol.MarkupContent{Kind: protocol.MarkupKindPlainText, Value: insert}
	if s.markdown {
		preview = &protocol.MarkupContent{Kind: protocol.MarkupKindMarkdown, Value: fenced(language, insert)}
	}
	list.Items = append(list.Items, protocol.CompletionItem{
		Label:            shortened(label, maxLabel),
		Kind:             kind,
		Detail:           protocol.NewOptional("Seedling"),
		Documentation:    preview,
		SortText:         protocol.NewOptional("~"), // below what language servers know
		FilterText:       protocol.NewOptional(firstLine(insert)),
		InsertText:       protocol.NewOptional(insert),
		InsertTextFormat: protocol.InsertTextFormatPlainText,
		InsertTextMode:   protocol.InsertTextModeAsIs,
		TextEdit:         &protocol.TextEdit{Range: doc.lines.rangeOf(s.encoding, from, max(int(g.End), a.at)), NewText: insert},
		Command:          s.accept(s.placed(s.offer(stats.Listed, doc, insert, len(word), true), from)),
	})
	return list, nil
}

// takesMarkdown says whether a client renders Markdown in the preview of an entry: it says so,
// or gets plain text.
func takesMarkdown(c protocol.ClientCapabilities) bool {
	if c.TextDocument == nil || c.TextDocument.Completion == nil || c.TextDocument.Completion.CompletionItem == nil {
		return false
	}
	return slices.Contains(c.TextDocument.Completion.CompletionItem.DocumentationFormat, protocol.MarkupKindMarkdown)
}

// fenced is code as Markdown.
func fenced(language, code string) string {
	fence := "```"
	for strings.Contains(code, fence) {
		fence += "`"
	}
	return fence + language + "\n" + code + "\n" + fence
}

// firstLine is a text up to its first line end.
func firstLine(text string) string {
	if i := strings.IndexAny(text, "\r\n"); i >= 0 {
		return text[:i]
	}
	return text
}

// shortened is a text of at most n characters.
func shortened(text string, n int) string {
	if utf8.RuneCountInString(text) <= n {
		return text
	}
	return string([]rune(text)[:n-1]) + "…"
}

func wordByte(c byte) bool {
	return c == '_' || c >= utf8.RuneSelf || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}
