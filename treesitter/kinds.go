package treesitter

import (
	"strings"
	"sync"

	sitter "github.com/smacker/go-tree-sitter"
)

// class sorts the node types of all grammars into the few kinds that matter here.
type class uint8

const (
	classOther     class = iota
	classFunction        // a function with a body, named or not
	classBlock           // a sequence of statements with its brackets
	classCases           // the bracketed arms of a switch or match
	classArm             // one arm; its statements are children of it
	classMembers         // the bracketed members of a type, namespace or trait
	classLiteral         // a bracketed value or pattern
	classStatement       // a statement wherever it stands
	classComment
	classString
)

// kinds names the node types of each class; a name means the same in every grammar that
// has it.
var kinds = map[class]string{
	classFunction: `function_declaration method_declaration func_literal function_definition
		function_expression arrow_function method_definition generator_function
		generator_function_declaration function_item closure_expression lambda_expression
		constructor_declaration compact_constructor_declaration`,
	classBlock: `block statement_block compound_statement constructor_body`,
	classCases: `switch_body switch_block match_block expression_switch_statement
		type_switch_statement select_statement`,
	classArm: `expression_case type_case default_case communication_case switch_case
		switch_default case_statement switch_block_statement_group`,
	classMembers: `class_body interface_body enum_body field_declaration_list declaration_list
		enumerator_list enum_variant_list object_type interface_type annotation_type_body
		module_body enum_body_declarations`,
	classLiteral: `literal_value object dictionary set initializer_list array_initializer
		field_initializer_list object_pattern template_substitution named_imports export_clause
		token_tree use_list jsx_expression interpolation`,
	classComment: `comment line_comment block_comment`,
	classString: `interpreted_string_literal raw_string_literal rune_literal string
		template_string string_literal char_literal character_literal
		string_content regex`,
}

// grammar is what is computed once per language.
type grammar struct {
	language *sitter.Language
	classes  []class // by symbol
	roles    []role  // likewise
}

var grammars [len(languages)]struct {
	once sync.Once
	g    *grammar
}

// grammarOf gives the language's grammar, nil if it has none.
func grammarOf(l Language) *grammar {
	if !l.HasGrammar() {
		return nil
	}
	slot := &grammars[l]
	slot.once.Do(func() {
		byType := map[string]class{}
		for c, names := range kinds {
			for _, n := range strings.Fields(names) {
				byType[n] = c
			}
		}
		lang := languages[l].grammar()
		g := &grammar{language: lang, classes: make([]class, lang.SymbolCount()), roles: rolesOf(lang)}
		for s := range g.classes {
			if lang.SymbolType(sitter.Symbol(s)) != sitter.SymbolTypeRegular {
				continue
			}
			name := lang.SymbolName(sitter.Symbol(s))
			c, ok := byType[name]
			if !ok && (strings.HasSuffix(name, "_statement") || strings.HasSuffix(name, "_declaration")) {
				c = classStatement
			}
			g.classes[s] = c
		}
		slot.g = g
	})
	return slot.g
}

// class of a node; classOther for anonymous tokens and errors.
func (g *grammar) class(n *sitter.Node) class {
	if s := int(n.Symbol()); s < len(g.classes) {
		return g.classes[s]
	}
	return classOther // ERROR is symbol 65535
}
