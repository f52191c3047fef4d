package dialect

import (
	"encoding/json"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

var fuzzDialects = []Dialect{hermes, qwenXML, glm, deep, plain, {Calls: Hermes}}

// seedParser adds texts with every tag in them, in order and out of it.
func seedParser(add func(text string)) {
	for _, text := range []string{
		"", "你好", "<think>\n想\n</think>\n\n好 <tool_call>\n{\"name\": \"weather\", \"arguments\": {\"city\": \"北京\"}}\n</tool_call>\n",
		`<tool_call>{"name":"now","parameters":"{}"}</tool_call><tool_call>{"arguments":{},"name":"now"}</tool_call>`,
		`<tool_call>{"name":"now","x":[-1.5e+3,tru`, "```\n<tool_call>{\"name\":\"now\"}</tool_call>\n```\n~~~\n",
		"a\n<tool_call>\n<function=weather>\n<parameter=city>\n北京\n</parameter>\n<parameter=days>\n3\n</parameter>\n</function>\n</tool_call> b",
		"<function=save_file><parameter=text>\n</parameter>\n</parameter></function></tool_call>",
		"<tool_call>weather\n<arg_key>city</arg_key>\n<arg_value>x</arg_value>\n<arg_key>days</arg_key><arg_value>1</arg_value></tool_call>",
		dsCalls + dsCall + "weather" + dsSep + `{"city":"x"}` + dsCallEnd + "\n" + dsCall + "function" + dsSep + "now\n```json\n{}\n```" + dsCallEnd + dsCallsEnd,
		"<think></think><think>", "</think> <thi", " \n<tool_call", "<｜tool",
	} {
		add(text)
	}
}

// However an answer is cut up, the pieces are the same once joined.
func FuzzChunks(f *testing.F) {
	seedParser(func(text string) {
		for i := range fuzzDialects {
			f.Add(text, uint8(i), true, false, uint64(1))
		}
	})
	f.Fuzz(func(t *testing.T, text string, which uint8, eager, opened bool, seed uint64) {
		d := fuzzDialects[int(which)%len(fuzzDialects)]
		checkChunks(t, d, Options{Tools: testTools, Eager: eager, Opened: opened}, text, rand.New(rand.NewPCG(seed, 0)))
	})
}

func checkChunks(t *testing.T, d Dialect, o Options, text string, r *rand.Rand) {
	want := transcript(t, read(d, o, text, len(text)+1))
	if got := transcript(t, read(d, o, text, 1)); got != want {
		t.Errorf("%v %q byte by byte\ngot:\n%s\nwant:\n%s", d.Calls, text, got, want)
	}
	p := d.Parser(o)
	var pieces []Piece
	for rest := text; rest != ""; {
		n := 1 + r.IntN(min(len(rest), 20))
		pieces = append(pieces, p.Push(rest[:n])...)
		rest = rest[n:]
	}
	if got := transcript(t, append(pieces, p.Close()...)); got != want {
		t.Errorf("%v %q in random chunks\ngot:\n%s\nwant:\n%s", d.Calls, text, got, want)
	}
}

// An answer without a well-formed call is its content and its reasoning, to
// the letter but for the tags and the white space that touches them. A call is
// of a tool that exists, and its arguments are a JSON object. Pieces of whole
// runes make whole runes.
func FuzzNothingIsLost(f *testing.F) {
	seedParser(func(text string) {
		for i := range fuzzDialects {
			f.Add(text, uint8(i), false)
			f.Add(text, uint8(i), true)
		}
	})
	f.Fuzz(func(t *testing.T, text string, which uint8, opened bool) {
		checkNothingLost(t, fuzzDialects[int(which)%len(fuzzDialects)], opened, text)
	})
}

func checkNothingLost(t *testing.T, d Dialect, opened bool, text string) {
	p := d.Parser(Options{Tools: testTools, Opened: opened})
	var content, reasoning, name string
	pieces := p.Push(text)
	thinking := p.Reasoning()
	pieces = append(pieces, p.Close()...)
	for _, piece := range pieces {
		content += piece.Text
		reasoning += piece.Reasoning
		if utf8.ValidString(text) && !utf8.ValidString(piece.Text+piece.Reasoning) {
			t.Errorf("%q: half a rune in %+v", text, piece)
		}
		if c := piece.Call; c != nil && c.ID != "" {
			name = c.Name
			if name != "weather" && name != "now" && name != "save_file" {
				t.Errorf("%q: call of %q", text, name)
			}
		}
	}
	for _, args := range argumentsOf(pieces) {
		var object map[string]any
		if err := json.Unmarshal([]byte(args), &object); err != nil || object == nil {
			t.Errorf("%q: arguments %q: %v", text, args, err)
		}
	}
	if p.Calls() > 0 {
		if !subsequence(reasoning+content, text) {
			t.Errorf("%q: content %q", text, content)
		}
		return
	}
	rest := text
	if d.ThinkStart != "" && (p.thought || reasoning != "") {
		rest = strings.TrimPrefix(strings.TrimLeft(rest, whiteSpace), think)
		rest, ok := strings.CutPrefix(strings.TrimLeft(rest, whiteSpace), reasoning)
		if !ok {
			t.Fatalf("%q: reasoning %q", text, reasoning)
		}
		rest = strings.TrimLeft(rest, whiteSpace)
		if !thinking {
			rest, ok = strings.CutPrefix(rest, thinkEnd)
			rest = strings.TrimLeft(rest, whiteSpace)
		}
		if !ok || rest != content {
			t.Fatalf("%q: reasoning %q, content %q", text, reasoning, content)
		}
		return
	}
	if rest != content {
		t.Errorf("%q: content %q", text, content)
	}
}

// Both properties hold for texts made of the pieces that calls are made of,
// in an order that is nearly right.
func TestScrambledCalls(t *testing.T) {
	words := map[Family][]string{
		Hermes: {toolCall, "{", `"name"`, ": ", `"weather"`, ", ", `"arguments"`, ": ", `{"city": "北京"}`, "}", toolCallEnd},
		QwenXML: {toolCall, "\n", function, "weather", ">", "\n", parameter, "city", ">", "\n", "北京", "\n", parameterEnd, "\n",
			functionEnd, "\n", toolCallEnd},
		GLM: {toolCall, "weather", "\n", argKey, "city", argKeyEnd, "\n", argValue, "北京", argValueEnd, "\n", toolCallEnd},
		DeepSeekV31: {dsCalls, dsCall, "weather", dsSep, `{"city": "北京"}`, dsCallEnd, dsCall, "function", dsSep, "now", "\n```json\n", "{}",
			"\n```", dsCallEnd, dsCallsEnd},
	}
	extra := []string{" ", "\n", "<", "text", think, thinkEnd, "```\n", "\"", "}", toolCall, "</"}
	r := rand.New(rand.NewPCG(1, 2))
	for range 3000 {
		d := fuzzDialects[r.IntN(4)]
		var b strings.Builder
		if r.IntN(3) == 0 {
			b.WriteString(think + "\n想" + thinkEnd)
		}
		for range 1 + r.IntN(3) {
			for _, word := range words[d.Calls] {
				switch r.IntN(40) {
				case 0: // left out
				case 1:
					b.WriteString(word + word)
				case 2:
					b.WriteString(word + extra[r.IntN(len(extra))])
				case 3:
					b.WriteString(word[:r.IntN(len(word))])
				default:
					b.WriteString(word)
				}
			}
			b.WriteString(extra[r.IntN(len(extra))])
		}
		opened := r.IntN(4) == 0
		checkChunks(t, d, Options{Tools: testTools, Opened: opened, Eager: r.IntN(2) == 0}, b.String(), r)
		checkNothingLost(t, d, opened, b.String())
	}
}

// subsequence reports whether the runes of s come in text, in that order.
func subsequence(s, text string) bool {
	for i := range len(s) {
		at := strings.IndexByte(text, s[i])
		if at < 0 {
			return false
		}
		text = text[at+1:]
	}
	return true
}

// The scanner accepts what encoding/json accepts, and finds where a value ends.
func FuzzJSONScanner(f *testing.F) {
	for _, s := range []string{`{"a":[1,-0.5e+7,"\u00e9\n",true,false,null,{}]}`, `[]`, ` "x" `, `01`, `-`, `1e`, `{"a":}`, `[1,]`, "\"\n\"", `{,}`, `12 `} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var s jsonScanner
		end, bad := -1, false
	scan:
		for i := range len(text) {
			switch s.feed(text[i]) {
			case jsonBad:
				bad = true
				break scan
			case jsonLast:
				end = i + 1
				break scan
			case jsonOver:
				end = i
				break scan
			}
		}
		if end < 0 && !bad && s.feed(' ') == jsonOver { // a number at the end of the text
			end = len(text)
		}
		got := end >= 0 && strings.Trim(text[max(end, 0):], whiteSpace) == ""
		if want := json.Valid([]byte(text)); got != want && len(text) < deepest {
			t.Errorf("%q: accepted = %v, want %v", text, got, want)
		}
		if end >= 0 && !json.Valid([]byte(text[:end])) {
			t.Errorf("%q: the value ends after %q", text, text[:end])
		}
	})
}

