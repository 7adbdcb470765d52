package eval

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"path"
	"strings"

	"github.com/seedling-lsp/seedling/engine"
	"github.com/seedling-lsp/seedling/engine/backend"
	"github.com/seedling-lsp/seedling/engine/memory"
	"github.com/seedling-lsp/seedling/engine/model"
	"github.com/seedling-lsp/seedling/engine/tokenizer"
)

// MemoryReport is the answer of `seedling eval memory`: what the memory of the code around
// is worth to a model.
type MemoryReport struct {
	Model  string `json:"model"`
	Files  int    `json:"files"`
	Seed   uint64 `json:"seed"`
	Tokens int    `json:"tokens"`
	Bytes  int    `json:"bytes"`
	// Nats a token, bits a byte, and the share of tokens that the best guess names: of the
	// model alone, and with memory.
	Alone MemoryScore `json:"alone"`
	Mixed MemoryScore `json:"mixed"`
	// Gain is by how many bits a byte memory helps, GainCI95 its 95 % interval of places drawn
	// anew (percentile bootstrap).
	Gain     float64    `json:"gain_bits_per_byte"`
	GainCI95 [2]float64 `json:"gain_ci95"`
	// Guesses by match and agreement, as package memory's table has them.
	Guesses []GuessRow `json:"guesses"`
}

// MemoryScore is how well text was foretold.
type MemoryScore struct {
	Nats  float64 `json:"nats"`
	Bits  float64 `json:"bits_per_byte"`
	Right float64 `json:"right"`
}

// GuessRow is what guesses of one kind were worth.
type GuessRow struct {
	Match     int     `json:"match"`
	Agreement int     `json:"agreement"`
	N         int     `json:"n"`
	Weight    float64 `json:"weight"` // in use
	Best      float64 `json:"best"`   // weight that would have been best here
	Right     float64 `json:"right"`  // share of first continuations that are the truth
	Model     float64 `json:"model"`  // share of the model's best tokens that are
}

// guessed is a token with what the model and the memory said of it.
type guessed struct {
	p, share     float64 // of the truth
	guess        memory.Guess
	model, first bool // the best of each is the truth
	mixed        bool
}

// mix is the probability of the truth by model and memory.
func (o guessed) mix() float64 {
	w := float64(o.guess.Weight())
	return (1-w)*o.p + w*o.share
}

// Memory reads up to 256 tokens at a random place of each of n random files causally, after
// up to 600, and asks the memory of the file's other text and of its folder's other files
// about each of them.
func Memory(ctx context.Context, b backend.Backend, c model.Config, tok *tokenizer.Tokenizer, name string, files []File, n int, seed uint64, progress func(done int)) (MemoryReport, error) {
	rep := MemoryReport{Model: name, Seed: seed}
	encode := func(text string) []backend.TokenID { return tokenizer.Encode[backend.TokenID](tok, nil, text) }
	folders := map[string][]File{}
	for _, f := range files {
		folders[path.Dir(f.Path)] = append(folders[path.Dir(f.Path)], f)
	}
	r := rand.New(rand.NewPCG(seed, 77))
	var all []guessed
	var places []reading
	for i := range n {
		f := files[r.IntN(len(files))]
		ids := encode(f.Text)
		at := r.IntN(max(1, len(ids)-64))
		end := min(at+256, len(ids))
		store := memory.NewStore(0)
		for _, other := range folders[path.Dir(f.Path)] {
			if other.Path != f.Path {
				store.Put(other.Path, encode(other.Text))
			}
		}
		some, err := recite(ctx, b, c.Seedling.Tokens, encode(f.Path), ids[max(0, at-600):at], ids[at:end],
			memory.Recall(ids[max(0, at-8192):at], ids[end:min(len(ids), end+4096)], memory.Source{Store: store}))
		if err != nil {
			return rep, fmt.Errorf("%s: %w", f.Path, err)
		}
		all = append(all, some...)
		rep.Files++
		place := reading{tokens: len(some), asked: len(some), hidden: len(some), bytes: tokenizer.Length(tok, ids[at:end])}
		for _, o := range some {
			place.nats -= math.Log(o.p)
			place.bound -= math.Log(o.mix())
		}
		places = append(places, place)
		rep.Bytes += place.bytes
		if progress != nil {
			progress(i + 1)
		}
	}
	rep.Tokens = len(all)
	if rep.Tokens == 0 {
		return rep, fmt.Errorf("the files are too short to measure on")
	}
	perByte := float64(rep.Bytes) / float64(rep.Tokens)
	for _, o := range all {
		rep.Alone.Nats -= math.Log(o.p)
		rep.Mixed.Nats -= math.Log(o.mix())
		rep.Alone.Right += one(o.model)
		rep.Mixed.Right += one(o.mixed)
	}
	for _, s := range []*MemoryScore{&rep.Alone, &rep.Mixed} {
		s.Nats /= float64(len(all))
		s.Right /= float64(len(all))
		s.Bits = s.Nats / math.Ln2 / perByte
	}
	rep.Gain, rep.GainCI95 = rep.Alone.Bits-rep.Mixed.Bits, gainInterval(places, seed)
	rep.Guesses = guessRows(all)
	return rep, nil
}

