package web

import (
	"bufio"
	"io"
	"net/textproto"
	"strconv"
)

// frames reads messages of the LSP's base protocol.
type frames struct{ r *bufio.Reader }

func newFrames(r io.Reader) frames { return frames{bufio.NewReader(r)} }

// next is the content of one message.
func (f frames) next() ([]byte, error) {
	h, err := textproto.NewReader(f.r).ReadMIMEHeader()
	if err != nil {
		return nil, err
	}
	n, err := strconv.Atoi(h.Get("Content-Length"))
	if err != nil || n < 0 {
		return nil, errFrame
	}
	b := make([]byte, n)
	_, err = io.ReadFull(f.r, b)
	return b, err
}
