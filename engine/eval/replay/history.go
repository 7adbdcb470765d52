package replay

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"github.com/aymanbagabas/go-udiff"

	"github.com/seedling-lsp/seedling/treesitter"
)

// Bounds of what is recorded.
type Bounds struct {
	Keys     int // at least so many, if the history has them; 0: 1,000
	Commits  int // looked at, the latest first; 0: 500
	FileSize int // bytes of a text; 0: 64 KB
	Files    int // of a commit: who changed more is taken to have begun with these. 0: 4
	// Share is how many of the keys one commit may give, so that none makes up the whole.
	// 0: a quarter of Keys.
	Share int
}

func (b Bounds) withDefaults() Bounds {
	or := func(v *int, d int) {
		if *v <= 0 {
			*v = d
		}
	}
	or(&b.Keys, 1000)
	or(&b.Commits, 500)
	or(&b.FileSize, 64<<10)
	or(&b.Files, 4)
	or(&b.Share, max(1, b.Keys/4))
	return b
}

// ErrHistory is returned for a folder without a git history of code.
var ErrHistory = errors.New("no git history of Go or Python in which files were changed; give a clone with its history (not --depth 1)")

// Record makes a script of the history of the git repository at dir: of the latest commits
// (merges aside) that change files of languages the model has seen, until there are enough keys.
// It needs git.
func Record(ctx context.Context, dir string, b Bounds) (Script, error) {
	b = b.withDefaults()
	s := Script{Source: filepath.Base(filepath.Clean(dir))}
	if abs, err := filepath.Abs(dir); err == nil {
		s.Source = filepath.Base(abs)
	}
	log, err := git(ctx, dir, "log", "--no-merges", "--no-renames", "--diff-filter=M", "--relative", fmt.Sprintf("--max-count=%d", b.Commits),
		"--name-only", "-z", "--format=%x01%H", "--", "*.go", "*.py")
	if err != nil {
		return Script{}, err
	}
	keys := 0
	for _, commit := range strings.Split(log, "\x01") {
		hash, names, _ := strings.Cut(commit, "\x00")
		hash = strings.TrimSpace(hash)
		paths := strings.FieldsFunc(names, func(r rune) bool { return r == 0 || r == '\n' })
		if hash == "" || len(paths) == 0 {
			continue
		}
		session, err := b.session(ctx, dir, hash, paths)
		if err != nil {
			return Script{}, err
		}
		if len(session.Changes) == 0 {
			continue
		}
		pressed, err := Script{Sessions: []Session{session}}.Keys()
		if err != nil {
			return Script{}, err
		}
		s.Sessions = append(s.Sessions, session)
		if keys += len(pressed); keys >= b.Keys {
			return s, nil
		}
	}
	if len(s.Sessions) == 0 {
		return Script{}, fmt.Errorf("%s: %w", dir, ErrHistory)
	}
	return s, nil
}

// aTurn is how many changes are made in a file before the next one's turn comes.
const aTurn = 3

// session is what a commit changed in the files, in turns, within the bounds.
func (b Bounds) session(ctx context.Context, dir, hash string, paths []string) (Session, error) {
	var s Session
	var edits [][]udiff.Edit
	for _, path := range paths {
		if len(s.Files) == b.Files {
			break
		}
		before, err := git(ctx, dir, "show", hash+"^:./"+path)
		if err != nil {
			if ctx.Err() != nil {
				return Session{}, context.Cause(ctx)
			}
			continue // the parent is not here: the history is cut off
		}
		after, err := git(ctx, dir, "show", hash+":./"+path)
		if err != nil {
			return Session{}, err
		}
		if max(len(before), len(after)) > b.FileSize || !utf8.ValidString(before) || !utf8.ValidString(after) || strings.Contains(before+after, "\r") || !treesitter.Detect(path, "").HasGrammar() {
			continue
		}
		s.Files = append(s.Files, File{Path: path, Text: before})
		edits = append(edits, udiff.Lines(before, after))
	}
	shift := make([]int, len(edits))
	keys := 0
	for left := true; left && keys < b.Share; {
		left = false
		for f := range edits {
			for turn := 0; turn < aTurn && len(edits[f]) > 0 && keys < b.Share; turn++ {
				e := edits[f][0]
				edits[f] = edits[f][1:]
				left = true
				c := narrow(s.Files[f].Text, e)
				c.File, c.At = f, c.At+shift[f]
				shift[f] += len(e.New) - (e.End - e.Start)
				s.Changes = append(s.Changes, c)
				keys++
				if len(c.Insert) < pasteFrom {
					keys += len(c.Insert)
				}
			}
		}
	}
	return s.touched(), nil
}

// touched is the session without the files that it does not change.
func (s Session) touched() Session {
	var out Session
	index := make([]int, len(s.Files)) // from 1; 0: not there yet
	for _, c := range s.Changes {
		if index[c.File] == 0 {
			out.Files = append(out.Files, s.Files[c.File])
			index[c.File] = len(out.Files)
		}
		c.File = index[c.File] - 1
		out.Changes = append(out.Changes, c)
	}
	return out
}

// narrow leaves out of an edit of lines what stays at its beginning and its end.
func narrow(text string, e udiff.Edit) Change {
	old, now := text[e.Start:e.End], e.New
	at := 0
	for at < len(old) && at < len(now) && old[at] == now[at] {
		at++
	}
	for at > 0 && (at < len(old) && !utf8.RuneStart(old[at]) || at < len(now) && !utf8.RuneStart(now[at])) {
		at--
	}
	old, now = old[at:], now[at:]
	end := 0
	for end < len(old) && end < len(now) && old[len(old)-1-end] == now[len(now)-1-end] {
		end++
	}
	for end > 0 && !utf8.RuneStart(old[len(old)-end]) {
		end--
	}
	return Change{At: e.Start + at, Delete: len(old) - end, Insert: now[:len(now)-end]}
}

func git(ctx context.Context, dir string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", append([]string{"-C", dir}, args...)...)
	var out, complaint bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaint
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return "", context.Cause(ctx)
		}
		if errors.Is(err, exec.ErrNotFound) {
			return "", fmt.Errorf("git is not installed: %w", err)
		}
		return "", fmt.Errorf("git %s in %s: %w: %s", args[0], dir, err, strings.TrimSpace(complaint.String()))
	}
	return out.String(), nil
}
