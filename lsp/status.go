package lsp

import (
	"sync"
	"time"

	"go.lsp.dev/protocol"
	"go.uber.org/zap"
)

// States of the server, as a person sees them.
const (
	stateReady = "ready"
	stateBusy  = "busy"
	stateOff   = "off"
	stateError = "error"
)

// Status is the content of the seedling/status notification, sent when it changes.
type Status struct {
	State   string  `json:"state"` // ready, busy, off, error
	Message string  `json:"message,omitempty"`
	Model   string  `json:"model"`
	LastMs  float64 `json:"lastMs"` // time of the last answer
}

// copilotStatus is the same for clients of Copilot's server.
type copilotStatus struct {
	Busy    bool   `json:"busy"`
	Message string `json:"message"`
	Kind    string `json:"kind"` // Normal, Error, Inactive
}

type statusState struct {
	mu   sync.Mutex
	last Status
	ms   float64
}

// took notes the time of an answer.
func (s *Server) took(d time.Duration) {
	s.state.mu.Lock()
	defer s.state.mu.Unlock()
	s.state.ms = float64(d.Microseconds()) / 1000
}

// status tells the client a state that is new.
func (s *Server) status(state, message string) {
	s.state.mu.Lock()
	st := Status{State: state, Message: message, Model: s.opt.Model, LastMs: s.state.ms}
	same := st.State == s.state.last.State && st.Message == s.state.last.Message
	s.state.last = st
	s.state.mu.Unlock()
	if same || s.conn == nil || s.phase.Load() != phaseUp {
		return
	}
	if err := s.conn.Notify(s.wire, "seedling/status", rawJSON(st)); err != nil {
		s.log.Debug("status", zap.Error(err))
		return
	}
	if s.current().Status {
		kind := map[string]string{stateReady: "Normal", stateBusy: "Normal", stateOff: "Inactive", stateError: "Error"}[state]
		s.conn.Notify(s.wire, "didChangeStatus", rawJSON(copilotStatus{Busy: state == stateBusy, Message: message, Kind: kind}))
	}
}

// tell writes to the client's log.
func (s *Server) tell(t protocol.MessageType, message string) {
	if s.conn == nil {
		return
	}
	if err := s.client.LogMessage(s.wire, &protocol.LogMessageParams{Type: t, Message: message}); err != nil {
		s.log.Debug("window/logMessage", zap.Error(err))
	}
}
