package lsp

import (
	"context"
	"encoding/json"
	"strings"
	"sync/atomic"
	"testing"

	"go.lsp.dev/protocol"

	"github.com/seedling-lsp/seedling/engine"
)

// fixer is a generator that proposes to replace a word wherever it may change.
type fixer struct {
	says
	old, with string
	gain      float64
	asked     atomic.Int32
	edit      func(ctx context.Context) error
}

func (f *fixer) Edit(ctx context.Context, r engine.EditRequest) (engine.EditResult, error) {
	f.asked.Add(1)
	if f.edit != nil {
		if err := f.edit(ctx); err != nil {
			return engine.EditResult{}, err
		}
	}
	res := engine.EditResult{LogProb: -100}
	for at := 0; ; {
		i := strings.Index(r.Region[at:], f.old)
		if i < 0 {
			return res, nil
		}
		at += i
		w := engine.Word{Start: at, End: at + len(f.old)}
		if r.May(w) {
			res.Changes = append(res.Changes, engine.Change{Proposal: engine.Proposal{Start: w.Start, End: w.End, Text: f.with}, Gain: f.gain, Behind: f.gain / 2, Old: -f.gain, New: -0.1})
			res.Surprises = append(res.Surprises, engine.Surprise{Word: w, LogProb: -f.gain, Best: -0.1})
		}
		at += len(f.old)
	}
}

// sure is a gain that passes any margin.
const sure = 60

const faultText = "package main\n\nfunc f(a, b int) bool {\n\t// a < b, héé\n\tif a < b {\n\t\treturn true\n\t}\n\treturn false\n}\n"

func (w *wireClient) actions(version int, from, to [2]int, context map[string]any) (list []struct {
	Title       string
	Kind        string
	Tags        []int
	Diagnostics []json.RawMessage
	Edit        json.RawMessage
	Data        json.RawMessage
	Command     json.RawMessage
}, raw []json.RawMessage) {
	w.t.Helper()
	if context["diagnostics"] == nil {
		context["diagnostics"] = []any{}
	}
	r := w.call("textDocument/codeAction", map[string]any{"textDocument": map[string]any{"uri": testURI}, "context": context,
		"range": protocol.Range{Start: protocol.Position{Line: uint32(from[0]), Character: uint32(from[1])}, End: protocol.Position{Line: uint32(to[0]), Character: uint32(to[1])}}})
	if r.Error != nil {
		w.t.Fatalf("%+v", r.Error)
	}
	if err := json.Unmarshal(r.Result, &list); err != nil {
		w.t.Fatalf("%v in %s", err, r.Result)
	}
	json.Unmarshal(r.Result, &raw)
	return list, raw
}

// TestCodeActions: what is offered where, and what its edit is: minimal, of one version, and
// nothing where the model would change nothing, or in a comment.
func TestCodeActions(t *testing.T) {
	diagnostic := map[string]any{"range": rng(4, 4, 9), "severity": 1, "code": "SA1", "source": "staticcheck", "message": "suspicious", "data": map[string]any{"x": 1}}
	for _, c := range []struct {
		name     string
		fix      *fixer
		caps     string
		from, to [2]int
		context  map[string]any
		kind     string // empty: nothing
		asked    bool
	}{
		{"selection", &fixer{old: "<", with: "<=", gain: sure}, able, [2]int{4, 0}, [2]int{5, 0}, map[string]any{}, "refactor.rewrite", true},
		{"diagnostic", &fixer{old: "<", with: "<=", gain: sure}, able, [2]int{4, 5}, [2]int{4, 5}, map[string]any{"diagnostics": []any{diagnostic}}, "quickfix", true},
		{"diagnostic, automatic", &fixer{old: "<", with: "<=", gain: sure}, able, [2]int{4, 5}, [2]int{4, 5}, map[string]any{"diagnostics": []any{diagnostic}, "triggerKind": 2}, "quickfix", true},
		{"selection, automatic", &fixer{old: "<", with: "<=", gain: sure}, able, [2]int{4, 0}, [2]int{5, 0}, map[string]any{"triggerKind": 2}, "", false},
		{"cursor", &fixer{old: "<", with: "<=", gain: sure}, able, [2]int{4, 5}, [2]int{4, 5}, map[string]any{}, "", false},
		{"a comment", &fixer{old: "<", with: "<=", gain: sure}, able, [2]int{3, 0}, [2]int{3, 6}, map[string]any{}, "", true},
		{"too little to gain", &fixer{old: "<", with: "<=", gain: 0.1}, able, [2]int{4, 0}, [2]int{5, 0}, map[string]any{}, "", true},
		{"parses worse", &fixer{old: "<", with: "{", gain: sure}, able, [2]int{4, 0}, [2]int{5, 0}, map[string]any{}, "", true},
		{"only organizeImports", &fixer{old: "<", with: "<=", gain: sure}, able, [2]int{4, 0}, [2]int{5, 0}, map[string]any{"only": []string{"source.organizeImports"}}, "", false},
		{"only refactor", &fixer{old: "<", with: "<=", gain: sure}, able, [2]int{4, 0}, [2]int{5, 0}, map[string]any{"only": []string{"refactor"}}, "refactor.rewrite", true},
		{"a client of commands only", &fixer{old: "<", with: "<=", gain: sure}, plain, [2]int{4, 0}, [2]int{5, 0}, map[string]any{}, "", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := dial(t, c.fix, Options{})
			w.greets(c.caps, nil)
			w.open(faultText)
			list, raw := w.actions(1, c.from, c.to, c.context)
			if asked := c.fix.asked.Load() > 0; asked != c.asked {
				t.Errorf("the model was asked: %v", asked)
			}
			if c.kind == "" {
				if len(list) != 0 {
					t.Errorf("offered: %s", raw)
				}
				return
			}
			if len(list) != 1 || list[0].Kind != c.kind || list[0].Edit != nil || len(list[0].Tags) != 1 || list[0].Title != "Seedling: replace `<` by `<=`" {
				t.Fatalf("offered: %s", raw)
			}
			if c.kind == "quickfix" && (len(list[0].Diagnostics) != 1 || !strings.Contains(string(list[0].Diagnostics[0]), `"SA1"`)) {
				t.Errorf("the fix is bound to %s", list[0].Diagnostics)
			}
			r := w.call("codeAction/resolve", raw[0])
			want := `"edit":{"documentChanges":[{"textDocument":{"uri":"` + testURI + `","version":1},"edits":[{"range":{"start":{"line":4,"character":7},"end":{"line":4,"character":7}},"newText":"="}]}]}`
			if !strings.Contains(string(r.Result), want) {
				t.Errorf("resolved: %s %+v, want %s", r.Result, r.Error, want)
			}
			w.change(2, 0, 0, 0, "//\n")
			if r := w.call("codeAction/resolve", raw[0]); r.Error == nil || r.Error.Code != -32801 || !strings.Contains(r.Error.Message, "ask again") {
				t.Errorf("resolved in another version: %s %+v", r.Result, r.Error)
			}
		})
	}
}

