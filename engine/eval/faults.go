package eval

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"

	"github.com/seedling-lsp/seedling/engine"
	"github.com/seedling-lsp/seedling/treesitter"
)

// Fault is what was done to a function to break it.
type Fault string

// The plausible faults of one word, as people make them.
const (
	WrongName     Fault = "wrong_name"     // another name that the function uses
	WrongOperator Fault = "wrong_operator" // < for <=, && for ||
	OffByOne      Fault = "off_by_one"     // a constant one too high or too low
	NoNegation    Fault = "no_negation"    // a ! or not is missing
	Swapped       Fault = "swapped"        // two arguments the other way round
	WrongKeyword  Fault = "wrong_keyword"  // break for continue, true for false
	Dropped       Fault = "dropped"        // a word is missing
)

// Faults lists them in the order of reports.
var Faults = []Fault{WrongName, WrongOperator, OffByOne, NoNegation, Swapped, WrongKeyword, Dropped}

// EditCase is a function's body, whole or with a fault.
type EditCase struct {
	Fault      Fault // empty: a clean function
	Path       string
	Language   treesitter.Language
	Text       string // the file as the model sees it, with the fault
	Start, End int    // the body in Text
	Truth      string // the body without the fault
}

// operators and keywords that are taken for one another.
var (
	operators = [][]string{{"<", "<="}, {">", ">="}, {"<", ">"}, {"==", "!="}, {"&&", "||"}, {"+", "-"}, {"+=", "-="}, {"*", "/"}, {"and", "or"}, {"=", "=="}}
	keywords  = [][]string{{"break", "continue"}, {"true", "false"}, {"True", "False"}, {"nil", "err"}, {"None", "True"}, {"if", "for"}, {"if", "while"}, {"elif", "if"}, {"return", "yield"}, {"var", "const"}, {"is", "in"}}
	reserved  = strings.Fields(`and as assert async await break case chan class const continue def default defer del elif else except
		False finally for from func global go goto if import in interface is lambda map nil None nonlocal not or package pass raise
		range return select self struct switch True try type var while with yield true false err`)
)

// DrawFaults takes n clean functions and n faults, kinds alike as far as there are places
// for them, languages alike, by seed. The functions are bodies of 3 to 30 lines.
func DrawFaults(files []File, n int, seed uint64) (clean, broken []EditCase, err error) {
	parser := treesitter.NewParser(treesitter.Limits{})
	defer parser.Close()
	type body struct {
		file       int
		start, end int
		words      []engine.Word // of code, offsets in the file
	}
	byLanguage := map[treesitter.Language][]body{}
	var languages []treesitter.Language
	for i, f := range files {
		tree, err := parser.Parse(f.Language, nil, f.Text)
		if err != nil {
			return nil, nil, fmt.Errorf("parsing %s: %w", f.Path, err)
		}
		for _, s := range treesitter.Spans(tree, f.Text) {
			lines := 1 + strings.Count(f.Text[s.Start:s.End], "\n")
			if s.Kind != treesitter.FunctionBody || lines < 3 || lines > 30 {
				continue
			}
			b := body{file: i, start: int(s.Start), end: int(s.End)}
			for _, w := range engine.Words(f.Text[s.Start:s.End]) {
				w.Start, w.End = w.Start+b.start, w.End+b.start
				if p := tree.At(treesitter.ByteOffset(w.End)); p.Comment.IsZero() && p.String.IsZero() {
					b.words = append(b.words, w)
				}
			}
			if len(b.words) < 8 {
				continue
			}
			if byLanguage[f.Language] == nil {
				languages = append(languages, f.Language)
			}
			byLanguage[f.Language] = append(byLanguage[f.Language], b)
		}
		tree.Close()
	}
	if len(languages) == 0 {
		return nil, nil, errors.New("the files hold no function of 3 to 30 lines")
	}
	r := rand.New(rand.NewPCG(seed, 77))
	taken := map[[2]int]bool{}
	for tries := 0; len(clean) < n && tries < 50*n; tries++ {
		of := byLanguage[languages[len(clean)%len(languages)]]
		b := of[r.IntN(len(of))]
		if key := [2]int{b.file, b.start}; !taken[key] {
			taken[key] = true
			f := files[b.file]
			clean = append(clean, EditCase{Path: f.Path, Language: f.Language, Text: f.Text, Start: b.start, End: b.end, Truth: f.Text[b.start:b.end]})
		}
	}
	drawn := map[string]bool{}
	for tries := 0; len(broken) < n && tries < 200*n; tries++ {
		fault := Faults[len(broken)%len(Faults)]
		if tries%64 == 63 { // places for this kind are rare
			fault = Faults[r.IntN(len(Faults))]
		}
		of := byLanguage[languages[r.IntN(len(languages))]]
		b := of[r.IntN(len(of))]
		f := files[b.file]
		from, to, with, ok := breakIt(f, b.words, fault, r)
		if !ok {
			continue
		}
		c := EditCase{Fault: fault, Path: f.Path, Language: f.Language, Text: f.Text[:from] + with + f.Text[to:], Start: b.start, End: b.end + len(with) - (to - from), Truth: f.Text[b.start:b.end]}
		got := c.Text[c.Start:c.End]
		if key := f.Path + "\x00" + strconv.Itoa(c.Start) + got; got == c.Truth || got != strings.TrimSpace(got) || drawn[key] {
			continue
		} else {
			drawn[key] = true
		}
		broken = append(broken, c)
	}
	return clean, broken, nil
}

