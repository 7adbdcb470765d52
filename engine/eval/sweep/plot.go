package sweep

import (
	"fmt"
	"image/color"
	"os"
	"path/filepath"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Plot draws the report as a picture of two parts, one over the other (the format is that of the
// name: .png, .svg, .pdf): what a key costs by the file's lines (logarithmic), and what a pass
// costs by its rows, as a whole and each row.
func (r Report) Plot(to string) error {
	files := plot.New()
	files.Title.Text = r.Model
	files.X.Label.Text, files.Y.Label.Text = "lines of the file", "ms from the key to the suggestion"
	files.X.Scale, files.X.Tick.Marker = plot.LogScale{}, plot.LogTicks{Prec: -1}
	files.Y.Min = 0
	passes := plot.New()
	passes.X.Label.Text, passes.Y.Label.Text = "rows of a pass (the block)", "ms"
	passes.X.Min, passes.Y.Min = 0, 0
	var p50, p95, whole, each plotter.XYs
	for _, f := range r.Files {
		p50 = append(p50, plotter.XY{X: float64(f.Lines), Y: f.P50})
		p95 = append(p95, plotter.XY{X: float64(f.Lines), Y: f.P95})
	}
	for _, p := range r.Passes {
		whole = append(whole, plotter.XY{X: float64(p.Rows), Y: p.MS})
		each = append(each, plotter.XY{X: float64(p.Rows), Y: p.MS / float64(p.Rows)})
	}
	blue, red := color.RGBA{30, 90, 180, 255}, color.RGBA{200, 70, 30, 255}
	for _, l := range []struct {
		in    *plot.Plot
		name  string
		of    plotter.XYs
		color color.Color
	}{{files, "p50", p50, blue}, {files, "p95", p95, red}, {passes, "the pass", whole, blue}, {passes, "each row", each, red}} {
		line, dots, err := plotter.NewLinePoints(l.of)
		if err != nil {
			return fmt.Errorf("plotting %s: %w", l.name, err)
		}
		line.Color, dots.Color, dots.Shape = l.color, l.color, draw.CircleGlyph{}
		l.in.Add(line, dots)
		l.in.Legend.Add(l.name, line, dots)
	}
	for _, p := range []*plot.Plot{files, passes} {
		p.Legend.Top, p.Legend.Left = true, true
		p.Add(plotter.NewGrid())
	}
	canvas, err := draw.NewFormattedCanvas(16*vg.Centimeter, 20*vg.Centimeter, strings.TrimPrefix(filepath.Ext(to), "."))
	if err != nil {
		return fmt.Errorf("writing the plot: %w", err)
	}
	parts := plot.Align([][]*plot.Plot{{files}, {passes}}, draw.Tiles{Rows: 2, Cols: 1, PadY: vg.Centimeter, PadX: vg.Millimeter, PadTop: vg.Millimeter, PadBottom: vg.Millimeter, PadLeft: vg.Millimeter, PadRight: 5 * vg.Millimeter}, draw.New(canvas))
	files.Draw(parts[0][0])
	passes.Draw(parts[1][0])
	f, err := os.Create(to)
	if err != nil {
		return fmt.Errorf("writing the plot: %w", err)
	}
	_, err = canvas.WriteTo(f)
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return fmt.Errorf("writing the plot: %w", err)
	}
	return nil
}
