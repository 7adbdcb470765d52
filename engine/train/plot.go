package train

import (
	"encoding/csv"
	"fmt"
	"image/color"
	"os"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
)

// plotted are the curve's columns that a plot shows, in nats per token over clean tokens
// seen.
var plotted = []struct {
	column, label string
	color         color.Color
	points        bool
}{
	{"ar", "causal, training", color.RGBA{160, 190, 230, 255}, false},
	{"mask", "masked, training", color.RGBA{240, 190, 150, 255}, false},
	{"heldout_ar", "causal, held out", color.RGBA{30, 80, 170, 255}, true},
	{"heldout_elbo", "ELBO, held out", color.RGBA{190, 60, 30, 255}, true},
	{"heldout_all_mask", "all-mask, held out", color.RGBA{120, 120, 120, 255}, true},
}

// Plot draws curves (one file or several stages in order) as a PNG.
func Plot(to string, curves ...string) error {
	series := map[string]plotter.XYs{}
	for _, path := range curves {
		f, err := os.Open(path)
		if err != nil {
			return fmt.Errorf("plotting a curve: %w", err)
		}
		rows, err := csv.NewReader(f).ReadAll()
		f.Close()
		if err != nil || len(rows) == 0 {
			return fmt.Errorf("plotting %s: %w", path, err)
		}
		index := map[string]int{}
		for i, name := range rows[0] {
			index[name] = i
		}
		for _, row := range rows[1:] {
			tokens, err := strconv.ParseFloat(row[index["tokens"]], 64)
			if err != nil {
				continue
			}
			for _, p := range plotted {
				i, ok := index[p.column]
				if !ok {
					continue
				}
				if v, err := strconv.ParseFloat(row[i], 64); err == nil {
					series[p.column] = append(series[p.column], plotter.XY{X: tokens / 1e6, Y: v})
				}
			}
		}
	}
	p := plot.New()
	p.X.Label.Text, p.Y.Label.Text = "million tokens", "nats per token"
	p.Y.Min = 0
	p.Legend.Top = true
	p.Add(plotter.NewGrid())
	for _, s := range plotted {
		if len(series[s.column]) == 0 {
			continue
		}
		line, points, err := plotter.NewLinePoints(series[s.column])
		if err != nil {
			return fmt.Errorf("plotting %s: %w", s.column, err)
		}
		line.Color, points.Color = s.color, s.color
		p.Add(line)
		if s.points {
			p.Add(points)
		}
		p.Legend.Add(s.label, line)
	}
	if err := p.Save(18*vg.Centimeter, 11*vg.Centimeter, to); err != nil {
		return fmt.Errorf("plotting: %w", err)
	}
	return nil
}
