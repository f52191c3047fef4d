package dialect

import (
	"bytes"
	"encoding/json"
	"strings"
)

// A schema is what matters of a tool's JSON Schema where arguments are written
// as text: the properties, and what types they may have.
type schema struct {
	keys       []string // in the order of the schema
	properties map[string]json.RawMessage
	required   []string
	defs       map[string]json.RawMessage // by their reference, such as "#/$defs/City"
}

// readSchema reads what it understands; a schema that is not one has no
// properties.
func readSchema(raw json.RawMessage) *schema {
	var doc struct {
		Properties  json.RawMessage            `json:"properties"`
		Required    []string                   `json:"required"`
		Defs        map[string]json.RawMessage `json:"$defs"`
		Definitions map[string]json.RawMessage `json:"definitions"`
	}
	s := &schema{properties: map[string]json.RawMessage{}, defs: map[string]json.RawMessage{}}
	_ = json.Unmarshal(raw, &doc) // fields that fit are set even when others do not
	s.required = doc.Required
	for name, def := range doc.Defs {
		s.defs["#/$defs/"+name] = def
	}
	for name, def := range doc.Definitions {
		s.defs["#/definitions/"+name] = def
	}
	dec := json.NewDecoder(bytes.NewReader(doc.Properties))
	if open, err := dec.Token(); err != nil || open != json.Delim('{') {
		return s
	}
	for dec.More() {
		token, err := dec.Token()
		key, ok := token.(string)
		var property json.RawMessage
		if err != nil || !ok || dec.Decode(&property) != nil {
			return s
		}
		if _, twice := s.properties[key]; !twice {
			s.keys = append(s.keys, key)
		}
		s.properties[key] = property
	}
	return s
}

// types is a set of JSON types. The empty set stands for any.
type types uint8

const (
	nullType types = 1 << iota
	booleanType
	integerType
	numberType
	stringType
	arrayType
	objectType
)

var typeNames = map[string]types{
	"null": nullType, "boolean": booleanType, "integer": integerType, "number": numberType,
	"string": stringType, "array": arrayType, "object": objectType,
}

func (t types) has(one types) bool { return t == 0 || t&one != 0 }
func (t types) onlyText() bool     { return t == stringType }

// types returns what the property named key may be.
func (s *schema) types(key string) types {
	t, _ := s.typesOf(s.properties[key], 0)
	return t
}

// typesOf collects the types that a schema names, directly, by reference, by
// its alternatives or by the values it lists. ok is false where nothing is
// said or the schema is too deep to tell.
func (s *schema) typesOf(raw json.RawMessage, depth int) (t types, ok bool) {
	const deepest = 8
	if depth > deepest || len(raw) == 0 {
		return 0, false
	}
	var doc struct {
		Type  json.RawMessage   `json:"type"`
		Ref   string            `json:"$ref"`
		AnyOf []json.RawMessage `json:"anyOf"`
		OneOf []json.RawMessage `json:"oneOf"`
		AllOf []json.RawMessage `json:"allOf"`
		Enum  []json.RawMessage `json:"enum"`
		Const json.RawMessage   `json:"const"`
	}
	if json.Unmarshal(raw, &doc) != nil {
		return 0, false
	}
	var one string
	var many []string
	switch {
	case doc.Type != nil && json.Unmarshal(doc.Type, &one) == nil:
		t = typeNames[one]
	case doc.Type != nil && json.Unmarshal(doc.Type, &many) == nil:
		for _, name := range many {
			t |= typeNames[name]
		}
	case doc.Ref != "":
		return s.typesOf(s.defs[doc.Ref], depth+1)
	case doc.AnyOf != nil || doc.OneOf != nil:
		for _, alternative := range append(doc.AnyOf, doc.OneOf...) {
			a, ok := s.typesOf(alternative, depth+1)
			if !ok {
				return 0, false // one of them may be anything
			}
			t |= a
		}
	case doc.AllOf != nil:
		for _, part := range doc.AllOf {
			if a, ok := s.typesOf(part, depth+1); ok {
				return a, true
			}
		}
	case doc.Enum != nil:
		for _, value := range doc.Enum {
			t |= typeOf(value)
		}
	case doc.Const != nil:
		t = typeOf(doc.Const)
	}
	return t, t != 0
}

// typeOf returns the type of a JSON value.
func typeOf(value json.RawMessage) types {
	value = bytes.TrimSpace(value)
	if len(value) == 0 {
		return 0
	}
	switch value[0] {
	case '"':
		return stringType
	case '{':
		return objectType
	case '[':
		return arrayType
	case 't', 'f':
		return booleanType
	case 'n':
		return nullType
	}
	return integerType | numberType
}

// value returns text, as the model wrote it for a parameter of these types, as
// JSON. Text that is a value of a type other than string is that value; where
// no other type fits it is a string, whatever the schema says, since the
// client can tell what is wrong with it better than we can. Python's True,
// False and None, which some templates teach, count as JSON's.
func (t types) value(text string) string {
	if t.onlyText() {
		return quote(text)
	}
	trimmed := strings.TrimSpace(text)
	switch trimmed {
	case "True", "False":
		if t != 0 && t.has(booleanType) {
			return strings.ToLower(trimmed)
		}
	case "None":
		if t != 0 && t.has(nullType) {
			return "null"
		}
	case "":
		return quote(text)
	}
	if !json.Valid([]byte(trimmed)) {
		return quote(text)
	}
	kind, ok := typeOf(json.RawMessage(trimmed)), false
	switch kind {
	case stringType: // the quotes are the model's own
	case integerType | numberType:
		ok = t.has(numberType) || t.has(integerType) && !strings.ContainsAny(trimmed, ".eE")
	default:
		ok = t.has(kind)
	}
	if !ok {
		return quote(text)
	}
	return trimmed
}

// quote returns s as a JSON string.
func quote(s string) string { return `"` + escape(s) + `"` }

// escape returns s as part of a JSON string. It works byte by byte, so that
// text may be escaped in pieces cut anywhere.
func escape(s string) string {
	plain := func(c byte) bool { return c >= 0x20 && c != '"' && c != '\\' }
	i := 0
	for i < len(s) && plain(s[i]) {
		i++
	}
	if i == len(s) {
		return s
	}
	var b strings.Builder
	b.WriteString(s[:i])
	for ; i < len(s); i++ {
		if plain(s[i]) {
			b.WriteByte(s[i])
			continue
		}
		writeJSONRune(&b, rune(s[i]))
	}
	return b.String()
}
