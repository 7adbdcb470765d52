package lsp

import (
	"context"
	"path/filepath"
	"strings"
	"sync"

	"github.com/fsnotify/fsnotify"
	"go.lsp.dev/protocol"
	"go.lsp.dev/uri"
	"go.uber.org/zap"

	"github.com/seedling-lsp/seedling/treesitter"
)

// ignoreNames are the files whose changes matter.
var ignoreNames = map[string]bool{".gitignore": true, ownIgnore: true, ".git": true}

// sourceGlob are the files that are remembered.
var sourceGlob = "**/{go.mod,*{" + strings.Join(treesitter.Extensions(), ",") + "}}"

// register asks the client to tell of what it only tells when asked: changes of its
// settings, and of ignore files. It waits for the client, so it must not run on the read
// loop.
func (s *Server) register(ctx context.Context, configuration, files bool) {
	var wanted []any
	if configuration {
		wanted = append(wanted, map[string]any{"id": "seedling/configuration", "method": protocol.MethodWorkspaceDidChangeConfiguration, "registerOptions": map[string]any{"section": "seedling"}})
	}
	if files {
		wanted = append(wanted, map[string]any{"id": "seedling/ignore", "method": protocol.MethodWorkspaceDidChangeWatchedFiles,
			"registerOptions": map[string]any{"watchers": []any{map[string]any{"globPattern": "**/{.gitignore," + ownIgnore + "}"}, map[string]any{"globPattern": sourceGlob}}}})
	}
	if len(wanted) == 0 {
		return
	}
	if _, err := s.conn.Call(ctx, protocol.MethodClientRegisterCapability, rawJSON(map[string]any{"registrations": wanted}), nil); err != nil {
		s.log.Info("client/registerCapability", zap.Error(err))
		return
	}
	s.clientWatches.Store(files)
}

// watched says whether a change of the ignore files in a folder will be heard of: from the
// client, which sees its own folders, or from the system.
func (s *Server) watched(folder string) bool {
	if s.clientWatches.Load() && s.folders.holding(folder) != "" {
		return true
	}
	return s.watcher.add(folder)
}

// DidChangeWatchedFiles implements protocol.Server.
func (s *Server) DidChangeWatchedFiles(_ context.Context, p *protocol.DidChangeWatchedFilesParams) error {
	for _, c := range p.Changes {
		s.changed(c.URI)
	}
	return nil
}

// DidSave implements protocol.Server. What is on disk is of no interest: the editor's text
// counts, also when the file is deleted under it. But the rules of an ignore file that is
// saved hold at once, whether anybody watches it or not.
func (s *Server) DidSave(_ context.Context, p *protocol.DidSaveTextDocumentParams) error {
	s.changed(p.TextDocument.URI)
	return nil
}

// changed takes note of a file that changed on disk.
func (s *Server) changed(u uri.URI) {
	p := pathOf(u)
	if ignoreNames[filepath.Base(p)] {
		s.ignores.forget(filepath.Dir(p))
	}
	if p != "" {
		s.library.changed(p)
	}
}

// watcher watches folders by the system's own means.
type watcher struct {
	changed func(folder string) // its ignore files did
	file    func(path string)   // any file did
	log     *zap.Logger

	mu     sync.Mutex
	system *fsnotify.Watcher
	broken bool // it cannot be had, or the server ends
	done   chan struct{}
}

// add watches a folder, and what is watched already too; false: it cannot be watched.
func (w *watcher) add(folder string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.broken {
		return false
	}
	if w.system == nil {
		system, err := fsnotify.NewWatcher()
		if err != nil {
			w.broken = true
			w.log.Info("ignore files are read at every request: they cannot be watched", zap.Error(err))
			return false
		}
		w.system, w.done = system, make(chan struct{})
		go w.run(system, w.done)
	}
	if err := w.system.Add(folder); err != nil {
		w.log.Debug("an ignore file is read at every request: its folder cannot be watched", zap.Error(err))
		return false
	}
	return true
}

// run tells of changes until the watcher is closed.
func (w *watcher) run(system *fsnotify.Watcher, done chan struct{}) {
	defer close(done)
	for {
		select {
		case e, ok := <-system.Events:
			if !ok {
				return
			}
			if ignoreNames[filepath.Base(e.Name)] {
				w.changed(filepath.Dir(e.Name))
			}
			w.file(e.Name)
			if e.Op.Has(fsnotify.Remove | fsnotify.Rename) { // perhaps the folder itself
				w.changed(e.Name)
			}
		case err, ok := <-system.Errors:
			if !ok {
				return
			}
			w.log.Info("watching ignore files", zap.Error(err)) // events were lost
			w.changed("")
		}
	}
}

// close ends it, and waits until nothing is told any more.
func (w *watcher) close() {
	w.mu.Lock()
	w.broken = true
	system, done := w.system, w.done
	w.mu.Unlock()
	if system != nil {
		system.Close()
		<-done
	}
}
