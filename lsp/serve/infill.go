package serve

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/seedling-lsp/seedling/engine"
)

// infillRequest is what is read of a POST /infill (llama.cpp, tools/server/README.md, as
// of 2026). Fields of sampling (temperature, top_k, samplers, seed, …) are taken and mean
// nothing: the answer is the model's best. cache_prompt and id_slot mean nothing for the
// text either; the model's name is for routers.
type infillRequest struct {
	InputPrefix *string `json:"input_prefix"`
	InputSuffix *string `json:"input_suffix"`
	InputExtra  []struct {
		Filename string  `json:"filename"`
		Text     *string `json:"text"`
	} `json:"input_extra"`
	Prompt   *string `json:"prompt"`    // what stands before the cursor on its line
	NPredict integer `json:"n_predict"` // -1: no bound; 0: read, do not answer
	NIndent  integer `json:"n_indent"`
	NCmpl    integer `json:"n_cmpl"`
	IDSlot   integer `json:"id_slot"`
	// llama-server counts the time of the answer from its first token, and ends only answers
	// that have a whole line by then. Here both times together bound the wait.
	TMaxPrompt     integer  `json:"t_max_prompt_ms"`
	TMaxPredict    integer  `json:"t_max_predict_ms"`
	Stop           words    `json:"stop"`
	Stream         bool     `json:"stream"`
	ResponseFields []string `json:"response_fields"`
	Samplers       any      `json:"samplers"`
	CachePrompt    *bool    `json:"cache_prompt"`
}

func (q infillRequest) check(path string) error {
	switch {
	case path == completionPage && q.Prompt == nil:
		return invalid(`"prompt" is required`)
	case path != completionPage && q.InputPrefix == nil:
		return invalid(`"input_prefix" is required`)
	case path != completionPage && q.InputSuffix == nil:
		return invalid(`"input_suffix" is required`)
	case q.NPredict.or(-1) < -1:
		return invalid(`"n_predict" is %d: use 0 to %d, or -1 for no bound`, q.NPredict.n, mostTokens)
	case q.NPredict.n > mostTokens:
		return invalid(`"n_predict" is %d: at most %d`, q.NPredict.n, mostTokens)
	case q.NCmpl.set && (q.NCmpl.n < 1 || q.NCmpl.n > mostChoices):
		return invalid(`"n_cmpl" is %d: use 1 to %d`, q.NCmpl.n, mostChoices)
	}
	for _, f := range []struct {
		name string
		i    integer
	}{{"n_indent", q.NIndent}, {"t_max_prompt_ms", q.TMaxPrompt}, {"t_max_predict_ms", q.TMaxPredict}} {
		if f.i.n < 0 {
			return invalid("%q is %d: it can not be negative", f.name, f.i.n)
		}
	}
	for i, e := range q.InputExtra {
		if e.Text == nil {
			return invalid(`"input_extra"[%d] must have a "text", which is a string`, i)
		}
	}
	return q.Stop.check()
}

// mostChoices bounds how many completions may be asked for. There is one at most: the
// model's best.
const mostChoices = 16

// completionPage is llama-server's endpoint for plain prompts, which Continue's provider
// llama.cpp uses with the gap written into the prompt.
const completionPage = "/completion"

