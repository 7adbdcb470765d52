// Attention of context and canvas rows: online softmax over two ranges, the sequence's
// cache and the batch's own canvas, on tensor cores (scores and values in bf16, sums in
// fp32). A block takes one KV head and 64 (row, query head) pairs of one sequence, 16 a
// warp; its keys and values pass through shared memory once, 32 at a time, two tiles deep.
#include "gemm.cuh"

struct Item {       // 64 pairs of one sequence; pair p is row row0 + p/share, head p%share
    int row0, p0, p1, slot;
    int context;          // cached tokens that any of its rows sees
    int canvas0, canvas1; // rows of its canvas
    int unused;
};

struct Attention {
    const bf16 *q, *k, *v, *canvas_k, *canvas_v;
    const Row* info;
    const Item* items;  // [gridDim.x]
    bf16* out;          // [rows][ostride]
    int heads, kv, hd, positions, ostride;
    float scale;        // log2(e)/sqrt(hd)
};

// HD is the padded head: 16, 32, 64 or 128.
template <int HD> __device__ __forceinline__ void attention(const Attention& a) {
    constexpr int KEYS = 32, C = HD / 8, TILE = KEYS * HD * 2, F = 8 / C > 0 ? 8 / C : 1;
    __shared__ __align__(128) char smem[4 * TILE];
    const int tid = threadIdx.x, lane = tid & 31, warp = tid >> 5, kvh = blockIdx.y;
    const Item it = a.items[blockIdx.x];
    const int share = a.heads / a.kv;
    const u32 base = shared(smem);
    // Where chunk c of key r lies in a tile: eight keys in a row meet eight banks of 16 B.
    auto place = [](int r, int c) -> u32 { return r * (HD * 2) + ((c ^ (r / F & (C < 8 ? C - 1 : 7))) << 4); };
    const int ct = (it.context + KEYS - 1) / KEYS, nt = ct + (it.canvas1 - it.canvas0 + KEYS - 1) / KEYS;
    const size_t cache = ((size_t)it.slot * a.kv + kvh) * a.positions * HD;
    auto load = [&](int t) {
        if (t < nt) {
            u32 to = base + (t & 1) * (2 * TILE);
#pragma unroll 1
            for (int i = tid; i < KEYS * C; i += kThreads) {
                int r = i / C, c = i % C;
                const bf16 *k, *v;
                if (t < ct) {  // past the end: the last key again, masked below
                    size_t at = cache + (size_t)min(t * KEYS + r, it.context - 1) * HD + c * 8;
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
    load(0);
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
    for (int t = 0; t < nt; t++) {
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
        float s = sum[j];
        s += __shfl_xor_sync(0xffffffffu, s, 1);
        s += __shfl_xor_sync(0xffffffffu, s, 2);
        if (!live[j]) continue;
        float inv = 1 / s;
        bf16* to = a.out + (size_t)row[j] * a.ostride + qh[j] * a.hd + (lane & 3) * 2;
#pragma unroll
        for (int c = 0; c < C; c++)
            if (c * 8 < a.hd) *(u32*)(to + c * 8) = pack(o[c][j * 2] * inv, o[c][j * 2 + 1] * inv);
    }
}

ENTRY(kThreads) void attention_16(const Attention a) { attention<16>(a); }
ENTRY(kThreads) void attention_32(const Attention a) { attention<32>(a); }
ENTRY(kThreads) void attention_64(const Attention a) { attention<64>(a); }
ENTRY(kThreads) void attention_128(const Attention a) { attention<128>(a); }