// recite reads text after before, and gives what was said of each token of it.
func recite(ctx context.Context, b backend.Backend, t model.SpecialTokens, name, before, text []backend.TokenID, m *memory.Recollection) ([]guessed, error) {
	context := engine.Layout(t, engine.Input{Path: name, Prefix: before})
	ids := append(context, text...)
	seq, err := b.Fork(backend.Root)
	if err != nil {
		return nil, err
	}
	defer b.Release(seq)
	var out []guessed
	for at := 0; at < len(ids)-1; at += 256 {
		var rows []backend.Row
		for j := at; j < min(at+256, len(ids)-1); j++ {
			row := backend.Row{Seq: seq, Token: ids[j], Pos: int32(j)}
			if j+1 >= len(context) {
				row.Want, row.Target = backend.WantTop|backend.WantTarget, ids[j+1]
			}
			rows = append(rows, row)
		}
		tops, err := b.Forward(ctx, backend.Batch{Rows: rows, Forbid: []backend.TokenID{t.Mask}})
		if err != nil {
			return nil, err
		}
		for _, top := range tops {
			truth := text[len(out)]
			g := m.Guess(text[:len(out)])
			o := guessed{p: math.Exp(float64(top.TargetLog)), share: float64(g.Share(truth)), guess: g, model: top.Best == truth}
			o.mixed = o.model
			if w := float64(g.Weight()); w > 0 {
				o.first = g.Said[0].Token == truth
				// Of a first continuation that is neither the truth nor the model's best
				// the likelihood is not asked here: it counts as the memory's alone.
				first := w * float64(g.Said[0].Share)
				if o.first {
					first += (1 - w) * o.p
				}
				if g.Said[0].Token != top.Best && first > (1-w)*float64(top.Prob)+w*float64(g.Share(top.Best)) {
					o.mixed = o.first
				}
			} else if len(g.Said) > 0 {
				o.first = g.Said[0].Token == truth
			}
			out = append(out, o)
		}
	}
	return out, nil
}

// guessRows are the rows of the report, with the weights that would have been best.
func guessRows(all []guessed) []GuessRow {
	kinds := map[[2]int][]guessed{}
	for _, o := range all {
		k := [2]int{o.guess.Match, o.guess.Agreement()}
		kinds[k] = append(kinds[k], o)
	}
	var out []GuessRow
	for match := memory.Least; match <= memory.Longest; match++ {
		for agreement := range 4 {
			some := kinds[[2]int{match, agreement}]
			if len(some) == 0 {
				continue
			}
			row := GuessRow{Match: match, Agreement: agreement, N: len(some), Weight: float64(some[0].guess.Weight())}
			least := math.Inf(1)
			for w := 0.0; w < 0.99; w += 0.02 {
				nats := 0.0
				for _, o := range some {
					nats -= math.Log((1-w)*o.p + w*o.share + 1e-12)
				}
				if nats < least {
					least, row.Best = nats, w
				}
			}
			for _, o := range some {
				row.Right += one(o.first) / float64(len(some))
				row.Model += one(o.model) / float64(len(some))
			}
			out = append(out, row)
		}
	}
	return out
}

func one(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// Table is the report for people.
func (r MemoryReport) Table() string {
	var s strings.Builder
	fmt.Fprintf(&s, "%s, %d places, %d tokens\n", r.Model, r.Files, r.Tokens)
	for _, x := range []struct {
		name string
		MemoryScore
	}{{"model alone", r.Alone}, {"with memory", r.Mixed}} {
		fmt.Fprintf(&s, "%s  %.3f nats/token  %.3f bits/byte  best guess right %.1f %%\n", x.name, x.Nats, x.Bits, 100*x.Right)
	}
	fmt.Fprintf(&s, "memory is worth %.3f bits/byte (95 %% %.3f to %.3f)\n", r.Gain, r.GainCI95[0], r.GainCI95[1])
	fmt.Fprintf(&s, "\n%5s %9s %7s %7s %7s %7s %7s\n", "match", "agreement", "n", "weight", "best", "right", "model")
	for _, g := range r.Guesses {
		fmt.Fprintf(&s, "%5d %9d %7d %7.2f %7.2f %6.1f%% %6.1f%%\n", g.Match, g.Agreement, g.N, g.Weight, g.Best, 100*g.Right, 100*g.Model)
	}
	return s.String()
}
