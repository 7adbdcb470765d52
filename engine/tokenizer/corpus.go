package tokenizer

import (
	"context"
	"math/bits"
)

// corpus is what one stage of training merges in: sequences of tokens, each with the
// number of times it stands in the text, and the count of every pair of neighbours,
// kept up to date merge by merge.
type corpus struct {
	ids   []int32 // all sequences, end to end
	seqs  []sequence
	pairs map[uint64]int32 // pairKey → index of stats
	stats []pairStat
	heap  pairHeap
	round int32 // number of merges done, to mark the pairs that one merge touches
	touch []int32
}

type sequence struct {
	at, n   int32 // the tokens are ids[at:at+n]
	count   int64
	sources sourceSet
}

// pairStat is one pair. Every sequence that holds the pair is in where; a sequence may
// be there twice or hold it no more, which costs a look and no more.
type pairStat struct {
	key   uint64
	count int64
	where []int32
	round int32 // the last one in which count grew
}

func newCorpus() *corpus { return &corpus{pairs: map[uint64]int32{}} }

// begin starts a sequence that stands in the text as often as w; add extends it.
func (c *corpus) begin(w *counted) {
	c.seqs = append(c.seqs, sequence{at: int32(len(c.ids)), count: w.count, sources: w.sources})
}

func (c *corpus) add(id int32) {
	c.ids = append(c.ids, id)
	c.seqs[len(c.seqs)-1].n++
}

// countPairs counts all pairs, and lists where each stands. The lists are cut from one
// array, since most pairs stand in one place and would waste an allocation each.
func (c *corpus) countPairs(ctx context.Context) error {
	at := make([]int32, len(c.ids)) // the pair at each position
	var places []int32              // by pair
	for i, s := range c.seqs {
		if i%4096 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		for j := s.at; j+1 < s.at+s.n; j++ {
			p := c.pair(c.ids[j], c.ids[j+1])
			if int(p) == len(places) {
				places = append(places, 0)
			}
			c.stats[p].count += s.count
			places[p]++
			at[j] = p
		}
	}
	all := make([]int32, len(c.ids))
	for p, n := range places {
		// Capacity bounded: growth later moves the list out of the array.
		c.stats[p].where, all = all[:0:n], all[n:]
	}
	for i, s := range c.seqs {
		for j := s.at; j+1 < s.at+s.n; j++ {
			p := &c.stats[at[j]]
			p.where = append(p.where, int32(i))
		}
	}
	c.heap = make(pairHeap, len(c.stats))
	for p := range c.stats {
		c.heap[p] = pairCount{c.stats[p].count, c.stats[p].key, int32(p)}
	}
	c.heap.init()
	return nil
}

// pair returns the index of the pair, new if it was not seen before.
func (c *corpus) pair(a, b int32) int32 {
	key := pairKey(a, b)
	p, ok := c.pairs[key]
	if !ok {
		p = int32(len(c.stats))
		c.pairs[key] = p
		c.stats = append(c.stats, pairStat{key: key})
	}
	return p
}

// mostFrequent takes the pair with the highest count off the heap, of several the one
// with the smaller ids; false if none reaches least. Counts that fell since they were
// pushed are pushed again as they are now; those that grew have been.
func (c *corpus) mostFrequent(least int64) (a, b int32, ok bool) {
	for len(c.heap) > 0 {
		top := c.heap.pop()
		now := c.stats[top.pair].count
		if now < max(least, 1) {
			continue
		}
		if now == top.count {
			return int32(top.key >> 32), int32(uint32(top.key)), true
		}
		if now < top.count {
			c.heap.push(pairCount{now, top.key, top.pair})
		}
	}
	return 0, 0, false
}

// spread says whether a b stands in the texts of at least n sources.
func (c *corpus) spread(a, b int32, n int) bool {
	var seen sourceSet
	for _, w := range c.stats[c.pairs[pairKey(a, b)]].where {
		s := &c.seqs[w]
		ids := c.ids[s.at : s.at+s.n]
		for i := 1; i < len(ids); i++ {
			if ids[i-1] == a && ids[i] == b {
				seen.addAll(&s.sources)
				break
			}
		}
		if seen.size() >= n {
			return true
		}
	}
	return n <= 0
}

