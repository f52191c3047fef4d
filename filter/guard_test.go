package filter

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"bendi/chat"
	"bendi/chat/chattest"
	"bendi/filter/find"
)

// testRules has a rule for each word, which is its own id, in the category that
// stands before its colon. The words are a few and harmless.
func testRules(words ...string) *Rules {
	r := &Rules{version: "test 1", known: map[rune]bool{}}
	var plain []string
	src := source{}
	for i, w := range words {
		category, text, _ := strings.Cut(w, ":")
		plain = append(plain, text)
		src.rules = append(src.rules, i)
		r.rules = append(r.rules, Rule{ID: "r" + category, Category: category, Level: 1 + i%3})
		for _, c := range text {
			r.known[c] = true
		}
	}
	src.open = func() find.Finder { return &slowFinder{words: plain} }
	r.sources = []source{src}
	r.finish()
	return r
}

// testPolicy blocks, masks, replaces, logs and keeps inside what is in the
// categories of these names.
func testPolicy() *Policy {
	return &Policy{
		Name: "test",
		Categories: map[string]Category{
			"block":   {Request: Always(Block), Answer: Always(Block)},
			"mask":    {Request: Always(Mask), Answer: Always(Mask)},
			"replace": {Request: Always(Replace), Answer: Always(Replace), Replacement: "[gone]"},
			"log":     {Request: Always(Log), Answer: Always(Log)},
			"inside":  {Request: Always(RouteLocal), Answer: Always(Log)},
		},
		Results: true,
	}
}

var testWords = []string{"block:赌博", "mask:abc", "replace:天气", "log:你好", "inside:秘密"}

// A guarded test: findings are kept.
type watched struct {
	*Guarded
	mu    sync.Mutex
	found []Finding
}

func guard(m chat.Model, change func(*Options)) *watched {
	w := new(watched)
	o := Options{Shelf: NewShelf(testRules(testWords...)), Policy: testPolicy(), Secret: []byte("s"), Observe: func(f Finding) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.found = append(w.found, f)
	}}
	if change != nil {
		change(&o)
	}
	if err := o.Policy.Validate(o.Shelf.Current()); err != nil {
		panic(err)
	}
	w.Guarded = Guard(m, o)
	return w
}

func ask(texts ...string) *chat.Request {
	req := &chat.Request{ID: "req_1", N: 1, Principal: "p"}
	for _, t := range texts {
		req.Messages = append(req.Messages, chat.TextMessage(chat.User, t))
	}
	return req
}

// told is all that a client learns of an answer.
type told struct {
	text, reasoning, refusal []string // by choice
	args, names              [][]string
	finish                   []chat.Finish
	request, answer          *chat.Filtered
	usage                    chat.Usage
	events                   []chat.Event
}

// listen ranges over an answer, and holds it to what is promised of every one.
func listen(t *testing.T, m chat.Model, req *chat.Request) (*told, error) {
	t.Helper()
	n := max(req.N, 1)
	a := &told{
		text: make([]string, n), reasoning: make([]string, n), refusal: make([]string, n),
		args: make([][]string, n), names: make([][]string, n), finish: make([]chat.Finish, n),
	}
	var failed error
	_, err := chattest.Collect(func(yield func(chat.Event, error) bool) {
		for ev, err := range m.Chat(t.Context(), req) {
			if err == nil {
				a.add(t, ev)
			} else {
				failed = err
			}
			if !yield(ev, err) {
				return
			}
		}
	}, n)
	if err != nil && failed == nil {
		t.Errorf("the answer is not well formed: %v", err)
	}
	return a, err
}

func (a *told) add(t *testing.T, ev chat.Event) {
	a.events = append(a.events, ev)
	i := ev.Choice
	a.text[i] += ev.Text
	a.reasoning[i] += ev.Reasoning
	a.refusal[i] += ev.Refusal
	if c := ev.ToolCall; c != nil {
		for len(a.args[i]) <= c.Index {
			a.args[i], a.names[i] = append(a.args[i], ""), append(a.names[i], "")
		}
		a.args[i][c.Index] += c.Arguments
		a.names[i][c.Index] += c.Name
	}
	if ev.Finish != "" {
		a.finish[i] = ev.Finish
	}
	if ev.Usage != nil {
		a.usage = *ev.Usage
	}
	switch f := ev.Filtered; {
	case f == nil:
	case f.Answer:
		if ev.Finish == "" {
			t.Errorf("what was found in the answer is told before its end: %+v", ev)
		}
		a.answer = f
	default:
		if len(a.events) != 1 || i != 0 {
			t.Errorf("what was found in the request is told by event %d, of choice %d", len(a.events), i)
		}
		a.request = f
	}
	if reflect.DeepEqual(ev, chat.Event{Choice: i}) {
		t.Errorf("event %d says nothing", len(a.events))
	}
}

