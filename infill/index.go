package infill

import (
	"hash/fnv"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/seedling-lsp/seedling/treesitter"
)

// IndexLimits bound an index; zero fields take the default.
type IndexLimits struct {
	Files int // that are known, default 20,000
	Bytes int // of definitions that are kept, default 32 MB
}

func (l IndexLimits) withDefaults() IndexLimits {
	if l.Files <= 0 {
		l.Files = 20_000
	}
	if l.Bytes <= 0 {
		l.Bytes = 32 << 20
	}
	return l
}

// Index knows what the files of a workspace define: for every name the heads of its
// definitions, not the files. It is safe for concurrent use.
type Index struct {
	limits IndexLimits

	mu     sync.RWMutex
	files  map[string]*indexed
	names  map[string][]*definition
	module map[string]string // Go's: folder to its name, of go.mod
	bytes  int
}

// indexed is a file.
type indexed struct {
	path     string // with slashes
	language treesitter.Language
	defs     []*definition
	imports  []treesitter.Import
	bytes    int
}

// definition is a symbol of a file as another file is shown it.
type definition struct {
	file      *indexed
	name      string
	container string
	kind      treesitter.SymbolKind
	span      treesitter.Range // of all of it, in its file
	text      string           // its head; of a type more. Secrets hidden, line feeds only
}

// NewIndex makes an empty index.
func NewIndex(limits IndexLimits) *Index {
	return &Index{limits: limits.withDefaults(), files: map[string]*indexed{}, names: map[string][]*definition{}, module: map[string]string{}}
}

// Put takes in a file, in place of what was known of it. It says whether there was room:
// when the limits are reached, files that are not known yet stay unknown. A file without a
// tree defines nothing, but for a go.mod, which names what lies in its folder.
func (x *Index) Put(doc Document) bool {
	f := &indexed{path: filepath.ToSlash(doc.Path), language: doc.Language}
	if path.Base(f.path) == "go.mod" {
		x.mu.Lock()
		defer x.mu.Unlock()
		x.module[path.Dir(f.path)] = moduleName(doc.Text)
		return true
	}
	if doc.Tree.Text() == doc.Text {
		f.imports = doc.Tree.Imports()
		for i := range f.imports { // cut loose from the text
			m := &f.imports[i]
			m.Name, m.Path, m.Of = strings.Clone(m.Name), strings.Clone(m.Path), strings.Clone(m.Of)
		}
		hidden := secrets(doc.Text, 0, len(doc.Text))
		for _, s := range doc.Tree.Symbols() {
			d := &definition{file: f, name: strings.Clone(s.Name), container: strings.Clone(s.Container), kind: s.Kind, span: s.Def}
			d.text = headOf(doc, s, hidden)
			f.bytes += len(d.text) + len(d.name) + 96
			f.defs = append(f.defs, d)
		}
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.drop(f.path)
	if len(x.files) >= x.limits.Files || x.bytes+f.bytes > x.limits.Bytes {
		return false
	}
	x.files[f.path] = f
	x.bytes += f.bytes
	for _, d := range f.defs {
		x.names[d.name] = append(x.names[d.name], d)
	}
	return true
}

// Drop forgets a file, or the files of a folder.
func (x *Index) Drop(name string) {
	name = filepath.ToSlash(name)
	x.mu.Lock()
	defer x.mu.Unlock()
	if path.Base(name) == "go.mod" {
		delete(x.module, path.Dir(name))
	}
	if x.files[name] != nil {
		x.drop(name)
		return
	}
	for _, p := range slices.Collect(keysUnder(x.files, name+"/")) {
		x.drop(p)
	}
	for _, p := range slices.Collect(keysUnder(x.module, name+"/")) {
		delete(x.module, p)
	}
	delete(x.module, name)
}

func keysUnder[V any](m map[string]V, prefix string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if strings.HasPrefix(k, prefix) && !yield(k) {
				return
			}
		}
	}
}

// drop is Drop of one file. mu is held.
func (x *Index) drop(name string) {
	f := x.files[name]
	if f == nil {
		return
	}
	delete(x.files, name)
	x.bytes -= f.bytes
	for _, d := range f.defs {
		rest := slices.DeleteFunc(x.names[d.name], func(o *definition) bool { return o.file == f })
		if len(rest) == 0 {
			delete(x.names, d.name)
		} else {
			x.names[d.name] = rest
		}
	}
}

// Files is how many files the index knows.
func (x *Index) Files() int {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return len(x.files)
}

// Size is how much the index holds: files, definitions and bytes.
func (x *Index) Size() (files, definitions, bytes int) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	for _, d := range x.names {
		definitions += len(d)
	}
	return len(x.files), definitions, x.bytes
}

// Print changes when a definition of one of the names does.
func (x *Index) Print(names []string) uint64 {
	h := fnv.New64a()
	x.mu.RLock()
	defer x.mu.RUnlock()
	for _, n := range names {
		for _, d := range x.names[n] {
			h.Write([]byte(d.file.path))
			h.Write([]byte(d.text))
		}
		h.Write([]byte{0})
	}
	return h.Sum64()
}

// Full says whether the limits are reached.
func (x *Index) Full() bool {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return len(x.files) >= x.limits.Files || x.bytes >= x.limits.Bytes
}

// moduleName is the name in the text of a go.mod.
func moduleName(text string) string {
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(strings.TrimSpace(line), "module "); ok {
			rest, _, _ = strings.Cut(rest, "//")
			return strings.Trim(strings.TrimSpace(rest), "\"`")
		}
	}
	return ""
}

const (
	headBytes = 240 // of a function's head or a value that are shown
	typeBytes = 480 // of a type
)

// headOf is what is shown of a definition: a function's head, a type with what it holds if
// that is short, a value in its first line.
func headOf(doc Document, s treesitter.Symbol, hidden []span) string {
	w := window{start: int(s.Def.Start), end: int(s.Def.End)}
	most := headBytes
	if s.Kind == treesitter.TypeSymbol {
		most = typeBytes
	}
	indented := doc.Language.Indented()
	body := !s.Body.IsZero()
	short := w.end-w.start <= most
	switch {
	case s.Kind == treesitter.TypeSymbol && short && !indented:
	case s.Kind == treesitter.TypeSymbol && indented && body, s.Kind == treesitter.ValueSymbol:
		// Of a class its members are definitions of their own; of a value its first line.
		if body && s.Kind == treesitter.TypeSymbol {
			w.end = int(s.Body.Start)
		} else if i := strings.IndexByte(doc.Text[w.start:w.end], '\n'); i >= 0 {
			w.end = w.start + i
		}
	case body && s.Kind != treesitter.TypeSymbol:
		w.end = int(s.Body.Start)
	}
	if w.end-w.start > most {
		w.end = boundary(doc.Text, w.start+most)
		if i := strings.LastIndexByte(doc.Text[w.start:w.end], '\n'); i > 0 {
			w.end = w.start + i
		}
	}
	text := lineFeeds(hide(doc.Text, w, hidden))
	text = strings.TrimRight(text, " \t\n{")
	if i := lineIndent(doc.Text, w.start); i != "" { // a member: as if it stood at the margin
		text = strings.ReplaceAll(text, "\n"+i, "\n")
	}
	if doc.Language == treesitter.Go && s.Kind == treesitter.TypeSymbol && !strings.HasPrefix(text, "type ") {
		text = "type " + text
	}
	return text
}

// lineIndent is the white space before at on its line; empty when there is more.
func lineIndent(text string, at int) string {
	start, ok := lineStart(text, at)
	if !ok || !blank(text[start:at]) {
		return ""
	}
	return text[start:at]
}
