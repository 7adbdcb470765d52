package cli

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"go.uber.org/zap"

	"github.com/seedling-lsp/seedling/engine/weights"
	"github.com/seedling-lsp/seedling/lsp"
	"github.com/seedling-lsp/seedling/lsp/shared"
	"github.com/seedling-lsp/seedling/lsp/stats"
)

// lspCmd takes the flags that LSP clients put behind the command by themselves.
type lspCmd struct {
	Connect bool   `env:"SEEDLING_CONNECT" help:"Join the server that windows share (seedling serve --socket), or start it."`
	Socket  string `arg:"" optional:"" help:"Socket of the shared server; default: one for each model and version."`

	Idle time.Duration `default:"10m" help:"How long a shared server that was started here stays without editors."`

	Nice int `default:"5" help:"How far to give way to other programs, a compiler above all, from 0 to 19 (Linux)."`

	Stdio           bool `help:"Speak on stdin and stdout, as it does in any case; VS Code's client says so."`
	ClientProcessID int  `name:"clientProcessId" placeholder:"PID" help:"The editor's process; taken and ignored, the end of stdin tells as much."`
}

// stdio is the wire to the editor.
type stdio struct {
	io.Reader
	io.Writer
}

func (stdio) Close() error { return nil }

func (v *lspCmd) Run(ctx context.Context, c *Commands) error {
	if v.Nice < 0 || v.Nice > 19 {
		return usageError{fmt.Errorf("--nice is %d, and must be from 0 to 19", v.Nice)}
	}
	log, level, err := c.logger()
	if err != nil {
		return err
	}
	if err := polite(v.Nice); err != nil {
		log.Warn("other programs may be slowed down", zap.Error(err))
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
	return lsp.New(lsp.Options{Generator: e, Open: open, Models: []string{weights.Small, weights.Large}, Logger: log, Level: &level, Version: c.version(), Model: m.name, Stats: counts}).Serve(ctx, editor)
}

// share passes messages between the editor and the server that windows share.
func (v *lspCmd) share(ctx context.Context, c *Commands, log *zap.Logger, editor io.ReadWriteCloser) error {
	path, err := c.socket(v.Socket)
	if err != nil {
		return err
	}
	args := []string{"serve", "--socket", path, "--idle", v.Idle.String(), "--model", c.Model, "--threads", strconv.Itoa(c.Threads), "--nice", strconv.Itoa(v.Nice)}
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
func (c *Commands) socket(path string) (string, error) {
	if err := c.anywhere(); err != nil {
		return "", err
	}
	if path == "" {
		return shared.Path(c.version(), c.Model, strconv.Itoa(c.Threads)), nil
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