func TestGuardKeepsTheContract(t *testing.T) {
	for name, script := range map[string]chattest.Script{
		"nothing found": "早\n上\n!sleep 1ms\n。\n",
		"rewritten":     "今天\n天\n气好\nab\nc。\n!think 天气\n",
		"held":          "一\n赌\n",
		"a tool call":   "!tool 0 c1 find\n!args 0 {\"q\":\"天\n!args 0 气\"}\n!finish tool_calls\n!usage 1 2\n",
	} {
		t.Run(name, func(t *testing.T) {
			chattest.Contract(t, guard(script, nil), func() *chat.Request { return ask("你好", "天气") })
		})
	}
	t.Run("blocked", func(t *testing.T) {
		m := guard(chattest.Script("一\n二\n三赌\n!sleep 1ms\n博\n!sleep 10s\n四\n"), nil)
		chattest.Contract(t, m, func() *chat.Request { return ask("hi") })
	})
	t.Run("two choices", func(t *testing.T) {
		m := guard(chattest.Script("一赌\n!choice 1\n天气\n!choice 0\n博\n!choice 1\nx\n!finish stop\n!usage 1 2\n"), nil)
		chattest.Contract(t, m, func() *chat.Request { r := ask("hi"); r.N = 2; return r })
	})
}

func TestAnswers(t *testing.T) {
	tests := []struct {
		name, script, text string
		finish             chat.Finish
		action             string // told at the end
	}{
		{"nothing", "早上\n好\n", "早上好", chat.Stop, ""},
		{"logged", "你\n好\n", "你好", chat.Stop, "log"},
		{"masked", "x abc y\n", "x *** y", chat.Stop, "mask"},
		{"replaced over events", "今天天\n气好\n", "今天[gone]好", chat.Stop, "replace"},
		{"blocked", "我们赌\n博吧\n", "我们", chat.ContentFilter, "block"},
		{"blocked at once", "赌博\n", "", chat.ContentFilter, "block"},
		{"held until the end", "我们赌\n", "我们赌", chat.Stop, ""},
		{"cut for length", "我们天\n!finish length\n!usage 1 2\n", "我们天", chat.Length, ""},
		{"its mark goes with a word", "天气\u0301\n\u0301好\n", "[gone]好", chat.Stop, "replace"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a, err := listen(t, guard(chattest.Script(tt.script), nil), ask("hi"))
			if err != nil {
				t.Fatal(err)
			}
			if a.text[0] != tt.text || a.finish[0] != tt.finish {
				t.Errorf("got %q (%s), want %q (%s)", a.text[0], a.finish[0], tt.text, tt.finish)
			}
			action := ""
			if a.answer != nil {
				action = a.answer.Action
			}
			if action != tt.action {
				t.Errorf("it tells %q was done, want %q", action, tt.action)
			}
		})
	}
}

// A block stops the model, ends its choice alone, and tells the usage as far as
// it is known.
func TestBlockStopsTheModel(t *testing.T) {
	stopped := false
	m := stub(func(ctx context.Context, req *chat.Request, yield func(chat.Event, error) bool) {
		for _, ev := range []chat.Event{{Text: "我们", Backend: "b"}, {Text: "赌"}, {Text: "博"}, {Text: "发财"}} {
			if !yield(ev, nil) {
				stopped = true
				return
			}
		}
		t.Error("it was not stopped")
	})
	a, err := listen(t, guard(m, nil), ask("hi"))
	if err != nil {
		t.Fatal(err)
	}
	if !stopped || a.text[0] != "我们" {
		t.Errorf("stopped: %v, text %q", stopped, a.text[0])
	}
	if want := (chat.Usage{CompletionTokens: 3, Partial: true}); a.usage != want {
		t.Errorf("usage %+v, want %+v", a.usage, want)
	}
	if a.events[0].Backend != "b" {
		t.Error("the first event does not say who answers")
	}
}

