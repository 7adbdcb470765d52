package ptx

import (
	"encoding/binary"
	"errors"
	"strings"
	"testing"
)

// last is a grid whose blocks each leave a part (128 numbers), and whose last one to arrive
// sums them all.
const last = `.version 8.4
.target sm_90a
.address_size 64
.visible .entry k(.param .u64 k_parts, .param .u64 k_count, .param .u64 k_out)
{
	.reg .b32 %r<20>;
	.reg .b64 %d<20>;
	.reg .pred %p<4>;
	.shared .align 4 .u32 arrived;
	ld.param.u64 %d1, [k_parts];
	ld.param.u64 %d2, [k_count];
	ld.param.u64 %d3, [k_out];
	mov.u32 %r1, %tid.x;
	mov.u32 %r2, %ctaid.x;
	mov.u32 %r3, %nctaid.x;
	shl.b32 %r4, %r2, 7;
	add.u32 %r4, %r4, %r1;
	mul.wide.u32 %d4, %r4, 4;
	add.s64 %d4, %d4, %d1;
	st.global.u32 [%d4], %r4;
	membar.gl;
	bar.sync 0;
	setp.ne.u32 %p1, %r1, 0;
	@%p1 bra COUNTED;
	atom.global.add.u32 %r5, [%d2], 1;
	st.shared.u32 [arrived], %r5;
COUNTED:
	bar.sync 0;
	ld.shared.u32 %r5, [arrived];
	add.u32 %r6, %r3, -1;
	setp.ne.u32 %p1, %r5, %r6;
	@%p1 ret;
	fence.acq_rel.gpu;
	mov.u32 %r7, 0;
	mul.wide.u32 %d5, %r1, 4;
	add.s64 %d5, %d5, %d1;
	mov.u32 %r8, 0;
SUM:
	ld.global.u32 %r9, [%d5];
	add.u32 %r7, %r7, %r9;
	add.s64 %d5, %d5, 512;
	add.u32 %r8, %r8, 1;
	setp.lt.u32 %p1, %r8, %r3;
	@%p1 bra SUM;
	mul.wide.u32 %d6, %r1, 4;
	add.s64 %d6, %d6, %d3;
	st.global.u32 [%d6], %r7;
	ret;
}
`

// TestBlocks: what blocks tell each other through global memory needs its fences, its barrier
// and its atomic, however the blocks happen to take turns.
func TestBlocks(t *testing.T) {
	run := func(text string, blocks int) ([]byte, error) {
		m := New(Options{Blocks: blocks})
		mod, err := m.Load(text)
		if err != nil {
			t.Fatal(err)
		}
		parts, count, out := m.Alloc(4*128*6), m.Alloc(4), m.Alloc(512)
		le := binary.LittleEndian
		params := le.AppendUint64(le.AppendUint64(le.AppendUint64(nil, parts), count), out)
		b := make([]byte, 512)
		return b, errors.Join(m.Fill(count, 0, 1), m.Launch(mod.Kernels["k"], [3]int{6, 1, 1}, [3]int{128, 1, 1}, 0, params), m.Read(out, b))
	}
	for _, blocks := range []int{1, 2, 6} {
		b, err := run(last, blocks)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 128 {
			if got := binary.LittleEndian.Uint32(b[4*i:]); got != uint32(6*i+128*15) {
				t.Fatalf("%d blocks at a time: sum %d is %d", blocks, i, got)
			}
		}
		for name, f := range map[string][2]string{
			"no fence after the part":         {"membar.gl;", ""},
			"a fence of the block alone":      {"membar.gl;", "membar.cta;"},
			"fence before the part":           {"st.global.u32 [%d4], %r4;\n\tmembar.gl;", "membar.gl;\n\tst.global.u32 [%d4], %r4;"},
			"no barrier before the count":     {"membar.gl;\n\tbar.sync 0;", "membar.gl;"},
			"no fence after the count":        {"fence.acq_rel.gpu;", ""},
			"all sum, and not the last alone": {"@%p1 ret;", ""},
			"two blocks write one word":       {"[%d4], %r4", "[%d1], %r4"},
		} {
			var ft *Fault
			if _, err := run(strings.Replace(last, f[0], f[1], 1), blocks); !errors.As(err, &ft) || ft.Kind != Race && ft.Kind != Uninitialised {
				t.Errorf("%s, %d blocks at a time: %v", name, blocks, err)
			}
		}
	}
}
