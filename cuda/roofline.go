package cuda

import (
	"fmt"
	"strings"

	"github.com/seedling-lsp/seedling/engine/model"
)

// Card is what a plan needs to know of a card: dense bf16 FLOP/s (fp8 has twice as many),
// bytes/s of memory, multiprocessors.
type Card struct {
	Name      string
	BF16      float64
	Bandwidth float64
	SMs       int
}

// Cards are those that plans are made for, by the names of --plan.
var Cards = map[string]Card{
	"h20":  {"H20", 148e12, 4.0e12, 78},
	"h100": {"H100 SXM", 989e12, 3.35e12, 132},
	"h200": {"H200", 989e12, 4.8e12, 132},
}

// The 8 B network of Stable-DiffCoder's shape, what a launch costs between two kernels
// of a captured graph (measured by others on an H100), and what it costs that the host waits
// for a pass and starts the next one: three copies at the 5 to 7 µs that others measured for
// each. The last is the least certain of them.
const (
	planLayers, planHidden, planFF = 32, 4096, 14336
	planHeads, planKV, planHead    = 32, 8, 128
	planVocab                      = 155136
	planContext                    = 1024
	launchGap                      = 1.3e-6
	hostWait                       = 20e-6
	mathShare                      = 0.7
)

// seconds is what a kernel's launches must take: memory at a share of its bandwidth, or
// arithmetic at 70 % of the card's peak, whichever is longer, and the gaps before them.
func (c Card) seconds(k Cost, fp8 bool, share float64) float64 {
	peak := c.BF16 * mathShare
	if fp8 && k.Kernel != "attention" { // keys and values are bf16
		peak *= 2
	}
	s := k.Memory / (c.Bandwidth * share)
	if peak > 0 {
		s = max(s, k.FLOPs/peak)
	}
	return s + float64(k.Launches)*launchGap
}

// PlanStep models a pass of canvas rows of the 8 B network over a context of 1,024 tokens,
// kernel by kernel, and what it must take, with memory at a share of its bandwidth.
func PlanStep(c Card, rows int, fp8 bool, share float64) ([]Cost, float64) {
	s, err := newShape(model.Config{HiddenSize: planHidden, IntermediateSize: planFF, NumLayers: planLayers, NumHeads: planHeads, NumKVHeads: planKV,
		HeadDim: planHead, VocabSize: planVocab, ModelType: "llama"}, Options{Positions: 2 * planContext, Sequences: 1, Rows: 512, FP8: fp8}, c.SMs)
	if err != nil {
		return nil, 0 // of the constants above: it cannot be
	}
	costs, all := s.costs(rows, 0, rows, s.spans(rows, planContext)), 0.0
	for _, k := range costs {
		all += c.seconds(k, fp8, share)
	}
	return costs, all
}

// planRate is the tokens/s of blocks of 32 with so many tokens decided a forward, of so many
// seconds each, and one forward more that commits a block. The device decides, so that the host
// waits once a block, or the host decides, and waits for each step.
func planRate(seconds, tokens float64, ahead bool) float64 {
	steps := 32 / tokens
	block := (steps + 1) * seconds
	if ahead {
		block += hostWait + steps*launchGap
	} else {
		block += steps * hostWait
	}
	return 32 / block
}

// PlanTable is the plan of a card for people: modelled tokens/s of one user at a block of
// 32, with the commit of a block as one pass more, and what its kernels are made of.
func PlanTable(c Card) string {
	var b strings.Builder
	fmt.Fprintf(&b, "modelled, not measured: %s, 8 B parameters (Stable-DiffCoder's shape), block 32, context %d;\n", c.Name, planContext)
	fmt.Fprintf(&b, "gaps of %.1f µs before each launch; one forward more a block commits it; arithmetic at %.0f %% of the peak;\n", launchGap*1e6, mathShare*100)
	fmt.Fprintf(&b, "the card decides and the host waits once a block, %.0f µs (below: once a step, if the host decides).\n\n", hostWait*1e6)
	fmt.Fprintf(&b, "%-5s %-9s %10s %8s %8s %8s %8s %8s\n", "dtype", "bandwidth", "forward", "tokens:", "1", "4", "8", "12")
	types := []struct {
		name string
		fp8  bool
	}{{"bf16", false}, {"fp8", true}}
	for _, d := range types {
		for _, share := range []float64{0.78, 0.9} {
			_, seconds := PlanStep(c, 32, d.fp8, share)
			for _, ahead := range []bool{true, false} {
				if ahead {
					fmt.Fprintf(&b, "%-5s %7.0f %% %7.2f ms %8s", d.name, share*100, seconds*1e3, "")
				} else {
					fmt.Fprintf(&b, "%-5s %9s %10s %8s", "", "", "", "each step")
				}
				for _, t := range []float64{1, 4, 8, 12} {
					rate := planRate(seconds, t, ahead)
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
	}
	b.WriteString("\n* past 2,146 tokens/s (the paper's), ! past 5,000\n")
	for _, d := range types {
		fmt.Fprintf(&b, "\n%-5s %-9s %8s %12s %14s %9s %10s\n", d.name, "kernel", "launches", "from memory", "asked of L2", "GFLOP", "at 90 %")
		costs, seconds := PlanStep(c, 32, d.fp8, 0.9)
		asked := 0.0
		for _, k := range costs {
			fmt.Fprintf(&b, "%-5s %-9s %8d %9.1f MB %11.1f MB %9.1f %7.0f µs\n", "", k.Kernel, k.Launches, k.Memory/1e6, k.Asked/1e6, k.FLOPs/1e9, c.seconds(k, d.fp8, 0.9)*1e6)
			asked += k.Asked
		}
		fmt.Fprintf(&b, "L2 would have to give %.1f GB in %.2f ms, %.1f TB/s; the plan does not ask whether it can.\n", asked/1e9, seconds*1e3, asked/seconds/1e12)
	}
	return b.String()
}
