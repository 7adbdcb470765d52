package kernels

import (
	"fmt"
	"testing"
)

// BenchmarkGemm reports the shapes of training steps of the models of 6.8 M and 73 M weights on one thread as
// a share of the peak that the same run measured.
func BenchmarkGemm(b *testing.B) {
	o, err := Pick("")
	if err != nil {
		b.Fatal(err)
	}
	for _, s := range []struct {
		name    string
		m, n, k int
		form    string
	}{
		{"forward", 1024, 768, 256, "nt"}, {"down", 1024, 256, 768, "nt"}, {"dx", 1024, 256, 768, "nn"}, {"dx-down", 1024, 768, 256, "nn"},
		{"dw", 768, 256, 2048, "tn"}, {"dw-square", 256, 256, 2048, "tn"}, {"kv", 1024, 128, 256, "nt"},
		{"forward", 1024, 1536, 576, "nt"}, {"down", 1024, 576, 1536, "nt"}, {"dx", 1024, 576, 1536, "nn"}, {"dx-down", 1024, 1536, 576, "nn"},
		{"dw", 1536, 576, 2048, "tn"}, {"dw-down", 576, 1536, 2048, "tn"}, {"square", 1024, 576, 576, "nt"},
		{"head", 512, 8192, 256, "nt"}, {"head-dx", 512, 256, 8192, "nn"}, {"head-dw", 4096, 256, 1024, "tn"},
	} {
		b.Run(fmt.Sprintf("%s-%dx%dx%d", s.name, s.m, s.n, s.k), func(b *testing.B) {
			x, y, c := Alloc[float32](s.m*s.k), Alloc[float32](s.n*s.k), Alloc[float32](s.m*s.n)
			defer func() { Free(x); Free(y); Free(c) }()
			work := Alloc[float32](o.GemmWork(s.n, s.k))
			defer Free(work)
			for i := range x {
				x[i] = float32(i%13) * 0.1
			}
			for i := range y {
				y[i] = float32(i%7) * 0.1
			}
			p, q := Rows(x, s.k), Rows(y, s.n)
			if s.form == "nt" {
				q = Rows(y, s.k).T()
			}
			if s.form == "tn" {
				p = Rows(x, s.m).T()
			}
			peak := o.Peak(1)
			b.ResetTimer()
			for range b.N {
				o.Gemm(0, s.m, s.n, s.k, p, q, c, s.n, s.form == "tn", work)
			}
			f := 2 * float64(s.m) * float64(s.n) * float64(s.k) * float64(b.N) / b.Elapsed().Seconds()
			b.ReportMetric(f/1e9, "GF/s")
			b.ReportMetric(f/peak*100, "%peak")
		})
	}
}
