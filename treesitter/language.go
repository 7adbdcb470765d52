package treesitter

import (
	"path/filepath"
	"strings"

	sitter "github.com/smacker/go-tree-sitter"
	"github.com/smacker/go-tree-sitter/c"
	"github.com/smacker/go-tree-sitter/cpp"
	"github.com/smacker/go-tree-sitter/golang"
	"github.com/smacker/go-tree-sitter/java"
	"github.com/smacker/go-tree-sitter/javascript"
	"github.com/smacker/go-tree-sitter/python"
	"github.com/smacker/go-tree-sitter/rust"
	"github.com/smacker/go-tree-sitter/typescript/tsx"
	"github.com/smacker/go-tree-sitter/typescript/typescript"
)

// Language is a language with a grammar, or Text.
type Language uint8

const (
	// Text is everything without a grammar. It is never parsed.
	Text Language = iota
	Go
	Python
	JavaScript // JSX too
	TypeScript
	TSX
	C
	CPP
	Rust
	Java
)

// languages is the one table about languages: a row per constant, in their order.
var languages = [...]struct {
	name       string
	ids        []string // LSP language ids, lower case
	extensions []string // of file names, lower case, with the dot
	names      []string // whole file names
	grammar    func() *sitter.Language
}{
	Text:       {name: "text", ids: []string{"plaintext", "text"}},
	Go:         {"go", []string{"go"}, []string{".go"}, nil, golang.GetLanguage},
	Python:     {"python", []string{"python"}, []string{".py", ".pyi", ".pyw"}, []string{"sconstruct", "sconscript", "wscript"}, python.GetLanguage},
	JavaScript: {"javascript", []string{"javascript", "javascriptreact", "jsx"}, []string{".js", ".jsx", ".mjs", ".cjs"}, nil, javascript.GetLanguage},
	TypeScript: {"typescript", []string{"typescript"}, []string{".ts", ".mts", ".cts"}, nil, typescript.GetLanguage},
	TSX:        {"tsx", []string{"typescriptreact", "tsx"}, []string{".tsx"}, nil, tsx.GetLanguage},
	C:          {"c", []string{"c"}, []string{".c", ".h"}, nil, c.GetLanguage},
	CPP:        {"cpp", []string{"cpp", "c++", "cuda-cpp"}, []string{".cc", ".cpp", ".cxx", ".c++", ".hh", ".hpp", ".hxx", ".h++", ".inl", ".ipp", ".tpp", ".cu", ".cuh"}, nil, cpp.GetLanguage},
	Rust:       {"rust", []string{"rust"}, []string{".rs"}, nil, rust.GetLanguage},
	Java:       {"java", []string{"java"}, []string{".java"}, nil, java.GetLanguage},
}

var (
	byID        = map[string]Language{}
	byExtension = map[string]Language{}
	byName      = map[string]Language{}
)

func init() {
	for l, row := range languages {
		for _, id := range row.ids {
			byID[id] = Language(l)
		}
		for _, e := range row.extensions {
			byExtension[e] = Language(l)
		}
		for _, n := range row.names {
			byName[n] = Language(l)
		}
	}
}

// Languages lists every language with a grammar.
func Languages() []Language {
	all := make([]Language, 0, len(languages)-1)
	for l := range languages {
		if Language(l) != Text {
			all = append(all, Language(l))
		}
	}
	return all
}

// Extensions lists the endings of file names, with their dots, that mean a language with a
// grammar.
func Extensions() []string {
	var all []string
	for _, row := range languages {
		if row.grammar != nil {
			all = append(all, row.extensions...)
		}
	}
	return all
}

// Detect names the language of a document. The LSP language id decides when it is known,
// else the file's name; id may be empty. A header named .h is C unless the id says more.
// Text when nothing is known.
func Detect(path, id string) Language {
	if l, ok := byID[strings.ToLower(id)]; ok && l != Text {
		return l
	}
	base := strings.ToLower(filepath.Base(path))
	if l, ok := byExtension[filepath.Ext(base)]; ok {
		return l
	}
	return byName[base]
}

// String is the language's name, e.g. "go"; "text" for what is none.
func (l Language) String() string {
	if int(l) >= len(languages) {
		return "text"
	}
	return languages[l].name
}

// HasGrammar reports whether texts of the language can be parsed.
func (l Language) HasGrammar() bool {
	return int(l) < len(languages) && languages[l].grammar != nil
}

// Indented reports whether blocks are made by indentation, not by brackets.
func (l Language) Indented() bool { return l == Python }
