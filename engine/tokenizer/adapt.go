package tokenizer

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// New makes a tokenizer of a vocabulary as other files have it: the tokens by id, written
// in GPT-2's byte alphabet, special ones by their names; the ids of those; and the merges,
// "left right", by rank.
func New(split Split, tokens []string, special []int32, merges []string) (*Tokenizer, error) {
	if len(tokens) > maxVocabulary || len(merges) > maxMerges {
		return nil, fmt.Errorf("%d tokens and %d merges: at most %d and %d are supported", len(tokens), len(merges), maxVocabulary, maxMerges)
	}
	ids := make(map[string]int32, len(tokens))
	for id, name := range tokens {
		if other, ok := ids[name]; ok {
			return nil, fmt.Errorf("tokens %d and %d are both %.40q", other, id, name)
		}
		ids[name] = int32(id)
	}
	for _, id := range special {
		if id < 0 || int(id) >= len(tokens) || tokens[id] == "" {
			return nil, fmt.Errorf("special token %d is empty or not in the vocabulary", id)
		}
	}
	written := make([]writtenMerge, len(merges))
	for i, m := range merges {
		left, right, ok := strings.Cut(m, " ")
		if !ok || left == "" || right == "" || strings.Contains(right, " ") {
			return nil, fmt.Errorf("merge %d, %.80q, is not a pair of tokens", i, m)
		}
		written[i] = writtenMerge{left, right}
	}
	return assemble(split, tokens, ids, special, written)
}

// MissingBytes lists the single bytes that a vocabulary, written as [New] takes it, has no
// token for: SmolLM2's lacks 21 that no UTF-8 text or hardly any has. Tokenizers that allow
// that drop such bytes; ours takes every text.
func MissingBytes(tokens []string) []string {
	have := make(map[string]bool, 256)
	for _, t := range tokens {
		if len(t) <= utf8.UTFMax {
			have[t] = true
		}
	}
	var missing []string
	for _, r := range byteRune {
		if !have[string(r)] {
			missing = append(missing, string(r))
		}
	}
	return missing
}

// Adapt makes a tokenizer of t's tokens with other special tokens, whose ids come first:
// 0 to len(special)-1. from[id] is t's id of each of its tokens, -1 for special.
//
// With size 0 all of t's tokens stay, its own special ones too. Else those of count 0 or
// more that fit into size tokens do: the most frequent first, each with the tokens that it
// is merged from, so that merges still make it; all single bytes in any case, so that
// every text can be encoded; none of t's special ones. The order stays that of t's ids,
// and merges keep their ranks among each other.
func (t *Tokenizer) Adapt(special []string, counts []int64, size int) (adapted *Tokenizer, from []int32, err error) {
	for _, name := range special {
		if _, ok := t.byName[name]; ok {
			return nil, nil, fmt.Errorf("the vocabulary has a special token %s already", name)
		}
	}
	keep := make([]bool, len(t.tokens))
	if size == 0 {
		for id := range keep {
			keep[id] = true
		}
	} else if keep, err = t.choose(counts, size-len(special)); err != nil {
		return nil, nil, err
	}
	tokens := make([][]byte, 0, len(special)+len(t.tokens))
	var specials []int32
	for _, name := range special {
		specials = append(specials, int32(len(tokens)))
		tokens, from = append(tokens, []byte(name)), append(from, -1)
	}
	to := make([]int32, len(t.tokens))
	for id := range t.tokens {
		to[id] = -1
		if keep[id] {
			to[id] = int32(len(tokens))
			if t.special[id] {
				specials = append(specials, to[id])
			}
			tokens, from = append(tokens, t.tokens[id]), append(from, int32(id))
		}
	}
	var merges []merge
	for _, m := range t.merges {
		if keep[m.left] && keep[m.right] && keep[m.into] {
			merges = append(merges, merge{to[m.left], to[m.right], to[m.into]})
		}
	}
	adapted, err = newTokenizer(t.split, tokens, specials, merges)
	return adapted, from, err
}

// choose picks n tokens as Adapt says.
func (t *Tokenizer) choose(counts []int64, n int) ([]bool, error) {
	switch {
	case len(counts) != len(t.tokens):
		return nil, fmt.Errorf("%d counts for %d tokens", len(counts), len(t.tokens))
	case n < len(t.bytes):
		return nil, errors.New("so small a vocabulary has no room for all bytes: at least 256 tokens besides the special ones")
	}
	keep := make([]bool, len(t.tokens))
	left := n
	for _, id := range t.bytes {
		keep[id] = true
		left--
	}
	// What a token is merged from: by its first merge, which the file's trainer made it with.
	made := make([]int32, len(t.tokens)) // rank+1; 0: by none
	for rank, m := range t.merges {
		if made[m.into] == 0 {
			made[m.into] = int32(rank) + 1
		}
	}
	order := make([]int32, 0, len(t.tokens))
	for id := range t.tokens {
		if !keep[id] && made[id] != 0 && !t.special[id] {
			order = append(order, int32(id))
		}
	}
	slices.SortFunc(order, func(a, b int32) int { return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(a, b)) })
	var parts []int32
	for _, id := range order {
		// The token and, recursively, what it is made of and is not kept yet.
		parts = append(parts[:0], id)
		whole := true
		for i := 0; i < len(parts) && whole; i++ {
			if keep[parts[i]] {
				continue
			}
			rank := made[parts[i]]
			if whole = rank != 0 && len(parts) <= maxTokenBytes*2; whole {
				m := t.merges[rank-1]
				parts = append(parts, m.left, m.right)
			}
		}
		if !whole {
			continue
		}
		slices.Sort(parts)
		parts = slices.Compact(parts)
		need := 0
		for _, p := range parts {
			if !keep[p] {
				need++
			}
		}
		if need > left {
			continue
		}
		left -= need
		for _, p := range parts {
			keep[p] = true
		}
		if left == 0 {
			break
		}
	}
	return keep, nil
}
