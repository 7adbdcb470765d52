package train

import "path/filepath"

// Pack writes the weights of a run folder's newest checkpoint, or of a model directory,
// as an int8 model directory that serves. vocab is the tokenizer.json of runs that began
// from nothing.
func Pack(from, to string, vocab []byte) error {
	w, vocab, err := Job{Init: from}.initial(vocab)
	if err != nil {
		return err
	}
	if st, err := readState(from); err == nil && st.Settings.Stage == "tsc" {
		w.Config.Seedling.Revises = float64(st.Step) > st.Settings.EditFrom*float64(st.Settings.Steps)
	}
	if err := w.Quantize().Save(to); err != nil {
		return err
	}
	return writeFile(filepath.Join(to, "tokenizer.json"), vocab)
}
