package lsp

import (
	"encoding/json"
	"slices"

	"go.lsp.dev/protocol"
	"go.lsp.dev/uri"

	"github.com/seedling-lsp/seedling/infill"
)

// editing is what a client does with edits, as it said at the start.
type editing struct {
	versioned   bool // takes documentChanges, and so refuses an edit of another version
	annotated   bool // shows change annotations and asks before it applies
	applies     bool // says that it takes workspace/applyEdit
	literals    bool // takes code actions, not only commands
	resolves    bool // asks for the edit of a code action when it is chosen
	keepsData   bool // sends a code action's data back
	tags        bool // knows tags of code actions
	pulls       bool // asks for diagnostics
	refreshes   bool // asks for them again when it is told to
	diagnostics bool // shows diagnostics that come unasked
}

func editingOf(c protocol.ClientCapabilities) (e editing) {
	is := func(b *bool) bool { return b != nil && *b }
	if w := c.Workspace; w != nil {
		e.applies = is(w.ApplyEdit)
		if w.WorkspaceEdit != nil {
			e.versioned = is(w.WorkspaceEdit.DocumentChanges)
			e.annotated = e.versioned && w.WorkspaceEdit.ChangeAnnotationSupport != nil
		}
	}
	if w := c.Workspace; w != nil && w.Diagnostics != nil {
		e.refreshes = is(w.Diagnostics.RefreshSupport)
	}
	if t := c.TextDocument; t != nil {
		if a := t.CodeAction; a != nil {
			e.literals = a.CodeActionLiteralSupport.CodeActionKind.ValueSet != nil
			e.keepsData = is(a.DataSupport)
			e.resolves = e.keepsData && slices.Contains(a.ResolveSupport.Properties, "edit")
			e.tags = slices.Contains(a.TagSupport.ValueSet, protocol.CodeActionTagLLMGenerated)
		}
		e.pulls = t.Diagnostic != nil
		e.refreshes = e.refreshes && e.pulls
		e.diagnostics = t.PublishDiagnostics != nil
	}
	return e
}

// offerEdits says what the server has to do with edits.
func (s *Server) offerEdits(c *protocol.ServerCapabilities) {
	yes := true
	c.CodeActionProvider = &protocol.CodeActionOptions{
		CodeActionKinds: []protocol.CodeActionKind{protocol.CodeActionKindQuickFix, protocol.CodeActionKindRefactorRewrite},
		ResolveProvider: &yes,
	}
	c.CodeLensProvider = &protocol.CodeLensOptions{}
	c.ExecuteCommandProvider = protocol.ExecuteCommandOptions{Commands: commandNames()}
	c.ExecuteCommandProvider.WorkDoneProgress = &yes
	if s.takes.pulls {
		id := "seedling"
		c.DiagnosticProvider = &protocol.DiagnosticOptions{Identifier: &id}
	}
}

// annotation is the name of our one annotation in an edit.
const annotation = protocol.ChangeAnnotationIdentifier("seedling")

// workspaceEdit is an edit of one version of a document, as the client can take it. With a
// preview, clients that can show the change before it is made are told to.
func (s *Server) workspaceEdit(doc *snapshot, edits []infill.TextEdit, label string, preview bool) *protocol.WorkspaceEdit {
	var plain []protocol.TextEdit
	for _, e := range edits {
		plain = append(plain, protocol.TextEdit{Range: doc.lines.rangeOf(s.encoding, int(e.Start), int(e.End)), NewText: e.Text})
	}
	if !s.takes.versioned {
		return &protocol.WorkspaceEdit{Changes: map[uri.URI][]protocol.TextEdit{doc.uri: plain}}
	}
	version := doc.version
	change := &protocol.TextDocumentEdit{TextDocument: protocol.OptionalVersionedTextDocumentIdentifier{
		TextDocumentIdentifier: protocol.TextDocumentIdentifier{URI: doc.uri}, Version: &version}}
	w := &protocol.WorkspaceEdit{DocumentChanges: []protocol.DocumentChange{change}}
	for _, e := range plain {
		if !preview || !s.takes.annotated {
			change.Edits = append(change.Edits, &e)
			continue
		}
		change.Edits = append(change.Edits, &protocol.AnnotatedTextEdit{TextEdit: e, AnnotationID: annotation})
	}
	if preview && s.takes.annotated {
		yes, by := true, "written by Seedling's model "+s.modelName()+": read it before you keep it"
		w.ChangeAnnotations = map[protocol.ChangeAnnotationIdentifier]protocol.ChangeAnnotation{
			annotation: {Label: label, NeedsConfirmation: &yes, Description: &by}}
	}
	return w
}

// about is what our commands and the data of our code actions say: the document and its
// version, and where in it, or what to do.
type about struct {
	URI      uri.URI            `json:"uri"`
	Version  int32              `json:"version"`
	Position *protocol.Position `json:"position,omitempty"`
	Edits    []infill.TextEdit  `json:"edits,omitempty"`
	Label    string             `json:"label,omitempty"`
}

// named is the document that the arguments of our command or the data of a code action name;
// empty if none.
func named(arguments, data []byte) string {
	var list []about
	if json.Unmarshal(arguments, &list) == nil && len(list) > 0 {
		return string(list[0].URI)
	}
	var one about
	if json.Unmarshal(data, &one) != nil {
		return ""
	}
	return string(one.URI)
}
