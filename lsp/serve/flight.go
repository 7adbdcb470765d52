package serve

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net"
	"net/http"
	"runtime/debug"
	"sync"
)

// errClosed ends questions that come after the end.
var errClosed = errors.New("serve: closed")

// flights are the questions in work. The same question asked again while it is in work
// gets the answer of the first: minuet sends each as many times as it wants candidates,
// and without this each copy would end the one before as its older.
type flights struct {
	mu     sync.Mutex
	of     map[flightKey]*flight
	closed bool
	wg     sync.WaitGroup
}

type flightKey struct {
	client string
	body   [sha256.Size]byte
}

type flight struct {
	waiting int // requests that want its answer
	cancel  context.CancelCauseFunc
	done    chan struct{} // closed when ans and err are there
	ans     answer
	err     error
}

// do answers through work, once for all who ask the same at the same time. Work is
// cancelled when the last of them has left.
func (f *flights) do(ctx context.Context, client string, body []byte, work func(context.Context) (answer, error)) (answer, error) {
	key := flightKey{client, sha256.Sum256(body)}
	f.mu.Lock()
	if f.closed {
		f.mu.Unlock()
		return answer{}, errClosed
	}
	fl := f.of[key]
	if fl == nil {
		fl = f.start(ctx, key, work)
	}
	fl.waiting++
	f.mu.Unlock()

	select {
	case <-fl.done:
		return fl.ans, fl.err
	case <-ctx.Done():
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if fl.waiting--; fl.waiting == 0 {
		fl.cancel(context.Cause(ctx))
		f.forget(key, fl) // who asks it now wants an answer
	}
	return answer{}, context.Cause(ctx)
}

// start sets work off; f.mu is held.
func (f *flights) start(ctx context.Context, key flightKey, work func(context.Context) (answer, error)) *flight {
	// The first to ask may leave while others wait: its end is counted, not inherited.
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	fl := &flight{cancel: cancel, done: make(chan struct{})}
	if f.of == nil {
		f.of = map[flightKey]*flight{}
	}
	f.of[key] = fl
	f.wg.Go(func() {
		defer cancel(nil)
		defer close(fl.done)
		defer func() {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.forget(key, fl)
		}()
		defer func() {
			if p := recover(); p != nil {
				fl.err = crash{p, debug.Stack()}
			}
		}()
		fl.ans, fl.err = work(ctx)
	})
	return fl
}

func (f *flights) forget(key flightKey, fl *flight) {
	if f.of[key] == fl {
		delete(f.of, key)
	}
}

// close cancels what is in work and waits for it.
func (f *flights) close() {
	f.mu.Lock()
	f.closed = true
	for _, fl := range f.of {
		fl.cancel(errClosed)
	}
	f.mu.Unlock()
	f.wg.Wait()
}

// crash is a panic while a request was in work.
type crash struct {
	value any
	stack []byte
}

func (crash) Error() string { return "an internal failure, which is in the log" }

// clientOf tells clients apart, as far as they let themselves be told: by machine and
// program, and by the slot or user that the request names. Two windows of one editor are
// one client: a person types in one of them.
func clientOf(r *http.Request, name string) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	return fmt.Sprintf("http %s %q %q", host, r.UserAgent(), name)
}
