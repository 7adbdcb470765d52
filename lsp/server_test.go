package lsp

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.lsp.dev/protocol"
	"go.uber.org/goleak"

	"github.com/seedling-lsp/seedling/engine"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type items struct {
	Items []struct {
		InsertText string         `json:"insertText"`
		FilterText string         `json:"filterText"`
		Range      protocol.Range `json:"range"`
	} `json:"items"`
}

func (r reply) items(t testing.TB) items {
	t.Helper()
	var list items
	if r.Error != nil {
		t.Fatalf("error %d: %s", r.Error.Code, r.Error.Message)
	}
	if err := json.Unmarshal(r.Result, &list); err != nil || list.Items == nil {
		t.Fatalf("%s is no list: %v", r.Result, err)
	}
	return list
}

// TestSession is the ordinary life of a server: it breaks when anything an editor needs
// at first contact is gone.
func TestSession(t *testing.T) {
	for _, enc := range []string{"utf-8", "utf-16", "utf-32"} {
		w := dial(t, says("x := 1\n"), Options{Version: "1.2", Model: "m"})
		r := w.hello(enc, nil)
		var init struct {
			Capabilities struct {
				PositionEncoding         string `json:"positionEncoding"`
				InlineCompletionProvider bool   `json:"inlineCompletionProvider"`
				TextDocumentSync         struct {
					OpenClose bool
					Change    int
				}
			}
			ServerInfo struct{ Name, Version string }
		}
		if err := json.Unmarshal(r.Result, &init); err != nil {
			t.Fatal(err)
		}
		if c := init.Capabilities; c.PositionEncoding != enc || !c.InlineCompletionProvider || c.TextDocumentSync.Change != 2 || !c.TextDocumentSync.OpenClose || init.ServerInfo.Version != "1.2" {
			t.Fatalf("initialize answered %s", r.Result)
		}
		w.open("package main\n\nfunc main() {\n\t😀é\n}\n")
		column := map[string]int{"utf-8": 7, "utf-16": 4, "utf-32": 3}[enc]
		w.change(2, 3, 1, column, "y := 2; ")
		list := w.wait(w.inline(3, 9)).items(t)
		if len(list.Items) != 1 || list.Items[0].InsertText != "\ty := 2; x := 1" {
			t.Fatalf("%s: suggestion %+v", enc, list)
		}
		if g := list.Items[0].Range; g.Start.Line != 3 || g.Start.Character != 0 || g.End.Line != 3 || g.End.Character != 9 {
			t.Fatalf("%s: range %+v", enc, g)
		}
		if err := w.bye(); err != nil {
			t.Errorf("Serve: %v", err)
		}
	}
}

// TestNoShutdown: exit without shutdown is an error (exit code 1), so is the client's end.
func TestNoShutdown(t *testing.T) {
	w := dial(t, says("x"), Options{})
	w.hello("utf-16", nil)
	w.notify("exit", nil)
	err := <-w.done
	w.done <- err
	if !errors.Is(err, ErrNoShutdown) {
		t.Errorf("Serve: %v", err)
	}
}

// TestCancel: $/cancelRequest ends the generation and is answered with -32800.
func TestCancel(t *testing.T) {
	started, ended := make(chan struct{}, 1), make(chan struct{}, 1)
	w := dial(t, generator(func(ctx context.Context, _ engine.Request) (engine.Result, error) {
		started <- struct{}{}
		<-ctx.Done()
		ended <- struct{}{}
		return engine.Result{}, ctx.Err()
	}), Options{})
	w.hello("utf-16", nil)
	w.open("package main\n\nfunc main() {\n\t\n}\n")
	id := w.inline(3, 1)
	<-started
	w.notify("$/cancelRequest", map[string]any{"id": id})
	if r := w.wait(id); r.Error == nil || r.Error.Code != -32800 {
		t.Errorf("a cancelled request: %+v", r)
	}
	<-ended
	// A change under a request ends it too, with ContentModified.
	id = w.inline(3, 1)
	<-started
	w.change(2, 3, 1, 1, "a")
	if r := w.wait(id); r.Error == nil || r.Error.Code != -32801 {
		t.Errorf("a request overtaken by a change: %+v", r)
	}
	<-ended
	w.bye()
}

