package denoise

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/seedling-lsp/seedling/engine/backend"
	"github.com/seedling-lsp/seedling/engine/memory"
)

// decoder is the state of a run.
type decoder struct {
	b      backend.Backend
	seq    backend.Sequence
	opt    Options
	until  context.Context // the run's context with Options.Deadline
	limits backend.Limits

	start    int               // tokens of the context
	read     int               // tokens in the sequence
	last     backend.TokenID   // of the context
	pending  []contextRow      // the next to be read
	room     int               // tokens of an answer at the most
	bounded  []backend.TokenID // Forbid without revision: delete and insert, too
	revising []backend.TokenID // Forbid with it

	out      []backend.TokenID // decided for good, and at the end whatever is decided
	logs     []float32         // causal log-probabilities of out
	endLog   float32           // that of the end token after them
	rivals   []Rival           // to logs and endLog
	looked   int               // tokens that Stop has seen
	keep     int               // of out, once ended
	reason   Reason
	forwards int
	blocks   int

	deciding *canvas // of the block, in Diffusion
	ahead    ahead

	rows    []backend.Row  // reused
	guesses []memory.Guess // for the rows whose top is wanted
	shifted []canvasRow
	cells   []Cell
}

// contextRow is a token to be read, and what is asked of its prediction.
type contextRow struct {
	token  backend.TokenID
	want   backend.Want
	target backend.TokenID
	commit bool // of a finished block: what is known of the target goes to logs and rivals
}

func newDecoder(b backend.Backend, seq backend.Sequence, pending []backend.TokenID, opt Options) *decoder {
	d := &decoder{b: b, seq: seq, opt: opt, limits: b.Limits(), read: b.Len(seq)}
	d.start = d.read + len(pending) - len(opt.Given)
	d.out, d.logs = append(d.out, opt.Given...), append(d.logs, opt.GivenLogs...)
	for range opt.Given {
		d.rivals = append(d.rivals, Rival{Token: backend.NoToken})
	}
	for _, t := range pending {
		d.pending = append(d.pending, contextRow{token: t, target: backend.NoToken})
	}
	d.last = pending[len(pending)-1]
	positions := d.limits.Positions
	if opt.Positions > 0 {
		positions = min(positions, opt.Positions)
	}
	d.room = max(min(opt.MaxTokens, positions-d.start), 0)
	d.revising = append(append(d.revising, opt.Tokens.Mask), opt.Tokens.Never...)
	d.bounded = append(d.bounded, d.revising...)
	for _, t := range []backend.TokenID{opt.Tokens.Delete, opt.Tokens.Insert} {
		if t != backend.NoToken {
			d.bounded = append(d.bounded, t)
		}
	}
	return d
}

// errDeadline ends a run with what is decided.
var errDeadline = errors.New("denoise: deadline")

// forward reads the pending rows and looks at the canvas in one pass (several when they
// are more rows than the backend takes). It gives the answers for the context rows that
// want the top and for the canvas rows that ask; log-probabilities of targets go to logs.
func (d *decoder) forward(ctx context.Context, canvas []canvasRow, forbid []backend.TokenID) (known, cells []backend.Top, err error) {
	for {
		n := len(d.pending)
		with := canvas
		if n+len(canvas) > d.limits.Rows {
			n, with = min(n, d.limits.Rows), nil
		}
		tops, err := d.pass(ctx, d.pending[:n], with, forbid)
		if err != nil {
			return nil, nil, err
		}
		for _, top := range tops {
			if top.Row >= n {
				cells = append(cells, top)
				continue
			}
			switch r := d.pending[top.Row]; {
			case r.commit:
				d.logs = append(d.logs, top.TargetLog)
				if d.opt.Rivals {
					d.rivals = append(d.rivals, d.rival(top, r.target))
				}
			default:
				known = append(known, top)
			}
		}
		d.read += n
		d.pending = d.pending[n:]
		if len(d.pending) == 0 && (with != nil || len(canvas) == 0) {
			return known, cells, nil
		}
	}
}

