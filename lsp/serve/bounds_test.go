package serve

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/seedling-lsp/seedling/engine"
)

// TestBadRequests: each costs one JSON error that names the field, in the shape that both
// llama-server's and OpenAI's clients read, and none reaches the engine.
func TestBadRequests(t *testing.T) {
	g := &says{text: "never"}
	h := running(t, Options{Generator: g, MaxBody: 1 << 16})
	for _, c := range []struct {
		name, path, body string
		status           int
		says             string
	}{
		{"no body", "/infill", ``, 400, "no JSON at byte 0"},
		{"broken JSON", "/infill", `{"input_prefix": "secret`, 400, "no JSON at byte 24"},
		{"two values", "/infill", `{} {}`, 400, "no JSON at byte 4"},
		{"an array", "/infill", `[]`, 400, "must be a JSON object, not an array"},
		{"no prefix", "/infill", `{"input_suffix":""}`, 400, `"input_prefix" is required`},
		{"null prefix", "/infill", `{"input_prefix":null,"input_suffix":""}`, 400, `"input_prefix" is required`},
		{"no suffix", "/infill", `{"input_prefix":""}`, 400, `"input_suffix" is required`},
		{"a number for text", "/infill", `{"input_prefix":7,"input_suffix":""}`, 400, `"input_prefix" must be a string, not a number`},
		{"tokens for a prompt", "/infill", `{"input_prefix":"","input_suffix":"","prompt":[1,2]}`, 400, `"prompt" must be a string, not an array`},
		{"text for a number", "/infill", `{"input_prefix":"","input_suffix":"","n_predict":"12"}`, 400, `"n_predict" must be a whole number, not a string`},
		{"a fraction", "/infill", `{"input_prefix":"","input_suffix":"","n_indent":1.5}`, 400, `"n_indent" must be a whole number, not a fraction`},
		{"a negative number", "/infill", `{"input_prefix":"","input_suffix":"","n_predict":-2}`, 400, `"n_predict" is -2: use 0 to 4096, or -1`},
		{"negative indentation", "/infill", `{"input_prefix":"","input_suffix":"","n_indent":-1}`, 400, `"n_indent" is -1: it can not be negative`},
		{"negative time", "/infill", `{"input_prefix":"","input_suffix":"","t_max_predict_ms":-5}`, 400, `"t_max_predict_ms" is -5`},
		{"far too many tokens", "/infill", `{"input_prefix":"","input_suffix":"","n_predict":1000000}`, 400, `"n_predict" is 1000000: at most 4096`},
		{"a number beyond numbers", "/infill", `{"input_prefix":"","input_suffix":"","n_predict":1e300}`, 400, `"n_predict" must be a whole number`},
		{"extra of a wrong kind", "/infill", `{"input_prefix":"","input_suffix":"","input_extra":"x"}`, 400, `"input_extra" must be an array, not a string`},
		{"extra without text", "/infill", `{"input_prefix":"","input_suffix":"","input_extra":[{"text":"a"},{"filename":"x"}]}`, 400, `"input_extra"[1] must have a "text"`},
		{"extra with a number", "/infill", `{"input_prefix":"","input_suffix":"","input_extra":[{"text":3}]}`, 400, `"input_extra.text" must be a string, not a number`},
		{"stop of a wrong kind", "/infill", `{"input_prefix":"","input_suffix":"","stop":{"a":1}}`, 400, `"stop" must be a string or an array of strings`},
		{"too many stop words", "/infill", `{"input_prefix":"","input_suffix":"","stop":["` + strings.Repeat(`a","`, 64) + `a"]}`, 400, `"stop" has 65 words: at most 64`},
		{"stream of a wrong kind", "/infill", `{"input_prefix":"","input_suffix":"","stream":"yes"}`, 400, `"stream" must be true or false, not a string`},
		{"too many answers", "/infill", `{"input_prefix":"","input_suffix":"","n_cmpl":17}`, 400, `"n_cmpl" is 17: use 1 to 16`},
		{"bytes that are no text", "/infill", "{\"input_prefix\":\"a\xff\",\"input_suffix\":\"\"}", 400, "not UTF-8 from byte 18 on"},
		{"no prompt", "/completion", `{"input_prefix":"","input_suffix":""}`, 400, `"prompt" is required`},
		{"no prompt", "/v1/completions", `{}`, 400, `"prompt" is required`},
		{"null prompt", "/v1/completions", `{"prompt":null}`, 400, `"prompt" is required`},
		{"prompt of a wrong kind", "/v1/completions", `{"prompt":{"a":1}}`, 400, `"prompt" must be a string, not an object`},
		{"token numbers", "/v1/completions", `{"prompt":[1,2,3]}`, 400, "token numbers"},
		{"two prompts", "/v1/completions", `{"prompt":["a","b"]}`, 400, `"prompt" has 2 texts`},
		{"two answers", "/v1/completions", `{"prompt":"a","n":2}`, 400, `"n" is 2`},
		{"the best of three", "/v1/completions", `{"prompt":"a","best_of":3}`, 400, `"best_of" is 3`},
		{"echo", "/v1/completions", `{"prompt":"a","echo":true}`, 400, `"echo"`},
		{"logprobs", "/v1/completions", `{"prompt":"a","logprobs":5}`, 400, `"logprobs"`},
		{"negative tokens", "/v1/completions", `{"prompt":"a","max_tokens":-1}`, 400, `"max_tokens" is -1: use 0 to 4096`},
		{"suffix of a wrong kind", "/v1/completions", `{"prompt":"a","suffix":1}`, 400, `"suffix" must be a string, not a number`},
		{"an unknown page", "/v1/chat/completions", `{}`, 404, "no such page"},
		{"a page of posts, got", "GET /infill", ``, 405, "/infill wants POST"},
		{"a page of gets, posted", "/health", `{}`, 405, "/health wants GET"},
		{"a page before it is shown", "OPTIONS /infill", ``, 405, "/infill wants POST"},
		{"too large", "/infill", `{"input_prefix":"` + strings.Repeat("x", 1<<16) + `"}`, 413, "the body is over 65536 bytes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			method, path := http.MethodPost, c.path
			if m, p, ok := strings.Cut(c.path, " "); ok {
				method, path = m, p
			}
			r := do(t, request(t, method, h.URL+path, c.body))
			checkProblem(t, r, c.status, c.says)
			if strings.Contains(r.body, "secret") {
				t.Error("the error shows the code")
			}
		})
	}
	if g.times() != 0 {
		t.Errorf("the engine was asked %d times", g.times())
	}
}