// TestOverlap: a slow request does not hold up a fast one of another document, nor a
// change.
func TestOverlap(t *testing.T) {
	gate, entered := make(chan struct{}), make(chan struct{}, 1)
	w := dial(t, generator(func(ctx context.Context, r engine.Request) (engine.Result, error) {
		if r.Document == testURI {
			entered <- struct{}{}
			select {
			case <-gate:
			case <-ctx.Done():
			}
		}
		return says("x := 1").Generate(ctx, r)
	}), Options{})
	w.hello("utf-16", nil)
	const text = "package main\n\nfunc main() {\n\t\n}\n"
	w.open(text)
	slow := w.inline(3, 1)
	<-entered
	const other = "file:///tmp/project/other.go"
	w.openAt(other, text)
	if list := w.wait(w.inlineAt(other, 3, 1)).items(t); len(list.Items) != 1 {
		t.Errorf("the second request: %+v", list)
	}
	close(gate)
	if list := w.wait(slow).items(t); len(list.Items) != 1 {
		t.Errorf("the first request: %+v", list)
	}
	w.bye()
}

// TestNewestWins: a request of a document ends the older ones of the same, and a change
// that is read right behind a request always ends it. Else the engine would go on for a
// text that is gone.
func TestNewestWins(t *testing.T) {
	var finished atomic.Int32
	w := dial(t, generator(func(ctx context.Context, r engine.Request) (engine.Result, error) {
		if r.Priority == engine.Typed { // the last one below
			return says("x := 1").Generate(ctx, r)
		}
		select {
		case <-ctx.Done():
			return engine.Result{}, ctx.Err()
		case <-time.After(10 * time.Second):
			finished.Add(1)
			return engine.Result{}, nil
		}
	}), Options{})
	w.hello("utf-16", nil)
	w.open("package main\n\nfunc main() {\n\t\n}\n")
	var ids []int
	for range 50 {
		ids = append(ids, w.inline(3, 1))
	}
	version := 1
	for range 200 {
		version++
		id := w.inline(3, 1)
		w.change(version, 3, 1, 1, " ")
		if r := w.wait(id); r.Error == nil || r.Error.Code != -32801 {
			t.Fatalf("a request before a change: %+v", r)
		}
	}
	last := w.send("textDocument/inlineCompletion", map[string]any{"textDocument": map[string]any{"uri": testURI},
		"position": map[string]any{"line": 3, "character": 201}, "context": map[string]any{"triggerKind": 2}})
	if r := w.wait(last); r.Error != nil {
		t.Errorf("the newest request: %+v", r.Error)
	}
	if n := finished.Load(); n != 0 {
		t.Errorf("%d requests went on although they were out of date", n)
	}
	for _, id := range ids {
		if r, ok := w.got[id]; !ok || r.Error == nil || r.Error.Code != -32800 && r.Error.Code != -32801 {
			t.Fatalf("request %d: %+v", id, r)
		}
	}
	w.bye()
}

// TestWidget: with the completion list open, the suggestion goes on from its entry.
func TestWidget(t *testing.T) {
	var prefix atomic.Value
	w := dial(t, generator(func(_ context.Context, r engine.Request) (engine.Result, error) {
		prefix.Store(r.Prefix)
		return engine.Result{Text: "(a)", Stop: "end"}, nil
	}), Options{})
	w.hello("utf-16", nil)
	w.open("package main\n\nfunc main() {\n\tfmt.Pri\n}\n")
	id := w.send("textDocument/inlineCompletion", map[string]any{"textDocument": map[string]any{"uri": testURI}, "position": map[string]any{"line": 3, "character": 8},
		"context": map[string]any{"triggerKind": 2, "selectedCompletionInfo": map[string]any{"range": rng(3, 5, 8), "text": "Println"}}})
	list := w.wait(id).items(t)
	if p, _ := prefix.Load().(string); !strings.HasSuffix(p, "\tfmt.Println") {
		t.Errorf("the model saw %q", p)
	}
	if len(list.Items) != 1 || list.Items[0].InsertText != "Println(a)" || list.Items[0].Range.Start.Character != 5 || list.Items[0].Range.End.Character != 8 {
		t.Errorf("%+v", list)
	}
	w.bye()
}
