package infill

import "github.com/seedling-lsp/seedling/treesitter"

// dialect is what a scanner must know of a language to tell code from strings and
// comments, and where a statement begins.
type dialect struct {
	brackets    bool // code is scanned at all; false for plain text
	slash       bool // comments are // and /* */
	nested      bool // block comments nest
	hash        bool // comments are #
	backtick    byte // 0: no string; 'r': raw; 't': template with ${ }
	triple      string
	lifetimes   bool // ' may begin a name, not a character (Rust)
	hashRaw     bool // r"…", r#"…"#
	delimRaw    bool // R"x(…)x"
	regex       bool // / may begin a literal
	digitQuotes bool // 1'000
	preproc     bool // a line that begins with # is a statement
	newlineEnds bool // a line end may end a statement
	semicolons  bool // statements end in ;
	indented    bool // blocks by indentation
}

var dialects = map[treesitter.Language]*dialect{
	treesitter.Text:       {},
	treesitter.Go:         {brackets: true, slash: true, backtick: 'r', newlineEnds: true},
	treesitter.Python:     {brackets: true, hash: true, triple: `"'`, indented: true, newlineEnds: true},
	treesitter.JavaScript: {brackets: true, slash: true, backtick: 't', regex: true, newlineEnds: true, semicolons: true},
	treesitter.TypeScript: {brackets: true, slash: true, backtick: 't', regex: true, newlineEnds: true, semicolons: true},
	treesitter.TSX:        {brackets: true, slash: true, backtick: 't', regex: true, newlineEnds: true, semicolons: true},
	treesitter.C:          {brackets: true, slash: true, digitQuotes: true, preproc: true, semicolons: true},
	treesitter.CPP:        {brackets: true, slash: true, digitQuotes: true, delimRaw: true, preproc: true, semicolons: true},
	treesitter.Rust:       {brackets: true, slash: true, nested: true, lifetimes: true, hashRaw: true, semicolons: true},
	treesitter.Java:       {brackets: true, slash: true, triple: `"`, semicolons: true},
}

func dialectOf(l treesitter.Language) *dialect {
	if d := dialects[l]; d != nil {
		return d
	}
	return dialects[treesitter.Text]
}
