package engine_test

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/seedling-lsp/seedling/engine"
	"github.com/seedling-lsp/seedling/engine/backend"
	"github.com/seedling-lsp/seedling/engine/cpu"
	"github.com/seedling-lsp/seedling/engine/denoise"
	"github.com/seedling-lsp/seedling/engine/model"
	"github.com/seedling-lsp/seedling/engine/tokenizer"
	"github.com/seedling-lsp/seedling/engine/weights"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// small is a random network over the built-in vocabulary: its answers are nonsense, but
// they depend on every token of the context.
var small = sync.OnceValues(func() (*model.Weights, *tokenizer.Tokenizer) {
	tok, err := tokenizer.Load(bytes.NewReader(weights.TokenizerJSON))
	if err != nil {
		panic(err)
	}
	const d, ff, heads, kv, hd = 32, 64, 2, 1, 16
	r := rand.New(rand.NewPCG(5, 5))
	matrix := func(rows, cols int) model.Matrix {
		m := model.Matrix{Rows: rows, Cols: cols, F32: make([]float32, rows*cols)}
		for i := range m.F32 {
			m.F32[i] = float32(r.NormFloat64() * 0.3)
		}
		return m
	}
	ones := func(n int) []float32 {
		v := make([]float32, n)
		for i := range v {
			v[i] = 1
		}
		return v
	}
	w := &model.Weights{Embed: matrix(tok.Size(), d), Norm: ones(d)}
	w.Config = model.Config{Architectures: []string{"Qwen3ForCausalLM"}, ModelType: "qwen3", HiddenAct: "silu", HiddenSize: d, IntermediateSize: ff,
		NumLayers: 2, NumHeads: heads, NumKVHeads: kv, HeadDim: hd, VocabSize: tok.Size(), MaxPositions: 256, RMSNormEps: 1e-6, RopeTheta: 10000, TieWordEmbeddings: true,
		Seedling: model.Scheme{Version: 1, ContextAttention: "causal", Commit: "reread", CanvasMark: true, BlockSize: 6,
			Tokens: model.SpecialTokens{Mask: 0, End: 1, Suffix: 2, Prefix: 3, Draft: 4, Path: 5, Repo: 6, Delete: 7, Insert: 8}}}
	for range 2 {
		w.Layers = append(w.Layers, model.Layer{InputNorm: ones(d), PostNorm: ones(d), QNorm: ones(hd), KNorm: ones(hd), Q: matrix(heads*hd, d), K: matrix(kv*hd, d),
			V: matrix(kv*hd, d), O: matrix(d, heads*hd), Gate: matrix(ff, d), Up: matrix(ff, d), Down: matrix(d, ff)})
	}
	return w.Quantize(), tok
})

// watched lets tests see and spoil the passes of a backend.
type watched struct {
	backend.Backend
	mu   sync.Mutex
	rows int
	hook func(ctx context.Context) error
}

func (w *watched) Forward(ctx context.Context, b backend.Batch) ([]backend.Top, error) {
	w.mu.Lock()
	hook := w.hook
	for _, r := range b.Rows {
		if r.Kind == backend.Context {
			w.rows++
		}
	}
	w.mu.Unlock()
	if hook != nil {
		if err := hook(ctx); err != nil {
			return nil, err
		}
	}
	return w.Backend.Forward(ctx, b)
}

func start(t testing.TB, opt engine.Options) (*engine.Engine, *watched) {
	t.Helper()
	w, tok := small()
	b, err := cpu.New(w, cpu.Options{Threads: 1, Sequences: 4})
	if err != nil {
		t.Fatal(err)
	}
	seen := &watched{Backend: b}
	e := engine.New(engine.Model{Name: "small", Config: w.Config, Tokenizer: tok}, seen, opt)
	t.Cleanup(func() { e.Close() })
	return e, seen
}

func ask(document, prefix string) engine.Request {
	return engine.Request{Document: document, Path: "a.go", Prefix: prefix, Suffix: "\n}\n", MaxTokens: 12, Priority: engine.Invoked}
}

