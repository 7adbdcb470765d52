package infill

import (
	"strings"

	"github.com/seedling-lsp/seedling/treesitter"
)

const (
	// lookBack is how far before the cursor the scan for open brackets begins at most,
	// when no tree knows a better place, and lookAhead how far it goes on after it.
	lookBack  = 256 << 10
	lookAhead = 64 << 10
	// trustStart is the offset up to which the scan simply begins at the file's start.
	trustStart = 48 << 10
)

// around is what stands around a cursor.
type around struct {
	doc Document
	at  int
	d   *dialect

	lineAt, lineTo int    // the cursor's line, without its line end
	left, right    string // its two halves
	eol            string // line end of the neighbourhood

	sc    scanner // at the cursor, with all that stands before it
	held  scanner // the same, less what may mean something else when text follows
	carry string  // that text

	closes     []int // per open bracket, where it is closed after the cursor, or -1
	literalEnd int   // where the cursor's string or block comment ends, or -1
	nextCode   int   // where code goes on after the cursor, len(text) if nowhere
}

// look takes in the surroundings of the cursor. ok is false when its line is too long.
func look(doc Document, at int) (a around, ok bool) {
	a = around{doc: doc, at: at, d: dialectOf(doc.Language), literalEnd: -1}
	var okStart, okEnd bool
	a.lineAt, okStart = lineStart(doc.Text, at)
	a.lineTo, okEnd = lineEnd(doc.Text, at)
	if !okStart || !okEnd || a.lineTo-a.lineAt > longLine {
		return a, false
	}
	a.left, a.right = doc.Text[a.lineAt:at], doc.Text[at:a.lineTo]
	a.eol = lineEndAt(doc.Text, a.lineAt, a.lineTo)
	from := a.scanFrom()
	a.held = newScanner(a.d, from)
	head := doc.Text[:at]
	i := a.held.run(head, from, false)
	a.carry = head[i:]
	a.sc = a.held.clone()
	a.sc.run(head, i, true)
	a.lookRight()
	return a, true
}

// scanFrom is where to begin to scan: at the file's start if that is near, else at a
// declaration that the tree knows, else at some line, hoping that it is code.
func (a *around) scanFrom() int {
	if a.at <= trustStart {
		return 0
	}
	if !a.d.brackets {
		return a.lineAt
	}
	if from := int(a.doc.Tree.Anchor(ByteOffset(a.at))); from > 0 {
		if start, ok := lineStart(a.doc.Text, from); ok && blank(a.doc.Text[start:from]) {
			from = start
		}
		if a.at-from <= lookBack {
			return from
		}
	}
	if a.at <= lookBack {
		return 0
	}
	low := a.at - lookBack
	if i := strings.IndexByte(a.doc.Text[low:a.at], '\n'); i >= 0 {
		return low + i + 1
	}
	return low
}

// lookRight finds what the text after the cursor closes, in one scan.
func (a *around) lookRight() {
	text := a.doc.Text[:min(len(a.doc.Text), a.at+lookAhead)]
	a.nextCode = len(a.doc.Text)
	a.closes = make([]int, len(a.sc.stack))
	for i := range a.closes {
		a.closes[i] = -1
	}
	if !a.d.brackets {
		return
	}
	sc := a.sc.clone()
	literal := sc.in == inString || sc.in == inBlockComment
	base, lineAt := len(sc.stack), a.lineAt
	for i := a.at; i < len(text); {
		was := sc.in
		next, ev := sc.step(text, i, true)
		if (ev == evCode || ev == evOpen || ev == evClose) && was == inCode && i < a.nextCode {
			a.nextCode = i
		}
		switch ev {
		case evNewline:
			lineAt = next
		case evEnd:
			if literal && len(sc.stack) <= base && a.literalEnd < 0 {
				a.literalEnd = i
			}
		case evClose:
			lv := sc.level(text[i])
			if lv >= 0 && lv < base {
				if indent := text[lineAt:i]; lineAt > a.lineAt && blank(indent) {
					lv = sc.aligned(lv, text[i], width(indent))
				}
				a.closes[lv] = i
				base = lv
			}
			if lv >= 0 {
				sc.pop(lv)
			}
		}
		if base == 0 && a.nextCode < len(a.doc.Text) && (!literal || a.literalEnd >= 0) {
			return
		}
		i = next
	}
	if len(text) < len(a.doc.Text) || a.doc.Cut {
		// Not all was seen. Most files are in order: what is open will be closed.
		for i := 0; i < base; i++ {
			a.closes[i] = len(text)
		}
	}
}

