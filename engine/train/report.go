package train

import (
	"fmt"
	"math"
	"math/rand/v2"
)

// Report is what a model says of held-out text it was never trained on.
type Report struct {
	Tokens      int     `json:"tokens"` // clean tokens read
	Bytes       int     `json:"bytes"`
	AR          float64 `json:"ar_nats"`          // causal loss, nats per token
	ARBits      float64 `json:"ar_bits_per_byte"` // of the same
	ARHits      float64 `json:"ar_accuracy"`      // share of tokens guessed first
	ELBO        float64 `json:"elbo_nats"`        // bound on the denoising loss, nats per token
	ELBOBits    float64 `json:"elbo_bits_per_byte"`
	AllMask     float64 `json:"all_mask_nats"` // of blocks that are all mask
	AllMaskHits float64 `json:"all_mask_accuracy"`
	EditHits    float64 `json:"edit_accuracy"` // of positions in corrupted drafts
	EditNats    float64 `json:"edit_nats"`
}

// Evaluate reads about tokens clean tokens of the sampler's corpus. The text drawn
// depends on the sampler's seed alone, so that reports compare. The ELBO takes eight
// stratified noise levels a block of 16, weighted 1/u (method.md, section 2).
func (n *Network) Evaluate(p *Sampler, tokens int) (Report, error) {
	q := *p
	q.s.FIMShare, q.s.TimeWeight, q.s.NoisedShare, q.s.Stage = 0, true, 1, "ar"
	q.s.EndWeight, q.s.FillWeight = 1, 1
	var rep Report
	var ar, elbo, all, edit Losses
	covered := 0 // positions behind elbo's weights
	for i := uint64(0); rep.Tokens < tokens; i++ {
		clean := q.Micro(i, 0)
		if clean.Rows() > n.cap {
			return rep, fmt.Errorf("a report's batch of %d rows is over the %d prepared", clean.Rows(), n.cap)
		}
		ar.Add(n.Pass(clean, false, nil))
		rep.Tokens += clean.Clean
		rep.Bytes += clean.Bytes
		if p.s.Stage == "ar" {
			continue // there is no denoiser yet to measure
		}
		for draw := range 10 {
			r := rand.New(rand.NewPCG(i, 77)) // the same blocks at each draw
			noise := rand.New(rand.NewPCG(i, uint64(draw)))
			m := *clean
			m.Asked, m.Noised = nil, 0
			m.Docs = append(m.Docs[:0:0], clean.Docs...)
			c := corruption{s: q.s, tok: q.sp, vocab: q.tok.Size(), uMax: 1, bare: true}
			c.s.EditRate, c.s.CleanEdits = 0.1, 0.2
			kind, seen := &elbo, 0
			for j := range m.Docs {
				d := &m.Docs[j]
				var bs []block
				for at := 16; at+16 <= d.NClean; at += 16 + r.IntN(48) {
					x := m.Token[d.Clean+at : d.Clean+at+16]
					b := block{start: at, kind: LossMask, input: make([]int32, 16), visible: make([]bool, 16), target: x, weight: make([]float32, 16)}
					switch {
					case draw < 8:
						c.mask(&b, max((float64(draw)+noise.Float64())/8, 1.0/16), 0, noise)
						seen += 16
					case draw == 8:
						c.mask(&b, 1, 0, noise)
						kind = &all
					default:
						b = c.edit(at, x, m.Token[d.Clean:d.Clean+d.NClean], noise)
						kind = &edit
					}
					bs = append(bs, b)
				}
				q.noisedRows(&m, d, bs, n.cap-m.Clean-64, true)
			}
			covered += seen
			kind.Add(n.Pass(&m, false, nil))
		}
	}
	scale := float64(q.s.StepTokens) * q.s.NoisedShare // undo noisedRows' normalisation
	rep.AR = ar.Mean(LossAR)
	rep.ARBits = ar.Nats[LossAR] / math.Ln2 / float64(max(rep.Bytes, 1))
	rep.ARHits = float64(ar.Hits[LossAR]) / float64(max(ar.Count[LossAR], 1))
	rep.ELBO = elbo.Weighted[LossMask] * scale / float64(max(covered, 1))
	perByte := float64(rep.Bytes) / float64(max(rep.Tokens, 1))
	rep.ELBOBits = rep.ELBO / math.Ln2 / perByte
	rep.AllMask = all.Mean(LossMask)
	rep.AllMaskHits = float64(all.Hits[LossMask]) / float64(max(all.Count[LossMask], 1))
	rep.EditNats = edit.Mean(LossEdit)
	rep.EditHits = float64(edit.Hits[LossEdit]) / float64(max(edit.Count[LossEdit], 1))
	return rep, nil
}