// TestCodeActionAtOnce: a client that resolves nothing gets the edit at once.
func TestCodeActionAtOnce(t *testing.T) {
	w := dial(t, &fixer{old: "<", with: "<=", gain: sure}, Options{})
	w.greets(`{"textDocument":{"codeAction":{"codeActionLiteralSupport":{"codeActionKind":{"valueSet":["quickfix"]}}}}}`, nil)
	w.open(faultText)
	list, _ := w.actions(1, [2]int{4, 0}, [2]int{5, 0}, map[string]any{})
	if len(list) != 1 || !strings.Contains(string(list[0].Edit), `"changes":{"`+testURI) {
		t.Fatalf("%+v", list)
	}
}

// TestCodeActionResolveHostile: data that we did not make does not reach outside of the text.
func TestCodeActionResolveHostile(t *testing.T) {
	w := dial(t, &fixer{}, Options{})
	w.greets(able, nil)
	w.open("package main\n")
	for _, data := range []string{`{"uri":"` + testURI + `","version":1,"edits":[{"Start":-4,"End":2}]}`, `{"uri":"` + testURI + `","version":1,"edits":[{"Start":3,"End":900}]}`,
		`{"uri":"` + testURI + `","version":1,"edits":[{"Start":3,"End":2}]}`, `{"uri":7}`, `"x"`, `{"uri":"file:///gone.go"}`} {
		if r := w.call("codeAction/resolve", map[string]any{"title": "x", "data": json.RawMessage(data)}); r.Error == nil || r.Error.Code == -32603 {
			t.Errorf("%s: %s %+v", data, r.Result, r.Error)
		}
	}
	if r := w.call("codeAction/resolve", map[string]any{"title": "a command's"}); r.Error != nil {
		t.Errorf("%+v", r.Error)
	}
}

// TestCodeActionCancelled: the search ends with its request.
func TestCodeActionCancelled(t *testing.T) {
	runs := make(chan struct{}, 1)
	f := &fixer{old: "<", with: "<=", gain: sure, edit: func(ctx context.Context) error {
		runs <- struct{}{}
		<-ctx.Done()
		return context.Cause(ctx)
	}}
	w := dial(t, f, Options{})
	w.greets(able, nil)
	w.open(faultText)
	ask := func() int {
		return w.send("textDocument/codeAction", map[string]any{"textDocument": map[string]any{"uri": testURI}, "range": rng(4, 0, 5), "context": map[string]any{"diagnostics": []any{}}})
	}
	id := ask()
	<-runs
	w.notify("$/cancelRequest", map[string]any{"id": id})
	if r := w.wait(id); r.Error == nil || r.Error.Code != -32800 {
		t.Errorf("%s %+v", r.Result, r.Error)
	}
	id = ask()
	<-runs
	w.change(2, 0, 0, 0, "//\n")
	if r := w.wait(id); r.Error == nil || r.Error.Code != -32801 {
		t.Errorf("%s %+v", r.Result, r.Error)
	}
}

// TestCodeActionsInPart: what is found is offered, though looking for more came to nothing
// because the engine had something more urgent to do. (Helix asks of whatever is selected.)
func TestCodeActionsInPart(t *testing.T) {
	f := &fixer{old: "<", with: "<=", gain: sure, edit: func(context.Context) error { return engine.ErrSuperseded }}
	w := dial(t, f, Options{})
	w.greets(able, nil)
	w.open("package main\n\n// f compares.\nfunc f(a, b int) bool {\n}\n")
	list, raw := w.actions(1, [2]int{3, 0}, [2]int{4, 0}, map[string]any{"diagnostics": []any{}})
	if f.asked.Load() == 0 || len(list) != 1 || !strings.Contains(list[0].Title, "write this function") {
		t.Errorf("asked %d times, offered %s", f.asked.Load(), raw)
	}
}
