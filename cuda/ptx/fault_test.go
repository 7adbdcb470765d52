package ptx

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

// Small kernels that are right, and what is found when one thing in them is wrong.

// reduce sums what 128 threads hold, in shared memory, in halves.
const reduce = `
	shl.b32 %r1, %t, 2;
	mov.u32 %r2, smem;
	add.u32 %r2, %r2, %r1;
	st.shared.u32 [%r2], %t;
	bar.sync 0;
	mov.u32 %r3, 64;
LOOP:
	setp.lt.u32 %p1, %t, %r3;
	@!%p1 bra SKIP;
	shl.b32 %r4, %r3, 2;
	add.u32 %r4, %r4, %r2;
	ld.shared.u32 %r5, [%r4];
	ld.shared.u32 %r6, [%r2];
	add.u32 %r6, %r6, %r5;
	st.shared.u32 [%r2], %r6;
SKIP:
	bar.sync 0;
	shr.u32 %r3, %r3, 1;
	setp.gt.u32 %p1, %r3, 0;
	@%p1 bra LOOP;
	mov.u32 %r2, smem;
	ld.shared.u32 %r6, [%r2];
	cvt.u64.u32 %d1, %r6;
	st.global.u64 [%out], %d1;`

// copies brings 16 bytes a thread from %all by cp.async, in two groups, and reads its
// neighbour's across the warps.
const copies = `
	shl.b32 %r1, %t, 4;
	mov.u32 %r2, smem;
	add.u32 %r2, %r2, %r1;
	cvt.u64.u32 %d1, %r1;
	add.s64 %d1, %d1, %all;
	cp.async.cg.shared.global [%r2], [%d1], 16;
	cp.async.commit_group;
	cp.async.ca.shared.global [%r2+2048], [%d1+2048], 16, 16;
	cp.async.commit_group;
	cp.async.wait_group 1;
	bar.sync 0;
	xor.b32 %r3, %t, 32;
	shl.b32 %r3, %r3, 4;
	mov.u32 %r4, smem;
	add.u32 %r4, %r4, %r3;
	ld.shared.u32 %r5, [%r4];
	cp.async.wait_group 0;
	bar.sync 0;
	ld.shared.u32 %r6, [%r4+2048];
	add.u32 %r5, %r5, %r6;
	cvt.u64.u32 %d2, %r5;
	st.global.u64 [%out], %d2;`

// exchange passes values within a warp through shared memory.
const exchange = `
	shl.b32 %r1, %t, 2;
	mov.u32 %r2, smem;
	add.u32 %r2, %r2, %r1;
	st.shared.u32 [%r2], %t;
	bar.warp.sync 0xffffffff;
	xor.b32 %r3, %r1, 4;
	mov.u32 %r4, smem;
	add.u32 %r3, %r3, %r4;
	ld.shared.u32 %r5, [%r3];
	bar.warp.sync 0xffffffff;
	st.shared.u32 [%r2], %r5;
	shfl.sync.bfly.b32 %r6|%p1, %r5, 1, 31, 0xffffffff;
	vote.sync.ballot.b32 %r7, %p1, 0xffffffff;
	add.u32 %r6, %r6, %r7;
	cvt.u64.u32 %d1, %r6;
	st.global.u64 [%out], %d1;`

// counts adds in shared memory by atomics.
const counts = `
	mov.u32 %r2, smem;
	setp.eq.u32 %p1, %t, 0;
	@%p1 st.shared.u32 [%r2], 5;
	bar.sync 0;
	red.shared.add.u32 [%r2], %t;
	bar.sync 0;
	ld.shared.u32 %r6, [%r2];
	cvt.u64.u32 %d1, %r6;
	st.global.u64 [%out], %d1;`

// named has two warps make what two others take, by barriers of their own.
const named2 = `
	mov.u32 %r2, smem;
	shl.b32 %r1, %t, 2;
	setp.ge.u32 %p1, %t, 64;
	@%p1 bra TAKE;
	add.u32 %r3, %r2, %r1;
	st.shared.u32 [%r3], %t;
	bar.arrive 1, 128;
	st.global.u64 [%out], 0;
	bra.uni DONE;
TAKE:
	bar.sync 1, 128;
	add.u32 %r3, %r2, %r1;
	ld.shared.u32 %r4, [%r3+-256];
	cvt.u64.u32 %d1, %r4;
	st.global.u64 [%out], %d1;
DONE:
	mov.u32 %r9, 1;`

