// The products of a layer, each with everything that follows it up to the next product
// whose rows it does not have.
#pragma once
#include "gemm.cuh"

// qkv: norm, query, key and value projections, QK-norm, RoPE, cache write. A group of
// tiles is one head; heads are all queries, then keys, then values. Context rows write
// keys and values into a page of the cache, [page][layer][2][kv][64][hd], canvas rows into
// the batch's own [row][kv][hd]: they leave no trace. hd is padded to `padded` with zeros.
struct QKV {
    GEMM g;
    bf16 *q, *k, *v, *canvas_k, *canvas_v;  // q [rows][heads][padded]; k, v: this layer's of page 0
    const float *qnorm, *knorm;             // [hd] or null
    const float* rope;                      // [positions][hd]: cosines, then sines
    long long page;                         // elements from page to page
    int heads, kv, hd, padded;
};

template <int MT, bool F8> __device__ __forceinline__ void qkv(const QKV& a) {
    __shared__ __align__(1024) char smem[gemm_shared<MT, F8>()];
    const int rows = a.g.head->rows, tile = blockIdx.x, y = blockIdx.y;
    if (y * MT * 8 >= rows) return;
    float* out = (float*)smem;
    product<MT, F8>(a.g, tile, y, blockIdx.z, smem, Now());
    if (!gather<MT, F8>(a.g, tile, y, blockIdx.z, out, a.g.group)) return;
    const int lane = threadIdx.x & 31, pitch = a.g.group * 64 + 4, half = a.hd / 2;
    int head = tile / a.g.group, part = 0;  // 0 query, 1 key, 2 value
    if (head >= a.heads) head -= a.heads, part = 1;
    if (part && head >= a.kv) head -= a.kv, part = 2;
    const float* norm = part == 0 ? a.qnorm : part == 1 ? a.knorm : nullptr;
#pragma unroll 1
    for (int m = threadIdx.x >> 5; m < MT * 8; m += kThreads / 32) {
        int row = y * MT * 8 + m;
        if (row >= rows) break;
        float scale = rms(a.g, row);
        float* v = out + m * pitch;
        if (norm) {  // the head's own norm, of the scaled values
            float s = 0;
#pragma unroll 1
            for (int i = lane; i < a.hd; i += 32) s += v[i] * v[i];
            s = warp_sum(s) * scale * scale;
            scale *= rsqrtf(s / (float)a.hd + a.g.eps);
        }
        const int pos = a.g.info[row].pos, canvas = a.g.info[row].canvas;
        bf16* to;
        if (part == 0) {
            to = a.q + ((size_t)row * a.heads + head) * a.padded;
        } else if (canvas) {
            to = (part == 1 ? a.canvas_k : a.canvas_v) + ((size_t)row * a.kv + head) * a.padded;
        } else {
            to = (part == 1 ? a.k : a.v) + a.g.info[row].page * a.page + ((size_t)head * 64 + (pos & 63)) * a.padded;
        }
        const float* cs = a.rope + (size_t)pos * a.hd;
#pragma unroll 1
        for (int i = lane; i < half; i += 32) {
            float lo = v[i] * scale, hi = v[i + half] * scale;
            if (norm) lo *= norm[i], hi *= norm[i + half];
            if (part < 2) {
                float c = cs[i], s = cs[half + i], t = lo * c - hi * s;
                hi = hi * c + lo * s;
                lo = t;
            }
            u32 p = pack(lo, hi);
            to[i] = (bf16)p;
            to[i + half] = (bf16)(p >> 16);
        }
#pragma unroll 1
        for (int i = a.hd + lane; i < a.padded; i += 32) to[i] = 0;
    }
}

// What a residual product adds to: the fp32 stream y [rows][n], its copy that the next
// product reads, and the sums of its squares for the next norm. n is a multiple of 8.
struct Stream {
    float* y;
    X copy;
    float* squares;  // [tiles][stride]
    int n, unused;
};

template <int MT, bool F8> __device__ __forceinline__ void add(const GEMM& g, const Stream& a, int tile, int y, int rows, const float* out) {
    const int lane = threadIdx.x & 31, f = tile * 64 + lane * 2;
#pragma unroll 1
    for (int m = threadIdx.x >> 5; m < MT * 8; m += kThreads / 32) {
        int row = y * MT * 8 + m;
        if (row >= rows) break;
        float2 v = {0, 0};
        if (f < a.n) {
            float2* to = (float2*)(a.y + (size_t)row * a.n + f);
            v = *to;
            v.x += out[m * kPitch + lane * 2];
            v.y += out[m * kPitch + lane * 2 + 1];
            *to = v;
        }
        write<F8>(a.copy, tile, row, v.x, v.y);
        float s = warp_sum(v.x * v.x + v.y * v.y);
        if (lane == 0) a.squares[(size_t)tile * g.stride + row] = s;
    }
}

