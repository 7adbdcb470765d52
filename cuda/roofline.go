package cuda

import (
	"fmt"
	"strings"
)

// Card is what a plan needs to know of a card: dense bf16 FLOP/s (fp8 has twice as many),
// bytes/s of memory.
type Card struct {
	Name      string
	BF16      float64
	Bandwidth float64
}

// Cards are those that plans are made for, by the names of --plan.
var Cards = map[string]Card{
	"h20":  {"H20", 148e12, 4.0e12},
	"h100": {"H100 SXM", 989e12, 3.35e12},
	"h200": {"H200", 989e12, 4.8e12},
}

// The 8 B network of Stable-DiffCoder's shape, and what a launch costs between two kernels
// of a captured graph (measured by others on an H100).
const (
	planLayers, planHidden, planFF = 32, 4096, 14336
	planHeads, planKV, planHead    = 32, 8, 128
	planVocab                      = 155136
	planContext                    = 1024
	launchGap                      = 1.3e-6
	launchesPerLayer               = 4
)

// Step is what one forward pass of the 8 B network must cost on a card, modelled.
type Step struct {
	Weights, Rest float64 // bytes: weights; cache, activations and partial sums
	FLOPs         float64
	Launches      int
	Seconds       float64
}

// PlanStep models a pass of rows over a context of 1,024 tokens: weights at bytes each (2
// in bf16, 1 in fp8), memory at a share of its bandwidth; arithmetic overlaps with it at 70 %
// of the card's peak, launches do not.
func PlanStep(c Card, rows int, bytes, share float64) Step {
	layer := float64(planHidden*(planHeads+2*planKV)*planHead + planHeads*planHead*planHidden + 3*planHidden*planFF)
	params := planLayers*layer + planVocab*planHidden
	s := Step{Weights: params * bytes, Launches: planLayers*launchesPerLayer + 3}
	s.Rest = planLayers * (2*planContext*planKV*planHead*2 + float64(rows)*(8*planHidden+2*planFF+2*planHeads*planHead)*2)
	s.FLOPs = 2*params*float64(rows) + planLayers*4*float64(rows)*planContext*planHeads*planHead
	memory := (s.Weights + s.Rest) / (c.Bandwidth * share)
	math := s.FLOPs / (c.BF16 * 2 / bytes * 0.7)
	s.Seconds = max(memory, math) + float64(s.Launches)*launchGap
	return s
}

// PlanTable is the plan of a card for people: modelled tokens/s of one user at a block of
// 32, with the commit of a block as one pass more.
func PlanTable(c Card) string {
	var b strings.Builder
	fmt.Fprintf(&b, "modelled, not measured: %s, 8 B parameters (Stable-DiffCoder's shape), block 32, context %d,\n", c.Name, planContext)
	fmt.Fprintf(&b, "%d launches a forward with gaps of %.1f µs; one forward more a block commits it; arithmetic at 70 %% of the peak.\n", planLayers*launchesPerLayer+3, launchGap*1e6)
	b.WriteByte('\n')
	fmt.Fprintf(&b, "%-5s %-9s %10s %8s %8s %8s %8s %8s\n", "dtype", "bandwidth", "forward", "tokens:", "1", "4", "8", "12")
	for _, d := range []struct {
		name  string
		bytes float64
	}{{"bf16", 2}, {"fp8", 1}} {
		for _, share := range []float64{0.78, 0.9} {
			s := PlanStep(c, 32, d.bytes, share)
			fmt.Fprintf(&b, "%-5s %7.0f %% %7.2f ms %8s", d.name, share*100, s.Seconds*1e3, "")
			for _, t := range []float64{1, 4, 8, 12} {
				rate := 32 / ((32/t + 1) * s.Seconds)
				mark := " "
				switch {
				case rate >= 5000:
					mark = "!"
				case rate >= 2146:
					mark = "*"
				}
				fmt.Fprintf(&b, " %7.0f%s", rate, mark)
			}
			b.WriteString("\n")
		}
	}
	b.WriteString("\n* past 2,146 tokens/s (the paper's), ! past 5,000\n")
	return b.String()
}