// pipe brings tiles of A and B by bulk copies, two stages deep, and multiplies them by wgmma:
// thread 0 brings, all multiply, 128 arrivals give a stage back.
const pipe = `
	mov.u32 %r40, smem;
	add.u32 %r41, %r40, 8192;
	add.u32 %r42, %r40, 8208;
	setp.eq.u32 %p1, %t, 0;
	@!%p1 bra READY;
	mbarrier.init.shared.b64 [%r41], 1;
	mbarrier.init.shared.b64 [%r41+8], 1;
	mbarrier.init.shared.b64 [%r42], 128;
	mbarrier.init.shared.b64 [%r42+8], 128;
	fence.mbarrier_init.release.cluster;
READY:
	bar.sync 0;
	mov.f32 %f0, 0f00000000;
	mov.f32 %f1, 0f00000000;
	mov.f32 %f2, 0f00000000;
	mov.f32 %f3, 0f00000000;
	mov.u32 %r20, 0;
LOOP:
	setp.ge.u32 %p2, %r20, 5;
	not.pred %p3, %p1;
	or.pred %p2, %p2, %p3;
	@%p2 bra CONSUME;
	and.b32 %r22, %r20, 1;
	shl.b32 %r23, %r22, 12;
	add.u32 %r23, %r23, %r40;
	shl.b32 %r24, %r22, 3;
	add.u32 %r25, %r24, %r41;
	add.u32 %r26, %r24, %r42;
	setp.lt.u32 %p3, %r20, 2;
	@%p3 bra ISSUE;
	shr.u32 %r27, %r20, 1;
	add.u32 %r27, %r27, -1;
	and.b32 %r27, %r27, 1;
WAITE:
	mbarrier.try_wait.parity.shared.b64 %p4, [%r26], %r27;
	@!%p4 bra WAITE;
ISSUE:
	mbarrier.arrive.expect_tx.shared.b64 %d9, [%r25], 2304;
	mul.wide.u32 %d1, %r20, 2304;
	add.s64 %d1, %d1, %all;
	cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%r23], [%d1], 2048, [%r25];
	cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%r23+2048], [%d1+2048], 256, [%r25];
CONSUME:
	setp.eq.u32 %p2, %r20, 0;
	@%p2 bra NEXT;
	add.u32 %r28, %r20, -1;
	and.b32 %r29, %r28, 1;
	shl.b32 %r33, %r29, 12;
	add.u32 %r33, %r33, %r40;
	shl.b32 %r29, %r29, 3;
	add.u32 %r30, %r29, %r41;
	add.u32 %r32, %r29, %r42;
	shr.u32 %r31, %r28, 1;
	and.b32 %r31, %r31, 1;
WAITF:
	mbarrier.try_wait.parity.shared.b64 %p4, [%r30], %r31;
	@!%p4 bra WAITF;
	shr.u32 %r34, %r33, 4;
	cvt.u64.u32 %d10, %r34;
	or.b64 %d10, %d10, 0x0000000800400000;
	add.u32 %r33, %r33, 2048;
	shr.u32 %r34, %r33, 4;
	cvt.u64.u32 %d11, %r34;
	or.b64 %d11, %d11, 0x0000000800080000;
	setp.ne.u32 %p5, %r40, 0;
	wgmma.fence.sync.aligned;
	wgmma.mma_async.sync.aligned.m64n8k16.f32.bf16.bf16 {%f0, %f1, %f2, %f3}, %d10, %d11, %p5, 1, 1, 0, 0;
	wgmma.commit_group.sync.aligned;
	wgmma.wait_group.sync.aligned 0;
	mbarrier.arrive.shared.b64 %d9, [%r32];
NEXT:
	add.u32 %r20, %r20, 1;
	setp.le.u32 %p2, %r20, 5;
	@%p2 bra LOOP;
	st.global.u64 [%out], 0;
	st.global.u64 [%out+8], 0;
	st.global.u64 [%out+16], 0;
	st.global.u64 [%out+24], 0;
	st.global.f32 [%out], %f0;
	st.global.f32 [%out+8], %f1;
	st.global.f32 [%out+16], %f2;
	st.global.f32 [%out+24], %f3;`

