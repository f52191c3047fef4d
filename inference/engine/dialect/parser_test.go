package dialect

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"bendi/chat"
)

var (
	hermes  = Dialect{Calls: Hermes, ThinkStart: think, ThinkEnd: thinkEnd}
	qwenXML = Dialect{Calls: QwenXML, ThinkStart: think, ThinkEnd: thinkEnd}
	glm     = Dialect{Calls: GLM, ThinkStart: think, ThinkEnd: thinkEnd}
	deep    = Dialect{Calls: DeepSeekV31, ThinkStart: think, ThinkEnd: thinkEnd}
	plain   = Dialect{}
)

var testTools = []chat.Tool{
	{Name: "weather", Parameters: json.RawMessage(`{"type":"object","properties":{
		"city":{"type":"string"},"days":{"type":"integer"},"ratio":{"type":"number"},"exact":{"type":"boolean"},
		"tags":{"type":"array"},"where":{"$ref":"#/$defs/Place"},"id":{"type":["string","null"]},"any":{}},
		"required":["city"],"$defs":{"Place":{"type":"object"}}}`)},
	{Name: "now"},
	{Name: "save_file", Parameters: json.RawMessage(`{"type":"object","properties":{"path":{"type":"string"},"text":{"type":"string"}}}`)},
}

// transcript joins pieces: each line is a stretch of content (=), of reasoning
// (~) or a call with its arguments.
func transcript(t testing.TB, pieces []Piece) string {
	t.Helper()
	var lines []string
	kind := byte(0)
	text := ""
	flush := func() {
		switch kind {
		case '=', '~':
			lines = append(lines, fmt.Sprintf("%c %q", kind, text))
		case 'c':
			lines[len(lines)-1] += text
		}
		text = ""
	}
	calls := 0
	for _, p := range pieces {
		next := byte('=')
		add := p.Text
		switch {
		case p.Reasoning != "":
			next, add = '~', p.Reasoning
		case p.Call != nil:
			next, add = 'c', p.Call.Arguments
		}
		if p.Call == nil && add == "" {
			t.Errorf("an empty piece")
		}
		if next != kind || p.Call != nil && p.Call.ID != "" {
			flush()
			kind = next
		}
		if c := p.Call; c != nil {
			if c.ID != "" {
				if c.Name == "" || c.Index != calls {
					t.Errorf("the first piece of call %d is %+v", calls, *c)
				}
				calls++
				lines = append(lines, c.Name+" ")
			} else if c.Index != calls-1 || c.Name != "" || c.Arguments == "" {
				t.Errorf("a later piece of call %d is %+v", calls-1, *c)
			}
		}
		text += add
	}
	flush()
	return strings.Join(lines, "\n")
}

// read parses text cut into chunks of n bytes.
func read(d Dialect, o Options, text string, n int) []Piece {
	p := d.Parser(o)
	var pieces []Piece
	for chunk := range slices.Chunk([]byte(text), n) {
		pieces = append(pieces, p.Push(string(chunk))...)
	}
	return append(pieces, p.Close()...)
}

func lines(s ...string) string { return strings.Join(s, "\n") }

