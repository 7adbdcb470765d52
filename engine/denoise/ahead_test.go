package denoise

import (
	"context"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/seedling-lsp/seedling/engine/backend"
)

// seer is a device that decides by itself, by the rules of this package, and that errs now and
// then: a token, a question or the kind of a pass is not what the decoder would have.
type seer struct {
	*fake
	r     *rand.Rand
	errs  int // of 10 passes
	waits int
}

func (s *seer) ForwardAhead(ctx context.Context, b backend.Batch, r backend.Rule, n int) ([]backend.Pass, error) {
	s.waits++
	tops, err := s.Forward(ctx, b)
	if err != nil {
		return nil, err
	}
	passes := []backend.Pass{{Rows: slices.Clone(b.Rows), Revising: r.Revising, Tops: tops}}
	opt := Options{Settings: Settings{Threshold: r.Threshold, Factor: r.Factor, Revise: r.Revise}, Tokens: Tokens{Mask: r.Mask, End: r.End, Delete: r.Delete, Insert: r.Insert}}
	c := &canvas{opt: &opt, limit: r.Limit, passes: r.Passes, revise: r.Revising, tried: map[attempt]struct{}{}}
	for _, t := range r.Cells {
		c.cells = append(c.cells, Cell{Token: t, Masked: t == r.Mask})
	}
	for _, t := range r.Tried {
		c.tried[attempt{t.Cell, t.Token}] = struct{}{}
	}
	seq := b.Rows[0].Seq
	was, forwards := s.seqs[seq], s.forwards
	defer func() { s.seqs[seq], s.forwards = was, forwards }()
	s.seqs[seq] = slices.Clone(was[:r.Context])
	for range n - 1 {
		asked := 0
		for _, row := range c.ask() {
			if row.ask {
				asked++
			}
		}
		_, finished := c.step(tops[len(tops)-asked:])
		rows := []backend.Row{}
		add := func(t backend.TokenID, ask bool) {
			row := backend.Row{Seq: seq, Token: t, Pos: int32(r.Context + len(rows)), Kind: backend.Canvas, Target: backend.NoToken}
			if ask {
				row.Want = backend.WantTop
			}
			rows = append(rows, row)
		}
		cells := c.ask()
		visible := slices.ContainsFunc(cells, func(c canvasRow) bool { return c.token != r.Mask })
		if finished || r.Lead >= 0 && !visible {
			break
		}
		for i, cell := range cells {
			if r.Lead < 0 {
				add(cell.token, cell.ask)
				continue
			}
			if i == 0 {
				add(r.Lead, cell.ask)
			}
			if next := i+1 < len(cells); next || cell.token != r.Mask {
				add(cell.token, next && cells[i+1].ask)
			}
		}
		forbid := r.Bounded
		if c.revise {
			forbid = r.Full
		}
		if tops, err = s.Forward(ctx, backend.Batch{Rows: rows, Forbid: forbid}); err != nil {
			return nil, err
		}
		p := backend.Pass{Rows: rows, Revising: c.revise, Tops: tops}
		if s.r.IntN(10) < s.errs {
			p.Rows = slices.Clone(rows)
			i := s.r.IntN(len(rows))
			switch s.r.IntN(3) {
			case 0:
				p.Rows[i].Token++
			case 1:
				p.Rows[i].Want ^= backend.WantTop
			default:
				p.Revising = !p.Revising
			}
			p.Tops = nil // nobody may look at them
		}
		passes = append(passes, p)
	}
	return passes, nil
}

// TestAhead: a device that decides by itself changes nothing of an answer, whether it is right
// or wrong, and spares waits where it is right.
func TestAhead(t *testing.T) {
	spared := [2]int{}
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 9))
		model := func() *fake {
			f := newFake(seed)
			f.agree, f.revise, f.shift, f.enders = seed%11, seed/3%4, seed%2 == 0, float64(seed%5)/2
			return f
		}
		opt := Options{Mode: Diffusion, BlockSize: 1 + r.IntN(12), MaxTokens: 1 + r.IntN(40), Tokens: fakeTokens, Shift: seed%2 == 0, Revises: r.IntN(3) > 0, Score: r.IntN(2) == 0}
		opt.Threshold = []float32{0.9, 0.3, 2}[r.IntN(3)]
		write := func(b backend.Backend) Result {
			seq, _ := b.Fork(backend.Root)
			res, err := Run(context.Background(), b, seq, []backend.TokenID{firstText, firstText + 1, firstText + 2}, opt)
			if err != nil {
				t.Fatal(err)
			}
			return res
		}
		plain := model()
		want := write(plain)
		for errs := range 2 {
			s := &seer{fake: model(), r: r, errs: 4 * errs}
			got := write(s)
			if !reflect.DeepEqual(got, want) || s.Len(1) != plain.Len(1) {
				t.Fatalf("seed %d, %d of 10 wrong: %+v, want %+v", seed, s.errs, got, want)
			}
			spared[errs] += got.Forwards - s.waits
		}
	}
	if spared[0] <= spared[1] || spared[1] <= 0 {
		t.Errorf("waits spared: %d, and %d where the device errs", spared[0], spared[1])
	}
	t.Logf("waits spared: %d, and %d where the device errs", spared[0], spared[1])
}
