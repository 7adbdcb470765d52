// Seedling is a language server that completes and repairs code with a local
// block-diffusion language model. This file is the command line: wiring only.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/alecthomas/kong"
	"github.com/schollz/progressbar/v3"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"golang.org/x/term"

	"github.com/seedling-lsp/seedling/cuda"
	"github.com/seedling-lsp/seedling/cuda/driver"
	"github.com/seedling-lsp/seedling/engine"
	"github.com/seedling-lsp/seedling/engine/backend"
	"github.com/seedling-lsp/seedling/engine/cpu"
	"github.com/seedling-lsp/seedling/engine/denoise"
	"github.com/seedling-lsp/seedling/engine/eval"
	"github.com/seedling-lsp/seedling/engine/eval/replay"
	"github.com/seedling-lsp/seedling/engine/eval/sandbox"
	"github.com/seedling-lsp/seedling/engine/model"
	"github.com/seedling-lsp/seedling/engine/tokenizer"
	"github.com/seedling-lsp/seedling/engine/train"
	"github.com/seedling-lsp/seedling/engine/train/adopt"
	"github.com/seedling-lsp/seedling/engine/weights"
	"github.com/seedling-lsp/seedling/infill"
	"github.com/seedling-lsp/seedling/lsp"
	"github.com/seedling-lsp/seedling/lsp/demo"
	"github.com/seedling-lsp/seedling/lsp/demo/web"
	"github.com/seedling-lsp/seedling/lsp/nextedit/history"
	"github.com/seedling-lsp/seedling/lsp/serve"
	"github.com/seedling-lsp/seedling/lsp/shared"
	"github.com/seedling-lsp/seedling/lsp/stats"
	"github.com/seedling-lsp/seedling/treesitter"
)

// version is set by -ldflags "-X main.version=…" in releases.
var version = "dev"

type cli struct {
	Model   string `help:"Model directory, or builtin." default:"builtin" placeholder:"DIR"`
	Threads int    `help:"Threads to compute with; 0: one a core."`
	Log     string `help:"Write the log to this file, too." type:"path"`
	Verbose bool   `short:"v" help:"Log more."`
	Backend string `enum:"cpu,cuda,auto" default:"cpu" help:"What computes: cpu, cuda (an NVIDIA card from the A100 on; not yet tried on a real one), or auto: cuda where it works."`

	Demo    demoCmd    `cmd:"" help:"Show the main job: the real server, a bundled file, typing."`
	Lsp     lspCmd     `cmd:"" help:"Serve an editor on stdin and stdout."`
	Serve   serveCmd   `cmd:"" help:"Serve clients over HTTP: llama.vim, llama.vscode, Zed, Continue, minuet."`
	Fill    fillCmd    `cmd:"" help:"Complete a file at a position and print the text."`
	Edit    editCmd    `cmd:"" help:"Look for a fault in lines of a file, and print the change that mends it."`
	Train   trainCmd   `cmd:"" help:"Train a model, on your sources or on a whole corpus."`
	Eval    evalCmd    `cmd:"" help:"Measure a model on code it has not seen."`
	Bench   benchCmd   `cmd:"" help:"Measure the engine on this machine."`
	Doctor  doctorCmd  `cmd:"" help:"Say what runs, how fast, what is wrong and what to do."`
	Stats   statsCmd   `cmd:"" help:"Show what was suggested and taken, as counted on this machine."`
	Models  modelCmd   `cmd:"" name:"model" help:"List, check, import and pack models."`
	Version versionCmd `cmd:"" help:"Print the version."`
}

