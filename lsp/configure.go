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

// DidChangeConfiguration implements protocol.Server. The settings come with it, or the
// client only says that they changed (by null, an empty object, or what is other servers')
// and is asked for them, if it can be asked.
func (s *Server) DidChangeConfiguration(_ context.Context, p *protocol.DidChangeConfigurationParams) error {
	settings := s.ours(p.Settings)
	section, err := sectionOf(settings)
	switch {
	case s.pulls && err == nil && len(section) == 0:
		go s.pull(s.wire, true) // waits for an answer: not on the read loop
	case string(settings) != "null" && len(settings) > 0:
		s.pushed.Add(1)
		s.configure(settings)
	}
	return nil
}

// pull asks the client for the settings of our section. When they changed, no answer says
// that nothing is set any more; at the start it says nothing: clients that keep our settings
// without a section around them (Helix, Neovim) know none of that name.
func (s *Server) pull(ctx context.Context, changed bool) {
	s.pulling.Lock() // the last question gets the last word
	defer s.pulling.Unlock()
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	pushed := s.pushed.Load()
	var sections []json.RawMessage
	if _, err := s.conn.Call(ctx, protocol.MethodWorkspaceConfiguration, rawJSON(map[string]any{"items": []any{map[string]any{"section": "seedling"}}}), &sections); err != nil {
		s.log.Info("workspace/configuration", zap.Error(err))
		return
	}
	if s.pushed.Load() != pushed { // newer ones came meanwhile
		return
	}
	if len(sections) > 0 && (changed || string(sections[0]) != "null") {
		s.configure(sections[0])
	}
}

// initialize puts the settings in force that the client starts the server with. What its
// configuration does not set later is as they say.
func (s *Server) initialize(options []byte) {
	s.mu.Lock()
	set, err := s.initial.with(s.ours(options), s.initial)
	s.initial, s.settings = set, set
	s.mu.Unlock()
	if err != nil {
		s.tell(protocol.MessageTypeWarning, "initializationOptions: "+err.Error())
	}
}

// configure puts a section of the client's configuration in force. Of keys that are wrong
// the person is told; the others count.
func (s *Server) configure(section []byte) {
	s.mu.Lock()
	set, err := s.initial.with(section, s.settings)
	suspicion := s.settings.Suspicion
	s.settings = set
	s.mu.Unlock()
	s.choose()
	if s.dynamic.due.CompareAndSwap(false, true) { // whoever is due sees these settings, too
		go s.reregister(s.wire) // asks the client: not on the read loop
	}
	if err != nil {
		s.tell(protocol.MessageTypeWarning, err.Error())
	}
	switch {
	case !set.Enable:
		s.asked.cancelAll(protocol.ErrRequestCancelled)
		s.settle(stateOff, turnedOff)
	case s.generator() != nil && s.introduced():
		s.settle(stateReady, "")
	}
	if set.Suspicion != suspicion {
		s.suspectAll()
	}
}
