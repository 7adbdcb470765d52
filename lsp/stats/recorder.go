package stats

import (
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

// Every is how long counts wait in memory before they are written.
const Every = 20 * time.Second

// Recorder counts and writes. It is safe for concurrent use; a nil one counts nothing.
type Recorder struct {
	store  Store
	failed func(error)

	mu      sync.Mutex
	pending File
	dirty   bool
	timer   *time.Timer
	closed  bool
	broken  bool // the last writing failed, which was said

	writing sync.Mutex // one at a time
}

// NewRecorder makes a recorder that writes to a store some seconds after something was
// counted, and at Close. failed is told when writing fails, once until it succeeds again;
// nil: nobody is. The counts wait for the next attempt.
func NewRecorder(store Store, failed func(error)) *Recorder {
	return &Recorder{store: store, failed: failed}
}

// Count changes the counts of today.
func (r *Recorder) Count(language string, kind Kind, change func(*Counts)) {
	r.note(func(f *File) { change(f.counts(time.Now().Format(time.DateOnly), language, kind)) })
}

// Editor takes note of an editor that connected.
func (r *Recorder) Editor(name, version string) {
	name = strings.TrimSpace(name + " " + version)
	if name == "" {
		return
	}
	r.note(func(f *File) { f.seen(Editor{clip(name, maxName), time.Now().UTC().Truncate(time.Second)}) })
}

// Problem takes note of an error that a person was shown. It must name no code.
func (r *Recorder) Problem(message string) {
	r.note(func(f *File) {
		f.Problems = append(f.Problems, Problem{time.Now().UTC().Truncate(time.Second), clip(message, maxMessage)})
		f.trim()
	})
}

func (r *Recorder) note(change func(*File)) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return
	}
	change(&r.pending)
	r.dirty = true
	if r.timer == nil {
		r.timer = time.AfterFunc(Every, r.Flush)
	}
}

// Flush writes what was counted. When that fails it is kept.
func (r *Recorder) Flush() {
	if r == nil {
		return
	}
	r.writing.Lock()
	defer r.writing.Unlock()
	r.mu.Lock()
	if r.timer != nil {
		r.timer.Stop()
		r.timer = nil
	}
	out, dirty := r.pending, r.dirty
	r.pending, r.dirty = File{}, false
	r.mu.Unlock()
	if !dirty {
		return
	}
	err := r.store.update(func(f *File) { f.merge(out) })
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		out.merge(r.pending)
		r.pending, r.dirty = out, true
		if !r.broken && r.failed != nil {
			r.failed(err)
		}
	}
	r.broken = err != nil
}

// Close writes what is left. What is counted afterwards is not.
func (r *Recorder) Close() {
	if r == nil {
		return
	}
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	r.Flush()
}

// clip cuts a text to a number of bytes, between characters, and makes it one line.
func clip(s string, most int) string {
	s = strings.Join(strings.Fields(strings.ToValidUTF8(s, "?")), " ")
	if len(s) <= most {
		return s
	}
	for most > 0 && !utf8.RuneStart(s[most]) {
		most--
	}
	return s[:most]
}
