package cuda

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"
	"regexp"
	"strconv"
	"strings"

	"github.com/seedling-lsp/seedling/cuda/driver"
)

// The interpreter of these tests: it runs the embedded PTX as a card's threads would, a
// warp at a time, the lanes with the lowest instruction first. It knows the opcodes of our
// kernels and refuses others. Asynchronous copies land as late as they may, at the wait
// that asks for them, or at once (early): each order shows faults that the other hides. It reports accesses outside of an allocation or misaligned ones,
// reads of shared memory that nobody wrote, and barriers that not all lanes reach.

type operand struct {
	reg int // -1: an immediate
	imm uint64
}

type instr struct {
	text         string
	pred         int // -1: none
	negate       bool
	run          func(w *warp, mask uint32)
	branch       int // -1: none
	ret, barrier bool
}

type kernel struct {
	code   []instr
	regs   int
	shared int
}

type fault struct{ err error }

func bad(format string, a ...any) { panic(fault{fmt.Errorf(format, a...)}) }

// Shared memory and parameters live at addresses of their own.
const (
	sharedBase = 1 << 40
	paramBase  = 1 << 41
)

type arena struct {
	at  uint64
	mem []byte
}

type machine struct {
	arenas []arena
	shared []byte
	wrote  []bool
	params []byte
	ctaid  [3]uint32
	early  bool

	instructions, loaded, stored, weights int64
}

// mem is n bytes at a.
func (m *machine) mem(a uint64, n int, write bool) []byte {
	if a%uint64(n) != 0 {
		bad("%d bytes at %#x: misaligned", n, a)
	}
	if a >= paramBase {
		if off := a - paramBase; off+uint64(n) <= uint64(len(m.params)) && !write {
			return m.params[off : off+uint64(n)]
		}
		bad("%d bytes at parameter %d of %d", n, a-paramBase, len(m.params))
	}
	if a >= sharedBase {
		off := a - sharedBase
		if off+uint64(n) > uint64(len(m.shared)) {
			bad("%d bytes at %d of shared memory, which is %d", n, off, len(m.shared))
		}
		for i := range n {
			if write {
				m.wrote[off+uint64(i)] = true
			} else if !m.wrote[off+uint64(i)] {
				bad("read of shared memory at %d, which nobody wrote", off)
			}
		}
		return m.shared[off : off+uint64(n)]
	}
	for _, r := range m.arenas {
		if a >= r.at && a+uint64(n) <= r.at+uint64(len(r.mem)) {
			if write {
				m.stored += int64(n)
			} else {
				m.loaded += int64(n)
			}
			return r.mem[a-r.at : a-r.at+uint64(n)]
		}
	}
	bad("%d bytes at %#x are not allocated", n, a)
	return nil
}

type copying struct{ dst, src uint64 }

type warp struct {
	m      *machine
	reg    [][32]uint64
	pc     [32]int
	live   uint32
	tid    uint32
	groups [32][][]copying // of each lane; the last is open
	waits  bool
}

func (o operand) get(w *warp, l int) uint64 {
	if o.reg < 0 {
		return o.imm
	}
	return w.reg[o.reg][l]
}

func f32(v uint64) float32  { return math.Float32frombits(uint32(v)) }
func u32(f float32) uint64  { return uint64(math.Float32bits(f)) }
func truth(b bool) uint64   { return map[bool]uint64{true: 1}[b] }
func wide(b uint16) float32 { return math.Float32frombits(uint32(b) << 16) }

var splitter = regexp.MustCompile(`\{[^}]*\}|\[[^\]]*\]|[^,\s][^,]*`)

