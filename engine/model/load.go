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
// F16 become F32, those stored as I8 stay I8 with their scales; vectors become F32.
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
	slot  *slot
	scale bool // the scales of slot's matrix, not the matrix
}

func readWeights(r io.Reader, size int64, c Config) (*Weights, error) {
	// One byte a parameter is the least that any of our types takes. This comes before
	// anything is allocated that grows with the config's dimensions.
	if least := c.parameters(); size < least {
		return nil, fmt.Errorf("has %d bytes, config.json describes %d parameters: %s", size, least, hintDamaged)
	}
	w := &Weights{Config: c, Layers: make([]Layer, c.NumLayers)}
	slots := w.slots()
	// 320 bytes an entry are thrice what a name of ours takes; the rest is for metadata.
	sources, err := readSources(r, size, slots, min(maxHeader, 64<<10+320*2*int64(len(slots))))
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
	weight, scale := make([]DType, len(slots)), make([]bool, len(slots)) // what was found
	// All names are known and none comes twice, so these never outgrow twice the slots.
	entries := make([]entry, 0, len(slots))
	var mismatch error // the header itself is sound, but not of this config
	err = scanHeader(header, data, func(e entry) error {
		i, isScale, err := match(slots, index, &e)
		if err != nil {
			mismatch = err
			return err
		}
		if isScale && scale[i] || !isScale && weight[i] != 0 {
			return fmt.Errorf("tensor %s: stands twice", shown(e.name))
		}
		if isScale {
			scale[i] = true
		} else {
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
		switch {
		case weight[i] == 0:
			return nil, fmt.Errorf("tensor %q: missing: %s", slots[i].name, hintMismatch)
		case weight[i] == I8 && !scale[i]:
			return nil, fmt.Errorf("tensor %q: missing, though %q is I8: save the model again with seedling", slots[i].name+scaleSuffix, slots[i].name)
		case weight[i] != I8 && scale[i]:
			return nil, fmt.Errorf("tensor %q: scales of a matrix that is %s, not I8: save the model again with seedling", slots[i].name+scaleSuffix, weight[i])
		}
	}
	sources := make([]source, len(entries))
	for k, e := range entries {
		i, isScale, _ := match(slots, index, &e)
		sources[k] = source{entry: e, slot: &slots[i], scale: isScale}
	}
	return sources, nil
}

// match finds the slot of a tensor by its name, and compares shape and type.
func match(slots []slot, index map[string]int, e *entry) (i int, isScale bool, err error) {
	i, ok := index[string(e.name)]
	if !ok && len(e.name) > len(scaleSuffix) {
		base := len(e.name) - len(scaleSuffix)
		if string(e.name[base:]) == scaleSuffix {
			i, ok = index[string(e.name[:base])]
			isScale = ok && slots[i].mat != nil
			ok = isScale
		}
	}
	if !ok {
		return 0, false, fmt.Errorf("tensor %s: unknown in this architecture", shown(e.name))
	}
	s := &slots[i]
	want := s.dims()
	if isScale {
		want = want[:1]
	}
	if !slices.Equal(e.dims(), want) {
		return 0, false, fmt.Errorf("tensor %s: shape %v, config.json asks for %v", shown(e.name), e.copyDims(), want)
	}
	if isScale && e.dtype != F32 {
		return 0, false, fmt.Errorf("tensor %s: %s, scales must be F32", shown(e.name), e.dtype)
	}
	if s.vec != nil && e.dtype == I8 {
		return 0, false, fmt.Errorf("tensor %s: I8, a norm must be F32, BF16 or F16", shown(e.name))
	}
	return i, isScale, nil
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
	if s.dtype == I8 {
		v, err := readI8(r, s.elements())
		if err != nil {
			return err
		}
		if i := lowest(v); i >= 0 {
			return fmt.Errorf("value %d is -128, outside the symmetric range", i)
		}
		s.slot.mat.Rows, s.slot.mat.Cols, s.slot.mat.I8 = s.slot.rows, s.slot.cols, v
		return nil
	}
	v, err := readFloats(r, s.dtype, s.elements(), buf, true)
	if err != nil {
		return err
	}
	switch {
	case s.scale:
		s.slot.mat.Scale = v
		return checkScales(v)
	case s.slot.vec != nil:
		*s.slot.vec = v
	default:
		s.slot.mat.Rows, s.slot.mat.Cols, s.slot.mat.F32 = s.slot.rows, s.slot.cols, v
	}
	return nil
}
