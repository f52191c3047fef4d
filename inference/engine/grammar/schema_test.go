package grammar

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// TestFromSchema: for each schema, documents that its grammar accepts and ones
// that it does not. What is accepted must satisfy the schema; of what is not,
// documents in narrower do satisfy it, and are left out as doc.go says.
func TestFromSchema(t *testing.T) {
	tests := []struct {
		name, schema                 string
		accepted, rejected, narrower []string
	}{
		{
			name:     "object with required and optional properties",
			schema:   `{"type":"object","properties":{"a":{"type":"integer"},"b":{"type":"string"},"c":{"type":"null"}},"required":["b"]}`,
			accepted: []string{`{"b":""}`, `{"a":1,"b":""}`, `{"b":"","c":null}`, `{"a":1,"b":"x","c":null}`, "{\n  \"b\": \"\",\n  \"c\": null\n}"},
			rejected: []string{`{}`, `{"a":1}`, `{"a":1,"c":null}`, `{"b":""`, `{"b":"",}`, `{,"b":""}`, `{"a":1 "b":""}`, `{"b":1}`, `[]`, ``},
			narrower: []string{`{"b":"","a":1}`, `{"b":"","d":1}`, `{ "b" : "" }`, `{"b":  ""}`, "{\"b\":\n\"\"}", ` {"b":""}`, `{"\u0062":""}`},
		},
		{
			name:     "optional properties in every subset",
			schema:   `{"type":"object","properties":{"a":{"const":1},"b":{"const":2},"c":{"const":3}}}`,
			accepted: []string{`{}`, `{"a":1}`, `{"b":2}`, `{"c":3}`, `{"a":1,"b":2}`, `{"a":1,"c":3}`, `{"b":2,"c":3}`, `{"a":1,"b":2,"c":3}`},
			rejected: []string{`{"a":1"c":3}`, `{"a":1,}`, `{,}`, `{"a":1,"b":3}`},
			narrower: []string{`{"c":3,"a":1}`},
		},
		{
			name:     "no properties",
			schema:   `{"type":"object","properties":{}}`,
			accepted: []string{`{}`, `{ }`},
			rejected: []string{`{`, `[]`},
			narrower: []string{`{"a":1}`},
		},
		{
			name:     "an object of which nothing is said",
			schema:   `{"type":"object"}`,
			accepted: []string{`{}`, `{"a":{"b":[1,null]}}`},
			rejected: []string{`[]`, `1`},
		},
		{
			name:     "no additional properties",
			schema:   `{"type":"object","properties":{"a":{"type":"integer"}},"additionalProperties":false}`,
			accepted: []string{`{}`, `{"a":1}`},
			rejected: []string{`{"b":1}`, `{"a":1,"b":1}`},
		},
		{
			name:     "additional properties of a schema, which do not stand for others",
			schema:   `{"type":"object","properties":{"ab":{"type":"integer"},"a/b\n":{"type":"null"}},"additionalProperties":{"type":"boolean"},"required":["ab"]}`,
			accepted: []string{`{"ab":1}`, `{"ab":1,"a":true}`, `{"ab":1,"abc":true,"":false,"b":true,"名":true}`, `{"ab":1,"a/b\n":null,"a/b":true}`, `{"ab":1,"a/b\\n":true}`},
			rejected: []string{`{"ab":true}`, `{"ab":1,"a":1}`, `{"a":true}`, `{"ab":1,"a/b\n":true}`, `{"ab":1,"a\/b\n":true}`, `{"ab":1,"\u0061b":true}`},
			narrower: []string{`{"a":true,"ab":1}`, `{"ab":1,"\u0061":true}`},
		},
		{
			name:     "any additional properties",
			schema:   `{"type":"object","properties":{"a":{"type":"integer"}},"additionalProperties":true}`,
			accepted: []string{`{}`, `{"a":1}`, `{"b":[{}]}`, `{"a":1,"b":"x"}`},
			rejected: []string{`{"a":"x"}`},
		},
		{
			name:     "a required property that additionalProperties describes",
			schema:   `{"type":"object","properties":{},"required":["z"],"additionalProperties":{"type":"integer"}}`,
			accepted: []string{`{"z":1}`, `{"z":1,"y":2}`},
			rejected: []string{`{}`, `{"y":2}`, `{"z":"x"}`},
		},
		{
			name:     "names that are not ASCII or need escapes",
			schema:   `{"type":"object","properties":{"城市":{"type":"string"},"q\"\\":{"const":"\u0001é\ud83d\ude00"}},"required":["城市","q\"\\"]}`,
			accepted: []string{`{"城市":"北京","q\"\\":"\u0001é😀"}`},
			rejected: []string{`{"城":"","q\"\\":"\u0001é😀"}`, `{"城市":"","q\"\\":"e"}`},
		},
		{
			name:     "list",
			schema:   `{"type":"array","items":{"type":"integer"}}`,
			accepted: []string{`[]`, `[1]`, `[1,2,3]`, "[\n  1,\n  2\n]"},
			rejected: []string{`[1,]`, `[,1]`, `[1 2]`, `["a"]`, `{}`, `[1`},
		},
		{
			name:     "list of any items",
			schema:   `{"type":"array"}`,
			accepted: []string{`[]`, `[1,"a",null,[{}]]`},
			rejected: []string{`1`},
		},
		{
			name:     "list of a bounded length",
			schema:   `{"type":"array","items":{"type":"boolean"},"minItems":2,"maxItems":3}`,
			accepted: []string{`[true,false]`, `[true,false,true]`},
			rejected: []string{`[]`, `[true]`, `[true,true,true,true]`},
		},
		{
			name:     "list of at least one",
			schema:   `{"type":"array","items":{"type":"boolean"},"minItems":1}`,
			accepted: []string{`[true]`, `[true,false,true]`},
			rejected: []string{`[]`},
		},
		{
			name:     "list of at most one",
			schema:   `{"type":"array","items":{"type":"boolean"},"maxItems":1}`,
			accepted: []string{`[true]`, `[]`},
			rejected: []string{`[true,true]`},
		},
		{
			name:     "list that must be empty",
			schema:   `{"type":"array","items":{"type":"boolean"},"maxItems":0}`,
			accepted: []string{`[]`},
			rejected: []string{`[true]`},
		},
		{
			name:     "tuple",
			schema:   `{"type":"array","prefixItems":[{"type":"integer"},{"type":"string"}]}`,
			accepted: []string{`[]`, `[1]`, `[1,"a"]`},
			rejected: []string{`["a"]`, `[1,2]`},
			narrower: []string{`[1,"a",true]`},
		},
		{
			name:     "tuple of a fixed length",
			schema:   `{"type":"array","prefixItems":[{"type":"integer"},{"type":"string"}],"minItems":2,"maxItems":2}`,
			accepted: []string{`[1,"a"]`},
			rejected: []string{`[]`, `[1]`, `[1,"a",true]`},
		},
		{
			name:     "tuple with further items",
			schema:   `{"type":"array","prefixItems":[{"type":"integer"}],"items":{"type":"string"},"minItems":2,"maxItems":3}`,
			accepted: []string{`[1,"a"]`, `[1,"a","b"]`},
			rejected: []string{`[1]`, `[1,2]`, `[1,"a","b","c"]`},
		},
		{
			name:     "tuple without further items",
			schema:   `{"type":"array","prefixItems":[{"type":"integer"}],"items":false}`,
			accepted: []string{`[]`, `[1]`},
			rejected: []string{`[1,2]`},
		},
		{
			name:     "tuple as draft 7 wrote it",
			schema:   `{"$schema":"http://json-schema.org/draft-07/schema#","type":"array","items":[{"type":"integer"},{"type":"string"}],"additionalItems":{"type":"null"}}`,
			accepted: []string{`[]`, `[1]`, `[1,"a",null,null]`},
			rejected: []string{`["a"]`, `[1,"a",1]`},
		},
		{
			name:     "enum of several types",
			schema:   `{"enum":["a","b\"",1.50,null,{"k":[1,2]},true]}`,
			accepted: []string{`"a"`, `"b\""`, `1.50`, `null`, `{"k":[1,2]}`, `{ "k": [1, 2] }`, `true`},
			rejected: []string{`"b"`, `2`, `false`, `{"k":[1]}`},
			narrower: []string{`1.5`, `"\u0061"`},
		},
		{
			name:     "enum of a type",
			schema:   `{"type":["string","integer"],"enum":["a",1,2.5,null]}`,
			accepted: []string{`"a"`, `1`},
			rejected: []string{`2.5`, `null`},
		},
		{
			name:     "enum within bounds",
			schema:   `{"enum":["a","abc",1,5,9],"maxLength":2,"minimum":2,"exclusiveMaximum":9}`,
			accepted: []string{`"a"`, `5`},
			rejected: []string{`"abc"`, `1`, `9`},
		},
		{
			name:     "enum and const",
			schema:   `{"enum":["a","b","c"],"const":"b"}`,
			accepted: []string{`"b"`},
			rejected: []string{`"a"`},
		},
		{
			name:     "anyOf",
			schema:   `{"anyOf":[{"type":"integer"},{"type":"object","properties":{"a":{"type":"string"}},"required":["a"]},{"const":"x"}]}`,
			accepted: []string{`1`, `{"a":""}`, `"x"`},
			rejected: []string{`1.5`, `{}`, `"y"`, `null`},
		},
		{
			name:     "anyOf with constraints beside it",
			schema:   `{"type":"object","properties":{"a":{"type":"integer"},"b":{"type":"integer"}},"anyOf":[{"required":["a"]},{"required":["b"]}]}`,
			accepted: []string{`{"a":1}`, `{"b":1}`, `{"a":1,"b":1}`},
			rejected: []string{`{}`, `{"a":"x"}`},
		},
		{
			name:     "anyOf of which siblings leave one",
			schema:   `{"type":"string","anyOf":[{"type":"integer"},{"maxLength":1}]}`,
			accepted: []string{`"a"`, `""`},
			rejected: []string{`"ab"`, `1`},
		},
		{
			name:     "oneOf of types",
			schema:   `{"oneOf":[{"type":"integer"},{"type":"string"},{"type":"array","items":{"type":"null"}}]}`,
			accepted: []string{`1`, `"a"`, `[null]`},
			rejected: []string{`1.5`, `[1]`},
		},
		{
			name: "oneOf of objects that a const tells apart",
			schema: `{"discriminator":{"propertyName":"kind"},"oneOf":[
				{"type":"object","properties":{"kind":{"const":"a"},"n":{"type":"integer"}},"required":["kind"]},
				{"type":"object","properties":{"kind":{"enum":["b","c"]},"s":{"type":"string"}},"required":["kind","s"]}]}`,
			accepted: []string{`{"kind":"a"}`, `{"kind":"a","n":1}`, `{"kind":"c","s":""}`},
			rejected: []string{`{"kind":"b"}`, `{"kind":"a","n":""}`, `{"kind":"d"}`},
			narrower: []string{`{"kind":"a","s":""}`},
		},
		{
			name: "oneOf of objects that each need what the other lacks",
			schema: `{"oneOf":[
				{"type":"object","properties":{"a":{"type":"integer"}},"required":["a"]},
				{"type":"object","properties":{"b":{"type":"integer"}},"required":["b"]}]}`,
			accepted: []string{`{"a":1}`, `{"b":1}`},
			rejected: []string{`{}`, `{"a":1,"b":1}`},
		},
		{
			name:     "oneOf of ranges",
			schema:   `{"oneOf":[{"type":"integer","maximum":3},{"type":"number","exclusiveMinimum":3},{"type":"string","maxLength":1},{"type":"string","minLength":2}]}`,
			accepted: []string{`3`, `3.5`, `"a"`, `"abc"`},
			rejected: []string{`2.5`, `null`},
		},
		{
			name:     "oneOf of values",
			schema:   `{"oneOf":[{"const":"red","title":"Red"},{"const":"blue"},{"enum":[1,2]}]}`,
			accepted: []string{`"red"`, `"blue"`, `2`},
			rejected: []string{`"green"`, `3`},
		},
		{
			name: "allOf of objects, in order",
			schema: `{"allOf":[{"$ref":"#/$defs/base"},{"type":"object","properties":{"b":{"type":"string","maxLength":3}},"required":["b"]}],"properties":{"c":{"type":"null"}},
				"$defs":{"base":{"type":"object","properties":{"a":{"type":"integer"},"b":{"minLength":2}},"required":["a"]}}}`,
			accepted: []string{`{"a":1,"b":"xy"}`, `{"a":1,"b":"xyz","c":null}`},
			rejected: []string{`{"a":1}`, `{"b":"xy"}`, `{"a":1,"b":"x"}`, `{"a":1,"b":"wxyz"}`, `{"a":1,"b":"xy","c":1}`},
			narrower: []string{`{"b":"xy","a":1}`},
		},
		{
			name:     "allOf where one allows only its own properties",
			schema:   `{"allOf":[{"type":"object","properties":{"a":{"type":"integer"}},"additionalProperties":false},{"type":"object","properties":{"a":{"minimum":5},"b":{"type":"integer"}}}]}`,
			accepted: []string{`{}`, `{"a":5}`},
			rejected: []string{`{"a":4}`, `{"b":1}`},
		},
		{
			name:     "allOf of bounds",
			schema:   `{"type":"integer","allOf":[{"minimum":2},{"maximum":4},{"exclusiveMinimum":2}]}`,
			accepted: []string{`3`, `4`},
			rejected: []string{`2`, `5`},
		},
		{
			name:     "recursion through $ref",
			schema:   `{"$ref":"#/$defs/tree","$defs":{"tree":{"type":"object","properties":{"v":{"type":"integer"},"kids":{"type":"array","items":{"$ref":"#/$defs/tree"}}},"required":["v"]}}}`,
			accepted: []string{`{"v":1}`, `{"v":1,"kids":[{"v":2,"kids":[]},{"v":3}]}`},
			rejected: []string{`{"kids":[]}`, `{"v":1,"kids":[{}]}`, `{"v":1,"kids":[{"v":2]}`},
		},
		{
			name:     "recursion to the root, and a pointer with escapes",
			schema:   `{"type":"object","properties":{"next":{"anyOf":[{"$ref":"#"},{"type":"null"}]},"x":{"$ref":"#/definitions/a~1b~0%25"}},"required":["next"],"definitions":{"a/b~%":{"type":"boolean"}}}`,
			accepted: []string{`{"next":null}`, `{"next":{"next":null,"x":true}}`},
			rejected: []string{`{}`, `{"next":null,"x":1}`},
		},
		{
			name:     "$ref to a property, with constraints beside it",
			schema:   `{"type":"object","properties":{"a":{"type":"string"},"b":{"$ref":"#/properties/a","maxLength":1}}}`,
			accepted: []string{`{"a":"xy","b":"x"}`},
			rejected: []string{`{"b":"xy"}`, `{"b":1}`},
		},
		{
			name:     "string",
			schema:   `{"type":"string"}`,
			accepted: []string{`""`, `"a"`, `"\"\\\/\b\f\n\r\t"`, `"\u4f60\u0000"`, `"\ud83d\ude00"`, `"你😀"`},
			rejected: []string{`"`, `a`, "\"\n\"", `"\x"`, `"\u12"`},
			narrower: []string{`"\ud83d"`, `"\ude00"`, `"\ud83dx"`},
		},
		{
			name:     "string of a bounded length, in characters",
			schema:   `{"type":"string","minLength":2,"maxLength":3}`,
			accepted: []string{`"ab"`, `"abc"`, `"你好"`, `"\n\u4f60"`, `"\ud83d\ude00x"`, `"😀😀😀"`},
			rejected: []string{`""`, `"a"`, `"abcd"`, `"\u4f60"`, `"\ud83d\ude00"`},
		},
		{
			name:     "string of at least one character",
			schema:   `{"type":"string","minLength":1}`,
			accepted: []string{`"a"`, `"abc"`},
			rejected: []string{`""`},
		},
		{
			name:     "nullable",
			schema:   `{"type":["string","null"]}`,
			accepted: []string{`"a"`, `null`},
			rejected: []string{`1`, `nul`},
		},
		{
			name:     "boolean",
			schema:   `{"type":"boolean"}`,
			accepted: []string{`true`, `false`},
			rejected: []string{`null`, `"true"`, `tru`},
		},
		{
			name:     "integer",
			schema:   `{"type":"integer"}`,
			accepted: []string{`0`, `-1`, `10`, `123456789012345678`},
			rejected: []string{`01`, `1.5`, `+1`, `-`, `--1`},
			narrower: []string{`-0`, `1.0`, `1e2`, `1234567890123456789`},
		},
		{
			name:     "integer in a range",
			schema:   `{"type":"integer","minimum":-12,"maximum":205}`,
			accepted: []string{`-12`, `-9`, `-1`, `0`, `9`, `10`, `99`, `100`, `199`, `205`},
			rejected: []string{`-13`, `-20`, `-100`, `206`, `210`, `300`, `1000`, `00`},
		},
		{
			name:     "integer above and below",
			schema:   `{"type":"object","properties":{"a":{"type":"integer","exclusiveMinimum":98},"b":{"type":"integer","exclusiveMaximum":-98},"c":{"type":"integer","minimum":-1.5}},"required":["a","b","c"]}`,
			accepted: []string{`{"a":99,"b":-99,"c":-1}`, `{"a":100,"b":-100,"c":0}`, `{"a":5000,"b":-123456,"c":77}`},
			rejected: []string{`{"a":98,"b":-99,"c":0}`, `{"a":99,"b":-98,"c":0}`, `{"a":99,"b":5,"c":0}`, `{"a":99,"b":-99,"c":-2}`},
		},
		{
			name:     "number",
			schema:   `{"type":"number"}`,
			accepted: []string{`0`, `-1.5`, `1e10`, `2.50E-3`, `123.456`},
			rejected: []string{`.5`, `1.`, `01`, `1e`, `NaN`},
			narrower: []string{`1e100`},
		},
		{
			name:     "number in a range",
			schema:   `{"type":"number","minimum":-0.25,"exclusiveMaximum":1.05}`,
			accepted: []string{`-0.25`, `-0.250`, `-0.2`, `0`, `0.0`, `1`, `1.0`, `1.04`, `1.0499`},
			rejected: []string{`-0.26`, `-0.251`, `-1`, `1.05`, `1.050`, `1.06`, `1.1`, `2`, `-1.5`},
			narrower: []string{`1e-1`},
		},
		{
			name:     "number above an exclusive bound",
			schema:   `{"type":"number","exclusiveMinimum":0}`,
			accepted: []string{`0.001`, `1`, `5.5`, `1234567`},
			rejected: []string{`0`, `0.0`, `-1`, `-0.5`},
		},
		{
			name:     "number of multiples of one",
			schema:   `{"type":"number","multipleOf":1,"maximum":5}`,
			accepted: []string{`5`, `-7`},
			rejected: []string{`4.5`, `6`},
		},
		{
			name:     "large bounds",
			schema:   `{"type":"integer","minimum":-9223372036854775808,"maximum":9223372036854775807}`,
			accepted: []string{`9223372036854775807`, `-9223372036854775808`, `0`, `1000000000000000000`},
			rejected: []string{`9223372036854775808`, `-9223372036854775809`, `10000000000000000000`},
		},
		{
			name:     "pattern",
			schema:   `{"type":"string","pattern":"^(?:[A-Z]{2}-\\d+|v\\.(x|yz)*?)\\s?$"}`,
			accepted: []string{`"AB-1"`, `"AB-123 "`, `"v."`, `"v.xyzx\t"`},
			rejected: []string{`"A-1"`, `"AB-"`, `"v,x"`, `"v.y"`, `"xAB-1"`, `"AB-1\u000b"`},
		},
		{
			name:     "pattern of characters that JSON escapes",
			schema:   `{"type":"string","pattern":"^[\"\\\\a]{2}\\n[^\\d\"]\\x01$"}`,
			accepted: []string{`"\"\\\n名\u0001"`, `"aa\nx\u0001"`, `"aa\n\\\u0001"`},
			rejected: []string{`"aa\n1\u0001"`, `"aa\n\"\u0001"`, `"aa\nx"`, `"a\nx\u0001"`},
		},
		{
			name:     "pattern and lengths",
			schema:   `{"type":"string","pattern":"^[A-Z][a-z]*$","minLength":3,"maxLength":4}`,
			accepted: []string{`"Abc"`, `"Abcd"`},
			rejected: []string{`"Ab"`, `"Abcde"`, `"abc"`},
		},
		{
			name:     "pattern that any string matches, but for line ends",
			schema:   `{"type":"string","pattern":"^.*b.*$"}`,
			accepted: []string{`"b"`, `"abc"`, `"a\"b\\"`},
			rejected: []string{`"a"`, `"a\nb"`},
			narrower: []string{`"b\u0061"`},
		},
		{
			name:     "date",
			schema:   `{"type":"string","format":"date"}`,
			accepted: []string{`"2024-02-29"`, `"2000-02-29"`, `"1999-12-31"`, `"2023-04-30"`},
			rejected: []string{`"2023-02-29"`, `"1900-02-29"`, `"2023-13-01"`, `"2023-04-31"`, `"2023-00-10"`, `"23-01-01"`, `""`},
		},
		{
			name:     "time",
			schema:   `{"type":"string","format":"time"}`,
			accepted: []string{`"23:59:59Z"`, `"00:00:00.123+08:00"`},
			rejected: []string{`"24:00:00Z"`, `"23:60:00Z"`, `"23:59:61Z"`, `"23:59:59"`},
			narrower: []string{`"23:59:60Z"`},
		},
		{
			name:     "date-time",
			schema:   `{"type":"string","format":"date-time"}`,
			accepted: []string{`"2024-02-29T12:00:00Z"`, `"2024-02-29T12:00:00.5-07:30"`},
			rejected: []string{`"2024-02-29 12:00:00Z"`, `"2024-02-29T12:00:00"`, `"2024-02-30T12:00:00Z"`},
			narrower: []string{`"2024-02-29t12:00:00z"`},
		},
		{
			name:     "uuid",
			schema:   `{"type":"string","format":"uuid"}`,
			accepted: []string{`"123e4567-e89b-12d3-a456-426614174000"`, `"123E4567-E89B-12D3-A456-426614174000"`},
			rejected: []string{`"123e4567e89b12d3a456426614174000"`, `"123e4567-e89b-12d3-a456-42661417400g"`},
		},
		{
			name:     "ipv4",
			schema:   `{"type":"string","format":"ipv4"}`,
			accepted: []string{`"0.0.0.0"`, `"192.168.10.255"`, `"249.99.9.100"`},
			rejected: []string{`"256.0.0.0"`, `"1.2.3"`, `"01.2.3.4"`},
		},
		{
			name:     "ipv6",
			schema:   `{"type":"string","format":"ipv6"}`,
			accepted: []string{`"::"`, `"::1"`, `"1::"`, `"fe80::1:2"`, `"1:2:3:4:5:6:7:8"`, `"1:2:3:4:5:6:7::"`, `"1::3:4:5:6:7:8"`},
			rejected: []string{`"1:2:3"`, `"1:2:3:4:5:6:7:8:9"`, `"1::2::3"`, `"12345::"`, `":"`, `"1:2:3:4:5:6:7:8::"`},
			narrower: []string{`"::ffff:1.2.3.4"`},
		},
		{
			name:     "email",
			schema:   `{"type":"string","format":"email"}`,
			accepted: []string{`"a.b+c@example.com"`, `"x@y"`},
			rejected: []string{`"a@"`, `"a..b@c"`, `"a b@c"`, `".a@c"`},
			narrower: []string{`"\"a b\"@c.de"`},
		},
		{
			name:     "hostname",
			schema:   `{"type":"string","format":"hostname"}`,
			accepted: []string{`"example.com"`, `"a-1.b"`},
			rejected: []string{`""`, `"-a"`, `"a-"`, `"a..b"`, `"a_b"`},
			narrower: []string{`"1a.b"`},
		},
		{
			name:     "format whose length is sure",
			schema:   `{"type":"string","format":"date","minLength":3,"maxLength":10}`,
			accepted: []string{`"2024-01-01"`},
			rejected: []string{`"2024"`},
		},
		{
			name:     "no type, but keywords of one",
			schema:   `{"properties":{"a":{"minLength":1}},"required":["a"]}`,
			accepted: []string{`{"a":"x"}`},
			rejected: []string{`{}`, `{"a":""}`},
			narrower: []string{`1`, `{"a":1}`},
		},
		{
			name:     "anything",
			schema:   `{"description":"whatever","x-note":{"minLength":"nonsense"},"$comment":"","title":"","default":1,"examples":[],"deprecated":true,"readOnly":false,"writeOnly":false,"$id":"a","$anchor":"b"}`,
			accepted: []string{`{}`, `[1,[{"a":null}]]`, `"x"`, `-1.5e3`, `true`},
			rejected: []string{``, `{]`, `[1,]`},
		},
		{
			name:     "true",
			schema:   `true`,
			accepted: []string{`1`},
			rejected: []string{`x`},
		},
		{
			name:     "a property that may not be there",
			schema:   `{"type":"object","properties":{"a":false,"b":{"type":"null"}}}`,
			accepted: []string{`{}`, `{"b":null}`},
			rejected: []string{`{"a":1}`},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			gbnf, err := FromSchema(json.RawMessage(tt.schema))
			if err != nil {
				t.Fatal(err)
			}
			g, err := Parse(gbnf)
			if err != nil {
				t.Fatal(err)
			}
			v := validator(t, tt.schema)
			for _, text := range tt.accepted {
				if !accepts(g, text) {
					t.Errorf("%s is not accepted\n%s", text, gbnf)
				}
				if !valid(t, v, text) {
					t.Errorf("%s does not satisfy the schema: the test is wrong", text)
				}
			}
			for _, text := range tt.rejected {
				if accepts(g, text) {
					t.Errorf("%s is accepted\n%s", text, gbnf)
				}
				if json.Valid([]byte(text)) && valid(t, v, text) && !strings.Contains(text, `\u0061b`) {
					t.Errorf("%s satisfies the schema: the test is wrong", text)
				}
			}
			for _, text := range tt.narrower {
				if accepts(g, text) {
					t.Errorf("%s is accepted\n%s", text, gbnf)
				}
				if json.Valid([]byte(strings.TrimSpace(text))) && !valid(t, v, text) {
					t.Errorf("%s does not satisfy the schema: the test is wrong", text)
				}
			}
		})
	}
}

