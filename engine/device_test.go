package engine

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seedling-lsp/seedling/engine/backend"
)

// garage makes scripts, one after the other, and knows whether all were closed.
type garage struct {
	made []*script
	told []Turn
	errs []error
}

func (g *garage) script() *script {
	s := newScript(known)
	g.made = append(g.made, s)
	return s
}

func (g *garage) report(t Turn, err error) { g.told, g.errs = append(g.told, t), append(g.errs, err) }

var errLost = errors.New("lost")

func lose() error { return errLost }

// answer asks for what the script goes on with, and wants it at once: nothing that has to do
// with the lost device may be waited for.
func (g *garage) answer(t *testing.T, e *Engine) Result {
	t.Helper()
	begin := time.Now()
	res, err := e.Generate(context.Background(), Request{Document: "a", Prefix: known[:100], MaxTokens: 8, Priority: Typed})
	if err != nil || res.Text == "" || time.Since(begin) != 0 {
		t.Fatalf("%q after %v, %v", res.Text, time.Since(begin), err)
	}
	e.recall.forget("a")
	return res
}

// TestReturns: a lost device is opened again after growing pauses, each attempt's leftovers are
// closed, nobody waits, and once it is back it knows the context already. What fails soon after
// goes on in the row of pauses, what worked for long begins anew.
func TestReturns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g garage
		var mu sync.Mutex // of times: a fake clock's sleep orders nothing for the race detector
		var times []time.Duration
		opened := func() []time.Duration {
			mu.Lock()
			defer mu.Unlock()
			return slices.Clone(times)
		}
		begin := time.Now()
		var stage atomic.Int32
		first := g.script()
		e := New(first.model(true), first, Options{
			Report:   g.report,
			Fallback: func() (backend.Backend, error) { return g.script(), nil },
			Reopen: func(context.Context) (backend.Backend, error) {
				mu.Lock()
				times = append(times, time.Since(begin))
				mu.Unlock()
				time.Sleep(time.Second) // it takes its time, and nobody waits for it
				n := stage.Add(1)
				if n == 1 {
					return nil, errors.New("no device")
				}
				s := g.script()
				passes := 0
				s.fail = func() error { // in the trial, then in reading what the fallback holds
					if passes++; int(n) <= 3 && passes == int(n)-1 {
						return errLost
					}
					return nil
				}
				return s, nil
			},
		})
		g.answer(t, e)
		first.fail = lose
		g.answer(t, e)
		synctest.Wait()
		if !first.closed || !slices.Equal(g.told, []Turn{Lost}) {
			t.Fatalf("lost: closed %v, told %v", first.closed, g.told)
		}
		for range 4 {
			time.Sleep(15*time.Minute + 2*time.Second)
			synctest.Wait()
			if len(g.told) == 1 {
				g.answer(t, e)
			}
		}
		if want := []time.Duration{time.Minute, 3*time.Minute + time.Second, 8*time.Minute + 2*time.Second, 23*time.Minute + 3*time.Second}; !slices.Equal(opened(), want) {
			t.Errorf("opened at %v, want %v", opened(), want)
		}
		card := g.made[len(g.made)-1]
		rows := card.contextRows
		if res := g.answer(t, e); !slices.Equal(g.told, []Turn{Lost, Returned}) || card.contextRows == rows || res.CachedTokens < res.ContextTokens-2 {
			t.Errorf("back: told %v, %d of %d tokens were there", g.told, res.CachedTokens, res.ContextTokens)
		}
		synctest.Wait()
		for i, s := range g.made {
			if s.closed != (s != card) {
				t.Errorf("script %d of %d is closed: %v", i, len(g.made), s.closed)
			}
		}
		// Lost again at once: the last pause, and when that does not help, no more.
		lost := time.Now()
		card.fail = lose
		g.answer(t, e)
		time.Sleep(time.Hour - time.Second)
		synctest.Wait()
		if len(opened()) != 4 {
			t.Errorf("opened again %v after it was lost again", time.Since(lost))
		}
		time.Sleep(10 * time.Second)
		synctest.Wait()
		// It works for longer than the longest pause: all pauses are there again.
		card = g.made[len(g.made)-1]
		if len(opened()) != 5 || !slices.Equal(g.told, []Turn{Lost, Returned, Lost, Returned}) {
			t.Fatalf("opened %d times, told %v", len(opened()), g.told)
		}
		time.Sleep(2 * time.Hour)
		card.fail = lose
		g.answer(t, e)
		time.Sleep(time.Minute + 2*time.Second)
		synctest.Wait()
		if len(opened()) != 6 || g.told[len(g.told)-1] != Returned {
			t.Errorf("opened %d times, told %v", len(opened()), g.told)
		}
		for i, err := range g.errs {
			if (g.told[i] == Lost) != errors.Is(err, errLost) {
				t.Errorf("told %v with %v", g.told[i], err)
			}
		}
		if err := e.Close(); err != nil {
			t.Error(err)
		}
		for i, s := range g.made {
			if !s.closed {
				t.Errorf("script %d of %d is open", i, len(g.made))
			}
		}
	})
}

// TestGivenUp: after the last pause the fallback stays, and that is said once.
func TestGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g garage
		first, tries, no := g.script(), 0, errors.New("no device")
		first.fail = lose
		e := New(first.model(true), first, Options{Report: g.report, Pauses: []time.Duration{time.Second, time.Minute},
			Fallback: func() (backend.Backend, error) { return g.script(), nil },
			Reopen:   func(context.Context) (backend.Backend, error) { tries++; return nil, no }})
		defer e.Close()
		for range 3 {
			g.answer(t, e)
			time.Sleep(time.Hour)
			synctest.Wait()
		}
		if tries != 2 || !slices.Equal(g.told, []Turn{Lost, GivenUp}) || !errors.Is(g.errs[1], no) {
			t.Errorf("%d tries, told %v, %v", tries, g.told, g.errs)
		}
	})
}

// TestCloseWhileLost: Close ends a pause, and an attempt that listens; one that does not is
// waited for a while, and what it opens is closed.
func TestCloseWhileLost(t *testing.T) {
	for _, c := range []struct {
		name   string
		after  time.Duration
		reopen func(ctx context.Context)
		takes  time.Duration
	}{
		{"in a pause", 30 * time.Second, nil, 0},
		{"in an attempt", 90 * time.Second, func(ctx context.Context) { <-ctx.Done() }, 0},
		{"in an attempt that ends soon", 90 * time.Second, func(context.Context) { time.Sleep(32 * time.Second) }, 2 * time.Second},
		{"in an attempt that hangs", 90 * time.Second, func(context.Context) { time.Sleep(time.Hour) }, patience},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var g garage
				first := g.script()
				first.fail = lose
				e := New(first.model(true), first, Options{Report: g.report, Fallback: func() (backend.Backend, error) { return g.script(), nil },
					Reopen: func(ctx context.Context) (backend.Backend, error) { c.reopen(ctx); return g.script(), nil }})
				g.answer(t, e)
				time.Sleep(c.after)
				begin := time.Now()
				if err := e.Close(); err != nil || time.Since(begin) != c.takes {
					t.Errorf("closed after %v: %v", time.Since(begin), err)
				}
				time.Sleep(2 * time.Hour)
				synctest.Wait()
				for i, s := range g.made {
					if !s.closed {
						t.Errorf("script %d of %d is open", i, len(g.made))
					}
				}
				if !slices.Equal(g.told, []Turn{Lost}) {
					t.Errorf("told %v", g.told)
				}
			})
		})
	}
}
