package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/seedling-lsp/seedling/engine/backend"
	"github.com/seedling-lsp/seedling/engine/denoise"
)

// play is a text of which no 40 bytes repeat.
var play = func() string {
	var b strings.Builder
	for i := range 60 {
		fmt.Fprintf(&b, "\tvalue%d := compute%d(%d, \"größe %d ✓ 漢字\") // step %d\n", i, i*7, i*i, i, i*31)
	}
	return b.String()
}()

func oneLine(decided string) (int, string) {
	if i := strings.IndexByte(decided, '\n'); i >= 0 {
		return i, "line"
	}
	return len(decided), ""
}

var modes = []denoise.Mode{denoise.Diffusion, denoise.Verify, denoise.Causal}

// upTo is the play's beginning of at bytes, or a few less, so that it ends with a character.
func upTo(at int) string { return head(play, at) }

func anyPlace(t *rapid.T, label string, max int) int {
	at := rapid.IntRange(60, max).Draw(t, label)
	for !utf8.RuneStart(play[at]) {
		at--
	}
	return at
}

// Typing along must give what asking anew gives, in every mode and at every character:
// else the ghost text would change under a person's hands. Where it answers, no forward
// may be made; where something else is typed, none may be saved. (Without memory: what it
// says depends on where tokens end, and asked anew they may end elsewhere.)
func TestTypingAlongIsAskingAnew(t *testing.T) {
	recalled := 0
	rapid.Check(t, func(t *rapid.T) {
		s, fresh := newScript(play), newScript(play)
		e := New(s.model(false), s, Options{MemoryTokens: -1})
		defer e.Close()
		other := New(fresh.model(false), fresh, Options{MemoryTokens: -1})
		defer other.Close()
		at := anyPlace(t, "at", 1500)
		req := Request{Document: "a", Suffix: "}\n", MaxTokens: 200, Stop: oneLine, Score: true,
			Decode: rapid.SampledFrom(modes).Draw(t, "mode")}
		if rapid.Bool().Draw(t, "to the end") {
			req.Stop = nil
			at += len(play) - 1700
			for !utf8.RuneStart(play[at]) {
				at++
			}
		}
		for at < len(play) {
			req.Prefix = play[:at]
			before := s.forwards
			got, err := e.Generate(context.Background(), req)
			if err != nil {
				t.Fatal(err)
			}
			alone := req
			alone.Document = ""
			want, err := other.Generate(context.Background(), alone)
			if err != nil {
				t.Fatal(err)
			}
			// A budget counts from where the answer began, and from where the window did.
			cut := got.Stop == "budget" && (strings.HasPrefix(want.Text, got.Text) || strings.HasPrefix(got.Text, want.Text))
			if (got.Text != want.Text || got.Stop != want.Stop) && !cut {
				t.Fatalf("at %d: %q (%s), asked anew %q (%s)", at, got.Text, got.Stop, want.Text, want.Stop)
			}
			if got.Forwards != s.forwards-before {
				t.Fatalf("%d forwards told, %d made", got.Forwards, s.forwards-before)
			}
			if got.Forwards == 0 {
				recalled++
				if got.Text == "" || got.CachedTokens != got.ContextTokens {
					t.Fatalf("recalled %+v", got)
				}
			}
			if got.Tokens > 0 && !(got.LogProb < 0 && got.LogProb > -7.1) {
				t.Fatalf("log-probability %g of %q", got.LogProb, got.Text)
			}
			_, n := utf8.DecodeRuneInString(play[at:])
			at += n * rapid.IntRange(1, 2).Draw(t, "typed")
			for at < len(play) && !utf8.RuneStart(play[at]) {
				at++
			}
			if rapid.IntRange(0, 30).Draw(t, "go on") == 0 {
				break
			}
		}
	})
	if recalled == 0 {
		t.Error("nothing was ever recalled")
	}
}

