package shared

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/seedling-lsp/seedling/lsp"
)

// Proxy stands between an editor and a shared server.
type Proxy struct {
	// Editor is the wire to the editor.
	Editor io.ReadWriteCloser
	// Join connects to a server, and starts one if there is none.
	Join func(context.Context) (net.Conn, error)
	// Logger is told what goes on; nil: nobody is.
	Logger *zap.Logger

	log    *zap.Logger
	editor *lsp.Wire

	mu       sync.Mutex
	server   *lsp.Wire // nil while there is none
	life     int       // of servers: the number of the one in use
	mirror   lsp.Mirror
	waiting  map[string]string // the editor's requests, by id as JSON: their method
	asked    map[string]asked  // a server's requests, by the id that the editor sees
	next     int
	agreed   map[string]bool // registrations that the editor has taken
	up       bool            // the first answer to initialize came
	shutdown bool
	crashes  []time.Time
}

// asked is a request of one server.
type asked struct {
	life int
	id   json.RawMessage
}

// A server that dies more often than this is not started again.
const (
	maxCrashes = 3
	crashSpan  = time.Minute
)

// again is the id of the initialize that the proxy sends by itself.
const again = `"seedling/again"`

// errServerCancelled is LSP's code for a request that the server gave up.
const errServerCancelled = -32802

// head is what is looked at of a message.
type head struct {
	ID     json.RawMessage `json:"id"`
	Method string          `json:"method"`
	Params json.RawMessage `json:"params"`
	Result json.RawMessage `json:"result"`
	Error  json.RawMessage `json:"error"`
}

func (h head) request() bool { return h.Method != "" && len(h.ID) > 0 }

// Run passes messages on until the editor says exit or closes its end, ctx ends, or no
// server is to be had. The error is nil after an end in order, lsp.ErrNoShutdown if the
// editor left without one. Run does not wait for a reader that is blocked on the editor.
func (p *Proxy) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if p.log = p.Logger; p.log == nil {
		p.log = zap.NewNop()
	}
	p.editor = lsp.NewWire(p.Editor, func(err error) { p.log.Warn("refused a message", zap.Error(err)) })
	p.waiting, p.asked, p.agreed = map[string]string{}, map[string]asked{}, map[string]bool{}
	server, err := p.join(ctx)
	if err != nil {
		return err
	}
	p.server = server
	ended := make(chan error, 2)
	go func() { ended <- p.fromEditor() }()
	var servers sync.WaitGroup
	defer servers.Wait()
	servers.Go(func() { ended <- p.fromServers(ctx, server) })
	defer func() {
		cancel()
		p.mu.Lock()
		defer p.mu.Unlock()
		p.life++ // whatever comes now is of no server
		if p.server != nil {
			p.server.Close()
			p.server = nil
		}
	}()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
		return nil
	}
}

// fromEditor reads the editor until it leaves.
func (p *Proxy) fromEditor() error {
	for {
		body, err := p.editor.Read()
		if err != nil {
			return p.left()
		}
		var h head
		if json.Unmarshal(body, &h) != nil {
			continue // it was looked at before: this cannot be
		}
		if h.Method == "exit" {
			p.pass(h, body)
			return p.left()
		}
		p.pass(h, body)
	}
}

func (p *Proxy) left() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.shutdown {
		return nil
	}
	return lsp.ErrNoShutdown
}

// pass sends what the editor says to the server. Without one, requests are answered here:
// the editor must not wait for a server that is gone.
func (p *Proxy) pass(h head, body []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if h.Method == "" {
		a, ok := p.asked[string(h.ID)]
		delete(p.asked, string(h.ID))
		if !ok || a.life != p.life || p.server == nil {
			return // the server that asked is gone
		}
		answer := map[string]json.RawMessage{"jsonrpc": json.RawMessage(`"2.0"`), "id": a.id}
		if len(h.Error) > 0 {
			answer["error"] = h.Error
		} else {
			answer["result"] = orNull(h.Result)
		}
		p.write(marshal(answer))
		return
	}
	if h.Method == "initialize" && p.up {
		h.Method = "" // refused by the server; not one to be sent again
	}
	p.mirror.Sent(h.Method, h.Params)
	p.shutdown = p.shutdown || h.Method == "shutdown"
	if len(h.ID) > 0 {
		if p.server == nil && h.Method != "initialize" {
			p.giveUp(string(h.ID), h.Method)
			return
		}
		p.waiting[string(h.ID)] = h.Method
	}
	if p.server != nil {
		p.write(body)
	}
}

