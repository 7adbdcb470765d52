package lsp

import (
	"context"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"go.lsp.dev/uri"
	"go.uber.org/zap"

	"github.com/seedling-lsp/seedling/infill"
	"github.com/seedling-lsp/seedling/treesitter"
)

// Bounds of what is read of a workspace.
const (
	libraryFiles   = 2000
	libraryBytes   = 4 << 20
	libraryFolders = 512                  // as many are watched
	libraryFile    = 256 << 10            // larger files are left out
	libraryPause   = 2 * time.Millisecond // after each file: a person is typing
	libraryReread  = 2 * time.Minute      // at the earliest, what changed on disk is looked for where nobody tells
	librarySurvey  = 20 * time.Minute     // and where somebody does: word can get lost
)

// rememberer is a Generator that can follow the ways of other documents.
type rememberer interface {
	Remember(document, text string)
	Forget(document string)
}

// library knows the code around the document that is worked in: the other open documents,
// the files of its folder, and those of the workspace. The engine remembers it, and where
// pieces of it are to stand in prompts, an index has what it defines. It reads in the
// background, after a request was answered, each file once for both, and what may not be
// suggested in is not read either.
type library struct {
	mu      sync.Mutex
	running bool
	scope   scope
	of      rememberer           // what it was given to
	read    map[string]time.Time // roots, and when
	files   map[string]fileState // by path
	open    map[uri.URI]int32    // versions of open documents
	paths   []string             // of files, for others than the reader; under mu
	stale   map[string]bool      // paths of files that changed on disk; under mu
	folders map[string]bool      // that were read
	blind   bool                 // some of them are not watched
	watch   func(string) bool    // has a folder watched, if that can be; nil: none
	done    sync.WaitGroup
	index   *infill.Index // empty unless scope.index
	pace    time.Duration // that passes after each file
}

// scope is what the settings want read, and what for.
type scope struct {
	remember string // Settings.Remember
	index    bool   // Settings.Context is not none
}

type fileState struct {
	changed time.Time
	size    int64
}

// rememberedAs is the name under which the engine remembers a document: one for all the ways
// in which clients write a file's URI. Each cell of a notebook has its own.
func rememberedAs(u uri.URI) string {
	if p := pathOf(u); p != "" && u.IsFile() {
		return p
	}
	return string(u)
}

// study brings what is remembered up to date, in the background, as seen from a document.
func (s *Server) study(gen Generator, doc *snapshot, set Settings) {
	m, ok := gen.(rememberer)
	if !ok {
		m = forgetful{}
	}
	l := &s.library
	l.mu.Lock()
	defer l.mu.Unlock()
	if !ok && set.Context == "none" && !l.scope.index || l.running || s.wire.Err() != nil {
		return
	}
	l.running = true
	l.done.Add(1)
	go func() {
		defer l.done.Done()
		l.update(s.wire, s, m, doc, set)
		l.mu.Lock()
		l.paths = slices.Collect(maps.Keys(l.files))
		l.running = false
		l.mu.Unlock()
	}()
}

// update runs alone.
func (l *library) update(ctx context.Context, s *Server, m rememberer, doc *snapshot, set Settings) {
	if l.of != m { // another model answers, which remembers nothing yet
		l.of, l.files = m, nil
	}
	if now := (scope{set.Remember, set.Context != "none"}); l.scope != now || l.files == nil {
		for p := range l.files {
			l.forget(m, p)
		}
		for u := range l.open {
			l.forget(m, rememberedAs(u))
		}
		l.scope, l.read, l.files, l.open = now, map[string]time.Time{}, map[string]fileState{}, map[uri.URI]int32{}
		l.folders, l.blind = map[string]bool{}, false
	}
	if set.Remember == "nothing" {
		return
	}
	editor := map[string]bool{} // paths that are open: they count as they stand there
	here := map[uri.URI]bool{}  // what is closed from here on is so for the next update: its path counts as open in this one
	for _, d := range s.docs.all() {
		editor[pathOf(d.uri)], here[d.uri] = true, true
		if v, ok := l.open[d.uri]; ok && v == d.version || d.uri == doc.uri && !ok {
			continue // the document itself is seen as it is
		}
		l.open[d.uri] = d.version
		if len(d.text()) <= libraryFile && s.withheld(d, set) == "" {
			open := infill.Document{Path: rememberedAs(d.uri), Language: d.language, Text: d.text()}
			if l.scope.index {
				open.Tree = d.syntax(s.parser)
			}
			l.keep(m, open)
		} else {
			l.forget(m, rememberedAs(d.uri))
		}
	}
	for u := range l.open {
		if p := pathOf(u); !here[u] { // closed: its file counts, when it is read again
			delete(l.open, u)
			delete(l.files, p)
			l.changed(p)
			if p == "" || set.Remember == "open" || rememberedAs(u) != p { // no file, or a cell of one
				l.forget(m, rememberedAs(u))
			}
		}
	}
	file := pathOf(doc.uri)
	if file == "" || set.Remember == "open" {
		return
	}
	start, files, bytes := time.Now(), len(l.files), 0
	for _, f := range l.files {
		bytes += int(f.size)
	}
	l.walk(ctx, s, m, set, filepath.Dir(file), false, editor, &bytes)
	if root := s.folders.holding(file); root != "" && set.Remember == "workspace" {
		l.walk(ctx, s, m, set, root, true, editor, &bytes)
	}
	l.refresh(s, m, set, editor, &bytes)
	if n := len(l.files); n != files {
		s.log.Debug("read the code around", zap.Int("files", n), zap.Int("bytes", bytes), zap.Duration("took", time.Since(start)))
	}
}

