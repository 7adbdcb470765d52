package denoise

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/seedling-lsp/seedling/engine/backend"
)

// TestReader reads drafts in an order that jumps about, with and without shift, in passes of
// few rows, and compares each answer with that of a fresh sequence: were the sequence cut at
// the wrong place, what a draft is worth would depend on which was read before it.
func TestReader(t *testing.T) {
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 5))
		f := newFake(seed)
		f.shift, f.revise = seed%2 == 0, 3
		f.limits.Rows = 8 + r.IntN(40)
		context1 := []backend.TokenID{marker, 9, 11, 13}[:1+r.IntN(4)]
		seq, _ := f.Fork(backend.Root)
		f.seqs[seq] = append(f.seqs[seq], context1[:len(context1)-r.IntN(2)]...)
		reader, err := NewReader(f, seq, context1, fakeTokens, f.shift)
		if err != nil {
			t.Fatal(err)
		}
		base := make([]backend.TokenID, 6+r.IntN(20))
		for i := range base {
			base[i] = firstText + backend.TokenID(r.IntN(vocab-int(firstText)))
		}
		for range 12 {
			draft := append([]backend.TokenID(nil), base[:r.IntN(len(base)+1)]...)
			for range 1 + r.IntN(5) {
				draft = append(draft, firstText+backend.TokenID(r.IntN(vocab-int(firstText))))
			}
			fresh, _ := f.Fork(backend.Root)
			f.seqs[fresh] = append(f.seqs[fresh], context1[:len(context1)-1]...)
			other, err := NewReader(f, fresh, context1, fakeTokens, f.shift)
			if err != nil {
				t.Fatal(err)
			}
			from := r.IntN(len(draft))
			var got, want []backend.Top
			if width := f.limits.Rows - 1; r.IntN(3) == 0 && len(draft)-from >= 1 {
				to := min(len(draft), from+1+r.IntN(width))
				if f.shift && to-from < 2 {
					continue // a canvas of one asks nothing that the fake would check
				}
				got, err = reader.Revise(context.Background(), draft, from, to)
				if err == nil {
					want, err = other.Revise(context.Background(), draft, from, to)
				}
			} else {
				to := from + 1 + r.IntN(len(draft)+1-from)
				got, err = reader.Read(context.Background(), draft, from, to)
				if err == nil {
					want, err = other.Read(context.Background(), draft, from, to)
				}
				if err == nil && len(got) != to-from {
					t.Fatalf("seed %d: %d answers of %d", seed, len(got), to-from)
				}
			}
			if err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			for i := range got {
				a, b := got[i], want[i]
				if a.Best != b.Best || math.Abs(float64(a.TargetLog-b.TargetLog)) > 1e-6 {
					t.Fatalf("seed %d: answer %d of %v from %d is %+v, fresh %+v", seed, i, draft, from, a, b)
				}
			}
		}
	}
}

// TestReaderRefuses: what makes no sense is an error and no forward; a cancelled read leaves
// the reader usable.
func TestReaderRefuses(t *testing.T) {
	f := newFake(1)
	seq, _ := f.Fork(backend.Root)
	if _, err := NewReader(f, seq, []backend.TokenID{marker, 9, 10}, fakeTokens, true); err == nil {
		t.Error("a context that was not read is taken")
	}
	f.seqs[seq] = []backend.TokenID{marker}
	r, err := NewReader(f, seq, []backend.TokenID{marker, 9}, fakeTokens, true)
	if err != nil {
		t.Fatal(err)
	}
	draft := []backend.TokenID{10, 11, 12}
	for _, span := range [][2]int{{-1, 2}, {2, 1}, {0, 5}} {
		if _, err := r.Read(context.Background(), draft, span[0], span[1]); err == nil {
			t.Errorf("%v is read", span)
		}
	}
	if _, err := r.Revise(context.Background(), draft, 1, 1); err == nil {
		t.Error("an empty canvas is revised")
	}
	if f.forwards != 0 {
		t.Errorf("%d forwards", f.forwards)
	}
	why := errors.New("why")
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(why)
	if _, err := r.Read(ctx, draft, 0, 3); !errors.Is(err, why) {
		t.Errorf("%v", err)
	}
	if tops, err := r.Read(context.Background(), draft, 0, 4); err != nil || len(tops) != 4 {
		t.Errorf("%v, %v", tops, err)
	}
}
