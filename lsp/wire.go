package lsp

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"

	"go.lsp.dev/protocol"
)

// Wire reads and writes whole LSP messages, for who stands between a client and a server.
// Read is for one goroutine; Write is safe for concurrent use.
type Wire struct{ f *frames }

// NewWire makes a wire. What is no message is answered as the server would and dropped;
// refused is told why. nil: nobody is.
func NewWire(rwc io.ReadWriteCloser, refused func(error)) *Wire {
	return &Wire{newFrames(rwc, refused)}
}

// Read gives the next message's body, JSON-RPC, valid until the next Read. The error is
// io.EOF at the end between messages.
func (w *Wire) Read() ([]byte, error) {
	for {
		if body, err := w.f.next(); err != nil || body != nil {
			return body, err
		}
	}
}

// Unread gives the wire as a stream that begins with a message that was read before. The
// wire itself is used no more.
func (w *Wire) Unread(body []byte) io.ReadWriteCloser {
	frame := append(fmt.Appendf(nil, "Content-Length: %d\r\n\r\n", len(body)), body...)
	return unread{io.MultiReader(bytes.NewReader(frame), w.f.in), w.f.rwc}
}

type unread struct {
	io.Reader
	io.WriteCloser
}

// Greeted waits for a client's first message, and says whether it asks for a server that
// several windows share (Settings.Shared). rest is the stream with that message in front;
// nil when ctx ended first. Of initialize it looks at the options alone: there is no server
// yet that could ask the client. [ErrNoShutdown] when the client left without a word.
func Greeted(ctx context.Context, rwc io.ReadWriteCloser) (rest io.ReadWriteCloser, sharing bool, err error) {
	w := NewWire(rwc, nil)
	type first struct {
		body []byte
		err  error
	}
	came := make(chan first, 1) // who reads may be blocked for ever, and is left behind
	go func() {
		body, err := w.Read()
		came <- first{body, err}
	}()
	select {
	case <-ctx.Done():
		return nil, false, nil
	case m := <-came:
		if m.err != nil {
			return nil, false, ErrNoShutdown
		}
		return w.Unread(m.body), wantsSharing(m.body), nil
	}
}

func wantsSharing(first []byte) bool {
	var m struct {
		Method string
		Params struct{ InitializationOptions json.RawMessage }
	}
	if json.Unmarshal(first, &m) != nil || m.Method != protocol.MethodInitialize {
		return false
	}
	options := m.Params.InitializationOptions
	var e copilotEditor
	if json.Unmarshal(options, &e) == nil && e.known() {
		options = oursOnly(options)
	}
	set, _ := DefaultSettings().with(options, DefaultSettings()) // what is wrong the server says
	return set.Shared
}

// Write sends a message's body.
func (w *Wire) Write(body []byte) error {
	_, err := w.f.Write(append(fmt.Appendf(nil, "Content-Length: %d\r\n\r\n", len(body)), body...))
	return err
}

// Close closes what is below.
func (w *Wire) Close() error { return w.f.Close() }
