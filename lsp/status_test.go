package lsp

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.lsp.dev/protocol"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/seedling-lsp/seedling/engine"
)

// states are the states that the client was told, in order.
func (w *wireClient) states() []string {
	w.t.Helper()
	var out []string
	for _, n := range w.notes {
		if n.Method == "seedling/status" {
			var s Status
			if err := json.Unmarshal(n.Params, &s); err != nil {
				w.t.Fatal(err)
			}
			out = append(out, s.State)
		}
	}
	return out
}

const oneFunc = "package main\n\nfunc main() {\n\t\n}\n"

// TestStatus: a person sees whether the server works, and if not, why.
func TestStatus(t *testing.T) {
	w := dial(t, generator(func(ctx context.Context, r engine.Request) (engine.Result, error) {
		time.Sleep(2 * time.Millisecond)
		return says("x := 1").Generate(ctx, r)
	}), Options{Model: "m"})
	w.hello("utf-16", map[string]any{"status": true, "maxFileKB": 1})
	w.hears("seedling/status", `"state":"ready"`)
	w.hears("didChangeStatus", `"kind":"Normal"`)
	w.open(oneFunc)
	w.wait(w.inline(3, 1))
	w.hears("seedling/status", `"state":"busy"`)
	if n := w.hears("seedling/status", `"state":"ready"`); strings.Contains(string(n.Params), `"lastMs":0}`) || !strings.Contains(string(n.Params), `"model":"m"`) {
		t.Errorf("after an answer: %s", n.Params)
	}
	const large = "file:///tmp/project/large.go"
	w.openAt(large, strings.Repeat("// long\n", 200))
	if list := w.wait(w.inlineAt(large, 0, 0)).items(t); len(list.Items) != 0 {
		t.Errorf("a file over maxFileKB: %+v", list)
	}
	w.hears("seedling/status", "maxFileKB")
	w.hears("didChangeStatus", "Inactive")
	w.notify("workspace/didChangeConfiguration", map[string]any{"settings": map[string]any{"seedling": map[string]any{"enable": false}}})
	w.hears("seedling/status", "turned off")
	if list := w.wait(w.inline(3, 1)).items(t); len(list.Items) != 0 {
		t.Errorf("turned off: %+v", list)
	}
	w.notify("workspace/didChangeConfiguration", map[string]any{"settings": map[string]any{"seedling": map[string]any{"enable": true}}})
	w.hears("seedling/status", `"state":"ready"`)
	w.notify("workspace/didChangeConfiguration", map[string]any{"settings": map[string]any{"seedling": map[string]any{"maxTokens": -1}}})
	w.hears("window/logMessage", "maxTokens")
	w.bye()
}

// TestStatusOverlap: while one of two requests still runs the server is busy, and at the
// end it is not: a spinner that never stops is a bug that people report.
func TestStatusOverlap(t *testing.T) {
	gate := map[string]chan struct{}{"file:///a.go": make(chan struct{}), "file:///b.go": make(chan struct{})}
	entered := make(chan struct{}, 2)
	w := dial(t, generator(func(ctx context.Context, r engine.Request) (engine.Result, error) {
		entered <- struct{}{}
		<-gate[r.Document]
		return engine.Result{Text: "x", Stop: "end"}, nil
	}), Options{})
	w.hello("utf-16", nil)
	var ids []int
	for u := range gate {
		w.openAt(u, oneFunc)
		ids = append(ids, w.inlineAt(u, 3, 1))
	}
	<-entered
	<-entered
	close(gate["file:///a.go"])
	close(gate["file:///b.go"])
	for _, id := range ids {
		w.wait(id)
	}
	w.call("shutdown", nil)
	if got := strings.Join(w.states(), " "); got != "ready busy ready" {
		t.Errorf("states %s", got)
	}
	w.notify("exit", nil)
}

