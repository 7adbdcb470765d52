package train

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"os"
	"strconv"
)

// curveColumns name the CSV's columns. Losses are nats; empty cells were not measured
// at that step.
var curveColumns = []string{"step", "stage", "tokens", "seconds", "lr", "grad_norm", "ar", "mask", "edit", "tokens_per_s", "peak_share",
	"heldout_ar", "heldout_ar_bits_per_byte", "heldout_ar_accuracy", "heldout_elbo", "heldout_elbo_bits_per_byte", "heldout_all_mask", "heldout_all_mask_accuracy", "heldout_edit", "heldout_edit_accuracy"}

// Curve appends to a run's CSV.
type Curve struct {
	f *os.File
	w *csv.Writer
}

// OpenCurve opens the curve and cuts what lies beyond step: a resumed run writes those
// lines again.
func OpenCurve(path string, step int) (*Curve, error) {
	keep := [][]string{curveColumns}
	if f, err := os.Open(path); err == nil {
		r := csv.NewReader(f)
		r.FieldsPerRecord = -1
		rows, err := r.ReadAll()
		f.Close()
		if err != nil {
			return nil, fmt.Errorf("the run's curve: %w; move it away", err)
		}
		for _, row := range rows[min(1, len(rows)):] {
			if len(row) != len(curveColumns) {
				continue // torn by a full disk
			}
			if n, err := strconv.Atoi(row[0]); err == nil && n <= step {
				keep = append(keep, row)
			}
		}
	} else if !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("the run's curve: %w", err)
	}
	var text bytes.Buffer
	if err := csv.NewWriter(&text).WriteAll(keep); err != nil {
		return nil, fmt.Errorf("the run's curve: %w", err)
	}
	if err := writeFile(path, text.Bytes()); err != nil {
		return nil, fmt.Errorf("the run's curve: %w", err)
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return nil, fmt.Errorf("the run's curve: %w", err)
	}
	return &Curve{f: f, w: csv.NewWriter(f)}, nil
}

// Append writes a step's line. Steps with neither a report nor a tenth number are left out.
func (c *Curve) Append(st State, p Progress) error {
	if p.Report == nil && p.Step%10 != 0 {
		return nil
	}
	num := func(v float64) string {
		if v == 0 {
			return ""
		}
		return strconv.FormatFloat(v, 'g', 5, 64)
	}
	row := []string{strconv.Itoa(st.Before + st.Step), st.Settings.Stage, strconv.FormatInt(st.Tokens, 10), strconv.FormatFloat(st.Seconds, 'f', 0, 64), num(p.LR), num(p.GradNorm),
		num(p.Loss.Mean(LossAR)), num(p.Loss.Mean(LossMask)), num(p.Loss.Mean(LossEdit)), num(p.TokensPerSec), num(p.PeakShare)}
	if r := p.Report; r != nil {
		row = append(row, num(r.AR), num(r.ARBits), num(r.ARHits), num(r.ELBO), num(r.ELBOBits), num(r.AllMask), num(r.AllMaskHits), num(r.EditNats), num(r.EditHits))
	} else {
		row = append(row, make([]string, len(curveColumns)-len(row))...)
	}
	c.w.Write(row)
	c.w.Flush()
	if err := c.w.Error(); err != nil {
		return fmt.Errorf("the run's curve: %w", err)
	}
	return nil
}

// Close closes the file.
func (c *Curve) Close() error { return c.f.Close() }
