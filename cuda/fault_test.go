package cuda

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/seedling-lsp/seedling/cuda/driver"
	"github.com/seedling-lsp/seedling/cuda/kernels"
	"github.com/seedling-lsp/seedling/cuda/ptx"
	"github.com/seedling-lsp/seedling/engine/backend"
	"github.com/seedling-lsp/seedling/engine/cpu"
)

// nth replaces the n-th match (from 0) of a pattern inside one kernel of an image.
func nth(t *testing.T, image, kernel, pattern string, n int, with string) string {
	from := strings.Index(image, ".entry "+kernel+"(")
	if from < 0 {
		t.Fatalf("no kernel %s", kernel)
	}
	to := from + strings.Index(image[from:], "\n}")
	re := regexp.MustCompile(pattern)
	all := re.FindAllStringIndex(image[from:to], -1)
	if len(all) <= n {
		t.Fatalf("%s has %d of %q", kernel, len(all), pattern)
	}
	at := all[n]
	return image[:from+at[0]] + re.ReplaceAllString(image[from+at[0]:from+at[1]], with) + image[from+at[1]:]
}

// altered loads another image than ours.
type altered struct {
	*driver.Interpreter
	ptx string
}

func (a altered) Load([]byte) (driver.Module, error) { return a.Interpreter.Load([]byte(a.ptx)) }

// mixed is a batch that uses everything: commit with the next block's first step, a second
// sequence, targets, forbidden tokens.
func mixed(seq, other backend.Sequence, at int) backend.Batch {
	var b backend.Batch
	for i := range 40 {
		r := backend.Row{Seq: seq, Token: backend.TokenID(9 + i*7%50), Pos: int32(at + i), Want: backend.WantTop | backend.WantTarget, Target: backend.TokenID(9 + i)}
		if i >= 24 {
			r.Kind = backend.Canvas
			if i%3 > 0 {
				r.Token = 0
			}
		}
		b.Rows = append(b.Rows, r)
	}
	for i := range 8 {
		b.Rows = append(b.Rows, backend.Row{Seq: other, Token: backend.TokenID(20 + i), Pos: int32(i), Want: backend.WantTop})
	}
	b.Forbid = []backend.TokenID{0, 30, 31}
	return b
}

