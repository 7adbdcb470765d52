// What of a canvas is decided between two passes, and the batch of the next one: so that the
// host need not be asked. engine/denoise/canvas.go is the reference and has the last word: what
// is done here is a forecast, which the host repeats from the answers in the log.
#include "attention.cu"

constexpr int kCells = 128;  // of a canvas at the most

// Canvas is a block that is being decided. The host writes it before the first pass, decide
// after each. Cells stand apart from it: their tokens, the mask's where nothing is decided.
struct Canvas {
    int cells, limit;          // and the most of them
    int revise, passes;        // visible cells are asked, too; passes left that may revise
    int tried, over;           // entries of tried; 1: no pass follows
    int step, stride;          // passes decided, ints of the log from one to the next
    int cap;                   // rows of a pass after the first, at the most
    int lead;                  // shifted canvas: the token before it, which is its first row; -1: not shifted
    int pos, context;          // of the first row; tokens of the cache that all rows see
    int pages;                 // of the sequence
    int mask, end, erase, insert;  // tokens; -1: there is none
    float threshold, factor;   // factor > 0: Fast-dLLM's rule
    float change;              // at which a visible token is revised
};

// decide: one warp. The last answers are those of the cells that were asked, in order; the log
// takes what the pass was and said:
//   rows, asked, revise, 0 | tokens [cap] | ask [cap] | answers [asked][8]
// (tokens and ask are left out where there are more than cap rows: the first pass).
struct Decide {
    Canvas* canvas;
    int* cells;      // [kCells]
    int2* tried;     // cell, token: what stood or was done there
    const float* out;  // [asked][8], as `answer` leaves them
    int* log;
    Header* head;    // of the batch, which becomes the next one
    Row* info;
    Item* items;     // [count]
    int* pages;
    const Item* plan;      // items of a canvas of cap rows
    const int* own;        // the sequence's pages
    int count, share;      // items; query heads of a KV head
};

// How many of the cells [0, n) are asked.
__device__ __forceinline__ int asked_cells(const int* cell, int n, int mask, int revise) {
    int k = 0;
#pragma unroll 1
    for (int b = 0; b < n; b += 32) {
        const int i = b + threadIdx.x;
        k += __popc(__ballot_sync(0xffffffffu, i < n && (revise || cell[i] == mask)));
    }
    return k;
}

