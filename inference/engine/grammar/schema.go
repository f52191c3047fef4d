package grammar

import (
	"encoding/json"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// A typeSet is a set of JSON types. Numbers are two of them, so that integers
// are a part of numbers.
type typeSet uint8

const (
	tNull typeSet = 1 << iota
	tBoolean
	tInteger
	tFraction // numbers that are not integers
	tString
	tArray
	tObject

	tNumber = tInteger | tFraction
	tAny    = tNull | tBoolean | tNumber | tString | tArray | tObject
)

var typeNames = map[string]typeSet{
	"null": tNull, "boolean": tBoolean, "integer": tInteger, "number": tNumber,
	"string": tString, "array": tArray, "object": tObject,
}

func typeOf(v any) typeSet {
	switch v := v.(type) {
	case nil:
		return tNull
	case bool:
		return tBoolean
	case json.Number:
		if d, err := parseDecimal(v); err == nil && d.isInteger() {
			return tInteger
		}
		return tFraction
	case string:
		return tString
	case []any:
		return tArray
	}
	return tObject
}

// A schema is one schema of the document as it was written: its own
// constraints, and the schemas that apply to the same value.
type schema struct {
	id   int
	path string

	never  bool    // the schema false
	types  typeSet // 0: not said
	values []any   // of enum and const
	listed bool    // values are said
	about  typeSet // the types that it has keywords for
	whole  bool    // multipleOf 1

	min, max             *bound
	minLength, maxLength int // maxLength -1: no bound
	format               string
	pattern              *pattern

	minItems, maxItems int // maxItems -1: no bound
	prefix             []*schema
	items              *schema // nil: not said

	properties []property
	byName     map[string]*schema // of properties
	required   []string
	extra      *schema // additionalProperties; nil: not said

	ref     *schema
	allOf   []*schema
	choices []*choice
	ownLast bool // the properties come after those of ref, allOf and choices
}

type property struct {
	name   string
	schema *schema
}

// A bound is a limit of a number.
type bound struct {
	decimal
	exclusive bool
}

// A choice is an anyOf or a oneOf.
type choice struct {
	path     string // of the schema that has it
	branches []*schema
	exactly  bool // oneOf
}

// A reader reads the schemas of a document. One that is reached in two ways,
// as through $ref, is read once.
type reader struct {
	document any
	byPath   map[string]*schema
}

func (r *reader) read(v any, path string) (*schema, error) {
	if s, ok := r.byPath[path]; ok {
		return s, nil
	}
	if len(r.byPath) == maxSchemas {
		return nil, unsupported("", path, "there are more than %d subschemas", maxSchemas)
	}
	s := &schema{id: len(r.byPath), path: path, maxLength: -1, maxItems: -1}
	r.byPath[path] = s
	switch v := v.(type) {
	case bool:
		s.never = !v
		return s, nil
	case *object:
		for _, keyword := range v.keys {
			if err := r.keyword(s, v, keyword, v.values[keyword]); err != nil {
				return nil, err
			}
		}
		return s, s.contradiction()
	}
	return nil, invalid("", path, "a schema is an object or a boolean")
}

// contradiction reports keywords of one schema that exclude each other.
func (s *schema) contradiction() error {
	if s.maxLength >= 0 && s.minLength > s.maxLength {
		return invalid("minLength", s.path, "%d is above maxLength, %d", s.minLength, s.maxLength)
	}
	if s.maxItems >= 0 && s.minItems > s.maxItems {
		return invalid("minItems", s.path, "%d is above maxItems, %d", s.minItems, s.maxItems)
	}
	if s.min != nil && s.max != nil && s.min.cmp(s.max.decimal) > 0 {
		return invalid("minimum", s.path, "the lower bound is above the upper bound")
	}
	return nil
}

// keyword reads one keyword of s.
func (r *reader) keyword(s *schema, obj *object, keyword string, v any) (err error) {
	at := s.path + "/" + escapePointer(keyword)
	bad := func(format string, args ...any) error { return invalid(keyword, s.path, format, args...) }
	switch keyword {
	case "title", "description", "default", "examples", "example", "$schema", "$comment", "$anchor",
		"$defs", "definitions", "deprecated", "readOnly", "writeOnly", "discriminator":
		// Annotations. Definitions are read when a $ref leads to them, and a
		// discriminator says about oneOf what the branches say themselves.
	case "$id", "id":
		if s.path != "#" {
			return unsupported(keyword, s.path, "below the root it would change what every $ref means")
		}
	case "type":
		s.types, err = readTypes(v, bad)
	case "enum":
		list, ok := v.([]any)
		if !ok || len(list) == 0 {
			return bad("it is a list of at least one value")
		}
		s.list(list)
	case "const":
		s.list([]any{v})
	case "minimum", "exclusiveMinimum":
		s.about |= tNumber
		return s.bound(&s.min, 1, v, keyword)
	case "maximum", "exclusiveMaximum":
		s.about |= tNumber
		return s.bound(&s.max, -1, v, keyword)
	case "multipleOf":
		s.about |= tNumber
		n, ok := v.(json.Number)
		if !ok {
			return bad("it is a number")
		}
		if d, err := parseDecimal(n); err != nil || d.whole != "1" || d.frac != "" || d.neg {
			return unsupported(keyword, s.path, "only 1 can be enforced")
		}
		s.whole = true
	case "minLength":
		s.about |= tString
		s.minLength, err = readCount(v, keyword, s.path)
	case "maxLength":
		s.about |= tString
		s.maxLength, err = readCount(v, keyword, s.path)
	case "format":
		s.about |= tString
		name, ok := v.(string)
		if !ok {
			return bad("it is a string")
		}
		if _, ok := formats[name]; !ok {
			return unsupported(keyword, s.path, "the formats that can be enforced are %s", formatNames())
		}
		s.format = name
	case "pattern":
		s.about |= tString
		text, ok := v.(string)
		if !ok {
			return bad("it is a string")
		}
		s.pattern, err = parsePattern(text, s.path)
	case "minItems":
		s.about |= tArray
		s.minItems, err = readCount(v, keyword, s.path)
	case "maxItems":
		s.about |= tArray
		s.maxItems, err = readCount(v, keyword, s.path)
	case "items":
		s.about |= tArray
		if list, ok := v.([]any); ok { // draft 7 and before
			if _, ok := obj.values["prefixItems"]; ok {
				return bad("it cannot be a list next to prefixItems")
			}
			s.prefix, err = r.list(list, at)
			return err
		}
		s.items, err = r.read(v, at)
	case "additionalItems":
		s.about |= tArray
		if _, ok := obj.values["items"].([]any); ok { // otherwise it means nothing
			s.items, err = r.read(v, at)
		}
	case "prefixItems":
		s.about |= tArray
		list, ok := v.([]any)
		if !ok || len(list) == 0 {
			return bad("it is a list of at least one schema")
		}
		s.prefix, err = r.list(list, at)
	case "properties":
		s.about |= tObject
		s.ownLast = s.ref != nil || s.allOf != nil || s.choices != nil
		props, ok := v.(*object)
		if !ok {
			return bad("it is an object")
		}
		s.byName = make(map[string]*schema, len(props.keys))
		for _, name := range props.keys {
			if len(name) > maxNameBytes {
				return unsupported(keyword, s.path, "the name of a property has %d bytes, over the limit of %d", len(name), maxNameBytes)
			}
			p, err := r.read(props.values[name], at+"/"+escapePointer(name))
			if err != nil {
				return err
			}
			s.properties = append(s.properties, property{name, p})
			s.byName[name] = p
		}
	case "required":
		s.about |= tObject
		list, ok := v.([]any)
		if !ok {
			return bad("it is a list of names")
		}
		for _, v := range list {
			name, ok := v.(string)
			if !ok {
				return bad("it is a list of names")
			}
			if len(name) > maxNameBytes {
				return unsupported(keyword, s.path, "the name of a property has %d bytes, over the limit of %d", len(name), maxNameBytes)
			}
			if !slices.Contains(s.required, name) {
				s.required = append(s.required, name)
			}
		}
	case "additionalProperties":
		s.about |= tObject
		s.extra, err = r.read(v, at)
	case "$ref":
		s.ref, err = r.follow(v, s.path)
	case "allOf", "anyOf", "oneOf":
		list, ok := v.([]any)
		if !ok || len(list) == 0 {
			return bad("it is a list of at least one schema")
		}
		branches, err := r.list(list, at)
		if err != nil {
			return err
		}
		if keyword == "allOf" {
			s.allOf = branches
		} else {
			s.choices = append(s.choices, &choice{path: s.path, branches: branches, exactly: keyword == "oneOf"})
		}
	case "uniqueItems", "nullable":
		off, ok := v.(bool)
		if !ok {
			return bad("it is a boolean")
		}
		if off {
			return unsupported(keyword, s.path, "%s", hints[keyword])
		}
	default:
		if strings.HasPrefix(keyword, "x-") {
			return nil // an annotation of somebody's own
		}
		hint, ok := hints[keyword]
		if !ok {
			hint = "the keyword is not known; if it is only a note, begin its name with x-"
		}
		return unsupported(keyword, s.path, "%s", hint)
	}
	return err
}

// hints say what to do about keywords that constrain and cannot be enforced.
var hints = map[string]string{
	"uniqueItems":           "a grammar cannot compare the items of a list",
	"nullable":              `it is not JSON Schema; write "type": ["string", "null"] or an anyOf with null`,
	"patternProperties":     "name the properties, or use additionalProperties",
	"propertyNames":         "name the properties",
	"minProperties":         "list the properties that must be there in required",
	"maxProperties":         "a grammar cannot count properties",
	"dependentRequired":     "write the combinations as anyOf",
	"dependentSchemas":      "write the combinations as anyOf",
	"dependencies":          "write the combinations as anyOf",
	"if":                    "write the cases as anyOf",
	"then":                  "write the cases as anyOf",
	"else":                  "write the cases as anyOf",
	"not":                   "say what the value may be, rather than what it may not",
	"contains":              "describe the items with items or prefixItems",
	"minContains":           "describe the items with items or prefixItems",
	"maxContains":           "describe the items with items or prefixItems",
	"unevaluatedProperties": "use additionalProperties",
	"unevaluatedItems":      "use items",
	"$dynamicRef":           "use $ref",
	"$recursiveRef":         "use $ref",
	"contentEncoding":       "describe the text with pattern",
	"contentMediaType":      "describe the text with pattern",
	"contentSchema":         "describe the text with pattern",
}

func (s *schema) list(values []any) {
	if !s.listed {
		s.values, s.listed = values, true
		return
	}
	s.values = slices.DeleteFunc(slices.Clone(s.values), func(v any) bool {
		return !slices.ContainsFunc(values, func(w any) bool { return equalJSON(v, w) })
	})
}

// bound reads a limit of numbers and keeps the stricter one: sign is 1 where
// the greater one is.
func (s *schema) bound(to **bound, sign int, v any, keyword string) error {
	n, ok := v.(json.Number)
	if !ok {
		return invalid(keyword, s.path, "it is a number")
	}
	d, err := parseDecimal(n)
	if err != nil {
		return unsupported(keyword, s.path, "%v", err)
	}
	*to = stricter(*to, &bound{d, strings.HasPrefix(keyword, "exclusive")}, sign)
	return nil
}

func stricter(a, b *bound, sign int) *bound {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	}
	switch c := a.cmp(b.decimal) * sign; {
	case c > 0 || c == 0 && a.exclusive:
		return a
	}
	return b
}