func main() {
	sandbox.Child() // a program that a model wrote, if this process was started to run one
	var c cli
	parser := kong.Must(&c, kong.Name("seedling"), kong.Description("Code completion with a local block-diffusion language model."), kong.ConfigureHelp(kong.HelpOptions{Compact: true}))
	args := os.Args[1:]
	if len(args) > 0 && args[0] == "--stdio" { // clients of other servers know no subcommand
		args = append([]string{"lsp"}, args...)
	}
	k, err := parser.Parse(args)
	if err != nil {
		parser.Errorf("%v; see seedling --help", err)
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	k.BindTo(ctx, (*context.Context)(nil))
	if err := k.Run(&c); err != nil {
		fmt.Fprintln(os.Stderr, "seedling:", err)
		var usage usageError
		if errors.As(err, &usage) {
			os.Exit(2)
		}
		if errors.Is(err, shared.ErrTaken) {
			os.Exit(shared.TakenCode)
		}
		os.Exit(1)
	}
}

// usageError is a wrong use of the command line: exit code 2.
type usageError struct{ error }

func (c *cli) threads() int {
	if c.Threads > 0 {
		return c.Threads
	}
	return runtime.NumCPU()
}

// logger writes to stderr and, if asked, to a file: never to stdout, which may be the
// wire to an editor.
func (c *cli) logger() (*zap.Logger, zap.AtomicLevel, error) {
	level := zap.NewAtomicLevelAt(zapcore.WarnLevel)
	if c.Verbose {
		level.SetLevel(zapcore.DebugLevel)
	}
	cfg := zap.NewProductionConfig()
	cfg.Encoding, cfg.Level, cfg.OutputPaths, cfg.ErrorOutputPaths = "console", level, []string{"stderr"}, []string{"stderr"}
	cfg.EncoderConfig.EncodeTime = zapcore.ISO8601TimeEncoder
	cfg.DisableStacktrace = true
	if c.Log != "" {
		cfg.OutputPaths = append(cfg.OutputPaths, c.Log)
	}
	l, err := cfg.Build()
	if err != nil {
		return nil, level, fmt.Errorf("opening the log: %w; choose another --log", err)
	}
	return l, level, nil
}

// loaded is a model with its backend.
type loaded struct {
	name    string
	weights *model.Weights
	tok     *tokenizer.Tokenizer
	device  device
}

// device is a backend that says what it is.
type device interface {
	backend.Backend
	backend.Describer
}

// open starts the backend that was asked for.
func (c *cli) open(w *model.Weights) (device, error) {
	if c.Backend == "cuda" || c.Backend == "auto" {
		d, err := driver.Open(driver.Any)
		if err == nil {
			var b *cuda.Backend
			if b, err = cuda.New(w, d, cuda.Options{}); err == nil {
				return b, nil
			}
		}
		if c.Backend == "cuda" {
			return nil, fmt.Errorf("%w; run `seedling doctor`, or use --backend cpu", err)
		}
		fmt.Fprintf(os.Stderr, "seedling: computing on the CPU: %v\n", err)
	}
	return cpu.New(w, cpu.Options{Threads: c.threads()})
}

func (c *cli) files() (string, fs.FS) {
	if c.Model == "" || c.Model == weights.Name {
		return weights.Name, weights.Builtin()
	}
	return c.Model, os.DirFS(c.Model)
}

func (c *cli) load() (*loaded, error) {
	name, dir := c.files()
	w, err := model.LoadFS(dir)
	if err != nil {
		return nil, fmt.Errorf("model %s: %w", name, err)
	}
	f, err := dir.Open("tokenizer.json")
	if err != nil {
		return nil, fmt.Errorf("model %s: %w", name, err)
	}
	defer f.Close()
	tok, err := tokenizer.Load(f)
	if err != nil {
		return nil, fmt.Errorf("model %s: tokenizer.json: %w", name, err)
	}
	b, err := c.open(w)
	if err != nil {
		return nil, fmt.Errorf("model %s: %w", name, err)
	}
	return &loaded{name, w, tok, b}, nil
}

// engine starts the engine on the model. Close it.
func (c *cli) engine() (*engine.Engine, *loaded, error) {
	m, err := c.load()
	if err != nil {
		return nil, nil, err
	}
	var opt engine.Options
	if m.device.Info().Name != "cpu" { // a card can be lost at any time
		opt.Report = func(err error) {
			fmt.Fprintf(os.Stderr, "seedling: computing on the CPU from here on: %v\n", err)
		}
		opt.Fallback = func() (backend.Backend, error) {
			return cpu.New(m.weights, cpu.Options{Threads: c.threads()})
		}
	}
	return engine.New(engine.Model{Name: m.name, Config: m.weights.Config, Tokenizer: m.tok}, m.device, opt), m, nil
}

// running is an engine with its model.
type running struct {
	*engine.Engine
	*loaded
}

func printJSON(v any) error {
	e := json.NewEncoder(os.Stdout)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

func terminal(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }

// progress is a bar on stderr for a person, nothing for a program.
func progress(total int, what string) *progressbar.ProgressBar {
	return progressbar.NewOptions(total, progressbar.OptionSetWriter(os.Stderr), progressbar.OptionSetDescription(what),
		progressbar.OptionSetVisibility(terminal(os.Stderr)), progressbar.OptionShowCount(), progressbar.OptionClearOnFinish())
}

type demoCmd struct {
	Web  bool `help:"Serve a playground to a browser on this machine, and print its address."`
	Port int  `default:"0" help:"Port of the playground; 0: any that is free."`
	Open bool `help:"Open the playground in the browser."`
}

func (v *demoCmd) Run(ctx context.Context, c *cli) error {
	e, m, err := c.engine()
	if err != nil {
		return err
	}
	defer e.Close()
	log, level, err := c.logger()
	if err != nil {
		return err
	}
	fmt.Printf("Seedling, model %s (%.1f M weights), kernels %s on %d threads; nothing leaves this machine.\n", m.name, float64(m.weights.Parameters())/1e6, m.device.Info().Kernels, m.device.Info().Threads)
	server := lsp.Options{Generator: e, Logger: log, Level: &level, Version: buildVersion(), Model: m.name}
	if v.Web {
		return web.Run(ctx, web.Options{Server: server, Port: v.Port, Up: func(url string) {
			fmt.Printf("The playground is at %s\nCtrl-C ends it.\n", url)
			if v.Open {
				browse(url)
			}
		}})
	}
	return demo.Run(ctx, demo.Options{Server: server, Out: os.Stdout, Person: terminal(os.Stdout)})
}

// browse opens an address in the person's browser. That there is none is no error: the address
// stands on the screen.
func browse(url string) {
	program := map[string][]string{"darwin": {"open"}, "windows": {"rundll32", "url.dll,FileProtocolHandler"}}[runtime.GOOS]
	if program == nil {
		program = []string{"xdg-open"}
	}
	if cmd := exec.Command(program[0], append(program[1:], url)...); cmd.Start() == nil {
		go func() { _ = cmd.Wait() }()
	}
}

// lspCmd takes the flags that LSP clients put behind the command by themselves.
type lspCmd struct {
	Connect bool   `env:"SEEDLING_CONNECT" help:"Join the server that windows share (seedling serve --socket), or start it."`
	Socket  string `arg:"" optional:"" help:"Socket of the shared server; default: one for each model and version."`

	Idle time.Duration `default:"10m" help:"How long a shared server that was started here stays without editors."`

	Stdio           bool `help:"Speak on stdin and stdout, as it does in any case; VS Code's client says so."`
	ClientProcessID int  `name:"clientProcessId" placeholder:"PID" help:"The editor's process; taken and ignored, the end of stdin tells as much."`
}

// stdio is the wire to the editor.
type stdio struct {
	io.Reader
	io.Writer
}

func (stdio) Close() error { return nil }

func (v *lspCmd) Run(ctx context.Context, c *cli) error {
	log, level, err := c.logger()
	if err != nil {
		return err
	}
	editor, sharing, err := lsp.Greeted(ctx, stdio{os.Stdin, os.Stdout})
	if err != nil || editor == nil {
		return err
	}
	if v.Connect || v.Socket != "" || sharing {
		if shared.Supported {
			return v.share(ctx, c, log, editor)
		}
		log.Warn("a server cannot be shared on this system: this one is the window's own")
	}
	e, m, err := c.engine()
	if err != nil {
		return err
	}
	counts := recorder(log)
	defer counts.Close()
	// Exit without waiting for the reader: it may be blocked in a read that never ends.
	open := func(_ context.Context, dir string) (lsp.Generator, error) {
		other := *c
		other.Model = dir
		e, _, err := other.engine()
		if err != nil {
			return nil, err
		}
		return e, nil
	}
	return lsp.New(lsp.Options{Generator: e, Open: open, Logger: log, Level: &level, Version: buildVersion(), Model: m.name, Stats: counts}).Serve(ctx, editor)
}

// share passes messages between the editor and the server that windows share.
func (v *lspCmd) share(ctx context.Context, c *cli, log *zap.Logger, editor io.ReadWriteCloser) error {
	path, err := c.socket(v.Socket)
	if err != nil {
		return err
	}
	args := []string{"serve", "--socket", path, "--idle", v.Idle.String(), "--model", c.Model, "--threads", strconv.Itoa(c.Threads)}
	if c.Log != "" {
		args = append(args, "--log", c.Log)
	}
	if c.Verbose {
		args = append(args, "--verbose")
	}
	start, err := shared.Command(args...)
	if err != nil {
		return err
	}
	join := func(ctx context.Context) (net.Conn, error) { return shared.Join(ctx, path, start) }
	return (&shared.Proxy{Editor: editor, Join: join, Logger: log}).Run(ctx)
}

// socket is where the shared server of this model and version is; c.Model becomes a path
// that holds in every folder.
func (c *cli) socket(path string) (string, error) {
	if name, _ := c.files(); name != weights.Name {
		dir, err := filepath.Abs(c.Model)
		if err != nil {
			return "", err
		}
		c.Model = dir
	}
	if path == "" {
		return shared.Path(buildVersion(), c.Model, strconv.Itoa(c.Threads)), nil
	}
	return filepath.Abs(path)
}

// recorder counts in this user's state folder; without one nothing is counted.
func recorder(log *zap.Logger) *stats.Recorder {
	dir, err := stats.Folder()
	if err != nil {
		log.Warn("nothing is counted", zap.Error(err))
		return nil
	}
	return stats.NewRecorder(stats.Store{Dir: dir}, func(err error) { log.Warn("counting", zap.Error(err)) })
}

type statsCmd struct {
	Days  int  `default:"0" help:"Only the last days; 0: all that is kept, 90 days."`
	JSON  bool `name:"json" help:"Print JSON."`
	Reset bool `help:"Forget everything that was counted."`
}

func (v *statsCmd) Run() error {
	dir, err := stats.Folder()
	if err != nil {
		return err
	}
	store := stats.Store{Dir: dir}
	if v.Reset {
		return store.Reset()
	}
	f, err := store.Read()
	if err != nil {
		return err
	}
	if v.JSON {
		return printJSON(f.Since(v.Days, time.Now()))
	}
	f.Print(os.Stdout, v.Days, time.Now())
	return nil
}

type serveCmd struct {
	Listen string        `placeholder:"HOST:PORT" help:"Address for HTTP; other than this machine's own only with a token. Default 127.0.0.1:8012, with --socket none."`
	Token  string        `env:"SEEDLING_TOKEN" help:"Token that clients must send; better in SEEDLING_TOKEN, since others see the command line."`
	Decode string        `enum:"diffusion,verify,causal" default:"verify" help:"How HTTP is answered: diffusion, verify or causal."`
	Socket bool          `help:"Serve editors on a Unix socket that is this user's alone (seedling lsp --connect)."`
	Path   string        `arg:"" optional:"" help:"The socket; default: one for each model and version."`
	Idle   time.Duration `placeholder:"10m" help:"End when no editor was there for so long; 0: never."`
}

func (v *serveCmd) Run(ctx context.Context, c *cli) error {
	if v.Listen == "" && !v.Socket {
		v.Listen = serve.DefaultAddress
	}
	exposed := false
	if v.Listen != "" {
		var err error
		if exposed, err = serve.Exposed(v.Listen, v.Token); err != nil {
			return usageError{err}
		}
	}
	if v.Path != "" && !v.Socket {
		return usageError{fmt.Errorf("a socket is named, %s, without --socket", v.Path)}
	}
	log, _, err := c.logger()
	if err != nil {
		return err
	}
	// Before the model, which takes longer.
	var editors *shared.Listener
	if v.Socket {
		path, err := c.socket(v.Path)
		if err != nil {
			return err
		}
		if editors, err = shared.Listen(path); err != nil {
			return err
		}
		defer editors.Close()
		fmt.Fprintf(os.Stderr, "seedling: editors may connect to %s\n", path)
	}
	var clients net.Listener
	if v.Listen != "" {
		if clients, err = serve.Listen(ctx, v.Listen, v.Token); err != nil {
			return err
		}
		defer clients.Close()
	}
	model := sync.OnceValues(func() (*running, error) {
		e, m, err := c.engine()
		return &running{e, m}, err
	})
	defer func() {
		if r, err := model(); err == nil {
			r.Close()
		}
	}()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var all sync.WaitGroup
	run := func(serve func() error) { all.Go(func() { cancel(serve()) }) } // the end of one ends the other
	if clients != nil {
		r, err := model()
		if err != nil {
			return err
		}
		opt := serve.Options{Generator: r, Logger: log, Model: r.name, Positions: r.weights.Config.MaxPositions, Version: buildVersion(), Token: v.Token, Exposed: exposed}
		for _, m := range eval.Modes {
			if m.Name == v.Decode {
				opt.Decode = m.Mode
			}
		}
		fmt.Fprintf(os.Stderr, "seedling: listening on http://%v for POST /infill and /v1/completions\n", clients.Addr())
		run(func() error { return serve.New(opt).Serve(ctx, clients) })
	}
	if editors != nil {
		counts := recorder(log)
		defer counts.Close()
		name, _ := c.files()
		load := func(context.Context) (lsp.Generator, error) { return model() }
		run(func() error {
			return shared.Serve(ctx, editors, shared.Options{Idle: v.Idle, Server: lsp.Options{Load: load, Logger: log, Version: buildVersion(), Model: name, Stats: counts}})
		})
	}
	all.Wait()
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

type fillCmd struct {
	File       string `arg:"" help:"File to complete."`
	At         string `required:"" placeholder:"LINE:COLUMN" help:"Position, from 1:1, columns in characters."`
	Mode       string `enum:"auto,line,statement,arguments,block,function,docstring" default:"auto" help:"How far: auto, line, statement, arguments, block, function or docstring."`
	Decode     string `enum:"diffusion,verify,causal" default:"verify" help:"How: diffusion, verify or causal (see the README)."`
	ShowSteps  bool   `help:"Print each state of the canvas."`
	Remember   string `enum:"folder,nothing" default:"folder" help:"Whose ways to follow besides the file's own: those of its folder, or nobody's."`
	Candidates int    `default:"1" help:"How many different answers at the most, the likeliest first."`
	Context    string `enum:"none,definitions,similar,all" default:"none" help:"What of the project's other files stands in the prompt: none, definitions, similar or all."`
	Explain    bool   `help:"Say what was chosen and why."`
	JSON       bool   `name:"json" help:"Print JSON."`
}

type position struct {
	Line      int `json:"line"`
	Character int `json:"character"`
}

// fillAlternative is an answer besides the first.
type fillAlternative struct {
	Text  string `json:"text"`
	Range struct {
		Start position `json:"start"`
		End   position `json:"end"`
	} `json:"range"`
	Stop string `json:"stop"`
}

type fillAnswer struct {
	Text  string `json:"text"`
	Range struct {
		Start position `json:"start"`
		End   position `json:"end"`
	} `json:"range"`
	Stop          string             `json:"stop"`
	Tokens        int                `json:"tokens"`
	Forwards      int                `json:"forwards"`
	ContextTokens int                `json:"context_tokens"`
	CachedTokens  int                `json:"cached_tokens"`
	LogProb       float64            `json:"logprob"`
	Alternatives  []fillAlternative  `json:"alternatives,omitempty"`
	Ms            map[string]float64 `json:"ms"`
	Model         string             `json:"model"`
	Backend       string             `json:"backend"`
}

func (f *fillCmd) Run(ctx context.Context, c *cli) error {
	b, err := os.ReadFile(f.File)
	if err != nil {
		return err
	}
	text := string(b)
	at, err := offsetAt(text, f.At)
	if err != nil {
		return usageError{err}
	}
	e, m, err := c.engine()
	if err != nil {
		return err
	}
	defer e.Close()
	if f.Remember == "folder" {
		for _, other := range infill.Beside(f.File) {
			e.Remember(other.Path, infill.HideSecrets(other.Text))
		}
	}
	start := time.Now()
	parser := treesitter.NewParser(treesitter.Limits{})
	defer parser.Close()
	lang := treesitter.Detect(f.File, "")
	tree, _ := parser.Parse(lang, nil, text) // without a grammar there is no tree, which is a tree like any other
	defer tree.Close()
	mode, err := infill.ParseMode(f.Mode)
	if err != nil {
		return usageError{err}
	}
	plan := infill.NewPlan(infill.Document{Path: f.File, Language: lang, Text: text, Tree: tree, Parser: parser}, infill.ByteOffset(at), infill.Options{Mode: mode, Priority: engine.Invoked})
	others, note := infill.Context{}, ""
	if opt := infill.Contexts[f.Context]; opt.Bytes > 0 {
		var src infill.Sources
		src, note = lsp.Around(ctx, f.File)
		others = plan.Context(src, opt)
	}
	planned := time.Now()
	all, res, err := plan.Answers(max(1, f.Candidates), func(r engine.Request) (engine.Result, error) {
		r.Score = true
		r.Snippets = others.Snippets
		for _, m := range eval.Modes {
			if m.Name == f.Decode {
				r.Decode = m.Mode
			}
		}
		if f.ShowSteps {
			color := terminal(os.Stderr)
			r.Watch = func(s engine.Step) { fmt.Fprintf(os.Stderr, "%3d  %s\n", s.Forward, s.Render(color)) }
		}
		return e.Generate(ctx, r)
	})
	if err != nil {
		return err
	}
	if f.Explain {
		for _, line := range append(append(plan.Explain(), others.Explain()...), note) {
			if line != "" {
				fmt.Fprintln(os.Stderr, line)
			}
		}
	}
	if len(all) == 0 {
		all = append(all, plan.Finish(res)) // nothing, and why
	}
	if !f.JSON {
		for _, s := range all {
			fmt.Println(s.Text)
		}
		return nil
	}
	s := all[0]
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	a := fillAnswer{Text: s.Text, Stop: s.Stop, Tokens: res.Tokens, Forwards: res.Forwards, ContextTokens: res.ContextTokens, CachedTokens: res.CachedTokens, LogProb: res.LogProb,
		Model: m.name, Backend: e.Backend().Name + "/" + e.Backend().Kernels,
		Ms: map[string]float64{"plan": ms(planned.Sub(start)), "prefill": ms(res.Prefill), "denoise": ms(res.Denoise), "finish": ms(max(0, time.Since(planned)-res.Prefill-res.Denoise)), "total": ms(time.Since(start))}}
	a.Range.Start, a.Range.End = positionOf(text, int(s.Start)), positionOf(text, int(s.End))
	for _, s := range all[1:] {
		more := fillAlternative{Text: s.Text, Stop: s.Stop}
		more.Range.Start, more.Range.End = positionOf(text, int(s.Start)), positionOf(text, int(s.End))
		a.Alternatives = append(a.Alternatives, more)
	}
	return printJSON(a)
}

type editCmd struct {
	File  string `arg:"" help:"File to look into."`
	Range string `required:"" placeholder:"LINE:COLUMN-LINE:COLUMN" help:"The lines from the first position to the second may change; both from 1:1, columns in characters."`
	JSON  bool   `name:"json" help:"Print JSON."`
}

type editAnswer struct {
	Edits         []textEdit         `json:"edits"`
	LogProbBefore float64            `json:"logprob_before"`
	LogProbAfter  float64            `json:"logprob_after"`
	Tokens        int                `json:"tokens"`
	Forwards      int                `json:"forwards"`
	Ms            map[string]float64 `json:"ms"`
	Model         string             `json:"model"`
	Backend       string             `json:"backend"`
}

type textEdit struct {
	Range struct {
		Start position `json:"start"`
		End   position `json:"end"`
	} `json:"range"`
	NewText string `json:"newText"`
}

func (v *editCmd) Run(ctx context.Context, c *cli) error {
	b, err := os.ReadFile(v.File)
	if err != nil {
		return err
	}
	text := string(b)
	first, last, ok := strings.Cut(v.Range, "-")
	if !ok {
		return usageError{fmt.Errorf("range %q is not LINE:COLUMN-LINE:COLUMN", v.Range)}
	}
	from, err := offsetAt(text, first)
	if err != nil {
		return usageError{err}
	}
	to, err := offsetAt(text, last)
	if err != nil {
		return usageError{err}
	}
	e, m, err := c.engine()
	if err != nil {
		return err
	}
	defer e.Close()
	start := time.Now()
	parser := treesitter.NewParser(treesitter.Limits{})
	defer parser.Close()
	lang := treesitter.Detect(v.File, "")
	tree, _ := parser.Parse(lang, nil, text)
	defer tree.Close()
	a := editAnswer{Edits: []textEdit{}, Model: m.name, Backend: e.Backend().Name + "/" + e.Backend().Kernels, Ms: map[string]float64{}}
	best, res, err := infill.Repair(infill.Document{Path: v.File, Language: lang, Text: text, Tree: tree}, infill.ByteOffset(from), infill.ByteOffset(to),
		infill.EditOptions{Priority: engine.Invoked, Around: 6}, parser, func(r engine.EditRequest) (engine.EditResult, error) { return e.Edit(ctx, r) })
	if err != nil {
		return err
	}
	a.LogProbBefore, a.LogProbAfter, a.Tokens, a.Forwards = res.LogProb, res.LogProb+best.Gain(), res.Tokens, res.Forwards
	a.Ms["search"] = float64(res.Spent.Microseconds()) / 1000
	a.Ms["total"] = float64(time.Since(start).Microseconds()) / 1000
	for _, e := range best.Edits {
		t := textEdit{NewText: e.Text}
		t.Range.Start, t.Range.End = positionOf(text, int(e.Start)), positionOf(text, int(e.End))
		a.Edits = append(a.Edits, t)
	}
	switch {
	case v.JSON:
		return printJSON(a)
	case len(a.Edits) == 0:
		fmt.Fprintln(os.Stderr, "seedling: the model would leave these lines as they are")
	default:
		at := positionOf(text, int(best.Edits[0].Start))
		fmt.Printf("%s:%d: %s\n", v.File, at.Line+1, best.Title())
	}
	return nil
}

// offsetAt turns LINE:COLUMN (from 1, characters) into a byte offset. A column past the
// end of its line is the line's end.
func offsetAt(text, at string) (int, error) {
	l, col, ok := strings.Cut(at, ":")
	line, err1 := strconv.Atoi(l)
	column, err2 := strconv.Atoi(col)
	if !ok || err1 != nil || err2 != nil || line < 1 || column < 1 {
		return 0, fmt.Errorf("position %q is not LINE:COLUMN, both from 1", at)
	}
	off := 0
	for i := 1; i < line; i++ {
		n := strings.IndexByte(text[off:], '\n')
		if n < 0 {
			return 0, fmt.Errorf("the file has no line %d, only %d", line, i)
		}
		off += n + 1
	}
	for range column - 1 {
		if off >= len(text) || text[off] == '\n' || text[off] == '\r' {
			break
		}
		_, size := utf8.DecodeRuneInString(text[off:])
		off += size
	}
	return off, nil
}

// positionOf is a byte offset as LSP counts: from 0, columns in UTF-16 units.
func positionOf(text string, off int) position {
	start := strings.LastIndexByte(text[:off], '\n') + 1
	return position{strings.Count(text[:off], "\n"), len(utf16.Encode([]rune(text[start:off])))}
}

type trainCmd struct {
	Stage     string `default:"adapt" enum:"ar,tsc,order,onpolicy,adapt" help:"Stage: ar (causal) and tsc (masks, then edits) make a model, order (its own likeliest trajectories) and onpolicy (fewer forwards for the same text) refine it; adapt (the default) fits one to your repository in minutes."`
	Config    string `type:"existingfile" help:"Settings file (JSON); default: those of the built-in model."`
	Data      string `type:"existingdir" help:"Folder of sources: a repository, or train/LANGUAGE/SOURCE and heldout/LANGUAGE/SOURCE."`
	Init      string `help:"Model directory or run folder to start from, or builtin."`
	Out       string `type:"path" help:"Folder of the run: checkpoint, curve, model."`
	Resume    bool   `help:"Go on from the checkpoint in --out."`
	NewCorpus bool   `help:"Prepare the corpus anew from --data; with --resume, go on although it changed."`
	Decay     int    `help:"Cut a decayed branch of that many steps, with --init a run's folder."`
	Show      bool   `name:"show-settings" help:"Print the settings that the stage would run with, as --config takes them, and end."`
}

func (t *trainCmd) Run(ctx context.Context, c *cli) error {
	if t.Show {
		s, err := train.ReadSettings(t.Config, t.Stage)
		if err != nil {
			return err
		}
		e := json.NewEncoder(os.Stdout)
		e.SetIndent("", "  ")
		return e.Encode(s)
	}
	if t.Out == "" {
		return usageError{errors.New("train wants --out: the folder of the run")}
	}
	return train.Job{Stage: t.Stage, Config: t.Config, Data: t.Data, Init: t.Init, Out: t.Out, Resume: t.Resume, NewCorpus: t.NewCorpus,
		Decay: t.Decay, Tokenizer: weights.TokenizerJSON, Builtin: weights.Builtin(), Threads: c.threads(), Hide: infill.HideSecrets, Log: os.Stderr}.Run(ctx)
}

type evalCmd struct {
	Infill    evalInfillCmd    `cmd:"" help:"Fill gaps of real files: exact match, tokens per forward, share that parses."`
	Finish    evalFinishCmd    `cmd:"" help:"Finish answers at places as people type, with every rule on and off: shown, exact, repeated, parses."`
	Edit      evalEditCmd      `cmd:"" help:"Repair plausible faults of functions: exact repairs, false alarms on clean ones."`
	Speed     evalSpeedCmd     `cmd:"" help:"Tokens a forward against exact match, from careful to bold decoding: a table and a plot."`
	HumanEval evalHumanEvalCmd `cmd:"" name:"humaneval" help:"HumanEval-Infilling, which you bring: pass@1, the programs running in a sandbox (Linux)."`
	Ppl       evalPplCmd       `cmd:"" help:"Likelihood of real files: causal and ELBO, bits per byte."`
	Memory    evalMemoryCmd    `cmd:"" help:"What remembering the code around is worth: likelihood with and without."`
	Nextedit  evalNexteditCmd  `cmd:"" help:"Next edits against what authors did: a git history, of each commit one line first."`
}

type evalFlags struct {
	Data  string `required:"" type:"existingdir" help:"Folder of sources that the model has not seen."`
	Cases int    `default:"1000" help:"Cases of each kind (infill), clean functions and as many faults (edit), files (ppl)."`
	Seed  uint64 `default:"1" help:"Seed of the draw."`
	JSON  bool   `name:"json" help:"Print JSON."`
}

type evalInfillCmd struct {
	evalFlags
	Kinds      []string `help:"Only these kinds: single_line, line_end, statement, block, function." sep:","`
	Decode     []string `enum:"diffusion,verify,causal" help:"Only these ways of decoding: diffusion, verify, causal." sep:","`
	Candidates int      `default:"1" help:"Different answers asked for of each case: how often the truth is among them."`
	Threshold  float32  `help:"Probability at which diffusion decides a position; 0: the default."`
	Memory     string   `help:"What is remembered: the file and its repository's others (the first two folders of its path), its folder's, the file alone, or nothing." enum:"workspace,folder,file,none" default:"folder"`
	Context    string   `help:"What stands of the repository's other files in the prompt: none, definitions, similar or all; and how likely the truths are then." enum:"none,definitions,similar,all" default:"none"`
	Likelihood bool     `help:"How likely the truths are, too."`
	Peer       []string `placeholder:"MODEL" help:"Answer the same cases with another model directory, too, or with an n-gram baseline over a folder of sources (ngram:DIR). May be repeated."`
}

func (v *evalInfillCmd) Run(ctx context.Context, c *cli) error {
	files, err := eval.Files(ctx, v.Data)
	if err != nil {
		return err
	}
	all, err := eval.Draw(files, v.Cases, v.Seed)
	if err != nil {
		return err
	}
	var cases []eval.Case
	for _, x := range all {
		if len(v.Kinds) == 0 || strings.Contains(","+strings.Join(v.Kinds, ",")+",", ","+string(x.Kind)+",") {
			cases = append(cases, x)
		}
	}
	m, err := c.load()
	if err != nil {
		return err
	}
	e := v.engine(m)
	defer e.Close()
	set := eval.Setup{Candidates: v.Candidates, Packages: files}
	if v.Memory == "folder" || v.Memory == "workspace" {
		set.Remembered, set.Workspace = files, v.Memory == "workspace"
	}
	if v.Likelihood || v.Context != "none" {
		set.Indexed, set.Context = files, v.Context
	}
	bar := progress(len(cases), "cases")
	if len(v.Decode) == 0 && m.weights.Config.Seedling.Plain {
		v.Decode = []string{"causal"} // a plain model has no other
	}
	set.Decode = v.Decode
	rep, err := eval.Infill(ctx, e, m.name, cases, set, v.Seed, func(n int) { bar.Set(n) })
	bar.Finish()
	if err != nil {
		return err
	}
	for _, name := range v.Peer {
		p, err := v.peer(ctx, c, name, cases, set)
		if err != nil {
			return fmt.Errorf("--peer %s: %w", name, err)
		}
		rep.Peers = append(rep.Peers, p)
	}
	if v.JSON {
		return printJSON(rep)
	}
	fmt.Print(rep.Table())
	return nil
}

// engine is one that remembers as the flags say.
func (v *evalInfillCmd) engine(m *loaded) *engine.Engine {
	return engine.New(engine.Model{Name: m.name, Config: m.weights.Config, Tokenizer: m.tok}, m.device,
		engine.Options{Settings: denoise.Settings{Threshold: v.Threshold}, MemoryTokens: map[string]int{"none": -1}[v.Memory]})
}

// peer answers the cases with another model, or with none.
func (v *evalInfillCmd) peer(ctx context.Context, c *cli, name string, cases []eval.Case, set eval.Setup) (eval.InfillReport, error) {
	bar := progress(len(cases), "cases of "+name)
	defer bar.Finish()
	done := func(n int) { bar.Set(n) }
	if dir, ok := strings.CutPrefix(name, "ngram:"); ok {
		texts, err := eval.Files(ctx, dir)
		if err != nil {
			return eval.InfillReport{}, err
		}
		g, err := eval.NewNgram(texts)
		if err != nil {
			return eval.InfillReport{}, err
		}
		set.Decode, set.Candidates = []string{"causal"}, 0
		return eval.Infill(ctx, g, "ngram", cases, set, v.Seed, done)
	}
	other := *c
	other.Model = name
	m, err := other.load()
	if err != nil {
		return eval.InfillReport{}, err
	}
	e := v.engine(m)
	defer e.Close()
	if m.weights.Config.Seedling.Plain {
		set.Decode = []string{"causal"} // it has no other
	}
	return eval.Infill(ctx, e, m.name, cases, set, v.Seed, done)
}

type evalSpeedCmd struct {
	evalFlags
	Kinds  []string `help:"Kinds of cases: single_line, line_end, statement, block, function." sep:"," default:"single_line,block"`
	Blocks []int    `help:"Sizes of a block, beside the model's own." sep:"," default:"4,16"`
	Memory string   `help:"What is remembered: the file's folder, the file alone, or nothing." enum:"folder,file,none" default:"folder"`
	Plot   string   `type:"path" placeholder:"FILE" help:"Draw the points there (.png, .svg or .pdf)."`
}

func (v *evalSpeedCmd) Run(ctx context.Context, c *cli) error {
	files, err := eval.Files(ctx, v.Data)
	if err != nil {
		return err
	}
	cases, err := eval.Draw(files, v.Cases, v.Seed)
	if err != nil {
		return err
	}
	cases = slices.DeleteFunc(cases, func(x eval.Case) bool { return !slices.Contains(v.Kinds, string(x.Kind)) })
	if len(cases) == 0 {
		return fmt.Errorf("no cases of %s: --kinds takes single_line, line_end, statement, block and function", strings.Join(v.Kinds, ","))
	}
	m, err := c.load()
	if err != nil {
		return err
	}
	if m.weights.Config.Seedling.Plain {
		return errors.New("this model knows only causal decoding, which has one speed: train it first (seedling train --stage tsc)")
	}
	e := engine.New(engine.Model{Name: m.name, Config: m.weights.Config, Tokenizer: m.tok}, m.device, engine.Options{MemoryTokens: map[string]int{"none": -1}[v.Memory]})
	defer e.Close()
	set := eval.Setup{}
	if v.Memory == "folder" {
		set.Remembered = files
	}
	points := eval.Boldnesses(v.Blocks)
	bar := progress(len(points)*len(cases), "answers")
	rep, err := eval.Speed(ctx, e, m.name, cases, set, points, v.Seed, func(n int) { bar.Set(n) })
	bar.Finish()
	if err != nil {
		return err
	}
	if v.Plot != "" {
		if err := rep.Plot(v.Plot); err != nil {
			return err
		}
	}
	if v.JSON {
		return printJSON(rep)
	}
	fmt.Print(rep.Table())
	return nil
}

type evalHumanEvalCmd struct {
	File   string `arg:"" type:"existingfile" help:"A file of the benchmark: HumanEval-SingleLineInfilling.jsonl.gz or another (github.com/openai/human-eval-infilling)."`
	Cases  int    `default:"0" help:"Problems drawn; 0: all."`
	Seed   uint64 `default:"1" help:"Seed of the draw."`
	Decode string `enum:"diffusion,verify,causal" default:"verify" help:"Way of decoding."`
	JSON   bool   `name:"json" help:"Print JSON."`
}

func (v *evalHumanEvalCmd) Run(ctx context.Context, c *cli) error {
	all, err := eval.Problems(v.File)
	if err != nil {
		return err
	}
	problems := eval.DrawProblems(all, v.Cases, v.Seed)
	e, m, err := c.engine()
	if err != nil {
		return err
	}
	defer e.Close()
	bar := progress(len(problems), "problems")
	mode := eval.Modes[slices.IndexFunc(eval.Modes, func(x eval.Named) bool { return x.Name == v.Decode })]
	rep, err := eval.HumanEval(ctx, e, m.name, problems, mode, v.Seed, func(n int) { bar.Set(n) })
	bar.Finish()
	if err != nil {
		return err
	}
	if v.JSON {
		return printJSON(rep)
	}
	fmt.Print(rep.Table())
	return nil
}

type evalFinishCmd struct {
	Data    string `required:"" type:"existingdir" help:"Folder of sources that the model has not seen."`
	Cases   int    `default:"2000" help:"Places."`
	Seed    uint64 `default:"1" help:"Seed of the draw."`
	Kept    string `type:"path" placeholder:"FILE" help:"Keep the model's answers there, and take from there those it gave before."`
	Restyle bool   `help:"Indent Go by spaces and Python by tabs first: for the rule of indentation."`
	JSON    bool   `name:"json" help:"Print JSON."`
}

func (v *evalFinishCmd) Run(ctx context.Context, c *cli) error {
	files, err := eval.Files(ctx, v.Data)
	if err != nil {
		return err
	}
	if v.Restyle {
		files = eval.Restyled(files)
	}
	places, err := eval.DrawPlaces(files, v.Cases, v.Seed)
	if err != nil {
		return err
	}
	e, m, err := c.engine()
	if err != nil {
		return err
	}
	defer e.Close()
	var g eval.Generator = e
	if v.Kept != "" {
		kept, err := eval.OpenAnswers(v.Kept, e, m.name)
		if err != nil {
			return err
		}
		defer kept.Close()
		g = kept
	}
	bar := progress(len(places), "places")
	rep, err := eval.Finish(ctx, g, m.name, places, v.Seed, lsp.DefaultSettings().MinLogProb, func(n int) { bar.Set(n) })
	bar.Finish()
	if err != nil {
		return err
	}
	if v.JSON {
		return printJSON(rep)
	}
	fmt.Print(rep.Table())
	return nil
}

type evalEditCmd struct{ evalFlags }

func (v *evalEditCmd) Run(ctx context.Context, c *cli) error {
	files, err := eval.Files(ctx, v.Data)
	if err != nil {
		return err
	}
	clean, broken, err := eval.DrawFaults(files, v.Cases, v.Seed)
	if err != nil {
		return err
	}
	e, m, err := c.engine()
	if err != nil {
		return err
	}
	defer e.Close()
	bar := progress(len(clean)+len(broken), "functions")
	rep, err := eval.Edit(ctx, e, m.name, clean, broken, v.Seed, func(n int) { bar.Set(n) })
	bar.Finish()
	if err != nil {
		return err
	}
	if v.JSON {
		return printJSON(rep)
	}
	fmt.Print(rep.Table())
	return nil
}

type evalPplCmd struct{ evalFlags }

func (v *evalPplCmd) Run(ctx context.Context, c *cli) error {
	files, err := eval.Files(ctx, v.Data)
	if err != nil {
		return err
	}
	m, err := c.load()
	if err != nil {
		return err
	}
	defer m.device.Close()
	bar := progress(v.Cases, "files")
	rep, err := eval.Ppl(ctx, m.device, m.weights.Config, m.tok, m.name, files, v.Cases, 1024, v.Seed, func(n int) { bar.Set(n) })
	bar.Finish()
	if err != nil {
		return err
	}
	if v.JSON {
		return printJSON(rep)
	}
	fmt.Printf("%s, %d windows, %d tokens (%.2f bytes each)\ncausal  %.4f nats/token  %.4f bits/byte\n",
		rep.Model, rep.Files, rep.Tokens, float64(rep.Bytes)/float64(rep.Tokens), rep.ARNats, rep.ARBits)
	if rep.ELBOTokens > 0 {
		fmt.Printf("ELBO    %.4f nats/token  %.4f bits/byte\n", rep.ELBONats, rep.ELBOBits)
	}
	return nil
}

type evalNexteditCmd struct {
	Data    string `required:"" type:"existingdir" help:"A git repository."`
	Commits int    `default:"500" help:"Its newest commits."`
	JSON    bool   `name:"json" help:"Print JSON."`
}

func (v *evalNexteditCmd) Run(ctx context.Context) error {
	bar := progress(v.Commits, "commits")
	rep, err := history.Measure(ctx, v.Data, v.Commits, func(n int) { bar.Set(n) })
	bar.Finish()
	if err != nil {
		return err
	}
	if v.JSON {
		return printJSON(rep)
	}
	fmt.Print(rep.Table())
	return nil
}

type evalMemoryCmd struct{ evalFlags }

func (v *evalMemoryCmd) Run(ctx context.Context, c *cli) error {
	files, err := eval.Files(ctx, v.Data)
	if err != nil {
		return err
	}
	m, err := c.load()
	if err != nil {
		return err
	}
	defer m.device.Close()
	bar := progress(v.Cases, "places")
	rep, err := eval.Memory(ctx, m.device, m.weights.Config, m.tok, m.name, files, v.Cases, v.Seed, func(n int) { bar.Set(n) })
	bar.Finish()
	if err != nil {
		return err
	}
	if v.JSON {
		return printJSON(rep)
	}
	fmt.Print(rep.Table())
	return nil
}

type benchCmd struct {
	Replay string `placeholder:"DIR" help:"Type the editing sessions of this git repository's history (or a script that --record kept); default: some of this project's own, in the binary."`
	Keys   int    `default:"1000" help:"Keys to type at the most."`
	Decode string `enum:"diffusion,verify,causal" default:"verify" help:"How the keys' suggestions are decoded: diffusion, verify, causal."`
	Record string `placeholder:"FILE" type:"path" help:"Instead: keep what --replay would type as a script, of files up to 12 KB. It holds their text."`
	Plan   string `enum:",h20,h100,h200" default:"" help:"Instead: what a card should reach with an 8 B model, modelled: h20, h100 or h200."`
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

func (b *benchCmd) Run(ctx context.Context, c *cli) error {
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

// bench measures the machine, passes, lines, and then up to so many keys of a script.
func (c *cli) bench(ctx context.Context, script replay.Script, keys int, mode denoise.Mode) (*eval.BenchReport, error) {
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
	if err := eval.BenchForward(ctx, m.device, m.weights.Config, &rep); err != nil {
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

type doctorCmd struct{}

func (d *doctorCmd) Run(ctx context.Context, c *cli) error {
	name, dir := c.files()
	fmt.Printf("seedling %s, %s/%s, %d cores, Go %s\n", buildVersion(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), strings.TrimPrefix(runtime.Version(), "go"))
	fmt.Printf("kernels    %s (this machine runs %s)\n", cpu.Detect()[0], strings.Join(cpu.Detect(), ", "))
	if v := os.Getenv("SEEDLING_ISA"); v != "" {
		fmt.Printf("           forced to %s by SEEDLING_ISA\n", v)
	}
	if d, err := driver.Open(driver.Any); err != nil {
		fmt.Printf("cuda       not here: %v\n", err)
	} else {
		i := d.Device()
		fmt.Printf("cuda       %s, sm_%d%d, %d multiprocessors, %.1f of %.1f GB free, driver for CUDA %d.%d; --backend cuda uses it\n", i.Name, i.Major, i.Minor, i.SMs, float64(i.Free)/1e9, float64(i.Total)/1e9, i.Version/1000, i.Version%1000/10)
		if err := d.Close(); err != nil {
			return err
		}
	}
	w, err := model.LoadFS(dir)
	if err != nil {
		return fmt.Errorf("model %s: %w", name, err)
	}
	fmt.Printf("model      %s: %.1f M weights, %d layers of %d, %d tokens, context %d\n", name, float64(w.Parameters())/1e6, w.Config.NumLayers, w.Config.HiddenSize, w.Config.VocabSize, w.Config.MaxPositions)
	script, err := replay.Builtin()
	if err != nil {
		return err
	}
	rep, err := c.bench(ctx, script, 150, denoise.Verify)
	if err != nil {
		return err
	}
	fmt.Printf("speed      a keystroke takes %.1f ms (p50) to %.1f ms (p95); a line %.1f ms\n", rep.Keystroke.P50, rep.Keystroke.P95, rep.Line.Verify)
	if rep.Keystroke.P95 > 100 {
		fmt.Println("           that is slow: another program may use the cores, or --threads is too low")
	}
	if cpu.Detect()[0] == "portable" {
		fmt.Println("           only portable kernels: no AVX2 here, expect several times the latency of other machines")
	}
	fmt.Printf("cache      of the contexts that %d keys needed, %.1f %% of the tokens were there; %.0f %% of the answers were there from the key before\n", rep.Keystroke.N, 100*rep.Keystroke.Cached, 100*rep.Keystroke.Recalled)
	fmt.Printf("           the engine in all: %v\n", rep.Cache)
	fmt.Printf("memory     %.0f MB\n", rep.RSS)
	recent := false
	if folder, err := stats.Folder(); err != nil {
		fmt.Printf("editor     what was counted cannot be found: %v\n", err)
	} else if seen, err := (stats.Store{Dir: folder}).Read(); err != nil {
		fmt.Printf("editor     what was counted cannot be read: %v; `seedling stats --reset` begins anew\n", err)
	} else {
		recent = seen.Health(os.Stdout, time.Now())
	}
	if recent {
		fmt.Println("here all is well, but an editor was told of errors today: see above, and `seedling lsp --log FILE --verbose` for more")
		return nil
	}
	fmt.Println("all is well: point your editor at `seedling lsp`")
	return nil
}

type modelCmd struct {
	List   modelListCmd   `cmd:"" help:"List models."`
	Verify modelVerifyCmd `cmd:"" help:"Check a model's files and run it once."`
	Import modelImportCmd `cmd:"" help:"Make a model directory of a GGUF checkpoint (Llama layout): to measure, and to train from."`
	Pack   modelPackCmd   `cmd:"" help:"Write a run's or a float model's weights as an int8 model directory."`
}

type modelListCmd struct{}

func (*modelListCmd) Run(c *cli) error {
	w, err := model.LoadFS(weights.Builtin())
	if err != nil {
		return err
	}
	fmt.Printf("%-10s %6.1f M weights, int8, %d layers of %d, trained on Go and Python\n", weights.Name, float64(w.Parameters())/1e6, w.Config.NumLayers, w.Config.HiddenSize)
	fmt.Println("any directory with config.json, model.safetensors and tokenizer.json: --model DIR")
	return nil
}

type modelVerifyCmd struct {
	Dir string `arg:"" optional:"" help:"Model directory; default: that of --model."`
}

func (v *modelVerifyCmd) Run(ctx context.Context, c *cli) error {
	if v.Dir != "" {
		c.Model = v.Dir
	}
	e, m, err := c.engine()
	if err != nil {
		return err
	}
	defer e.Close()
	if _, err := e.Generate(ctx, engine.Request{Document: "verify", Prefix: "func main() {\n\t", MaxTokens: 8, Priority: engine.Invoked}); err != nil {
		return fmt.Errorf("model %s does not run: %w", m.name, err)
	}
	fmt.Printf("%s: sound, %.1f M weights, %d tokens\n", m.name, float64(m.weights.Parameters())/1e6, m.tok.Size())
	return nil
}

type modelImportCmd struct {
	adopt.Job
}

func (i *modelImportCmd) Run(ctx context.Context) error {
	i.Log = os.Stderr
	return i.Job.Run(ctx)
}

type modelPackCmd struct {
	From string `arg:"" help:"Run folder of seedling train, or a model directory."`
	To   string `arg:"" help:"Directory to write."`
}

func (p *modelPackCmd) Run() error { return train.Pack(p.From, p.To, weights.TokenizerJSON) }

type versionCmd struct{}

func (versionCmd) Run() error {
	fmt.Println("seedling", buildVersion())
	return nil
}

func buildVersion() string {
	if version != "dev" {
		return version
	}
	if b, ok := debug.ReadBuildInfo(); ok {
		for _, s := range b.Settings {
			if s.Key == "vcs.revision" {
				return "dev " + s.Value[:min(12, len(s.Value))]
			}
		}
	}
	return version
}
