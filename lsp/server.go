package lsp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"go.lsp.dev/jsonrpc2"
	"go.lsp.dev/protocol"
	"go.lsp.dev/uri"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/seedling-lsp/seedling/engine"
	"github.com/seedling-lsp/seedling/treesitter"
)

// Generator answers requests; an *engine.Engine is one. It must be safe for concurrent
// use and obey the context.
type Generator interface {
	Generate(ctx context.Context, r engine.Request) (engine.Result, error)
}

// Options of a server.
type Options struct {
	Generator Generator
	Logger    *zap.Logger      // nil: nothing is logged
	Level     *zap.AtomicLevel // the logger's level, which $/setTrace moves; nil: it stays
	Version   string
	Model     string // its name, for the status
	Settings  *Settings
}

// Server speaks to one client. Its methods that are protocol's Server interface are
// called by the connection alone.
type Server struct {
	protocol.UnimplementedServer

	opt    Options
	log    *zap.Logger
	base   zapcore.Level
	parser *treesitter.Parser
	docs   documents

	conn     jsonrpc2.Conn
	client   protocol.Client
	encoding Encoding
	wire     context.Context // ends with the connection

	mu       sync.Mutex
	settings Settings
	running  map[uri.URI]map[int]context.CancelFunc // requests by document
	calls    map[string]context.CancelFunc          // requests by id
	next     int

	phase atomic.Int32 // see lifecycle.go
	exit  chan struct{}
	once  sync.Once
	state statusState
}

// New makes a server. Serve runs it.
func New(opt Options) *Server {
	s := &Server{opt: opt, log: opt.Logger, settings: DefaultSettings(), parser: treesitter.NewParser(treesitter.Limits{}),
		running: map[uri.URI]map[int]context.CancelFunc{}, calls: map[string]context.CancelFunc{}, exit: make(chan struct{})}
	if s.log == nil {
		s.log = zap.NewNop()
	}
	if opt.Level != nil {
		s.base = opt.Level.Level()
	}
	if opt.Settings != nil {
		s.settings = *opt.Settings
	}
	return s
}

// ErrNoShutdown is returned by Serve when the client exited without asking to shut down
// first; the exit code is then 1, as LSP has it.
var ErrNoShutdown = errors.New("the client ended without a shutdown request")

// Serve speaks LSP over rwc until the client says exit, closes its end, or ctx ends. It
// does not wait for a reader that is blocked inside rwc: after exit the process may end.
func (s *Server) Serve(ctx context.Context, rwc io.ReadWriteCloser) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s.wire = ctx
	in := newFrames(rwc, func(err error) { s.log.Warn("refused a message", zap.Error(err)) })
	s.conn = jsonrpc2.NewConn(jsonrpc2.NewStream(in), jsonrpc2.WithCodec(codec{}))
	s.client = protocol.ClientDispatcher(s.conn)
	s.conn.Go(ctx, s.chain())
	defer s.cancelAll()
	select {
	case <-s.exit:
	case <-s.conn.Done():
		err := s.conn.Err()
		if err == nil || errors.Is(err, io.EOF) || errors.Is(err, io.ErrClosedPipe) || errors.Is(err, io.ErrUnexpectedEOF) {
			break
		}
		return fmt.Errorf("the connection to the client broke: %w", err)
	case <-ctx.Done():
	}
	if s.phase.Load() != phaseDown && ctx.Err() == nil {
		return ErrNoShutdown
	}
	return nil
}

// codec marshals with protocol's union-aware functions.
type codec struct{}

func (codec) Marshal(v any) ([]byte, error) {
	switch m := v.(type) {
	case jsonrpc2.RawMessage:
		if m == nil {
			return []byte("null"), nil
		}
		return m, nil
	case *jsonrpc2.RawMessage:
		if m == nil || *m == nil {
			return []byte("null"), nil
		}
		return *m, nil
	}
	return protocol.Marshal(v)
}

func (codec) Unmarshal(data []byte, v any) error {
	if m, ok := v.(*jsonrpc2.RawMessage); ok {
		*m = append((*m)[:0], data...)
		return nil
	}
	return protocol.Unmarshal(data, v)
}

// taken is the snapshot that a request took on the read loop.
type taken struct{}

