package lsp

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"go.lsp.dev/protocol"
	"go.lsp.dev/uri"

	"github.com/seedling-lsp/seedling/infill"
	"github.com/seedling-lsp/seedling/treesitter"
)

// aroundTime bounds what Around reads.
const aroundTime = 3 * time.Second

// Around is what a server would know of the files around a file, for a command that looks
// at one file once: what its project defines, read as a server reads a workspace, and the
// other files of its folder as if they were open. note says in plain words how much was
// read.
func Around(ctx context.Context, file string) (src infill.Sources, note string) {
	file, err := filepath.Abs(file)
	if err != nil {
		return src, "no other file was read: " + err.Error()
	}
	s := New(Options{})
	defer s.parser.Close()
	s.ignores.watched, s.library.watch = nil, nil // nothing changes while a command runs
	root := rootOf(file)
	s.folders.change(nil, []protocol.WorkspaceFolder{{URI: uri.File(root), Name: root}})
	l := &s.library
	l.scope, l.pace = scope{"workspace", true}, 0
	l.read, l.files = map[string]time.Time{}, map[string]fileState{}
	ctx, cancel := context.WithTimeout(ctx, aroundTime)
	defer cancel()
	start, bytes := time.Now(), 0
	own := map[string]bool{file: true}
	l.walk(ctx, s, forgetful{}, s.current(), filepath.Dir(file), false, own, &bytes)
	l.walk(ctx, s, forgetful{}, s.current(), root, true, own, &bytes)
	for _, d := range infill.Beside(file) {
		d.Path, _ = filepath.Abs(d.Path)
		doc := newSnapshot(uri.File(d.Path), d.Language.String(), 0, d.Text)
		if len(src.Recent) < latestDocuments && d.Language != treesitter.Text && s.withheld(doc, s.current()) == "" {
			src.Recent = append(src.Recent, d)
		}
	}
	src.Index, src.Path = l.index, file
	files, definitions, _ := l.index.Size()
	return src, fmt.Sprintf("other files: of %s, %d with %d definitions were read in %v", root, files, definitions, time.Since(start).Round(time.Millisecond))
}

// rootOf is the folder of a file's project: the nearest one above it that looks like
// the root of one, else its own.
func rootOf(file string) string {
	for dir := filepath.Dir(file); ; dir = filepath.Dir(dir) {
		for _, mark := range []string{".git", "go.mod", "pyproject.toml", "setup.py", "package.json", "Cargo.toml", "pom.xml"} {
			if _, err := os.Lstat(filepath.Join(dir, mark)); err == nil {
				return dir
			}
		}
		if dir == filepath.Dir(dir) {
			return filepath.Dir(file)
		}
	}
}