func parse(src string) map[string]*kernel {
	out := map[string]*kernel{}
	symbols := map[string]uint64{}
	var k *kernel
	var name string
	var regs map[string]int
	var labels map[string]int
	var targets map[int]string
	op := func(s string) operand {
		s = strings.TrimSpace(s)
		if strings.HasPrefix(s, "%") && !strings.Contains(s, ".") {
			i, ok := regs[s]
			if !ok {
				i = len(regs)
				regs[s] = i
			}
			return operand{reg: i}
		}
		if h, ok := strings.CutPrefix(s, "0f"); ok {
			v, _ := strconv.ParseUint(h, 16, 32)
			return operand{-1, v}
		}
		if v, err := strconv.ParseInt(s, 0, 64); err == nil {
			return operand{-1, uint64(v)}
		}
		if v, err := strconv.ParseUint(s, 0, 64); err == nil {
			return operand{-1, v}
		}
		if v, ok := symbols[s]; ok {
			return operand{-1, v}
		}
		bad("operand %q", s)
		return operand{}
	}
	for line := range strings.Lines(src) {
		line = strings.TrimSpace(line)
		switch {
		case line == "" || strings.HasPrefix(line, "//") || line == ")" || strings.HasPrefix(line, ".pragma"), strings.HasPrefix(line, ".reg"),
			strings.HasPrefix(line, ".global"), strings.HasPrefix(line, ".maxntid"), strings.HasPrefix(line, ".version"), strings.HasPrefix(line, ".target"), strings.HasPrefix(line, ".address"), line == "{":
		case strings.HasPrefix(line, ".visible .entry"):
			name = strings.TrimSuffix(strings.Fields(line)[2], "(")
			k = &kernel{}
			regs, labels, targets = map[string]int{}, map[string]int{}, map[int]string{}
		case strings.HasPrefix(line, ".param"):
			symbols[name+"_param_0"] = paramBase
		case strings.HasPrefix(line, ".shared"):
			f := strings.Fields(line)
			sym, n, ok := strings.Cut(strings.TrimSuffix(strings.TrimSuffix(f[len(f)-1], ";"), "]"), "[")
			size, _ := strconv.Atoi(n)
			if !ok {
				size = 4
			}
			align, _ := strconv.Atoi(f[2])
			k.shared = (k.shared + align - 1) / align * align
			symbols[sym] = sharedBase + uint64(k.shared)
			k.shared += size
		case line == "}":
			for i, l := range targets {
				k.code[i].branch = labels[l]
			}
			k.regs = len(regs)
			out[name] = k
		case strings.HasSuffix(line, ":"):
			labels[strings.TrimSuffix(line, ":")] = len(k.code)
		default:
			in := instr{text: name + ": " + line, pred: -1, branch: -1}
			line = strings.TrimSuffix(line, ";")
			if strings.HasPrefix(line, "@") {
				p, rest, _ := strings.Cut(line[1:], " ")
				line = strings.TrimSpace(rest)
				if p[0] == '!' {
					in.negate, p = true, p[1:]
				}
				in.pred = op(p).reg
			}
			code, rest, _ := strings.Cut(strings.ReplaceAll(line, "\t", " "), " ")
			parts := strings.Split(code, ".")
			switch parts[0] {
			case "bra":
				targets[len(k.code)] = strings.TrimSpace(rest)
			case "ret":
				in.ret = true
			case "bar":
				in.barrier = true
			case "membar":
				in.run = func(*warp, uint32) {}
			default:
				in.run = compile(code, parts, splitter.FindAllString(rest, -1), op)
			}
			k.code = append(k.code, in)
		}
	}
	return out
}

