package engine_test

import (
	"context"
	"errors"
	"flag"
	"math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/seedling-lsp/seedling/engine"
	"github.com/seedling-lsp/seedling/engine/cpu"
	"github.com/seedling-lsp/seedling/engine/denoise"
)

var enduring = flag.Int("endurance.requests", 10000, "requests of the test of endurance")

// resident is the process's memory in bytes, that of C included; 0 where nobody says.
func resident() int {
	b, err := os.ReadFile("/proc/self/statm")
	f := strings.Fields(string(b))
	if err != nil || len(f) < 2 {
		return 0
	}
	n, _ := strconv.Atoi(f[1])
	return n * os.Getpagesize()
}

// TestEndurance: people cancel most of what they ask, by the next key. After thousands of
// requests, every other of which is cancelled in one of its passes, in all modes and over more
// documents than contexts, the answers are those of an engine that was never asked anything,
// and neither memory nor goroutines have grown.
func TestEndurance(t *testing.T) {
	n := *enduring
	if testing.Short() {
		n = min(n, 1000)
	}
	e, seen := start(t, engine.Options{})
	r := rand.New(rand.NewPCG(7, 7))
	var text strings.Builder
	for i := range 40 {
		text.WriteString("\tvalue" + strconv.Itoa(i) + " := compute(" + strconv.Itoa(i*i) + ")\n")
	}
	type question struct {
		document, from, to int
		mode               denoise.Mode
	}
	request := func(q question) engine.Request {
		req := ask(strconv.Itoa(q.document), text.String()[q.from:q.to])
		req.Decode, req.MaxTokens = q.mode, 6
		return req
	}
	draw := func() question {
		from := 20 * r.IntN(8)
		return question{r.IntN(7), from, from + 40 + r.IntN(300), []denoise.Mode{denoise.Diffusion, denoise.Verify, denoise.Causal}[r.IntN(3)]}
	}
	var heap, rss, goroutines int
	measure := func() (int, int, int) {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int(m.HeapAlloc), resident(), runtime.NumGoroutine()
	}
	cancelled, checked := 0, 0
	for i := range n {
		q := draw()
		ctx, cancel := context.WithCancel(context.Background())
		if i%2 == 0 {
			passes := r.IntN(5)
			seen.mu.Lock()
			seen.hook = func(context.Context) error {
				if passes--; passes < 0 {
					cancel() // the pass itself finds out
				}
				return nil
			}
			seen.mu.Unlock()
		}
		res, err := e.Generate(ctx, request(q))
		cancel()
		seen.mu.Lock()
		seen.hook = nil
		seen.mu.Unlock()
		switch {
		case err != nil && (i%2 == 1 || !errors.Is(err, context.Canceled)):
			t.Fatalf("request %d: %v", i, err)
		case err != nil:
			cancelled++
		case i%97 == 0 || i >= n-40:
			w, tok := small()
			b, err := cpu.New(w, cpu.Options{Threads: 1, Sequences: 4})
			if err != nil {
				t.Fatal(err)
			}
			fresh := engine.New(engine.Model{Name: "small", Config: w.Config, Tokenizer: tok}, b, engine.Options{})
			want, err := fresh.Generate(context.Background(), request(q))
			fresh.Close()
			if err != nil {
				t.Fatal(err)
			}
			if checked++; res.Text != want.Text || res.Stop != want.Stop {
				t.Fatalf("request %d, %+v: %q (%s), asked of a new engine %q (%s)", i, q, res.Text, res.Stop, want.Text, want.Stop)
			}
		}
		if i == n/4 {
			heap, rss, goroutines = measure()
		}
	}
	h, s, g := measure()
	t.Logf("%d requests, %d cancelled, %d answers checked; from a quarter on: heap %+d kB, resident %+d kB, goroutines %+d", n, cancelled, checked, (h-heap)/1024, (s-rss)/1024, g-goroutines)
	if cancelled < n/8 || checked < 20 {
		t.Errorf("%d cancelled, %d checked: the test tests little", cancelled, checked)
	}
	if h-heap > 4<<20 || s-rss > 32<<20 || g > goroutines {
		t.Errorf("grown: heap by %d bytes, resident by %d, goroutines by %d", h-heap, s-rss, g-goroutines)
	}
}
