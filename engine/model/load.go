package model

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
)

// What a person can do about a bad file ends the errors below.
const (
	hintDamaged  = "the file is damaged or cut short: copy or download it again"
	hintMismatch = "config.json and model.safetensors are not of one model: copy both from the same place"
)

// LoadDir reads config.json and model.safetensors of a model directory. The error names
// the directory, the file, the tensor and what to do. See [LoadFS].
func LoadDir(dir string) (*Weights, error) {
	w, err := LoadFS(os.DirFS(dir))
	if err != nil {
		return nil, fmt.Errorf("load model %s: %w", dir, err)
	}
	return w, nil
}

// LoadFS reads the model directory at the root of fsys. Matrices stored as F32, BF16 or
// F16 become F32, those stored as I8 stay I8 with their scales, those in less than 8 bits
// ([Groups]) become I8; vectors become F32.
//
// The file is read once from front to back, straight into the slices of the result
// (floats by way of a 64 KiB buffer), so that the peak is the decoded size and nothing
// aliases fsys. Everything in it is checked: lengths, header, shapes against the config,
// missing and unknown tensors, NaN and infinities, scales.
func LoadFS(fsys fs.FS) (*Weights, error) {
	c, err := LoadConfig(fsys)
	if err != nil {
		return nil, err
	}
	f, err := fsys.Open(WeightsFile)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: is no regular file", WeightsFile)
	}
	w, err := readWeights(f, info.Size(), c)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", WeightsFile, err)
	}
	return w, nil
}

// source is a tensor of the file with the slot that it fills.
type source struct {
	entry
	slot *slot
	part part
}

// part says which of a matrix's tensors an entry is.
type part uint8

const (
	values part = 1 << iota // or codes, of a matrix in less than 8 bits
	scales
	factors
)

func readWeights(r io.Reader, size int64, c Config) (*Weights, error) {
	// Half a byte a parameter is the least that any of our types takes. This comes before
	// anything is allocated that grows with the config's dimensions.
	if least := c.parameters() / 2; size < least {
		return nil, fmt.Errorf("has %d bytes, config.json describes %d parameters: %s", size, c.parameters(), hintDamaged)
	}
	w := &Weights{Config: c, Layers: make([]Layer, c.NumLayers)}
	slots := w.slots()
	// 320 bytes an entry are thrice what a name of ours takes; the rest is for metadata.
	sources, err := readSources(r, size, slots, min(maxHeader, 64<<10+320*3*int64(len(slots))))
	if err != nil {
		return nil, err
	}
	buf := make([]byte, chunk)
	for i := range sources {
		s := &sources[i]
		if err := s.read(r, buf); err != nil {
			return nil, fmt.Errorf("tensor %s: %w: %s", shown(s.name), err, hintDamaged)
		}
	}
	if n, err := r.Read(buf[:1]); n != 0 || err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("goes on after its last tensor (it grew while it was read): load it again")
	}
	return w, nil
}

// readSources reads the header and matches it with the slots. The answer is in the order
// of the file's data, which it covers exactly.
func readSources(r io.Reader, size int64, slots []slot, most int64) ([]source, error) {
	header, data, err := readHeader(r, size, most)
	if err != nil {
		return nil, fmt.Errorf("%w: %s", err, hintDamaged)
	}
	index := make(map[string]int, len(slots))
	for i := range slots {
		index[slots[i].name] = i
	}
	weight, found := make([]DType, len(slots)), make([]part, len(slots))
	// All names are known and none comes twice, so these never outgrow thrice the slots.
	entries := make([]entry, 0, len(slots))
	var mismatch error // the header itself is sound, but not of this config
	err = scanHeader(header, data, func(e entry) error {
		i, p, err := match(slots, index, &e)
		if err != nil {
			mismatch = err
			return err
		}
		if found[i]&p != 0 {
			return fmt.Errorf("tensor %s: stands twice", shown(e.name))
		}
		found[i] |= p
		if p == values {
			weight[i] = e.dtype
		}
		entries = append(entries, e)
		return nil
	}, nil)
	if mismatch != nil {
		return nil, fmt.Errorf("%w: %s", mismatch, hintMismatch)
	}
	if err == nil {
		err = checkCover(entries, data)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %s", err, hintDamaged)
	}
	for i := range slots {
		want := map[DType]part{I8: values | scales, U8: values | scales | factors}[weight[i]]
		if want == 0 {
			want = values
		}
		if found[i]&values == 0 {
			return nil, fmt.Errorf("tensor %q: missing: %s", slots[i].name, hintMismatch)
		}
		for p, suffix := range map[part]string{scales: scaleSuffix, factors: factorSuffix} {
			switch {
			case want&p != 0 && found[i]&p == 0:
				return nil, fmt.Errorf("tensor %q: missing, though %q is %s: save the model again with seedling", slots[i].name+suffix, slots[i].name, weight[i])
			case want&p == 0 && found[i]&p != 0:
				return nil, fmt.Errorf("tensor %q: belongs to no matrix that is %s: save the model again with seedling", slots[i].name+suffix, weight[i])
			}
		}
	}
	sources := make([]source, len(entries))
	for k, e := range entries {
		i, p, _ := match(slots, index, &e)
		sources[k] = source{entry: e, slot: &slots[i], part: p}
	}
	return sources, nil
}

