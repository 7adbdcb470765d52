package treesitter

import (
	"strings"
	"unicode"
	"unicode/utf8"

	sitter "github.com/smacker/go-tree-sitter"
)

// NameKind says how a name is looked up.
type NameKind uint8

const (
	Plain   NameKind = iota // by scopes: variables, functions, types
	Member                  // of what stands before it: fields, methods, attributes
	Keyword                 // an argument's, a module's: not this file's to name
)

// Name is an identifier and what it stands for, as far as one file tells.
type Name struct {
	Range
	Kind     NameKind
	Declares bool
	// Binding is the index of the name that declares this one, its own if it does; -1 when
	// nothing in the file does. Members have none.
	Binding int
	// Scope is where the binding holds; zero without one.
	Scope Range
	// Short is a name that stands for two things, as {a} does in JavaScript: the field and
	// the variable. Renaming one of them takes more than another word.
	Short bool

	scope  int
	inBody bool // declared in a class's body in Java or Python, so that it is a member, too
}

// InClass reports whether a plain name is declared in a class's body and may be a member of
// something elsewhere.
func (n Name) InClass() bool { return n.inBody }

// Names lists the identifiers of a file in the order of the text. The scopes are those of
// the languages as far as syntax shows them: what macros, wildcard imports and inheritance
// bring in stays unresolved. Around code that cannot be parsed it is a guess.
func (t *Tree) Names() []Name {
	var out []Name
	t.read(func(root *sitter.Node) {
		w := &nameWalk{t: t, cur: sitter.NewTreeCursor(root), outer: map[uint32]bool{}, scopes: []nameScope{{r: rangeOf(root), parent: -1, hoists: true}}}
		defer w.cur.Close()
		w.visit(place{}, 0)
		w.resolve()
		out = w.names
	})
	return out
}

// BoundAt reports whether a plain name that is written at an offset stands for something
// that the file declares. names are those of the same file.
func BoundAt(text string, names []Name, name string, at ByteOffset) bool {
	for _, n := range names {
		if n.Declares && n.Kind == Plain && text[n.Start:n.End] == name && n.Scope.Start <= at && at <= n.Scope.End {
			return true
		}
	}
	return false
}

type nameScope struct {
	r       Range
	parent  int
	hoists  bool // names hold in all of it, also before they are declared
	class   bool // Python: not seen from functions inside
	decls   map[string][]decl
	globals map[string]bool // Python: names of the module
}

type decl struct {
	name int // index
	from ByteOffset
}

// place is where the walk is.
type place struct {
	scope   int
	pattern bool       // identifiers here declare
	from    ByteOffset // from where on they hold; 0: in all of the scope
	member  bool       // what is declared is a member
	head    bool       // C: in the declarator of a function's definition
	use     bool       // Rust: in a use declaration
}

type nameWalk struct {
	t      *Tree
	cur    *sitter.TreeCursor
	names  []Name
	scopes []nameScope
	outer  map[uint32]bool // starts of names that belong to the scope outside of the one they open
}

func words(s string) map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(s) {
		m[w] = true
	}
	return m
}

