package sweep

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/seedling-lsp/seedling/engine"
	"github.com/seedling-lsp/seedling/engine/backend"
	"github.com/seedling-lsp/seedling/engine/denoise"
	"github.com/seedling-lsp/seedling/engine/model"
	"github.com/seedling-lsp/seedling/infill"
	"github.com/seedling-lsp/seedling/treesitter"
)

// Generator answers requests; an *engine.Engine is one.
type Generator interface {
	Generate(ctx context.Context, r engine.Request) (engine.Result, error)
}

// Report is what was measured; times are in milliseconds.
type Report struct {
	Model  string `json:"model"`
	Files  []File `json:"files"`
	Passes []Pass `json:"passes"`
}

// File is what keys cost in a file of so many lines.
type File struct {
	Lines int     `json:"lines"`
	P50   float64 `json:"p50_ms"`
	P95   float64 `json:"p95_ms"`
	Ratio float64 `json:"ratio"` // of P50 to that of the first file
	// Context is how many tokens the model saw at the last key: a short file does not fill
	// its window, and is the cheaper for it.
	Context int `json:"context_tokens"`
}

// Pass is what a forward pass over a canvas of so many rows costs, behind a context of
// Context tokens: the median of many.
type Pass struct {
	Rows    int     `json:"rows"`
	Context int     `json:"context"`
	MS      float64 `json:"ms"`
}

// Lines are the lengths of files that are measured by default, and Rows the canvases.
var (
	Lines = []int{200, 1000, 5000, 20_000, 100_000}
	Rows  = []int{1, 2, 4, 6, 8, 10, 12, 16, 20, 24, 32}
)

// phrases are typed one after the other in the middle of each file.
var phrases = []string{"price7(items) + len(items)*sum", "items[len(items)-1]", "map[string]int{\"tax\": sum}", "make([]int, 0, len(items))"}

// typed is a file that is typed into.
type typed struct {
	id      string
	text    string
	at      int // the cursor
	stretch infill.Stretch
	tree    *treesitter.Tree
	ms      []float64
	context int // tokens of the last request
}

// source is a Go file of some lines that wants an expression at an offset.
func source(lines int) (text string, at int) {
	var b strings.Builder
	b.WriteString("package shop\n")
	for i := range lines / 11 {
		fmt.Fprintf(&b, "\n// price%d adds the tax to what it is given.\nfunc price%d(items []int) (sum int) {\n\tfor _, it := range items {\n\t\tsum += it * %d // \"x\"\n\t}\n\tif sum < 0 {\n\t\tpanic(fmt.Sprint(\"a\", 'x', sum))\n\t}\n\treturn sum\n}\n", i, i, i+2)
	}
	text = b.String()
	at = strings.Index(text[len(text)/2:], "\treturn sum") + len(text)/2
	return text[:at] + "\tx := \n" + text[at:], at + len("\tx := ")
}

// Files types each of the phrases in files of so many lines. An error is the
// generator's. progress is told the keys that were pressed, of all files together; nil: nobody is.
func Files(ctx context.Context, g Generator, lines []int, mode denoise.Mode, minLogProb float64, progress func(int)) ([]File, error) {
	parser := treesitter.NewParser(treesitter.Limits{})
	defer parser.Close()
	var files []*typed
	for _, n := range lines {
		f := &typed{id: fmt.Sprintf("sweep %d", n)}
		f.text, f.at = source(n)
		files = append(files, f)
	}
	defer func() {
		for _, f := range files {
			f.tree.Close()
		}
	}()
	pressed := 0
	for i, phrase := range append([]string{"sum"}, phrases...) { // the first reads the contexts
		for _, f := range files {
			for j := range len(phrase) + 1 {
				with, back := "", len(phrase)
				if j < len(phrase) {
					with, back = phrase[j:j+1], 0
				}
				ms, err := f.press(ctx, g, parser, with, back, mode, minLogProb)
				if err != nil {
					return nil, fmt.Errorf("sweep: %w", err)
				}
				if i > 0 && j > 0 { // the first key comes from another file: its context may be gone
					f.ms = append(f.ms, ms)
				}
				if pressed++; progress != nil {
					progress(pressed)
				}
			}
		}
	}
	var out []File
	for i, f := range files {
		slices.Sort(f.ms)
		p := File{Lines: lines[i], P50: f.ms[len(f.ms)/2], P95: f.ms[len(f.ms)*95/100], Ratio: 1, Context: f.context}
		if i > 0 {
			p.Ratio = p.P50 / out[0].P50
		}
		out = append(out, p)
	}
	return out, nil
}

