package cuda

import (
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/seedling-lsp/seedling/engine/backend"
)

// TestPages forks, extends, cuts and releases at random, and asks after each step that every
// sequence still reads what it wrote: a page given to two, or freed under one, would be keys of
// another text in an answer. At the end all pages are free.
func TestPages(t *testing.T) {
	const slots, most = 6, 300
	r := rand.New(rand.NewPCG(1, 2))
	pages := slots * up(most, pageSize)
	p := newPager(pages)
	memory := make([][pageSize]int, pages) // what stands on the device
	wrote := map[backend.Sequence][]int{backend.Root: nil}
	next, copies := backend.Sequence(1), 0
	for step := range 20000 {
		all := slices.Sorted(maps.Keys(wrote))
		seq := all[r.IntN(len(all))]
		have := len(wrote[seq])
		switch op := r.IntN(8); {
		case op == 0 && len(wrote) <= slots:
			p.fork(next, seq, have)
			wrote[next] = slices.Clone(wrote[seq])
			next++
		case op == 1 && seq != backend.Root:
			n := r.IntN(have + 1)
			p.truncate(seq, n)
			wrote[seq] = wrote[seq][:n]
		case op == 2 && seq != backend.Root:
			p.release(seq)
			delete(wrote, seq)
		case seq != backend.Root:
			n := min(most, have+1+r.IntN(100))
			if err := p.extend(seq, have, n, func(to, from int32) error { copies++; memory[to] = memory[from]; return nil }); err != nil {
				t.Fatalf("step %d: %v", step, err)
			}
			if r.IntN(4) == 0 {
				break // the pass failed: nothing was written, and the length stays
			}
			for i := have; i < n; i++ {
				memory[p.table[seq][i/pageSize]][i%pageSize] = step
				wrote[seq] = append(wrote[seq], step)
			}
		}
		for seq, want := range wrote {
			for i, v := range want {
				if got := memory[p.table[seq][i/pageSize]][i%pageSize]; got != v {
					t.Fatalf("step %d: token %d of sequence %d is of step %d, want %d", step, i, seq, got, v)
				}
			}
		}
	}
	for seq := range wrote {
		p.release(seq)
	}
	if len(p.free) != pages || copies == 0 {
		t.Errorf("%d of %d pages are free, %d copies were made", len(p.free), pages, copies)
	}
}
