package train

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"github.com/seedling-lsp/seedling/engine/backend"
	"github.com/seedling-lsp/seedling/engine/model"
	"github.com/seedling-lsp/seedling/engine/tokenizer"
)

// Job is what `seedling train` is asked for.
type Job struct {
	Stage     string
	Config    string           // settings file, or empty
	Data      string           // folder of sources
	Init      string           // model directory or run folder to start from, or a name that Models has
	Models    map[string]fs.FS // models of the binary, "builtin" above all
	Out       string           // run folder
	Resume    bool
	NewCorpus bool
	Decay     int    // >0: cut a decayed branch of so many steps from Init's checkpoint
	Tokenizer []byte // tokenizer.json, unless Init has its own
	Threads   int
	ISA       string
	// Hide replaces what looks like a secret in the sources byte for byte, as serving does.
	// nil: nothing is hidden.
	Hide func(text string) string
	Log  io.Writer // for people; a terminal gets a progress bar
}

// SpecialNames are the special tokens of our tokenizer, in the order of their ids.
var SpecialNames = []string{"<|mask|>", "<|end|>", "<|suffix|>", "<|prefix|>", "<|draft|>", "<|path|>", "<|repo|>", "<|delete|>", "<|insert|>"}

// SpecialTokens looks our special tokens up.
func SpecialTokens(t *tokenizer.Tokenizer) (model.SpecialTokens, error) {
	var s model.SpecialTokens
	for i, p := range []*backend.TokenID{&s.Mask, &s.End, &s.Suffix, &s.Prefix, &s.Draft, &s.Path, &s.Repo, &s.Delete, &s.Insert} {
		id, ok := t.Special(SpecialNames[i])
		if !ok {
			return s, fmt.Errorf("the tokenizer has no %s; it is not one of Seedling's", SpecialNames[i])
		}
		*p = backend.TokenID(id)
	}
	return s, nil
}

// Run does the job: prepares the corpus once, trains, and writes the model next to the
// checkpoint when the stage ends or ctx does.
func (j Job) Run(ctx context.Context) error {
	s, err := j.settings()
	if err != nil {
		return err
	}
	if (j.Stage == "adapt" || s.own()) && j.Init == "" && !j.Resume {
		return fmt.Errorf("stage %s goes on from a trained model: add --init builtin, or a model's or a run's folder", j.Stage)
	}
	if err := os.MkdirAll(j.Out, 0o755); err != nil {
		return fmt.Errorf("the run's folder: %w", err)
	}
	opt := Options{Out: j.Out, Resume: j.Resume, NewCorpus: j.NewCorpus, Threads: j.Threads, ISA: j.ISA, Spans: SyntaxSpans()}
	vocab := j.Tokenizer
	if j.Decay > 0 {
		opt.Branch, vocab = j.Init, runVocab(j.Init, vocab)
	} else if j.Init != "" && !j.Resume {
		if opt.Init, vocab, err = j.initial(vocab); err != nil {
			return err
		}
	} else if j.Resume {
		vocab = runVocab(j.Out, vocab)
	}
	if opt.Tokenizer, err = tokenizer.Load(bytes.NewReader(vocab)); err != nil {
		return fmt.Errorf("the tokenizer: %w", err)
	}
	if opt.Tokens, err = SpecialTokens(opt.Tokenizer); err != nil {
		return err
	}
	opt.VocabHash = vocabHash(vocab)
	if opt.Train, opt.HeldOut, err = j.corpus(ctx); err != nil {
		return err
	}
	if s.Stage == "adapt" || s.own() {
		if s.Stage == "adapt" && !j.Resume && j.Config == "" {
			s = s.fitted(opt.Train)
		}
		if opt.Init != nil {
			s.Shift = opt.Init.Config.Seedling.Shift
			s.Positions = min(s.Positions, opt.Init.Config.MaxPositions)
		}
	}
	before := 0
	if st, err := readState(j.Init); j.Init != "" && err == nil {
		before = st.Before + st.Step
	}
	opt.Progress = j.bar(s)
	t, err := New(s, opt)
	if err != nil {
		return err
	}
	defer t.Close()
	// Only now: a run that is refused leaves the folder's settings as they were.
	if err := j.describe(s, opt); err != nil {
		return err
	}
	// At once, and not with the model at the end: a run that is killed goes on, too.
	if err := writeFile(filepath.Join(j.Out, "tokenizer.json"), vocab); err != nil {
		return err
	}
	if !j.Resume && j.Decay == 0 {
		t.st.Before = before
		if st, err := readState(j.Init); j.Init != "" && err == nil {
			t.st.Tokens, t.st.Rows, t.st.Seconds = st.Tokens, st.Rows, st.Seconds
		}
	}
	fmt.Fprintf(j.Log, "%.2f M weights; kernels %s on %d threads, measured peak %.0f GFLOP/s (%s)\n",
		float64(t.net.P.Count())/1e6, t.net.ops.Name(), t.net.threads, t.peak/1e9, t.net.ops.PeakKind())
	if was := t.resumed; was != "" && was != t.net.ops.Name() {
		fmt.Fprintf(j.Log, "this run began with kernels %s: from here on its numbers differ in rounding from what that machine would have given\n", was)
	}
	if s.Stage == "adapt" {
		if err := j.remark(t); err != nil {
			return err
		}
	}
	err = t.Run(ctx)
	if e := j.export(t, vocab); e != nil {
		err = errors.Join(err, e)
	}
	if s.Stage == "adapt" && (err == nil || errors.Is(err, context.Canceled)) {
		if e := j.gain(t); e != nil {
			return errors.Join(err, e)
		}
	}
	if errors.Is(err, context.Canceled) {
		fmt.Fprintf(j.Log, "\nstopped at step %d of %d; go on with --resume --out %s\n", t.st.Step, s.Steps, j.Out)
	}
	return err
}

