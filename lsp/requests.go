package lsp

import (
	"context"
	"encoding/json"
	"strconv"
	"sync"
	"sync/atomic"

	"go.lsp.dev/jsonrpc2"
	"go.lsp.dev/protocol"
	"go.lsp.dev/uri"
)

// Causes for which a request ends before its answer. They are what the client is told.
var (
	errModified   = jsonrpc2.NewError(jsonrpc2.Code(protocol.LSPErrorCodesContentModified), "the document changed")
	errSuperseded = jsonrpc2.NewError(protocol.ErrRequestCancelled.Code, "a newer request for the document came")
)

// running is a request that was not answered yet.
type running struct {
	id     string
	doc    uri.URI // empty: of no document
	kind   string  // of what it asks for
	ctx    context.Context
	cancel context.CancelCauseFunc
	// settled is set when the answer is on its way into the document: the change that it
	// makes is no reason to end the request.
	settled atomic.Bool
	token   string // of its progress, under the mutex of requests; empty: none
}

// runningKey is the key of a request's *running in its context.
type runningKey struct{}

// requests are those that run, found by their id and by their document. A request is
// registered on the read loop: neither its cancellation nor a change of its document,
// which are read after it, can miss it.
type requests struct {
	mu  sync.Mutex
	all map[*running]struct{}
}

// begin registers a request; finish it. A request of a document ends the older ones of
// the same kind for it: a person has one cursor, and only the newest answer can still be of
// use.
func (r *requests) begin(ctx context.Context, id string, doc uri.URI, kind string) *running {
	n := &running{id: id, doc: doc, kind: kind}
	ctx, n.cancel = context.WithCancelCause(ctx)
	n.ctx = context.WithValue(ctx, runningKey{}, n)
	r.end(errSuperseded, func(old *running) bool { return doc != "" && kind != "" && old.doc == doc && old.kind == kind })
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.all == nil {
		r.all = map[*running]struct{}{}
	}
	r.all[n] = struct{}{}
	return n
}

func (r *requests) finish(n *running) {
	n.cancel(nil)
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.all, n)
}

// end ends the requests that are meant.
func (r *requests) end(cause error, meant func(*running) bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for n := range r.all {
		if meant(n) {
			n.cancel(cause)
		}
	}
}

// cancel ends the request of an id; of one that is over, nothing.
func (r *requests) cancel(id string) {
	r.end(protocol.ErrRequestCancelled, func(n *running) bool { return n.id == id })
}

// outdate ends the requests of a document.
func (r *requests) outdate(doc uri.URI, cause error) {
	r.end(cause, func(n *running) bool { return doc != "" && n.doc == doc && !n.settled.Load() })
}

// progress says that a request shows its progress under a token, by which it can be cancelled.
func (r *requests) progress(n *running, token string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	n.token = token
}

// stop ends the request whose progress has a token.
func (r *requests) stop(token string) {
	r.end(protocol.ErrRequestCancelled, func(n *running) bool { return token != "" && n.token == token })
}

// cancelAll ends the requests of all documents; initialize and shutdown are of none.
func (r *requests) cancelAll(cause error) {
	r.end(cause, func(n *running) bool { return n.doc != "" })
}

// idOf is a request's id as JSON.
func idOf(id jsonrpc2.ID) string {
	if n, ok := id.Number(); ok {
		return strconv.FormatInt(n, 10)
	}
	v, _ := id.StringValue()
	b, _ := json.Marshal(v)
	return string(b)
}

// cancelled is the id that a $/cancelRequest names, as idOf gives it.
func cancelled(params []byte) (string, error) {
	var p struct {
		ID any `json:"id"`
	}
	if err := json.Unmarshal(params, &p); err != nil {
		return "", err
	}
	if n, ok := p.ID.(float64); ok && n == float64(int64(n)) {
		return strconv.FormatInt(int64(n), 10), nil
	}
	b, err := json.Marshal(p.ID)
	return string(b), err
}