// residual: y += attention's output times its projection.
struct Residual {
    GEMM g;
    Stream to;
};

template <int MT, bool F8> __device__ __forceinline__ void residual(const Residual& a) {
    __shared__ __align__(1024) char smem[gemm_shared<MT, F8>()];
    const int rows = a.g.head->rows, tile = blockIdx.x, y = blockIdx.y;
    if (y * MT * 8 >= rows) return;
    product<MT, F8>(a.g, tile, y, blockIdx.z, smem, Now());
    if (!gather<MT, F8>(a.g, tile, y, blockIdx.z, (float*)smem, 1)) return;
    add<MT, F8>(a.g, a.to, tile, y, rows, (float*)smem);
}

// mlp: norm, gate and up, h = silu(gate) * up, and y += h times down, in one launch. A tile
// of the first product holds 32 rows of gate and the same 32 of up.
//
// The blocks take their work in order of a ticket: first all of gate and up, then all of
// down. A block of down starts its copies of weights, which depend on nothing, and waits
// until all of h's rows are there. It waits only for work with lower tickets, and whoever
// has such a ticket runs already and waits for nothing: there is no deadlock, in whatever
// order blocks start. The last block leaves all counters at zero.
//
// (A grid-wide barrier in the middle was the other way: it wants a cooperative launch with
// all blocks resident, and leaves memory idle while it waits.)
struct MLP {
    GEMM up, down;
    X h;
    Stream to;
    u32* ticket;  // [2]: tickets taken, blocks done
    u32* ready;   // [y]: epilogues of h done
    int blocks, unused;  // y
};

template <int MT, bool F8> __device__ __forceinline__ void mlp(const MLP& a) {
    __shared__ __align__(1024) char smem[gemm_shared<MT, F8>()];
    __shared__ u32 mine;
    const int rows = a.up.head->rows, tid = threadIdx.x, lane = tid & 31;
    if (rows == 0) return;
    float* out = (float*)smem;
    if (tid == 0) mine = atomicAdd(a.ticket, 1);
    __syncthreads();
    // Tiles vary fastest: blocks that run together read different weights.
    const int first = a.up.tiles * a.up.splits * a.blocks;
    int i = mine;
    if (i < first) {
        const int tile = i % a.up.tiles, z = i / a.up.tiles % a.up.splits, y = i / a.up.tiles / a.up.splits;
        if (y * MT * 8 < rows) {
            product<MT, F8>(a.up, tile, y, z, smem, Now());
            constexpr int G = F8 ? 2 : 1;
            if (gather<MT, F8>(a.up, tile, y, z, out, G)) {
                const int pitch = G * 64 + 4;
#pragma unroll 1
                for (int m = tid >> 5; m < MT * 8; m += kThreads / 32) {
                    int row = y * MT * 8 + m;
                    if (row >= rows) break;
                    float scale = rms(a.up, row), h[2] = {0, 0};
                    if (lane < G * 16) {
                        const float* v = out + m * pitch + (lane >> 4) * 64 + (lane & 15) * 2;
#pragma unroll
                        for (int e = 0; e < 2; e++) {
                            float gate = v[e] * scale, up = v[32 + e] * scale;
                            h[e] = gate / (1 + exp2_(-gate * 1.44269504f)) * up;
                        }
                    }
                    if (F8) {
                        write<true>(a.h, tile >> 1, row, h[0], h[1]);
                    } else if (lane < 16) {
                        *(u32*)at<false>(a.h, tile >> 1, row, (tile & 1) * 32 + lane * 2) = pack(h[0], h[1]);
                    }
                }
                __threadfence();  // h is seen before its count
                __syncthreads();
                if (tid == 0) atomicAdd(a.ready + y, 1);
            }
        }
    } else {
        i -= first;
        const int tile = i % a.down.tiles, z = i / a.down.tiles % a.down.splits, y = i / a.down.tiles / a.down.splits;
        if (y * MT * 8 < rows) {
            const u32 all = a.up.tiles / (F8 ? 2 : 1);
            product<MT, F8>(a.down, tile, y, z, smem, [&] {
                if (tid == 0)
                    while (load_acquire(a.ready + y) < all) {}
                __syncthreads();
            });
            if (gather<MT, F8>(a.down, tile, y, z, out, 1)) add<MT, F8>(a.down, a.to, tile, y, rows, out);
        }
    }
    // The block's first thread does all that others wait for: it needs no barrier to be done.
    const u32 total = first + a.down.tiles * a.down.splits * a.blocks;
    if (tid == 0 && atomicAdd(a.ticket + 1, 1) == total - 1) {
        a.ticket[0] = a.ticket[1] = 0;
#pragma unroll 1
        for (int y = 0; y < a.blocks; y++) a.ready[y] = 0;
    }
}

KERNELS(qkv, QKV)
KERNELS(residual, Residual)
KERNELS(mlp, MLP)
