package model

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"unicode/utf8"
)

// A safetensors file is
//
//	8 bytes    n, the length of the header, little endian
//	n bytes    the header: a JSON object, name → {"dtype", "shape", "data_offsets"},
//	           and "__metadata__" → {string: string}; padded with spaces
//	the rest   the tensors' bytes; offsets count from here
//
// and the tensors cover the rest exactly, without gap or overlap.

const (
	// maxHeader is the limit of the reference implementation.
	maxHeader = 100_000_000
	// maxRank bounds the shapes that are read. Ours have 1 or 2 dimensions.
	maxRank = 4
)

// entry is one tensor of a header. name points into the header's bytes.
type entry struct {
	name       []byte
	dtype      DType
	rank       uint8
	shape      [maxRank]int64
	begin, end int64 // bytes, from the first byte after the header
}

// dims is the shape; it points into e.
func (e *entry) dims() []int64 { return e.shape[:e.rank] }

// copyDims is the shape for an error: with dims an entry would live on the heap, and a
// header of small tensors would cost several times its size.
func (e *entry) copyDims() []int64 { return slices.Clone(e.dims()) }

// elements is the product of the shape; checkEntry made sure that it fits.
func (e *entry) elements() int64 { return (e.end - e.begin) / int64(e.dtype.Size()) }

// scanHeader reads a header of a file with data bytes after it, and hands each tensor to
// tensor and each pair of the metadata to meta (which may be nil), in the header's order.
// An entry that arrives is right by itself: known type, shape and offsets that agree and
// lie in the file. The first error ends the scan. It allocates nothing but escaped
// strings, so a header can not cost more than its length.
func scanHeader(header []byte, data int64, tensor func(entry) error, meta func(key, value []byte) error) error {
	s := scanner{src: header}
	if len(header) == 0 || header[0] != '{' {
		return s.fail("header does not begin with '{'")
	}
	seenMeta := false
	err := s.object(func(key []byte) error {
		if string(key) != "__metadata__" {
			e, err := s.entry(key)
			if err == nil {
				err = checkEntry(&e, data)
			}
			if err != nil {
				return fmt.Errorf("tensor %s: %w", shown(key), err)
			}
			return tensor(e)
		}
		if seenMeta {
			return s.fail("__metadata__ stands twice")
		}
		seenMeta = true
		return s.object(func(key []byte) error {
			value, err := s.str()
			if err != nil || meta == nil {
				return err
			}
			return meta(key, value)
		})
	})
	if err != nil {
		return err
	}
	s.space()
	if s.at < len(s.src) {
		return s.fail("something follows the header's object")
	}
	return nil
}

// checkEntry checks an entry by itself: shape × type = bytes, inside the file.
func checkEntry(e *entry, data int64) error {
	if e.begin > e.end || e.end > data {
		return fmt.Errorf("data_offsets [%d, %d] leave the file, which has %d bytes of data", e.begin, e.end, data)
	}
	size := int64(e.dtype.Size())
	for _, n := range e.dims() {
		if n == 0 {
			return fmt.Errorf("shape %v is empty", e.copyDims())
		}
		if n > math.MaxInt64/size {
			return fmt.Errorf("shape %v has too many elements", e.copyDims())
		}
		size *= n
	}
	if size != e.end-e.begin {
		return fmt.Errorf("%s %v takes %d bytes, data_offsets [%d, %d] are %d",
			e.dtype, e.copyDims(), size, e.begin, e.end, e.end-e.begin)
	}
	return nil
}

// checkCover sorts entries by offset and checks that they cover data bytes exactly.
func checkCover(entries []entry, data int64) error {
	slices.SortFunc(entries, func(a, b entry) int {
		switch {
		case a.begin < b.begin:
			return -1
		case a.begin > b.begin:
			return 1
		}
		return bytes.Compare(a.name, b.name)
	})
	at := int64(0)
	for i := range entries {
		e := &entries[i]
		if e.begin < at {
			return fmt.Errorf("tensor %s: overlaps tensor %s", shown(e.name), shown(entries[i-1].name))
		}
		if e.begin > at {
			return fmt.Errorf("tensor %s: %d bytes before it belong to no tensor", shown(e.name), e.begin-at)
		}
		at = e.end
	}
	if at != data {
		return fmt.Errorf("the last %d bytes belong to no tensor", data-at)
	}
	return nil
}

// scanner reads the little JSON that a header is made of. It is stricter than
// encoding/json: whole numbers only, no key twice, no unknown key in a tensor.
type scanner struct {
	src []byte
	at  int
}

func (s *scanner) fail(format string, args ...any) error {
	return fmt.Errorf("header byte %d: %s", s.at, fmt.Sprintf(format, args...))
}

