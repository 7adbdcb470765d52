package stats

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestServersAdd: five servers that count at the same time lose nothing of one another.
func TestServersAdd(t *testing.T) {
	store := Store{filepath.Join(t.TempDir(), "state", "seedling")}
	var wg sync.WaitGroup
	for range 5 {
		wg.Go(func() {
			for range 10 {
				r := NewRecorder(store, func(err error) { t.Error(err) })
				r.Count("go", Completion, func(c *Counts) {
					c.Asked++
					c.Latency.Add(3 * time.Millisecond)
				})
				r.Close()
			}
		})
	}
	wg.Wait()
	f, err := store.Read()
	if err != nil {
		t.Fatal(err)
	}
	all, by := f.Total(Completion, "")
	if all.Asked != 50 || len(by) != 1 || by[0].Name != "go" || all.Latency[2] != 50 || all.Latency.Quantile(0.5) != 5 {
		t.Errorf("%+v %+v", all, by)
	}
	if runtime.GOOS != "windows" {
		for path, want := range map[string]os.FileMode{store.Path(): 0o600, store.Dir: 0o700} {
			if i, err := os.Stat(path); err != nil || i.Mode().Perm() != want {
				t.Errorf("%s: %v %v", path, i.Mode(), err)
			}
		}
	}
	left, _ := filepath.Glob(filepath.Join(store.Dir, "*"))
	if len(left) != 2 { // the file and the lock
		t.Errorf("left behind: %v", left)
	}
	if err := store.Reset(); err != nil {
		t.Fatal(err)
	}
	if f, err := store.Read(); err != nil || len(f.Days) != 0 {
		t.Errorf("after a reset: %+v %v", f, err)
	}
}

// TestWritten: counts are written by themselves, soon, and once for many.
func TestWritten(t *testing.T) {
	store := Store{t.TempDir()}
	synctest.Test(t, func(t *testing.T) {
		r := NewRecorder(store, func(err error) { t.Error(err) })
		for range 100 {
			r.Count("go", Completion, func(c *Counts) { c.Shown++ })
		}
		r.Editor("Neovim", "0.12.4")
		r.Problem("the engine\nfailed")
		if _, err := os.Stat(store.Path()); err == nil {
			t.Error("written at once")
		}
		time.Sleep(Every + time.Second)
		synctest.Wait()
		f, err := store.Read()
		if err != nil {
			t.Fatal(err)
		}
		if all, _ := f.Total(Completion, ""); all.Shown != 100 || len(f.Editors) != 1 || f.Editors[0].Name != "Neovim 0.12.4" || f.Problems[0].Message != "the engine failed" {
			t.Errorf("%+v", f)
		}
		r.Close()
		r.Count("go", Completion, func(c *Counts) { c.Shown++ })
		r.Flush()
	})
	f, _ := store.Read()
	if all, _ := f.Total(Completion, ""); all.Shown != 100 {
		t.Errorf("counted after the end: %+v", all)
	}
}

// TestBounds: what hundreds of editors, languages and days would leave is cut, the newest
// kept. Without it the file would grow for ever.
func TestBounds(t *testing.T) {
	var f File
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for i := range 300 {
		day := start.AddDate(0, 0, i)
		f.counts(day.Format(time.DateOnly), "go", Completion).Asked++
		f.counts("2026-10-27", fmt.Sprint("language", i), NextEdit).Asked++
		f.seen(Editor{fmt.Sprint("editor", i, strings.Repeat("é", 100)), day})
		f.Problems = append(f.Problems, Problem{day, strings.Repeat("é", 1000)})
	}
	f.merge(File{})
	if len(f.Days) != maxDays || f.Days["2026-10-27"] == nil || f.Days["2026-01-01"] != nil {
		t.Errorf("%d days", len(f.Days))
	}
	if n := len(f.Days["2026-10-27"]); n > maxLanguages+1 {
		t.Errorf("%d languages", n)
	}
	if all, _ := f.Total(NextEdit, "2026-10-01"); all.Asked != 300 {
		t.Errorf("%d of 300 counted", all.Asked)
	}
	if len(f.Editors) != maxEditors || !strings.HasPrefix(f.Editors[0].Name, "editor299") || len(f.Editors[0].Name) > maxName {
		t.Errorf("%+v", f.Editors)
	}
	if len(f.Problems) != maxProblems || len(f.Problems[0].Message) != maxMessage {
		t.Errorf("%d problems", len(f.Problems))
	}
}

