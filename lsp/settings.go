package lsp

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/seedling-lsp/seedling/engine/denoise"
)

// Settings are what a person may set, in initializationOptions or, under the section
// "seedling", in the editor's configuration.
type Settings struct {
	// Enable turns suggestions on.
	Enable bool `json:"enable"`
	// Languages limits suggestions to these LSP language ids; empty: all.
	Languages []string `json:"languages"`
	// Decode is how blocks are decided: diffusion, verify or causal.
	Decode string `json:"decode"`
	// DebounceMs is how long an automatic request waits for a newer one before it costs
	// anything. What is out of date is cancelled anyway: it saves a laptop's battery.
	DebounceMs int `json:"debounceMs"`
	// DeadlineMs bounds an automatic suggestion, InvokedDeadlineMs one asked for by hand.
	DeadlineMs        int `json:"deadlineMs"`
	InvokedDeadlineMs int `json:"invokedDeadlineMs"`
	// MaxTokens bounds a suggestion; 0: by what is completed.
	MaxTokens int `json:"maxTokens"`
	// MaxFileKB is the size of a document above which nothing is suggested.
	MaxFileKB int `json:"maxFileKB"`
	// MinLogProb withholds suggestions that the model itself finds unlikely: mean
	// log-probability per token in nats, at most 0; 0: none is withheld.
	MinLogProb float64 `json:"minLogProb"`
	// Status asks for didChangeStatus notifications as Copilot's server sends them.
	Status bool `json:"status"`
}

// DefaultSettings are in force until a client says otherwise.
func DefaultSettings() Settings {
	return Settings{Enable: true, Decode: "verify", DeadlineMs: 400, InvokedDeadlineMs: 3000, MaxFileKB: 2048}
}

// decodes are the values of Settings.Decode.
var decodes = map[string]denoise.Mode{"diffusion": denoise.Diffusion, "verify": denoise.Verify, "causal": denoise.Causal}

// merge lays the keys of raw over s. An error names the key and what it may be; s is then
// unchanged. An absent or null raw changes nothing, keys of other servers are skipped
// when the value holds a "seedling" section.
func (s Settings) merge(raw []byte) (Settings, error) {
	if len(raw) == 0 || string(raw) == "null" {
		return s, nil
	}
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(raw, &keys); err != nil {
		return s, errors.New("settings: an object is wanted")
	}
	if section, ok := keys["seedling"]; ok {
		return s.merge(section)
	}
	n := s
	n.Languages = slices.Clone(s.Languages)
	names := make([]string, 0, len(keys))
	for k := range keys {
		if k != "trace" { // VS Code's own, in every server's section
			names = append(names, k)
		}
	}
	sort.Strings(names)
	for _, k := range names {
		set, ok := map[string]struct {
			to   any
			what string
		}{
			"enable": {&n.Enable, "true or false"}, "languages": {&n.Languages, "a list of language ids"},
			"decode": {&n.Decode, "diffusion, verify or causal"}, "debounceMs": {&n.DebounceMs, "milliseconds, 0 to 5000"}, "deadlineMs": {&n.DeadlineMs, "milliseconds, 10 to 60000"},
			"invokedDeadlineMs": {&n.InvokedDeadlineMs, "milliseconds, 10 to 60000"}, "maxTokens": {&n.MaxTokens, "0 to 1024"},
			"maxFileKB": {&n.MaxFileKB, "1 to 65536"}, "minLogProb": {&n.MinLogProb, "a number, at most 0"}, "status": {&n.Status, "true or false"},
		}[k]
		if !ok {
			return s, fmt.Errorf("settings: there is no key %q", k)
		}
		if err := json.Unmarshal(keys[k], set.to); err != nil {
			return s, fmt.Errorf("settings: %s is %s", k, set.what)
		}
	}
	within := func(v, lo, hi int) bool { return v >= lo && v <= hi }
	switch _, known := decodes[n.Decode]; {
	case !known:
		return s, errors.New("settings: decode is diffusion, verify or causal")
	case !within(n.DeadlineMs, 10, 60000) || !within(n.InvokedDeadlineMs, 10, 60000):
		return s, errors.New("settings: deadlineMs and invokedDeadlineMs are 10 to 60000 milliseconds")
	case !within(n.DebounceMs, 0, 5000):
		return s, errors.New("settings: debounceMs is 0 to 5000 milliseconds")
	case !within(n.MaxTokens, 0, 1024):
		return s, errors.New("settings: maxTokens is 0 to 1024")
	case !within(n.MaxFileKB, 1, 65536):
		return s, errors.New("settings: maxFileKB is 1 to 65536")
	case !(n.MinLogProb <= 0):
		return s, errors.New("settings: minLogProb is at most 0")
	}
	return n, nil
}

func (s Settings) speaks(language string) bool {
	return len(s.Languages) == 0 || slices.ContainsFunc(s.Languages, func(l string) bool { return strings.EqualFold(l, language) })
}

func (s Settings) debounce() time.Duration { return time.Duration(s.DebounceMs) * time.Millisecond }

func (s Settings) deadline(invoked bool) time.Duration {
	if invoked {
		return time.Duration(s.InvokedDeadlineMs) * time.Millisecond
	}
	return time.Duration(s.DeadlineMs) * time.Millisecond
}
