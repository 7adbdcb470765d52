package lsp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"strings"

	"go.lsp.dev/jsonrpc2"
	"go.lsp.dev/protocol"
	"go.lsp.dev/uri"
	"go.uber.org/zap"
)

// This file and those named copilot_*.go speak what Copilot's language server adds to LSP,
// so that clients written for it can be pointed at this one without a change: sign-in (there
// is nothing to sign in to), status, focus, and what the client reports of suggestions. The
// source is the README of @github/copilot-language-server 1.539 and its clients (copilot.vim,
// copilot.lua, copilot.el, sidekick.nvim, Zed).

// localUser is who is signed in: clients go on only when there is somebody.
const localUser = "local"

// copilotMethods are the methods of Copilot's server, requests and notifications, by name.
var copilotMethods = map[string]func(s *Server, ctx context.Context, params []byte) (any, error){
	"checkStatus":            signedIn("OK"),
	"signIn":                 signedIn("AlreadySignedIn"),
	"signInInitiate":         signedIn("AlreadySignedIn"),
	"signInConfirm":          signedIn("OK"),
	"signOut":                signedIn("NotSignedIn"),
	"recordTelemetryConsent": fine,
	"setEditorInfo":          (*Server).setEditorInfo,
	"getVersion":             (*Server).getVersion,
	"copilot/models":         (*Server).models,

	"notifyChangeConfiguration":                 fine,
	"textDocument/didFocus":                     (*Server).didFocus,
	"textDocument/didShowCompletion":            (*Server).didShow,
	"textDocument/didShowInlineEdit":            (*Server).didShow,
	"textDocument/didPartiallyAcceptCompletion": (*Server).didPartiallyAccept,

	"notifyShown":           (*Server).notifyShown,
	"notifyAccepted":        (*Server).notifyAccepted,
	"notifyRejected":        (*Server).notifyRejected,
	"getCompletions":        (*Server).getCompletions,
	"getCompletionsCycling": (*Server).getCompletionsCycling,
	"getPanelCompletions":   (*Server).getPanelCompletions,

	"textDocument/copilotPanelCompletion": (*Server).panelCompletion,
	"textDocument/copilotInlineEdit":      (*Server).inlineEdit,
}

func init() {
	for m := range copilotMethods {
		answered[m] = standing{}
	}
	answered["getCompletions"] = standing{document: true, kind: "inline"}
	answered["getCompletionsCycling"] = standing{document: true, kind: "cycling"}
	answered["getPanelCompletions"] = standing{document: true, kind: "panel"}
	answered["textDocument/copilotInlineEdit"] = standing{document: true, kind: "next edit"}
	answered["textDocument/copilotPanelCompletion"] = standing{document: true, kind: "panel"}
}

// Request implements protocol.Server for the methods that are not LSP's.
func (s *Server) Request(ctx context.Context, method string, params any) (any, error) {
	do := copilotMethods[method]
	if do == nil {
		return nil, jsonrpc2.NewError(jsonrpc2.MethodNotFound, "there is no method "+method)
	}
	raw, _ := params.(protocol.LSPAny)
	v, err := do(s, ctx, raw)
	if err != nil {
		return nil, err
	}
	return rawJSON(v), nil
}

// read decodes parameters; what is wrong with them is the client's error.
func read(params []byte, to any) error {
	if len(params) == 0 {
		return nil
	}
	if err := json.Unmarshal(params, to); err != nil {
		return jsonrpc2.NewError(jsonrpc2.InvalidParams, fmt.Sprintf("the parameters cannot be read: %v", err))
	}
	return nil
}

// signedIn answers for a user who is there without ever having signed in.
func signedIn(status string) func(*Server, context.Context, []byte) (any, error) {
	answer := map[string]string{"status": status, "user": localUser}
	if status == "NotSignedIn" {
		delete(answer, "user")
	}
	return func(*Server, context.Context, []byte) (any, error) { return answer, nil }
}

// fine takes what means nothing here.
func fine(*Server, context.Context, []byte) (any, error) { return "OK", nil }

// copilotEditor is what Copilot's clients say of themselves.
type copilotEditor struct {
	EditorInfo       *struct{ Name, Version string }
	EditorPluginInfo *struct{ Name, Version string }
}

func (e copilotEditor) known() bool { return e.EditorInfo != nil || e.EditorPluginInfo != nil }

func (e copilotEditor) String() (name, version string) {
	var names []string
	if e.EditorInfo != nil {
		names, version = append(names, e.EditorInfo.Name), e.EditorInfo.Version
	}
	if e.EditorPluginInfo != nil {
		version = strings.TrimSpace(version + " with " + e.EditorPluginInfo.Name + " " + e.EditorPluginInfo.Version)
	}
	return strings.Join(names, " "), version
}

