package ptx

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

// kindOf are the element formats of matrices: bytes, the opcode's k, a random number's code
// and its value.
type kindOf struct {
	name  string
	bytes int
	k     int
}

var kinds = []kindOf{{"bf16", 2, 16}, {"f16", 2, 16}, {"e4m3", 1, 32}}

func (k kindOf) random(r *rand.Rand) uint64 {
	f := float32(r.NormFloat64())
	switch k.name {
	case "bf16":
		return uint64(toBF16(f))
	case "f16":
		return uint64(toF16(f))
	}
	return uint64(toE4M3(f * 4))
}

func (k kindOf) value(v uint64) float64 {
	switch k.name {
	case "bf16":
		return float64(fromBF16(uint16(v)))
	case "f16":
		return float64(fromF16(uint16(v)))
	}
	return float64(e4m3[v])
}

// matrix makes rows of random codes.
func (k kindOf) matrix(r *rand.Rand, rows, cols int) [][]uint64 {
	m := make([][]uint64, rows)
	for i := range m {
		for range cols {
			m[i] = append(m[i], k.random(r))
		}
	}
	return m
}

// times multiplies a [m][k] by b [n][k] in float64 and adds c; bound is what sums in fp32 may
// be off by, whatever their order: k+1 roundings of the sum of magnitudes.
func (k kindOf) times(a, b [][]uint64, c [][]float64) (d, bound [][]float64) {
	for i := range a {
		var row, off []float64
		for j := range b {
			s, m := c[i][j], math.Abs(c[i][j])
			for x := range a[i] {
				p := k.value(a[i][x]) * k.value(b[j][x])
				s += p
				m += math.Abs(p)
			}
			row, off = append(row, s), append(off, m*float64(len(a[i])+1)*0x1p-24)
		}
		d, bound = append(d, row), append(bound, off)
	}
	return d, bound
}

func floats(r *rand.Rand, rows, cols int) [][]float64 {
	m := make([][]float64, rows)
	for i := range m {
		for range cols {
			m[i] = append(m[i], float64(float32(r.NormFloat64())))
		}
	}
	return m
}

// TestMMA: fragments go where the manual's tables put element i of a lane's fragment.
func TestMMA(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 12))
	for _, k := range kinds {
		for range 4 {
			a, b, c := k.matrix(r, 16, k.k), k.matrix(r, 8, k.k), floats(r, 16, 8)
			per := 4 / k.bytes // elements of a register
			var in [][]uint64
			for l := range 32 {
				g, q := l/4, l%4
				row := make([]uint64, 10)
				for i := range 4 * per { // elements a0, a1, …
					// 16-bit: row g for i in 0,1,4,5; 8-bit: for 0-3, 8-11.
					ar := g
					if i/per%2 == 1 {
						ar = g + 8
					}
					ac := q*per + i%per
					if i >= 2*per {
						ac += 4 * per
					}
					row[i/per] |= a[ar][ac] << (8 * k.bytes * (i % per))
				}
				for i := range 2 * per {
					br := q*per + i%per
					if i >= per {
						br += 4 * per
					}
					row[4+i/per] |= b[g][br] << (8 * k.bytes * (i % per))
				}
				for i := range 4 {
					cr := g
					if i >= 2 {
						cr += 8
					}
					row[6+i] = uint64(math.Float32bits(float32(c[cr][q*2+i&1])))
				}
				in = append(in, row)
			}
			var body strings.Builder
			for i := range 6 {
				fmt.Fprintf(&body, "ld.global.u32 %%r%d, [%%in+%d];\n", i, 8*i)
			}
			for i := range 4 {
				fmt.Fprintf(&body, "ld.global.f32 %%f%d, [%%in+%d];\n", i, 48+8*i)
			}
			fmt.Fprintf(&body, "mma.sync.aligned.m16n8k%d.row.col.f32.%s.%s.f32 {%%f0, %%f1, %%f2, %%f3}, {%%r0, %%r1, %%r2, %%r3}, {%%r4, %%r5}, {%%f0, %%f1, %%f2, %%f3};\n", k.k, k.name, k.name)
			for i := range 4 {
				fmt.Fprintf(&body, "st.global.u64 [%%out+%d], 0;\nst.global.f32 [%%out+%d], %%f%d;\n", 8*i, 8*i, i)
			}
			out, _, err := rig(Options{}, 32, 0, in, 4, nil, body.String())
			if err != nil {
				t.Fatal(err)
			}
			want, bound := k.times(a, b, c)
			for l := range 32 {
				for i := range 4 {
					row, col := l/4+i/2*8, l%4*2+i%2
					if got := float64(math.Float32frombits(uint32(out[l][i]))); math.Abs(got-want[row][col]) > bound[row][col] {
						t.Fatalf("%s: D[%d][%d] = %g, want %g ± %g", k.name, row, col, got, want[row][col], bound[row][col])
					}
				}
			}
		}
	}
}

