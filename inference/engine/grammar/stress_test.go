package grammar

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

func many(n int, f string) string {
	var p []string
	for i := range n {
		p = append(p, strings.ReplaceAll(f, "§", fmt.Sprint(i)))
	}
	return strings.Join(p, ",")
}

func TestStress(t *testing.T) {
	for name, s := range map[string]string{
		"enum 20k":        `{"enum":[` + many(20000, `"value-§"`) + `]}`,
		"enum 2k":         `{"enum":[` + many(2000, `"value-§"`) + `]}`,
		"oneOf 400":       `{"oneOf":[` + many(400, `{"type":"object","properties":{"kind":{"const":"k§"},"a":{"type":"string"},"b":{"type":"integer"}},"required":["kind"]}`) + `]}`,
		"oneOf 400 wide":  `{"oneOf":[` + many(400, `{"type":"object","properties":{"a":{"type":"string"},"b":{"type":"integer"},"c":{},"d":{},"e":{},"kind":{"const":"k§"}},"required":["a","b","c","d","e","kind"]}`) + `]}`,
		"props 1000":      `{"properties":{` + many(1000, `"name§":{"type":"string"}`) + `},"additionalProperties":true}`,
		"props 3000":      `{"properties":{` + many(3000, `"name§":{"type":"string"}`) + `},"additionalProperties":false}`,
		"allOf refs":      `{"allOf":[` + many(1500, `{"$ref":"#/$defs/d§"}`) + `],"$defs":{` + many(1500, `"d§":{"properties":{"p§":{}}}`) + `}}`,
		"chain":           `{"$ref":"#/$defs/d0","$defs":{` + many(4000, `"d§":{"properties":{"p":{"$ref":"#/$defs/e§"}}},"e§":{"anyOf":[{"type":"null"},{"$ref":"#/$defs/d0"}]}`) + `}}`,
		"anyOf product":   `{"allOf":[` + many(8, `{"anyOf":[{"minimum":§},{"maximum":10§}]}`) + `]}`,
		"oneOf product":   `{"allOf":[` + many(8, `{"oneOf":[{"minimum":§},{"maximum":10§}]}`) + `]}`,
		"nested oneOf":    strings.Repeat(`{"oneOf":[{"type":"null"},{"type":"array","items":`, 24) + `{}` + strings.Repeat(`}]}`, 24),
		"nested anyOf":    strings.Repeat(`{"anyOf":[{"type":"null"},{"anyOf":[{"type":"string"},`, 24) + `{}` + strings.Repeat(`]}]}`, 24),
		"deep ref":        `{"$ref":"#/$defs/d0","$defs":{` + many(8000, `"d§":{"items":{"$ref":"#/$defs/d§1"}}`) + `}}`,
		"ref line":        refLine(8000),
		"strings":         `{"properties":{` + many(2000, `"n§":{"type":"string","minLength":§,"maxLength":9§}`) + `}}`,
		"conj blowup":     conj(14),
		"longname":        `{"properties":{` + many(300, `"`+strings.Repeat("n", 900)+`§":{}`) + `},"additionalProperties":{}}`,
		"recursive allOf": `{"$ref":"#/$defs/a","$defs":{"a":{"properties":{"x":{"allOf":[{"$ref":"#/$defs/a"},{"$ref":"#/$defs/b"}]}}},"b":{"properties":{"x":{"allOf":[{"$ref":"#/$defs/a"},{"$ref":"#/$defs/c"}]},"y":{"$ref":"#/$defs/b"}}},"c":{"properties":{"y":{"allOf":[{"$ref":"#/$defs/c"},{"$ref":"#/$defs/b"}]}}}}}`,
	} {
		start := time.Now()
		g, err := FromSchema(json.RawMessage(s))
		took := time.Since(start)
		start = time.Now()
		var step time.Duration
		if err == nil {
			gr, err := Parse(g)
			if err != nil {
				t.Error(err)
				continue
			}
			p := time.Since(start)
			start = time.Now()
			st := gr.Start()
			st.Accept([]byte(`{"name1`))
			st.Accept([]byte(`"val`))
			step = time.Since(start)
			fmt.Printf("%-16s schema %dK grammar %dK insts %d FromSchema %v Parse %v 2 candidates %v\n", name, len(s)>>10, len(g)>>10, len(gr.insts), took, p, step)
		} else {
			e := err.Error()
			fmt.Printf("%-16s schema %dK %v %s\n", name, len(s)>>10, took, e[:min(150, len(e))])
		}
	}
	// random mutation
	seeds := []string{
		`{"type":"object","properties":{"a":{"type":"integer","minimum":-5,"maximum":1e3},"b":{"$ref":"#"}},"required":["a"],"additionalProperties":{"type":"string","pattern":"^a{2,3}[^b]$"}}`,
		`{"oneOf":[{"const":1},{"type":"string","format":"date"}],"$defs":{"a":{"anyOf":[true,false]}}}`,
		`{"allOf":[{"$ref":"#/$defs/a"},{"minLength":3}],"$defs":{"a":{"type":["string","null"],"maxLength":500000}}}`,
		`{"type":"array","prefixItems":[{"enum":[{"a":[]},-1.50e2]}],"items":{"type":"number","exclusiveMinimum":0.001},"minItems":499999}`,
		`{"anyOf":[{"required":["a"]},{"required":["b"]}],"properties":{"a":{},"b":{}}}`,
	}
	rng := rand.New(rand.NewPCG(1, 1))
	worst := time.Duration(0)
	for i := 0; i < 100000; i++ {
		s := []byte(seeds[rng.IntN(len(seeds))])
		for range 1 + rng.IntN(4) {
			j := rng.IntN(len(s))
			switch rng.IntN(3) {
			case 0:
				s[j] = `0123456789{}[],":abc$#/-`[rng.IntN(24)]
			case 1:
				s = append(s[:j], s[j+1:]...)
			case 2:
				o := seeds[rng.IntN(len(seeds))]
				k := rng.IntN(len(o))
				s = append(s[:j:j], append([]byte(o[k:k+rng.IntN(len(o)-k)]), s[j:]...)...)
			}
		}
		start := time.Now()
		FromSchema(s)
		if d := time.Since(start); d > worst {
			worst = d
			fmt.Println(d, string(s))
		}
	}
}

func refLine(n int) string {
	var p []string
	for i := range n {
		next := fmt.Sprintf(`{"items":{"$ref":"#/$defs/d%d"}}`, i+1)
		if i == n-1 {
			next = `{}`
		}
		p = append(p, fmt.Sprintf(`"d%d":%s`, i, next))
	}
	return `{"$ref":"#/$defs/d0","$defs":{` + strings.Join(p, ",") + `}}`
}

// conj makes the number of combinations of schemas double with each step.
func conj(n int) string {
	var p []string
	for i := range n {
		p = append(p, fmt.Sprintf(`"d%d":{"properties":{"a":{"$ref":"#/$defs/d%d"},"b":{"allOf":[{"$ref":"#/$defs/d%d"},{"$ref":"#/$defs/d%d"}]}}}`, i, (i+1)%n, (i+1)%n, (i*7+3)%n))
	}
	return `{"$ref":"#/$defs/d0","$defs":{` + strings.Join(p, ",") + `}}`
}
