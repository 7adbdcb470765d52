package lsp

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"
)

// ownIgnore is our ignore file, read beside git's and before it: what it says of a path,
// to ignore it or (by !) not, counts before every .gitignore.
const ownIgnore = ".seedlingignore"

// ignores knows which files are ignored, by the rules that git has: a folder's file speaks
// of what is below the folder, the nearest one counts, in it the last line that matches, and
// nothing below an ignored folder comes back. Not looked at is git's index: a file that was
// added although a rule ignores it is ignored here.
type ignores struct {
	// watched starts to watch a folder for changes of its ignore files, which end in
	// forget, and says whether that is possible. Folders that are not watched are read each
	// time. nil: none is watched.
	watched func(folder string) bool
	// log says what could not be read.
	log func(path string, err error)

	changed struct { // apart, so that a disk that does not answer holds no one up who tells
		sync.Mutex
		all     bool
		folders []string
	}

	mu      sync.Mutex
	folders map[string]*ignoreFolder
	once    map[string]*ignoreFolder // those that are not watched, while one file is looked at
	files   map[string]*ignoreFile   // which are of no folder: git's exclude files
	global  func() string            // git's core.excludesFile, found when it is first asked for
}

// ignoreFolder is what stands in one folder.
type ignoreFolder struct{ git, own []ignoreRule }

// ignoreFile is an exclude file as it was when it was read last.
type ignoreFile struct {
	size  int64
	time  time.Time
	rules []ignoreRule
}

// foldCase is git's core.ignoreCase as it sets it on each system.
const foldCase = runtime.GOOS == "windows" || runtime.GOOS == "darwin"

// largestIgnore is the size in bytes of the largest ignore file that is read.
const largestIgnore = 4 << 20

// rules reads an ignore file. A symbolic link is none to git, what is no file could block.
func (g *ignores) rules(path string) []ignoreRule {
	info, err := os.Lstat(path)
	if err == nil && info.Mode().IsRegular() && info.Size() <= largestIgnore {
		var data []byte
		if data, err = os.ReadFile(path); err == nil {
			return ignoreRules(data, foldCase)
		}
	}
	if err == nil {
		err = fmt.Errorf("it is no file of at most %d MB", largestIgnore>>20)
	}
	if !os.IsNotExist(err) && g.log != nil {
		g.log(path, err)
	}
	return nil
}

// folder reads a folder, or has read it. mu is held.
func (g *ignores) folder(path string) *ignoreFolder {
	if f := g.folders[path]; f != nil {
		return f
	}
	if f := g.once[path]; f != nil {
		return f
	}
	kept := g.watched != nil && g.watched(path) // before it is read, lest a change slip by
	f := &ignoreFolder{git: g.rules(filepath.Join(path, ".gitignore")), own: g.rules(filepath.Join(path, ownIgnore))}
	if kept {
		if g.folders == nil {
			g.folders = map[string]*ignoreFolder{}
		}
		g.folders[path] = f
	} else {
		g.once[path] = f
	}
	return f
}

// file reads an exclude file again if it is another than it was. mu is held.
func (g *ignores) file(path string) []ignoreRule {
	info, err := os.Lstat(path)
	if err != nil {
		return nil
	}
	if f := g.files[path]; f != nil && f.size == info.Size() && f.time.Equal(info.ModTime()) {
		return f.rules
	}
	f := &ignoreFile{info.Size(), info.ModTime(), g.rules(path)}
	if g.files == nil {
		g.files = map[string]*ignoreFile{}
	}
	g.files[path] = f
	return f.rules
}

// forget makes the ignore files of a folder be read again; with no folder, all. It does
// not wait for any disk.
func (g *ignores) forget(folder string) {
	g.changed.Lock()
	defer g.changed.Unlock()
	g.changed.all = g.changed.all || folder == "" || len(g.changed.folders) > 1000
	if g.changed.all {
		g.changed.folders = nil
	} else {
		g.changed.folders = append(g.changed.folders, folder)
	}
}

// renew drops what is to be forgotten. mu is held.
func (g *ignores) renew() {
	g.changed.Lock()
	defer g.changed.Unlock()
	if g.changed.all {
		clear(g.folders)
	}
	for _, f := range g.changed.folders {
		delete(g.folders, f)
	}
	g.changed.all, g.changed.folders = false, nil
	g.once = map[string]*ignoreFolder{}
}

