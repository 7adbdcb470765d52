package tokenizer

import (
	"fmt"
	"math"
	"math/bits"
	"sync"
)

// Limits of what is read and trained, far above any real vocabulary: what is above
// them is a broken or hostile file.
const (
	maxVocabulary = 1<<20 - 1 // so that a pair fits 40 bits (pairTable)
	maxMerges     = 1<<24 - 1
	maxTokenBytes = 1 << 10
	maxFileBytes  = 128 << 20
)

// Tokenizer is a byte-level BPE vocabulary with its merges and special tokens.
// It is immutable and safe for concurrent use. Load and Train make one.
type Tokenizer struct {
	tokens  [][]byte // the bytes of each id; the name of a special token
	special []bool   // by id
	byName  map[string]int32
	bytes   [256]int32 // the id of each single byte
	merges  []merge    // by rank
	order   []int32    // ids of special tokens, ascending
	split   Split

	// The ranks of merges: of any two tokens, and of any two bytes, for which a plain
	// table is faster (a third of all lookups).
	pairs     pairTable
	bytePairs []uint32 // by first<<8 | second

	sorted  sync.Once
	byBytes []int32 // ids of tokens that are no special ones, in the order of their bytes (Extends)
}

// merge says that the tokens left and right, side by side, become into.
type merge struct{ left, right, into int32 }

// newTokenizer builds the lookups over tokens and merges and checks what a file
// could have wrong in them. special holds the ids of special tokens, ascending.
func newTokenizer(split Split, tokens [][]byte, special []int32, merges []merge) (*Tokenizer, error) {
	t := &Tokenizer{
		split:   split,
		tokens:  tokens,
		special: make([]bool, len(tokens)),
		byName:  make(map[string]int32, len(special)),
		merges:  merges,
		order:   special,
	}
	for _, id := range special {
		t.special[id] = true
		t.byName[string(tokens[id])] = id
	}
	for b := range t.bytes {
		t.bytes[b] = -1
	}
	for id, token := range tokens {
		if len(token) == 1 && !t.special[id] {
			t.bytes[token[0]] = int32(id)
		}
	}
	for b, id := range t.bytes {
		if id < 0 {
			return nil, fmt.Errorf("the vocabulary has no token for byte 0x%02x: not every text could be encoded", b)
		}
	}
	t.pairs = newPairTable(len(merges))
	for rank, m := range merges {
		if !t.pairs.put(m, rank) {
			return nil, fmt.Errorf("merge %d joins %q and %q a second time", rank, tokens[m.left], tokens[m.right])
		}
	}
	t.bytePairs = make([]uint32, 1<<16)
	for i := range t.bytePairs {
		t.bytePairs[i] = t.pairs.find(t.bytes[i>>8], t.bytes[i&0xff])
	}
	return t, nil
}

// Split is how the tokenizer cuts a text into chunks.
func (t *Tokenizer) Split() Split { return t.split }

// Size is the number of tokens, special ones included; ids are 0 to Size()-1.
func (t *Tokenizer) Size() int { return len(t.tokens) }

// Special returns the id of the special token of this name, e.g. "<|mask|>".
func (t *Tokenizer) Special(name string) (int32, bool) {
	id, ok := t.byName[name]
	return id, ok
}

// SpecialNames lists the special tokens by ascending id.
func (t *Tokenizer) SpecialNames() []string {
	names := make([]string, len(t.order))
	for i, id := range t.order {
		names[i] = string(t.tokens[id])
	}
	return names
}

// IsSpecial says whether id is a special token: one that no text encodes to.
func (t *Tokenizer) IsSpecial(id int32) bool { return t.known(id) && t.special[id] }

// Token returns the bytes that id decodes to: none for special tokens and for ids
// outside the vocabulary. They may be part of a character. They are the tokenizer's
// own and must not be written to.
func (t *Tokenizer) Token(id int32) []byte {
	if !t.known(id) || t.special[id] {
		return nil
	}
	return t.tokens[id]
}

// Len is the number of bytes that id decodes to, 0 for special tokens.
func (t *Tokenizer) Len(id int32) int { return len(t.Token(id)) }

// Name is id as a person reads it: a special token's name, the quoted text of another.
func (t *Tokenizer) Name(id int32) string {
	switch {
	case !t.known(id):
		return fmt.Sprintf("<unknown id %d>", id)
	case t.special[id]:
		return string(t.tokens[id])
	default:
		return fmt.Sprintf("%q", t.tokens[id])
	}
}

func (t *Tokenizer) known(id int32) bool { return uint32(id) < uint32(len(t.tokens)) }

// noRank is the rank of a pair that does not merge: after every other.
const noRank = maxMerges

// pairTable finds the rank of the merge of two tokens: open addressing, linear probing,
// at most a quarter full, in 8 bytes a slot. This lookup is what encoding spends its time
// on: a Go map is several times slower, and twice the bytes a slot fall out of the cache.
type pairTable struct {
	slots []uint64 // left (20 bits), right (20 bits), rank (24 bits)
	shift uint8
}

// noPair marks an empty slot: no pair has its ids, and its rank is noRank, so that a miss
// needs no second test.
const noPair = math.MaxUint64

func slotKey(left, right int32) uint64 { return uint64(left)<<20 | uint64(right) }

func newPairTable(n int) pairTable {
	size := 1 << bits.Len(uint(4*n+1))
	p := pairTable{slots: make([]uint64, size), shift: uint8(64 - bits.Len(uint(size-1)))}
	for i := range p.slots {
		p.slots[i] = noPair
	}
	return p
}

func (p *pairTable) home(key uint64) uint64 { return key * 0x9E3779B97F4A7C15 >> (p.shift & 63) }

// put adds a merge; false if its pair is there already.
func (p *pairTable) put(m merge, rank int) bool {
	key := slotKey(m.left, m.right)
	for i := p.home(key); ; i++ {
		s := &p.slots[i&uint64(len(p.slots)-1)]
		if *s == noPair {
			*s = key<<24 | uint64(rank)
			return true
		}
		if *s>>24 == key {
			return false
		}
	}
}

// find returns the rank of the merge of left and right, noRank if they do not merge.
func (p *pairTable) find(left, right int32) uint32 {
	key := slotKey(left, right)
	slots := p.slots
	for i := p.home(key); ; i++ {
		s := slots[i&uint64(len(slots)-1)]
		if s>>24 == key || s == noPair {
			return uint32(s & noRank)
		}
	}
}