// TestLdmatrix: lane l has elements 2(l%4), 2(l%4)+1 of row l/4 of each matrix, transposed of
// column l/4; stmatrix writes it back where it was.
func TestLdmatrix(t *testing.T) {
	for _, trans := range []string{"", ".trans"} {
		for _, n := range []int{1, 2, 4} {
			all := make([]byte, 2048)
			for i := range 512 { // row i/8 of 16 bytes, element i%8
				binary.LittleEndian.PutUint16(all[2*i:], uint16(i*7+1))
			}
			regs := strings.Join([]string{"%r1", "%r2", "%r3", "%r4"}[:n], ", ")
			var st strings.Builder
			for i := range n {
				fmt.Fprintf(&st, "cvt.u64.u32 %%d2, %%r%d;\nst.global.u64 [%%out+%d], %%d2;\n", i+1, 8*i)
			}
			out, c, err := rig(Options{}, 32, 1024, nil, n, all, fmt.Sprintf(`
	shl.b32 %%r9, %%t, 4;
	cvt.u64.u32 %%d1, %%r9;
	add.s64 %%d1, %%d1, %%all;
	ld.global.v4.u32 {%%r1, %%r2, %%r3, %%r4}, [%%d1];
	mov.u32 %%r10, smem;
	add.u32 %%r9, %%r9, %%r10;
	st.shared.v4.u32 [%%r9], {%%r1, %%r2, %%r3, %%r4};
	bar.warp.sync 0xffffffff;
	ldmatrix.sync.aligned.m8n8.x%[1]d%[2]s.shared.b16 {%[3]s}, [%%r9];
	%[4]s
	stmatrix.sync.aligned.m8n8.x%[1]d%[2]s.shared.b16 [%%r9+512], {%[3]s};
	bar.warp.sync 0xffffffff;
	mov.pred %%p1, 1;
	setp.lt.u32 %%p1, %%t, %[5]d;
	@%%p1 ld.shared.v4.u32 {%%r1, %%r2, %%r3, %%r4}, [%%r9+512];
	@%%p1 st.global.v4.u32 [%%d1+1024], {%%r1, %%r2, %%r3, %%r4};`, n, trans, regs, st.String(), 8*n))
			if err != nil {
				t.Fatal(err)
			}
			el := func(m, row, col int) uint64 { return uint64(((m*8+row)*8+col)*7 + 1) }
			for l := range 32 {
				for m := range n {
					want := el(m, l/4, l%4*2) | el(m, l/4, l%4*2+1)<<16
					if trans != "" {
						want = el(m, l%4*2, l/4) | el(m, l%4*2+1, l/4)<<16
					}
					if out[l][m] != want {
						t.Fatalf("x%d%s: lane %d has %#x of matrix %d, want %#x", n, trans, l, out[l][m], m, want)
					}
				}
			}
			if string(all[1024:1024+128*n]) != string(all[:128*n]) {
				t.Errorf("x%d%s: stmatrix does not write what ldmatrix read", n, trans)
			}
			if c.Conflicts != 0 {
				t.Errorf("rows one after the other meet %d conflicts", c.Conflicts)
			}
		}
	}
}

