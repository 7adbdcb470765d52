package cuda

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/seedling-lsp/seedling/cuda/driver"
	"github.com/seedling-lsp/seedling/cuda/kernels"
	"github.com/seedling-lsp/seedling/cuda/ptx"
	"github.com/seedling-lsp/seedling/engine/backend"
	"github.com/seedling-lsp/seedling/engine/denoise"
)

// oracle is a device of which only the kernel decide runs. What the network would answer is
// made up from the rows that stand in its memory: the same for the same rows.
type oracle struct {
	altered
	s      *shape
	forbid driver.Ptr
	seed   uint64
	names  map[driver.Function]string
	passes int // with rows
	tokens denoise.Tokens
}

func (o *oracle) Function(m driver.Module, name string) (driver.Function, error) {
	f, err := o.Interpreter.Function(m, name)
	o.names[f] = name
	return f, err
}

func read[T any](d driver.Driver, p driver.Ptr, n int) []T {
	out := make([]T, n)
	if n > 0 {
		if err := d.Read(p, raw(out)); err != nil {
			panic(err)
		}
	}
	return out
}

func (o *oracle) Launch(f driver.Function, grid, block [3]int, params []byte) error {
	switch o.names[f] {
	case "decide":
		return o.Interpreter.Launch(f, grid, block, params)
	case "answer":
		a := arg[answerArg](params)
		h := read[headerArg](o.Interpreter, a.Head, 1)[0]
		if h.Rows > 0 {
			o.passes++
		}
		info := read[rowArg](o.Interpreter, a.Head+16, int(h.Rows))
		words := up(o.s.VocabSize, 32)
		forbid := read[uint32](o.Interpreter, o.forbid+driver.Ptr(4*int(h.Set)*words), words)
		return o.Write(a.Out, o.answers(h, info, func(t backend.TokenID) bool { return forbid[t/32]>>(t%32)&1 != 0 }))
	}
	return nil
}

// answers are 32 bytes for each row that asks. Certainties are few, so that there are many
// ties; decided cells are mostly left alone.
func (o *oracle) answers(h headerArg, info []rowArg, forbidden func(backend.TokenID) bool) []byte {
	sum := fnv(o.seed)
	for _, r := range info {
		if r.Canvas == 1 {
			sum = fnv(sum, uint64(r.Pos), uint64(r.Token))
		}
	}
	out := make([]byte, 32*h.Asked)
	for i, r := range info {
		if r.Ask < 0 {
			continue
		}
		rnd := rand.New(rand.NewPCG(sum, uint64(r.Pos)))
		draw := func() backend.TokenID {
			for {
				t := backend.TokenID(rnd.IntN(o.s.VocabSize))
				if k := rnd.IntN(40); k == 0 {
					t = o.tokens.End
				} else if k < 6 && o.tokens.Delete >= 0 {
					t = []backend.TokenID{o.tokens.Delete, o.tokens.Insert}[k&1]
				}
				if !forbidden(t) {
					return t
				}
			}
		}
		best := draw()
		if r.Canvas == 1 && r.Token != int32(o.tokens.Mask) && i+1 < len(info) && rnd.IntN(3) > 0 {
			best = backend.TokenID(info[i].Token) // mostly what stands there, or before it
		}
		second := draw()
		for second == best {
			second = draw()
		}
		p := []float32{1, 0.95, 0.95, 0.9, 0.7, 0.5, 0.5, 0.3}[rnd.IntN(8)]
		if p == 1 && rnd.IntN(2) == 0 {
			second = backend.NoToken
		}
		first := float32(rnd.IntN(5))
		at := out[32*r.Ask:]
		put := func(j int, v uint32) { binary.LittleEndian.PutUint32(at[4*j:], v) }
		put(0, math.Float32bits(first))
		put(1, math.Float32bits(first-float32(rnd.IntN(4))*0.5))
		put(2, math.Float32bits(1/p))
		put(4, uint32(best))
		put(5, uint32(second))
	}
	return out
}

func fnv(h uint64, more ...uint64) uint64 {
	for _, m := range more {
		h = (h ^ m) * 0x100000001b3
		h ^= h >> 29
	}
	return h
}

// passByPass hides that a backend can decide by itself.
type passByPass struct{ backend.Backend }

// TestDecide holds the kernel decide to the rules of engine/denoise: whole answers, with every
// kind of decision (ties, forbidden tokens, Fast-dLLM's rule, revision, deletion, insertion,
// the end in the middle, canvases of one and of many cells, shifted and not), made by the host
// pass for pass and by the device ahead. They must be the same, and the host must never have
// had to decide otherwise than the device.
func TestDecide(t *testing.T) {
	seen, err := decides(kernels.PTX, 150)
	if err != nil {
		t.Fatal(err)
	}
	if seen.waits > seen.passes*2/3 {
		t.Error("hardly any wait was spared")
	}
	t.Logf("%d blocks of %d passes were waited for %d times; %d passes in vain", seen.blocks, seen.passes, seen.waits, seen.vain)
}

type decisions struct{ waits, passes, blocks, vain int }