// TestTypingReadsLittle: while a person types, each request reads the few tokens that are
// new and not the file. Without the cache every key would cost the whole context.
func TestTypingReadsLittle(t *testing.T) {
	e, seen := start(t, engine.Options{})
	text := "package main\n\nfunc main() {\n\tvalues := []int{1, 2, 3}\n\tfor i := range values {\n\t\tprintln(i)\n\t}\n"
	if _, err := e.Generate(context.Background(), ask("a", text)); err != nil {
		t.Fatal(err)
	}
	typed := "\treturn values"
	for i := range typed {
		seen.rows = 0
		r := ask("a", text+typed[:i+1])
		r.Decode = denoise.Causal
		r.MaxTokens = 1
		res, err := e.Generate(context.Background(), r)
		if err != nil {
			t.Fatal(err)
		}
		if fresh := res.ContextTokens - res.CachedTokens; fresh > 8 || seen.rows > 10 {
			t.Errorf("after %q: %d new context tokens, %d context rows", typed[:i+1], fresh, seen.rows)
		}
	}
}

// TestCacheChangesNothing: an answer does not depend on what was asked before, over
// typing, deleting, jumping between documents and windows that move.
func TestCacheChangesNothing(t *testing.T) {
	warm, _ := start(t, engine.Options{})
	rapid.Check(t, func(rt *rapid.T) {
		cold, _ := start(t, engine.Options{})
		defer cold.Close()
		text := strings.Repeat(rapid.SampledFrom([]string{"x := f(a, b)\n", "// 漢字\n", "if err != nil {\n\treturn err\n}\n"}).Draw(rt, "line"), rapid.IntRange(0, 60).Draw(rt, "lines"))
		text += rapid.StringMatching(`[a-z (){}\n]{0,30}`).Draw(rt, "tail")
		r := ask(rapid.SampledFrom([]string{"a", "b", "c"}).Draw(rt, "document"), text)
		r.Decode = rapid.SampledFrom([]denoise.Mode{denoise.Diffusion, denoise.Verify, denoise.Causal}).Draw(rt, "mode")
		r.Suffix = rapid.SampledFrom([]string{"", "\n}\n", strings.Repeat("tail()\n", 100)}).Draw(rt, "suffix")
		r.Score = true
		a, err := warm.Generate(context.Background(), r)
		if err != nil {
			rt.Fatal(err)
		}
		b, err := cold.Generate(context.Background(), r)
		if err != nil {
			rt.Fatal(err)
		}
		if a.Text != b.Text || a.Stop != b.Stop || a.ContextTokens != b.ContextTokens {
			rt.Fatalf("warm %q (%s), cold %q (%s)", a.Text, a.Stop, b.Text, b.Stop)
		}
		if !utf8.ValidString(a.Text) {
			rt.Fatalf("%q is no UTF-8", a.Text)
		}
	})
}

// TestTypeAlong: who types what was suggested gets the rest without a forward; who types
// something else does not.
func TestTypeAlong(t *testing.T) {
	e, seen := start(t, engine.Options{})
	r := ask("a", "func g() int {\n\treturn ")
	whole, err := e.Generate(context.Background(), r)
	if err != nil || len(whole.Text) < 4 {
		t.Fatalf("%q, %v", whole.Text, err)
	}
	for i := range whole.Text {
		if i == 0 {
			continue
		}
		seen.rows = 0
		along := r
		along.Prefix += whole.Text[:i]
		res, err := e.Generate(context.Background(), along)
		if err != nil || res.Text != whole.Text[i:] || res.Forwards != 0 || seen.rows != 0 {
			t.Fatalf("after %q: %q in %d forwards (%v), want %q", whole.Text[:i], res.Text, res.Forwards, err, whole.Text[i:])
		}
	}
	other := r
	other.Prefix += "\x01"
	if res, err := e.Generate(context.Background(), other); err != nil || res.Forwards == 0 {
		t.Errorf("something else was answered from memory: %+v, %v", res, err)
	}
	changed := r
	changed.Suffix = "else"
	if res, err := e.Generate(context.Background(), changed); err != nil || res.Forwards == 0 {
		t.Errorf("another suffix was answered from memory: %+v, %v", res, err)
	}
}

