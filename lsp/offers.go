package lsp

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf16"

	"go.lsp.dev/protocol"
	"go.lsp.dev/uri"

	"github.com/seedling-lsp/seedling/engine"
	"github.com/seedling-lsp/seedling/lsp/stats"
)

// acceptedCommand is what clients run after they took a suggestion; its argument is
// the suggestion's id.
const acceptedCommand = "seedling.accepted"

func init() {
	commands[acceptedCommand] = func(s *Server, _ context.Context, arguments []json.RawMessage) (any, error) {
		var id string
		if len(arguments) > 0 {
			_ = json.Unmarshal(arguments[0], &id) // what is no id is one that is unknown
		}
		s.accepted(id)
		return nil, nil
	}
}

const (
	maxOffers = 256              // that are remembered
	keptAfter = 30 * time.Second // when it is looked whether an accepted one is still there
)

// offer is a suggestion that the client was given.
type offer struct {
	kind     stats.Kind
	language string
	doc      uri.URI
	text     string // what is to stand in the document
	typed    int    // bytes of text that stood before the cursor
	from     int    // where in the document text is to stand; -1: nobody said
	shown    bool
	partial  bool
	over     bool // accepted or rejected
}

// offers are the last suggestions, so that what the client says of one can be counted.
type offers struct {
	mu     sync.Mutex
	all    map[string]*offer
	order  []string // of their ids, the oldest first
	next   uint64
	tells  bool // the client says what it showed
	timers map[*time.Timer]struct{}
	closed bool
}

// counts is where this server counts; nil when that is turned off.
func (s *Server) counts() *stats.Recorder {
	if !s.current().Stats {
		return nil
	}
	return s.opt.Stats
}

// answered counts an answer, empty or not, and how long it took since start.
func (s *Server) answered(kind stats.Kind, doc *snapshot, start time.Time, res engine.Result) {
	took := time.Since(start)
	s.counts().Count(doc.language.String(), kind, func(c *stats.Counts) {
		c.Asked++
		c.Latency.Add(took)
		c.Context += int64(res.ContextTokens)
		c.Cached += int64(res.CachedTokens)
	})
}

// offer remembers a suggestion and gives its id. Of text the first typed bytes stand in
// the document already. drawn is whether the client draws it at once, rather than when a
// person asks for the next one.
func (s *Server) offer(kind stats.Kind, doc *snapshot, text string, typed int, drawn bool) (id string) {
	o := &offer{kind: kind, language: doc.language.String(), doc: doc.uri, text: text, typed: min(typed, len(text)), from: -1}
	f := &s.offers
	f.mu.Lock()
	f.next++
	id = "s" + strconv.FormatUint(f.next, 36)
	if f.all == nil {
		f.all = map[string]*offer{}
	}
	f.all[id] = o
	if f.order = append(f.order, id); len(f.order) > maxOffers {
		delete(f.all, f.order[0])
		f.order = f.order[1:]
	}
	counts := drawn && !f.tells // to be given is to be shown, for all that we know
	o.shown = counts
	f.mu.Unlock()
	if counts {
		s.count(o, func(c *stats.Counts) { c.Shown++ })
	}
	return id
}

// placed says where in its document an offer's text is to stand.
func (s *Server) placed(id string, from int) string {
	s.offers.mu.Lock()
	defer s.offers.mu.Unlock()
	if o := s.offers.all[id]; o != nil {
		o.from = from
	}
	return id
}

// lastOffers are looked through for one that a person goes along with.
const lastOffers = 16

// along says whether a person goes along with an offer: its text stands in the document, up
// to the cursor and beyond what stood there before, and there is more of it.
func (s *Server) along(doc *snapshot, at int) bool {
	s.offers.mu.Lock()
	defer s.offers.mu.Unlock()
	text := doc.text()
	for _, id := range s.offers.order[max(0, len(s.offers.order)-lastOffers):] {
		o := s.offers.all[id]
		if o == nil || o.doc != doc.uri || o.from < 0 || o.from > at || at > len(text) {
			continue
		}
		if n := at - o.from; n > o.typed && n < len(o.text) && text[o.from:at] == o.text[:n] {
			return true
		}
	}
	return false
}

