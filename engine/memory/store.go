package memory

import (
	"math/bits"
	"slices"
	"sync"

	"github.com/seedling-lsp/seedling/engine/backend"
)

const (
	// DefaultTokens is what a store holds unless told otherwise: some 6 MB of code, in
	// 24 MB of memory.
	DefaultTokens = 2 << 20
	// walk bounds how many places of one chain a lookup visits: the latest.
	walk = 128
	// grams are the lengths by which places are found; the longer one first.
	long, short = 4, Least
)

// Store remembers documents. It is safe for concurrent use.
type Store struct {
	mu   sync.RWMutex
	most int // tokens

	bits int // of the hashes by which chains are told apart

	text  []backend.TokenID // of all documents, NoToken after each and in place of forgotten ones
	dead  int               // tokens of forgotten documents
	docs  []span            // in the order of text
	byID  map[string]int    // index into docs
	long  chains
	short chains
}

type span struct {
	id         string
	start, end int
}

// NewStore makes a store of at most so many tokens; 0: DefaultTokens.
func NewStore(tokens int) *Store {
	if tokens <= 0 {
		tokens = DefaultTokens
	}
	return &Store{most: tokens, byID: map[string]int{}, bits: max(10, min(18, bits.Len(uint(tokens))-3))}
}

// Put remembers a document, in the place of what was remembered under its id. Of one
// larger than half the store only the end is kept. The slice is not kept.
func (s *Store) Put(id string, text []backend.TokenID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i, ok := s.byID[id]; ok {
		if d := s.docs[i]; slices.Equal(s.text[d.start:d.end], text) {
			return
		}
		s.forget(i)
	}
	text = text[max(0, len(text)-s.most/2):]
	for i := 0; len(s.byID) > 0 && len(s.text)-s.dead+len(text)+1 > s.most; i++ {
		if d := s.docs[i]; d.end > d.start {
			s.forget(i)
		}
	}
	if s.dead > s.most/2 || s.dead > 4096 && s.dead > len(s.text)/2 {
		s.compact()
	}
	s.add(id, text)
}

// Forget drops a document. One that is not there is no error.
func (s *Store) Forget(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i, ok := s.byID[id]; ok {
		s.forget(i)
	}
}

// Len is how many documents and tokens are remembered.
func (s *Store) Len() (documents, tokens int) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return len(s.byID), len(s.text) - s.dead - len(s.docs)
}

// Has says whether a document is remembered.
func (s *Store) Has(id string) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	_, ok := s.byID[id]
	return ok
}

func (s *Store) add(id string, text []backend.TokenID) {
	start := len(s.text)
	s.text = append(append(s.text, text...), backend.NoToken)
	s.byID[id] = len(s.docs)
	s.docs = append(s.docs, span{id, start, start + len(text)})
	s.long.grow(len(s.text), s.bits)
	s.short.grow(len(s.text), s.bits)
	for i := start + short; i < start+len(text); i++ {
		s.short.add(hash(s.text[i-short:i]), i)
		if i >= start+long {
			s.long.add(hash(s.text[i-long:i]), i)
		}
	}
}

// forget empties a document where it lies: its places match nothing any more.
func (s *Store) forget(i int) {
	d := &s.docs[i]
	for j := d.start; j < d.end; j++ {
		s.text[j] = backend.NoToken
	}
	s.dead += d.end - d.start
	d.end = d.start
	delete(s.byID, d.id)
}

// compact lays the documents out anew, without the forgotten ones.
func (s *Store) compact() {
	old := Store{text: s.text, docs: s.docs}
	s.text, s.docs, s.dead, s.long, s.short = nil, nil, 0, chains{}, chains{}
	byID := s.byID
	s.byID = make(map[string]int, len(byID))
	for i, d := range old.docs {
		if at, ok := byID[d.id]; ok && at == i {
			s.add(d.id, old.text[d.start:d.end])
		}
	}
}

// collect counts what follows the matches of the end of text, but for those of the
// document without.
func (s *Store) collect(t *tally, text []backend.TokenID, without string) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	skip := span{}
	if i, ok := s.byID[without]; ok {
		skip = s.docs[i]
	}
	n := len(text)
	for _, by := range []struct {
		c *chains
		n int
	}{{&s.long, long}, {&s.short, short}} {
		if n < by.n || t.match >= long && by.n < long {
			continue
		}
		steps := 0
		for i := by.c.first(hash(text[n-by.n:])); i > 0 && steps < walk; i = by.c.before(i) {
			steps++
			if i >= skip.start && i < skip.end || s.text[i] == backend.NoToken {
				continue
			}
			t.add(s.text[i], matches(s.text, i, text, n))
		}
	}
}

// chains link the places that follow equal grams, the latest first.
type chains struct {
	heads []int32 // by hash; 0: none (no gram ends at the very start)
	prev  []int32 // by place
	shift int     // of a hash, to its place in heads
}

func (c *chains) grow(n, bits int) {
	if len(c.heads) == 0 {
		c.heads, c.shift = make([]int32, 1<<bits), 64-bits
	}
	c.prev = slices.Grow(c.prev, n-len(c.prev))[:n]
}

func (c *chains) add(h uint64, place int) {
	c.prev[place] = c.heads[h>>c.shift]
	c.heads[h>>c.shift] = int32(place)
}

func (c *chains) first(h uint64) int {
	if len(c.heads) == 0 {
		return 0
	}
	return int(c.heads[h>>c.shift])
}

func (c *chains) before(place int) int { return int(c.prev[place]) }

// hash mixes a gram; its high bits are the best.
func hash(gram []backend.TokenID) uint64 {
	h := uint64(len(gram))
	for _, t := range gram {
		h = (h ^ uint64(uint32(t))) * 0x9e3779b97f4a7c15
		h ^= h >> 29
	}
	return h * 0x9e3779b97f4a7c15
}