// breakIt draws a place for a fault: with in place of [from, to) of the file. ok is false
// where the word that was drawn has none.
func breakIt(f File, words []engine.Word, fault Fault, r *rand.Rand) (from, to int, with string, ok bool) {
	text := func(i int) string {
		if i < 0 || i >= len(words) {
			return ""
		}
		return f.Text[words[i].Start:words[i].End]
	}
	i := r.IntN(len(words))
	w, s := words[i], text(i)
	another := func(groups [][]string) (int, int, string, bool) {
		var others []string
		for _, g := range groups {
			if slices.Contains(g, s) {
				for _, o := range g {
					if o != s {
						others = append(others, o)
					}
				}
			}
		}
		if len(others) == 0 {
			return 0, 0, "", false
		}
		return w.Start, w.End, others[r.IntN(len(others))], true
	}
	switch fault {
	case WrongName:
		if !name(s) {
			return
		}
		j := r.IntN(len(words))
		return w.Start, w.End, text(j), name(text(j)) && text(j) != s
	case WrongOperator:
		return another(operators)
	case WrongKeyword:
		return another(keywords)
	case OffByOne:
		n, err := strconv.Atoi(s)
		if err != nil {
			return
		}
		if n > 0 && r.IntN(2) == 0 {
			return w.Start, w.End, strconv.Itoa(n - 1), true
		}
		return w.Start, w.End, strconv.Itoa(n + 1), true
	case NoNegation:
		if s != "!" && s != "not" || i+1 >= len(words) {
			return
		}
		return w.Start, words[i+1].Start, "", true
	case Swapped:
		a, b := text(i), text(i+2)
		beside := func(s string) bool { return s == "(" || s == ")" || s == "," }
		if text(i+1) != "," || !beside(text(i-1)) || !beside(text(i+3)) || !argument(a) || !argument(b) || a == b {
			return
		}
		return w.Start, words[i+2].End, b + f.Text[w.End:words[i+2].Start] + a, true
	case Dropped:
		if i+1 >= len(words) || strings.Contains(f.Text[w.End:words[i+1].Start], "\n") {
			return
		}
		return w.Start, words[i+1].Start, "", true
	}
	return
}

func name(s string) bool {
	return s != "" && (s[0] == '_' || s[0] >= 'a' && s[0] <= 'z' || s[0] >= 'A' && s[0] <= 'Z') && !slices.Contains(reserved, s)
}

func argument(s string) bool {
	return name(s) || s != "" && s[0] >= '0' && s[0] <= '9'
}
