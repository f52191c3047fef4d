package grammar

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"
)

// moment is far more than any input may take.
const moment = 5 * time.Second

// Whatever FromSchema is given, it answers soon, with a bounded grammar that
// Parse takes or with an error for the client.
func FuzzFromSchema(f *testing.F) {
	for _, s := range []string{
		`{"type":"object","properties":{"a":{"type":"integer","minimum":-5,"maximum":1e3},"b":{"$ref":"#"}},"required":["a"],"additionalProperties":{"type":"string","pattern":"^a{2,3}[^b]$"}}`,
		`{"oneOf":[{"const":1},{"type":"string","format":"date"}],"$defs":{"a":{"anyOf":[true,false]}}}`,
		`{"allOf":[{"$ref":"#/$defs/a"},{"minLength":3}],"$defs":{"a":{"type":["string","null"],"maxLength":500000}}}`,
		`{"type":"array","prefixItems":[{"enum":[{"a":[]},-1.50e2]}],"items":{"type":"number","exclusiveMinimum":0.001},"minItems":499999}`,
		`{"anyOf":[{"required":["a"]},{"required":["b"]}],"properties":{"a":{},"b":{}}}`,
	} {
		f.Add([]byte(s))
	}
	f.Add([]byte(`{"` + strings.Repeat("long", 1000) + `":1}`))
	f.Add([]byte(strings.Repeat(`{"properties":{"`+strings.Repeat("名", 300)+`":`, 20) + `1` + strings.Repeat("}}", 20)))
	f.Fuzz(func(t *testing.T, schema []byte) {
		start := time.Now()
		gbnf, err := FromSchema(json.RawMessage(schema))
		if took := time.Since(start); took > moment {
			t.Errorf("took %v", took)
		}
		if err != nil {
			checkError(t, err)
			if n := len(err.Error()); n > 2000 {
				t.Errorf("an error of %d bytes", n)
			}
			return
		}
		if len(gbnf) > 2*maxGrammarBytes {
			t.Errorf("a grammar of %d bytes", len(gbnf))
		}
		if _, err := Parse(gbnf); err != nil {
			t.Errorf("%v\n%s", err, gbnf)
		}
	})
}

// Whatever Parse is given, it answers soon, and what it takes can be matched.
func FuzzParse(f *testing.F) {
	f.Add(AnyJSON(), `{"a": [1]}`)
	f.Add("root ::= a{2,5} (\"b\" | [^c-e\\u4e00]+)? .\na ::= \"x\"* \"y\"", "xyyb你")
	f.Add("root ::= (\"x\"? \"x\"?){0,900} root | \"y\" # c", "xxxxxxxxy")
	f.Add("root ::= "+strings.Repeat("a", 5000), "")
	f.Fuzz(func(t *testing.T, gbnf, text string) {
		start := time.Now()
		g, err := Parse(gbnf)
		if took := time.Since(start); took > moment {
			t.Errorf("took %v", took)
		}
		if err != nil {
			if _, ok := errors.AsType[*SyntaxError](err); !ok || len(err.Error()) > 1000 {
				t.Errorf("error of type %T with %d bytes: %v", err, len(err.Error()), err)
			}
			return
		}
		text = text[:min(len(text), 20)]
		start = time.Now()
		s, ok := g.Start().Accept([]byte(text))
		if took := time.Since(start); took > moment {
			t.Errorf("matching took %v", took)
		}
		if ok && s.Done() {
			s.Accept([]byte("x"))
		}
	})
}
