package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"github.com/seedling-lsp/seedling/engine/backend"
)

// server is a running llama-server.
type server struct {
	cmd    *exec.Cmd
	base   string
	forbid [][2]any
	done   chan error
}

// findServer is the llama-server of a llama.cpp build: the program itself, or a folder
// that holds it, as it is, in bin or in build/bin.
func findServer(path string) (string, error) {
	for _, p := range []string{path, filepath.Join(path, "llama-server"), filepath.Join(path, "bin", "llama-server"), filepath.Join(path, "build", "bin", "llama-server")} {
		if st, err := os.Stat(p); err == nil && st.Mode().IsRegular() {
			return p, nil
		}
	}
	return "", fmt.Errorf("no llama-server under %s: build it (cmake -B build && cmake --build build --target llama-server) and name the tree with --llama", path)
}

// start runs a llama-server on this machine's own address with one slot, and waits until
// its model is loaded.
func start(ctx context.Context, program, gguf string, threads, positions int, forbid []backend.TokenID, log io.Writer) (*server, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0") // a free port
	if err != nil {
		return nil, err
	}
	port := l.Addr().(*net.TCPAddr).Port
	l.Close()
	t := strconv.Itoa(threads)
	s := &server{base: "http://127.0.0.1:" + strconv.Itoa(port), done: make(chan error, 1)}
	for _, id := range forbid {
		s.forbid = append(s.forbid, [2]any{id, false})
	}
	s.cmd = exec.CommandContext(ctx, program, "--model", gguf, "--threads", t, "--threads-batch", t, "--ctx-size", strconv.Itoa(positions),
		"--parallel", "1", "--host", "127.0.0.1", "--port", strconv.Itoa(port))
	s.cmd.Stdout, s.cmd.Stderr = log, log
	if err := s.cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", program, err)
	}
	go func() { s.done <- s.cmd.Wait() }()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case err := <-s.done:
			return nil, fmt.Errorf("%s ended: %v; see --log", program, err)
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-tick.C:
		}
		res, err := http.Get(s.base + "/health")
		if err != nil {
			continue
		}
		res.Body.Close()
		if res.StatusCode == http.StatusOK {
			return s, nil
		}
	}
}

// stop ends the server and waits for it.
func (s *server) stop() {
	_ = s.cmd.Process.Kill()
	<-s.done
}

// completion is an answer of llama-server.
type completion struct {
	Content string
	Timings struct {
		PromptN     int     `json:"prompt_n"` // tokens read anew
		PromptMs    float64 `json:"prompt_ms"`
		PredictedN  int     `json:"predicted_n"`
		PredictedMs float64 `json:"predicted_ms"`
	}
	wall time.Duration
}

// ms is the time of the answer by the server's own clock: reading and writing.
func (c completion) ms() float64 { return c.Timings.PromptMs + c.Timings.PredictedMs }

// complete writes n tokens after the prompt, greedily; to the end token at the most, or
// past it when whole says that all n are to be written.
func (s *server) complete(ctx context.Context, prompt []backend.TokenID, n int, whole bool) (completion, error) {
	body, err := json.Marshal(map[string]any{
		"prompt": prompt, "n_predict": n, "cache_prompt": true, "ignore_eos": whole, "stream": false,
		"temperature": 0, "samplers": []string{"temperature"}, "logit_bias": s.forbid,
	})
	var c completion
	if err != nil {
		return c, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.base+"/completion", bytes.NewReader(body))
	if err != nil {
		return c, err
	}
	req.Header.Set("Content-Type", "application/json")
	begin := time.Now()
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return c, fmt.Errorf("asking llama-server: %w", err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	c.wall = time.Since(begin)
	if err != nil || res.StatusCode != http.StatusOK {
		return c, fmt.Errorf("llama-server answered %s: %.200s (%v)", res.Status, b, err)
	}
	if err := json.Unmarshal(b, &c); err != nil {
		return c, fmt.Errorf("llama-server's answer: %w", err)
	}
	return c, nil
}
