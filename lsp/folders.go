package lsp

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"go.lsp.dev/protocol"
	"go.lsp.dev/uri"
)

// workspace is the folders that the client has open. They come and go.
type workspace struct {
	mu      sync.Mutex
	folders []string // paths of this system, clean
}

// pathOf is the URI of a file, or of a cell of a notebook in one, as a path of this system;
// of other URIs empty.
func pathOf(u uri.URI) string {
	if parsed, err := uri.Parse(string(u)); err == nil && parsed.Scheme() == "vscode-notebook-cell" {
		u = uri.File(parsed.Path())
	}
	if !u.IsFile() {
		return ""
	}
	if p := u.FsPath(); filepath.IsAbs(p) {
		return filepath.Clean(p)
	}
	return ""
}

// change lets folders go and come; those that are no files' are none to us.
func (w *workspace) change(gone, come []protocol.WorkspaceFolder) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, f := range gone {
		p := pathOf(f.URI)
		w.folders = slices.DeleteFunc(w.folders, func(have string) bool { return have == p })
	}
	for _, f := range come {
		if p := pathOf(f.URI); p != "" && !slices.Contains(w.folders, p) {
			w.folders = append(w.folders, p)
		}
	}
}

// holding is the innermost folder that a file, or a folder, is in; empty: none is.
func (w *workspace) holding(path string) (folder string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, f := range w.folders {
		if within(f, path) && len(f) > len(folder) {
			folder = f
		}
	}
	return folder
}

// within says whether a path is a folder or is in it.
func within(folder, path string) bool {
	rest, ok := strings.CutPrefix(path, folder)
	return ok && (rest == "" || rest[0] == filepath.Separator || strings.HasSuffix(folder, string(filepath.Separator)))
}

// opened takes the folders of initialize: the list of the newer clients, the one root of
// the older ones.
func (w *workspace) opened(p *protocol.InitializeParams) {
	folders, _ := p.WorkspaceFolders.Get()
	if len(folders) == 0 && p.RootURI != nil {
		folders = []protocol.WorkspaceFolder{{URI: *p.RootURI}}
	}
	if root, ok := p.RootPath.Get(); len(folders) == 0 && ok && filepath.IsAbs(root) {
		folders = []protocol.WorkspaceFolder{{URI: uri.File(root)}}
	}
	w.change(nil, folders)
}

// DidChangeWorkspaceFolders implements protocol.Server.
func (s *Server) DidChangeWorkspaceFolders(_ context.Context, p *protocol.DidChangeWorkspaceFoldersParams) error {
	s.folders.change(p.Event.Removed, p.Event.Added)
	s.ignores.forget("") // the client watches other folders now
	return nil
}
