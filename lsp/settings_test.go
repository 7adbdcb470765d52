package lsp

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/jsonschema-go/jsonschema"
	"pgregory.net/rapid"
)

// TestSettingsTags: the tags are read at run time, so that only this test keeps a bad one
// (a key twice, a default out of bounds, a mode that the engine does not know) from a person.
func TestSettingsTags(t *testing.T) {
	DefaultSettings() // panics on a default that is not allowed
	keys := map[string]bool{}
	for _, s := range settingsTable() {
		if s.key == "" || keys[s.key] || s.doc == "" || s.min > s.max || strings.ContainsAny(s.doc, "|\n`") {
			t.Errorf("%+v", s)
		}
		if s.kind == reflect.Slice && s.item == "" || s.kind == reflect.String && s.enum == nil {
			t.Errorf("%s: nothing says what it may be", s.key)
		}
		keys[s.key] = true
		if s.key == "decode" {
			for _, mode := range s.enum {
				if _, ok := decodes[mode]; !ok {
					t.Errorf("decode %s is no mode of the engine", mode)
				}
			}
			if len(s.enum) != len(decodes) {
				t.Errorf("decode: %v, the engine has %d modes", s.enum, len(decodes))
			}
		}
	}
}

// TestSettingsRefused: every refusal names the key and what it may be, and changes that key
// not at all.
func TestSettingsRefused(t *testing.T) {
	for raw, want := range map[string]string{
		`{"decode":"magic"}`:           `decode is diffusion, verify or causal, not "magic"`,
		`{"nonsense":1}`:               `there is no key "nonsense", there are enable, languages`,
		`{"Deadlinems":20}`:            `there is no key "Deadlinems", did you mean deadlineMs?`,
		`{"deadlineMs":1}`:             `deadlineMs is a whole number from 10 to 60000 (milliseconds), not 1`,
		`{"deadlineMs":99999}`:         `deadlineMs is a whole number from 10 to 60000`,
		`{"debounceMs":-1}`:            `debounceMs is a whole number from 0 to 5000`,
		`{"maxTokens":1.5}`:            `maxTokens is a whole number from 0 to 1024`,
		`{"maxTokens":1e300}`:          `maxTokens is a whole number`,
		`{"maxTokens":true}`:           `maxTokens is a whole number`,
		`{"languages":"go"}`:           `languages is a list of language ids, not "go"`,
		`{"languages":["go",null]}`:    `languages is a list`,
		`{"languages":[""]}`:           `languages is a list`,
		`{"exclude":["a","b["]}`:       `exclude is a list of globs, not ["a","b["]`,
		`{"enable":"yes"}`:             `enable is true or false, not "yes"`,
		`{"enable":1}`:                 `enable is true or false`,
		`{"minLogProb":1}`:             `minLogProb is a number, at most 0`,
		`{"seedling":{"maxFileKB":0}}`: `maxFileKB is a whole number from 1 to 65536`,
		`{"seedling.maxFileKB":0}`:     `maxFileKB is`,
		`{"seedling":7}`:               `an object is wanted`,
		`7`:                            `an object is wanted`,
		`[1]`:                          `an object is wanted`,
		`"x"`:                          `an object is wanted`,
		`{"exclude":"` + strings.Repeat("x", 5000) + `"}`: `x…`,
	} {
		s, err := DefaultSettings().with([]byte(raw), DefaultSettings())
		if err == nil || !strings.Contains(err.Error(), want) || len(err.Error()) > 400 {
			t.Errorf("%.60s: %v, want %s", raw, err, want)
		}
		if diff := cmp.Diff(DefaultSettings(), s); diff != "" {
			t.Errorf("%s changed the settings: %s", raw, diff)
		}
	}
	// A slip in one key leaves it as it was, and the others count: who turns suggestions off
	// or excludes a file must not have them on because of a typing error elsewhere.
	before := DefaultSettings()
	before.Exclude, before.MaxTokens = []string{"private/**"}, 7
	s, err := DefaultSettings().with([]byte(`{"enable":false,"exclude":["["],"maxTokns":3,"decode":"causal"}`), before)
	if err == nil || !strings.Contains(err.Error(), "exclude") || !strings.Contains(err.Error(), "maxTokens?") {
		t.Errorf("%v", err)
	}
	if s.Enable || s.Decode != "causal" || !slices.Equal(s.Exclude, before.Exclude) || s.MaxTokens != 0 {
		t.Errorf("%+v", s)
	}
}