func TestParser(t *testing.T) {
	const weather = `<tool_call>
{"name": "weather", "arguments": {"city": "北京", "days": 3}}
</tool_call>`
	const weatherXML = "<tool_call>\n<function=weather>\n<parameter=city>\n北京\n</parameter>\n<parameter=days>\n3\n</parameter>\n</function>\n</tool_call>"
	const weatherGLM = "<tool_call>weather\n<arg_key>city</arg_key>\n<arg_value>北京</arg_value>\n<arg_key>days</arg_key>\n<arg_value>3</arg_value>\n</tool_call>"
	const weatherDeep = `<｜tool▁call▁begin｜>weather<｜tool▁sep｜>{"city": "北京"}<｜tool▁call▁end｜>`
	const weatherV3 = "<｜tool▁call▁begin｜>function<｜tool▁sep｜>weather\n```json\n{\"city\": \"北京\"}\n```<｜tool▁call▁end｜>"
	tests := []struct {
		name string
		d    Dialect
		o    Options
		text string
		want string
	}{
		// Plain text and reasoning.
		{"text", plain, Options{}, "你好!\n", `= "你好!\n"`},
		{"nothing", hermes, Options{}, "", ``},
		{"a dialect without reasoning leaves the tags", plain, Options{}, "<think>a</think>b", `= "<think>a</think>b"`},
		{"reasoning, then content", hermes, Options{}, "<think>\n用户在问好。\n</think>\n\n你好!", lines(`~ "用户在问好。"`, `= "你好!"`)},
		{"empty reasoning", hermes, Options{}, "<think>\n\n</think>\n\n你好", `= "你好"`},
		{"reasoning that the prompt opened", hermes, Options{Opened: true}, "\n想一想。\n</think>\n答案", lines(`~ "想一想。"`, `= "答案"`)},
		{"opened twice", hermes, Options{Opened: true}, "<think>\n想。</think>答", lines(`~ "想。"`, `= "答"`)},
		{"reasoning cut short", hermes, Options{}, "<think>\nFirst, ", `~ "First, "`},
		{"cut within the tag", hermes, Options{Opened: true}, "well</thin", `~ "well</thin"`},
		{"a tag that is not at the beginning", hermes, Options{}, "Write <think> and </think>.", `= "Write <think> and </think>."`},
		{"paragraphs of reasoning", hermes, Options{}, "<think>a\n\n b < c </ d\n</think>e", lines(`~ "a\n\n b < c </ d"`, `= "e"`)},
		{"leading white space is content", hermes, Options{}, "\n  x", `= "\n  x"`},

		// Hermes.
		{"one call", hermes, Options{Tools: testTools}, weather, `weather {"city": "北京", "days": 3}`},
		{"no tools, no calls", hermes, Options{}, weather, fmt.Sprintf("= %q", weather)},
		{"text before, with reasoning", hermes, Options{Tools: testTools}, "<think>\n要查天气。\n</think>\n\n我来查一下。\n" + weather + "\n",
			lines(`~ "要查天气。"`, `= "我来查一下。"`, `weather {"city": "北京", "days": 3}`)},
		{"parallel calls", hermes, Options{Tools: testTools}, weather + "\n" + `<tool_call>{"name":"now","arguments":{}}</tool_call>`,
			lines(`weather {"city": "北京", "days": 3}`, `now {}`)},
		{"text around calls", hermes, Options{Tools: testTools}, "A.\n" + weather + "\nB.\n" + weather + " C.",
			lines(`= "A."`, `weather {"city": "北京", "days": 3}`, `= "\n\nB."`, `weather {"city": "北京", "days": 3}`, `= "\n C."`)},
		{"text after the only call", hermes, Options{Tools: testTools}, weather + "\n\n等一下。\n", lines(`weather {"city": "北京", "days": 3}`, `= "等一下。\n"`)},
		{"nested JSON and tags in strings", hermes, Options{Tools: testTools},
			`<tool_call>{"name":"save_file","arguments":{"path":"a","text":"</tool_call> \"<tool_call>\" }","x":[{"y":[1,2.5e3,null]}]}}</tool_call>`,
			`save_file {"path":"a","text":"</tool_call> \"<tool_call>\" }","x":[{"y":[1,2.5e3,null]}]}`},
		{"arguments before the name, and a key of no interest", hermes, Options{Tools: testTools},
			`<tool_call>{"id": 12, "arguments": {"city":"x"}, "name": "weather"}</tool_call>`, `weather {"city":"x"}`},
		{"arguments as a string", hermes, Options{Tools: testTools},
			`<tool_call>{"name": "weather", "arguments": "{\"city\":\"上海\"}"}</tool_call>`, `weather {"city":"上海"}`},
		{"parameters", hermes, Options{Tools: testTools}, `<tool_call>{"name": "now", "parameters": {}}</tool_call>`, `now {}`},
		{"no arguments", hermes, Options{Tools: testTools}, `<tool_call>{"name": "now"}</tool_call>`, `now {}`},
		{"null arguments", hermes, Options{Tools: testTools}, `<tool_call>{"name": "now", "arguments": null}</tool_call>`, `now {}`},
		{"the last tag is missing", hermes, Options{Tools: testTools}, `<tool_call>{"name": "now", "arguments": {}}` + "\n", `now {}`},
		{"the last tag is cut short", hermes, Options{Tools: testTools}, `<tool_call>{"name": "now", "arguments": {}}</tool_c`, `now {}`},
		{"cut short", hermes, Options{Tools: testTools}, "好。\n<tool_call>\n{\"name\": \"weather\", \"arguments\": {\"city\": \"北",
			`= "好。\n<tool_call>\n{\"name\": \"weather\", \"arguments\": {\"city\": \"北"`},
		{"cut short, eager", hermes, Options{Tools: testTools, Eager: true}, "好。\n<tool_call>\n{\"name\": \"weather\", \"arguments\": {\"city\": \"北",
			lines(`= "好。"`, `weather {"city": "北`)},
		{"malformed", hermes, Options{Tools: testTools}, `a <tool_call>{"name": "weather", "arguments": {'city': 1}}</tool_call> b`,
			fmt.Sprintf("= %q", `a <tool_call>{"name": "weather", "arguments": {'city': 1}}</tool_call> b`)},
		{"malformed, eager", hermes, Options{Tools: testTools, Eager: true}, `<tool_call>{"name": "weather", "arguments": {"city": oops}}</tool_call>`,
			lines(`weather {"city": `, fmt.Sprintf("= %q", `oops}}</tool_call>`))},
		{"malformed, then a call", hermes, Options{Tools: testTools}, `<tool_call>{"name": <tool_call>{"name": "now"}</tool_call>`,
			lines(fmt.Sprintf("= %q", `<tool_call>{"name":`), `now {}`)},
		{"a tag, then a call", hermes, Options{Tools: testTools}, "Use <tool_call>:\n" + weather, lines(`= "Use <tool_call>:"`, `weather {"city": "北京", "days": 3}`)},
		{"a tool that does not exist", hermes, Options{Tools: testTools}, `<tool_call>{"name": "rm", "arguments": {}}</tool_call>`,
			fmt.Sprintf("= %q", `<tool_call>{"name": "rm", "arguments": {}}</tool_call>`)},
		{"arguments that are no object", hermes, Options{Tools: testTools}, `<tool_call>{"name": "now", "arguments": [1]}</tool_call>`,
			fmt.Sprintf("= %q", `<tool_call>{"name": "now", "arguments": [1]}</tool_call>`)},
		{"more than an object", hermes, Options{Tools: testTools}, `<tool_call>{"name": "now"} {}</tool_call>`,
			fmt.Sprintf("= %q", `<tool_call>{"name": "now"} {}</tool_call>`)},
		{"in a code block", hermes, Options{Tools: testTools}, "格式如下:\n```xml\n" + weather + "\n```\n完。",
			fmt.Sprintf("= %q", "格式如下:\n```xml\n"+weather+"\n```\n完。")},
		{"after a code block", hermes, Options{Tools: testTools}, "```sh\nls\n```\n" + weather, lines("= \"```sh\\nls\\n```\"", `weather {"city": "北京", "days": 3}`)},
		{"after code within a line", hermes, Options{Tools: testTools}, "```ls```\n" + weather, lines("= \"```ls```\"", `weather {"city": "北京", "days": 3}`)},
		{"in a longer code block", hermes, Options{Tools: testTools}, "````\n```\n```\n" + weather + "\n````", fmt.Sprintf("= %q", "````\n```\n```\n"+weather+"\n````")},
		{"inside the reasoning", hermes, Options{Tools: testTools}, "<think>" + weather + "</think>好", lines(fmt.Sprintf("~ %q", weather), `= "好"`)},

		// Qwen XML.
		{"xml call", qwenXML, Options{Tools: testTools}, "我查一下。\n\n" + weatherXML, lines(`= "我查一下。"`, `weather {"city": "北京", "days": 3}`)},
		{"xml, parallel", qwenXML, Options{Tools: testTools}, weatherXML + "\n<tool_call>\n<function=now>\n</function>\n</tool_call>\n",
			lines(`weather {"city": "北京", "days": 3}`, `now {}`)},
		{"xml without the outer tag", qwenXML, Options{Tools: testTools}, "好\n<function=now>\n</function>\n</tool_call>", lines(`= "好"`, `now {}`)},
		{"xml without either outer tag", qwenXML, Options{Tools: testTools}, "<function=now></function> ok", lines(`now {}`, `= "ok"`)},
		{"xml types", qwenXML, Options{Tools: testTools},
			"<tool_call><function=weather><parameter=city>\n12\n</parameter><parameter=days>12</parameter><parameter=ratio>1.50</parameter>" +
				"<parameter=exact>True</parameter><parameter=tags>[\"a\", {\"b\": 1}]</parameter><parameter=where>{\"x\": 1}</parameter>" +
				"<parameter=id>null</parameter><parameter=any>7</parameter><parameter=other>true</parameter></function></tool_call>",
			`weather {"city": "12", "days": 12, "ratio": 1.50, "exact": true, "tags": ["a", {"b": 1}], "where": {"x": 1}, "id": null, "any": 7, "other": true}`},
		{"xml values of the wrong type are strings", qwenXML, Options{Tools: testTools},
			"<tool_call><function=weather><parameter=days>1.5</parameter><parameter=exact>yes</parameter><parameter=tags>[1,</parameter><parameter=where>7</parameter></function></tool_call>",
			`weather {"days": "1.5", "exact": "yes", "tags": "[1,", "where": "7"}`},
		{"xml values with tags and lines in them", qwenXML, Options{Tools: testTools},
			"<tool_call>\n<function=save_file>\n<parameter=text>\n\n<a href=\"x\">\n</parameter> is \"a\" tag\\\n</tool_call>\n\n</parameter>\n<parameter=path>\n\n</parameter>\n</function>\n</tool_call>",
			`save_file {"text": "\n<a href=\"x\">\n</parameter> is \"a\" tag\\\n</tool_call>\n", "path": ""}`},
		{"xml cut short", qwenXML, Options{Tools: testTools}, "<tool_call>\n<function=save_file>\n<parameter=text>\nabc\n</para",
			fmt.Sprintf("= %q", "<tool_call>\n<function=save_file>\n<parameter=text>\nabc\n</para")},
		{"xml cut short, eager", qwenXML, Options{Tools: testTools, Eager: true}, "<tool_call>\n<function=save_file>\n<parameter=text>\nabc\n</para",
			`save_file {"text": "abc\n</para`},
		{"xml without its last tag", qwenXML, Options{Tools: testTools}, "<tool_call>\n<function=now>\n</function>", `now {}`},
		{"xml malformed", qwenXML, Options{Tools: testTools}, "<tool_call><function=now>text</function></tool_call>",
			fmt.Sprintf("= %q", "<tool_call><function=now>text</function></tool_call>")},

		// GLM.
		{"glm call", glm, Options{Tools: testTools}, "<think>查</think>\n好的。\n" + weatherGLM, lines(`~ "查"`, `= "好的。"`, `weather {"city": "北京", "days": 3}`)},
		{"glm, parallel and without newlines", glm, Options{Tools: testTools},
			"<tool_call>weather<arg_key>city</arg_key><arg_value>上海</arg_value></tool_call><tool_call>now</tool_call>", lines(`weather {"city": "上海"}`, `now {}`)},
		{"glm values", glm, Options{Tools: testTools},
			"<tool_call>save_file\n<arg_key>text</arg_key>\n<arg_value> </arg_value> </tool_cal\n</arg_value>\n<arg_key>path</arg_key>\n<arg_value>\"p\"</arg_value>\n</tool_call>",
			`save_file {"text": " </arg_value> </tool_cal\n", "path": "\"p\""}`},
		{"glm, cut short between arguments", glm, Options{Tools: testTools}, strings.TrimSuffix(weatherGLM, "</tool_call>"),
			fmt.Sprintf("= %q", strings.TrimSuffix(weatherGLM, "</tool_call>"))},
		{"glm, prose", glm, Options{Tools: testTools}, "<tool_call> begins a call", `= "<tool_call> begins a call"`},

		// DeepSeek.
		{"deepseek calls", deep, Options{Tools: testTools}, "查一下。\n" + dsCalls + weatherDeep + weatherDeep + dsCallsEnd,
			lines(`= "查一下。"`, `weather {"city": "北京"}`, `weather {"city": "北京"}`)},
		{"deepseek V3", deep, Options{Tools: testTools}, dsCalls + weatherV3 + "\n" + weatherV3 + dsCallsEnd,
			lines(`weather {"city": "北京"}`, `weather {"city": "北京"}`)},
		{"deepseek without the outer tags", deep, Options{Tools: testTools}, weatherDeep, `weather {"city": "北京"}`},
		{"deepseek, tags missing at the end", deep, Options{Tools: testTools}, dsCalls + strings.TrimSuffix(weatherDeep, dsCallEnd), `weather {"city": "北京"}`},
		{"deepseek, the second malformed", deep, Options{Tools: testTools}, dsCalls + weatherDeep + dsCall + "weather" + dsSep + "[]" + dsCallEnd,
			lines(`weather {"city": "北京"}`, fmt.Sprintf("= %q", dsCall+"weather"+dsSep+"[]"+dsCallEnd))},
		{"deepseek, text after", deep, Options{Tools: testTools}, dsCalls + weatherDeep + dsCallsEnd + "\n好", lines(`weather {"city": "北京"}`, `= "好"`)},
		{"deepseek, reasoning", deep, Options{Tools: testTools, Opened: true}, "想</think>" + dsCalls + weatherDeep + dsCallsEnd, lines(`~ "想"`, `weather {"city": "北京"}`)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, n := range []int{len(tt.text) + 1, 1, 2, 3, 7} {
				pieces := read(tt.d, tt.o, tt.text, n)
				if got := transcript(t, pieces); got != tt.want {
					t.Fatalf("%q in chunks of %d\ngot:\n%s\nwant:\n%s", tt.text, n, got, tt.want)
				}
				for _, args := range argumentsOf(pieces) {
					if !tt.o.Eager && !json.Valid([]byte(args)) {
						t.Errorf("the arguments %s are not JSON", args)
					}
				}
			}
		})
	}
}