// TestRefusedSchemas: what cannot be enforced or makes no sense is an error
// that names the keyword and where it is.
func TestRefusedSchemas(t *testing.T) {
	deep := strings.Repeat(`{"items":`, 101) + `{}` + strings.Repeat(`}`, 101)
	tests := []struct{ name, schema, keyword, path, kind string }{
		{"not JSON", `{"type":`, "", "#", "invalid"},
		{"nothing", ``, "", "#", "invalid"},
		{"two values", `{} {}`, "", "#", "invalid"},
		{"not UTF-8", "{\"title\":\"\xff\"}", "", "#", "invalid"},
		{"half a surrogate", `{"const":"\ud800"}`, "", "#", "invalid"},
		{"the other half", `{"const":"\\\ude00"}`, "", "#", "invalid"},
		{"a key twice", `{"properties":{"a":{},"a":{}}}`, "", "#/properties", "invalid"},
		{"too deep", deep, "", "#", "unsupported"},
		{"too long", `{"title":"` + strings.Repeat("x", maxSchemaBytes) + `"}`, "", "#", "unsupported"},
		{"not a schema", `[]`, "", "#", "invalid"},
		{"a property that is no schema", `{"properties":{"a":1}}`, "", "#/properties/a", "invalid"},
		{"false", `false`, "", "#", "invalid"},

		{"type", `{"type":"text"}`, "type", "#", "invalid"},
		{"type of a number", `{"type":1}`, "type", "#", "invalid"},
		{"no types", `{"type":[]}`, "type", "#", "invalid"},
		{"enum", `{"enum":"a"}`, "enum", "#", "invalid"},
		{"empty enum", `{"enum":[]}`, "enum", "#", "invalid"},
		{"enum without a value of the type", `{"type":"integer","enum":["a"]}`, "enum", "#", "invalid"},
		{"enum and const apart", `{"enum":["a"],"const":"b"}`, "enum", "#", "invalid"},
		{"enum next to a pattern", `{"enum":["a"],"pattern":"^a$"}`, "enum", "#", "unsupported"},
		{"enum next to properties", `{"enum":[{"a":1}],"properties":{"a":{}}}`, "enum", "#", "unsupported"},
		{"minimum", `{"minimum":"1"}`, "minimum", "#", "invalid"},
		{"draft 4 exclusiveMinimum", `{"minimum":1,"exclusiveMinimum":true}`, "exclusiveMinimum", "#", "invalid"},
		{"bounds apart", `{"properties":{"a":{"minimum":2,"maximum":1}}}`, "minimum", "#/properties/a", "invalid"},
		{"bounds that leave nothing", `{"type":"number","minimum":2,"exclusiveMaximum":2}`, "minimum", "#", "invalid"},
		{"bounds without an integer", `{"type":"integer","minimum":2.1,"maximum":2.9}`, "minimum", "#", "invalid"},
		{"a bound of many digits", `{"maximum":1e400}`, "maximum", "#", "unsupported"},
		{"multipleOf", `{"type":"integer","multipleOf":5}`, "multipleOf", "#", "unsupported"},
		{"multipleOf of a number", `{"type":"number","multipleOf":0.01}`, "multipleOf", "#", "unsupported"},
		{"minLength", `{"minLength":-1}`, "minLength", "#", "invalid"},
		{"minLength of a half", `{"minLength":1.5}`, "minLength", "#", "invalid"},
		{"maxLength", `{"maxLength":"5"}`, "maxLength", "#", "invalid"},
		{"maxLength over the limit", `{"maxLength":500001}`, "maxLength", "#", "unsupported"},
		{"lengths apart", `{"minLength":3,"maxLength":2}`, "minLength", "#", "invalid"},
		{"lengths apart through allOf", `{"type":"string","allOf":[{"minLength":3},{"maxLength":2}]}`, "minLength", "#", "invalid"},
		{"format", `{"format":"uri"}`, "format", "#", "unsupported"},
		{"format of a number", `{"format":1}`, "format", "#", "invalid"},
		{"format too long", `{"type":"string","format":"ipv4","maxLength":10}`, "format", "#", "unsupported"},
		{"two formats", `{"type":"string","format":"ipv4","allOf":[{"format":"ipv6"}]}`, "format", "#/allOf/0", "unsupported"},
		{"format and pattern", `{"type":"string","format":"ipv4","pattern":"^1"}`, "pattern", "#", "unsupported"},
		{"two patterns", `{"type":"string","pattern":"^1$","allOf":[{"pattern":"^2$"}]}`, "pattern", "#/allOf/0", "unsupported"},
		{"pattern and length", `{"type":"string","pattern":"^(ab)+c*$","maxLength":3}`, "pattern", "#", "unsupported"},
		{"pattern and no length", `{"type":"string","pattern":"^abc*$","maxLength":1}`, "pattern", "#", "invalid"},
		{"minItems", `{"minItems":null}`, "minItems", "#", "invalid"},
		{"item counts apart", `{"minItems":3,"maxItems":2}`, "minItems", "#", "invalid"},
		{"maxItems", `{"maxItems":99999999999999999999}`, "maxItems", "#", "unsupported"},
		{"items", `{"items":"string"}`, "", "#/items", "invalid"},
		{"items and prefixItems as lists", `{"items":[{}],"prefixItems":[{}]}`, "items", "#", "invalid"},
		{"prefixItems", `{"prefixItems":{}}`, "prefixItems", "#", "invalid"},
		{"items that cannot be", `{"type":"array","minItems":1,"items":false}`, "", "#", "invalid"},
		{"uniqueItems", `{"type":"array","uniqueItems":true}`, "uniqueItems", "#", "unsupported"},
		{"contains", `{"type":"array","contains":{}}`, "contains", "#", "unsupported"},
		{"unevaluatedItems", `{"unevaluatedItems":false}`, "unevaluatedItems", "#", "unsupported"},
		{"properties", `{"properties":[]}`, "properties", "#", "invalid"},
		{"required", `{"required":"a"}`, "required", "#", "invalid"},
		{"required of draft 3", `{"properties":{"a":{"required":true}}}`, "required", "#/properties/a", "invalid"},
		{"required without its property", `{"type":"object","properties":{"a":{}},"required":["b"]}`, "required", "#", "invalid"},
		{"required and forbidden", `{"type":"object","properties":{"a":false},"required":["a"]}`, "", "#", "invalid"},
		{"required and not among them", `{"type":"object","properties":{"a":{}},"required":["b"],"additionalProperties":false}`, "", "#", "invalid"},
		{"additionalProperties", `{"additionalProperties":"no"}`, "", "#/additionalProperties", "invalid"},
		{"patternProperties", `{"patternProperties":{}}`, "patternProperties", "#", "unsupported"},
		{"propertyNames", `{"propertyNames":{}}`, "propertyNames", "#", "unsupported"},
		{"minProperties", `{"minProperties":1}`, "minProperties", "#", "unsupported"},
		{"maxProperties", `{"maxProperties":1}`, "maxProperties", "#", "unsupported"},
		{"dependentRequired", `{"dependentRequired":{}}`, "dependentRequired", "#", "unsupported"},
		{"unevaluatedProperties", `{"unevaluatedProperties":false}`, "unevaluatedProperties", "#", "unsupported"},
		{"if", `{"items":{"if":{},"then":{}}}`, "if", "#/items", "unsupported"},
		{"not", `{"not":{}}`, "not", "#", "unsupported"},
		{"nullable", `{"type":"string","nullable":true}`, "nullable", "#", "unsupported"},
		{"contentEncoding", `{"contentEncoding":"base64"}`, "contentEncoding", "#", "unsupported"},
		{"a word that is no keyword", `{"minLenght":1}`, "minLenght", "#", "unsupported"},
		{"$id below the root", `{"properties":{"a/b":{"$id":"x"}}}`, "$id", "#/properties/a~1b", "unsupported"},
		{"$dynamicRef", `{"$dynamicRef":"#x"}`, "$dynamicRef", "#", "unsupported"},

		{"$ref", `{"$ref":1}`, "$ref", "#", "invalid"},
		{"$ref to nowhere", `{"$ref":"#/$defs/a"}`, "$ref", "#", "invalid"},
		{"$ref to another document", `{"$ref":"https://example.com/a"}`, "$ref", "#", "unsupported"},
		{"$ref to an anchor", `{"$ref":"#a"}`, "$ref", "#", "unsupported"},
		{"$ref to itself", `{"$ref":"#"}`, "$ref", "#", "invalid"},
		{"$ref in a circle", `{"$ref":"#/$defs/a","$defs":{"a":{"anyOf":[{"type":"null"},{"$ref":"#/$defs/b"}]},"b":{"allOf":[{"$ref":"#/$defs/a"}]}}}`, "$ref", "#/$defs/a", "invalid"},
		{"values without end", `{"type":"object","properties":{"a":{"$ref":"#"}},"required":["a"]}`, "", "#", "invalid"},
		{"an optional value without end", `{"type":"object","properties":{"a":{"$ref":"#/$defs/a"}},"$defs":{"a":{"type":"array","minItems":1,"items":{"$ref":"#/$defs/a"}}}}`, "", "#/properties/a", "invalid"},

		{"allOf", `{"allOf":{}}`, "allOf", "#", "invalid"},
		{"anyOf", `{"anyOf":[]}`, "anyOf", "#", "invalid"},
		{"allOf apart", `{"allOf":[{"type":"string"},{"type":"integer"}]}`, "type", "#", "invalid"},
		{"an optional property of allOf apart", `{"allOf":[{"properties":{"a":{"type":"string"}}},{"properties":{"a":{"type":"integer"}}}]}`, "type", "#/allOf/0/properties/a", "invalid"},
		{"anyOf of which none is left", `{"type":"string","anyOf":[{"type":"integer"},{"type":"null"}]}`, "type", "#", "invalid"},
		{"oneOf of numbers", `{"oneOf":[{"type":"integer"},{"type":"number"}]}`, "oneOf", "#", "unsupported"},
		{"oneOf of strings", `{"oneOf":[{"type":"string","pattern":"^a$"},{"type":"string","pattern":"^b$"}]}`, "oneOf", "#", "unsupported"},
		{"oneOf of a value and its type", `{"oneOf":[{"const":"a"},{"type":"string"}]}`, "oneOf", "#", "unsupported"},
		{"oneOf of equal values", `{"oneOf":[{"const":1},{"const":1.0}]}`, "oneOf", "#", "unsupported"},
		{"oneOf of objects", `{"properties":{"p":{"oneOf":[{"type":"object","properties":{"a":{"type":"integer"}}},{"type":"object","properties":{"b":{"type":"integer"}}}]}}}`, "oneOf", "#/properties/p", "unsupported"},
		{"oneOf of objects that one property tells apart, but optional", `{"oneOf":[{"type":"object","properties":{"k":{"const":1}}},{"type":"object","properties":{"k":{"const":2}}}]}`, "oneOf", "#", "unsupported"},
		{"oneOf with a branch without type", `{"oneOf":[{"type":"string"},{"properties":{"a":{}}}]}`, "oneOf", "#", "unsupported"},
		{"oneOf whose properties are made common", `{"type":"object","properties":{"a":{"type":"integer"},"b":{"type":"integer"}},"oneOf":[{"required":["a"]},{"required":["b"]}]}`, "oneOf", "#", "unsupported"},
		{"too many alternatives", `{"allOf":[` + strings.TrimSuffix(strings.Repeat(`{"anyOf":[{"minimum":1},{"maximum":2}]},`, 10), ",") + `]}`, "", "#", "unsupported"},
		{"a long name", `{"properties":{"` + strings.Repeat("x", maxNameBytes+1) + `":{}}}`, "properties", "#", "unsupported"},
		{"a large grammar", `{"properties":{` + manyNames(400) + `}}`, "", "#", "unsupported"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			gbnf, err := FromSchema(json.RawMessage(tt.schema))
			if err == nil {
				t.Fatalf("converted to\n%s", gbnf)
			}
			kind, keyword, path := "", "", ""
			if e, ok := errors.AsType[*InvalidError](err); ok {
				kind, keyword, path = "invalid", e.Keyword, e.Path
			} else if e, ok := errors.AsType[*UnsupportedError](err); ok {
				kind, keyword, path = "unsupported", e.Keyword, e.Path
			}
			if kind != tt.kind || keyword != tt.keyword || path != tt.path {
				t.Errorf("error %v\nis %s: %q at %s, want %s: %q at %s", err, kind, keyword, path, tt.kind, tt.keyword, tt.path)
			}
		})
	}
}