// TestStopRule: the rule sees text, whole characters, token by token, and what it keeps
// is the answer.
func TestStopRule(t *testing.T) {
	e, _ := start(t, engine.Options{})
	for _, mode := range []denoise.Mode{denoise.Diffusion, denoise.Verify, denoise.Causal} {
		r := ask("", "func f() {\n\t")
		r.Decode = mode
		last := ""
		r.Stop = func(s string) (int, string) {
			if !utf8.ValidString(s) {
				t.Errorf("the rule saw %q", s)
			}
			last = s
			if len(s) >= 5 {
				return 3, "line"
			}
			return 0, ""
		}
		res, err := e.Generate(context.Background(), r)
		if err != nil {
			t.Fatal(err)
		}
		if res.Stop == "line" && (len(res.Text) > 3 || !strings.HasPrefix(last, res.Text)) {
			t.Errorf("mode %d kept %q of %q", mode, res.Text, last)
		}
		if res.Stop != "line" && len(last) >= 5 {
			t.Errorf("mode %d did not stop at %q: %s", mode, last, res.Stop)
		}
	}
}

// TestNewestWins: a newer request of a document ends the older one within a pass, and a
// request of another document does not; a higher priority goes first.
func TestNewestWins(t *testing.T) {
	e, seen := start(t, engine.Options{})
	running := make(chan struct{}, 100)
	seen.hook = func(ctx context.Context) error {
		running <- struct{}{}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(50 * time.Millisecond):
			return nil
		}
	}
	old := make(chan error, 1)
	go func() {
		_, err := e.Generate(context.Background(), ask("a", "one"))
		old <- err
	}()
	<-running
	var order []string
	var mu sync.Mutex
	var wg sync.WaitGroup
	note := func(name string, p engine.Priority) {
		wg.Go(func() {
			r := ask(name, "two")
			r.Priority, r.MaxTokens = p, 1
			if _, err := e.Generate(context.Background(), r); err == nil {
				mu.Lock()
				order = append(order, name)
				mu.Unlock()
			}
		})
		time.Sleep(5 * time.Millisecond)
	}
	note("typed", engine.Typed)
	note("invoked", engine.Invoked)
	r := ask("a", "three")
	r.MaxTokens = 1
	if _, err := e.Generate(context.Background(), r); err != nil {
		t.Errorf("the newer request: %v", err)
	}
	if err := <-old; !errors.Is(err, engine.ErrSuperseded) || !errors.Is(err, context.Canceled) {
		t.Errorf("the older request: %v", err)
	}
	wg.Wait()
	if len(order) != 2 || order[0] != "invoked" {
		t.Errorf("served in the order %v", order)
	}
}

// TestCancelAndDeadline: the caller's context ends a request within a pass; at a deadline
// the answer is what is decided.
func TestCancelAndDeadline(t *testing.T) {
	e, seen := start(t, engine.Options{})
	ctx, cancel := context.WithCancel(context.Background())
	seen.hook = func(ctx context.Context) error { cancel(); <-ctx.Done(); return ctx.Err() }
	if _, err := e.Generate(ctx, ask("a", "one")); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	seen.hook = func(context.Context) error { time.Sleep(15 * time.Millisecond); return nil }
	r := ask("a", "one")
	r.Decode, r.MaxTokens, r.Deadline = denoise.Causal, 40, time.Now().Add(100*time.Millisecond)
	res, err := e.Generate(context.Background(), r)
	if err != nil || res.Stop != "deadline" && res.Stop != "end" || res.Tokens >= 40 {
		t.Errorf("at the deadline: %+v, %v", res, err)
	}
	r.Deadline = time.Now().Add(-time.Second)
	if res, err := e.Generate(context.Background(), r); err != nil || res.Stop != "deadline" || res.Text != "" {
		t.Errorf("after the deadline: %+v, %v", res, err)
	}
}

// TestFallback: a backend that fails is replaced once, the person is told once, and the
// request is answered.
func TestFallback(t *testing.T) {
	w, _ := small()
	told := 0
	e, seen := start(t, engine.Options{
		Fallback: func() (backend.Backend, error) { return cpu.New(w, cpu.Options{ISA: "portable", Threads: 1}) },
		Report:   func(engine.Turn, error) { told++ },
	})
	lost := errors.New("the device is lost")
	seen.hook = func(context.Context) error { return lost }
	for range 3 {
		if res, err := e.Generate(context.Background(), ask("a", "one")); err != nil || res.Stop == "" {
			t.Fatalf("%+v, %v", res, err)
		}
	}
	if told != 1 || e.Backend().Kernels != "portable" {
		t.Errorf("told %d times, runs on %+v", told, e.Backend())
	}
	// Without a fallback the failure is the answer, and the engine can still be closed.
	f, seen := start(t, engine.Options{})
	seen.hook = func(context.Context) error { return lost }
	if _, err := f.Generate(context.Background(), ask("a", "one")); !errors.Is(err, lost) {
		t.Errorf("%v", err)
	}
}

