package lsp

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seedling-lsp/seedling/engine"
	"github.com/seedling-lsp/seedling/infill"
	"github.com/seedling-lsp/seedling/treesitter"
)

// hand types in the middle of a Go file of some lines, at a server of its own.
type hand struct {
	w                     *wireClient
	line, column, version int
	phrase                int
	took                  []float64 // ms, from the key to the answer
}

// shop is a Go file of so many lines that wants a statement; line is where.
func shop(lines int) (text string, line int) {
	var b strings.Builder
	b.WriteString("package shop\n")
	for i := range lines / 11 {
		fmt.Fprintf(&b, "\n// price%d adds the tax to what it is given.\nfunc price%d(items []int) (sum int) {\n\tfor _, it := range items {\n\t\tsum += it * %d // \"x\"\n\t}\n\tif sum < 0 {\n\t\tpanic(fmt.Sprint(\"a\", 'x', sum))\n\t}\n\treturn sum\n}\n", i, i, i+2)
	}
	text = b.String()
	at := strings.Index(text[len(text)/2:], "\treturn sum") + len(text)/2
	return text[:at] + "\tx := \n" + text[at:], strings.Count(text[:at], "\n")
}

func newHand(tb testing.TB, g Generator, lines int) *hand {
	p := &hand{w: dial(tb, g, Options{}), column: 6, version: 2}
	p.w.hello("utf-16", map[string]any{"deadlineMs": 60000, "debounceMs": 0})
	var text string
	text, p.line = shop(lines)
	p.w.open(text)
	return p
}

// phrases are what is typed, one after the other, each in the place of the one before.
var phrases = []string{"price7(items) + len(items)*sum", "items[len(items)-1]", "map[string]int{\"tax\": sum}", "make([]int, 0, len(items))"}

// key types the next letter, or begins another phrase, and waits for what is suggested.
func (p *hand) key(tb testing.TB) {
	phrase := phrases[p.phrase%len(phrases)]
	start := time.Now()
	if p.column == 6+len(phrase) {
		p.w.change(p.version, p.line, 6, p.column, "")
		p.column, p.phrase = 6, p.phrase+1
	} else {
		p.w.change(p.version, p.line, p.column, p.column, phrase[p.column-6:p.column-5])
		p.column++
	}
	p.version++
	clear(p.w.got)
	r := p.w.call("textDocument/inlineCompletion", map[string]any{"textDocument": map[string]any{"uri": testURI},
		"position": map[string]any{"line": p.line, "character": p.column}, "context": map[string]any{"triggerKind": 2}})
	p.took = append(p.took, float64(time.Since(start))/1e6)
	if r.Error != nil {
		tb.Fatalf("%+v", r.Error)
	}
	p.w.notes = p.w.notes[:0]
}

