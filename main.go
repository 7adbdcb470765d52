// Seedling is a language server that completes and repairs code with a local
// block-diffusion language model. This file starts it: arguments, signals, exit codes. The
// commands are in lsp/cli.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/seedling-lsp/seedling/engine/eval/sandbox"
	"github.com/seedling-lsp/seedling/lsp/cli"
)

// version is set by -ldflags "-X main.version=…" in releases.
var version = "dev"

func main() {
	sandbox.Child() // a program that a model wrote, if this process was started to run one
	c := cli.New(version)
	parser := kong.Must(c, kong.Name("seedling"), kong.Description("Code completion with a local block-diffusion language model."), kong.ConfigureHelp(kong.HelpOptions{Compact: true}))
	args := os.Args[1:]
	if len(args) > 0 && args[0] == "--stdio" { // clients of other servers know no subcommand
		args = append([]string{"lsp"}, args...)
	}
	k, err := parser.Parse(args)
	if err != nil {
		parser.Errorf("%v; see seedling --help", err)
		os.Exit(cli.WrongUsage)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	k.BindTo(ctx, (*context.Context)(nil))
	if err := k.Run(c); err != nil {
		fmt.Fprintln(os.Stderr, "seedling:", err)
		os.Exit(cli.ExitCode(err))
	}
}
