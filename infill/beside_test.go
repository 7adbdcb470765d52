package infill

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestBeside(t *testing.T) {
	folder := t.TempDir()
	for name, text := range map[string]string{
		"mine.go": "package a\n", "b.go": "package a // b\n", "c.py": "x = 1\xff\n", ".hidden.go": "package a\n", "notes.bin": "no",
		"large.go": "package a\n" + strings.Repeat("// large\n", besideFile/8), "sub/d.go": "package d\n",
	} {
		p := filepath.Join(folder, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got := Beside(filepath.Join(folder, "mine.go"))
	if len(got) != 2 || filepath.Base(got[0].Path) != "b.go" || got[0].Text != "package a // b\n" || got[1].Text != "x = 1\uFFFD\n" {
		t.Errorf("%+v", got)
	}
	if got := Beside(filepath.Join(folder, "none", "x.go")); got != nil {
		t.Errorf("of a folder that is not there: %+v", got)
	}
}
