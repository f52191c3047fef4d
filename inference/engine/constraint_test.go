package engine

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"bendi/chat"
	"bendi/chat/chattest"
)

func schema(text string) func(*chat.Request) {
	return func(r *chat.Request) {
		r.Format = &chat.Format{Type: "json_schema", Name: "answer", Schema: json.RawMessage(text)}
	}
}

// Whatever the model would rather say, what it says is valid: greedy and wild,
// many at once, in several choices.
func TestSchemaHoldsEveryTime(t *testing.T) {
	e := openDemo(t, Config{Slots: 8})
	schemas := []string{
		`{"type":"object","properties":{"城市":{"type":"string","maxLength":8},"温度":{"type":"integer","minimum":-40,"maximum":50}},"required":["城市","温度"],"additionalProperties":false}`,
		`{"type":"array","items":{"enum":["退货","换货","发票"]},"minItems":1,"maxItems":3}`,
		`{"type":"object","properties":{"ok":{"type":"boolean"},"why":{"anyOf":[{"type":"null"},{"type":"string","maxLength":5}]}},"required":["ok"],"additionalProperties":false}`,
		`{"const":{"a":[1,"二",null]}}`,
	}
	var wg sync.WaitGroup
	for i, text := range schemas {
		parsed, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		compiler := jsonschema.NewCompiler()
		if err := compiler.AddResource("schema.json", parsed); err != nil {
			t.Fatal(err)
		}
		valid, err := compiler.Compile("schema.json")
		if err != nil {
			t.Fatal(err)
		}
		for round := range 4 {
			wg.Go(func() {
				req := question(fmt.Sprintf("第 %d 次:怎么退货?", round), schema(text), func(r *chat.Request) { r.MaxTokens, r.N = 300, 2 })
				if round%2 == 1 {
					wild(req)
				}
				a, err := chattest.Collect(e.Chat(t.Context(), req), req.N)
				if err != nil {
					t.Errorf("schema %d: %v", i, err)
					return
				}
				for c, answer := range a.Text {
					value, err := jsonschema.UnmarshalJSON(strings.NewReader(answer))
					if err == nil {
						err = valid.Validate(value)
					}
					if err != nil || a.Finish[c] != chat.Stop {
						t.Errorf("schema %d: %q (%s): %v", i, answer, a.Finish[c], err)
					}
				}
			})
		}
	}
	wg.Wait()
	idle(t, e)
}

func TestJSONObjectAndGrammar(t *testing.T) {
	e := openDemo(t, Config{Slots: 1})
	object := answerOf(t, e, question("给我一个 JSON", tokens(400), func(r *chat.Request) { r.Format = &chat.Format{Type: "json_object"} }))
	var m map[string]any
	if err := json.Unmarshal([]byte(object.Text[0]), &m); err != nil && object.Finish[0] == chat.Stop {
		t.Errorf("%q is no JSON object: %v", object.Text[0], err)
	}
	date := answerOf(t, e, question("今天几号", tokens(50), func(r *chat.Request) {
		r.Format = &chat.Format{Type: "grammar", Grammar: `root ::= [0-9]{4} "年" [0-9]{1,2} "月"`}
	}))
	if !regexp.MustCompile(`^\d{4}年\d{1,2}月$`).MatchString(date.Text[0]) || date.Finish[0] != chat.Stop {
		t.Errorf("the grammar's answer is %q (%s)", date.Text[0], date.Finish[0])
	}
}

// A schema or grammar that cannot be kept is refused by its keyword, and never
// ignored.
func TestFormatsThatAreRefused(t *testing.T) {
	e := openDemo(t, Config{Slots: 1})
	tests := []struct {
		name   string
		format chat.Format
		param  string
		word   string
	}{
		{"a keyword", chat.Format{Type: "json_schema", Schema: json.RawMessage(`{"type":"object","patternProperties":{"^a":{}}}`)}, "response_format.json_schema.schema", "patternProperties"},
		{"a reference to nowhere", chat.Format{Type: "json_schema", Schema: json.RawMessage(`{"$ref":"#/$defs/x"}`)}, "response_format.json_schema.schema", "$ref"},
		{"a grammar", chat.Format{Type: "grammar", Grammar: `root ::= "a`}, "grammar", "line 1"},
		{"a grammar without root", chat.Format{Type: "grammar", Grammar: `a ::= "a"`}, "grammar", "root"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := chattest.Collect(e.Chat(t.Context(), question("你好", func(r *chat.Request) { r.Format = &tt.format })), 1)
			got, ok := errors.AsType[*chat.Error](err)
			if !ok || got.Kind != chat.Invalid || got.Param != tt.param || !strings.Contains(got.Msg, tt.word) {
				t.Errorf("got %v, want a refusal of %s that says %q", err, tt.param, tt.word)
			}
		})
	}
}
