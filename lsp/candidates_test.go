package lsp

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/seedling-lsp/seedling/engine"
	"github.com/seedling-lsp/seedling/lsp/stats"
)

// several answers with as many candidates as it is asked for, and notes what it was asked.
type several struct{ asked atomic.Value }

func (g *several) Generate(_ context.Context, r engine.Request) (engine.Result, error) {
	g.asked.Store(r)
	res := engine.Result{Text: "1)", Stop: "line"}
	for i := 2; i <= r.Candidates; i++ {
		res.Alternatives = append(res.Alternatives, engine.Result{Text: fmt.Sprintf("%d)", i), Stop: "line"})
	}
	return res, nil
}

// invoke asks as a person does by hand.
func (w *wireClient) invoke(line, character int) items {
	w.t.Helper()
	return w.call("textDocument/inlineCompletion", map[string]any{"textDocument": map[string]any{"uri": testURI},
		"position": map[string]any{"line": line, "character": character}, "context": map[string]any{"triggerKind": 1}}).items(w.t)
}

// Who asks by hand gets several to cycle through, the likeliest first, each with its own
// range and text; who types gets one, and nobody is asked for more. Only the one that is
// drawn counts as shown.
func TestCandidates(t *testing.T) {
	store := stats.Store{Dir: t.TempDir()}
	rec := stats.NewRecorder(store, nil)
	g := &several{}
	w := dial(t, g, Options{Stats: rec})
	w.hello("utf-16", nil)
	w.open("package main\n\nfunc main() {\n\tf(x, )\n}\n")
	list := w.invoke(3, 6)
	if len(list.Items) != 4 {
		t.Fatalf("%+v", list)
	}
	for i, it := range list.Items {
		want := fmt.Sprintf("\tf(x, %d", i+1)
		if it.InsertText != want || it.FilterText != want || it.Range.Start.Line != 3 || it.Range.Start.Character != 0 || it.Range.End.Character != 6 {
			t.Errorf("item %d: %+v", i, it)
		}
	}
	if r := g.asked.Load().(engine.Request); r.Candidates != 4 || r.MinLogProb != 0 {
		t.Errorf("asked for %d, withheld from %g", r.Candidates, r.MinLogProb)
	}
	auto := w.call("textDocument/inlineCompletion", map[string]any{"textDocument": map[string]any{"uri": testURI},
		"position": map[string]any{"line": 3, "character": 6}, "context": map[string]any{"triggerKind": 2}}).items(t)
	if r := g.asked.Load().(engine.Request); len(auto.Items) != 1 || r.Candidates != 0 || r.Show != nil {
		t.Errorf("an automatic request got %+v, asking for %d", auto, r.Candidates)
	}
	rec.Flush()
	f, err := store.Read()
	if err != nil {
		t.Fatal(err)
	}
	if all, _ := f.Total(stats.Completion, ""); all.Shown != 2 || all.Asked != 2 {
		t.Errorf("%+v", all)
	}
	doc := map[string]any{"textDocument": map[string]any{"uri": testURI, "version": 1}, "position": map[string]any{"line": 3, "character": 6},
		"doc": map[string]any{"uri": testURI, "version": 1, "position": map[string]any{"line": 3, "character": 6}}}
	if list := w.call("textDocument/copilotPanelCompletion", doc).items(t); len(list.Items) != 4 || list.Items[3].InsertText != "\tf(x, 4" {
		t.Errorf("the panel: %+v", list)
	}
	if got := w.result("getCompletionsCycling", doc); strings.Count(got, `"displayText"`) != 4 || !strings.Contains(got, `"displayText":"4"`) {
		t.Errorf("cycling: %s", got)
	}
	if got := w.result("getCompletions", doc); strings.Count(got, `"displayText"`) != 1 {
		t.Errorf("not cycling: %s", got)
	}
	w.notify("workspace/didChangeConfiguration", map[string]any{"settings": map[string]any{"seedling": map[string]any{"candidates": 1}}})
	if list := w.invoke(3, 6); len(list.Items) != 1 {
		t.Errorf("with candidates set to 1: %+v", list)
	}
	w.bye()
}

// A person who goes along with a suggestion keeps what is left of it at every character,
// also behind a number and inside of a word, where nothing new is suggested: else the ghost
// text would flicker while it is typed, or taken word by word. Something else than the
// suggestion is no going along.
func TestGoingAlong(t *testing.T) {
	const whole = "x := f(12, 3.5, name1)"
	w := dial(t, generator(func(_ context.Context, r engine.Request) (engine.Result, error) {
		line := r.Prefix[strings.LastIndexByte(r.Prefix, '\n')+1:]
		rest, ok := strings.CutPrefix("\t"+whole, line)
		if !ok {
			rest = "0)"
		}
		return engine.Result{Text: rest, Stop: "line", Tokens: 1}, nil
	}), Options{})
	w.hello("utf-16", nil)
	w.open("package main\n\nfunc main() {\n\t\n\ty()\n}\n")
	automatic := func(character int) items {
		return w.call("textDocument/inlineCompletion", map[string]any{"textDocument": map[string]any{"uri": testURI},
			"position": map[string]any{"line": 3, "character": character}, "context": map[string]any{"triggerKind": 2}}).items(t)
	}
	if l := automatic(1); len(l.Items) != 1 || l.Items[0].InsertText != "\t"+whole {
		t.Fatalf("%+v", l)
	}
	for i := range len(whole) - 1 {
		w.change(i+2, 3, 1+i, 1+i, whole[i:i+1])
		if l := automatic(2 + i); len(l.Items) != 1 || l.Items[0].InsertText != "\t"+whole {
			t.Errorf("after %q: %+v", whole[:i+1], l)
		}
	}
	w.change(100, 3, 1, len(whole), "x := f(13")
	if l := automatic(1 + len("x := f(13")); len(l.Items) != 0 {
		t.Errorf("behind another number: %+v", l)
	}
	w.bye()
}
