package engine

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/seedling-lsp/seedling/engine/backend"
	"github.com/seedling-lsp/seedling/engine/denoise"
	"github.com/seedling-lsp/seedling/engine/tokenizer"
)

// chain is a model of which every likelihood is known: the next byte depends on the last
// one alone.
type chain struct {
	*script
	next map[backend.TokenID]map[backend.TokenID]float64 // probabilities
}

// letters are the tokens that a chain writes: bytes, a line end among them, and the end.
const letters = "abcdef\n"

func letter(c byte) backend.TokenID {
	return tokenizer.Encode[backend.TokenID](vocabulary(), nil, string(c))[0]
}

func newChain(seed uint64) *chain {
	c := &chain{script: newScript(""), next: map[backend.TokenID]map[backend.TokenID]float64{}}
	r := rand.New(rand.NewPCG(seed, 1))
	tokens := []backend.TokenID{c.end}
	for i := range letters {
		tokens = append(tokens, letter(letters[i]))
	}
	for _, last := range tokens {
		p, sum := map[backend.TokenID]float64{}, 0.0
		for _, t := range tokens {
			p[t] = math.Exp(4 * r.Float64())
			sum += p[t]
		}
		for t := range p {
			p[t] /= sum
		}
		c.next[last] = p
	}
	return c
}

// Forward replaces the script's predictions by the chain's; a canvas knows no better than
// what may come first.
func (c *chain) Forward(ctx context.Context, b backend.Batch) ([]backend.Top, error) {
	tops, err := c.script.Forward(ctx, b)
	for i := range tops {
		row := b.Rows[tops[i].Row]
		last := row.Token
		if row.Kind == backend.Canvas {
			last = c.end
		}
		t := backend.Top{Row: tops[i].Row, Best: backend.NoToken, Second: backend.NoToken, TargetLog: float32(math.Inf(-1))}
		sum := 0.0
		p := c.next[last]
		if p == nil {
			p = c.next[c.end]
		}
		ids := []backend.TokenID{}
		for id := range p {
			if !slices.Contains(b.Forbid, id) {
				ids = append(ids, id)
				sum += p[id]
			}
		}
		slices.SortFunc(ids, func(x, y backend.TokenID) int {
			if p[x] > p[y] || p[x] == p[y] && x < y {
				return -1
			}
			return 1
		})
		if len(ids) > 0 {
			t.Best, t.Prob = ids[0], float32(p[ids[0]]/sum)
		}
		if len(ids) > 1 {
			t.Second, t.SecondProb = ids[1], float32(p[ids[1]]/sum)
		}
		if slices.Contains(ids, row.Target) {
			t.TargetLog = float32(math.Log(p[row.Target] / sum))
		}
		tops[i] = t
	}
	return tops, err
}

// logProb is the log-probability of a line and its end, "" for the end of the answer.
func (c *chain) logProb(after byte, line, end string) float64 {
	last, sum := letter(after), 0.0
	if c.next[last] == nil {
		last = c.end
	}
	for i := range line + end {
		t := letter((line + end)[i])
		sum += math.Log(c.next[last][t])
		last = t
	}
	if end == "" {
		sum += math.Log(c.next[last][c.end])
	}
	return sum
}

// Every candidate must be an answer of its own, ranked by the likelihood that it really
// has: that of its first line and of its end, whichever beginnings it was found by and
// whatever was excluded on the way. And the first answer must be the one of somebody who
// asks for one alone, or a likelier one.
func TestCandidates(t *testing.T) {
	most, likelier := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		c := newChain(rapid.Uint64().Draw(t, "seed"))
		e := New(c.model(false), c, Options{MemoryTokens: -1})
		defer e.Close()
		req := Request{Prefix: "x\n", Suffix: "y", MaxTokens: 12, Stop: oneLine, Score: true,
			Decode: rapid.SampledFrom([]denoise.Mode{denoise.Verify, denoise.Causal}).Draw(t, "mode")}
		alone, err := e.Generate(context.Background(), req)
		if err != nil || alone.Alternatives != nil {
			t.Fatalf("%+v, %v", alone, err)
		}
		req.Candidates = rapid.IntRange(2, 8).Draw(t, "candidates")
		before := c.forwards
		res, err := e.Generate(context.Background(), req)
		if err != nil {
			t.Fatal(err)
		}
		if res.Forwards != c.forwards-before {
			t.Fatalf("%d forwards told, %d made", res.Forwards, c.forwards-before)
		}
		if len(res.Alternatives) >= req.Candidates {
			t.Fatalf("%d alternatives for %d candidates", len(res.Alternatives), req.Candidates)
		}
		most = max(most, 1+len(res.Alternatives))
		all := append([]Result{res}, res.Alternatives...)
		texts := map[string]bool{}
		among := false
		for i, a := range all {
			if texts[a.Text] || a.Text == "" && i > 0 {
				t.Fatalf("%q again: %+v", a.Text, all)
			}
			texts[a.Text] = true
			among = among || a.Text == alone.Text
			end := ""
			switch a.Stop {
			case "line":
				end = "\n"
			case "budget": // cut off: it has no end
				if want := c.logProb('\n', a.Text, "") - math.Log(c.next[letter(a.Text[len(a.Text)-1])][c.end]); math.Abs(want-a.EndedLogProb) > 1e-3 {
					t.Fatalf("%q has %g, by definition %g", a.Text, a.EndedLogProb, want)
				}
				continue
			}
			if want := c.logProb('\n', a.Text, end); math.Abs(want-a.EndedLogProb) > 1e-3 {
				t.Fatalf("%q (%s) has %g, by definition %g", a.Text, a.Stop, a.EndedLogProb, want)
			}
			if i > 0 && a.EndedLogProb > all[i-1].EndedLogProb {
				t.Fatalf("%q is likelier than %q before it", a.Text, all[i-1].Text)
			}
		}
		if !among && alone.Text != "" {
			t.Fatalf("%q is the answer, and none of %v", alone.Text, texts)
		}
		if res.EndedLogProb > alone.EndedLogProb+1e-6 {
			likelier++
		}
	})
	if most < 8 || likelier == 0 {
		t.Errorf("never more than %d candidates, %d times a likelier one than the first: not all was tested", most, likelier)
	}
}