// What was asked differently is not recalled: each of these could have another answer.
func TestRecallOnlyTheSameQuestion(t *testing.T) {
	for name, change := range map[string]func(*Request){
		"path":        func(r *Request) { r.Path = "b.go" },
		"suffix":      func(r *Request) { r.Suffix = "]" },
		"snippets":    func(r *Request) { r.Snippets = []Snippet{{"c.go", "package c"}} },
		"mode":        func(r *Request) { r.Decode = denoise.Causal },
		"block":       func(r *Request) { r.BlockSize = 3 },
		"budget":      func(r *Request) { r.MaxTokens = 5 },
		"settings":    func(r *Request) { r.Settings.Threshold = 0.5 },
		"score":       func(r *Request) { r.Score = true },
		"withholding": func(r *Request) { r.MinLogProb = -3 },
		"document":    func(r *Request) { r.Document = "b" },
		"watch":       func(r *Request) { r.Watch = func(Step) {} },
		"other text":  func(r *Request) { r.Prefix += "?" },
		"less text":   func(r *Request) { r.Prefix = r.Prefix[:len(r.Prefix)-3] },
		"longer stop": func(r *Request) { r.Stop = func(s string) (int, string) { return 0, "" } },
		"all of it": func(r *Request) {
			r.Prefix = play[:strings.IndexByte(play[len(r.Prefix):], '\n')+len(r.Prefix)]
		},
	} {
		s := newScript(play)
		e := New(s.model(false), s, Options{})
		req := Request{Document: "a", Prefix: upTo(100), Suffix: "}\n", MaxTokens: 100, Stop: oneLine}
		if res, err := e.Generate(context.Background(), req); err != nil || res.Stop != "line" {
			t.Fatalf("%+v, %v", res, err)
		}
		again := req
		if res, err := e.Generate(context.Background(), again); err != nil || res.Forwards != 0 {
			t.Errorf("%s: the same question took %d forwards, %v", name, res.Forwards, err)
		}
		change(&again)
		if res, err := e.Generate(context.Background(), again); err != nil || res.Forwards == 0 {
			t.Errorf("%s: answered %q from memory, %v", name, res.Text, err)
		}
		e.Close()
	}
}

// The window must fit the positions whatever is asked, keep what stands next to the gap,
// and while a person types stay where it is but for rare steps: a window that moved with
// every key would read the file anew with every key.
func TestWindow(t *testing.T) {
	tok := vocabulary()
	sp := newScript("").model(false).Config.Seedling.Tokens
	rapid.Check(t, func(t *rapid.T) {
		positions := rapid.IntRange(8, 700).Draw(t, "positions")
		piece := rapid.SampledFrom([]string{play, "x", "a b", strings.Repeat("z", 3000), strings.Repeat("漢字\n", 400), ""})
		req := Request{Path: piece.Draw(t, "path"), Suffix: piece.Draw(t, "suffix"), Prefix: piece.Draw(t, "prefix")}
		for range rapid.IntRange(0, 4).Draw(t, "snippets") {
			req.Snippets = append(req.Snippets, Snippet{Path: "p.go", Text: head(piece.Draw(t, "snippet"), rapid.IntRange(0, 300).Draw(t, "size"))})
		}
		room := rapid.IntRange(1, 400).Draw(t, "room")
		var last []backend.TokenID
		moves := 0
		keys := 60
		for range keys {
			w := encode(tok, req, positions, room, false)
			ids := w.layout(sp, positions)
			if len(ids) == 0 || len(ids) >= positions {
				t.Fatalf("%d tokens for %d positions", len(ids), positions)
			}
			i := slices.Index(ids, sp.Prefix)
			var prefix, suffix string
			for _, id := range ids[i+1:] {
				prefix += string(tok.Token(int32(id)))
			}
			if !strings.HasSuffix(req.Prefix, prefix+w.word) {
				t.Fatalf("%q and %q are no end of the prefix", prefix, w.word)
			}
			if j := slices.Index(ids, sp.Suffix); j >= 0 {
				for _, id := range ids[j+1 : i] {
					suffix += string(tok.Token(int32(id)))
				}
			}
			if !strings.HasPrefix(req.Suffix, suffix) {
				t.Fatalf("%q is no beginning of the suffix", suffix)
			}
			if positions >= 64 && len(req.Prefix) > 10 && len(ids)-i-1 < min(positions/8, 10) {
				t.Fatalf("%d tokens of the prefix are left in %d positions", len(ids)-i-1, positions)
			}
			// One key changes the tokens of its line's end, a handful.
			if last != nil && commonPrefix(ids, last) < len(last)-24 {
				moves++
			}
			last = ids
			req.Prefix += "q"
			if len(req.Prefix)%9 == 0 {
				req.Prefix += " = 1\n"
			}
		}
		// A key adds two tokens at the most, and a step is a quarter of the room at the least.
		if step := max(1, min(cutStep, positions/32)); moves > 2*keys/step+1 {
			t.Fatalf("the window moved %d times in %d keys, with %d positions", moves, keys, positions)
		}
	})
}