// argumentsOf returns the arguments of each call.
func argumentsOf(pieces []Piece) []string {
	var all []string
	for _, p := range pieces {
		if p.Call != nil && p.Call.Index == len(all) {
			all = append(all, "")
		}
		if p.Call != nil {
			all[p.Call.Index] += p.Call.Arguments
		}
	}
	return all
}

// What cannot be part of a tag comes out at once.
func TestParserHoldsBackNoMoreThanItMust(t *testing.T) {
	p := hermes.Parser(Options{Tools: testTools, Eager: true, NewID: func() string { return "call_1" }})
	steps := []struct{ push, want string }{
		{"<thi", ``},
		{"nk>\n", ``},
		{"想", `~ "想"`},
		{"一想 </", `~ "一想"`},
		{"b", `~ " </b"`},
		{"\n</think>\n", ``},
		{"好", `= "好"`},
		{"。\n", `= "。"`},
		{"1 < 2", `= "\n1 < 2"`},
		{"<tool", ``},
		{"s>", `= "<tools>"`},
		{"<tool_call>{\"name\": \"weather\",", ``},
		{"\"arguments\": {\"ci", `weather {"ci`},
	}
	for _, s := range steps {
		if got := transcript(t, p.Push(s.push)); got != s.want {
			t.Errorf("after %q: got %s, want %s", s.push, got, s.want)
		}
	}
	if got := p.Push(`ty": "`); len(got) != 1 || got[0].Call == nil || *got[0].Call != (chat.ToolCallDelta{Arguments: `ty": "`}) {
		t.Errorf("got %+v", got)
	}
}