// compile makes one instruction; args are its operands as text.
func compile(code string, parts, args []string, op func(string) operand) func(*warp, uint32) {
	list := func(s string) (out []operand) {
		for _, x := range strings.Split(strings.Trim(s, "{}"), ",") {
			out = append(out, op(x))
		}
		return
	}
	addr := func(s string) (operand, uint64) {
		base, off, _ := strings.Cut(strings.Trim(s, "[]"), "+")
		v, _ := strconv.ParseInt(off, 0, 64)
		return op(base), uint64(v)
	}
	lanes := func(f func(w *warp, l int)) func(*warp, uint32) {
		return func(w *warp, mask uint32) {
			for ; mask != 0; mask &= mask - 1 {
				f(w, bits.TrailingZeros32(mask))
			}
		}
	}
	typ := parts[len(parts)-1]
	size := map[string]int{"u16": 2, "s16": 2, "b16": 2, "u32": 4, "s32": 4, "f32": 4, "b32": 4, "u64": 8, "s64": 8, "b64": 8}[typ]
	trim := func(v uint64) uint64 {
		if size == 4 {
			return uint64(uint32(v))
		} else if size == 2 {
			return uint64(uint16(v))
		}
		return v
	}
	signed := func(v uint64) int64 {
		if size == 4 {
			return int64(int32(v))
		} else if size == 2 {
			return int64(int16(v))
		}
		return int64(v)
	}
	binary2 := func(f func(a, b uint64) uint64) func(*warp, uint32) {
		d, a, b := op(args[0]), op(args[1]), op(args[2])
		return lanes(func(w *warp, l int) { w.reg[d.reg][l] = trim(f(a.get(w, l), b.get(w, l))) })
	}
	isSigned, isFloat := typ[0] == 's', typ == "f32"
	floats := func(f func(a, b float32) float32) func(*warp, uint32) {
		return binary2(func(a, b uint64) uint64 { return u32(f(f32(a), f32(b))) })
	}
	unary := func(f func(a uint64) uint64) func(*warp, uint32) {
		d, a := op(args[0]), op(args[1])
		return lanes(func(w *warp, l int) { w.reg[d.reg][l] = f(a.get(w, l)) })
	}
	switch parts[0] {
	case "mov":
		if strings.HasPrefix(args[1], "{") {
			d, s := op(args[0]), list(args[1])
			half := size * 8 / len(s)
			return lanes(func(w *warp, l int) {
				v := uint64(0)
				for i, o := range s {
					v |= (o.get(w, l) & (1<<half - 1)) << (i * half)
				}
				w.reg[d.reg][l] = v
			})
		}
		if d := op(args[0]); strings.HasPrefix(args[1], "%") && strings.Contains(args[1], ".") {
			which := args[1]
			return lanes(func(w *warp, l int) {
				switch which {
				case "%tid.x":
					w.reg[d.reg][l] = uint64(w.tid) + uint64(l)
				case "%ctaid.x", "%ctaid.y", "%ctaid.z":
					w.reg[d.reg][l] = uint64(w.m.ctaid[which[7]-'x'])
				default:
					bad("register %s", which)
				}
			})
		}
		if typ == "pred" {
			return unary(func(a uint64) uint64 { return a & 1 })
		}
		return unary(trim)
	case "cvta":
		return unary(func(a uint64) uint64 { return a })
	case "cvt":
		from := typ
		switch to := parts[len(parts)-2]; {
		case to == "e4m3x2":
			return binary2(func(a, b uint64) uint64 { return uint64(e4m3(f32(a)))<<8 | uint64(e4m3(f32(b))) })
		case to == "bf16x2":
			return binary2(func(a, b uint64) uint64 { return uint64(bf16(f32(a)))<<16 | uint64(bf16(f32(b))) })
		case to == "f32" && from == "s32":
			return unary(func(a uint64) uint64 { return u32(float32(int32(a))) })
		case to == "u64" && from == "u32", to == "u32" && from == "u64":
			return unary(func(a uint64) uint64 { return uint64(uint32(a)) })
		case to == "s64" && from == "s32":
			return unary(func(a uint64) uint64 { return uint64(int64(int32(a))) })
		case to == "u16" && from == "u32":
			return unary(func(a uint64) uint64 { return uint64(uint16(a)) })
		}
	case "add":
		if isFloat {
			return floats(func(a, b float32) float32 { return a + b })
		}
		return binary2(func(a, b uint64) uint64 { return a + b })
	case "sub":
		if isFloat {
			return floats(func(a, b float32) float32 { return a - b })
		}
		return binary2(func(a, b uint64) uint64 { return a - b })
	case "mul":
		switch parts[1] {
		case "f32":
			return floats(func(a, b float32) float32 { return a * b })
		case "lo":
			return binary2(func(a, b uint64) uint64 { return a * b })
		case "hi":
			return binary2(func(a, b uint64) uint64 { return uint64(int64(int32(a)) * int64(int32(b)) >> 32) })
		case "wide":
			d, a, b := op(args[0]), op(args[1]), op(args[2])
			return lanes(func(w *warp, l int) {
				x, y := a.get(w, l), b.get(w, l)
				if isSigned {
					w.reg[d.reg][l] = uint64(signed(x) * signed(y))
				} else {
					w.reg[d.reg][l] = trim(x) * trim(y)
				}
			})
		}
	case "div", "rem":
		if isFloat {
			return floats(func(a, b float32) float32 { return a / b })
		}
		rem := parts[0] == "rem"
		return binary2(func(a, b uint64) uint64 {
			if trim(b) == 0 {
				bad("division by zero")
			}
			switch {
			case isSigned && rem:
				return uint64(signed(a) % signed(b))
			case isSigned:
				return uint64(signed(a) / signed(b))
			case rem:
				return trim(a) % trim(b)
			}
			return trim(a) / trim(b)
		})
	case "min", "max":
		most := parts[0] == "max"
		if isFloat {
			return floats(func(a, b float32) float32 {
				if a > b == most {
					return a
				}
				return b
			})
		}
		return binary2(func(a, b uint64) uint64 {
			if less := isSigned && signed(a) < signed(b) || !isSigned && trim(a) < trim(b); less != most {
				return a
			}
			return b
		})
	case "and":
		return binary2(func(a, b uint64) uint64 { return a & b })
	case "or":
		return binary2(func(a, b uint64) uint64 { return a | b })
	case "xor":
		return binary2(func(a, b uint64) uint64 { return a ^ b })
	case "not":
		return unary(func(a uint64) uint64 { return ^a & 1 })
	case "shl":
		return binary2(func(a, b uint64) uint64 { return a << uint32(b) })
	case "shr":
		return binary2(func(a, b uint64) uint64 {
			if isSigned {
				return uint64(signed(a) >> uint32(b))
			}
			return trim(a) >> uint32(b)
		})
	case "bfi":
		d, a, b, c, n := op(args[0]), op(args[1]), op(args[2]), op(args[3]), op(args[4])
		return lanes(func(w *warp, l int) {
			at := c.get(w, l)
			m := uint64(uint32((uint64(1)<<n.get(w, l) - 1) << at))
			w.reg[d.reg][l] = b.get(w, l)&^m | a.get(w, l)<<at&m
		})
	case "mad", "fma":
		d, a, b, c := op(args[0]), op(args[1]), op(args[2]), op(args[3])
		return lanes(func(w *warp, l int) {
			x, y, z := a.get(w, l), b.get(w, l), c.get(w, l)
			if isFloat {
				w.reg[d.reg][l] = u32(float32(math.FMA(float64(f32(x)), float64(f32(y)), float64(f32(z)))))
			} else {
				w.reg[d.reg][l] = trim(x*y + z)
			}
		})
	case "ex2":
		return unary(func(a uint64) uint64 { return u32(float32(math.Exp2(float64(f32(a))))) })
	case "rsqrt":
		return unary(func(a uint64) uint64 { return u32(float32(1 / math.Sqrt(float64(f32(a))))) })
	case "rcp":
		return unary(func(a uint64) uint64 { return u32(1 / f32(a)) })
	case "selp":
		d, a, b, p := op(args[0]), op(args[1]), op(args[2]), op(args[3])
		return lanes(func(w *warp, l int) {
			if p.get(w, l) != 0 {
				w.reg[d.reg][l] = trim(a.get(w, l))
			} else {
				w.reg[d.reg][l] = trim(b.get(w, l))
			}
		})
	case "setp":
		d, a, b, rel := op(args[0]), op(args[1]), op(args[2]), parts[1]
		return lanes(func(w *warp, l int) {
			x, y := a.get(w, l), b.get(w, l)
			var less, equal bool
			switch {
			case isFloat:
				less, equal = f32(x) < f32(y), f32(x) == f32(y)
			case isSigned:
				less, equal = signed(x) < signed(y), trim(x) == trim(y)
			default:
				less, equal = trim(x) < trim(y), trim(x) == trim(y)
			}
			if isFloat && (f32(x) != f32(x) || f32(y) != f32(y)) {
				bad("%s compares NaN", code)
			}
			w.reg[d.reg][l] = truth(map[string]bool{"lt": less, "le": less || equal, "gt": !less && !equal, "ge": !less, "eq": equal, "ne": !equal, "neu": !equal}[rel])
		})
	case "ld", "st":
		store := parts[0] == "st"
		regs, where := args[0], args[1]
		if store {
			regs, where = where, regs
		}
		r := list(regs)
		base, off := addr(where)
		n := size * len(r)
		return lanes(func(w *warp, l int) {
			b := w.m.mem(base.get(w, l)+off, n, store)
			for i, o := range r {
				p := b[i*size:]
				switch {
				case store && size == 2:
					binary.LittleEndian.PutUint16(p, uint16(o.get(w, l)))
				case store && size == 4:
					binary.LittleEndian.PutUint32(p, uint32(o.get(w, l)))
				case store:
					binary.LittleEndian.PutUint64(p, o.get(w, l))
				case size == 2:
					w.reg[o.reg][l] = uint64(binary.LittleEndian.Uint16(p))
				case size == 4 && isSigned:
					w.reg[o.reg][l] = uint64(int64(int32(binary.LittleEndian.Uint32(p))))
				case size == 4:
					w.reg[o.reg][l] = uint64(binary.LittleEndian.Uint32(p))
				default:
					w.reg[o.reg][l] = binary.LittleEndian.Uint64(p)
				}
			}
		})
	case "red":
		v := op(args[1])
		base, off := addr(args[0])
		return lanes(func(w *warp, l int) {
			b := w.m.mem(base.get(w, l)+off, 4, true)
			binary.LittleEndian.PutUint32(b, binary.LittleEndian.Uint32(b)+uint32(v.get(w, l)))
		})
	case "vote":
		d, a := op(args[0]), op(args[1])
		return func(w *warp, mask uint32) {
			any := uint64(0)
			for l := range 32 {
				any |= a.get(w, l) & 1
			}
			for l := range 32 {
				w.reg[d.reg][l] = any
			}
		}
	case "abs":
		return unary(func(a uint64) uint64 { return a & 0x7fffffff })
	case "atom":
		d, v := op(args[0]), op(args[2])
		base, off := addr(args[1])
		return lanes(func(w *warp, l int) {
			b := w.m.mem(base.get(w, l)+off, 4, true)
			old := binary.LittleEndian.Uint32(b)
			binary.LittleEndian.PutUint32(b, old+uint32(v.get(w, l)))
			w.reg[d.reg][l] = uint64(old)
		})
	case "shfl":
		to, _, _ := strings.Cut(args[0], "|")
		d, a, b := op(to), op(args[1]), op(args[2])
		return func(w *warp, mask uint32) {
			if mask != ^uint32(0) {
				bad("shuffle of lanes %#x, all are named", mask)
			}
			old := [32]uint64{}
			for l := range 32 {
				old[l] = a.get(w, l)
			}
			for l := range 32 {
				w.reg[d.reg][l] = old[l^int(b.get(w, l))]
			}
		}
	case "cp":
		switch parts[2] {
		case "cg":
			dst, doff := addr(args[0])
			src, soff := addr(args[1])
			return lanes(func(w *warp, l int) {
				if w.m.early {
					copy(w.m.mem(sharedBase|(dst.get(w, l)+doff), 16, true), w.m.mem(src.get(w, l)+soff, 16, false))
					return
				}
				g := &w.groups[l]
				if len(*g) == 0 {
					*g = [][]copying{nil}
				}
				(*g)[len(*g)-1] = append((*g)[len(*g)-1], copying{dst.get(w, l) + doff, src.get(w, l) + soff})
			})
		case "commit_group":
			return lanes(func(w *warp, l int) {
				if len(w.groups[l]) == 0 {
					w.groups[l] = [][]copying{nil}
				}
				w.groups[l] = append(w.groups[l], nil)
			})
		case "wait_group":
			n := int(op(args[0]).imm)
			return lanes(func(w *warp, l int) {
				for len(w.groups[l])-1 > n {
					for _, c := range w.groups[l][0] {
						copy(w.m.mem(sharedBase|c.dst, 16, true), w.m.mem(c.src, 16, false))
					}
					w.groups[l] = w.groups[l][1:]
				}
			})
		}
	case "ldmatrix":
		d := list(args[0])
		base, off := addr(args[1])
		trans := strings.Contains(code, ".trans.")
		return func(w *warp, mask uint32) {
			if mask != ^uint32(0) {
				bad("ldmatrix of lanes %#x", mask)
			}
			var row [32][]byte
			for l := range 32 {
				row[l] = w.m.mem(sharedBase|base.get(w, l)+off, 16, false)
			}
			for i, o := range d {
				for l := range 32 {
					el := func(r, c int) uint64 { return uint64(binary.LittleEndian.Uint16(row[i*8+r][c*2:])) }
					if trans {
						w.reg[o.reg][l] = el(l%4*2, l/4) | el(l%4*2+1, l/4)<<16
					} else {
						w.reg[o.reg][l] = el(l/4, l%4*2) | el(l/4, l%4*2+1)<<16
					}
				}
			}
		}
	case "mma":
		d, a, b, c := list(args[0]), list(args[1]), list(args[2]), list(args[3])
		if strings.Contains(code, "e4m3") {
			return func(w *warp, mask uint32) {
				var am [16][32]float32
				var bm [32][8]float32
				for l := range 32 {
					g, t := l/4, l%4*4
					for i, at := range [4][2]int{{g, t}, {g + 8, t}, {g, t + 16}, {g + 8, t + 16}} {
						for e := range 4 {
							am[at[0]][at[1]+e] = e4m3Value(byte(a[i].get(w, l) >> (8 * e)))
						}
					}
					for i := range 2 {
						for e := range 4 {
							bm[t+i*16+e][g] = e4m3Value(byte(b[i].get(w, l) >> (8 * e)))
						}
					}
				}
				for l := range 32 {
					for i := range 4 {
						r, col := l/4+i/2*8, l%4*2+i%2
						s := f32(c[i].get(w, l))
						for k := range 32 {
							s += am[r][k] * bm[k][col]
						}
						w.reg[d[i].reg][l] = u32(s)
					}
				}
			}
		}
		return func(w *warp, mask uint32) {
			if mask != ^uint32(0) {
				bad("mma of lanes %#x", mask)
			}
			var am [16][16]float32
			var bm [16][8]float32
			var acc [16][8]float32
			for l := range 32 {
				g, t := l/4, l%4*2
				for i, at := range [4][2]int{{g, t}, {g + 8, t}, {g, t + 8}, {g + 8, t + 8}} {
					v := a[i].get(w, l)
					am[at[0]][at[1]], am[at[0]][at[1]+1] = wide(uint16(v)), wide(uint16(v>>16))
				}
				for i := range 2 {
					v := b[i].get(w, l)
					bm[t+i*8][g], bm[t+i*8+1][g] = wide(uint16(v)), wide(uint16(v>>16))
				}
				for i := range 4 {
					acc[g+i/2*8][t+i%2] = f32(c[i].get(w, l))
				}
			}
			for i := range 16 {
				for j := range 8 {
					s := acc[i][j]
					for k := range 16 {
						s += am[i][k] * bm[k][j]
					}
					acc[i][j] = s
				}
			}
			for l := range 32 {
				for i := range 4 {
					w.reg[d[i].reg][l] = u32(acc[l/4+i/2*8][l%4*2+i%2])
				}
			}
		}
	}
	bad("opcode %s", code)
	return nil
}