// manyNames returns n properties with long names.
func manyNames(n int) string {
	var names []string
	for i := range n {
		names = append(names, fmt.Sprintf(`"%0900d":{}`, i))
	}
	return strings.Join(names, ",")
}

// TestPatterns: the regular expressions that are refused.
func TestPatterns(t *testing.T) {
	tests := []struct{ pattern, kind string }{
		{`abc`, "unsupported"}, {`^abc`, "unsupported"}, {`abc$`, "unsupported"}, {`^abc\$`, "unsupported"}, {`^a|b$`, "unsupported"},
		{`^(?=a)b$`, "unsupported"}, {`^(?<n>a)$`, "unsupported"}, {`^(?i:a)$`, "unsupported"}, {`^(a)\1$`, "unsupported"}, {`^\bword$`, "unsupported"},
		{`^\p{L}$`, "unsupported"}, {`^a$b$`, "unsupported"}, {`^(a*)*$`, "unsupported"}, {`^(a?)+$`, "unsupported"}, {`^\cA$`, "unsupported"},
		{`^[a[b]]$`, "unsupported"}, {`^[a&&b]$`, "unsupported"}, {`^\ud83d$`, "unsupported"}, {`^a{500001}$`, "unsupported"},
		{`^` + strings.Repeat("(", 31) + `a` + strings.Repeat(")", 31) + `$`, "unsupported"}, {`^` + strings.Repeat("a", 1000) + `$`, "unsupported"},
		{`^*a$`, "invalid"}, {`^a**$`, "invalid"}, {`^a++$`, "invalid"}, {`^a{2,1}$`, "invalid"}, {`^a{,2}$`, "invalid"}, {`^a{x}$`, "invalid"},
		{`^(a$`, "invalid"}, {`^a)$`, "invalid"}, {`^[a$`, "invalid"}, {`^[b-a]$`, "invalid"}, {`^[\d-z]$`, "invalid"}, {`^[]$`, "invalid"}, {`^\x1$`, "invalid"},
		{`^[^\w\W]$`, "invalid"},
	}
	for _, tt := range tests {
		text, _ := json.Marshal(tt.pattern)
		_, err := FromSchema(json.RawMessage(`{"type":"string","pattern":` + string(text) + `}`))
		kind := ""
		if _, ok := errors.AsType[*InvalidError](err); ok {
			kind = "invalid"
		} else if _, ok := errors.AsType[*UnsupportedError](err); ok {
			kind = "unsupported"
		}
		if kind != tt.kind {
			t.Errorf("pattern %s: %v, want it %s", tt.pattern, err, tt.kind)
		}
		if err != nil && len(tt.pattern) < 50 && len(tt.pattern) > 6 && strings.Contains(err.Error(), tt.pattern) {
			t.Errorf("the error repeats the pattern: %v", err)
		}
	}
}

