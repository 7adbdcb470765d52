package serve

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"syscall"
	"time"

	"go.uber.org/zap"

	"github.com/seedling-lsp/seedling/engine"
	"github.com/seedling-lsp/seedling/engine/denoise"
	"github.com/seedling-lsp/seedling/treesitter"
)

// DefaultAddress is where llama.vim and llama.vscode look for a server.
const DefaultAddress = "127.0.0.1:8012"

// Generator answers requests; an *engine.Engine is one. It must be safe for concurrent
// use and obey the context.
type Generator interface {
	Generate(ctx context.Context, r engine.Request) (engine.Result, error)
}

// Options of a server; zero fields take the default.
type Options struct {
	Generator Generator // required
	Decode    denoise.Mode
	Logger    *zap.Logger // nil: nothing is logged

	Model     string // its name, as clients show it
	Positions int    // of the model, which clients call n_ctx
	Version   string

	// Token, if there is one, must come with every request but /health, as
	// "Authorization: Bearer TOKEN".
	Token string
	// Exposed says that the listener is open to other machines: then any Host is served,
	// since the token stands guard.
	Exposed bool

	MaxBody   int64         // bytes of a request's body, default 4 MB
	MaxAtOnce int           // requests in work, default 16; those beyond are refused
	MaxWait   time.Duration // of an answer, default 10 s: then what there is
	BodyTime  time.Duration // to send a body, default 10 s
	Grace     time.Duration // that requests in work have when the server ends, default 2 s
}

func (o Options) withDefaults() Options {
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	if o.MaxBody <= 0 {
		o.MaxBody = 4 << 20
	}
	if o.MaxAtOnce <= 0 {
		o.MaxAtOnce = 16
	}
	if o.MaxWait <= 0 {
		o.MaxWait = 10 * time.Second
	}
	if o.BodyTime <= 0 {
		o.BodyTime = 10 * time.Second
	}
	if o.Grace <= 0 {
		o.Grace = 2 * time.Second
	}
	return o
}

// Server answers over HTTP.
type Server struct {
	opt     Options
	log     *zap.Logger
	parser  *treesitter.Parser
	flights flights
	slots   chan struct{} // a request in work holds one
	started time.Time
}

// New makes a server. Serve runs it; Close gives its memory back.
func New(opt Options) *Server {
	opt = opt.withDefaults()
	return &Server{opt: opt, log: opt.Logger, started: time.Now(), slots: make(chan struct{}, opt.MaxAtOnce),
		// Clients send what stands around the cursor: more than this was made by a program,
		// and a tree of it would cost more than it tells.
		parser: treesitter.NewParser(treesitter.Limits{Bytes: 1 << 20, Time: 200 * time.Millisecond})}
}

// Close ends every question and gives the parser's memory back. Serve calls it.
func (s *Server) Close() {
	s.flights.close()
	s.parser.Close()
}

// Exposed says whether other machines can reach an address, which is HOST:PORT. Without a
// token such an address is an error: anybody could ask, on this machine's account, what the
// model knows.
func Exposed(address, token string) (bool, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return false, fmt.Errorf("%q is no HOST:PORT, such as %s: %w", address, DefaultAddress, err)
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return false, fmt.Errorf("%q is no port: use a number up to 65535, 0 for any that is free", port)
	}
	if loopback(host) {
		return false, nil
	}
	if token == "" {
		return true, fmt.Errorf("%s can be reached from other machines: set a token, or listen on 127.0.0.1", address)
	}
	return true, nil
}

// Listen opens an address that [Exposed] allows.
func Listen(ctx context.Context, address, token string) (net.Listener, error) {
	exposed, err := Exposed(address, token)
	if err != nil {
		return nil, err
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", address)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("%s is taken, perhaps by llama-server or another seedling: end that one or choose another address: %w", address, err)
	case err != nil:
		return nil, fmt.Errorf("no listening on %s: %w; choose another address", address, err)
	}
	// What a name stands for is known only now: a hosts file may say anything of localhost.
	if a, ok := l.Addr().(*net.TCPAddr); ok && !exposed && !a.IP.IsLoopback() {
		return nil, errors.Join(fmt.Errorf("%s is %v here, which other machines can reach: listen on 127.0.0.1", address, a), l.Close())
	}
	return l, nil
}