// run goes on until the warp ends or waits at a barrier.
func (w *warp) run(k *kernel) {
	w.waits = false
	for w.live != 0 {
		pc := math.MaxInt
		var mask uint32
		for m := w.live; m != 0; m &= m - 1 {
			l := bits.TrailingZeros32(m)
			if w.pc[l] < pc {
				pc, mask = w.pc[l], 0
			}
			if w.pc[l] == pc {
				mask |= 1 << l
			}
		}
		in := &k.code[pc]
		w.m.instructions++
		for m := mask; m != 0; m &= m - 1 {
			w.pc[bits.TrailingZeros32(m)]++
		}
		if in.pred >= 0 {
			for m := mask; m != 0; m &= m - 1 {
				if l := bits.TrailingZeros32(m); w.reg[in.pred][l]&1 != 0 == in.negate {
					mask &^= 1 << l
				}
			}
		}
		switch {
		case in.ret:
			w.live &^= mask
		case in.branch >= 0:
			for m := mask; m != 0; m &= m - 1 {
				w.pc[bits.TrailingZeros32(m)] = in.branch
			}
		case in.barrier:
			if mask != w.live {
				bad("%s: lanes %#x of %#x", in.text, mask, w.live)
			}
			w.waits = true
			return
		default:
			func() {
				defer func() {
					if r := recover(); r != nil {
						if f, ok := r.(fault); ok {
							bad("%s: %w", in.text, f.err)
						}
						panic(r)
					}
				}()
				in.run(w, mask)
			}()
		}
	}
}

