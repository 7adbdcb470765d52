package infill

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/seedling-lsp/seedling/engine"
	"github.com/seedling-lsp/seedling/treesitter"
)

var update = flag.Bool("update", false, "write the expectations of the marker files anew; read the diff")

// cursorMark stands where the cursor is.
const cursorMark = "‸"

// TestMarkers holds what a person sees: for a cursor in a file, how far a completion
// goes, and what becomes of a model's answer. Without it every rule could drift apart
// from what it looks like in an editor.
//
// A file of testdata is an archive with up to four entries per case:
//
//	NAME.go      the source with a cursor mark; NAME@block.go: with that mode asked for,
//	             NAME@hand.go: invoked by hand; NAME@crlf.go: lines end in CR LF, which
//	             the wanted document shows as ␍
//	NAME.plan    the mode and the reason
//	NAME.answer  what the model says; it may go on for longer than it should
//	NAME.want    the stop and the document with the suggestion in ‹ ›, «right part replaced»
func TestMarkers(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no marker files", err)
	}
	parser := treesitter.NewParser(treesitter.Limits{})
	defer parser.Close()
	cases := 0
	for _, file := range files {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var out []txtar.File
		for i := 0; i < len(archive.Files); {
			source := archive.Files[i]
			name := strings.TrimSuffix(source.Name, filepath.Ext(source.Name))
			answer, old := "", map[string]string{}
			hasAnswer := false
			for i++; i < len(archive.Files) && isPart(archive.Files[i].Name, name); i++ {
				data := strings.TrimSuffix(string(archive.Files[i].Data), "\n")
				if ext := filepath.Ext(archive.Files[i].Name); ext == ".answer" {
					answer, hasAnswer = data, true
				} else {
					old[ext] = data
				}
			}
			cases++
			t.Run(filepath.Base(file)+"/"+name, func(t *testing.T) {
				plan := markerPlan(t, parser, source)
				got := map[string]string{".plan": plan.Mode.String() + ": " + plan.Reason}
				out = append(out, source, entry(name+".plan", got[".plan"]))
				if hasAnswer {
					got[".want"] = markerWant(plan, answer)
					out = append(out, entry(name+".answer", answer), entry(name+".want", got[".want"]))
				}
				if !*update {
					if diff := cmp.Diff(old, got); diff != "" {
						t.Errorf("(-want +got)\n%s\n%s", diff, strings.Join(plan.Explain(), "\n"))
					}
				}
			})
		}
		if *update {
			archive.Files = out
			if err := os.WriteFile(file, txtar.Format(archive), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	if cases < 150 {
		t.Errorf("only %d cases", cases)
	}
}

func isPart(file, name string) bool {
	return file == name+".plan" || file == name+".answer" || file == name+".want"
}

func entry(name, data string) txtar.File { return txtar.File{Name: name, Data: []byte(data + "\n")} }

func markerPlan(t *testing.T, parser *treesitter.Parser, source txtar.File) Plan {
	t.Helper()
	data := string(source.Data)
	if strings.Contains(source.Name, "@crlf") {
		data = strings.ReplaceAll(data, "\n", "\r\n")
	}
	doc, at := markedDocument(t, parser, source.Name, data)
	opt := Options{Priority: engine.Typed}
	_, option, _ := strings.Cut(strings.TrimSuffix(source.Name, filepath.Ext(source.Name)), "@")
	switch option {
	case "", "crlf":
	case "hand":
		opt.Priority = engine.Invoked
	default:
		var err error
		if opt.Mode, err = ParseMode(option); err != nil {
			t.Fatal(err)
		}
	}
	return NewPlan(doc, at, opt)
}

func markedDocument(t testing.TB, parser *treesitter.Parser, name, source string) (Document, ByteOffset) {
	t.Helper()
	before, after, ok := strings.Cut(source, cursorMark)
	if !ok {
		t.Fatalf("%s has no cursor mark", name)
	}
	doc := Document{Path: name, Language: treesitter.Detect(name, ""), Text: before + after}
	if tree, err := parser.Parse(doc.Language, nil, doc.Text); err == nil {
		t.Cleanup(tree.Close)
		doc.Tree, doc.Parser = tree, parser
	}
	return doc, ByteOffset(len(before))
}

// markerWant feeds the answer to the stop rule piece by piece, as the engine does, and
// shows the finished suggestion in its place.
func markerWant(p Plan, answer string) string {
	text, stop := answer, "end"
	for n := range len(answer) + 1 {
		if keep, name := p.Stop(answer[:n]); name != "" {
			text, stop = answer[:keep], name
			break
		}
	}
	s := p.Finish(engine.Result{Text: text, Stop: stop})
	d := p.doc.Text
	shown := d[:s.Start] + "‹" + s.Text + "›"
	if s.End > s.Start {
		shown += "«" + d[s.Start:s.End] + "»"
	}
	whole := strings.ReplaceAll(shown+d[s.End:], "\r\n", "␍\n")
	return fmt.Sprintf("stop %s\n%s", s.Stop, strings.TrimSuffix(whole, "\n"))
}
