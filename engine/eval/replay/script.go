package replay

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"unicode/utf8"
)

// builtin was recorded from this project's own history: seedling bench --replay . --record
// script.json.
//
//go:embed script.json
var builtin []byte

// Script is a number of editing sessions, one after the other.
type Script struct {
	Source   string    `json:"source"` // where it was recorded, for people
	Sessions []Session `json:"sessions"`
}

// Session is one commit: texts as they were before it, and what it changed.
type Session struct {
	Files   []File   `json:"files"`
	Changes []Change `json:"changes"`
}

// File is a text that is open in the editor.
type File struct {
	Path string `json:"path"`
	Text string `json:"text"`
}

// Change replaces Delete bytes at a byte offset of the text as it then stands.
type Change struct {
	File   int    `json:"file"`
	At     int    `json:"at"`
	Delete int    `json:"delete,omitempty"`
	Insert string `json:"insert,omitempty"`
}

// Builtin is the script in the binary.
func Builtin() (Script, error) { return parse(builtin) }

// Read reads a script that Write wrote.
func Read(path string) (Script, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return Script{}, fmt.Errorf("reading a script of edits: %w", err)
	}
	s, err := parse(b)
	if err != nil {
		return Script{}, fmt.Errorf("%s: %w; record it anew with seedling bench --replay DIR --record FILE", path, err)
	}
	return s, nil
}

// Write keeps a script as JSON.
func (s Script) Write(path string) error {
	b, err := json.MarshalIndent(s, "", " ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(path, append(b, '\n'), 0o644); err != nil {
		return fmt.Errorf("keeping the script of edits: %w; choose another --record", err)
	}
	return nil
}

func parse(b []byte) (Script, error) {
	var s Script
	if err := json.Unmarshal(b, &s); err != nil {
		return Script{}, fmt.Errorf("no script of edits: %w", err)
	}
	if _, err := s.Keys(); err != nil {
		return Script{}, err
	}
	return s, nil
}

// Kind is what a key does.
type Kind string

const (
	Typed    Kind = "typed"    // a character, or a line end with the indentation that editors add
	Deleted  Kind = "deleted"  // a character before the cursor, or a selection
	Jumped   Kind = "jumped"   // typed or deleted elsewhere in the file than the key before
	Switched Kind = "switched" // typed or deleted in another file than the key before
	Pasted   Kind = "pasted"   // more than a person types, at once
)

// Kinds in the order of tables.
var Kinds = []Kind{Typed, Deleted, Jumped, Switched, Pasted}

// Key is one edit: the text of a session's file is what Edit makes of it, the cursor behind
// what was inserted.
type Key struct {
	Session, File int
	Kind          Kind
	Edit          Change
}

const (
	pasteFrom = 600 // bytes that nobody types
	// backspaces is how many bytes are deleted one by one; of more, or of lines, a selection is.
	backspaces = 12
)

// Keys are the keys of a script. The error names a change that does not fit its text.
func (s Script) Keys() ([]Key, error) {
	var keys []Key
	for i, session := range s.Sessions {
		texts := make([]string, len(session.Files))
		for j, f := range session.Files {
			texts[j] = f.Text
		}
		gone := map[string]bool{} // deleted in the session: elsewhere it is pasted
		file, cursor := -1, -1
		for n, c := range session.Changes {
			if c.File < 0 || c.File >= len(texts) || c.At < 0 || c.Delete < 0 || c.At > len(texts[c.File])-c.Delete {
				return nil, fmt.Errorf("session %d, change %d is outside of its file: no script of edits", i, n)
			}
			t := &texts[c.File]
			press := func(kind Kind, e Change) {
				switch {
				case kind == Pasted:
				case file != e.File:
					kind = Switched
				case cursor != e.At+e.Delete:
					kind = Jumped
				}
				e.File = c.File
				keys = append(keys, Key{Session: i, File: c.File, Kind: kind, Edit: e})
				*t = (*t)[:e.At] + e.Insert + (*t)[e.At+e.Delete:]
				file, cursor = c.File, e.At+len(e.Insert)
			}
			old := (*t)[c.At : c.At+c.Delete]
			if len(old) > backspaces || strings.Contains(old, "\n") {
				press(Deleted, Change{File: c.File, At: c.At, Delete: c.Delete})
				gone[strings.TrimSpace(old)] = true
			} else {
				for old != "" {
					_, size := utf8.DecodeLastRuneInString(old)
					old = old[:len(old)-size]
					press(Deleted, Change{File: c.File, At: c.At + len(old), Delete: size})
				}
			}
			if moved := strings.TrimSpace(c.Insert); len(c.Insert) >= pasteFrom || len(moved) > backspaces && gone[moved] {
				press(Pasted, Change{File: c.File, At: c.At, Insert: c.Insert})
				continue
			}
			for at := 0; at < len(c.Insert); {
				size := stroke(c.Insert[at:])
				press(Typed, Change{File: c.File, At: c.At + at, Insert: c.Insert[at : at+size]})
				at += size
			}
		}
	}
	return keys, nil
}

// stroke is how many bytes of a text one key types: a character, or a line end with the
// indentation behind it.
func stroke(text string) int {
	if text[0] == '\n' {
		return 1 + len(text[1:]) - len(strings.TrimLeft(text[1:], " \t"))
	}
	_, size := utf8.DecodeRuneInString(text)
	return size
}
