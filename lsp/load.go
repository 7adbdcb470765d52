package lsp

import (
	"context"
	"fmt"
	"time"

	"go.lsp.dev/protocol"
	"go.uber.org/zap"
)

// load makes the generator, in view of the client.
func (s *Server) load(ctx context.Context) {
	title := "Seedling: loading model " + s.opt.Model
	s.settle(stateBusy, title)
	report := s.begin(ctx, title)
	start := time.Now()
	gen, err := s.loaded(ctx)
	took := time.Since(start).Round(time.Millisecond)
	switch {
	case ctx.Err() != nil:
	case err != nil:
		s.log.Error("loading the model", zap.Error(err))
		report("failed")
		s.alarm(fmt.Sprintf("there are no suggestions: %v; run `seedling doctor`", err))
	default:
		s.log.Info("loaded the model", zap.Duration("took", took))
		s.mu.Lock()
		s.gen = gen
		s.mu.Unlock()
		s.choose()
		report(fmt.Sprintf("ready after %v", took))
		s.ready()
	}
}

// loaded calls Load; a panic in it is an error.
func (s *Server) loaded(ctx context.Context) (gen Generator, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("loading the model: %v", p)
		}
	}()
	gen, err = s.opt.Load(ctx)
	if err == nil && gen == nil {
		err = fmt.Errorf("loading the model gave none")
	}
	return gen, err
}

// progressToken names our one work done progress.
const progressToken = protocol.String("seedling/start")

// begin opens a work done progress, if the client shows any, and gives what closes it. It
// waits for the client's consent, so it must not run on the read loop.
func (s *Server) begin(ctx context.Context, title string) (end func(message string)) {
	none := func(string) {}
	if !s.progress {
		return none
	}
	consent, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if err := s.client.WorkDoneProgressCreate(consent, &protocol.WorkDoneProgressCreateParams{Token: progressToken}); err != nil {
		s.log.Debug("window/workDoneProgress/create", zap.Error(err))
		return none
	}
	send := func(value map[string]any) {
		if err := s.conn.Notify(ctx, protocol.MethodProgress, rawJSON(map[string]any{"token": progressToken, "value": value})); err != nil {
			s.log.Debug("$/progress", zap.Error(err))
		}
	}
	send(map[string]any{"kind": "begin", "title": title})
	return func(message string) { send(map[string]any{"kind": "end", "message": message}) }
}
