package lsp

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
)

// maxFrame bounds a message: a 50 MB file, escaped, fits.
const maxFrame = 256 << 20

// frames stands between the wire and the JSON-RPC library, which ends the connection at
// a message that is no JSON. It lets through whole, sound frames only; for others it
// answers with an error of its own and looks for the next frame.
type frames struct {
	rwc     io.ReadWriteCloser
	in      *bufio.Reader
	pending []byte
	write   sync.Mutex
	broken  func(error)
}

func newFrames(rwc io.ReadWriteCloser, broken func(error)) *frames {
	return &frames{rwc: rwc, in: bufio.NewReaderSize(rwc, 64<<10), broken: broken}
}

// Read implements io.Reader.
func (f *frames) Read(p []byte) (int, error) {
	for len(f.pending) == 0 {
		body, err := f.next()
		if err != nil {
			return 0, err
		}
		if body == nil {
			continue
		}
		f.pending = append(fmt.Appendf(f.pending[:0], "Content-Length: %d\r\n\r\n", len(body)), body...)
	}
	n := copy(p, f.pending)
	f.pending = f.pending[n:]
	return n, nil
}

// next reads one frame. A nil body was refused and answered.
func (f *frames) next() ([]byte, error) {
	length := -1
	for header := 0; ; {
		line, err := f.in.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			continue // no header is that long: skip
		}
		if err != nil {
			return nil, err
		}
		text := strings.TrimRight(string(line), "\r\n")
		if text == "" {
			if length >= 0 {
				break
			}
			continue // between frames, or after a header without a length
		}
		if header++; header > 1000 {
			return nil, errors.New("the client does not speak the language server protocol")
		}
		// Rubbish before a header on its line is cut off: the rest of a broken body.
		if i := strings.LastIndex(strings.ToLower(text), "content-length:"); i >= 0 {
			n, err := strconv.Atoi(strings.TrimSpace(text[i+len("content-length:"):]))
			if err != nil || n < 0 {
				f.refuse(-32600, "the Content-Length is no number")
				continue
			}
			length = n
		}
	}
	if length > maxFrame {
		f.refuse(-32600, fmt.Sprintf("a message of %d MB is over the limit of %d MB", length>>20, maxFrame>>20))
		_, err := io.CopyN(io.Discard, f.in, int64(length))
		return nil, err
	}
	if length == 0 {
		f.refuse(-32700, "the message is empty")
		return nil, nil
	}
	body := make([]byte, length)
	if _, err := io.ReadFull(f.in, body); err != nil {
		return nil, err
	}
	if why := unsound(body); why != "" {
		code := -32600
		if !json.Valid(body) {
			code = -32700
		}
		f.refuse(code, why)
		return nil, nil
	}
	return body, nil
}

// unsound says why the JSON-RPC library could not take a message.
func unsound(body []byte) string {
	if !json.Valid(body) {
		return "the message is no JSON"
	}
	var m struct {
		ID     json.RawMessage `json:"id"`
		Method json.RawMessage `json:"method"`
	}
	if json.Unmarshal(body, &m) != nil {
		return "the message is no JSON-RPC object"
	}
	if len(m.ID) > 0 && string(m.ID) != "null" && m.ID[0] != '"' {
		if n, err := strconv.ParseInt(string(m.ID), 10, 64); err != nil || n != int64(int32(n)) {
			return "the id is no string and no 32-bit integer"
		}
	}
	if len(m.Method) > 0 && m.Method[0] != '"' {
		return "the method is no string"
	}
	if len(m.Method) == 0 && len(m.ID) == 0 {
		return "the message has neither a method nor an id"
	}
	return ""
}

// refuse answers a frame that was not let through. Its id could not be read, so it is null.
func (f *frames) refuse(code int, why string) {
	if f.broken != nil {
		f.broken(errors.New(why))
	}
	body := fmt.Sprintf(`{"jsonrpc":"2.0","id":null,"error":{"code":%d,"message":%q}}`, code, why)
	f.Write(fmt.Appendf(nil, "Content-Length: %d\r\n\r\n%s", len(body), body))
}

// Write implements io.Writer; the library writes a frame at a time.
func (f *frames) Write(p []byte) (int, error) {
	f.write.Lock()
	defer f.write.Unlock()
	return f.rwc.Write(p)
}

// Close implements io.Closer.
func (f *frames) Close() error { return f.rwc.Close() }