// The list of contexts must say what the backend holds, to the token, after any history,
// also one of cancelled and failed requests; and hold no more sequences than allowed.
func TestContextsSayWhatTheBackendHolds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := newScript(play)
		s.limits.Sequences = rapid.IntRange(1, 4).Draw(t, "sequences")
		s.limits.Rows = rapid.IntRange(9, 96).Draw(t, "rows")
		most := rapid.IntRange(1, 5).Draw(t, "contexts")
		e := New(s.model(true), s, Options{Contexts: most})
		defer e.Close()
		for range rapid.IntRange(1, 12).Draw(t, "requests") {
			at := anyPlace(t, "at", len(play)-1)
			req := Request{Document: rapid.SampledFrom([]string{"", "a", "b", "c"}).Draw(t, "document"),
				Prefix: play[max(0, at-rapid.SampledFrom([]int{50, 700, 4000}).Draw(t, "window")):at],
				Suffix: rapid.SampledFrom([]string{"", ")\n"}).Draw(t, "suffix"), MaxTokens: rapid.IntRange(1, 40).Draw(t, "max"),
				Decode: rapid.SampledFrom(modes).Draw(t, "mode")}
			for !utf8.ValidString(req.Prefix) {
				req.Prefix = req.Prefix[1:]
			}
			ctx, cancel := context.WithCancel(context.Background())
			bad := rapid.IntRange(0, 12).Draw(t, "cancelled or failed at")
			broken := rapid.Bool().Draw(t, "failed")
			n := 0
			s.fail = func() error {
				if n++; n == bad && broken {
					return backend.ErrFull
				} else if n == bad {
					cancel()
				}
				return nil
			}
			_, err := e.Generate(ctx, req)
			cancel()
			if err != nil && !errors.Is(err, backend.ErrFull) && !errors.Is(err, context.Canceled) {
				t.Fatal(err)
			}
			held := e.device.contexts.held
			if len(held) > min(most, s.limits.Sequences) || len(held) != len(s.seqs)-1 {
				t.Fatalf("%d contexts for %d sequences, at most %d", len(held), len(s.seqs)-1, most)
			}
			for _, h := range held {
				if !slices.Equal(h.tokens, s.seqs[h.seq]) {
					t.Fatalf("%v is said to hold %v, and holds %v", h.seq, h.tokens, s.seqs[h.seq])
				}
			}
		}
	})
}

// A cancelled request is the usual case while a person types: what it has read must be
// there for the next one.
func TestCancelledRequestLeavesItsContext(t *testing.T) {
	s := newScript(play)
	s.limits.Rows = 64
	e := New(s.model(false), s, Options{})
	defer e.Close()
	ctx, cancel := context.WithCancel(context.Background())
	n := 0
	s.fail = func() error {
		if n++; n == 9 { // in the middle of decoding
			cancel()
		}
		return nil
	}
	req := Request{Document: "a", Prefix: play[:700], MaxTokens: 60, Decode: denoise.Causal}
	if _, err := e.Generate(ctx, req); !errors.Is(err, context.Canceled) || n != 9 {
		t.Fatalf("%v after %d forwards", err, n)
	}
	s.contextRows = 0
	req.Prefix += play[700:701]
	req.MaxTokens = 1
	res, err := e.Generate(context.Background(), req)
	if err != nil || res.ContextTokens-res.CachedTokens > 4 || s.contextRows > 4 {
		t.Errorf("%d of %d tokens cached, %d rows read, %v", res.CachedTokens, res.ContextTokens, s.contextRows, err)
	}
}

// Two documents, and two places of one, take turns without reading each other away; and
// the least recent one goes first.
func TestContextsOfSeveralDocuments(t *testing.T) {
	s := newScript(play)
	e := New(s.model(false), s, Options{Contexts: 3})
	defer e.Close()
	ask := func(document string, at int) int {
		s.contextRows = 0
		req := Request{Document: document, Prefix: upTo(at)[at-400:], Suffix: document, MaxTokens: 1, Watch: func(Step) {}}
		if _, err := e.Generate(context.Background(), req); err != nil {
			t.Fatal(err)
		}
		return s.contextRows
	}
	ask("a", 500)
	ask("b", 900)
	ask("a", 2000)
	for _, again := range []struct {
		document string
		at       int
	}{{"a", 500}, {"b", 900}, {"a", 2000}} {
		if n := ask(again.document, again.at); n > 2 {
			t.Errorf("%s at %d: %d rows read again", again.document, again.at, n)
		}
	}
	ask("c", 1500) // in place of a at 500
	if n := ask("b", 900); n > 2 {
		t.Errorf("b was dropped, though used later than a: %d rows", n)
	}
	if n := ask("a", 500); n < 50 {
		t.Errorf("a fourth context is kept: %d rows", n)
	}
}

