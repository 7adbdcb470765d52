package eval

import (
	"context"
	"fmt"
	"path"
	"strings"

	"github.com/seedling-lsp/seedling/engine"
	"github.com/seedling-lsp/seedling/infill"
	"github.com/seedling-lsp/seedling/treesitter"
)

// crossFile gives cases what an editor would know of other files: an index of their
// repository, and the files of their own folder as if they were open.
type crossFile struct {
	parser  *treesitter.Parser
	files   []File
	options infill.ContextOptions
	repo    string
	index   *infill.Index
}

// read gives what a case is shown, and counts how likely the truth is with it, if g can say.
func (x *crossFile) read(ctx context.Context, g Generator, c Case, id int, rep *InfillReport) ([]engine.Snippet, error) {
	if x.files == nil && x.options.Bytes == 0 {
		return nil, nil
	}
	text := c.Text[:c.Start] + c.Text[c.End:]
	tree, err := x.parser.Parse(c.Language, nil, text)
	if err != nil {
		return nil, err
	}
	defer tree.Close()
	plan := infill.NewPlan(infill.Document{Path: c.Path, Language: c.Language, Text: text, Tree: tree}, infill.ByteOffset(c.Start),
		infill.Options{Mode: planMode[c.Kind], Priority: engine.Invoked, Document: fmt.Sprintf("case %d", id)})
	if plan.Mode == infill.Nothing {
		return nil, nil
	}
	var snippets []engine.Snippet
	if x.options.Bytes > 0 {
		snippets = plan.Context(x.sources(c), x.options).Snippets
	}
	if r, ok := g.(reader); ok {
		req := plan.Request()
		req.Own, req.Snippets = c.Path, snippets
		l, err := r.Likelihood(ctx, req, c.Truth())
		if err != nil {
			return nil, err
		}
		if rep.Likelihood[c.Kind] == nil {
			rep.Likelihood[c.Kind] = &TruthLikelihood{}
		}
		rep.Likelihood[c.Kind].add(l, len(snippets) > 0)
	}
	return snippets, nil
}

// repository is the folder of a file's project: the first two elements of its path
// (language and source) in a corpus, else everything.
func repository(p string) string {
	parts := strings.SplitN(p, "/", 3)
	if len(parts) < 3 {
		return ""
	}
	return parts[0] + "/" + parts[1] + "/"
}

// sources are those of a case. Its own file is not among them: what it defines is seen in
// the text with the gap, or else the truth could be read off.
func (x *crossFile) sources(c Case) infill.Sources {
	if repo := repository(c.Path); x.index == nil || repo != x.repo {
		x.repo, x.index = repo, infill.NewIndex(infill.IndexLimits{})
		for _, f := range x.files {
			if strings.HasPrefix(f.Path, repo) {
				x.put(f)
			}
		}
	}
	src := infill.Sources{Index: x.index}
	for _, f := range x.files {
		if f.Path != c.Path && path.Dir(f.Path) == path.Dir(c.Path) && len(src.Recent) < 8 {
			src.Recent = append(src.Recent, infill.Document{Path: f.Path, Language: f.Language, Text: f.Text})
		}
	}
	return src
}

func (x *crossFile) put(f File) {
	tree, _ := x.parser.Parse(f.Language, nil, f.Text)
	defer tree.Close()
	x.index.Put(infill.Document{Path: f.Path, Language: f.Language, Text: f.Text, Tree: tree})
}