// interpreter is a driver that runs our PTX.
type interpreter struct {
	driver.Memory
	m       machine
	kernels map[string]*kernel
	names   []string
	next    uint64
	launch  map[string]int
}

func newInterpreter() *interpreter {
	return &interpreter{next: 1 << 32, launch: map[string]int{}}
}

func (i *interpreter) Device() driver.Device {
	return driver.Device{Name: "interpreter", Major: 8, SMs: 2, Free: 1 << 30, Total: 1 << 30}
}

func catch(err *error) {
	if r := recover(); r != nil {
		f, ok := r.(fault)
		if !ok {
			panic(r)
		}
		*err = f.err
	}
}

func (i *interpreter) Load(image []byte) (m driver.Module, err error) {
	defer catch(&err)
	i.kernels = parse(string(image))
	return 1, nil
}

func (i *interpreter) Function(_ driver.Module, name string) (driver.Function, error) {
	if i.kernels[name] == nil {
		return 0, fmt.Errorf("no kernel %s", name)
	}
	i.names = append(i.names, name)
	return driver.Function(len(i.names)), nil
}

func (i *interpreter) Alloc(n uint64) (driver.Ptr, error) {
	a := arena{i.next, make([]byte, n)}
	for j := range a.mem {
		a.mem[j] = 0xff // NaN in every format: what is read unwritten is seen
	}
	i.next += n + 4096&^255
	i.m.arenas = append(i.m.arenas, a)
	i.next = (i.next + 255) &^ 255
	return driver.Ptr(a.at), nil
}