// match finds the slot of a tensor by its name, and compares shape and type.
func match(slots []slot, index map[string]int, e *entry) (i int, p part, err error) {
	i, ok := index[string(e.name)]
	p = values
	for suffix, of := range map[string]part{scaleSuffix: scales, factorSuffix: factors} {
		if base := len(e.name) - len(suffix); !ok && base > 0 && string(e.name[base:]) == suffix {
			i, ok = index[string(e.name[:base])]
			ok = ok && slots[i].mat != nil
			p = of
		}
	}
	if !ok {
		return 0, 0, fmt.Errorf("tensor %s: unknown in this architecture", shown(e.name))
	}
	s := &slots[i]
	want := s.dims()
	switch {
	case p == scales:
		want = want[:1]
	case p == factors:
		want[1] = int64(rowGroups(s.cols))
	case e.dtype == U8 && s.mat != nil && len(e.dims()) == 2:
		if bitsOf(s.cols, e.dims()[1]) == 0 || s.cols < 8 {
			return 0, 0, fmt.Errorf("tensor %s: shape %v is that of no [%d %d] in 4 to 6 bits a weight", shown(e.name), e.copyDims(), s.rows, s.cols)
		}
		want[1] = e.dims()[1]
	}
	if !slices.Equal(e.dims(), want) {
		return 0, 0, fmt.Errorf("tensor %s: shape %v, config.json asks for %v", shown(e.name), e.copyDims(), want)
	}
	switch {
	case p == scales && e.dtype != F32:
		return 0, 0, fmt.Errorf("tensor %s: %s, scales must be F32", shown(e.name), e.dtype)
	case p == factors && e.dtype != U8:
		return 0, 0, fmt.Errorf("tensor %s: %s, factors must be U8", shown(e.name), e.dtype)
	case s.vec != nil && (e.dtype == I8 || e.dtype == U8):
		return 0, 0, fmt.Errorf("tensor %s: %s, a norm must be F32, BF16 or F16", shown(e.name), e.dtype)
	}
	return i, p, nil
}

// readHeader reads the length and the header of a file of size bytes, and says how many
// bytes of data follow. A header above most bytes is an error.
func readHeader(r io.Reader, size, most int64) (header []byte, data int64, err error) {
	var length [8]byte
	if size < int64(len(length)) {
		return nil, 0, fmt.Errorf("has %d bytes, too few for a safetensors file", size)
	}
	if _, err := io.ReadFull(r, length[:]); err != nil {
		return nil, 0, fmt.Errorf("read the header's length: %w", cut(err))
	}
	n, rest := binary.LittleEndian.Uint64(length[:]), size-int64(len(length))
	if n > uint64(rest) {
		return nil, 0, fmt.Errorf("header of %d bytes is announced, only %d follow", n, rest)
	}
	if n > uint64(most) {
		return nil, 0, fmt.Errorf("header of %d bytes is announced, at most %d are expected", n, most)
	}
	header = make([]byte, n)
	if _, err := io.ReadFull(r, header); err != nil {
		return nil, 0, fmt.Errorf("read the header: %w", cut(err))
	}
	return header, rest - int64(n), nil
}

// read reads one tensor's data into its slot.
func (s *source) read(r io.Reader, buf []byte) error {
	m := s.slot.mat
	switch {
	case s.dtype == U8:
		v, err := readU8(r, s.elements())
		if err != nil {
			return err
		}
		if m.Groups == nil {
			m.Groups = &Groups{}
		}
		if s.part == factors {
			m.Groups.Factor = v
		} else {
			m.Groups.Codes, m.Groups.Bits = v, bitsOf(s.slot.cols, s.dims()[1])
		}
		if m.Groups.Codes == nil || m.Groups.Factor == nil {
			return nil
		}
		m.Rows, m.Cols = s.slot.rows, s.slot.cols
		m.I8, err = m.Groups.expand(m.Rows, m.Cols)
		m.Groups = nil // from here on it is an int8 matrix as any other
		return err
	case s.dtype == I8:
		v, err := readI8(r, s.elements())
		if err != nil {
			return err
		}
		if i := lowest(v); i >= 0 {
			return fmt.Errorf("value %d is -128, outside the symmetric range", i)
		}
		m.Rows, m.Cols, m.I8 = s.slot.rows, s.slot.cols, v
		return nil
	}
	v, err := readFloats(r, s.dtype, s.elements(), buf, true)
	if err != nil {
		return err
	}
	switch {
	case s.part == scales:
		m.Scale = v
		return checkScales(v)
	case s.slot.vec != nil:
		*s.slot.vec = v
	default:
		m.Rows, m.Cols, m.F32 = s.slot.rows, s.slot.cols, v
	}
	return nil
}