// TestAnyJSON: any object, and nothing else.
func TestAnyJSON(t *testing.T) {
	g, err := Parse(AnyJSON())
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{`{}`, `{"a": 1, "b": [true, null, {"c": "d"}]}`, "{\n  \"a\": -1.5e3\n}"} {
		if !accepts(g, text) {
			t.Errorf("%s is not accepted", text)
		}
	}
	for _, text := range []string{``, `[]`, `1`, `{"a"}`, `{"a":1}}`, ` {}`, "{}\n", "{   }"} {
		if accepts(g, text) {
			t.Errorf("%s is accepted", text)
		}
	}
}

// TestLengths: repetitions of any length are exact, though they are written as
// blocks.
func TestLengths(t *testing.T) {
	for _, tt := range []struct{ lo, hi int }{{0, 1000}, {1000, 1001}, {0, 1001}, {1001, 1001}, {999, 5003}, {1500, 1500}, {1200, -1}, {7, 3021}} {
		w := newWriter()
		w.reserve("root")
		w.define("root", w.repeat(`"a"`, tt.lo, tt.hi))
		g, err := Parse(w.String())
		if err != nil {
			t.Fatalf("%d to %d: %v", tt.lo, tt.hi, err)
		}
		s := g.Start()
		for n := range 6000 {
			want := n >= tt.lo && (tt.hi < 0 || n <= tt.hi)
			if s.Done() != want {
				t.Fatalf("%d to %d: %d characters may end: %v", tt.lo, tt.hi, n, s.Done())
			}
			var ok bool
			if s, ok = s.Accept([]byte("a")); ok != (tt.hi < 0 || n < tt.hi) {
				t.Fatalf("%d to %d: character %d is accepted: %v", tt.lo, tt.hi, n+1, ok)
			}
			if !ok {
				break
			}
		}
	}
}
