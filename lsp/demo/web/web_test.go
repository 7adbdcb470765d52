package web

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/coder/websocket"
	"go.uber.org/goleak"

	"github.com/seedling-lsp/seedling/engine"
	"github.com/seedling-lsp/seedling/lsp"
)

type fixed struct{}

func (fixed) Generate(context.Context, engine.Request) (engine.Result, error) {
	return engine.Result{Text: " ghost", Stop: "end", Tokens: 1, Forwards: 1}, nil
}

// playing starts a playground and gives its address.
func playing(t *testing.T) *url.URL {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	up, done := make(chan string, 1), make(chan error, 1)
	go func() {
		done <- Run(ctx, Options{Server: lsp.Options{Generator: fixed{}}, Up: func(u string) { up <- u }})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("ended with %v", err)
		}
		http.DefaultClient.CloseIdleConnections()
		goleak.VerifyNone(t)
	})
	select {
	case u := <-up:
		at, err := url.Parse(u)
		if err != nil {
			t.Fatal(err)
		}
		return at
	case err := <-done:
		t.Fatal(err)
	}
	return nil
}

// get asks for a path, with headers in pairs, and gives status and body.
func get(t *testing.T, u *url.URL, path string, header ...string) (int, string) {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, "http://"+u.Host+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		if header[i] == "Host" {
			req.Host = header[i+1]
		}
		req.Header.Set(header[i], header[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	if res.StatusCode == http.StatusOK && !strings.Contains(res.Header.Get("Content-Security-Policy"), "default-src 'none'") {
		t.Errorf("%s has no policy", path)
	}
	return res.StatusCode, string(b)
}

// TestGuard: the page is there for who has its whole address, and for no other page and no
// other name of this machine.
func TestGuard(t *testing.T) {
	u := playing(t)
	if code, body := get(t, u, u.Path); code != http.StatusOK || !strings.Contains(body, "page.js") {
		t.Fatalf("%d: %.200s", code, body)
	}
	if code, body := get(t, u, u.Path+"page.js"); code != http.StatusOK || len(body) < 1000 {
		t.Fatalf("page.js: %d, %d bytes", code, len(body))
	}
	own := "http://" + u.Host
	for name, c := range map[string]struct {
		path   string
		header []string
		want   int
	}{
		"no token":                  {"/", nil, 403},
		"wrong token":               {"/" + strings.Repeat("A", len(u.Path)-2) + "/", nil, 403},
		"no token for the socket":   {"/lsp", []string{"Origin", own}, 403},
		"another machine's name":    {u.Path, []string{"Host", "evil.example:80"}, 403},
		"another page":              {u.Path, []string{"Origin", "http://evil.example"}, 403},
		"another page's socket":     {u.Path + "lsp", []string{"Origin", "http://evil.example", "Upgrade", "websocket", "Connection", "Upgrade"}, 403},
		"a socket of no page":       {u.Path + "lsp", []string{"Upgrade", "websocket", "Connection", "Upgrade"}, 403},
		"another port of this host": {u.Path, []string{"Origin", "http://127.0.0.1:1"}, 403},
		"a frame elsewhere":         {u.Path, []string{"Sec-Fetch-Site", "cross-site"}, 403},
		"nothing of that name":      {u.Path + "x", nil, 404},
		"up and out":                {u.Path + "..%2f..%2fweb.go", nil, 404},
		"typed by a person":         {u.Path, []string{"Sec-Fetch-Site", "none"}, 200},
	} {
		if code, _ := get(t, u, c.path, c.header...); code != c.want {
			t.Errorf("%s: %d, want %d", name, code, c.want)
		}
	}
}

// TestSocket: the page talks LSP with a server of its own, which ends with the page.
func TestSocket(t *testing.T) {
	u := playing(t)
	ctx := context.Background()
	c, _, err := websocket.Dial(ctx, "ws://"+u.Host+u.Path+"lsp", &websocket.DialOptions{HTTPHeader: http.Header{"Origin": {"http://" + u.Host}}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseNow()
	say := func(m string) {
		t.Helper()
		if err := c.Write(ctx, websocket.MessageText, []byte(m)); err != nil {
			t.Fatal(err)
		}
	}
	answer := func(id float64) json.RawMessage {
		t.Helper()
		for {
			_, b, err := c.Read(ctx)
			if err != nil {
				t.Fatal(err)
			}
			var m struct {
				ID     any
				Method string
				Result json.RawMessage
			}
			if err := json.Unmarshal(b, &m); err != nil {
				t.Fatalf("%v in %q", err, b)
			}
			if m.ID == id && m.Method == "" {
				return m.Result
			}
		}
	}
	say(`{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"processId":null,"rootUri":null,"capabilities":{}}}`)
	answer(1)
	say(`{"jsonrpc":"2.0","method":"initialized","params":{}}`)
	say(`{"jsonrpc":"2.0","method":"textDocument/didOpen","params":{"textDocument":{"uri":"file:///demo/a.go","languageId":"go","version":1,"text":"package a\n\nvar x ="}}}`)
	say(`{"jsonrpc":"2.0","id":2,"method":"textDocument/inlineCompletion","params":{"textDocument":{"uri":"file:///demo/a.go"},"position":{"line":2,"character":7},"context":{"triggerKind":1}}}`)
	if r := answer(2); !strings.Contains(string(r), "var x = ghost") {
		t.Errorf("%s", r)
	}
	c.Close(websocket.StatusNormalClosure, "")
}

// TestPortTaken: a port that is in use is named in one clear error.
func TestPortTaken(t *testing.T) {
	u := playing(t)
	port := 0
	for _, d := range u.Port() {
		port = 10*port + int(d-'0')
	}
	if err := Run(context.Background(), Options{Port: port}); err == nil || !strings.Contains(err.Error(), "--port") {
		t.Errorf("%v", err)
	}
}
