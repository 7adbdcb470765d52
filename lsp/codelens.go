package lsp

import (
	"context"

	"go.lsp.dev/protocol"

	"github.com/seedling-lsp/seedling/infill"
)

// CodeLens implements protocol.Server: a lens above each function that is still to be
// written. It asks the model nothing.
func (s *Server) CodeLens(ctx context.Context, _ *protocol.CodeLensParams) ([]protocol.CodeLens, error) {
	lenses := []protocol.CodeLens{}
	doc, _ := ctx.Value(taken{}).(*snapshot)
	set := s.current()
	if doc == nil || !set.Enable || !set.CodeLens || !s.takes.applies || s.withheld(doc, set) != "" {
		return lenses, nil
	}
	for _, stub := range infill.Stubs(s.document(doc)) {
		at := doc.lines.position(s.encoding, int(stub.Line))
		lenses = append(lenses, protocol.CodeLens{Range: protocol.Range{Start: at, End: at},
			Command: s.stubCommand(doc, at, "Write this function ("+string(stub.Why)+")")})
	}
	return lenses, nil
}

// stubAction offers to write the function around an offset.
func (s *Server) stubAction(doc *snapshot, stub infill.Stub, at int) protocol.CommandOrCodeAction {
	title := "Seedling: write this function (" + string(stub.Why) + ")"
	command := s.stubCommand(doc, doc.lines.position(s.encoding, at), title)
	if !s.takes.literals {
		return &command
	}
	kind := protocol.CodeActionKindRefactorRewrite
	a := &protocol.CodeAction{Title: title, Kind: &kind, Command: command}
	if s.takes.tags {
		a.Tags = []protocol.CodeActionTag{protocol.CodeActionTagLLMGenerated}
	}
	return a
}

func (s *Server) stubCommand(doc *snapshot, at protocol.Position, title string) protocol.Command {
	return protocol.Command{Title: title, Command: writeFunction,
		Arguments: []protocol.LSPAny{protocol.LSPAny(rawJSON(about{URI: doc.uri, Version: doc.version, Position: &at}))}}
}
