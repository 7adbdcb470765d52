package lsp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"
)

// chosen is the model that the setting of that name asks for. The one that the server was
// started with stays loaded beside it: it answers until the other is read, and again when the
// setting goes.
type chosen struct {
	changed chan struct{} // holds one: the setting may be another
	name    string        // the setting that was acted on
	first   Generator     // what the server was started with; nil: not replaced yet
	other   Generator     // the setting's; nil: none
}

// choose has the setting looked at. It does not wait.
func (s *Server) choose() {
	select {
	case s.chosen.changed <- struct{}{}:
	default: // one look is due already, and will see the newest
	}
}

// followModel brings the model of the settings into use whenever they change, until ctx ends.
func (s *Server) followModel(ctx context.Context) {
	c := &s.chosen
	for {
		select {
		case <-ctx.Done():
			closeGenerator(c.other)
			return
		case <-c.changed:
		}
		want := strings.TrimSpace(s.current().Model)
		if want == c.name || s.generator() == nil && s.opt.Load != nil { // Load looks again
			continue
		}
		c.name = want
		if c.first == nil {
			c.first = s.generator()
		}
		next, name := c.first, s.opt.Model
		if want != "" {
			gen, err := s.opened(ctx, want)
			if ctx.Err() != nil {
				closeGenerator(gen)
				return
			}
			if err != nil {
				s.log.Error("loading a model", zap.String("model", want), zap.Error(err))
				s.alarm(fmt.Sprintf("the setting model: %v; suggestions come from %s as before", err, s.modelName()))
				s.settle(stateReady, "") // with the one before
				continue
			}
			next, name = gen, want
		}
		s.mu.Lock()
		s.gen, s.named = next, name
		s.mu.Unlock()
		s.asked.cancelAll(errModified) // what the other model was asked
		closeGenerator(c.other)
		c.other = nil
		if want != "" {
			c.other = next
		}
		s.log.Info("another model answers", zap.String("model", name))
		s.ready()
	}
}

// opened reads the model directory of the setting, in view of the client.
func (s *Server) opened(ctx context.Context, dir string) (gen Generator, err error) {
	if s.opt.Open == nil {
		return nil, errors.New("windows that share a server share its model: start seedling lsp with --model, or turn the setting shared off")
	}
	if rest, ok := strings.CutPrefix(dir, "~"); ok && (rest == "" || rest[0] == '/' || rest[0] == filepath.Separator) {
		home, err := os.UserHomeDir()
		if err != nil {
			return nil, err
		}
		dir = home + rest
	}
	if !slices.Contains(s.opt.Models, dir) && !filepath.IsAbs(dir) {
		return nil, fmt.Errorf("%q is no whole path: name a model's directory from / or ~ on, or one of: %s", dir, strings.Join(s.opt.Models, ", "))
	}
	title := "Seedling: loading model " + dir
	s.settle(stateBusy, title)
	report := s.begin(ctx, title)
	start := time.Now()
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("loading %s: %v", dir, p)
		}
		if err != nil {
			report("failed")
			return
		}
		report(fmt.Sprintf("ready after %v", time.Since(start).Round(time.Millisecond)))
	}()
	return s.opt.Open(ctx, dir)
}

// modelName is the name of the model that answers.
func (s *Server) modelName() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.named != "" {
		return s.named
	}
	return s.opt.Model
}

func closeGenerator(gen Generator) {
	if c, ok := gen.(io.Closer); ok {
		c.Close()
	}
}
