// Small-M matrix product: y [rows, n] = x [rows, k] w [n, k]^T, 16 or 32 rows a block. The
// weights are streamed once, the rows come from L2 again in each block; more rows than 32
// are further blocks, which find the weights in L2 (at 64 rows an H20 is bound by
// arithmetic, and a block of 64 would leave no room for stages).
//
// Weights are the wide operand: a warp owns 16 of a tile's 64 output features, and rows
// are the 8-wide side of the instruction. They lie packed as tiles [n/64][steps][64][128
// B], each 8 KB in one piece, the 16-byte chunk c of row r at c ^ (r & 7), so that a tile
// is copied as it lies and meets no bank twice. A step is 64 of k in bf16, 128 in e4m3:
// the same bytes. What n and k lack to multiples of that is zero.
//
// e4m3: weights have a scale an output feature, activations one a row and 64 columns (X).
// Each 64 columns are summed apart and then added in fp32: that is where their scale
// belongs, and Hopper's tensor cores keep some 14 bits of a longer sum of e4m3.
//
// RMSNorm costs no pass over x: its weights are folded into w, and 1/rms scales a row
// after the product. The squares of a row of x were summed per 64 columns by the kernel
// that wrote it (`squares`, [width/64][stride]), and are added here in a fixed order.
//
// Blocks may share the k of a tile (z); and an epilogue may need several tiles (a head of
// more than 64 features). Then each leaves its part in `parts`, and the last one to arrive
// sums them, in order of z: the same bits in every run. `counts` are zero before and after.
#pragma once
#include "rows.cuh"

struct GEMM {
    X x;
    const char* w;       // packed
    const float* wscale; // e4m3: [tiles*64]
    float* parts;        // [y][tiles][splits][MT*8][64]
    u32* counts;         // [y][groups]
    const float* squares;
    const Row* info;
    const Header* head;
    int steps, tiles, group;  // group: tiles that one epilogue needs
    int splits, stride, width;  // stride: of squares; width: k without padding
    float eps;
    int unused;
};

constexpr int kThreads = 128;
constexpr int kPitch = 68;  // floats a row of the result in shared memory: no bank conflict

template <int MT> constexpr int stages() { return MT <= 2 ? 4 : 3; }
// A stage: 8 KB of weights, the rows' 128 bytes each, two scales a row for e4m3.
template <int MT, bool F8> constexpr int stage_bytes() { return 8192 + MT * 1024 + (F8 ? MT * 64 : 0); }
template <int MT, bool F8> constexpr int gemm_shared() { return (stages<MT>() * stage_bytes<MT, F8>() + 64 + 1023) / 1024 * 1024; }

struct Now {
    __device__ __forceinline__ void operator()() const {}
};

// product leaves the part (tile, z) of rows from y*MT*8 on in out [MT*8][kPitch]. The
// weights' copies are under way when `ready` is called, the rows' are not.
template <int MT, bool F8, class Ready>
__device__ __forceinline__ void product(const GEMM& a, int tile, int y, int z, char* smem, Ready ready) {
    constexpr int S = stages<MT>(), B = stage_bytes<MT, F8>();
    const int tid = threadIdx.x, lane = tid & 31, warp = tid >> 5;
    const int k0 = (int)((long long)a.steps * z / a.splits);
    const int k1 = (int)((long long)a.steps * (z + 1) / a.splits);
    const u32 base = shared(smem);
    const char* w = a.w + (size_t)tile * a.steps * 8192 + tid * 16;
    const char* x = a.x.data + (size_t)y * MT * 1024 + tid * 16;
    const float* scale = a.x.scale + (size_t)(tid / (MT * 2)) * a.x.stride + y * MT * 8 + tid % (MT * 2) * 4;
    auto load_w = [&](int k) {
        u32 to = base + (k - k0) % S * B + tid * 16;
        if (k < k1)
#pragma unroll
            for (int j = 0; j < 4; j++) copy16(to + j * 2048, w + (size_t)k * 8192 + j * 2048);
    };
    auto load_x = [&](int k) {
        u32 to = base + (k - k0) % S * B + 8192 + tid * 16;
        if (k < k1) {
#pragma unroll
            for (int j = 0; j < MT / 2; j++) copy16(to + j * 2048, x + (size_t)k * a.x.stride * 128 + j * 2048);
            if (F8 && tid < MT * 4) copy16(to + MT * 1024, scale + (size_t)2 * k * a.x.stride);
        }
        copy_commit();  // an empty group too: they are counted
    };
    float acc[MT][4];
#pragma unroll
    for (int t = 0; t < MT; t++) acc[t][0] = acc[t][1] = acc[t][2] = acc[t][3] = 0;
#pragma unroll
    for (int s = 0; s < S - 1; s++) load_w(k0 + s);
    ready();
#pragma unroll
    for (int s = 0; s < S - 1; s++) load_x(k0 + s);
#pragma unroll 1
    for (int k = k0; k < k1; k++) {
        copy_wait<S - 2>();
        __syncthreads();  // step k is there for all, and all are done with step k-1
        load_w(k + S - 1);
        load_x(k + S - 1);
        const u32 at = base + (k - k0) % S * B;
        // The fragments of a quarter of a step: 32 bytes of each row, as either type.
        auto quarter = [&](int s, float (&c)[MT][4]) {
            u32 wf[4];
            int r = warp * 16 + (lane & 15);
            ldmatrix(wf, at + r * 128 + (((s * 2 + (lane >> 4)) ^ (r & 7)) << 4));
#pragma unroll
            for (int t = 0; t < MT; t += 2) {
                u32 xf[4];
                int q = lane >> 3, row = t * 8 + (q >> 1) * 8 + (lane & 7);
                ldmatrix(xf, at + 8192 + row * 128 + (((s * 2 + (q & 1)) ^ (row & 7)) << 4));
#if SM90
                if (F8) {
                    mma8(c[t], wf, xf[0], xf[1]);
                    mma8(c[t + 1], wf, xf[2], xf[3]);
                    continue;
                }
#endif
                mma(c[t], wf, xf[0], xf[1]);
                mma(c[t + 1], wf, xf[2], xf[3]);
            }
        };
        if (!F8) {
#pragma unroll
            for (int s = 0; s < 4; s++) quarter(s, acc);
            continue;
        }
        const float* scales = (const float*)(smem + (k - k0) % S * B + 8192 + MT * 1024) + (lane & 3) * 2;
#pragma unroll
        for (int h = 0; h < 2; h++) {
            float part[MT][4];
#pragma unroll
            for (int t = 0; t < MT; t++) part[t][0] = part[t][1] = part[t][2] = part[t][3] = 0;
            quarter(2 * h, part);
            quarter(2 * h + 1, part);
#pragma unroll
            for (int t = 0; t < MT; t++) {
                float2 s = *(const float2*)(scales + h * MT * 8 + t * 8);
                acc[t][0] += part[t][0] * s.x;
                acc[t][1] += part[t][1] * s.y;
                acc[t][2] += part[t][2] * s.x;
                acc[t][3] += part[t][3] * s.y;
            }
        }
    }
    copy_wait<0>();
    __syncthreads();
    const int f = warp * 16 + (lane >> 2);
    float lo = 1, hi = 1;
    if (F8) lo = a.wscale[tile * 64 + f], hi = a.wscale[tile * 64 + f + 8];
    float* o = (float*)smem + (lane & 3) * 2 * kPitch + f;
#pragma unroll
    for (int t = 0; t < MT; t++) {
        o[(t * 8) * kPitch] = acc[t][0] * lo;
        o[(t * 8 + 1) * kPitch] = acc[t][1] * lo;
        o[(t * 8) * kPitch + 8] = acc[t][2] * hi;
        o[(t * 8 + 1) * kPitch + 8] = acc[t][3] * hi;
    }
    __syncthreads();
}

