package dialect

import (
	"encoding/json"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"bendi/chat"
)

// load returns a template of testdata/templates and its source.
func load(t *testing.T, name string) (*Template, string) {
	t.Helper()
	archive, err := txtar.ParseFile(filepath.Join("testdata", "templates", name+".txtar"))
	if err != nil {
		t.Fatal(err)
	}
	src := source(t, archive)
	tmpl, err := Compile(src)
	if err != nil {
		t.Fatal(err)
	}
	return tmpl, src
}

func TestDetect(t *testing.T) {
	tests := []struct {
		template string // a file of testdata/templates
		tokens   []string
		want     Dialect
		tools    bool
	}{
		{"qwen2.5", []string{toolCall}, Dialect{Calls: Hermes}, true},
		{"qwen3", nil, hermes, true},
		{"qwen3-coder", nil, Dialect{Calls: QwenXML}, true},
		{"deepseek-v3.1", nil, deep, true},
		{"glm-4.5", []string{think, thinkEnd, toolCall}, glm, true},
		{"internlm", []string{toolCall}, Dialect{}, false},
		{"internlm", []string{think, thinkEnd}, Dialect{ThinkStart: think, ThinkEnd: thinkEnd}, false},
		{"llama-3", nil, Dialect{}, true},
		{"gemma", nil, Dialect{}, false},
	}
	for _, tt := range tests {
		tmpl, src := load(t, tt.template)
		if got := Detect(src, tt.tokens); got != tt.want {
			t.Errorf("%s: got %+v, want %+v", tt.template, got, tt.want)
		}
		if tmpl.Tools() != tt.tools {
			t.Errorf("%s: knows tools = %v", tt.template, tmpl.Tools())
		}
	}
	if got := Detect("", []string{toolCall, argKey, think, thinkEnd}); got != glm {
		t.Errorf("by the vocabulary: %+v", got)
	}
	if got := Detect(dsCalls+"```json", nil); got != (Dialect{Calls: DeepSeekV3}) {
		t.Errorf("DeepSeek V3: %+v", got)
	}
}

// Whether an answer begins inside the reasoning is told by its prompt.
func TestOpened(t *testing.T) {
	_, all := conversations(t)
	tests := []struct {
		template, conversation string
		want                   bool
	}{
		{"qwen3", "plain", false}, // the model opens it
		{"qwen3", "thinking off", false},
		{"deepseek-v3.1", "thinking on", true},
		{"deepseek-v3.1", "thinking off", false},
		{"glm-4.5", "thinking off", false},
	}
	for _, tt := range tests {
		tmpl, src := load(t, tt.template)
		prompt, err := tmpl.Render(all[tt.conversation])
		if err != nil {
			t.Fatal(err)
		}
		if got := Detect(src, nil).Opened(prompt); got != tt.want {
			t.Errorf("%s, %s: opened = %v", tt.template, tt.conversation, got)
		}
	}
	if !hermes.Opened("<|im_start|>assistant\n<think>\n") {
		t.Error("a prompt that ends with the tag and a newline does not open the reasoning")
	}
}

// What a template writes for an answer of the past is what the model would
// have written. Read again, it is that answer.
func TestAnswersAreReadBackFromTheirTemplates(t *testing.T) {
	_, all := conversations(t)
	ends := []string{"<|im_end|>", "</s>", "<|observation|>"}
	for _, name := range []string{"qwen2.5", "qwen3", "qwen3-coder", "deepseek-v3.1", "glm-4.5"} {
		for _, conversation := range []string{"calls", "answer with reasoning and a call"} {
			tmpl, src := load(t, name)
			in := all[conversation]
			answer := in.Messages[1]
			question := in
			question.Messages, question.Generate = in.Messages[:1], true
			prompt, err := tmpl.Render(question)
			if err != nil {
				t.Fatal(err)
			}
			in.Messages, in.Generate = in.Messages[:2], false
			whole, err := tmpl.Render(in)
			if err != nil {
				t.Fatal(err)
			}
			written, ok := strings.CutPrefix(whole, prompt)
			if !ok {
				t.Fatalf("%s: the history does not begin with the prompt:\n%s\n%s", name, prompt, whole)
			}
			for _, end := range ends {
				written, _, _ = strings.Cut(written, end)
			}
			d := Detect(src, nil)
			p := d.Parser(Options{Tools: []chat.Tool{{Name: "weather", Parameters: question.Tools[0].Parameters}, {Name: "now"}}, Opened: d.Opened(prompt)})
			pieces := append(p.Push(written), p.Close()...)
			var text, reasoning string
			var calls []string
			for _, piece := range pieces {
				text += piece.Text
				reasoning += piece.Reasoning
				if piece.Call != nil && piece.Call.ID != "" {
					calls = append(calls, piece.Call.Name)
				}
			}
			if text != answer.Text() {
				t.Errorf("%s, %s: content %q, want %q; written:\n%s", name, conversation, text, answer.Text(), written)
			}
			if keeps := d.ThinkStart != "" && name != "deepseek-v3.1"; keeps && reasoning != answer.Reasoning {
				t.Errorf("%s, %s: reasoning %q, want %q", name, conversation, reasoning, answer.Reasoning)
			}
			if len(calls) != len(answer.ToolCalls) {
				t.Fatalf("%s, %s: calls %v in\n%s", name, conversation, calls, written)
			}
			for i, args := range argumentsOf(pieces) {
				got, ok := values{}.json(args)
				if want := (values{}).arguments(answer.ToolCalls[i].Arguments); !ok || !same(got, want) || calls[i] != answer.ToolCalls[i].Name {
					t.Errorf("%s, %s: call %s %s, want %+v", name, conversation, calls[i], args, answer.ToolCalls[i])
				}
			}
		}
	}
}