// TestTrouble: an engine that fails is shown to the person once, not at every key, and
// again when it fails anew after it had worked.
func TestTrouble(t *testing.T) {
	var broken error
	w := dial(t, generator(func(ctx context.Context, r engine.Request) (engine.Result, error) {
		if broken != nil {
			return engine.Result{}, broken
		}
		return says("x := 1").Generate(ctx, r)
	}), Options{})
	w.hello("utf-16", nil)
	w.open(oneFunc)
	ask := func() int { return len(w.wait(w.inline(3, 1)).items(t).Items) }
	broken = errors.New("the device is lost (run `seedling doctor`)")
	for range 3 {
		if ask() != 0 {
			t.Error("a suggestion of a broken engine")
		}
	}
	broken = nil
	if ask() != 1 {
		t.Error("no suggestion after the engine came back")
	}
	broken = errors.New("the device is lost (run `seedling doctor`)")
	ask()
	w.call("shutdown", nil)
	shown := 0
	for _, n := range w.notes {
		if n.Method == "window/showMessage" && strings.Contains(string(n.Params), "seedling doctor") {
			shown++
		}
	}
	if shown != 2 {
		t.Errorf("shown %d times, want 2", shown)
	}
	if got := strings.Join(w.states(), " "); got != "ready busy error busy error busy error busy ready busy error" {
		t.Errorf("states %s", got)
	}
	w.notify("exit", nil)
}

