package train

import "math/bits"

// Near duplicates are found by MinHash (Broder 1997): a file is the set of its shingles of
// shingle words, white space aside; the share of equal entries of two signatures estimates
// the Jaccard index of their sets. Signatures are compared only where a whole band of them
// is equal, so that the work stays linear in the files.
const (
	shingle    = 5   // words
	signature  = 64  // entries; the estimate's standard error is at most 0.0625
	bandSize   = 4   // entries of a band: of two files at nearLimit all but 2 in 10,000 pairs share one
	nearLimit  = 0.8 // Jaccard index from which on two files are near duplicates
	nearLeast  = 40  // shingles of a file that is compared: smaller ones differ by a name
	wordsAhead = 1 << 20
)

// sketch is a file's signature.
type sketch [signature]uint32

// salts tell the hash functions of a signature apart: odd, fixed numbers.
var salts = func() (s [signature]uint64) {
	x := uint64(0x9E3779B97F4A7C15)
	for i := range s {
		x = mix(x + uint64(i))
		s[i] = x | 1
	}
	return s
}()

// mix is the finalizer of MurmurHash3.
func mix(h uint64) uint64 {
	h = (h ^ h>>33) * 0xff51afd7ed558ccd
	h = (h ^ h>>33) * 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}

// sketchOf is the signature of a text, and whether it has shingles enough to be compared.
func sketchOf(text []byte) (s sketch, ok bool) {
	for i := range s {
		s[i] = ^uint32(0)
	}
	var window [shingle]uint64
	n := 0
	put := func(word uint64) {
		window[n%shingle] = word
		if n++; n < shingle {
			return
		}
		var h uint64
		for i := range shingle {
			h = bits.RotateLeft64(h, 13) ^ window[(n+i)%shingle]
			h = mix(h)
		}
		for i, salt := range salts {
			if v := uint32((h * salt) >> 32); v < s[i] {
				s[i] = v
			}
		}
	}
	word, within := uint64(0), false
	for _, c := range text {
		letter := c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80
		if letter {
			word, within = (word^uint64(c))*0x100000001b3+1, true
			continue
		}
		if within {
			put(mix(word))
			word, within = 0, false
		}
		if c != ' ' && c != '\t' && c != '\n' && c != '\r' {
			put(mix(uint64(c) + wordsAhead))
		}
	}
	if within {
		put(mix(word))
	}
	return s, n >= nearLeast+shingle-1
}

// alike estimates the Jaccard index of the texts behind two signatures.
func (s *sketch) alike(t *sketch) float64 {
	n := 0
	for i := range s {
		if s[i] == t[i] {
			n++
		}
	}
	return float64(n) / signature
}

// neighbours finds, among the files kept so far, one that a text nearly equals.
type neighbours struct {
	kept  []sketch
	split []string
	bands map[uint64][]int32
}

// find gives the split of a near duplicate that is kept.
func (n *neighbours) find(s *sketch) (split string, ok bool) {
	for b := range signature / bandSize {
		for _, i := range n.bands[s.band(b)] {
			if s.alike(&n.kept[i]) >= nearLimit {
				return n.split[i], true
			}
		}
	}
	return "", false
}

// keep remembers a file.
func (n *neighbours) keep(s sketch, split string) {
	if n.bands == nil {
		n.bands = map[uint64][]int32{}
	}
	i := int32(len(n.kept))
	n.kept, n.split = append(n.kept, s), append(n.split, split)
	for b := range signature / bandSize {
		k := s.band(b)
		n.bands[k] = append(n.bands[k], i)
	}
}

// band is the key of band b of a signature.
func (s *sketch) band(b int) uint64 {
	h := uint64(b) + 1
	for _, v := range s[b*bandSize : (b+1)*bandSize] {
		h = mix(h ^ uint64(v))
	}
	return h
}
