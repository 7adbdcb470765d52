package lsp

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"sync"

	"go.lsp.dev/jsonrpc2"
)

const (
	// maxFrame bounds a message: a 50 MB file, escaped, fits.
	maxFrame = 256 << 20
	// trusted is how much memory a length gets before its bytes are there.
	trusted = 1 << 20
)

// frames stands between the wire and the JSON-RPC library, which ends the connection at a
// header or a message that it cannot take. It lets through whole, sound frames only; for
// others it answers with an error of its own and looks for the next header.
//
// Looking for a header is safe: inside of a JSON string a line end is escaped, so what
// looks like one stands between messages.
type frames struct {
	rwc     io.ReadWriteCloser
	in      *bufio.Reader
	body    []byte // of the last frame, reused
	pending []byte // what of the frame's header and body the library has not read
	rest    []byte // the body behind a pending header
	write   sync.Mutex
	broken  func(error)
}

func newFrames(rwc io.ReadWriteCloser, broken func(error)) *frames {
	return &frames{rwc: rwc, in: bufio.NewReaderSize(rwc, 64<<10), broken: broken}
}

// Read implements io.Reader.
func (f *frames) Read(p []byte) (int, error) {
	for len(f.pending) == 0 {
		if len(f.rest) > 0 {
			f.pending, f.rest = f.rest, nil
			break
		}
		body, err := f.next()
		if err != nil {
			return 0, err
		}
		if body != nil {
			f.pending, f.rest = fmt.Appendf(nil, "Content-Length: %d\r\n\r\n", len(body)), body
		}
	}
	n := copy(p, f.pending)
	f.pending = f.pending[n:]
	return n, nil
}

// next reads one frame, which is valid until the next one. A nil body was refused and
// answered.
func (f *frames) next() ([]byte, error) {
	length, err := f.header()
	if err != nil {
		return nil, err
	}
	switch {
	case length > maxFrame:
		// Its bytes, if they come at all, are skipped in the search for the next header.
		f.refuse(jsonrpc2.InvalidRequest, nil, fmt.Sprintf("a message of %d MB is over the limit of %d MB", length>>20, maxFrame>>20))
		return nil, nil
	case length <= 0:
		f.refuse(jsonrpc2.ParseError, nil, "the message is empty")
		return nil, nil
	}
	if err := f.fill(length); err != nil {
		return nil, err
	}
	if !json.Valid(f.body) {
		f.refuse(jsonrpc2.ParseError, nil, "the message is no JSON")
		// The length was too long, perhaps: give back what is the next message.
		if at := headerLine.FindIndex(f.body); at != nil {
			f.unread(f.body[at[0]:])
		}
		return nil, nil
	}
	if why := unsound(f.body); why != "" {
		f.refuse(jsonrpc2.InvalidRequest, f.body, why)
		return nil, nil
	}
	return f.body, nil
}

// headerLine is the header that counts. Rubbish before it on its line is cut off: the
// rest of a broken message, mostly.
var headerLine = regexp.MustCompile(`(?i)content-length:[ \t]*([-+]?[0-9]{1,30})[ \t]*\r?\n`)

// anyHeader is one that the protocol may get one day; Content-Type is the one it has.
var anyHeader = regexp.MustCompile(`^[A-Za-z][A-Za-z-]*:`)

// header reads up to the empty line behind a header with a length, and gives the length;
// one beyond numbers is the largest.
func (f *frames) header() (length int, err error) {
	found, rubbish := false, false
	var line []byte
	for {
		part, err := f.in.ReadSlice('\n')
		line = append(line, part...)
		if errors.Is(err, bufio.ErrBufferFull) {
			// Only its end can matter: no header is that long.
			line = append(line[:0], line[max(0, len(line)-128):]...)
			continue
		}
		if err != nil {
			return 0, err
		}
		m := headerLine.FindAllSubmatch(line, -1)
		switch blank := len(bytes.TrimRight(line, "\r\n")) == 0; {
		case len(m) > 0:
			n, err := strconv.Atoi(string(m[len(m)-1][1]))
			if err != nil {
				n = maxFrame + 1
			}
			length, found = n, true
		case blank && found:
			return length, nil
		case !blank && !found && !rubbish && !anyHeader.Match(line):
			rubbish = true // one answer for all of it
			f.refuse(jsonrpc2.ParseError, nil, "what came is no message: a Content-Length is wanted")
		}
		line = line[:0]
	}
}

// fill reads the body. It takes memory as the bytes come, not as the header promises.
func (f *frames) fill(length int) error {
	if cap(f.body) > trusted {
		f.body = nil // not kept for ever after one large file
	}
	if length <= trusted {
		if cap(f.body) < length {
			f.body = make([]byte, length, min(trusted, length*2))
		}
		f.body = f.body[:length]
		_, err := io.ReadFull(f.in, f.body)
		return whole(err)
	}
	b := bytes.NewBuffer(make([]byte, 0, trusted))
	_, err := io.CopyN(b, f.in, int64(length))
	f.body = b.Bytes()
	return whole(err)
}

// unread puts bytes back before those that were read ahead.
func (f *frames) unread(b []byte) {
	ahead, _ := f.in.Peek(f.in.Buffered()) // as many as there are: no error
	f.in.Reset(io.MultiReader(bytes.NewReader(append(bytes.Clone(b), ahead...)), f.rwc))
}

// whole makes an end of the wire inside of a frame what it is.
func whole(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// unsound says why the JSON-RPC library could not take a message: it is asked itself.
func unsound(body []byte) string {
	switch _, err := jsonrpc2.DecodeMessage(body); {
	case err == nil:
		return ""
	case bytes.HasPrefix(bytes.TrimLeft(body, " \t\r\n"), []byte("[")):
		return "batches are not taken: send one message at a time"
	default:
		return "the message is no JSON-RPC 2.0 request, notification or response"
	}
}

// refuse answers a message that was not let through: a request by its id, if that could
// be read, so that its sender does not wait.
func (f *frames) refuse(code jsonrpc2.Code, body []byte, why string) {
	if f.broken != nil {
		f.broken(errors.New(why))
	}
	b, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": requestID(body), "error": map[string]any{"code": code, "message": why}})
	if err != nil {
		return
	}
	// That the wire broke, the next read says.
	_, _ = f.Write(fmt.Appendf(nil, "Content-Length: %d\r\n\r\n%s", len(b), b))
}

// requestID is the id of what is meant as a request; nil if it has none. Those of
// responses are not the client's: answering them would answer another request of it.
func requestID(body []byte) any {
	var m struct{ ID, Method, Result, Error any }
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	if len(body) == 0 || d.Decode(&m) != nil || m.Method == nil || m.Result != nil || m.Error != nil {
		return nil
	}
	switch m.ID.(type) {
	case string, json.Number:
		return m.ID
	}
	return nil
}

// Write implements io.Writer; the library writes a frame at a time.
func (f *frames) Write(p []byte) (int, error) {
	f.write.Lock()
	defer f.write.Unlock()
	return f.rwc.Write(p)
}

// Close implements io.Closer.
func (f *frames) Close() error { return f.rwc.Close() }
