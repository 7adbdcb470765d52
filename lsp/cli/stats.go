package cli

import (
	"os"
	"time"

	"github.com/seedling-lsp/seedling/lsp/stats"
)

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
