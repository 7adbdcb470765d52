package eval

import (
	"context"
	"fmt"
	"math"
	"path"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/seedling-lsp/seedling/engine"
	"github.com/seedling-lsp/seedling/engine/denoise"
	"github.com/seedling-lsp/seedling/infill"
	"github.com/seedling-lsp/seedling/treesitter"
)

// Generator answers requests: an engine, or a stand-in.
type Generator interface {
	Generate(ctx context.Context, r engine.Request) (engine.Result, error)
}

// neighbours lets a generator remember the files of one folder at a time, or of one
// repository.
type neighbours struct {
	files  []File
	whole  bool
	folder string
	known  []string
}

// Bounds of what is remembered of a repository: those of an editor's server.
const (
	workspaceFiles = 2000
	workspaceBytes = 4 << 20
)

// visit turns to a case's folder.
func (n *neighbours) visit(g Generator, c Case) {
	m, ok := g.(interface {
		Remember(document, text string)
		Forget(document string)
	})
	folder, within := path.Dir(c.Path), func(p string) bool { return path.Dir(p) == path.Dir(c.Path) }
	if n.whole {
		folder = repository(c.Path)
		within = func(p string) bool { return strings.HasPrefix(p, folder) }
	}
	if !ok || folder == n.folder && len(n.known) > 0 {
		return
	}
	for _, p := range n.known {
		m.Forget(p)
	}
	n.folder, n.known = folder, n.known[:0]
	bytes := 0
	for _, f := range n.files {
		if within(f.Path) && len(n.known) < workspaceFiles && bytes+len(f.Text) <= workspaceBytes {
			m.Remember(f.Path, f.Text)
			n.known = append(n.known, f.Path)
			bytes += len(f.Text)
		}
	}
}

// Setup says how cases are asked.
type Setup struct {
	// Remembered are files that a person would have beside the one worked in: of them those
	// of a case's own folder are remembered, if the generator can (engine.Engine.Remember).
	Remembered []File
	// Workspace widens what is remembered to the case's repository (Repository), the files
	// of its own folder first, as far as an editor's server reads.
	Workspace bool
	// Indexed files: pieces of those of a case's own repository stand in the prompt, as
	// Context, a name of infill.Contexts, says. Empty: none.
	Indexed    []File
	Context    string
	Decode     []string // names of Modes; empty: all
	Candidates int      // different answers that are asked for, see Score.Among; 0: one
	// Packages are the files among which answers in Go are type-checked. nil: they are not.
	Packages []File
	// Settings and BlockSize of the requests; zero: the generator's own.
	Settings  denoise.Settings
	BlockSize int
	// Name stands before the documents' names: no answer may be recalled for a request of
	// the same case that is asked otherwise.
	Name string
}

// Score is what a decoding mode reached on the cases of a kind.
type Score struct {
	N                int        `json:"n"`
	Exact            float64    `json:"exact"`           // share of answers that are the truth, white space at the end aside
	CI95             [2]float64 `json:"ci95"`            // Wilson interval of exact
	EditSimilarity   float64    `json:"edit_similarity"` // 1 − edit distance / longer length, mean
	Parses           float64    `json:"parses"`          // share of answers that add no syntax error in place
	ParsesCI95       [2]float64 `json:"parses_ci95"`     // Wilson interval of it
	TokensPerForward float64    `json:"tokens_per_forward"`
	Forwards         float64    `json:"forwards"` // mean, prefill included
	MsP50            float64    `json:"ms_p50"`   // plan, prefill, denoise and finish; two of three modes find the context cached, each in turn
	Empty            float64    `json:"empty"`    // share of cases without an answer
	// Languages are exact by language.
	Languages map[string]Share `json:"languages,omitempty"`
	// TypeChecks is, of the answers in Go, the share that in its place makes no mistake of types
	// that the truth does not make; GoAnswers how many those are.
	TypeChecks float64 `json:"type_checks,omitempty"`
	GoAnswers  int     `json:"go_answers,omitempty"`
	// With several candidates, of which all of the above is the likeliest's: how many there
	// were, and the share of cases with the truth among them.
	Candidates float64 `json:"candidates,omitempty"`
	Among      float64 `json:"among,omitempty"`
}

