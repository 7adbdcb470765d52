package serve

import (
	"crypto/sha256"
	"crypto/subtle"
	"net"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"go.uber.org/zap"
)

// handler answers a request or says why it does not; then it has written nothing.
type handler func(http.ResponseWriter, *http.Request) error

// guarded is a page behind everything that a request must pass before it is looked at.
func (s *Server) guarded(path, method string, h handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Cache-Control", "no-store")
		err := s.admit(w, r, path, method)
		if err == nil {
			err = s.handled(h, w, r)
		}
		status := http.StatusOK
		if err != nil {
			status = s.refuse(w, r, err)
		}
		s.log.Debug("answered", zap.String("page", path), zap.Int("status", status), zap.Duration("took", time.Since(start)), zap.NamedError("why", err))
	})
}

// handled runs h in one of the slots, and takes a panic for a failure.
func (s *Server) handled(h handler, w http.ResponseWriter, r *http.Request) (err error) {
	if r.Method == http.MethodPost {
		select {
		case s.slots <- struct{}{}:
			defer func() { <-s.slots }()
		default:
			w.Header().Set("Retry-After", "1")
			return problem{http.StatusServiceUnavailable, "unavailable_error", "too many requests at once: try again"}
		}
	}
	defer func() {
		if p := recover(); p != nil {
			err = crash{p, debug.Stack()}
		}
	}()
	return h(w, r)
}

// admit looks at a request without its body.
func (s *Server) admit(w http.ResponseWriter, r *http.Request, path, method string) error {
	if !s.opt.Exposed && !LocalHost(r.Host) {
		// A name that an attacker's DNS points at this machine makes his page one of ours.
		return problem{http.StatusForbidden, "permission_error", "the Host header names another machine: use 127.0.0.1 or localhost"}
	}
	if ForeignPage(r) {
		return problem{http.StatusForbidden, "permission_error", "requests from web pages are not answered"}
	}
	if !strings.HasSuffix(path, "/health") && !s.authorized(r) {
		w.Header().Set("WWW-Authenticate", "Bearer")
		return problem{http.StatusUnauthorized, "authentication_error", "the token is missing or wrong: send Authorization: Bearer TOKEN, with the token given to seedling serve"}
	}
	if method != "" && r.Method != method && !(method == http.MethodGet && r.Method == http.MethodHead) {
		w.Header().Set("Allow", method)
		return problem{http.StatusMethodNotAllowed, "invalid_request_error", path + " wants " + method}
	}
	return nil
}

// LocalHost says whether a Host header names this machine in a way that no DNS answers:
// as localhost, or by an address of the loopback.
func LocalHost(host string) bool {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	return loopback(strings.ToLower(strings.TrimSuffix(strings.TrimPrefix(name, "["), "]")))
}

// ForeignPage says whether a page of another origin asks. Editors send neither header; a page
// that the server sent itself is of its own origin.
func ForeignPage(r *http.Request) bool {
	if o := r.Header.Get("Origin"); o != "" && o != "http://"+r.Host && o != "https://"+r.Host {
		return true
	}
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "none", "same-origin":
		return false
	}
	return true
}

// authorized compares in constant time, of sums, so that not even the length shows.
func (s *Server) authorized(r *http.Request) bool {
	if s.opt.Token == "" {
		return true
	}
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	got, want := sha256.Sum256([]byte(strings.TrimSpace(token))), sha256.Sum256([]byte(s.opt.Token))
	return subtle.ConstantTimeCompare(got[:], want[:]) == 1 && strings.EqualFold(scheme, "Bearer")
}
