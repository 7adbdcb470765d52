package eval

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/seedling-lsp/seedling/engine"
	"github.com/seedling-lsp/seedling/engine/backend"
	"github.com/seedling-lsp/seedling/engine/model"
	"github.com/seedling-lsp/seedling/engine/tokenizer"
)

// PplReport is the answer of `seedling eval ppl`: how well a model foretells held-out
// text, as the backend runs it (quantized, if it is).
type PplReport struct {
	Model  string  `json:"model"`
	Files  int     `json:"files"`
	Seed   uint64  `json:"seed"`
	Tokens int     `json:"tokens"`
	Bytes  int     `json:"bytes"`
	ARNats float64 `json:"ar_nats"`          // causal, per token
	ARBits float64 `json:"ar_bits_per_byte"` // of the same
	// ARCI95 and ELBOCI95 are 95 % intervals of the bits per byte, of windows drawn anew
	// (percentile bootstrap): of what other files of this kind would give.
	ARCI95     [2]float64 `json:"ar_bits_ci95"`
	ELBOCI95   [2]float64 `json:"elbo_bits_ci95"`
	ELBOTokens int        `json:"elbo_tokens"`        // positions behind the bound; 0: of a plain model there is none
	ELBONats   float64    `json:"elbo_nats"`          // bound on the denoising loss, per token
	ELBOBits   float64    `json:"elbo_bits_per_byte"` // of the same
}

// Draws is how many stratified noise levels the ELBO takes a block.
const Draws = 8

// Ppl reads n windows of up to window tokens, each from the start of a random file, as
// plain documents. The ELBO noises blocks of 16 in each, eight stratified levels u a
// block, weighted 1/u (method.md, section 2).
func Ppl(ctx context.Context, b backend.Backend, c model.Config, tok *tokenizer.Tokenizer, name string, files []File, n, window int, seed uint64, progress func(done int)) (PplReport, error) {
	rep := PplReport{Model: name, Files: n, Seed: seed}
	t := c.Seedling.Tokens
	forbid := []backend.TokenID{t.Mask}
	r := rand.New(rand.NewPCG(seed, 99))
	drawn := make([]int, n) // before the noise, so that every model reads the same files
	for i := range drawn {
		drawn[i] = r.IntN(len(files))
	}
	window = min(window, b.Limits().Positions)
	var sum reading
	var windows []reading
	for i, file := range drawn {
		f := files[file]
		text := f.Text[:min(len(f.Text), window*8)]
		prefix := tokenizer.Encode[backend.TokenID](tok, nil, text)
		ids := engine.Layout(t, engine.Input{Path: tokenizer.Encode[backend.TokenID](tok, nil, f.Path), Prefix: prefix})
		if c.Seedling.Plain {
			ids = engine.PlainLayout(t, prefix)
		}
		body := len(ids) - len(prefix)
		ids = ids[:min(len(ids), window)]
		if len(ids) < body+32 {
			continue
		}
		seq, err := b.Fork(backend.Root)
		if err != nil {
			return rep, err
		}
		var w reading
		err = func() error {
			defer b.Release(seq)
			for at := 0; at < len(ids); at += 256 {
				var rows []backend.Row
				for j := at; j < min(at+256, len(ids)); j++ {
					row := backend.Row{Seq: seq, Token: ids[j], Pos: int32(j)}
					if j+1 >= body && j+1 < len(ids) {
						row.Want, row.Target = backend.WantTarget, ids[j+1]
					}
					rows = append(rows, row)
				}
				tops, err := b.Forward(ctx, backend.Batch{Rows: rows, Forbid: forbid})
				if err != nil {
					return err
				}
				for _, top := range tops {
					w.nats -= float64(top.TargetLog)
					w.asked++
				}
			}
			w.bytes = tokenizer.Length(tok, ids[body:])
			w.tokens = len(ids) - body
			if c.Seedling.Plain {
				return nil // it knows no canvas
			}
			// Blocks from the end to the start: the cache only shrinks.
			for at := body + (len(ids)-body)/48*48; at > body; at -= 48 {
				if at+16 > len(ids) {
					continue
				}
				x := ids[at : at+16]
				for d := range Draws {
					u := max((float64(d)+r.Float64())/Draws, 1.0/16)
					hidden := make([]bool, 16)
					for j := range hidden {
						hidden[j] = r.Float64() < u
					}
					w.hidden += 16
					if !slices.Contains(hidden, true) {
						continue // it says nothing, and counts: else 1/u would weigh too much
					}
					rows := noised(seq, ids[:at], x, hidden, t.Mask, c.Seedling.Shift)
					if err := b.Truncate(seq, int(rows[0].Pos)); err != nil {
						return err
					}
					tops, err := b.Forward(ctx, backend.Batch{Rows: rows, Forbid: forbid})
					if err != nil {
						return err
					}
					for _, top := range tops {
						w.bound -= float64(top.TargetLog) / u
					}
				}
			}
			return nil
		}()
		if err != nil {
			return rep, fmt.Errorf("%s: %w", f.Path, err)
		}
		windows = append(windows, w)
		sum.add(w)
		if progress != nil {
			progress(i + 1)
		}
	}
	rep.Bytes, rep.Tokens, rep.ELBOTokens = sum.bytes, sum.tokens, sum.hidden
	if sum.asked == 0 || rep.ELBOTokens == 0 && !c.Seedling.Plain {
		return rep, fmt.Errorf("the files are too short to measure on")
	}
	rep.ARNats, rep.ELBONats = sum.nats/float64(sum.asked), sum.bound/float64(max(rep.ELBOTokens, 1))
	rep.ARBits, rep.ELBOBits = sum.bits()
	rep.ARCI95, rep.ELBOCI95 = bitsInterval(windows, seed)
	return rep, nil
}

// noised lays out a canvas behind a text, some of whose tokens x are hidden, and asks for
// those, as denoise.Run does: where the canvas is shifted, led by the token before it, as
// context while all is hidden and as canvas otherwise.
func noised(seq backend.Sequence, before, x []backend.TokenID, hidden []bool, mask backend.TokenID, shift bool) []backend.Row {
	var rows []backend.Row
	add := func(token backend.TokenID, pos int, kind backend.Kind) {
		rows = append(rows, backend.Row{Seq: seq, Token: token, Pos: int32(pos), Kind: kind})
	}
	at := len(before)
	if shift {
		kind := backend.Context
		if slices.Contains(hidden, false) {
			kind = backend.Canvas
		}
		add(before[at-1], at-1, kind)
	}
	for j, t := range x {
		if hidden[j] {
			t = mask
		}
		add(t, at+j, backend.Canvas)
	}
	for j, t := range x {
		if hidden[j] {
			rows[j].Want, rows[j].Target = backend.WantTarget, t
		}
	}
	if n := len(rows) - 1; shift && hidden[len(x)-1] {
		rows = rows[:n] // a mask that nothing is asked of says nothing
	}
	return rows
}
