package lsp

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/bmatcuk/doublestar/v4"
)

// setting is one field of Settings as its tags describe it.
type setting struct {
	key, doc, unit, item string

	field    int // in Settings
	kind     reflect.Kind
	fallback json.RawMessage
	enum     []string
	min, max float64 // infinite where there is no bound
}

// settingsTable is what the tags of Settings say. Tags that cannot be read are a mistake of
// ours that every test meets, so they panic.
var settingsTable = sync.OnceValue(func() []setting {
	t := reflect.TypeFor[Settings]()
	table := make([]setting, t.NumField())
	for i := range table {
		f := t.Field(i)
		table[i] = setting{key: f.Tag.Get("json"), doc: f.Tag.Get("doc"), unit: f.Tag.Get("unit"), item: f.Tag.Get("item"),
			field: i, kind: f.Type.Kind(), fallback: json.RawMessage(f.Tag.Get("default")), enum: strings.Fields(f.Tag.Get("enum")),
			min: bound(f, "min", math.Inf(-1)), max: bound(f, "max", math.Inf(1))}
	}
	return table
})

func bound(f reflect.StructField, name string, none float64) float64 {
	tag, ok := f.Tag.Lookup(name)
	if !ok {
		return none
	}
	v, err := strconv.ParseFloat(tag, 64)
	if err != nil {
		panic(fmt.Sprintf("Settings.%s: %s: %v", f.Name, name, err))
	}
	return v
}

// DefaultSettings are in force until a client says otherwise.
func DefaultSettings() Settings {
	var s Settings
	for _, t := range settingsTable() {
		v, ok := t.read(t.fallback)
		if !ok {
			panic(fmt.Sprintf("the default of %s, %s, is not %s", t.key, t.fallback, t.allowed()))
		}
		reflect.ValueOf(&s).Elem().Field(t.field).Set(v)
	}
	return s
}

// allowed says what a setting may be.
func (t setting) allowed() string {
	number := func(a string) string {
		switch low, high := !math.IsInf(t.min, 0), !math.IsInf(t.max, 0); {
		case low && high:
			return fmt.Sprintf("%s from %v to %v", a, t.min, t.max)
		case low:
			return fmt.Sprintf("%s, at least %v", a, t.min)
		case high:
			return fmt.Sprintf("%s, at most %v", a, t.max)
		}
		return a
	}
	switch t.kind {
	case reflect.Bool:
		return "true or false"
	case reflect.Int:
		return number("a whole number")
	case reflect.Float64:
		return number("a number")
	case reflect.Slice:
		return "a list of " + t.item + "s"
	}
	if n := len(t.enum) - 1; n > 0 {
		return strings.Join(t.enum[:n], ", ") + " or " + t.enum[n]
	}
	return "a string"
}

// read reads a value; ok is whether it is allowed.
func (t setting) read(raw json.RawMessage) (v reflect.Value, ok bool) {
	var a any
	if json.Unmarshal(raw, &a) != nil {
		return v, false
	}
	switch a := a.(type) {
	case bool:
		return reflect.ValueOf(a), t.kind == reflect.Bool
	case float64: // 400.0 is whole, too: some clients know no other numbers
		whole := a == math.Trunc(a) && math.Abs(a) <= math.MaxInt32
		if a < t.min || a > t.max || t.kind != reflect.Float64 && !(t.kind == reflect.Int && whole) {
			return v, false
		}
		if t.kind == reflect.Int {
			return reflect.ValueOf(int(a)), true
		}
		return reflect.ValueOf(a), true
	case string:
		return reflect.ValueOf(a), t.kind == reflect.String && (len(t.enum) == 0 || slices.Contains(t.enum, a))
	case []any:
		list := make([]string, len(a))
		for i, e := range a {
			if list[i], ok = e.(string); !ok || !t.sound(list[i]) {
				return v, false
			}
		}
		return reflect.ValueOf(list), t.kind == reflect.Slice
	}
	return v, false
}

// sound says whether a list may have an item.
func (t setting) sound(item string) bool {
	return item != "" && (t.item != "glob" || doublestar.ValidatePattern(item))
}

