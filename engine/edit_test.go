package engine

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seedling-lsp/seedling/engine/backend"
)

const known = "package p\n\nfunc clamp(value, low, high int) int {\n\tif value < low {\n\t\treturn low\n\t}\n\tif value > high {\n\t\treturn high\n\t}\n\treturn value\n}\n\nfunc other() {}\n"

// faulty is a request about the body of clamp with old replaced by with.
func faulty(t *testing.T, old, with string) (EditRequest, string) {
	t.Helper()
	from, to := strings.Index(known, "if value < low"), strings.Index(known, "\n}\n\nfunc other")
	truth := known[from:to]
	if strings.Count(truth, old) != 1 {
		t.Fatalf("%q stands %d times", old, strings.Count(truth, old))
	}
	return EditRequest{Document: "edit", Path: "p.go", Prefix: known[:from], Region: strings.Replace(truth, old, with, 1), Suffix: known[to:], Priority: Invoked}, truth
}

func (c Change) of(region string) string { return region[:c.Start] + c.Text + region[c.End:] }

// TestEdit: of a model that knows the text, the likeliest change is the repair, whatever is
// wrong; the gain is what the region's likelihood gains. Without it, words could be put in at
// the wrong place, or a change be measured against the wrong tokens.
func TestEdit(t *testing.T) {
	for _, shift := range []bool{false, true} {
		for _, c := range [][2]string{{"value > high", "value >= high"}, {"return low", "return value"}, {"value < low", "value low"}, {"return low", "return return low"}, {"if value > high", "value > high"}} {
			s := newScript(known)
			s.shift = shift
			e := New(s.model(true), s, Options{})
			req, truth := faulty(t, c[0], c[1])
			res, err := e.Edit(context.Background(), req)
			if err != nil {
				t.Fatal(err)
			}
			if len(res.Changes) == 0 || res.Changes[0].of(req.Region) != truth {
				t.Errorf("shift %v, %v: %+v", shift, c, res.Changes)
				continue
			}
			fixed := req
			fixed.Region = truth
			after, err := e.Edit(context.Background(), fixed)
			if err != nil {
				t.Fatal(err)
			}
			if d := after.LogProb - res.LogProb - res.Changes[0].Gain; d > 0.01 || d < -0.01 {
				t.Errorf("%v: the gain is %.2f, the region gains %.2f", c, res.Changes[0].Gain, after.LogProb-res.LogProb)
			}
			if len(after.Changes) != 0 {
				t.Errorf("%v: what is right would be changed: %+v", c, after.Changes)
			}
			again, err := e.Edit(context.Background(), req)
			if err != nil || !slices.Equal(again.Changes, res.Changes) || again.LogProb != res.LogProb {
				t.Errorf("%v: another answer the second time", c)
			}
			if again.CachedTokens < again.ContextTokens-1 {
				t.Errorf("%v: %d of %d tokens cached", c, again.CachedTokens, again.ContextTokens)
			}
		}
	}
}

// TestEditProposals: what the caller proposes is asked for where the model is surprised, and
// weighed; what may not change does not.
func TestEditProposals(t *testing.T) {
	s := newScript(known)
	e := New(s.model(false), s, Options{})
	req, truth := faulty(t, "return low", "return 8")
	asked := 0
	req.Propose = func(at Word) []Proposal {
		asked++
		i := strings.Index(req.Region, "8")
		if at.End <= i || at.Start > i {
			return nil
		}
		return []Proposal{{Start: i, End: i + 1, Text: "low"}, {Start: -1, End: 2}, {Start: 5, End: 3}, {Start: 0, End: 9999}, {Start: 0, End: 1, Text: "\xff"}}
	}
	res, err := e.Edit(context.Background(), req)
	if err != nil || asked == 0 || len(res.Changes) == 0 || res.Changes[0].of(req.Region) != truth || res.Changes[0].Source != FromCaller {
		t.Errorf("asked %d times: %+v, %v", asked, res.Changes, err)
	}
	req.May = func(Word) bool { return false }
	if res, err := e.Edit(context.Background(), req); err != nil || len(res.Changes) != 0 || len(res.Surprises) != 0 {
		t.Errorf("%+v, %v", res.Changes, err)
	}
}

