package filter

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"bendi/chat"
	"bendi/chat/chattest"
	"bendi/filter/pii"
)

var testSecret = []byte("the secret of these tests")

// An echo is a model outside. It notes what it is asked, and says what answer
// makes of it.
type echo struct {
	chattest.Gifts
	seen   []*chat.Request
	embeds []*chat.EmbedRequest
	ranks  []*chat.RerankRequest
	answer func(*chat.Request) []chat.Event // nil: the last message, in one piece
}

func (e *echo) Chat(_ context.Context, req *chat.Request) iter.Seq2[chat.Event, error] {
	return func(yield func(chat.Event, error) bool) {
		e.seen = append(e.seen, req)
		events := []chat.Event{{Text: req.Messages[len(req.Messages)-1].Text(), Backend: "echo"}}
		if e.answer != nil {
			events = e.answer(req)
		}
		for _, ev := range append(events, chat.Event{Finish: chat.Stop, Usage: &chat.Usage{}}) {
			if !yield(ev, nil) {
				return
			}
		}
	}
}

func (e *echo) Embed(ctx context.Context, req *chat.EmbedRequest) (*chat.Embeddings, error) {
	e.embeds = append(e.embeds, req)
	return e.Gifts.Embed(ctx, req)
}

func (e *echo) Rerank(ctx context.Context, req *chat.RerankRequest) (*chat.Ranking, error) {
	e.ranks = append(e.ranks, req)
	return e.Gifts.Rerank(ctx, req)
}

func user(text string) *chat.Request {
	return &chat.Request{N: 1, Messages: []chat.Message{chat.TextMessage(chat.User, text)}}
}

// toldBy adds up an answer, and checks that what is said to be put back is where
// it is said to be.
func toldBy(t *testing.T, c *Concealed, req *chat.Request) (content, args, reasoning string, back []string) {
	t.Helper()
	for ev, err := range c.Chat(t.Context(), req) {
		if err != nil {
			t.Fatal(err)
		}
		all := ev.Text + ev.Reasoning + ev.Refusal
		content += ev.Text
		reasoning += ev.Reasoning
		if ev.ToolCall != nil {
			all += ev.ToolCall.Arguments
			args += ev.ToolCall.Arguments
		}
		for _, s := range ev.Restored {
			back = append(back, all[s.Start:s.End])
		}
	}
	return
}

func TestConcealAndRestore(t *testing.T) {
	const phone, mail, id = "13800138000", "li.si@example.com", "110101199003070011"
	e := &echo{}
	c := Conceal(e, ConcealOptions{Secret: testSecret})
	text := "请给" + phone + "和" + mail + "回电，再打" + phone + "。"
	content, _, _, back := toldBy(t, c, user(text))
	if content != text {
		t.Errorf("the answer is %q", content)
	}
	if want := []string{phone, mail, phone}; !slices.Equal(back, want) {
		t.Errorf("put back: %q, want %q", back, want)
	}
	seen := e.seen[0].Messages[0].Text()
	if strings.Contains(seen, phone) || strings.Contains(seen, mail) || strings.Count(seen, "[[PHONE_") != 2 {
		t.Errorf("the model saw %q", seen)
	}

	// The next turn has the same tokens; another principal has others.
	toldBy(t, c, user(text))
	if again := e.seen[1].Messages[0].Text(); again != seen {
		t.Errorf("the model saw %q and then %q", seen, again)
	}
	other := user(text)
	other.Principal = "somebody else"
	toldBy(t, c, other)
	for token := range strings.SplitSeq(e.seen[2].Messages[0].Text(), "[[") {
		if token, _, ok := strings.Cut(token, "]]"); ok && strings.Contains(seen, token) {
			t.Errorf("two principals share %s", token)
		}
	}

	// What is irreversible stays a token.
	content, _, _, _ = toldBy(t, c, user("身份证"+id))
	if strings.Contains(content, id) || !strings.Contains(content, "[[ID_CARD_") {
		t.Errorf("the answer is %q", content)
	}
}

