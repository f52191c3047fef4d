package grammar

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// validator compiles a schema with the reference implementation, formats
// asserted.
func validator(t testing.TB, schema string) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(schema))
	if err != nil {
		t.Fatalf("schema %s: %v", schema, err)
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	c.AssertFormat()
	if err := c.AddResource("schema.json", doc); err != nil {
		t.Fatalf("schema %s: %v", schema, err)
	}
	v, err := c.Compile("schema.json")
	if err != nil {
		t.Fatalf("schema %s: %v", schema, err)
	}
	return v
}

func valid(t testing.TB, v *jsonschema.Schema, text string) bool {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		t.Fatalf("not JSON: %q: %v", text, err)
	}
	return v.Validate(doc) == nil
}

func accepts(g *Grammar, text string) bool {
	s, ok := g.Start().Accept([]byte(text))
	return ok && s.Done()
}

// TestProperty: whatever a grammar generates is JSON and satisfies its schema,
// and what satisfies a schema in canonical form is accepted by its grammar.
func TestProperty(t *testing.T) {
	const schemas = 250
	refused, documents := 0, 0
	for seed := range uint64(schemas) {
		n, ok := checkSchema(t, seed, 8)
		documents += n
		if !ok {
			refused++
		}
	}
	t.Logf("%d schemas of which %d were refused; %d documents", schemas, refused, documents)
	if refused > schemas/2 || documents < schemas {
		t.Errorf("%d of %d schemas were refused and %d documents tried: the test says too little", refused, schemas, documents)
	}
}

// The property of TestProperty, for any seed.
func FuzzProperty(f *testing.F) {
	f.Add(uint64(1 << 40))
	f.Fuzz(func(t *testing.T, seed uint64) { checkSchema(t, seed, 8) })
}

// checkSchema makes a schema of seed, and as many texts of its grammar and
// documents for it. It returns how many of the documents were valid, and false
// where the schema was refused.
func checkSchema(t *testing.T, seed uint64, texts int) (documents int, ok bool) {
	gen := &generator{rng: rand.New(rand.NewPCG(seed, 1))}
	schema := gen.document()
	gbnf, err := FromSchema(json.RawMessage(schema))
	if err != nil {
		checkError(t, err)
		return 0, false
	}
	g, err := Parse(gbnf)
	if err != nil {
		t.Fatalf("seed %d: schema %s: %v", seed, schema, err)
	}
	v := validator(t, schema)
	w := newWalker(g, gen.rng)
	for range texts {
		text := w.text(gen.rng.IntN(120))
		switch {
		case !json.Valid([]byte(text)):
			t.Fatalf("seed %d: schema %s generates what is not JSON: %s\n%s", seed, schema, text, gbnf)
		case !valid(t, v, text):
			t.Fatalf("seed %d: schema %s generates what does not satisfy it: %s\n%s", seed, schema, text, gbnf)
		case !accepts(g, text):
			t.Fatalf("seed %d: schema %s does not accept what it generates: %s", seed, schema, text)
		}
	}
	root, err := decode(json.RawMessage(schema))
	if err != nil {
		t.Fatal(err)
	}
	closed := validator(t, plainJSON(closedSchema(root)))
	for range texts {
		d := &documenter{rng: gen.rng, root: root, spaces: gen.rng.IntN(2) == 0}
		text, ok := d.value(root, 0)
		if !ok || !valid(t, v, text) || !valid(t, closed, text) {
			continue
		}
		documents++
		if !accepts(g, text) {
			t.Fatalf("seed %d: schema %s is satisfied by %s, which its grammar does not accept\n%s", seed, schema, text, gbnf)
		}
	}
	return documents, true
}

// checkError fails t unless err is one that a client can be told.
func checkError(t *testing.T, err error) {
	t.Helper()
	_, bad := errors.AsType[*InvalidError](err)
	_, cannot := errors.AsType[*UnsupportedError](err)
	if !bad && !cannot {
		t.Fatalf("error of type %T: %v", err, err)
	}
}

// A generator writes random schemas of the supported keywords.
type generator struct {
	rng  *rand.Rand
	defs int
}

func (g *generator) chance(n int) bool { return g.rng.IntN(n) == 0 }

