package lsp

import (
	"context"
	"time"

	"go.lsp.dev/jsonrpc2"
	"go.lsp.dev/protocol"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// Phases of a server's life.
const (
	phaseNew  int32 = iota // before initialize
	phaseUp                // after initialize
	phaseDown              // after shutdown
)

// admit refuses what is out of its time: requests before initialize (-32002), requests
// after shutdown (-32600), and drops notifications that come too early or too late.
func (s *Server) admit(req *jsonrpc2.Request) error {
	switch method := req.Method(); s.phase.Load() {
	case phaseNew:
		if method == protocol.MethodInitialize || method == protocol.MethodExit {
			return nil
		}
		return jsonrpc2.NewError(-32002, "the server waits for initialize")
	case phaseUp:
		if method == protocol.MethodInitialize {
			return jsonrpc2.NewError(jsonrpc2.InvalidRequest, "the server is initialized already")
		}
	case phaseDown:
		if method != protocol.MethodExit {
			return jsonrpc2.NewError(jsonrpc2.InvalidRequest, "the server is shutting down")
		}
	}
	return nil
}

// Initialize implements protocol.Server.
func (s *Server) Initialize(ctx context.Context, p *protocol.InitializeParams) (*protocol.InitializeResult, error) {
	var offered []protocol.PositionEncodingKind
	if g := p.Capabilities.General; g != nil {
		offered = g.PositionEncodings
	}
	if s.hello(p.InitializationOptions, p.ClientInfo) {
		offered = nil // those clients count in UTF-16, whatever their editor offers
	}
	var kind protocol.PositionEncodingKind
	s.encoding, kind = negotiate(offered)
	s.initialize(p.InitializationOptions)
	if w := p.Capabilities.Window; w != nil && w.WorkDoneProgress != nil {
		s.progress = *w.WorkDoneProgress
	}
	s.folders.opened(p)
	if w := p.Capabilities.Workspace; w != nil {
		is := func(b *bool) bool { return b != nil && *b }
		s.pulls = is(w.Configuration)
		s.tells.configuration = w.DidChangeConfiguration != nil && is(w.DidChangeConfiguration.DynamicRegistration)
		s.tells.files = w.DidChangeWatchedFiles != nil && is(w.DidChangeWatchedFiles.DynamicRegistration)
	}
	s.takes = editingOf(p.Capabilities)
	s.dynamic.read(p.Capabilities)
	s.follows = followsStatus(p.Capabilities.Experimental)
	s.elsewhere = takesEditsElsewhere(p.Capabilities.Experimental)
	s.markdown = takesMarkdown(p.Capabilities)
	s.trace(p.Trace)
	s.phase.Store(phaseUp)
	s.choose() // not before: what the client can do is written above without a lock
	s.log.Info("initialize", zap.String("client", p.ClientInfo.Name), zap.String("encoding", string(kind)))
	yes, incremental := true, protocol.TextDocumentSyncKindIncremental
	version := s.opt.Version
	r := &protocol.InitializeResult{ServerInfo: protocol.ServerInfo{Name: "seedling"}}
	if version != "" {
		r.ServerInfo.Version = protocol.NewOptional(version)
	}
	r.Capabilities.PositionEncoding = kind
	r.Capabilities.TextDocumentSync = &protocol.TextDocumentSyncOptions{OpenClose: &yes, Change: &incremental, Save: protocol.Boolean(true)}
	r.Capabilities.Workspace = &protocol.WorkspaceOptions{WorkspaceFolders: &protocol.WorkspaceFoldersServerCapabilities{Supported: &yes, ChangeNotifications: protocol.Boolean(true)}}
	// Advertised where it cannot be registered: some clients can do it and send their own
	// capability as null.
	if !s.dynamic.inline {
		r.Capabilities.InlineCompletionProvider = protocol.Boolean(true)
	}
	if !s.dynamic.lists && s.lists(s.current()) {
		r.Capabilities.CompletionProvider = &protocol.CompletionOptions{}
	}
	if p.Capabilities.NotebookDocument != nil {
		r.Capabilities.NotebookDocumentSync = notebookSync()
	}
	s.offerEdits(&r.Capabilities)
	return r, nil
}

// Initialized implements protocol.Server.
func (s *Server) Initialized(context.Context, *protocol.InitializedParams) error {
	s.once.Do(func() { // neither is for the read loop: both ask the client
		go s.greet(s.wire)
		if s.generator() == nil && s.opt.Load != nil {
			go s.load(s.wire)
			return
		}
		go s.ready()
	})
	return nil
}

// greet asks the client for its settings, to be told of changes, and to send requests for
// suggestions.
func (s *Server) greet(ctx context.Context) {
	defer close(s.greeted)
	if s.pulls {
		s.pull(ctx, false)
	}
	s.register(ctx, s.tells.configuration, s.tells.files)
	s.dynamic.mu.Lock()
	s.dynamic.greeted = true
	s.dynamic.mu.Unlock()
	s.reregister(ctx)
}

// introduced says whether the client was asked for all that the start asks for; before that
// ready is still to come.
func (s *Server) introduced() bool {
	select {
	case <-s.greeted:
		return true
	default:
		return false
	}
}

// greeting is how long the word that the server is ready waits for the client's answers.
const greeting = 10 * time.Second

// ready tells the client that the server can answer, when the client has been asked to ask:
// an editor whose person believes a ready that comes earlier says nothing to what they type,
// since it asks when a key comes and not when a provider does.
func (s *Server) ready() {
	t := time.NewTimer(greeting)
	defer t.Stop()
	select {
	case <-s.greeted:
	case <-t.C: // some clients never answer
		s.log.Info("the client does not answer what it was asked at the start")
	case <-s.wire.Done():
		return
	}
	if set := s.current(); !set.Enable {
		s.settle(stateOff, turnedOff)
		return
	}
	s.settle(stateReady, "")
	s.tell(protocol.MessageTypeInfo, "Seedling is ready: model "+s.modelName()+", nothing leaves this machine")
	if set := s.current(); set.Suspicion {
		s.suspectAll()
	}
}

// Shutdown implements protocol.Server.
func (s *Server) Shutdown(context.Context) error {
	s.phase.Store(phaseDown)
	s.asked.cancelAll(protocol.ErrRequestCancelled)
	return nil
}

// Exit implements protocol.Server.
func (s *Server) Exit(context.Context) error {
	if s.exited.CompareAndSwap(false, true) {
		close(s.exit)
	}
	return nil
}

// SetTrace implements protocol.Server: verbose logs all, messages logs more, off logs
// what the command line asked for.
func (s *Server) SetTrace(_ context.Context, p *protocol.SetTraceParams) error {
	s.trace(p.Value)
	return nil
}

func (s *Server) trace(v protocol.TraceValue) {
	if s.opt.Level == nil {
		return
	}
	switch v {
	case protocol.TraceValueVerbose:
		s.opt.Level.SetLevel(zapcore.DebugLevel)
	case protocol.TraceValueMessages:
		s.opt.Level.SetLevel(min(s.base, zapcore.InfoLevel))
	case protocol.TraceValueOff:
		s.opt.Level.SetLevel(s.base)
	}
}