func TestOtherChoicesGoOn(t *testing.T) {
	script := "一赌\n!choice 1\n天\n!choice 0\n博\n!finish stop\n!choice 1\n气好\n!finish length\n!usage 7 9\n"
	req := ask("hi")
	req.N = 2
	a, err := listen(t, guard(chattest.Script(script), nil), req)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(a.text, []string{"一", "[gone]好"}) || !slices.Equal(a.finish, []chat.Finish{chat.ContentFilter, chat.Length}) {
		t.Errorf("got %q %v", a.text, a.finish)
	}
	if a.usage != (chat.Usage{PromptTokens: 7, CompletionTokens: 9}) {
		t.Errorf("usage %+v", a.usage)
	}
}

// stub is a model that is a function.
type stub func(ctx context.Context, req *chat.Request, yield func(chat.Event, error) bool)

func (s stub) Chat(ctx context.Context, req *chat.Request) iter.Seq2[chat.Event, error] {
	return func(yield func(chat.Event, error) bool) { s(ctx, req, yield) }
}

// play returns a model that tells events.
func play(events ...chat.Event) stub {
	return func(ctx context.Context, req *chat.Request, yield func(chat.Event, error) bool) {
		for _, ev := range events {
			if !yield(ev, nil) {
				return
			}
		}
	}
}

var theEnd = []chat.Event{{Finish: chat.Stop}, {Usage: &chat.Usage{PromptTokens: 1, CompletionTokens: 2}}}

func TestEveryTextOfAnAnswerIsFiltered(t *testing.T) {
	call := func(i int, id, name, args string) chat.Event {
		return chat.Event{ToolCall: &chat.ToolCallDelta{Index: i, ID: id, Name: name, Arguments: args}}
	}
	tests := []struct {
		name   string
		events []chat.Event
		want   string // what is out, joined
		finish chat.Finish
	}{
		{"reasoning", []chat.Event{{Reasoning: "天"}, {Reasoning: "气"}}, "[gone]", chat.Stop},
		{"refusal", []chat.Event{{Refusal: "天"}, {Refusal: "气"}}, "[gone]", chat.Stop},
		{"reasoning blocks", []chat.Event{{Reasoning: "x赌"}, {Reasoning: "博"}, {Text: "y"}}, "x", chat.ContentFilter},
		{"fields are texts of their own", []chat.Event{{Reasoning: "天"}, {Text: "气"}}, "天气", chat.Stop},
		{"an interruption does not hide a word", []chat.Event{{Reasoning: "x赌"}, {Text: "y"}, {Reasoning: "博"}}, "xy", chat.ContentFilter},
		{"arguments", []chat.Event{call(0, "c", "f", ""), call(0, "", "", `{"q":"天`), call(0, "", "", `\u6c14"}`)}, `f{"q":"[gone]"}`, chat.Stop},
		{"arguments block", []chat.Event{call(0, "c", "f", `{"q":"赌`), call(0, "", "", `博"}`)}, `f{"q":"`, chat.ContentFilter},
		{"two calls", []chat.Event{call(0, "c", "f", `"天`), call(1, "d", "g", `"天`), call(0, "", "", `气"`), call(1, "", "", `空"`)}, `f"[gone]"g"天空"`, chat.Stop},
		{"a name cannot be rewritten", []chat.Event{call(0, "c", "abc", ""), call(0, "", "", `{}`)}, ``, chat.ContentFilter},
		{"an id may be", []chat.Event{call(0, "abc", "f", ""), call(0, "", "", `{}`)}, `f{}`, chat.Stop},
		{"a name in pieces", []chat.Event{call(0, "c", "a", ""), call(0, "", "bc", `{}`)}, `a`, chat.ContentFilter},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a, err := listen(t, guard(play(append(tt.events, theEnd...)...), nil), ask("hi"))
			if err != nil {
				t.Fatal(err)
			}
			got := a.reasoning[0] + a.text[0] + a.refusal[0]
			for i := range a.args[0] {
				got += a.names[0][i] + a.args[0][i]
			}
			if got != tt.want || a.finish[0] != tt.finish {
				t.Errorf("got %q (%s), want %q (%s)", got, a.finish[0], tt.want, tt.finish)
			}
		})
	}
}

