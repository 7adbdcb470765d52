package engine

import (
	"cmp"
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/seedling-lsp/seedling/engine/backend"
	"github.com/seedling-lsp/seedling/engine/denoise"
	"github.com/seedling-lsp/seedling/engine/tokenizer"
)

// EditRequest asks what is wrong in a region that stands already.
type EditRequest struct {
	Document string // as Request has it; an identity of its own, else completions cancel it
	Path     string
	Snippets []Snippet
	Prefix   string // text before the region
	Region   string // the draft; best of whole lines, without white space at its ends
	Suffix   string // text after the region
	Priority Priority
	// Deadline bounds the search: what is found and scored by then is the answer. Zero: none.
	Deadline time.Time
	// May says whether a stretch of Region may change. It must be a pure function. nil: all may.
	May func(at Word) bool
	// Places is how many suspicious places are looked into, at most. 0: 8.
	Places int
	// Propose gives the caller's own proposals for a stretch that the model finds
	// suspicious: what could have been meant there. It must be a pure function. nil: none.
	Propose func(at Word) []Proposal
}

// Proposal is a change of the region: Text in place of Region[Start:End).
type Proposal struct {
	Start, End int
	Text       string
	Source     Source
}

// Source says who proposed a change.
type Source uint8

const (
	FromCaller   Source = iota // EditRequest.Propose
	FromReading                // the causal reading went on differently
	FromDenoiser               // the denoiser revised, deleted or inserted
)

// String is the source's name: caller, reading or denoiser.
func (s Source) String() string { return [...]string{"caller", "reading", "denoiser"}[s] }

// Change is a proposal with what speaks for it.
type Change struct {
	Proposal
	// Gain is by how much the log-probability of the whole region rises (nats, by the causal
	// reading with the suffix in view, the end of the region included).
	Gain float64
	// Behind is the part of Gain that is of the text behind the change: what the rest of
	// the region says for it, however frequent the changed words are in themselves. Old and
	// New are the log-probabilities of the tokens that go and of those that come.
	Behind, Old, New float64
	// Best is the log-probability of the model's own choice where the first token changes.
	Best float64
}

// Surprise is a token of the region that the model would not have written.
type Surprise struct {
	Word
	LogProb float64 // of the token, nats
	Best    float64 // log-probability of the one that the model would have written
}

// EditResult is what Edit found.
type EditResult struct {
	// Changes that make the region likelier, best first; each for itself.
	Changes   []Change
	Surprises []Surprise // most surprising first
	LogProb   float64    // of the region as it stands, its end included, nats
	Tokens    int        // of the region
	Forwards  int

	ContextTokens, CachedTokens int
	// Late: the deadline came before everything was looked at.
	Late  bool
	Spent time.Duration
}

// ErrRegion is returned for a region that the model's positions do not hold.
var ErrRegion = errors.New("engine: the region is too long for the model: ask for fewer lines")

const (
	defaultPlaces = 8
	// jump is by how many nats a token must be less likely than the model's best for its
	// place to be suspicious.
	jump = 1.5
	// goesOn is how many tokens the model writes at a suspicious place.
	goesOn = 4
	// near is how many tokens behind a change are read to sift proposals; the finalists are
	// read to the region's end.
	near      = 8
	finalists = 8
	// aPlace is how many of the finalists may begin at one token.
	aPlace = 2
	// second is the probability from which the model's second choice is gone on with, too.
	second = 0.05
	// editCanvas is how many positions of a draft the denoiser sees at a time: the longest
	// block it was trained on.
	editCanvas = 32
	// doubt is the probability from which the denoiser's revision is a proposal. It only has
	// to be worth reading: the causal likelihood decides.
	doubt = 0.2
)