// leaves writes a tile to global memory by a bulk copy.
const leaves = `
	shl.b32 %r1, %t, 4;
	mov.u32 %r2, smem;
	add.u32 %r3, %r2, %r1;
	st.shared.v4.u32 [%r3], {%t, %t, %t, %t};
	fence.proxy.async.shared::cta;
	bar.sync 0;
	setp.ne.u32 %p1, %t, 0;
	@%p1 bra DONE;
	cp.async.bulk.global.shared::cta.bulk_group [%all], [%r2], 2048;
	cp.async.bulk.commit_group;
	cp.async.bulk.wait_group 0;
DONE:
	bar.sync 0;
	st.shared.v4.u32 [%r3], {%r1, %r1, %r1, %r1};
	st.global.u64 [%out], 0;`

// arrives lets cp.async tell an mbarrier when they have landed.
const arrives = `
	mov.u32 %r40, smem;
	setp.eq.u32 %p1, %t, 0;
	@%p1 mbarrier.init.shared.b64 [%r40], 128;
	bar.sync 0;
	shl.b32 %r1, %t, 4;
	add.u32 %r2, %r40, %r1;
	cvt.u64.u32 %d1, %r1;
	add.s64 %d1, %d1, %all;
	cp.async.cg.shared.global [%r2+1024], [%d1], 16;
	cp.async.mbarrier.arrive.noinc.shared.b64 [%r40];
WAIT:
	mbarrier.test_wait.parity.shared.b64 %p2, [%r40], 0;
	@!%p2 bra WAIT;
	xor.b32 %r3, %r1, 512;
	add.u32 %r3, %r3, %r40;
	ld.shared.u32 %r5, [%r3+1024];
	cvt.u64.u32 %d2, %r5;
	st.global.u64 [%out], %d2;`

// scalars are single accesses.
const scalars = `
	mov.u32 %r1, smem;
	shl.b32 %r2, %t, 2;
	add.u32 %r2, %r2, %r1;
	st.shared.u32 [%r2], %t;
	ld.shared.u32 %r3, [%r2];
	mul.wide.u32 %d1, %t, 16;
	add.s64 %d1, %d1, %all;
	ld.global.v2.u32 {%r4, %r5}, [%d1];
	setp.gt.u32 %p1, %t, 200;
	@%p1 mov.u32 %r3, 1;
	add.u32 %r6, %t, 1;
	div.u32 %r7, %r4, %r6;
	add.u32 %r3, %r3, %r7;
	cvt.u64.u32 %d2, %r3;
	st.global.u64 [%out], %d2;
	bar.sync 0;`

