package lsp

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

// closing is a generator that says what it is, and is closed once.
type closing struct {
	says
	closed atomic.Int32
}

func (c *closing) Close() error { c.closed.Add(1); return nil }

// TestModelSetting: the setting model brings another model in at run time and lets it go
// again; while it cannot be had, the one before answers, and the person is told once.
func TestModelSetting(t *testing.T) {
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("USERPROFILE", home)
	dir := t.TempDir()
	first, adapted, mine := &closing{says: "first()"}, &closing{says: "adapted()"}, &closing{says: "mine()"}
	models := map[string]*closing{dir: adapted, filepath.Join(home, "mine"): mine}
	open := func(_ context.Context, dir string) (Generator, error) {
		if dir == "/panics" {
			panic("boom")
		}
		if g := models[dir]; g != nil {
			return g, nil
		}
		return nil, errors.New("there is no config.json in " + dir)
	}
	w := dial(t, first, Options{Open: open, Models: []string{"small", "large"}, Model: "small"})
	w.hello("utf-16", map[string]any{"model": dir})
	w.open(oneFunc)
	w.hears("seedling/status", `"model":"`+dir+`"`)
	says := func(want string) {
		t.Helper()
		if list := w.wait(w.inline(3, 1)).items(t); len(list.Items) != 1 || strings.TrimSpace(list.Items[0].InsertText) != want {
			t.Errorf("%+v, want %s", list, want)
		}
	}
	set := func(model string) {
		w.notify("workspace/didChangeConfiguration", map[string]any{"settings": map[string]any{"seedling": map[string]any{"model": model}}})
	}
	says("adapted()")
	set("~/mine")
	w.hears("seedling/status", `"model":"~/mine"`)
	says("mine()")
	if adapted.closed.Load() != 1 {
		t.Errorf("the model that gave way was closed %d times", adapted.closed.Load())
	}
	for model, complaint := range map[string]string{"/none": "no config.json in /none", "models/x": "or one of: small, large", "/panics": "boom"} {
		set(model)
		w.hears("window/showMessage", complaint)
		w.hears("seedling/status", `"state":"ready"`)
		says("mine()")
	}
	set("")
	w.hears("seedling/status", `"model":"small"`)
	says("first()")
	if mine.closed.Load() != 1 || first.closed.Load() != 0 {
		t.Errorf("closed: the setting's %d times, the server's own %d", mine.closed.Load(), first.closed.Load())
	}
	set(dir)
	w.hears("seedling/status", `"model":"`+dir+`"`)
	w.bye()
	if adapted.closed.Load() != 2 {
		t.Error("the server ended, and the setting's model was not closed")
	}

	w = dial(t, first, Options{Model: "builtin"}) // as windows have it that share a server
	w.hello("utf-16", map[string]any{"model": dir})
	w.open(oneFunc)
	w.hears("window/showMessage", "share")
	says("first()")
	w.bye()
}

// TestModelSettingAfterLoad: a server that still reads its own model brings in the setting's
// when that is done.
func TestModelSettingAfterLoad(t *testing.T) {
	dir := t.TempDir()
	gate := make(chan struct{})
	w := dial(t, nil, Options{Model: "builtin",
		Load: func(context.Context) (Generator, error) { <-gate; return says("first()"), nil },
		Open: func(context.Context, string) (Generator, error) { return says("adapted()"), nil }})
	w.hello("utf-16", map[string]any{"model": dir})
	w.open(oneFunc)
	close(gate)
	w.hears("seedling/status", `"model":"`+dir+`"`)
	if list := w.wait(w.inline(3, 1)).items(t); len(list.Items) != 1 || strings.TrimSpace(list.Items[0].InsertText) != "adapted()" {
		t.Errorf("%+v", list)
	}
	w.bye()
}
