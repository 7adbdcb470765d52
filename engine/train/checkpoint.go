package train

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"

	"github.com/seedling-lsp/seedling/engine/model"
)

// checkpointMagic opens every checkpoint file and names its version.
const checkpointMagic = "seedling checkpoint 1\n"

// State is what a checkpoint says of a run beside its tensors.
type State struct {
	Settings Settings     `json:"settings"`
	Config   model.Config `json:"config"`
	Step     int          `json:"step"`   // steps done in this stage
	Before   int          `json:"before"` // steps done in stages before
	Micro    uint64       `json:"micro"`  // micro-batches drawn in this stage
	Tokens   int64        `json:"tokens"` // clean tokens seen, all stages
	Rows     int64        `json:"rows"`   // rows of both streams, all stages
	Seconds  float64      `json:"seconds"`
	Corpus   string       `json:"corpus"`            // hash of the training split
	Vocab    string       `json:"vocab"`             // hash of the tokenizer file
	Kernels  string       `json:"kernels,omitempty"` // instruction set that made it
	Floats   int64        `json:"floats"`            // that follow
}

// checkpointPath is the file inside a run's folder.
func checkpointPath(dir string) string { return filepath.Join(dir, "checkpoint.bin") }

// saveCheckpoint writes a checkpoint beside the old one and then puts it in its place:
// a kill at any moment, or a full disk, leaves a whole one.
func saveCheckpoint(dir string, st State, tensors [][]float32) (err error) {
	path := checkpointPath(dir)
	// What kills in the middle of saving left: a run folder is one run's.
	left, _ := filepath.Glob(filepath.Join(dir, ".checkpoint-*"))
	for _, old := range left {
		os.Remove(old)
	}
	f, err := os.CreateTemp(dir, ".checkpoint-*")
	if err != nil {
		return fmt.Errorf("saving a checkpoint: %w", err)
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(f.Name())
			err = fmt.Errorf("saving a checkpoint: %w; the one before it is as it was: make room and resume", err)
		}
	}()
	if err = f.Chmod(0o644); err != nil { // others may look at a run, too
		return err
	}
	st.Floats = 0
	for _, t := range tensors {
		st.Floats += int64(len(t))
	}
	head, err := json.Marshal(st)
	if err != nil {
		return err
	}
	sum := sha256.New()
	w := bufio.NewWriterSize(io.MultiWriter(f, sum), 1<<20)
	w.WriteString(checkpointMagic)
	binary.Write(w, binary.LittleEndian, uint32(len(head)))
	w.Write(head)
	var buf [4096]byte
	for _, t := range tensors {
		for len(t) > 0 {
			n := min(len(t), len(buf)/4)
			for i, v := range t[:n] {
				binary.LittleEndian.PutUint32(buf[4*i:], math.Float32bits(v))
			}
			if _, err = w.Write(buf[:4*n]); err != nil {
				return err
			}
			t = t[n:]
		}
	}
	if err = w.Flush(); err != nil {
		return err
	}
	if _, err = f.Write(sum.Sum(nil)); err != nil {
		return err
	}
	if err = f.Sync(); err != nil {
		return err
	}
	if err = f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// errNoCheckpoint says that a folder holds none.
var errNoCheckpoint = errors.New("no checkpoint")

// readState reads the head of a checkpoint, and the rest for its sum: the head says how
// much will be allocated.
func readState(dir string) (State, error) {
	f, _, st, err := openCheckpoint(dir)
	if err == nil {
		f.Close()
	}
	return st, err
}

// openCheckpoint checks a checkpoint's sum and gives a reader of its values.
func openCheckpoint(dir string) (*os.File, *bufio.Reader, State, error) {
	var st State
	path := checkpointPath(dir)
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil, st, fmt.Errorf("%w in %s", errNoCheckpoint, dir)
	}
	if err != nil {
		return nil, nil, st, fmt.Errorf("opening the checkpoint: %w", err)
	}
	bad := func(what string) (*os.File, *bufio.Reader, State, error) {
		f.Close()
		return nil, nil, st, fmt.Errorf("checkpoint %s %s; move it away and start from --init or from nothing", path, what)
	}
	sum := sha256.New()
	r := bufio.NewReaderSize(f, 1<<20)
	magic := make([]byte, len(checkpointMagic)+4)
	if _, err := io.ReadFull(r, magic); err != nil || !bytes.Equal(magic[:len(checkpointMagic)], []byte(checkpointMagic)) {
		return bad("is not one of ours, or of another version")
	}
	n := binary.LittleEndian.Uint32(magic[len(checkpointMagic):])
	if n > 1<<20 {
		return bad("has a damaged head")
	}
	head := make([]byte, n)
	if _, err := io.ReadFull(r, head); err != nil || json.Unmarshal(head, &st) != nil {
		return bad("has a damaged head")
	}
	info, err := f.Stat()
	if err != nil || info.Size() != int64(len(magic))+int64(n)+4*st.Floats+sha256.Size {
		return bad("is cut short or too long")
	}
	sum.Write(magic)
	sum.Write(head)
	want := make([]byte, sha256.Size)
	if _, err := io.CopyN(sum, r, 4*st.Floats); err != nil {
		f.Close()
		return nil, nil, st, fmt.Errorf("reading checkpoint %s: %w", path, err)
	}
	if _, err := io.ReadFull(r, want); err != nil || !bytes.Equal(want, sum.Sum(nil)) {
		return bad("is damaged (its sum does not match)")
	}
	if _, err := f.Seek(int64(len(magic))+int64(n), io.SeekStart); err != nil {
		f.Close()
		return nil, nil, st, fmt.Errorf("reading checkpoint %s: %w", path, err)
	}
	r.Reset(f)
	return f, r, st, nil
}

// loadCheckpoint fills tensors, whose lengths must be those saved. They are untouched
// when the checkpoint is damaged or of another model.
func loadCheckpoint(dir string, tensors [][]float32) (State, error) {
	f, r, st, err := openCheckpoint(dir)
	if err != nil {
		return st, err
	}
	defer f.Close()
	total := int64(0)
	for _, t := range tensors {
		total += int64(len(t))
	}
	if total != st.Floats {
		return st, fmt.Errorf("checkpoint %s holds %d values for %d: it is of another model", checkpointPath(dir), st.Floats, total)
	}
	var buf [4096]byte
	for _, t := range tensors {
		for len(t) > 0 {
			n := min(len(t), len(buf)/4)
			if _, err := io.ReadFull(r, buf[:4*n]); err != nil {
				return st, fmt.Errorf("reading checkpoint %s: %w", checkpointPath(dir), err)
			}
			for i := range n {
				t[i] = math.Float32frombits(binary.LittleEndian.Uint32(buf[4*i:]))
			}
			t = t[n:]
		}
	}
	return st, nil
}