var faults = []struct {
	name, body, old, new string
	kind                 Kind // "": the answer is wrong
}{
	{"reduce: no barrier after the first write", reduce, "bar.sync 0;\n\tmov.u32 %r3, 64", "mov.u32 %r3, 64", Race},
	{"reduce: no barrier in the loop", reduce, "SKIP:\n\tbar.sync 0;", "SKIP:", Race},
	{"reduce: barrier for some lanes", reduce, "SKIP:\n\tbar.sync 0;", "SKIP:\n\tsetp.lt.u32 %p2, %t, 16;\n\t@%p2 bar.sync 0;", Barrier},
	{"reduce: barrier for some warps", reduce, "SKIP:\n\tbar.sync 0;", "SKIP:\n\tsetp.lt.u32 %p2, %t, 64;\n\t@%p2 bar.sync 0;", Race},
	{"reduce: warps end before the barrier", reduce, "LOOP:", "LOOP:\n\tsetp.ge.u32 %p2, %t, 96;\n\t@%p2 ret;", Barrier},
	{"reduce: barriers of different sizes", reduce, "SKIP:\n\tbar.sync 0;", "SKIP:\n\tsetp.lt.u32 %p2, %t, 64;\n\t@%p2 bar.sync 0, 128;\n\t@!%p2 bar.sync 0, 64;", Barrier},
	{"reduce: half of a lane too far", reduce, "mov.u32 %r3, 64", "mov.u32 %r3, 96", Uninitialised},
	{"reduce: never ends", reduce, "setp.gt.u32 %p1, %r3, 0", "setp.ge.u32 %p1, %r3, 0", Deadlock},
	{"copies: a wait too few", copies, "wait_group 1", "wait_group 2", Race},
	{"copies: no wait", copies, "cp.async.wait_group 0;\n", "", Race},
	{"copies: no barrier after the wait", copies, "cp.async.wait_group 0;\n\tbar.sync 0;", "cp.async.wait_group 0;", Race},
	{"copies: nothing committed", copies, "cp.async.commit_group;\n\tcp.async.wait", "cp.async.wait", Race},
	{"copies: nobody waits", copies, "cp.async.wait_group 0;\n\tbar.sync 0;\n\tld.shared.u32 %r6, [%r4+2048]", "ld.shared.u32 %r6, [%r4]", Async},
	{"copies: into what another reads", copies, "ld.shared.u32 %r5, [%r4];", "ld.shared.u32 %r5, [%r4];\n\tcp.async.cg.shared.global [%r2], [%d1], 16;", Race},
	{"copies: source misaligned", copies, "[%r2], [%d1], 16", "[%r2], [%d1+8], 16", Misaligned},
	{"copies: target misaligned", copies, "[%r2], [%d1], 16", "[%r2+4], [%d1], 16", Misaligned},
	{"copies: over the end", copies, "[%d1+2048], 16, 16", "[%d1+30720], 16, 16", Bounds},
	{"copies: fewer bytes than asked", copies, "16, 16;", "16, 0;", ""},
	{"exchange: no warp barrier", exchange, "bar.warp.sync 0xffffffff;\n\txor", "xor", Race},
	{"exchange: written over before it is read", exchange, "bar.warp.sync 0xffffffff;\n\tst", "st", Race},
	{"exchange: a lane missing in the mask", exchange, "1, 31, 0xffffffff", "1, 31, 0x7fffffff", Convergence},
	{"exchange: some lanes shuffle", exchange, "shfl", "setp.lt.u32 %p2, %t, 9;\n\t@%p2 shfl", Convergence},
	{"exchange: wrong lane", exchange, "%r5, 1, 31", "%r5, 2, 31", ""},
	{"counts: no barrier before", counts, "[%r2], 5;\n\tbar.sync 0;", "[%r2], 5;", Race},
	{"counts: no barrier after", counts, "%t;\n\tbar.sync 0;", "%t;", Race},
	{"counts: no atomic", counts, "red.shared.add.u32 [%r2], %t", "st.shared.u32 [%r2], %t", Race},
	{"counts: begins with nothing", counts, "@%p1 st", "@!%p1 bra NEXT;\nNEXT:\n\tsetp.eq.u32 %p1, %t, 500;\n\t@%p1 st", Uninitialised},
	{"named: no arrival", named2, "bar.arrive 1, 128;", "", Barrier},
	{"named: another barrier", named2, "bar.arrive 1", "bar.arrive 2", Barrier},
	{"named: written after the arrival", named2, "st.shared.u32 [%r3], %t;\n\tbar.arrive 1, 128;", "bar.arrive 1, 128;\n\tst.shared.u32 [%r3], %t;", Race},
	{"pipe: no wait for the copy", pipe, "@!%p4 bra WAITF;", "", Race},
	{"pipe: wrong parity for the copy", pipe, "shr.u32 %r31, %r28, 1;", "shr.u32 %r31, %r28, 1;\n\tadd.u32 %r31, %r31, 1;", Race},
	{"pipe: no wait for the readers", pipe, "@!%p4 bra WAITE;", "", Race},
	{"pipe: wrong parity for the readers", pipe, "add.u32 %r27, %r27, -1;", "", Deadlock},
	{"pipe: mbarriers not fenced", pipe, "fence.mbarrier_init.release.cluster;", "", Proxy},
	{"pipe: mbarriers used before the barrier", pipe, "READY:\n\tbar.sync 0;", "READY:", Race},
	{"pipe: no mbarrier", pipe, "mbarrier.init.shared.b64 [%r41+8], 1;", "", Async},
	{"pipe: fewer bytes expected", pipe, "[%r25], 2304", "[%r25], 2288", Deadlock},
	{"pipe: more bytes expected", pipe, "[%r25], 2304", "[%r25], 2320", Deadlock},
	{"pipe: no arrival with the bytes", pipe, "arrive.expect_tx.shared.b64 %d9, [%r25]", "expect_tx.relaxed.cta.shared.b64 [%r25]", Deadlock},
	{"pipe: arrivals too many expected", pipe, "[%r42], 128", "[%r42], 160", Deadlock},
	{"pipe: one arrival too many", pipe, "[%r42+8], 128", "[%r42+8], 64", ""},
	{"pipe: stage never given back", pipe, "mbarrier.arrive.shared.b64 %d9, [%r32];", "", Deadlock},
	{"pipe: given back before the product is waited for", pipe, "wgmma.wait_group.sync.aligned 0;\n\tmbarrier.arrive.shared.b64 %d9, [%r32];", "mbarrier.arrive.shared.b64 %d9, [%r32];\n\twgmma.wait_group.sync.aligned 1;", Race},
	{"pipe: no wgmma.fence", pipe, "wgmma.fence.sync.aligned;", "", Async},
	{"pipe: accumulator changed after the fence", pipe, "wgmma.fence.sync.aligned;", "wgmma.fence.sync.aligned;\n\tadd.f32 %f1, %f1, %f1;", Async},
	{"pipe: product not committed", pipe, "wgmma.commit_group.sync.aligned;", "", Async},
	{"pipe: product not waited for", pipe, "wgmma.wait_group.sync.aligned 0;", "", Async},
	{"pipe: accumulator read while it is made", pipe, "wgmma.wait_group.sync.aligned 0;", "mov.f32 %f9, %f0;\n\twgmma.wait_group.sync.aligned 0;", Async},
	{"pipe: strides of the descriptor swapped", pipe, "0x0000000800400000", "0x0000004000080000", ""},
	{"pipe: swizzled, but it is not", pipe, "0x0000000800400000", "0xc000000800400000", ""},
	{"pipe: another stage", pipe, "and.b32 %r29, %r28, 1;", "xor.b32 %r29, %r28, 1;\n\tand.b32 %r29, %r29, 1;", Deadlock},
	{"pipe: B a line too far", pipe, "[%r23+2048], [%d1", "[%r23+2064], [%d1", Uninitialised},
	{"pipe: a size that is no multiple of 16", pipe, "2048, [%r25]", "2040, [%r25]", Value},
	{"pipe: a source that is not aligned", pipe, "[%d1+2048]", "[%d1+2040]", Misaligned},
	{"pipe: a tile too many", pipe, "setp.ge.u32 %p2, %r20, 5", "setp.ge.u32 %p2, %r20, 6", Async},
	{"pipe: the mbarrier written over", pipe, "READY:\n\tbar.sync 0;", "READY:\n\tbar.sync 0;\n\t@%p1 st.shared.u64 [%r41], 1;", Async},
	{"pipe: one warp multiplies once more", pipe, "@%p2 bra LOOP;", "@%p2 bra LOOP;\n\tsetp.ge.u32 %p6, %t, 96;\n\t@!%p6 bra OVER;\n\twgmma.fence.sync.aligned;\n\twgmma.mma_async.sync.aligned.m64n8k16.f32.bf16.bf16 {%f0, %f1, %f2, %f3}, %d10, %d11, %p5, 1, 1, 0, 0;\n\twgmma.commit_group.sync.aligned;\n\twgmma.wait_group.sync.aligned 0;\nOVER:", Convergence},
	{"leaves: no proxy fence", leaves, "fence.proxy.async.shared::cta;", "", Proxy},
	{"leaves: no barrier", leaves, "bar.sync 0;\n\tsetp", "setp", Race},
	{"leaves: fence before the write", leaves, "st.shared.v4.u32 [%r3], {%t, %t, %t, %t};\n\tfence.proxy.async.shared::cta;", "fence.proxy.async.shared::cta;\n\tst.shared.v4.u32 [%r3], {%t, %t, %t, %t};", Proxy},
	{"leaves: not waited for", leaves, "cp.async.bulk.wait_group 0;", "", Async},
	{"leaves: written over before the wait", leaves, "cp.async.bulk.wait_group 0;", "st.shared.u32 [%r2], 7;\n\tcp.async.bulk.wait_group 0;", Race},
	{"arrives: no wait", arrives, "@!%p2 bra WAIT;", "", Race},
	{"arrives: one arrival short", arrives, "[%r40], 128", "[%r40], 129", Deadlock},
	{"scalars: outside of shared memory", scalars, "st.shared.u32 [%r2]", "st.shared.u32 [%r2+32768]", Bounds},
	{"scalars: outside of global memory", scalars, "[%d1];", "[%d1+65536];", Bounds},
	{"scalars: below an allocation", scalars, "ld.global.v2.u32 {%r4, %r5}, [%d1]", "ld.global.v2.u32 {%r4, %r5}, [%in+-8]", Bounds},
	{"scalars: misaligned vector", scalars, "[%d1];", "[%d1+4];", Misaligned},
	{"scalars: output read before it is written", scalars, "ld.global.v2.u32 {%r4, %r5}, [%d1]", "ld.global.v2.u32 {%r4, %r5}, [%out]", Uninitialised},
	{"scalars: register that some lanes lack", scalars, "ld.shared.u32 %r3, [%r2];", "", Uninitialised},
	{"scalars: predicate that nobody set", scalars, "@%p1 mov", "@%p6 mov", Uninitialised},
	{"scalars: the empty half of a pair", scalars, "cvt.u64.u32 %d2, %r3", "mov.b64 %d2, {%r3, %r60}", ""},
	{"scalars: division by zero", scalars, "add.u32 %r6, %t, 1", "add.u32 %r6, %t, 0", Value},
	{"scalars: two lanes, one word", scalars, "add.u32 %r2, %r2, %r1;", "and.b32 %r2, %r2, 252;\n\tadd.u32 %r2, %r2, %r1;", Race},
}

