package cli

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"

	"github.com/seedling-lsp/seedling/lsp"
	"github.com/seedling-lsp/seedling/lsp/demo"
	"github.com/seedling-lsp/seedling/lsp/demo/web"
)

type demoCmd struct {
	Web  bool `help:"Serve a playground to a browser on this machine, and print its address."`
	Port int  `default:"0" help:"Port of the playground; 0: any that is free."`
	Open bool `help:"Open the playground in the browser."`
}

func (v *demoCmd) Run(ctx context.Context, c *Commands) error {
	e, m, err := c.engine()
	if err != nil {
		return err
	}
	defer e.Close()
	log, level, err := c.logger()
	if err != nil {
		return err
	}
	fmt.Printf("Seedling, model %s (%.1f M weights), kernels %s on %d threads; nothing leaves this machine.\n", m.name, float64(m.parameters)/1e6, m.device.Info().Kernels, m.device.Info().Threads)
	server := lsp.Options{Generator: e, Logger: log, Level: &level, Version: c.version(), Model: m.name}
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