// InfillReport is the answer of `seedling eval infill`.
type InfillReport struct {
	Model  string                     `json:"model"`
	Cases  int                        `json:"cases"`
	Seed   uint64                     `json:"seed"`
	Decode map[string]map[Kind]*Score `json:"decode"`
	// Calibration is what withholding answers buys (engine.Request.MinLogProb): for the
	// answers of verify, by the least likelihood at which they are shown.
	Calibration map[Kind][]Shown `json:"calibration,omitempty"`
	// Context is what cases were shown of other files (infill.Contexts).
	Context string `json:"context,omitempty"`
	// Peers answered the same cases.
	Peers []InfillReport `json:"peers,omitempty"`
	// Likelihood of the truths by the causal reading, in that context: what a change of the
	// context is worth shows here before it shows in answers.
	Likelihood map[Kind]*TruthLikelihood `json:"likelihood,omitempty"`
}

// TruthLikelihood is how likely the truths of a kind are.
type TruthLikelihood struct {
	N           int     `json:"n"`
	Bytes       int     `json:"bytes"`
	BitsPerByte float64 `json:"bits_per_byte"`
	Nats        float64 `json:"nats"`       // a case, mean
	NatsError   float64 `json:"nats_error"` // standard error of it
	Shown       int     `json:"shown"`      // cases that were shown something of other files

	sum, squares float64 // of nats
}

// add counts a case.
func (t *TruthLikelihood) add(l engine.Likelihood, shown bool) {
	t.N++
	t.Bytes += l.Bytes
	t.sum -= l.LogProb
	t.squares += l.LogProb * l.LogProb
	if shown {
		t.Shown++
	}
	n := float64(t.N)
	t.Nats = t.sum / n
	t.NatsError = math.Sqrt(max(0, t.squares/n-t.Nats*t.Nats) / n)
	t.BitsPerByte = t.sum / math.Ln2 / float64(max(1, t.Bytes))
}

// reader says how likely a text is; an engine can.
type reader interface {
	Likelihood(ctx context.Context, r engine.Request, text string) (engine.Likelihood, error)
}

// Shown is a point of precision against coverage.
type Shown struct {
	MinLogProb float64 `json:"min_logprob"` // of the first line, nats
	Share      float64 `json:"shown"`       // of all cases, with an answer that likely
	Exact      float64 `json:"exact"`       // share of those that are the truth
	Parses     float64 `json:"parses"`      // share of those that add no syntax error
}

// bounds are the likelihoods at which calibration is reported; the last shows everything.
var bounds = []float64{-0.5, -1, -2, -3, -4, -5, -7, -10, -1e6}

// Named is a decoding mode with its name.
type Named struct {
	Name string
	Mode denoise.Mode
}

// Modes are the decoding modes by their names.
var Modes = []Named{{"diffusion", denoise.Diffusion}, {"verify", denoise.Verify}, {"causal", denoise.Causal}}

// tally sums answers of one mode and kind.
type tally struct {
	n, exact, parses, empty, tokens, forwards int
	candidates, among                         int
	typed, goAnswers                          int
	similarity                                float64
	ms                                        []float64
	answers                                   []answered
	languages                                 map[string]*struct{ n, exact int }
}

// answered is a case with an answer.
type answered struct {
	logProb       float64
	exact, parses bool
}