// input is the memory that the kernels see.
func input() []byte {
	r := rand.New(rand.NewPCG(21, 22))
	all := make([]byte, 16<<10)
	for i := 0; i < len(all); i += 2 {
		binary.LittleEndian.PutUint16(all[i:], toBF16(float32(r.NormFloat64())))
	}
	return all
}

// TestSeededFaults: each kernel is right as it stands, whichever way copies land and warps
// take turns, and each fault in it is found, as what it is.
func TestSeededFaults(t *testing.T) {
	run := func(body string, opt Options) ([][]uint64, error) {
		out, _, err := rig(opt, 128, 16<<10, [][]uint64{{1}}, 4, input(), body)
		return out, err
	}
	right := map[string]string{}
	for _, f := range faults {
		if _, ok := right[f.body]; ok {
			continue
		}
		for _, opt := range []Options{{}, {Copies: Early}, {Reverse: true}, {Copies: Early, Reverse: true}} {
			out, err := run(f.body, opt)
			if err != nil {
				t.Fatalf("%s, as it should be: %v", f.name, err)
			}
			if s := fmt.Sprint(out); right[f.body] == "" {
				right[f.body] = s
			} else if s != right[f.body] {
				t.Errorf("%s: %+v gives another answer", f.name, opt)
			}
		}
	}
	found, some := map[Kind]int{}, []string{}
	for _, f := range faults {
		if !strings.Contains(f.body, f.old) {
			t.Errorf("%s: the kernel has no %q", f.name, f.old)
			continue
		}
		body := strings.Replace(f.body, f.old, f.new, 1)
		as, missed := false, []error{}
		for _, opt := range []Options{{}, {Copies: Early}, {Reverse: true}} {
			opt.Branches = 1000
			out, err := run(body, opt)
			var ft *Fault
			switch {
			case f.kind == "" && (err != nil || fmt.Sprint(out) != right[f.body]), f.kind != "" && errors.As(err, &ft) && ft.Kind == f.kind:
				as = true
			default:
				missed = append(missed, err)
			}
			if ft != nil && (ft.Line == 0 || ft.Kernel != "k") {
				t.Errorf("%s: %v does not say where", f.name, ft)
			}
		}
		if !as {
			t.Errorf("%s: not found as %q, but as %v", f.name, f.kind, missed)
		}
		if len(missed) > 0 {
			some = append(some, f.name)
		}
		found[f.kind]++
	}
	t.Logf("%d faults: %v; found as something else, or not, in some order of copies and warps: %q", len(faults), found, some)
}

