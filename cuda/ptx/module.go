package ptx

import (
	"fmt"
	"slices"
	"strings"
)

// Module is a loaded text.
type Module struct {
	Target  string
	Kernels map[string]*Kernel
	held    []uint64 // its variables in global memory
}

// Kernel is a kernel, decoded.
type Kernel struct {
	Name   string
	Params int // bytes of its parameters
	Shared int // bytes of shared memory that it declares

	threads             int // at most, 0: not said
	code                []inst
	regNames, predNames []string
	regBytes            []int
	specials            []special
	garbage             []int32 // registers that nobody writes, and that only fill others up
	products            bool    // it has wgmma
	granule             int     // the smallest access to shared memory
}

// What an instruction does to the flow.
type control uint8

const (
	plainly control = iota
	branches
	exits
	waits // it may make the warp wait
)

// inst is one instruction, decoded.
type inst struct {
	run             func(w *warp, mask uint32)
	control         control
	family          Family
	negate          bool
	pred            int32 // -1: none
	target          int
	reads, preads   []int32
	writes, pwrites []int32
	packs           bool // several registers into one
	line            int
	text            string
}

// Load parses and decodes a text and takes memory for its variables.
func (m *Machine) Load(text string) (*Module, error) {
	src, err := parse(text)
	if err != nil {
		return nil, err
	}
	mod := &Module{Target: src.target, Kernels: map[string]*Kernel{}}
	symbols := map[string]symbol{}
	for _, v := range src.globals {
		switch {
		case v.space == "shared":
			symbols[v.name] = symbol{shared: true, v: v}
		default:
			at := m.Alloc(uint64(max(v.size, 1)))
			mod.held = append(mod.held, at)
			init := v.init
			if init == nil {
				init = make([]byte, v.size) // as the module is loaded
			}
			if err := m.Write(at, init); err != nil {
				return nil, err
			}
			symbols[v.name] = symbol{at: at, v: v}
		}
	}
	for _, f := range src.functions {
		k, err := decode(f, symbols)
		if err != nil {
			return nil, err
		}
		mod.Kernels[k.Name] = k
	}
	if len(mod.Kernels) == 0 {
		return nil, fmt.Errorf("ptx: no kernels: is this PTX?")
	}
	return mod, nil
}

// Unload gives the module's memory back.
func (m *Machine) Unload(mod *Module) error {
	for _, at := range mod.held {
		if err := m.Free(at); err != nil {
			return err
		}
	}
	mod.held = nil
	return nil
}

// symbol is a named address, in its own space.
type symbol struct {
	at     uint64
	shared bool
	param  bool
	v      variable
}

// decoder makes the instructions of one kernel.
type decoder struct {
	k       *Kernel
	symbols map[string]symbol
	regs    map[string]int32 // by scope and name
	preds   map[string]int32
	imms    map[uint64]*lanes
	st      *statement
	in      *inst
	parts   []string // of the opcode
	keep    uint64   // the bits of a number that the type has
	err     error
}

func decode(f *function, globals map[string]symbol) (*Kernel, error) {
	k := &Kernel{Name: f.name, Params: f.paramBytes, threads: f.threads, granule: 16}
	d := &decoder{k: k, symbols: map[string]symbol{}, regs: map[string]int32{}, preds: map[string]int32{}, imms: map[uint64]*lanes{}}
	for name, s := range globals {
		if !s.shared {
			d.symbols[name] = s
		}
	}
	for _, p := range f.params {
		d.symbols[p.name] = symbol{at: uint64(p.offset), param: true, v: p}
	}
	// Shared memory: the kernel's own, then what the module declares and it uses, then the
	// part whose size comes with the launch.
	var own, dynamic []variable
	for _, v := range f.shared {
		own = append(own, v)
	}
	for _, s := range globals {
		if s.shared && !s.v.dynamic && slices.ContainsFunc(f.body, func(st statement) bool { return strings.Contains(st.text, s.v.name) }) {
			own = append(own, s.v)
		} else if s.shared && s.v.dynamic {
			dynamic = append(dynamic, s.v)
		}
	}
	slices.SortFunc(own, func(a, b variable) int { return a.line - b.line })
	for _, v := range own {
		if v.dynamic {
			dynamic = append(dynamic, v)
			continue
		}
		k.Shared = (k.Shared + v.align - 1) &^ (v.align - 1)
		d.symbols[v.name] = symbol{at: sharedStart + uint64(k.Shared), shared: true, v: v}
		k.Shared += v.size
	}
	for _, v := range dynamic { // all at the same address
		k.Shared = (k.Shared + v.align - 1) &^ (v.align - 1)
	}
	for _, v := range dynamic {
		d.symbols[v.name] = symbol{at: sharedStart + uint64(k.Shared), shared: true, v: v}
	}
	k.code = make([]inst, len(f.body))
	for i := range f.body {
		d.st, d.in = &f.body[i], &k.code[i]
		if err := d.instruction(); err != nil {
			return nil, fmt.Errorf("ptx: %s: line %d: %s: %w", f.name, d.st.line, d.st.text, err)
		}
	}
	k.fillers()
	return k, nil
}

// fillers finds registers that no instruction writes. Compilers fill the upper half of a pair
// with one where only the lower half is ever looked at: packing it is no fault, and what it
// holds is nothing that anybody could take for a number of the kernel's.
func (k *Kernel) fillers() {
	written := map[int32]bool{}
	for i := range k.code {
		for _, r := range k.code[i].writes {
			written[r] = true
		}
	}
	for _, s := range k.specials {
		written[s.reg] = true
	}
	for i := range k.code {
		if in := &k.code[i]; in.packs {
			in.reads = slices.DeleteFunc(in.reads, func(r int32) bool {
				if !written[r] {
					k.garbage = append(k.garbage, r)
				}
				return !written[r]
			})
		}
	}
}

// entry decodes the opcodes of a first word.
type entry struct {
	family Family
	make   func(d *decoder)
}

var opcodes = map[string]entry{}

// opcode says how opcodes are decoded, by their first word.
func opcode(f Family, make func(d *decoder), names ...string) {
	for _, n := range names {
		opcodes[n] = entry{f, make}
	}
}

func (d *decoder) instruction() error {
	st, in := d.st, d.in
	*in = inst{pred: -1, negate: st.negate, line: st.line, text: st.text}
	d.parts = strings.Split(st.op, ".")
	d.err, d.keep = nil, ones(8)
	if st.pred != "" {
		p, ok := d.predicate(st.pred)
		if !ok {
			return fmt.Errorf("%s is no predicate", st.pred)
		}
		in.pred = p
	}
	e, ok := opcodes[d.parts[0]]
	if !ok {
		return fmt.Errorf("opcode %s is not known", d.parts[0])
	}
	in.family = e.family
	e.make(d)
	if d.err == nil && in.run == nil && (in.control == plainly || in.control == waits) {
		d.err = fmt.Errorf("this form of %s is not known", d.parts[0])
	}
	// A register that stands twice is checked once.
	for _, l := range []*[]int32{&in.reads, &in.preads, &in.writes, &in.pwrites} {
		slices.Sort(*l)
		*l = slices.Compact(*l)
	}
	return d.err
}