// What the filter tojson writes is the value it was given, whatever the options.
func FuzzToJSON(f *testing.F) {
	f.Add(`{"b":1,"a":[1.5,"<>&\u2028",{"c":null}],"n":123456789012345678901234567890,"e":1e999}`)
	f.Add(`"\ud83d\ude00"`)
	f.Fuzz(func(t *testing.T, text string) {
		if !json.Valid([]byte(text)) || !utf8.ValidString(text) {
			return
		}
		for _, call := range []string{"v|tojson", "v|tojson(indent=4)", "v|tojson(ensure_ascii=true)", "v|tojson(separators=(',', ':'))", "v|tojson(sort_keys=true, indent=0)"} {
			got, err := render(t, "{{ "+call+" }}", map[string]json.RawMessage{"v": json.RawMessage(text)})
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(decoded(t, got), decoded(t, text)) {
				t.Errorf("%s of %s is %s", call, text, got)
			}
		}
	})
}

// decoded returns a JSON text as encoding/json reads it, floats as floats.
func decoded(t *testing.T, text string) any {
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return floats(v)
}

func floats(v any) any {
	switch v := v.(type) {
	case json.Number:
		if f, err := v.Float64(); err == nil && strings.ContainsAny(v.String(), ".eE") {
			return f
		}
		if v == "-0" {
			return json.Number("0")
		}
	case []any:
		for i := range v {
			v[i] = floats(v[i])
		}
	case map[string]any:
		for key := range v {
			v[key] = floats(v[key])
		}
	}
	return v
}