// decides writes so many answers with an image's kernel decide, and says what is wrong.
func decides(image string, cases int) (seen decisions, err error) {
	r := rand.New(rand.NewPCG(3, 3))
	dev := &oracle{altered: altered{interpreter(ptx.Options{Blocks: 1}), image}, names: map[driver.Function]string{}}
	rec := driver.Record(dev)
	be, err := New(random(dims{16, 16, 1, 1, 1, 16, 40, false, true}), rec, Options{Rows: 96, Positions: 250, Sequences: 3, Plain: true})
	if err != nil {
		return seen, err
	}
	defer be.Close()
	dev.s, dev.forbid = &be.shape, be.ws.forbid
	for i := range cases {
		opt := denoise.Options{BlockSize: []int{1, 2, 8, 13, 40}[r.IntN(5)], MaxTokens: 1 + r.IntN(70), Shift: r.IntN(2) == 0, Revises: r.IntN(3) > 0, Score: r.IntN(2) == 0,
			Tokens: denoise.Tokens{Mask: 0, End: 1, Delete: 7, Insert: 8, Never: []backend.TokenID{2, 3}}}
		if r.IntN(4) == 0 {
			opt.Tokens.Delete, opt.Tokens.Insert = backend.NoToken, backend.NoToken
		}
		opt.Threshold = []float32{0.9, 0.95, 0.5, 2}[r.IntN(4)]
		opt.Factor = []float32{0, 0, 1, 2.5}[r.IntN(4)]
		opt.Revise = []float32{0.9, 0.5, 0.3}[r.IntN(3)]
		opt.RevisePasses = []int{4, 1, 9}[r.IntN(3)]
		dev.seed, dev.tokens = uint64(i), opt.Tokens
		write := func(b backend.Backend) (denoise.Result, error) {
			seq, err := b.Fork(backend.Root)
			if err != nil {
				return denoise.Result{}, err
			}
			defer b.Release(seq)
			pending := make([]backend.TokenID, 1+i%70)
			for j := range pending {
				pending[j] = backend.TokenID(9 + (i*j)%30)
			}
			return denoise.Run(context.Background(), b, seq, pending, opt)
		}
		want, err := write(passByPass{be})
		if err != nil {
			return seen, err
		}
		reads, made := rec.Count["Read"], dev.passes
		got, err := write(be)
		if err != nil {
			return seen, fmt.Errorf("case %d, %+v: %w", i, opt, err)
		}
		if !slices.Equal(got.Decided, want.Decided) || got.Forwards != want.Forwards || got.Reason != want.Reason || got.Blocks != want.Blocks || !slices.Equal(got.LogProbs, want.LogProbs) {
			return seen, fmt.Errorf("case %d, %+v: the device writes %v in %d forwards and %d blocks (%v), the host %v in %d and %d (%v)", i, opt,
				got.Decided, got.Forwards, got.Blocks, got.Reason, want.Decided, want.Forwards, want.Blocks, want.Reason)
		}
		vain := dev.passes - made - got.Forwards
		if vain < 0 || vain > 0 && got.Reason != denoise.Budget { // which ends a block that would yet be revised
			return seen, fmt.Errorf("case %d, %+v: %d passes were made in vain", i, opt, vain)
		}
		seen.waits, seen.passes, seen.blocks, seen.vain = seen.waits+rec.Count["Read"]-reads, seen.passes+got.Forwards, seen.blocks+got.Blocks, seen.vain+vain
	}
	return seen, nil
}

// TestDecideFaults is TestFaults for the kernel decide, with every barrier of its warp taken
// away in turn. The first and the last are left out: they keep the lanes' reads of global memory before the first
// lane's writes, which no interpreter that runs a warp as one can miss.
func TestDecideFaults(t *testing.T) {
	faults := []struct {
		pattern string
		n       int
		with    string
	}{
		{`setp\.gt\.f32`, 0, "setp.lt.f32"},                                       // the worst first
		{`setp\.eq\.f32`, 0, "setp.ne.f32"},                                       // the order of equals
		{`setp\.lt\.f32`, 0, "setp.le.f32"},                                       // Fast-dLLM's bound
		{`setp\.ge\.f32`, 0, "setp.gt.f32"},                                       // the threshold
		{`setp\.ltu\.f32`, 0, "setp.leu.f32"},                                     // what is revised
		{`ex2\.approx\.ftz\.f32`, 0, "rcp.rn.f32"},                                // the runner-up's probability
		{`vote\.sync\.any\.pred\s+(%p\d+), %p\d+`, 0, "vote.sync.any.pred $1, 0"}, // what was tried
		{`brev\.b32`, 0, "mov.b32"},                                               // the last end for the first
	}
	const barrier = `bar\.warp\.sync[^;]*;`
	for n := 1; n < 5; n++ {
		f := faults[0]
		f.pattern, f.n, f.with = barrier, n, ""
		faults = append(faults, f)
	}
	text := kernels.PTX[strings.Index(kernels.PTX, ".entry decide("):]
	if n := len(regexp.MustCompile(barrier).FindAllString(text[:strings.Index(text, "\n}")], -1)); n != 6 {
		t.Errorf("decide has %d barriers: which of them are left out?", n)
	}
	for _, f := range faults {
		t.Run(fmt.Sprintf("%s %d", f.pattern, f.n), func(t *testing.T) {
			t.Parallel()
			_, err := decides(nth(t, kernels.PTX, "decide", f.pattern, f.n, f.with), 150)
			if err == nil {
				t.Error("is not missed")
			} else {
				t.Logf("%.200v", err)
			}
		})
	}
}
