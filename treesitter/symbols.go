package treesitter

import (
	"strings"

	sitter "github.com/smacker/go-tree-sitter"
)

// SymbolKind sorts symbols.
type SymbolKind uint8

const (
	FunctionSymbol SymbolKind = iota // of the top level of a file, a namespace or a module
	MethodSymbol                     // of a type
	TypeSymbol                       // class, struct, interface, enumeration, alias
	ValueSymbol                      // constant, variable, macro
)

// String is the kind's name: function, method, type or value.
func (k SymbolKind) String() string {
	switch k {
	case MethodSymbol:
		return "method"
	case TypeSymbol:
		return "type"
	case ValueSymbol:
		return "value"
	}
	return "function"
}

// Symbol is something that a file defines and other code can name.
type Symbol struct {
	Name      string
	Container string // type or namespace that it is a member of; empty: the file's own
	Kind      SymbolKind
	// Def is the whole definition. It does not begin with its documentation, but with its
	// decorators, if it has any.
	Def Range
	// Body is what stands in the body, brackets included; zero: there is none. What comes
	// before it is enough to call a function or to know of a type.
	Body Range
}

const (
	maxSymbols     = 4000 // of a file
	maxSymbolDepth = 12   // of members in members
)

// role is what a node type has to do with symbols.
type role uint8

const (
	roleNone     role = iota
	roleFunction      // a function, or a method in a type
	roleType          // a type with a name of its own; its body may hold members
	roleValue         // constants, variables: one or more names
	roleDeclared      // C's declarations: the name is inside of declarators
	roleOuter         // holds definitions without being one
	roleMembers       // of Rust: an impl, whose type is the container
	roleScope         // a namespace or module: its name is the container of what it holds
	roleWrapper       // belongs to the one definition that it holds: decorators, export, template
)

// roles names the node types; a name means the same in every grammar that has it.
var roles = map[role]string{
	roleFunction: `function_declaration method_declaration function_item function_signature_item
		method_definition method_signature abstract_method_signature generator_function_declaration
		constructor_declaration compact_constructor_declaration macro_definition method_elem method_spec
		preproc_function_def function_signature`,
	roleType: `type_spec type_alias class_definition class_declaration abstract_class_declaration
		interface_declaration type_alias_declaration enum_declaration record_declaration annotation_type_declaration
		struct_item enum_item union_item trait_item type_item
		struct_specifier union_specifier class_specifier enum_specifier alias_declaration`,
	roleValue: `const_spec var_spec const_item static_item variable_declarator preproc_def
		public_field_definition assignment`,
	roleDeclared: `function_definition declaration type_definition field_declaration`,
	roleOuter: `source_file module program translation_unit const_declaration var_declaration
		type_declaration lexical_declaration variable_declaration class_body interface_body enum_body
		enum_body_declarations field_declaration_list declaration_list statement_block block
		expression_statement linkage_specification preproc_if preproc_ifdef preproc_else preproc_elif
		object_type interface_type struct_type var_spec_list const_spec_list if_statement`,
	roleMembers: `impl_item`,
	roleScope:   `mod_item namespace_definition internal_module module_declaration`,
	roleWrapper: `decorated_definition export_statement template_declaration ambient_declaration`,
}

// rolesOf computes the roles of a grammar's symbols.
func rolesOf(lang *sitter.Language) []role {
	byType := map[string]role{}
	for r, names := range roles {
		for _, n := range strings.Fields(names) {
			byType[n] = r
		}
	}
	out := make([]role, lang.SymbolCount())
	for s := range out {
		if lang.SymbolType(sitter.Symbol(s)) == sitter.SymbolTypeRegular {
			out[s] = byType[lang.SymbolName(sitter.Symbol(s))]
		}
	}
	return out
}

// Symbols lists what a file defines, in the order of the text, members after what holds
// them; what is local to a function is not listed, nor are the fields of structs, which
// their type shows, nor what stands in a stretch that could not be parsed.
func (t *Tree) Symbols() []Symbol {
	var out []Symbol
	t.read(func(root *sitter.Node) {
		w := symbolWalk{t: t, c: t.lang == C || t.lang == CPP}
		w.node(root, Range{}, "", false, 0)
		out = w.out
	})
	return out
}

type symbolWalk struct {
	t   *Tree
	c   bool // C or C++
	out []Symbol
}

