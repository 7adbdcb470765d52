package train

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/seedling-lsp/seedling/engine/model"
	"github.com/seedling-lsp/seedling/engine/tokenizer"
	"github.com/seedling-lsp/seedling/engine/train/kernels"
)

// Options are what a run needs beside its settings.
type Options struct {
	Out       string // folder of the run: checkpoint, curve
	Train     *Corpus
	HeldOut   *Corpus // may be empty: then no reports
	Tokenizer *tokenizer.Tokenizer
	VocabHash string // identity of the tokenizer file
	Tokens    model.SpecialTokens
	Init      *model.Weights // start from these instead of from nothing
	Resume    bool           // go on from Out's checkpoint
	Branch    string         // go on from this run's checkpoint, its optimizer's state and all, in Out; empty: no branch
	NewCorpus bool           // with Resume or Branch: accept that the corpus changed
	Threads   int
	ISA       string // kernels; "" the best
	Spans     SpanFinder
	// Progress is told after every step. nil: not.
	Progress func(Progress)
}

// Progress is the state of a run after a step.
type Progress struct {
	Step, Steps  int
	Loss         Losses // of the step
	GradNorm     float64
	LR           float64 // factor of the schedule
	TokensPerSec float64 // clean tokens, over the step
	RowsPerSec   float64 // rows of both streams
	PeakShare    float64 // flop/s over the measured peak of the units that the kernels use
	Left         time.Duration
	Timing       Timing
	Report       *Report // after the steps that measure held-out text
	Speed        *Speed  // beside a report of the stages order and onpolicy
	Saved        bool
}

// Trainer runs one stage.
type Trainer struct {
	opt   Options
	s     Settings
	net   *Network
	muon  Optimizer
	adam  Optimizer
	data  *Sampler
	held  *Sampler
	st    State
	curve *Curve
	peak  float64
	own   ownTally
	// resumed names the kernels that the checkpoint was made with.
	resumed string
}

// New prepares a run: a fresh one, one from given weights, or one that goes on.
func New(s Settings, opt Options) (*Trainer, error) {
	if err := s.Validate(); err != nil {
		return nil, err
	}
	ops, err := kernels.Pick(opt.ISA)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(opt.Out, 0o755); err != nil {
		return nil, fmt.Errorf("the run's folder: %w", err)
	}
	t := &Trainer{opt: opt, s: s, st: State{Settings: s, Corpus: opt.Train.Hash, Vocab: opt.VocabHash}}
	t.st.Config = s.Model(opt.Tokenizer.Size(), opt.Tokens)
	if opt.Init != nil {
		t.st.Config = opt.Init.Config
		t.st.Config.Seedling.Plain = false // from here on it learns our layout
	}
	if s.Stage == "tsc" || opt.Init == nil && s.Stage != "ar" {
		t.st.Config.Seedling.Shift = s.Shift
	}
	from := opt.Branch // whose checkpoint is gone on from
	if opt.Resume {
		from = opt.Out
	}
	if from != "" {
		if t.st, err = readState(from); err != nil {
			return nil, fmt.Errorf("resuming: %w", err)
		}
		if err := t.checkResume(from); err != nil {
			return nil, err
		}
	}
	if _, err := os.Stat(checkpointPath(opt.Out)); err == nil && !opt.Resume {
		return nil, fmt.Errorf("%s holds a checkpoint already: add --resume to go on from it, or choose another --out", opt.Out)
	}
	if t.st.Config.VocabSize != opt.Tokenizer.Size() {
		return nil, fmt.Errorf("the model has %d tokens, the tokenizer %d: they do not belong together", t.st.Config.VocabSize, opt.Tokenizer.Size())
	}
	if s.Positions > t.st.Config.MaxPositions {
		return nil, fmt.Errorf("training settings: %d positions, the model to start from has %d", s.Positions, t.st.Config.MaxPositions)
	}
	p := NewParams(t.st.Config)
	p.Init(s.Seed)
	if opt.Init != nil {
		p.Load(opt.Init)
	}
	rows := s.MicroTokens
	switch {
	case s.own():
		rows += int(float64(s.MicroTokens) * max(s.NoisedShare, 1))
	case s.Stage != "ar":
		// A report noises blocks of 16 with gaps of 16 and more between, whatever the settings.
		rows += int(float64(s.MicroTokens) * max(s.NoisedShare, 0.5))
	}
	rows += 128
	if t.net, err = NewNetwork(p, ops, max(opt.Threads, 1), rows); err != nil {
		return nil, err
	}
	t.muon, t.adam = NewOptimizers(p, s, ops, t.net.threads)
	if from != "" {
		if t.st, err = loadCheckpoint(from, t.tensors()); err != nil {
			return nil, fmt.Errorf("resuming: %w", err)
		}
		t.st.Corpus = opt.Train.Hash
		t.resumed = t.st.Kernels
	}
	t.st.Kernels = ops.Name()
	t.st.Settings = s
	t.net.round(s.WeightBits)
	if t.data, err = NewSampler(opt.Train, opt.Tokenizer, opt.Tokens, s, opt.Spans, 1); err != nil {
		return nil, err
	}
	if opt.HeldOut != nil && len(opt.HeldOut.Files) > 0 {
		fixed := s
		fixed.Seed = 1 // reports of all runs read the same text, so that they compare
		if t.held, err = NewSampler(opt.HeldOut, opt.Tokenizer, opt.Tokens, fixed, nil, 2); err != nil {
			return nil, err
		}
	}
	if t.curve, err = OpenCurve(filepath.Join(opt.Out, "curve.csv"), t.st.Before+t.st.Step); err != nil {
		return nil, err
	}
	t.peak = ops.Peak(t.net.threads)
	return t, nil
}

