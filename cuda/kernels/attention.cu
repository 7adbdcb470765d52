// Attention of context and canvas rows: online softmax over two ranges, the sequence's
// pages of the cache and the batch's own canvas, on tensor cores (scores and values in
// bf16, sums in fp32). A block takes one KV head and 64 (row, query head) pairs of one
// sequence, 16 a warp; its keys and values pass through shared memory once, 32 at a time,
// two tiles deep.
//
// Long contexts are cut into parts, each a block (an Item of its own). A part leaves its
// sums, maxima and values in `parts`; the last one to arrive merges them in order: the
// same bits in every run.
#include "gemm.cuh"

struct Item {       // 64 pairs of one sequence; pair p is row row0 + p/share, head p%share
    int row0, p0, p1;     // p0 == p1: nothing to do
    int table;            // where the sequence's pages stand in `pages`
    int context;          // cached tokens that any of its rows sees
    int canvas0, canvas1; // rows of its canvas
    int t0, t1;           // tiles of 32 keys, context's and then canvas's; t1 may be beyond them
    int part, parts;
    int first;            // the item that is part 0
};

struct Attention {
    const bf16 *q, *k, *v, *canvas_k, *canvas_v;
    const Row* info;
    const Item* items;  // [gridDim.x]
    const int* pages;
    X out;              // [rows][heads][hstride]
    float* parts;       // [items][kv][64][HD+2]
    u32* counts;        // [items][kv]
    long long page;     // elements from page to page
    int heads, kv, hd, hstride;
    float scale;        // log2(e)/sqrt(hd)
    int unused;
};