var (
	identifiers = words(`identifier type_identifier field_identifier property_identifier shorthand_property_identifier
		shorthand_property_identifier_pattern shorthand_field_identifier package_identifier namespace_identifier`)

	// opens are the nodes, besides functions and blocks, that hold names of their own.
	opens = words(`for_statement for_in_statement if_statement expression_switch_statement type_switch_statement
		expression_case type_case default_case communication_case catch_clause enhanced_for_statement
		try_with_resources_statement for_range_loop match_arm if_expression while_expression for_expression
		lambda function_signature_item method_signature
		list_comprehension set_comprehension dictionary_comprehension generator_expression
		class_definition class_declaration class_specifier struct_specifier interface_declaration enum_declaration
		impl_item trait_item struct_item enum_item mod_item namespace_definition template_declaration`)
	pythonOpens = words(`lambda list_comprehension set_comprehension dictionary_comprehension generator_expression class_definition`)

	// declares are the fields, as NODE.FIELD, and nodes whose identifiers declare.
	declares = words(`short_var_declaration.left range_clause.left receive_statement.left var_spec.name const_spec.name
		parameter_declaration.name variadic_parameter_declaration.name type_parameter_declaration.name
		function_declaration.name type_spec.name type_alias.name type_switch_statement.alias import_spec.name
		method_declaration.name field_declaration.name method_spec.name method_elem.name

		assignment.left for_in_clause.left named_expression.name as_pattern.alias function_definition.name
		class_definition.name parameters lambda_parameters default_parameter.name typed_default_parameter.name
		aliased_import.alias import_statement.name import_from_statement.name

		variable_declarator.name generator_function_declaration.name function_expression.name class_declaration.name
		required_parameter.pattern optional_parameter.pattern formal_parameters arrow_function.parameter
		catch_clause.parameter import_specifier.alias import_clause namespace_import interface_declaration.name
		type_alias_declaration.name enum_declaration.name type_parameter.name type_parameter
		method_definition.name public_field_definition.name field_definition.property property_signature.name
		method_signature.name

		declaration.declarator parameter_declaration.declarator optional_parameter_declaration.declarator
		variadic_parameter_declaration.declarator function_definition.declarator struct_specifier.name
		union_specifier.name enum_specifier.name class_specifier.name type_definition.declarator enumerator.name
		preproc_def.name preproc_function_def.name for_range_loop.declarator namespace_definition.name
		type_parameter_declaration alias_declaration.name field_declaration.declarator

		let_declaration.pattern parameter.pattern closure_parameters function_item.name function_signature_item.name
		struct_item.name enum_item.name union_item.name type_item.name const_item.name static_item.name
		trait_item.name mod_item.name macro_definition.name for_expression.pattern let_condition.pattern
		match_arm.pattern use_as_clause.alias type_parameters constrained_type_parameter.left const_parameter.name
		enum_variant.name

		formal_parameter.name enhanced_for_statement.name resource.name catch_formal_parameter.name
		inferred_parameters lambda_expression.parameters constructor_declaration.name enum_constant.name
		annotation_type_declaration.name record_declaration.name`)

	// through are the nodes that a pattern is made of.
	through = words(`expression_list pattern_list tuple_pattern list_pattern list_splat_pattern dictionary_splat_pattern
		object_pattern array_pattern rest_pattern as_pattern_target parenthesized_expression typed_parameter
		tuple_struct_pattern struct_pattern field_pattern slice_pattern ref_pattern mut_pattern reference_pattern
		captured_pattern or_pattern match_pattern
		pointer_declarator reference_declarator variadic_declarator array_declarator function_declarator
		init_declarator structured_binding_declarator parenthesized_declarator assignment_pattern
		object_assignment_pattern pair_pattern dotted_name aliased_import`)

	// not are fields of those that are no part of the pattern.
	not = words(`tuple_struct_pattern.type struct_pattern.type match_pattern.condition typed_parameter.type
		array_declarator.size function_declarator.parameters init_declarator.value assignment_pattern.right
		object_assignment_pattern.right pair_pattern.key aliased_import.name field_pattern.name`)

	// members are the fields, as NODE.FIELD, whose identifiers are looked up in something.
	members = words(`attribute.attribute field_access.field scoped_identifier.name scoped_type_identifier.name
		qualified_identifier.name method_reference.name`)
	// foreign are those that are not this file's to name.
	foreign = words(`keyword_argument.name import_from_statement.module_name import_spec.path aliased_import.name
		import_specifier.name package_clause export_specifier.name`)

	// memberNames declare members, whatever their identifiers are called.
	memberNames = words(`method_declaration.name field_declaration.name method_spec.name method_elem.name enum_variant.name
		field_declaration.declarator method_definition.name public_field_definition.name field_definition.property
		property_signature.name method_signature.name`)
)

// visit walks the current node.
func (w *nameWalk) visit(p place, depth int) {
	if depth > maxDepth {
		return
	}
	n := w.cur.CurrentNode()
	kind := n.Type()
	if n.ChildCount() == 0 {
		if identifiers[kind] {
			w.name(n, kind, p)
		}
		return
	}
	c := w.t.g.class(n)
	if c == classComment || c == classString && w.t.lang != Python && w.t.lang != JavaScript && w.t.lang != TypeScript && w.t.lang != TSX {
		return
	}
	inner := w.scopeOf(n, kind, c, p)
	if !through[kind] {
		inner.pattern, inner.from, inner.member = false, 0, false
	}
	if kind == "use_declaration" {
		inner.use = true
	}
	if kind == "global_statement" || kind == "nonlocal_statement" {
		w.global(n, p.scope)
		return
	}
	if !w.cur.GoToFirstChild() {
		return
	}
	for {
		w.child(n, kind, inner, p.scope, depth)
		if !w.cur.GoToNextSibling() {
			break
		}
	}
	w.cur.GoToParent()
}

