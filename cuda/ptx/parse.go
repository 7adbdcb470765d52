package ptx

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// module is what a text declares.
type source struct {
	target    string
	functions []*function
	globals   []variable
}

// variable is a declared piece of memory: of a parameter list, a block's shared memory or the
// module.
type variable struct {
	space, name  string
	align, size  int
	init         []byte
	line, offset int
	dynamic      bool // extern: its size comes with the launch
}

// statement is one instruction as written. Registers and labels are resolved by its scope.
type statement struct {
	line   int
	text   string
	pred   string
	negate bool
	op     string
	args   []string
	scope  *scope
}

// scope is a block in braces: inline assembly brings its own registers and labels.
type scope struct {
	up     *scope
	ranges map[string]regType // %r<10> declares %r0 to %r9
	names  map[string]regType
	labels map[string]int
	id     int
}

type regType struct {
	pred  bool
	size  int
	count int
	scope int
}

type function struct {
	name       string
	line       int
	params     []variable
	paramBytes int
	shared     []variable
	body       []statement
	threads    int // .maxntid, 0 if not said
}

// scanner walks over the text; its errors carry the line.
type scanner struct {
	src  string
	at   int
	line int
}

func (s *scanner) skip() {
	for s.at < len(s.src) {
		switch c := s.src[s.at]; {
		case c == '\n':
			s.line++
			s.at++
		case c == ' ' || c == '\t' || c == '\r':
			s.at++
		case strings.HasPrefix(s.src[s.at:], "//"):
			for s.at < len(s.src) && s.src[s.at] != '\n' {
				s.at++
			}
		case strings.HasPrefix(s.src[s.at:], "/*"):
			end := strings.Index(s.src[s.at+2:], "*/")
			if end < 0 {
				s.at = len(s.src)
				return
			}
			s.line += strings.Count(s.src[s.at:s.at+end+4], "\n")
			s.at += end + 4
		default:
			return
		}
	}
}

// until returns the text up to one of the characters, comments taken out, and the character.
func (s *scanner) until(stop string) (string, byte) {
	var b strings.Builder
	for s.at < len(s.src) {
		c := s.src[s.at]
		if strings.IndexByte(stop, c) >= 0 {
			if c == ':' && (strings.HasPrefix(s.src[s.at:], "::") || !plain(b.String())) { // shared::cta
				b.WriteString("::"[:1])
				s.at++
				if s.at < len(s.src) && s.src[s.at] == ':' {
					b.WriteByte(':')
					s.at++
				}
				continue
			}
			s.at++
			if c == '\n' {
				s.line++
			}
			return strings.TrimSpace(b.String()), c
		}
		if c == '/' && (strings.HasPrefix(s.src[s.at:], "//") || strings.HasPrefix(s.src[s.at:], "/*")) {
			s.skip()
			b.WriteByte(' ')
			continue
		}
		if c == '\n' {
			s.line++
			c = ' '
		}
		b.WriteByte(c)
		s.at++
	}
	return strings.TrimSpace(b.String()), 0
}

// plain says whether s is one word, as a label is.
func plain(s string) bool {
	return s != "" && !strings.ContainsAny(s, " \t.@{[(,")
}

func parse(src string) (*source, error) {
	s := &scanner{src: strings.TrimRight(src, "\x00"), line: 1}
	m := &source{}
	for {
		s.skip()
		if s.at >= len(s.src) {
			return m, nil
		}
		line := s.line
		rest := s.src[s.at:]
		switch {
		case strings.HasPrefix(rest, ".version"), strings.HasPrefix(rest, ".address_size"), strings.HasPrefix(rest, ".file"):
			s.until("\n")
		case strings.HasPrefix(rest, ".target"):
			t, _ := s.until("\n")
			m.target = strings.TrimSpace(strings.TrimPrefix(t, ".target"))
		default:
			head, c := s.until(";{")
			switch {
			case c == '{' && strings.Contains(head, ".entry"):
				f, err := s.function(head, line)
				if err != nil {
					return nil, err
				}
				m.functions = append(m.functions, f)
			case c == '{' && strings.Contains(head, "="): // an initialiser
				list, _ := s.until("}")
				s.until(";")
				v, err := declare(head+"{"+list+"}", line)
				if err != nil {
					return nil, err
				}
				m.globals = append(m.globals, v)
			case c == ';' && strings.HasPrefix(head, "."):
				v, err := declare(head, line)
				if err != nil {
					return nil, err
				}
				m.globals = append(m.globals, v)
			default:
				return nil, fmt.Errorf("ptx: line %d: %q: only kernels and variables are known here", line, shorten(head))
			}
		}
	}
}

