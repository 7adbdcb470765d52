package eval

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"sort"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/seedling-lsp/seedling/engine"
	"github.com/seedling-lsp/seedling/engine/denoise"
	"github.com/seedling-lsp/seedling/treesitter"
)

// oracle answers case i with what answer says, cut by the plan's stop rule as the engine
// cuts it.
type oracle struct {
	cases  []Case
	answer func(c Case) string
	modes  map[denoise.Mode]int
	first  map[denoise.Mode]int // asked before the others
	read   int                  // the case that was asked last
	err    error
}

func (o *oracle) Generate(_ context.Context, r engine.Request) (engine.Result, error) {
	if o.err != nil {
		return engine.Result{}, o.err
	}
	var i, mode int
	if _, err := fmt.Sscanf(r.Document, "case %d.%d", &i, &mode); err != nil {
		return engine.Result{}, fmt.Errorf("document %q: %w", r.Document, err)
	}
	c := o.cases[i]
	if !strings.HasSuffix(c.Text[:c.Start], last(r.Prefix, 20)) || !strings.HasPrefix(c.Text[c.End:], r.Suffix[:min(len(r.Suffix), 20)]) {
		return engine.Result{}, fmt.Errorf("case %d: the request does not have the gap", i)
	}
	o.modes[r.Decode]++
	if o.read != i+1 {
		o.read = i + 1
		o.first[r.Decode]++
	}
	text := o.answer(c)
	stop := "end"
	if keep, name := r.Stop(text); name != "" {
		text, stop = text[:keep], name
	}
	sure := -1.9
	if strings.HasPrefix(text, c.Truth()) {
		sure = -0.15
	}
	return engine.Result{Text: text, Stop: stop, Tokens: 6, Forwards: 3, LineLogProb: sure}, nil
}

func last(s string, n int) string { return s[max(0, len(s)-n):] }

func infillWith(t *testing.T, n int, answer func(c Case) string) (InfillReport, []Case) {
	t.Helper()
	cases, err := Draw(files(t), n, 3)
	if err != nil {
		t.Fatal(err)
	}
	o := &oracle{cases: cases, answer: answer, modes: map[denoise.Mode]int{}, first: map[denoise.Mode]int{}}
	done := 0
	rep, err := Infill(t.Context(), o, "fake", cases, Setup{}, 3, func(n int) { done = n })
	if err != nil {
		t.Fatal(err)
	}
	if done != len(cases) || rep.Cases != len(cases) || rep.Model != "fake" || rep.Seed != 3 {
		t.Errorf("%d of %d cases told, report %+v", done, len(cases), rep)
	}
	for _, m := range Modes {
		// The first to be asked reads the context for all: with one order for all cases
		// that mode would look slow.
		if o.first[m.Mode] < len(cases)/4 {
			t.Errorf("%s goes first in %d of %d cases", m.Name, o.first[m.Mode], len(cases))
		}
		if o.modes[m.Mode] == 0 || len(rep.Decode[m.Name]) != len(Kinds) {
			t.Errorf("%s was asked %d times, reports %d kinds", m.Name, o.modes[m.Mode], len(rep.Decode[m.Name]))
		}
	}
	return rep, cases
}

// TestInfillTruth: a model that writes exactly what stood there scores one on lines,
// nearly one on the rest, and adds no syntax error: what is lost here is lost to every
// model, by the plan, the finish or the comparison.
func TestInfillTruth(t *testing.T) {
	rep, cases := infillWith(t, 30, func(c Case) string { return c.Truth() + "\n" })
	n := map[Kind]int{}
	for _, c := range cases {
		n[c.Kind]++
	}
	for mode, kinds := range rep.Decode {
		for k, s := range kinds {
			exact := 0.85
			if k == SingleLine || k == LineEnd {
				exact = 1
			}
			if s.N != n[k] || s.Exact < exact || s.EditSimilarity < s.Exact || s.EditSimilarity > 1 || s.Parses < 0.95 {
				t.Errorf("%s, %s: %+v of %d cases, want exact %g", mode, k, *s, n[k], exact)
			}
			if s.CI95[0] > s.Exact || s.CI95[1] < s.Exact || s.CI95[0] >= s.CI95[1] {
				t.Errorf("%s, %s: interval %v of %g", mode, k, s.CI95, s.Exact)
			}
			if s.Empty == 0 && (s.TokensPerForward != 2 || s.Forwards != 3) {
				t.Errorf("%s, %s: %+v for 6 tokens in 3 forwards", mode, k, *s)
			}
		}
	}
}

