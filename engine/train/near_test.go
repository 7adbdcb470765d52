package train

import (
	"fmt"
	"strings"
	"testing"
)

// TestPrepareNear: a file that differs from one that is kept by a few names, or from a
// held-out one by a comment, is left out; files of the same make are not taken for copies.
// Without it the model would be trained on what it is measured by.
func TestPrepareNear(t *testing.T) {
	a, held := source("go", 1, 6000), source("go", 2, 6000)
	files := map[string]string{
		"train/go/made/a.go":     a,
		"train/go/made/near.go":  strings.Replace(a, "package ", "// Copyright of another.\npackage ", 1) + "\nvar added = 1\n",
		"train/go/made/other.go": source("go", 3, 6000),
		"train/go/made/leak.go":  strings.Replace(held, "package ", "// moved\npackage ", 1),
		"heldout/go/kept/h.go":   held,
	}
	train, kept := prepare(t, lay(t, files))
	if train.Dropped.Near != 1 || train.Dropped.HeldOut != 1 || len(train.Files) != 2 || len(kept.Files) != 1 {
		t.Errorf("%+v, %d files, %d held out", train.Dropped, len(train.Files), len(kept.Files))
	}
}

// TestPrepareForks: of a source that is held out under the same name, or is a fork of one,
// nothing is trained on, not even what was changed; a source that carries one held-out file
// along stays.
func TestPrepareForks(t *testing.T) {
	files := map[string]string{"train/go/both/own.go": source("go", 90, 2000), "heldout/go/both/h.go": source("go", 91, 2000)}
	for i := range 20 {
		files[fmt.Sprintf("heldout/go/kept/h%d.go", i)] = source("go", uint64(100+i), 2000)
		if i < 14 {
			files[fmt.Sprintf("train/go/fork/f%d.go", i)] = source("go", uint64(100+i), 2000)
		}
		files[fmt.Sprintf("train/go/made/m%d.go", i)] = source("go", uint64(200+i), 2000)
	}
	files["train/go/fork/changed.go"] = source("go", 300, 2000)
	files["train/go/made/carried.go"] = source("go", 100, 2000)
	train, _ := prepare(t, lay(t, files))
	for _, f := range train.Files {
		if f.Source != "made" {
			t.Errorf("%s/%s is trained on", f.Source, f.Path)
		}
	}
	if d := train.Dropped; len(train.Files) != 20 || d.Fork != 2 || d.HeldOut != 15 {
		t.Errorf("%d files, %+v", len(train.Files), d)
	}
	for i, f := range train.Files { // what moved up is still its own text
		if want := files["train/go/made/"+f.Path]; string(train.Text(i)) != want {
			t.Errorf("%s has another text", f.Path)
		}
	}
}

// TestPrepareSecretsAndTables: secrets are hidden before text is kept, and a file of rows
// of literals is none of code.
func TestPrepareSecretsAndTables(t *testing.T) {
	code := source("go", 1, 2000)
	rows := "package a\n\nvar table = [][2]int{\n" + strings.Repeat("\t{1, 2},\n\t{0x30, 4},\n", 200) + "}\n"
	dir := lay(t, map[string]string{"train/go/made/a.go": code + "// KEY-12345\n", "train/go/made/rows.go": rows, "train/go/made/b.go": source("go", 2, 2000)})
	hide := func(s string) string { return strings.ReplaceAll(s, "KEY-12345", "*********") }
	train, _, err := Prepare(t.Context(), dir, hide, nil)
	if err != nil {
		t.Fatal(err)
	}
	if d := train.Dropped; d.Secret != 1 || d.Shape != 1 || len(train.Files) != 2 || strings.Contains(string(train.text), "KEY-") {
		t.Errorf("%+v, %d files", d, len(train.Files))
	}
}

// TestHeldOut: a tenth of a repository, and enough of a small one to measure by.
func TestHeldOut(t *testing.T) {
	for n, least := range map[int]int{0: 0, 3: 0, 4: 1, 12: 3, 100: 3} {
		h := make([]uint64, n)
		for i := range h {
			h[i] = mix(uint64(i + 1))
		}
		if got := len(heldOut(h)); got < least || got > max(n/2, least) {
			t.Errorf("of %d files %d are held out", n, got)
		}
	}
}
