package train

import (
	"time"

	"github.com/seedling-lsp/seedling/engine/train/kernels"
)

// Losses sums what a pass saw, by kind of loss.
type Losses struct {
	Nats    [lossKinds]float64 // Σ −log p, unweighted
	Count   [lossKinds]int
	Hits    [lossKinds]int // argmax was the target
	Total   float64        // Σ weight·(−log p): what the gradient is of
	Rows    int
	Clean   int
	Bytes   int
	Weights [lossKinds]float64
	// Weighted is Σ weight·(−log p) by kind; with 1/u weights over all positions it
	// is the ELBO of the masked blocks.
	Weighted [lossKinds]float64
}

// Add sums two passes.
func (l *Losses) Add(o Losses) {
	for k := range l.Nats {
		l.Nats[k] += o.Nats[k]
		l.Count[k] += o.Count[k]
		l.Hits[k] += o.Hits[k]
		l.Weights[k] += o.Weights[k]
		l.Weighted[k] += o.Weighted[k]
	}
	l.Total += o.Total
	l.Rows += o.Rows
	l.Clean += o.Clean
	l.Bytes += o.Bytes
}

// Mean is the average −log p of a kind in nats, 0 when there was none.
func (l *Losses) Mean(k LossKind) float64 {
	if l.Count[k] == 0 {
		return 0
	}
	return l.Nats[k] / float64(l.Count[k])
}

// Pass runs a micro-batch forward and, with grad, backward: gradients are added to
// the parameters'. each, if not nil, is told the loss of every asked row in order.
func (n *Network) Pass(m *Micro, grad bool, each func(i int, nats float64)) Losses {
	n.forward(m)
	l := n.head(m, grad, each)
	if grad {
		n.backward(m)
	}
	return l
}

// head computes cross entropy on the asked rows only, some at a time, and leaves the
// gradient of the final norm's output in n.dh.
func (n *Network) head(m *Micro, grad bool, each func(int, float64)) Losses {
	c := n.P.Config
	d, V := c.HiddenSize, c.VocabSize
	e := n.P.embed
	l := Losses{Rows: m.Rows(), Clean: m.Clean, Bytes: m.Bytes}
	before := n.Timing.GEMM
	start := time.Now()
	if grad {
		clear(n.dh[:m.Rows()*d])
	}
	target, weight := kernels.Alloc[int32](headRows), kernels.Alloc[float32](headRows)
	loss, best := kernels.Alloc[float32](headRows), kernels.Alloc[int32](headRows)
	defer func() { kernels.Free(target); kernels.Free(weight); kernels.Free(loss); kernels.Free(best) }()
	for lo := 0; lo < len(m.Asked); lo += headRows {
		part := m.Asked[lo:min(lo+headRows, len(m.Asked))]
		for i, a := range part {
			copy(n.headX[i*d:(i+1)*d], n.fin[int(a.Row)*d:])
			target[i], weight[i] = a.Target, a.Weight
		}
		k := len(part)
		n.gemm(k, V, d, kernels.Rows(n.headX, d), kernels.Rows(e.W, d).T(), n.logits, false)
		n.split(k, func(_, a, b int) {
			n.ops.CrossEntropy(b-a, V, n.logits[a*V:b*V], target[a:], weight[a:], int32(c.Seedling.Tokens.Mask), loss[a:], best[a:])
		})
		for i, a := range part {
			l.Nats[a.Kind] += float64(loss[i])
			l.Count[a.Kind]++
			l.Weights[a.Kind] += float64(a.Weight)
			l.Weighted[a.Kind] += float64(a.Weight) * float64(loss[i])
			l.Total += float64(a.Weight) * float64(loss[i])
			if best[i] == a.Target {
				l.Hits[a.Kind]++
			}
			if each != nil {
				each(lo+i, float64(loss[i]))
			}
		}
		if !grad {
			continue
		}
		n.gemm(k, d, V, kernels.Rows(n.logits, V), kernels.Rows(e.W, d), n.headG, false)
		n.gemm(V, d, k, kernels.Rows(n.logits, V).T(), kernels.Rows(n.headX, d), e.G, true)
		for i, a := range part {
			n.ops.Add(n.dh[int(a.Row)*d:(int(a.Row)+1)*d], n.headG[i*d:(i+1)*d])
		}
	}
	n.Timing.GEMM = before
	n.Timing.Head += time.Since(start)
	return l
}