// write sends to the server; p.mu is held. That it failed, reading says, too.
func (p *Proxy) write(body []byte) {
	if err := p.server.Write(body); err != nil {
		p.log.Debug("writing to the server", zap.Error(err))
	}
}

// tell sends to the editor. That it is gone, reading says.
func (p *Proxy) tell(body []byte) {
	if err := p.editor.Write(body); err != nil {
		p.log.Debug("writing to the editor", zap.Error(err))
	}
}

// giveUp answers a request that no server will answer; p.mu is held.
func (p *Proxy) giveUp(id, method string) {
	answer := map[string]any{"jsonrpc": "2.0", "id": json.RawMessage(id)}
	if method == "shutdown" {
		answer["result"] = nil
	} else {
		answer["error"] = map[string]any{"code": errServerCancelled, "message": "the shared server is started again"}
	}
	p.tell(marshal(answer))
}

// show tells a person.
func (p *Proxy) show(kind int, message string) {
	p.tell(marshal(map[string]any{"jsonrpc": "2.0", "method": "window/showMessage", "params": map[string]any{"type": kind, "message": "Seedling: " + message}}))
}

// fromServers reads one server after the other.
func (p *Proxy) fromServers(ctx context.Context, server *lsp.Wire) error {
	for life := 0; ; life++ {
		err := p.fromServer(life, server)
		server.Close()
		p.mu.Lock()
		p.server = nil
		over := ctx.Err() != nil || p.shutdown || p.life != life
		for id, method := range p.waiting {
			if method != "initialize" || over {
				p.giveUp(id, method)
				delete(p.waiting, id)
			}
		}
		p.mu.Unlock()
		if over {
			<-ctx.Done() // the editor has yet to say exit
			return nil
		}
		p.log.Warn("the shared server is gone", zap.Error(err))
		if server, err = p.revive(ctx, life+1); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			p.show(1, fmt.Sprintf("the shared server ended and there is no other: %v. There are no suggestions until the server is restarted in the editor; `seedling doctor` says more", err))
			return err
		}
	}
}

// revive starts another server and tells it all that the editor has told.
func (p *Proxy) revive(ctx context.Context, life int) (*lsp.Wire, error) {
	for {
		now := time.Now()
		p.crashes = append(p.crashes, now)
		for now.Sub(p.crashes[0]) > crashSpan {
			p.crashes = p.crashes[1:]
		}
		if len(p.crashes) > maxCrashes {
			return nil, fmt.Errorf("it ended %d times within %v", len(p.crashes), crashSpan)
		}
		server, err := p.takeOver(ctx, life)
		if err == nil || ctx.Err() != nil || errors.Is(err, errOther) {
			return server, err
		}
		p.log.Warn("another shared server", zap.Error(err))
	}
}

// errOther is a server that cannot go on where another ended.
var errOther = errors.New("the new server counts positions in another way than the one before")

// join connects, until ctx ends.
func (p *Proxy) join(ctx context.Context) (*lsp.Wire, error) {
	conn, err := p.Join(ctx)
	if err != nil {
		return nil, err
	}
	context.AfterFunc(ctx, func() { conn.Close() }) // also for who is blocked in it
	return lsp.NewWire(conn, nil), nil
}

