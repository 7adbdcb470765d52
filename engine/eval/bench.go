package eval

import (
	"context"
	_ "embed"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/seedling-lsp/seedling/engine"
	"github.com/seedling-lsp/seedling/engine/backend"
	"github.com/seedling-lsp/seedling/engine/denoise"
	"github.com/seedling-lsp/seedling/engine/eval/replay"
	"github.com/seedling-lsp/seedling/engine/model"
	"github.com/seedling-lsp/seedling/infill"
	"github.com/seedling-lsp/seedling/treesitter"
)

// benchSource is the file whose lines are completed: one of this package's own.
//
//go:embed cases.go
var benchSource string

// BenchReport is the answer of `seedling bench`. Shares are of the peaks of the same run.
type BenchReport struct {
	Model   string `json:"model"`
	Backend string `json:"backend"`
	Threads int    `json:"threads"`
	Peak    struct {
		FP32   float64 `json:"fp32_gflops"`
		BF16   float64 `json:"bf16_gflops"` // 0 where the processor has no such units
		Int8   float64 `json:"int8_gops"`
		Memory float64 `json:"memory_gbs"`
	} `json:"peak"`
	GEMM struct {
		M8  float64 `json:"int8_m8_share"`
		M16 float64 `json:"int8_m16_share"`
		M32 float64 `json:"int8_m32_share"`
	} `json:"gemm"`
	Forward struct {
		Context1 float64 `json:"context1_ms"`
		Canvas8  float64 `json:"canvas8_ms"`
		Canvas16 float64 `json:"canvas16_ms"`
		Canvas32 float64 `json:"canvas32_ms"`
	} `json:"forward"`
	Keystroke replay.Report `json:"keystroke"`
	Line      struct {
		Diffusion float64 `json:"diffusion_ms"`
		Verify    float64 `json:"verify_ms"`
		Causal    float64 `json:"causal_ms"`
	} `json:"line"`
	TokensPerSecond struct {
		Diffusion float64 `json:"diffusion"`
		Verify    float64 `json:"verify"`
		Causal    float64 `json:"causal"`
	} `json:"tokens_per_second"`
	Cache engine.Stats `json:"cache"` // of the whole run
	RSS   float64      `json:"rss_mb"`
}

// benchContext is the depth of context at which single passes are timed.
const benchContext = 384

// BenchForward times single passes after a context of 384 tokens: the median of many.
func BenchForward(ctx context.Context, b backend.Backend, c model.Config, rep *BenchReport) error {
	mask := c.Seedling.Tokens.Mask
	seq, err := b.Fork(backend.Root)
	if err != nil {
		return fmt.Errorf("bench: %w", err)
	}
	defer b.Release(seq)
	depth := min(benchContext, b.Limits().Positions-40)
	var rows []backend.Row
	for i := range depth {
		rows = append(rows, backend.Row{Seq: seq, Token: backend.TokenID(10 + i*37%(c.VocabSize-10)), Pos: int32(i)})
	}
	for at := 0; at < depth; at += 128 {
		if _, err := b.Forward(ctx, backend.Batch{Rows: rows[at:min(at+128, depth)]}); err != nil {
			return fmt.Errorf("bench: %w", err)
		}
	}
	pass := func(n int, kind backend.Kind) (float64, error) {
		rows := make([]backend.Row, n)
		for i := range rows {
			rows[i] = backend.Row{Seq: seq, Token: mask, Pos: int32(depth + i), Kind: kind, Want: backend.WantTop}
		}
		var ms []float64
		for begin := time.Now(); len(ms) < 10 || time.Since(begin) < 300*time.Millisecond && len(ms) < 2000; {
			start := time.Now()
			if _, err := b.Forward(ctx, backend.Batch{Rows: rows, Forbid: []backend.TokenID{mask}}); err != nil {
				return 0, fmt.Errorf("bench: %w", err)
			}
			ms = append(ms, time.Since(start).Seconds()*1000)
			if kind == backend.Context {
				if err := b.Truncate(seq, depth); err != nil {
					return 0, fmt.Errorf("bench: %w", err)
				}
			}
		}
		return percentile(ms, 0.5), nil
	}
	for _, p := range []struct {
		n    int
		kind backend.Kind
		to   *float64
	}{{1, backend.Context, &rep.Forward.Context1}, {8, backend.Canvas, &rep.Forward.Canvas8}, {16, backend.Canvas, &rep.Forward.Canvas16}, {32, backend.Canvas, &rep.Forward.Canvas32}} {
		if *p.to, err = pass(p.n, p.kind); err != nil {
			return err
		}
	}
	return nil
}

// BenchLines completes 24 lines of a real file in every mode, behind a context that is read.
func BenchLines(ctx context.Context, g Generator, rep *BenchReport) error {
	parser := treesitter.NewParser(treesitter.Limits{})
	defer parser.Close()
	ask := func(text string, at int, id string, mode denoise.Mode) (engine.Result, float64, error) {
		start := time.Now()
		tree, err := parser.Parse(treesitter.Go, nil, text)
		if err != nil {
			return engine.Result{}, 0, err
		}
		defer tree.Close()
		p := infill.NewPlan(infill.Document{Path: "eval/cases.go", Language: treesitter.Go, Text: text, Tree: tree}, infill.ByteOffset(at),
			infill.Options{Mode: infill.Line, Priority: engine.Invoked, Document: id})
		if p.Mode == infill.Nothing {
			return engine.Result{}, 0, fmt.Errorf("no plan at byte %d: %s", at, p.Reason)
		}
		_, res, err := p.Answer(func(r engine.Request) (engine.Result, error) {
			r.Decode = mode
			return g.Generate(ctx, r)
		})
		return res, time.Since(start).Seconds() * 1000, err
	}
	text := benchSource
	for _, m := range Modes {
		var ms []float64
		tokens, sec := 0, 0.0
		for i, n := 0, 0; n < 24 && i < len(text); n++ {
			next := strings.Index(text[i:], "\n\t\t")
			if next < 0 {
				break
			}
			i += next + 3
			end := i + strings.IndexByte(text[i:], '\n')
			id := fmt.Sprintf("line %d %s", n, m.Name)
			doc := text[:i] + text[end:]
			if _, _, err := ask(doc, i, id+" warm", denoise.Causal); err != nil { // the context is read
				return fmt.Errorf("bench: %w", err)
			}
			res, t, err := ask(doc, i, id, m.Mode)
			if err != nil {
				return fmt.Errorf("bench: %w", err)
			}
			ms = append(ms, t)
			tokens += res.Tokens
			sec += res.Denoise.Seconds()
		}
		rate := 0.0
		if sec > 0 {
			rate = float64(tokens) / sec
		}
		switch m.Mode {
		case denoise.Diffusion:
			rep.Line.Diffusion, rep.TokensPerSecond.Diffusion = percentile(ms, 0.5), rate
		case denoise.Verify:
			rep.Line.Verify, rep.TokensPerSecond.Verify = percentile(ms, 0.5), rate
		default:
			rep.Line.Causal, rep.TokensPerSecond.Causal = percentile(ms, 0.5), rate
		}
	}
	return nil
}

// ResidentMB is the memory in use, 0 where the system does not tell.
func ResidentMB() float64 {
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	f := strings.Fields(string(b))
	if len(f) < 2 {
		return 0
	}
	pages, _ := strconv.ParseFloat(f[1], 64)
	return pages * float64(os.Getpagesize()) / 1e6
}