// An argument is read back as it was written, whatever it says, unless it
// says what ends an argument.
func FuzzArgumentsAreReadBack(f *testing.F) {
	f.Add("北京", "a\n\"b\"\\ <tool_call>\t</parameter>")
	f.Add("", "\n")
	f.Fuzz(func(t *testing.T, city, text string) {
		if !utf8.ValidString(city) || !utf8.ValidString(text) {
			return
		}
		for _, s := range []string{city, text} {
			if strings.Contains(s, "<") && (strings.Contains(s, parameterEnd) || strings.Contains(s, argValueEnd)) {
				return
			}
		}
		want, _ := json.Marshal(map[string]string{"path": city, "text": text})
		for name, written := range map[string]string{
			"hermes": toolCall + `{"name":"save_file","arguments":` + string(want) + "}" + toolCallEnd,
			"xml":    "<tool_call>\n<function=save_file>\n<parameter=path>\n" + city + "\n</parameter>\n<parameter=text>\n" + text + "\n</parameter>\n</function>\n</tool_call>",
			"glm":    "<tool_call>save_file\n<arg_key>path</arg_key>\n<arg_value>" + city + "</arg_value>\n<arg_key>text</arg_key>\n<arg_value>" + text + "</arg_value>\n</tool_call>",
			"deep":   dsCalls + dsCall + "save_file" + dsSep + string(want) + dsCallEnd + dsCallsEnd,
		} {
			d := map[string]Dialect{"hermes": hermes, "xml": qwenXML, "glm": glm, "deep": deep}[name]
			args := argumentsOf(read(d, Options{Tools: testTools}, written, 5))
			var got map[string]string
			if len(args) != 1 || json.Unmarshal([]byte(args[0]), &got) != nil || got["path"] != city || got["text"] != text {
				t.Errorf("%s: wrote %q and %q, read %q", name, city, text, args)
			}
		}
	})
}

func BenchmarkParser(b *testing.B) {
	reasoning := "<think>\n" + strings.Repeat("先看看用户要什么,再决定用哪个工具。", 50) + "\n</think>\n\n"
	text := strings.Repeat("Here is a line of text with some `code` in it, and a < b.\n", 50)
	file, _ := json.Marshal(map[string]string{"path": "a.go", "text": text})
	answers := map[string]struct {
		d    Dialect
		text string
	}{
		"text":    {hermes, reasoning + text},
		"hermes":  {hermes, reasoning + toolCall + `{"name":"save_file","arguments":` + string(file) + "}" + toolCallEnd},
		"qwenxml": {qwenXML, reasoning + "<tool_call>\n<function=save_file>\n<parameter=text>\n" + text + "\n</parameter>\n</function>\n</tool_call>"},
		"glm":     {glm, reasoning + "<tool_call>save_file\n<arg_key>text</arg_key>\n<arg_value>" + text + "</arg_value>\n</tool_call>"},
	}
	for name, a := range answers {
		var tokens []string // of about the size that tokens have
		for chunk := range slices.Chunk([]byte(a.text), 4) {
			tokens = append(tokens, string(chunk))
		}
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(a.text)))
			b.ReportAllocs()
			for b.Loop() {
				p := a.d.Parser(Options{Tools: testTools, Eager: true})
				for _, token := range tokens {
					p.Push(token)
				}
				p.Close()
			}
			b.ReportMetric(float64(len(tokens)*b.N)/b.Elapsed().Seconds(), "tokens/s")
		})
	}
}