// settings reads the file, or those of the checkpoint that the job goes on from.
func (j Job) settings() (Settings, error) {
	s, err := ReadSettings(j.Config, j.Stage)
	if err != nil {
		return s, err
	}
	if j.Resume && j.Decay > 0 {
		return s, errors.New("a decayed branch that was begun goes on with --resume, without --decay")
	}
	if j.Resume && j.Config == "" {
		st, err := readState(j.Out)
		if err != nil {
			return s, fmt.Errorf("resuming: %w", err)
		}
		if st.Settings.Stage != j.Stage {
			return s, fmt.Errorf("resuming: %s holds a run of stage %s; start --stage %s with --init %s and another --out", j.Out, st.Settings.Stage, j.Stage, j.Out)
		}
		s = st.Settings
	}
	if j.Decay > 0 {
		return j.branch(s)
	}
	return s, s.Validate()
}

// branch are the settings of a decayed branch: those of the run that it is cut from, or of the
// settings file, to its step and so many steps further, over which the rate falls.
func (j Job) branch(s Settings) (Settings, error) {
	st, err := readState(j.Init)
	if err != nil {
		return s, fmt.Errorf("--decay cuts a branch from the run in --init: %w", err)
	}
	if st.Settings.Stage != j.Stage {
		return s, fmt.Errorf("--decay: %s holds a run of stage %s, not %s", j.Init, st.Settings.Stage, j.Stage)
	}
	if j.Config == "" {
		s = st.Settings
	}
	// Edits that have begun go on; else they begin as late in the branch as they would in the run.
	edits := min(s.EditFrom*float64(s.Steps), float64(st.Step)+s.EditFrom*float64(j.Decay))
	s.Steps, s.Decay = st.Step+j.Decay, j.Decay
	s.EditFrom = min(1, edits/float64(s.Steps))
	return s, s.Validate()
}

// readModel reads a model directory and its tokenizer.
func readModel(name string, dir fs.FS) (*model.Weights, []byte, error) {
	w, err := model.LoadFS(dir)
	if err != nil {
		return nil, nil, fmt.Errorf("--init %s: %w", name, err)
	}
	vocab, err := fs.ReadFile(dir, "tokenizer.json")
	if err != nil {
		return nil, nil, fmt.Errorf("--init %s: %w", name, err)
	}
	return w, vocab, nil
}