// TestFaults: faults seeded into the image, one at a time, are each found by the
// comparison or by the interpreter. Without it nobody knows what the conformance test sees.
func TestFaults(t *testing.T) {
	faults := []struct{ name, ptx string }{{"none", kernels.PTX}}
	add := func(kernel, pattern string, n int, with string) {
		faults = append(faults, struct{ name, ptx string }{kernel + " " + pattern + " " + with, nth(t, kernels.PTX, kernel, pattern, n, with)})
	}
	for _, k := range []string{"qkv_bf16_32", "residual_bf16_32", "mlp_bf16_32", "head_bf16_32"} {
		add(k, `cp\.async\.wait_group 1;`, 0, "cp.async.wait_group 2;") // a wait too few
		add(k, `bar\.sync`, 0, "membar.gl; //")                         // no barrier between copy and use
		add(k, `xor\.b32`, 3, "or.b32")                                 // a wrong chunk
		if k != "residual_bf16_32" {
			add(k, `rsqrt\.approx\.f32`, 0, "rcp.rn.f32") // the norm
		}
	}
	add("qkv_bf16_32", `sub\.f32`, 0, "add.f32")     // RoPE turns the wrong way
	add("qkv_bf16_32", `div\.rn\.f32`, 0, "mul.f32") // a mean that is none
	add("attention_bf16_32", `cp\.async\.wait_group 1;`, 0, "cp.async.wait_group 2;")
	add("attention_bf16_32", `bar\.sync`, 0, "membar.gl; //")
	add("attention_bf16_32", `bar\.sync`, 1, "membar.gl; //")
	add("attention_bf16_32", `\.x4\.trans`, 0, ".x4")           // keys for values
	add("attention_bf16_32", `setp\.lt\.s32`, 3, "setp.le.s32") // sees one too many, or starts a tile late
	add("attention_bf16_32", `max\.f32`, 0, "min.f32")
	add("attention_bf16_32", `shfl\.sync\.bfly\.b32[^;]*;`, 4, "mov.u32 %r1, 0;") // a sum without a neighbour
	add("mlp_bf16_32", `ex2\.approx\.ftz\.f32`, 0, "rcp.rn.f32")
	add("mlp_bf16_32", `mul\.f32`, 1, "add.f32")
	add("residual_bf16_32", `add\.f32`, 0, "sub.f32")
	add("embed_bf16", `add\.f32`, 0, "sub.f32")            // the canvas mark
	add("head_bf16_32", `setp\.gt\.f32`, 0, "setp.lt.f32") // worst for best
	add("answer", `setp\.gt\.f32`, 0, "setp.lt.f32")
	add("answer", `ex2\.approx\.ftz\.f32`, 0, "rcp.rn.f32")
	add("qkv_bf16_32", `atom\.global\.add\.u32 ([^;]*), 1;`, 0, "atom.global.add.u32 $1, 2;") // the last block is never known
	s := dims{136, 100, 1, 4, 2, 24, 2200, false, true}                                       // more tiles than a warp has lanes
	w := random(s)
	ref, err := cpu.New(w, cpu.Options{ISA: cpu.Reference})
	if err != nil {
		t.Fatal(err)
	}
	var want [2][]backend.Top
	for range 2 {
		if _, err := ref.Fork(backend.Root); err != nil {
			t.Fatal(err)
		}
	}
	for i := range want { // the second pass sees three tiles of keys
		if want[i], err = ref.Forward(context.Background(), mixed(1, 2, 24*i)); err != nil {
			t.Fatal(err)
		}
		ref.Truncate(2, 0)
	}
	t.Logf("%d faults", len(faults)-1)
	for _, f := range faults {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			var err error
			for _, copies := range []ptx.Timing{ptx.Late, ptx.Early} {
				dev := interpreter(ptx.Options{Copies: copies})
				var be *Backend
				if be, err = New(w, altered{dev, f.ptx}, Options{Splits: 2, Rows: 64, Positions: 64, Sequences: 2}); err != nil {
					break
				}
				be.Fork(backend.Root)
				be.Fork(backend.Root)
				for i := 0; i < 2 && err == nil; i++ {
					var got []backend.Top
					if got, err = be.Forward(context.Background(), mixed(1, 2, 24*i)); err == nil {
						_, err = compare(got, want[i], tolerance)
					}
					be.Truncate(2, 0)
				}
				if err != nil {
					break
				}
			}
			if (err != nil) == (f.name == "none") {
				t.Errorf("found: %v", err)
			}
		})
	}
}

// TestFaults8 is TestFaults for what e4m3 adds: the checker must find each fault.
func TestFaults8(t *testing.T) {
	image := image90(t)
	w := rounded8(dims{136, 100, 1, 4, 2, 24, 330, false, true})
	faults := []struct {
		kernel, pattern string
		n               int
		with            string
	}{
		{"none", "", 0, ""},
		{"embed_fp8", `, 2097151;`, 0, ", 0;"}, // scales too small by half
		{"mlp_fp8_32", `, 2097151;`, 0, ", 0;"},
		{"attention_fp8_32", `, 2097151;`, 0, ", 0;"},
		{"embed_fp8", `(e4m3x2\.f32 %\w+), (%\w+), (%\w+);`, 0, "$1, $3, $2;"}, // columns swapped
		{"residual_fp8_32", `(e4m3x2\.f32 %\w+), (%\w+), (%\w+);`, 0, "$1, $3, $2;"},
		{"qkv_fp8_32", `\}, \{(%r\d+), (%r\d+)\}, `, 0, "}, {$2, $1}, "}, // halves of k swapped
		{"head_fp8_32", `\}, \{(%r\d+), (%r\d+)\}, `, 3, "}, {$2, $1}, "},
		{"mlp_fp8_32", `max\.f32`, 0, "min.f32"},                                                             // the scale of the smallest
		{"attention_fp8_32", `shfl\.sync\.bfly\.b32\s+(%r\d+)\|%p\d+, (%r\d+)[^;]*;`, 10, "mov.u32 $1, $2;"}, // a scale without a neighbour
		{"qkv_fp8_32", `cp\.async\.wait_group 1;`, 0, "cp.async.wait_group 2;"},
		{"qkv_fp8_32", `ld\.shared\.v2\.f32\s+(\{[^}]*\}), \[(%rd\d+)\+32\]`, 0, "ld.shared.v2.f32 $1, [$2]"}, // another row's scale
	}
	for _, f := range faults {
		t.Run(f.kernel+" "+f.pattern, func(t *testing.T) {
			t.Parallel()
			text := image
			if f.kernel != "none" {
				text = nth(t, image, f.kernel, f.pattern, f.n, f.with)
			}
			dev := hopper(t, ptx.Options{})
			dev.ptx = text
			each := check(dev)
			be, err := New(w, each, Options{Splits: 2, Parts: 2, Rows: 64, Positions: 64, Sequences: 2, FP8: true})
			if err != nil {
				t.Fatal(err)
			}
			each.s = &be.shape
			be.Fork(backend.Root)
			be.Fork(backend.Root)
			_, err = be.Forward(context.Background(), mixed(1, 2, 0))
			if (err != nil) == (f.kernel == "none") {
				t.Errorf("found: %v", err)
			}
			t.Log(err)
		})
	}
}