func shorten(s string) string {
	if len(s) > 80 {
		return s[:80] + "…"
	}
	return s
}

// typeSizes are the bytes of the fundamental types.
var typeSizes = map[string]int{"u8": 1, "s8": 1, "b8": 1, "u16": 2, "s16": 2, "b16": 2, "f16": 2, "bf16": 2, "u32": 4, "s32": 4, "b32": 4, "f32": 4,
	"f16x2": 4, "bf16x2": 4, "u64": 8, "s64": 8, "b64": 8, "f64": 8, "b128": 16}

// declare reads ".shared .align 16 .b8 name[64]", with "= {…}" or "= 3" behind it.
func declare(text string, line int) (variable, error) {
	text, init, has := strings.Cut(text, "=")
	v := variable{line: line, align: 1}
	size := 0
	words := strings.Fields(text)
	for i := 0; i < len(words); i++ {
		switch w := words[i]; {
		case w == ".visible" || w == ".weak" || w == ".common" || w == ".ptr":
		case w == ".extern":
			v.dynamic = true
		case w == ".align" && i+1 < len(words):
			i++
			v.align, _ = strconv.Atoi(words[i])
		case w == ".param" || w == ".shared" || w == ".global" || w == ".const":
			if v.space == "" {
				v.space = w[1:]
			}
		case w == ".local":
			return v, fmt.Errorf("ptx: line %d: local memory is not known (a kernel that spills)", line)
		case w[0] == '.' && typeSizes[w[1:]] > 0:
			size = typeSizes[w[1:]]
		case w[0] == '.':
			return v, fmt.Errorf("ptx: line %d: %s is not known", line, w)
		default:
			v.name = w
		}
	}
	name, dims, _ := strings.Cut(v.name, "[")
	v.name = name
	v.size = size
	v.align = max(v.align, size)
	if dims != "" {
		d := strings.TrimSuffix(dims, "]")
		n, err := strconv.Atoi(d)
		if d != "" && (err != nil || n < 0) {
			return v, fmt.Errorf("ptx: line %d: size %q", line, d)
		}
		v.dynamic = d == ""
		v.size = size * n
	} else {
		v.dynamic = false
	}
	if v.space == "" || v.name == "" || size == 0 || v.align&(v.align-1) != 0 {
		return v, fmt.Errorf("ptx: line %d: declaration %q", line, shorten(text))
	}
	if has {
		v.init = make([]byte, v.size)
		for i, x := range strings.Split(strings.Trim(strings.TrimSpace(init), "{}"), ",") {
			n, err := number(strings.TrimSpace(x))
			if err != nil || (i+1)*size > v.size {
				return v, fmt.Errorf("ptx: line %d: initial value %q", line, x)
			}
			for j := range size {
				v.init[i*size+j] = byte(n >> (8 * j))
			}
		}
	}
	return v, nil
}

// number reads an integer or the bits of a float (0f3F800000, 0d…, or 1.0 for fp32).
func number(s string) (uint64, error) {
	if h, ok := strings.CutPrefix(s, "0f"); ok && len(h) == 8 {
		return strconv.ParseUint(h, 16, 32)
	}
	if h, ok := strings.CutPrefix(s, "0F"); ok && len(h) == 8 {
		return strconv.ParseUint(h, 16, 32)
	}
	if h, ok := strings.CutPrefix(s, "0d"); ok && len(h) == 16 {
		return strconv.ParseUint(h, 16, 64)
	}
	s = strings.TrimSuffix(s, "U")
	if v, err := strconv.ParseInt(s, 0, 64); err == nil {
		return uint64(v), nil
	}
	if v, err := strconv.ParseUint(s, 0, 64); err == nil {
		return v, nil
	}
	f, err := strconv.ParseFloat(s, 32)
	if err != nil || !strings.Contains(s, ".") {
		return 0, fmt.Errorf("number %q", s)
	}
	return uint64(math.Float32bits(float32(f))), nil
}

