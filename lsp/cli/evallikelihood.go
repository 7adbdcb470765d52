package cli

import (
	"context"
	"fmt"

	"github.com/seedling-lsp/seedling/engine/eval"
)

type evalPplCmd struct{ evalFlags }

func (v *evalPplCmd) Run(ctx context.Context, c *Commands) error {
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
	rep, err := eval.Ppl(ctx, m.device, m.config, m.tok, m.name, files, v.Cases, 1024, v.Seed, func(n int) { bar.Set(n) })
	bar.Finish()
	if err != nil {
		return err
	}
	if v.JSON {
		return printJSON(rep)
	}
	fmt.Printf("%s, %d windows, %d tokens (%.2f bytes each)\ncausal  %.4f nats/token  %.4f bits/byte (95 %% %.4f to %.4f)\n",
		rep.Model, rep.Files, rep.Tokens, float64(rep.Bytes)/float64(rep.Tokens), rep.ARNats, rep.ARBits, rep.ARCI95[0], rep.ARCI95[1])
	if rep.ELBOTokens > 0 {
		fmt.Printf("ELBO    %.4f nats/token  %.4f bits/byte (95 %% %.4f to %.4f)\n", rep.ELBONats, rep.ELBOBits, rep.ELBOCI95[0], rep.ELBOCI95[1])
	}
	return nil
}

type evalMemoryCmd struct{ evalFlags }

func (v *evalMemoryCmd) Run(ctx context.Context, c *Commands) error {
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
	rep, err := eval.Memory(ctx, m.device, m.config, m.tok, m.name, files, v.Cases, v.Seed, func(n int) { bar.Set(n) })
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
