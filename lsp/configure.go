package lsp

import (
	"context"
	"encoding/json"
	"time"

	"go.lsp.dev/protocol"
	"go.uber.org/zap"
)

// turnedOff is what a person sees who disabled suggestions.
const turnedOff = "turned off in the settings"

// DidChangeConfiguration implements protocol.Server. The settings come with it; a client
// of the newer kind only says that they changed, and is asked for them.
func (s *Server) DidChangeConfiguration(_ context.Context, p *protocol.DidChangeConfigurationParams) error {
	if raw := string(p.Settings); s.pulls && (raw == "" || raw == "null") {
		go s.pull(s.wire) // waits for an answer: not on the read loop
		return nil
	}
	s.configure(p.Settings)
	return nil
}

// pull asks the client for the settings of our section.
func (s *Server) pull(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	var sections []json.RawMessage
	if _, err := s.conn.Call(ctx, protocol.MethodWorkspaceConfiguration, rawJSON(map[string]any{"items": []any{map[string]any{"section": "seedling"}}}), &sections); err != nil {
		s.log.Info("workspace/configuration", zap.Error(err))
		return
	}
	for _, section := range sections {
		s.configure(section)
	}
}

// configure puts settings in force. Those that are wrong change nothing, and the person
// is told which key it was.
func (s *Server) configure(raw []byte) {
	s.mu.Lock()
	set, err := s.settings.merge(raw)
	if err == nil {
		s.settings = set
	}
	s.mu.Unlock()
	switch {
	case err != nil:
		s.tell(protocol.MessageTypeWarning, err.Error())
	case !set.Enable:
		s.asked.cancelAll(protocol.ErrRequestCancelled)
		s.settle(stateOff, turnedOff)
	case s.generator() != nil:
		s.settle(stateReady, "")
	}
}