// initial reads the weights to start from: a run folder's newest, or a model directory.
func (j Job) initial(vocab []byte) (*model.Weights, []byte, error) {
	if dir := j.Models[j.Init]; dir != nil {
		return readModel(j.Init, dir)
	}
	st, err := readState(j.Init)
	if errors.Is(err, errNoCheckpoint) {
		return readModel(j.Init, os.DirFS(j.Init))
	}
	if err != nil {
		return nil, nil, fmt.Errorf("--init: %w", err)
	}
	p := NewParams(st.Config)
	tensors := [][]float32{}
	for _, q := range p.All {
		tensors = append(tensors, q.W)
	}
	// The optimizer's state is read to check the sum, and left behind.
	tensors = append(tensors, make([]float32, max(0, int(st.Floats)-p.Count())))
	if _, err := loadCheckpoint(j.Init, tensors); err != nil {
		return nil, nil, fmt.Errorf("--init: %w", err)
	}
	vocab = runVocab(j.Init, vocab)
	if vocabHash(vocab) != st.Vocab {
		return nil, nil, fmt.Errorf("--init: the run in %s has another tokenizer than Seedling's own, and its file is gone: put the tokenizer.json that it began with there", j.Init)
	}
	return p.Weights(), vocab, nil
}

// vocabHash is the identity of a tokenizer file.
func vocabHash(vocab []byte) string {
	sum := sha256.Sum256(vocab)
	return hex.EncodeToString(sum[:])
}

// runVocab is the tokenizer.json of a run's folder, kept there from its start on, or other
// when it has none: older runs left it beside the exported model only.
func runVocab(dir string, other []byte) []byte {
	for _, p := range []string{filepath.Join(dir, "tokenizer.json"), filepath.Join(dir, "model", "tokenizer.json")} {
		if b, err := os.ReadFile(p); err == nil {
			return b
		}
	}
	return other
}

// corpus opens what was prepared in the run's folder, or prepares it.
func (j Job) corpus(ctx context.Context) (train, held *Corpus, err error) {
	a, b := filepath.Join(j.Out, "corpus-train"), filepath.Join(j.Out, "corpus-heldout")
	if !j.NewCorpus {
		train, err = OpenCorpus(a)
		if err == nil {
			if held, err = OpenCorpus(b); err == nil {
				if j.Data != "" {
					fmt.Fprintf(j.Log, "the corpus is the one prepared in %s; --new-corpus prepares it anew from %s\n", j.Out, j.Data)
				}
				return train, held, nil
			}
		}
		if !errors.Is(err, os.ErrNotExist) {
			return nil, nil, err
		}
	}
	if j.Data == "" {
		return nil, nil, fmt.Errorf("no prepared corpus in %s: name the sources with --data", j.Out)
	}
	bar := progressbar.NewOptions(-1, progressbar.OptionSetWriter(j.terminal()), progressbar.OptionSetDescription("reading sources"), progressbar.OptionClearOnFinish())
	train, held, err = Prepare(ctx, j.Data, j.Hide, func(n int) { bar.Set(n) })
	bar.Finish()
	if err != nil {
		return nil, nil, err
	}
	if err := errors.Join(train.Save(a), held.Save(b)); err != nil {
		return nil, nil, err
	}
	// Preparing took several times the memory of what was prepared: give it back before the
	// network takes its own.
	train, held = nil, nil
	debug.FreeOSMemory()
	if train, err = OpenCorpus(a); err == nil {
		held, err = OpenCorpus(b)
	}
	return train, held, err
}

