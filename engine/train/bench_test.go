package train

import (
	"math/rand/v2"
	"testing"

	"github.com/seedling-lsp/seedling/engine/model"
	"github.com/seedling-lsp/seedling/engine/train/kernels"
)

// benchConfig is the shape of the first built-in model.
func benchConfig(d, layers, ff int) model.Config {
	return model.Config{HiddenSize: d, IntermediateSize: ff, NumLayers: layers, NumHeads: d / 64, NumKVHeads: 2, HeadDim: 64,
		VocabSize: 8192, MaxPositions: 1024, RMSNormEps: 1e-6, RopeTheta: 10000, TieWordEmbeddings: true}
}

func benchMicro(clean, noised, doc int, r *rand.Rand) *Micro {
	m := &Micro{Clean: clean, Noised: noised}
	row := func(pos, lim, from, to int32) {
		m.Token = append(m.Token, 9+r.Int32N(8000))
		m.Mark = append(m.Mark, false)
		m.Pos, m.Lim, m.From, m.To = append(m.Pos, pos), append(m.Lim, lim), append(m.From, from), append(m.To, to)
	}
	docs := clean / doc
	for d := range docs {
		m.Docs = append(m.Docs, kernels.Doc{Clean: d * doc, NClean: doc, Noised: clean + d*noised/docs, NNoised: noised / docs})
		for i := range doc {
			row(int32(i), 0, 0, 0)
		}
	}
	for range docs {
		for i := range noised / docs {
			b := int32(i / 16 * 16)
			row(int32(i%16)+100, 100+b, b, min(b+16, int32(noised/docs)))
		}
	}
	for i := range m.Rows() {
		m.Asked = append(m.Asked, Asked{Row: int32(i), Target: 9 + r.Int32N(8000), Weight: 1e-4})
	}
	return m
}

// BenchmarkPass reports one forward and backward pass as a share of the fp32 peak that
// the same run measured, and where the time went.
func BenchmarkPass(b *testing.B) {
	for _, c := range []struct {
		name       string
		d, l, ff   int
		cln, noise int
	}{{"d256x6-ar", 256, 6, 768, 2048, 0}, {"d256x6-tsc", 256, 6, 768, 2048, 1536}, {"d256x6-tsc-1024", 256, 6, 768, 1024, 768}} {
		b.Run(c.name, func(b *testing.B) {
			ops, _ := kernels.Pick("")
			peak := ops.Peak(2)
			p := NewParams(benchConfig(c.d, c.l, c.ff))
			p.Init(1)
			n, err := NewNetwork(p, ops, 2, 4096)
			if err != nil {
				b.Fatal(err)
			}
			defer n.Close()
			m := benchMicro(c.cln, c.noise, 512, rand.New(rand.NewPCG(1, 2)))
			n.Timing = Timing{}
			b.ResetTimer()
			for range b.N {
				n.Pass(m, true, nil)
			}
			sec := b.Elapsed().Seconds() / float64(b.N)
			b.ReportMetric(float64(m.Clean)/sec, "tok/s")
			b.ReportMetric(n.Flops(m)/sec/peak*100, "%peak")
			b.ReportMetric(peak/1e9, "peakGF")
			t := n.Timing
			total := t.GEMM + t.Attention + t.Rows + t.Head
			b.ReportMetric(float64(t.GEMM)/float64(total)*100, "%gemm")
			b.ReportMetric(float64(t.Attention)/float64(total)*100, "%attn")
			b.ReportMetric(float64(t.Rows)/float64(total)*100, "%rows")
			b.ReportMetric(float64(t.Head)/float64(total)*100, "%head")
		})
	}
}
