package driver

import (
	"errors"
	"strings"
	"testing"
)

// TestOpen: where there is no driver the error says so and what to do; where there is one,
// the device says what it is.
func TestOpen(t *testing.T) {
	d, err := Open(0)
	if err != nil {
		if !errors.Is(err, ErrNone) || len(err.Error()) < 30 {
			t.Errorf("%v", err)
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