// Keys is how many keys Files presses in so many files.
func Keys(files int) int {
	n := len("sum") + 1
	for _, p := range phrases {
		n += len(p) + 1
	}
	return n * files
}

// press takes some bytes back before the cursor, types a text, and asks for what follows.
func (f *typed) press(ctx context.Context, g Generator, parser *treesitter.Parser, with string, back int, mode denoise.Mode, minLogProb float64) (float64, error) {
	start := time.Now()
	f.text = f.text[:f.at-back] + with + f.text[f.at:]
	f.at += len(with) - back
	f.stretch = infill.Excerpt(treesitter.Go, f.text, f.at, f.stretch)
	d := infill.Document{Path: "shop/price.go", Language: treesitter.Go, Text: f.text[f.stretch.From:f.stretch.To], Parser: parser,
		Whole: f.text, From: f.stretch.From, Cut: f.stretch.Cut}
	tree, err := parser.Parse(d.Language, f.tree, d.Text)
	if err != nil {
		return 0, err
	}
	f.tree.Close()
	f.tree, d.Tree = tree, tree
	plan := infill.NewPlan(d, infill.ByteOffset(f.at-d.From), infill.Options{Priority: engine.Typed, Document: f.id})
	if plan.Mode != infill.Nothing {
		_, res, err := plan.Answer(func(r engine.Request) (engine.Result, error) {
			r.Decode, r.MinLogProb = mode, minLogProb
			return g.Generate(ctx, r)
		})
		if err != nil {
			return 0, err
		}
		f.context = res.ContextTokens
	}
	return time.Since(start).Seconds() * 1000, nil
}

// depth of the context behind which passes are measured.
const depth = 384

// Passes measures canvases of so many rows. Nobody else may use the backend meanwhile.
func Passes(ctx context.Context, b backend.Backend, c model.Config, rows []int) (out []Pass, err error) {
	seq, err := b.Fork(backend.Root)
	if err != nil {
		return nil, fmt.Errorf("sweep: %w", err)
	}
	defer b.Release(seq)
	n := min(depth, b.Limits().Positions-slices.Max(rows))
	var read []backend.Row
	for i := range n {
		read = append(read, backend.Row{Seq: seq, Token: backend.TokenID(10 + i*37%(c.VocabSize-10)), Pos: int32(i)})
	}
	for part := range slices.Chunk(read, min(128, b.Limits().Rows)) {
		if _, err := b.Forward(ctx, backend.Batch{Rows: part}); err != nil {
			return nil, fmt.Errorf("sweep: %w", err)
		}
	}
	mask := c.Seedling.Tokens.Mask
	took := make([][]float64, len(rows))
	for range 40 { // in turns, for the reason of the package's invariant
		for i, m := range rows {
			canvas := make([]backend.Row, m)
			for j := range canvas {
				canvas[j] = backend.Row{Seq: seq, Token: mask, Pos: int32(n + j), Kind: backend.Canvas, Want: backend.WantTop}
			}
			start := time.Now()
			if _, err := b.Forward(ctx, backend.Batch{Rows: canvas, Forbid: []backend.TokenID{mask}}); err != nil {
				return nil, fmt.Errorf("sweep: %w", err)
			}
			took[i] = append(took[i], time.Since(start).Seconds()*1000)
		}
	}
	for i, m := range rows {
		slices.Sort(took[i])
		out = append(out, Pass{Rows: m, Context: n, MS: took[i][len(took[i])/2]})
	}
	return out, nil
}

// Table is the report for a person.
func (r Report) Table() string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 8, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(w, "lines of the file\tp50 ms\tp95\tof the first\tcontext tokens\t\n")
	for _, f := range r.Files {
		fmt.Fprintf(w, "%d\t%.1f\t%.1f\t%.2f\t%d\t\n", f.Lines, f.P50, f.P95, f.Ratio, f.Context)
	}
	fmt.Fprintf(w, "rows of a pass\tms\tms a row\t\t\t\n")
	for _, p := range r.Passes {
		fmt.Fprintf(w, "%d\t%.2f\t%.3f\t\t\t\n", p.Rows, p.MS, p.MS/float64(p.Rows))
	}
	w.Flush()
	return b.String()
}
