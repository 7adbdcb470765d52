package treesitter

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"time"
	"unsafe"

	sitter "github.com/smacker/go-tree-sitter"
)

// ByteOffset is a position between the bytes of a text, 0-based.
type ByteOffset int

// Reasons for which a text has no tree. None of them is a fault of the program: the
// caller goes on with a nil tree.
var (
	ErrNoGrammar = errors.New("no grammar for this language")
	ErrTooLarge  = errors.New("text too large to parse")
	ErrTooSlow   = errors.New("parsing took too long")
	ErrClosed    = errors.New("parser is closed")
)

// Limits bound what is parsed; zero fields take the default.
type Limits struct {
	Bytes     int           // of the text; default 8 MB
	LineBytes int           // of its longest line; default 1 MB
	Time      time.Duration // of one parse; default 3 s, negative: none
}

func (l Limits) withDefaults() Limits {
	if l.Bytes <= 0 {
		l.Bytes = 8 << 20
	}
	if l.LineBytes <= 0 {
		l.LineBytes = 1 << 20
	}
	if l.Time == 0 {
		l.Time = 3 * time.Second
	}
	return l
}

// Parser parses texts of all languages. It keeps a few C parsers per language and is
// safe for concurrent use.
type Parser struct {
	limits Limits

	mu     sync.Mutex
	idle   [len(languages)][]*sitter.Parser
	closed bool
}

// NewParser makes a parser. Close it to give its C memory back.
func NewParser(limits Limits) *Parser {
	return &Parser{limits: limits.withDefaults()}
}

// Parse parses text. With an old tree of the same language only what differs from the
// old text is parsed anew; the old tree stays as it is and stays the caller's to close.
// The difference is found by comparing the texts (common start, common end), which costs
// some 50 µs per MB.
//
// The tree is nil when the error is not: [ErrNoGrammar], [ErrTooLarge], [ErrTooSlow],
// [ErrClosed]. All of them mean "go on without a tree". Syntax errors are no error.
func (p *Parser) Parse(lang Language, old *Tree, text string) (*Tree, error) {
	g := grammarOf(lang)
	if g == nil {
		return nil, fmt.Errorf("parse %s: %w", lang, ErrNoGrammar)
	}
	if len(text) > p.limits.Bytes {
		return nil, fmt.Errorf("parse %s: %w: %d bytes, limit %d", lang, ErrTooLarge, len(text), p.limits.Bytes)
	}
	if n := longestLine(text, p.limits.LineBytes); n > p.limits.LineBytes {
		return nil, fmt.Errorf("parse %s: %w: a line of over %d bytes", lang, ErrTooLarge, p.limits.LineBytes)
	}
	parser, err := p.take(lang, g)
	if err != nil {
		return nil, fmt.Errorf("parse %s: %w", lang, err)
	}
	defer p.give(lang, parser)

	var edited *sitter.Tree
	if old != nil && old.lang == lang {
		edited = old.edited(text)
	}
	tree, err := parser.ParseCtx(context.Background(), edited, bytesOf(text))
	if edited != nil {
		edited.Close()
	}
	if err != nil || tree == nil {
		// The aborted parse would be resumed by the next one on this parser.
		parser.Reset()
		if errors.Is(err, sitter.ErrOperationLimit) {
			err = fmt.Errorf("%w: over %v", ErrTooSlow, p.limits.Time)
		}
		return nil, fmt.Errorf("parse %s: %w", lang, err)
	}
	return &Tree{lang: lang, g: g, text: text, c: tree}, nil
}

// Close frees the idle parsers. Trees live on. Parsing afterwards is an error.
func (p *Parser) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for l := range p.idle {
		for _, c := range p.idle[l] {
			c.Close()
		}
		p.idle[l] = nil
	}
}

func (p *Parser) take(lang Language, g *grammar) (*sitter.Parser, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, ErrClosed
	}
	if free := p.idle[lang]; len(free) > 0 {
		c := free[len(free)-1]
		p.idle[lang] = free[:len(free)-1]
		return c, nil
	}
	c := sitter.NewParser()
	c.SetLanguage(g.language)
	if p.limits.Time > 0 {
		c.SetOperationLimit(int(p.limits.Time.Microseconds()))
	}
	return c, nil
}

func (p *Parser) give(lang Language, c *sitter.Parser) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || len(p.idle[lang]) >= runtime.GOMAXPROCS(0) {
		c.Close()
		return
	}
	p.idle[lang] = append(p.idle[lang], c)
}

// longestLine is the length of the longest line, or something above limit as soon as
// one is found to be longer than that.
func longestLine(text string, limit int) int {
	if len(text) <= limit {
		return 0
	}
	longest := 0
	for len(text) > 0 {
		n := strings.IndexByte(text, '\n')
		if n < 0 {
			n = len(text)
		}
		if longest = max(longest, n); longest > limit {
			break
		}
		text = text[min(n+1, len(text)):]
	}
	return longest
}

// bytesOf views a string as bytes. The binding copies them to C memory and never writes.
func bytesOf(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }

// difference finds the smallest single replacement that turns a into b:
// a[start:endA] became b[start:endB].
func difference(a, b string) (start, endA, endB int) {
	n := min(len(a), len(b))
	for start+64 <= n && a[start:start+64] == b[start:start+64] {
		start += 64
	}
	for start < n && a[start] == b[start] {
		start++
	}
	endA, endB = len(a), len(b)
	for endA-64 >= start && endB-64 >= start && a[endA-64:endA] == b[endB-64:endB] {
		endA, endB = endA-64, endB-64
	}
	for endA > start && endB > start && a[endA-1] == b[endB-1] {
		endA, endB = endA-1, endB-1
	}
	return start, endA, endB
}

// pointAt is the row and byte column of an offset.
func pointAt(text string, at int) sitter.Point {
	head := text[:at]
	return sitter.Point{
		Row:    uint32(strings.Count(head, "\n")),
		Column: uint32(at - 1 - strings.LastIndexByte(head, '\n')),
	}
}