// with is the settings s overlaid by the keys of raw, a whole section: what it does not
// name, or names as null, is as in s. That is how clients reset a setting: they send the
// section again, without it. A key that is wrong leaves its setting as it is in before, so
// that a slip in one of them neither turns the others off nor opens what was excluded.
// The error names each such key and what it may be.
func (s Settings) with(raw []byte, before Settings) (Settings, error) {
	section, err := sectionOf(raw)
	if err != nil {
		return before, err
	}
	n := s.clone()
	to, from := reflect.ValueOf(&n).Elem(), reflect.ValueOf(before.clone())
	var wrong []string
	known := map[string]bool{"trace": true} // VS Code's own, in every server's section
	for _, t := range settingsTable() {
		known[t.key] = true
		value, said := section[t.key]
		if !said || string(value) == "null" {
			continue
		}
		v, ok := t.read(value)
		if !ok {
			v = from.Field(t.field)
			wrong = append(wrong, t.refusal(value))
		}
		to.Field(t.field).Set(v)
	}
	for k := range section {
		if !known[k] {
			wrong = append(wrong, unknown(k))
		}
	}
	if len(wrong) == 0 {
		return n, nil
	}
	slices.Sort(wrong)
	return n, fmt.Errorf("settings: %s", strings.Join(wrong, "; "))
}

// refusal is why a value is not taken.
func (t setting) refusal(value json.RawMessage) string {
	shown := []rune(string(value))
	if len(shown) > 60 {
		shown = append(shown[:60], '…')
	}
	unit := ""
	if t.unit != "" {
		unit = " (" + t.unit + ")"
	}
	return fmt.Sprintf("%s is %s%s, not %s", t.key, t.allowed(), unit, string(shown))
}

// unknown is what to say of a key that there is not.
func unknown(key string) string {
	best, at := "", 3 // typing slips are one or two letters
	var all []string
	for _, t := range settingsTable() {
		all = append(all, t.key)
		if d := distance(strings.ToLower(key), strings.ToLower(t.key)); d < at {
			best, at = t.key, d
		}
	}
	if best != "" {
		return fmt.Sprintf("there is no key %q, did you mean %s?", key, best)
	}
	return fmt.Sprintf("there is no key %q, there are %s", key, strings.Join(all, ", "))
}

// distance is Levenshtein's.
func distance(a, b string) int {
	if len(a) > 40 {
		return len(a)
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		last := row[0]
		row[0]++
		for j := range len(b) {
			d := last
			if a[i] != b[j] {
				d++
			}
			last = row[j+1]
			row[j+1] = min(d, last+1, row[j]+1)
		}
	}
	return row[len(b)]
}

var errNoObject = errors.New("settings: an object is wanted, as in {\"seedling\": {\"enable\": true}}")

// sectionOf finds our keys in what clients send: the section itself (Helix, Neovim, where
// it is set so, and every answer to workspace/configuration), a whole configuration that
// has it as "seedling" (VS Code, Neovim, Emacs), dotted keys as "seedling.decode" (flat
// files as VS Code's, sent as they are), or sections of other servers only (Emacs' eglot
// sends all to all), which leaves ours empty. An empty Lua table arrives as [].
func sectionOf(raw []byte) (map[string]json.RawMessage, error) {
	all, err := object(raw)
	if err != nil {
		return nil, err
	}
	ours, whole := map[string]json.RawMessage{}, false
	if nested, ok := all["seedling"]; ok {
		whole = true
		if ours, err = object(nested); err != nil {
			return nil, err
		}
	}
	for k, v := range all {
		if key, ok := strings.CutPrefix(k, "seedling."); ok {
			whole = true
			if key != "trace.server" {
				ours[key] = v
			}
		}
	}
	if whole {
		return ours, nil
	}
	for k, v := range all {
		// None of ours is an object or has a dot.
		if others := strings.HasPrefix(strings.TrimSpace(string(v)), "{") || strings.Contains(k, "."); !others {
			ours[k] = v
		}
	}
	return ours, nil
}

// object reads a JSON object; null, nothing, and an empty list are an empty one.
func object(raw []byte) (map[string]json.RawMessage, error) {
	keys := map[string]json.RawMessage{}
	var list []json.RawMessage
	switch {
	case len(raw) == 0:
	case json.Unmarshal(raw, &keys) == nil:
	case json.Unmarshal(raw, &list) == nil && len(list) == 0:
	default:
		return nil, errNoObject
	}
	if keys == nil { // null
		keys = map[string]json.RawMessage{}
	}
	return keys, nil
}