// What shows the same is one candidate, and what shows nothing is none.
func TestCandidatesShowDifferently(t *testing.T) {
	c := newChain(3)
	e := New(c.model(false), c, Options{MemoryTokens: -1})
	defer e.Close()
	req := Request{Prefix: "x\n", MaxTokens: 12, Stop: oneLine, Candidates: 6, Decode: denoise.Causal}
	req.Show = func(r Result) string { return strings.Trim(r.Text, "abc")[:min(1, len(strings.Trim(r.Text, "abc")))] }
	res, err := e.Generate(context.Background(), req)
	if err != nil {
		t.Fatal(err)
	}
	shown := map[string]bool{}
	for _, a := range append([]Result{res}, res.Alternatives...) {
		if s := req.Show(a); shown[s] {
			t.Errorf("%q is shown again: %q", s, a.Text)
		} else {
			shown[s] = true
		}
	}
	if len(shown) < 2 {
		t.Errorf("only %v is shown", shown)
	}
}

// In every mode, with a word begun, the candidates go on with that word; and diffusion,
// which is ranked by what the causal reading says afterwards, has different ones, too.
func TestCandidatesOfAWord(t *testing.T) {
	for _, m := range modes {
		s := newScript(play)
		s.sure = 0.6
		e := New(s.model(false), s, Options{MemoryTokens: -1})
		at := strings.Index(play, "value7") + len("val")
		res, err := e.Generate(context.Background(), Request{Prefix: play[:at], MaxTokens: 60, Stop: oneLine, Decode: m, Candidates: 4})
		if err != nil {
			t.Fatal(err)
		}
		if len(res.Alternatives) == 0 {
			t.Errorf("%v: no alternative to %q", m, res.Text)
		}
		for q, tokens := range s.seqs {
			if text := string(tokenizer.Decode(s.tok, nil, tokens)); q != backend.Root && !strings.HasPrefix(text, play[:at-1]) {
				t.Errorf("%v: the sequence holds %q", m, text[max(0, len(text)-20):])
			}
		}
		e.Close()
	}
}

// A person who goes along with any of the candidates, a word or a line of it, gets its rest
// without a forward, also where automatic answers are withheld when unlikely; asking by
// hand at the same place again gives all of them again.
func TestCandidatesAreRecalled(t *testing.T) {
	c := newChain(11)
	e := New(c.model(false), c, Options{MemoryTokens: -1})
	defer e.Close()
	req := Request{Document: "a", Prefix: "x\n", MaxTokens: 12, Stop: oneLine, Candidates: 5, Decode: denoise.Verify}
	res, err := e.Generate(context.Background(), req)
	if err != nil || len(res.Alternatives) != 4 {
		t.Fatalf("%+v, %v", res, err)
	}
	before := c.forwards
	again, err := e.Generate(context.Background(), req)
	if err != nil || again.Text != res.Text || len(again.Alternatives) != 4 || again.Alternatives[3].Text != res.Alternatives[3].Text {
		t.Errorf("again %+v, %v", again, err)
	}
	for _, a := range append([]Result{res}, res.Alternatives...) {
		for n := 1; n < len(a.Text); n++ {
			auto := req
			auto.Candidates, auto.MinLogProb, auto.Prefix = 0, -0.001, req.Prefix+a.Text[:n]
			rest, err := e.Generate(context.Background(), auto)
			if err != nil || rest.Forwards != 0 || len(rest.Alternatives) != 0 || !strings.HasPrefix(auto.Prefix+rest.Text, auto.Prefix) || rest.Text == "" {
				t.Errorf("after %q of %q: %+v, %v", a.Text[:n], a.Text, rest, err)
			}
		}
	}
	if c.forwards != before {
		t.Errorf("%d forwards were made for what is known", c.forwards-before)
	}
	unlikely := req
	unlikely.Candidates, unlikely.MinLogProb = 0, -0.001 // at the same place, unasked
	if got, err := e.Generate(context.Background(), unlikely); err != nil || got.Stop != "withheld" {
		t.Errorf("an automatic answer is not withheld: %+v, %v", got, err)
	}
	more := req
	more.Document, more.Candidates = "b", 2
	if _, err := e.Generate(context.Background(), more); err != nil {
		t.Fatal(err)
	}
	more.Candidates = 5 // than are known
	if got, err := e.Generate(context.Background(), more); err != nil || len(got.Alternatives) != 4 {
		t.Errorf("%+v, %v", got, err)
	}
}

