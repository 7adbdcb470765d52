package cli

import (
	"context"
	"fmt"

	"github.com/seedling-lsp/seedling/lsp/nextedit/history"
)

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
