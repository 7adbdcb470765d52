package driver

import (
	"errors"
	"flag"
	"strings"
	"testing"
)

var onCard = flag.Bool("cuda", false, "there must be a card")

// TestOpen: where there is no driver the error says so and what to do; where there is one,
// the device says what it is.
func TestOpen(t *testing.T) {
	d, err := Open(Any)
	if err != nil {
		if !errors.Is(err, ErrNone) || len(err.Error()) < 30 {
			t.Errorf("%v", err)
		}
		if *onCard {
			t.Fatalf("-cuda wants a card: %v", err)
		}
		return
	}
	if i := d.Device(); i.Name == "" || i.Major < minMajor || i.Free == 0 {
		t.Errorf("%+v", i)
	}
	if err := errors.Join(d.Close(), d.Close()); err != nil {
		t.Error(err)
	}
}

// TestMemory: the device of memory alone finds what a card would be broken by, and the
// recorder what was kept. The tests of the backend stand on both.
func TestMemory(t *testing.T) {
	r := Record(NewMemory(Device{Free: 1000}))
	p, err := r.Alloc(600)
	if err != nil {
		t.Fatal(err)
	}
	var e *Error
	if _, err := r.Alloc(600); !errors.As(err, &e) || e.Code != 2 || e.Lost() {
		t.Errorf("more than there is: %v", err)
	}
	b := make([]byte, 8)
	if err := errors.Join(r.Fill(p, 0x01020304, 150), r.Copy(p+8, p, 8), r.Read(p+8, b)); err != nil || b[7] != 1 {
		t.Errorf("%v %v", b, err)
	}
	for name, err := range map[string]error{"over the end": r.Write(p+596, b), "before": r.Read(p-4, b), "fill": r.Fill(p, 0, 151)} {
		if !errors.As(err, &e) || !e.Lost() {
			t.Errorf("%s: %v", name, err)
		}
	}
	if held := r.Held(); len(held) != 2 || !strings.Contains(held[0], "600 bytes") {
		t.Errorf("held %v", held)
	}
	f, _ := r.Function(1, "k")
	for name, err := range map[string]error{
		"no grid": r.Launch(f, [3]int{0, 1, 1}, [3]int{32, 1, 1}, b), "threads": r.Launch(f, [3]int{1, 1, 1}, [3]int{2048, 1, 1}, b),
		"no parameters": r.Launch(f, [3]int{1, 1, 1}, [3]int{32, 1, 1}, nil), "free of nothing": r.Free(p + 1),
	} {
		if err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
	if err := errors.Join(r.Free(p), r.Close()); err != nil || len(r.Held()) > 0 {
		t.Errorf("%v, held %v", err, r.Held())
	}
}

// TestChoose: of several devices the fittest, or the one asked for; where none is fit the
// message names what there is.
func TestChoose(t *testing.T) {
	old, a100, h20, big := Device{Name: "V100", Major: 7}, Device{Name: "A100", Major: 8, Total: 80}, Device{Name: "H20", Major: 9, Total: 96}, Device{Name: "H200", Major: 9, Total: 141}
	for _, c := range []struct {
		all     []Device
		ordinal int
		want    int
		message string
	}{
		{[]Device{old, a100, h20, big, h20}, Any, 3, ""},
		{[]Device{h20, a100}, Any, 0, ""},
		{[]Device{h20, a100}, 1, 1, ""},
		{nil, Any, 0, "CUDA_VISIBLE_DEVICES"},
		{[]Device{old}, Any, 0, "0 is V100 of compute capability 7.0; 8.0 (A100) or later"},
		{[]Device{old, h20}, 0, 0, "device 0, V100, has compute capability 7.0"},
		{[]Device{h20}, 1, 0, "no device 1, they are 0 to 0"},
		{[]Device{h20}, -2, 0, "no device -2"},
	} {
		n, err := choose(c.all, c.ordinal)
		if n != c.want || (err == nil) != (c.message == "") || err != nil && (!strings.Contains(err.Error(), c.message) || !errors.Is(err, ErrNone)) {
			t.Errorf("%v, %d: %d, %v", c.all, c.ordinal, n, err)
		}
	}
}

// TestGraphs: launches in a capture are checked as others are, and a graph that is not
// dropped, or dropped twice, is found.
func TestGraphs(t *testing.T) {
	r := Record(NewMemory(Device{Free: 1000}))
	f, _ := r.Function(1, "k")
	launch := func() error { return r.Launch(f, [3]int{1, 1, 1}, [3]int{32, 1, 1}, make([]byte, 8)) }
	if _, err := r.Capture(func() error { return r.Launch(f, [3]int{0, 1, 1}, [3]int{32, 1, 1}, make([]byte, 8)) }); err == nil {
		t.Error("a capture with a launch of no grid was accepted")
	}
	g, err := r.Capture(launch)
	if err := errors.Join(err, r.Start(g), Do(r, func() error { return r.Start(g) })); err != nil || r.Count["Start"] != 2 {
		t.Fatalf("%v, %v", err, r.Count)
	}
	if held := r.Held(); len(held) != 2 || !strings.Contains(held[0], "graph") {
		t.Errorf("held %v", held)
	}
	r.FailAt = r.Calls + 1
	if err := r.Start(g); err != r.FailWith {
		t.Errorf("an injected failure: %v", err)
	}
	if err := r.Drop(g); err != nil {
		t.Error(err)
	}
	if r.Drop(g) == nil || r.Start(g) == nil {
		t.Error("a dropped graph was used")
	}
	if err := r.Close(); err != nil || len(r.Held()) > 0 {
		t.Errorf("%v, held %v", err, r.Held())
	}
}
