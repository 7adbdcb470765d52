package demo

import (
	"context"
	_ "embed"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"time"

	"charm.land/lipgloss/v2"
	"golang.org/x/tools/txtar"

	"github.com/seedling-lsp/seedling/engine"
	"github.com/seedling-lsp/seedling/lsp"
)

// scenes holds the bundled files. In each, the text between ‹ and › is typed by the demo.
//
//go:embed scenes.txtar
var scenes []byte

// Options of a demonstration.
type Options struct {
	Server lsp.Options // its Generator answers
	Out    io.Writer
	Person bool // a person watches: colors, and time to look
}

// watcher passes requests on and keeps the steps of the canvas of the last one.
type watcher struct {
	lsp.Generator
	mu    sync.Mutex
	steps []engine.Step
	last  engine.Result
}

func (w *watcher) Generate(ctx context.Context, r engine.Request) (engine.Result, error) {
	var steps []engine.Step
	r.Watch = func(s engine.Step) {
		s.Cells = append([]engine.Cell(nil), s.Cells...)
		steps = append(steps, s)
	}
	res, err := w.Generator.Generate(ctx, r)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.steps, w.last = steps, res
	return res, err
}

// Run starts the server, types every scene and prints what came back. It ends by itself.
func Run(ctx context.Context, opt Options) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	w := &watcher{Generator: opt.Server.Generator}
	opt.Server.Generator = w
	ours, theirs := net.Pipe()
	served := make(chan error, 1)
	go func() { served <- lsp.New(opt.Server).Serve(ctx, theirs) }()
	e, err := connect(ctx, ours)
	if err != nil {
		return err
	}
	p := &printer{out: opt.Out, person: opt.Person}
	for _, f := range txtar.Parse(scenes).Files {
		if err := play(ctx, p, e, w, f.Name, string(f.Data)); err != nil {
			return fmt.Errorf("demo: %s: %w", f.Name, err)
		}
	}
	if err := e.end(ctx); err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	err = <-served
	ours.Close()
	theirs.Close()
	return err
}

// play types one scene: a pause, a request and an acceptance at the end of each line
// that is typed.
func play(ctx context.Context, p *printer, e *editor, w *watcher, name, text string) error {
	before, rest, ok := strings.Cut(text, "‹")
	typed, after, ok2 := strings.Cut(rest, "›")
	if !ok || !ok2 {
		return fmt.Errorf("the scene marks nothing to type")
	}
	language := map[bool]string{true: "go", false: "python"}[strings.HasSuffix(name, ".go")]
	if err := e.open(ctx, "file:///demo/"+name, language, before+after, len(before)); err != nil {
		return err
	}
	p.title(name)
	keys, total := 0, time.Duration(0)
	var items []item
	for _, c := range typed {
		if err := e.replace(ctx, e.at, e.at, string(c)); err != nil {
			return err
		}
		start := time.Now()
		var err error
		if items, err = e.suggest(ctx); err != nil {
			return err
		}
		took := time.Since(start)
		keys, total = keys+1, total+took
		p.line(e, items, took)
	}
	p.line(e, items, 0)
	p.done()
	w.mu.Lock()
	steps, res := w.steps, w.last
	w.mu.Unlock()
	p.steps(steps)
	if len(items) > 0 {
		if err := e.accept(ctx, items[0]); err != nil {
			return err
		}
	}
	p.summary(keys, total, res)
	return e.close(ctx)
}

// printer writes for a person or for a file.
type printer struct {
	out    io.Writer
	person bool
}

var (
	ghostStyle = lipgloss.NewStyle().Foreground(lipgloss.Color("244")).Italic(true)
	titleStyle = lipgloss.NewStyle().Bold(true).Foreground(lipgloss.Color("114"))
	faintStyle = lipgloss.NewStyle().Foreground(lipgloss.Color("240"))
)

func (p *printer) style(s lipgloss.Style, text string) string {
	if !p.person {
		return text
	}
	return s.Render(text)
}

func (p *printer) title(name string) { fmt.Fprintf(p.out, "\n%s\n", p.style(titleStyle, name)) }

// line shows the cursor's line with the ghost text behind it: at every key for a person,
// at the last one for a file.
func (p *printer) line(e *editor, items []item, took time.Duration) {
	if !p.person && took > 0 {
		return
	}
	ghost := ""
	if len(items) > 0 {
		ghost = strings.NewReplacer("\n", "⏎ ", "\t", "    ").Replace(e.ghost(items[0]))
	}
	start := strings.LastIndexByte(e.text[:e.at], '\n') + 1
	text := strings.ReplaceAll(e.text[start:e.at], "\t", "    ")
	if p.person {
		fmt.Fprintf(p.out, "\r\x1b[K%s%s", text, p.style(ghostStyle, ghost))
		time.Sleep(max(0, 70*time.Millisecond-took))
		return
	}
	fmt.Fprintf(p.out, "%s│%s\n", text, ghost)
}

func (p *printer) done() {
	if p.person {
		fmt.Fprintln(p.out)
		time.Sleep(500 * time.Millisecond)
	}
}

func (p *printer) steps(steps []engine.Step) {
	for _, s := range steps {
		if len(s.Cells) > 0 {
			fmt.Fprintf(p.out, "  %s %s\n", p.style(faintStyle, fmt.Sprintf("forward %2d", s.Forward)), s.Render(p.person))
			if p.person {
				time.Sleep(120 * time.Millisecond)
			}
		}
	}
}

func (p *printer) summary(keys int, total time.Duration, r engine.Result) {
	ms := float64(total.Microseconds()) / 1000 / float64(max(keys, 1))
	fmt.Fprintln(p.out, p.style(faintStyle, fmt.Sprintf("  %d keys, %.1f ms each on average from key to ghost text; the last: %d tokens in %d forwards, %d of %d context tokens cached",
		keys, ms, r.Tokens, r.Forwards, r.CachedTokens, r.ContextTokens)))
}
