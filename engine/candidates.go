package engine

import (
	"cmp"
	"context"
	"math"
	"slices"

	"github.com/seedling-lsp/seedling/engine/backend"
	"github.com/seedling-lsp/seedling/engine/denoise"
)

// Further answers are found as by Lawler's and Murty's method for the n best: every token of
// an answer's first line has a rival (denoise.Rival); to take it instead opens a branch,
// and what the decoder writes after it is the answer of that branch, whose own tokens have
// rivals again. The branch whose beginning is the likeliest comes first. Where a rival was
// taken, what comes third is still unknown: it is asked for, without the first two, when
// it may be the likeliest that is left.
//
// Branches are decided one after the other in the sequence of the request: what they have
// in common is read once.

// triesEach bounds the branches that are decided for each alternative that is wanted: many
// show what another showed.
const triesEach = 3

// decoding is a request on the device.
type decoding struct {
	e        *Engine
	req      Request
	h        *held
	context  []backend.TokenID
	word     string
	opt      denoise.Options
	forwards int
}

// branch is a beginning of an answer.
type branch struct {
	given []backend.TokenID
	logs  []float32
	not   []backend.TokenID // that may not follow it
	left  float64           // log-probability of all that may
	bound float64           // log-probability of the beginning, at the most
}

// candidate is an answer, with what is known of its tokens.
type candidate struct {
	branch
	out    denoise.Result
	result Result // but for what is the request's: Forwards, times, context
	text   string // all that was decided, of which the result's is a beginning
	ends   []int  // length of text after each token
	ruled  bool   // the stop rule ended it
}

// decide writes an answer that begins as the branch says.
func (d *decoding) decide(ctx context.Context, b branch, watch func(denoise.State)) (*candidate, error) {
	ans := &answer{tok: d.e.model.Tokenizer, rule: d.req.Stop, begun: len(d.word)}
	if n := len(b.given); n > 0 && b.given[n-1] == d.opt.Tokens.End {
		out := denoise.Result{Decided: b.given[:n-1], Reason: denoise.Ended, LogProbs: b.logs[:n-1], EndLogProb: b.logs[n-1]}
		return d.candidate(b, out, ans), nil
	}
	c := d.e.device.contexts
	whole := append(slices.Clip(d.context), b.given...)
	if n := commonPrefix(d.h.tokens, whole[:len(whole)-1]); n < len(d.h.tokens) {
		if _, err := c.cut(d.h, n, d.req.Document); err != nil {
			return nil, err
		}
	}
	opt := d.opt
	opt.Given, opt.GivenLogs, opt.Not, opt.Stop, opt.Watch = b.given, b.logs, b.not, ans.look, watch
	if m := d.req.MinLogProb; m != 0 && d.req.Candidates <= 1 {
		opt.Hopeless = func(decided []backend.TokenID, logs []float32) bool { return ans.unlikely(decided, logs, m) }
	}
	out, err := denoise.Run(ctx, c.b, d.h.seq, whole[len(d.h.tokens):], opt)
	d.forwards += out.Forwards
	if unsettled := c.settle(d.h, append(slices.Clip(d.context), out.Decided...)); err == nil {
		err = unsettled
	}
	if err != nil {
		return nil, err
	}
	switch n := len(b.given); { // what came next has the likelihood that it has among what may
	case len(b.not) > 0 && n < len(out.LogProbs):
		out.LogProbs[n] += float32(b.left)
	case len(b.not) > 0 && out.EndLogProb != 0:
		out.EndLogProb += float32(b.left)
	}
	return d.candidate(b, out, ans), nil
}

