// Small-M matrix product: y [rows, n] = x [rows, k] w [n, k]^T for 1 to 64 rows a block.
// The weights are streamed once; the rows come from L2 again in each block.
//
// Weights are the wide operand: a warp owns 16 of a tile's 64 output features, and rows
// are the 8-wide side of m16n8k16. They lie packed as tiles [n/64][k/64][64][64], each
// 8 KB in one piece, the 16-byte chunk c of row r at c ^ (r & 7), so that a tile is
// copied as it lies and ldmatrix meets no bank twice. What n and k lack to multiples of
// 64 is zero.
//
// RMSNorm costs no pass over x: its weights are folded into w, and 1/rms scales a row
// after the product. The squares of a row of x were summed per 64 columns by the kernel
// that wrote it (`squares`, [k/64][stride]), and are added here in a fixed order.
//
// Blocks may share the k of a tile (grid z); and a head of more than 64 features is
// several tiles. Then each leaves its part in `parts`, and the last one to arrive sums
// them, in order of z: the same bits in every run. `counts` are zero before and after.
#pragma once
#include "bf16.cuh"

struct Row {        // of the batch; 32 bytes
    int token, pos, slot, canvas;
    int context;    // tokens of the cache that it sees
    int canvas0, canvas1;  // rows of the batch that it sees as its canvas
    int target;     // -1: none
};

struct GEMM {
    const bf16* x;         // [rows, ktiles*64]
    const bf16* w;         // packed
    float* parts;          // [y][tiles][splits][MT*8][64]
    u32* counts;           // [y][groups]
    const float* squares;  // [ktiles][stride], or null
    const Row* info;
    const int* pick;       // x's row of each row, or null: the same
    int rows, ktiles, tiles, group;  // group: tiles that one epilogue needs
    int splits, stride, width;       // width: k without padding
    float eps;
};

constexpr int kThreads = 128;
constexpr int kPitch = 68;  // floats a row of the result in shared memory: no bank conflict

template <int MT> constexpr int stages() { return MT <= 4 ? 4 : 3; }
template <int MT> constexpr int stage_bytes() { return 8192 + MT * 1024; }
// The stages; after the product, the result of up to 128 features [MT*8][132] and 1/rms.
template <int MT> constexpr int gemm_shared() { return stages<MT>() * stage_bytes<MT>(); }

// product leaves this block's part of tile blockIdx.x in out [MT*8][kPitch].
template <int MT> __device__ __forceinline__ void product(const GEMM& a, char* smem, float* out) {
    constexpr int S = stages<MT>(), B = stage_bytes<MT>();
    const int tid = threadIdx.x, lane = tid & 31, warp = tid >> 5;
    const int m0 = blockIdx.y * MT * 8;
    const int k0 = (int)((long long)a.ktiles * blockIdx.z / a.splits);
    const int k1 = (int)((long long)a.ktiles * (blockIdx.z + 1) / a.splits);
    const u32 base = shared(smem);
    const char* w = (const char*)(a.w + (size_t)blockIdx.x * a.ktiles * 4096);
    const char* x[MT / 2];
    u32 xdst[MT / 2];
#pragma unroll
    for (int j = 0; j < MT / 2; j++) {
        int i = tid + j * kThreads, row = i >> 3, c = i & 7;
        int from = min(m0 + row, a.rows - 1);  // rows past the end repeat the last one
        if (a.pick) from = a.pick[from];
        x[j] = (const char*)(a.x + (size_t)from * a.ktiles * 64) + c * 16;
        xdst[j] = 8192 + row * 128 + ((c ^ (row & 7)) << 4);
    }
    auto load = [&](int k) {
        if (k < k1) {
            u32 to = base + (k - k0) % S * B;
#pragma unroll
            for (int j = 0; j < 4; j++) copy16(to + (tid + j * kThreads) * 16, w + (size_t)k * 8192 + (tid + j * kThreads) * 16);
#pragma unroll
            for (int j = 0; j < MT / 2; j++) copy16(to + xdst[j], x[j] + (size_t)k * 128);
        }
        copy_commit();  // an empty group too: they are counted
    };
    float acc[MT][4];
#pragma unroll
    for (int t = 0; t < MT; t++) acc[t][0] = acc[t][1] = acc[t][2] = acc[t][3] = 0;
#pragma unroll
    for (int s = 0; s < S - 1; s++) load(k0 + s);
#pragma unroll 1
    for (int k = k0; k < k1; k++) {
        copy_wait<S - 2>();
        __syncthreads();  // tile k is there for all, and all are done with tile k-1
        load(k + S - 1);
        u32 at = base + (k - k0) % S * B;
#pragma unroll
        for (int s = 0; s < 4; s++) {
            u32 wf[4];
            int r = warp * 16 + (lane & 15);
            ldmatrix(wf, at + r * 128 + (((s * 2 + (lane >> 4)) ^ (r & 7)) << 4));
#pragma unroll
            for (int t = 0; t < MT; t += 2) {
                u32 xf[4];
                int q = lane >> 3, row = t * 8 + (q >> 1) * 8 + (lane & 7);
                ldmatrix(xf, at + 8192 + row * 128 + (((s * 2 + (q & 1)) ^ (row & 7)) << 4));
                mma(acc[t], wf, xf[0], xf[1]);
                mma(acc[t + 1], wf, xf[2], xf[3]);
            }
        }
    }
    copy_wait<0>();
    __syncthreads();
    float* o = out + (lane & 3) * 2 * kPitch + warp * 16 + (lane >> 2);
#pragma unroll
    for (int t = 0; t < MT; t++) {
        o[(t * 8) * kPitch] = acc[t][0];
        o[(t * 8 + 1) * kPitch] = acc[t][1];
        o[(t * 8) * kPitch + 8] = acc[t][2];
        o[(t * 8 + 1) * kPitch + 8] = acc[t][3];
    }
    __syncthreads();
}

