package tokenizer

import (
	"math"
	"sync"
)

// Encode appends the tokens of text to dst. No text is refused, and none gives a
// special token. Time is linear in len(text), except inside a very long chunk (n log n).
func Encode[T ~int32](t *Tokenizer, dst []T, text string) []T {
	s := scratches.Get().(*scratch)
	for from := 0; from < len(text); {
		to := t.split.chunkEnd(text, from)
		for _, id := range t.encodeChunk(s, text[from:to]) {
			dst = append(dst, T(id))
		}
		from = to
	}
	s.release()
	return dst
}

// Decode appends the bytes of ids to dst. Special tokens and ids outside the
// vocabulary have none. A sequence that ends inside a character decodes to its part.
func Decode[T ~int32](t *Tokenizer, dst []byte, ids []T) []byte {
	for _, id := range ids {
		dst = append(dst, t.Token(int32(id))...)
	}
	return dst
}

// Length is the number of bytes that ids decode to.
func Length[T ~int32](t *Tokenizer, ids []T) int {
	n := 0
	for _, id := range ids {
		n += t.Len(int32(id))
	}
	return n
}

// scratch is the working memory of one Encode call.
type scratch struct {
	nodes      []uint64 // short chunks: rank<<32 | id
	ids        []int32
	ranks      []uint32 // long chunks: of the pair that begins at a position
	prev, next []int32  // long chunks: positions of the neighbours
	heap       rankHeap
}

var scratches = sync.Pool{New: func() any { return new(scratch) }}

func (s *scratch) grow(n int) {
	if cap(s.ids) < n {
		s.ids = make([]int32, max(n, longChunk))
	}
}

// release gives s back, unless one giant line has blown it up.
func (s *scratch) release() {
	if cap(s.ids) <= 1<<16 {
		scratches.Put(s)
	}
}

// longChunk is where a heap overtakes the scan for the lowest rank (BenchmarkMerge
// measures both at several lengths).
const longChunk = 96

// encodeChunk merges the bytes of one chunk. What it returns is s's, until its next use.
//
// The rule of BPE: the pair of the lowest rank merges first, the leftmost of those
// with the same rank first, until no pair is in the table.
func (t *Tokenizer) encodeChunk(s *scratch, chunk string) []int32 {
	if len(chunk) >= longChunk {
		return t.mergeLong(s, chunk)
	}
	return t.mergeShort(s, chunk)
}

// mergeShort looks through all pairs for the lowest rank and closes the gap after each
// merge: quadratic, and the fastest there is for the length of a line. A token and the
// rank of its pair with the next are one word, so that one move closes the gap; the scan
// takes minima without a branch, since where the lowest rank stands is unpredictable
// (with branches it took twice as long).
func (t *Tokenizer) mergeShort(s *scratch, chunk string) []int32 {
	if cap(s.nodes) < len(chunk) {
		s.nodes = make([]uint64, max(len(chunk), longChunk))
	}
	s.grow(len(chunk))
	nodes := s.nodes[:len(chunk)]
	last := len(nodes) - 1
	for i := range last {
		rank := t.bytePairs[uint(chunk[i])<<8|uint(chunk[i+1])]
		nodes[i] = uint64(rank)<<32 | uint64(t.bytes[chunk[i]])
	}
	nodes[last] = noRank<<32 | uint64(t.bytes[chunk[last]])
	for {
		at, rank := lowest(nodes)
		if rank == noRank {
			break
		}
		into := t.merges[rank].into
		after := nodes[at+1:]
		rank = noRank
		if len(after) > 1 {
			rank = t.pairs.find(into, int32(uint32(after[1])))
		}
		nodes[at] = uint64(rank)<<32 | uint64(into)
		if at > 0 {
			before := uint32(nodes[at-1])
			nodes[at-1] = uint64(t.pairs.find(int32(before), into))<<32 | uint64(before)
		}
		copy(after, after[1:])
		nodes = nodes[:len(nodes)-1]
	}
	ids := s.ids[:len(nodes)]
	for i, node := range nodes {
		ids[i] = int32(uint32(node))
	}
	return ids
}

