package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
)

var updateSessions = flag.Bool("update", false, "write the golden transcripts of .sessions anew; read the diff")

// TestSessions plays recorded sessions of real editors to the binary over stdio, and holds
// what it says against golden transcripts. Without it the server would be tested only by
// clients that its own authors wrote.
//
// A file of .sessions is an archive: args, how the editor starts the command; answers, what
// it answers to requests of the server, by method; client, its messages as recorded, one a
// line; golden, what the server says. A transcript knows
// nothing of time and of the model: answers stand in the order of their requests, what the
// server says by itself is sorted and listed once, and of suggestions it is only checked
// that an editor can draw them.
func TestSessions(t *testing.T) {
	files, err := filepath.Glob(".sessions/*.txtar")
	if err != nil || len(files) < 3 {
		t.Fatal("no sessions", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			part := map[string]*txtar.File{}
			for i := range archive.Files {
				part[archive.Files[i].Name] = &archive.Files[i]
			}
			replies := map[string]string{}
			for line := range strings.Lines(string(part["answers"].Data)) {
				method, reply, _ := strings.Cut(strings.TrimSpace(line), " ")
				replies[method] = reply
			}
			p := startPlay(t, strings.Fields(string(part["args"].Data)), replies)
			for line := range strings.Lines(string(part["client"].Data)) {
				p.play([]byte(strings.TrimSpace(line)))
			}
			got := p.end()
			if *updateSessions {
				part["golden"].Data = got
				if err := os.WriteFile(file, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(string(part["golden"].Data), string(got)); diff != "" && !*updateSessions {
				t.Errorf("(-want +got; -update writes it anew)\n%s", diff)
			}
		})
	}
}

// message is a frame.
type message struct {
	ID     json.RawMessage `json:"id"`
	Method string          `json:"method"`
	Params json.RawMessage `json:"params"`
	Result json.RawMessage `json:"result"`
	Error  json.RawMessage `json:"error"`
}

// play is a session that is played.
type play struct {
	t       *testing.T
	in      io.WriteCloser
	out     chan message
	wait    func() error
	errs    *bytes.Buffer
	replies map[string]string  // the client's, by the method of the server's request
	answers map[string]message // the server's, by id
	order   []message          // requests of the client
	open    int                // of them, not answered yet
	ended   map[string]bool    // those that the client cancelled
	alone   map[string]bool    // what the server says by itself, masked
	texts   map[string]string  // documents as the editor has them
	stood   map[string]string  // the document at a request, by id
	units   string             // the position encoding agreed on
	over    bool               // nobody reads any more what the client writes
}

func startPlay(t *testing.T, args []string, replies map[string]string) *play {
	t.Helper()
	c := program(t, append(args, "--threads", "1")...)
	p := &play{t: t, out: make(chan message, 1000), wait: c.Wait, errs: &bytes.Buffer{}, replies: replies, answers: map[string]message{},
		ended: map[string]bool{}, alone: map[string]bool{}, texts: map[string]string{}, stood: map[string]string{}}
	var err error
	if p.in, err = c.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	c.Stderr = p.errs
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.out)
		r := bufio.NewReader(out)
		for {
			m, err := readFrame(r)
			if err != nil {
				if err != io.EOF {
					t.Errorf("what the server writes is no frame: %v", err)
				}
				return
			}
			p.out <- m
		}
	}()
	return p
}

func readFrame(r *bufio.Reader) (m message, err error) {
	n := -1
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			if line != "" {
				err = fmt.Errorf("it ends in %q", line)
			}
			return m, err
		}
		if line == "\r\n" {
			break
		}
		if v, ok := strings.CutPrefix(line, "Content-Length: "); ok {
			if n, err = strconv.Atoi(strings.TrimSuffix(v, "\r\n")); err != nil {
				return m, err
			}
		} else if !strings.HasPrefix(line, "Content-Type: ") {
			return m, fmt.Errorf("header %q", line)
		}
	}
	if n < 0 {
		return m, fmt.Errorf("no length")
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(r, b); err != nil {
		return m, err
	}
	return m, json.Unmarshal(b, &m)
}

// hear takes messages of the server until done says that it has heard enough.
func (p *play) hear(what string, done func() bool) {
	p.t.Helper()
	for deadline := time.After(2 * time.Minute); !done(); {
		select {
		case m, ok := <-p.out:
			if !ok {
				p.t.Fatalf("the server ended while the client waits for %s; it says:\n%s", what, p.errs)
			}
			p.heard(m)
		case <-deadline:
			p.t.Fatalf("the server does not give %s; it says:\n%s", what, p.errs)
		}
	}
}

