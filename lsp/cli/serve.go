package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/seedling-lsp/seedling/engine/eval"
	"github.com/seedling-lsp/seedling/lsp"
	"github.com/seedling-lsp/seedling/lsp/serve"
	"github.com/seedling-lsp/seedling/lsp/shared"
)

type serveCmd struct {
	Listen string        `placeholder:"HOST:PORT" help:"Address for HTTP; other than this machine's own only with a token. Default 127.0.0.1:8012, with --socket none."`
	Token  string        `env:"SEEDLING_TOKEN" help:"Token that clients must send; better in SEEDLING_TOKEN, since others see the command line."`
	Decode string        `enum:"diffusion,verify,causal" default:"verify" help:"How HTTP is answered: diffusion, verify or causal."`
	Socket bool          `help:"Serve editors on a Unix socket that is this user's alone (seedling lsp --connect)."`
	Nice   int           `default:"5" help:"How far to give way to other programs, a compiler above all, from 0 to 19 (Linux)."`
	Path   string        `arg:"" optional:"" help:"The socket; default: one for each model and version."`
	Idle   time.Duration `placeholder:"10m" help:"End when no editor was there for so long; 0: never."`
}

func (v *serveCmd) Run(ctx context.Context, c *Commands) error {
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
	if v.Nice < 0 || v.Nice > 19 {
		return usageError{fmt.Errorf("--nice is %d, and must be from 0 to 19", v.Nice)}
	}
	if v.Path != "" && !v.Socket {
		return usageError{fmt.Errorf("a socket is named, %s, without --socket", v.Path)}
	}
	log, _, err := c.logger()
	if err != nil {
		return err
	}
	if err := polite(v.Nice); err != nil {
		log.Warn("other programs may be slowed down", zap.Error(err))
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
		opt := serve.Options{Generator: r, Logger: log, Model: r.name, Positions: r.config.MaxPositions, Version: c.version(), Token: v.Token, Exposed: exposed}
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
			return shared.Serve(ctx, editors, shared.Options{Idle: v.Idle, Server: lsp.Options{Load: load, Logger: log, Version: c.version(), Model: name, Stats: counts}})
		})
	}
	all.Wait()
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}
