package cli

import (
	"context"
	"fmt"

	"github.com/seedling-lsp/seedling/engine/eval"
	"github.com/seedling-lsp/seedling/lsp"
)

type evalFinishCmd struct {
	Data    string `required:"" type:"existingdir" help:"Folder of sources that the model has not seen."`
	Cases   int    `default:"2000" help:"Places."`
	Seed    uint64 `default:"1" help:"Seed of the draw."`
	Kept    string `type:"path" placeholder:"FILE" help:"Keep the model's answers there, and take from there those it gave before."`
	Restyle bool   `help:"Indent Go by spaces and Python by tabs first: for the rule of indentation."`
	JSON    bool   `name:"json" help:"Print JSON."`
}

func (v *evalFinishCmd) Run(ctx context.Context, c *Commands) error {
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