// TestLoad: the server answers at once and loads its model in sight of the person; until
// then, and when that fails, it lives and suggests nothing.
func TestLoad(t *testing.T) {
	gate := make(chan error)
	load := func(ctx context.Context) (Generator, error) {
		select {
		case err := <-gate:
			return says("x := 1"), err
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	start := func() *wireClient {
		w := dial(t, nil, Options{Load: load, Model: "m"})
		w.progress = true
		w.hello("utf-16", nil)
		w.open(oneFunc)
		if list := w.wait(w.inline(3, 1)).items(t); len(list.Items) != 0 {
			t.Errorf("before there is a model: %+v", list)
		}
		w.hears("$/progress", `"begin"`)
		if len(w.asked) != 1 || w.asked[0].Method != "window/workDoneProgress/create" {
			t.Errorf("the client was asked %+v", w.asked)
		}
		return w
	}
	w := start()
	gate <- nil
	w.hears("$/progress", `"end"`)
	w.hears("seedling/status", `"ready"`)
	if list := w.wait(w.inline(3, 1)).items(t); len(list.Items) != 1 {
		t.Errorf("with the model: %+v", list)
	}
	w.bye()

	w = start()
	gate <- errors.New("model.safetensors is cut off")
	w.hears("window/showMessage", "cut off")
	if list := w.wait(w.inline(3, 1)).items(t); len(list.Items) != 0 {
		t.Errorf("without a model: %+v", list)
	}
	w.bye()

	w = start() // and the client leaves meanwhile
	if err := w.bye(); err != nil {
		t.Errorf("Serve: %v", err)
	}

	w = dial(t, nil, Options{Load: func(context.Context) (Generator, error) { panic("boom") }})
	w.hello("utf-16", nil)
	w.hears("window/showMessage", "boom")
	w.bye()
}

// TestPull: a client that only says that its settings changed is asked for them.
func TestPull(t *testing.T) {
	w := dial(t, says("x := 1"), Options{})
	w.answers = map[string]string{"workspace/configuration": `[{"enable":false}]`}
	w.hello("utf-16", nil)
	w.hears("seedling/status", "turned off")
	if len(w.asked) != 1 || !strings.Contains(string(w.asked[0].Params), `"section":"seedling"`) {
		t.Errorf("the client was asked %+v", w.asked)
	}
	for _, odd := range []string{`null`, `[]`, `[null]`, `7`, `[{"enable":7}]`} { // none of them is an answer
		w.answers["workspace/configuration"] = odd
		n := len(w.asked)
		w.notify("workspace/didChangeConfiguration", map[string]any{"settings": nil})
		for len(w.asked) == n {
			w.noted(w.read())
		}
	}
	w.answers["workspace/configuration"] = `[{"enable":true}]`
	w.notify("workspace/didChangeConfiguration", map[string]any{"settings": nil})
	w.hears("seedling/status", "ready")
	w.bye()
}

// TestTrace: $/setTrace moves the level of the log between what the command line asked
// for and everything.
func TestTrace(t *testing.T) {
	level := zap.NewAtomicLevelAt(zapcore.WarnLevel)
	w := dial(t, says("x"), Options{Level: &level})
	w.hello("utf-16", nil)
	for _, c := range []struct {
		value string
		want  zapcore.Level
	}{{"verbose", zapcore.DebugLevel}, {"messages", zapcore.InfoLevel}, {"loud", zapcore.InfoLevel}, {"off", zapcore.WarnLevel}} {
		w.notify("$/setTrace", map[string]any{"value": c.value})
		w.call("no/such", nil)
		if level.Level() != c.want {
			t.Errorf("trace %s: level %v, want %v", c.value, level.Level(), c.want)
		}
	}
	w.bye()
}

// TestDebounce: an automatic request waits for a newer one before it costs anything; one
// by hand does not wait, and is not withheld. Both have their own deadline.
func TestDebounce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		set := DefaultSettings()
		set.DebounceMs, set.DeadlineMs, set.InvokedDeadlineMs, set.MinLogProb = 200, 300, 2000, -0.5
		start := time.Now()
		var asked, deadline time.Duration
		var least float64
		s := New(Options{Settings: &set, Generator: generator(func(_ context.Context, r engine.Request) (engine.Result, error) {
			asked, deadline, least = time.Since(start), r.Deadline.Sub(start), r.MinLogProb
			return engine.Result{Text: "x", Stop: "end"}, nil
		})})
		defer s.parser.Close()
		doc := newSnapshot("untitled:main.go", "go", 1, oneFunc) // no file: the clock of the test stands still while one is read
		p := &protocol.InlineCompletionParams{}
		p.Position = protocol.Position{Line: 3, Character: 1}
		ask := func(after time.Duration, kind protocol.InlineCompletionTriggerKind) error {
			start, asked, deadline = time.Now(), -1, -1
			p.Context.TriggerKind = kind
			ctx, cancel := context.WithTimeout(context.WithValue(context.Background(), taken{}, doc), after)
			defer cancel()
			_, err := s.InlineCompletion(ctx, p)
			return err
		}
		if err := ask(time.Hour, protocol.InlineCompletionTriggerKindAutomatic); err != nil || asked != 200*time.Millisecond || deadline != 500*time.Millisecond || least != -0.5 {
			t.Errorf("automatic: asked after %v with a deadline after %v, from %g, %v", asked, deadline, least, err)
		}
		if err := ask(time.Hour, protocol.InlineCompletionTriggerKindInvoked); err != nil || asked != 0 || deadline != 2*time.Second || least != 0 {
			t.Errorf("by hand: asked after %v with a deadline after %v, from %g, %v", asked, deadline, least, err)
		}
		if err := ask(100*time.Millisecond, protocol.InlineCompletionTriggerKindAutomatic); err == nil || asked != -1 {
			t.Errorf("outdated while it waited: asked after %v, %v", asked, err)
		}
	})
}

// Only clients that ask for it are told the status: Emacs' lsp-mode warns of every
// notification that it does not know.
func TestStatusIsForThoseWhoAsk(t *testing.T) {
	w := dial(t, generator(func(context.Context, engine.Request) (engine.Result, error) {
		return engine.Result{Text: "x", Stop: "end"}, nil
	}), Options{})
	w.greets(`{}`, nil)
	w.open(oneFunc)
	w.wait(w.inline(3, 1))
	w.call("shutdown", nil)
	if states := w.states(); len(states) != 0 {
		t.Errorf("told %v unasked", states)
	}
	w.notify("exit", nil)
}
