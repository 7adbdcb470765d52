package serve

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/seedling-lsp/seedling/engine"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("internal/poll.runtime_pollWait"))
}

// says is a generator that answers with a text, cut by the request's own stop rule as the
// engine does it, and keeps what it was asked.
type says struct {
	text string

	mu    sync.Mutex
	asked []engine.Request
}

func (g *says) Generate(ctx context.Context, r engine.Request) (engine.Result, error) {
	g.mu.Lock()
	g.asked = append(g.asked, r)
	g.mu.Unlock()
	text, stop := g.text, "end"
	if r.Stop != nil {
		// Piece by piece, as a model writes.
		for i := 1; i <= len(g.text); i++ {
			if keep, name := r.Stop(g.text[:i]); name != "" {
				text, stop = g.text[:keep], name
				break
			}
		}
	}
	return engine.Result{Text: text, Stop: stop, Tokens: 3, ContextTokens: 40, CachedTokens: 30, Forwards: 2, Prefill: 4e6, Denoise: 6e6}, context.Cause(ctx)
}

// last is the last request that the generator got.
func (g *says) last(t *testing.T) engine.Request {
	t.Helper()
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.asked) == 0 {
		t.Fatal("the generator was not asked")
	}
	return g.asked[len(g.asked)-1]
}

func (g *says) times() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.asked)
}

// running is a server on a free port of the loopback.
func running(t *testing.T, opt Options) *httptest.Server {
	t.Helper()
	_, h := inside(t, opt)
	return h
}

// inside is a server that runs, and what is in it.
func inside(t *testing.T, opt Options) (*Server, *httptest.Server) {
	t.Helper()
	if opt.Model == "" {
		opt.Model = "seedling-test"
	}
	opt.Positions = 1024
	s := New(opt)
	h := httptest.NewServer(s.Handler())
	t.Cleanup(func() {
		h.CloseClientConnections()
		h.Close()
		s.Close()
	})
	return s, h
}

// reply is an answer as a client sees it.
type reply struct {
	status int
	header http.Header
	body   string
}

func (r reply) object(t *testing.T) map[string]any {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal([]byte(r.body), &v); err != nil {
		t.Fatalf("status %d, no JSON object: %v\n%s", r.status, err, r.body)
	}
	return v
}

// content is the text of either endpoint's answer.
func (r reply) content(t *testing.T) string {
	t.Helper()
	v := r.object(t)
	if c, ok := v["choices"].([]any); ok && len(c) == 1 {
		return c[0].(map[string]any)["text"].(string)
	}
	c, ok := v["content"].(string)
	if !ok {
		t.Fatalf("status %d, no content: %s", r.status, r.body)
	}
	return c
}

func do(t *testing.T, r *http.Request) reply {
	t.Helper()
	res, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply{res.StatusCode, res.Header, string(b)}
}

func request(t *testing.T, method, url, body string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	return r
}

func post(t *testing.T, h *httptest.Server, path string, body any) reply {
	t.Helper()
	text, ok := body.(string)
	if !ok {
		var b bytes.Buffer
		if err := json.NewEncoder(&b).Encode(body); err != nil {
			t.Fatal(err)
		}
		text = b.String()
	}
	return do(t, request(t, http.MethodPost, h.URL+path, text))
}

// object is JSON as a test writes it.
type object = map[string]any
