package tokenizer

import "sync"

// Encode appends the tokens of text to dst. No text is refused, and none gives a
// special token. Time is linear in len(text), except inside a very long line (n log n).
func Encode[T ~int32](t *Tokenizer, dst []T, text string) []T {
	s := scratches.Get().(*scratch)
	for from := 0; from < len(text); {
		to := ChunkEnd(text, from)
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
	ids, ranks []int32 // ranks[i]: of the pair of ids[i] and what follows it
	prev, next []int32 // long chunks only: positions of the neighbours
	heap       rankHeap
}

var scratches = sync.Pool{New: func() any { return new(scratch) }}

// release gives s back, unless one giant line has blown it up.
func (s *scratch) release() {
	if cap(s.ids) <= 1<<16 {
		scratches.Put(s)
	}
}

// longChunk is where a heap overtakes the scan for the lowest rank (BenchmarkMerge
// measures both at several lengths).
const longChunk = 192

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

func (s *scratch) bytes(t *Tokenizer, chunk string) (ids, ranks []int32) {
	if cap(s.ids) < len(chunk) {
		s.ids = make([]int32, max(len(chunk), longChunk))
		s.ranks = make([]int32, cap(s.ids))
	}
	ids, ranks = s.ids[:len(chunk)], s.ranks[:len(chunk)]
	for i := range ids {
		ids[i] = t.bytes[chunk[i]]
	}
	for i := 0; i+1 < len(ids); i++ {
		ranks[i] = t.pairs.find(ids[i], ids[i+1])
	}
	ranks[len(ranks)-1] = noRank
	return ids, ranks
}

// mergeShort looks through all ranks for the lowest and closes the gap after each
// merge: quadratic, and the fastest there is for the length of a line.
func (t *Tokenizer) mergeShort(s *scratch, chunk string) []int32 {
	ids, ranks := s.bytes(t, chunk)
	n := len(ids)
	for {
		best, at := int32(noRank), 0
		for i, r := range ranks[:n] {
			if r < best {
				best, at = r, i
			}
		}
		if best == noRank {
			return ids[:n]
		}
		ids[at] = t.merges[best].into
		copy(ids[at+1:n], ids[at+2:n])
		copy(ranks[at:n], ranks[at+1:n])
		n--
		if at > 0 {
			ranks[at-1] = t.pairs.find(ids[at-1], ids[at])
		}
		if at+1 < n {
			ranks[at] = t.pairs.find(ids[at], ids[at+1])
		} else {
			ranks[at] = noRank
		}
	}
}

// mergeLong keeps the candidates in a heap and the tokens in a linked list, for lines
// of any length (a minified file is one line).
func (t *Tokenizer) mergeLong(s *scratch, chunk string) []int32 {
	ids, ranks := s.bytes(t, chunk)
	n := len(ids)
	if cap(s.prev) < n {
		s.prev, s.next = make([]int32, n), make([]int32, n)
	}
	prev, next := s.prev[:n], s.next[:n]
	heap := s.heap[:0]
	for i := range n {
		prev[i], next[i] = int32(i-1), int32(i+1)
		if ranks[i] != noRank {
			heap = append(heap, rankAt(ranks[i], int32(i)))
		}
	}
	heap.init()
	rerank := func(i int32) {
		ranks[i] = noRank
		if j := next[i]; int(j) < n {
			ranks[i] = t.pairs.find(ids[i], ids[j])
		}
		if ranks[i] != noRank {
			heap.push(rankAt(ranks[i], i))
		}
	}
	for len(heap) > 0 {
		rank, i := heap.pop()
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
	// The first position is always the start of a token; gather along the list.
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

func rankAt(rank, i int32) uint64 { return uint64(rank)<<32 | uint64(uint32(i)) }

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

func (h *rankHeap) pop() (rank, i int32) {
	a := *h
	top, last := a[0], len(a)-1
	a[0] = a[last]
	*h = a[:last]
	if last > 0 {
		h.down(0)
	}
	return int32(top >> 32), int32(uint32(top))
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