// checkProblem looks at an error as clients do.
func checkProblem(t *testing.T, r reply, status int, says string) {
	t.Helper()
	var v struct {
		Error struct {
			Code          int
			Message, Type string
		}
	}
	if err := json.Unmarshal([]byte(r.body), &v); err != nil {
		t.Fatalf("status %d, no JSON: %v: %q", r.status, err, r.body)
	}
	if r.status != status || v.Error.Code != status || v.Error.Type == "" || !strings.Contains(v.Error.Message, says) {
		t.Errorf("status %d: %s\nwant %d and %q", r.status, r.body, status, says)
	}
	if r.header.Get("Access-Control-Allow-Origin") != "" {
		t.Error("a page of another origin may read this")
	}
}

// TestWholeNumbers: some languages have one kind of number and write 128.0.
func TestWholeNumbers(t *testing.T) {
	h := running(t, Options{Generator: &says{text: "1\n"}})
	if r := post(t, h, "/infill", `{"input_prefix":"x = ","input_suffix":"\n","n_predict":128.0,"t_max_predict_ms":1e3,"n_indent":null}`); r.content(t) != "1" {
		t.Errorf("%s", r.body)
	}
}

// TestChunkedTooLarge: a body that does not say its length is bounded, too.
func TestChunkedTooLarge(t *testing.T) {
	h := running(t, Options{Generator: &says{}, MaxBody: 1000})
	r := request(t, http.MethodPost, h.URL+"/infill", "")
	r.Body, r.ContentLength = io.NopCloser(strings.NewReader(`{"input_prefix":"`+strings.Repeat("x", 5000))), -1
	checkProblem(t, do(t, r), 413, "over 1000 bytes")
}