// HD is the padded head: 16, 32, 64 or 128.
template <int HD, bool F8> __device__ __forceinline__ void attention(const Attention& a) {
    constexpr int KEYS = 32, C = HD / 8, TILE = KEYS * HD * 2, F = 8 / C > 0 ? 8 / C : 1;
    __shared__ __align__(128) char smem[4 * TILE];
    __shared__ u32 arrived;
    const int tid = threadIdx.x, lane = tid & 31, warp = tid >> 5, kvh = blockIdx.y;
    const Item it = a.items[blockIdx.x];
    if (it.p0 >= it.p1) return;
    const int share = a.heads / a.kv;
    const u32 base = shared(smem);
    // Where chunk c of key r lies in a tile: eight keys in a row meet eight banks of 16 B.
    auto place = [](int r, int c) -> u32 { return r * (HD * 2) + ((c ^ (r / F & (C < 8 ? C - 1 : 7))) << 4); };
    const int ct = (it.context + KEYS - 1) / KEYS;
    const int nt = min(it.t1, ct + (it.canvas1 - it.canvas0 + KEYS - 1) / KEYS);
    auto load = [&](int t) {
        if (t < nt) {
            u32 to = base + (t & 1) * (2 * TILE);
#pragma unroll 1
            for (int i = tid; i < KEYS * C; i += kThreads) {
                int r = i / C, c = i % C;
                const bf16 *k, *v;
                if (t < ct) {  // past the end: the last key again, masked below
                    int pos = min(t * KEYS + r, it.context - 1);
                    size_t at = a.pages[it.table + (pos >> 6)] * a.page + ((size_t)kvh * 64 + (pos & 63)) * HD + c * 8;
                    k = a.k + at, v = a.v + at;
                } else {
                    size_t at = ((size_t)min(it.canvas0 + (t - ct) * KEYS + r, it.canvas1 - 1) * a.kv + kvh) * HD + c * 8;
                    k = a.canvas_k + at, v = a.canvas_v + at;
                }
                copy16(to + place(r, c), k);
                copy16(to + TILE + place(r, c), v);
            }
        }
        copy_commit();
    };
    load(it.t0);
    // The two rows of this lane, and how far each sees.
    int row[2], qh[2], see[2], canvas[2];
    bool live[2];
#pragma unroll
    for (int j = 0; j < 2; j++) {
        int p = it.p0 + warp * 16 + (lane >> 2) + j * 8;
        live[j] = p < it.p1;
        p = min(p, it.p1 - 1);
        row[j] = it.row0 + p / share;
        qh[j] = kvh * share + p % share;
        see[j] = a.info[row[j]].context;
        canvas[j] = a.info[row[j]].canvas ? it.canvas1 - it.canvas0 : 0;
    }
    u32 qf[HD / 16][4];
    const bf16* q0 = a.q + ((size_t)row[0] * a.heads + qh[0]) * HD + (lane & 3) * 2;
    const bf16* q1 = a.q + ((size_t)row[1] * a.heads + qh[1]) * HD + (lane & 3) * 2;
#pragma unroll
    for (int s = 0; s < HD / 16; s++) {
        qf[s][0] = *(const u32*)(q0 + s * 16);
        qf[s][1] = *(const u32*)(q1 + s * 16);
        qf[s][2] = *(const u32*)(q0 + s * 16 + 8);
        qf[s][3] = *(const u32*)(q1 + s * 16 + 8);
    }
    float o[C][4];
#pragma unroll
    for (int c = 0; c < C; c++) o[c][0] = o[c][1] = o[c][2] = o[c][3] = 0;
    float top[2] = {-1e30f, -1e30f}, sum[2] = {0, 0};
#pragma unroll 1
    for (int t = it.t0; t < nt; t++) {
        load(t + 1);
        copy_wait<1>();
        __syncthreads();  // tile t is there for all
        const u32 ks = base + (t & 1) * (2 * TILE), vs = ks + TILE;
        float p[4][4];
#pragma unroll
        for (int n = 0; n < 4; n++) p[n][0] = p[n][1] = p[n][2] = p[n][3] = 0;
#pragma unroll
        for (int s = 0; s < HD / 16; s++) {
#pragma unroll
            for (int n = 0; n < 4; n += 2) {
                u32 kf[4];
                int g = lane >> 3;
                ldmatrix(kf, ks + place(n * 8 + (g >> 1) * 8 + (lane & 7), s * 2 + (g & 1)));
                mma(p[n], qf[s], kf[0], kf[1]);
                mma(p[n + 1], qf[s], kf[2], kf[3]);
            }
        }
        const int first = t < ct ? t * KEYS : (t - ct) * KEYS;
#pragma unroll
        for (int j = 0; j < 2; j++) {
            const int end = t < ct ? see[j] : canvas[j];
            float best = top[j];
#pragma unroll
            for (int n = 0; n < 4; n++) {
#pragma unroll
                for (int e = 0; e < 2; e++) {
                    int key = first + n * 8 + (lane & 3) * 2 + e;
                    float s = key < end ? p[n][j * 2 + e] * a.scale : -1e30f;
                    p[n][j * 2 + e] = s;
                    best = fmaxf(best, s);
                }
            }
            best = fmaxf(best, __shfl_xor_sync(0xffffffffu, best, 1));
            best = fmaxf(best, __shfl_xor_sync(0xffffffffu, best, 2));
            float old = exp2_(top[j] - best), part = 0;
            top[j] = best;
#pragma unroll
            for (int n = 0; n < 4; n++) {
#pragma unroll
                for (int e = 0; e < 2; e++) {
                    int key = first + n * 8 + (lane & 3) * 2 + e;
                    float v = key < end ? exp2_(p[n][j * 2 + e] - best) : 0;
                    p[n][j * 2 + e] = v;
                    part += v;
                }
            }
            sum[j] = sum[j] * old + part;
#pragma unroll
            for (int c = 0; c < C; c++) o[c][j * 2] *= old, o[c][j * 2 + 1] *= old;
        }
#pragma unroll
        for (int s = 0; s < 2; s++) {
            u32 pf[4] = {pack(p[2 * s][0], p[2 * s][1]), pack(p[2 * s][2], p[2 * s][3]),
                         pack(p[2 * s + 1][0], p[2 * s + 1][1]), pack(p[2 * s + 1][2], p[2 * s + 1][3])};
#pragma unroll
            for (int c = 0; c < C; c += 2) {
                u32 vf[4];
                int g = lane >> 3;
                ldmatrix_trans(vf, vs + place(s * 16 + (g & 1) * 8 + (lane & 7), c + (g >> 1)));
                mma(o[c], pf, vf[0], vf[1]);
                mma(o[c + 1], pf, vf[2], vf[3]);
            }
        }
        __syncthreads();  // all are done with tile t before t+2 comes into its place
    }
    copy_wait<0>();
#pragma unroll
    for (int j = 0; j < 2; j++) {
        sum[j] += __shfl_xor_sync(0xffffffffu, sum[j], 1);
        sum[j] += __shfl_xor_sync(0xffffffffu, sum[j], 2);
    }
    if (it.parts > 1) {
        constexpr int N = 64 * (HD + 2);
        auto part = [&](int i) { return a.parts + ((size_t)i * a.kv + kvh) * N; };
        const int p = warp * 16 + (lane >> 2), c0 = (lane & 3) * 2;
        float* mine = part(it.first + it.part);
#pragma unroll
        for (int j = 0; j < 2; j++) {
#pragma unroll
            for (int c = 0; c < C; c++) *(float2*)(mine + (p + j * 8) * HD + c * 8 + c0) = float2{o[c][j * 2], o[c][j * 2 + 1]};
            if (c0 == 0) *(float2*)(mine + 64 * HD + (p + j * 8) * 2) = float2{top[j], sum[j]};
        }
        __threadfence();  // the part is seen before its count
        __syncthreads();
        u32* count = a.counts + it.first * a.kv + kvh;
        if (tid == 0) arrived = atomicAdd(count, 1);
        __syncthreads();
        if (arrived != it.parts - 1) return;
        __threadfence();
        if (tid == 0) *count = 0;
#pragma unroll
        for (int j = 0; j < 2; j++) {
            float best = -1e30f, all = 0;
#pragma unroll 1
            for (int i = 0; i < it.parts; i++) best = fmaxf(best, load_l2x2(part(it.first + i) + 64 * HD + (p + j * 8) * 2).x);
#pragma unroll
            for (int c = 0; c < C; c++) o[c][j * 2] = o[c][j * 2 + 1] = 0;
#pragma unroll 1
            for (int i = 0; i < it.parts; i++) {
                const float* from = part(it.first + i);
                float2 ts = load_l2x2(from + 64 * HD + (p + j * 8) * 2);
                float by = exp2_(ts.x - best);
                all += ts.y * by;
#pragma unroll
                for (int c = 0; c < C; c++) {
                    float2 v = load_l2x2(from + (p + j * 8) * HD + c * 8 + c0);
                    o[c][j * 2] += v.x * by, o[c][j * 2 + 1] += v.y * by;
                }
            }
            sum[j] = all;
        }
    }
#pragma unroll
    for (int j = 0; j < 2; j++) {
        const float inv = 1 / sum[j];
#pragma unroll
        for (int g = 0; g < C; g += 8) {  // 64 columns
            const int col = qh[j] * a.hstride + g * 8, t = col >> 6;
            float by = inv;
#if SM90
            if (F8) {
                float most = 0;
#pragma unroll
                for (int c = g; c < C && c < g + 8; c++) most = fmaxf(most, fmaxf(fabsf(o[c][j * 2]), fabsf(o[c][j * 2 + 1])));
                const float s = scale8(lanes_max<2>(most) * inv);
                by = inv * inverse8(s);
                if (live[j] && (lane & 3) == 0) a.out.scale[(size_t)t * a.out.stride + row[j]] = s;
            }
#endif
#pragma unroll
            for (int c = g; c < C && c < g + 8; c++) {
                if (!live[j] || c * 8 >= a.hd) continue;
                const int i = (col & 63) + (c - g) * 8, at_t = t + (i >> 6), lo = (i & 63) + (lane & 3) * 2;
#if SM90
                if (F8) {
                    *(unsigned short*)at<true>(a.out, at_t, row[j], lo) = pack8(o[c][j * 2] * by, o[c][j * 2 + 1] * by);
                    continue;
                }
#endif
                *(u32*)at<false>(a.out, at_t, row[j], lo) = pack(o[c][j * 2] * by, o[c][j * 2 + 1] * by);
            }
        }
    }
}

#define ATTENTION(hd) \
    ENTRY(kThreads) void attention_bf16_##hd(const Attention a) { attention<hd, false>(a); }
ATTENTION(16)
ATTENTION(32)
ATTENTION(64)
ATTENTION(128)
#if SM90
#define ATTENTION8(hd) \
    ENTRY(kThreads) void attention_fp8_##hd(const Attention a) { attention<hd, true>(a); }
ATTENTION8(16)
ATTENTION8(32)
ATTENTION8(64)
ATTENTION8(128)
#endif
