package lsp

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	"go.lsp.dev/protocol"
	"go.uber.org/zap"
)

// shown numbers the progresses that we opened.
var shown atomic.Uint64

// showing is the work done progress of a request. The person may cancel it.
type showing struct {
	s     *Server
	token protocol.ProgressToken // nil: nobody looks
	news  chan int               // the newest number of lines
	done  chan struct{}          // closed when the last report is out
	last  int
}

// showing opens the progress of a request: under the client's token, or under one of ours
// where the client shows those. Ours waits for the client's consent.
func (s *Server) showing(ctx context.Context, token protocol.ProgressToken, title string) *showing {
	p := &showing{s: s, news: make(chan int, 1), done: make(chan struct{})}
	if t, ok := token.(protocol.String); ok {
		token = clone(t)
	}
	if token == nil && s.progress {
		ours := protocol.String("seedling/function/" + strconv.FormatUint(shown.Add(1), 10))
		consent, cancel := context.WithTimeout(ctx, 5*time.Second)
		err := s.client.WorkDoneProgressCreate(consent, &protocol.WorkDoneProgressCreateParams{Token: ours})
		cancel()
		if err != nil {
			s.log.Debug("window/workDoneProgress/create", zap.Error(err))
		} else {
			token = ours
		}
	}
	if token == nil {
		close(p.done)
		return p
	}
	p.token = token
	if n, ok := ctx.Value(runningKey{}).(*running); ok {
		s.asked.progress(n, tokenOf(token))
	}
	p.send(map[string]any{"kind": "begin", "title": title, "cancellable": true})
	go func() { // a client that reads slowly must not hold the model up
		defer close(p.done)
		for lines := range p.news {
			p.send(map[string]any{"kind": "report", "cancellable": true, "message": fmt.Sprintf("line %d", lines)})
		}
	}()
	return p
}

// lines reports how many lines are there. It does not wait: of what comes too fast, the
// last counts.
func (p *showing) lines(n int) {
	if p.token == nil || n <= p.last {
		return
	}
	p.last = n
	select {
	case <-p.news:
	default:
	}
	p.news <- n
}

// end closes the progress. Nobody calls lines any more.
func (p *showing) end(message string) {
	if p.token == nil {
		return
	}
	close(p.news)
	<-p.done
	p.send(map[string]any{"kind": "end", "message": message})
}

func (p *showing) send(value map[string]any) {
	if err := p.s.conn.Notify(p.s.wire, protocol.MethodProgress, rawJSON(map[string]any{"token": p.token, "value": value})); err != nil {
		p.s.log.Debug("$/progress", zap.Error(err))
	}
}

// WorkDoneProgressCancel implements protocol.Server: it ends the request behind a progress.
// One that is over, or is not ours, is nobody's.
func (s *Server) WorkDoneProgressCancel(_ context.Context, p *protocol.WorkDoneProgressCancelParams) error {
	s.asked.stop(tokenOf(p.Token))
	return nil
}

// tokenOf is a progress token as JSON.
func tokenOf(t protocol.ProgressToken) string {
	b, _ := json.Marshal(t)
	return string(b)
}