// takeOver connects to another server and brings it up to date.
func (p *Proxy) takeOver(ctx context.Context, life int) (*lsp.Wire, error) {
	server, err := p.join(ctx)
	if err != nil {
		return nil, err
	}
	fail := func(err error) (*lsp.Wire, error) { return nil, errors.Join(err, server.Close()) }
	p.mu.Lock()
	up, first := p.up, p.mirror.Initialize()
	id := json.RawMessage(again)
	if !up { // the editor waits for the answer itself
		for waiting, method := range p.waiting {
			if method == "initialize" {
				id = json.RawMessage(waiting)
			}
		}
	}
	if first.Params == nil { // nothing was said yet
		defer p.mu.Unlock()
		p.server, p.life = server, life
		return server, nil
	}
	p.mu.Unlock()
	if err := server.Write(message(id, first)); err != nil {
		return fail(err)
	}
	if up {
		if err := p.greeted(server); err != nil {
			return fail(err)
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, m := range p.mirror.Rest() {
		if err := server.Write(message(nil, m)); err != nil {
			return fail(err)
		}
	}
	for id, a := range p.asked {
		if a.life != life {
			delete(p.asked, id)
		}
	}
	p.server, p.life = server, life
	if up {
		p.show(2, "the shared server ended unexpectedly; another was started and knows the open files. If this goes on, `seedling doctor` says more")
	}
	return server, nil
}

// greeted waits for a new server's answer to initialize.
func (p *Proxy) greeted(server *lsp.Wire) error {
	for {
		body, err := server.Read()
		if err != nil {
			return fmt.Errorf("the new server: %w", err)
		}
		var h head
		if json.Unmarshal(body, &h) != nil || h.Method != "" {
			continue // what it says before, it says on its own
		}
		switch {
		case len(h.Error) > 0:
			return fmt.Errorf("the new server: %s", h.Error)
		case !p.mirror.SameEncoding(h.Result):
			return errOther
		}
		return nil
	}
}

// fromServer passes on what one server says, until it ends.
func (p *Proxy) fromServer(life int, server *lsp.Wire) error {
	for {
		body, err := server.Read()
		if err != nil {
			return err
		}
		var h head
		if json.Unmarshal(body, &h) != nil {
			continue
		}
		if out := p.said(life, h, bytes.Clone(body)); out != nil {
			p.tell(out)
		}
	}
}

// said is what the editor is told of a server's message; nil: nothing.
func (p *Proxy) said(life int, h head, body []byte) []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	if life != p.life {
		return nil
	}
	switch {
	case h.request():
		registers := h.Method == "client/registerCapability"
		if registers && p.agreed[string(h.Params)] {
			p.write(marshal(map[string]any{"jsonrpc": "2.0", "id": h.ID, "result": nil}))
			return nil
		}
		if registers {
			p.agreed[string(h.Params)] = true
		}
		if h.Method == "client/unregisterCapability" { // so that it may be registered again
			p.disagree(h.Params)
		}
		// Two servers count their requests alike; the editor's late answer to the first
		// must not reach the second.
		p.next++
		id := strconv.Quote("seedling/" + strconv.Itoa(p.next))
		p.asked[id] = asked{life, bytes.Clone(h.ID)}
		return message(json.RawMessage(id), lsp.Message{Method: h.Method, Params: h.Params})
	case h.Method == "":
		method, ok := p.waiting[string(h.ID)]
		delete(p.waiting, string(h.ID))
		if !ok {
			return nil // given up before
		}
		if method == "initialize" && len(h.Error) == 0 {
			p.up = true
			p.mirror.Initialized(h.Result)
		}
	}
	return body
}

// message is a request, or without an id a notification.
func message(id json.RawMessage, m lsp.Message) []byte {
	out := map[string]any{"jsonrpc": "2.0", "method": m.Method}
	if id != nil {
		out["id"] = id
	}
	if len(m.Params) > 0 {
		out["params"] = m.Params
	}
	return marshal(out)
}

// disagree forgets the registrations that are taken back.
func (p *Proxy) disagree(params []byte) {
	var gone struct {
		Unregisterations []struct {
			ID string `json:"id"`
		} `json:"unregisterations"`
	}
	_ = json.Unmarshal(params, &gone) // what cannot be read takes nothing back
	for said := range p.agreed {
		var r struct {
			Registrations []struct {
				ID string `json:"id"`
			} `json:"registrations"`
		}
		_ = json.Unmarshal([]byte(said), &r)
		for _, g := range gone.Unregisterations {
			for _, x := range r.Registrations {
				if x.ID == g.ID {
					delete(p.agreed, said)
				}
			}
		}
	}
}

func orNull(raw json.RawMessage) json.RawMessage {
	if len(raw) == 0 {
		return json.RawMessage("null")
	}
	return raw
}

func marshal(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		return []byte(`{"jsonrpc":"2.0","method":"$/none"}`) // all of it was JSON before
	}
	return b
}