// child walks a child of n.
func (w *nameWalk) child(n *sitter.Node, kind string, p place, outside, depth int) {
	field := kind + "." + w.cur.CurrentFieldName()
	q := p
	switch {
	case w.declaring(n, kind, field):
		q.pattern, q.from = true, w.from(n, kind, p.scope)
		q.member = memberNames[field] && (w.t.lang != Java || field == "method_definition.name")
		switch {
		case kind == "function_definition" && w.t.lang == Python && w.scopes[outside].class,
			kind == "function_item" && w.inType(n), kind == "function_signature_item":
			q.member = true
		}
		q.head = kind == "function_definition" && (w.t.lang == C || w.t.lang == CPP)
	case (foreign[field] || foreign[kind]) && !(field == "import_specifier.name" && n.ChildByFieldName("alias") == nil):
		w.foreign(w.cur.CurrentNode(), p.scope)
		return
	case not[field]:
		q.pattern, q.member = false, false
	case members[field]:
		if c := w.cur.CurrentNode(); c.ChildCount() == 0 && !p.use {
			w.add(c, Member, false, p.scope, false)
			return
		}
	case field == "method_invocation.name" && n.ChildByFieldName("object") != nil:
		w.add(w.cur.CurrentNode(), Member, false, p.scope, false)
		return
	case field == "import_specifier.name":
		q.pattern = true
	case (kind == "default_parameter" || kind == "typed_default_parameter") && !strings.HasSuffix(field, ".name"):
		q.scope = w.scopes[p.scope].parent // it is worked out where the function is defined
	case kind == "keyed_element" && w.t.lang == Go && w.cur.CurrentNode().Type() == "literal_element" && n.Child(0).Equal(w.cur.CurrentNode()) && !w.inMap(n):
		if c := w.cur.CurrentNode().Child(0); c != nil && c.Type() == "identifier" {
			w.add(c, Member, false, p.scope, false)
			return
		}
	}
	w.visit(q, depth+1)
}

// declaring says whether a child of n declares.
func (w *nameWalk) declaring(n *sitter.Node, kind, field string) bool {
	lang := w.t.lang
	switch kind {
	case "range_clause", "receive_statement":
		left, right := n.ChildByFieldName("left"), n.ChildByFieldName("right")
		return strings.HasSuffix(field, ".left") && left != nil && right != nil && strings.Contains(w.t.text[left.EndByte():right.StartByte()], ":=")
	case "for_in_statement":
		return strings.HasSuffix(field, ".left") && n.ChildByFieldName("kind") != nil
	case "for_statement":
		return lang == Python && field == "for_statement.left"
	case "struct_specifier", "union_specifier", "enum_specifier", "class_specifier":
		return strings.HasSuffix(field, ".name") && n.ChildByFieldName("body") != nil
	case "use_list", "use_declaration", "scoped_use_list":
		return false // see name
	case "type_parameters", "type_parameter", "type_parameter_declaration", "import_clause", "namespace_import",
		"inferred_parameters", "closure_parameters", "formal_parameters", "parameters", "lambda_parameters":
		if declares[kind] && strings.HasSuffix(field, ".") {
			return true
		}
	}
	return declares[field]
}

// from is from where on what n declares holds: languages differ in whether a name may be
// used before it is declared. 0: in all of its scope.
func (w *nameWalk) from(n *sitter.Node, kind string, scope int) ByteOffset {
	switch w.t.lang {
	case Python, JavaScript, TypeScript, TSX:
		return 0
	}
	switch kind {
	case "short_var_declaration", "var_spec", "const_spec", "let_declaration", "declaration", "variable_declarator", "init_declarator":
		if !w.scopes[scope].hoists {
			return ByteOffset(n.EndByte())
		}
	}
	return 0
}