func (i *interpreter) Free(driver.Ptr) error { return nil }

func (i *interpreter) at(p driver.Ptr, n int) (b []byte) {
	for _, r := range i.m.arenas {
		if a := uint64(p); a >= r.at && a+uint64(n) <= r.at+uint64(len(r.mem)) {
			return r.mem[a-r.at : a-r.at+uint64(n)]
		}
	}
	bad("%d bytes at %#x are not allocated", n, p)
	return nil
}

func (i *interpreter) Write(to driver.Ptr, b []byte) (err error) {
	defer catch(&err)
	copy(i.at(to, len(b)), b)
	return nil
}

func (i *interpreter) Read(from driver.Ptr, b []byte) (err error) {
	defer catch(&err)
	copy(b, i.at(from, len(b)))
	return nil
}

func (i *interpreter) Copy(to, from driver.Ptr, n uint64) (err error) {
	defer catch(&err)
	copy(i.at(to, int(n)), i.at(from, int(n)))
	return nil
}

func (i *interpreter) Fill(to driver.Ptr, v uint32, n uint64) (err error) {
	defer catch(&err)
	b := i.at(to, int(4*n))
	for j := 0; j < len(b); j += 4 {
		binary.LittleEndian.PutUint32(b[j:], v)
	}
	return nil
}

func (i *interpreter) Launch(f driver.Function, grid, block [3]int, params []byte) (err error) {
	defer catch(&err)
	name := i.names[f-1]
	i.launch[name]++
	k, m := i.kernels[name], &i.m
	m.params = params
	for z := range grid[2] {
		for y := range grid[1] {
			for x := range grid[0] {
				m.ctaid = [3]uint32{uint32(x), uint32(y), uint32(z)}
				m.shared, m.wrote = make([]byte, k.shared), make([]bool, k.shared)
				warps := make([]*warp, block[0]/32)
				for w := range warps {
					warps[w] = &warp{m: m, reg: make([][32]uint64, k.regs), live: ^uint32(0), tid: uint32(w * 32)}
				}
				for busy := true; busy; {
					busy = false
					waiting, ended := 0, 0
					for _, w := range warps {
						w.run(k)
						if w.waits {
							waiting++
							busy = true
						} else {
							ended++
						}
					}
					if waiting > 0 && ended > 0 {
						bad("%s: %d warps at a barrier that %d never reach", name, waiting, ended)
					}
				}
			}
		}
	}
	return nil
}