func TestRequests(t *testing.T) {
	req := func(text string) *chat.Request { return ask(text) }
	var got *chat.Request
	m := stub(func(ctx context.Context, req *chat.Request, yield func(chat.Event, error) bool) {
		got = req
		play(append([]chat.Event{{Text: "ok"}}, theEnd...)...)(ctx, req, yield)
	})
	t.Run("rewritten", func(t *testing.T) {
		r := req("今天天气abc")
		a, err := listen(t, guard(m, nil), r)
		if err != nil {
			t.Fatal(err)
		}
		if got.Messages[0].Text() != "今天[gone]***" || r.Messages[0].Text() != "今天天气abc" {
			t.Errorf("the model got %q, and the client's request became %q", got.Messages[0].Text(), r.Messages[0].Text())
		}
		want := &chat.Filtered{Action: "replace", Rules: []string{"rmask", "rreplace"}, Categories: []string{"mask", "replace"}, Level: 3, Show: true}
		if !reflect.DeepEqual(a.request, want) {
			t.Errorf("told %+v, want %+v", a.request, want)
		}
		if !slices.Equal(got.Classes, []string{"mask", "replace"}) || got.Inside {
			t.Errorf("classes %q, inside %v", got.Classes, got.Inside)
		}
	})
	t.Run("kept inside", func(t *testing.T) {
		if _, err := listen(t, guard(m, nil), req("秘密")); err != nil {
			t.Fatal(err)
		}
		if !got.Inside || got.Messages[0].Text() != "秘密" {
			t.Errorf("inside %v, text %q", got.Inside, got.Messages[0].Text())
		}
	})
	t.Run("blocked", func(t *testing.T) {
		got = nil
		w := guard(m, nil)
		_, err := listen(t, w, ask("hi", "我要赌博"))
		e, ok := errors.AsType[*chat.Error](err)
		if !ok || e.Kind != chat.Invalid || e.Code != chat.CodeContentFilter || e.Param != "messages[1].content" || got != nil {
			t.Fatalf("got %#v; the model was asked: %v", err, got != nil)
		}
		if strings.Contains(e.Error(), "赌") || e.Filtered == nil || !slices.Equal(e.Filtered.Rules, []string{"rblock"}) {
			t.Errorf("error %v, filtered %+v", e, e.Filtered)
		}
		if len(w.found) != 1 || w.found[0].Start != 6 || w.found[0].End != 12 || w.found[0].Text != "" || len(w.found[0].Hash) != 8 || w.found[0].Request != "req_1" {
			t.Errorf("findings %+v", w.found)
		}
	})
	t.Run("blocked by a refusal", func(t *testing.T) {
		got = nil
		r := ask("我要赌博")
		r.N = 2
		a, err := listen(t, guard(m, func(o *Options) { o.Policy.BlockAs, o.Policy.Refusal = AsRefusal, "不行。" }), r)
		if err != nil {
			t.Fatal(err)
		}
		if got != nil || !slices.Equal(a.text, []string{"不行。", "不行。"}) || a.finish[1] != chat.ContentFilter || a.request == nil || a.request.Action != "block" {
			t.Errorf("got %+v", a)
		}
	})
}

func TestHistoryIsOnlyLogged(t *testing.T) {
	m := chattest.Script("ok\n")
	req := ask("赌博", "好的")
	if _, err := listen(t, guard(m, nil), req); err == nil {
		t.Error("without History, an earlier turn does not block")
	}
	w := guard(m, func(o *Options) { o.Policy.History = Log })
	if _, err := listen(t, w, req); err != nil {
		t.Errorf("an earlier turn blocks: %v", err)
	}
	if len(w.found) != 1 || !w.found[0].History || w.found[0].Action != Log {
		t.Errorf("findings %+v", w.found)
	}
	req.Messages[0].Role = chat.System
	if _, err := listen(t, w, req); err == nil {
		t.Error("instructions are no history, but are let through")
	}
	if _, err := listen(t, w, ask("好的", "赌博")); err == nil {
		t.Error("the last turn is let through")
	}
}

