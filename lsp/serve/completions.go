package serve

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"time"
)

// completionsRequest is what is read of a POST /v1/completions (OpenAI's API reference,
// "Create completion", legacy). Fields of sampling are taken and mean nothing.
type completionsRequest struct {
	Model         string  `json:"model"`
	Prompt        prompt  `json:"prompt"`
	Suffix        *string `json:"suffix"`
	MaxTokens     integer `json:"max_tokens"`
	Stop          words   `json:"stop"`
	Stream        bool    `json:"stream"`
	StreamOptions struct {
		IncludeUsage bool `json:"include_usage"`
	} `json:"stream_options"`
	N        integer `json:"n"`
	BestOf   integer `json:"best_of"`
	Echo     bool    `json:"echo"`
	Logprobs integer `json:"logprobs"`
	User     string  `json:"user"`
}

// prompt is a string, or an array of exactly one.
type prompt struct {
	set  bool
	text string
}

func (p *prompt) UnmarshalJSON(b []byte) error {
	var one string
	if json.Unmarshal(b, &one) == nil {
		*p = prompt{string(b) != "null", one}
		return nil
	}
	var all []any
	if err := json.Unmarshal(b, &all); err != nil {
		return invalid(`"prompt" must be a string, not %s`, article(kindOf(b)))
	}
	if len(all) == 1 {
		if text, ok := all[0].(string); ok {
			*p = prompt{true, text}
			return nil
		}
	}
	if len(all) > 1 {
		if _, ok := all[0].(string); ok {
			return invalid(`"prompt" has %d texts: send one at a time`, len(all))
		}
	}
	return invalid(`"prompt" must be a string: token numbers are another model's here`)
}

// words are stop words: a string, or an array of them.
type words []string

func (v *words) UnmarshalJSON(b []byte) error {
	var one *string
	if json.Unmarshal(b, &one) == nil {
		if one != nil && *one != "" {
			*v = words{*one}
		}
		return nil
	}
	var all []string
	if err := json.Unmarshal(b, &all); err != nil {
		return invalid(`"stop" must be a string or an array of strings`)
	}
	for _, w := range all {
		if w != "" {
			*v = append(*v, w)
		}
	}
	return nil
}

// mostWords bounds the stop words, which are looked for after every step.
const mostWords = 64

func (v words) check() error {
	if len(v) > mostWords {
		return invalid(`"stop" has %d words: at most %d`, len(v), mostWords)
	}
	return nil
}

func (q completionsRequest) check() error {
	switch {
	case !q.Prompt.set:
		return invalid(`"prompt" is required`)
	case q.MaxTokens.set && (q.MaxTokens.n < 0 || q.MaxTokens.n > mostTokens):
		return invalid(`"max_tokens" is %d: use 0 to %d`, q.MaxTokens.n, mostTokens)
	case q.N.or(1) != 1:
		return invalid(`"n" is %d: only 1 is there, the model's best`, q.N.n)
	case q.BestOf.or(1) != 1:
		return invalid(`"best_of" is %d: only 1 is there`, q.BestOf.n)
	case q.Echo:
		return invalid(`"echo" is not there: the answer is what comes after the prompt`)
	case q.Logprobs.or(0) != 0:
		return invalid(`"logprobs" are not there: leave them out`)
	}
	return q.Stop.check()
}

// plainTokens is OpenAI's own default of max_tokens. With a suffix the plan knows better.
const plainTokens = 16

func (q completionsRequest) question(client string) question {
	n := written(client, q.Prompt.text)
	if q.Suffix != nil {
		n = question{client: client, before: q.Prompt.text, after: *q.Suffix}
	}
	n.cut, n.maxTokens = cut{words: q.Stop}, q.MaxTokens.n
	if n.plain && !q.MaxTokens.set {
		n.maxTokens = plainTokens
	}
	return n
}

// written is the question of a prompt alone: the gap that its marks show, or how it goes on.
func written(client, prompt string) question {
	if f, ok := unmarked(prompt); ok {
		return question{client: client, before: f.before, after: f.after, path: f.path, snippets: f.snippets}
	}
	return question{client: client, before: prompt, plain: true}
}

// completions is POST /v1/completions.
func (s *Server) completions(w http.ResponseWriter, r *http.Request) error {
	var q completionsRequest
	body, err := s.readJSON(w, r, &q)
	if err != nil {
		return err
	}
	if err := q.check(); err != nil {
		return err
	}
	n := q.question(clientOf(r, q.User))
	var a answer
	if q.MaxTokens.set && q.MaxTokens.n == 0 {
		a, err = s.warm(r.Context(), n)
	} else {
		a, err = s.flights.do(r.Context(), n.client, body, func(ctx context.Context) (answer, error) { return s.ask(ctx, n) })
	}
	if err != nil {
		return err
	}
	reason := "stop"
	if a.limited() {
		reason = "length"
	}
	id, created := "cmpl-"+rand.Text(), time.Now().Unix()
	object := func(choices ...any) map[string]any {
		return map[string]any{"id": id, "object": "text_completion", "created": created, "model": s.opt.Model, "choices": append([]any{}, choices...)}
	}
	choice := func(text string, reason any) any {
		return map[string]any{"text": text, "index": 0, "logprobs": nil, "finish_reason": reason}
	}
	usage := map[string]any{"prompt_tokens": a.res.ContextTokens, "completion_tokens": a.res.Tokens, "total_tokens": a.res.ContextTokens + a.res.Tokens}
	if !q.Stream {
		res := object(choice(a.text, reason))
		res["usage"] = usage
		return writeJSON(w, res)
	}
	out := newStream(w)
	if a.text != "" {
		out.send(object(choice(a.text, nil)))
	}
	out.send(object(choice("", reason)))
	if q.StreamOptions.IncludeUsage {
		last := object()
		last["usage"] = usage
		out.send(last)
	}
	out.end()
	return nil
}

// stream is a response of server-sent events. A suggestion is one event: it is fitted to
// its place as a whole, and what was sent can not be taken back. (A diffusion model does
// not write from left to right anyway.)
type stream struct{ w http.ResponseWriter }

func newStream(w http.ResponseWriter) stream {
	w.Header().Set("Content-Type", "text/event-stream")
	return stream{w}
}

func (s stream) send(v any) { s.line(marshal(v)) }

// end says that nothing more comes, as OpenAI does.
func (s stream) end() { s.line([]byte("[DONE]")) }

func (s stream) line(b []byte) {
	_, _ = s.w.Write(append(append([]byte("data: "), b...), "\n\n"...)) // a client that left is told nothing
	_ = http.NewResponseController(s.w).Flush()                         // nor is one whose connection has no Flush
}
