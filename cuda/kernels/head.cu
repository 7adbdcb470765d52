// The two ends of the network: embedding, and the head that never writes its logits.
#include "layer.cu"

// embed: y = table[token], plus the mask's row where a canvas row shows a token and the
// model marks its canvas (mark >= 0). One block a row, 128 threads.
struct Embed {
    const bf16* table;  // [vocab][width], width a multiple of 64
    const Row* info;
    const Header* head;
    Stream to;
    int width, stride, mark, unused;
};

template <bool F8> __device__ __forceinline__ void embed(const Embed& a) {
    const int row = blockIdx.x, lane = threadIdx.x & 31;
    if (row >= a.head->rows) return;
    const int token = a.info[row].token;
    const bool mark = a.mark >= 0 && a.info[row].canvas && token != a.mark;
#pragma unroll 1
    for (int t = threadIdx.x >> 5; t < a.width / 64; t += 4) {
        int f = t * 64 + lane * 2;
        u32 e = *(const u32*)(a.table + (size_t)token * a.width + f);
        float lo = widen((bf16)e), hi = widen((bf16)(e >> 16));
        if (mark) {
            u32 m = *(const u32*)(a.table + (size_t)a.mark * a.width + f);
            lo += widen((bf16)m);
            hi += widen((bf16)(m >> 16));
        }
        if (f < a.to.n) *(float2*)(a.to.y + (size_t)row * a.to.n + f) = float2{lo, hi};
        write<F8>(a.to.copy, t, row, lo, hi);
        float s = warp_sum(lo * lo + hi * hi);
        if (lane == 0) a.to.squares[(size_t)t * a.stride + row] = s;
    }
}
ENTRY(128) void embed_bf16(const Embed a) { embed<false>(a); }
#if SM90
ENTRY(128) void embed_fp8(const Embed a) { embed<true>(a); }
#endif

// What is known of a row from some of its logits: best and runner-up (the lower id of
// equals; -1: none), and the sum of exp(logit - best).
struct Best {
    float first, second, sum;
    int id, id2;
};

__device__ __forceinline__ bool above(float a, int i, float b, int j) {
    return i >= 0 && (j < 0 || a > b || (a == b && i < j));
}

__device__ __forceinline__ Best merge(const Best& a, const Best& b) {
    Best t = above(b.first, b.id, a.first, a.id) ? b : a, o = above(b.first, b.id, a.first, a.id) ? a : b;
    if (o.id < 0) return t;
    t.sum += o.sum * exp2_((o.first - t.first) * 1.44269504f);
    if (above(o.first, o.id, t.second, t.id2)) t.second = o.first, t.id2 = o.id;
    return t;
}

__device__ __forceinline__ Best merge_warp(Best b) {
#pragma unroll
    for (int o = 16; o > 0; o >>= 1) {
        Best c;
        c.first = __shfl_xor_sync(0xffffffffu, b.first, o);
        c.second = __shfl_xor_sync(0xffffffffu, b.second, o);
        c.sum = __shfl_xor_sync(0xffffffffu, b.sum, o);
        c.id = __shfl_xor_sync(0xffffffffu, b.id, o);
        c.id2 = __shfl_xor_sync(0xffffffffu, b.id2, o);
        b = merge(b, c);
    }
    return b;
}

// head: norm, logits of one tile of the vocabulary, and what is known from them, for the
// rows that ask. A block none of whose rows asks reads no weights.
struct Head {
    GEMM g;
    const u32* forbid;  // [2][words]: a bit a token
    float* best;        // [tiles][asked][3]: first, second, sum
    int* ids;           // [tiles][asked][2]
    float* target;      // [asked]: the target's logit
    int vocab, words;
};

template <int MT, bool F8> __device__ __forceinline__ void head(const Head& a) {
    __shared__ __align__(1024) char smem[gemm_shared<MT, F8>()];
    const int rows = a.g.head->rows, y = blockIdx.y, lane = threadIdx.x & 31;
    const int mine = y * MT * 8 + lane;
    if (!__any_sync(0xffffffffu, lane < MT * 8 && mine < rows && a.g.info[min(mine, max(rows - 1, 0))].ask >= 0)) return;
    float* out = (float*)smem;
    product<MT, F8>(a.g, blockIdx.x, y, 0, smem, Now());
    const u32* forbid = a.forbid + (size_t)a.g.head->set * a.words;
#pragma unroll 1
    for (int m = threadIdx.x >> 5; m < MT * 8; m += kThreads / 32) {
        int row = y * MT * 8 + m;
        if (row >= rows) break;
        const int i = a.g.info[row].ask, target = a.g.info[row].target;
        if (i < 0) continue;
        float scale = rms(a.g, row);
        Best b;
        b.first = b.second = b.sum = 0;
        b.id = b.id2 = -1;
#pragma unroll
        for (int h = 0; h < 64; h += 32) {
            int id = blockIdx.x * 64 + h + lane;
            float v = out[m * kPitch + h + lane] * scale;
            if (id < a.vocab && !((forbid[id >> 5] >> (id & 31)) & 1)) {
                Best c;
                c.first = v, c.second = 0, c.sum = 1, c.id = id, c.id2 = -1;
                b = merge(b, c);
                if (id == target) a.target[i] = v;
            }
        }
        b = merge_warp(b);
        if (lane == 0) {
            size_t at = (size_t)blockIdx.x * a.g.head->asked + i;
            a.best[at * 3] = b.first, a.best[at * 3 + 1] = b.second, a.best[at * 3 + 2] = b.sum;
            a.ids[at * 2] = b.id, a.ids[at * 2 + 1] = b.id2;
        }
    }
}
KERNELS(head, Head)

// answer: the parts of each asked row into one. A block is a warp and a row. 32 bytes out:
// first, second, sum, target's logit, best, runner-up.
struct Answer {
    const float* best;
    const int* ids;
    const float* target;
    float* out;  // [asked][8]
    const Header* head;
    int tiles, unused;
};

ENTRY(32) void answer(const Answer a) {
    const int i = blockIdx.x, asked = a.head->asked;
    if (i >= asked) return;
    Best b;
    b.first = b.second = b.sum = 0;
    b.id = b.id2 = -1;
#pragma unroll 1
    for (int t = threadIdx.x; t < a.tiles; t += 32) {
        size_t at = (size_t)t * asked + i;
        Best c;
        c.first = a.best[at * 3], c.second = a.best[at * 3 + 1], c.sum = a.best[at * 3 + 2];
        c.id = a.ids[at * 2], c.id2 = a.ids[at * 2 + 1];
        b = merge(b, c);
    }
    b = merge_warp(b);
    if (threadIdx.x == 0) {
        float* o = a.out + (size_t)i * 8;
        o[0] = b.first, o[1] = b.second, o[2] = b.sum, o[3] = a.target[i];
        o[4] = __int_as_float(b.id), o[5] = __int_as_float(b.id2), o[6] = 0, o[7] = 0;
    }
}