// The engine counts the tokens of the reasoning and may end it.
func TestReasoningBudget(t *testing.T) {
	p := hermes.Parser(Options{})
	var got []Piece
	for _, text := range []string{"<think>", "一", "二", "三"} {
		got = append(got, p.Push(text)...)
		if !p.Reasoning() {
			t.Fatalf("not reasoning after %q", text)
		}
	}
	got = append(got, p.Push("\n"+hermes.ThinkEnd+"\n\n")...)
	if p.Reasoning() {
		t.Error("still reasoning")
	}
	got = append(got, p.Push("答")...)
	if got, want := transcript(t, append(got, p.Close()...)), lines(`~ "一二三"`, `= "答"`); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestCallIDs(t *testing.T) {
	text := `<tool_call>{"name":"now"}</tool_call>`
	seen := map[string]bool{}
	p := hermes.Parser(Options{Tools: testTools})
	for _, piece := range p.Push(text + text + text) {
		if c := piece.Call; c.ID != "" {
			if !strings.HasPrefix(c.ID, "call_") || seen[c.ID] {
				t.Errorf("id %q", c.ID)
			}
			seen[c.ID] = true
		}
	}
	if len(seen) != 3 || p.Calls() != 3 {
		t.Errorf("%d ids and %d calls, want 3", len(seen), p.Calls())
	}
}

// Text made to be read again and again is read in linear time: each of these
// would take many seconds otherwise.
func TestParserTakesLinearTime(t *testing.T) {
	const n = 1000
	tests := []struct {
		name string
		d    Dialect
		text string
	}{
		{"tags", hermes, strings.Repeat("<tool_call>", n)},
		{"objects", hermes, strings.Repeat(`<tool_call>{"`, n)},
		{"nested objects", hermes, `<tool_call>{"name":"now","arguments":` + strings.Repeat(`{"a":`, n)},
		{"nested strings", hermes, strings.Repeat(`<tool_call>{"name":"now","arguments":{"a":"`, n)},
		{"half a tag", hermes, strings.Repeat("<tool_cal", n)},
		{"white space", hermes, strings.Repeat(" \n", 20*n) + "x" + strings.Repeat(" \n", 20*n)},
		{"nested values", qwenXML, strings.Repeat("<tool_call><function=now><parameter=a>", n)},
		{"closing tags", qwenXML, "<tool_call><function=now><parameter=a>" + strings.Repeat("</parameter>\n\n", n)},
		{"white space after a value", qwenXML, "<tool_call><function=now><parameter=a></parameter>" + strings.Repeat(" \n", 20*n)},
		{"newlines", qwenXML, "<tool_call><function=now><parameter=a>" + strings.Repeat("\n", 20*n)},
		{"long names", qwenXML, strings.Repeat("<function="+strings.Repeat("a", 500), n/20)},
		{"open keys", glm, "<tool_call>now" + strings.Repeat("<arg_key>", n)},
		{"nested values", glm, strings.Repeat("<tool_call>now<arg_key>a</arg_key><arg_value>", n)},
		{"heads", deep, strings.Repeat(dsCalls+dsCall+"a"+dsSep, n/2)},
		{"half a tag", deep, strings.Repeat(dsCalls[:len(dsCalls)-3], n)},
	}
	for _, tt := range tests {
		for _, eager := range []bool{false, true} {
			for _, chunk := range []int{1, len(tt.text)} {
				began := time.Now()
				read(tt.d, Options{Tools: testTools, Eager: eager}, tt.text, chunk)
				if took := time.Since(began); took > 3*time.Second {
					t.Errorf("%v, %s, eager %v, in chunks of %d: %d bytes took %v", tt.d.Calls, tt.name, eager, chunk, len(tt.text), took)
				}
			}
		}
	}
}