func TestParseChoice(t *testing.T) {
	tests := []struct {
		raw   string
		tools []chat.Tool
		want  Choice
		bad   string // in the message
	}{
		{``, nil, Choice{Mode: None}, ""},
		{``, testTools, Choice{Mode: Auto}, ""},
		{`null`, testTools, Choice{Mode: Auto}, ""},
		{`"auto"`, testTools, Choice{Mode: Auto}, ""},
		{`"auto"`, nil, Choice{Mode: None}, ""},
		{`"none"`, testTools, Choice{Mode: None}, ""},
		{` "required" `, testTools, Choice{Mode: Required}, ""},
		{`"required"`, nil, Choice{}, "offers none"},
		{`{"type":"function","function":{"name":"now"}}`, testTools, Choice{Mode: Named, Name: "now"}, ""},
		{`{"type":"function","function":{"name":"secret"}}`, testTools, Choice{}, "not the name of one of the 3 tools"},
		{`{"type":"function"}`, testTools, Choice{}, "lacks 'function.name'"},
		{`{"type":"allowed_tools"}`, testTools, Choice{}, `may be "function" alone`},
		{`"secret"`, testTools, Choice{}, "another string of 6 bytes"},
		{`[1]`, testTools, Choice{}, "must be"},
		{`{"type":`, testTools, Choice{}, "must be"},
	}
	for _, tt := range tests {
		got, err := ParseChoice(json.RawMessage(tt.raw), tt.tools)
		if tt.bad == "" {
			if err != nil || got != tt.want {
				t.Errorf("%s: got %+v, %v", tt.raw, got, err)
			}
			continue
		}
		e, ok := errors.AsType[*chat.Error](err)
		if !ok || e.Kind != chat.Invalid || e.Param != "tool_choice" || !strings.Contains(e.Msg, tt.bad) || strings.Contains(e.Msg, "secret") {
			t.Errorf("%s: got %+v, %#v, want an error that says %q", tt.raw, got, err, tt.bad)
		}
	}
}

// A text written by a grammar is read back as the calls that it makes.
func TestToolGrammar(t *testing.T) {
	args := map[string]string{"city": "北京", "days": "3", "ratio": "0.5", "exact": "true", "tags": `["a"]`, "where": "{}", "id": "null", "any": "7", "path": "p", "text": "a\nb"}
	for _, family := range []Family{Hermes, QwenXML, GLM, DeepSeekV3, DeepSeekV31} {
		d := Dialect{Calls: family}
		g, ok := d.ToolGrammar(testTools, Choice{Mode: Required})
		if !ok || !g.Must || len(g.Calls) != len(testTools) {
			t.Fatalf("%v: %+v", family, g)
		}
		text := g.Begin
		var want []string
		for i, call := range g.Calls {
			if i > 0 {
				text += g.Between
			}
			text += call.Prefix
			if !call.Keyed {
				text += `{"a": "` + call.Name + `"}`
				want = append(want, call.Name+` {"a": "`+call.Name+`"}`)
			} else {
				var pairs []string
				for _, param := range call.Params {
					bare := param.Key == "city" || param.Key == "path" || param.Key == "text"
					if param.Text != (bare || param.Key == "id" || param.Key == "any") || param.Required != (param.Key == "city") {
						t.Errorf("%v: %+v", family, param)
					}
					text += param.Prefix + args[param.Key] + param.Suffix
					value := args[param.Key]
					if bare {
						value = quote(value)
					}
					pairs = append(pairs, quote(param.Key)+": "+value)
				}
				want = append(want, call.Name+" {"+strings.Join(pairs, ", ")+"}")
			}
			text += call.Suffix
			if !strings.Contains(g.Begin+call.Prefix, g.Trigger) || !json.Valid(call.Parameters) {
				t.Errorf("%v: %+v", family, call)
			}
		}
		text += g.End
		if got := transcript(t, read(d, Options{Tools: testTools, Eager: true}, text, 3)); got != strings.Join(want, "\n") {
			t.Errorf("%v wrote\n%s\nread\n%s\nwant\n%s", family, text, got, strings.Join(want, "\n"))
		}
	}
	if g, ok := hermes.ToolGrammar(testTools, Choice{Mode: Named, Name: "now"}); !ok || len(g.Calls) != 1 || g.Calls[0].Name != "now" || string(g.Calls[0].Parameters) != emptySchema {
		t.Errorf("named: %+v", g)
	}
	if g, ok := hermes.ToolGrammar(testTools, Choice{}); !ok || g.Must {
		t.Errorf("auto: %+v", g)
	}
	for _, choice := range []Choice{{Mode: None}, {Mode: Named, Name: "x"}} {
		if _, ok := hermes.ToolGrammar(testTools, choice); ok {
			t.Errorf("%+v has a grammar", choice)
		}
	}
	if _, ok := plain.ToolGrammar(testTools, Choice{Mode: Required}); ok {
		t.Error("plain text has a grammar")
	}
}
