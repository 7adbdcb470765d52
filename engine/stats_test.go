package engine_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/seedling-lsp/seedling/engine"
)

// TestStats: what is counted is what happened. Without it doctor and --verbose could show
// hit rates of nothing.
func TestStats(t *testing.T) {
	e, seen := start(t, engine.Options{Contexts: 2})
	if s := e.Stats(); s != (engine.Stats{}) || s.HitRate() != 0 {
		t.Fatalf("before anything: %+v", s)
	}
	text := "package main\n\nfunc main() {\n\tvalues := []int{1, 2, 3}\n"
	var want engine.Stats
	generate := func(r engine.Request) engine.Result {
		t.Helper()
		res, err := e.Generate(context.Background(), r)
		if err != nil {
			t.Fatal(err)
		}
		want.Answered++
		return res
	}
	count := func(res engine.Result) {
		want.ContextTokens += res.ContextTokens
		want.CachedTokens += res.CachedTokens
		want.Forwards += res.Forwards
		want.Tokens += res.Tokens
	}
	short := func(prefix string) engine.Request { // before what a random network says is no text
		r := ask("a", prefix)
		r.MaxTokens = 3
		return r
	}
	first := generate(short(text))
	count(first)
	_, at := utf8.DecodeRuneInString(first.Text)
	if at == len(first.Text) {
		t.Fatalf("nothing to type along in %q", first.Text)
	}
	// Typed along: recalled, no token of context is counted twice.
	if res := generate(short(text + first.Text[:at])); res.Forwards != 0 {
		t.Fatalf("%d forwards for the rest of %q", res.Forwards, first.Text)
	}
	want.Recalled++
	count(generate(ask("a", text+"\tprintln(values)\n")))
	// Three documents that have nothing in common with two contexts.
	for _, d := range []string{"b", "c", "d"} {
		r := ask(d, strings.Repeat("other "+d+"\n", 12))
		r.Path = d + ".py"
		r.Suffix = d
		count(generate(r))
	}
	ctx, cancel := context.WithCancel(context.Background())
	seen.mu.Lock()
	seen.hook = func(context.Context) error { cancel(); return nil }
	seen.mu.Unlock()
	if _, err := e.Generate(ctx, ask("e", "cancelled")); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	want.Superseded = 1
	seen.mu.Lock()
	seen.hook = func(context.Context) error { return errors.New("lost") }
	seen.mu.Unlock()
	if _, err := e.Generate(context.Background(), ask("f", "lost")); err == nil {
		t.Fatal("the device was lost")
	}
	want.Failed = 1
	got := e.Stats()
	if got.Contexts < 1 || got.Contexts > 2 || got.CacheTokens == 0 || got.Opened < 4 || got.Evicted != got.Opened-2 || got.Denoise <= 0 {
		t.Errorf("%+v", got)
	}
	if h := got.HitRate(); h <= 0 || h >= 1 {
		t.Errorf("hit rate %v", h)
	}
	want.Contexts, want.CacheTokens, want.Opened, want.Evicted, want.Prefill, want.Denoise = got.Contexts, got.CacheTokens, got.Opened, got.Evicted, got.Prefill, got.Denoise
	if got != want {
		t.Errorf("%+v\nwant %+v", got, want)
	}
	if s := got.String(); !strings.Contains(s, "6 answers, 17 % of them recalled") {
		t.Error(s)
	}
}
