package eval

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/seedling-lsp/seedling/engine/denoise"
)

// Boldness is one way to decode, from careful to bold: one point of the plot.
type Boldness struct {
	Decode string `json:"decode"` // a name of Modes
	// Threshold is the probability at which diffusion decides a position and verify goes on
	// drafting; 0: the default. In diffusion 2 means one position a forward.
	Threshold float32 `json:"threshold"`
	BlockSize int     `json:"block_size"` // 0: the model's own
}

// String names a point as a person would.
func (b Boldness) String() string {
	s := b.Decode
	switch {
	case b.Decode == "diffusion" && b.Threshold > 1:
		s += ", one a forward"
	case b.Threshold > 0:
		s += fmt.Sprintf(", from %g", b.Threshold)
	}
	if b.BlockSize > 0 {
		s += fmt.Sprintf(", blocks of %d", b.BlockSize)
	}
	return s
}

// settings are what a request is told.
func (b Boldness) settings() denoise.Settings {
	if b.Decode == "verify" {
		return denoise.Settings{DraftThreshold: b.Threshold}
	}
	return denoise.Settings{Threshold: b.Threshold}
}

// Boldnesses are the points of a report: the thresholds of each mode in the model's own
// block size, and the default threshold in each of the sizes.
func Boldnesses(sizes []int) []Boldness {
	var all []Boldness
	all = append(all, Boldness{Decode: "causal"})
	for _, t := range []float32{0.05, 0.15, 0.3, 0.5, 0.7, 0.9} {
		all = append(all, Boldness{Decode: "verify", Threshold: t})
	}
	for _, t := range []float32{2, 0.95, 0.9, 0.8, 0.65, 0.5, 0.3} {
		all = append(all, Boldness{Decode: "diffusion", Threshold: t})
	}
	for _, n := range sizes {
		all = append(all, Boldness{Decode: "verify", BlockSize: n}, Boldness{Decode: "diffusion", BlockSize: n})
	}
	return all
}

// SpeedPoint is what a boldness reached.
type SpeedPoint struct {
	Boldness
	Kinds map[Kind]*Score `json:"kinds"`
}

// SpeedReport is the answer of `seedling eval speed`: tokens a forward against exact match.
type SpeedReport struct {
	Model  string       `json:"model"`
	Cases  int          `json:"cases"`
	Seed   uint64       `json:"seed"`
	Points []SpeedPoint `json:"points"`
	// WithoutLoss is, for diffusion and verify and each kind, the point of the most tokens a
	// forward of those whose exact match is at most one point below that of the mode's careful
	// reference: diffusion with one position a forward, and causal for verify.
	WithoutLoss map[string]map[Kind]WithoutLoss `json:"without_loss"`
}

// WithoutLoss is how fast a mode is at nearly its best.
type WithoutLoss struct {
	At               Boldness `json:"at"`
	TokensPerForward float64  `json:"tokens_per_forward"`
	Exact            float64  `json:"exact"`
	// Reference is the careful way's.
	Reference      float64 `json:"reference_exact"`
	FewerForwards  float64 `json:"fewer_forwards"` // forwards of the careful way over those of this one
	CarefulForward float64 `json:"reference_tokens_per_forward"`
}

// Speed answers the cases once for each point. progress is told the answers given.
func Speed(ctx context.Context, g Generator, name string, cases []Case, set Setup, points []Boldness, seed uint64, progress func(done int)) (SpeedReport, error) {
	rep := SpeedReport{Model: name, Cases: len(cases), Seed: seed, WithoutLoss: map[string]map[Kind]WithoutLoss{}}
	for i, b := range points {
		s := set
		s.Decode, s.Settings, s.BlockSize, s.Name = []string{b.Decode}, b.settings(), b.BlockSize, fmt.Sprintf("speed %d", i)
		one, err := Infill(ctx, g, name, cases, s, seed, func(n int) {
			if progress != nil {
				progress(i*len(cases) + n)
			}
		})
		if err != nil {
			return rep, fmt.Errorf("%s: %w", b, err)
		}
		rep.Points = append(rep.Points, SpeedPoint{b, one.Decode[b.Decode]})
	}
	for mode, careful := range map[string]func(Boldness) bool{
		"diffusion": func(b Boldness) bool { return b.Decode == "diffusion" && b.Threshold > 1 && b.BlockSize == 0 },
		"verify":    func(b Boldness) bool { return b.Decode == "causal" },
	} {
		rep.withoutLoss(mode, careful)
	}
	return rep, nil
}

func (r *SpeedReport) withoutLoss(mode string, careful func(Boldness) bool) {
	for _, ref := range r.Points {
		if !careful(ref.Boldness) {
			continue
		}
		r.WithoutLoss[mode] = map[Kind]WithoutLoss{}
		for k, base := range ref.Kinds {
			best := WithoutLoss{At: ref.Boldness, TokensPerForward: base.TokensPerForward, Exact: base.Exact, FewerForwards: 1}
			for _, p := range r.Points {
				if s := p.Kinds[k]; p.Decode == mode && s != nil && s.Exact >= base.Exact-0.01 && s.TokensPerForward > best.TokensPerForward {
					best = WithoutLoss{At: p.Boldness, TokensPerForward: s.TokensPerForward, Exact: s.Exact, FewerForwards: base.Forwards / max(s.Forwards, 1e-9)}
				}
			}
			best.Reference, best.CarefulForward = base.Exact, base.TokensPerForward
			r.WithoutLoss[mode][k] = best
		}
		return
	}
}

// Table is the report for a person.
func (r SpeedReport) Table() string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 8, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(w, "%s, %d cases\tn\texact\t95 %%\tparses\ttokens/forward\tforwards\tms\t\n", r.Model, r.Cases)
	for _, k := range Kinds {
		for _, p := range r.Points {
			if s := p.Kinds[k]; s != nil {
				fmt.Fprintf(w, "%s: %s\t%d\t%.1f %%\t%.1f–%.1f\t%.1f %%\t%.2f\t%.1f\t%.1f\t\n", k, p.Boldness, s.N, 100*s.Exact, 100*s.CI95[0], 100*s.CI95[1],
					100*s.Parses, s.TokensPerForward, s.Forwards, s.MsP50)
			}
		}
	}
	w.Flush()
	for _, m := range Modes {
		for _, k := range Kinds {
			if l, ok := r.WithoutLoss[m.Name][k]; ok {
				fmt.Fprintf(&b, "%s, within a point of %s (%.1f %%, %.2f tokens a forward): %.2f tokens a forward, %.1f times fewer forwards, %.1f %% exact (%s)\n",
					k, map[string]string{"diffusion": "one position a forward", "verify": "causal"}[m.Name], 100*l.Reference, l.CarefulForward, l.TokensPerForward, l.FewerForwards, 100*l.Exact, l.At)
			}
		}
	}
	return b.String()
}
