package train

import (
	"cmp"
	"path/filepath"
)

// Pack writes the weights of a run folder's newest checkpoint, or of a model directory,
// as an int8 model directory that serves, its layers stored in the bits that the run learned
// with (Settings.WeightBits), or in bits (0: those of the run, else 8). vocab is the
// tokenizer.json of runs that began from nothing.
func Pack(from, to string, bits int, vocab []byte) error {
	w, vocab, err := Job{Init: from}.initial(vocab)
	if err != nil {
		return err
	}
	if st, err := readState(from); err == nil {
		bits = cmp.Or(bits, st.Settings.WeightBits)
		// A checkpoint that was imported may know more positions than it has learned our layout in.
		w.Config.MaxPositions = min(w.Config.MaxPositions, st.Settings.Positions)
		if st.Settings.Stage == "tsc" {
			w.Config.Seedling.Revises = float64(st.Step) > st.Settings.EditFrom*float64(st.Settings.Steps)
		}
	}
	if w, err = w.QuantizeTo(cmp.Or(bits, 8)); err != nil {
		return err
	}
	if err := w.Save(to); err != nil {
		return err
	}
	return writeFile(filepath.Join(to, "tokenizer.json"), vocab)
}