func (g *generator) document() string {
	g.defs = g.rng.IntN(3)
	root := g.schema(0)
	if g.defs == 0 || root == "true" || root == "false" {
		return strings.ReplaceAll(root, `"$ref":"#/$defs/`, `"x-ref":"`)
	}
	var defs []string
	for i := range g.defs {
		defs = append(defs, fmt.Sprintf(`"d%d":%s`, i, g.schema(1)))
	}
	sep := ","
	if root == "{}" {
		sep = ""
	}
	return `{"$defs":{` + strings.Join(defs, ",") + `}` + sep + root[1:]
}

var generatorNames = []string{"a", "ab", "b", "名", `q"`, "kind"}

func (g *generator) names() []string {
	var names []string
	for _, i := range g.rng.Perm(len(generatorNames))[:g.rng.IntN(5)] {
		names = append(names, generatorNames[i])
	}
	return names
}

func (g *generator) schema(depth int) string {
	if depth > 3 {
		return []string{`{"type":"integer"}`, `{"type":"string"}`, `{"const":"x"}`, `{"type":"null"}`}[g.rng.IntN(4)]
	}
	var k []string
	add := func(format string, args ...any) { k = append(k, fmt.Sprintf(format, args...)) }
	switch g.rng.IntN(16) {
	case 0, 1, 2, 3:
		add(`"type":"object"`)
		g.object(add, depth)
	case 4, 5:
		add(`"type":"array"`)
		g.array(add, depth)
	case 6, 7:
		g.string(add)
	case 8:
		g.number(add)
	case 9:
		add(`"type":%s`, []string{`"boolean"`, `["string","null"]`, `["integer","null","boolean"]`, `["number","string"]`}[g.rng.IntN(4)])
	case 10:
		add(`"enum":%s`, []string{`["a","b\n",1.50]`, `[null,true,"q\"x"]`, `[{"a":1,"b":[]},[1,"x"]]`, `["名"]`}[g.rng.IntN(4)])
	case 11, 12:
		var branches []string
		for range 1 + g.rng.IntN(3) {
			branches = append(branches, g.schema(depth+1))
		}
		add(`"%s":[%s]`, []string{"anyOf", "anyOf", "oneOf"}[g.rng.IntN(3)], strings.Join(branches, ","))
		if g.chance(4) {
			g.object(add, depth)
		}
	case 13:
		if depth > 0 && g.chance(2) {
			return []string{"true", "{}", "false"}[g.rng.IntN(3)]
		}
		add(`"allOf":[%s,%s]`, g.schema(depth+1), g.schema(depth+1))
	case 14:
		if g.defs > 0 {
			add(`"$ref":"#/$defs/d%d"`, g.rng.IntN(g.defs))
		} else {
			add(`"$ref":"#"`)
		}
	case 15: // a tagged union
		var branches []string
		for i := range 1 + g.rng.IntN(3) {
			branches = append(branches, fmt.Sprintf(`{"type":"object","properties":{"kind":{"const":"k%d"},"v":%s},"required":["kind"],"additionalProperties":false}`, i, g.schema(depth+1)))
		}
		add(`"oneOf":[%s]`, strings.Join(branches, ","))
	}
	if g.chance(5) {
		add(`"description":"words"`)
	}
	return "{" + strings.Join(k, ",") + "}"
}

func (g *generator) object(add func(string, ...any), depth int) {
	names := g.names()
	var props, required []string
	for _, n := range names {
		props = append(props, strconv.Quote(n)+":"+g.schema(depth+1))
		if g.chance(2) {
			required = append(required, strconv.Quote(n))
		}
	}
	add(`"properties":{%s}`, strings.Join(props, ","))
	if len(required) > 0 {
		add(`"required":[%s]`, strings.Join(required, ","))
	}
	switch g.rng.IntN(4) {
	case 0:
		add(`"additionalProperties":%s`, g.schema(depth+1))
	case 1:
		add(`"additionalProperties":false`)
	}
}

func (g *generator) array(add func(string, ...any), depth int) {
	n := 0
	if g.chance(2) {
		var items []string
		for range 1 + g.rng.IntN(3) {
			items = append(items, g.schema(depth+1))
		}
		n = len(items)
		add(`"prefixItems":[%s]`, strings.Join(items, ","))
	}
	if !g.chance(3) {
		add(`"items":%s`, g.schema(depth+1))
	}
	lo := g.rng.IntN(3)
	if g.chance(2) {
		add(`"minItems":%d`, lo)
	}
	if g.chance(2) {
		add(`"maxItems":%d`, lo+g.rng.IntN(3)+n/2)
	}
}

