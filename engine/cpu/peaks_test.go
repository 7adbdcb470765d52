package cpu

import "testing"

// BenchmarkPeaks prints the denominators of every share.
func BenchmarkPeaks(b *testing.B) {
	for range b.N {
		p := MeasurePeaks("", 2)
		b.ReportMetric(p.FP32/1e9, "GFLOP/s")
		b.ReportMetric(p.BF16/1e9, "bf16-GFLOP/s")
		b.ReportMetric(p.Int8/1e9, "int8-Gop/s")
		b.ReportMetric(p.Memory/1e9, "GB/s")
		for _, m := range []int{1, 8, 16, 32} {
			r, err := GEMMRate("", m, 2)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(r/p.Int8*100, map[int]string{1: "%m1", 8: "%m8", 16: "%m16", 32: "%m32"}[m])
		}
	}
}