// why says which line of which file makes a file be ignored, as .gitignore:3; empty: none
// does. workspace is the workspace folder that holds the file, or empty; byOwn is whether
// the line is one of a .seedlingignore.
func (g *ignores) why(file, workspace string, git bool) (line string, byOwn bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.renew()
	up, root, exclude := above(file, workspace)
	// From the outermost folder down to the file: an ignored folder ends it.
	for i := len(up) - 2; i >= -1; i-- {
		path, folder := file, false
		if i >= 0 {
			path, folder = up[i], true
		}
		above := up[i+1:]
		rule, from := g.decide(path, folder, above, func(f *ignoreFolder) []ignoreRule { return f.own })
		name := filepath.Join(from, ownIgnore)
		if byOwn = rule != nil; !byOwn && git {
			above = up[i+1 : max(i+1, root+1)]
			rule, from = g.decide(path, folder, above, func(f *ignoreFolder) []ignoreRule { return f.git })
			name = filepath.Join(from, ".gitignore")
			if rule == nil && len(above) > 0 {
				rule, name = g.excluded(path, folder, up[root], exclude)
			}
		}
		if rule != nil && !rule.negative {
			if rel, err := filepath.Rel(up[len(up)-1], name); err == nil && filepath.IsLocal(rel) {
				name = filepath.ToSlash(rel)
			}
			return fmt.Sprintf("%s:%d", name, rule.line), byOwn
		}
	}
	return "", false
}

// above are the folders whose files speak of a file, the nearest first: up to the
// workspace folder and the root of the repository, the outer of them; a file that is in
// neither has its own folder alone. root is the index of the outermost that .gitignore
// files count in, exclude the repository's exclude file, if there is a repository.
func above(file, workspace string) (up []string, root int, exclude string) {
	root, top := -1, -1
	for dir := filepath.Dir(file); ; dir = filepath.Dir(dir) {
		up = append(up, dir)
		if dir == workspace {
			top = len(up) - 1
		}
		if exclude == "" {
			if exclude = excludeOf(dir); exclude != "" {
				root = len(up) - 1
			}
		}
		if root >= 0 && (workspace == "" || top >= 0) || dir == filepath.Dir(dir) {
			break
		}
	}
	top = max(top, root, 0)
	if root < 0 {
		root = top
	}
	return up[:top+1], root, exclude
}

// decide finds the rule that counts for a path, and the folder whose it is. above are the
// folders over the path, the nearest first.
func (g *ignores) decide(path string, folder bool, above []string, of func(*ignoreFolder) []ignoreRule) (rule *ignoreRule, from string) {
	for _, dir := range above {
		if rules := of(g.folder(dir)); len(rules) > 0 {
			if rel, err := filepath.Rel(dir, path); err == nil {
				if rule := lastOf(rules, filepath.ToSlash(rel), folder); rule != nil {
					return rule, dir
				}
			}
		}
	}
	return nil, ""
}

// excluded asks the exclude files of the repository and of the user.
func (g *ignores) excluded(path string, folder bool, root, exclude string) (rule *ignoreRule, name string) {
	rel, err := filepath.Rel(root, path)
	if err != nil {
		return nil, ""
	}
	if g.global == nil {
		g.global = sync.OnceValue(globalExclude)
	}
	for _, name := range []string{exclude, g.global()} {
		if name == "" {
			continue
		}
		if rule := lastOf(g.file(name), filepath.ToSlash(rel), folder); rule != nil {
			return rule, name
		}
	}
	return nil, ""
}

// excludeOf is the exclude file of the repository whose root a folder is, whether there is
// such a file or not; empty: it is no root. In a worktree or a submodule .git is a file
// that names the place.
func excludeOf(folder string) string {
	dir := filepath.Join(folder, ".git")
	info, err := os.Stat(dir)
	if err != nil {
		return ""
	}
	if !info.IsDir() {
		at := func(name, prefix string) (string, bool) {
			data, err := readShort(name)
			place, ok := strings.CutPrefix(strings.TrimSpace(data), prefix)
			return place, err == nil && ok && place != ""
		}
		place, ok := at(dir, "gitdir: ")
		if !ok {
			return ""
		}
		if dir = place; !filepath.IsAbs(dir) {
			dir = filepath.Join(folder, dir)
		}
		if common, ok := at(filepath.Join(dir, "commondir"), ""); ok {
			if !filepath.IsAbs(common) {
				common = filepath.Join(dir, common)
			}
			dir = common
		}
	}
	return filepath.Join(dir, "info", "exclude")
}

// readShort reads a file of a line or two.
func readShort(name string) (string, error) {
	info, err := os.Stat(name)
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() || info.Size() > 1<<16 {
		return "", fs.ErrInvalid
	}
	data, err := os.ReadFile(name)
	return string(data), err
}

// globalExclude is the user's core.excludesFile. git is asked about the user's own
// configuration only: that of a repository is other people's.
func globalExclude() string {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	if out, err := exec.CommandContext(ctx, "git", "config", "--global", "--type=path", "--get", "core.excludesFile").Output(); err == nil {
		if name := strings.TrimRight(string(out), "\r\n"); filepath.IsAbs(name) {
			return name
		}
	}
	if dir := os.Getenv("XDG_CONFIG_HOME"); dir != "" {
		return filepath.Join(dir, "git", "ignore")
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return ""
	}
	return filepath.Join(home, ".config", "git", "ignore")
}
