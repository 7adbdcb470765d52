package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime"

	"github.com/schollz/progressbar/v3"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"golang.org/x/term"

	"github.com/seedling-lsp/seedling/lsp/shared"
)

// Commands are the subcommands and the flags that all of them take, as kong reads them.
type Commands struct {
	Model   string `help:"Model directory, or small or large, which are in the binary, or builtin: large where this machine is fast enough for it, else small." default:"builtin" env:"SEEDLING_MODEL" placeholder:"DIR"`
	Threads int    `help:"Threads to compute with; 0: one a core."`
	Log     string `help:"Write the log to this file, too." type:"path"`
	Verbose bool   `short:"v" help:"Log more."`
	Backend string `enum:"cpu,cuda,cuda-fp8,auto" default:"cpu" help:"What computes: cpu, cuda (an NVIDIA card from the A100 on; not yet tried on a real one), cuda-fp8 (H20, H100 or H200, weights rounded to 8 bits), or auto: cuda where it works."`

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

	release string
}

// New is a command line that was not read yet, of a release: "dev" if it is none.
func New(release string) *Commands { return &Commands{release: release} }

// WrongUsage is the exit code of a command that was not called as its help says.
const WrongUsage = 2

// usageError is a wrong use of the command line.
type usageError struct{ error }

// ExitCode is what a command that gave an error ends with: [WrongUsage] where it was called
// wrongly, [shared.TakenCode] where another server has the socket, else 1.
func ExitCode(err error) int {
	var usage usageError
	switch {
	case errors.As(err, &usage):
		return WrongUsage
	case errors.Is(err, shared.ErrTaken):
		return shared.TakenCode
	}
	return 1
}

func (c *Commands) threads() int {
	if c.Threads > 0 {
		return c.Threads
	}
	return runtime.NumCPU()
}

// logger writes to stderr and, if asked, to a file: never to stdout, which may be the
// wire to an editor.
func (c *Commands) logger() (*zap.Logger, zap.AtomicLevel, error) {
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
