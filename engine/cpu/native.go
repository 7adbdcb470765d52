package cpu

import (
	"context"

	"github.com/seedling-lsp/seedling/engine/backend"
	"github.com/seedling-lsp/seedling/engine/cpu/kernels"
	"github.com/seedling-lsp/seedling/engine/model"
)

// native is the device behind the C kernels.
type native struct {
	isa    string
	net    *kernels.Net
	pool   *kernels.Pool
	work   kernels.Workspace
	flag   kernels.Flag
	root   *kernels.Cache
	caches map[backend.Sequence]*kernels.Cache
	spare  []*kernels.Cache // of released sequences: their pages are there already
	list   []*kernels.Cache
	tops   []kernels.Top
}

func newNative(w *model.Weights, opt Options) (device, error) {
	if !kernels.Runs(opt.ISA) {
		return nil, errISA
	}
	q := w.Quantize()
	c := q.Config
	m := func(x model.Matrix) kernels.Matrix {
		return kernels.Matrix{Rows: x.Rows, Cols: x.Cols, I8: x.I8, Scale: x.Scale}
	}
	layers := make([]kernels.Layer, len(q.Layers))
	for i, l := range q.Layers {
		layers[i] = kernels.Layer{InNorm: l.InputNorm, QNorm: l.QNorm, KNorm: l.KNorm, PostNorm: l.PostNorm,
			Q: m(l.Q), K: m(l.K), V: m(l.V), O: m(l.O), Gate: m(l.Gate), Up: m(l.Up), Down: m(l.Down)}
	}
	shape := kernels.Shape{D: c.HiddenSize, FF: c.IntermediateSize, Layers: c.NumLayers, Heads: c.NumHeads, KV: c.NumKVHeads, HeadDim: c.HeadDim,
		Vocab: c.VocabSize, Positions: opt.Positions, CanvasMark: c.Seedling.CanvasMark, QKNorm: c.QKNorm(), Mask: int(c.Seedling.Tokens.Mask), Eps: float32(c.RMSNormEps)}
	n := &native{isa: opt.ISA, caches: map[backend.Sequence]*kernels.Cache{}}
	var err error
	if n.flag, err = kernels.NewFlag(); err != nil {
		return nil, err
	}
	if n.net, err = kernels.NewNet(opt.ISA, shape, layers, m(q.Embed), q.Norm, c.RopeTable(opt.Positions, make([]float32, opt.Positions*c.HeadDim))); err != nil {
		n.flag.Free()
		return nil, err
	}
	if n.pool, err = kernels.NewPool(opt.Threads); err != nil {
		n.net.Close()
		n.flag.Free()
		return nil, err
	}
	if n.root, err = n.net.NewCache(); err != nil {
		n.end()
		return nil, err
	}
	return n, nil
}

func (n *native) info() backend.Info {
	return backend.Info{Name: "cpu", Kernels: n.isa, Threads: n.pool.Size()}
}

func (n *native) cache(s backend.Sequence) *kernels.Cache {
	if s == backend.Root {
		return n.root
	}
	return n.caches[s]
}

func (n *native) open(s backend.Sequence) error {
	if last := len(n.spare) - 1; last >= 0 {
		n.caches[s], n.spare = n.spare[last], n.spare[:last]
		n.caches[s].SetLen(0)
		return nil
	}
	c, err := n.net.NewCache()
	if err == nil {
		n.caches[s] = c
	}
	return err
}

func (n *native) close(s backend.Sequence) {
	n.spare = append(n.spare, n.caches[s])
	delete(n.caches, s)
}

func (n *native) copy(to, from backend.Sequence, length int) {
	n.net.Copy(n.cache(to), n.cache(from), length)
}

func (n *native) setLen(s backend.Sequence, length int) { n.cache(s).SetLen(length) }

func (n *native) end() {
	for _, c := range n.caches {
		c.Close()
	}
	for _, c := range n.spare {
		c.Close()
	}
	if n.root != nil {
		n.root.Close()
	}
	n.pool.Close()
	n.net.Close()
	n.work.Close()
	n.flag.Free()
}

// forward raises the flag of the pass when ctx ends, so that it stops between layers.
func (n *native) forward(ctx context.Context, rows []kernels.Row, seqs []backend.Sequence, forbid []int32) ([]kernels.Top, error) {
	n.list = n.list[:0]
	for _, s := range seqs {
		n.list = append(n.list, n.cache(s))
	}
	n.flag.Lower()
	var raised chan struct{}
	var stop func() bool
	if ctx.Done() != nil {
		raised = make(chan struct{})
		stop = context.AfterFunc(ctx, func() { n.flag.Raise(); close(raised) })
	}
	tops, err := n.net.Forward(n.pool, &n.work, rows, n.list, forbid, n.flag, n.tops[:0])
	if stop != nil && !stop() {
		<-raised // the flag is ours again
	}
	n.tops = tops
	return tops, err
}
