package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"testing"

	"github.com/seedling-lsp/seedling/lsp/stats"
)

// session is an editor's, with the command as its server on stdin and stdout.
type session struct {
	t   *testing.T
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
	id  int
	// notes are what the server said on its own.
	notes []spoken
}

type spoken struct {
	ID     *int            `json:"id,omitempty"`
	Method string          `json:"method,omitempty"`
	Params json.RawMessage `json:"params,omitempty"`
	Result json.RawMessage `json:"result,omitempty"`
	Error  *struct {
		Code    int
		Message string
	} `json:"error,omitempty"`
}

// open starts the command and initializes.
func open(t *testing.T, cmd *exec.Cmd) *session {
	t.Helper()
	s := &session{t: t, cmd: cmd}
	var err error
	if s.in, err = cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	s.out = bufio.NewReader(out)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s.call("initialize", map[string]any{"processId": nil, "rootUri": nil, "capabilities": map[string]any{"experimental": map[string]any{"seedlingStatus": true}}, "clientInfo": map[string]any{"name": "ed", "version": "1.19"},
		"initializationOptions": map[string]any{"minLogProb": 0, "invokedDeadlineMs": 60000}})
	s.notify("initialized", map[string]any{})
	return s
}

func (s *session) write(m map[string]any) {
	s.t.Helper()
	m["jsonrpc"] = "2.0"
	b, _ := json.Marshal(m)
	if _, err := fmt.Fprintf(s.in, "Content-Length: %d\r\n\r\n%s", len(b), b); err != nil {
		s.t.Fatal(err)
	}
}

func (s *session) notify(method string, params any) {
	s.t.Helper()
	s.write(map[string]any{"method": method, "params": params})
}

// call asks and waits for the answer.
func (s *session) call(method string, params any) spoken {
	s.t.Helper()
	s.id++
	s.write(map[string]any{"id": s.id, "method": method, "params": params})
	for {
		m := s.read()
		if m.Method != "" {
			s.notes = append(s.notes, m)
		} else if m.ID != nil && *m.ID == s.id {
			return m
		}
	}
}

func (s *session) read() (m spoken) {
	s.t.Helper()
	n := 0
	for {
		line, err := s.out.ReadString('\n')
		if err != nil {
			s.t.Fatalf("reading: %v", err)
		}
		if line = strings.TrimSpace(line); line == "" {
			break
		}
		fmt.Sscanf(line, "Content-Length: %d", &n)
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(s.out, b); err != nil {
		s.t.Fatal(err)
	}
	if err := json.Unmarshal(b, &m); err != nil {
		s.t.Fatalf("%v: %s", err, b)
	}
	return m
}

const sessionText = "package main\n\nfunc run() error {\n\terr := start()\n\tif err != nil {\n\t\t\n\t}\n}\n"

// complete opens a document and gives the items at the gap of sessionText.
func (s *session) complete(uri string) spoken {
	s.t.Helper()
	s.notify("textDocument/didOpen", map[string]any{"textDocument": map[string]any{"uri": uri, "languageId": "go", "version": 1, "text": sessionText}})
	return s.call("textDocument/inlineCompletion", map[string]any{"textDocument": map[string]any{"uri": uri}, "position": map[string]any{"line": 5, "character": 2}, "context": map[string]any{"triggerKind": 1}})
}

// bye ends the session in order and gives the exit code.
func (s *session) bye() int {
	s.t.Helper()
	s.call("shutdown", nil)
	s.notify("exit", nil)
	if err := s.cmd.Wait(); err != nil && s.cmd.ProcessState == nil {
		s.t.Fatal(err)
	}
	return s.cmd.ProcessState.ExitCode()
}

// TestCounted: a server started as clients of Copilot's server start one counts in the
// user's state folder, so that `seedling stats` has something to show.
func TestCounted(t *testing.T) {
	state := t.TempDir()
	c := program(t, "--stdio")
	c.Env = append(c.Env, "XDG_STATE_HOME="+state)
	s := open(t, c)
	m := s.complete("file:///p/a.go")
	var list struct {
		Items []struct{ Command json.RawMessage }
	}
	if err := json.Unmarshal(m.Result, &list); err != nil || len(list.Items) == 0 {
		t.Fatalf("%s %+v: the model completes an obvious return no more", m.Result, m.Error)
	}
	s.call("workspace/executeCommand", list.Items[0].Command)
	if code := s.bye(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	f, err := stats.Store{Dir: state + "/seedling"}.Read()
	if err != nil {
		t.Fatal(err)
	}
	all, by := f.Total(stats.Completion, "")
	if all.Accepted != 1 || all.Context == 0 || len(by) != 1 || by[0].Name != "go" || len(f.Editors) != 1 || f.Editors[0].Name != "ed 1.19" {
		t.Errorf("%+v", f)
	}
}

// until reads until a notification comes that contains a text; one that came before counts.
func (s *session) until(method, part string) {
	s.t.Helper()
	for i := 0; ; i++ {
		if i == len(s.notes) {
			if m := s.read(); m.Method != "" {
				s.notes = append(s.notes, m)
			} else {
				i--
				continue
			}
		}
		if n := s.notes[i]; n.Method == method && strings.Contains(string(n.Params), part) {
			return
		}
	}
}
