package cli

import (
	"fmt"
	"os"
	"strconv"
	"syscall"
)

// polite lowers the priority of every thread of this process by nice (0 to 19), and so of
// those that come later, which inherit it: what a compiler wants of a busy machine it gets
// first. Linux counts niceness by thread. A process that was started with more keeps that.
func polite(nice int) error {
	if nice == 0 {
		return nil
	}
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return fmt.Errorf("lowering the priority: %w", err)
	}
	for _, t := range tasks {
		id, err := strconv.Atoi(t.Name())
		if err != nil {
			continue
		}
		// The system call answers 20 less the niceness, so that nothing is an error.
		if was, err := syscall.Getpriority(syscall.PRIO_PROCESS, id); err == nil && 20-was >= nice {
			continue
		}
		if err := syscall.Setpriority(syscall.PRIO_PROCESS, id, nice); err != nil && err != syscall.ESRCH { // it may have ended
			return fmt.Errorf("lowering the priority: %w", err)
		}
	}
	return nil
}