// checkResume says why the run in a folder cannot be gone on with.
func (t *Trainer) checkResume(from string) error {
	switch {
	case t.st.Vocab != t.opt.VocabHash:
		return fmt.Errorf("resuming: the tokenizer is not the one this run began with")
	case t.st.Corpus != t.opt.Train.Hash && !t.opt.NewCorpus:
		return fmt.Errorf("resuming: the corpus is not the one this run began with; give the old --data, or --new-corpus to go on with this one (the run can then not be repeated exactly)")
	case t.st.Settings.Stage != t.s.Stage:
		return fmt.Errorf("resuming: %s holds a run of stage %s; start --stage %s with --init %s and another --out", from, t.st.Settings.Stage, t.s.Stage, from)
	case cmp.Or(t.st.Settings.Optimizer, "muon") != t.s.Optimizer:
		return fmt.Errorf("resuming: the setting optimizer is %s, this run began with %s, whose state is what its checkpoint holds; start a new run with --init %s", t.s.Optimizer, t.st.Settings.Optimizer, from)
	case t.s.Stage != "ar" && t.st.Config.Seedling.Shift != t.s.Shift:
		return fmt.Errorf("resuming: the setting shift is %t, this run began with %t: a canvas cannot change what it foretells under way", t.s.Shift, t.st.Config.Seedling.Shift)
	}
	return nil
}

// tensors are what a checkpoint keeps, in order: weights, then optimizer state.
func (t *Trainer) tensors() [][]float32 {
	var out [][]float32
	for _, p := range t.net.P.All {
		out = append(out, p.W)
	}
	out = append(out, t.muon.State()...)
	return append(out, t.adam.State()...)
}

// Close frees the run's memory and its files. It does not save.
func (t *Trainer) Close() error {
	t.net.Close()
	return t.curve.Close()
}

// State is where the run stands.
func (t *Trainer) State() State { return t.st }

// Peak is the peak of the units that the kernels use (fp32, or bf16 where the processor
// multiplies it), flop/s, measured when the run began.
func (t *Trainer) Peak() float64 { return t.peak }

// Network is the run's network: for reports and export.
func (t *Trainer) Network() *Network { return t.net }

