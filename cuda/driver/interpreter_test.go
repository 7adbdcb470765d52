package driver

import (
	"encoding/binary"
	"errors"
	"strings"
	"testing"

	"github.com/seedling-lsp/seedling/cuda/ptx"
)

// TestInterpreter: a kernel runs on what Alloc gave, its faults come as the driver's errors
// with the place in them, and what is no PTX is refused.
func TestInterpreter(t *testing.T) {
	r := Record(NewInterpreter(Device{Name: "interpreter", Major: 8, Free: 1 << 20}, ptx.Options{}))
	var e *Error
	if _, err := r.Load([]byte("\x7fELF")); !errors.As(err, &e) || e.Code != 218 {
		t.Errorf("a cubin: %v", err)
	}
	m, err := r.Load([]byte(".version 7.8\n.target sm_80\n.address_size 64\n.visible .entry k(.param .u64 k_at)\n{\n.reg .b64 %d<3>;\n.reg .b32 %r<3>;\nld.param.u64 %d1, [k_at];\nmov.u32 %r1, %tid.x;\nmul.wide.u32 %d2, %r1, 4;\nadd.s64 %d1, %d1, %d2;\nst.global.u32 [%d1], %r1;\nret;\n}\n"))
	if err != nil {
		t.Fatal(err)
	}
	f, err := r.Function(m, "k")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Function(m, "l"); !errors.As(err, &e) || e.Code != 500 {
		t.Errorf("a kernel that is not there: %v", err)
	}
	p, err := r.Alloc(4 * 64)
	if err != nil {
		t.Fatal(err)
	}
	at, b := binary.LittleEndian.AppendUint64(nil, uint64(p)), make([]byte, 256)
	if err := errors.Join(r.Launch(f, [3]int{1, 1, 1}, [3]int{64, 1, 1}, at), r.Read(p, b)); err != nil || b[4*63] != 63 {
		t.Errorf("%v %v", err, b)
	}
	var fault *ptx.Fault
	err = r.Launch(f, [3]int{1, 1, 1}, [3]int{96, 1, 1}, at)
	if !errors.As(err, &e) || e.Code != 700 || !errors.As(err, &fault) || fault.Line != 12 || fault.Thread[0] != 64 || !strings.Contains(err.Error(), "not allocated") {
		t.Errorf("over the end: %v", err)
	}
	// A graph runs with the arguments of its capture, and not before it is started.
	other := append([]byte(nil), at...)
	if err := r.Fill(p, 0, 64); err != nil {
		t.Fatal(err)
	}
	g, err := r.Capture(func() error { return r.Launch(f, [3]int{1, 1, 1}, [3]int{64, 1, 1}, other) })
	if err := errors.Join(err, r.Read(p, b)); err != nil || b[4*63] != 0 {
		t.Errorf("a captured launch ran: %v %v", err, b)
	}
	clear(other)
	if err := errors.Join(r.Start(g), r.Read(p, b), r.Drop(g)); err != nil || b[4*63] != 63 {
		t.Errorf("a graph: %v %v", err, b)
	}
	if err := errors.Join(r.Free(p), r.Unload(m), r.Close()); err != nil || len(r.Held()) > 0 {
		t.Errorf("%v, held %v", err, r.Held())
	}
}
