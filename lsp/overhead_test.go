package lsp

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seedling-lsp/seedling/engine"
)

// BenchmarkOverhead is what stands between a didChange and the answer besides the engine:
// reading the messages, the text, the parse, the plan, the finish with its own parses, and
// writing the answer. The goal is 3 ms at p95. Typing in the middle of a Go file of so many
// lines; "broken" is an answer that the finish has to cut shorter.
func BenchmarkOverhead(b *testing.B) {
	for _, lines := range []int{200, 1500, 5000, 100_000} {
		var text strings.Builder
		text.WriteString("package shop\n")
		for i := range lines / 10 {
			fmt.Fprintf(&text, "\n// price%d adds the tax to what it is given.\nfunc price%d(items []int) (sum int) {\n\tfor _, it := range items {\n\t\tsum += it * %d // \"x\"\n\t}\n\tif sum < 0 {\n\t\tpanic(fmt.Sprint(\"a\", 'x', sum))\n\t}\n\treturn sum\n}\n", i, i, i+2)
		}
		source := text.String()
		at := strings.Index(source[len(source)/2:], "\treturn sum") + len(source)/2
		source = source[:at] + "\tx := \n" + source[at:]
		line := strings.Count(source[:at], "\n")
		for name, answer := range map[string]string{"sound": "g(sum)", "broken": "g(sum[) + ) h * ( y"} {
			b.Run(fmt.Sprintf("%d_lines/%s", lines, name), func(b *testing.B) {
				var engineTime time.Duration
				w := dial(b, generator(func(ctx context.Context, r engine.Request) (engine.Result, error) {
					start := time.Now()
					text := answer
					if keep, name := r.Stop(text); name != "" {
						text = text[:keep]
					}
					engineTime = time.Since(start)
					return engine.Result{Text: text, Stop: "end"}, nil
				}), Options{})
				w.hello("utf-16", nil)
				w.open(source)
				column, version := 6, 2
				var took []float64
				for b.Loop() {
					if column > 30 { // the word is given up
						w.change(version, line, 6, column, "")
						column = 6
						version++
					}
					start := time.Now()
					w.change(version, line, column, column, "y")
					version, column = version+1, column+1
					r := w.wait(w.inline(line, column))
					took = append(took, float64(time.Since(start)-engineTime)/1e6)
					if r.Error != nil {
						b.Fatalf("%+v", r.Error)
					}
					clear(w.got)
					w.notes = w.notes[:0]
				}
				slices.Sort(took)
				for _, p := range []int{50, 95, 99} {
					b.ReportMetric(took[min(len(took)-1, len(took)*p/100)], fmt.Sprintf("p%d-ms", p))
				}
				w.bye()
			})
		}
	}
}