// A stop rule and a person must never see half a character, and bytes that can be no
// character end the answer.
func TestValidPrefix(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := []byte(rapid.String().Draw(t, "text"))
		cut := rapid.IntRange(0, len(text)).Draw(t, "cut")
		n, broken := validPrefix(text[:cut])
		if broken || !utf8.Valid(text[:n]) || cut-n >= utf8.UTFMax || n < cut && utf8.RuneStart(text[n]) == false {
			t.Fatalf("%q: %d, %v", text[:cut], n, broken)
		}
		if cut == len(text) || utf8.RuneStart(text[cut]) {
			if n != cut {
				t.Fatalf("%d of %d whole bytes", n, cut)
			}
		}
		bad := append(slices.Clone(text), rapid.SampledFrom([]string{"\xff", "\x80", "\xc3x", "\xe6\xbc\n", "\xed\xa0\x80"}).Draw(t, "bad")...)
		if n, broken := validPrefix(bad); !broken || n != len(text) {
			t.Fatalf("%q: %d, %v", bad, n, broken)
		}
	})
}

// A model that writes bytes that are no text gives what came before.
func TestBrokenCharactersEndTheAnswer(t *testing.T) {
	for _, mode := range modes {
		s := newScript("")
		s.text = upTo(200) + "fine \xff\xfe never"
		e := New(s.model(false), s, Options{})
		res, err := e.Generate(context.Background(), Request{Prefix: upTo(200), Decode: mode, MaxTokens: 40})
		if err != nil || res.Text != "fine " || res.Stop != "none" {
			t.Errorf("mode %d: %+v, %v", mode, res, err)
		}
		e.Close()
	}
}

// Steps are what --show-steps and the demo draw: they must add up to the answer, and be
// numbered as the forwards are.
func TestWatch(t *testing.T) {
	for _, mode := range modes {
		s := newScript(play)
		e := New(s.model(true), s, Options{MemoryTokens: -1})
		var steps []Step
		res, err := e.Generate(context.Background(), Request{Prefix: upTo(800), MaxTokens: 30, Decode: mode, Score: true,
			Watch: func(st Step) { steps = append(steps, st) }})
		if err != nil {
			t.Fatal(err)
		}
		if len(steps) != res.Forwards || res.Forwards != s.forwards {
			t.Errorf("mode %d: %d steps, %d forwards told, %d made", mode, len(steps), res.Forwards, s.forwards)
		}
		text := ""
		for i, st := range steps {
			if st.Forward != i+1 {
				t.Errorf("mode %d: step %d has number %d", mode, i+1, st.Forward)
			}
			if st.Phase != denoise.PhaseDenoise {
				continue
			}
			text = st.Done
			for _, c := range st.Cells {
				if c.Masked != (c.Text == "") || !c.Masked && c.Prob != 0.97 {
					t.Errorf("mode %d: %+v", mode, c)
				}
				text += c.Text
			}
			if !strings.HasPrefix(play[len(upTo(800)):], st.Done) {
				t.Errorf("mode %d: done is %q", mode, st.Done)
			}
		}
		if steps[0].Phase != denoise.PhasePrefill || !strings.HasPrefix(text, res.Text) || len(res.Text) < 40 {
			t.Errorf("mode %d: the steps show %q, the answer is %q", mode, text, res.Text)
		}
		e.Close()
	}
}

