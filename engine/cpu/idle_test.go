//go:build unix

package cpu

import (
	"syscall"
	"testing"
	"time"

	"github.com/seedling-lsp/seedling/engine/backend"
)

// TestIdle: between passes the threads sleep. Without it a server that nobody types into
// could keep every core spinning; it counts processor time, which a busy machine does not
// add to.
func TestIdle(t *testing.T) {
	be, err := New(golden(t), Options{Threads: 4})
	if err != nil {
		t.Fatal(err)
	}
	defer be.Close()
	forward(t, be, line(backend.Root, backend.Canvas, 0, 9, 0, 10))
	used := func() time.Duration {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			t.Fatal(err)
		}
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	before := used()
	time.Sleep(300 * time.Millisecond)
	if spent := used() - before; spent > 60*time.Millisecond {
		t.Errorf("idle threads took %v of processor time in 300 ms", spent)
	}
}
