package eval

import (
	"fmt"
	"image/color"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Plot draws a report as a picture (the format is that of the name: .png, .svg, .pdf):
// tokens a forward to the right, exact match upwards, with its interval, a line through the
// thresholds of a mode and kind. What lies to the upper right is better.
func (r SpeedReport) Plot(to string) error {
	p := plot.New()
	p.Title.Text = fmt.Sprintf("%s, %d cases", r.Model, r.Cases)
	p.X.Label.Text, p.Y.Label.Text = "tokens a forward", "exact match, %"
	p.X.Min, p.Y.Min = 0, 0
	p.Legend.Top = true
	p.Add(plotter.NewGrid())
	shapes := []draw.GlyphDrawer{draw.CircleGlyph{}, draw.SquareGlyph{}, draw.TriangleGlyph{}, draw.PyramidGlyph{}, draw.CrossGlyph{}}
	colors := map[string]color.Color{"diffusion": color.RGBA{200, 70, 30, 255}, "verify": color.RGBA{30, 90, 180, 255}, "causal": color.RGBA{90, 90, 90, 255}}
	for i, k := range Kinds {
		for _, m := range Modes {
			line := pareto{}
			for _, pt := range r.Points {
				if s := pt.Kinds[k]; s != nil && pt.Decode == m.Name && pt.BlockSize == 0 {
					line = append(line, *s)
				}
			}
			if len(line) == 0 {
				continue
			}
			slices.SortFunc(line, func(a, b Score) int { return int(1e6 * (a.TokensPerForward - b.TokensPerForward)) })
			l, dots, err := plotter.NewLinePoints(line)
			if err != nil {
				return fmt.Errorf("plotting %s, %s: %w", m.Name, k, err)
			}
			l.Color, dots.Color, dots.Shape = colors[m.Name], colors[m.Name], shapes[i%len(shapes)]
			bars, err := plotter.NewYErrorBars(line)
			if err != nil {
				return fmt.Errorf("plotting %s, %s: %w", m.Name, k, err)
			}
			bars.Color = color.RGBA{190, 190, 190, 255}
			p.Add(bars, l, dots)
			p.Legend.Add(m.Name+", "+string(k), l, dots)
		}
	}
	if err := p.Save(18*vg.Centimeter, 13*vg.Centimeter, to); err != nil {
		return fmt.Errorf("writing the plot: %w", err)
	}
	return nil
}

// pareto is a line of the plot.
type pareto []Score

func (p pareto) Len() int                    { return len(p) }
func (p pareto) XY(i int) (float64, float64) { return p[i].TokensPerForward, 100 * p[i].Exact }
func (p pareto) YError(i int) (float64, float64) {
	return 100 * (p[i].Exact - p[i].CI95[0]), 100 * (p[i].CI95[1] - p[i].Exact)
}