// accept is the command that an item carries.
func (s *Server) accept(id string) protocol.Command {
	return protocol.Command{Title: "Count as accepted", Command: acceptedCommand, Arguments: []protocol.LSPAny{protocol.LSPAny(rawJSON(id))}}
}

func (s *Server) count(o *offer, change func(*stats.Counts)) {
	s.counts().Count(o.language, o.kind, change)
}

// reported changes what is known of an offer, and gives it when the change was news.
func (s *Server) reported(id string, change func(*offer) bool) *offer {
	s.offers.mu.Lock()
	defer s.offers.mu.Unlock()
	if o := s.offers.all[id]; o != nil && change(o) {
		return o
	}
	return nil
}

// shows says that the client tells what it shows, from the start: then nothing else counts
// as shown.
func (s *Server) shows() {
	s.offers.mu.Lock()
	s.offers.tells = true
	s.offers.mu.Unlock()
}

// shown is said by clients that can.
func (s *Server) shown(id string) {
	s.shows()
	if o := s.reported(id, func(o *offer) bool { old := o.shown; o.shown = true; return !old }); o != nil {
		s.count(o, func(c *stats.Counts) { c.Shown++ })
	}
}

// accepted is a whole acceptance. In half a minute it is looked whether it was kept.
func (s *Server) accepted(id string) {
	o := s.reported(id, func(o *offer) bool { old := o.over; o.over = true; return !old })
	if o == nil {
		return
	}
	n := int64(len([]rune(o.text[o.typed:])))
	s.count(o, func(c *stats.Counts) { c.Accepted++; c.Characters += n })
	s.offers.later(keptAfter, func() {
		doc := s.docs.get(o.doc)
		if doc == nil {
			return // closed: nobody knows
		}
		kept := holds(doc.text(), o.text)
		s.count(o, func(c *stats.Counts) {
			if kept {
				c.Kept++
			} else {
				c.Changed++
			}
		})
	})
}

// acceptedPart is an acceptance of the first units of a suggestion's text, in UTF-16; of
// all of them it is a whole one. typed is whether what stood before the cursor is among
// the units.
func (s *Server) acceptedPart(id string, units int, typed bool) {
	whole := false
	o := s.reported(id, func(o *offer) bool {
		text := o.text
		if !typed {
			text = text[o.typed:]
		}
		whole = units >= len(utf16.Encode([]rune(text)))
		old := o.partial || o.over
		o.partial = o.partial || !whole
		return !old && !whole
	})
	if whole {
		s.accepted(id)
	}
	if o != nil {
		s.count(o, func(c *stats.Counts) { c.Partial++ })
	}
}

// rejected is said by clients that can.
func (s *Server) rejected(id string) {
	if o := s.reported(id, func(o *offer) bool { old := o.over; o.over = true; return !old }); o != nil {
		s.count(o, func(c *stats.Counts) { c.Rejected++ })
	}
}

// holds says whether a text stands in a document, line ends and what trails on lines aside.
func holds(document, text string) bool {
	plain := func(t string) string {
		lines := strings.Split(strings.ReplaceAll(strings.ReplaceAll(t, "\r\n", "\n"), "\r", "\n"), "\n")
		for i := range lines {
			lines[i] = strings.TrimRight(lines[i], " \t")
		}
		return strings.Join(lines, "\n")
	}
	return strings.Contains(plain(document), strings.TrimSpace(plain(text)))
}

// later runs f after d, unless the server ends before.
func (f *offers) later(d time.Duration, do func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed || len(f.timers) >= maxOffers {
		return
	}
	if f.timers == nil {
		f.timers = map[*time.Timer]struct{}{}
	}
	var t *time.Timer
	t = time.AfterFunc(d, func() {
		f.mu.Lock()
		_, due := f.timers[t]
		delete(f.timers, t)
		f.mu.Unlock()
		if due {
			do()
		}
	})
	f.timers[t] = struct{}{}
}

// close drops what waits.
func (f *offers) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	for t := range f.timers {
		t.Stop()
	}
	clear(f.timers)
}