// Edit looks for changes that make a region likelier. The draft is read causally, with the
// suffix in view, and as a canvas by the denoiser; where one of them would have something
// else, what it would have is proposed, and what the caller would. All proposals are ranked
// by the likelihood of the whole region after the change, in the tokens of its new text.
//
// The region is no segment of the context (Input.Draft): today's models were not trained
// on it.
//
// Errors are those of Generate, and ErrRegion.
func (e *Engine) Edit(ctx context.Context, req EditRequest) (EditResult, error) {
	if e.broken != nil {
		return EditResult{}, e.broken
	}
	if ctx.Err() != nil {
		return EditResult{}, context.Cause(ctx)
	}
	if req.Places <= 0 {
		req.Places = defaultPlaces
	}
	t, err := e.queue.join(ctx, req.Document, req.Priority)
	if err != nil {
		return EditResult{}, err
	}
	defer e.queue.leave(t)
	if err := t.wait(req.Deadline); err != nil {
		if errors.Is(err, errLate) {
			e.counts.answered(Result{Stop: denoise.Deadline.String()})
			return EditResult{Late: true}, nil
		}
		e.counts.ended(true)
		return EditResult{}, err
	}
	res, err := e.edit(t.ctx, req)
	if err != nil && t.ctx.Err() == nil && !errors.Is(err, ErrRegion) {
		if err = e.fallBack(err); err == nil {
			res, err = e.edit(t.ctx, req)
		}
	}
	e.counts.holds(e.device.contexts)
	if err != nil {
		e.counts.ended(t.ctx.Err() != nil)
		return EditResult{}, err
	}
	as := Result{ContextTokens: res.ContextTokens, CachedTokens: res.CachedTokens, Forwards: res.Forwards, Denoise: res.Spent}
	if res.Late {
		as.Stop = denoise.Deadline.String()
	}
	e.counts.answered(as)
	return res, nil
}

// edit is Edit on the device, which is the caller's until it returns.
func (e *Engine) edit(ctx context.Context, req EditRequest) (res EditResult, err error) {
	begin := time.Now()
	c := e.device.contexts
	positions := min(e.model.Config.MaxPositions, c.b.Limits().Positions)
	tok := e.model.Tokenizer
	draft := tokenizer.Encode[backend.TokenID](tok, nil, req.Region)
	room := len(draft) + len(draft)/8 + 16 // a change may need more tokens
	if room > positions/2 {
		return EditResult{}, ErrRegion
	}
	w := encode(tok, Request{Path: req.Path, Snippets: req.Snippets, Suffix: req.Suffix}, positions, room, e.model.Config.Seedling.Plain)
	// No token is healed: a region begins where a line's text does.
	w.in.Prefix = tokenizer.Encode[backend.TokenID](tok, nil, tail(req.Prefix, 2*positions*tokenBytes, positions*tokenBytes))
	context := w.layout(e.model.Config.Seedling.Tokens, positions-room)
	h, err := c.find(context, req.Document)
	if err != nil {
		return EditResult{}, err
	}
	res = EditResult{ContextTokens: len(context), CachedTokens: len(h.tokens), Tokens: len(draft)}
	if err := c.read(ctx, h, context, len(context)-1, func() { res.Forwards++ }); err != nil {
		return EditResult{}, err
	}
	r, err := denoise.NewReader(c.b, h.seq, context, e.model.tokens(), e.model.Config.Seedling.Shift)
	if err != nil {
		return EditResult{}, err
	}
	s := &search{req: req, tok: tok, special: e.model.tokens(), end: e.model.Config.Seedling.Tokens.End, r: r, draft: draft, limit: positions - len(context)}
	until := ctx
	if !req.Deadline.IsZero() {
		var cancel func()
		until, cancel = withDeadline(ctx, req.Deadline)
		defer cancel()
	}
	err = s.run(until, e.model.Config.Seedling.Revises)
	if errors.Is(err, errLate) && ctx.Err() == nil {
		res.Late, err = true, nil
	}
	if unsettled := c.settle(h, context); err == nil {
		err = unsettled
	}
	if err != nil {
		return EditResult{}, err
	}
	res.Changes, res.Surprises, res.LogProb = s.changes, s.surprises, s.before
	res.Forwards += r.Forwards
	res.Spent = time.Since(begin)
	return res, nil
}

