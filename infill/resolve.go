package infill

import (
	"path"
	"slices"
	"strings"

	"github.com/seedling-lsp/seedling/treesitter"
)

// use is a name near the cursor, perhaps of something: of.name.
type use struct{ of, name string }

// maxUses is how many names near the cursor are looked up.
const maxUses = 200

// usesNear lists the names in a stretch of a text, those nearest to at first, each once.
func usesNear(text string, from, to, at int) []use {
	var before, after []use
	var last use
	end := -1 // of the last word
	for i := from; i < to; {
		if !isWord(text[i]) {
			i++
			continue
		}
		start := i
		for i < to && isWord(text[i]) {
			i++
		}
		if isDigit(text[start]) || i-start < 2 {
			end = i
			last = use{name: text[start:i]}
			continue
		}
		u := use{name: text[start:i]}
		if end >= from && start == end+1 && text[end] == '.' {
			u.of = last.name
		}
		end, last = i, u
		if start < at {
			before = append(before, u)
		} else {
			after = append(after, u)
		}
	}
	slices.Reverse(before)
	var out []use
	seen := map[use]bool{}
	for _, u := range append(before, after...) {
		if !seen[u] && len(out) < maxUses {
			seen[u] = true
			out = append(out, u)
		}
	}
	return out
}

// found is a definition that a use means, and why it is thought so.
type found struct {
	def *definition
	why string
}

// maxSame is how many definitions of one name are shown when nothing tells them apart.
const maxSame = 2

// resolver finds what the names of one file mean.
type resolver struct {
	x        *Index
	path     string // of the file, with slashes
	language treesitter.Language
	imports  []treesitter.Import
}

// resolve gives the definitions that a use may mean, the likeliest first; x.mu is held for
// reading. The file's own are not among them.
func (r resolver) resolve(u use) []found {
	if len(r.x.names[u.name]) == 0 && (r.language != treesitter.Python || len(r.imports) == 0) {
		return nil
	}
	switch r.language {
	case treesitter.Go:
		return r.inGo(u)
	case treesitter.Python:
		return r.inPython(u)
	}
	var all []*definition
	for _, d := range r.x.names[u.name] {
		if d.file.path != r.path && related(d.file.language, r.language) && (u.of == "") == (d.kind != treesitter.MethodSymbol) {
			all = append(all, d)
		}
	}
	slices.SortStableFunc(all, func(a, b *definition) int { // the nearest files first
		return shared(b.file.path, r.path) - shared(a.file.path, r.path)
	})
	return few(all, "the workspace defines it")
}

// few are the definitions, if they are so few that one of them is likely meant.
func few(all []*definition, why string) []found {
	if len(all) > maxSame {
		return nil
	}
	var out []found
	for _, d := range all {
		out = append(out, found{d, why})
	}
	return out
}

// related says whether files of the languages can use each other's definitions.
func related(a, b treesitter.Language) bool {
	family := func(l treesitter.Language) treesitter.Language {
		switch l {
		case treesitter.TypeScript, treesitter.TSX:
			return treesitter.JavaScript
		case treesitter.CPP:
			return treesitter.C
		}
		return l
	}
	return family(a) == family(b)
}

// shared is how many bytes two paths begin alike with.
func shared(a, b string) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

// inGo follows imports, looks into the package, and for methods into both.
func (r resolver) inGo(u use) []found {
	dir := path.Dir(r.path)
	var reach []string // folders of what is imported
	for _, m := range r.imports {
		folder, ok := r.goFolder(m.Path)
		if !ok {
			if goName(m) == u.of {
				return nil // of a package that is not in the workspace
			}
			continue
		}
		reach = append(reach, folder)
		if u.of != "" && goName(m) == u.of {
			var all []*definition
			for _, d := range r.x.names[u.name] {
				if path.Dir(d.file.path) == folder && d.kind != treesitter.MethodSymbol {
					all = append(all, d)
				}
			}
			return few(all, "imported by "+m.Path)
		}
	}
	var own, far []*definition
	for _, d := range r.x.names[u.name] {
		if d.file.language != treesitter.Go || d.file.path == r.path || (u.of == "") == (d.kind == treesitter.MethodSymbol) {
			continue
		}
		switch in := path.Dir(d.file.path); {
		case in == dir:
			own = append(own, d)
		case d.kind == treesitter.MethodSymbol && slices.Contains(reach, in):
			far = append(far, d)
		}
	}
	if len(own) > 0 {
		return few(own, "of the same package")
	}
	return few(far, "a method of an imported package")
}

