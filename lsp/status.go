package lsp

import (
	"encoding/json"
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

// Status is the content of the seedling/status notification, sent when it changes to clients
// that initialize with capabilities.experimental.seedlingStatus.
type Status struct {
	State   string  `json:"state"` // ready, busy, off, error
	Message string  `json:"message,omitempty"`
	Model   string  `json:"model"`
	LastMs  float64 `json:"lastMs"` // time of the last answer
}

// statusState is what the client was told. Its mutex is held while telling, so that the
// last word is the true one however requests overlap.
type statusState struct {
	mu       sync.Mutex
	state    string // when nothing runs
	message  string
	running  int
	ms       float64
	told     Status
	withheld bool   // message is why one document gets nothing
	alarmed  string // what a person was last shown
}

// working says that a request runs. The returned function says that it ended, and how
// long it took, if it got as far as an answer.
func (s *Server) working() (ended func(took time.Duration)) {
	s.status(func(st *statusState) { st.running++ })
	return func(took time.Duration) {
		s.status(func(st *statusState) {
			st.running--
			if took > 0 {
				st.ms = float64(took.Microseconds()) / 1000
			}
		})
	}
}

// settle sets the state in which the server is when nothing runs.
func (s *Server) settle(state, message string) {
	s.status(func(st *statusState) { st.state, st.message, st.withheld = state, message, false })
}

// withhold says why the document that a person is in gets no suggestions, until one that
// gets some is asked for: then there is no reason. That the engine is broken is worse, and
// stays.
func (s *Server) withhold(reason string) {
	s.status(func(st *statusState) {
		switch {
		case st.state == stateError || st.state == stateBusy:
		case reason != "":
			st.state, st.message, st.withheld = stateOff, reason, true
		case st.withheld:
			st.state, st.message, st.withheld = stateReady, "", false
		}
	})
}

// status changes the state and tells the client when it is another one.
func (s *Server) status(change func(*statusState)) {
	st := &s.state
	st.mu.Lock()
	defer st.mu.Unlock()
	change(st)
	now := Status{State: st.state, Message: st.message, Model: s.modelName(), LastMs: st.ms}
	if st.running > 0 {
		now.State, now.Message = stateBusy, ""
	}
	same := now.State == st.told.State && now.Message == st.told.Message && now.Model == st.told.Model
	if same || now.State == "" || s.conn == nil || s.phase.Load() != phaseUp {
		return
	}
	st.told = now
	if s.follows {
		if err := s.conn.Notify(s.wire, "seedling/status", rawJSON(now)); err != nil {
			s.log.Debug("status", zap.Error(err))
			return
		}
	}
	s.tellCopilot(now)
}

// followsStatus says whether a client wants seedling/status, by its experimental capabilities.
// Others are not sent it: Emacs' lsp-mode warns of every notification that it does not know.
func followsStatus(experimental protocol.LSPAny) bool {
	var e struct {
		SeedlingStatus bool `json:"seedlingStatus"`
	}
	raw, err := json.Marshal(experimental)
	return err == nil && json.Unmarshal(raw, &e) == nil && e.SeedlingStatus
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

// alarm shows a person what is wrong: hard trouble only, and the same trouble once, not
// at every key. calm makes it news again.
func (s *Server) alarm(message string) {
	s.settle(stateError, message)
	s.state.mu.Lock()
	known := s.state.alarmed == message
	s.state.alarmed = message
	s.state.mu.Unlock()
	if known || s.conn == nil {
		return
	}
	s.counts().Problem(message)
	if err := s.client.ShowMessage(s.wire, &protocol.ShowMessageParams{Type: protocol.MessageTypeError, Message: "Seedling: " + message}); err != nil {
		s.log.Debug("window/showMessage", zap.Error(err))
	}
}

// calm says that an answer came: whatever was wrong is over.
func (s *Server) calm() {
	s.status(func(st *statusState) { st.state, st.message, st.alarmed, st.withheld = stateReady, "", "", false })
}