// restReach is how far below the cursor's line the rest of a statement is looked for.
const restReach = 2 << 10

// restBelow says whether a bracket is closed below that nothing up to there opens: the line
// at the cursor is to open it.
func (a *around) restBelow() bool {
	if a.sc.in != inCode {
		return false
	}
	sc := a.sc.clone()
	text := a.doc.Text[:min(len(a.doc.Text), a.lineTo+restReach)]
	for i := a.at; i < len(text); {
		next, ev := sc.step(text, i, true)
		if ev == evClose {
			if sc.level(text[i]) < 0 {
				return true
			}
			sc.close(text[i])
		}
		i = next
	}
	return false
}

// aligned corrects which open bracket a closing one at the start of a line belongs to:
// the innermost whose line is indented alike, since code in the middle of being written
// has brackets that nothing closes yet, but its indentation is right.
func (s *scanner) aligned(level int, closing byte, indent int) int {
	for i := level; i >= 0; i-- {
		if s.stack[i].open == opener(closing) && s.stack[i].aligns(indent) {
			return i
		}
	}
	return level
}

// lineEndAt is the line end of a line, or of the one before when it is the last.
func lineEndAt(text string, lineAt, lineTo int) string {
	switch {
	case lineTo < len(text):
		if text[lineTo] == '\r' {
			return "\r\n"
		}
	case lineAt >= 2 && text[lineAt-2] == '\r':
		return "\r\n"
	}
	return "\n"
}

// header is the line that opened the block around the cursor.
type header struct {
	function bool
	members  bool // the body of a type: a block, but none of statements
	literal  bool // a value, no block
	level    int  // of its bracket; -1 for an indented block
	indent   int  // columns
	head, at int  // its statement, and where that ends
}

// opened gives the innermost bracket block that is open at the cursor; ok is false when
// there is none. Only with function, the innermost body of a function.
func (a *around) opened(function bool) (h header, ok bool) {
	for lv := len(a.sc.stack) - 1; lv >= 0; lv-- {
		if a.sc.stack[lv].open != '{' {
			continue
		}
		h := a.headerAt(lv)
		if !h.literal && (!function || h.function) {
			return h, true
		}
	}
	return header{}, false
}

// headerAt says what the curly bracket at a level opens: by the tree, or by the words
// before it where the tree does not know, or would guess: of a bracket that nothing
// closes a parser makes what fits its grammar best.
func (a *around) headerAt(level int) header {
	b := a.sc.stack[level]
	h := header{level: level, indent: b.own, head: b.head.at, at: b.at}
	if h.head < 0 || h.head > b.at {
		h.head = b.at
	}
	if b.quote.close != "" {
		h.literal = true
		return h
	}
	brace := treesitter.BraceUnknown
	if a.closes[level] >= 0 {
		brace = a.doc.Tree.BraceAt(ByteOffset(b.at))
	}
	switch brace {
	case treesitter.BraceFunction:
		h.function = true
	case treesitter.BraceMembers:
		h.members = true
	case treesitter.BraceLiteral:
		h.literal = true
	case treesitter.BraceUnknown:
		h.guess(a.doc.Language, strings.TrimSpace(a.doc.Text[h.head:h.at]))
	}
	return h
}

var (
	controls = words(`if else for while switch select do try catch finally match loop unsafe
		case default synchronized with`)
	typeWords = words(`class struct interface enum union trait impl namespace mod extern module`)
)

func words(s string) map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(s) {
		m[w] = true
	}
	return m
}

