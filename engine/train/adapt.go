package train

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sort"
)

// Passes over a repository that adapting makes, and the bounds of its steps.
const (
	adaptPasses   = 3
	adaptLeast    = 30
	adaptMost     = 400
	bytesPerToken = 3.3 // of the built-in tokenizer on code, about
)

// fitted sets the length of a run of stage adapt by the text there is to learn from.
func (s Settings) fitted(c *Corpus) Settings {
	size := 0
	for _, f := range c.Files {
		size += f.Length
	}
	s.Steps = min(max(int(adaptPasses*float64(size)/bytesPerToken/float64(s.StepTokens)), adaptLeast), adaptMost)
	s.Warmup, s.Decay = s.Steps/10, s.Steps/2
	s.EvalEvery = s.Steps
	return s
}

// FileLoss is the causal loss of one held-out file.
type FileLoss struct {
	Path   string  `json:"path"`
	Tokens int     `json:"tokens"`
	Hits   int     `json:"hits"` // tokens guessed first
	Bytes  int     `json:"bytes"`
	Nats   float64 `json:"nats"`
}

// FileLosses reads every file of a sampler's corpus from its start, window after window,
// causally. Windows do not see one another.
func (n *Network) FileLosses(p *Sampler) []FileLoss {
	var out []FileLoss
	for i, f := range p.c.Files {
		l := FileLoss{Path: f.Path}
		path := p.encode(shortPath(f.Path))
		size := p.s.Positions - len(path) - 4
		if size < 16 {
			continue
		}
		for t := p.encode(string(p.c.Text(i))); len(t) > 1; t = t[min(len(t), size):] {
			d := p.layout(path, nil, t[:min(len(t), size)], nil, false)
			var m Micro
			p.cleanRows(&m, d)
			asked := m.Asked[:0] // the file's tokens alone: a path is no answer
			for _, a := range m.Asked {
				if int(a.Row) >= d.body {
					asked = append(asked, a)
				}
			}
			m.Asked = asked
			sum := n.Pass(&m, false, nil)
			l.Tokens += sum.Count[LossAR]
			l.Hits += sum.Hits[LossAR]
			l.Nats += sum.Nats[LossAR]
			l.Bytes += m.Bytes
		}
		out = append(out, l)
	}
	return out
}

// Gain is what adapting was worth on the held-out files of a repository.
type Gain struct {
	Files          int        `json:"files"`
	Bytes          int        `json:"bytes"`
	Before         float64    `json:"bits_per_byte_before"`
	After          float64    `json:"bits_per_byte_after"`
	Less           float64    `json:"bits_per_byte_less"`
	CI95           [2]float64 `json:"ci95"` // of Less, files drawn anew; 0, 0 below three files
	AccuracyBefore float64    `json:"accuracy_before"`
	AccuracyAfter  float64    `json:"accuracy_after"`
}

// GainOf compares the losses of the same files before and after. The interval is a paired
// bootstrap over files (2,000 draws by a fixed seed): tokens of a file are not independent.
func GainOf(before, after []FileLoss) (Gain, error) {
	var g Gain
	if len(before) != len(after) {
		return g, fmt.Errorf("the gain of adapting: %d files before, %d after", len(before), len(after))
	}
	g.Files = len(before)
	tokens, hits, was, nats, first := 0, 0, 0, 0.0, 0.0
	for i, b := range before {
		a := after[i]
		if a.Path != b.Path || a.Bytes != b.Bytes {
			return g, fmt.Errorf("the gain of adapting: %s is not the file it was", b.Path)
		}
		g.Bytes += b.Bytes
		tokens, hits, was = tokens+b.Tokens, hits+a.Hits, was+b.Hits
		nats, first = nats+a.Nats, first+b.Nats
	}
	if g.Bytes == 0 {
		return g, nil
	}
	scale := 1 / math.Ln2 / float64(g.Bytes)
	g.Before, g.After = first*scale, nats*scale
	g.Less = g.Before - g.After
	g.AccuracyBefore, g.AccuracyAfter = float64(was)/float64(tokens), float64(hits)/float64(tokens)
	if g.Files < 3 {
		return g, nil
	}
	r := rand.New(rand.NewPCG(1, 95))
	draws := make([]float64, 2000)
	for k := range draws {
		less, size := 0.0, 0
		for range before {
			i := r.IntN(len(before))
			less, size = less+before[i].Nats-after[i].Nats, size+before[i].Bytes
		}
		draws[k] = less / math.Ln2 / float64(max(size, 1))
	}
	sort.Float64s(draws)
	g.CI95 = [2]float64{draws[50], draws[1949]}
	return g, nil
}

// String is the gain for a person.
func (g Gain) String() string {
	if g.Bytes == 0 {
		return "no files could be held out of so few: what adapting is worth here is not known"
	}
	s := fmt.Sprintf("on %d held-out files (%.0f KB): %.3f bits a byte before, %.3f after; tokens guessed %.1f %% before, %.1f %% after; ",
		g.Files, float64(g.Bytes)/1e3, g.Before, g.After, 100*g.AccuracyBefore, 100*g.AccuracyAfter)
	if g.Files < 3 {
		return s + "too few files for an interval"
	}
	s += fmt.Sprintf("%.3f bits a byte less (95 %% interval %.3f to %.3f)", g.Less, g.CI95[0], g.CI95[1])
	if g.CI95[0] <= 0 {
		s += ": not certainly a gain"
	}
	return s
}

// beforePath keeps what the model was worth before it was adapted.
func beforePath(dir string) string { return filepath.Join(dir, "before.json") }

// remark measures the held-out files before the first step of stage adapt, once.
func (j Job) remark(t *Trainer) error {
	if _, err := os.Stat(beforePath(j.Out)); err == nil && j.Resume {
		return nil
	}
	if t.held == nil || t.st.Step > 0 {
		return nil
	}
	b, err := json.Marshal(t.net.FileLosses(t.held))
	if err != nil {
		return err
	}
	return writeFile(beforePath(j.Out), b)
}

// gain tells what was reached, and leaves it in the run's folder.
func (j Job) gain(t *Trainer) error {
	var g Gain
	if b, err := os.ReadFile(beforePath(j.Out)); err == nil && t.held != nil {
		var before []FileLoss
		if err := json.Unmarshal(b, &before); err != nil {
			return fmt.Errorf("%s: %w; start anew with another --out", beforePath(j.Out), err)
		}
		if g, err = GainOf(before, t.net.FileLosses(t.held)); err != nil {
			return err
		}
	}
	b, err := json.MarshalIndent(g, "", "  ")
	if err != nil {
		return err
	}
	dir := filepath.Join(j.Out, "model")
	fmt.Fprintf(j.Log, "\n%s\nuse it: seedling --model %s lsp (and with every other command)\n", g, dir)
	return writeFile(filepath.Join(j.Out, "gain.json"), append(b, '\n'))
}
