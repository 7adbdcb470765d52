package lsp

import (
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strconv"

	"go.lsp.dev/jsonrpc2"
	"go.lsp.dev/protocol"
	"go.lsp.dev/uri"
)

// standing is how a request stands to what else is going on.
type standing struct {
	// document: it is about the document that it names. It takes its snapshot on the read
	// loop and runs beside others; a change of the document ends it.
	document bool
	// beside: it takes time without being about one document, and runs beside others.
	beside bool
	// kind of what it asks for: a newer request of the same kind for the same document ends
	// an older one, since a person has one cursor. Empty: none does.
	kind string
}

// answered are the requests that have an answer. A method that is not here is refused
// before its parameters are read.
var answered = map[string]standing{
	protocol.MethodInitialize:                   {},
	protocol.MethodShutdown:                     {},
	protocol.MethodWorkspaceExecuteCommand:      {document: true, beside: true, kind: "write"},
	protocol.MethodTextDocumentInlineCompletion: {document: true, kind: "inline"},
	protocol.MethodTextDocumentCompletion:       {document: true, kind: "list"},
	protocol.MethodTextDocumentCodeAction:       {document: true, kind: "actions"},
	protocol.MethodCodeActionResolve:            {document: true},
	protocol.MethodTextDocumentCodeLens:         {document: true, kind: "lenses"},
	protocol.MethodTextDocumentDiagnostic:       {document: true, kind: "diagnostics"},
}

// commands are what workspace/executeCommand runs, by name; they are advertised.
var commands = map[string]func(s *Server, ctx context.Context, arguments []json.RawMessage) (any, error){}

func commandNames() []string { return slices.Sorted(maps.Keys(commands)) }

// ExecuteCommand implements protocol.Server.
func (s *Server) ExecuteCommand(ctx context.Context, p *protocol.ExecuteCommandParams) (protocol.LSPAny, error) {
	run := commands[p.Command]
	if run == nil {
		return nil, jsonrpc2.NewError(jsonrpc2.InvalidParams, "there is no command "+strconv.Quote(p.Command))
	}
	arguments := make([]json.RawMessage, len(p.Arguments))
	for i, a := range p.Arguments {
		arguments[i] = slices.Clone(json.RawMessage(a))
	}
	if token := p.WorkDoneToken; token != nil {
		ctx = context.WithValue(ctx, progressKey{}, token)
	}
	v, err := run(s, ctx, arguments)
	if err != nil {
		return nil, err
	}
	return protocol.LSPAny(rawJSON(v)), nil
}

// documentOf is the URI of the document that a request names: as LSP has it, or as the
// older protocol of Copilot's clients does; empty if it names none.
func documentOf(params []byte) uri.URI {
	var p struct {
		TextDocument, Doc struct {
			URI string `json:"uri"`
		}
		Command   string
		Arguments json.RawMessage
		Data      json.RawMessage
	}
	if json.Unmarshal(params, &p) != nil {
		return "" // its handler says what is wrong
	}
	if p.Command == writeFunction || len(p.Data) > 0 {
		p.Doc.URI = named(p.Arguments, p.Data)
	}
	u, err := uri.Parse(cmp.Or(p.TextDocument.URI, p.Doc.URI)) // as the library reads them
	if err != nil {
		return ""
	}
	return u
}