// canonical evaluates the layouts of the manual's matrix descriptors as strides of a tuple of
// coordinates, in bytes, and applies the swizzle as an exclusive or of address bits: element
// (mn, k) of a matrix that starts at 0.
func canonical(bytes, width int, mnMajor bool, lbo, sbo, mn, k int) int {
	var off int
	chunk := 16 / bytes
	w := max(width/16, 1)
	if mnMajor {
		c, in := mn/chunk, mn%chunk
		switch {
		case width == 0: // ((1,n),(8,k)):((X,SBO),(1,LBO))
			off = c*sbo + k%8*16 + k/8*lbo + in*bytes
		default: // ((w,n),(8,k)):((1,LBO),(w,SBO))
			off = c%w*16 + c/w*lbo + k%8*w*16 + k/8*sbo + in*bytes
		}
	} else {
		c, in := k/chunk, k%chunk
		switch {
		case width == 0: // ((8,n),2):((1,SBO),LBO)
			off = mn%8*16 + mn/8*sbo + c*lbo + in*bytes
		default: // ((8,n),2):((w,SBO),1)
			off = mn%8*w*16 + mn/8*sbo + c*16 + in*bytes
		}
	}
	switch width {
	case 128:
		off ^= off >> 3 & 0x70
	case 64:
		off ^= off >> 3 & 0x30
	case 32:
		off ^= off >> 3 & 0x10
	}
	return off
}

