package lsp

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestSettingsGenerated: the README's table, the schema and VS Code's properties say what
// the server does. They are generated from the tags of Settings; without this test they would
// be true for a week.
func TestSettingsGenerated(t *testing.T) {
	const readme, from, to = "../README.md", "<!-- settings, generated: see lsp/settings.go -->\n", "<!-- end of the settings -->\n"
	text, err := os.ReadFile(readme)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok := strings.Cut(string(text), from)
	_, tail, ok2 := strings.Cut(rest, to)
	if !ok || !ok2 {
		t.Fatalf("%s has no lines %q and %q", readme, from, to)
	}
	const manifest = "../editors/vscode/package.json"
	extension, err := os.ReadFile(manifest)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		manifest:               withProperties(t, string(extension)),
		readme:                 head + from + settingsMarkdown() + to + tail,
		"settings.schema.json": string(settingsSchema()),
		"settings.vscode.json": string(settingsVSCode()),
	} {
		if *update {
			if err := os.WriteFile(name, []byte(want), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		got, err := os.ReadFile(name)
		if diff := cmp.Diff(string(got), want); err != nil || diff != "" {
			t.Errorf("%s is stale, run `go generate ./lsp` (%v):\n%s", name, err, diff)
		}
	}
}

// withProperties is the manifest of the extension with our settings as the first of its
// groups of settings; the rest stays as it is, byte for byte.
func withProperties(t *testing.T, manifest string) string {
	t.Helper()
	const from, indent = "\"title\": \"Seedling\",\n        \"properties\": ", "        "
	head, rest, ok := strings.Cut(manifest, from)
	_, tail, ok2 := strings.Cut(rest, "\n"+indent+"}\n")
	if !ok || !ok2 {
		t.Fatalf("the extension's package.json has no group of settings %q", from)
	}
	properties := strings.TrimSpace(string(settingsVSCode()))
	return head + from + strings.ReplaceAll(properties, "\n", "\n"+indent) + "\n" + tail
}

// settingsMarkdown is the README's table.
func settingsMarkdown() string {
	var b strings.Builder
	b.WriteString("| key | default | may be | what |\n|---|---|---|---|\n")
	for _, s := range settingsTable() {
		may := s.allowed()
		if s.unit != "" {
			may += " (" + s.unit + ")"
		}
		doc := strings.NewReplacer("*", `\*`, "_", `\_`).Replace(s.doc)
		fmt.Fprintf(&b, "| `%s` | `%s` | %s | %s |\n", s.key, s.fallback, may, doc)
	}
	return b.String()
}

// property is a setting in JSON schema.
type property struct {
	Type        any             `json:"type"` // a name, or names
	Items       *listItems      `json:"items,omitempty"`
	UniqueItems bool            `json:"uniqueItems,omitempty"`
	Enum        []any           `json:"enum,omitempty"`
	Minimum     *float64        `json:"minimum,omitempty"`
	Maximum     *float64        `json:"maximum,omitempty"`
	Default     json.RawMessage `json:"default"`
	Description string          `json:"description"`
	Order       *int            `json:"order,omitempty"`
	Scope       string          `json:"scope,omitempty"`
}

type listItems struct {
	Type      string `json:"type"`
	MinLength int    `json:"minLength"`
}

func (t setting) property() property {
	p := property{Default: t.fallback, Description: t.doc}
	switch t.kind {
	case reflect.Bool:
		p.Type = "boolean"
	case reflect.Int:
		p.Type = "integer"
	case reflect.Float64:
		p.Type = "number"
	case reflect.Slice:
		p.Type, p.Items = "array", &listItems{"string", 1}
	case reflect.String:
		p.Type = "string"
		for _, e := range t.enum {
			p.Enum = append(p.Enum, e)
		}
	}
	if !math.IsInf(t.min, 0) {
		p.Minimum = &t.min
	}
	if !math.IsInf(t.max, 0) {
		p.Maximum = &t.max
	}
	if t.unit != "" {
		p.Description += " (" + t.unit + ")"
	}
	return p
}

// settingsSchema is the schema of the section. A setting may be null, which is to say that
// it is not set.
func settingsSchema() []byte {
	var keys []string
	properties := map[string]any{}
	for _, t := range settingsTable() {
		p := t.property()
		p.Type = []any{p.Type, "null"}
		if p.Enum != nil {
			p.Enum = append(p.Enum, nil)
		}
		keys, properties[t.key] = append(keys, t.key), p
	}
	keys, properties["trace"] = append(keys, "trace"), map[string]any{"description": "of the client: what it writes of its talk with the server to its log"}
	return indented(orderedObject{{"$schema", "https://json-schema.org/draft/2020-12/schema"}, {"title", "Seedling: the section seedling of a client's configuration, and initializationOptions"},
		{"type", "object"}, {"additionalProperties", false}, {"properties", ordered(keys, properties)}})
}

// settingsVSCode is the object contributes.configuration.properties of an extension.
func settingsVSCode() []byte {
	var keys []string
	properties := map[string]any{}
	for i, t := range settingsTable() {
		p := t.property()
		p.Order, p.Scope = &i, "window"
		keys, properties["seedling."+t.key] = append(keys, "seedling."+t.key), p
	}
	return indented(ordered(keys, properties))
}

// orderedObject is a JSON object that keeps the order of its keys, for diffs that people read.
type orderedObject []struct {
	key   string
	value any
}

func ordered(keys []string, values map[string]any) orderedObject {
	o := make(orderedObject, len(keys))
	for i, k := range keys {
		o[i].key, o[i].value = k, values[k]
	}
	return o
}

func (o orderedObject) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	for i, m := range o {
		v, err := json.Marshal(m.value)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&b, "%c%q:%s", "{,"[min(i, 1)], m.key, v)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

func indented(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		panic(err)
	}
	return b.Bytes()
}
