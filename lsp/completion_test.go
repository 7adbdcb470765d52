package lsp

import (
	"context"
	"encoding/json"
	"strings"
	"sync"
	"testing"

	"go.lsp.dev/protocol"

	"github.com/seedling-lsp/seedling/engine"
)

type listed struct {
	IsIncomplete bool
	Items        []struct {
		Label, Detail, SortText, FilterText, InsertText string
		InsertTextFormat, InsertTextMode, Kind          int
		Documentation                                   struct{ Kind, Value string }
		TextEdit                                        struct {
			Range   protocol.Range
			NewText string
		}
		Command struct{ Command string }
	}
}

func (w *wireClient) listed(line, character int) (l listed) {
	w.t.Helper()
	r := w.call("textDocument/completion", map[string]any{"textDocument": map[string]any{"uri": testURI},
		"position": map[string]any{"line": line, "character": character}, "context": map[string]any{"triggerKind": 1}})
	if r.Error != nil {
		w.t.Fatalf("error %d: %s", r.Error.Code, r.Error.Message)
	}
	if err := json.Unmarshal(r.Result, &l); err != nil || l.Items == nil {
		w.t.Fatalf("%s is no list: %v", r.Result, err)
	}
	return l
}

// start opens a session with text document capabilities as JSON, and says whether the
// completion list is offered.
func (w *wireClient) start(textDocument string, options any) (offered bool) {
	w.t.Helper()
	r := w.call("initialize", map[string]any{"processId": nil, "rootUri": nil, "initializationOptions": options,
		"capabilities": map[string]any{"general": map[string]any{"positionEncodings": []string{"utf-16"}}, "textDocument": json.RawMessage(textDocument)}})
	w.notify("initialized", map[string]any{})
	return strings.Contains(string(r.Result), `"completionProvider":{}`)
}

// A client that cannot draw ghost text gets the suggestion in its list: an edit on one
// line around the cursor that clients can filter by the word before it, the whole text as
// it is, and a preview of it.
func TestCompletionList(t *testing.T) {
	w := dial(t, generator(func(_ context.Context, r engine.Request) (engine.Result, error) {
		if r.Candidates != 0 || r.Priority != engine.Typed || r.MinLogProb == 0 {
			t.Errorf("asked as by hand: %+v", r)
		}
		text := "ln(\"```\")\n\t\treturn\n"
		if r.Stop != nil {
			if keep, name := r.Stop(text); name != "" {
				text = text[:keep]
			}
		}
		return engine.Result{Text: text, Stop: "line", Tokens: 1}, nil
	}), Options{})
	if !w.start(`{"synchronization":{},"completion":{"completionItem":{"documentationFormat":["plaintext","markdown"]}}}`, nil) {
		t.Fatal("the list is not offered")
	}
	w.open("package main\n\nfunc main() {\n\t😀fmt.Print\n}\n")
	l := w.listed(3, 12)
	if !l.IsIncomplete || len(l.Items) != 1 {
		t.Fatalf("%+v", l)
	}
	it := l.Items[0]
	want := "Println(\"```\")"
	if it.Label != want || it.InsertText != want || it.TextEdit.NewText != want || it.FilterText != want || it.InsertTextFormat != 1 || it.InsertTextMode != 1 || it.Detail != "Seedling" {
		t.Errorf("%+v", it)
	}
	if g := it.TextEdit.Range; g.Start.Line != 3 || g.Start.Character != 7 || g.End.Line != 3 || g.End.Character != 12 {
		t.Errorf("range %+v", g)
	}
	if it.Documentation.Kind != "markdown" || it.Documentation.Value != "````go\n"+want+"\n````" {
		t.Errorf("preview %q", it.Documentation.Value)
	}
	if it.Command.Command != acceptedCommand {
		t.Errorf("command %q", it.Command.Command)
	}
	w.bye()
}

// A client that does not say that it renders Markdown is not shown its fences (Kate).
func TestCompletionPreviewAsText(t *testing.T) {
	for _, can := range []string{`{}`, `{"completion":{}}`, `{"completion":{"completionItem":{"documentationFormat":["plaintext"]}}}`} {
		w := dial(t, generator(func(context.Context, engine.Request) (engine.Result, error) {
			return engine.Result{Text: "ln(x)", Stop: "line", Tokens: 1}, nil
		}), Options{})
		w.start(can, nil)
		w.open("package main\n\nfunc main() {\n\tfmt.Print\n}\n")
		l := w.listed(3, 10)
		if len(l.Items) != 1 || l.Items[0].Documentation.Kind != "plaintext" || l.Items[0].Documentation.Value != "Println(x)" {
			t.Errorf("%s: %+v", can, l)
		}
		w.bye()
	}
}

