package main

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/seedling-lsp/seedling"

// mayImport is the import table of the design: what each folder may import of ours,
// tests aside. A folder stands for what is below it, unless that has a row of its own.
var mayImport = map[string][]string{
	".":   {"lsp/cli", "engine/eval"},                           // of the latter its sandbox, which starts before all else
	"lsp": {"infill", "treesitter", "engine", "engine/denoise"}, // of the engine its types only
	"lsp/cli": {"cuda", "cuda/driver", "engine", "engine/backend", "engine/cpu", "engine/denoise", "engine/eval", "engine/model", "engine/tokenizer",
		"engine/train", "engine/weights", "infill", "lsp", "lsp/demo", "lsp/demo/web", "treesitter"}, // wiring: everything
	"lsp/demo":             {"lsp", "engine"},
	"lsp/demo/web":         {"lsp"}, // and lsp/serve, whose guards it has
	"infill":               {"treesitter", "engine"},
	"treesitter":           {},
	"engine":               {"engine/backend", "engine/model", "engine/tokenizer", "engine/denoise", "engine/memory"},
	"engine/memory":        {"engine/backend"},
	"engine/backend":       {},
	"engine/model":         {"engine/backend"}, // token ids
	"engine/tokenizer":     {},
	"engine/denoise":       {"engine/backend", "engine/memory"},
	"engine/cpu":           {"engine/backend", "engine/model", "engine/cpu/kernels"},
	"engine/cpu/kernels":   {},
	"engine/cpu/peer":      {"engine", "engine/backend", "engine/cpu", "engine/denoise", "engine/eval", "engine/model", "engine/tokenizer", "engine/weights", "infill", "treesitter"}, // a command
	"cuda":                 {"engine/backend", "engine/model", "cuda/driver", "cuda/kernels"},
	"cuda/driver":          {"cuda/ptx"},
	"cuda/kernels":         {},
	"cuda/ptx":             {},
	"engine/train":         {"engine", "engine/backend", "engine/model", "engine/tokenizer", "engine/train/kernels", "treesitter"},
	"engine/train/kernels": {},

	"engine/train/kernels/emulated": {"engine/train/kernels"}, // for tests
	"engine/eval":                   {"engine", "engine/backend", "engine/denoise", "engine/memory", "engine/model", "engine/tokenizer", "infill", "treesitter"},
	"engine/weights":                {},
}

// packages are the folders that hold Go files, tests aside.
func packages(t *testing.T) map[string][]string {
	t.Helper()
	out := map[string][]string{}
	err := filepath.WalkDir(".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if n := d.Name(); p != "." && (strings.HasPrefix(n, ".") || n == "testdata" || n == "node_modules") {
				return fs.SkipDir
			}
			return nil
		}
		if strings.HasSuffix(p, ".go") && !strings.HasSuffix(p, "_test.go") {
			out[filepath.ToSlash(filepath.Dir(p))] = append(out[filepath.ToSlash(filepath.Dir(p))], p)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// row is the row of the table that a folder falls under.
func row(dir string) (string, bool) {
	for d := dir; ; d = filepath.ToSlash(filepath.Dir(d)) {
		if _, ok := mayImport[d]; ok && (d != "." || dir == ".") {
			return d, true
		}
		if d == "." {
			return "", false
		}
	}
}

// TestImportTable: imports point one way. Without it the engine would one day know URIs
// and the server tensors.
func TestImportTable(t *testing.T) {
	for dir, files := range packages(t) {
		of, ok := row(dir)
		if !ok {
			t.Errorf("%s is no folder of the design: give it a row or move it", dir)
			continue
		}
		for _, f := range files {
			src, err := parser.ParseFile(token.NewFileSet(), f, nil, parser.ImportsOnly)
			if err != nil {
				t.Fatal(err)
			}
			for _, i := range src.Imports {
				path, ours := strings.CutPrefix(strings.Trim(i.Path.Value, `"`), module+"/")
				if !ours || path == dir || strings.HasPrefix(path, dir+"/") && of == dir && dir != "." && mayImport[path] == nil {
					continue
				}
				to, ok := row(path)
				if !ok || !slices.Contains(mayImport[of], to) && to != of {
					t.Errorf("%s imports %s, which %s may not", f, path, of)
				}
			}
		}
	}
}

// TestGrammarsInOnePlace: only treesitter links the C grammars; only lsp knows LSP.
func TestGrammarsInOnePlace(t *testing.T) {
	only := map[string]string{"github.com/smacker/go-tree-sitter": "treesitter", "go.lsp.dev/protocol": "lsp"}
	for dir, files := range packages(t) {
		for _, f := range files {
			src, err := parser.ParseFile(token.NewFileSet(), f, nil, parser.ImportsOnly)
			if err != nil {
				t.Fatal(err)
			}
			for _, i := range src.Imports {
				for lib, home := range only {
					if path := strings.Trim(i.Path.Value, `"`); (path == lib || strings.HasPrefix(path, lib+"/")) && dir != home && !strings.HasPrefix(dir, home+"/") {
						t.Errorf("%s imports %s: only %s may", f, path, home)
					}
				}
			}
		}
	}
}

// TestPackageDocs: every package says what it is, in doc.go (the command in main.go), and
// names its invariants.
func TestPackageDocs(t *testing.T) {
	for dir := range packages(t) {
		name := filepath.Join(dir, "doc.go")
		if dir == "." {
			name = "main.go"
		}
		src, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments|parser.PackageClauseOnly)
		if err != nil {
			t.Errorf("%s: %v", dir, err)
			continue
		}
		if src.Doc == nil || len(src.Doc.Text()) < 60 {
			t.Errorf("%s has no package comment", name)
		} else if dir != "." && !strings.Contains(src.Doc.Text(), "nvariants") {
			t.Errorf("%s names no invariants", name)
		}
	}
}

// TestTopLevel: nothing stands at the top but what the design names.
func TestTopLevel(t *testing.T) {
	named := []string{"lsp", "engine", "cuda", "infill", "treesitter", "editors", "main.go", "go.mod", "go.sum", "README.md", "LICENSE"}
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		n := e.Name()
		if !slices.Contains(named, n) && !strings.HasPrefix(n, ".") && !strings.HasSuffix(n, "_test.go") && n != "seedling" && n != "testdata" {
			t.Errorf("%s does not belong at the top", n)
		}
	}
}