func (p *play) heard(m message) {
	p.t.Helper()
	id := string(m.ID)
	if m.Method != "" {
		p.alone[masked(m)] = true
		if m.ID == nil {
			return
		}
		reply, ok := p.replies[m.Method]
		if !ok {
			p.t.Errorf("the server asks for %s, which this client was never asked for", m.Method)
			reply = "null"
		}
		p.send(fmt.Appendf(nil, `{"jsonrpc":"2.0","id":%s,"result":%s}`, m.ID, reply))
		return
	}
	if !slices.ContainsFunc(p.order, func(r message) bool { return string(r.ID) == id }) || p.answers[id].ID != nil {
		p.t.Errorf("an answer that nobody waits for: id %s, %s %s", m.ID, m.Result, m.Error)
		return
	}
	p.answers[id] = m
	p.open--
}

// said reports whether the server said something of the method by itself.
func (p *play) said(method string) bool {
	for what := range p.alone {
		if strings.HasPrefix(what, method+" ") {
			return true
		}
	}
	return false
}

// masked is what the server says by itself, without what varies.
func masked(m message) string {
	var v any
	json.Unmarshal(m.Params, &v)
	if o, ok := v.(map[string]any); ok && m.Method == "seedling/status" {
		o["lastMs"] = "TIME"
	}
	return m.Method + " " + pretty(v)
}

func pretty(v any) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	e.Encode(v)
	return strings.TrimSuffix(b.String(), "\n")
}

func (p *play) send(body []byte) {
	p.t.Helper()
	if _, err := fmt.Fprintf(p.in, "Content-Length: %d\r\n\r\n%s", len(body), body); err != nil && !p.over {
		p.t.Fatalf("%s: %v; the server says:\n%s", body, err, p.errs)
	}
}

// play sends one message of the client when its turn has come.
func (p *play) play(line []byte) {
	p.t.Helper()
	var m message
	if err := json.Unmarshal(line, &m); err != nil {
		p.t.Fatalf("%v in %s", err, line)
	}
	if m.Method == "$/cancelRequest" {
		var c struct {
			ID json.RawMessage `json:"id"`
		}
		json.Unmarshal(m.Params, &c)
		p.ended[string(c.ID)] = true
	} else {
		// A person reads before typing on: nothing is left open.
		p.hear("its answers", func() bool { return p.open == 0 })
	}
	if m.Method == "shutdown" {
		// What the server asks by itself comes when it comes.
		for method := range p.replies {
			p.hear(method, func() bool { return p.said(method) })
		}
	}
	if m.Method == "initialize" {
		line = bytes.Replace(line, []byte(`"processId":0`), fmt.Appendf(nil, `"processId":%d`, os.Getpid()), 1)
	}
	if m.ID != nil {
		p.open++
		p.order = append(p.order, m)
		p.stood[string(m.ID)] = p.texts[documentOf(m.Params)]
	}
	p.send(line)
	switch m.Method {
	case "initialize":
		p.hear("what it can do", func() bool { return p.open == 0 })
		var r struct {
			Capabilities struct{ PositionEncoding string }
		}
		json.Unmarshal(p.answers[string(m.ID)].Result, &r)
		p.units = r.Capabilities.PositionEncoding
	case "textDocument/didOpen", "textDocument/didChange":
		p.edit(m.Params)
	}
}

// end waits for the server's end and gives the transcript.
func (p *play) end() []byte {
	p.t.Helper()
	p.hear("its answers", func() bool { return p.open == 0 })
	p.over = true
	p.in.Close()
	for m := range p.out {
		p.heard(m)
	}
	if err := p.wait(); err != nil {
		p.t.Errorf("the server ended with %v; it says:\n%s", err, p.errs)
	}
	var b bytes.Buffer
	for _, r := range p.order {
		fmt.Fprintf(&b, "%s %s\n%s\n", r.ID, r.Method, p.answer(r))
	}
	b.WriteString("\nby itself:\n")
	for _, said := range slices.Sorted(maps.Keys(p.alone)) {
		fmt.Fprintln(&b, said)
	}
	return b.Bytes()
}

