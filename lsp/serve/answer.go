package serve

import (
	"context"
	"errors"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/seedling-lsp/seedling/engine"
	"github.com/seedling-lsp/seedling/infill"
)

// mostTokens bounds what may be asked for: more is a mistake rather than a wish.
const mostTokens = 4096

// tokenBytes are the bytes of a token of code, at the most on the average.
const tokenBytes = 4

// question is what both endpoints ask: a gap, and bounds of the answer.
type question struct {
	client        string // of which only the newest question counts
	before, after string
	path          string // of the file; mostly not known
	snippets      []engine.Snippet
	cut           cut
	maxTokens     int           // at the most; 0: what the plan allows
	wait          time.Duration // 0: Options.MaxWait
	// plain asks for a continuation of before alone. Nothing is known of what follows, so
	// there is nothing to fit and no plan.
	plain bool
}

// answer is a text to insert at the cursor.
type answer struct {
	text string
	stop string // as engine.Result has it, or of the cut
	res  engine.Result
}

// files are the question's other files as the model may see them. (What stands around the
// cursor the plan hides itself.)
func (q question) files() []engine.Snippet {
	out := make([]engine.Snippet, len(q.snippets))
	for i, f := range q.snippets {
		out[i] = engine.Snippet{Path: f.Path, Text: infill.HideSecrets(f.Text)}
	}
	return out
}

// limited says whether a bound ended the answer, and not the model or the code.
func (a answer) limited() bool {
	return a.stop == "budget" || a.stop == "deadline" || a.stop == stopIndent
}

// word is the stop word that ended it, if one did.
func (a answer) word() (string, bool) {
	w, ok := strings.CutPrefix(a.stop, stopWord)
	if !ok {
		return "", false
	}
	return w, true
}

// ask answers a question through infill, or plainly.
func (s *Server) ask(ctx context.Context, q question) (answer, error) {
	wait := s.opt.MaxWait
	if q.wait > 0 {
		wait = min(wait, q.wait)
	}
	deadline := time.Now().Add(wait)
	files := q.files()
	generate := func(r engine.Request) (engine.Result, error) {
		r.Decode = s.opt.Decode
		r.Deadline = deadline
		r.Snippets = files
		if q.maxTokens > 0 {
			r.MaxTokens = min(r.MaxTokens, q.maxTokens)
		}
		r.Stop = q.cut.with(r.Stop)
		return s.opt.Generator.Generate(ctx, r)
	}
	if q.plain {
		res, err := generate(engine.Request{Document: q.client, Path: q.path, Prefix: infill.HideSecrets(q.before), Priority: engine.Typed, MaxTokens: mostTokens})
		return s.done(q, answer{text: res.Text, stop: res.Stop, res: res}), err
	}
	if s.opt.Positions > 0 {
		q.before = steady(q.before, tokenBytes*s.opt.Positions)
	}
	d := infill.Document{Path: q.path, Language: guess(q.path, q.before, q.after, q.snippets), Text: q.before + q.after}
	d.Tree, _ = s.parser.Parse(d.Language, nil, d.Text) // without a grammar there is no tree, which is a tree like any other
	defer d.Tree.Close()
	if len(q.cut.words) == 0 { // who says where to cut wants the text cut there, whatever it is
		d.Parser = s.parser
	}
	plan := infill.NewPlan(d, infill.ByteOffset(len(q.before)), infill.Options{Document: q.client, Priority: engine.Typed})
	g, res, err := plan.Answer(generate)
	if err != nil {
		return answer{}, err
	}
	s.log.Debug("planned", zap.Stringer("mode", plan.Mode), zap.String("why", plan.Reason), zap.Stringer("language", d.Language), zap.String("stop", g.Stop))
	return s.done(q, answer{text: inserted(g, d.Text), stop: g.Stop, res: res}), nil
}

// done cuts once more, what infill may have added at the end.
func (s *Server) done(q question, a answer) answer {
	if f, ok := q.cut.in(a.text); ok {
		a.text, a.stop = a.text[:f.keep], f.why
	}
	return a
}

// warm reads a question's files into the cache, as a request for no tokens asks. It is
// worth less than any answer: what is asked for meanwhile goes first, and whether it came
// to its end is nothing to its client.
func (s *Server) warm(ctx context.Context, q question) (answer, error) {
	if len(q.snippets) == 0 && q.before == "" && q.after == "" {
		return answer{stop: "none"}, nil
	}
	res, err := s.opt.Generator.Generate(ctx, engine.Request{
		// Of its own, so that it neither ends the client's question nor takes the place of
		// its last answer.
		Document: q.client + " warm",
		Path:     q.path, Snippets: q.files(), Prefix: infill.HideSecrets(q.before), Suffix: infill.HideSecrets(q.after),
		Priority: engine.Speculative, Decode: s.opt.Decode, Deadline: time.Now().Add(s.opt.MaxWait / 4),
		Stop: func(string) (int, string) { return 0, "none" },
	})
	if err != nil && !errors.Is(err, context.Canceled) {
		return answer{}, err
	}
	return answer{stop: "none", res: res}, nil
}

// inserted is a suggestion for a client that can only insert. One that writes the closing
// brackets right of the cursor anew and goes on behind them is cut before them: they are
// there.
func inserted(g infill.Suggestion, text string) string {
	if g.End <= g.Start {
		return g.Text
	}
	depth := 0
	for i := 0; i < len(g.Text); i++ {
		switch g.Text[i] {
		case '(', '[', '{':
			depth++
		case ')', ']', '}':
			if depth--; depth < 0 {
				return g.Text[:i]
			}
		}
	}
	right := text[g.Start:g.End]
	if i := strings.Index(g.Text, strings.TrimSpace(right)); i >= 0 {
		return g.Text[:i]
	}
	return ""
}