// inType: a Rust function in an impl or trait is a member of a type.
func (w *nameWalk) inType(n *sitter.Node) bool {
	list := n.Parent()
	if list == nil || list.Parent() == nil {
		return false
	}
	t := list.Parent().Type()
	return t == "impl_item" || t == "trait_item"
}

// inMap: the keys of a Go literal are values, not fields.
func (w *nameWalk) inMap(keyed *sitter.Node) bool {
	body := keyed.Parent()
	if body == nil || body.Parent() == nil {
		return false
	}
	t := body.Parent().ChildByFieldName("type")
	if t == nil {
		return false
	}
	switch t.Type() {
	case "map_type", "array_type", "slice_type", "implicit_length_array_type":
		return true
	}
	return false
}

// scopeOf opens a scope where n has one.
func (w *nameWalk) scopeOf(n *sitter.Node, kind string, c class, p place) place {
	if w.t.lang == Rust && p.pattern && p.scope > 0 {
		// Patterns hold no scopes.
		return p
	}
	open := opens[kind] || c == classFunction || c == classBlock
	if w.t.lang == Python {
		open = pythonOpens[kind] || c == classFunction
	}
	if kind == "parameter_list" && (w.t.lang == C || w.t.lang == CPP) {
		open = !p.head // of a prototype, whose names mean nothing outside
	}
	if open && c == classBlock {
		if parent := n.Parent(); parent != nil && w.t.g.class(parent) == classFunction {
			open = false // the parameters stand in the body
		}
	}
	if !open || n.Parent() == nil {
		return p
	}
	if name := nameOf(n); name != nil && kind != "function_expression" {
		w.outer[name.StartByte()] = true
	}
	p.scope = w.push(nameScope{r: rangeOf(n), parent: p.scope, class: kind == "class_definition", hoists: c == classMembers || kind == "mod_item" || kind == "namespace_definition" || kind == "class_declaration" || kind == "interface_declaration" || kind == "enum_declaration" || kind == "class_specifier"})
	p.head = false
	return p
}

func (w *nameWalk) push(s nameScope) int {
	w.scopes = append(w.scopes, s)
	return len(w.scopes) - 1
}

// nameOf is the name that a node with a scope has outside of it.
func nameOf(n *sitter.Node) *sitter.Node {
	if name := n.ChildByFieldName("name"); name != nil {
		return name
	}
	for d := n.ChildByFieldName("declarator"); d != nil; {
		if d.ChildCount() == 0 {
			return d
		}
		next := d.ChildByFieldName("declarator")
		if next == nil && d.NamedChildCount() > 0 && strings.HasSuffix(d.Type(), "_declarator") {
			next = d.NamedChild(0)
		}
		d = next
	}
	return nil
}

// global: Python's names that are the module's.
func (w *nameWalk) global(n *sitter.Node, scope int) {
	for i := range int(n.NamedChildCount()) {
		c := n.NamedChild(i)
		s := &w.scopes[scope]
		if s.globals == nil {
			s.globals = map[string]bool{}
		}
		s.globals[w.text(c)] = true
		w.add(c, Plain, false, scope, false)
	}
}

// foreign adds the names below n as ones that are not this file's.
func (w *nameWalk) foreign(n *sitter.Node, scope int) {
	if n.ChildCount() == 0 {
		if identifiers[n.Type()] {
			w.add(n, Keyword, false, scope, false)
		}
		return
	}
	for i := range int(n.ChildCount()) {
		w.foreign(n.Child(i), scope)
	}
}

func (w *nameWalk) text(n *sitter.Node) string { return w.t.text[n.StartByte():n.EndByte()] }

