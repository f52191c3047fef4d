package filter

import (
	"context"
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"bendi/chat"
	"bendi/chat/chattest"
)

// A backend need not send tokens with the text that they are of, nor bytes that
// are those of a token. Whatever it sends, nobody reads more in its log
// probabilities than in its text.
func TestLogProbsTellNoMoreThanTheText(t *testing.T) {
	tok := func(tokens ...string) []chat.TokenLogProbs {
		var all []chat.TokenLogProbs
		for _, s := range tokens {
			all = append(all, chat.TokenLogProbs{TokenLogProb: chat.TokenLogProb{Token: s, Bytes: []byte(s)}})
		}
		return all
	}
	lying := tok("好")
	lying[0].Bytes = []byte("赌")
	args := func(s string) *chat.ToolCallDelta { return &chat.ToolCallDelta{Arguments: s} }
	for name, tt := range map[string]struct {
		events []chat.Event
		want   string // the tokens that are told
	}{
		"no text":             {[]chat.Event{{LogProbs: tok("早", "赌", "博")}, {Text: "早上好"}}, ""},
		"ahead of the text":   {[]chat.Event{{LogProbs: tok("早", "赌")}, {LogProbs: tok("博")}}, ""},
		"harmless":            {[]chat.Event{{LogProbs: tok("早", "上")}, {Text: "早上"}}, "早上"},
		"held until the end":  {[]chat.Event{{Text: "早"}, {LogProbs: tok("早", "赌")}}, "早赌"},
		"of arguments":        {[]chat.Event{{ToolCall: &chat.ToolCallDelta{ID: "c", Name: "f"}}, {ToolCall: args(`"天`), LogProbs: tok(`"`, "天")}, {ToolCall: args(`气"`), LogProbs: tok("气", `"`)}}, ""},
		"of escapes":          {[]chat.Event{{ToolCall: &chat.ToolCallDelta{ID: "c", Name: "f"}}, {ToolCall: args(`"\u59`), LogProbs: tok(`"`, `\u59`)}, {ToolCall: args(`29\u6c14"`), LogProbs: tok("29", `\u6c14"`)}}, ""},
		"of arguments to be":  {[]chat.Event{{ToolCall: &chat.ToolCallDelta{ID: "c", Name: "f"}}, {ToolCall: args(`"早"`), LogProbs: tok(`"早"`)}}, `"早"`},
		"with other bytes":    {[]chat.Event{{Text: "好", LogProbs: lying}}, ""},
		"half a rune in each": {[]chat.Event{{Text: "早", LogProbs: []chat.TokenLogProbs{{TokenLogProb: chat.TokenLogProb{Token: "\ufffd", Bytes: []byte("早")[:2]}}, {TokenLogProb: chat.TokenLogProb{Token: "\ufffd", Bytes: []byte("早")[2:]}}}}}, "\ufffd\ufffd"},
	} {
		t.Run(name, func(t *testing.T) {
			a, err := listen(t, guard(play(append(tt.events, theEnd...)...), nil), ask("hi"))
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			for _, ev := range a.events {
				for _, l := range ev.LogProbs {
					got += l.Token
				}
			}
			if got != tt.want {
				t.Errorf("log probabilities of %q, want of %q", got, tt.want)
			}
		})
	}
}

// Names come in one piece. Some backends repeat them; none can make us keep what
// grows and grows.
func TestNamesOfCalls(t *testing.T) {
	call := func(id, name string) chat.Event {
		return chat.Event{ToolCall: &chat.ToolCallDelta{ID: id, Name: name, Arguments: " "}}
	}
	a, err := listen(t, guard(play(append([]chat.Event{call("c1", "find"), call("c1", "find"), call("c1", "find")}, theEnd...)...), nil), ask("hi"))
	if err != nil || a.args[0][0] != "   " {
		t.Errorf("a name that is repeated: %+v, %v", a, err)
	}
	a, _ = listen(t, guard(play(append([]chat.Event{call("赌", "f"), call("博", "")}, theEnd...)...), nil), ask("hi"))
	if a.finish[0] != chat.ContentFilter {
		t.Error("an id in pieces is let through")
	}
	var long []chat.Event
	for range 300 {
		long = append(long, call("", "name"), call("", "x"))
	}
	_, err = chattest.Collect(guard(play(long...), nil).Chat(t.Context(), ask("hi")), 1)
	if e, ok := errors.AsType[*chat.Error](err); !ok || e.Kind != chat.BadBackend {
		t.Errorf("a name without an end: %v", err)
	}
}