// TestSlowBody: a client that sends its body one day does not hold a slot until then.
func TestSlowBody(t *testing.T) {
	h := running(t, Options{Generator: &says{}, BodyTime: 20 * time.Millisecond})
	c, err := net.Dial("tcp", h.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprintf(c, "POST /infill HTTP/1.1\r\nHost: %s\r\nContent-Length: 100\r\n\r\n{", h.Listener.Addr())
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, _ := io.ReadAll(res.Body)
	checkProblem(t, reply{res.StatusCode, res.Header, string(b)}, 408, "did not come to its end")
}

// TestBrowsersAndRebinding: without it any page that a person opens could ask the server
// for what the editor had shown it, or keep the machine busy.
func TestBrowsersAndRebinding(t *testing.T) {
	h := running(t, Options{Generator: &says{text: "1\n"}})
	port := h.Listener.Addr().(*net.TCPAddr).Port
	for _, c := range []struct {
		name   string
		host   string
		header [2]string
		ok     bool
	}{
		{"an editor", fmt.Sprintf("127.0.0.1:%d", port), [2]string{}, true},
		{"by name", fmt.Sprintf("localhost:%d", port), [2]string{}, true},
		{"by name, in capitals", fmt.Sprintf("LocalHost:%d", port), [2]string{}, true},
		{"over IPv6", fmt.Sprintf("[::1]:%d", port), [2]string{}, true},
		{"through a tunnel, without a port", "localhost", [2]string{}, true},
		{"a name that a DNS points here", fmt.Sprintf("evil.example:%d", port), [2]string{}, false},
		{"a name that begins like ours", fmt.Sprintf("localhost.evil.example:%d", port), [2]string{}, false},
		{"a name that begins like an address", fmt.Sprintf("127.0.0.1.evil.example:%d", port), [2]string{}, false},
		{"another machine's address", "192.168.1.2", [2]string{}, false},
		{"a page", fmt.Sprintf("127.0.0.1:%d", port), [2]string{"Origin", "https://evil.example"}, false},
		{"a page of this machine", fmt.Sprintf("127.0.0.1:%d", port), [2]string{"Origin", "http://127.0.0.1:3000"}, false},
		{"a page from a file", fmt.Sprintf("127.0.0.1:%d", port), [2]string{"Origin", "null"}, false},
		{"a page that asks for an image", fmt.Sprintf("127.0.0.1:%d", port), [2]string{"Sec-Fetch-Site", "cross-site"}, false},
		{"its own origin", fmt.Sprintf("127.0.0.1:%d", port), [2]string{"Origin", fmt.Sprintf("http://127.0.0.1:%d", port)}, true},
		{"an address typed by a person", fmt.Sprintf("127.0.0.1:%d", port), [2]string{"Sec-Fetch-Site", "none"}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := request(t, http.MethodPost, h.URL+"/infill", `{"input_prefix":"x = ","input_suffix":"\n"}`)
			r.Host = c.host
			if c.header[0] != "" {
				r.Header.Set(c.header[0], c.header[1])
			}
			got := do(t, r)
			if c.ok && got.status != 200 {
				t.Errorf("status %d: %s", got.status, got.body)
			} else if !c.ok {
				checkProblem(t, got, 403, "")
			}
		})
	}
}

// TestToken: all but /health wants it, exactly.
func TestToken(t *testing.T) {
	h := running(t, Options{Generator: &says{text: "1\n"}, Token: "a b/c", Exposed: true})
	for auth, status := range map[string]int{"": 401, "Bearer": 401, "Bearer ": 401, "Bearer a b": 401, "Bearer a b/cd": 401, "Basic a b/c": 401, "a b/c": 401, "Bearer a b/c": 200, "bearer  a b/c": 200} {
		for _, path := range []string{"/infill", "/v1/models", "/props", "/nowhere"} {
			r := request(t, http.MethodGet, h.URL+path, "")
			if path == "/infill" {
				r = request(t, http.MethodPost, h.URL+path, `{"input_prefix":"x = ","input_suffix":"\n"}`)
			}
			r.Host = "box.lan:8012" // an exposed server has a name; its token stands guard
			r.Header.Set("Authorization", auth)
			want := status
			if path == "/nowhere" && status == 200 {
				want = 404
			}
			if got := do(t, r); got.status != want {
				t.Errorf("%s with %q: status %d, want %d", path, auth, got.status, want)
			}
		}
	}
	if r := do(t, request(t, http.MethodGet, h.URL+"/health", "")); r.status != 200 {
		t.Errorf("/health wants a token: %d", r.status)
	}
}

// TestPages: what clients look up before they ask.
func TestPages(t *testing.T) {
	h := running(t, Options{Generator: &says{}, Model: "builtin", Version: "1.2"})
	get := func(path string) object { return do(t, request(t, http.MethodGet, h.URL+path, "")).object(t) }
	if get("/health")["status"] != "ok" || get("/v1/health")["status"] != "ok" {
		t.Error("not healthy")
	}
	// llama.vscode, src/language-model-token-limits.ts
	if n := get("/props?model=builtin&autoload=false")["default_generation_settings"].(object)["n_ctx"]; n != 1024.0 {
		t.Errorf("n_ctx %v", n)
	}
	list := get("/v1/models")
	m := list["data"].([]any)[0].(object)
	if list["object"] != "list" || m["id"] != "builtin" || m["object"] != "model" || m["max_model_len"] != 1024.0 {
		t.Errorf("%v", list)
	}
}

