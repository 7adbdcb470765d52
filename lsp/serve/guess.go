package serve

import (
	"path/filepath"
	"regexp"
	"strings"

	"github.com/seedling-lsp/seedling/engine"
	"github.com/seedling-lsp/seedling/treesitter"
)

// No client says what language it asks about. guess finds out, in the order of how sure a
// hint is: the file's name; a comment that names the file or the language, as minuet and
// Continue write at the top; a line with #!; how the lines look; the files that came along.
// Text when nothing tells.
func guess(path, before, after string, along []engine.Snippet) treesitter.Language {
	if l := treesitter.Detect(path, ""); l != treesitter.Text {
		return l
	}
	sample := sampled(before, after)
	if l := said(sample); l != treesitter.Text {
		return l
	}
	if l := looks(sample); l != treesitter.Text {
		return l
	}
	count := map[treesitter.Language]int{}
	best := treesitter.Text
	for _, s := range along {
		if l := treesitter.Detect(s.Path, ""); l != treesitter.Text {
			if count[l]++; count[l] >= count[best] {
				best = l // of equals the newest
			}
		}
	}
	return best
}

// sampleBytes bounds the text that is looked at, since it is anew for every keystroke.
const sampleBytes = 8 << 10

// sampled is the head of a text and what stands before the cursor, or all of a short one.
func sampled(before, after string) string {
	if len(before) <= sampleBytes {
		return before + after[:min(len(after), sampleBytes-len(before))]
	}
	return before[:sampleBytes/2] + "\n" + before[len(before)-sampleBytes/2:]
}

var (
	namesLanguage = regexp.MustCompile(`^\W{1,6}\s*language: ([\w+#-]+)`)
	namesPath     = regexp.MustCompile(`^(?:[/#*;-]{1,3} (?:Path: )?|\+{5} |###PATH:)([\w./\\@-]+\.\w+)$`)
	shebang       = regexp.MustCompile(`^#!.*\b(python|node|deno|bun|ts-node)`)
)

// said is the language that the head of a text names. Of several paths the last one counts:
// Continue puts the file's own name behind the other files'.
func said(text string) treesitter.Language {
	found := treesitter.Text
	n := 0
	for line := range strings.Lines(text) {
		if n++; n > 400 {
			break
		}
		line = strings.TrimRight(line, "\r\n")
		if m := shebang.FindStringSubmatch(line); m != nil && n == 1 {
			return interpreters[m[1]]
		}
		if m := namesLanguage.FindStringSubmatch(line); m != nil && n <= 3 {
			return treesitter.Detect("", m[1])
		}
		if m := namesPath.FindStringSubmatch(line); m != nil {
			if l := treesitter.Detect(filepath.ToSlash(m[1]), ""); l != treesitter.Text {
				found = l
			}
		}
	}
	return found
}

var interpreters = map[string]treesitter.Language{"python": treesitter.Python, "node": treesitter.JavaScript,
	"deno": treesitter.TypeScript, "bun": treesitter.TypeScript, "ts-node": treesitter.TypeScript}

// signs are lines that hardly stand in another language than theirs.
var signs = []struct {
	lang treesitter.Language
	re   *regexp.Regexp
	n    int
}{
	{treesitter.Go, regexp.MustCompile(`^package \w+\s*(//.*)?$|^func (\(\w* ?\*?\w+(\[\w+\])?\) )?\w+[(\[].*\{$|^type \w+ (struct|interface) \{|^import \($`), 3},
	{treesitter.Go, regexp.MustCompile(`^\s*(if|for|switch) [^(].*\{$|^\s*\w+(, \w+)* := |^\s*(go|defer) \w+.*\)$|\bif err != nil\b`), 1},
	{treesitter.Python, regexp.MustCompile(`^\s*(async )?def \w+\(.*(:|\($|,$)|^\s*class \w+(\(.*\))?:$|^from [\w.]+ import |^if __name__ ==`), 3},
	{treesitter.Python, regexp.MustCompile(`^import \w+(\.\w+)*( as \w+)?$|^\s*(if|elif|for|while|with|try|except|else)\b[^{;]*:$|\bself\.\w+`), 1},
	{treesitter.Rust, regexp.MustCompile(`^\s*(pub(\(\w+\))? )?(async )?fn \w+.*[({,]$|^\s*impl(<.*>)? .*\{$|^\s*let mut |^use [\w:]+(::\{.*)?;$|^\s*(pub )?(enum|trait|mod) \w+.* \{$`), 3},
	{treesitter.Rust, regexp.MustCompile(`->\s*(Self|Option|Result)\b|#\[derive\(|\w+!\(|&mut |\bmatch .* \{$`), 1},
	{treesitter.Java, regexp.MustCompile(`^import (static )?[\w.]+(\.\*)?;$|^package [\w.]+;$|^\s*(public|private|protected) (static |final |abstract )*(class|interface|void|enum|record) |@Override`), 3},
	{treesitter.Java, regexp.MustCompile(`^\s*(public|private|protected) .*[({;]$|\bnew \w+(<.*>)?\(.*\);$|System\.out\.`), 1},
	{treesitter.CPP, regexp.MustCompile(`^#include <\w+>$|^using namespace |^template ?<|\bstd::|^namespace \w+`), 3},
	{treesitter.C, regexp.MustCompile(`^#include [<"][\w/.-]+\.h[>"]|^#(define|ifdef|ifndef|endif)\b|^(static )?(int|void|char|size_t|struct \w+) \*?\w+\(.*(\)|,)( \{)?$|^typedef struct`), 2},
	{treesitter.TypeScript, regexp.MustCompile(`^\s*(export )?(interface|type|enum) \w+.*[{=]|^\s*(export )?(async )?function .*\): .*\{$|: (string|number|boolean|void|unknown)\b|^import type `), 3},
	{treesitter.TSX, regexp.MustCompile(`^\s*(return \(?)?<[A-Za-z][\w.]*( [\w-]+=["{].*)?/?>|^\s*</[A-Za-z][\w.]*>`), 2},
	{treesitter.JavaScript, regexp.MustCompile(`^\s*(const|let|var) .*=|^\s*(export )?(default )?(async )?function\*? ?\w*\(|=> \{?$|^import .* from ['"]|\brequire\(['"]|^module\.exports|console\.log\(`), 2},
}

// looks guesses by the signs in the lines; one weak sign alone is none.
func looks(text string) treesitter.Language {
	score := map[treesitter.Language]int{}
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, " \t\r\n")
		if line == "" || len(line) > 400 {
			continue
		}
		for _, s := range signs {
			if s.re.MatchString(line) {
				score[s.lang] += s.n
			}
		}
	}
	// Kin: what is common to both counts for the one of which something own was seen.
	if score[treesitter.CPP] > 0 {
		score[treesitter.CPP] += score[treesitter.C]
	}
	if score[treesitter.TypeScript] > 0 {
		score[treesitter.TypeScript] += score[treesitter.JavaScript]
		if score[treesitter.TSX] > 0 {
			score[treesitter.TSX] += score[treesitter.TypeScript]
		}
	} else if score[treesitter.TSX] > 0 { // markup in code without types is JSX
		score[treesitter.JavaScript] += score[treesitter.TSX]
		delete(score, treesitter.TSX)
	}
	best := treesitter.Text
	most := 1
	for _, l := range treesitter.Languages() {
		if score[l] > most {
			best, most = l, score[l]
		}
	}
	return best
}