// Candidates are decided one after the other: a newer request ends them at the next forward,
// and at the deadline those that are whole are given.
func TestCandidatesEndEarly(t *testing.T) {
	for n := range 30 {
		c := newChain(5)
		e := New(c.model(false), c, Options{MemoryTokens: -1})
		ctx, cancel := context.WithCancelCause(context.Background())
		gone := errors.New("gone")
		c.fail = func() error {
			if c.forwards == n {
				cancel(gone)
			}
			return nil
		}
		req := Request{Document: "a", Prefix: "x\n", MaxTokens: 12, Stop: oneLine, Candidates: 8, Decode: denoise.Causal}
		_, err := e.Generate(ctx, req)
		if made := c.forwards; made > n && !errors.Is(err, gone) || made > n+1 {
			t.Errorf("cancelled in forward %d: %d made, %v", n+1, made, err)
		}
		c.fail = nil
		cancel(nil)
		res, err := e.Generate(context.Background(), req)
		want, _ := New(newChain(5).model(false), newChain(5), Options{MemoryTokens: -1}).Generate(context.Background(), req)
		if err != nil || res.Text != want.Text || len(res.Alternatives) != len(want.Alternatives) {
			t.Errorf("after a cancelled one: %+v, %v", res, err)
		}
		e.Close()
	}
	synctest.Test(t, func(t *testing.T) {
		c := newChain(5)
		e := New(c.model(false), c, Options{MemoryTokens: -1})
		defer e.Close()
		c.fail = func() error { time.Sleep(time.Millisecond); return nil }
		req := Request{Prefix: "x\n", MaxTokens: 12, Stop: oneLine, Candidates: 8, Decode: denoise.Causal}
		whole, err := e.Generate(context.Background(), req)
		if err != nil || len(whole.Alternatives) != 7 {
			t.Fatalf("%+v, %v", whole, err)
		}
		some := map[int]bool{}
		for ms := 1; ms < whole.Forwards+10; ms += 2 {
			req.Deadline = time.Now().Add(time.Duration(ms)*time.Millisecond + time.Microsecond)
			res, err := e.Generate(context.Background(), req)
			if err != nil {
				t.Fatal(err)
			}
			some[len(res.Alternatives)] = true
			for _, a := range res.Alternatives {
				if a.Stop == "deadline" {
					t.Errorf("half of an alternative: %+v", a)
				}
			}
		}
		if !some[0] || !some[7] || len(some) < 4 {
			t.Errorf("numbers of alternatives by the deadline: %v", some)
		}
	})
}

// Of a block a person takes a word, a line, and goes on in the next: what is asked then ends
// with the line and has another bound, and still costs no forward.
func TestBlockTakenByLines(t *testing.T) {
	s := newScript(play)
	e := New(s.model(false), s, Options{MemoryTokens: -1})
	defer e.Close()
	at := strings.Index(play, "\tvalue7")
	lines := func(decided string) (int, string) {
		if n := strings.Count(decided, "\n"); n >= 3 {
			return strings.LastIndexByte(decided, '\n'), "block"
		}
		return len(decided), ""
	}
	req := Request{Document: "a", Prefix: play[:at+1], MaxTokens: 190, Stop: lines, Candidates: 2}
	block, err := e.Generate(context.Background(), req)
	if err != nil || block.Stop != "block" || strings.Count(block.Text, "\n") != 2 {
		t.Fatalf("%+v, %v", block, err)
	}
	line := req
	line.Candidates, line.MaxTokens, line.Stop, line.MinLogProb = 0, 64, oneLine, -5
	for n := range block.Text {
		if n == 0 || block.Text[n] == '\n' || !utf8.RuneStart(block.Text[n]) {
			continue
		}
		line.Prefix = req.Prefix + block.Text[:n]
		rest, err := e.Generate(context.Background(), line)
		want, _, _ := strings.Cut(block.Text[n:], "\n")
		if err != nil || rest.Forwards != 0 || rest.Text != want || rest.Stop != "line" && strings.Contains(block.Text[n:], "\n") {
			t.Fatalf("after %q: %+v, %v", block.Text[:n], rest, err)
		}
	}
	line.Prefix, line.MaxTokens = req.Prefix, 2
	if short, err := e.Generate(context.Background(), line); err != nil || short.Tokens > 2 {
		t.Errorf("more than was asked for: %+v, %v", short, err)
	}
}
