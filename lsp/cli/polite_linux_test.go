package cli

import (
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"testing"
)

// TestPolite: all threads give way, those too that come after. It runs in a process of its
// own, since what was given up does not come back. Without it a server might starve the
// compiler by the very threads that compute.
func TestPolite(t *testing.T) {
	if os.Getenv("SEEDLING_TEST_POLITE") == "" {
		cmd := exec.Command(os.Args[0], "-test.run=^TestPolite$")
		cmd.Env = append(os.Environ(), "SEEDLING_TEST_POLITE=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	spread := func() { // threads of their own
		var all sync.WaitGroup
		hold := make(chan bool)
		for range 6 {
			all.Go(func() { runtime.LockOSThread(); <-hold; runtime.UnlockOSThread() })
		}
		close(hold)
		all.Wait()
	}
	spread()
	for _, step := range []struct{ nice, want int }{{0, 0}, {7, 7}, {3, 7}} { // nobody is made less polite
		if err := polite(step.nice); err != nil {
			t.Fatal(err)
		}
		spread()
		tasks, err := os.ReadDir("/proc/self/task")
		if err != nil || len(tasks) < 2 {
			t.Fatal(tasks, err)
		}
		for _, x := range tasks {
			id, _ := strconv.Atoi(x.Name())
			if was, err := syscall.Getpriority(syscall.PRIO_PROCESS, id); err == nil && 20-was < step.want {
				t.Errorf("after polite(%d) thread %d has niceness %d, want %d", step.nice, id, 20-was, step.want)
			}
		}
	}
}