// gather makes the sum of all parts of a group, or says that another block will: false.
// out becomes [MT*8][pitch], pitch = group*64 + 4.
template <int MT> __device__ __forceinline__ bool gather(const GEMM& a, float* out, int group) {
    const int need = group * a.splits;
    if (need == 1) return true;
    const int tid = threadIdx.x;
    u32& arrived = *(u32*)((char*)out + gemm_shared<MT>() - 16);  // the stages are done with
    float* mine = a.parts + (((size_t)blockIdx.y * a.tiles + blockIdx.x) * a.splits + blockIdx.z) * (MT * 512);
#pragma unroll 1
    for (int i = tid; i < MT * 128; i += kThreads)
        ((float4*)mine)[i] = *(const float4*)(out + (i >> 4) * kPitch + (i & 15) * 4);
    __threadfence();  // the part is seen before its count
    __syncthreads();
    u32* count = a.counts + blockIdx.y * (a.tiles / group) + blockIdx.x / group;
    if (tid == 0) arrived = atomicAdd(count, 1);
    __syncthreads();
    if (arrived != need - 1) return false;
    __threadfence();
    if (tid == 0) *count = 0;
    const int pitch = group * 64 + 4, first = blockIdx.x / group * group;
#pragma unroll 1
    for (int g = 0; g < group; g++) {
        const float* p = a.parts + ((size_t)blockIdx.y * a.tiles + first + g) * a.splits * (MT * 512);
#pragma unroll 1
        for (int i = tid; i < MT * 128; i += kThreads) {
            float4 s = load_l2(p + i * 4);
#pragma unroll 1
            for (int z = 1; z < a.splits; z++) {
                float4 v = load_l2(p + (size_t)z * (MT * 512) + i * 4);
                s.x += v.x, s.y += v.y, s.z += v.z, s.w += v.w;
            }
            *(float4*)(out + (i >> 4) * pitch + g * 64 + (i & 15) * 4) = s;
        }
    }
    __syncthreads();
    return true;
}

// rms is 1/rms of a row of x; the whole warp asks.
__device__ __forceinline__ float rms(const GEMM& a, int row) {
    float s = 0;
#pragma unroll 1
    for (int t = threadIdx.x & 31; t < a.ktiles; t += 32) s += a.squares[(size_t)t * a.stride + row];
    return rsqrtf(warp_sum(s) / (float)a.width + a.eps);
}
