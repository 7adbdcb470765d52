package serve

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seedling-lsp/seedling/engine"
)

// holds is a generator that answers when it is told to, and obeys the context.
type holds struct {
	came  chan engine.Request // each request, when it comes
	goes  chan string         // an answer for one of them
	ended chan error          // the cause of each that was cancelled
}

func newHolds() *holds {
	return &holds{make(chan engine.Request, 16), make(chan string), make(chan error, 16)}
}

func (g *holds) Generate(ctx context.Context, r engine.Request) (engine.Result, error) {
	g.came <- r
	select {
	case text := <-g.goes:
		return engine.Result{Text: text, Stop: "end"}, nil
	case <-ctx.Done():
		g.ended <- context.Cause(ctx)
		return engine.Result{}, context.Cause(ctx)
	}
}

const simple = `{"input_prefix":"x = ","input_suffix":"\n"}`

// sent posts in the background; its answer comes over the channel. cancel ends the
// connection.
func sent(t *testing.T, url, agent, body string) (got <-chan reply, cancel context.CancelFunc) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("User-Agent", agent)
	c := make(chan reply, 1)
	go func() {
		defer close(c)
		res, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			return
		}
		defer res.Body.Close()
		var b strings.Builder
		buf := make([]byte, 4096)
		for {
			n, err := res.Body.Read(buf)
			b.Write(buf[:n])
			if err != nil {
				break
			}
		}
		c <- reply{res.StatusCode, res.Header, b.String()}
	}()
	return c, cancel
}

// TestDisconnect: an editor that no longer wants an answer closes the connection (Zed,
// Continue and minuet do); the model must not go on for nobody.
func TestDisconnect(t *testing.T) {
	g := newHolds()
	h := running(t, Options{Generator: g})
	for _, path := range []string{"/infill", "/v1/completions"} {
		body := simple
		if path != "/infill" {
			body = `{"prompt":"x = ","suffix":"\n"}`
		}
		_, cancel := sent(t, h.URL+path, "editor", body)
		<-g.came
		cancel()
		if err := <-g.ended; !errors.Is(err, context.Canceled) {
			t.Errorf("%s ended with %v", path, err)
		}
	}
}

// TestSameQuestion: minuet sends each question n_completions times at once. One forward
// serves them all, and one that leaves does not take the answer from the others.
func TestSameQuestion(t *testing.T) {
	g := newHolds()
	s, h := inside(t, Options{Generator: g})
	// waiting is how many wait for the answers in work, all together.
	waiting := func(n int) {
		t.Helper()
		for got := -1; got != n; time.Sleep(time.Millisecond) {
			got = 0
			s.flights.mu.Lock()
			for _, f := range s.flights.of {
				got += f.waiting
			}
			s.flights.mu.Unlock()
		}
	}
	const n = 3
	var got [n]<-chan reply
	var cancel [n]context.CancelFunc
	for i := range n {
		got[i], cancel[i] = sent(t, h.URL+"/infill", "curl", simple)
	}
	waiting(3)
	cancel[1]()
	waiting(2)
	// Another question is another, even of the same client.
	other, _ := sent(t, h.URL+"/infill", "curl", `{"input_prefix":"y = ","input_suffix":"\n"}`)
	waiting(3)
	<-g.came
	<-g.came
	g.goes <- "1"
	g.goes <- "1"
	for _, c := range []<-chan reply{got[0], got[2], other} {
		if r := <-c; r.status != 200 || r.content(t) != "1" {
			t.Errorf("status %d: %s", r.status, r.body)
		}
	}
	if len(g.came)+len(g.ended) != 0 {
		t.Errorf("it was asked %d times more, and %d ended", len(g.came), len(g.ended))
	}
	// What is over is over: the same question later is asked anew.
	again, _ := sent(t, h.URL+"/infill", "curl", simple)
	<-g.came
	g.goes <- "2"
	if r := <-again; r.content(t) != "2" {
		t.Errorf("%s", r.body)
	}
}

// TestClients: what tells clients apart is the identity that the engine's queue knows, so
// that one editor's newer question ends its older one, and not another editor's.
func TestClients(t *testing.T) {
	g := &says{text: "1\n"}
	h := running(t, Options{Generator: g})
	document := func(agent, path, body string) string {
		got, _ := sent(t, h.URL+path, agent, body)
		if r := <-got; r.status != 200 {
			t.Fatalf("status %d: %s", r.status, r.body)
		}
		return g.last(t).Document
	}
	a := document("curl/8", "/infill", simple)
	for what, same := range map[string]bool{
		document("curl/8", "/infill", `{"input_prefix":"other = ","input_suffix":""}`):                 true,
		document("axios/1", "/infill", simple):                                                         false,
		document("curl/8", "/infill", `{"input_prefix":"x = ","input_suffix":"\n","id_slot":3}`):       false,
		document("curl/8", "/v1/completions", `{"prompt":"x = ","suffix":"\n","user":"someone else"}`): false,
	} {
		if (what == a) != same || what == "" {
			t.Errorf("%q and %q", what, a)
		}
	}
}