func withDeadline(ctx context.Context, at time.Time) (context.Context, func()) {
	return context.WithDeadlineCause(ctx, at, errLate)
}

// search is an Edit that runs.
type search struct {
	req   EditRequest
	tok   *tokenizer.Tokenizer
	r     *denoise.Reader
	limit int // tokens of a draft at the most

	special denoise.Tokens
	end     backend.TokenID

	draft  []backend.TokenID
	ends   []int // bytes of the region after each token
	base   []backend.Top
	before float64

	proposals []Proposal
	seen      map[string]bool // texts of the region that were proposed
	changes   []Change
	surprises []Surprise
}

func (s *search) run(ctx context.Context, revises bool) error {
	at := 0
	for _, t := range s.draft {
		at += len(s.tok.Token(int32(t)))
		s.ends = append(s.ends, at)
	}
	if len(s.draft) == 0 || at != len(s.req.Region) {
		return nil // bytes that the tokenizer does not give back: nothing could be placed
	}
	ended := append(slices.Clone(s.draft), s.end)
	var err error
	if s.base, err = s.r.Read(ctx, ended, 0, len(ended)); err != nil {
		return err
	}
	for _, t := range s.base {
		s.before += float64(t.TargetLog)
	}
	places := s.suspects()
	s.seen = map[string]bool{s.req.Region: true}
	for _, i := range places {
		if s.req.Propose != nil {
			for _, p := range s.req.Propose(s.span(i)) {
				p.Source = FromCaller
				s.propose(p)
			}
		}
	}
	if revises {
		if err := s.denoise(ctx); err != nil {
			return err
		}
	}
	slices.Sort(places)
	for _, i := range slices.Backward(places) { // from the right: what is read before stays
		if err := s.goOn(ctx, i); err != nil {
			return err
		}
	}
	return s.rank(ctx)
}

// span is the stretch of the region that a token covers.
func (s *search) span(i int) Word {
	if i == 0 {
		return Word{0, s.ends[0]}
	}
	return Word{s.ends[i-1], s.ends[i]}
}

func (s *search) allowed(w Word) bool { return s.req.May == nil || s.req.May(w) }

// suspects are the tokens that the model would rather not have written, the most
// surprising first.
func (s *search) suspects() []int {
	var places []int
	gap := func(i int) float64 { return math.Log(float64(s.base[i].Prob)) - float64(s.base[i].TargetLog) }
	for i := range s.draft {
		if gap(i) >= jump && s.allowed(s.span(i)) {
			places = append(places, i)
		}
	}
	slices.SortFunc(places, func(a, b int) int { return cmp.Compare(gap(b), gap(a)) })
	for _, i := range places {
		s.surprises = append(s.surprises, Surprise{s.span(i), float64(s.base[i].TargetLog), math.Log(float64(s.base[i].Prob))})
	}
	return places[:min(len(places), s.req.Places)]
}

// propose takes a proposal in, cut to what differs.
func (s *search) propose(p Proposal) {
	region := s.req.Region
	if p.Start < 0 || p.End < p.Start || p.End > len(region) || !utf8.ValidString(p.Text) {
		return
	}
	text := region[:p.Start] + p.Text + region[p.End:]
	if s.seen[text] || strings.TrimSpace(text) == "" || !s.allowed(Word{p.Start, p.End}) {
		return
	}
	s.seen[text] = true
	s.proposals = append(s.proposals, p)
}

