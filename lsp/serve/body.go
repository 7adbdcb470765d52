package serve

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"go.uber.org/zap"

	"github.com/seedling-lsp/seedling/engine"
)

// problem is what a client did wrong, in llama-server's and OpenAI's shape, which are
// close enough to be one.
type problem struct {
	status  int
	kind    string
	message string
}

func (p problem) Error() string { return p.message }

func invalid(format string, args ...any) problem {
	return problem{http.StatusBadRequest, "invalid_request_error", fmt.Sprintf(format, args...)}
}

// statusSuperseded answers a question that a newer one of the same client ended. It is the
// one code for "the client no longer wants it" that no client library tries again by
// itself, as they do after 408, 409, 429 and 5xx: a repeated old question would in turn
// end the newer one.
const statusSuperseded = 499

// refuse writes an error and gives the status.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, err error) int {
	var p problem
	switch {
	case errors.As(err, &p):
	case r.Context().Err() != nil:
		return statusSuperseded // nobody reads it
	case errors.Is(err, engine.ErrClosed), errors.Is(err, errClosed):
		p = problem{http.StatusServiceUnavailable, "unavailable_error", "the server is ending"}
	case errors.Is(err, context.Canceled):
		p = problem{statusSuperseded, "superseded_error", "a newer request of the same client came"}
	default:
		var c crash
		errors.As(err, &c)
		s.log.Error("a request failed", zap.Error(err), zap.Any("panic", c.value), zap.ByteString("stack", c.stack))
		p = problem{http.StatusInternalServerError, "server_error", err.Error() + "; run `seedling doctor`"}
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(p.status)
	b := marshal(map[string]any{"error": map[string]any{"code": p.status, "message": p.message, "type": p.kind, "param": nil}})
	if _, err := w.Write(b); err != nil {
		s.log.Debug("the client left", zap.Error(err))
	}
	return p.status
}

// readJSON reads a body into v, within the limits.
func (s *Server) readJSON(w http.ResponseWriter, r *http.Request, v any) ([]byte, error) {
	tooLarge := problem{http.StatusRequestEntityTooLarge, "invalid_request_error", fmt.Sprintf("the body is over %d bytes: send less context", s.opt.MaxBody)}
	if r.ContentLength > s.opt.MaxBody {
		w.Header().Set("Connection", "close") // rather than read what is not wanted
		return nil, tooLarge
	}
	conn := http.NewResponseController(w)
	// Without deadlines (a recorder of tests has none) there is only the limit of size.
	_ = conn.SetReadDeadline(time.Now().Add(s.opt.BodyTime))
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, s.opt.MaxBody))
	_ = conn.SetReadDeadline(time.Time{})
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return nil, tooLarge
	case err != nil:
		w.Header().Set("Connection", "close")
		return nil, problem{http.StatusRequestTimeout, "invalid_request_error", "the body did not come to its end"}
	case !utf8.Valid(body):
		// encoding/json would put U+FFFD there and shift the cursor's text.
		return nil, invalid("the body is not UTF-8 from byte %d on", firstInvalid(body))
	}
	if err := json.Unmarshal(body, v); err != nil {
		return nil, explained(err)
	}
	return body, nil
}

func firstInvalid(b []byte) int {
	for i := 0; i < len(b); {
		r, size := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && size == 1 {
			return i
		}
		i += size
	}
	return len(b)
}

// explained says what is wrong with JSON without showing any of it: it is code.
func explained(err error) error {
	var p problem
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &p):
		return p
	case errors.As(err, &syntax):
		return invalid("the body is no JSON at byte %d", syntax.Offset)
	case errors.As(err, &kind) && kind.Field == "":
		return invalid("the body must be a JSON object, not %s", article(kind.Value))
	case errors.As(err, &kind):
		return invalid("%q must be %s, not %s", kind.Field, wanted(kind.Type.String()), article(kind.Value))
	}
	return invalid("the body is no JSON")
}

// wanted is a Go type as JSON calls it.
func wanted(t string) string {
	switch {
	case strings.HasPrefix(t, "[]"):
		return "an array"
	case t == "string":
		return "a string"
	case t == "bool":
		return "true or false"
	case strings.HasSuffix(t, ".integer"):
		return "a whole number"
	case strings.Contains(t, "struct"), strings.Contains(t, "."):
		return "an object"
	}
	return "a number"
}

func article(value string) string {
	value, _, _ = strings.Cut(value, " ") // a number comes with its digits
	switch value {
	case "array", "object":
		return "an " + value
	case "bool":
		return "true or false"
	}
	return "a " + value
}

// integer is a whole number, however it is written (some languages write 128.0). Its zero
// value is not set.
type integer struct {
	set bool
	n   int
}

func (i *integer) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		return nil
	}
	wrong := &json.UnmarshalTypeError{Value: kindOf(b), Type: reflect.TypeFor[integer]()}
	f, err := strconv.ParseFloat(string(b), 64)
	if err != nil {
		return wrong
	}
	if f != math.Trunc(f) || math.Abs(f) > 1<<53 {
		wrong.Value = "fraction"
		return wrong
	}
	*i = integer{true, int(f)}
	return nil
}

func kindOf(b []byte) string {
	switch b[0] {
	case '"':
		return "string"
	case '{':
		return "object"
	case '[':
		return "array"
	case 't', 'f':
		return "bool"
	}
	return "number"
}

// or is the number, or another where there is none.
func (i integer) or(n int) int {
	if i.set {
		return i.n
	}
	return n
}

func marshal(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false) // code is full of < and &, and no browser reads this
	if err := e.Encode(v); err != nil {
		panic(err) // of nothing but maps, structs, strings and finite numbers
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// writeJSON writes one line: classic Vim hands llama.vim an answer line by line.
func writeJSON(w http.ResponseWriter, v any) error {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	_, _ = w.Write(marshal(v)) // a client that left is told nothing
	return nil
}
