package replay

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/seedling-lsp/seedling/engine"
	"github.com/seedling-lsp/seedling/engine/denoise"
	"github.com/seedling-lsp/seedling/infill"
	"github.com/seedling-lsp/seedling/treesitter"
)

// Generator answers requests; an *engine.Engine is one.
type Generator interface {
	Generate(ctx context.Context, r engine.Request) (engine.Result, error)
}

// rememberer is a Generator that also remembers documents, as an *engine.Engine does.
type rememberer interface{ Remember(document, text string) }

// Options of a run; the zero value asks as a server does by default, but for the deadline:
// there is none, so that slow answers show.
type Options struct {
	Decode     denoise.Mode
	MinLogProb float64 // nats, see engine.Request
	Keys       int     // at most; 0: all
	// Progress is called after each key. nil: not.
	Progress func(done int)
}

// Report is what keys cost. Times are from the key to the suggestion, in milliseconds;
// Forwards and ContextTokens (read anew) are means a key.
type Report struct {
	Cost
	Script string        `json:"script"`
	Keys   int           `json:"keys"`
	Silent int           `json:"silent"` // of them, nothing is asked after: inside of a word, for example
	Cached float64       `json:"cached"` // share of the contexts' tokens, of keys that were not recalled
	Kinds  map[Kind]Cost `json:"kinds"`
}

// Cost of keys, those after which something was asked.
type Cost struct {
	P50           float64 `json:"p50_ms"`
	P95           float64 `json:"p95_ms"`
	P99           float64 `json:"p99_ms"`
	Forwards      float64 `json:"forwards"`
	ContextTokens float64 `json:"context_tokens"`
	Recalled      float64 `json:"recalled"` // share answered from what was suggested before
	N             int     `json:"n"`
}

// asked is one key that was answered.
type asked struct {
	kind          Kind
	ms            float64
	forwards      int
	context, have int // tokens
}

// document is a file that is open.
type document struct {
	id, path string
	lang     treesitter.Language
	text     string
	tree     *treesitter.Tree
}

// Run types a script. An error is the generator's, or the script's that does not fit.
func Run(ctx context.Context, g Generator, s Script, opt Options) (Report, error) {
	keys, err := s.Keys()
	if err != nil {
		return Report{}, err
	}
	if opt.Keys > 0 {
		keys = keys[:min(len(keys), opt.Keys)]
	}
	parser := treesitter.NewParser(treesitter.Limits{})
	defer parser.Close()
	rep := Report{Script: s.Source, Keys: len(keys), Kinds: map[Kind]Cost{}}
	var all []asked
	var docs []*document
	closeAll := func() {
		for _, d := range docs {
			d.tree.Close()
		}
		docs = nil
	}
	defer closeAll()
	session := -1
	for i, k := range keys {
		if k.Session != session {
			closeAll()
			session = k.Session
			for _, f := range s.Sessions[session].Files {
				d := &document{id: fmt.Sprintf("%d %s", session, f.Path), path: f.Path, lang: treesitter.Detect(f.Path, ""), text: f.Text}
				if d.tree, err = parser.Parse(d.lang, nil, d.text); err != nil {
					return rep, fmt.Errorf("replay: %w", err)
				}
				docs = append(docs, d)
				if r, ok := g.(rememberer); ok {
					r.Remember(d.id, infill.Plain(d.text))
				}
			}
		}
		a, ok, err := docs[k.File].press(ctx, g, parser, k, opt)
		if err != nil {
			return rep, fmt.Errorf("replay: key %d: %w", i, err)
		}
		if ok {
			all = append(all, a)
		} else {
			rep.Silent++
		}
		if opt.Progress != nil {
			opt.Progress(i + 1)
		}
	}
	rep.Cost = cost(all)
	context, have := 0, 0
	for _, a := range all {
		if a.forwards > 0 {
			context, have = context+a.context, have+a.have
		}
	}
	if context > 0 {
		rep.Cached = float64(have) / float64(context)
	}
	for _, kind := range Kinds {
		of := slices.DeleteFunc(slices.Clone(all), func(a asked) bool { return a.kind != kind })
		if len(of) > 0 {
			rep.Kinds[kind] = cost(of)
		}
	}
	return rep, nil
}

// press makes a key's edit and asks for what follows. ok is false when there is nothing to
// ask there.
func (d *document) press(ctx context.Context, g Generator, parser *treesitter.Parser, k Key, opt Options) (a asked, ok bool, err error) {
	e := k.Edit
	text := d.text[:e.At] + e.Insert + d.text[e.At+e.Delete:]
	start := time.Now()
	tree, err := parser.Parse(d.lang, d.tree, text)
	if err != nil {
		return a, false, err
	}
	d.tree.Close()
	d.text, d.tree = text, tree
	plan := infill.NewPlan(infill.Document{Path: d.path, Language: d.lang, Text: text, Tree: tree, Parser: parser}, infill.ByteOffset(e.At+len(e.Insert)),
		infill.Options{Priority: engine.Typed, Document: d.id})
	if plan.Mode == infill.Nothing {
		return a, false, nil
	}
	_, res, err := plan.Answer(func(r engine.Request) (engine.Result, error) {
		r.Decode, r.MinLogProb = opt.Decode, opt.MinLogProb
		return g.Generate(ctx, r)
	})
	if err != nil {
		return a, false, err
	}
	return asked{k.Kind, time.Since(start).Seconds() * 1000, res.Forwards, res.ContextTokens, res.CachedTokens}, true, nil
}

func cost(all []asked) Cost {
	c := Cost{N: len(all)}
	if c.N == 0 {
		return c
	}
	var ms []float64
	for _, a := range all {
		ms = append(ms, a.ms)
		c.Forwards += float64(a.forwards)
		if a.forwards == 0 {
			c.Recalled++
		} else {
			c.ContextTokens += float64(a.context - a.have)
		}
	}
	slices.Sort(ms)
	at := func(share float64) float64 { return ms[min(max(int(math.Ceil(share*float64(len(ms)))), 1), len(ms))-1] }
	c.P50, c.P95, c.P99 = at(0.5), at(0.95), at(0.99)
	n := float64(c.N)
	c.Forwards, c.Recalled, c.ContextTokens = c.Forwards/n, c.Recalled/n, c.ContextTokens/n
	return c
}

// Table is the report for a person.
func (r Report) Table() string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 8, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(w, "%d keys of %s\tasked\tp50\tp95\tp99 ms\tforwards\tcontext tokens\trecalled\t\n", r.Keys, r.Script)
	row := func(name string, c Cost) {
		fmt.Fprintf(w, "%s\t%d\t%.1f\t%.1f\t%.1f\t%.1f\t%.1f\t%.0f %%\t\n", name, c.N, c.P50, c.P95, c.P99, c.Forwards, c.ContextTokens, 100*c.Recalled)
	}
	for _, k := range Kinds {
		if c, ok := r.Kinds[k]; ok {
			row(string(k), c)
		}
	}
	row("all", r.Cost)
	w.Flush()
	fmt.Fprintf(&b, "of the contexts that were read, %.1f %% of the tokens were there already; after %d keys nothing is asked\n", 100*r.Cached, r.Silent)
	return b.String()
}