// merge replaces every a b by into, left to right, and updates the counts of the pairs
// around.
func (c *corpus) merge(a, b, into int32) {
	p := c.pairs[pairKey(a, b)]
	where := c.stats[p].where
	c.stats[p].where = nil
	c.round++
	c.touch = c.touch[:0]
	for _, w := range where {
		s := &c.seqs[w]
		ids := c.ids[s.at : s.at+s.n]
		out := 0
		for i := 0; i < len(ids); i++ {
			if i+1 == len(ids) || ids[i] != a || ids[i+1] != b {
				ids[out] = ids[i]
				out++
				continue
			}
			if out > 0 { // what is before may itself be merged by now
				c.stats[c.pair(ids[out-1], a)].count -= s.count
				c.grow(ids[out-1], into, w, s.count)
			}
			if i+2 < len(ids) {
				c.stats[c.pair(b, ids[i+2])].count -= s.count
				c.grow(into, ids[i+2], w, s.count)
			}
			ids[out] = into
			out++
			i++
		}
		s.n = int32(out)
	}
	c.stats[p].count = 0
	for _, p := range c.touch {
		if c.stats[p].count > 0 {
			c.heap.push(pairCount{c.stats[p].count, c.stats[p].key, p})
		}
	}
}

// grow counts a pair that has come to stand in sequence w.
func (c *corpus) grow(a, b, w int32, count int64) {
	i := c.pair(a, b)
	p := &c.stats[i]
	p.count += count
	if n := len(p.where); n == 0 || p.where[n-1] != w {
		p.where = append(p.where, w)
	}
	if p.round != c.round {
		p.round = c.round
		c.touch = append(c.touch, i)
	}
}

// pairCount is a pair with the count it had when it was pushed.
type pairCount struct {
	count int64
	key   uint64
	pair  int32
}

func (x pairCount) before(y pairCount) bool {
	return x.count > y.count || x.count == y.count && x.key < y.key
}

// pairHeap is a binary heap, the pair to merge next at the top.
type pairHeap []pairCount

func (h pairHeap) init() {
	for i := len(h)/2 - 1; i >= 0; i-- {
		h.down(i)
	}
}

func (h *pairHeap) push(x pairCount) {
	*h = append(*h, x)
	a := *h
	i := len(a) - 1
	for ; i > 0 && x.before(a[(i-1)/2]); i = (i - 1) / 2 {
		a[i] = a[(i-1)/2]
	}
	a[i] = x
}

func (h *pairHeap) pop() pairCount {
	a := *h
	top, last := a[0], len(a)-1
	a[0] = a[last]
	*h = a[:last]
	if last > 0 {
		h.down(0)
	}
	return top
}

func (h pairHeap) down(i int) {
	x := h[i]
	for {
		child := 2*i + 1
		if child >= len(h) {
			break
		}
		if r := child + 1; r < len(h) && h[r].before(h[child]) {
			child = r
		}
		if !h[child].before(x) {
			break
		}
		h[i] = h[child]
		i = child
	}
	h[i] = x
}

// sourceSet is a set of sources, by number. Of more than maxSources, several share a
// number, and the set may be larger than its size says.
type sourceSet [maxSources / 64]uint64

const maxSources = 256

func (s *sourceSet) add(source int) {
	s[source/64%len(s)] |= 1 << (source % 64)
}

func (s *sourceSet) addAll(other *sourceSet) {
	for i, x := range other {
		s[i] |= x
	}
}

func (s *sourceSet) size() int {
	n := 0
	for _, x := range s {
		n += bits.OnesCount64(x)
	}
	return n
}

// pairKey orders pairs by their first id, then by their second.
func pairKey(left, right int32) uint64 { return uint64(left)<<32 | uint64(uint32(right)) }
