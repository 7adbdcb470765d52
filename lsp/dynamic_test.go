package lsp

import (
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"
)

// registers reads until the server registers or takes something back, and gives what, in short.
func (w *wireClient) registers() string {
	w.t.Helper()
	for {
		for len(w.asked) > 0 {
			r := w.asked[0]
			w.asked = w.asked[1:]
			var p struct {
				Registrations []struct {
					ID, Method      string
					RegisterOptions struct {
						DocumentSelector json.RawMessage
					}
				}
				Unregisterations []struct{ ID, Method string }
			}
			if err := json.Unmarshal(r.Params, &p); err != nil {
				w.t.Fatal(err)
			}
			var out []string
			for _, x := range p.Registrations {
				if x.ID == "" {
					w.t.Errorf("%s has no id", x.Method)
				}
				out = append(out, fmt.Sprintf("+%s %s", strings.TrimPrefix(x.Method, "textDocument/"), x.RegisterOptions.DocumentSelector))
			}
			for _, x := range p.Unregisterations {
				out = append(out, "-"+strings.TrimPrefix(x.Method, "textDocument/"))
			}
			return strings.Join(out, " ")
		}
		w.noted(w.read())
	}
}

// TestDynamic: a client that lets features be registered is asked to send requests only where
// the settings want suggestions, and to begin and end with them.
func TestDynamic(t *testing.T) {
	w := dial(t, says("x := 1"), Options{})
	r := w.call("initialize", map[string]any{"capabilities": map[string]any{"textDocument": map[string]any{
		"inlineCompletion": map[string]any{"dynamicRegistration": true}, "completion": map[string]any{"dynamicRegistration": true}}}})
	if strings.Contains(string(r.Result), "inlineCompletionProvider") || strings.Contains(string(r.Result), "completionProvider") {
		t.Errorf("advertised besides: %s", r.Result)
	}
	w.notify("initialized", map[string]any{})
	for _, c := range []struct{ settings, want string }{
		{"", "+inlineCompletion null"},
		{`{"languages":["go","python"],"excludeLanguages":["python"]}`, `-inlineCompletion|+inlineCompletion [{"language":"go"}]`},
		{`{"languages":["go"],"excludeLanguages":["python"],"completion":"always"}`, `+completion [{"language":"go"}]`},
		{`{"enable":false}`, "-completion -inlineCompletion"},
		{`{"completion":"always"}`, "+completion null +inlineCompletion null"},
		{`{"completion":"auto","debounceMs":1}`, "-completion"},
	} {
		if c.settings != "" {
			w.notify("workspace/didChangeConfiguration", map[string]any{"settings": map[string]any{"seedling": json.RawMessage(c.settings)}})
		}
		for want := range strings.SplitSeq(c.want, "|") {
			if got := w.registers(); got != want {
				t.Errorf("%s: %s, want %s", c.settings, got, want)
			}
		}
	}
	w.open(oneFunc)
	if l := w.wait(w.inline(3, 1)).items(t); len(l.Items) != 1 {
		t.Errorf("%+v", l)
	}
	w.bye()
}

// TestDynamicRefused: a client that says no to a registration is asked again when its settings
// change, and lives on.
func TestDynamicRefused(t *testing.T) {
	w := dial(t, says("x := 1"), Options{})
	w.lacks = "client/registerCapability"
	w.call("initialize", map[string]any{"capabilities": map[string]any{"textDocument": map[string]any{"inlineCompletion": map[string]any{"dynamicRegistration": true}}}})
	w.notify("initialized", map[string]any{})
	for range 2 {
		if got := w.registers(); got != "+inlineCompletion null" {
			t.Errorf("%s", got)
		}
		w.notify("workspace/didChangeConfiguration", map[string]any{"settings": map[string]any{"seedling": map[string]any{"debounceMs": 1}}})
	}
	w.bye()
}

// TestReadyWhenRegistered: a person who is told that the server is ready, and types, is asked
// for. VS Code asks for suggestions when a key comes, not when it learns who has some: what was
// typed between a ready and the registration got none.
func TestReadyWhenRegistered(t *testing.T) {
	w := dial(t, says("x := 1"), Options{})
	w.silent = "client/registerCapability"
	w.call("initialize", map[string]any{"capabilities": map[string]any{"experimental": map[string]any{"seedlingStatus": true},
		"textDocument": map[string]any{"inlineCompletion": map[string]any{"dynamicRegistration": true}}}})
	w.notify("initialized", map[string]any{})
	if got := w.registers(); got != "+inlineCompletion null" {
		t.Fatal(got)
	}
	// Settings that come meanwhile make nothing ready either.
	w.notify("workspace/didChangeConfiguration", map[string]any{"settings": map[string]any{"seedling": map[string]any{"debounceMs": 1}}})
	for range 10 {
		w.call("no/such", nil)
		time.Sleep(time.Millisecond)
	}
	if told := w.states(); len(told) > 0 {
		t.Errorf("before it is registered the client is told %v", told)
	}
	w.frame(`{"jsonrpc":"2.0","id":` + string(w.lastAsked) + `,"result":null}`)
	w.hears("seedling/status", `"state":"ready"`)
	w.bye()
}

// TestDynamicUnanswered: settings that change while a client leaves a registration unanswered
// gather nothing that waits for it, and the last of them are in force when it answers.
func TestDynamicUnanswered(t *testing.T) {
	w := dial(t, says("x := 1"), Options{})
	w.silent = "client/registerCapability"
	w.call("initialize", map[string]any{"capabilities": map[string]any{"textDocument": map[string]any{"inlineCompletion": map[string]any{"dynamicRegistration": true}}}})
	w.notify("initialized", map[string]any{})
	if got := w.registers(); got != "+inlineCompletion null" {
		t.Fatal(got)
	}
	before := runtime.NumGoroutine()
	for i := range 300 {
		w.notify("workspace/didChangeConfiguration", map[string]any{"settings": map[string]any{"seedling": map[string]any{"debounceMs": i}}})
	}
	w.notify("workspace/didChangeConfiguration", map[string]any{"settings": map[string]any{"seedling": map[string]any{"languages": []string{"go"}}}})
	w.call("no/such", nil) // all of them are read
	if n := runtime.NumGoroutine(); n > before+20 {
		t.Errorf("%d goroutines, %d before", n, before)
	}
	first := string(w.lastAsked)
	w.silent = ""
	w.frame(`{"jsonrpc":"2.0","id":` + first + `,"result":null}`)
	for _, want := range []string{"-inlineCompletion", `+inlineCompletion [{"language":"go"}]`} {
		if got := w.registers(); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	w.bye()
}
