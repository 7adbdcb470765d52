package lsp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"

	"go.lsp.dev/jsonrpc2"
	"go.lsp.dev/protocol"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/seedling-lsp/seedling/engine"
	"github.com/seedling-lsp/seedling/infill"
	"github.com/seedling-lsp/seedling/lsp/stats"
	"github.com/seedling-lsp/seedling/treesitter"
)

// Generator answers requests; an *engine.Engine is one. It must be safe for concurrent
// use and obey the context.
type Generator interface {
	Generate(ctx context.Context, r engine.Request) (engine.Result, error)
}

// Options of a server.
type Options struct {
	// Generator answers. nil: nothing is suggested until Load gave one.
	Generator Generator
	// Load makes the Generator after the handshake, so that an editor is not kept waiting
	// for a model; the client sees its progress. Its failure is shown to the person, and
	// the server stays up without suggestions. It should end with its context. It is not
	// called when there is a Generator.
	Load func(context.Context) (Generator, error)
	// Open makes the Generator of the model directory that the setting model names, which
	// is closed when it gives way to another, if it is an io.Closer. It should end with its
	// context. nil: the setting is refused.
	Open func(ctx context.Context, dir string) (Generator, error)
	// Models are names that Open takes besides directories.
	Models []string

	Logger   *zap.Logger      // nil: nothing is logged
	Level    *zap.AtomicLevel // the logger's level, which $/setTrace moves; nil: it stays
	Version  string
	Model    string    // its name, for the status
	Settings *Settings // in force until a client says otherwise; nil: DefaultSettings

	// Stats counts what is suggested and taken, unless a setting says not to; nil: nothing is.
	Stats *stats.Recorder
}

// Server speaks to one client. Its methods that are protocol's Server interface are
// called by the connection alone.
type Server struct {
	protocol.UnimplementedServer

	opt       Options
	log       *zap.Logger
	base      zapcore.Level
	parser    *treesitter.Parser
	docs      documents
	excerpts  excerpts
	notebooks notebooks
	asked     requests
	offers    offers
	next      nextEdits

	library       library
	latest        latest
	edits         edits
	folders       workspace
	ignores       ignores
	watcher       watcher
	clientWatches atomic.Bool // ignore files in the workspace folders
	canvasWatched atomic.Bool // by a person: see canvas.go

	conn     jsonrpc2.Conn
	client   protocol.Client
	encoding Encoding // written by initialize, before any other request is read
	progress bool     // the client shows progress; likewise
	inline   bool     // the client draws inline completions; likewise
	copilot  bool     // the client was written for Copilot's server; likewise
	pulls    bool     // the client can be asked for its settings; likewise
	tells    struct { // what the client tells of when it is asked to; likewise
		configuration, files bool
	}
	dynamic   dynamic         // what the client lets be registered
	takes     editing         // what the client does with edits; likewise
	elsewhere bool            // the client goes to next edits of other files; likewise
	follows   bool            // the client wants seedling/status; likewise
	markdown  bool            // the client renders Markdown in the previews of entries; likewise
	wire      context.Context // ends with the connection

	pulling sync.Mutex    // held while the client is asked for its settings
	pushed  atomic.Uint64 // settings that came unasked

	mu       sync.Mutex
	initial  Settings // with what the client's configuration does not set
	settings Settings // in force
	gen      Generator
	named    string // the model that answers; empty: Options.Model
	chosen   chosen // followModel's alone

	phase   atomic.Int32  // see lifecycle.go
	greeted chan struct{} // closed when the client was asked for all that the start asks for
	exited  atomic.Bool
	exit    chan struct{} // closed when exited
	once    sync.Once     // for loading
	state   statusState

	suspected suspicions
}

// New makes a server. Serve runs it.
func New(opt Options) *Server {
	s := &Server{opt: opt, log: opt.Logger, gen: opt.Generator,
		parser: treesitter.NewParser(treesitter.Limits{}), exit: make(chan struct{}), greeted: make(chan struct{})}
	s.chosen.changed = make(chan struct{}, 1)
	s.library.index, s.library.pace = infill.NewIndex(infill.IndexLimits{}), libraryPause
	if s.log == nil {
		s.log = zap.NewNop()
	}
	s.watcher = watcher{changed: s.ignores.forget, file: s.library.changed, log: s.log}
	s.ignores.watched, s.library.watch = s.watched, s.watched
	s.ignores.log = func(path string, err error) {
		s.log.Info("an ignore file cannot be read", zap.String("path", path), zap.Error(err))
	}
	if opt.Level != nil {
		s.base = opt.Level.Level()
	}
	s.initial = DefaultSettings()
	if opt.Settings != nil {
		s.initial = opt.Settings.clone()
	}
	s.settings = s.initial
	return s
}

// ErrNoShutdown is returned by Serve when the client exited without asking to shut down
// first; the exit code is then 1, as LSP has it.
var ErrNoShutdown = errors.New("the client ended without a shutdown request")

// Serve speaks LSP over rwc until the client says exit, closes its end, or ctx ends. It is
// called once. It does not wait for a reader that is blocked inside rwc, which stays the
// caller's to close: after exit the process may end.
//
// The error is nil after a shutdown in order, ErrNoShutdown when the client left without
// one, or says how the connection broke. The exit code is 0 for nil and 1 for the others.
func (s *Server) Serve(ctx context.Context, rwc io.ReadWriteCloser) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s.wire = ctx
	in := newFrames(rwc, func(err error) { s.log.Warn("refused a message", zap.Error(err)) })
	s.conn = jsonrpc2.NewConn(jsonrpc2.NewStream(in), jsonrpc2.WithCodec(codec{}))
	s.client = protocol.ClientDispatcher(s.conn)
	s.conn.Go(ctx, s.chain())
	var following sync.WaitGroup
	following.Go(func() { s.followModel(ctx) })
	defer func() { // what is read of the workspace is read for nobody any more
		cancel()
		s.library.wait()
		following.Wait()
	}()
	defer s.watcher.close()
	defer s.parser.Close() // what still parses goes on without trees
	defer s.opt.Stats.Flush()
	defer s.offers.close()
	defer s.asked.cancelAll(protocol.ErrRequestCancelled)
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

// current is the settings in force.
func (s *Server) current() Settings {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.settings
}

// generator answers requests; nil while there is none.
func (s *Server) generator() Generator {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.gen
}