// chain is the way of a message. From the outside in: errors of notifications are logged
// and dropped (the library would end the connection); a cancellation finds its request
// registered; notifications run on the read loop, in order; a request takes its snapshot
// there and then overlaps with what follows.
//
// The library's own CancelHandler is not used: it derives a context from the request's,
// which is recycled when the handler returns, and the derived context's goroutine may ask
// it for Done after that, a crash that fast handlers meet (jsonrpc2 v1.0.1).
func (s *Server) chain() jsonrpc2.Handler {
	inner := protocol.ServerHandler(s, jsonrpc2.MethodNotFoundHandler)
	return func(ctx context.Context, req *jsonrpc2.Request) (any, error) {
		if req.IsCall() {
			return s.call(ctx, req, inner)
		}
		method := strings.Clone(req.Method()) // borrowed from the frame
		if err := s.notified(ctx, req, inner); err != nil {
			s.log.Info("dropped a notification", zap.String("method", method), zap.Error(err))
		}
		return nil, nil
	}
}

// notified runs a notification on the read loop.
func (s *Server) notified(ctx context.Context, req *jsonrpc2.Request, inner jsonrpc2.Handler) (err error) {
	defer s.rescue(req, &err)
	if req.Method() == protocol.MethodCancelRequest {
		var p struct {
			ID json.RawMessage `json:"id"`
		}
		if err := json.Unmarshal(req.Params(), &p); err != nil {
			return err
		}
		s.cancel(string(p.ID))
		return nil
	}
	if err := s.admit(req); err != nil {
		return err
	}
	_, err = inner(jsonrpc2.DetachContext(ctx), req)
	return err
}

// call runs a request: up to its snapshot on the read loop, then beside others.
func (s *Server) call(ctx context.Context, req *jsonrpc2.Request, inner jsonrpc2.Handler) (result any, err error) {
	defer s.rescue(req, &err)
	if err := s.admit(req); err != nil {
		return nil, err
	}
	id := idOf(req.ID())
	own, cancel := context.WithCancel(jsonrpc2.DetachContext(ctx))
	defer cancel()
	s.mu.Lock()
	s.calls[id] = cancel
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		delete(s.calls, id)
		s.mu.Unlock()
	}()
	if req.Method() == protocol.MethodTextDocumentInlineCompletion {
		var p protocol.TextDocumentPositionParams
		if protocol.Unmarshal(req.Params(), &p) == nil {
			own = context.WithValue(own, taken{}, s.docs.get(p.TextDocument.URI))
		}
	}
	if req.Method() != protocol.MethodInitialize && req.Method() != protocol.MethodShutdown {
		jsonrpc2.Async(ctx)
	}
	result, err = inner(own, req)
	if own.Err() != nil {
		return nil, protocol.ErrRequestCancelled
	}
	return result, err
}

// rescue turns a panic into an error; the server lives on.
func (s *Server) rescue(req *jsonrpc2.Request, err *error) {
	if p := recover(); p != nil {
		s.log.Error("a handler failed; please report this", zap.String("method", req.Method()), zap.Any("panic", p), zap.ByteString("stack", debug.Stack()))
		*err = jsonrpc2.NewError(jsonrpc2.InternalError, "an internal error: see the log")
	}
}

// idOf is a request's id as JSON.
func idOf(id jsonrpc2.ID) string {
	if n, ok := id.Number(); ok {
		return strconv.FormatInt(n, 10)
	}
	v, _ := id.StringValue()
	b, _ := json.Marshal(v)
	return string(b)
}

// cancel ends the request of an id; of one that is over, nothing.
func (s *Server) cancel(id string) {
	s.mu.Lock()
	cancel := s.calls[id]
	s.mu.Unlock()
	if cancel != nil {
		cancel()
	}
}

// begin registers a request of a document, so that a change or a newer request can end it.
func (s *Server) begin(ctx context.Context, u uri.URI) (context.Context, func()) {
	ctx, cancel := context.WithCancel(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running[u] == nil {
		s.running[u] = map[int]context.CancelFunc{}
	}
	id := s.next
	s.next++
	s.running[u][id] = cancel
	return ctx, func() {
		cancel()
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.running[u], id)
		if len(s.running[u]) == 0 {
			delete(s.running, u)
		}
	}
}

// supersede ends every running request of a document.
func (s *Server) supersede(u uri.URI) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, cancel := range s.running[u] {
		cancel()
	}
}

func (s *Server) cancelAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range s.running {
		for _, cancel := range m {
			cancel()
		}
	}
}

func (s *Server) current() Settings {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.settings
}