func readTypes(v any, bad func(string, ...any) error) (typeSet, error) {
	list, ok := v.([]any)
	if !ok {
		list = []any{v}
	}
	var types typeSet
	for _, v := range list {
		name, _ := v.(string)
		t := typeNames[name]
		if t == 0 {
			return 0, bad("the types are null, boolean, integer, number, string, array and object")
		}
		types |= t
	}
	if types == 0 {
		return 0, bad("the list of types is empty")
	}
	return types, nil
}

func readCount(v any, keyword, path string) (int, error) {
	n, ok := v.(json.Number)
	if !ok {
		return 0, invalid(keyword, path, "it is a whole number")
	}
	d, err := parseDecimal(n)
	if err == nil && (!d.isInteger() || d.neg) {
		return 0, invalid(keyword, path, "it is a whole number, and not negative")
	}
	if err != nil || len(d.whole) > 10 {
		return 0, unsupported(keyword, path, "it is over the limit of %d", maxRepeat)
	}
	count, _ := strconv.Atoi(d.whole)
	if count > maxRepeat {
		return 0, unsupported(keyword, path, "%d is over the limit of %d", count, maxRepeat)
	}
	return count, nil
}

func (r *reader) list(values []any, path string) ([]*schema, error) {
	var list []*schema
	for i, v := range values {
		s, err := r.read(v, path+"/"+strconv.Itoa(i))
		if err != nil {
			return nil, err
		}
		list = append(list, s)
	}
	return list, nil
}