// candidate makes an answer of what was decided.
func (d *decoding) candidate(b branch, out denoise.Result, ans *answer) *candidate {
	stopped := out.Reason == denoise.Stopped
	valid, _ := ans.decode(out.Decided)
	keep := valid
	c := &candidate{branch: b, out: out, ruled: stopped, text: string(ans.buf[:valid])}
	res := &c.result
	res.Stop = out.Reason.String()
	if stopped {
		keep, res.Stop = ans.keep, ans.stop
	}
	res.Text = string(ans.buf[:keep])
	res.Tokens = covering(ans.ends, keep)
	if res.Tokens <= len(out.LogProbs) {
		line := firstLine(res.Text)
		first := covering(ans.ends, line)
		res.LogProb = mean(out.LogProbs[:res.Tokens])
		res.LineLogProb = sum(out.LogProbs[:first])
		res.EndedLogProb = res.LineLogProb
		if ended := covering(ans.ends, line+1); ended > first && ended <= len(out.LogProbs) {
			res.EndedLogProb = sum(out.LogProbs[:ended])
		} else if line == valid {
			res.EndedLogProb += float64(out.EndLogProb)
		}
	}
	if out.Reason == denoise.Unlikely && res.LineLogProb == 0 { // not all of it was read causally
		res.LineLogProb = sum(out.LogProbs)
	}
	if m := d.req.MinLogProb; m != 0 && res.LineLogProb < m {
		res.Text, res.Tokens, res.Stop = "", 0, "withheld"
	}
	c.ends = ans.ends[:covering(ans.ends, valid)]
	if n := len(c.ends); n > 0 {
		c.ends[n-1] = valid
	}
	return c
}

// branches are those that a candidate opens: for each token of its first line, and for the
// line's end, the rival, and what is neither.
func (d *decoding) branches(c *candidate) []branch {
	var open []branch
	logs, tokens := c.out.LogProbs, c.out.Decided
	before := 0.0 // log-probability of the tokens before
	for i, r := range c.out.Rivals {
		if i > 0 {
			if i > len(logs) || i > len(c.ends) || firstLine(c.text[:c.ends[i-1]]) < c.ends[i-1] {
				break
			}
			before += float64(logs[i-1])
		}
		if i < len(c.given) || r.Token == backend.NoToken {
			continue
		}
		taken, log := d.opt.Tokens.End, c.out.EndLogProb
		if i < len(logs) {
			taken, log = tokens[i], logs[i]
		}
		rival, left := float64(r.LogProb), 1.0
		var not []backend.TokenID
		if i == len(c.given) && len(c.not) > 0 { // the rival is one of those that were left
			rival, left, not = rival+c.left, math.Exp(c.left), c.not
		}
		given := slices.Clip(tokens[:i])
		probs := slices.Clip(logs[:i])
		open = append(open, branch{given: append(given, r.Token), logs: append(probs, float32(rival)), bound: before + rival})
		not = append(slices.Clip(not), taken, r.Token)
		if left -= math.Exp(float64(log)) + math.Exp(rival); left > 1e-6 && d.mayFollow(given, not) {
			rest := math.Log(left)
			open = append(open, branch{given: given, logs: probs, not: not, left: rest, bound: before + min(rival, rest)})
		}
	}
	return open
}

// mayFollow says whether any token but those may follow a beginning.
func (d *decoding) mayFollow(given, not []backend.TokenID) bool {
	if d.opt.Begin == nil {
		return true
	}
	forbid, free := d.opt.Begin(given)
	return free || d.e.model.Tokenizer.Size()-len(forbid) > len(not)
}

// alternatives are the candidates that are wanted, the likeliest first: the answer that was
// decided first is one of them, unless it shows nothing and another does.
func (d *decoding) alternatives(ctx context.Context, answer *candidate) ([]*candidate, error) {
	if answer.out.Reason == denoise.Deadline {
		return []*candidate{answer}, nil
	}
	show := d.req.Show
	if show == nil {
		show = func(r Result) string { return r.Text }
	}
	var all []*candidate
	shown := map[string]bool{"": true}
	add := func(c *candidate) {
		if s := show(c.result); !shown[s] {
			shown[s] = true
			all = append(all, c)
		}
	}
	add(answer)
	open := d.branches(answer)
	for tries := triesEach * (d.req.Candidates - 1); tries > 0 && len(open) > 0 && len(all) < d.req.Candidates; tries-- {
		best := 0
		for i := range open {
			if open[i].bound > open[best].bound {
				best = i
			}
		}
		b := open[best]
		open = slices.Delete(open, best, best+1)
		c, err := d.decide(ctx, b, nil)
		if err != nil {
			return nil, err
		}
		if c.out.Reason == denoise.Deadline {
			break
		}
		open = append(open, d.branches(c)...)
		add(c)
	}
	if len(all) == 0 {
		return []*candidate{answer}, nil
	}
	slices.SortStableFunc(all, func(a, b *candidate) int {
		return cmp.Compare(b.result.EndedLogProb, a.result.EndedLogProb)
	})
	return all, nil
}