// describe leaves the settings and the list of licences beside the checkpoint.
func (j Job) describe(s Settings, opt Options) error {
	b, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	if err := writeFile(filepath.Join(j.Out, "settings.json"), append(b, '\n')); err != nil {
		return err
	}
	var list bytes.Buffer
	list.WriteString("source\tlanguage\tlicence\tfiles\tbytes\n")
	size := 0
	for _, x := range opt.Train.Sources {
		fmt.Fprintf(&list, "%s\t%s\t%s\t%d\t%d\n", x.Name, x.Language, x.Licence, x.Files, x.Bytes)
	}
	for _, f := range opt.Train.Files {
		size += f.Length
	}
	d := opt.Train.Dropped
	fmt.Fprintf(j.Log, "corpus: %d files, %.0f MB from %d sources; left out: %d duplicates, %d generated, %d copies of held-out files, %d near duplicates, %d of forks of held-out sources, %d by shape, %d not UTF-8; secrets hidden in %d\n",
		len(opt.Train.Files), float64(size)/1e6, len(opt.Train.Sources), d.Duplicate, d.Generated, d.HeldOut, d.Near, d.Fork, d.Shape, d.Encoding, d.Secret)
	return writeFile(filepath.Join(j.Out, "sources.tsv"), list.Bytes())
}

// export writes the weights as a model directory inside the run's folder.
func (j Job) export(t *Trainer, vocab []byte) error {
	dir := filepath.Join(j.Out, "model")
	if err := t.Export().Save(dir); err != nil {
		return err
	}
	if err := writeFile(filepath.Join(dir, "tokenizer.json"), vocab); err != nil {
		return err
	}
	return Plot(filepath.Join(j.Out, "curve.png"), filepath.Join(j.Out, "curve.csv"))
}

// terminal is where bars go: nowhere unless a person watches.
func (j Job) terminal() io.Writer {
	if f, ok := j.Log.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return f
	}
	return io.Discard
}

// bar shows progress: a bar with tokens/s, loss, share of peak and time left for a
// person, one line every twenty steps for a log.
func (j Job) bar(s Settings) func(Progress) {
	w := j.terminal()
	pb := progressbar.NewOptions(s.Steps, progressbar.OptionSetWriter(w), progressbar.OptionShowCount(), progressbar.OptionSetPredictTime(false), progressbar.OptionFullWidth())
	return func(p Progress) {
		line := fmt.Sprintf("ar %.3f", p.Loss.Mean(LossAR))
		if p.Loss.Count[LossMask] > 0 {
			line += fmt.Sprintf(" mask %.3f", p.Loss.Mean(LossMask))
		}
		if p.Loss.Count[LossEdit] > 0 {
			line += fmt.Sprintf(" edit %.3f", p.Loss.Mean(LossEdit))
		}
		line += fmt.Sprintf("  %.0f tok/s, %.0f %% of peak, %s left", p.TokensPerSec, 100*p.PeakShare, p.Left.Round(time.Minute))
		if w == io.Discard {
			if p.Step%20 == 0 || p.Report != nil || p.Step == 1 {
				fmt.Fprintf(j.Log, "step %d/%d  %s  norm %.2f  lr %.3f\n", p.Step, p.Steps, line, p.GradNorm, p.LR)
			}
		} else {
			pb.Describe(line)
			pb.Set(p.Step)
		}
		if p.Step == 1 || p.Report != nil {
			fmt.Fprintf(j.Log, "\na step's time: %s\n", p.Timing)
		}
		if r := p.Report; r != nil {
			fmt.Fprintf(j.Log, "held out at step %d: causal %.4f nats/token (%.4f bits/byte, %.1f %% right), ELBO %.4f (%.4f bits/byte), all-mask %.4f (%.1f %%), edits %.1f %%\n",
				p.Step, r.AR, r.ARBits, 100*r.ARHits, r.ELBO, r.ELBOBits, r.AllMask, 100*r.AllMaskHits, 100*r.EditHits)
		}
		if v := p.Speed; v != nil {
			fmt.Fprintf(j.Log, "blocks of %d, held out: %.2f tokens a forward, %.1f %% exact (%.1f %% one token a forward), %.1f %% the same text as one token a forward\n",
				v.Size, v.TokensPerForward, 100*v.Exact, 100*v.ExactOne, 100*v.Same)
		}
	}
}