// TestSettingsForms: the section is found in each form that clients send it in. Without it
// the settings of one editor's people would be ignored in silence.
func TestSettingsForms(t *testing.T) {
	want := DefaultSettings()
	want.Decode, want.Languages = "causal", []string{"go"}
	for client, raw := range map[string]string{
		"Helix, and Neovim without a section": `{"decode":"causal","languages":["go"]}`,
		"VS Code, with its trace":             `{"seedling":{"decode":"causal","languages":["go"],"trace":{"server":"off"},"maxTokens":null}}`,
		"Neovim, with an empty table":         `{"seedling":{"decode":"causal","languages":["go"],"exclude":[]}}`,
		"Emacs, beside other servers":         `{"gopls":{"staticcheck":true},"seedling":{"decode":"causal","languages":["go"]},"pylsp":null}`,
		"a flat file":                         `{"seedling.decode":"causal","seedling.languages":["go"],"editor.tabSize":4,"seedling.trace.server":"verbose"}`,
		"both":                                `{"seedling":{"decode":"causal"},"seedling.languages":["go"]}`,
		"numbers of Lua":                      `{"decode":"causal","languages":["go"],"deadlineMs":400.0,"debounceMs":0e5}`,
	} {
		if got, err := DefaultSettings().with([]byte(raw), DefaultSettings()); err != nil || !cmp.Equal(got, want) {
			t.Errorf("%s: %v\n%s", client, err, cmp.Diff(want, got))
		}
	}
	for client, raw := range map[string]string{"nothing": ``, "null": `null`, "an empty object": `{}`, "Neovim's empty table": `[]`, "an empty section": `{"seedling":[]}`, "no section": `{"seedling":null}`,
		"other servers'": `{"gopls":{"a":1},"pylsp.plugins":{}}`, "other servers' dotted": `{"gopls.a":1}`} {
		got, err := want.with([]byte(raw), DefaultSettings())
		if err != nil || !cmp.Equal(got, want) {
			t.Errorf("%s: %v\n%s", client, err, cmp.Diff(want, got))
		}
	}
}

// TestSettingsSchema: what the schema allows is what the server takes. An editor that warns
// of a value that works, or is silent on one that does not, would be a lie of ours.
func TestSettingsSchema(t *testing.T) {
	var schema jsonschema.Schema
	if err := json.Unmarshal(settingsSchema(), &schema); err != nil {
		t.Fatal(err)
	}
	resolved, err := schema.Resolve(&jsonschema.ResolveOptions{ValidateDefaults: true})
	if err != nil {
		t.Fatal(err)
	}
	value := rapid.OneOf(rapid.Just[any](nil), rapid.Map(rapid.Bool(), func(b bool) any { return b }), rapid.Map(rapid.IntRange(-2, 70000), func(i int) any { return float64(i) }),
		rapid.Map(rapid.Float64Range(-3, 3), func(f float64) any { return f }), rapid.Map(rapid.SampledFrom([]string{"verify", "causal", "diffusion", "Verify", "", "go"}), func(s string) any { return s }),
		rapid.Map(rapid.SliceOf(rapid.SampledFrom([]any{"go", "", nil, 1.0, "a/**"})), func(l []any) any { return l }))
	var keys []string
	for _, s := range settingsTable() {
		keys = append(keys, s.key)
	}
	rapid.Check(t, func(t *rapid.T) {
		section := rapid.MapOfN(rapid.SampledFrom(append(slices.Clone(keys), "enabled", "other")), value, 1, 3).Draw(t, "section")
		raw, err := json.Marshal(section)
		if err != nil {
			t.Fatal(err)
		}
		_, taken := DefaultSettings().with(raw, DefaultSettings())
		if allowed := resolved.Validate(section); (taken == nil) != (allowed == nil) {
			t.Fatalf("%s: the server says %v, the schema %v", raw, taken, allowed)
		}
	})
}

// FuzzSettings: no bytes make settings that are out of their bounds, and what is in force
// is never changed in place.
func FuzzSettings(f *testing.F) {
	for _, s := range []string{`{"seedling":{"decode":"causal"}}`, `{"seedling.exclude":["a{b,c}/**"]}`, `[]`, `{"deadlineMs":1e2,"enable":null}`, `{"languages":["go"],"minLogProb":-0}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		before := DefaultSettings()
		before.Exclude = []string{"kept"}
		s, _ := DefaultSettings().with(raw, before)
		if !cmp.Equal(before.Exclude, []string{"kept"}) {
			t.Fatalf("%s changed what was in force", raw)
		}
		b, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := DefaultSettings().with(b, DefaultSettings()); err != nil || !cmp.Equal(again, s) {
			t.Fatalf("%s gave settings that are refused: %v\n%s", raw, err, cmp.Diff(s, again))
		}
	})
}
