package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/seedling-lsp/seedling/engine"
	"github.com/seedling-lsp/seedling/engine/backend"
	"github.com/seedling-lsp/seedling/engine/cpu"
	"github.com/seedling-lsp/seedling/engine/denoise"
	"github.com/seedling-lsp/seedling/engine/eval"
	"github.com/seedling-lsp/seedling/engine/model"
	"github.com/seedling-lsp/seedling/engine/tokenizer"
	"github.com/seedling-lsp/seedling/engine/weights"
	"github.com/seedling-lsp/seedling/treesitter"
)

type command struct {
	Llama   string   `help:"A build of llama.cpp, or its llama-server." type:"path" placeholder:"DIR"`
	Model   string   `help:"Model directory; small is the one of that name in the binary." default:"small" placeholder:"DIR"`
	Types   []string `help:"Types of the peer's weights: q8_0, q4_0, f32." default:"q8_0,q4_0" sep:","`
	Data    string   `help:"Folder of sources to take lines from." default:"." type:"existingdir"`
	Lines   int      `help:"Lines to complete." default:"40"`
	Repeat  int      `help:"Times that each side answers each line." default:"7"`
	Seed    uint64   `help:"Seed of the draw." default:"1"`
	Threads int      `help:"Threads of each side." default:"2"`
	Log     string   `help:"Write what llama-server says to this file." type:"path"`
	Convert string   `help:"Only write the model as GGUF to this file, in the first of --types." type:"path" placeholder:"FILE"`
}

var types = map[string]Type{"q8_0": Q8_0, "q4_0": Q4_0, "f32": F32}

func main() {
	var c command
	kong.Parse(&c, kong.Name("peer"), kong.Description("Measure Seedling's CPU engine beside llama.cpp."))
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := c.run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "peer:", err)
		os.Exit(1)
	}
}

func (c *command) run(ctx context.Context) error {
	var dir fs.FS = weights.Files()
	if c.Model != weights.Small {
		dir = os.DirFS(c.Model)
	}
	w, err := model.LoadFS(dir)
	if err != nil {
		return err
	}
	for _, t := range c.Types {
		if _, ok := types[t]; !ok {
			return fmt.Errorf("unknown type %q: use q8_0, q4_0 or f32", t)
		}
	}
	if c.Convert != "" {
		return c.write(c.Convert, dir, w, types[c.Types[0]])
	}
	if c.Llama == "" {
		return errors.New("name a build of llama.cpp with --llama, or a file with --convert")
	}
	program, err := findServer(c.Llama)
	if err != nil {
		return err
	}
	f, err := dir.Open("tokenizer.json")
	if err != nil {
		return err
	}
	tok, err := tokenizer.Load(f)
	f.Close()
	if err != nil {
		return err
	}
	b, err := cpu.New(w, cpu.Options{Threads: c.Threads})
	if err != nil {
		return err
	}
	o := ours{tok: tok, r: &recorder{Backend: b, tokens: map[backend.Sequence][]backend.TokenID{}}}
	o.e = engine.New(engine.Model{Name: c.Model, Config: w.Config, Tokenizer: tok}, o.r, engine.Options{MemoryTokens: -1}) // the network alone, as the peer has it
	defer o.e.Close()
	files, err := eval.Files(ctx, c.Data)
	if err != nil {
		return err
	}
	cases, err := eval.Draw(files, c.Lines, c.Seed)
	if err != nil {
		return err
	}
	var log io.Writer = io.Discard
	if c.Log != "" {
		f, err := os.Create(c.Log)
		if err != nil {
			return err
		}
		defer f.Close()
		log = f
	}
	tmp, err := os.MkdirTemp("", "seedling-peer")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	info := b.Info()
	fmt.Printf("model %s, %.1f M weights; %s kernels, %d threads on either side\n", c.Model, float64(w.Parameters())/1e6, info.Kernels, info.Threads)
	for _, t := range c.Types {
		path := filepath.Join(tmp, t+".gguf")
		if err := c.write(path, dir, w, types[t]); err != nil {
			return err
		}
		s, err := start(ctx, program, path, c.Threads, w.Config.MaxPositions+64, forbidden(w.Config.Seedling.Tokens), log)
		if err != nil {
			return err
		}
		t0, err := compare(ctx, o, s, cases, c.Repeat)
		s.stop()
		if err != nil {
			return err
		}
		fmt.Print(t0.table(t))
	}
	return nil
}

func (c *command) write(path string, dir fs.FS, w *model.Weights, t Type) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(convert(f, c.Model, dir, w, t), f.Close())
}

// modes are ours, in the order of the table.
var modes = eval.Modes

// line is what one line took on both sides: the best of several tries each.
type line struct {
	context, tokens int
	same            bool // both wrote the same text, causally
	peer, wall      float64
	ours            [3]answer // by modes
	exact           [3]bool
	peerExact       bool
}

// compare asks both sides for every line, in turn.
func compare(ctx context.Context, o ours, s *server, cases []eval.Case, repeat int) (result, error) {
	var r result
	parser := treesitter.NewParser(treesitter.Limits{})
	defer parser.Close()
	for _, c := range cases {
		if c.Kind != eval.SingleLine {
			continue
		}
		q, ok, err := o.prepare(ctx, parser, c)
		if err != nil {
			return r, err
		}
		if !ok {
			r.left++
			continue
		}
		l, err := one(ctx, o, s, q, repeat)
		if err != nil {
			return r, err
		}
		r.lines = append(r.lines, l)
	}
	if len(r.lines) == 0 {
		return r, errors.New("no line to compare: name another folder with --data")
	}
	return r, nil
}

func one(ctx context.Context, o ours, s *server, q question, repeat int) (line, error) {
	l := line{context: len(q.prompt), tokens: q.tokens}
	first, err := s.complete(ctx, q.prompt, q.tokens, false) // reads the context, and says what it writes
	if err != nil {
		return l, err
	}
	text, begun := strings.CutPrefix(first.Content, q.word)
	if keep, name := q.plan.Stop(text); name != "" {
		text = text[:keep]
	}
	// The first try of a turn is not counted: threads of the other side may still spin.
	for try := range repeat + 1 {
		for i, m := range modes {
			a, _, err := o.ask(ctx, q.plan, m.Mode)
			if err != nil {
				return l, err
			}
			if try == 1 || try > 1 && a.ms < l.ours[i].ms {
				l.ours[i] = a
			}
			if m.Mode == denoise.Causal {
				l.same = begun && a.text == text
			}
			l.exact[i] = a.text == q.truth
		}
	}
	for try := range repeat + 1 {
		c, err := s.complete(ctx, q.prompt, q.tokens, true)
		if err != nil {
			return l, err
		}
		if c.Timings.PromptN != 1 || c.Timings.PredictedN != q.tokens {
			return l, fmt.Errorf("llama-server read %d tokens anew and wrote %d; asked were 1 and %d: its cache is not warm", c.Timings.PromptN, c.Timings.PredictedN, q.tokens)
		}
		if try == 1 || try > 1 && c.ms() < l.peer {
			l.peer, l.wall = c.ms(), c.wall.Seconds()*1000
		}
	}
	l.peerExact = text == q.truth
	return l, nil
}