// Save writes a checkpoint.
func (t *Trainer) Save() error { return saveCheckpoint(t.opt.Out, t.st, t.tensors()) }

// Run trains until the stage ends, ctx ends or an error. When ctx ends it finishes the
// step, saves and returns ctx's error.
func (t *Trainer) Run(ctx context.Context) error {
	last := time.Now()
	for t.st.Step < t.s.Steps {
		if ctx.Err() != nil {
			return errors.Join(ctx.Err(), t.Save())
		}
		p, err := t.step()
		if err != nil {
			return err
		}
		if t.held != nil && (t.st.Step%t.s.EvalEvery == 0 || t.st.Step == t.s.Steps) {
			rep, err := t.net.Evaluate(t.held, t.s.EvalTokens)
			if err != nil {
				return err
			}
			p.Report = &rep
			if t.s.own() {
				v := t.net.MeasureSpeed(t.held, min(max(t.s.EvalTokens/256, 4), 64), slices.Max(t.s.BlockSizes))
				p.Speed = &v
				if err := t.keepSpeed(v); err != nil {
					return err
				}
			}
		}
		if err := t.curve.Append(t.st, p); err != nil {
			return err
		}
		if time.Since(last).Minutes() >= t.s.SaveEvery || t.st.Step == t.s.Steps {
			if err := t.Save(); err != nil {
				return err
			}
			p.Saved, last = true, time.Now()
		}
		if t.opt.Progress != nil {
			t.opt.Progress(p)
		}
	}
	return nil
}

// step is one optimizer step.
func (t *Trainer) step() (Progress, error) {
	start := time.Now()
	t.net.Timing = Timing{}
	t.net.P.ZeroGrad()
	var sum Losses
	flops := 0.0
	n := t.s.StepTokens / t.s.MicroTokens
	next := make(chan *Micro, 1)
	go func(first uint64, step int) {
		for i := range n {
			if t.s.own() { // it takes the network, which is at work
				return
			}
			next <- t.data.Micro(first+uint64(i), step)
		}
	}(t.st.Micro, t.st.Step)
	for range n {
		var m *Micro
		if t.s.own() {
			m = t.net.ownMicro(t.data, t.st.Micro, t.st.Step, &t.own)
		} else {
			waits := time.Now()
			m = <-next
			t.net.Timing.Data += time.Since(waits)
		}
		t.st.Micro++
		flops += t.net.Flops(m)
		sum.Add(t.net.Pass(m, true, nil))
	}
	norm := clip(t.net, t.s.Clip)
	if math.IsNaN(norm) || math.IsInf(norm, 0) {
		return Progress{}, fmt.Errorf("the gradient is not finite at step %d: lower the learning rates and resume from the last checkpoint", t.st.Step+1)
	}
	rate := t.s.rate(t.st.Step)
	t.muon.Step(t.net, t.s.MuonLR*rate, t.st.Step+1)
	t.adam.Step(t.net, t.s.AdamLR*rate, t.st.Step+1)
	t.net.round(t.s.WeightBits)
	t.st.Step++
	t.st.Tokens += int64(sum.Clean)
	t.st.Rows += int64(sum.Rows)
	sec := time.Since(start).Seconds()
	t.st.Seconds += sec
	return Progress{Step: t.st.Step, Steps: t.s.Steps, Loss: sum, GradNorm: norm, LR: rate,
		TokensPerSec: float64(sum.Clean) / sec, RowsPerSec: float64(sum.Rows) / sec, PeakShare: flops / sec / t.peak,
		Left: time.Duration(float64(t.s.Steps-t.st.Step) * sec * float64(time.Second)), Timing: t.net.Timing}, nil
}

// Export is the network as a model to be saved or quantized, with what the stage gave it.
func (t *Trainer) Export() *model.Weights {
	w := t.net.P.Weights()
	if t.s.Stage != "ar" && float64(t.st.Step) > t.s.EditFrom*float64(t.s.Steps) {
		w.Config.Seedling.Revises = true
	}
	return w
}