// hello takes note of the client, and says whether it was written for Copilot's server.
func (s *Server) hello(options []byte, info protocol.ClientInfo) bool {
	var e copilotEditor
	_ = json.Unmarshal(options, &e) // others send what they like here
	s.copilot = e.known()
	if s.copilot {
		s.shows()
		s.counts().Editor(e.String())
		return true
	}
	version, _ := info.Version.Get()
	s.counts().Editor(info.Name, version)
	return false
}

func (s *Server) setEditorInfo(_ context.Context, params []byte) (any, error) {
	var e copilotEditor
	if err := read(params, &e); err != nil {
		return nil, err
	}
	s.counts().Editor(e.String())
	return "OK", nil
}

func (s *Server) getVersion(context.Context, []byte) (any, error) {
	return map[string]string{"version": s.opt.Version, "buildType": "prod", "runtimeVersion": "go/" + strings.TrimPrefix(runtime.Version(), "go")}, nil
}

// models are those to choose from: the one that is loaded.
func (s *Server) models(context.Context, []byte) (any, error) {
	return []any{map[string]any{"id": s.modelName(), "modelName": s.modelName(), "scopes": []string{"completion"}, "preview": false, "default": true}}, nil
}

// ours is the part of a Copilot client's configuration that is meant for this server: its
// own keys have no section around them, and would be taken for mistyped ones.
func (s *Server) ours(raw []byte) []byte {
	if !s.copilot {
		return raw
	}
	return oursOnly(raw)
}

func oursOnly(raw []byte) []byte {
	all, err := object(raw)
	if err != nil {
		return raw // which says what is wrong
	}
	for k := range all {
		if k != "seedling" && !strings.HasPrefix(k, "seedling.") {
			delete(all, k)
		}
	}
	return rawJSON(all)
}

// didFocus says which document a person looks at: the status says whether it gets any
// suggestions before the first is asked for.
func (s *Server) didFocus(_ context.Context, params []byte) (any, error) {
	var p struct{ TextDocument struct{ URI uri.URI } }
	if err := read(params, &p); err != nil {
		return nil, err
	}
	if doc := s.docs.get(p.TextDocument.URI); doc != nil && s.generator() != nil {
		s.latest.touch(doc.uri)
		go s.wanted(doc, s.current()) // it reads ignore files: not on the read loop
	}
	return nil, nil
}

// copilotStatus is the status as Copilot's server tells it.
type copilotStatus struct {
	Busy    bool   `json:"busy"`
	Message string `json:"message"`
	Kind    string `json:"kind"` // Normal, Error, Inactive
}

// copilotKinds are the names of the states there.
var copilotKinds = map[string]string{stateReady: "Normal", stateBusy: "Normal", stateOff: "Inactive", stateError: "Error"}

// tellCopilot tells the status as Copilot's server does: to its clients, and to who asks
// for it. Its older clients know another notification.
func (s *Server) tellCopilot(now Status) {
	if !s.copilot && !s.current().Status {
		return
	}
	c := copilotStatus{Busy: now.State == stateBusy, Message: now.Message, Kind: copilotKinds[now.State]}
	err := s.conn.Notify(s.wire, "didChangeStatus", rawJSON(c))
	if s.copilot {
		old := map[string]string{"status": c.Kind, "message": c.Message}
		if c.Busy {
			old["status"] = "InProgress"
		}
		err = errors.Join(err, s.conn.Notify(s.wire, "statusNotification", rawJSON(old)))
	}
	if err != nil {
		s.log.Debug("status", zap.Error(err))
	}
}

// copilotItem is a suggestion that a client reports of: of all that it sends back, the
// argument of its command counts.
type copilotItem struct {
	Item struct {
		Command struct{ Arguments []json.RawMessage }
	}
	AcceptedLength int // UTF-16, from the start of the item's text
}

func (i copilotItem) id() string {
	var id string
	if a := i.Item.Command.Arguments; len(a) > 0 {
		_ = json.Unmarshal(a[0], &id) // what is no id is one that is unknown
	}
	return id
}

func (s *Server) didShow(_ context.Context, params []byte) (any, error) {
	var p copilotItem
	if err := read(params, &p); err != nil {
		return nil, err
	}
	s.shown(p.id())
	return nil, nil
}

func (s *Server) didPartiallyAccept(_ context.Context, params []byte) (any, error) {
	var p copilotItem
	if err := read(params, &p); err != nil {
		return nil, err
	}
	s.acceptedPart(p.id(), p.AcceptedLength, true)
	return nil, nil
}
