package engine

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

type superseded struct{}

func (superseded) Error() string { return "engine: superseded by another request" }

// Is makes a superseded request look cancelled, which it is.
func (superseded) Is(target error) bool { return target == context.Canceled }

// errLate says that a deadline passed in the queue.
var errLate = errors.New("engine: deadline")

// queue decides which request has the device. It has no goroutine: requests wait in
// their own.
type queue struct {
	mu      sync.Mutex
	left    sync.Cond // signalled when a ticket leaves
	running *ticket
	waiting []*ticket // in the order they came
	closed  bool
}

// ticket is a request in the queue.
type ticket struct {
	document string
	priority Priority
	ctx      context.Context // ends with the request's, or when it must give way
	cancel   context.CancelCauseFunc
	ready    chan struct{} // closed when it has the device
}

func (q *queue) init() { q.left.L = &q.mu }

// join puts a request in the queue, where it may get the device at once. Older requests
// of the same document give way, unless the newcomer is speculative and they are not; a
// speculative request that runs gives way to any that is more.
//
// A ticket that joined must leave.
func (q *queue) join(ctx context.Context, document string, p Priority) (*ticket, error) {
	t := &ticket{document: document, priority: p, ready: make(chan struct{})}
	t.ctx, t.cancel = context.WithCancelCause(ctx)
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		t.cancel(ErrClosed)
		return nil, ErrClosed
	}
	q.supersede(document, p)
	if r := q.running; r != nil && r.priority == Speculative && p > Speculative {
		r.cancel(ErrSuperseded)
	}
	q.waiting = append(q.waiting, t)
	q.next()
	return t, nil
}

// answered tells the queue of a request that needs no device: it outdates older ones of
// its document all the same.
func (q *queue) answered(document string, p Priority) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.supersede(document, p)
}

func (q *queue) supersede(document string, p Priority) {
	if document == "" {
		return
	}
	outdated := func(t *ticket) bool {
		return t.document == document && (p > Speculative || t.priority == Speculative)
	}
	for _, t := range q.waiting {
		if outdated(t) {
			t.cancel(ErrSuperseded)
		}
	}
	if q.running != nil && outdated(q.running) {
		q.running.cancel(ErrSuperseded)
	}
}

// next gives the free device to the highest priority, of equals to the first that came.
func (q *queue) next() {
	if q.running != nil {
		return
	}
	best := -1
	for i, t := range q.waiting {
		if t.ctx.Err() == nil && (best < 0 || t.priority > q.waiting[best].priority) {
			best = i
		}
	}
	if best >= 0 {
		q.running = q.waiting[best]
		q.waiting = slices.Delete(q.waiting, best, best+1)
		close(q.running.ready)
	}
}

// wait returns when t has the device, with the cause when its context ends before, or
// with errLate at the deadline, if there is one.
func (t *ticket) wait(deadline time.Time) error {
	var late <-chan time.Time
	if !deadline.IsZero() {
		timer := time.NewTimer(time.Until(deadline))
		defer timer.Stop()
		late = timer.C
	}
	select {
	case <-t.ready:
	case <-t.ctx.Done():
	case <-late:
		return errLate
	}
	if t.ctx.Err() != nil {
		return context.Cause(t.ctx)
	}
	return nil
}

// leave takes t out of the queue, whether it waits or has the device.
func (q *queue) leave(t *ticket) {
	q.mu.Lock()
	defer q.mu.Unlock()
	t.cancel(nil)
	if q.running == t {
		q.running = nil
		q.next()
	} else if i := slices.Index(q.waiting, t); i >= 0 {
		q.waiting = slices.Delete(q.waiting, i, i+1)
	}
	q.left.Broadcast()
}

// close lets nobody in, cancels all and waits until they have left.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	for _, t := range q.waiting {
		t.cancel(ErrClosed)
	}
	if q.running != nil {
		q.running.cancel(ErrClosed)
	}
	for q.running != nil || len(q.waiting) > 0 {
		q.left.Wait()
	}
}