// look is a forward that asks a canvas, whose block comes after d.out.
//
// Where the model's canvas is shifted, a row answers for the position after it. Of a
// canvas that is all mask the last context row, pending, answers for the first position;
// it is read again if it has been read. Once something is decided the last context token
// leaves the context and leads the canvas, so that it sees what is decided (model.Scheme).
func (d *decoder) look(ctx context.Context, canvas []canvasRow, forbid []backend.TokenID) (known, cells []backend.Top, err error) {
	n := len(canvas)
	if !d.opt.Shift || n == 0 {
		return d.forward(ctx, canvas, forbid)
	}
	before := d.last
	if k := len(d.out); k > 0 {
		before = d.out[k-1]
	}
	for _, c := range canvas {
		if c.token == d.opt.Tokens.Mask {
			continue
		}
		if err := d.truncate(d.start + len(d.out) - 1); err != nil {
			return nil, nil, err
		}
		d.shifted = append(d.shifted[:0], canvasRow{token: before, ask: canvas[0].ask})
		for i, c := range canvas {
			row := canvasRow{token: c.token}
			if i+1 < n {
				row.ask = canvas[i+1].ask
			} else if c.token == d.opt.Tokens.Mask {
				break // a mask that nothing is asked of says nothing
			}
			d.shifted = append(d.shifted, row)
		}
		return d.forward(ctx, d.shifted, forbid)
	}
	if len(d.pending) == 0 {
		if err := d.truncate(d.start + len(d.out) - 1); err != nil {
			return nil, nil, err
		}
		d.pending = append(d.pending, contextRow{token: before, target: backend.NoToken})
	}
	d.pending[len(d.pending)-1].want |= backend.WantTop
	known, cells, err = d.forward(ctx, canvas[:n-1], forbid)
	if err != nil {
		return nil, nil, err
	}
	return known, append([]backend.Top{known[len(known)-1]}, cells...), nil
}

// widest is how many positions a canvas may have.
func (d *decoder) widest() int {
	if d.opt.Shift { // the token that leads it takes a row
		return d.limits.Rows - 1
	}
	return d.limits.Rows
}

// pass is one Forward of the backend, with its answers checked.
func (d *decoder) pass(ctx context.Context, pending []contextRow, canvas []canvasRow, forbid []backend.TokenID) ([]backend.Top, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if d.until.Err() != nil {
		return nil, errDeadline
	}
	rows := d.rows[:0]
	asked := 0
	for i, r := range pending {
		rows = append(rows, backend.Row{Seq: d.seq, Token: r.token, Pos: int32(d.read + i), Kind: backend.Context, Want: r.want, Target: r.target})
		if r.want != 0 {
			asked++
		}
	}
	for i, c := range canvas {
		row := backend.Row{Seq: d.seq, Token: c.token, Pos: int32(d.read + len(pending) + i), Kind: backend.Canvas, Target: backend.NoToken}
		if c.ask {
			row.Want = backend.WantTop
			asked++
		}
		rows = append(rows, row)
	}
	d.rows = rows
	deciding := d.deciding
	if len(canvas) == 0 {
		deciding = nil
	}
	tops, err := d.answers(rows, deciding, forbid)
	if err != nil {
		switch {
		case ctx.Err() != nil:
			return nil, context.Cause(ctx)
		case d.until.Err() != nil || d.until != ctx && errors.Is(err, context.DeadlineExceeded):
			return nil, errDeadline
		}
		return nil, err
	}
	d.forwards++
	if len(tops) != asked {
		return nil, fmt.Errorf("denoise: the backend answered %d rows of %d", len(tops), asked)
	}
	for i, t := range tops {
		if i > 0 && t.Row <= tops[i-1].Row {
			return nil, fmt.Errorf("denoise: the backend answered row %d after row %d", t.Row, tops[i-1].Row)
		}
		if t.Row < 0 || t.Row >= len(rows) || rows[t.Row].Want == 0 || rows[t.Row].Want&backend.WantTop != 0 && t.Best < 0 {
			return nil, fmt.Errorf("denoise: the backend answered row %d with token %d", t.Row, t.Best)
		}
	}
	return tops, nil
}

// truncate makes the sequence n tokens long.
func (d *decoder) truncate(n int) error {
	if n >= d.read {
		return nil
	}
	if err := d.b.Truncate(d.seq, n); err != nil {
		return fmt.Errorf("denoise: forget what was read in vain: %w", err)
	}
	d.read = n
	return nil
}