// TestListen: the server listens for this machine alone unless it has a token, and says
// what to do when it can not.
func TestListen(t *testing.T) {
	for address, exposed := range map[string]bool{"127.0.0.1:0": false, "[::1]:0": false, "localhost:0": false, "127.8.8.8:80": false,
		":8012": true, "0.0.0.0:0": true, "[::]:0": true, "192.168.1.2:80": true, "example.com:80": true, "[::ffff:192.168.1.2]:80": true} {
		got, err := Exposed(address, "secret")
		if got != exposed || err != nil {
			t.Errorf("%s: exposed %v, %v", address, got, err)
		}
		if _, err := Exposed(address, ""); (err != nil) != exposed {
			t.Errorf("%s without a token: %v", address, err)
		}
	}
	for _, address := range []string{"", "8012", "127.0.0.1", "127.0.0.1:http", "127.0.0.1:70000", "127.0.0.1:-1"} {
		if _, err := Exposed(address, "secret"); err == nil {
			t.Errorf("%q was taken for an address", address)
		}
	}
	l, err := Listen(t.Context(), "127.0.0.1:0", "")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, err = Listen(t.Context(), l.Addr().String(), "")
	if !errors.Is(err, syscall.EADDRINUSE) || !strings.Contains(err.Error(), "is taken, perhaps by llama-server") {
		t.Errorf("a taken port: %v", err)
	}
}

// TestLogs: what a person lets the server see is in no log, however much is logged.
func TestLogs(t *testing.T) {
	core, logs := observer.New(zapcore.DebugLevel)
	h := running(t, Options{Generator: &says{text: "hunter2()\n"}, Logger: zap.New(core)})
	post(t, h, "/infill", object{"input_prefix": "password = 'hunter2'\nx = ", "input_suffix": "\nhunter2\n", "input_extra": []object{{"text": "hunter2", "filename": "hunter2.py"}}, "stop": []string{"hunter2!"}})
	post(t, h, "/v1/completions", object{"prompt": "hunter2"})
	post(t, h, "/infill", `{"input_prefix": hunter2`)
	post(t, h, "/infill", `{"input_prefix": "", "input_suffix": "", "stop": 3, "hunter2": "hunter2"}`)
	if logs.Len() < 4 {
		t.Errorf("%d lines: requests are not logged", logs.Len())
	}
	for _, e := range logs.All() {
		if line := fmt.Sprint(e.Message, e.ContextMap()); strings.Contains(line, "hunter2") {
			t.Errorf("logged: %s", line)
		}
	}
}

// fails is a generator that fails.
type fails struct{ with any }

func (g fails) Generate(context.Context, engine.Request) (engine.Result, error) {
	if err, ok := g.with.(error); ok {
		return engine.Result{}, err
	}
	panic(g.with)
}

// TestFailures: an engine that fails or panics costs one answer, which says where to look.
func TestFailures(t *testing.T) {
	for _, c := range []struct {
		with   any
		status int
		says   string
	}{
		{errors.New("engine: the backend failed"), 500, "the backend failed; run `seedling doctor`"},
		{"index out of range", 500, "an internal failure, which is in the log"},
		{engine.ErrSuperseded, 499, "a newer request"},
		{engine.ErrClosed, 503, "the server is ending"},
	} {
		core, logs := observer.New(zapcore.ErrorLevel)
		h := running(t, Options{Generator: fails{c.with}, Logger: zap.New(core)})
		for range 2 {
			checkProblem(t, post(t, h, "/infill", `{"input_prefix":"x = ","input_suffix":"\n"}`), c.status, c.says)
		}
		if c.status == 500 && (logs.Len() != 2 || fmt.Sprint(logs.All()[0].ContextMap()["panic"]) != fmt.Sprint(c.with) && c.with == "index out of range") {
			t.Errorf("%v: logged %v", c.with, logs.All())
		}
	}
}

// FuzzBodies: whatever is posted is answered, by JSON and with a status that says whose
// fault it was. It is never the server's.
func FuzzBodies(f *testing.F) {
	for _, s := range []string{`{"input_prefix":"a","input_suffix":"b","prompt":"c","n_predict":4,"stop":["x"],"n_indent":2}`,
		`{"prompt":"<|fim_prefix|>a<|fim_suffix|>b<|fim_middle|>","stop":"\n","max_tokens":9}`, `{"prompt":["a"],"suffix":"b\r\n","stream":true}`, `[`, `{"input_extra":[{"text":"a","filename":"b/c.go"}],"input_prefix":"","input_suffix":""}`} {
		f.Add([]byte(s), true)
		f.Add([]byte(s), false)
	}
	f.Fuzz(func(t *testing.T, body []byte, infill bool) {
		s := New(Options{Generator: &says{text: " a(b)\n\tc\n}\n"}, Model: "m"})
		defer s.Close()
		path := "/v1/completions"
		if infill {
			path = "/infill"
		}
		r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(string(body)))
		r.Host = "localhost"
		w := httptest.NewRecorder()
		s.Handler().ServeHTTP(w, r)
		stream := strings.HasPrefix(w.Body.String(), "data: ")
		if w.Code != 200 && w.Code != 400 || !stream && !json.Valid(w.Body.Bytes()) {
			t.Errorf("%d: %s", w.Code, w.Body)
		}
	})
}