func (w *symbolWalk) role(n *sitter.Node) role {
	if s := int(n.Symbol()); s < len(w.t.g.roles) {
		return w.t.g.roles[s]
	}
	return roleNone
}

func (w *symbolWalk) text(n *sitter.Node) string {
	if n == nil {
		return ""
	}
	r := rangeOf(n)
	return w.t.text[r.Start:r.End]
}

// add takes a symbol whose name is one word.
func (w *symbolWalk) add(name, container string, kind SymbolKind, def Range, body *sitter.Node) {
	if name == "" || len(name) > 128 || len(w.out) >= maxSymbols {
		return
	}
	for i := range len(name) {
		if c := name[i]; c != '_' && c != '$' && c != '#' && c != '~' && c < 0x80 && !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9') {
			return
		}
	}
	s := Symbol{Name: name, Container: container, Kind: kind, Def: def}
	if body != nil {
		s.Body = rangeOf(body)
	}
	w.out = append(w.out, s)
}

// node takes a node and what it holds. outer is the wrapper around it, if there is one; member
// says that it stands in a type.
func (w *symbolWalk) node(n *sitter.Node, outer Range, container string, member bool, depth int) {
	if depth > maxSymbolDepth || len(w.out) >= maxSymbols {
		return
	}
	def := rangeOf(n)
	if !outer.IsZero() {
		def = outer
	}
	inside := func(of *sitter.Node, container string, member bool) {
		if of != nil {
			w.children(of, Range{}, container, member, depth+1)
		}
	}
	switch w.role(n) {
	case roleFunction:
		w.function(n, def, container, member)
	case roleType:
		name, body := w.text(n.ChildByFieldName("name")), n.ChildByFieldName("body")
		if body == nil { // Go, and types of types
			body = n.ChildByFieldName("type")
		}
		if w.c && body == nil {
			return // a use of the type
		}
		w.add(name, container, TypeSymbol, def, body)
		inside(body, name, true)
	case roleValue:
		w.value(n, def, container, member)
	case roleDeclared:
		switch {
		case w.c:
			w.declared(n, def, container, member, depth)
		case n.Type() == "function_definition":
			w.function(n, def, container, member)
		}
	case roleMembers:
		inside(n.ChildByFieldName("body"), bareType(w.text(n.ChildByFieldName("type"))), true)
	case roleScope:
		inside(n.ChildByFieldName("body"), w.text(n.ChildByFieldName("name")), false)
	case roleWrapper:
		w.children(n, def, container, member, depth+1)
	case roleOuter:
		inside(n, container, member)
	}
}

func (w *symbolWalk) children(n *sitter.Node, outer Range, container string, member bool, depth int) {
	cur := sitter.NewTreeCursor(n)
	defer cur.Close()
	if !cur.GoToFirstChild() {
		return
	}
	for {
		if c := cur.CurrentNode(); c.IsNamed() && !c.IsError() {
			w.node(c, outer, container, member, depth)
		}
		if !cur.GoToNextSibling() {
			return
		}
	}
}

func (w *symbolWalk) function(n *sitter.Node, def Range, container string, member bool) {
	name := n.ChildByFieldName("name")
	if name == nil {
		return
	}
	kind := FunctionSymbol
	if member {
		kind = MethodSymbol
	}
	if r := n.ChildByFieldName("receiver"); r != nil {
		kind, container = MethodSymbol, bareType(w.text(r))
	}
	body := n.ChildByFieldName("body")
	if body == nil {
		body = n.ChildByFieldName("value")
	}
	w.add(w.text(name), container, kind, def, body)
}

// value takes every name of a constant or variable.
func (w *symbolWalk) value(n *sitter.Node, def Range, container string, member bool) {
	field, kind := "name", ValueSymbol
	body := n.ChildByFieldName("value")
	if n.Type() == "assignment" {
		field, body = "left", n.ChildByFieldName("right")
	}
	if body != nil && w.t.g.class(body) == classFunction { // const f = () => …
		kind = FunctionSymbol
		if member {
			kind = MethodSymbol
		}
		body = body.ChildByFieldName("body")
	}
	for i := range min(int(n.ChildCount()), 200) {
		if n.FieldNameForChild(i) == field {
			if c := n.Child(i); c.IsNamed() {
				w.add(w.text(c), container, kind, def, body)
			}
		}
	}
}