// loopback says whether a host without its port can be this machine alone.
func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.Unmap().IsLoopback()
}

// Handler serves the pages.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	page := func(path, method string, h handler) {
		mux.Handle(path, s.guarded(path, method, h))
	}
	page("/infill", http.MethodPost, s.infill)
	page(completionPage, http.MethodPost, s.infill)
	page("/v1/completions", http.MethodPost, s.completions)
	page("/v1/models", http.MethodGet, s.models)
	page("/models", http.MethodGet, s.models)
	page("/props", http.MethodGet, s.props)
	page("/health", http.MethodGet, s.health)
	page("/v1/health", http.MethodGet, s.health)
	page("/", "", func(http.ResponseWriter, *http.Request) error {
		return problem{http.StatusNotFound, "not_found_error", "there is no such page: POST /infill or /v1/completions, GET /health, /props or /v1/models"}
	})
	return mux
}

// Serve answers on l until ctx ends; then requests in work have the time of
// Options.Grace, and are cancelled after it. The error is nil after an end by ctx. It is
// called once and closes l and s.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	defer s.Close()
	requests, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	std, err := zap.NewStdLogAt(s.log.Named("http"), zap.DebugLevel)
	if err != nil {
		return fmt.Errorf("serve: %w", err)
	}
	srv := &http.Server{
		Handler:     s.Handler(),
		BaseContext: func(net.Listener) context.Context { return requests },
		ErrorLog:    std,
		// No ReadTimeout: it would go on while the answer is made and end the request's
		// context with it. The time of the body is set where the body is read.
		ReadHeaderTimeout: 5 * time.Second,
		WriteTimeout:      s.opt.BodyTime + s.opt.MaxWait + 10*time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 << 10,
	}
	s.log.Info("listening", zap.Stringer("address", l.Addr()), zap.Bool("token", s.opt.Token != ""))
	failed := make(chan error, 1)
	go func() { failed <- srv.Serve(l) }()
	select {
	case err := <-failed:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	grace, done := context.WithTimeout(context.WithoutCancel(ctx), s.opt.Grace)
	defer done()
	if err := srv.Shutdown(grace); err != nil {
		cancel()
		if err := srv.Close(); err != nil {
			return fmt.Errorf("serve: %w", err)
		}
	}
	s.log.Info("ended")
	return nil
}

// health says that the model is there: the server does not listen before.
func (s *Server) health(w http.ResponseWriter, _ *http.Request) error {
	return writeJSON(w, map[string]any{"status": "ok"})
}

// models lists the one model, as OpenAI does and with what llama-server adds.
func (s *Server) models(w http.ResponseWriter, _ *http.Request) error {
	return writeJSON(w, map[string]any{"object": "list", "data": []any{map[string]any{
		"id": s.opt.Model, "object": "model", "created": s.started.Unix(), "owned_by": "seedling",
		"max_model_len": s.opt.Positions, // where Continue looks for it
		"meta":          map[string]any{"n_ctx_train": s.opt.Positions},
	}}})
}

// props are llama-server's, as far as clients read them: the size of the context.
func (s *Server) props(w http.ResponseWriter, _ *http.Request) error {
	return writeJSON(w, map[string]any{
		"default_generation_settings": map[string]any{"id": 0, "n_ctx": s.opt.Positions, "is_processing": len(s.slots) > 0},
		"total_slots":                 1,
		"model_alias":                 s.opt.Model,
		"model_path":                  s.opt.Model,
		"chat_template":               "",
		"modalities":                  map[string]bool{"vision": false, "audio": false},
		"build_info":                  "seedling " + s.opt.Version,
	})
}
