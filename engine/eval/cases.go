package eval

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"unicode/utf8"

	"github.com/seedling-lsp/seedling/treesitter"
)

// Kind is what was taken out of a file.
type Kind string

// The kinds of infill cases.
const (
	SingleLine Kind = "single_line" // all of a line but its indentation
	LineEnd    Kind = "line_end"    // from some character of a line to its end
	Statement  Kind = "statement"   // one statement of at most eight lines
	Block      Kind = "block"       // the statements of a block of at most twelve lines
	Function   Kind = "function"    // the body of a function of at most sixteen lines
)

// Kinds lists them in the order of reports.
var Kinds = []Kind{SingleLine, LineEnd, Statement, Block, Function}

// maxLines of the text taken out, by kind.
var maxLines = map[Kind]int{SingleLine: 1, LineEnd: 1, Statement: 8, Block: 12, Function: 16}

// Case is a gap in a file: Text with [Start, End) taken out is what the model sees.
type Case struct {
	Kind       Kind
	Path       string
	Language   treesitter.Language
	Text       string
	Start, End int
}

// Truth is what stood in the gap.
func (c Case) Truth() string { return c.Text[c.Start:c.End] }

// File is a source file of an evaluation folder.
type File struct {
	Path     string // relative, with slashes
	Language treesitter.Language
	Text     string
}

// Files reads the Go and Python files under dir (under dir/heldout, if there is one), in
// the order of their paths; tests and generated files are left out.
func Files(ctx context.Context, dir string) ([]File, error) {
	if st, err := os.Stat(filepath.Join(dir, "heldout")); err == nil && st.IsDir() {
		dir = filepath.Join(dir, "heldout")
	}
	var out []File
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		name := d.Name()
		if d.IsDir() {
			if p != dir && (strings.HasPrefix(name, ".") || name == "testdata" || name == "vendor" || name == "node_modules" || name == "tests" || name == "docs") {
				return fs.SkipDir
			}
			return nil
		}
		lang := treesitter.Detect(name, "")
		if lang != treesitter.Go && lang != treesitter.Python || !d.Type().IsRegular() ||
			strings.HasSuffix(name, "_test.go") || strings.HasPrefix(name, "test_") || strings.HasPrefix(name, "conftest") {
			return nil
		}
		b, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		text := strings.ReplaceAll(string(b), "\r\n", "\n")
		head := strings.ToLower(text[:min(len(text), 1500)])
		if len(text) < 400 || len(text) > 400<<10 || !utf8.ValidString(text) || strings.Contains(head, "code generated") || strings.Contains(head, "do not edit") {
			return nil
		}
		rel, _ := filepath.Rel(dir, p)
		out = append(out, File{filepath.ToSlash(rel), lang, text})
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading evaluation files: %w", err)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("no Go or Python files of at least 400 bytes under %s: name a folder of sources with --data", dir)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Path < out[j].Path })
	return out, nil
}

// Draw takes n cases of every kind from files, languages alike, by seed. Fewer come back
// of a kind that the files have not enough of.
func Draw(files []File, n int, seed uint64) ([]Case, error) {
	parser := treesitter.NewParser(treesitter.Limits{})
	defer parser.Close()
	byLanguage := map[treesitter.Language][]int{}
	var languages []treesitter.Language
	spans := make([]map[Kind][][2]int, len(files))
	for i, f := range files {
		tree, err := parser.Parse(f.Language, nil, f.Text)
		if err != nil {
			return nil, fmt.Errorf("parsing %s: %w", f.Path, err)
		}
		spans[i] = gaps(f, tree)
		tree.Close()
		if byLanguage[f.Language] == nil {
			languages = append(languages, f.Language)
		}
		byLanguage[f.Language] = append(byLanguage[f.Language], i)
	}
	var out []Case
	for k, kind := range Kinds {
		r := rand.New(rand.NewPCG(seed, uint64(k)))
		taken := map[[3]int]bool{}
		drawn := 0
		for tries := 0; drawn < n && tries < 50*n; tries++ {
			of := byLanguage[languages[drawn%len(languages)]]
			i := of[r.IntN(len(of))]
			s := spans[i][kind]
			if len(s) == 0 {
				continue
			}
			g := s[r.IntN(len(s))]
			if kind == LineEnd { // any character of the line but its first
				line := files[i].Text[g[0]:g[1]]
				if len(line) < 4 {
					continue
				}
				at := 1 + r.IntN(len(line)-2)
				for !utf8.RuneStart(line[at]) {
					at--
				}
				g[0] += at
			}
			key := [3]int{i, g[0], g[1]}
			if taken[key] || strings.TrimSpace(files[i].Text[g[0]:g[1]]) == "" {
				continue
			}
			taken[key] = true
			f := files[i]
			out = append(out, Case{Kind: kind, Path: f.Path, Language: f.Language, Text: f.Text, Start: g[0], End: g[1]})
			drawn++
		}
	}
	if len(out) == 0 {
		return nil, errors.New("the files hold no line to take out")
	}
	return out, nil
}

// gaps lists what may be taken out of a file, by kind. Comment lines are no cases.
func gaps(f File, tree *treesitter.Tree) map[Kind][][2]int {
	out := map[Kind][][2]int{}
	at := 0
	for line := range strings.Lines(f.Text) {
		end := at + len(strings.TrimRight(line, "\r\n \t"))
		start := at + len(line) - len(strings.TrimLeft(line, " \t"))
		if end-start >= 3 && end-start <= 160 && strings.ContainsAny(f.Text[start:end], "abcdefghijklmnopqrstuvwxyz") {
			if c := f.Text[start]; c != '#' && c != '*' && !strings.HasPrefix(f.Text[start:end], "//") {
				out[SingleLine] = append(out[SingleLine], [2]int{start, end})
				out[LineEnd] = append(out[LineEnd], [2]int{start, end})
			}
		}
		at += len(line)
	}
	kinds := map[treesitter.SpanKind]Kind{treesitter.Statement: Statement, treesitter.Block: Block, treesitter.FunctionBody: Function}
	for _, s := range treesitter.Spans(tree, f.Text) {
		k, text := kinds[s.Kind], f.Text[s.Start:s.End]
		if strings.Count(text, "\n") < maxLines[k] && len(text) >= 3 {
			out[k] = append(out[k], [2]int{int(s.Start), int(s.End)})
		}
	}
	return out
}