func TestBuffer(t *testing.T) {
	script := chattest.Script("一句。二\n句赌\n博\n")
	for buffer, want := range map[Buffer]string{NoBuffer: "一句。二句", SentenceBuffer: "一句。", FullBuffer: ""} {
		a, err := listen(t, guard(script, func(o *Options) { o.Policy.Buffer = buffer; o.Policy.Notice = "(停)" }), ask("hi"))
		if err != nil {
			t.Fatal(err)
		}
		if a.text[0] != want+"(停)" || a.finish[0] != chat.ContentFilter {
			t.Errorf("buffer %d: %q (%s), want %q", buffer, a.text[0], a.finish[0], want+"(停)")
		}
	}
	for _, buffer := range []Buffer{SentenceBuffer, FullBuffer} {
		m := play(append([]chat.Event{{Reasoning: "想。"}, {Text: "一句。二"}, {Text: "天气"}, {ToolCall: &chat.ToolCallDelta{ID: "c", Name: "f", Arguments: "{}"}}}, theEnd...)...)
		a, err := listen(t, guard(m, func(o *Options) { o.Policy.Buffer = buffer }), ask("hi"))
		if err != nil {
			t.Fatal(err)
		}
		if a.reasoning[0] != "想。" || a.text[0] != "一句。二[gone]" || a.args[0][0] != "{}" {
			t.Errorf("buffer %d: %+v", buffer, a)
		}
	}
}

func TestMentions(t *testing.T) {
	w := guard(chattest.Script("打击了赌博。\n我们赌博\n"), func(o *Options) {
		o.Policy.Mentions = Mentions{After: []string{"打击", "《"}, Within: 2}
		c := o.Policy.Categories["block"]
		c.Mentions = Log
		o.Policy.Categories["block"] = c
	})
	a, err := listen(t, w, ask("《论赌博》"))
	if err != nil {
		t.Fatal(err)
	}
	if a.text[0] != "打击了赌博。我们" || a.finish[0] != chat.ContentFilter || len(w.found) != 3 {
		t.Errorf("got %q (%s), findings %+v", a.text[0], a.finish[0], w.found)
	}
	if _, err := listen(t, w, ask("《论》赌博")); err == nil {
		t.Error("behind the end of a title is no mention, but it is let through")
	}
}

// Log probabilities never run ahead of the text they belong to, and of a choice
// that was rewritten there are no more.
func TestLogProbs(t *testing.T) {
	tok := func(s string, top ...string) chat.TokenLogProbs {
		out := chat.TokenLogProbs{TokenLogProb: chat.TokenLogProb{Token: s}}
		for _, s := range top {
			out.Top = append(out.Top, chat.TokenLogProb{Token: s})
		}
		return out
	}
	ev := func(s string, top ...string) chat.Event {
		return chat.Event{Text: s, LogProbs: []chat.TokenLogProbs{tok(s, top...)}}
	}
	m := play(append([]chat.Event{ev("早"), ev("天"), ev("上"), ev("x", "x", "abc"), ev("天"), ev("气"), ev("y")}, theEnd...)...)
	a, err := listen(t, guard(m, nil), ask("hi"))
	if err != nil {
		t.Fatal(err)
	}
	var text, logs strings.Builder
	for _, ev := range a.events {
		text.WriteString(ev.Text)
		for _, l := range ev.LogProbs {
			logs.WriteString(l.Token)
			for _, top := range l.Top {
				if top.Token == "abc" {
					t.Error("a likely token tells a word")
				}
			}
		}
		if !strings.HasPrefix(text.String(), logs.String()) {
			t.Errorf("the text is %q when %q was told of", text.String(), logs.String())
		}
	}
	if logs.String() != "早天上x" {
		t.Errorf("log probabilities of %q, want those of 早天上x", logs.String())
	}
}