// goName is what a Go file calls an import: mostly the last element of its path.
func goName(m treesitter.Import) string {
	if m.Name != "" {
		return m.Name
	}
	p := m.Path
	if base := path.Base(p); len(base) > 1 && base[0] == 'v' && isDigit(base[1]) {
		p = path.Dir(p)
	}
	base, _, _ := strings.Cut(path.Base(p), ".")
	return strings.TrimPrefix(base, "go-")
}

// goFolder is the folder of the workspace that an import path means: by the modules that
// are known, else by how the paths end.
func (r resolver) goFolder(imported string) (string, bool) {
	best, folder := "", ""
	for dir, module := range r.x.module {
		if rest, ok := strings.CutPrefix(imported, module); ok && module != "" && (rest == "" || rest[0] == '/') && len(module) > len(best) {
			best, folder = module, path.Join(dir, rest)
		}
	}
	if best != "" || len(r.x.module) > 0 {
		return folder, best != ""
	}
	parts := strings.Split(imported, "/")
	if !strings.Contains(parts[0], ".") || len(parts) < 4 {
		return "", false // the standard library, or a module's root: nothing to know it by
	}
	rest := parts[3:]
	if n := len(rest[0]); n > 1 && rest[0][0] == 'v' && isDigit(rest[0][1]) {
		rest = rest[1:]
	}
	if len(rest) == 0 {
		return "", false
	}
	tail := "/" + strings.Join(rest, "/")
	for dir := path.Dir(r.path); dir != "/" && dir != "."; dir = path.Dir(dir) {
		if r.x.hasFolder(dir + tail) {
			return dir + tail, true
		}
	}
	return "", false
}

// hasFolder says whether a file lies right in a folder.
func (x *Index) hasFolder(dir string) bool {
	for p := range x.files {
		if path.Dir(p) == dir {
			return true
		}
	}
	return false
}

// inPython follows imports to the file that defines the name, over one further import if
// it is brought in there itself.
func (r resolver) inPython(u use) []found {
	for _, m := range r.imports {
		switch {
		case m.Of != "" && m.Name == u.name && u.of == "":
			if d := r.pythonIn(m.Path, m.Of, 1); d != nil {
				return []found{{d, "imported from " + m.Path}}
			}
			return nil
		case m.Of != "" && m.Name == u.of: // from a import b: b.name
			if d := r.pythonIn(strings.TrimSuffix(m.Path, ".")+"."+m.Of, u.name, 1); d != nil {
				return []found{{d, "imported from " + m.Path}}
			}
		case m.Of == "" && m.Name != "" && (m.Name == u.of || strings.HasSuffix(m.Name, "."+u.of)) && u.of != "":
			if d := r.pythonIn(m.Path, u.name, 1); d != nil {
				return []found{{d, "of " + m.Path}}
			}
		case m.Name == "" && u.of == "":
			if d := r.pythonIn(m.Path, u.name, 1); d != nil {
				return []found{{d, "imported from " + m.Path}}
			}
		}
	}
	if u.of == "" {
		return nil // Python knows no name that is not imported
	}
	var all []*definition
	for _, d := range r.x.names[u.name] {
		if d.file.language == treesitter.Python && d.file.path != r.path && d.kind == treesitter.MethodSymbol {
			all = append(all, d)
		}
	}
	return few(all, "a method of that name")
}

// pythonIn is the definition of a name in a module.
func (r resolver) pythonIn(module, name string, follow int) *definition {
	f := r.pythonFile(r.path, module)
	for f != nil {
		for _, d := range f.defs {
			if d.name == name && d.container == "" {
				return d
			}
		}
		if follow--; follow < 0 {
			return nil
		}
		at := f
		f = nil
		for _, m := range at.imports {
			if m.Of != "" && m.Name == name {
				name, f = m.Of, r.pythonFile(at.path, m.Path)
				break
			}
		}
	}
	return nil
}

// pythonFile is the file of a module, as a file imports it: .a.b from its own folder, a.b
// from any folder above it.
func (r resolver) pythonFile(from, module string) *indexed {
	dir := path.Dir(from)
	rest := strings.TrimLeft(module, ".")
	dots := len(module) - len(rest)
	for range dots - 1 {
		dir = path.Dir(dir)
	}
	rest = strings.ReplaceAll(rest, ".", "/")
	for steps := 0; steps < 32; steps++ {
		for _, p := range []string{path.Join(dir, rest) + ".py", path.Join(dir, rest, "__init__.py"), path.Join(dir, rest) + ".pyi"} {
			if f := r.x.files[p]; f != nil && (p != r.path || from != r.path) {
				return f
			}
		}
		if dots > 0 || dir == "/" || dir == "." {
			return nil
		}
		dir = path.Dir(dir)
	}
	return nil
}