// A speculative request gives way to others, to any document's, and does not disturb
// what a person asked for; what waits is served by priority.
func TestSpeculation(t *testing.T) {
	s := newScript(play)
	e := New(s.model(false), s, Options{})
	defer e.Close()
	pass := make(chan Priority) // a forward stands here until it is let through
	var standing atomic.Int32
	s.fail = func() error {
		standing.Add(1)
		defer standing.Add(-1)
		pass <- e.running()
		return nil
	}
	ask := func(document string, p Priority) chan error {
		done := make(chan error, 1)
		go func() {
			_, err := e.Generate(context.Background(), Request{Document: document, Prefix: upTo(100), MaxTokens: 1, Priority: p})
			done <- err
		}()
		return done
	}
	// through lets forwards through until one of a priority has passed.
	through := func(p Priority) {
		for range 100 {
			if got := <-pass; got == p {
				return
			}
		}
		t.Fatalf("no forward of priority %d in a hundred", p)
	}
	typed := ask("a", Typed)
	for e.running() != Typed {
		time.Sleep(time.Millisecond)
	}
	idle := ask("a", Speculative) // newer, of the same document: waits all the same
	for e.waiting() != 1 {
		time.Sleep(time.Millisecond)
	}
	through(Speculative)
	if err := <-typed; err != nil {
		t.Errorf("speculation disturbed a typed request: %v", err)
	}
	// Speculation runs, and stands before its next forward, or has ended; another request
	// of it stands there for sure, since its first forward is not let through.
	if err := <-drained(pass, idle); err != nil {
		t.Errorf("undisturbed speculation: %v", err)
	}
	idle = ask("b", Speculative)
	// It must stand in its forward: one that only has the device would leave at once when
	// it is superseded, and the other would not be seen to wait.
	for standing.Load() != 1 {
		time.Sleep(time.Millisecond)
	}
	other := ask("c", Typed)
	for e.waiting() != 1 {
		time.Sleep(time.Millisecond)
	}
	if err := <-drained(pass, idle); !errors.Is(err, ErrSuperseded) {
		t.Errorf("speculation did not give way: %v", err)
	}
	if err := <-drained(pass, other); err != nil {
		t.Errorf("the other request: %v", err)
	}
}

// drained lets forwards through until done has a value, and gives it.
func drained(pass chan Priority, done chan error) chan error {
	out := make(chan error, 1)
	for {
		select {
		case <-pass:
		case err := <-done:
			out <- err
			return out
		}
	}
}

func (e *Engine) waiting() int {
	e.queue.mu.Lock()
	defer e.queue.mu.Unlock()
	return len(e.queue.waiting)
}

func (e *Engine) running() Priority {
	e.queue.mu.Lock()
	defer e.queue.mu.Unlock()
	if e.queue.running == nil {
		return Invoked
	}
	return e.queue.running.priority
}

// Many at once, cancelled at any time, and a close in the middle: every one must return,
// with an answer or one of the known errors. With -race this also holds the device to one
// request at a time, since the script has no lock.
func TestManyAtOnce(t *testing.T) {
	s := newScript(play)
	e := New(s.model(true), s, Options{Contexts: 2})
	var wg sync.WaitGroup
	answers := make(chan string, 400)
	for i := range 8 {
		wg.Go(func() {
			for j := range 40 {
				wait := time.Duration((i*40+j)*7919%30000) * time.Microsecond
				if i == 0 { // somebody has to be answered
					wait = time.Minute
				}
				ctx, cancel := context.WithTimeout(context.Background(), wait)
				at := 100 + (i*131+j*17)%1500
				for !utf8.RuneStart(play[at]) {
					at--
				}
				document := "own" // of worker 0, the rest quarrel over three
				if i > 0 {
					document = string(rune('a' + j%3))
				}
				res, err := e.Generate(ctx, Request{Document: document, Prefix: play[:at], MaxTokens: 30, Stop: oneLine,
					Priority: Priority((i + 2) % 3), Decode: modes[j%3]})
				cancel()
				switch {
				case err == nil:
					if !strings.HasPrefix(play[at:], res.Text) {
						t.Errorf("at %d: %q", at, res.Text)
					}
					answers <- res.Text
				case !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, ErrClosed):
					t.Error(err)
				}
			}
		})
	}
	<-answers
	if err := e.Close(); err != nil {
		t.Error(err)
	}
	if !s.closed {
		t.Error("the backend was not closed")
	}
	wg.Wait()
	if err := e.Close(); err != nil {
		t.Errorf("a second Close: %v", err)
	}
}

// A model directory of mixed files must be refused with a hint, not decoded into nonsense.
func TestModelsThatDoNotFit(t *testing.T) {
	for name, spoil := range map[string]func(*Model){
		"no tokenizer":     func(m *Model) { m.Tokenizer = nil },
		"small vocabulary": func(m *Model) { m.Config.VocabSize = 100 },
		"other specials":   func(m *Model) { m.Config.Seedling.Tokens.Mask = 300 },
	} {
		s := newScript(play)
		m := s.model(false)
		spoil(&m)
		e := New(m, s, Options{})
		if _, err := e.Generate(context.Background(), Request{Prefix: "x"}); err == nil {
			t.Errorf("%s: no error", name)
		}
		e.Close()
	}
}