// name takes an identifier.
func (w *nameWalk) name(n *sitter.Node, kind string, p place) {
	text := w.text(n)
	scope := p.scope
	if w.outer[n.StartByte()] && scope > 0 {
		scope = w.scopes[scope].parent
	}
	switch {
	case text == "_" || text == "":
		return
	case kind == "shorthand_property_identifier":
		w.add(n, Plain, false, scope, true)
	case kind == "shorthand_property_identifier_pattern" || kind == "shorthand_field_identifier":
		w.declare(n, text, scope, p, true)
	case kind == "identifier" && n.Parent() != nil && n.Parent().Type() == "shorthand_field_initializer":
		w.add(n, Plain, false, scope, true)
	case p.member:
		w.add(n, Member, true, scope, false)
	case kind == "field_identifier" || kind == "property_identifier":
		w.add(n, Member, p.pattern, scope, false)
	case p.use && !imported(n):
		w.add(n, Keyword, false, scope, false)
	case p.use:
		w.declare(n, text, scope, place{}, false)
	case p.pattern && w.t.lang == Rust && capitalized(text) && n.Parent() != nil && strings.HasSuffix(n.Parent().Type(), "_pattern"):
		w.add(n, Plain, false, scope, false) // a constant or variant
	case p.pattern && n.Parent() != nil && n.Parent().Type() == "dotted_name" && !n.Parent().NamedChild(0).Equal(n):
		w.add(n, Keyword, false, scope, false)
	case p.pattern:
		w.declare(n, text, scope, p, false)
	default:
		w.add(n, Plain, false, scope, false)
	}
}

// imported says whether an identifier of a Rust use declaration is one that it brings in,
// not one of the path to it.
func imported(n *sitter.Node) bool {
	p := n.Parent()
	if p == nil {
		return false
	}
	switch p.Type() {
	case "use_list", "use_declaration":
		return true
	case "use_as_clause":
		alias := p.ChildByFieldName("alias")
		return alias != nil && alias.Equal(n)
	case "scoped_identifier":
		name, up := p.ChildByFieldName("name"), p.Parent()
		return name != nil && name.Equal(n) && up != nil && (up.Type() == "use_list" || up.Type() == "use_declaration")
	}
	return false
}

func capitalized(s string) bool {
	r, _ := utf8.DecodeRuneInString(s)
	return unicode.IsUpper(r)
}

func (w *nameWalk) add(n *sitter.Node, k NameKind, declares bool, scope int, short bool) int {
	w.names = append(w.names, Name{Range: rangeOf(n), Kind: k, Declares: declares, Binding: -1, Short: short, scope: scope})
	return len(w.names) - 1
}

// declare takes an identifier that declares, unless its scope has the name already.
func (w *nameWalk) declare(n *sitter.Node, text string, scope int, p place, short bool) {
	if w.scopes[scope].globals[text] {
		scope = 0
	}
	s := &w.scopes[scope]
	again := len(s.decls[text]) > 0 && (w.t.lang == Python || parentKind(n, "short_var_declaration"))
	i := w.add(n, Plain, !again, scope, short)
	if w.t.lang == Java && scope > 0 && s.hoists || s.class {
		w.names[i].inBody = true
	}
	if again {
		return
	}
	if s.decls == nil {
		s.decls = map[string][]decl{}
	}
	s.decls[text] = append(s.decls[text], decl{i, p.from})
}

// parentKind looks through the lists that names stand in.
func parentKind(n *sitter.Node, kind string) bool {
	for p := n.Parent(); p != nil; p = p.Parent() {
		if p.Type() == kind {
			return true
		}
		if !through[p.Type()] {
			return false
		}
	}
	return false
}

// resolve finds what declares each plain name.
func (w *nameWalk) resolve() {
	for i := range w.names {
		n := &w.names[i]
		if n.Kind != Plain {
			continue
		}
		text := w.t.text[n.Start:n.End]
		if n.Declares {
			n.Binding = i
		} else {
			n.Binding = w.lookup(text, n)
		}
		if n.Binding >= 0 {
			n.Scope = w.holds(n.Binding)
		}
	}
}

// holds is where a binding holds.
func (w *nameWalk) holds(binding int) Range {
	b := w.names[binding]
	r := w.scopes[b.scope].r
	for _, d := range w.scopes[b.scope].decls[w.t.text[b.Start:b.End]] {
		if d.name == binding && d.from > r.Start {
			r.Start = d.from
		}
	}
	return r
}

func (w *nameWalk) lookup(text string, n *Name) int {
	crossed := false // out of a function
	for at := n.scope; at >= 0; at = w.scopes[at].parent {
		s := &w.scopes[at]
		if s.globals[text] && at != 0 {
			at = 0
			s = &w.scopes[0]
		}
		if !(s.class && crossed) {
			best := -1
			for _, d := range s.decls[text] {
				if d.from <= n.Start {
					best = d.name
				}
			}
			if best >= 0 {
				return best
			}
		}
		crossed = crossed || !s.class
	}
	return -1
}
