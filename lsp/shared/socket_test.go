//go:build unix

package shared

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/seedling-lsp/seedling/lsp"
)

// TestPrivate: nobody else can open the socket, and one that others could have put there is
// not used.
func TestPrivate(t *testing.T) {
	path := place(t)
	l, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	for p, want := range map[string]os.FileMode{path: 0o600 | os.ModeSocket, filepath.Dir(path): 0o700 | os.ModeDir, path + ".lock": 0o600} {
		if i, err := os.Lstat(p); err != nil || i.Mode() != want {
			t.Errorf("%s: %v %v", p, i.Mode(), err)
		}
	}
	if _, err := Listen(path); !errors.Is(err, ErrTaken) {
		t.Errorf("a second server: %v", err)
	}
	l.Close()
	if l, err = Listen(path); err != nil { // the first is gone
		t.Fatal(err)
	}
	l.Close()

	dir := filepath.Dir(path)
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(path); err == nil || !strings.Contains(err.Error(), "open to other users") {
		t.Errorf("in an open folder: %v", err)
	}
	link := filepath.Join(filepath.Dir(dir), "link")
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(filepath.Join(link, "x.sock")); err == nil || !strings.Contains(err.Error(), "no folder") {
		t.Errorf("through a link: %v", err)
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(file); err == nil || !strings.Contains(err.Error(), "no socket") {
		t.Errorf("in the place of a file: %v", err)
	}
	if b, err := os.ReadFile(file); err != nil || string(b) != "precious" {
		t.Errorf("the file: %q %v", b, err)
	}
	if _, err := Listen(filepath.Join(dir, strings.Repeat("x", 200))); err == nil || !strings.Contains(err.Error(), "too long") {
		t.Errorf("a long path: %v", err)
	}
}

// TestStale: what a dead server left is in nobody's way.
func TestStale(t *testing.T) {
	path := place(t)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	dead, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	dead.SetUnlinkOnClose(false)
	dead.Close()
	if _, err := Join(context.Background(), path, nil); !errors.Is(err, ErrNone) {
		t.Errorf("joining: %v", err)
	}
	serve(t, path, Options{Server: lsp.Options{Generator: &model{}}})
	direct(t, path).hello()
}

// TestRace: of many that start at once one serves.
func TestRace(t *testing.T) {
	path := place(t)
	var wg sync.WaitGroup
	var mu sync.Mutex
	var won []*Listener
	for range 16 {
		wg.Go(func() {
			l, err := Listen(path)
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				won = append(won, l)
			} else if !errors.Is(err, ErrTaken) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if len(won) != 1 {
		t.Fatalf("%d serve", len(won))
	}
	won[0].Close()
}

// TestPath: servers of other models or versions are elsewhere, in the folder of the user.
func TestPath(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", "/run/user/7")
	a, b := Path("1.0", "builtin"), Path("1.0builtin", "")
	if a == b || filepath.Dir(a) != "/run/user/7/seedling" || a != Path("1.0", "builtin") {
		t.Errorf("%s %s", a, b)
	}
	t.Setenv("XDG_RUNTIME_DIR", "relative")
	if c := Path("1.0"); !filepath.IsAbs(c) || !strings.Contains(c, fmt.Sprint("seedling-", os.Getuid())) {
		t.Errorf("%s", c)
	}
}

// TestStranger: another user who got past the folder is turned away before a word.
func TestStranger(t *testing.T) {
	if p := os.Getenv("SEEDLING_STRANGER"); p != "" { // the other user
		c, err := net.Dial("unix", p)
		if err != nil {
			fmt.Print("no connection: ", err)
			os.Exit(0)
		}
		_, _ = io.WriteString(c, "Content-Length: 2\r\n\r\n{}")
		b, _ := io.ReadAll(c)
		fmt.Printf("heard %q", b)
		os.Exit(0)
	}
	if os.Getuid() != 0 {
		t.Skip("only root can be somebody else")
	}
	path := place(t)
	serve(t, path, Options{Server: lsp.Options{Generator: &model{}}})
	for _, p := range []string{path, filepath.Dir(path), filepath.Dir(filepath.Dir(path))} {
		if err := os.Chmod(p, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(self) // where the other user can run it
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(filepath.Dir(path), "program")
	if err := os.WriteFile(program, data, 0o755); err != nil {
		t.Fatal(err)
	}
	c := exec.Command(program, "-test.run=^TestStranger$")
	c.Env = []string{"SEEDLING_STRANGER=" + path}
	c.Dir = filepath.Dir(path)
	c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	if out, err := c.CombinedOutput(); err != nil || string(out) != `heard ""` {
		t.Errorf("%v: %s", err, out)
	}
	direct(t, path).hello() // its own user is served
}

// TestHostile: peers that send rubbish, promise much, say nothing or leave in the middle
// cost the others nothing.
func TestHostile(t *testing.T) {
	path := place(t)
	serve(t, path, Options{MaxSessions: 8, Patience: 50 * time.Millisecond, Server: lsp.Options{Generator: &model{}}})
	good := direct(t, path)
	good.hello()
	dial := func() net.Conn {
		c, err := Join(context.Background(), path, nil)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	for _, what := range []string{"", "\x00\xff\xfe", strings.Repeat("x", 1<<16), "Content-Length: 99999999999999999999\r\n\r\n", "Content-Length: 1000000000\r\n\r\n{", "Content-Length: 5\r\n\r\n[1,2]",
		"Content-Length: -3\r\n\r\n", `Content-Length: 46` + "\r\n\r\n" + `{"jsonrpc":"2.0","id":1,"method":"shutdown"}  `, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"} {
		c := dial()
		_, _ = io.WriteString(c, what)
		if u, ok := c.(*net.UnixConn); ok {
			_ = u.CloseWrite()
		}
		c.SetReadDeadline(time.Now().Add(time.Minute))
		if _, err := io.Copy(io.Discard, c); err != nil && !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("%.30q: the server holds on: %v", what, err)
		}
		c.Close()
	}
	// Who says nothing is sent away; so is who comes when there is no room.
	var silent []net.Conn
	for range 20 {
		silent = append(silent, dial())
	}
	for _, c := range silent {
		c.SetReadDeadline(time.Now().Add(time.Minute))
		if _, err := io.Copy(io.Discard, c); err != nil && !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("silent: %v", err)
		}
		c.Close()
	}
	good.open("still()")
	if got := good.saw(good.wait(good.ask())); got != "still()" {
		t.Errorf("%q", got)
	}
}
