package lsp

import (
	"bufio"
	"context"
	"io"
	"os"
	"testing"
	"time"
)

// pipes is the wire to an editor that started us.
type pipes struct {
	io.Reader
	io.Writer
}

func (pipes) Close() error { return nil }

// TestStdio: over real pipes, Serve returns at exit although nobody closes its input: an
// editor that waits for our end would wait for ever.
func TestStdio(t *testing.T) {
	inR, inW, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	outR, outW, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	s := New(Options{Generator: says("x := 1")})
	go func() { served <- s.Serve(context.Background(), pipes{inR, outW}) }()
	w := &wireClient{t: t, s: s, got: map[int]reply{}, c: client{inW}, in: bufio.NewReader(outR)}
	w.hello("utf-16", nil)
	w.open(oneFunc)
	if list := w.wait(w.inline(3, 1)).items(t); len(list.Items) != 1 {
		t.Errorf("%+v", list)
	}
	w.call("shutdown", nil)
	w.notify("exit", nil)
	select {
	case err := <-served:
		if err != nil {
			t.Errorf("Serve: %v", err)
		}
	case <-time.After(10 * time.Second):
		t.Error("Serve waits for its input to be closed")
	}
	for _, f := range []*os.File{inW, inR, outW, outR} {
		f.Close()
	}
}

// TestGone: a client that dies without a word ends the server, with exit code 1.
func TestGone(t *testing.T) {
	w := dial(t, says("x"), Options{})
	w.hello("utf-16", nil)
	w.raw("Content-Length: 100\r\n\r\n{")
	w.c.Close()
	select {
	case err := <-w.done:
		if err == nil {
			t.Error("Serve: no error")
		}
		w.done <- err
	case <-time.After(10 * time.Second):
		t.Fatal("Serve goes on without a client")
	}
}

// client makes a pipe's end the client's side of a connection.
type client struct{ io.Writer }

func (client) SetReadDeadline(time.Time) error { return nil }
func (client) Close() error                    { return nil }
