package cli

import (
	"context"
	"fmt"
	"io/fs"
	"os"

	"github.com/seedling-lsp/seedling/engine"
	"github.com/seedling-lsp/seedling/engine/model"
	"github.com/seedling-lsp/seedling/engine/train"
	"github.com/seedling-lsp/seedling/engine/train/adopt"
	"github.com/seedling-lsp/seedling/engine/weights"
	"github.com/seedling-lsp/seedling/engine/weights/large"
)

type modelCmd struct {
	List   modelListCmd   `cmd:"" help:"List models."`
	Verify modelVerifyCmd `cmd:"" help:"Check a model's files and run it once."`
	Import modelImportCmd `cmd:"" help:"Make a model directory of a GGUF checkpoint (Llama layout): to measure, and to train from."`
	Pack   modelPackCmd   `cmd:"" help:"Write a run's or a float model's weights as an int8 model directory."`
}

type modelListCmd struct{}

func (*modelListCmd) Run(c *Commands) error {
	for _, m := range []struct {
		name string
		dir  fs.FS
		from string
	}{{weights.Small, weights.Files(), "trained on Go and Python from nothing"}, {weights.Large, large.Files(), "trained on Go and Python from SmolLM2-135M"}} {
		w, err := model.LoadFS(m.dir)
		if err != nil {
			return err
		}
		fmt.Printf("%-10s %6.1f M weights, %d layers of %d, %s\n", m.name, float64(w.Parameters())/1e6, w.Config.NumLayers, w.Config.HiddenSize, m.from)
	}
	name, _ := c.files()
	fmt.Printf("%-10s of these the one that this machine is fast enough for: %s\n", weights.Builtin, name)
	fmt.Println("any directory with config.json, model.safetensors and tokenizer.json: --model DIR")
	return nil
}

type modelVerifyCmd struct {
	Dir string `arg:"" optional:"" help:"Model directory; default: that of --model."`
}

func (v *modelVerifyCmd) Run(ctx context.Context, c *Commands) error {
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
	fmt.Printf("%s: sound, %.1f M weights, %d tokens\n", m.name, float64(m.parameters)/1e6, m.tok.Size())
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
	Bits int    `placeholder:"N" help:"Store the layers in 4, 5, 6 or 8 bits a weight: a smaller file, the same memory and speed, worse answers unless the run learned with it; default: as the run did (weight_bits), else 8."`
}

func (p *modelPackCmd) Run() error { return train.Pack(p.From, p.To, p.Bits, weights.TokenizerJSON) }