// walk reads the files under a folder, of those that changed since it last did, and forgets
// those that are gone.
func (l *library) walk(ctx context.Context, s *Server, m rememberer, set Settings, root string, deep bool, editor map[string]bool, bytes *int) {
	key := root
	if deep {
		key += string(filepath.Separator)
	}
	due := libraryReread
	if l.watch != nil && !l.blind {
		due = librarySurvey
	}
	if at, ok := l.read[key]; ok && time.Since(at) < due {
		return
	}
	l.read[key] = time.Now()
	for p, f := range l.files {
		if _, err := os.Lstat(p); err != nil && within(root, p) {
			l.forget(m, p)
			*bytes -= int(f.size)
			delete(l.files, p)
		}
	}
	_ = filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case len(l.files) >= libraryFiles || *bytes >= libraryBytes:
			return fs.SkipAll
		case err != nil: // what cannot be read is left out
			return nil
		case d.IsDir() && p != root && (!deep || skipped(d.Name()) || s.ignoredFolder(p, set)):
			return fs.SkipDir
		case d.IsDir():
			if l.watch != nil && !l.folders[p] {
				l.blind = len(l.folders) >= libraryFolders || !l.watch(p) || l.blind
				l.folders[p] = true
			}
			if !deep && p != root {
				return fs.SkipDir
			}
			return nil
		case !d.Type().IsRegular():
			return nil
		}
		info, err := d.Info()
		if err != nil || editor[p] {
			return nil
		}
		if !l.take(s, m, set, p, info, bytes) {
			return nil
		}
		return pause(ctx, l.pace)
	})
}

// take reads a file that is new, or another than it was; false: it is neither, or nothing to
// be read.
func (l *library) take(s *Server, m rememberer, set Settings, p string, info fs.FileInfo, bytes *int) bool {
	language := treesitter.Detect(info.Name(), "")
	module := l.scope.index && info.Name() == "go.mod" // it says what imports mean
	if language == treesitter.Text && !module || info.Size() > libraryFile {
		return false
	}
	old, known := l.files[p]
	state := fileState{info.ModTime(), info.Size()}
	if known && old == state {
		return false
	}
	text, err := os.ReadFile(p)
	if err != nil {
		return false
	}
	if known {
		*bytes -= int(old.size)
	}
	l.files[p] = state
	*bytes += int(state.size)
	file := newSnapshot(uri.File(p), language.String(), 0, valid(string(text)))
	if s.withheld(file, set) != "" {
		l.forget(m, p)
		return false
	}
	doc := infill.Document{Path: p, Language: language, Text: file.text()}
	if l.scope.index && language != treesitter.Text {
		doc.Tree, _ = s.parser.Parse(language, nil, doc.Text) // without a tree it defines nothing
	}
	l.keep(m, doc)
	doc.Tree.Close()
	return true
}

// changed takes note of a file that changed on disk, came or went: it is read again when
// something is asked for next. It may be called from anywhere.
func (l *library) changed(p string) {
	if name := filepath.Base(p); treesitter.Detect(name, "") == treesitter.Text && name != "go.mod" {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stale == nil {
		l.stale = map[string]bool{}
	}
	if len(l.stale) < libraryFiles { // what is more, the next survey finds
		l.stale[p] = true
	}
}

// refresh reads the files again that changed since the last time, in folders that are read.
func (l *library) refresh(s *Server, m rememberer, set Settings, editor map[string]bool, bytes *int) {
	l.mu.Lock()
	stale := l.stale
	l.stale = nil
	l.mu.Unlock()
	for p := range stale {
		info, err := os.Lstat(p)
		old, known := l.files[p]
		switch {
		case editor[p]: // it counts as it stands there
		case err != nil || !info.Mode().IsRegular() || info.Size() > libraryFile:
			if known {
				l.forget(m, p)
				*bytes -= int(old.size)
				delete(l.files, p)
			}
		case known || l.folders[filepath.Dir(p)] && len(l.files) < libraryFiles && *bytes < libraryBytes:
			l.take(s, m, set, p, info, bytes)
		}
	}
}

// keep takes in a document, in place of what was known of it.
func (l *library) keep(m rememberer, doc infill.Document) {
	if doc.Language != treesitter.Text {
		m.Remember(doc.Path, infill.HideSecrets(doc.Text))
	}
	if l.scope.index {
		l.index.Put(doc)
	}
}

func (l *library) forget(m rememberer, name string) {
	m.Forget(name)
	l.index.Drop(name)
}

// forgetful is in the place of a generator that remembers nothing.
type forgetful struct{}

func (forgetful) Remember(string, string) {}
func (forgetful) Forget(string)           {}

// skipped are folders that hold no code of the person's own.
func skipped(name string) bool {
	return name[0] == '.' || name == "node_modules" || name == "vendor" || name == "testdata" || name == "target" || name == "dist" || name == "build" || name == "__pycache__"
}

// ignoredFolder says whether nothing in a folder counts.
func (s *Server) ignoredFolder(folder string, set Settings) bool {
	line, _ := s.ignores.why(filepath.Join(folder, "x"), s.folders.holding(folder), !set.Gitignored)
	return line != ""
}

// known are the files that are remembered, open ones aside, in no order.
func (l *library) known() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.paths)
}

// wait returns when nothing is read any more.
func (l *library) wait() { l.done.Wait() }