// Spellings of a value have tokens that are alike, and each is put back as it
// was.
func TestSpellings(t *testing.T) {
	e := &echo{}
	c := Conceal(e, ConcealOptions{Secret: testSecret})
	text := "138 0013 8000，１３８００１３８０００，13800138000\u0301\ufe0f，+8613800138000"
	if content, _, _, _ := toldBy(t, c, user(text)); content != text {
		t.Errorf("the answer is %q", content)
	}
	var tokens []string
	for part := range strings.SplitSeq(e.seen[0].Messages[0].Text(), "，") {
		tokens = append(tokens, part[:len("[[PHONE_")+bodySize-1])
	}
	if len(tokens) != 4 || len(slices.Compact(slices.Clone(tokens))) != 1 {
		t.Errorf("the tokens begin with %q", tokens)
	}
}

// However the answer is cut, and wherever a token stands in it, it is restored;
// what only looks like one is not.
func TestRestoreEverywhere(t *testing.T) {
	const phone = "13800138000"
	var cut int
	e := &echo{answer: func(req *chat.Request) []chat.Event {
		seen := req.Messages[0].Text()
		token := seen[strings.Index(seen, "[["):strings.Index(seen, "]]")] + "]]"
		var events []chat.Event
		pieces := func(text string, put func(*chat.Event, string)) {
			for i := 0; i < len(text); i += cut {
				var ev chat.Event
				put(&ev, text[i:min(i+cut, len(text))])
				events = append(events, ev)
			}
		}
		pieces("think "+token, func(ev *chat.Event, s string) { ev.Reasoning = s })
		pieces("a[[[PHONE_aaaaaaaa]] [["+token+"]][[PHONE_", func(ev *chat.Event, s string) { ev.Text = s })
		events = append(events, chat.Event{ToolCall: &chat.ToolCallDelta{ID: "c1", Name: "call"}})
		pieces(`{"to":"`+token+`"}`, func(ev *chat.Event, s string) { ev.ToolCall = &chat.ToolCallDelta{Arguments: s} })
		pieces(strings.ToLower(token), func(ev *chat.Event, s string) { ev.Refusal = s })
		return events
	}}
	for cut = 1; cut < 60; cut++ {
		c := Conceal(e, ConcealOptions{Secret: testSecret, AnyCase: cut%2 == 0})
		var refusal string
		content, args, reasoning, _ := toldBy(t, c, user("打"+phone))
		for ev := range c.Chat(t.Context(), user("打"+phone)) {
			refusal += ev.Refusal
		}
		if want := "a[[[PHONE_aaaaaaaa]] [[" + phone + "]][[PHONE_"; content != want {
			t.Fatalf("cut %d: content %q, want %q", cut, content, want)
		}
		if args != `{"to":"`+phone+`"}` || reasoning != "think "+phone || (refusal == phone) != c.AnyCase {
			t.Fatalf("cut %d: arguments %q, reasoning %q, refusal %q", cut, args, reasoning, refusal)
		}
	}
}

// A value with quotes and newlines goes into arguments as JSON has it.
func TestRestoreEscapes(t *testing.T) {
	secret := "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQ\nC7VJTUt9Us8cKjMzEfYy\n-----END PRIVATE KEY-----"
	e := &echo{answer: func(req *chat.Request) []chat.Event {
		return []chat.Event{{ToolCall: &chat.ToolCallDelta{ID: "c", Name: "f", Arguments: `{"k":"` + req.Messages[0].Text() + `"}`}}}
	}}
	c := Conceal(e, ConcealOptions{Secret: testSecret, Types: map[string]Egress{"secret": EgressMask}})
	_, args, _, _ := toldBy(t, c, user(secret))
	var got struct{ K string }
	if err := json.Unmarshal([]byte(args), &got); err != nil || got.K != secret {
		t.Errorf("%q: %v", args, err)
	}
}

