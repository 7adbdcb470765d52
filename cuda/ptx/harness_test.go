package ptx

import (
	"encoding/binary"
	"errors"
	commandline "flag"
	"fmt"
	"strings"
	"testing"
)

// go test ./cuda/... -cuda is for all packages there; here it changes nothing.
var _ = commandline.Bool("cuda", false, "taken, for the tests of package cuda")

// shell is a kernel around a body. %in and %out are the thread's own input and output,
// slots of 8 bytes; %t is the thread, smem some shared memory.
func shell(slotsIn, slotsOut, threads, shared int, body string) string {
	return fmt.Sprintf(`.version 8.4
.target sm_90a
.address_size 64
.visible .entry k(.param .u64 k_in, .param .u64 k_out, .param .u64 k_all)
.maxntid %d, 1, 1
{
	.reg .b16 %%h<32>;
	.reg .b32 %%r<64>;
	.reg .f32 %%f<300>;
	.reg .b64 %%d<64>, %%in, %%out, %%all;
	.reg .b32 %%t;
	.reg .pred %%p<8>;
	.shared .align 1024 .b8 smem[%d];
	mov.u32 %%t, %%tid.x;
	ld.param.u64 %%in, [k_in];
	ld.param.u64 %%out, [k_out];
	ld.param.u64 %%all, [k_all];
	mad.wide.u32 %%in, %%t, %d, %%in;
	mad.wide.u32 %%out, %%t, %d, %%out;
%s
	ret;
}
`, threads, max(shared, 16), 8*slotsIn, 8*slotsOut, body)
}

// rig runs a body in one block; in is [thread][slot], all is memory that every thread may
// read and write, handed back as the kernel left it.
func rig(opt Options, threads, shared int, in [][]uint64, slotsOut int, all []byte, body string) (out [][]uint64, c Counters, err error) {
	m := New(opt)
	slots := 0
	if len(in) > 0 {
		slots = len(in[0])
	}
	mod, err := m.Load(shell(slots, slotsOut, threads, shared, body))
	if err != nil {
		return nil, c, err
	}
	le := binary.LittleEndian
	raw := make([]byte, 0, 8*threads*slots)
	for _, t := range in {
		for _, v := range t {
			raw = le.AppendUint64(raw, v)
		}
	}
	pi, po, pa := m.Alloc(uint64(max(len(raw), 8))), m.Alloc(uint64(max(8*threads*slotsOut, 8))), m.Alloc(uint64(max(len(all), 8)))
	params := le.AppendUint64(le.AppendUint64(le.AppendUint64(nil, pi), po), pa)
	if err := errors.Join(m.Write(pi, raw), m.Write(pa, all)); err != nil {
		return nil, c, err
	}
	if err := m.Launch(mod.Kernels["k"], [3]int{1, 1, 1}, [3]int{threads, 1, 1}, 0, params); err != nil {
		return nil, c, err
	}
	raw = make([]byte, 8*threads*slotsOut)
	if err := errors.Join(m.Read(po, raw), m.Read(pa, all)); err != nil {
		return nil, c, err
	}
	for t := range threads {
		var row []uint64
		for s := range slotsOut {
			row = append(row, le.Uint64(raw[8*(t*slotsOut+s):]))
		}
		out = append(out, row)
	}
	return out, m.Counters()["k"], nil
}

// wants holds an error to a kind of fault and to words in its text.
func wants(t *testing.T, err error, kind Kind, words string) {
	t.Helper()
	var f *Fault
	if !errors.As(err, &f) || f.Kind != kind || !strings.Contains(err.Error(), words) {
		t.Errorf("%v, want a fault of kind %q with %q", err, kind, words)
	} else if f.Line == 0 || f.Kernel != "k" {
		t.Errorf("%+v does not say where", f)
	}
}