func TestJSONAnswersStayJSON(t *testing.T) {
	req := ask("hi")
	req.Format = &chat.Format{Type: "json_object"}
	a, err := listen(t, guard(play(append([]chat.Event{{Text: `{"a":"\u5929`}, {Text: `\u6c14\n","b":[1,"ab`}, {Text: `c"]}`}}, theEnd...)...), func(o *Options) {
		c := o.Policy.Categories["replace"]
		c.Replacement = `["]`
		o.Policy.Categories["replace"] = c
		o.Policy.Label.Text = "人工智能生成"
	}), req)
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"a":"[\"]\n","b":[1,"***"]}`; a.text[0] != want {
		t.Errorf("got %s, want %s", a.text[0], want)
	}
}

func TestLabel(t *testing.T) {
	label := func(end bool) func(*Options) {
		return func(o *Options) {
			o.Policy.Label = Label{Text: "(AI生成)", End: end, Metadata: true, Producer: "X1"}
		}
	}
	for end, want := range map[bool]string{false: "(AI生成)早上", true: "早上(AI生成)"} {
		a, err := listen(t, guard(chattest.Script("早\n上\n"), label(end)), ask("hi"))
		if err != nil {
			t.Fatal(err)
		}
		mark := a.events[len(a.events)-1].AIGC
		if a.text[0] != want || mark == nil || mark.ContentProducer != "X1" || mark.ProduceID != "req_1" || mark.Label != "1" {
			t.Errorf("got %q, mark %+v", a.text[0], mark)
		}
		a, err = listen(t, guard(chattest.Script("!tool 0 c f\n!args 0 {}\n!finish tool_calls\n!usage 1 1\n"), label(end)), ask("hi"))
		if err != nil || a.text[0] != "" {
			t.Errorf("a tool call is labelled: %q, %v", a.text[0], err)
		}
	}
}

// What is passed through the guard in pieces comes out as what is passed at
// once, whatever the fields and the choices; other choices make no difference;
// and after a failure nothing more comes.
func TestAnswersDoNotDependOnEvents(t *testing.T) {
	n := 500
	if testing.Short() {
		n = 100
	}
	for seed := range uint64(n) {
		answersDoNotDependOnEvents(t, seed)
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

func FuzzAnswers(f *testing.F) {
	f.Fuzz(func(t *testing.T, seed uint64) { answersDoNotDependOnEvents(t, seed) })
}

func answersDoNotDependOnEvents(t *testing.T, seed uint64) {
	d := draw{rand.New(rand.NewPCG(seed, 3))}
	text := func() string {
		var b strings.Builder
		for range d.IntN(6) {
			b.WriteString([]string{"赌", "博", "赌博", "天", "气", "ab", "c", "-", "好", "。", "\u0301", `"`, `\`}[d.IntN(13)])
		}
		return b.String()
	}
	choices := 1 + d.IntN(3)
	buffer := []Buffer{NoBuffer, NoBuffer, SentenceBuffer, FullBuffer}[d.IntN(4)]
	change := func(o *Options) { o.Policy.Buffer = buffer }
	// The texts of a choice, in the order that they come in.
	var texts [][]chat.Event
	for i := range choices {
		var evs []chat.Event
		if s := text(); s != "" {
			evs = append(evs, chat.Event{Choice: i, Reasoning: s})
		}
		if s := text(); s != "" {
			evs = append(evs, chat.Event{Choice: i, Text: s})
		}
		for j := range d.IntN(3) {
			evs = append(evs, chat.Event{Choice: i, ToolCall: &chat.ToolCallDelta{Index: j, ID: "c", Name: "f", Arguments: `{"q":"` + text() + `"}`}})
		}
		texts = append(texts, append(evs, chat.Event{Choice: i, Finish: chat.Stop}))
	}
	usage := chat.Event{Usage: &chat.Usage{PromptTokens: 1}}
	req := ask("hi")
	req.N = choices

	var whole []chat.Event
	for _, evs := range texts {
		whole = append(whole, evs...)
	}
	want, err := listen(t, guard(play(append(whole, usage)...), change), req)
	if err != nil {
		t.Fatal(err)
	}

	var pieces []chat.Event
	left := make([][]chat.Event, choices)
	for i, evs := range texts {
		for _, ev := range evs {
			left[i] = append(left[i], d.split(ev)...)
		}
	}
	for {
		var open []int
		for i := range left {
			if len(left[i]) > 0 {
				open = append(open, i)
			}
		}
		if len(open) == 0 {
			break
		}
		i := open[d.IntN(len(open))]
		pieces, left[i] = append(pieces, left[i][0]), left[i][1:]
	}
	w := guard(play(append(pieces, usage)...), change)
	got, err := listen(t, w, req)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got.text, want.text) || !slices.Equal(got.reasoning, want.reasoning) || !slices.Equal(got.finish, want.finish) || !reflect.DeepEqual(got.args, want.args) {
		t.Errorf("%+v\nin pieces: %q %q %q %v\nwhole:     %q %q %q %v", texts, got.reasoning, got.text, got.args, got.finish, want.reasoning, want.text, want.args, want.finish)
	}

	for i := range choices { // each alone
		one := ask("hi")
		var evs []chat.Event
		for _, ev := range pieces {
			if ev.Choice == i {
				ev.Choice = 0
				evs = append(evs, ev)
			}
		}
		alone, err := listen(t, guard(play(append(evs, usage)...), change), one)
		if err != nil {
			t.Fatal(err)
		}
		if alone.text[0] != want.text[i] || alone.reasoning[0] != want.reasoning[i] || alone.finish[0] != want.finish[i] {
			t.Errorf("choice %d alone: %q %q %s\nwith others: %q %q %s", i, alone.reasoning[0], alone.text[0], alone.finish[0], want.reasoning[i], want.text[i], want.finish[i])
		}
	}

	// A failure after any event: what came out is a beginning of what would.
	at := d.IntN(len(pieces) + 1)
	failure := errors.New("it broke")
	broken := stub(func(ctx context.Context, req *chat.Request, yield func(chat.Event, error) bool) {
		for _, ev := range pieces[:at] {
			if !yield(ev, nil) {
				return
			}
		}
		yield(chat.Event{}, failure)
	})
	part, err := listen(t, guard(broken, change), req)
	if err != nil && !errors.Is(err, failure) {
		t.Errorf("the error is %v", err)
	}
	for i := range choices {
		if !strings.HasPrefix(want.text[i], part.text[i]) || !strings.HasPrefix(want.reasoning[i], part.reasoning[i]) {
			t.Errorf("after a failure %q was out, but all of it is %q", part.text[i], want.text[i])
		}
	}
}

