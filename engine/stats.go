package engine

import (
	"fmt"
	"sync"
	"time"

	"github.com/seedling-lsp/seedling/engine/denoise"
)

// Stats are counts since the engine was made.
type Stats struct {
	Answered   int `json:"answered"`   // requests that got an answer, empty ones too; edits among them
	Recalled   int `json:"recalled"`   // of them, from the document's last answer, with no forward
	Superseded int `json:"superseded"` // requests that gave way to others, or whose callers left
	Failed     int `json:"failed"`     // of the backend, or refused by it
	Late       int `json:"late"`       // answers that the deadline cut short

	ContextTokens int `json:"context_tokens"` // of all contexts that were answered on the device
	CachedTokens  int `json:"cached_tokens"`  // of them, there already
	Forwards      int `json:"forwards"`
	Tokens        int `json:"tokens"` // of the answers made on the device

	Prefill time.Duration `json:"prefill_ns"` // of the same
	Denoise time.Duration `json:"denoise_ns"`

	// Contexts is how many the cache holds now and CacheTokens how many tokens they have
	// together; Opened and Evicted count those that were begun and given up for others.
	Contexts    int `json:"contexts"`
	CacheTokens int `json:"cache_tokens"`
	Opened      int `json:"opened"`
	Evicted     int `json:"evicted"`
}

// HitRate is the share of the contexts' tokens that was cached; 0 before anything was read.
func (s Stats) HitRate() float64 {
	if s.ContextTokens == 0 {
		return 0
	}
	return float64(s.CachedTokens) / float64(s.ContextTokens)
}

// String is one line for people: what was answered, how much of it was spared.
func (s Stats) String() string {
	spared := 0.0
	if s.Answered > 0 {
		spared = float64(s.Recalled) / float64(s.Answered)
	}
	return fmt.Sprintf("%d answers, %.0f %% of them recalled; %.1f %% of %d context tokens cached; %d forwards for %d tokens; %d contexts of %d tokens held, %d evicted",
		s.Answered, 100*spared, 100*s.HitRate(), s.ContextTokens, s.Forwards, s.Tokens, s.Contexts, s.CacheTokens, s.Evicted)
}

// counts are the Stats of an engine that runs.
type counts struct {
	mu sync.Mutex
	s  Stats
}

// answered takes note of an answer that was made on the device.
func (c *counts) answered(res Result) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.s.Answered++
	if res.Stop == denoise.Deadline.String() {
		c.s.Late++
	}
	c.s.ContextTokens += res.ContextTokens
	c.s.CachedTokens += res.CachedTokens
	c.s.Forwards += res.Forwards
	c.s.Tokens += res.Tokens
	c.s.Prefill += res.Prefill
	c.s.Denoise += res.Denoise
}

func (c *counts) recalled() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.s.Answered++
	c.s.Recalled++
}

// ended takes note of a request that got no answer; gone says that nobody wants it any more.
func (c *counts) ended(gone bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if gone {
		c.s.Superseded++
	} else {
		c.s.Failed++
	}
}

// holds takes note of what the cache holds after a request.
func (c *counts) holds(held *contexts) {
	tokens := 0
	for _, h := range held.held {
		tokens += len(h.tokens)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.s.Contexts, c.s.CacheTokens, c.s.Opened, c.s.Evicted = len(held.held), tokens, held.opened, held.evicted
}

// Stats are the counts so far.
func (e *Engine) Stats() Stats {
	e.counts.mu.Lock()
	defer e.counts.mu.Unlock()
	return e.counts.s
}
