package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/seedling-lsp/seedling/engine/backend"
)

// Turn is a change of the device that Options.Report is told of.
type Turn uint8

const (
	// Lost: the backend failed. The fallback answers from here on, if there is one.
	Lost Turn = iota
	// Returned: the device that was lost answers again.
	Returned
	// GivenUp: it did not come back in any of the attempts; the fallback stays.
	GivenUp
)

// device is what answers, and what became of the one that should.
type device struct {
	contexts *contexts
	failed   bool // the fallback has taken over, or there is none
	// attempts to reopen since the device last worked for long; comeBack's while it runs.
	attempts int
	returned time.Time // zero: it never did
}

// use makes the backend of c the device.
func (e *Engine) use(c *contexts) {
	if was := e.device.contexts; was != nil { // these count since the engine was made
		c.opened, c.evicted = was.opened, was.evicted
	}
	e.device.contexts = c
	e.mu.Lock()
	defer e.mu.Unlock()
	e.info = backend.Info{}
	if d, ok := c.b.(backend.Describer); ok {
		e.info = d.Info()
	}
}

func (e *Engine) report(t Turn, err error) {
	if e.opt.Report != nil {
		e.opt.Report(t, err)
	}
}

// fallBack puts the fallback in the place of a backend that failed, and has the device tried
// again later. It gives an error when there is no fallback, or when the failure is not the
// device's. The caller has the device.
func (e *Engine) fallBack(failure error) error {
	for _, ours := range []error{backend.ErrBatch, backend.ErrSequence, backend.ErrFull} {
		if errors.Is(failure, ours) {
			// Another device would refuse it as well. The contexts may be at fault: none stays.
			return errors.Join(failure, e.device.contexts.clear())
		}
	}
	failure = fmt.Errorf("engine: the backend failed (run `seedling doctor`): %w", failure)
	d := &e.device
	if d.failed {
		return failure
	}
	d.failed = true
	e.report(Lost, failure)
	if e.opt.Fallback == nil {
		return failure
	}
	b, err := e.opt.Fallback()
	if err != nil {
		return errors.Join(failure, fmt.Errorf("engine: no fallback either: %w", err))
	}
	lost := d.contexts.b
	e.use(newContexts(b, e.opt.Contexts))
	if !d.returned.IsZero() && time.Since(d.returned) > slices.Max(e.opt.Pauses) {
		d.attempts = 0
	}
	if e.away != nil {
		<-e.away // it has nothing left to do: the device that failed now is what it brought
	}
	e.away = make(chan struct{})
	go e.comeBack(lost, failure, e.away)
	return nil
}

// comeBack closes a lost device, and opens it again after each pause until it is back. No
// request waits for any of that. err is what it was lost with.
func (e *Engine) comeBack(lost backend.Backend, err error, over chan struct{}) {
	defer close(over)
	// What closing a lost device says is of no use to anyone.
	_ = lost.Close()
	if e.opt.Reopen == nil {
		return
	}
	d := &e.device
	for d.attempts < len(e.opt.Pauses) {
		pause := time.NewTimer(e.opt.Pauses[d.attempts])
		select {
		case <-pause.C:
		case <-e.life.Done():
			pause.Stop()
			return
		}
		d.attempts++
		if err = e.reopen(); err == nil || e.life.Err() != nil {
			return
		}
	}
	e.report(GivenUp, fmt.Errorf("engine: the device is not tried again after %d attempts (restart the server to try it): %w", d.attempts, err))
}

// reopen opens the lost device, tries it and puts it in the place of the fallback. A device
// that does not come so far is closed.
func (e *Engine) reopen() error {
	b, err := e.opt.Reopen(e.life)
	if err != nil {
		return err
	}
	c := newContexts(b, e.opt.Contexts)
	if err = e.warm(c); err == nil {
		var fallback backend.Backend
		err = e.idle(func() {
			fallback = e.device.contexts.b
			e.use(c)
			e.device.failed, e.device.returned = false, time.Now()
			e.report(Returned, nil)
		})
		if err == nil {
			_ = fallback.Close() // it is needed no more, whatever it says
			return nil
		}
	}
	return errors.Join(err, b.Close())
}

// warm tries a device that was opened again, and reads on it what the fallback holds: so the
// first request does not pay for it, and is not the first pass either.
func (e *Engine) warm(c *contexts) error {
	if err := trial(e.life, c.b); err != nil {
		return err
	}
	var before []held
	if err := e.idle(func() {
		for _, h := range e.device.contexts.held {
			before = append(before, *h)
			before[len(before)-1].tokens = slices.Clone(h.tokens)
		}
	}); err != nil {
		return err
	}
	slices.SortFunc(before, func(a, b held) int { return cmp.Compare(a.used, b.used) })
	for _, was := range before {
		if len(was.tokens) == 0 {
			continue
		}
		h, err := c.find(was.tokens, was.document)
		if err != nil {
			return err
		}
		if err := c.read(e.life, h, was.tokens, len(was.tokens), func() {}); err != nil {
			return err
		}
	}
	return nil
}

// trial is a pass that leaves no trace: a device that opens need not compute.
func trial(ctx context.Context, b backend.Backend) error {
	tops, err := b.Forward(ctx, backend.Batch{Rows: []backend.Row{{Seq: backend.Root, Kind: backend.Canvas, Want: backend.WantTop, Target: backend.NoToken}}})
	if err != nil {
		return err
	}
	if len(tops) != 1 || tops[0].Best < 0 || !(tops[0].Prob > 0 && tops[0].Prob < 1.001) {
		return fmt.Errorf("engine: the device computes nonsense: %+v", tops)
	}
	return nil
}

// idle runs f when no request has or wants the device.
func (e *Engine) idle(f func()) error {
	t, err := e.queue.join(e.life, "", Speculative)
	if err != nil {
		return err
	}
	defer e.queue.leave(t)
	select {
	case <-t.ready: // and t's until it leaves, though others may want it by now
		f()
		return nil
	case <-e.life.Done():
		return ErrClosed
	}
}

// patience is how long Close waits for a device that is being closed or opened: a driver of a
// lost card may hang, which must not keep the process.
const patience = 5 * time.Second

// awaitReturn waits for comeBack to end, after the engine's life has.
func (e *Engine) awaitReturn() {
	if e.away == nil {
		return
	}
	hangs := time.NewTimer(patience)
	defer hangs.Stop()
	select {
	case <-e.away:
	case <-hangs.C:
	}
}
