package engine

import (
	"encoding/json"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"bendi/chat"
	"bendi/inference/engine/dialect"
)

var testTools = []chat.Tool{
	{Name: "天气", Parameters: json.RawMessage(`{"type":"object","properties":{"城市":{"type":"string","maxLength":6},"天数":{"type":"integer","minimum":1,"maximum":7}},"required":["城市"],"additionalProperties":false}`)},
	{Name: "now"},
}

// A text that the grammar of forced calls allows is calls to the parser, and
// nothing else, in every dialect.
func TestForcedCallsAreCalls(t *testing.T) {
	for _, family := range []dialect.Family{dialect.Hermes, dialect.QwenXML, dialect.GLM, dialect.DeepSeekV3, dialect.DeepSeekV31} {
		d := dialect.Dialect{Calls: family}
		for _, choice := range []dialect.Choice{{Mode: dialect.Required}, {Mode: dialect.Named, Name: "天气"}} {
			form, ok := d.ToolGrammar(testTools, choice)
			if !ok || !form.Must {
				t.Fatalf("%v has no form for a forced call", family)
			}
			c, err := forceCalls(form, testTools, true, false, d)
			if err != nil {
				t.Fatalf("%v: %v", family, err)
			}
			for seed := range uint64(20) {
				text := sentence(t, c, rand.New(rand.NewPCG(seed, 0)))
				p := d.Parser(dialect.Options{Tools: testTools, Eager: true})
				var content, arguments, name string
				for _, piece := range append(p.Push(text), p.Close()...) {
					content += piece.Text
					if piece.Call != nil {
						name, arguments = name+piece.Call.Name, arguments+piece.Call.Arguments
					}
				}
				if content != "" || p.Calls() != 1 || !json.Valid([]byte(arguments)) || choice.Name != "" && name != choice.Name {
					t.Errorf("%v: %q gives content %q and %d calls of %q with %q", family, text, content, p.Calls(), name, arguments)
				}
			}
		}
	}
}

// A schema that cannot be kept is named by its place in the request, whichever
// tool has to be called.
func TestForcedCallsNameTheTool(t *testing.T) {
	tools := append(slices.Clone(testTools), chat.Tool{Name: "bad", Parameters: json.RawMessage(`{"type":"object","properties":{"a":{"type":"string","pattern":"(?=x)"}},"required":["a"]}`)})
	for _, choice := range []dialect.Choice{{Mode: dialect.Required}, {Mode: dialect.Named, Name: "bad"}} {
		d := dialect.Dialect{Calls: dialect.Hermes}
		form, _ := d.ToolGrammar(tools, choice)
		_, err := forceCalls(form, tools, true, false, d)
		if e, ok := errors.AsType[*chat.Error](err); !ok || e.Param != "tools[2].function.parameters" {
			t.Errorf("%+v: %v", choice, err)
		}
	}
}

// sentence walks at random through what a constraint allows.
func sentence(t *testing.T, c *constraint, rng *rand.Rand) string {
	t.Helper()
	var alphabet []string
	for r := rune(' '); r < 127; r++ {
		alphabet = append(alphabet, string(r))
	}
	alphabet = append(alphabet, "\n", "天", "气", "城", "市", "数", "｜", "▁")
	for range 20 { // so that texts without a bound end
		alphabet = append(alphabet, "<", "\n", `"`, "}")
	}
	var out strings.Builder
	state := c.state
	for range 4000 {
		if state.Final() || state.Done() && rng.IntN(3) == 0 {
			return out.String()
		}
		start, moved := rng.IntN(len(alphabet)), false
		for i := range alphabet {
			piece := alphabet[(start+i)%len(alphabet)]
			if next, ok := state.Accept([]byte(piece)); ok {
				state, moved = next, true
				out.WriteString(piece)
				break
			}
		}
		if !moved {
			t.Fatalf("nothing goes on after %q (%v)", out.String(), utf8.ValidString(out.String()))
		}
	}
	t.Fatalf("no end after %d bytes: %q", out.Len(), out.String()[:200])
	return ""
}
