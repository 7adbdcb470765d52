package lsp

import (
	"context"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"go.lsp.dev/protocol"
	"go.uber.org/zap"
)

// dynamic is what the client lets be registered and taken back while it runs: it then asks
// for suggestions only where the settings want any.
type dynamic struct {
	inline, lists bool // what it can; written by initialize, before any other request is read

	due     atomic.Bool       // new settings will be looked at: a client that never answers gathers no more waiters
	mu      sync.Mutex        // held while the client is asked: the last settings get the last word
	greeted bool              // it said initialized: nothing is registered before
	now     map[string]string // registered, by method: the options
}

// read reads a client's capabilities.
func (d *dynamic) read(c protocol.ClientCapabilities) {
	is := func(b *bool) bool { return b != nil && *b }
	if t := c.TextDocument; t != nil {
		d.inline = t.InlineCompletion != nil && is(t.InlineCompletion.DynamicRegistration)
		d.lists = t.Completion != nil && is(t.Completion.DynamicRegistration)
	}
}

// wantsRegistered are the registrations that settings ask for, by method: the options of each.
func (s *Server) wantsRegistered(set Settings) map[string]string {
	wanted := map[string]string{}
	if !set.Enable {
		return wanted
	}
	var selector []any // nil: the client's own
	for _, l := range set.Languages {
		if !slices.Contains(set.ExcludeLanguages, l) {
			selector = append(selector, map[string]any{"language": l})
		}
	}
	options := string(rawJSON(map[string]any{"documentSelector": selector}))
	if len(set.Languages) > 0 && selector == nil {
		return wanted
	}
	if s.dynamic.inline {
		wanted[protocol.MethodTextDocumentInlineCompletion] = options
	}
	if s.dynamic.lists && s.lists(set) {
		wanted[protocol.MethodTextDocumentCompletion] = options
	}
	return wanted
}

// reregister brings what is registered in line with the settings in force. It waits for the
// client, so it must not run on the read loop.
func (s *Server) reregister(ctx context.Context) {
	d := &s.dynamic
	if !d.inline && !d.lists {
		d.due.Store(false)
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.due.Store(false) // before the settings are read
	if !d.greeted {
		return
	}
	wanted := s.wantsRegistered(s.current())
	gone, come := []any{}, []any{}
	for _, method := range slices.Sorted(maps.Keys(d.now)) {
		if wanted[method] != d.now[method] {
			gone = append(gone, map[string]any{"id": registrationID(method), "method": method})
			delete(d.now, method)
		}
	}
	for _, method := range slices.Sorted(maps.Keys(wanted)) {
		if d.now[method] == "" {
			come = append(come, map[string]any{"id": registrationID(method), "method": method, "registerOptions": protocol.LSPAny(wanted[method])})
		}
	}
	if len(gone) > 0 { // the name of the list is LSP's own misspelling
		if _, err := s.conn.Call(ctx, protocol.MethodClientUnregisterCapability, rawJSON(map[string]any{"unregisterations": gone}), nil); err != nil {
			s.log.Info("client/unregisterCapability", zap.Error(err))
		}
	}
	if len(come) == 0 {
		return
	}
	if _, err := s.conn.Call(ctx, protocol.MethodClientRegisterCapability, rawJSON(map[string]any{"registrations": come}), nil); err != nil {
		s.log.Info("client/registerCapability", zap.Error(err)) // it is tried again with the next settings
		return
	}
	if d.now == nil {
		d.now = map[string]string{}
	}
	maps.Copy(d.now, wanted)
}

func registrationID(method string) string { return "seedling/" + method }