// TestInjected fails every call of the driver in turn, through load, steps, fork and
// close: nothing may stay held, the error must be the driver's, lengths must not move.
func TestInjected(t *testing.T) {
	w := random(dims{40, 72, 2, 2, 1, 24, 130, false, true})
	dev := driver.Device{Name: "fake", Major: 8, SMs: 4, Free: 1 << 28, Total: 1 << 28}
	forward := func(be *Backend) error {
		seq, err := be.Fork(backend.Root)
		if err != nil {
			t.Fatalf("a fork of nothing makes no call: %v", err)
		}
		pass := func(seq backend.Sequence, rows []backend.Row) error {
			n := be.Len(seq)
			_, err := be.Forward(context.Background(), backend.Batch{Rows: rows})
			if err != nil && be.Len(seq) != n {
				t.Errorf("a failed pass left %d tokens of %d", be.Len(seq), n)
			}
			return err
		}
		if err := pass(seq, mixed(seq, backend.Sequence(int(seq)+100), 0).Rows); !errors.Is(err, backend.ErrSequence) {
			t.Fatalf("an unknown sequence: %v", err)
		}
		for range 3 { // launch by launch; captured and started; started
			be.Truncate(seq, 0)
			if err := pass(seq, mixed(seq, seq, 0).Rows[:40]); err != nil {
				return err
			}
		}
		other, err := be.Fork(seq)
		if err != nil {
			return err
		}
		// The fork's page is shared: to write into it is to copy it first.
		if err := pass(other, []backend.Row{{Seq: other, Token: 9, Pos: int32(be.Len(other))}}); err != nil {
			return err
		}
		n := be.Len(other)
		_, err = be.ForwardAhead(context.Background(), backend.Batch{Rows: []backend.Row{{Seq: other, Token: 9, Pos: int32(n)}, {Seq: other, Pos: int32(n + 1), Kind: backend.Canvas, Want: backend.WantTop}}},
			backend.Rule{Cells: make([]backend.TokenID, 1), Limit: 2, Passes: 1, Tried: make([]backend.Tried, 1), Lead: backend.NoToken, Context: n + 1}, 3)
		if err != nil && be.Len(other) != n {
			t.Errorf("failed passes left %d tokens of %d", be.Len(other), n)
		}
		return err
	}
	whole := func(rec *driver.Recorder) error {
		be, err := New(w, rec, Options{})
		if err != nil {
			return err
		}
		return errors.Join(forward(be), be.Close())
	}
	rec := driver.Record(driver.NewMemory(dev))
	if err := whole(rec); err != nil || len(rec.Held()) > 0 {
		t.Fatalf("undisturbed: %v, held %v", err, rec.Held())
	}
	const launches = 1 + 4*2 + 2 // for two layers
	for name, want := range map[string]int{"Launch": 4*launches + 3, "Capture": 2, "Start": 5, "Drop": 2, "Copy": 1} {
		if n := rec.Count[name]; n != want {
			t.Errorf("%s was called %d times, want %d", name, n, want)
		}
	}
	for n := range rec.Calls {
		r := driver.Record(driver.NewMemory(dev))
		r.FailAt = n + 1
		err := whole(r)
		var e *driver.Error
		if !errors.As(err, &e) || e.Name != "CUDA_ERROR_LAUNCH_FAILED" || !strings.HasPrefix(err.Error(), "cuda: ") {
			t.Errorf("call %d fails, the error is %v", n+1, err)
		}
		if held := r.Held(); len(held) > 0 {
			t.Errorf("call %d fails and %v are held", n+1, held)
		}
	}
	t.Logf("%d calls, each failed once: %v", rec.Calls, rec.Count)
	// After a failed step the next one works, and gives what it would have given.
	r := driver.Record(interpreter(ptx.Options{}))
	be, err := New(w, r, Options{Rows: 64, Positions: 64, Splits: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer be.Close()
	be.Fork(backend.Root)
	be.Fork(backend.Root)
	want, err := be.Forward(context.Background(), mixed(1, 2, 0))
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{1, 2, 3} {
		be.Truncate(1, 0)
		be.Truncate(2, 0)
		r.FailAt = r.Calls + n
		if _, err := be.Forward(context.Background(), mixed(1, 2, 0)); err == nil {
			t.Fatal("no call failed")
		}
		got, err := be.Forward(context.Background(), mixed(1, 2, 0))
		if err != nil || !slices.Equal(got, want) {
			t.Fatalf("after a failed step: %v", err)
		}
	}
}

// TestGarbage: a pass of a shape that was seen before is started without a single allocation,
// as a graph and launch by launch: the collector must have no business in the middle of an
// answer.
func TestGarbage(t *testing.T) {
	for _, plain := range []bool{false, true} {
		be, err := New(random(dims{40, 72, 2, 2, 1, 24, 130, false, true}), driver.NewMemory(driver.Device{Name: "fake", Major: 8, SMs: 4, Free: 1 << 28}), Options{Plain: plain})
		if err != nil {
			t.Fatal(err)
		}
		defer be.Close()
		p := be.program(32, 4)
		for range 2 {
			if err := be.start(p); err != nil {
				t.Fatal(err)
			}
		}
		if n := testing.AllocsPerRun(10, func() { be.start(p) }); n != 0 {
			t.Errorf("%v allocations a pass, launched plainly: %v", n, plain)
		}
		batch := mixed(0, 0, 0)
		batch.Rows = batch.Rows[24:40]
		for i := range batch.Rows {
			batch.Rows[i].Seq, batch.Rows[i].Pos = backend.Root, int32(i)
		}
		n := testing.AllocsPerRun(10, func() {
			if _, err := be.Forward(context.Background(), batch); err != nil {
				t.Fatal(err)
			}
		})
		t.Logf("%v allocations in all of a pass of 16 rows", n)
	}
}

// TestRefuses: what does not fit is refused with numbers before anything is allocated, and
// so is what the kernels cannot hold.
func TestRefuses(t *testing.T) {
	w := random(dims{40, 72, 2, 2, 1, 24, 130, false, true})
	rec := driver.Record(driver.NewMemory(driver.Device{Name: "small", Major: 8, SMs: 4, Free: 1 << 19}))
	_, err := New(w, rec, Options{})
	if !errors.Is(err, ErrMemory) || !strings.Contains(err.Error(), "cache") || rec.Count["Alloc"] != 0 || len(rec.Held()) > 0 {
		t.Errorf("%v after %v, held %v", err, rec.Count, rec.Held())
	}
	if _, err := New(random(dims{64, 64, 1, 1, 1, 136, 70, false, false}), driver.NewMemory(driver.Device{Free: 1 << 30}), Options{}); err == nil || !strings.Contains(err.Error(), "head_dim") {
		t.Errorf("a head of 136: %v", err)
	}
	w.Layers[0].Down.F32 = w.Layers[0].Down.F32[1:]
	if _, err := New(w, driver.NewMemory(driver.Device{Free: 1 << 30}), Options{}); err == nil {
		t.Error("a short matrix was accepted")
	}
}

// TestCancel: a pass under an ended context makes no call and moves nothing.
func TestCancel(t *testing.T) {
	rec := driver.Record(driver.NewMemory(driver.Device{Major: 8, SMs: 4, Free: 1 << 28}))
	be, err := New(random(dims{40, 72, 2, 2, 1, 24, 130, false, true}), rec, Options{})
	if err != nil {
		t.Fatal(err)
	}
	seq, _ := be.Fork(backend.Root)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	calls := rec.Calls
	b := mixed(seq, seq, 0)
	b.Rows = b.Rows[:40]
	if _, err := be.Forward(ctx, b); !errors.Is(err, context.Canceled) || rec.Calls != calls || be.Len(seq) != 0 {
		t.Errorf("%v, %d calls, %d tokens", err, rec.Calls-calls, be.Len(seq))
	}
	if err := be.Close(); err != nil {
		t.Error(err)
	}
	if _, err := be.Forward(context.Background(), b); !errors.Is(err, errClosed) {
		t.Errorf("after Close: %v", err)
	}
}