// split cuts the text of an event into several, between runes.
func (d draw) split(ev chat.Event) []chat.Event {
	if ev.Finish != "" {
		return []chat.Event{ev}
	}
	whole := ev.Text + ev.Reasoning
	if ev.ToolCall != nil {
		whole = ev.ToolCall.Arguments
	}
	var out []chat.Event
	for i, r := range whole {
		s := string(r)
		if i > 0 && d.IntN(2) == 0 {
			last := &out[len(out)-1]
			switch {
			case ev.ToolCall != nil:
				last.ToolCall.Arguments += s
			case ev.Text != "":
				last.Text += s
			default:
				last.Reasoning += s
			}
			continue
		}
		next := ev
		switch {
		case ev.ToolCall != nil:
			next.ToolCall = &chat.ToolCallDelta{Index: ev.ToolCall.Index, Arguments: s}
			if i == 0 {
				next.ToolCall.ID, next.ToolCall.Name = ev.ToolCall.ID, ev.ToolCall.Name
			}
		case ev.Text != "":
			next.Text = s
		default:
			next.Reasoning = s
		}
		out = append(out, next)
	}
	return out
}

// What was found in a request is told first, even when another choice begins.
func TestTheRequestIsToldFirst(t *testing.T) {
	req := ask("abc")
	req.N = 2
	a, err := listen(t, guard(chattest.Script("!choice 1\nx\n!finish stop\n!choice 0\n!finish stop\n!usage 1 1\n"), nil), req)
	if err != nil || a.request == nil || a.request.Action != "mask" {
		t.Errorf("told %+v, %v", a.request, err)
	}
	// Everything is held until the end, which has news of its own.
	a, err = listen(t, guard(chattest.Script("赌博\n"), nil), ask("abc"))
	if err != nil || a.request == nil || a.answer == nil || a.answer.Action != "block" {
		t.Errorf("told %+v and %+v, %v", a.request, a.answer, err)
	}
}