// declared takes the names of a declaration of C or C++: they are inside of declarators.
func (w *symbolWalk) declared(n *sitter.Node, def Range, container string, member bool, depth int) {
	if t := n.ChildByFieldName("type"); t != nil && w.role(t) == roleType {
		w.node(t, Range{}, container, member, depth+1) // struct s { … } v;
	}
	kind := ValueSymbol
	d := n.ChildByFieldName("declarator")
	for range maxSymbolDepth {
		if d == nil {
			return
		}
		next := d.ChildByFieldName("declarator")
		switch d.Type() {
		case "function_declarator":
			if kind = FunctionSymbol; member {
				kind = MethodSymbol
			}
		case "qualified_identifier":
			container, kind = w.text(d.ChildByFieldName("scope")), MethodSymbol
			next = d.ChildByFieldName("name")
		case "reference_declarator":
			if next == nil && d.NamedChildCount() > 0 {
				next = d.NamedChild(0)
			}
		}
		if next == nil {
			break
		}
		d = next
	}
	if n.Type() == "type_definition" {
		kind = TypeSymbol
	}
	if kind == ValueSymbol && member {
		return // a field: its type shows it
	}
	w.add(w.text(d), container, kind, def, n.ChildByFieldName("body"))
}

// bareType is the name in a receiver or an impl: without brackets, pointer, parameters,
// package and the receiver's own name.
func bareType(s string) string {
	s = strings.Trim(s, "() ")
	if i := strings.IndexAny(s, "[<"); i >= 0 {
		s = s[:i]
	}
	if i := strings.LastIndexAny(s, " *&.:"); i >= 0 {
		s = s[i+1:]
	}
	return s
}

// Import is one name that a file brings in from elsewhere.
type Import struct {
	// Name is what the file calls it; empty: all that is there (Python's import *), or the
	// last element of Path (Go).
	Name string
	// Path is the package or module as it is written: "net/http", "a.b", ".x".
	Path string
	// Of is the name there of what is imported, of Python's from … import; empty: the whole.
	Of string
}

// Imports lists the imports of a Go or Python file; of other languages none.
func (t *Tree) Imports() []Import {
	if l := t.Language(); l != Go && l != Python {
		return nil
	}
	var out []Import
	t.read(func(root *sitter.Node) {
		w := symbolWalk{t: t}
		w.imports(root, &out, 0)
	})
	return out
}

// maxImports of a file are read.
const maxImports = 500

func (w *symbolWalk) imports(n *sitter.Node, out *[]Import, depth int) {
	cur := sitter.NewTreeCursor(n)
	defer cur.Close()
	if depth > 4 || !cur.GoToFirstChild() {
		return
	}
	for len(*out) < maxImports {
		switch c := cur.CurrentNode(); c.Type() {
		case "import_declaration", "import_spec_list", "try_statement", "if_statement", "block", "else_clause", "except_clause":
			w.imports(c, out, depth+1)
		case "import_spec":
			*out = append(*out, Import{Name: w.text(c.ChildByFieldName("name")), Path: strings.Trim(w.text(c.ChildByFieldName("path")), "\"`")})
		case "import_statement", "import_from_statement":
			w.pythonImport(c, out)
		}
		if !cur.GoToNextSibling() {
			return
		}
	}
}

func (w *symbolWalk) pythonImport(n *sitter.Node, out *[]Import) {
	from := n.ChildByFieldName("module_name")
	path := strings.Join(strings.Fields(w.text(from)), "")
	any := false
	for i := range min(int(n.ChildCount()), maxImports) {
		c := n.Child(i)
		if n.FieldNameForChild(i) != "name" {
			if c.Type() == "wildcard_import" {
				*out = append(*out, Import{Path: path})
				any = true
			}
			continue
		}
		name := w.text(c)
		alias := name
		if c.Type() == "aliased_import" {
			name, alias = w.text(c.ChildByFieldName("name")), w.text(c.ChildByFieldName("alias"))
		}
		any = true
		if from == nil {
			*out = append(*out, Import{Name: alias, Path: name})
		} else {
			*out = append(*out, Import{Name: alias, Path: path, Of: name})
		}
	}
	if !any && from != nil {
		*out = append(*out, Import{Path: path})
	}
}