// Infill answers every case in every mode of the setup. progress is told the cases done.
func Infill(ctx context.Context, g Generator, name string, cases []Case, set Setup, seed uint64, progress func(done int)) (InfillReport, error) {
	modes := slices.Clone(Modes)
	if len(set.Decode) > 0 {
		modes = slices.DeleteFunc(modes, func(m Named) bool { return !slices.Contains(set.Decode, m.Name) })
	}
	rep := InfillReport{Model: name, Cases: len(cases), Seed: seed, Decode: map[string]map[Kind]*Score{}, Context: set.Context, Likelihood: map[Kind]*TruthLikelihood{}}
	sums := map[string]map[Kind]*tally{}
	for _, m := range modes {
		sums[m.Name] = map[Kind]*tally{}
		rep.Decode[m.Name] = map[Kind]*Score{}
	}
	parser := treesitter.NewParser(treesitter.Limits{})
	defer parser.Close()
	known := neighbours{files: set.Remembered, whole: set.Workspace}
	var check *goTypes
	if set.Packages != nil {
		check = newGoTypes(set.Packages)
	}
	others := crossFile{parser: parser, files: set.Indexed, options: infill.Contexts[set.Context]}
	if set.Remembered != nil || set.Indexed != nil { // a folder is read once
		cases = slices.SortedStableFunc(slices.Values(cases), func(a, b Case) int { return strings.Compare(path.Dir(a.Path), path.Dir(b.Path)) })
	}
	for i, c := range cases {
		known.visit(g, c)
		with, err := parser.Parse(c.Language, nil, c.Text)
		if err != nil {
			return rep, fmt.Errorf("parsing %s: %w", c.Path, err)
		}
		before := with.Problems()
		with.Close()
		snippets, err := others.read(ctx, g, c, i, &rep)
		if err != nil {
			return rep, fmt.Errorf("%s, byte %d: %w", c.Path, c.Start, err)
		}
		for k := range modes {
			// Each mode goes first in turn: the first one reads the context.
			m := modes[(i+k)%len(modes)]
			t := sums[m.Name][c.Kind]
			if t == nil {
				t = &tally{}
				sums[m.Name][c.Kind] = t
			}
			if err := t.answer(ctx, g, parser, c, set, m.Mode, before, i, snippets, check); err != nil {
				return rep, fmt.Errorf("%s, byte %d, %s: %w", c.Path, c.Start, m.Name, err)
			}
		}
		if progress != nil {
			progress(i + 1)
		}
	}
	for m, kinds := range sums {
		for k, t := range kinds {
			rep.Decode[m][k] = t.score()
		}
	}
	rep.Calibration = map[Kind][]Shown{}
	for k, t := range sums["verify"] {
		rep.Calibration[k] = t.calibration()
	}
	return rep, nil
}

// planMode is how far the plan of a case goes.
var planMode = map[Kind]infill.Mode{SingleLine: infill.Line, LineEnd: infill.Line, Statement: infill.Block, Block: infill.Block, Function: infill.Function}

func (t *tally) answer(ctx context.Context, g Generator, parser *treesitter.Parser, c Case, set Setup, mode denoise.Mode, before treesitter.Problems, id int, snippets []engine.Snippet, check *goTypes) error {
	text := c.Text[:c.Start] + c.Text[c.End:]
	tree, err := parser.Parse(c.Language, nil, text)
	if err != nil {
		return err
	}
	defer tree.Close()
	start := time.Now()
	// The document's name is case and mode: one mode's answer must not be recalled for
	// another's.
	plan := infill.NewPlan(infill.Document{Path: c.Path, Language: c.Language, Text: text, Tree: tree}, infill.ByteOffset(c.Start),
		infill.Options{Mode: planMode[c.Kind], Priority: engine.Invoked, Document: set.Name + fmt.Sprintf("case %d.%d", id, mode)})
	all, res, err := plan.Answers(set.Candidates, func(r engine.Request) (engine.Result, error) {
		r.Decode, r.Own, r.Snippets = mode, c.Path, snippets
		r.Settings, r.BlockSize = set.Settings, set.BlockSize
		return g.Generate(ctx, r)
	})
	if err != nil {
		return err
	}
	s := plan.Finish(res) // which may be empty while an alternative is not
	t.ms = append(t.ms, float64(time.Since(start).Microseconds())/1000)
	t.n++
	t.tokens += res.Tokens
	t.forwards += res.Forwards
	truth := strings.TrimRight(c.Truth(), " \t\n")
	wrote := func(s infill.Suggestion) string {
		got := strings.TrimRight(s.Text, " \t\n")
		if int(s.End) > c.Start { // the suggestion wrote the right of the cursor anew
			got = strings.TrimSuffix(got, strings.TrimRight(text[c.Start:s.End], " \t\n"))
		}
		return got
	}
	got := wrote(s)
	t.candidates += len(all)
	if slices.ContainsFunc(all, func(s infill.Suggestion) bool { return wrote(s) == truth }) {
		t.among++
	}
	a := answered{logProb: res.LineLogProb, exact: got == truth}
	if got == "" {
		t.empty++
	}
	of := t.languages[c.Language.String()]
	if of == nil {
		of = &struct{ n, exact int }{}
		if t.languages == nil {
			t.languages = map[string]*struct{ n, exact int }{}
		}
		t.languages[c.Language.String()] = of
	}
	of.n++
	if a.exact {
		t.exact++
		of.exact++
	}
	t.similarity += similarity(got, truth)
	after := text[:c.Start] + s.Text + text[max(int(s.End), c.Start):]
	done, err := parser.Parse(c.Language, nil, after)
	if err != nil {
		return err
	}
	defer done.Close()
	if p := done.Problems(); p.Errors+p.Missing <= before.Errors+before.Missing && s.Text != "" {
		t.parses++
		a.parses = true
	}
	if got != "" {
		t.answers = append(t.answers, a)
		if check != nil && c.Language == treesitter.Go {
			if ok, known := check.holds(c, after); known {
				t.goAnswers++
				if ok {
					t.typed++
				}
			}
		}
	}
	return nil
}

