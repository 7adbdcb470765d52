package cuda

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/seedling-lsp/seedling/cuda/kernels"
	"github.com/seedling-lsp/seedling/cuda/ptx"
	"github.com/seedling-lsp/seedling/engine/backend"
	"github.com/seedling-lsp/seedling/engine/cpu"
)

// entries are the kernels of the image with what stands between their braces.
var entries = regexp.MustCompile(`(?s)\.entry (\w+)\(.*?\n\}`)

// everywhere replaces match n of a pattern in each of the kernels whose names begin so, and
// says how often the pattern stands in them at most.
func everywhere(name, pattern string, n int, with func(string) string) (string, int) {
	re, most := regexp.MustCompile(pattern), 0
	image := entries.ReplaceAllStringFunc(kernels.PTX, func(k string) string {
		if !strings.HasPrefix(k, ".entry "+name) {
			return k
		}
		all := re.FindAllStringIndex(k, -1)
		most = max(most, len(all))
		if n >= len(all) {
			return k
		}
		at := all[n]
		return k[:at[0]] + with(k[at[0]:at[1]]) + k[at[1]:]
	})
	return image, most
}

// synchronisation is what keeps threads in order: each piece of it, taken away, must be
// missed, in whichever kernel it stands.
var synchronisation = []struct {
	name, pattern string
	with          func(was string) string
}{
	{"barrier", `bar\.sync[^;]*;`, func(string) string { return "" }},
	{"wait for copies", `cp\.async\.wait_group [1-8];`, func(was string) string { // one too few
		return was[:len(was)-2] + string(was[len(was)-2]+1) + ";"
	}},
	{"acquire", `ld\.acquire\.gpu`, func(string) string { return "ld.relaxed.gpu" }},
	{"fence", `membar\.gl;`, func(string) string { return "" }},
}

// TestSynchronisation takes away every barrier, wait and fence of the kernels, one at a time,
// and asks that the interpreter misses it. One that is not missed is too much, or stands where
// no test comes by: both have to be known.
func TestSynchronisation(t *testing.T) {
	s := dims{200, 100, 1, 4, 2, 72, 330, false, true} // four tiles of k: the last lies where the first lay
	w := random(s)
	ref, err := cpu.New(w, cpu.Options{ISA: cpu.Reference})
	if err != nil {
		t.Fatal(err)
	}
	ref.Fork(backend.Root)
	ref.Fork(backend.Root)
	few := mixed(1, 2, 48) // of four rows: other variants of the kernels
	few.Rows = few.Rows[:4]
	batches := []backend.Batch{mixed(1, 2, 0), mixed(1, 2, 24), few} // the second sees three tiles of keys
	var want [3][]backend.Top
	for i, b := range batches {
		if want[i], err = ref.Forward(context.Background(), b); err != nil {
			t.Fatal(err)
		}
		ref.Truncate(2, 0)
	}
	run := func(image string, timing ptx.Timing, parts int) error {
		be, err := New(w, altered{interpreter(ptx.Options{Copies: timing}), image}, Options{Splits: 3, Parts: parts, Rows: 64, Positions: 64, Sequences: 2})
		if err != nil {
			return err
		}
		defer be.Close()
		be.Fork(backend.Root)
		be.Fork(backend.Root)
		for i, b := range batches {
			got, err := be.Forward(context.Background(), b)
			if err == nil {
				_, err = compare(got, want[i], tolerance)
			}
			if err != nil {
				return err
			}
			be.Truncate(2, 0)
		}
		return nil
	}
	if err := errors.Join(run(kernels.PTX, ptx.Late, 2), run(kernels.PTX, ptx.Early, 1)); err != nil {
		t.Fatal(err)
	}
	families := map[string]bool{}
	for _, m := range entries.FindAllStringSubmatch(kernels.PTX, -1) {
		families[strings.TrimRight(m[1], "_0123456789")] = true
	}
	for f := range families {
		for _, s := range synchronisation {
			_, n := everywhere(f, s.pattern, 1<<30, s.with)
			for i := range n {
				id := fmt.Sprintf("%s: %s %d", f, s.name, i)
				t.Run(id, func(t *testing.T) {
					t.Parallel()
					image, _ := everywhere(f, s.pattern, i, s.with)
					var err error
					for _, parts := range []int{2, 1} { // merged, and three tiles of keys in a row
						for _, timing := range []ptx.Timing{ptx.Late, ptx.Early} {
							if err == nil {
								err = run(image, timing, parts)
							}
						}
					}
					var fault *ptx.Fault
					if err == nil {
						t.Error("is not missed")
					} else if !errors.As(err, &fault) {
						t.Logf("found by its answers alone: %v", err)
					} else {
						t.Log(fault)
					}
				})
			}
		}
	}
}
