// The products of a layer, each with everything that follows it up to the next product.
#include "gemm.cuh"

// qkv: norm, query, key and value projections, QK-norm, RoPE, cache write. A group of
// tiles is one head; heads are all queries, then keys, then values. Context rows write
// keys and values into their sequence's cache [slot][kv][positions][hd], canvas rows into
// the batch's own [row][kv][hd]: they leave no trace. hd is padded to `padded` with zeros.
struct QKV {
    GEMM g;
    bf16 *q, *k, *v, *canvas_k, *canvas_v;  // q [rows][heads][padded]
    const float *qnorm, *knorm;             // [hd] or null
    const float* rope;                      // [positions][hd]: cosines, then sines
    int heads, kv, hd, padded, positions;
};

template <int MT> __device__ __forceinline__ void qkv(const QKV& a) {
    __shared__ __align__(128) char smem[gemm_shared<MT>()];
    float* out = (float*)smem;
    product<MT>(a.g, smem, out);
    if (!gather<MT>(a.g, out, a.g.group)) return;
    const int lane = threadIdx.x & 31, pitch = a.g.group * 64 + 4, half = a.hd / 2;
    int head = blockIdx.x / a.g.group, part = 0;  // 0 query, 1 key, 2 value
    if (head >= a.heads) head -= a.heads, part = 1;
    if (part && head >= a.kv) head -= a.kv, part = 2;
    const float* norm = part == 0 ? a.qnorm : part == 1 ? a.knorm : nullptr;
#pragma unroll 1
    for (int m = threadIdx.x >> 5; m < MT * 8; m += kThreads / 32) {
        int row = blockIdx.y * MT * 8 + m;
        if (row >= a.g.rows) break;
        float scale = rms(a.g, row);
        float* y = out + m * pitch;
        if (norm) {  // the head's own norm, of the scaled values
            float s = 0;
#pragma unroll 1
            for (int i = lane; i < a.hd; i += 32) s += y[i] * y[i];
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
            to = (part == 1 ? a.k : a.v) + (((size_t)a.g.info[row].slot * a.kv + head) * a.positions + pos) * a.padded;
        }
        const float* cs = a.rope + (size_t)pos * a.hd;
#pragma unroll 1
        for (int i = lane; i < half; i += 32) {
            float lo = y[i] * scale, hi = y[i + half] * scale;
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

// residual: y [rows, n] += product; its bf16 copy and the sums of its squares for the next
// norm. n is a multiple of 8, the copy's width one of 64.
struct Residual {
    GEMM g;
    float* y;        // [rows][n]
    bf16* copy;      // [rows][tiles*64]
    float* squares;  // [tiles][stride]
    int n;
};

template <int MT> __device__ __forceinline__ void residual(const Residual& a) {
    __shared__ __align__(128) char smem[gemm_shared<MT>()];
    float* out = (float*)smem;
    product<MT>(a.g, smem, out);
    if (!gather<MT>(a.g, out, 1)) return;
    const int lane = threadIdx.x & 31, f = blockIdx.x * 64 + lane * 2;
#pragma unroll 1
    for (int m = threadIdx.x >> 5; m < MT * 8; m += kThreads / 32) {
        int row = blockIdx.y * MT * 8 + m;
        if (row >= a.g.rows) break;
        float2 v = {0, 0};
        if (f < a.n) {
            float2* y = (float2*)(a.y + (size_t)row * a.n + f);
            v = *y;
            v.x += out[m * kPitch + lane * 2];
            v.y += out[m * kPitch + lane * 2 + 1];
            *y = v;
        }
        *(u32*)(a.copy + (size_t)row * a.g.tiles * 64 + f) = pack(v.x, v.y);
        float s = warp_sum(v.x * v.x + v.y * v.y);
        if (lane == 0) a.squares[(size_t)blockIdx.x * a.g.stride + row] = s;
    }
}

// swiglu: norm, gate and up, h = silu(gate) * up. A tile holds 32 rows of gate and the
// same 32 of up; h is [rows][hstride], a multiple of 64, zero beyond the width.
struct SwiGLU {
    GEMM g;
    bf16* h;
    int hstride;
};

template <int MT> __device__ __forceinline__ void swiglu(const SwiGLU& a) {
    __shared__ __align__(128) char smem[gemm_shared<MT>()];
    float* out = (float*)smem;
    product<MT>(a.g, smem, out);
    if (!gather<MT>(a.g, out, 1)) return;
    const int lane = threadIdx.x & 31;
#pragma unroll 1
    for (int m = threadIdx.x >> 5; m < MT * 8; m += kThreads / 32) {
        int row = blockIdx.y * MT * 8 + m;
        if (row >= a.g.rows) break;
        float scale = rms(a.g, row);
        float gate = out[m * kPitch + lane] * scale, up = out[m * kPitch + 32 + lane] * scale;
        float h = gate / (1 + exp2_(-gate * 1.44269504f)) * up;
        a.h[(size_t)row * a.hstride + blockIdx.x * 32 + lane] = (bf16)pack(h, 0);
    }
}

#define KERNELS(name, Args)                                           \
    ENTRY(kThreads) void name##_16(const Args a) { name<2>(a); }      \
    ENTRY(kThreads) void name##_32(const Args a) { name<4>(a); }      \
    ENTRY(kThreads) void name##_64(const Args a) { name<8>(a); }

KERNELS(qkv, QKV)
KERNELS(residual, Residual)
KERNELS(swiglu, SwiGLU)