// The edit of a suggestion that writes the right of the cursor anew covers it, and one of
// several lines shows the first.
func TestCompletionListShapes(t *testing.T) {
	var mu sync.Mutex
	say := ""
	long := "first + second*third - fourth/fifth + sixth - seventh + eighth"
	w := dial(t, generator(func(context.Context, engine.Request) (engine.Result, error) {
		mu.Lock()
		defer mu.Unlock()
		return engine.Result{Text: say, Stop: "block", Tokens: 1}, nil
	}), Options{})
	w.start(`{}`, nil)
	for _, c := range []struct {
		text            string
		line, character int
		says            string
		label, inserted string
		from, to        int
	}{
		{"package a\n\nfunc f() {\n\tg()\n}\n", 3, 3, "x) + 1", "x) + 1", "x) + 1", 3, 4},
		{"package a\n\nfunc f() {\n\t\n}\n", 3, 1, "if x {\n\t\treturn\n\t}", "if x {", "if x {\n\t\treturn\n\t}", 1, 1},
		{"package a\n\nvar long = \n", 2, 11, long, long[:59] + "…", long, 11, 11},
		{"package a\r\n\r\nfunc f() {\r\n\t\r\n}\r\n", 3, 1, "if x {\n\t\treturn\n\t}", "if x {", "if x {\r\n\t\treturn\r\n\t}", 1, 1},
	} {
		mu.Lock()
		say = c.says
		mu.Unlock()
		w.open(c.text)
		l := w.listed(c.line, c.character)
		if len(l.Items) != 1 {
			t.Errorf("%q: %+v", c.text, l)
			continue
		}
		it := l.Items[0]
		if it.Label != c.label || it.TextEdit.NewText != c.inserted || int(it.TextEdit.Range.Start.Character) != c.from || int(it.TextEdit.Range.End.Character) != c.to || it.TextEdit.Range.Start.Line != it.TextEdit.Range.End.Line {
			t.Errorf("%q: %+v", c.text, it)
		}
	}
	w.bye()
}

// Who draws inline completions, says so by null, or is a client of Copilot's server, gets no
// entries besides, unless a setting says otherwise; and who never wants them gets none.
func TestCompletionListOffered(t *testing.T) {
	for _, c := range []struct {
		textDocument string
		options      any
		offered      bool
	}{
		{`{}`, nil, true},
		{`null`, nil, true},
		{`{"inlineCompletion":{"dynamicRegistration":true}}`, nil, false},
		{`{"inlineCompletion":null}`, nil, false},
		{`{}`, map[string]any{"editorInfo": map[string]any{"name": "vim", "version": "9"}}, false},
		{`{"inlineCompletion":{}}`, map[string]any{"completion": "always"}, true},
		{`{}`, map[string]any{"completion": "never"}, false},
	} {
		w := dial(t, says("x := 1"), Options{})
		if got := w.start(c.textDocument, c.options); got != c.offered {
			t.Errorf("%s, %v: offered %t", c.textDocument, c.options, got)
		}
		w.open(oneFunc)
		if l := w.listed(3, 1); (len(l.Items) == 1) != c.offered || l.IsIncomplete != c.offered {
			t.Errorf("%s, %v: %+v", c.textDocument, c.options, l)
		}
		w.bye()
	}
}

// A client that asks for both at once gets both: they are two questions to the engine.
func TestCompletionListBeside(t *testing.T) {
	both := make(chan string, 2)
	arrived := make(chan struct{})
	var once sync.Once
	w := dial(t, generator(func(ctx context.Context, r engine.Request) (engine.Result, error) {
		both <- r.Document
		if len(both) == 2 {
			once.Do(func() { close(arrived) })
		}
		select {
		case <-arrived:
			return engine.Result{Text: "x := 1", Stop: "end"}, nil
		case <-ctx.Done():
			return engine.Result{}, ctx.Err()
		}
	}), Options{})
	w.start(`{}`, map[string]any{"completion": "always"})
	w.open(oneFunc)
	inline := w.inline(3, 1)
	if l := w.listed(3, 1); len(l.Items) != 1 {
		t.Errorf("%+v", l)
	}
	if l := w.wait(inline).items(t); len(l.Items) != 1 {
		t.Errorf("%+v", l)
	}
	if a, b := <-both, <-both; a == b {
		t.Errorf("both are asked as %q", a)
	}
	w.bye()
}
