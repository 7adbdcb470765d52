//go:build !unix

package shared

import (
	"context"
	"errors"
	"fmt"
	"net"
	"syscall"
)

// Supported says whether servers can be shared on this system.
const Supported = false

var errUnsupported = fmt.Errorf("a server cannot be shared on this system, since it does not say who is at the other end of a socket: use `seedling lsp` alone: %w", errors.ErrUnsupported)

// Path is empty: there is no shared server on this system.
func Path(...string) string { return "" }

// Listener is never made on this system.
type Listener struct{ net.Listener }

// Listen fails with [errors.ErrUnsupported].
func Listen(string) (*Listener, error) { return nil, errUnsupported }

func dial(context.Context, string) (net.Conn, error) { return nil, errUnsupported }

func detached() *syscall.SysProcAttr { return nil }