func (s *scanner) space() {
	for s.at < len(s.src) {
		switch s.src[s.at] {
		case ' ', '\t', '\r', '\n':
			s.at++
		default:
			return
		}
	}
}

// peek skips space and looks at the next byte, 0 at the end.
func (s *scanner) peek() byte {
	s.space()
	if s.at == len(s.src) {
		return 0
	}
	return s.src[s.at]
}

func (s *scanner) expect(c byte) error {
	if s.peek() != c {
		return s.fail("'%c' expected", c)
	}
	s.at++
	return nil
}

// list reads open, items with commas between, close.
func (s *scanner) list(open, shut byte, item func() error) error {
	if err := s.expect(open); err != nil {
		return err
	}
	if s.peek() == shut {
		s.at++
		return nil
	}
	for {
		if err := item(); err != nil {
			return err
		}
		if s.peek() != ',' {
			return s.expect(shut)
		}
		s.at++
	}
}

// object reads an object; value is called with each key and must read the value.
func (s *scanner) object(value func(key []byte) error) error {
	return s.list('{', '}', func() error {
		key, err := s.str()
		if err == nil {
			err = s.expect(':')
		}
		if err != nil {
			return err
		}
		return value(key)
	})
}

// str reads a string. Without escapes the answer points into the source.
func (s *scanner) str() ([]byte, error) {
	if err := s.expect('"'); err != nil {
		return nil, err
	}
	start, escaped := s.at, false
	for ; s.at < len(s.src); s.at++ {
		switch c := s.src[s.at]; {
		case c == '"':
			raw := s.src[start:s.at]
			s.at++
			if !utf8.Valid(raw) {
				return nil, s.fail("string is not UTF-8")
			}
			if !escaped {
				return raw, nil
			}
			var text string
			if err := json.Unmarshal(s.src[start-1:s.at], &text); err != nil {
				return nil, s.fail("string %s: %v", shown(raw), err)
			}
			return []byte(text), nil
		case c == '\\':
			escaped = true
			s.at++ // whatever is escaped is no end
		case c < ' ':
			return nil, s.fail("control character in a string")
		}
	}
	s.at = len(s.src)
	return nil, s.fail("string without an end")
}

// number reads a whole number in [0, MaxInt64].
func (s *scanner) number() (int64, error) {
	s.space()
	start, n := s.at, int64(0)
	for ; s.at < len(s.src) && '0' <= s.src[s.at] && s.src[s.at] <= '9'; s.at++ {
		digit := int64(s.src[s.at] - '0')
		if n > (math.MaxInt64-digit)/10 {
			return 0, s.fail("number is too large")
		}
		n = n*10 + digit
	}
	if s.at == start || s.at > start+1 && s.src[start] == '0' {
		return 0, s.fail("whole number expected")
	}
	return n, nil
}

// entry reads a tensor's description.
func (s *scanner) entry(name []byte) (entry, error) {
	e := entry{name: name}
	var dtype, shape, offsets bool
	once := func(seen *bool, key string) error {
		if *seen {
			return s.fail("%s stands twice", key)
		}
		*seen = true
		return nil
	}
	err := s.object(func(key []byte) error {
		switch string(key) {
		case "dtype":
			if err := once(&dtype, "dtype"); err != nil {
				return err
			}
			name, err := s.str()
			if err != nil {
				return err
			}
			var ok bool
			if e.dtype, ok = parseDType(name); !ok {
				return fmt.Errorf("dtype %s is not one of F32, BF16, F16, I8", shown(name))
			}
			return nil
		case "shape":
			if err := once(&shape, "shape"); err != nil {
				return err
			}
			return s.list('[', ']', func() error {
				n, err := s.number()
				if err != nil {
					return err
				}
				if e.rank == maxRank {
					return fmt.Errorf("shape has more than %d dimensions", maxRank)
				}
				e.shape[e.rank] = n
				e.rank++
				return nil
			})
		case "data_offsets":
			if err := once(&offsets, "data_offsets"); err != nil {
				return err
			}
			n := 0
			if err := s.list('[', ']', func() (err error) {
				switch n++; n {
				case 1:
					e.begin, err = s.number()
				case 2:
					e.end, err = s.number()
				default:
					err = s.fail("more than two data_offsets")
				}
				return err
			}); err != nil {
				return err
			}
			if n != 2 {
				return s.fail("data_offsets needs two numbers")
			}
			return nil
		}
		return s.fail("unknown key %s", shown(key))
	})
	if err == nil && !(dtype && shape && offsets) {
		err = s.fail("dtype, shape and data_offsets must all be given")
	}
	return e, err
}

// shown quotes a name for an error: a hostile one may be long.
func shown(name []byte) string {
	const most = 80
	if len(name) > most {
		return fmt.Sprintf("%q…", name[:most])
	}
	return fmt.Sprintf("%q", name)
}