// personalRules have no words: they are quick.
func personalRules(t *testing.T) *Rules {
	r, err := Compile(nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// However large a number is and however deep JSON goes, little of it is held.
func TestEndlessJSON(t *testing.T) {
	p := newPlan(personalRules(t), manyPolicy())
	for name, piece := range map[string]string{"number": "1234567", "array": "[", "object": `{"a":`, "exponent": "1e+-"} {
		var out strings.Builder
		b := &bench{plan: p, direction: Answer, tell: func(outcome, []byte) {}}
		e := p.editor(b)
		e.json = newLexer(true)
		for range 20_000 {
			out.WriteString(e.write(piece, false))
			if n := len(e.tail) + len(e.json.held) + len(e.json.segs) + len(e.json.stack); n > mostOpen+1000 {
				t.Fatalf("%s: %d bytes are held", name, n)
			}
		}
		out.WriteString(e.write("", true))
		if out.String() != strings.Repeat(piece, 20_000) {
			t.Errorf("%s: it does not come out as it went in", name)
		}
	}
}

// A number that is too long to be rewritten is no way around a block.
func TestWordsInLongNumbers(t *testing.T) {
	p := newPlan(testRules("mask:777", "block:99"), testPolicy())
	for _, tt := range []struct{ json, want string }{
		{"[1777]", `["***"]`},
		{"[" + strings.Repeat("1", 100) + "777]", "[" + strings.Repeat("1", 100)}, // across the structure: blocked
		{"[" + strings.Repeat("1", 100) + "99]", "[" + strings.Repeat("1", 100)},
	} {
		e := p.editor(&bench{plan: p, direction: Answer, tell: func(outcome, []byte) {}})
		e.json = newLexer(true)
		if got := e.write(tt.json, true); got != tt.want {
			t.Errorf("%s became %s, want %s", tt.json, got, tt.want)
		}
	}
}

// What is kept for the sake of a sentence or of the whole answer has a bound.
func TestBuffersAreBounded(t *testing.T) {
	rules := personalRules(t)
	sentences := &Policy{Buffer: SentenceBuffer}
	a := &answer{guard: Guard(nil, Options{}), plan: newPlan(rules, sentences), policy: sentences, req: ask("hi")}
	s := a.strand(&choice{}, contentPath, false)
	out := 0
	piece := strings.Repeat("好", 1000)
	for range 20 {
		out += len(s.write(piece, false))
		if n := len(s.gate.held); n > mostSentence+len(piece) {
			t.Fatalf("%d bytes are held for a sentence", n)
		}
	}
	if out += len(s.write("", true)); out != 20*len(piece) {
		t.Errorf("%d bytes came out of %d", out, 20*len(piece))
	}

	c := &choice{}
	for range 1000 {
		c.keep(chat.Event{Reasoning: "想"})
	}
	for range 1000 {
		c.keep(chat.Event{Text: "好"})
	}
	var text, reasoning string
	for _, ev := range c.queue {
		text += ev.Text
		reasoning += ev.Reasoning
	}
	if text != piece || reasoning != strings.Repeat("想", 1000) || len(c.queue) > 10 || c.queue[0].Text != "" {
		t.Errorf("%d events are kept, of %d and %d bytes", len(c.queue), len(text), len(reasoning))
	}
	many := Guard(stub(func(_ context.Context, _ *chat.Request, yield func(chat.Event, error) bool) {
		for yield(chat.Event{Text: "\n", LogProbs: make([]chat.TokenLogProbs, 4000)}, nil) {
		}
	}), Options{Shelf: NewShelf(rules), Policy: &Policy{Buffer: FullBuffer}})
	_, err := chattest.Collect(many.Chat(t.Context(), ask("hi")), 1)
	if e, ok := errors.AsType[*chat.Error](err); !ok || e.Kind != chat.BadBackend {
		t.Errorf("an answer without an end: %v", err)
	}
}

// What a model made of the parameters of a tool is not what it makes of its
// arguments.
func TestSchemasAreRememberedApart(t *testing.T) {
	json := `{"a":[1,["` + strings.Repeat("早", 60) + `天","气"]]}`
	g := Guard(nil, Options{Shelf: NewShelf(testRules(`mask:天","气`)), Policy: testPolicy()})
	for _, what := range []what{toolParameters, callArguments} {
		f := field{place{what: what}, jsonField, []string{json}}
		if r := g.inspect(g.now(), &f, false); r.blocked != (what == callArguments) {
			t.Errorf("field %d: blocked is %v", what, r.blocked)
		}
	}
}

// Who has much found in much text is not remembered.
func TestLongReportsAreForgotten(t *testing.T) {
	g := guard(nil, nil)
	f := field{place{what: messageContent, n: 1}, textField, []string{strings.Repeat("天气", mostCached+1)}}
	g.Guarded.inspect(g.now(), &f, false)
	if n := len(g.cache.young); n > 0 {
		t.Error("it is kept")
	}
}

// An answer that stops in the middle is no whole answer, and what is held of it
// does not just disappear.
func TestAnswersWithoutAnEnd(t *testing.T) {
	_, err := chattest.Collect(guard(play(chat.Event{Text: "早上赌"}), nil).Chat(t.Context(), ask("hi")), 1)
	if e, ok := errors.AsType[*chat.Error](err); !ok || e.Kind != chat.BadBackend {
		t.Errorf("got %v", err)
	}
}

// Only what was put back here is the asker's own.
func TestNobodyElsePutsBack(t *testing.T) {
	m := play(append([]chat.Event{{Text: "13900139000", Restored: []chat.Stretch{{Start: 0, End: 11}}}}, theEnd...)...)
	for _, said := range []string{"hi", "13800138000"} {
		_, _, _, back := toldBy(t, Conceal(m, ConcealOptions{}), user(said))
		if back != nil {
			t.Errorf("a backend says that %q was put back", back)
		}
	}
}

// A file that is a text is looked through, and cannot be rewritten.
func TestTextFiles(t *testing.T) {
	part := func(kind, text string) *chat.Request {
		req := ask("看")
		data := `{"type":"file","file":{"filename":"x.txt","file_data":"` + kind + base64.StdEncoding.EncodeToString([]byte(text)) + `"}}`
		req.Messages[0].Content = append(req.Messages[0].Content, chat.Part{Kind: chat.FilePart, Data: []byte(data)})
		return req
	}
	long := strings.Repeat("早上好。", 100)
	for name, tt := range map[string]struct {
		req     *chat.Request
		blocked bool
	}{
		"short":        {part("data:text/plain;base64,", "赌博"), true},
		"long":         {part("data:application/octet-stream;base64,", long+"赌博"), true},
		"without type": {part("", long+"赌博\xff"), true},
		"to be masked": {part("data:text/plain;base64,", "abc"), true}, // which cannot be
		"to be logged": {part("data:text/plain;base64,", "你好"), false},
		"harmless":     {part("data:text/plain;base64,", long), false},
		"an image":     {part("data:image/png;base64,", "\x89PNG\r\n\x1a\n\x00\x00"+long+"赌博"), false},
	} {
		w := guard(chattest.Script("ok\n"), nil)
		if _, err := listen(t, w, tt.req); (err != nil) != tt.blocked {
			t.Errorf("%s: %v", name, err)
		}
	}
	c := Conceal(chattest.Script("ok\n"), ConcealOptions{})
	for text, refused := range map[string]bool{"打13800138000": true, long: false} {
		_, err := chattest.Collect(c.Chat(t.Context(), part("data:text/plain;base64,", text)), 1)
		if (err != nil) != refused {
			t.Errorf("to the outside: %v", err)
		}
	}
}

// A model that judges an answer is told all of it.
func TestOpinionsAreAboutAllThatIsSaid(t *testing.T) {
	for _, mode := range []OpinionMode{SentenceOpinion, FullOpinion} {
		for name, ev := range map[string]chat.Event{
			"content": {Text: "坏"}, "reasoning": {Reasoning: "坏"}, "refusal": {Refusal: "坏"},
			"arguments": {ToolCall: &chat.ToolCallDelta{ID: "c", Name: "f", Arguments: `"坏"`}},
		} {
			var asked []string
			w := guard(play(append([]chat.Event{ev}, theEnd...)...), func(o *Options) {
				o.Second = doubts(&asked)
				o.Policy.Second = Opinion{Mode: mode, Answer: true}
			})
			a, err := listen(t, w, ask("hi"))
			if err != nil {
				t.Fatal(err)
			}
			if a.finish[0] != chat.ContentFilter {
				t.Errorf("mode %d, %s: it ended with %s", mode, name, a.finish[0])
			}
		}
	}
}
