package main

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// program runs the command itself, which this test binary is under the command's name
// (TestMain).
func program(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "seedling")
	if err := os.Link(self, name); err != nil { // another file system
		data, err := os.ReadFile(self)
		if err == nil {
			err = os.WriteFile(name, data, 0o755)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	c := exec.CommandContext(t.Context(), name, args...)
	c.Env = append(os.Environ(), "SEEDLING_TOKEN=", "XDG_STATE_HOME="+t.TempDir())
	return c
}

// TestServe: the command as a person starts it answers with the built-in model, says what
// to do where its port is taken, and ends in order at a signal.
func TestServe(t *testing.T) {
	for _, sig := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		t.Run(sig.String(), func(t *testing.T) {
			c := program(t, "serve", "--listen", "127.0.0.1:0", "--threads", "1")
			out, err := c.StderrPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
			lines := bufio.NewReader(out)
			said, err := lines.ReadString('\n')
			if err != nil {
				t.Fatal(err)
			}
			_, rest, ok := strings.Cut(said, "listening on ")
			url, _, _ := strings.Cut(rest, " ")
			if !ok || !strings.HasPrefix(url, "http://127.0.0.1:") {
				t.Fatalf("it says %q", said)
			}
			res, err := http.Post(url+"/infill", "application/json", strings.NewReader(`{"input_prefix":"package a\n\nfunc f(err error) error {\n","prompt":"\tif err != ","input_suffix":"\n}\n"}`))
			if err != nil {
				t.Fatal(err)
			}
			b, err := io.ReadAll(res.Body)
			res.Body.Close()
			if err != nil || res.StatusCode != 200 || !bytes.Contains(b, []byte(`"content":"`)) || !bytes.Contains(b, []byte(`"model":"small"`)) {
				t.Errorf("status %d, %v: %s", res.StatusCode, err, b)
			}

			second := program(t, "serve", "--listen", strings.TrimPrefix(url, "http://"))
			said2, err := second.CombinedOutput()
			var exit *exec.ExitError
			if !errors.As(err, &exit) || exit.ExitCode() != 1 || !strings.Contains(string(said2), "is taken, perhaps by llama-server or another seedling") {
				t.Errorf("on a taken port: %v: %s", err, said2)
			}

			http.DefaultClient.CloseIdleConnections()
			if err := c.Process.Signal(sig); err != nil {
				t.Fatal(err)
			}
			more, _ := io.ReadAll(lines)
			if err := c.Wait(); err != nil || len(more) != 0 {
				t.Errorf("after %v: %v: %s", sig, err, more)
			}
		})
	}
}
