package web

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"embed"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/coder/websocket"
	"go.lsp.dev/jsonrpc2"
	"go.uber.org/zap"

	"github.com/seedling-lsp/seedling/lsp"
	"github.com/seedling-lsp/seedling/lsp/serve"
)

// page is what the browser loads: page.js is bundled from page/src by `npm run build` in page/.
//
//go:embed assets page/src/index.html page/src/page.css
var page embed.FS

// Options of a playground.
type Options struct {
	Server lsp.Options // one server for each page that is open, all with this Generator
	Port   int         // 0: any that is free
	// Up is told the address of the page, token and all, when it is served.
	Up func(url string)
}

// Run serves the playground on the loopback until ctx ends, which is no error.
func Run(ctx context.Context, opt Options) error {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(opt.Port)))
	if err != nil {
		return fmt.Errorf("demo: %w; name another port with --port", err)
	}
	log := opt.Server.Logger
	if log == nil {
		log = zap.NewNop()
	}
	token := rand.Text()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	p := &playground{opt: opt, token: token, log: log, ctx: ctx}
	s := &http.Server{Handler: p, ReadHeaderTimeout: 10 * time.Second, BaseContext: func(net.Listener) context.Context { return ctx }}
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	if opt.Up != nil {
		opt.Up("http://" + l.Addr().String() + "/" + token + "/")
	}
	select {
	case err := <-done:
		return fmt.Errorf("demo: %w", err)
	case <-ctx.Done():
	}
	// Pages that are open end with ctx: Shutdown does not wait for them.
	err = s.Close()
	<-done
	return err
}

type playground struct {
	opt   Options
	token string
	log   *zap.Logger
	ctx   context.Context
}

// ServeHTTP implements http.Handler: /TOKEN/ and what belongs to it.
func (p *playground) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; connect-src 'self' ws://"+r.Host+"; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer") // the address holds the token
	h.Set("Cache-Control", "no-store")
	if !serve.LocalHost(r.Host) || serve.ForeignPage(r) {
		http.Error(w, "this page is for the machine that serves it", http.StatusForbidden)
		return
	}
	token, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	if subtle.ConstantTimeCompare([]byte(token), []byte(p.token)) != 1 {
		http.Error(w, "the token is missing or wrong: open the address that seedling demo --web printed", http.StatusForbidden)
		return
	}
	if rest == "lsp" {
		p.connect(w, r)
		return
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		h.Set("Allow", "GET, HEAD")
		http.Error(w, "GET", http.StatusMethodNotAllowed)
		return
	}
	if rest == "" {
		rest = "index.html"
	}
	b, err := page.ReadFile("assets/" + rest) // takes no path that leads elsewhere
	if err != nil {
		b, err = page.ReadFile("page/src/" + rest)
	}
	if err != nil {
		http.NotFound(w, r)
		return
	}
	h.Set("Content-Type", mime.TypeByExtension(path.Ext(rest)))
	_, _ = w.Write(b)
}

// maxMessage bounds a message of the page, in bytes.
const maxMessage = 4 << 20

// connect gives a page a server of its own, for as long as it is open.
func (p *playground) connect(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Origin") != "http://"+r.Host { // a browser says so of every WebSocket
		http.Error(w, "not from the page", http.StatusForbidden)
		return
	}
	c, err := websocket.Accept(w, r, nil)
	if err != nil {
		p.log.Debug("demo: websocket", zap.Error(err))
		return
	}
	defer c.CloseNow()
	c.SetReadLimit(maxMessage)
	ctx, cancel := context.WithCancel(p.ctx)
	defer cancel()
	ours, theirs := net.Pipe()
	served := make(chan error, 1)
	go func() {
		served <- lsp.New(p.opt.Server).Serve(ctx, theirs)
		cancel()
	}()
	go func() {
		toPage(ctx, c, ours)
		cancel()
	}()
	toServer(ctx, c, ours)
	cancel()
	ours.Close()
	<-served
	theirs.Close()
	_ = c.Close(websocket.StatusGoingAway, "the server ended")
}

// toServer puts a header before each message of the page, until one side ends.
func toServer(ctx context.Context, c *websocket.Conn, to io.Writer) {
	for {
		kind, b, err := c.Read(ctx)
		if err != nil || kind != websocket.MessageText {
			return
		}
		if _, err := to.Write(append(fmt.Appendf(nil, "Content-Length: %d\r\n\r\n", len(b)), b...)); err != nil {
			return
		}
	}
}

// toPage sends the page each message of the server, until one side ends.
func toPage(ctx context.Context, c *websocket.Conn, from io.ReadWriteCloser) {
	r := jsonrpc2.NewStream(from)
	for {
		m, _, err := r.Read(ctx)
		if err != nil {
			return
		}
		b, err := jsonrpc2.EncodeMessage(m)
		if err != nil {
			return
		}
		if err := c.Write(ctx, websocket.MessageText, b); err != nil {
			return
		}
	}
}