// denoise proposes what the denoiser revises.
func (s *search) denoise(ctx context.Context) error {
	var gaps []int // tokens before which something is missing
	for from := (len(s.draft) - 1) / editCanvas * editCanvas; from >= 0; from -= editCanvas {
		to := min(from+editCanvas, len(s.draft))
		tops, err := s.r.Revise(ctx, s.draft, from, to)
		if err != nil {
			return err
		}
		for i, t := range tops {
			w := s.span(from + i)
			for _, a := range []struct {
				t backend.TokenID
				p float32
			}{{t.Best, t.Prob}, {t.Second, t.SecondProb}} {
				if a.t < 0 || a.p < doubt || a.t == s.draft[from+i] {
					continue
				}
				p := Proposal{Start: w.Start, End: w.End, Source: FromDenoiser}
				switch a.t {
				case s.special.Delete:
				case s.special.Insert:
					gaps = append(gaps, from+i)
					continue
				default:
					if p.Text = string(s.tok.Token(int32(a.t))); p.Text == "" {
						continue // the end is no text
					}
				}
				s.propose(p)
			}
		}
	}
	for _, i := range gaps[:min(len(gaps), s.req.Places)] {
		if err := s.open(ctx, i); err != nil {
			return err
		}
	}
	return nil
}

// open asks the denoiser what is missing before a token, where it only said that something
// is.
func (s *search) open(ctx context.Context, i int) error {
	draft := slices.Insert(slices.Clone(s.draft), i, s.special.Mask)
	from := i / editCanvas * editCanvas
	tops, err := s.r.Revise(ctx, draft, from, min(from+editCanvas, len(draft)))
	if err != nil {
		return err
	}
	for _, t := range []backend.TokenID{tops[i-from].Best, tops[i-from].Second} {
		if t >= 0 {
			if text := string(s.tok.Token(int32(t))); text != "" {
				at := s.span(i).Start
				s.propose(Proposal{Start: at, End: at, Text: text, Source: FromDenoiser})
			}
		}
	}
	return nil
}

// goOn writes on at a token as the causal reading would, from each of its two best tokens,
// and proposes what the words of that and of the region have not in common.
func (s *search) goOn(ctx context.Context, i int) error {
	for k, first := range []backend.TokenID{s.base[i].Best, s.base[i].Second} {
		if first < 0 || first == s.draft[i] || first == s.end || k == 1 && s.base[i].SecondProb < second {
			continue
		}
		draft := append(slices.Clone(s.draft[:i]), first)
		for range goesOn {
			tops, err := s.r.Read(ctx, draft, len(draft), len(draft)+1)
			if err != nil {
				return err
			}
			if tops[0].Best == s.end {
				break
			}
			draft = append(draft, tops[0].Best)
		}
		written := string(tokenizer.Decode(s.tok, nil, draft[i:]))
		from := s.span(i).Start
		for _, p := range differences(s.req.Region[from:], written) {
			p.Start, p.End, p.Source = p.Start+from, p.End+from, FromReading
			s.propose(p)
		}
	}
	return nil
}

// differences are the small changes that would make stands begin as written does: up to two
// words put in, taken out or put in the place of others where the two first differ.
func differences(stands, written string) []Proposal {
	a, b := Words(stands[:min(len(stands), 4*len(written)+64)]), Words(written)
	if len(b) > 0 {
		b = b[:len(b)-1] // it may be cut off
	}
	k := 0
	for k < len(a) && k < len(b) && stands[a[k].Start:a[k].End] == written[b[k].Start:b[k].End] {
		k++
	}
	a, b = a[k:], b[k:]
	if len(a) == 0 || len(b) == 0 {
		return nil
	}
	same := func(i, j int) bool {
		return i < len(a) && j < len(b) && stands[a[i].Start:a[i].End] == written[b[j].Start:b[j].End]
	}
	var out []Proposal
	// The first word for the first word, whatever follows; others only where both go on alike.
	for _, n := range [][2]int{{1, 1}, {1, 2}, {2, 1}, {2, 2}, {0, 1}, {0, 2}, {1, 0}, {2, 0}, {0, 3}, {1, 3}} {
		out1, in := n[0], n[1]
		if out1 > len(a) || in > len(b) || (out1 != 1 || in != 1) && !same(out1, in) {
			continue
		}
		p := Proposal{Start: a[0].Start, End: a[0].Start}
		switch {
		case in == 0: // with the white space behind them
			p.End = a[out1].Start
		case out1 == 0: // with the white space behind that was written
			p.Text = written[b[0].Start:b[in].Start]
		default:
			p.End, p.Text = a[out1-1].End, written[b[0].Start:b[in-1].End]
		}
		out = append(out, p)
	}
	return out
}