ENTRY(32) void decide(const Decide a) {
    __shared__ int cells[2][kCells], choice[kCells], best[kCells];
    __shared__ float prob[kCells], sure[kCells];  // of choice, of best
    __shared__ bool seen[kCells];
    const int lane = threadIdx.x;
    const u32 below = (1u << lane) - 1;
    const Canvas c = *a.canvas;
    const int rows = a.head->rows, asked = a.head->asked;
    int* log = a.log + (size_t)c.step * c.stride;
    if (lane == 0) log[0] = rows, log[1] = asked, log[2] = c.revise, log[3] = 0;
    if (rows == 0) {
        __syncwarp();
        if (lane == 0) a.canvas->step = c.step + 1;
        return;
    }
    if (rows <= c.cap) {
#pragma unroll 1
        for (int i = lane; i < rows; i += 32) log[4 + i] = a.info[i].token, log[4 + c.cap + i] = a.info[i].ask;
    }
#pragma unroll 1
    for (int i = lane; i < asked * 8; i += 32) log[4 + 2 * c.cap + i] = __float_as_int(a.out[i]);

    int n = c.cells, tried = c.tried, passes = c.passes, masks = 0;
    int* cell = cells[0];
    int* other = cells[1];
#pragma unroll 1
    for (int i = lane; i < n; i += 32) cell[i] = a.cells[i];
    // What the answers say of each cell, which a lane looks at that has just loaded it.
    int at = asked - asked_cells(cell, n, c.mask, c.revise);
#pragma unroll 1
    for (int b = 0; b < n; b += 32) {
        const int i = b + lane;
        const bool masked = i < n && cell[i] == c.mask, ask = i < n && (c.revise || masked);
        const u32 who = __ballot_sync(0xffffffffu, ask);
        if (i < n) choice[i] = -1, seen[i] = !masked;
        if (ask) {
            const float* o = a.out + (size_t)(at + __popc(who & below)) * 8;
            int first = __float_as_int(o[4]), second = __float_as_int(o[5]);
            const float p = 1 / o[2];
            best[i] = first, sure[i] = p;
            if (masked) {
                if (first != c.erase && first != c.insert) {
                    choice[i] = first, prob[i] = p;
                } else if (second >= 0 && second != c.erase && second != c.insert) {
                    choice[i] = second, prob[i] = exp2_((o[1] - o[0]) * 1.44269504f) * p;
                }
            }
        }
        masks += __popc(__ballot_sync(0xffffffffu, masked));
        at += __popc(who);
    }
    __syncwarp();
    // Sorted by probability, the lower of equals first, those before the first that is not
    // sure are decided, and one always.
    int stop = kCells, placed = 0;
#pragma unroll 1
    for (int pass = 0; pass < 2; pass++) {
#pragma unroll 1
        for (int b = 0; b < n; b += 32) {
            const int i = b + lane;
            const bool mine = i < n && choice[i] >= 0;
            int rank = 0;
            if (mine) {
                const float p = prob[i];
#pragma unroll 1
                for (int j = 0; j < n; j++) rank += choice[j] >= 0 && (prob[j] > p || (prob[j] == p && j < i));
                const bool ok = rank == 0 || (c.factor > 0 ? (float)(rank + 2) * (1 - p) < c.factor : p >= c.threshold);
                if (pass == 0 && !ok) stop = min(stop, rank);
            }
            if (pass == 0) continue;
            const bool place = mine && rank < stop;
            const u32 who = __ballot_sync(0xffffffffu, place);
            if (place) {
                cell[i] = choice[i];
                a.tried[tried + __popc(who & below)] = int2{i, choice[i]};
            }
            tried += __popc(who), placed += __popc(who);
        }
        if (pass == 0) {
#pragma unroll
            for (int o = 16; o > 0; o >>= 1) stop = min(stop, __shfl_xor_sync(0xffffffffu, stop, o));
        }
        __syncwarp();
    }
    const bool stuck = masks > 0 && placed == 0;
    // From the right, so that places before stay.
    bool revised = false;
    if (c.revise) {
#pragma unroll 1
        for (int i = c.cells - 1; i >= 0; i--) {
            const int t = best[i];
            if (!seen[i] || t == cell[i] || !(sure[i] >= c.change)) continue;
            bool was = false;
#pragma unroll 1
            for (int j = lane; j < tried; j += 32) was |= a.tried[j].x == i && a.tried[j].y == t;
            if (__any_sync(0xffffffffu, was)) continue;
            __syncwarp();  // all have read the cell
            if (t == c.erase || t == c.insert) {
                const bool more = t == c.insert;
                if (more ? n >= c.limit : n == 1) continue;
#pragma unroll 1
                for (int j = lane; j < n + more; j += 32)
                    if (more || j < n - 1) other[j] = j < i ? cell[j] : more ? (j == i ? c.mask : cell[j - 1]) : cell[j + 1];
                int* swap = cell;
                cell = other, other = swap;
                n += more ? 1 : -1;
            } else if (lane == 0) {
                cell[i] = t;
            }
            if (lane == 0) a.tried[tried] = int2{i, t};
            tried++;
            revised = true;
            __syncwarp();
        }
        if (revised) passes--;
    }
    // What follows the end is nothing.
    int end = n;
    bool masked = false, visible = false;
#pragma unroll 1
    for (int b = n - 1 & ~31; b >= 0; b -= 32) {
        const int i = b + lane;
        const u32 who = __ballot_sync(0xffffffffu, i < n && cell[i] == c.end);
        if (who) end = b + __ffs(who);
    }
    n = min(n, end);
#pragma unroll 1
    for (int b = 0; b < n; b += 32) {
        const int i = b + lane;
        masked |= __any_sync(0xffffffffu, i < n && cell[i] == c.mask) != 0;
        visible |= __any_sync(0xffffffffu, i < n && cell[i] != c.mask) != 0;
    }
    const int revise = passes > 0 && visible && !stuck;
    // A shifted canvas of masks alone wants a context row, which the host knows.
    const bool over = (!masked && !revised) || (c.lead >= 0 && !visible);
    // The next pass.
    int m = 0, ask = 0;
    if (!over) {
        const bool shift = c.lead >= 0;
        m = n + (shift && cell[n - 1] != c.mask);
#pragma unroll 1
        for (int b = 0; b < m; b += 32) {
            const int r = b + lane;
            const bool want = r < n && (revise || cell[r] == c.mask);
            const u32 who = __ballot_sync(0xffffffffu, want);
            if (r < m) {
                Row& to = a.info[r];
                to.token = !shift ? cell[r] : r == 0 ? c.lead : cell[r - 1];
                to.pos = c.pos + r, to.page = 0, to.canvas = 1, to.context = c.context;
                to.canvas0 = 0, to.canvas1 = m, to.target = -1;
                to.ask = want ? ask + __popc(who & below) : -1;
            }
            ask += __popc(who);
        }
#pragma unroll 1
        for (int i = lane; i < a.count; i += 32) {
            Item it = a.plan[i];
            it.p1 = min(it.p1, m * a.share), it.canvas1 = m;
            a.items[i] = it;
        }
#pragma unroll 1
        for (int i = lane; i < c.pages; i += 32) a.pages[i] = a.own[i];
    }
#pragma unroll 1
    for (int i = lane; i < n; i += 32) a.cells[i] = cell[i];
    __syncwarp();
    if (lane == 0) {
        Canvas* to = a.canvas;
        to->cells = n, to->revise = revise, to->passes = passes, to->tried = tried, to->over = over, to->step = c.step + 1;
        a.head->rows = m, a.head->asked = ask, a.head->set = revise;
    }
}