// lowest returns the index and rank of the leftmost node with the lowest rank.
func lowest(nodes []uint64) (at int, rank uint32) {
	const ranks = 0xFFFFFFFF << 32
	a, b := uint64(math.MaxUint64), uint64(math.MaxUint64) // two chains of minima, for the pipeline
	i := 0
	for ; i+1 < len(nodes); i += 2 {
		a = min(a, nodes[i]&ranks|uint64(i))
		b = min(b, nodes[i+1]&ranks|uint64(i+1))
	}
	if i < len(nodes) {
		a = min(a, nodes[i]&ranks|uint64(i))
	}
	a = min(a, b)
	return int(uint32(a)), uint32(a >> 32)
}

// mergeLong keeps the candidates in a heap and the tokens in a linked list, for lines
// of any length (a minified file is one line).
func (t *Tokenizer) mergeLong(s *scratch, chunk string) []int32 {
	n := len(chunk)
	s.grow(n)
	if cap(s.prev) < n {
		s.ranks, s.prev, s.next = make([]uint32, n), make([]int32, n), make([]int32, n)
	}
	ids, ranks, prev, next := s.ids[:n], s.ranks[:n], s.prev[:n], s.next[:n]
	heap := s.heap[:0]
	for i := range n {
		ids[i], ranks[i] = t.bytes[chunk[i]], noRank
		prev[i], next[i] = int32(i-1), int32(i+1)
		if i+1 < n {
			ranks[i] = t.bytePairs[uint(chunk[i])<<8|uint(chunk[i+1])]
		}
		if ranks[i] != noRank {
			heap = append(heap, candidate(ranks[i], int32(i)))
		}
	}
	heap.init()
	rerank := func(i int32) {
		ranks[i] = noRank
		if j := next[i]; int(j) < n {
			ranks[i] = t.pairs.find(ids[i], ids[j])
		}
		if ranks[i] != noRank {
			heap.push(candidate(ranks[i], i))
		}
	}
	for len(heap) > 0 {
		top := heap.pop()
		rank, i := uint32(top>>32), int32(uint32(top))
		if ranks[i] != rank {
			continue // an older candidate: a neighbour has merged since
		}
		dead := next[i]
		ids[i] = t.merges[rank].into
		ranks[dead] = noRank
		next[i] = next[dead]
		if int(next[i]) < n {
			prev[next[i]] = i
		}
		rerank(i)
		if prev[i] >= 0 {
			rerank(prev[i])
		}
	}
	s.heap = heap
	// The first position always starts a token; gather along the list.
	out := 0
	for i := int32(0); int(i) < n; i = next[i] {
		ids[out] = ids[i]
		out++
	}
	return ids[:out]
}

// rankHeap is a binary min-heap of candidates, rank in the high half and position in
// the low, so that one comparison orders by rank and then from left to right.
type rankHeap []uint64

func candidate(rank uint32, i int32) uint64 { return uint64(rank)<<32 | uint64(uint32(i)) }

func (h rankHeap) init() {
	for i := len(h)/2 - 1; i >= 0; i-- {
		h.down(i)
	}
}

func (h *rankHeap) push(x uint64) {
	*h = append(*h, x)
	a := *h
	i := len(a) - 1
	for i > 0 {
		up := (i - 1) / 2
		if a[up] <= x {
			break
		}
		a[i] = a[up]
		i = up
	}
	a[i] = x
}

func (h *rankHeap) pop() uint64 {
	a := *h
	top, last := a[0], len(a)-1
	a[0] = a[last]
	*h = a[:last]
	if last > 0 {
		h.down(0)
	}
	return top
}

func (h rankHeap) down(i int) {
	x := h[i]
	for {
		child := 2*i + 1
		if child >= len(h) {
			break
		}
		if r := child + 1; r < len(h) && h[r] < h[child] {
			child = r
		}
		if x <= h[child] {
			break
		}
		h[i] = h[child]
		i = child
	}
	h[i] = x
}