// everywhere is a request that holds text in every field that a client writes
// and that can be rewritten.
func everywhere(text string) *chat.Request {
	quoted, _ := json.Marshal(text)
	raw := func(s string) json.RawMessage { return json.RawMessage(strings.ReplaceAll(s, "%", string(quoted))) }
	return &chat.Request{
		N: 1, LogProbs: true,
		Messages: []chat.Message{
			chat.TextMessage(chat.System, text),
			{Role: chat.User, Content: []chat.Part{{Kind: chat.TextPart, Text: text}, {Kind: chat.TextPart, Text: text}, {Kind: chat.FilePart, Data: raw(`{"type":"file","file":{"filename":%}}`)}}},
			{Role: chat.Assistant, Reasoning: text, Content: []chat.Part{{Kind: chat.RefusalPart, Text: text}}, ToolCalls: []chat.ToolCall{{ID: "c1", Name: "f", Arguments: string(raw(`{"a":[%,{%:1}]}`))}}},
			{Role: chat.ToolRole, ToolCallID: "c1", Content: []chat.Part{{Kind: chat.TextPart, Text: text}}},
			chat.TextMessage(chat.User, text),
		},
		Tools:  []chat.Tool{{Name: "f", Description: text, Parameters: raw(`{"type":"object","properties":{"a":{"description":%}}}`)}},
		Format: &chat.Format{Type: "json_schema", Name: "x", Schema: raw(`{"title":%}`)},
		Extra:  map[string]json.RawMessage{"user": raw(`%`), "metadata": raw(`{"a":{"b":%}}`)},
	}
}

// all is everything that a request says, with its JSON unescaped.
func all(t *testing.T, req *chat.Request) string {
	t.Helper()
	var b strings.Builder
	for f := range fields(req) {
		text := f.text()
		if f.kind == jsonField {
			var v any
			if err := json.Unmarshal([]byte(text), &v); err != nil {
				t.Fatalf("%s is no JSON any more: %v: %s", f.place.path(1), err, text)
			}
			text = newLexer(false).read(text, true)
		}
		b.WriteString(text + "\n")
	}
	return b.String()
}

// values are made up, and each is found by its form alone or by the word before
// it.
var values = []struct{ before, value string }{
	{"手机", "13800138000"}, {"", "139 0013 9000"}, {"身份证", "110101199003070011"}, {"卡号", "6222020100123456780"}, {"", "zhang.san@example.com"},
	{"姓名：", "欧阳娜娜"}, {"微信号：", "wx_lisi2020"}, {"QQ：", "123456789"}, {"护照", "E12345678"}, {"车牌", "粤B12345"}, {"key ", "sk-abcdEFGH1234abcdEFGH5678"}, {"密码是", "hunter2x"},
	{"", "192.168.31.35"}, {"住在", "北京市朝阳区建国路88号"}, {"座机", "010-62345678"}, {"坐标", "39.9042, 116.4074"}, {"", "00:1A:2b:3c:4D:5e"},
}

