package eval

import (
	"errors"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"path"
	"strings"
)

// goTypes type-checks Go files in their places, among the files of their package.
//
// Packages of the standard library are read from the toolchain's sources where there are
// any; what other packages are imported is not at hand, and nothing that comes from them is
// an error: what is counted are the mistakes that can be seen without them.
type goTypes struct {
	packages map[string][]File // of a folder, Go alone
	fset     *token.FileSet
	std      types.Importer
	parsed   map[string]*ast.File // of files that are not asked about, by path
	imported map[string]*types.Package
}

func newGoTypes(files []File) *goTypes {
	g := &goTypes{packages: map[string][]File{}, fset: token.NewFileSet(), parsed: map[string]*ast.File{}, imported: map[string]*types.Package{}}
	g.std = importer.ForCompiler(g.fset, "source", nil)
	for _, f := range files {
		if strings.HasSuffix(f.Path, ".go") {
			g.packages[path.Dir(f.Path)] = append(g.packages[path.Dir(f.Path)], f)
		}
	}
	return g
}

var errElsewhere = errors.New("not at hand")

// Import is of the standard library alone: its paths have no dot in their first part.
func (g *goTypes) Import(name string) (*types.Package, error) {
	if p, ok := g.imported[name]; ok {
		if p == nil {
			return nil, errElsewhere
		}
		return p, nil
	}
	first, _, _ := strings.Cut(name, "/")
	var p *types.Package
	if !strings.Contains(first, ".") && first != "C" {
		p, _ = g.std.Import(name)
	}
	g.imported[name] = p
	if p == nil {
		return nil, errElsewhere
	}
	return p, nil
}

// mistakes counts what the type checker finds in the file of that path when it reads text;
// false if text is no Go at all.
func (g *goTypes) mistakes(at, text string) (int, bool) {
	own, err := parser.ParseFile(g.fset, at, text, parser.SkipObjectResolution)
	if own == nil || err != nil {
		return 0, false
	}
	files := []*ast.File{own}
	for _, f := range g.packages[path.Dir(at)] {
		if f.Path == at {
			continue
		}
		other, ok := g.parsed[f.Path]
		if !ok {
			other, _ = parser.ParseFile(g.fset, f.Path, f.Text, parser.SkipObjectResolution)
			g.parsed[f.Path] = other
		}
		// A test file sees the package's other files, which do not see it.
		if other == nil || other.Name.Name != own.Name.Name || strings.HasSuffix(f.Path, "_test.go") && !strings.HasSuffix(at, "_test.go") {
			continue
		}
		files = append(files, other)
	}
	n := 0
	c := types.Config{Importer: g, DisableUnusedImportCheck: true, FakeImportC: true, Error: func(err error) {
		var e types.Error
		if errors.As(err, &e) && g.fset.Position(e.Pos).Filename == at {
			n++
		}
	}}
	c.Check(path.Dir(at), g.fset, files, nil)
	return n, true
}

// holds says whether an answer makes no mistake that the truth does not; known is false
// where the truth itself is no Go that can be read.
func (g *goTypes) holds(c Case, answered string) (ok, known bool) {
	before, known := g.mistakes(c.Path, c.Text)
	if !known {
		return false, false
	}
	after, whole := g.mistakes(c.Path, answered)
	return whole && after <= before, true
}
