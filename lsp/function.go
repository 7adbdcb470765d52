package lsp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"go.lsp.dev/jsonrpc2"
	"go.lsp.dev/protocol"
	"go.uber.org/zap"

	"github.com/seedling-lsp/seedling/engine"
	"github.com/seedling-lsp/seedling/infill"
)

// writeFunction is the command that writes the body of a function. Its argument is an
// about with a position in the function: {"uri", "version", "position"}.
const writeFunction = "seedling.writeFunction"

// progressKey is the key of a command's work done token in its context.
type progressKey struct{}

func init() { commands[writeFunction] = (*Server).runWriteFunction }

// runWriteFunction writes a function, block after block, in view of the person, who can end it
// by the request or by its progress. The result is {"applied": whether the client put the
// function in}.
func (s *Server) runWriteFunction(ctx context.Context, arguments []json.RawMessage) (any, error) {
	var at about
	if len(arguments) != 1 || json.Unmarshal(arguments[0], &at) != nil || at.Position == nil {
		return nil, jsonrpc2.NewError(jsonrpc2.InvalidParams, writeFunction+` takes one argument: {"uri", "version", "position"}`)
	}
	doc, _ := ctx.Value(taken{}).(*snapshot)
	if err := same(doc, at); err != nil {
		return nil, err
	}
	set, gen := s.current(), s.generator()
	switch {
	case !set.Enable:
		return nil, refused("Seedling is " + turnedOff)
	case gen == nil:
		return nil, refused("the model is still loading: try again in a moment")
	}
	if reason := s.withheld(doc, set); reason != "" {
		return nil, refused("nothing is written here: " + reason)
	}
	stub, ok := infill.StubAt(s.document(doc), infill.ByteOffset(doc.lines.offset(s.encoding, *at.Position)))
	if !ok {
		return nil, refused("there is no function to write here: its body must be empty, a stub or a TODO")
	}
	token, _ := ctx.Value(progressKey{}).(protocol.ProgressToken)
	show := s.showing(ctx, token, "Seedling: writing a function")
	applied, err := s.write(ctx, gen, doc, stub, set, show)
	switch {
	case ctx.Err() != nil && errors.Is(context.Cause(ctx), errModified):
		show.end("nothing was written: the document changed meanwhile")
	case ctx.Err() != nil:
		show.end("cancelled")
	case err != nil:
		show.end(err.Error())
	case !applied:
		show.end("the editor did not take the function")
	default:
		show.end("done")
	}
	if err != nil {
		return nil, err
	}
	return map[string]bool{"applied": applied}, nil
}

// refused is an error whose message is for a person.
func refused(why string) error {
	return jsonrpc2.NewError(jsonrpc2.Code(protocol.LSPErrorCodesRequestFailed), why)
}

// write has the body written and hands it to the client.
func (s *Server) write(ctx context.Context, gen Generator, doc *snapshot, stub infill.Stub, set Settings, show *showing) (applied bool, err error) {
	with := stub.Document(s.document(doc))
	with.Tree, _ = s.parser.Parse(doc.language, doc.parsed(), with.Text)
	defer with.Tree.Close()
	plan := stub.Plan(with, infill.Options{Priority: engine.Invoked, Document: string(doc.uri) + "#function", MaxTokens: set.MaxTokens})
	failed := false
	g, _, err := plan.Answer(func(r engine.Request) (engine.Result, error) {
		r.Decode = decodes[set.Decode]
		r.Watch = func(step engine.Step) { show.lines(1 + strings.Count(step.Done, "\n")) }
		res, err := s.generate(ctx, gen, r)
		failed = err == nil && res.Stop == "none" && res.Forwards == 0
		return res, err
	})
	switch e, ok := stub.Edit(g); {
	case err != nil:
		return false, err
	case failed:
		return false, refused("the engine failed: run `seedling doctor`")
	case !ok:
		return false, refused("the model has no answer for this function: say more in its name, its parameters or a comment")
	default:
		return s.deliver(ctx, doc, []infill.TextEdit{e}, "Write the function")
	}
}

// deliver hands an edit to the client, unless the document is another by now.
func (s *Server) deliver(ctx context.Context, doc *snapshot, edits []infill.TextEdit, label string) (applied bool, err error) {
	// From here on a change of the document is ours, or the client refuses the edit by its
	// version: it no longer ends the request. One that came before has.
	if n, ok := ctx.Value(runningKey{}).(*running); ok {
		n.settled.Store(true)
	}
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	if now := s.docs.get(doc.uri); now != doc {
		return false, errModified
	}
	edit := s.workspaceEdit(doc, edits, label, true)
	// Asked also of a client that did not say that it takes edits: Kate does, and says nothing.
	res, err := s.client.ApplyEdit(ctx, &protocol.ApplyWorkspaceEditParams{Label: &label, Edit: *edit})
	var answer *jsonrpc2.Error
	if errors.As(err, &answer) && answer.Code == jsonrpc2.MethodNotFound {
		return false, refused("this editor takes no edits from a server (workspace/applyEdit)")
	}
	if err != nil {
		return false, fmt.Errorf("the editor did not take the function: %w", err)
	}
	if res == nil || !res.Applied {
		why := ""
		if res != nil && res.FailureReason != nil {
			why = *res.FailureReason
		}
		s.log.Info("an edit was not applied", zap.String("why", why))
		return false, nil
	}
	return true, nil
}
