package cuda

import (
	"context"
	"fmt"
	"math"
	"testing"

	"github.com/seedling-lsp/seedling/cuda/ptx"
	"github.com/seedling-lsp/seedling/engine/backend"
)

// TestTraffic holds the plan of each kernel to what the interpreter counts: the sectors that
// warps ask for and write, within 2 %. A kernel that read a tile of weights twice would be
// right, and half as fast; a plan that forgot what is read beside weights would promise too much.
func TestTraffic(t *testing.T) {
	for _, c := range []struct {
		dims
		rows, context, splits, parts int
		fp8                          bool
	}{
		{dims{256, 512, 2, 4, 2, 64, 2048, false, false}, 16, 0, 1, 1, false},
		{dims{256, 512, 2, 4, 2, 64, 2048, false, false}, 32, 200, 2, 3, false},
		{dims{256, 768, 1, 8, 2, 32, 1024, true, false}, 64, 130, 1, 1, false},
		{dims{256, 512, 2, 4, 2, 64, 2048, false, false}, 32, 200, 2, 3, true},
		{dims{384, 512, 1, 4, 2, 128, 1024, false, false}, 16, 100, 1, 1, true},
	} {
		t.Run(fmt.Sprintf("d%d_rows%d_fp8_%v", c.d, c.rows, c.fp8), func(t *testing.T) {
			t.Parallel()
			// A block at a time: how often one looks at a flag is no traffic of the plan's.
			dev := interpreter(ptx.Options{Blocks: 1})
			opt := Options{Splits: c.splits, Parts: c.parts, Rows: 256, Positions: 256, Sequences: 2, FP8: c.fp8}
			var be *Backend
			var err error
			if c.fp8 {
				h := hopper(t, ptx.Options{Blocks: 1})
				dev = h.Interpreter
				be, err = New(random(c.dims), h, opt)
			} else {
				be, err = New(random(c.dims), dev, opt)
			}
			if err != nil {
				t.Fatal(err)
			}
			defer be.Close()
			seq, _ := be.Fork(backend.Root)
			var context0, canvas backend.Batch
			for i := range c.context {
				context0.Rows = append(context0.Rows, backend.Row{Seq: seq, Token: backend.TokenID(i), Pos: int32(i)})
			}
			if _, err := be.Forward(context.Background(), context0); err != nil {
				t.Fatal(err)
			}
			for i := range c.rows {
				canvas.Rows = append(canvas.Rows, backend.Row{Seq: seq, Token: backend.TokenID(i), Pos: int32(c.context + i), Kind: backend.Canvas, Want: backend.WantTop})
			}
			dev.Machine.ResetCounters()
			if _, err := be.Forward(context.Background(), canvas); err != nil {
				t.Fatal(err)
			}
			counted := map[string]ptx.Counters{}
			for name, n := range dev.Machine.Counters() {
				counted[kindOf(name)] = n
			}
			for _, p := range be.shape.costs(c.rows, 0, c.rows, be.shape.spans(c.rows, c.context)) {
				n := counted[p.Kernel]
				asked, written := float64(n.LoadedSectors*32), float64(n.StoredSectors*32)
				t.Logf("%-9s asked %8.0f, planned %+5.1f %%; written %7.0f, planned %+5.1f %%; %d launches, weights and cache %.0f", p.Kernel, asked, 100*(p.Asked/asked-1), written, 100*(p.Written/written-1), n.Launches, p.Memory)
				if int(n.Launches) != p.Launches || math.Abs(p.Asked/asked-1) > 0.02 || math.Abs(p.Written/written-1) > 0.02 || p.Memory > asked {
					t.Errorf("%s: the plan has %.0f bytes asked and %.0f written in %d launches, counted are %.0f and %.0f in %d", p.Kernel, p.Asked, p.Written, p.Launches, asked, written, n.Launches)
				}
			}
		})
	}
}
