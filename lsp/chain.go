package lsp

import (
	"context"
	"errors"
	"runtime/debug"
	"strconv"
	"strings"

	"go.lsp.dev/jsonrpc2"
	"go.lsp.dev/protocol"
	"go.lsp.dev/uri"
	"go.uber.org/zap"
)

// codec marshals with protocol's union-aware functions.
type codec struct{}

func (codec) Marshal(v any) ([]byte, error) {
	switch m := v.(type) {
	case jsonrpc2.RawMessage:
		if m == nil {
			return []byte("null"), nil
		}
		return m, nil
	case *jsonrpc2.RawMessage:
		if m == nil || *m == nil {
			return []byte("null"), nil
		}
		return *m, nil
	}
	return protocol.Marshal(v)
}

func (codec) Unmarshal(data []byte, v any) error {
	if m, ok := v.(*jsonrpc2.RawMessage); ok {
		*m = append((*m)[:0], data...)
		return nil
	}
	return protocol.Unmarshal(data, v)
}

// taken is the key of the snapshot that a request took on the read loop: nil if it is about
// no document, or about one that is not open.
type taken struct{}

// chain is the way of a message. From the outside in: errors of notifications are logged
// and dropped (the library would end the connection); a cancellation finds its request
// registered; notifications run on the read loop, in order; a request takes its snapshot
// there and then overlaps with what follows.
//
// The library's own CancelHandler is not used: it derives a context from the request's,
// which is recycled when the handler returns, and the derived context's goroutine may ask
// it for Done after that, a crash that fast handlers meet (jsonrpc2 v1.0.1).
func (s *Server) chain() jsonrpc2.Handler {
	library := protocol.ServerHandler(s, jsonrpc2.MethodNotFoundHandler)
	inner := func(ctx context.Context, req *jsonrpc2.Request) (any, error) {
		if copilotMethods[req.Method()] != nil { // the library would want parameters
			return s.Request(ctx, req.Method(), protocol.LSPAny(req.Params()))
		}
		return library(ctx, req)
	}
	return func(ctx context.Context, req *jsonrpc2.Request) (any, error) {
		if req.IsCall() {
			return s.call(ctx, req, inner)
		}
		method := strings.Clone(req.Method()) // borrowed from the frame
		if err := s.notified(ctx, req, inner); err != nil {
			s.log.Info("dropped a notification", zap.String("method", method), zap.Error(err))
		}
		return nil, nil
	}
}

// notified runs a notification on the read loop.
func (s *Server) notified(ctx context.Context, req *jsonrpc2.Request, inner jsonrpc2.Handler) (err error) {
	defer s.rescue(req, &err)
	if req.Method() == protocol.MethodCancelRequest {
		id, err := cancelled(req.Params())
		if err != nil {
			return err
		}
		s.asked.cancel(id)
		return nil
	}
	if err := s.admit(req); err != nil {
		return err
	}
	_, err = inner(jsonrpc2.DetachContext(ctx), req)
	return err
}

// call runs a request: up to its snapshot on the read loop, then beside others. What it
// answers is discarded when the request was ended meanwhile: the cause of that is the
// answer, and no text leaves for a version that is gone.
func (s *Server) call(ctx context.Context, req *jsonrpc2.Request, inner jsonrpc2.Handler) (result any, err error) {
	defer s.rescue(req, &err)
	if err := s.admit(req); err != nil {
		return nil, err
	}
	how, ok := answered[req.Method()]
	if !ok {
		// The library would decode the parameters first, and find that they are missing.
		return nil, jsonrpc2.NewError(jsonrpc2.MethodNotFound, "there is no method "+strconv.Quote(req.Method()))
	}
	var doc *snapshot
	var of uri.URI
	if how.document {
		if doc = s.docs.get(documentOf(req.Params())); doc != nil {
			of = doc.uri
		}
	}
	if req.Method() == protocol.MethodInitialize && !s.inline { // decoded, null and missing are the same
		s.inline = drawsInline(req.Params())
	}
	r := s.asked.begin(jsonrpc2.DetachContext(ctx), idOf(req.ID()), of, how.kind)
	defer s.asked.finish(r)
	if doc != nil || how.beside {
		jsonrpc2.Async(ctx)
	}
	result, err = inner(context.WithValue(r.ctx, taken{}, doc), req)
	switch {
	case r.ctx.Err() != nil:
		var told *jsonrpc2.Error
		if errors.As(context.Cause(r.ctx), &told) {
			return nil, told
		}
		return nil, protocol.ErrRequestCancelled // the server ends
	case errors.Is(err, jsonrpc2.ErrParse):
		// The message was JSON, or it would not be here: its parameters are wrong.
		return nil, jsonrpc2.NewError(jsonrpc2.InvalidParams, err.Error())
	}
	return result, err
}

// rescue turns a panic into an error; the server lives on.
func (s *Server) rescue(req *jsonrpc2.Request, err *error) {
	if p := recover(); p != nil {
		s.log.Error("a handler failed; please report this", zap.String("method", req.Method()), zap.Any("panic", p), zap.ByteString("stack", debug.Stack()))
		*err = jsonrpc2.NewError(jsonrpc2.InternalError, "an internal error: see the log")
	}
}