// TestPipe holds the kernel of the faults to the product it is to make.
func TestPipe(t *testing.T) {
	all := input()
	out, c, err := rig(Options{}, 128, 16<<10, [][]uint64{{1}}, 4, all, pipe)
	if err != nil {
		t.Fatal(err)
	}
	at := func(off int) float64 { return float64(fromBF16(binary.LittleEndian.Uint16(all[off:]))) }
	for tid := range 128 {
		for i := range 4 {
			row, col := tid/32*16+tid%32/4+i/2*8, tid%4*2+i%2
			want, m := 0.0, 0.0
			for k := range 5 {
				for x := range 16 {
					a := at(k*2304 + row/8*128 + row%8*16 + x/8*1024 + x%8*2)
					b := at(k*2304 + 2048 + col*16 + x/8*128 + x%8*2)
					want += a * b
					m += math.Abs(a * b)
				}
			}
			if got := float64(math.Float32frombits(uint32(out[tid][i]))); math.Abs(got-want) > m*81*0x1p-24 {
				t.Fatalf("D[%d][%d] = %g, want %g", row, col, got, want)
			}
		}
	}
	if c.Loaded != 5*2304 || c.MultiplyAdds != 5*64*8*16 || c.LoadedSectors != 5*2304/32 {
		t.Errorf("%+v", c)
	}
}
