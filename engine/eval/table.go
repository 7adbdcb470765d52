package eval

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
)

// Table is the report for a person.
func (r InfillReport) Table() string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 8, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(w, "%s, %d cases\tn\texact\t95 %%\tsimilarity\tparses\ttokens/forward\tforwards\tms\tempty\t\n", r.Model, r.Cases)
	r.rows(w, "")
	for _, p := range r.Peers {
		p.rows(w, p.Model+", ")
	}
	w.Flush()
	r.languages(&b, "")
	for _, p := range r.Peers {
		p.languages(&b, p.Model+", ")
	}
	for _, k := range Kinds {
		if l := r.Likelihood[k]; l != nil {
			fmt.Fprintf(&b, "%s: the truth %.4f bits/byte, %.3f ± %.3f nats a case; context %s, in %d of %d\n", k, l.BitsPerByte, l.Nats, l.NatsError, r.Context, l.Shown, l.N)
		}
	}
	for _, m := range Modes {
		for _, k := range Kinds {
			if s := r.Decode[m.Name][k]; s != nil && s.Candidates > 0 {
				fmt.Fprintf(&b, "%s %s: the truth is the likeliest candidate in %.1f %%, one of %.1f in %.1f %%\n", m.Name, k,
					100*s.Exact, s.Candidates, 100*s.Among)
			}
		}
	}
	for _, m := range Modes {
		for _, k := range Kinds {
			if s := r.Decode[m.Name][k]; s != nil && s.GoAnswers > 0 {
				fmt.Fprintf(&b, "%s %s: %.1f %% of the %d answers in Go make no mistake of types that the truth does not\n", m.Name, k, 100*s.TypeChecks, s.GoAnswers)
			}
		}
	}
	if len(r.Calibration) == 0 {
		return b.String()
	}
	b.WriteByte('\n')
	w = tabwriter.NewWriter(&b, 0, 8, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(w, "verify, shown from\t")
	for _, k := range Kinds {
		if r.Calibration[k] != nil {
			fmt.Fprintf(w, "%s shown\texact\tparses\t", k)
		}
	}
	fmt.Fprintln(w)
	for i, bound := range bounds {
		if name := fmt.Sprintf("%.1f nats", bound); i < len(bounds)-1 {
			fmt.Fprint(w, name, "\t")
		} else {
			fmt.Fprint(w, "any\t")
		}
		for _, k := range Kinds {
			if c := r.Calibration[k]; c != nil {
				fmt.Fprintf(w, "%.1f %%\t%.1f %%\t%.1f %%\t", 100*c[i].Share, 100*c[i].Exact, 100*c[i].Parses)
			}
		}
		fmt.Fprintln(w)
	}
	w.Flush()
	return b.String()
}

// rows are a line of the table for each mode and kind.
func (r InfillReport) rows(w io.Writer, before string) {
	for _, m := range Modes {
		for _, k := range Kinds {
			if s := r.Decode[m.Name][k]; s != nil {
				fmt.Fprintf(w, "%s%s %s\t%d\t%.1f %%\t%.1f–%.1f\t%.3f\t%.1f %%\t%.2f\t%.1f\t%.1f\t%.1f %%\t\n", before, m.Name, k, s.N, 100*s.Exact, 100*s.CI95[0], 100*s.CI95[1],
					s.EditSimilarity, 100*s.Parses, s.TokensPerForward, s.Forwards, s.MsP50, 100*s.Empty)
			}
		}
	}
}

// languages are a line for each mode and kind with cases in several languages.
func (r InfillReport) languages(b *strings.Builder, before string) {
	for _, m := range Modes {
		for _, k := range Kinds {
			s := r.Decode[m.Name][k]
			if s == nil || len(s.Languages) < 2 {
				continue
			}
			fmt.Fprintf(b, "%s%s %s, exact by language:", before, m.Name, k)
			for _, l := range slices.Sorted(maps.Keys(s.Languages)) {
				x := s.Languages[l]
				fmt.Fprintf(b, "  %s %.1f %% (%.1f–%.1f, of %d)", l, 100*x.Share, 100*x.CI95[0], 100*x.CI95[1], x.N)
			}
			b.WriteByte('\n')
		}
	}
}

// Table is the report for a person.
func (r *BenchReport) Table() string {
	return fmt.Sprintf(`%s on %s, %d threads
peak        fp32 %.0f GFLOP/s   int8 %.0f Gop/s   memory %.1f GB/s
int8 GEMM   8 rows %.0f %%   16 rows %.0f %%   32 rows %.0f %% of the int8 peak
forward     context 1: %.2f ms   canvas 8: %.2f   16: %.2f   32: %.2f   (after %d tokens)
line        diffusion %.1f ms   verify %.1f   causal %.1f
tokens/s    diffusion %.0f   verify %.0f   causal %.0f
memory      %.0f MB
`, r.Model, r.Backend, r.Threads, r.Peak.FP32, r.Peak.Int8, r.Peak.Memory, 100*r.GEMM.M8, 100*r.GEMM.M16, 100*r.GEMM.M32,
		r.Forward.Context1, r.Forward.Canvas8, r.Forward.Canvas16, r.Forward.Canvas32, benchContext,
		r.Line.Diffusion, r.Line.Verify, r.Line.Causal, r.TokensPerSecond.Diffusion, r.TokensPerSecond.Verify, r.TokensPerSecond.Causal, r.RSS) + r.Keystroke.Table()
}