// reading is a proposal that is being weighed.
type reading struct {
	Change
	tokens []backend.TokenID // of the region after it, with the end
	from   int               // first token that differs
	back   int               // tokens at the end that do not
}

// rank reads every proposal and keeps what gains, best first. A proposal is sifted by what
// the next few tokens say, and what they say counts twice: a frequent word in the place of
// a rare one gains by itself, right or wrong.
func (s *search) rank(ctx context.Context) error {
	base := append(slices.Clone(s.draft), s.end)
	var all []*reading
	for _, p := range s.proposals {
		x := &reading{Change: Change{Proposal: p}}
		x.tokens = append(tokenizer.Encode[backend.TokenID](s.tok, nil, s.req.Region[:p.Start]+p.Text+s.req.Region[p.End:]), s.end)
		if len(x.tokens) > s.limit {
			continue
		}
		x.from = commonPrefix(x.tokens, base)
		for x.back < min(len(x.tokens), len(base))-x.from && x.tokens[len(x.tokens)-1-x.back] == base[len(base)-1-x.back] {
			x.back++
		}
		x.Best = math.Log(float64(s.base[min(x.from, len(s.base)-1)].Prob))
		all = append(all, x)
	}
	// From the right, so that what is read before a change stays.
	byPlace := func(a, b *reading) int { return cmp.Compare(b.from, a.from) }
	slices.SortStableFunc(all, byPlace)
	for i, x := range all {
		if err := s.weigh(ctx, x, near); err != nil {
			return errors.Join(err, s.keep(all[:i], near))
		}
	}
	slices.SortStableFunc(all, func(a, b *reading) int { return cmp.Compare(b.Gain+b.Behind, a.Gain+a.Behind) })
	at := map[int]int{}
	all = slices.DeleteFunc(all, func(x *reading) bool { at[x.from]++; return x.Gain <= 0 || at[x.from] > aPlace })
	all = all[:min(len(all), finalists)]
	slices.SortStableFunc(all, byPlace)
	for i, x := range all {
		if x.back <= near {
			continue
		}
		if err := s.weigh(ctx, x, x.back); err != nil {
			return errors.Join(err, s.keep(all[:i], math.MaxInt))
		}
	}
	return s.keep(all, math.MaxInt)
}

// keep makes changes of what gains and was read to the region's end, which those are whose
// tokens behind the change are no more than read. It gives no error.
func (s *search) keep(all []*reading, read int) error {
	for _, x := range all {
		if x.Gain > 0 && x.back <= read {
			s.changes = append(s.changes, x.Change)
		}
	}
	slices.SortStableFunc(s.changes, func(a, b Change) int { return cmp.Compare(b.Gain, a.Gain) })
	return nil
}

// weigh reads the region after a change, up to so many tokens behind it, and compares.
func (s *search) weigh(ctx context.Context, x *reading, behind int) error {
	behind = min(behind, x.back)
	tops, err := s.r.Read(ctx, x.tokens, x.from, len(x.tokens)-x.back+behind)
	if err != nil {
		return err
	}
	split := func(tops []backend.Top) (changed, after float64) {
		for i, t := range tops {
			if i < len(tops)-behind {
				changed += float64(t.TargetLog)
			} else {
				after += float64(t.TargetLog)
			}
		}
		return changed, after
	}
	var before, after float64
	x.Old, before = split(s.base[x.from : len(s.base)-x.back+behind])
	x.New, after = split(tops)
	x.Behind = after - before
	x.Gain = x.New - x.Old + x.Behind
	return nil
}
