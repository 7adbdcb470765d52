package sandbox

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Exit codes of a process that could not set its bounds, and of one that set them and could
// not become the program.
const (
	unconfined = 121
	noProgram  = 122
)

// Child turns a process that [Run] started into the program that it is to run, and does not
// return then. In any other process it does nothing. A program that calls Run must call it
// before all else.
func Child() {
	if len(os.Args) != 2 || os.Args[0] != childName {
		return
	}
	var o order
	err := json.Unmarshal([]byte(os.Args[1]), &o)
	if err == nil {
		err = o.confine()
	}
	if err == nil {
		err = unix.Exec(o.Argv[0], o.Argv, os.Environ())
		fmt.Fprintf(os.Stderr, "%s: %s: %v", childName, o.Argv[0], err)
		os.Exit(noProgram)
	}
	fmt.Fprintf(os.Stderr, "%s: %v", childName, err)
	os.Exit(unconfined)
}

// confine sets the bounds of the thread that goes on as the program: Landlock bounds a thread.
func (o order) confine() error {
	runtime.LockOSThread()
	if err := unix.Chdir(o.Dir); err != nil {
		return fmt.Errorf("its folder: %w", err)
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("no new privileges: %w", err)
	}
	if err := o.restrict(); err != nil {
		return fmt.Errorf("landlock: %w", err)
	}
	seconds := uint64(o.Limits.Time.Seconds()) + 1
	for _, l := range []struct {
		name     string
		resource int
		most     uint64
	}{
		{"processor time", unix.RLIMIT_CPU, seconds},
		{"file size", unix.RLIMIT_FSIZE, uint64(o.Limits.FileSize)},
		{"open files", unix.RLIMIT_NOFILE, 64},
		{"core files", unix.RLIMIT_CORE, 0},
		{"memory", unix.RLIMIT_AS, uint64(o.Limits.Memory)}, // last: this process takes more
	} {
		if err := unix.Setrlimit(l.resource, &unix.Rlimit{Cur: l.most, Max: l.most}); err != nil {
			return fmt.Errorf("limit of %s: %w", l.name, err)
		}
	}
	return nil
}

// Rights of Landlock: version 1 has those up to make_sym, later ones more.
const (
	readRights  = unix.LANDLOCK_ACCESS_FS_EXECUTE | unix.LANDLOCK_ACCESS_FS_READ_FILE | unix.LANDLOCK_ACCESS_FS_READ_DIR
	fileRights  = unix.LANDLOCK_ACCESS_FS_EXECUTE | unix.LANDLOCK_ACCESS_FS_READ_FILE | unix.LANDLOCK_ACCESS_FS_WRITE_FILE
	firstRights = unix.LANDLOCK_ACCESS_FS_MAKE_SYM<<1 - 1
)

// restrict lets this thread, and what it becomes, read o.Read and write o.Dir, nothing else.
func (o order) restrict() error {
	version, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	if errno != 0 {
		return errno
	}
	all := uint64(firstRights)
	if version >= 2 {
		all |= unix.LANDLOCK_ACCESS_FS_REFER
	}
	if version >= 3 {
		all |= unix.LANDLOCK_ACCESS_FS_TRUNCATE
	}
	set := unix.LandlockRulesetAttr{Handled_access_fs: all}
	fd, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, uintptr(unsafe.Pointer(&set)), unsafe.Sizeof(set.Handled_access_fs), 0)
	if errno != 0 {
		return errno
	}
	defer unix.Close(int(fd))
	for _, path := range o.Read {
		rights := uint64(readRights)
		if path == "/dev/null" || path == "/dev/zero" {
			rights |= unix.LANDLOCK_ACCESS_FS_WRITE_FILE
		}
		if err := allow(int(fd), path, rights&all); err != nil && err != unix.ENOENT {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	if err := allow(int(fd), o.Dir, all); err != nil {
		return fmt.Errorf("%s: %w", o.Dir, err)
	}
	if _, _, errno := unix.Syscall(unix.SYS_LANDLOCK_RESTRICT_SELF, fd, 0, 0); errno != 0 {
		return errno
	}
	return nil
}

// allow adds a rule: rights beneath a path, of a file those that files have.
func allow(set int, path string, rights uint64) error {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFDIR {
		rights &= fileRights
	}
	rule := unix.LandlockPathBeneathAttr{Allowed_access: rights, Parent_fd: int32(fd)}
	if _, _, errno := unix.Syscall6(unix.SYS_LANDLOCK_ADD_RULE, uintptr(set), unix.LANDLOCK_RULE_PATH_BENEATH, uintptr(unsafe.Pointer(&rule)), 0, 0, 0); errno != 0 {
		return errno
	}
	return nil
}