// TestLongDocument: in 100,000 lines, which are planned for in an excerpt, the same keys get the
// same suggestions as in 200, each at its place, also behind an edit far above and a jump.
func TestLongDocument(t *testing.T) {
	var asked []engine.Request
	g := generator(func(ctx context.Context, r engine.Request) (engine.Result, error) {
		asked = append(asked, r)
		return says("g(sum)\n\ty = x").Generate(ctx, r)
	})
	short, long := newHand(t, g, 200), newHand(t, g, 100_000)
	suggested := func(p *hand) (text string, line int) {
		p.key(t)
		list := p.w.got[p.w.id].items(t)
		if len(list.Items) != 1 {
			t.Fatalf("%d suggestions in line %d", len(list.Items), p.line)
		}
		r := list.Items[0].Range
		if r.Start.Line != r.End.Line || r.Start.Character != 0 || int(r.End.Character) != p.column {
			t.Fatalf("a suggestion for %+v, the cursor is at %d:%d", r, p.line, p.column)
		}
		return fmt.Sprint(list.Items[0].InsertText), int(r.Start.Line)
	}
	compare := func() {
		t.Helper()
		a, at := suggested(short)
		b, below := suggested(long)
		if a != b || at != short.line || below != long.line {
			t.Fatalf("%q in line %d, %q in line %d, want both alike in %d and %d", a, at, b, below, short.line, long.line)
		}
		pa, pb := asked[len(asked)-2].Prefix, asked[len(asked)-1].Prefix
		if last := strings.LastIndexByte(pa, '\n'); pa[last:] != pb[strings.LastIndexByte(pb, '\n'):] || len(pb) < 9<<10 {
			t.Fatalf("the model saw %q, and %d bytes ending in %q", pa[last:], len(pb), pb[max(0, len(pb)-40):])
		}
		if above := asked[len(asked)-1].Above; len(above) < beyondLeast {
			t.Fatalf("%d bytes for the memory", len(above))
		}
	}
	for range 4 {
		compare()
	}
	for _, p := range []*hand{short, long} { // a line comes in at the top
		p.w.change(p.version, 0, 0, 0, "// Shop.\n")
		p.version, p.line = p.version+1, p.line+1
	}
	compare()
	long.w.change(long.version, 50, 0, 0, "// elsewhere\n") // and the cursor was there
	long.version, long.line = long.version+1, long.line+1
	long.w.wait(long.w.inline(51, 3))
	compare()
	short.w.bye()
	long.w.bye()
}

// TestLongText: the edges of an excerpt are kept where there is no grammar, too. Without that all
// of a long text would be scanned again at every key.
func TestLongText(t *testing.T) {
	var e excerpts
	p := treesitter.NewParser(treesitter.Limits{})
	defer p.Close()
	d := infill.Document{Language: treesitter.Text, Text: strings.Repeat("some words\n\n", 10_000)}
	x, ok, done := e.of(p, "file:///a.txt", d, 60_000)
	defer done()
	if !ok || x.Tree != nil || x.From == 0 || len(e.kept) != 1 || e.kept[0].From != x.From {
		t.Errorf("%v, an excerpt from %d, %d kept", ok, x.From, len(e.kept))
	}
	e.drop("file:///a.txt")
	if len(e.kept) != 0 {
		t.Error("a closed document's is kept")
	}
}

// beyondLeast is how much of a long document the memory is given above what the model sees.
const beyondLeast = 60 << 10

// BenchmarkFileSize is what a key costs in files of 200, 1,000 and 100,000 lines, from the
// change on the wire to the answer, with the built-in model: the same keys in turns, so that
// what else the machine does is in all. The goal for the ratio of the medians is 1.2; a file
// of 200 lines does not fill the model's window, which one of 1,000 does.
func BenchmarkFileSize(b *testing.B) {
	for name, make := range map[string]func() Generator{"server_alone": func() Generator { return says("g(sum)") }, "with_the_model": func() Generator { return builtin(b) }} {
		b.Run(name, func(b *testing.B) {
			var hands []*hand
			for _, lines := range []int{200, 1000, 100_000} {
				g := make()
				if c, ok := g.(interface{ Close() error }); ok {
					defer c.Close()
				}
				p := newHand(b, g, lines)
				for range 20 {
					p.key(b)
				}
				p.took = nil
				hands = append(hands, p)
			}
			for b.Loop() {
				for _, p := range hands {
					p.key(b)
				}
			}
			at := func(p *hand, share float64) float64 {
				slices.Sort(p.took)
				return p.took[int(share*float64(len(p.took)-1))]
			}
			for i, lines := range []string{"200", "1k", "100k"} {
				b.ReportMetric(at(hands[i], 0.5), lines+"-p50-ms")
				b.ReportMetric(at(hands[i], 0.95), lines+"-p95-ms")
			}
			b.ReportMetric(at(hands[2], 0.5)/at(hands[0], 0.5), "of-200-p50")
			b.ReportMetric(at(hands[2], 0.5)/at(hands[1], 0.5), "of-1k-p50")
			for _, p := range hands {
				p.w.bye()
			}
		})
	}
}