// TestEditEnds: cancellation is obeyed within a forward, the deadline gives what there is, a
// region that is too long says so, and completions go on after each of them.
func TestEditEnds(t *testing.T) {
	s := newScript(known)
	e := New(s.model(true), s, Options{})
	defer e.Close()
	req, truth := faulty(t, "return low", "return value")
	for stop := 1; ; stop++ {
		ctx, cancel := context.WithCancelCause(context.Background())
		why := errors.New("why")
		n := 0
		s.fail = func() error {
			if n++; n == stop {
				cancel(why)
			}
			return ctx.Err()
		}
		_, err := e.Edit(ctx, req)
		cancel(nil)
		if err == nil {
			if stop < 10 {
				t.Errorf("done after %d forwards", stop)
			}
			break
		}
		if !errors.Is(err, why) || n > stop {
			t.Fatalf("cancelled at forward %d: %v after %d", stop, err, n)
		}
	}
	s.fail = nil
	late := req
	late.Deadline = time.Now().Add(-time.Second)
	if res, err := e.Edit(context.Background(), late); err != nil || !res.Late {
		t.Errorf("%+v, %v", res, err)
	}
	long := req
	long.Region = strings.Repeat("x1 y2 z3 ", 400)
	if _, err := e.Edit(context.Background(), long); !errors.Is(err, ErrRegion) {
		t.Errorf("%v", err)
	}
	if res, err := e.Edit(context.Background(), EditRequest{Region: ""}); err != nil || len(res.Changes) != 0 {
		t.Errorf("%+v, %v", res, err)
	}
	if res, err := e.Edit(context.Background(), req); err != nil || len(res.Changes) == 0 || res.Changes[0].of(req.Region) != truth {
		t.Errorf("after all that: %+v, %v", res.Changes, err)
	}
	if res, err := e.Generate(context.Background(), Request{Prefix: known[:len(known)-20], Suffix: "", Priority: Invoked}); err != nil || !strings.HasPrefix(known[len(known)-20:], res.Text) || res.Text == "" {
		t.Errorf("%q, %v", res.Text, err)
	}
}

// TestEditFallsBack: a device that fails is replaced, as for a completion.
func TestEditFallsBack(t *testing.T) {
	s, spare := newScript(known), newScript(known)
	s.fail = func() error { return errors.New("lost") }
	e := New(s.model(true), s, Options{Fallback: func() (backend.Backend, error) { return spare, nil }})
	req, truth := faulty(t, "return low", "return value")
	if res, err := e.Edit(context.Background(), req); err != nil || len(res.Changes) == 0 || res.Changes[0].of(req.Region) != truth {
		t.Errorf("%+v, %v", res.Changes, err)
	}
}

// TestEditBeside: edits and completions of many documents at once, under the race detector.
func TestEditBeside(t *testing.T) {
	s := newScript(known)
	e := New(s.model(true), s, Options{})
	defer e.Close()
	req, truth := faulty(t, "return low", "return value")
	var all sync.WaitGroup
	for i := range 6 {
		all.Go(func() {
			r := req
			r.Document = string(rune('a' + i))
			if res, err := e.Edit(context.Background(), r); err != nil || len(res.Changes) == 0 || res.Changes[0].of(req.Region) != truth {
				t.Errorf("%+v, %v", res.Changes, err)
			}
		})
		all.Go(func() {
			if _, err := e.Generate(context.Background(), Request{Document: "g" + string(rune('a'+i)), Prefix: known[:60], MaxTokens: 5, Priority: Typed}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}

// TestWords: signs and literals are words of their own.
func TestWords(t *testing.T) {
	text := "x1 := f(\"a \\\" b\", 1.5)<=y_é // 'it`s\n"
	var got []string
	for _, w := range Words(text) {
		got = append(got, text[w.Start:w.End])
	}
	want := []string{"x1", ":=", "f", "(", `"a \" b"`, ",", "1.5", ")", "<=", "y_é", "//", "'", "it", "`", "s"}
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

// FuzzDifferences: proposals stay inside of what stands.
func FuzzDifferences(f *testing.F) {
	f.Add("if a < b {", "if a <= b {")
	f.Add("", "x")
	f.Fuzz(func(t *testing.T, stands, written string) {
		for _, p := range differences(stands, written) {
			if p.Start < 0 || p.End < p.Start || p.End > len(stands) {
				t.Fatalf("%+v of %q, %q", p, stands, written)
			}
		}
	})
}