// TestInfillWrong: wrong answers score nothing, answers that break the syntax do not
// parse, and no answer is counted as empty and not as one that parses. Without it a suite
// could flatter.
func TestInfillWrong(t *testing.T) {
	rep, _ := infillWith(t, 10, func(Case) string { return "(((qqq][ \n" })
	for mode, kinds := range rep.Decode {
		for k, s := range kinds {
			if s.Exact != 0 || s.EditSimilarity > 0.5 || s.Parses > 0.2 {
				t.Errorf("%s, %s: %+v for nonsense", mode, k, *s)
			}
		}
	}
	rep, _ = infillWith(t, 10, func(Case) string { return "" })
	for mode, kinds := range rep.Decode {
		for k, s := range kinds {
			if s.Exact != 0 || s.Empty != 1 || s.Parses != 0 || s.EditSimilarity != 0 {
				t.Errorf("%s, %s: %+v for nothing", mode, k, *s)
			}
		}
	}
}

// TestInfillLanguages: what is right in one language alone is shown of that one alone, and the
// languages are all the cases.
func TestInfillLanguages(t *testing.T) {
	rep, cases := infillWith(t, 12, func(c Case) string {
		if c.Language == treesitter.Go {
			return c.Truth() + "\n"
		}
		return "zzz\n"
	})
	n := map[Kind]map[string]int{}
	for _, c := range cases {
		if n[c.Kind] == nil {
			n[c.Kind] = map[string]int{}
		}
		n[c.Kind][c.Language.String()]++
	}
	for _, k := range []Kind{SingleLine, LineEnd} {
		s := rep.Decode["causal"][k]
		g, p := s.Languages["go"], s.Languages["python"]
		if g.N == 0 || p.N == 0 || g.N != n[k]["go"] || p.N != n[k]["python"] || g.N+p.N != s.N {
			t.Errorf("%s: %+v of %d and %v", k, s.Languages, s.N, n[k])
		}
		if g.Share != 1 || p.Share != 0 || g.CI95[0] >= 1 || p.CI95[1] <= 0 || g.CI95 != Wilson(g.N, g.N) {
			t.Errorf("%s: %+v", k, s.Languages)
		}
		if s.ParsesCI95[0] > s.Parses || s.ParsesCI95[1] < s.Parses || s.ParsesCI95[0] >= s.ParsesCI95[1] {
			t.Errorf("%s: parses %g, %v", k, s.Parses, s.ParsesCI95)
		}
	}
	if table := rep.Table(); !strings.Contains(table, "causal line_end, exact by language:  go 100.0 % (") {
		t.Error(table)
	}
}

// TestCalibration: at each bound exactly the answers at least that likely count, and the
// last bound shows all. Were it wrong, the threshold that people are told to set would
// withhold the wrong answers.
func TestCalibration(t *testing.T) {
	rep, cases := infillWith(t, 12, func(c Case) string {
		if c.Start%2 == 0 {
			return c.Truth() + "\n"
		}
		return "qqq\n"
	})
	for k, points := range rep.Calibration {
		even, n := 0, 0
		for _, c := range cases {
			if c.Kind == k {
				n++
				if c.Start%2 == 0 {
					even++
				}
			}
		}
		likely, all := points[1], points[len(points)-1] // the oracle is surer of the truth
		if k != SingleLine && k != LineEnd {
			continue
		}
		if math.Abs(likely.Share-float64(even)/float64(n)) > 1e-9 || even > 0 && likely.Exact != 1 || all.Share != 1 || math.Abs(all.Exact-float64(even)/float64(n)) > 1e-9 {
			t.Errorf("%s: %d of %d are right, reported %+v and %+v", k, even, n, likely, all)
		}
	}
}