// follow reads the schema that a $ref leads to.
func (r *reader) follow(v any, from string) (*schema, error) {
	text, ok := v.(string)
	if !ok {
		return nil, invalid("$ref", from, "it is a string")
	}
	fragment, ok := strings.CutPrefix(text, "#")
	if !ok {
		return nil, unsupported("$ref", from, "it can only lead to a place in this schema, such as #/$defs/name")
	}
	pointer, err := url.PathUnescape(fragment)
	if err != nil || pointer != "" && pointer[0] != '/' {
		return nil, unsupported("$ref", from, "only JSON pointers can be followed, such as #/$defs/name")
	}
	target, path := r.document, "#"
	if pointer != "" {
		for part := range strings.SplitSeq(pointer[1:], "/") {
			part = strings.ReplaceAll(strings.ReplaceAll(part, "~1", "/"), "~0", "~")
			found := false
			switch t := target.(type) {
			case *object:
				target, found = t.values[part]
			case []any:
				if i, err := strconv.Atoi(part); err == nil && i >= 0 && i < len(t) && strconv.Itoa(i) == part {
					target, found = t[i], true
				}
			}
			if !found {
				return nil, invalid("$ref", from, "there is nothing at the place it leads to")
			}
			path += "/" + escapePointer(part)
		}
	}
	return r.read(target, path)
}