// calibration counts the answers at or above each bound.
func (t *tally) calibration() []Shown {
	var out []Shown
	for _, b := range bounds {
		shown, exact, parses := 0, 0, 0
		for _, a := range t.answers {
			if a.logProb < b {
				continue
			}
			shown++
			if a.exact {
				exact++
			}
			if a.parses {
				parses++
			}
		}
		n := float64(max(shown, 1))
		out = append(out, Shown{MinLogProb: b, Share: float64(shown) / float64(t.n), Exact: float64(exact) / n, Parses: float64(parses) / n})
	}
	return out
}

func (t *tally) score() *Score {
	n := float64(t.n)
	s := &Score{N: t.n, Exact: float64(t.exact) / n, CI95: Wilson(t.exact, t.n), EditSimilarity: t.similarity / n, Parses: float64(t.parses) / n, ParsesCI95: Wilson(t.parses, t.n),
		Forwards: float64(t.forwards) / n, Empty: float64(t.empty) / n, MsP50: percentile(t.ms, 0.5)}
	for l, of := range t.languages {
		if s.Languages == nil {
			s.Languages = map[string]Share{}
		}
		s.Languages[l] = shareOf(of.exact, of.n)
	}
	if t.candidates > t.n {
		s.Candidates, s.Among = float64(t.candidates)/n, float64(t.among)/n
	}
	if t.goAnswers > 0 {
		s.TypeChecks, s.GoAnswers = float64(t.typed)/float64(t.goAnswers), t.goAnswers
	}
	if t.forwards > 0 {
		s.TokensPerForward = float64(t.tokens) / float64(t.forwards)
	}
	return s
}

// Wilson is the 95 % interval of a share.
func Wilson(k, n int) [2]float64 {
	if n == 0 {
		return [2]float64{}
	}
	const z = 1.959964
	p, m := float64(k)/float64(n), float64(n)
	mid := (p + z*z/(2*m)) / (1 + z*z/m)
	half := z / (1 + z*z/m) * math.Sqrt(p*(1-p)/m+z*z/(4*m*m))
	return [2]float64{max(0, mid-half), min(1, mid+half)}
}

// percentile is the smallest value that at least a share of the values does not exceed;
// it sorts them.
func percentile(v []float64, share float64) float64 {
	if len(v) == 0 {
		return 0
	}
	sort.Float64s(v)
	return v[min(max(int(math.Ceil(share*float64(len(v)))), 1), len(v))-1]
}

// similarity is 1 − Levenshtein distance over the longer length, in bytes.
func similarity(a, b string) float64 {
	n := max(len(a), len(b))
	if n == 0 {
		return 1
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			d := diagonal
			if a[i] != b[j] {
				d++
			}
			diagonal = row[j+1]
			row[j+1] = min(d, row[j]+1, row[j+1]+1)
		}
	}
	return 1 - float64(row[len(b)])/float64(n)
}
