// The batch as the device holds it, and activations as products read them.
#pragma once
#include "asm.cuh"

// Header is what changes from pass to pass without a launch's arguments changing: so a
// captured graph serves every pass of its shape. With no rows a pass's kernels end at once.
struct Header {
    int rows;   // of the batch
    int asked;  // of them
    int set;    // of forbidden tokens, which holds in this pass
    int pad;
};

struct Row {        // of the batch; 48 bytes
    int token, pos;
    int page;       // of the cache, where a context row's keys and values go
    int canvas;     // 1: a canvas row
    int context;    // tokens of the cache that it sees
    int canvas0, canvas1;  // rows of the batch that it sees as its canvas
    int target;     // -1: none
    int ask;        // its place among the answers; -1: nothing is asked of it
    int pad[3];
};

// X is a matrix of activations [rows][width] in pieces of 64 columns. A piece of 128 bytes
// a row is what a product's step reads: 64 columns of bf16, or 128 of e4m3. The pieces
// stand as [steps][stride][128 B], the 16-byte chunk c of row r at c ^ (r & 7), so that the
// rows of a block are one run of memory and lie in shared memory as they lie here.
//
// e4m3 has a scale a row and 64 columns (a power of two: it costs no precision), which is
// what the block that writes them knows: the maximum of a whole row is known to none.
struct X {
    char* data;
    float* scale;  // e4m3: [width/64][stride]
    int stride, unused;
};

// scale8 is the power of two that brings `most` to at most 448 and above 224.
__device__ __forceinline__ float scale8(float most) {
    u32 u = (__float_as_uint(most) + 0x1fffffu) & 0x7f800000u;  // rounds up what is over 1.75·2^n
    return __uint_as_float(max(u, 0x08000000u) - (8u << 23));
}

// The reciprocal of a power of two.
__device__ __forceinline__ float inverse8(float p) { return __uint_as_float(0x7f000000u - __float_as_uint(p)); }

// at is where column c of a row begins in the 64 columns t.
template <bool F8> __device__ __forceinline__ char* at(const X& x, int t, int row, int c) {
    int step = F8 ? t >> 1 : t, byte = F8 ? (t & 1) * 64 + c : c * 2;
    return x.data + ((size_t)step * x.stride + row) * 128 + ((((byte >> 4) ^ row) & 7) << 4) + (byte & 15);
}

// write stores 64 columns of a row from a warp, two a lane.
template <bool F8> __device__ __forceinline__ void write(const X& x, int t, int row, float lo, float hi) {
    const int lane = threadIdx.x & 31;
#if SM90
    if (F8) {
        float s = scale8(lanes_max<5>(fmaxf(fabsf(lo), fabsf(hi)))), inv = inverse8(s);
        *(unsigned short*)at<true>(x, t, row, lane * 2) = pack8(lo * inv, hi * inv);
        if (lane == 0) x.scale[(size_t)t * x.stride + row] = s;
        return;
    }
#endif
    *(u32*)at<false>(x, t, row, lane * 2) = pack(lo, hi);
}