func (g *generator) string(add func(string, ...any)) {
	add(`"type":"string"`)
	switch g.rng.IntN(4) {
	case 0:
		lo := g.rng.IntN(4)
		add(`"minLength":%d`, lo)
		if g.chance(2) {
			add(`"maxLength":%d`, lo+g.rng.IntN(4))
		}
	case 1:
		names := strings.Split(formatNames(), ", ")
		add(`"format":"%s"`, names[g.rng.IntN(len(names))])
	case 2:
		add(`"pattern":%s`, []string{
			`"^[a-c]+$"`, `"^(ab|c){1,3}x?$"`, `"^\\d{3}-\\w*$"`, `"^[^a\\s]{2}.$"`, `"^\\S\\s\\D\\W?$"`, `"^(\"|\\\\|\\n)*$"`, `"^$"`, `"^[一-鿿]{1,4}$"`,
		}[g.rng.IntN(8)])
	}
}

func (g *generator) number(add func(string, ...any)) {
	add(`"type":"%s"`, []string{"integer", "number"}[g.rng.IntN(2)])
	bound := func() string {
		n := strconv.Itoa(g.rng.IntN(2400) - 1200)
		if g.chance(2) {
			n += "." + strconv.Itoa(g.rng.IntN(200))
		}
		return n
	}
	if g.chance(2) {
		add(`"%s":%s`, []string{"minimum", "exclusiveMinimum"}[g.rng.IntN(2)], bound())
	}
	if g.chance(2) {
		add(`"%s":%s`, []string{"maximum", "exclusiveMaximum"}[g.rng.IntN(2)], bound())
	}
	if g.chance(6) {
		add(`"multipleOf":1`)
	}
}

// closedSchema returns a schema that says what is assumed where a schema says
// nothing: that there is no more in an object or a tuple than it describes, and
// that one with properties is about objects.
func closedSchema(v any) any {
	switch v := v.(type) {
	case []any:
		out := make([]any, len(v))
		for i, item := range v {
			out[i] = closedSchema(item)
		}
		return out
	case *object:
		out := &object{values: map[string]any{}}
		add := func(key string, v any) {
			out.keys = append(out.keys, key)
			out.values[key] = v
		}
		for _, k := range v.keys {
			add(k, closedSchema(v.values[k]))
		}
		_, props := v.values["properties"]
		_, extra := v.values["additionalProperties"]
		if props && !extra {
			add("additionalProperties", false)
		}
		if _, typed := v.values["type"]; props && !typed {
			add("type", "object")
		}
		prefix, tuple := v.values["prefixItems"].([]any)
		_, items := v.values["items"]
		if least, _ := v.values["minItems"].(json.Number); tuple && !items && (least == "" || least <= json.Number(strconv.Itoa(len(prefix)))) {
			add("items", false)
		}
		return out
	}
	return v
}

// A documenter writes random documents for a schema: in the order of its
// properties, without those it does not name unless it says that there may be
// some, and each value in its plainest spelling. They need not be valid.
type documenter struct {
	rng    *rand.Rand
	root   any
	spaces bool
	steps  int
}

func (d *documenter) gap(of ...string) string {
	if !d.spaces {
		return ""
	}
	return of[d.rng.IntN(len(of))]
}

