package cli

import (
	"context"
	"fmt"
	"os"
	"runtime/debug"

	"github.com/seedling-lsp/seedling/cuda"
	"github.com/seedling-lsp/seedling/engine/cpu"
	"github.com/seedling-lsp/seedling/engine/denoise"
	"github.com/seedling-lsp/seedling/engine/eval"
	"github.com/seedling-lsp/seedling/engine/eval/replay"
	"github.com/seedling-lsp/seedling/engine/eval/sweep"
	"github.com/seedling-lsp/seedling/lsp"
)

type benchCmd struct {
	Replay string `placeholder:"DIR" help:"Type the editing sessions of this git repository's history (or a script that --record kept); default: some of this project's own, in the binary."`
	Keys   int    `default:"1000" help:"Keys to type at the most."`
	Decode string `enum:"diffusion,verify,causal" default:"verify" help:"How the keys' suggestions are decoded: diffusion, verify, causal."`
	Record string `placeholder:"FILE" type:"path" help:"Instead: keep what --replay would type as a script, of files up to 12 KB. It holds their text."`
	Plan   string `enum:",h20,h100,h200" default:"" help:"Instead: what a card should reach with an 8 B model, modelled: h20, h100 or h200."`
	Plot   string `type:"path" placeholder:"FILE" help:"Instead: what a key costs by the length of the file and a pass by its rows, as a table and drawn there (.png, .svg or .pdf)."`
	JSON   bool   `name:"json" help:"Print JSON."`
}

// script is what the bench types.
func (b *benchCmd) script(ctx context.Context) (replay.Script, error) {
	switch info, err := os.Stat(b.Replay); {
	case b.Replay == "":
		return replay.Builtin()
	case err != nil:
		return replay.Script{}, fmt.Errorf("--replay: %w", err)
	case !info.IsDir():
		return replay.Read(b.Replay)
	}
	bounds := replay.Bounds{Keys: b.Keys}
	if b.Record != "" {
		bounds.FileSize = 12 << 10
	}
	return replay.Record(ctx, b.Replay, bounds)
}

func (b *benchCmd) Run(ctx context.Context, c *Commands) error {
	if b.Plan != "" {
		fmt.Print(cuda.PlanTable(cuda.Cards[b.Plan]))
		return nil
	}
	script, err := b.script(ctx)
	if err != nil {
		return err
	}
	if b.Record != "" {
		return script.Write(b.Record)
	}
	mode := denoise.Verify
	for _, m := range eval.Modes {
		if m.Name == b.Decode {
			mode = m.Mode
		}
	}
	if b.Plot != "" {
		return b.sweep(ctx, c, mode)
	}
	rep, err := c.bench(ctx, script, b.Keys, mode)
	if err != nil {
		return err
	}
	if b.JSON {
		return printJSON(rep)
	}
	fmt.Print(rep.Table())
	return nil
}

// sweep measures files of many lengths and passes of many rows, and draws them.
func (b *benchCmd) sweep(ctx context.Context, c *Commands, mode denoise.Mode) error {
	e, m, err := c.engine()
	if err != nil {
		return err
	}
	defer e.Close()
	rep := sweep.Report{Model: fmt.Sprintf("%s on %s, %d threads", m.name, m.device.Info().Kernels, m.device.Info().Threads)}
	if rep.Passes, err = sweep.Passes(ctx, m.device, m.config, sweep.Rows); err != nil {
		return err
	}
	bar := progress(sweep.Keys(len(sweep.Lines)), "keys")
	rep.Files, err = sweep.Files(ctx, e, sweep.Lines, mode, lsp.DefaultSettings().MinLogProb, func(n int) { bar.Set(n) })
	bar.Finish()
	if err != nil {
		return err
	}
	if err := rep.Plot(b.Plot); err != nil {
		return err
	}
	if b.JSON {
		return printJSON(rep)
	}
	fmt.Print(rep.Table())
	return nil
}

// bench measures the machine, passes, lines, and then up to so many keys of a script.
func (c *Commands) bench(ctx context.Context, script replay.Script, keys int, mode denoise.Mode) (*eval.BenchReport, error) {
	var rep eval.BenchReport
	e, m, err := c.engine()
	if err != nil {
		return nil, err
	}
	defer e.Close()
	isa := m.device.Info().Kernels
	rep.Model, rep.Backend, rep.Threads = m.name, m.device.Info().Name+"/"+isa, m.device.Info().Threads
	if m.device.Info().Name == "cpu" {
		p := cpu.MeasurePeaks(isa, rep.Threads)
		rep.Peak.FP32, rep.Peak.BF16, rep.Peak.Int8, rep.Peak.Memory = p.FP32/1e9, p.BF16/1e9, p.Int8/1e9, p.Memory/1e9
		for _, g := range []struct {
			m  int
			to *float64
		}{{8, &rep.GEMM.M8}, {16, &rep.GEMM.M16}, {32, &rep.GEMM.M32}} {
			rate, err := cpu.GEMMRate(isa, g.m, rep.Threads)
			if err != nil {
				return nil, err
			}
			*g.to = rate / p.Int8
		}
	}
	// The engine is idle: nobody else uses its backend while the passes are timed.
	if err := eval.BenchForward(ctx, m.device, m.config, &rep); err != nil {
		return nil, err
	}
	if err := eval.BenchLines(ctx, e, &rep); err != nil {
		return nil, err
	}
	bar := progress(keys, "keys")
	opt := replay.Options{Decode: mode, MinLogProb: lsp.DefaultSettings().MinLogProb, Keys: keys, Progress: func(n int) { bar.Set(n) }}
	rep.Keystroke, err = replay.Run(ctx, e, script, opt)
	bar.Finish()
	if err != nil {
		return nil, err
	}
	rep.Cache = e.Stats()
	debug.FreeOSMemory() // what the peaks were measured in is no part of the engine
	rep.RSS = eval.ResidentMB()
	return &rep, nil
}