// TestInfillError: a generator's failure ends the suite and says where.
func TestInfillError(t *testing.T) {
	cases, err := Draw(files(t), 2, 3)
	if err != nil {
		t.Fatal(err)
	}
	lost := errors.New("device lost")
	if _, err := Infill(t.Context(), &oracle{cases: cases, err: lost}, "fake", cases, Setup{}, 3, nil); !errors.Is(err, lost) || !strings.Contains(err.Error(), cases[0].Path) {
		t.Errorf("%v", err)
	}
}

// TestWilson holds the interval to the roots of the score equation
// (k/n − p)² = z²·p(1 − p)/n, found apart by bisection.
func TestWilson(t *testing.T) {
	for _, c := range []struct {
		k, n   int
		lo, hi float64
	}{{0, 10, 0, 0.2775328}, {5, 10, 0.2365931, 0.7634069}, {10, 10, 0.7224672, 1}, {50, 100, 0.4038315, 0.5961685}, {1, 1000, 0.0001765, 0.0056435}} {
		got := Wilson(c.k, c.n)
		if math.Abs(got[0]-c.lo) > 2e-6 || math.Abs(got[1]-c.hi) > 2e-6 {
			t.Errorf("%d of %d: %v, want %g to %g", c.k, c.n, got, c.lo, c.hi)
		}
	}
	if Wilson(0, 0) != [2]float64{} {
		t.Error("no cases have an interval")
	}
}

// TestSimilarity holds the one-row computation to the recursion it stands for.
func TestSimilarity(t *testing.T) {
	var distance func(a, b string) int
	distance = func(a, b string) int {
		if a == "" || b == "" {
			return len(a) + len(b)
		}
		d := distance(a[1:], b[1:])
		if a[0] != b[0] {
			d++
		}
		return min(d, distance(a[1:], b)+1, distance(a, b[1:])+1)
	}
	rapid.Check(t, func(t *rapid.T) {
		a, b := rapid.StringMatching(`[abc]{0,6}`).Draw(t, "a"), rapid.StringMatching(`[abc]{0,6}`).Draw(t, "b")
		want := 1.0
		if n := max(len(a), len(b)); n > 0 {
			want = 1 - float64(distance(a, b))/float64(n)
		}
		if got := similarity(a, b); math.Abs(got-want) > 1e-12 || got != similarity(b, a) {
			t.Fatalf("%q, %q: %g, want %g", a, b, got, want)
		}
	})
}

// TestPercentile: the smallest of the values that the given share does not exceed.
func TestPercentile(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := rapid.SliceOfN(rapid.Float64Range(0, 50), 1, 60).Draw(t, "values")
		share := rapid.SampledFrom([]float64{0.5, 0.95, 0.99, 1}).Draw(t, "share")
		got := percentile(v, share)
		atMost, below := 0, 0
		for _, x := range v {
			if x <= got {
				atMost++
			}
			if x < got {
				below++
			}
		}
		if float64(atMost) < share*float64(len(v)) || float64(below) >= share*float64(len(v)) {
			t.Fatalf("%g is the %g percentile of %v: %d at most, %d below", got, share, v, atMost, below)
		}
	})
	if percentile(nil, 0.5) != 0 {
		t.Error("nothing has a percentile")
	}
}

// keys are the paths of a JSON object's leaves.
func keys(t *testing.T, v any) []string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var x any
	if err := json.Unmarshal(b, &x); err != nil {
		t.Fatal(err)
	}
	var out []string
	var walk func(at string, x any)
	walk = func(at string, x any) {
		m, ok := x.(map[string]any)
		if !ok {
			out = append(out, strings.TrimPrefix(at, "."))
			return
		}
		for k, y := range m {
			walk(at+"."+k, y)
		}
	}
	walk("", x)
	sort.Strings(out)
	return out
}