func (d *documenter) value(schema any, depth int) (text string, ok bool) {
	if d.steps++; d.steps > 200 || depth > 8 {
		return "", false
	}
	obj, isObject := schema.(*object)
	if !isObject {
		if schema == true {
			return []string{`"x"`, `{"k":[1,{}]}`, `[]`, `-2.5e-3`, `true`}[d.rng.IntN(5)], true
		}
		return "", false
	}
	if len(obj.keys) == 0 {
		return d.value(true, depth)
	}
	at := func(key string) any { return obj.values[key] }
	if ref, ok := at("$ref").(string); ok {
		target := d.root
		if ref != "#" {
			target = d.root.(*object).values["$defs"].(*object).values[strings.TrimPrefix(ref, "#/$defs/")]
		}
		return d.value(target, depth+1)
	}
	for _, key := range []string{"anyOf", "oneOf", "allOf"} {
		if branches, ok := at(key).([]any); ok {
			return d.value(branches[d.rng.IntN(len(branches))], depth+1)
		}
	}
	if list, ok := at("enum").([]any); ok {
		return plainJSON(list[d.rng.IntN(len(list))]), true
	}
	if v, ok := obj.values["const"]; ok {
		return plainJSON(v), true
	}
	types, ok := at("type").([]any)
	if !ok {
		types = []any{at("type")}
	}
	switch types[d.rng.IntN(len(types))] {
	case "null":
		return "null", true
	case "boolean":
		return "true", true
	case "integer":
		return strconv.Itoa(d.rng.IntN(2600) - 1300), true
	case "number":
		n := strconv.Itoa(d.rng.IntN(2600) - 1300)
		if d.rng.IntN(2) == 0 {
			n += "." + strconv.Itoa(d.rng.IntN(1000))
		}
		return n, true
	case "string":
		if f, ok := at("format").(string); ok {
			return strconv.Quote(formatExamples[f]), true
		}
		return []string{`"ab"`, `"a"`, `""`, `"abcab"`, `"123-x"`, `"qq名"`, `"\u00e9\ud83d\ude00"`, `"\"\\\n"`, `"名字"`, `"ababcx"`}[d.rng.IntN(10)], true
	case "array":
		return d.array(obj, depth)
	}
	return d.object(obj, depth)
}

var formatExamples = map[string]string{
	"date": "2024-02-29", "time": "23:59:59.5+08:00", "date-time": "1999-12-31T00:00:00Z", "uuid": "123e4567-e89b-12d3-a456-426614174000",
	"ipv4": "192.168.0.255", "ipv6": "fe80::1:2", "email": "some.one@example.com", "hostname": "a.example-1.org",
}

func (d *documenter) array(obj *object, depth int) (string, bool) {
	prefix, _ := obj.values["prefixItems"].([]any)
	rest, open := obj.values["items"]
	if !open && prefix == nil {
		rest, open = true, true
	}
	var items []string
	for i := range d.rng.IntN(5) {
		schema := rest
		if i < len(prefix) {
			schema = prefix[i]
		} else if !open {
			break
		}
		v, ok := d.value(schema, depth+1)
		if !ok {
			break
		}
		items = append(items, v)
	}
	return d.brackets("[", "]", items), true
}

func (d *documenter) object(obj *object, depth int) (string, bool) {
	var items []string
	props, _ := obj.values["properties"].(*object)
	if props == nil {
		props = &object{}
	}
	for _, name := range props.keys {
		if d.rng.IntN(3) == 0 {
			continue
		}
		if v, ok := d.value(props.values[name], depth+1); ok {
			items = append(items, quoteJSON(name)+":"+d.gap(" ", "")+v)
		}
	}
	if extra, ok := obj.values["additionalProperties"]; ok {
		for _, name := range []string{"", "abc", `q\"z`, "kinds", "k", "名字"}[d.rng.IntN(6):] {
			if v, ok := d.value(extra, depth+1); ok && d.rng.IntN(2) == 0 {
				items = append(items, `"`+name+`":`+d.gap(" ", "")+v)
			}
		}
	}
	return d.brackets("{", "}", items), true
}

func (d *documenter) brackets(open, end string, items []string) string {
	if len(items) == 0 {
		return open + end
	}
	line := d.gap("", " ", "\n", "\n      ")
	return open + line + strings.Join(items, ","+line) + d.gap("", "\n", "\n  ") + end
}

// plainJSON writes a decoded value without spaces.
func plainJSON(v any) string {
	switch v := v.(type) {
	case string:
		return quoteJSON(v)
	case []any:
		var b bytes.Buffer
		for i, item := range v {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString(plainJSON(item))
		}
		return "[" + b.String() + "]"
	case *object:
		var b bytes.Buffer
		for i, k := range v.keys {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString(quoteJSON(k) + ":" + plainJSON(v.values[k]))
		}
		return "{" + b.String() + "}"
	case json.Number:
		return string(v)
	}
	b, _ := json.Marshal(v)
	return string(b)
}
