package lsp

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.lsp.dev/uri"

	"github.com/seedling-lsp/seedling/lsp/stats"
)

// TestKept: half a minute after its acceptance a suggestion is still there, or it is not.
func TestKept(t *testing.T) {
	store := stats.Store{Dir: t.TempDir()}
	synctest.Test(t, func(t *testing.T) {
		s := New(Options{Stats: stats.NewRecorder(store, func(err error) { t.Error(err) })})
		defer s.parser.Close()
		put := func(text string) *snapshot {
			d := newSnapshot(uri.URI(testURI), "go", 1, text)
			s.docs.put(d)
			return d
		}
		take := func(text string) {
			s.accepted(s.offer(stats.Completion, s.docs.get(uri.URI(testURI)), text, 0, true))
		}
		put("package a\r\n\r\nfunc f() {\r\n\tif x {\r\n\t\treturn  \r\n\t}\r\n}\r\n")
		take("\tif x {\n\t\treturn\n\t}") // the editor's line ends are its own
		take("\tif y {\n\t\treturn\n\t}")
		s.accepted("unknown")
		time.Sleep(keptAfter + time.Second)
		synctest.Wait()
		take("x") // the server ends before anybody knows
		s.offers.close()
		time.Sleep(keptAfter + time.Second)
		synctest.Wait()
		s.opt.Stats.Close()
	})
	f, err := store.Read()
	if err != nil {
		t.Fatal(err)
	}
	if all, _ := f.Total(stats.Completion, ""); all.Kept != 1 || all.Changed != 1 || all.Accepted != 3 || all.Shown != 3 {
		t.Errorf("%+v", all)
	}
}

// TestOffersBounded: what is never taken is forgotten; without it every suggestion of a day
// would stay in memory.
func TestOffersBounded(t *testing.T) {
	s := New(Options{})
	defer s.parser.Close()
	d := newSnapshot(uri.URI(testURI), "go", 1, "")
	for range 3 * maxOffers {
		s.offer(stats.Completion, d, strings.Repeat("x", 10), 0, true)
	}
	if len(s.offers.all) != maxOffers || len(s.offers.order) != maxOffers {
		t.Errorf("%d remembered", len(s.offers.all))
	}
	for id := range s.offers.all {
		s.accepted(id)
	}
	if len(s.offers.timers) != maxOffers {
		t.Errorf("%d timers", len(s.offers.timers))
	}
	s.offers.close()
}
