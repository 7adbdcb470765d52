package cuda

import (
	"math"
	"strings"
	"testing"
)

// TestPlan holds the plan to what is known without it: the weights of the network, and the
// time that reading them takes. What each kernel reads is held by TestTraffic.
func TestPlan(t *testing.T) {
	memory := func(costs []Cost) (n float64) {
		for _, k := range costs {
			n += k.Memory
		}
		return n
	}
	costs, seconds := PlanStep(Cards["h20"], 32, false, 1)
	bytes := memory(costs)
	if bytes < 15.0e9 || bytes > 15.6e9 {
		t.Errorf("%.2f GB from memory, 7.6 billion parameters are 15.2", bytes/1e9)
	}
	if seconds < bytes/4e12 {
		t.Error("faster than memory is")
	}
	launches := 0
	for _, k := range costs {
		launches += k.Launches
	}
	if launches != 4*planLayers+3 {
		t.Errorf("%d launches", launches)
	}
	half, faster := PlanStep(Cards["h20"], 32, true, 1)
	if math.Abs(memory(half)*2/bytes-1) > 0.02 || faster >= seconds {
		t.Error("fp8 does not halve the weights")
	}
	for _, tokens := range []float64{1, 4, 12} {
		// What waiting costs is little beside a forward of 8 B, and more than it would save to
		// start a pass in vain.
		ahead, each := planRate(seconds, tokens, true), planRate(seconds, tokens, false)
		if ahead <= each || ahead > each*1.01 || ahead > 32/((32/tokens+1)*seconds) {
			t.Errorf("%g tokens a forward: %.0f tokens/s waiting once a block, %.0f once a step", tokens, ahead, each)
		}
	}
	if float64(launches)*launchGap < hostWait {
		t.Error("an empty pass costs less than a wait: denoise should start more passes together")
	}
	if table := PlanTable(Cards["h20"]); !strings.HasPrefix(table, "modelled, not measured") {
		t.Error("a plan must say that it is none but a plan")
	}
}