// TestAtOnce: requests beyond the bound are refused at once rather than piled up.
func TestAtOnce(t *testing.T) {
	g := newHolds()
	h := running(t, Options{Generator: g, MaxAtOnce: 2})
	var got [2]<-chan reply
	for i := range got {
		got[i], _ = sent(t, h.URL+"/infill", fmt.Sprint("editor ", i), simple)
		<-g.came
	}
	third, _ := sent(t, h.URL+"/infill", "editor 2", simple)
	r := <-third
	checkProblem(t, r, 503, "too many requests at once")
	if r.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	// The pages that tell whether it lives are none of them.
	if r := do(t, request(t, http.MethodGet, h.URL+"/health", "")); r.status != 200 {
		t.Errorf("/health: %d", r.status)
	}
	for range got {
		g.goes <- "1"
	}
	for _, c := range got {
		if r := <-c; r.status != 200 {
			t.Errorf("status %d: %s", r.status, r.body)
		}
	}
	again, _ := sent(t, h.URL+"/infill", "editor 2", simple)
	<-g.came
	g.goes <- "1"
	if r := <-again; r.status != 200 {
		t.Errorf("a slot was not given back: %d", r.status)
	}
}

// TestWait: the deadline of a request is the client's, within the server's.
func TestWait(t *testing.T) {
	g := &says{text: "1\n"}
	h := running(t, Options{Generator: g, MaxWait: time.Minute})
	for body, most := range map[string]time.Duration{
		simple: time.Minute,
		`{"input_prefix":"x = ","input_suffix":"\n","t_max_predict_ms":250,"t_max_prompt_ms":500}`: 750 * time.Millisecond,
		`{"input_prefix":"x = ","input_suffix":"\n","t_max_predict_ms":999999999}`:                 time.Minute,
		`{"input_prefix":"x = ","input_suffix":"\n","t_max_predict_ms":0,"t_max_prompt_ms":1}`:     time.Minute,
	} {
		before := time.Now()
		post(t, h, "/infill", body)
		at := g.last(t).Deadline
		if at.Before(before.Add(most)) || at.After(time.Now().Add(most)) {
			t.Errorf("%s: the deadline is %v after the request, not %v", body, at.Sub(before), most)
		}
	}
}

// serving is Serve on a free port; stop is a signal to end.
func serving(t *testing.T, opt Options) (url string, stop context.CancelFunc, ended <-chan error) {
	t.Helper()
	l, err := Listen(t.Context(), "127.0.0.1:0", "")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	t.Cleanup(stop)
	c := make(chan error, 1)
	go func() { c <- New(opt).Serve(ctx, l) }()
	return "http://" + l.Addr().String(), stop, c
}

// TestShutdown: at a signal what is in work comes to its end if it does so soon, and is
// cancelled if not; nothing new is taken and nothing is left behind (see TestMain).
func TestShutdown(t *testing.T) {
	t.Run("in time", func(t *testing.T) {
		g := newHolds()
		url, stop, ended := serving(t, Options{Generator: g, Grace: time.Minute})
		got, _ := sent(t, url+"/infill", "editor", simple)
		<-g.came
		stop()
		for { // the listener is closed first
			c, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
			if err != nil {
				break
			}
			c.Close()
		}
		g.goes <- "1"
		if r := <-got; r.content(t) != "1" {
			t.Errorf("status %d: %s", r.status, r.body)
		}
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	t.Run("too late", func(t *testing.T) {
		g := newHolds()
		url, stop, ended := serving(t, Options{Generator: g, Grace: time.Millisecond})
		got, _ := sent(t, url+"/infill", "editor", simple)
		<-g.came
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		<-g.ended
		<-got
	})
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
}

// TestAfterTheEnd: a handler that comes late is told so.
func TestAfterTheEnd(t *testing.T) {
	var f flights
	f.close()
	if _, err := f.do(t.Context(), "c", nil, nil); !errors.Is(err, errClosed) {
		t.Errorf("%v", err)
	}
}

// TestFlightsUnderFire: clients that come and go in any order; under the race detector it
// guards the counting.
func TestFlightsUnderFire(t *testing.T) {
	var f flights
	var wg sync.WaitGroup
	for i := range 64 {
		wg.Go(func() {
			ctx, cancel := context.WithCancel(t.Context())
			if i%3 == 0 {
				cancel()
			}
			defer cancel()
			a, err := f.do(ctx, "c", []byte{byte(i % 4)}, func(ctx context.Context) (answer, error) {
				select {
				case <-time.After(time.Millisecond):
					return answer{text: "1"}, nil
				case <-ctx.Done():
					return answer{}, context.Cause(ctx)
				}
			})
			if i%3 != 0 && (err != nil || a.text != "1") {
				t.Errorf("%d: %q, %v", i, a.text, err)
			}
		})
	}
	wg.Wait()
	f.close()
	if len(f.of) != 0 {
		t.Errorf("%d are left", len(f.of))
	}
}