// settle looks at decided tokens, the answer so far, as the stop rule would had they come
// one by one; ended says that the end token follows them. It reports whether the run is
// over, and then sets out, keep and reason.
func (d *decoder) settle(decided []backend.TokenID, ended bool) bool {
	over := func(n, keep int, why Reason) bool {
		d.out, d.keep, d.reason = append(d.out[:0], decided[:n]...), min(max(keep, 0), n), why
		return true
	}
	for n := d.looked + 1; n <= len(decided); n++ {
		d.looked = n
		if d.opt.Stop != nil {
			if keep, stop := d.opt.Stop(decided[:n:n]); stop {
				return over(len(decided), keep, Stopped)
			}
		}
		if d.opt.Hopeless != nil && d.opt.Hopeless(decided[:n:n], d.logs[:min(n, len(d.logs))]) {
			return over(n, n, Unlikely)
		}
		if n == d.room {
			return over(n, n, Budget)
		}
	}
	if ended {
		return over(len(decided), len(decided), Ended)
	}
	return false
}

// late ends the run with what is decided if err is the deadline's, and passes every other
// error on.
func (d *decoder) late(err error, decided []backend.TokenID) error {
	if !errors.Is(err, errDeadline) {
		return err
	}
	d.out = append(d.out[:0], decided...)
	d.keep, d.reason = len(d.out), Deadline
	return nil
}

// result gives the answer, and leaves the sequence with nothing but it.
func (d *decoder) result(ctx context.Context) (Result, error) {
	if d.opt.Mode == Diffusion && d.opt.Score && d.reason != Deadline && d.reason != Unlikely && len(d.logs) < d.keep {
		if err := d.score(ctx); err != nil {
			return Result{Forwards: d.forwards}, err
		}
	}
	if err := d.truncate(d.start + len(d.out)); err != nil {
		return Result{Forwards: d.forwards}, err
	}
	return Result{
		Tokens:   d.out[:d.keep:d.keep],
		Decided:  d.out,
		Reason:   d.reason,
		Forwards: d.forwards,
		Blocks:   d.blocks,
		LogProbs: d.logs[:min(len(d.logs), len(d.out))],

		EndLogProb: d.endLog,
		Rivals:     d.rivals,
	}, nil
}

// score reads the tokens that no later block will read. A deadline leaves them unread.
func (d *decoder) score(ctx context.Context) error {
	done := len(d.logs)
	if err := d.commit(done, d.out[done:d.keep]); err != nil {
		return err
	}
	d.pending = d.pending[:len(d.pending)-1] // what follows the last token nobody asks
	d.watch(PhaseCommit, d.out[:done], nil, 1)
	if _, _, err := d.forward(ctx, nil, d.bounded); err != nil && !errors.Is(err, errDeadline) {
		return err
	}
	return nil
}

// commit makes the tokens of a finished block pending, n being those of the answer before
// it. The token before them is forgotten and read again, now that it is known which
// prediction of it to ask for.
func (d *decoder) commit(n int, block []backend.TokenID) error {
	if err := d.truncate(d.start + n - 1); err != nil {
		return err
	}
	before := d.last
	if n > 0 {
		before = d.out[n-1]
	}
	d.pending = d.pending[:0]
	for _, t := range block {
		row := contextRow{token: before, want: backend.WantTarget, target: t, commit: true}
		if d.opt.Rivals {
			row.want |= backend.WantTop
		}
		d.pending = append(d.pending, row)
		before = t
	}
	d.pending = append(d.pending, contextRow{token: before, target: backend.NoToken})
	return nil
}

// reads takes note of the token that the causal reading decides next.
func (d *decoder) reads(t backend.Top) {
	if t.Best == d.opt.Tokens.End {
		d.endLog = log(t.Prob)
	} else {
		d.logs = append(d.logs, log(t.Prob))
	}
	if d.opt.Rivals {
		d.rivals = append(d.rivals, d.rival(t, t.Best))
	}
}

// rival is the best token of a row besides the one that is taken.
func (d *decoder) rival(t backend.Top, taken backend.TokenID) Rival {
	r := Rival{t.Best, log(t.Prob)}
	if t.Best == taken {
		r = Rival{t.Second, log(t.SecondProb)}
	}
	if r.Token < 0 || slices.Contains(d.bounded, r.Token) {
		return Rival{Token: backend.NoToken}
	}
	return r
}

// watch shows a state; more is added to the number of forwards that have been.
func (d *decoder) watch(phase Phase, done []backend.TokenID, cells []Cell, more int) {
	if d.opt.Watch != nil {
		d.opt.Watch(State{Forward: d.forwards + more, Block: d.blocks, Phase: phase, Done: done, Cells: cells})
	}
}