// TestWithheld: an answer that the model finds unlikely is not given.
func TestWithheld(t *testing.T) {
	e, _ := start(t, engine.Options{})
	r := ask("a", "func ")
	r.MinLogProb = -1e-6
	if res, err := e.Generate(context.Background(), r); err != nil || res.Stop != "withheld" || res.Text != "" {
		t.Errorf("%+v, %v", res, err)
	}
}

// TestClose: closing ends what runs; what comes after is refused.
func TestClose(t *testing.T) {
	e, seen := start(t, engine.Options{})
	in := make(chan struct{})
	seen.hook = func(ctx context.Context) error { close(in); <-ctx.Done(); return ctx.Err() }
	done := make(chan error)
	go func() { _, err := e.Generate(context.Background(), ask("a", "one")); done <- err }()
	<-in
	if err := e.Close(); err != nil {
		t.Error(err)
	}
	if err := <-done; !errors.Is(err, engine.ErrClosed) {
		t.Errorf("the running request: %v", err)
	}
	if _, err := e.Generate(context.Background(), ask("a", "one")); !errors.Is(err, engine.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}

// TestLayout: the order that training and serving share.
func TestLayout(t *testing.T) {
	s := model.SpecialTokens{Suffix: 2, Prefix: 3, Draft: 4, Path: 5, Repo: 6}
	ids := func(v ...backend.TokenID) []backend.TokenID { return v }
	got := engine.Layout(s, engine.Input{Snippets: [][]backend.TokenID{ids(50), ids(51, 52)}, Path: ids(40), Suffix: ids(30, 31), Draft: ids(60), Prefix: ids(20)})
	want := ids(6, 50, 6, 51, 52, 5, 40, 2, 30, 31, 4, 60, 3, 20)
	if len(got) != len(want) {
		t.Fatalf("%v, want %v", got, want)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("%v, want %v", got, want)
		}
	}
	if got := engine.PlainLayout(model.SpecialTokens{End: 1}, ids(20, 21)); len(got) != 3 || got[0] != 1 || got[2] != 21 {
		t.Errorf("a plain text is %v", got)
	}
	if got := engine.Layout(s, engine.Input{}); len(got) != 1 || got[0] != 3 {
		t.Errorf("an empty input is %v, want the prefix marker alone", got)
	}
}

// TestVerifyIsCausalOnTheDevice: drafts change nothing on real kernels either, where a
// row's answer could depend on the rows beside it. (A random network's drafts seldom hold:
// most of what is read here is a wrong draft, which must leave no trace.)
func TestVerifyIsCausalOnTheDevice(t *testing.T) {
	w, tok := small()
	saved := 0
	for _, isa := range cpu.Detect() {
		b, err := cpu.New(w, cpu.Options{ISA: isa, Threads: 2})
		if err != nil {
			t.Fatal(err)
		}
		e := engine.New(engine.Model{Name: "small", Config: w.Config, Tokenizer: tok}, b, engine.Options{})
		checks := 30
		if isa == cpu.Reference {
			checks = 3 // it is slow, and has no row beside another
		}
		for i := range checks {
			r := ask("", strings.Repeat("x = y\n", i)+"for ")
			r.MaxTokens, r.BlockSize = 24, 2+i%9
			r.Settings.DraftThreshold = 1e-9
			r.Decode = denoise.Causal
			causal, err := e.Generate(context.Background(), r)
			if err != nil {
				t.Fatal(err)
			}
			r.Decode = denoise.Verify
			verify, err := e.Generate(context.Background(), r)
			if err != nil {
				t.Fatal(err)
			}
			if verify.Text != causal.Text || verify.Stop != causal.Stop || verify.Forwards > causal.Forwards {
				t.Errorf("%s, case %d: %q (%s) in %d forwards, causal %q (%s) in %d", isa, i,
					verify.Text, verify.Stop, verify.Forwards, causal.Text, causal.Stop, causal.Forwards)
			}
			saved += causal.Forwards - verify.Forwards
		}
		e.Close()
	}
	t.Logf("%d forwards saved", saved)
}