// value is a string, empty where there is none.
func value(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func (q infillRequest) question(client, path string) question {
	n := question{client: client, before: value(q.InputPrefix) + value(q.Prompt), after: value(q.InputSuffix)}
	if path == completionPage {
		n = written(client, value(q.Prompt))
	}
	n.cut = cut{words: q.Stop, indent: q.NIndent.n}
	if q.NPredict.n > 0 {
		n.maxTokens = q.NPredict.n
	}
	if ms := q.TMaxPredict.n; ms > 0 {
		n.wait = time.Duration(ms+q.TMaxPrompt.n) * time.Millisecond
	}
	for _, e := range q.InputExtra {
		n.snippets = append(n.snippets, engine.Snippet{Path: short(e.Filename), Text: *e.Text})
	}
	return n
}

// short is a file's name without the folders that say nothing to a model.
func short(path string) string {
	parts := strings.Split(strings.ReplaceAll(path, `\`, "/"), "/")
	return strings.Join(parts[max(0, len(parts)-2):], "/")
}

// infill is POST /infill and POST /completion.
func (s *Server) infill(w http.ResponseWriter, r *http.Request) error {
	var q infillRequest
	body, err := s.readJSON(w, r, &q)
	if err != nil {
		return err
	}
	if err := q.check(r.URL.Path); err != nil {
		return err
	}
	n := q.question(clientOf(r, fmt.Sprint("slot ", q.IDSlot.or(-1))), r.URL.Path)
	var a answer
	if q.NPredict.set && q.NPredict.n == 0 {
		a, err = s.warm(r.Context(), n)
	} else {
		a, err = s.flights.do(r.Context(), n.client, body, func(ctx context.Context) (answer, error) { return s.ask(ctx, n) })
	}
	if err != nil {
		return err
	}
	if q.Stream {
		out := newStream(w)
		if a.text != "" {
			out.send(map[string]any{"index": 0, "content": a.text, "tokens": []int{}, "stop": false, "id_slot": 0,
				"tokens_predicted": a.res.Tokens, "tokens_evaluated": a.res.ContextTokens})
		}
		last := s.infilled(q, a)
		last["content"] = ""
		out.send(picked(last, q.ResponseFields))
		return nil
	}
	res := picked(s.infilled(q, a), q.ResponseFields)
	if q.NCmpl.n > 1 { // then llama-server answers with an array
		return writeJSON(w, []any{res})
	}
	return writeJSON(w, res)
}

// infilled is an answer in llama-server's fields.
func (s *Server) infilled(q infillRequest, a answer) map[string]any {
	word, byWord := a.word()
	stop := "eos"
	switch {
	case byWord:
		stop = "word"
	case a.limited():
		stop = "limit"
	}
	return map[string]any{
		"index": 0, "content": a.text, "tokens": []int{}, "id_slot": 0, "stop": true, "model": s.opt.Model,
		"tokens_predicted": a.res.Tokens, "tokens_evaluated": a.res.ContextTokens,
		"generation_settings": map[string]any{"n_ctx": s.opt.Positions, "n_predict": q.NPredict.or(-1), "max_tokens": q.NPredict.or(-1),
			"n_indent": q.NIndent.n, "stop": append([]string{}, q.Stop...), "stream": q.Stream, "temperature": 0, "samplers": []string{}},
		"prompt": value(q.Prompt), "has_new_line": strings.Contains(a.text, "\n"), "truncated": false,
		"stop_type": stop, "stopping_word": word,
		// What the cache holds now, which is what llama.vim shows.
		"tokens_cached": a.res.ContextTokens + a.res.Tokens,
		"timings":       timings(a.res),
	}
}

// timings are llama-server's. Its prompt is what was read anew.
func timings(r engine.Result) map[string]any {
	part := func(n int, d time.Duration) (ms, each, rate float64) {
		ms = float64(d.Microseconds()) / 1000
		if n > 0 && ms > 0 {
			each, rate = ms/float64(n), float64(n)/ms*1000
		}
		return ms, each, rate
	}
	read := max(0, r.ContextTokens-r.CachedTokens)
	pms, peach, prate := part(read, r.Prefill)
	gms, geach, grate := part(r.Tokens, r.Denoise)
	return map[string]any{
		"cache_n":  r.CachedTokens,
		"prompt_n": read, "prompt_ms": pms, "prompt_per_token_ms": peach, "prompt_per_second": prate,
		"predicted_n": r.Tokens, "predicted_ms": gms, "predicted_per_token_ms": geach, "predicted_per_second": grate,
	}
}

// picked are the fields that a client named; a/b is b of a, under the name a/b. What there
// is not is left out. No names: all.
func picked(all map[string]any, names []string) map[string]any {
	if len(names) == 0 {
		return all
	}
	out := map[string]any{}
	for _, name := range names {
		var v any = all
		found := true
		for _, key := range strings.Split(name, "/") {
			m, _ := v.(map[string]any)
			if v, found = m[key]; !found {
				break
			}
		}
		if found {
			out[name] = v
		}
	}
	return out
}
