package engine

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/seedling-lsp/seedling/engine/denoise"
)

// maxRecalled is how many documents' last answers are kept.
const maxRecalled = 64

// recall keeps each document's last answer: a person who types along what was suggested
// gets the rest of it without a forward.
type recall struct {
	mu   sync.Mutex
	last map[string]*recalled
	time uint64
}

// recalled is a question with its answers, the one that came first first.
type recalled struct {
	req     Request // without its functions and what is for the memory alone
	answers []remembered
	used    uint64
}

// remembered is an answer.
type remembered struct {
	text    string // what was shown
	decided string // with what was decided beyond it, which a stop rule must see again
	ends    []int  // length of decided after each of its tokens
	logs    []float32
	ruled   bool // the stop rule ended it
	result  Result
}

// put keeps the answers to a question, in place of the document's last ones.
func (r *recall) put(document string, req Request, all []*candidate, answers []Result) {
	req.Stop, req.Watch, req.Clean, req.Show = nil, nil, nil, nil
	req.Above, req.Below = "", ""
	a := &recalled{req: req}
	for i, c := range all {
		a.answers = append(a.answers, remembered{text: answers[i].Text, decided: c.text, ends: c.ends, logs: c.out.LogProbs, ruled: c.ruled, result: answers[i]})
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.last == nil {
		r.last = map[string]*recalled{}
	}
	r.time++
	a.used = r.time
	r.last[document] = a
	if len(r.last) > maxRecalled {
		oldest := slices.MinFunc(slices.Collect(maps.Keys(r.last)), func(a, b string) int {
			return int(int64(r.last[a].used) - int64(r.last[b].used))
		})
		delete(r.last, oldest)
	}
}

// forget drops a document's answer.
func (r *recall) forget(document string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.last, document)
}

// find answers a request whose prefix is that of the document's last question and then a
// beginning of an answer to it, all else being the same: with the rest of it, cut by the
// request's own stop rule. It does not answer when the rule would want to see more than
// was decided then, nor with fewer candidates than are wanted now.
func (r *recall) find(req Request) (Result, bool) {
	if req.Document == "" || req.Watch != nil { // who watches wants to see it done
		return Result{}, false
	}
	r.mu.Lock()
	a := r.last[req.Document]
	r.mu.Unlock()
	if a == nil || !a.same(req) {
		return Result{}, false
	}
	typed, ok := strings.CutPrefix(req.Prefix, a.req.Prefix)
	if !ok {
		return Result{}, false
	}
	if req.Candidates > 1 {
		if typed != "" || a.req.Candidates < req.Candidates {
			return Result{}, false
		}
		var all []Result
		for i := range a.answers[:min(len(a.answers), req.Candidates)] {
			res, ok := a.answers[i].rest("", req.Stop)
			if !ok || !a.enough(req, res) {
				return Result{}, false
			}
			all = append(all, res)
		}
		return together(all), true
	}
	for i := range a.answers {
		if res, ok := a.answers[i].rest(typed, req.Stop); ok && a.enough(req, res) {
			// What a person goes along with is not withheld any more.
			return res, typed != "" || req.MinLogProb == 0 || res.LineLogProb >= req.MinLogProb
		}
	}
	return Result{}, false
}

// rest is what is left of an answer when its beginning has been typed.
func (a *remembered) rest(typed string, rule func(string) (int, string)) (Result, bool) {
	if len(typed) >= len(a.text) || !strings.HasPrefix(a.text, typed) {
		return Result{}, false
	}
	n := len(typed)
	if !utf8.RuneStart(a.decided[n]) {
		return Result{}, false
	}
	keep, stop := len(a.decided), ""
	if rule != nil {
		for _, end := range a.ends { // token by token, as when it was decided
			if end <= n {
				continue
			}
			valid, _ := validPrefix([]byte(a.decided[n:end]))
			if k, name := rule(a.decided[n : n+valid]); name != "" {
				keep, stop = n+runeStart([]byte(a.decided[n:n+valid]), k), name
				break
			}
		}
	}
	if stop == "" {
		if a.ruled {
			return Result{}, false // the rule then stopped it, the rule now would go on
		}
		stop = a.result.Stop
	}
	res := a.result
	res.Text, res.Stop = a.decided[n:keep], stop
	res.Forwards, res.Prefill, res.Denoise = 0, 0, 0
	res.CachedTokens = res.ContextTokens
	if n == 0 && res.Text == a.text {
		return res, true
	}
	first, last := covering(a.ends, n+1)-1, covering(a.ends, keep)
	if keep == n {
		first, last = 0, 0
	}
	res.Tokens = last - first
	res.LogProb, res.LineLogProb, res.EndedLogProb = 0, 0, 0
	if last <= len(a.logs) {
		res.LogProb = mean(a.logs[first:last])
		res.LineLogProb = sum(a.logs[first:max(first, covering(a.ends, n+firstLine(res.Text)))])
	}
	return res, true
}

// same says whether req asks what a answered, but for the prefix. Answers of which fewer
// were withheld are as good.
func (a *recalled) same(req Request) bool {
	b := &a.req
	return b.Path == req.Path && b.Suffix == req.Suffix && slices.Equal(b.Snippets, req.Snippets) &&
		b.Decode == req.Decode && b.BlockSize == req.BlockSize &&
		b.Settings == req.Settings && (b.MinLogProb == req.MinLogProb || b.MinLogProb == 0) && (b.Score || !req.Score)
}

// enough says whether an answer is as long as req would have it: of a block a person takes
// line by line, and the bound of a line is another.
func (a *recalled) enough(req Request, res Result) bool {
	return a.req.MaxTokens == req.MaxTokens || res.Stop != denoise.Budget.String() && res.Tokens <= req.MaxTokens
}

// mean of log-probabilities; 0 of none.
func mean(logs []float32) float64 {
	if len(logs) == 0 {
		return 0
	}
	return sum(logs) / float64(len(logs))
}

func sum(logs []float32) float64 {
	total := 0.0
	for _, l := range logs {
		total += float64(l)
	}
	return total
}
