package ptx

import "fmt"

// Kind is what a fault is, in a word.
type Kind string

// The kinds of faults.
const (
	Bounds        Kind = "out of bounds"
	Misaligned    Kind = "misaligned"
	Uninitialised Kind = "uninitialised"
	Race          Kind = "race"
	Barrier       Kind = "barrier"
	Deadlock      Kind = "deadlock"
	Convergence   Kind = "convergence" // an instruction of the whole warp that some lanes miss
	Proxy         Kind = "proxy"       // a fence between generic and asynchronous accesses is missing
	Async         Kind = "async"       // an asynchronous operation used against its rules
	Value         Kind = "value"       // an operand that the instruction does not allow
)

// Fault is what a launch did that a card would not have reported.
type Fault struct {
	Kind   Kind
	Kernel string
	Block  [3]int
	Thread [3]int // the first of the threads it concerns
	Line   int    // of the PTX
	Text   string // the instruction
	Detail string
}

func (f *Fault) Error() string {
	return fmt.Sprintf("ptx: %s: block %d,%d,%d thread %d,%d,%d, line %d: %s: %s: %s", f.Kernel, f.Block[0], f.Block[1], f.Block[2],
		f.Thread[0], f.Thread[1], f.Thread[2], f.Line, f.Text, f.Kind, f.Detail)
}

// fault ends the launch: the running instruction of the warp did wrong in a lane.
func (w *warp) fault(kind Kind, lane int, format string, a ...any) {
	b := w.b
	t := w.id*32 + lane
	f := &Fault{Kind: kind, Kernel: b.k.Name, Detail: fmt.Sprintf(format, a...)}
	for i := range 3 {
		f.Block[i] = int(b.ctaid[i])
	}
	f.Thread = [3]int{t % int(b.ntid[0]), t / int(b.ntid[0]) % int(b.ntid[1]), t / int(b.ntid[0]*b.ntid[1])}
	if in := w.in; in != nil {
		f.Line, f.Text = in.line, in.text
	}
	panic(f)
}
