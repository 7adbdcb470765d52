package history

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
)

// repository is one that git reads.
type repository string

// git runs a command that only reads, without what a repository's own settings could make it
// run.
func (r repository) git(ctx context.Context, args ...string) ([]byte, error) {
	args = append([]string{"-C", string(r), "-c", "core.fsmonitor=false", "-c", "diff.external="}, args...)
	cmd := exec.CommandContext(ctx, "git", args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("git %s: %w: %s", args[6], err, strings.TrimSpace(stderr.String()))
	}
	return out, nil
}

// commits are the newest ones with one parent, the newest first.
func (r repository) commits(ctx context.Context, most int) ([]string, error) {
	out, err := r.git(ctx, "log", "--no-merges", "--min-parents=1", "--format=%H", "-n", strconv.Itoa(most), "HEAD")
	return strings.Fields(string(out)), err
}

// hunk is lines that a commit replaces: [from, from+len(old)) of the parent's file, from 0.
type hunk struct {
	from     int
	old, now []string // lines without their ends
}

// changed are the files that a commit modifies, by path.
func (r repository) changed(ctx context.Context, commit string) (map[string][]hunk, error) {
	out, err := r.git(ctx, "show", "--format=", "-U0", "--no-renames", "--no-color", "--no-ext-diff", "--no-textconv", "--diff-filter=M", commit)
	if err != nil {
		return nil, err
	}
	files := map[string][]hunk{}
	file := ""
	lines := bufio.NewScanner(bytes.NewReader(out))
	lines.Buffer(nil, 16<<20)
	header := false
	for lines.Scan() {
		l := lines.Text()
		switch {
		case strings.HasPrefix(l, "diff --git "):
			file, header = "", true
		case header && strings.HasPrefix(l, "+++ b/"):
			file = l[len("+++ b/"):]
		case strings.HasPrefix(l, "@@ "):
			header = false
			var from, n int
			old, _, _ := strings.Cut(strings.TrimPrefix(l, "@@ -"), " ")
			at, count, ok := strings.Cut(old, ",")
			from, _ = strconv.Atoi(at)
			if n = 1; ok {
				n, _ = strconv.Atoi(count)
			}
			if n > 0 {
				from-- // git counts from 1; of an insertion it names the line before
			}
			if file != "" {
				files[file] = append(files[file], hunk{from: from})
			}
		case header || file == "" || len(files[file]) == 0:
		case strings.HasPrefix(l, "-"):
			h := &files[file][len(files[file])-1]
			h.old = append(h.old, l[1:])
		case strings.HasPrefix(l, "+"):
			h := &files[file][len(files[file])-1]
			h.now = append(h.now, l[1:])
		}
	}
	return files, lines.Err()
}

// text is a file as it stands in a commit.
func (r repository) text(ctx context.Context, commit, path string) (string, error) {
	out, err := r.git(ctx, "show", "--no-textconv", commit+":"+path)
	return string(out), err
}

// holding are the files of a commit that hold a text, of those with an ending.
func (r repository) holding(ctx context.Context, commit, text, ending string) ([]string, error) {
	out, err := r.git(ctx, "grep", "-l", "-z", "-F", "--no-color", "-e", text, commit, "--", "*"+ending)
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, nil // none does
	}
	var paths []string
	for p := range strings.SplitSeq(strings.TrimSuffix(string(out), "\x00"), "\x00") {
		paths = append(paths, strings.TrimPrefix(p, commit+":"))
	}
	return paths, nil
}
