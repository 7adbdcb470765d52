package lsp

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.lsp.dev/protocol"
	"golang.org/x/tools/txtar"

	"github.com/seedling-lsp/seedling/engine"
)

var update = flag.Bool("update", false, "write the expectations of the marker files anew; read the diff")

// TestMarkers plays short sessions and holds what an editor gets and does with it. Every
// session runs in all three encodings, with the same result: else a suggestion would
// replace the wrong text wherever a line holds more than ASCII.
//
// A file of testdata is an archive with up to four entries per session:
//
//	NAME.go      the document; ‸ is the cursor, «text|entry» is typed text with the entry
//	             that the open completion list would put in its place, the cursor behind
//	             the typed text; CR and CRLF in the name end its lines so
//	NAME.answer  what the model says
//	NAME.asked   the end of the prefix that the model saw
//	NAME.want    the item: its range (UTF-16) and text; then the document with it taken
func TestMarkers(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no marker files", err)
	}
	for _, file := range files {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		old := map[string]string{}
		for _, f := range archive.Files {
			old[f.Name] = string(f.Data)
		}
		out := &txtar.Archive{Comment: archive.Comment}
		for _, f := range archive.Files {
			ext := filepath.Ext(f.Name)
			if ext == ".answer" || ext == ".asked" || ext == ".want" {
				continue
			}
			name := strings.TrimSuffix(f.Name, ext)
			m := marked{name: f.Name, answer: strings.TrimSuffix(old[name+".answer"], "\n")}
			m.read(t, string(f.Data))
			asked, want := m.play(t)
			for _, got := range []txtar.File{{Name: name + ".asked", Data: []byte(asked)}, {Name: name + ".want", Data: []byte(want)}} {
				if diff := cmp.Diff(old[got.Name], string(got.Data)); diff != "" && !*update {
					t.Errorf("%s, %s (-want +got):\n%s", file, got.Name, diff)
				}
			}
			out.Files = append(out.Files, f, txtar.File{Name: name + ".answer", Data: []byte(old[name+".answer"])},
				txtar.File{Name: name + ".asked", Data: []byte(asked)}, txtar.File{Name: name + ".want", Data: []byte(want)})
		}
		if *update {
			if err := os.WriteFile(file, txtar.Format(out), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// marked is a session.
type marked struct {
	name, answer string
	text         string // without the marks
	at           int
	from         int // of what the entry replaces, to at
	entry        string
}

func (m *marked) read(t *testing.T, data string) {
	t.Helper()
	data = strings.TrimSuffix(data, "\n")
	switch {
	case strings.Contains(m.name, "CRLF"):
		data = strings.ReplaceAll(data, "\n", "\r\n")
	case strings.Contains(m.name, "CR"):
		data = strings.ReplaceAll(data, "\n", "\r")
	}
	if before, rest, ok := strings.Cut(data, "«"); ok {
		typed, rest, _ := strings.Cut(rest, "|")
		entry, after, ok := strings.Cut(rest, "»")
		if !ok {
			t.Fatalf("%s: « without | or »", m.name)
		}
		m.text, m.from, m.at, m.entry = before+typed+after, len(before), len(before)+len(typed), entry
		return
	}
	before, after, ok := strings.Cut(data, "‸")
	if !ok {
		t.Fatalf("%s: no cursor", m.name)
	}
	m.text, m.from, m.at = before+after, len(before), len(before)
}

// play runs the session in each encoding.
func (m *marked) play(t *testing.T) (asked, want string) {
	t.Helper()
	for _, e := range []struct {
		name string
		e    Encoding
	}{{"utf-8", UTF8}, {"utf-32", UTF32}, {"utf-16", UTF16}} {
		var prefix atomic.Value
		prefix.Store("(it was not asked)")
		w := dial(t, generator(func(ctx context.Context, r engine.Request) (engine.Result, error) {
			prefix.Store(r.Prefix)
			return says(m.answer).Generate(ctx, r)
		}), Options{})
		w.hello(e.name, nil)
		w.notify("textDocument/didOpen", map[string]any{"textDocument": map[string]any{"uri": "file:///p/" + m.name, "languageId": "", "version": 1, "text": m.text}})
		wire := map[string]any{"triggerKind": 1}
		if m.entry != "" {
			wire["selectedCompletionInfo"] = map[string]any{"text": m.entry, "range": protocol.Range{Start: naivePosition(m.text, e.e, m.from), End: naivePosition(m.text, e.e, m.at)}}
		}
		list := w.wait(w.send("textDocument/inlineCompletion", map[string]any{"textDocument": map[string]any{"uri": "file:///p/" + m.name},
			"position": naivePosition(m.text, e.e, m.at), "context": wire})).items(t)
		w.bye()
		saw := prefix.Load().(string)
		lines := strings.SplitAfter(saw, "\n")
		asked = fmt.Sprintf("%q\n", lines[len(lines)-1])
		got := "nothing\n"
		for _, it := range list.Items {
			start, end := naiveOffset(m.text, e.e, it.Range.Start), naiveOffset(m.text, e.e, it.Range.End)
			head := m.text[start:m.at]
			if m.entry != "" {
				head = m.entry
			}
			if start > m.at || end < m.at || !strings.HasPrefix(it.InsertText, head) {
				t.Errorf("%s in %s: %q does not begin with what stands there, %q", m.name, e.name, it.InsertText, head)
			}
			if it.FilterText != it.InsertText {
				t.Errorf("%s: filterText %q, insertText %q", m.name, it.FilterText, it.InsertText)
			}
			r := protocol.Range{Start: naivePosition(m.text, UTF16, start), End: naivePosition(m.text, UTF16, end)}
			got = fmt.Sprintf("%d:%d-%d:%d %q\n%s", r.Start.Line, r.Start.Character, r.End.Line, r.End.Character, it.InsertText, visible(m.text[:start]+it.InsertText+m.text[end:]))
		}
		if want != "" && got != want {
			t.Errorf("%s: in %s %s, before %s", m.name, e.name, got, want)
		}
		want = got
	}
	return asked, want
}

// visible shows line ends that an archive cannot hold.
func visible(text string) string {
	text = strings.NewReplacer("\r\n", "␍␊\n", "\r", "␍\n").Replace(text)
	if !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	return text
}