// TestWGMMA: A from registers and from shared memory, every swizzle, both orders of 16-bit
// elements, a start within the pattern, several N, late and early.
func TestWGMMA(t *testing.T) {
	r := rand.New(rand.NewPCG(13, 14))
	code := map[int]uint64{0: 0, 128: 1, 64: 2, 32: 3}
	for _, k := range kinds {
		for _, n := range []int{8, 24, 64} {
			for _, width := range []int{0, 32, 64, 128} {
				for mode := range 4 { // bit 0: B transposed, bit 1: A from shared memory, transposed if B is
					tb, fromShared := mode&1 != 0, mode&2 != 0
					if tb && k.bytes == 1 {
						continue
					}
					ta := tb && fromShared
					a, b, c := k.matrix(r, 64, k.k), k.matrix(r, n, k.k), floats(r, 64, n)
					// Where they lie: A from 0, B from 16 KB on.
					all := make([]byte, 32<<10)
					inside := 0 // bytes into the pattern, for k-major ones wide enough
					if width > 32 {
						inside = 32
					}
					layout := func(mn int, major bool) (lbo, sbo int) {
						switch {
						case width == 0 && major: // n chunks by SBO, k groups by LBO
							return 128 * (mn / 8), 128
						case width == 0: // row groups by SBO, k chunks by LBO
							return 128 * (mn / 8), 128
						case major:
							return width * 8 * 2, width * 8
						}
						return 16, width * 8
					}
					put := func(m [][]uint64, at int, major bool) uint64 {
						lbo, sbo := layout(len(m), major)
						start := at
						if !major {
							start += inside
						}
						for i := range m {
							for j := range m[i] {
								var off int
								if major || inside == 0 {
									off = at + canonical(k.bytes, width, major, lbo, sbo, i, j)
								} else { // the matrix is a part of a wider one
									off = at + canonical(k.bytes, width, major, lbo, sbo, i, j+inside/k.bytes)
								}
								if k.bytes == 2 {
									binary.LittleEndian.PutUint16(all[off:], uint16(m[i][j]))
								} else {
									all[off] = byte(m[i][j])
								}
							}
						}
						return uint64(start+sharedStart)>>4 | uint64(lbo)>>4<<16 | uint64(sbo)>>4<<32 | code[width]<<62
					}
					if tb && width > 0 && 64*2 < width {
						t.Fatal("too wide")
					}
					// mn must fill the pattern's width where mn is contiguous.
					if tb && (width/2 > n && width > 0) {
						continue
					}
					da, db := put(a, 0, ta), put(b, 16<<10, tb)
					var in [][]uint64
					for tid := range 128 {
						g, q, per := tid%32/4, tid%4, 4/k.bytes
						row := make([]uint64, 4+n/2)
						for i := range 4 * per {
							ar, ac := tid/32*16+g+i/per%2*8, q*per+i%per+i/(2*per)*4*per
							row[i/per] |= a[ar][ac] << (8 * k.bytes * (i % per))
						}
						for i := range n / 2 {
							row[4+i] = uint64(math.Float32bits(float32(c[tid/32*16+g+i/2%2*8][i/4*8+q*2+i%2])))
						}
						in = append(in, row)
					}
					var body strings.Builder
					body.WriteString(fill(32 << 10))
					for i := range 4 {
						fmt.Fprintf(&body, "ld.global.u32 %%r%d, [%%in+%d];\n", 10+i, 8*i)
					}
					var acc []string
					for i := range n / 2 {
						acc = append(acc, fmt.Sprintf("%%f%d", i))
						fmt.Fprintf(&body, "ld.global.f32 %%f%d, [%%in+%d];\n", i, 32+8*i)
					}
					body.WriteString("fence.proxy.async;\nbar.sync 0;\nwgmma.fence.sync.aligned;\nsetp.ne.b32 %p1, 1, 0;\n")
					opA, tail := "{%r10, %r11, %r12, %r13}", fmt.Sprintf(", %d", mode&1)
					if fromShared {
						opA, tail = fmt.Sprint(da), fmt.Sprintf(", %d, %d", mode&1, mode&1)
						fmt.Fprintf(&body, "mov.u64 %%d20, %d;\n", da)
						opA = "%d20"
					}
					if k.bytes == 1 {
						tail = ""
					}
					fmt.Fprintf(&body, "mov.u64 %%d21, %d;\nwgmma.mma_async.sync.aligned.m64n%dk%d.f32.%s.%s {%s}, %s, %%d21, %%p1, 1, 1%s;\n", db, n, k.k, k.name, k.name, strings.Join(acc, ", "), opA, tail)
					body.WriteString("wgmma.commit_group.sync.aligned;\nwgmma.wait_group.sync.aligned 0;\n")
					for i := range n / 2 {
						fmt.Fprintf(&body, "st.global.u64 [%%out+%d], 0;\nst.global.f32 [%%out+%d], %%f%d;\n", 8*i, 8*i, i)
					}
					want, bound := k.times(a, b, c)
					for _, timing := range []Timing{Late, Early} {
						out, _, err := rig(Options{Copies: timing}, 128, 32<<10, in, n/2, append([]byte(nil), all...), body.String())
						if err != nil {
							t.Fatalf("%s n%d swizzle %d mode %d: %v", k.name, n, width, mode, err)
						}
						for tid := range 128 {
							for i := range n / 2 {
								row, col := tid/32*16+tid%32/4+i/2%2*8, i/4*8+tid%4*2+i%2
								if got := float64(math.Float32frombits(uint32(out[tid][i]))); math.Abs(got-want[row][col]) > bound[row][col] {
									t.Fatalf("%s n%d swizzle %d mode %d: D[%d][%d] = %g, want %g ± %g", k.name, n, width, mode, row, col, got, want[row][col], bound[row][col])
								}
							}
						}
					}
				}
			}
		}
	}
}

// fill copies bytes from %all to shared memory, 16 a thread of 128.
func fill(bytes int) string {
	return fmt.Sprintf(`
	shl.b32 %%r1, %%t, 4;
FILL:
	cvt.u64.u32 %%d1, %%r1;
	add.s64 %%d1, %%d1, %%all;
	ld.global.v4.u32 {%%r2, %%r3, %%r4, %%r5}, [%%d1];
	mov.u32 %%r6, smem;
	add.u32 %%r6, %%r6, %%r1;
	st.shared.v4.u32 [%%r6], {%%r2, %%r3, %%r4, %%r5};
	add.u32 %%r1, %%r1, 2048;
	setp.lt.u32 %%p1, %%r1, %d;
	@%%p1 bra FILL;
`, bytes)
}