// gather makes the sum of all parts of a group, or says that another block will: false.
// out becomes [MT*8][pitch], pitch = group*64 + 4.
template <int MT, bool F8> __device__ __forceinline__ bool gather(const GEMM& a, int tile, int y, int z, float* out, int group) {
    const int need = group * a.splits;
    if (need == 1) return true;
    u32& arrived = *(u32*)((char*)out + gemm_shared<MT, F8>() - 16);  // behind the stages
    const int tid = threadIdx.x;
    float* mine = a.parts + (((size_t)y * a.tiles + tile) * a.splits + z) * (MT * 512);
#pragma unroll 1
    for (int i = tid; i < MT * 128; i += kThreads)
        ((float4*)mine)[i] = *(const float4*)(out + (i >> 4) * kPitch + (i & 15) * 4);
    __threadfence();  // the part is seen before its count
    __syncthreads();
    u32* count = a.counts + y * (a.tiles / group) + tile / group;
    if (tid == 0) arrived = atomicAdd(count, 1);
    __syncthreads();
    if (arrived != need - 1) return false;
    __threadfence();
    if (tid == 0) *count = 0;
    const int pitch = group * 64 + 4, first = tile / group * group;
#pragma unroll 1
    for (int g = 0; g < group; g++) {
        const float* p = a.parts + ((size_t)y * a.tiles + first + g) * a.splits * (MT * 512);
#pragma unroll 1
        for (int i = tid; i < MT * 128; i += kThreads) {
            float4 s = load_l2(p + i * 4);
#pragma unroll 1
            for (int q = 1; q < a.splits; q++) {
                float4 v = load_l2(p + (size_t)q * (MT * 512) + i * 4);
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
    for (int t = threadIdx.x & 31; t < (a.width + 63) / 64; t += 32) s += a.squares[(size_t)t * a.stride + row];
    return rsqrtf(warp_sum(s) / (float)a.width + a.eps);
}

// A kernel for each height, and where there is e4m3 each type.
#if SM90
#define KERNELS(name, Args)                                                       \
    ENTRY(kThreads) void name##_bf16_16(const Args a) { name<2, false>(a); }      \
    ENTRY(kThreads) void name##_bf16_32(const Args a) { name<4, false>(a); }      \
    ENTRY(kThreads) void name##_fp8_16(const Args a) { name<2, true>(a); }        \
    ENTRY(kThreads) void name##_fp8_32(const Args a) { name<4, true>(a); }
#else
#define KERNELS(name, Args)                                                       \
    ENTRY(kThreads) void name##_bf16_16(const Args a) { name<2, false>(a); }      \
    ENTRY(kThreads) void name##_bf16_32(const Args a) { name<4, false>(a); }
#endif