// guess reads a header's words.
func (h *header) guess(lang treesitter.Language, words string) {
	fields := strings.FieldsFunc(words, func(r rune) bool { return r < 128 && !isWord(byte(r)) })
	first, last := "", ""
	if len(fields) > 0 {
		first, last = fields[0], fields[len(fields)-1]
	}
	has := func(set ...string) bool {
		for _, f := range fields {
			for _, w := range set {
				if f == w {
					return true
				}
			}
		}
		return false
	}
	end := byte(0)
	if words != "" {
		end = words[len(words)-1]
	}
	switch {
	case words == "" || strings.HasSuffix(words, ":"):
		h.literal = end == ':' && (lang == treesitter.JavaScript || lang == treesitter.TypeScript || lang == treesitter.TSX || lang == treesitter.Go && !controls[first])
	case controls[first] || controls[last] && isWord(end):
		// a block
	case lang == treesitter.Go:
		h.function = first == "func" || strings.Contains(words, "func(")
		h.members = !h.function && (last == "struct" || last == "interface")
		h.literal = !h.function && !h.members
	case strings.HasSuffix(words, "=>") || strings.HasSuffix(words, "->"):
		h.function = lang != treesitter.Rust // there it is the arm of a match
	case strings.IndexByte("=(,[?&|+", end) >= 0 || first == "return":
		h.literal = !(lang == treesitter.Rust && strings.HasSuffix(words, "||"))
		h.function = !h.literal
	case has("fn", "function"):
		h.function = true
	case end == '|' && lang == treesitter.Rust:
		h.function = true
	case has("class", "interface", "trait", "impl", "namespace", "mod", "enum", "struct", "union") && end != ')':
		h.members = true
	case strings.IndexByte(words, ')') > 0 && !strings.Contains(words, "="):
		h.function = true // name(parameters), perhaps with a result type or qualifiers
	case lang == treesitter.Rust || strings.Contains(words, "="):
		h.literal = true
	}
}

var indentWords = words(`if elif else for while with try except finally def class async match case`)

// indentedHeader gives the header whose indented block has just been opened at the
// cursor; a docstring may stand between.
func (a *around) indentedHeader() (h header, ok bool) {
	text, l := a.doc.Text, a.sc.last
	if len(a.sc.stack) > 0 || a.sc.in != inCode && a.sc.in != inLineComment {
		return h, false
	}
	var start, indent int
	switch {
	case a.sc.head.at >= 0 && a.sc.prev == ':':
		start, indent = a.sc.head.at, a.sc.head.indent
	case a.sc.head.at >= 0:
		return h, false
	case l[0].valid && l[0].opens:
		start, indent = l[0].start, l[0].indent
	case l[0].valid && l[0].prose && l[1].valid && l[1].opens && l[1].indent < l[0].indent:
		start, indent = l[1].start, l[1].indent
	default:
		return h, false
	}
	rest := text[start:a.at]
	word := rest[:wordLen(rest)]
	if !indentWords[word] {
		return h, false
	}
	if word == "async" {
		rest = strings.TrimLeft(rest[5:], " \t")
		word = rest[:wordLen(rest)]
	}
	return header{level: -1, indent: indent, head: start, at: a.at, function: word == "def"}, true
}

// enclosingDef finds the innermost def around the cursor by indentation alone.
func (a *around) enclosingDef() (h header, ok bool) {
	limit := a.codeIndent()
	low := max(0, a.at-lookAhead)
	for end := a.lineAt; end > low; {
		start := low
		if i := strings.LastIndexByte(a.doc.Text[low:end-1], '\n'); i >= 0 {
			start = low + i + 1
		}
		line := strings.TrimRight(a.doc.Text[start:end], "\r\n")
		if body := strings.TrimLeft(line, " \t"); body != "" && body[0] != '#' {
			if w := width(indentOf(line)); w < limit {
				limit = w
				if strings.HasPrefix(body, "def ") || strings.HasPrefix(body, "async def ") {
					return header{level: -1, indent: w, function: true, head: start, at: end}, true
				}
			}
		}
		end = start
	}
	return h, false
}

// codeIndent is the indentation of the code that the cursor continues.
func (a *around) codeIndent() int {
	if blank(a.left) {
		return width(a.left)
	}
	return width(indentOf(a.left))
}

func wordLen(s string) int {
	n := 0
	for n < len(s) && isWord(s[n]) {
		n++
	}
	return n
}