// The numbers of a schema are its author's; those of a call may be anybody's,
// and become strings.
func TestNumbers(t *testing.T) {
	rules := realRules(t)
	var got *chat.Request
	m := stub(func(ctx context.Context, req *chat.Request, yield func(chat.Event, error) bool) {
		got = req
		args := chat.Event{ToolCall: &chat.ToolCallDelta{ID: "c", Name: "f", Arguments: `{"to":13800138000,"n":1}`}}
		play(append([]chat.Event{args}, theEnd...)...)(ctx, req, yield)
	})
	req := ask("hi")
	req.Tools = []chat.Tool{{Name: "f", Parameters: json.RawMessage(`{"maximum":13800138000,"title":"13800138000"}`)}}
	req.Messages[0].Name = "13800138000"
	a, err := listen(t, Guard(m, Options{Shelf: NewShelf(rules), Policy: realPolicy(false)}), req)
	if err != nil {
		t.Fatal(err)
	}
	if s := string(got.Tools[0].Parameters); s != `{"maximum":13800138000,"title":"***"}` || got.Messages[0].Name != "***" {
		t.Errorf("the model got the schema %s of %s", s, got.Messages[0].Name)
	}
	if a.args[0][0] != `{"to":"***","n":1}` {
		t.Errorf("the call is %s", a.args[0][0])
	}
	// In an answer that is JSON a number cannot become a string: its schema
	// may want a number.
	req = ask("hi")
	req.Format = &chat.Format{Type: "json_object"}
	a, err = listen(t, Guard(play(append([]chat.Event{{Text: `{"to":13800138000}`}}, theEnd...)...), Options{Shelf: NewShelf(rules), Policy: realPolicy(false)}), req)
	if err != nil || a.text[0] != `{"to":` || a.finish[0] != chat.ContentFilter {
		t.Errorf("got %q (%s), %v", a.text[0], a.finish[0], err)
	}
}

// A finding holds the text only where the policy reveals it, and its hash does
// not depend on how the text was escaped.
func TestReveal(t *testing.T) {
	for _, reveal := range []bool{false, true} {
		w := guard(chattest.Script("ok\n"), func(o *Options) { o.Policy.Reveal = reveal })
		req := ask("abc")
		req.Messages = append(req.Messages, chat.Message{Role: chat.Assistant, ToolCalls: []chat.ToolCall{{Name: "f", Arguments: `{"q":"\u0061bc"}`}}}, chat.TextMessage(chat.ToolRole, "x"))
		if _, err := listen(t, w, req); err != nil {
			t.Fatal(err)
		}
		if len(w.found) != 2 || w.found[0].Hash != w.found[1].Hash || w.found[0].Hash == "" {
			t.Fatalf("findings %+v", w.found)
		}
		if text := w.found[1].Text; reveal != (text == "abc") || !reveal && text != "" {
			t.Errorf("reveal %v: the text is %q", reveal, text)
		}
	}
}

func TestActionsHaveNames(t *testing.T) {
	for a := None; a <= Block; a++ {
		if got, err := ParseAction(a.String()); got != a || err != nil {
			t.Errorf("%v is read as %v, %v", a, got, err)
		}
	}
	if _, err := ParseAction("delete"); err == nil || !strings.Contains(err.Error(), "route_local") {
		t.Errorf("an unknown action: %v", err)
	}
}

// What a filter behind this one tells goes on with what this one does.
func TestFilterBehindAFilter(t *testing.T) {
	inner := guard(play(append([]chat.Event{{Text: "天气好呀"}}, theEnd...)...), nil).Guarded
	outer := guard(inner, func(o *Options) {
		o.Shelf = NewShelf(testRules("log:早", "up:好呀"))
		o.Policy.Categories = map[string]Category{"up": {Answer: Always(Mask)}}
	})
	a, err := listen(t, outer, ask("早abc"))
	if err != nil {
		t.Fatal(err)
	}
	if a.text[0] != "[gone]***" || a.request == nil || a.request.Action != "mask" || !slices.Equal(a.request.Rules, []string{"rlog", "rmask"}) {
		t.Errorf("got %q, request %+v", a.text[0], a.request)
	}
	if a.answer == nil || a.answer.Action != "replace" || !slices.Equal(a.answer.Rules, []string{"rreplace", "rup"}) {
		t.Errorf("answer %+v", a.answer)
	}
}