// Nothing of a value is in what reaches the model, in no field; all of it is
// back in the answer, however that is cut.
func TestConcealProperty(t *testing.T) {
	rng := rand.New(rand.NewPCG(11, 12))
	for range 150 {
		var parts []string
		var used []string
		for range 1 + rng.IntN(4) {
			v := values[rng.IntN(len(values))]
			parts = append(parts, v.before+v.value)
			used = append(used, v.value)
		}
		if rng.IntN(2) == 0 { // once more, with no word before it
			v := used[rng.IntN(len(used))]
			parts = append(parts, "又是"+v+"吗")
		}
		if rng.IntN(3) == 0 {
			parts = append(parts, "[[PHONE_k7q2m4xa]]", `"quoted"\`)
		}
		text := "请看：" + strings.Join(parts, "；") + "。"
		checkConceal(t, rng, text, used)
	}
}

func checkConceal(t *testing.T, rng *rand.Rand, text string, used []string) {
	t.Helper()
	e := &echo{answer: func(req *chat.Request) []chat.Event {
		seen := req.Messages[len(req.Messages)-1].Text()
		var events []chat.Event
		for len(seen) > 0 {
			n := 1 + rng.IntN(min(len(seen), 9))
			for n < len(seen) && seen[n]&0xC0 == 0x80 {
				n++
			}
			events = append(events, chat.Event{Text: seen[:n], LogProbs: []chat.TokenLogProbs{{TokenLogProb: chat.TokenLogProb{Token: seen[:n]}}}})
			seen = seen[n:]
		}
		return events
	}}
	types := make(map[string]Egress)
	for _, k := range pii.Types() {
		types[k.Name] = EgressMask
	}
	req, before := everywhere(text), everywhere(text)
	req.Format, before.Format = nil, nil // the content of the answer is no JSON
	c := Conceal(e, ConcealOptions{Secret: testSecret, Types: types})
	content, _, _, _ := toldBy(t, c, req)
	if content != text {
		t.Fatalf("%q comes back as %q", text, content)
	}
	if !reflect.DeepEqual(req, before) {
		t.Fatalf("Chat changed the request")
	}
	seen := all(t, e.seen[0])
	for _, v := range used {
		if strings.Contains(seen, v) {
			t.Fatalf("of %q the model saw %q: %s", text, v, seen)
		}
	}
	req = everywhere(text)
	toldBy(t, c, req)
	for _, v := range used {
		if seen := all(t, e.seen[1]); strings.Contains(seen, v) {
			t.Fatalf("of %q the model saw %q: %s", text, v, seen)
		}
	}
}

// Whatever a client writes, an echo of it comes back as it was, and what the
// detectors find in it has not left the house.
func FuzzConceal(f *testing.F) {
	for _, v := range values {
		f.Add(v.before+v.value+"[[PHONE_k7q2m4xa]]", uint8(3))
	}
	f.Add("[[[[PHONE_aaaaaaaa]]]]13800138000]]", uint8(1))
	d := pii.New()
	e := &echo{}
	c := Conceal(e, ConcealOptions{Secret: testSecret, Types: map[string]Egress{"*": EgressMask}})
	f.Fuzz(func(t *testing.T, text string, cut uint8) {
		text = strings.ToValidUTF8(text, "")
		if text == "" {
			return
		}
		e.seen = nil
		e.answer = func(req *chat.Request) []chat.Event {
			var events []chat.Event
			for _, r := range req.Messages[0].Text() {
				if n := len(events); n > 0 && len(events[n-1].Text) < int(cut%16) {
					events[n-1].Text += string(r)
					continue
				}
				events = append(events, chat.Event{Text: string(r)})
			}
			return events
		}
		content, _, _, _ := toldBy(t, c, user(text))
		if content != text {
			t.Fatalf("%q comes back as %q; the model saw %q", text, content, e.seen[0].Messages[0].Text())
		}
		spans, _ := d.Scanner().Scan(nil, text, true)
		seen := e.seen[0].Messages[0].Text()
		for _, s := range spans {
			if v := text[s.Start:s.End]; len(v) > 8 && strings.Contains(seen, v) && !strings.Contains(seen, "]]"+v) {
				t.Fatalf("of %q the model saw %q", text, seen)
			}
		}
	})
}

func TestConcealDenies(t *testing.T) {
	const id = "110101199003070011"
	e := &echo{}
	deny := ConcealOptions{Secret: testSecret, Types: map[string]Egress{"id_card": EgressDeny}, NoMedia: true}
	name := user("你好")
	name.Messages[0].Name = "13800138000"
	key := user("你好")
	key.Extra = map[string]json.RawMessage{"13800138000": json.RawMessage("1")}
	image := user("你好")
	image.Messages[0].Content = append(image.Messages[0].Content, chat.Part{Kind: chat.ImagePart, Data: json.RawMessage(`{"type":"image_url"}`)})
	tests := []struct {
		name, param, rule string
		req               *chat.Request
	}{
		{"a type", "messages[0].content", "pii.id_card", user("身份证" + id)},
		{"a name", "messages[0].name", "pii.phone", name},
		{"a key", "", "pii.phone", key},
		{"an image", "messages[0].content[1]", "pii.media", image},
	}
	for _, tt := range tests {
		_, err := chattest.Collect(Conceal(e, deny).Chat(t.Context(), tt.req), 1)
		got, ok := errors.AsType[*chat.Error](err)
		if !ok || got.Kind != chat.Invalid || got.Code != chat.CodeContentFilter || got.Param != tt.param || got.Filtered == nil || !slices.Equal(got.Filtered.Rules, []string{tt.rule}) {
			t.Errorf("%s: got %#v", tt.name, err)
		} else if strings.Contains(err.Error(), id) || strings.Contains(err.Error(), "138") {
			t.Errorf("%s: the error tells the value: %v", tt.name, err)
		}
	}
	if len(e.seen) > 0 {
		t.Errorf("the model was asked %d times", len(e.seen))
	}
}

// When the detectors fail, nothing leaves.
func TestConcealFailsClosed(t *testing.T) {
	e := &echo{}
	c := Conceal(e, ConcealOptions{Secret: testSecret, Observe: func(Finding) { panic("13800138000") }})
	_, err := chattest.Collect(c.Chat(t.Context(), user("QQ 13800138000 a=b1234567")), 1)
	if got, ok := errors.AsType[*chat.Error](err); !ok || got.Kind != chat.Unavailable || strings.Contains(err.Error(), "138") {
		t.Errorf("got %v", err)
	}
	if _, err := c.Embed(t.Context(), &chat.EmbedRequest{Inputs: []chat.Input{{Text: "QQ 13800138000 a=b1234567"}}}); err == nil {
		t.Error("the inputs were embedded")
	}
	if len(e.seen)+len(e.embeds) > 0 {
		t.Error("the model was asked")
	}
}

func TestConcealObserved(t *testing.T) {
	var got []Finding
	c := Conceal(&echo{}, ConcealOptions{Secret: testSecret, Observe: func(f Finding) { got = append(got, f) }})
	req := user("手机13800138000，身份证110101199003070011")
	req.ID, req.Principal = "r1", "key1"
	toldBy(t, c, req)
	if len(got) != 2 || got[0].Rule != "pii.phone" || got[0].Action != Mask || got[0].Start != 6 || got[0].End != 17 || got[0].Field != "messages[0].content" ||
		got[1].Rule != "pii.id_card" || got[1].Action != Replace || got[1].Level != 3 || got[0].Request != "r1" || got[0].Principal != "key1" || len(got[0].Hash) != 8 || got[0].Text != "" {
		t.Errorf("got %+v", got)
	}
}

func TestConcealBeside(t *testing.T) {
	const phone = "13800138000"
	e := &echo{}
	c := Conceal(e, ConcealOptions{Secret: testSecret})
	_, err := c.Embed(t.Context(), &chat.EmbedRequest{Inputs: []chat.Input{{Text: "打" + phone}, {Text: "你好"}}, Extra: map[string]json.RawMessage{"user": json.RawMessage(`"` + phone + `"`)}})
	if err != nil || e.embeds[0].Inputs[0].Text != "打[[PHONE]]" || e.embeds[0].Inputs[1].Text != "你好" || string(e.embeds[0].Extra["user"]) != `"[[PHONE]]"` {
		t.Errorf("%v, embedded %+v", err, e.embeds)
	}
	both := map[string]json.RawMessage{"a": json.RawMessage(`"` + phone + `"`), "b": json.RawMessage(`"` + phone + `"`), "c": json.RawMessage(`1`)}
	if _, err := c.Embed(t.Context(), &chat.EmbedRequest{Inputs: []chat.Input{{Text: "你好"}}, Extra: both}); err != nil {
		t.Fatal(err)
	}
	if got := e.embeds[1].Extra; string(got["a"]) != `"[[PHONE]]"` || string(got["b"]) != `"[[PHONE]]"` || string(got["c"]) != "1" || string(both["a"]) != `"`+phone+`"` {
		t.Errorf("of two fields with a value, these went out: %s, from %s", got, both)
	}
	if _, err := c.Embed(t.Context(), &chat.EmbedRequest{Inputs: []chat.Input{{Tokens: []int{1}}}}); err == nil {
		t.Error("tokens left the house")
	}
	for range 2 {
		if _, err := c.Rerank(t.Context(), &chat.RerankRequest{Query: phone, Documents: []string{"a " + phone, "b"}}); err != nil {
			t.Fatal(err)
		}
	}
	first, second := e.ranks[0], e.ranks[1]
	if strings.Contains(first.Query+first.Documents[0], phone) || "a "+first.Query != first.Documents[0] || first.Query == second.Query {
		t.Errorf("ranked %+v and %+v", first, second)
	}
	if _, err := c.Detokenize(t.Context(), &chat.DetokenizeRequest{Tokens: []int{65}}); err == nil {
		t.Error("tokens left the house")
	}
	out, err := c.Tokenize(t.Context(), &chat.TokenizeRequest{Text: phone})
	if err != nil || len(out.Tokens) != len("[[PHONE]]") {
		t.Errorf("%v, %v", out, err)
	}
}

func TestConcealContract(t *testing.T) {
	script := chattest.Script("你好，\n!think 想\n[[PHO\n!tool 0 c1 f\n!args 0 {}\n世界\n")
	for name, text := range map[string]string{"with": "13800138000", "without": "你好"} {
		t.Run(name, func(t *testing.T) {
			chattest.Contract(t, Conceal(script, ConcealOptions{Secret: testSecret}), func() *chat.Request { return user(text) })
		})
	}
	var gifted struct {
		chattest.Script
		chattest.Gifts
	}
	c := Conceal(gifted, ConcealOptions{Secret: testSecret})
	chattest.EmbedderContract(t, c, func() *chat.EmbedRequest {
		return &chat.EmbedRequest{Inputs: []chat.Input{{Text: "你好"}, {Text: "13800138000"}}}
	})
	chattest.RerankerContract(t, c, func() *chat.RerankRequest {
		return &chat.RerankRequest{Query: "abc", Documents: []string{"a", "cba"}}
	})
}

// Tokens are told apart, whatever collides, and have the form that is promised.
func TestVault(t *testing.T) {
	v := newVault(testSecret, "")
	seen := make(map[string]string)
	for i := range 3000 {
		form := "1380013" + string(rune('0'+i%10)) + strings.Repeat("x", i/10)
		for _, text := range []string{form, form + " ", form + "-"} {
			token := v.token("PHONE", form, text, true)
			if was, ok := seen[token]; ok && was != text {
				t.Fatalf("%q and %q share %s", was, text, token)
			}
			seen[token] = text
			if tokenEnd(token) != len(token) {
				t.Fatalf("%s does not look like a token", token)
			}
			if again := v.token("PHONE", form, text, true); again != token {
				t.Fatalf("%q was %s and is %s", text, token, again)
			}
		}
	}
	// Sixty spellings of one value are more than one character tells apart.
	for i := range 60 {
		token := v.token("NAME", "x", strings.Repeat("x", i+1), true)
		if was, ok := seen[token]; ok {
			t.Fatalf("%q shares %s", was, token)
		}
		seen[token] = "x"
	}
	is := v.issued(false)
	for token := range maps.Keys(is.values) {
		for i := 1; i <= len(token); i++ {
			if prefix, whole := is.begins([]byte(token[:i])); !prefix || whole != (i == len(token)) {
				t.Fatalf("begins(%q) = %v, %v", token[:i], prefix, whole)
			}
		}
	}
	for _, s := range []string{"[[PHONE_aaaaaaaa]", "[[PHONE_aaaaaaa]]", "[[PHONE]]", "[[_aaaaaaaa]]", "[[PHONE-aaaaaaaa]]", "[[PHONE_aaaaaaaaa]]", "[[1_aaaaaaaa]]"} {
		if n := tokenEnd(s); n != 0 {
			t.Errorf("%q looks like a token of %d bytes", s, n)
		}
	}
}

func TestEgress(t *testing.T) {
	for e := EgressAllow; e <= EgressDeny; e++ {
		if got, err := ParseEgress(e.String()); err != nil || got != e {
			t.Errorf("ParseEgress(%q) = %v, %v", e, got, err)
		}
	}
	if _, err := ParseEgress("maybe"); err == nil {
		t.Error("maybe is one")
	}
	for _, k := range pii.Types() {
		if _, err := ParseEgress(k.Suggested); err != nil {
			t.Errorf("%s: %v", k.Name, err)
		}
		if len(kindOf(k.Type))+len("[[_]]")+bodySize > maxTokenSize {
			t.Errorf("a token of %s is too long", k.Name)
		}
	}
}

// What is put back to its owner is not masked by the filter in front; what the
// model comes up with itself is.
func TestConcealBehindGuard(t *testing.T) {
	rules, err := Compile(nil)
	if err != nil {
		t.Fatal(err)
	}
	const phone, other = "13800138000", "13900139000"
	for cut := 1; cut < 25; cut++ {
		e := &echo{answer: func(req *chat.Request) []chat.Event {
			text := "打" + req.Messages[0].Text() + "，或" + other + "。"
			var events []chat.Event
			for i := 0; i < len(text); {
				n := min(cut, len(text)-i)
				for i+n < len(text) && text[i+n]&0xC0 == 0x80 {
					n++
				}
				events = append(events, chat.Event{Text: text[i : i+n]})
				i += n
			}
			return events
		}}
		g := Guard(Conceal(e, ConcealOptions{Secret: testSecret}), Options{
			Shelf:  NewShelf(rules),
			Policy: &Policy{Personal: map[string]Personal{"*": {Request: Log, Answer: Mask}}},
		})
		a, err := chattest.Collect(g.Chat(t.Context(), user(phone)), 1)
		if err != nil {
			t.Fatal(err)
		}
		if want := "打" + phone + "，或***。"; a.Text[0] != want {
			t.Fatalf("cut %d: %q, want %q", cut, a.Text[0], want)
		}
	}
}

// A long request: what it costs before anything is sent.
func BenchmarkConceal(b *testing.B) {
	prose := strings.Repeat("我们在讨论这个问题的时候，应当先把情况弄清楚，再决定怎么办。大家都说今天天气很好，适合出去走走。", 3000)
	for name, text := range map[string]string{"clean": prose, "with a value": prose + "手机13800138000。"} {
		b.Run(name, func(b *testing.B) {
			c := Conceal(chattest.Script("好"), ConcealOptions{Secret: testSecret})
			req := user(text)
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				for _, err := range c.Chat(b.Context(), req) {
					if err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}

// Each choice is restored on its own, and JSON content stays JSON.
func TestRestoreChoices(t *testing.T) {
	e := &echo{answer: func(req *chat.Request) []chat.Event {
		seen := req.Messages[0].Text()
		token := seen[strings.Index(seen, "[[") : strings.Index(seen, "]]")+2]
		text := `{"a":"` + token + `"}`
		var events []chat.Event
		for i := range len(text) {
			events = append(events, chat.Event{Text: text[i : i+1]}, chat.Event{Choice: 1, Text: text[len(text)/2:][:min(1, len(text)-i)]})
		}
		return append(events, chat.Event{Choice: 1, Finish: chat.Length})
	}}
	c := Conceal(e, ConcealOptions{Secret: testSecret})
	req := user("手机138\u200b00138000")
	req.N, req.Format = 2, &chat.Format{Type: "json_object"}
	a, err := chattest.Collect(c.Chat(t.Context(), req), 2)
	if err != nil {
		t.Fatal(err)
	}
	if want := "{\"a\":\"138\u200b00138000\"}"; a.Text[0] != want || !json.Valid([]byte(a.Text[0])) || strings.Contains(a.Text[1], "138") {
		t.Errorf("got %q", a.Text)
	}
}