// function reads a kernel's body; head is everything before its brace.
func (s *scanner) function(head string, line int) (*function, error) {
	f := &function{line: line}
	_, rest, _ := strings.Cut(head, ".entry")
	name, rest, _ := strings.Cut(rest, "(")
	f.name = strings.TrimSpace(name)
	params, tail, _ := strings.Cut(rest, ")")
	for p := range strings.SplitSeq(params, ",") {
		if strings.TrimSpace(p) == "" {
			continue
		}
		v, err := declare(p, line)
		if err != nil {
			return nil, err
		}
		f.paramBytes = (f.paramBytes + v.align - 1) &^ (v.align - 1)
		v.offset = f.paramBytes
		f.paramBytes += v.size
		f.params = append(f.params, v)
	}
	if _, t, ok := strings.Cut(tail, ".maxntid"); ok {
		f.threads = 1
		for n := range strings.SplitSeq(strings.Fields(strings.ReplaceAll(t, ", ", ","))[0], ",") {
			if v, err := strconv.Atoi(n); err == nil {
				f.threads *= v
			}
		}
	}
	ids := 0
	open := func(up *scope) *scope {
		ids++
		return &scope{up: up, ranges: map[string]regType{}, names: map[string]regType{}, labels: map[string]int{}, id: ids}
	}
	sc := open(nil)
	for {
		s.skip()
		if s.at >= len(s.src) {
			return nil, fmt.Errorf("ptx: line %d: %s has no end", line, f.name)
		}
		switch s.src[s.at] {
		case '{':
			s.at++
			sc = open(sc)
			continue
		case '}':
			s.at++
			if sc = sc.up; sc == nil {
				return f, nil
			}
			continue
		}
		at := s.line
		text, end := s.until(";:")
		switch {
		case end == 0:
			return nil, fmt.Errorf("ptx: line %d: %q has no end", at, shorten(text))
		case text == "":
		case end == ':':
			if _, ok := sc.labels[text]; ok {
				return nil, fmt.Errorf("ptx: line %d: label %s stands twice", at, text)
			}
			sc.labels[text] = len(f.body)
		case strings.HasPrefix(text, ".reg"):
			if err := sc.registers(text, at); err != nil {
				return nil, err
			}
		case strings.HasPrefix(text, ".pragma"), strings.HasPrefix(text, ".loc"):
		case text[0] == '.':
			v, err := declare(text, at)
			if err != nil {
				return nil, err
			}
			if v.space != "shared" {
				return nil, fmt.Errorf("ptx: line %d: %q inside of a kernel", at, shorten(text))
			}
			f.shared = append(f.shared, v)
		default:
			f.body = append(f.body, split(text, at, sc))
		}
	}
}

// registers reads ".reg .b32 %r<10>, a".
func (sc *scope) registers(text string, line int) error {
	words := strings.Fields(strings.ReplaceAll(text, ",", " "))
	if len(words) < 3 {
		return fmt.Errorf("ptx: line %d: %q", line, text)
	}
	t := regType{pred: words[1] == ".pred", size: typeSizes[strings.TrimPrefix(words[1], ".")], scope: sc.id}
	if !t.pred && (t.size == 0 || t.size > 8) {
		return fmt.Errorf("ptx: line %d: registers of %s are not known", line, words[1])
	}
	for _, w := range words[2:] {
		if name, n, ok := strings.Cut(w, "<"); ok {
			c, err := strconv.Atoi(strings.TrimSuffix(n, ">"))
			if err != nil {
				return fmt.Errorf("ptx: line %d: %q", line, w)
			}
			t.count = c
			sc.ranges[name] = t
		} else {
			sc.names[w] = t
		}
	}
	return nil
}

// find returns the declared type of a register.
func (sc *scope) find(name string) (regType, bool) {
	for ; sc != nil; sc = sc.up {
		if t, ok := sc.names[name]; ok {
			return t, true
		}
		i := len(name)
		for i > 0 && name[i-1] >= '0' && name[i-1] <= '9' {
			i--
		}
		if t, ok := sc.ranges[name[:i]]; ok && i < len(name) {
			if n, err := strconv.Atoi(name[i:]); err == nil && n < t.count {
				return t, true
			}
		}
	}
	return regType{}, false
}

func (sc *scope) label(name string) (int, bool) {
	for ; sc != nil; sc = sc.up {
		if at, ok := sc.labels[name]; ok {
			return at, true
		}
	}
	return 0, false
}

// split takes an instruction apart: predicate, opcode, operands.
func split(text string, line int, sc *scope) statement {
	st := statement{line: line, scope: sc, text: strings.Join(strings.Fields(text), " ")}
	text = st.text
	if text[0] == '@' {
		p, rest, _ := strings.Cut(text[1:], " ")
		if p, st.negate = strings.TrimPrefix(p, "!"), p[0] == '!'; p != "" {
			st.pred, text = p, strings.TrimSpace(rest)
		}
	}
	var rest string
	st.op, rest, _ = strings.Cut(text, " ")
	depth, from := 0, 0
	for i, c := range rest {
		switch c {
		case '{', '[', '(':
			depth++
		case '}', ']', ')':
			depth--
		case ',':
			if depth == 0 {
				st.args = append(st.args, strings.TrimSpace(rest[from:i]))
				from = i + 1
			}
		}
	}
	if last := strings.TrimSpace(rest[from:]); last != "" {
		st.args = append(st.args, last)
	}
	return st
}
