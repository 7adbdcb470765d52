package shared

import (
	"context"
	"errors"
	"fmt"
	"net"
	"runtime/debug"
	"strconv"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/seedling-lsp/seedling/lsp"
)

// Options of a shared server.
type Options struct {
	// Server is what each session's server is made with; its Generator or Load is wrapped,
	// so that sessions do not meet in it, and Load is called once for all.
	Server lsp.Options
	// Idle is how long a server without sessions stays; 0: for ever.
	Idle time.Duration
	// MaxSessions at once; those beyond are turned away. 0: 64.
	MaxSessions int
	// Patience with a peer that says nothing at first. 0: 30 s.
	Patience time.Duration
}

// Serve serves sessions until ctx ends or nobody was there for Options.Idle, for which the
// error is nil. It closes l and returns when the last session ended.
func Serve(ctx context.Context, l net.Listener, opt Options) error {
	if opt.MaxSessions <= 0 {
		opt.MaxSessions = 64
	}
	if opt.Patience <= 0 {
		opt.Patience = 30 * time.Second
	}
	if opt.Server.Logger == nil {
		opt.Server.Logger = zap.NewNop()
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s := &server{opt: opt, log: opt.Server.Logger, model: loadOnce(ctx, opt.Server)}
	s.idle(cancel)
	stop := context.AfterFunc(ctx, func() { l.Close() })
	defer stop()
	defer s.wg.Wait()
	defer cancel()
	for {
		c, err := l.Accept()
		switch {
		case ctx.Err() != nil:
			if err == nil {
				c.Close()
			}
			return nil
		case err != nil:
			return errors.Join(fmt.Errorf("the shared server: %w", err), l.Close())
		}
		if !s.enter() {
			s.log.Warn("turned a session away: there are too many", zap.Int("sessions", opt.MaxSessions))
			c.Close()
			continue
		}
		s.wg.Go(func() {
			defer s.leave(cancel)
			s.session(ctx, c)
		})
	}
}

type server struct {
	opt   Options
	log   *zap.Logger
	model *engines
	wg    sync.WaitGroup

	mu       sync.Mutex
	sessions int
	next     uint64
	timer    *time.Timer
	over     bool
}

// enter counts a session in; false: there is no room.
func (s *server) enter() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sessions >= s.opt.MaxSessions || s.over {
		return false
	}
	s.sessions++
	if s.timer != nil {
		s.timer.Stop()
	}
	return true
}

func (s *server) leave(end func()) {
	s.mu.Lock()
	s.sessions--
	s.mu.Unlock()
	s.idle(end)
}

// idle ends the server when nobody comes.
func (s *server) idle(end func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.opt.Idle <= 0 || s.sessions > 0 {
		return
	}
	if s.timer != nil {
		s.timer.Stop()
	}
	s.timer = time.AfterFunc(s.opt.Idle, func() {
		s.mu.Lock()
		s.over = s.sessions == 0
		over := s.over
		s.mu.Unlock()
		if over {
			end()
		}
	})
}

// session serves one client.
func (s *server) session(ctx context.Context, c net.Conn) {
	defer c.Close()
	defer func() {
		if p := recover(); p != nil {
			s.log.Error("a session failed; please report this", zap.Any("panic", p), zap.ByteString("stack", debug.Stack()))
		}
	}()
	s.mu.Lock()
	s.next++
	name := strconv.FormatUint(s.next, 10)
	s.mu.Unlock()
	opt := s.opt.Server
	opt.Logger = s.log.With(zap.String("session", name))
	opt.Level = nil // of all sessions, not one client's to set
	v := &view{name: name + " "}
	defer v.forget()
	opt.Generator, opt.Load = nil, func(context.Context) (lsp.Generator, error) {
		g, err := s.model.get()
		if err != nil {
			return nil, err
		}
		v.use(g)
		return v, nil
	}
	if g := s.model.loaded(); g != nil { // the window need not wait
		v.use(g)
		opt.Generator = v
	}
	opt.Logger.Info("a session begins")
	err := lsp.New(opt).Serve(ctx, &patient{Conn: c, first: time.Now().Add(s.opt.Patience)})
	opt.Logger.Info("a session ended", zap.Error(err))
}

// patient is a connection that ends when its peer says nothing at first.
type patient struct {
	net.Conn
	first time.Time
	said  bool // touched by the reader alone
}

// Read implements io.Reader.
func (p *patient) Read(b []byte) (int, error) {
	if p.said {
		return p.Conn.Read(b)
	}
	if err := p.SetReadDeadline(p.first); err != nil {
		return 0, err
	}
	n, err := p.Conn.Read(b)
	if n > 0 {
		p.said = true
		err = errors.Join(err, p.SetReadDeadline(time.Time{}))
	}
	return n, err
}

// engines is the one engine of all sessions.
type engines struct {
	load func() (lsp.Generator, error) // once
	mu   sync.Mutex
	here lsp.Generator // loaded
}

// loadOnce loads the model when the first session wants it, and by nobody's own context:
// who asked first may leave.
func loadOnce(ctx context.Context, opt lsp.Options) *engines {
	return &engines{here: opt.Generator, load: sync.OnceValues(func() (lsp.Generator, error) { return opt.Load(ctx) })}
}

// loaded is the engine if it is there already, else nil.
func (e *engines) loaded() lsp.Generator {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.here
}

func (e *engines) get() (lsp.Generator, error) {
	if g := e.loaded(); g != nil {
		return g, nil
	}
	g, err := e.load()
	if err != nil {
		return nil, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.here = g
	return g, nil
}
