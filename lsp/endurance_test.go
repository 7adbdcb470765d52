package lsp

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.lsp.dev/uri"

	"github.com/seedling-lsp/seedling/engine"
	"github.com/seedling-lsp/seedling/engine/cpu"
	"github.com/seedling-lsp/seedling/engine/model"
	"github.com/seedling-lsp/seedling/engine/tokenizer"
	"github.com/seedling-lsp/seedling/engine/weights"
)

var endure = flag.Duration("endure", 0, "run TestEndurance that long, 20 edits a second, with the built-in model")

// TestEndurance keeps 200 documents open and edits them, each edit with a request behind it:
// memory and goroutines must not grow. In the ordinary suite there is no model and no
// waiting between the edits; -endure 10m is the real thing.
func TestEndurance(t *testing.T) {
	var g Generator = says("x := 1")
	edits := 1500
	if testing.Short() {
		edits = 600
	}
	if *endure > 0 {
		e := builtin(t)
		defer e.Close()
		g, edits = e, int(endure.Seconds()*20)
	}
	sources := ownSources(t)
	w := dial(t, g, Options{})
	w.hello("utf-16", nil)
	const documents = 200
	writers, uris, versions := make([]*writer, documents), make([]string, documents), make([]int, documents)
	for i := range writers {
		text := sources[i%len(sources)]
		uris[i] = fmt.Sprintf("file:///shop/%d.go", i)
		writers[i] = &writer{r: rand.New(rand.NewPCG(9, uint64(i))), e: UTF16, from: sources, text: text, at: len(text) / 2}
		writers[i].at = writers[i].whole(writers[i].at)
		versions[i] = 1
		w.openAt(uris[i], text)
		if *endure == 0 { // so that each has its tree; later, in the real thing
			p := naivePosition(text, UTF16, writers[i].at)
			w.wait(w.inlineAt(uris[i], int(p.Line), int(p.Character)))
		}
	}
	r := rand.New(rand.NewPCG(1, 2))
	pace := time.NewTicker(time.Second / 20)
	defer pace.Stop()
	var seen []footprint
	answered := 0
	// In the real thing nobody waits for an answer before the next key.
	replies := make(chan reply, 64)
	if *endure > 0 {
		go func() {
			defer close(replies)
			for r := w.read(); ; r = w.read() {
				if len(r.ID) > 0 && r.Method == "" {
					replies <- r
				}
				if string(r.ID) == "-1" { // the answer to the last one
					return
				}
			}
		}()
	}
	for n := range edits {
		if *endure > 0 {
			<-pace.C
		}
		i := r.IntN(documents)
		if n%4 != 0 { // a person stays in a few of them
			i %= 8
		}
		k := writers[i]
		versions[i]++
		w.notify("textDocument/didChange", map[string]any{"textDocument": map[string]any{"uri": uris[i], "version": versions[i]}, "contentChanges": k.edit()})
		k.past = nil // nothing is undone: the writers' own memory is steady
		p := naivePosition(k.text, k.e, k.at)
		id := w.inlineAt(uris[i], int(p.Line), int(p.Character))
		if *endure == 0 {
			if r := w.wait(id); r.Error == nil {
				answered++
			}
			clear(w.got)
			w.notes = w.notes[:0]
		}
		for len(replies) > 0 {
			if r := <-replies; r.Error == nil {
				answered++
			} else if r.Error.Code != -32801 && r.Error.Code != -32800 {
				t.Errorf("%+v", r.Error)
			}
		}
		if at := edits / 12; (n+1)%at == 0 {
			f := measure(t)
			seen = append(seen, f)
			t.Logf("%5d edits: heap %.1f MB, resident %.1f MB, %d goroutines", n+1, f.heap, f.resident, f.goroutines)
		}
	}
	if *endure > 0 {
		w.frame(`{"jsonrpc":"2.0","id":-1,"method":"test/end"}`)
		for r := range replies {
			if r.Error == nil {
				answered++
			}
		}
		t.Logf("%d of %d requests were answered, the others were outdated by the next key", answered, edits)
	}
	for i, k := range writers {
		if doc := w.s.docs.get(uri.URI(uris[i])); doc.text() != k.text {
			t.Fatalf("%s: %s", uris[i], difference(doc.text(), k.text))
		}
	}
	if *endure == 0 && answered < edits*9/10 || answered < edits/10 {
		t.Errorf("%d of %d requests were answered", answered, edits)
	}
	// The first third fills pools and caches. After that the middle of the rest is what
	// there was at its start: the texts themselves grow and shrink at random.
	third := len(seen) / 3
	base, rest := seen[third], seen[len(seen)-third:]
	last := func(of func(footprint) float64) float64 {
		var v []float64
		for _, f := range rest {
			v = append(v, of(f))
		}
		slices.Sort(v)
		return v[len(v)/2]
	}
	if got := last(func(f footprint) float64 { return f.heap }); got > 1.25*base.heap+4 {
		t.Errorf("the heap grew from %.1f to %.1f MB", base.heap, got)
	}
	if got := last(func(f footprint) float64 { return f.resident }); got > 1.25*base.resident+16 {
		t.Errorf("the process grew from %.1f to %.1f MB", base.resident, got)
	}
	if got := last(func(f footprint) float64 { return float64(f.goroutines) }); got > float64(base.goroutines)+4 {
		t.Errorf("%d goroutines became %.0f", base.goroutines, got)
	}
	w.bye()
}

// footprint is what the process takes, in MB.
type footprint struct {
	heap, resident float64
	goroutines     int
}

func measure(t *testing.T) footprint {
	t.Helper()
	runtime.GC()
	runtime.GC() // the first one runs the finalizers
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	f := footprint{heap: float64(m.HeapAlloc) / 1e6, goroutines: runtime.NumGoroutine()}
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return f // not Linux: the heap must do
	}
	for line := range strings.Lines(string(b)) {
		if v, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kb, _ := strconv.Atoi(strings.Fields(v)[0])
			f.resident = float64(kb) / 1e3
		}
	}
	return f
}

// builtin is the engine of the command.
func builtin(t testing.TB) *engine.Engine {
	t.Helper()
	dir := weights.Files()
	w, err := model.LoadFS(dir)
	if err != nil {
		t.Fatal(err)
	}
	f, err := dir.Open("tokenizer.json")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	tok, err := tokenizer.Load(f)
	if err != nil {
		t.Fatal(err)
	}
	b, err := cpu.New(w, cpu.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	return engine.New(engine.Model{Name: weights.Small, Config: w.Config, Tokenizer: tok}, b, engine.Options{})
}
