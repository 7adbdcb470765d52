package cli

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/seedling-lsp/seedling/cuda/driver"
	"github.com/seedling-lsp/seedling/engine/cpu"
	"github.com/seedling-lsp/seedling/engine/denoise"
	"github.com/seedling-lsp/seedling/engine/eval/replay"
	"github.com/seedling-lsp/seedling/engine/model"
	"github.com/seedling-lsp/seedling/lsp/stats"
)

type doctorCmd struct{}

func (d *doctorCmd) Run(ctx context.Context, c *Commands) error {
	name, dir := c.files()
	fmt.Printf("seedling %s, %s/%s, %d cores, Go %s\n", c.version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), strings.TrimPrefix(runtime.Version(), "go"))
	fmt.Printf("kernels    %s (this machine runs %s)\n", cpu.Detect()[0], strings.Join(cpu.Detect(), ", "))
	if v := os.Getenv("SEEDLING_ISA"); v != "" {
		fmt.Printf("           forced to %s by SEEDLING_ISA\n", v)
	}
	if d, err := driver.Open(driver.Any); err != nil {
		fmt.Printf("cuda       not here: %v\n", err)
	} else {
		i := d.Device()
		fmt.Printf("cuda       %s, sm_%d%d, %d multiprocessors, %.1f of %.1f GB free, driver for CUDA %d.%d; --backend cuda uses it\n", i.Name, i.Major, i.Minor, i.SMs, float64(i.Free)/1e9, float64(i.Total)/1e9, i.Version/1000, i.Version%1000/10)
		if err := d.Close(); err != nil {
			return err
		}
	}
	w, err := model.LoadFS(dir)
	if err != nil {
		return fmt.Errorf("model %s: %w", name, err)
	}
	fmt.Printf("model      %s: %.1f M weights, %d layers of %d, %d tokens, context %d\n", name, float64(w.Parameters())/1e6, w.Config.NumLayers, w.Config.HiddenSize, w.Config.VocabSize, w.Config.MaxPositions)
	if either(c.Model) {
		fmt.Printf("           chosen of small and large by the peak of 8-bit arithmetic: %.0f Gop/s, large from %.0f on; --model small or large decides otherwise\n", c.int8Peak()/1e9, largeFrom/1e9)
	}
	script, err := replay.Builtin()
	if err != nil {
		return err
	}
	rep, err := c.bench(ctx, script, 150, denoise.Verify)
	if err != nil {
		return err
	}
	fmt.Printf("speed      a keystroke takes %.1f ms (p50) to %.1f ms (p95); a line %.1f ms\n", rep.Keystroke.P50, rep.Keystroke.P95, rep.Line.Verify)
	if rep.Keystroke.P95 > 100 {
		fmt.Println("           that is slow: another program may use the cores, or --threads is too low")
	}
	if cpu.Detect()[0] == "portable" {
		fmt.Println("           only portable kernels: no AVX2 here, expect several times the latency of other machines")
	}
	fmt.Printf("cache      of the contexts that %d keys needed, %.1f %% of the tokens were there; %.0f %% of the answers were there from the key before\n", rep.Keystroke.N, 100*rep.Keystroke.Cached, 100*rep.Keystroke.Recalled)
	fmt.Printf("           the engine in all: %v\n", rep.Cache)
	fmt.Printf("memory     %.0f MB\n", rep.RSS)
	recent := false
	if folder, err := stats.Folder(); err != nil {
		fmt.Printf("editor     what was counted cannot be found: %v\n", err)
	} else if seen, err := (stats.Store{Dir: folder}).Read(); err != nil {
		fmt.Printf("editor     what was counted cannot be read: %v; `seedling stats --reset` begins anew\n", err)
	} else {
		recent = seen.Health(os.Stdout, time.Now())
	}
	if recent {
		fmt.Println("here all is well, but an editor was told of errors today: see above, and `seedling lsp --log FILE --verbose` for more")
		return nil
	}
	fmt.Println("all is well: point your editor at `seedling lsp`")
	return nil
}
