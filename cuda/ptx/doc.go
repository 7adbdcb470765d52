// Package ptx runs PTX without a card: it parses a module, decodes each kernel once and
// executes it a warp at a time, 32 lanes as arrays, the lanes with the lowest instruction
// first, so that they come together again where they would on a card. Blocks run in parallel.
// It is for tests of kernels: what a card answers with a wrong number or a hung machine, it
// reports with the kernel, the block, the thread and the line (see [Fault]), and it counts
// what a card's speed hangs on (see [Counters]).
//
// What it does not model: time, caches, occupancy, the order of warps beyond what the
// barriers say, clusters of more than one block, textures, local memory and calls. Matrix
// products sum in fp32 in order of k; a card sums in an order and with a rounding that it does
// not tell. Approximate functions (ex2, rsqrt, …) are rounded correctly, where a card is off by
// an ulp or two.
//
// What it takes together: order in shared memory is watched by warps, lanes within the time
// between two barriers; what one warp of a block hears from another block the whole block has
// heard; asynchronous copies land at the wait or at once ([Timing]), not in between; wgmma of a
// warp begins when this warp comes to it, and that all four did as often is asked at the end.
//
// Invariants kept here:
//
//   - An instruction that is not known is refused when the module is loaded, never skipped.
//   - A fault ends the launch with an error; nothing is repaired and run on.
//   - The first faulty block in grid order is the one that is reported.
package ptx