// TestBroken: a file that cannot be read is put aside, not lost, and counting goes on; one
// of a newer version stays as it is.
func TestBroken(t *testing.T) {
	store := Store{t.TempDir()}
	count := func() (failed error) {
		r := NewRecorder(store, func(err error) { failed = err })
		r.Count("go", Completion, func(c *Counts) { c.Asked++ })
		r.Close()
		return failed
	}
	if err := os.WriteFile(store.Path(), []byte(`{"version":1,"days":`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Read(); !errors.Is(err, errUnreadable) || !strings.Contains(err.Error(), "seedling stats --reset") {
		t.Errorf("reading: %v", err)
	}
	if err := count(); err != nil {
		t.Error(err)
	}
	if b, err := os.ReadFile(store.Path() + ".broken"); err != nil || len(b) == 0 {
		t.Errorf("put aside: %q %v", b, err)
	}
	if f, err := store.Read(); err != nil || f.Days == nil {
		t.Errorf("%+v %v", f, err)
	}
	newer := []byte(`{"version":99,"days":{}}`)
	if err := os.WriteFile(store.Path(), newer, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := count(); err == nil || !strings.Contains(err.Error(), "newer") {
		t.Errorf("a newer version: %v", err)
	}
	if b, _ := os.ReadFile(store.Path()); string(b) != string(newer) {
		t.Errorf("a newer version was changed: %s", b)
	}
}

// TestKept: what could not be written waits and is said once.
func TestKept(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	if err := os.WriteFile(dir, nil, 0o600); err != nil { // a file where the folder should be
		t.Fatal(err)
	}
	said := 0
	r := NewRecorder(Store{dir}, func(error) { said++ })
	for range 3 {
		r.Count("go", Completion, func(c *Counts) { c.Asked++ })
		r.Flush()
	}
	if err := os.Remove(dir); err != nil {
		t.Fatal(err)
	}
	r.Close()
	f, err := Store{dir}.Read()
	if err != nil {
		t.Fatal(err)
	}
	if all, _ := f.Total(Completion, ""); all.Asked != 3 || said != 1 {
		t.Errorf("%d counted, said %d times", all.Asked, said)
	}
}

func TestFolder(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("XDG_STATE_HOME", dir)
	if got, err := Folder(); err != nil || got != filepath.Join(dir, "seedling") {
		t.Errorf("%s %v", got, err)
	}
	t.Setenv("XDG_STATE_HOME", "relative")
	if got, err := Folder(); err != nil || !filepath.IsAbs(got) || strings.Contains(got, "relative") {
		t.Errorf("%s %v", got, err)
	}
}

// TestPrint: a person reads shares and bounds, not sums.
func TestPrint(t *testing.T) {
	var f File
	var b strings.Builder
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.Local)
	f.Print(&b, 0, now)
	if !strings.Contains(b.String(), "nothing was counted yet") {
		t.Errorf("%s", b.String())
	}
	c := f.counts("2026-11-24", "go", Completion)
	*c = Counts{Asked: 100, Shown: 40, Accepted: 10, Kept: 9, Changed: 1, Characters: 321, Context: 1000, Cached: 900}
	for range 99 {
		c.Latency.Add(4 * time.Millisecond)
	}
	c.Latency.Add(time.Minute)
	f.counts("2026-11-24", "python", NextEdit).Shown = 3
	f.counts("2025-01-01", "go", Completion).Asked = 7
	b.Reset()
	f.Print(&b, 7, now)
	want := `completion      asked    shown       accepted  partial      kept 30 s characters  latency p50, p95
  go              100       40       10  25 %        0        9  90 %        321  ≤ 5 ms, ≤ 5 ms

next edit       asked    shown       accepted  partial      kept 30 s characters  latency p50, p95
  python            0        3        0   0 %        0        0                0  –, –

context in the cache: 90 % of 1000 tokens
latency of completions, ms:
       ≤ 5       99 ▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪
      more        1 ▪
by day:
  2026-11-24  43 shown, 10 accepted (23 %)
`
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Error(diff)
	}
}

// TestHealth: a person sees which editor came, and what it was last told.
func TestHealth(t *testing.T) {
	now := time.Date(2026, 5, 4, 12, 0, 0, 0, time.Local)
	var b strings.Builder
	f := &File{}
	if f.Health(&b, now) || !strings.Contains(b.String(), "none was seen") {
		t.Errorf("%s", b.String())
	}
	f.Editors = []Editor{{Name: "Neovim 0.12.4", Last: now.Add(-time.Minute)}, {Name: "helix", Last: now.Add(-time.Hour)}}
	for i := range 5 {
		f.Problems = append(f.Problems, Problem{now.Add(-time.Duration(20+i) * time.Hour), "trouble " + string(rune('a'+i))})
	}
	b.Reset()
	recent := f.Health(&b, now)
	if want := "editor     Neovim 0.12.4, last seen 2026-05-04 11:59\n           helix, last seen 2026-05-04 11:00\nerrors     2026-05-03 16:00  trouble a\n           2026-05-03 15:00  trouble b\n           2026-05-03 14:00  trouble c\n"; b.String() != want || !recent {
		t.Errorf("%v\n%s", recent, b.String())
	}
	if f.Health(&b, now.Add(24*time.Hour)) {
		t.Error("old trouble is taken for new")
	}
}
