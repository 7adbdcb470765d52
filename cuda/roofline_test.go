package cuda

import (
	"math"
	"strings"
	"testing"
)

// TestPlan holds the plan to what is known without it: the weights of the network, and the
// time that reading them takes.
func TestPlan(t *testing.T) {
	s := PlanStep(Cards["h20"], 32, 2, 1)
	if s.Weights < 15.0e9 || s.Weights > 15.5e9 {
		t.Errorf("%.2f GB of weights, 7.6 billion parameters are 15.2", s.Weights/1e9)
	}
	if s.Seconds < s.Weights/4e12 {
		t.Error("faster than memory is")
	}
	if f := PlanStep(Cards["h20"], 32, 1, 1); math.Abs(f.Weights*2-s.Weights) > 1 || f.Seconds >= s.Seconds {
		t.Error("fp8 does not halve the weights")
	}
	if table := PlanTable(Cards["h20"]); !strings.HasPrefix(table, "modelled, not measured") {
		t.Error("a plan must say that it is none but a plan")
	}
}
