package infill

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/seedling-lsp/seedling/engine"
	"github.com/seedling-lsp/seedling/treesitter"
)

// answered runs an answer through the stop rule, as the engine does step by step.
func answered(stop func(string) (int, string), answer string) engine.Result {
	for n := 0; n <= len(answer); n += 5 {
		if keep, name := stop(answer[:n]); name != "" {
			return engine.Result{Text: answer[:keep], Stop: name}
		}
	}
	return engine.Result{Text: answer, Stop: "end"}
}

// TestTruthComesThrough cuts gaps out of real code and answers with what stood there and
// all that follows, as a perfect model that does not know when to stop. The suggestion
// must be the gap, no more and no less. Each case lost here is a good answer spoilt.
func TestTruthComesThrough(t *testing.T) {
	parser := treesitter.NewParser(treesitter.Limits{})
	defer parser.Close()
	rng := rand.New(rand.NewPCG(3, 4))
	files, cases, lost := 0, 0, 0
	check := func(name, text string, from, to int, opt Options, mode Mode) {
		if strings.HasPrefix(text[to:], strings.TrimSpace(text[from:to])) {
			return
		}
		doc := Document{Path: name, Language: treesitter.Go, Text: text[:from] + text[to:]}
		if tree, err := parser.Parse(doc.Language, nil, doc.Text); err == nil {
			defer tree.Close()
			doc.Tree = tree
		}
		p := NewPlan(doc, ByteOffset(from), opt)
		s, _, err := p.Answer(func(r engine.Request) (engine.Result, error) {
			return answered(r.Stop, text[from:min(len(text), to+300)]), nil
		})
		if err != nil {
			t.Fatal(err)
		}
		cases++
		if want := text[from:to]; s.Text != want || s.Start != s.End || p.Mode != mode {
			lost++
			t.Logf("%s: %v: %q‸%q became %q", name, p.Explain()[0], text[max(0, from-40):from], want, s.Text)
		}
	}
	for _, dir := range []string{"net/http", "go/printer", "encoding/json", "strconv"} {
		names, _ := filepath.Glob(filepath.Join(runtime.GOROOT(), "src", dir, "*.go"))
		for _, name := range names {
			data, err := os.ReadFile(name)
			if err != nil || len(data) > 40<<10 || len(data) < 1000 {
				continue
			}
			files++
			text := string(data)
			for range 3 {
				at := boundary(text, rng.IntN(len(text)))
				start, _ := lineStart(text, at)
				end, _ := lineEnd(text, at)
				at = max(at, start+len(indentOf(text[start:end])))
				if rest := text[at:end]; !onlyClosers(rest) && strings.TrimSpace(rest) == rest && !strings.HasSuffix(text[:at], "/") {
					check(name, text, at, end, Options{Mode: Line}, Line)
				}
			}
			tree, err := parser.Parse(treesitter.Go, nil, text)
			if err != nil {
				t.Fatal(err)
			}
			spans := treesitter.Spans(tree, text)
			tree.Close()
			for range 2 {
				if len(spans) == 0 {
					break
				}
				switch s := spans[rng.IntN(len(spans))]; {
				case strings.Count(text[s.Start:s.End], "\n") > 20:
				case s.Kind == treesitter.FunctionBody:
					check(name, text, int(s.Start), int(s.End), Options{}, Function)
				case s.Kind == treesitter.Block:
					check(name, text, int(s.Start), int(s.End), Options{}, Block)
				}
			}
		}
	}
	if files == 0 {
		absent(t, "no Go sources on this machine")
	}
	if t.Logf("%d of %d lost", lost, cases); cases < 100 || lost*100 > cases {
		t.Errorf("%d of %d good answers spoilt", lost, cases)
	}
}
