//go:build unix

package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestShared: two windows use the server that somebody started. When it is killed, each goes
// on: one of them starts another, which ends by itself when both are gone. Without it the
// parts could all be right and five windows hold five models.
func TestShared(t *testing.T) {
	dir, err := os.MkdirTemp("", "sd") // t.TempDir may be too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "s.sock")
	server := program(t, "serve", "--socket", path)
	said, err := server.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(said).ReadString('\n'); err != nil || !strings.Contains(line, path) {
		t.Fatalf("%q %v", line, err)
	}
	second := program(t, "serve", "--socket", path)
	out, err := second.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 3 || !strings.Contains(string(out), "another seedling serves there") {
		t.Errorf("a second server: %v: %s", err, out)
	}

	var windows []*session
	for range 2 {
		windows = append(windows, open(t, program(t, "lsp", "--connect", path, "--idle", "200ms")))
	}
	offered := func(m spoken) bool {
		var l struct{ Items []json.RawMessage }
		return json.Unmarshal(m.Result, &l) == nil && len(l.Items) > 0
	}
	ask := func(w *session) spoken {
		return w.call("textDocument/inlineCompletion", map[string]any{"textDocument": map[string]any{"uri": "file:///p/a.go"}, "position": map[string]any{"line": 5, "character": 2}, "context": map[string]any{"triggerKind": 1}})
	}
	for _, w := range windows {
		w.until("seedling/status", `"ready"`)
		if m := w.complete("file:///p/a.go"); !offered(m) {
			t.Errorf("%s %+v", m.Result, m.Error)
		}
	}
	if err := server.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = server.Wait()
	for _, w := range windows {
		w.notes = nil
		w.until("window/showMessage", "ended unexpectedly")
		w.until("seedling/status", `"ready"`)
		if m := ask(w); !offered(m) { // of a document that was opened in the first server
			t.Errorf("after the crash: %s %+v", m.Result, m.Error)
		}
	}
	for _, w := range windows {
		if code := w.bye(); code != 0 {
			t.Errorf("exit code %d", code)
		}
	}
	for end := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
			break
		}
		if time.Now().After(end) {
			t.Fatal("the server that nobody needs stays")
		}
	}
}