// TestReportKeys: the keys of both reports are those that the design promises to other
// programs ("The command line").
func TestReportKeys(t *testing.T) {
	bench := strings.Fields(`model backend threads peak.fp32_gflops peak.bf16_gflops peak.int8_gops peak.memory_gbs
		gemm.int8_m8_share gemm.int8_m16_share gemm.int8_m32_share forward.context1_ms forward.canvas8_ms forward.canvas16_ms forward.canvas32_ms
		keystroke.p50_ms keystroke.p95_ms keystroke.p99_ms keystroke.forwards keystroke.context_tokens
		line.diffusion_ms line.verify_ms line.causal_ms tokens_per_second.diffusion tokens_per_second.verify tokens_per_second.causal rss_mb`)
	// What follows is ours beside the contract.
	bench = append(bench, strings.Fields(`keystroke.n keystroke.recalled keystroke.cached keystroke.script keystroke.keys keystroke.silent keystroke.kinds
		cache.answered cache.recalled cache.superseded cache.failed cache.late cache.context_tokens cache.cached_tokens cache.forwards cache.tokens
		cache.prefill_ns cache.denoise_ns cache.contexts cache.cache_tokens cache.opened cache.evicted`)...)
	sort.Strings(bench)
	if got := keys(t, BenchReport{}); !reflect.DeepEqual(got, bench) {
		t.Errorf("bench: %q, want %q", got, bench)
	}
	rep := InfillReport{Decode: map[string]map[Kind]*Score{}} // "calibration" is ours, too
	want := []string{"model", "cases", "seed"}
	for _, m := range Modes {
		rep.Decode[m.Name] = map[Kind]*Score{}
		for _, k := range Kinds {
			rep.Decode[m.Name][k] = &Score{}
			// "empty" and "parses_ci95" are ours beside the contract.
			for _, x := range strings.Fields("n exact ci95 edit_similarity parses parses_ci95 tokens_per_forward forwards ms_p50 empty") {
				want = append(want, fmt.Sprintf("decode.%s.%s.%s", m.Name, k, x))
			}
		}
	}
	sort.Strings(want)
	if got := keys(t, rep); !reflect.DeepEqual(got, want) {
		t.Errorf("infill: %q, want %q", got, want)
	}
	if names := fmt.Sprintf("%v %s %s %s", Kinds, Modes[0].Name, Modes[1].Name, Modes[2].Name); names != "[single_line line_end statement block function] diffusion verify causal" {
		t.Errorf("names %s", names)
	}
}

// second answers with nothing likely, and with the truth as its second candidate.
type second struct{ *oracle }

func (s second) Generate(ctx context.Context, r engine.Request) (engine.Result, error) {
	truth, err := s.oracle.Generate(ctx, r)
	res := engine.Result{Text: "nobodyWroteThis", Stop: "line", Tokens: 1, Forwards: 1}
	if r.Candidates > 1 {
		res.Alternatives = []engine.Result{truth}
	}
	return res, err
}

// With several candidates the report says how often the truth is among them, and scores the
// first alone; asked for one, of one.
func TestInfillCandidates(t *testing.T) {
	cases, err := Draw(files(t), 6, 3)
	if err != nil {
		t.Fatal(err)
	}
	g := second{&oracle{cases: cases, answer: func(c Case) string { return c.Truth() + "\n" }, modes: map[denoise.Mode]int{}, first: map[denoise.Mode]int{}}}
	for _, n := range []int{0, 1, 3} {
		rep, err := Infill(t.Context(), g, "fake", cases, Setup{Candidates: n, Decode: []string{"verify"}}, 3, nil)
		if err != nil || len(rep.Decode) != 1 {
			t.Fatalf("%+v, %v", rep, err)
		}
		s := rep.Decode["verify"][LineEnd]
		if s.Exact != 0 || n < 2 && (s.Among != 0 || s.Candidates != 0) || n == 3 && (s.Among != 1 || s.Candidates != 2) {
			t.Errorf("asked for %d: %+v", n, *s)
		}
		if told := strings.Contains(rep.Table(), "one of 2.0 in 100.0 %"); told != (n == 3) {
			t.Errorf("asked for %d: %s", n, rep.Table())
		}
	}
}