// answer is the masked answer to a request.
func (p *play) answer(r message) string {
	p.t.Helper()
	id := string(r.ID)
	a := p.answers[id]
	var v any
	switch {
	case p.ended[id]:
		var e struct{ Code int }
		if json.Unmarshal(a.Error, &e); len(a.Error) > 0 && e.Code != -32800 {
			p.t.Errorf("request %s, which was cancelled: %s", id, a.Error)
		}
		return "cancelled, or answered before"
	case len(a.Error) > 0:
		json.Unmarshal(a.Error, &v)
		return "error " + pretty(v)
	case r.Method == "textDocument/inlineCompletion":
		p.drawable(r, a)
		return "suggestions, or none"
	}
	json.Unmarshal(a.Result, &v)
	if o, ok := v.(map[string]any); ok && r.Method == "initialize" {
		if s, ok := o["serverInfo"].(map[string]any); ok {
			s["version"] = "VERSION"
		}
	}
	if o, ok := v.(map[string]any); ok && r.Method == "textDocument/completion" {
		o["items"] = "ITEMS"
	}
	return pretty(v)
}

type place struct{ Line, Character int }

type span struct{ Start, End place }

// drawable checks what every editor needs to draw a suggestion: a range on the cursor's
// line around the cursor, and a text that begins with what stands there.
func (p *play) drawable(r, a message) {
	p.t.Helper()
	var asked struct {
		Position place
		Context  struct {
			SelectedCompletionInfo *struct {
				Text  string
				Range span
			}
		}
	}
	json.Unmarshal(r.Params, &asked)
	var list struct {
		Items *[]struct {
			InsertText, FilterText string
			Range                  *span
		}
	}
	if err := json.Unmarshal(a.Result, &list); err != nil || list.Items == nil {
		p.t.Errorf("request %s: not a list of suggestions, which an empty one is, too: %s", r.ID, a.Result)
		return
	}
	text := p.stood[string(r.ID)]
	for _, it := range *list.Items {
		if it.Range == nil || it.Range.Start.Line != asked.Position.Line || it.Range.End.Line != asked.Position.Line {
			p.t.Errorf("request %s: range %+v for a cursor at %+v", r.ID, it.Range, asked.Position)
			continue
		}
		from, to, at := p.offset(text, it.Range.Start), p.offset(text, it.Range.End), p.offset(text, asked.Position)
		if from > at || to < at {
			p.t.Errorf("request %s: range %+v is not around the cursor at %+v", r.ID, *it.Range, asked.Position)
			continue
		}
		head := text[from:at]
		if sel := asked.Context.SelectedCompletionInfo; sel != nil {
			head = text[from:max(from, p.offset(text, sel.Range.Start))] + sel.Text
		}
		if !strings.HasPrefix(it.InsertText, head) || len(it.InsertText) == len(head) {
			p.t.Errorf("request %s: %q does not go on from %q", r.ID, it.InsertText, head)
		}
		if it.FilterText != "" && it.FilterText != it.InsertText {
			p.t.Errorf("request %s: filterText %q, insertText %q", r.ID, it.FilterText, it.InsertText)
		}
	}
}

func documentOf(params json.RawMessage) string {
	var d struct{ TextDocument struct{ URI string } }
	json.Unmarshal(params, &d)
	return d.TextDocument.URI
}

// edit keeps the editor's text.
func (p *play) edit(params json.RawMessage) {
	p.t.Helper()
	var e struct {
		TextDocument   struct{ URI, Text string }
		ContentChanges []struct {
			Range *span
			Text  string
		}
	}
	if err := json.Unmarshal(params, &e); err != nil {
		p.t.Fatal(err)
	}
	text, ok := p.texts[e.TextDocument.URI]
	if !ok {
		text = e.TextDocument.Text
	}
	for _, c := range e.ContentChanges {
		if c.Range == nil {
			text = c.Text
		} else {
			text = text[:p.offset(text, c.Range.Start)] + c.Text + text[p.offset(text, c.Range.End):]
		}
	}
	p.texts[e.TextDocument.URI] = text
}

// offset counts a position out, character by character.
func (p *play) offset(text string, at place) int {
	p.t.Helper()
	lines := strings.SplitAfter(text, "\n")
	if at.Line >= len(lines) {
		return len(text)
	}
	off, units := len(strings.Join(lines[:at.Line], "")), 0
	for _, r := range lines[at.Line] {
		if units >= at.Character || r == '\n' {
			break
		}
		switch p.units {
		case "utf-8":
			units += utf8.RuneLen(r)
		case "utf-16":
			units += utf16.RuneLen(r)
		case "utf-32":
			units++
		default:
			p.t.Fatalf("position encoding %q", p.units)
		}
		off += utf8.RuneLen(r)
	}
	if units != at.Character && p.units != "" && at.Character < 1<<30 && units > at.Character {
		p.t.Errorf("column %d of %q is inside of a character", at.Character, lines[at.Line])
	}
	return off
}
