package filter_test

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"slices"
	"strings"
	"testing"

	"bendi/chat"
	"bendi/filter"
	"bendi/filter/lexicon"
)

// The rows of the catalogue of evasions that are about fields and streams: a
// word is found wherever it is written and however it arrives. The rows about
// the text itself are in package lexicon.

// A script is a model that says the same events whatever it is asked.
type script struct {
	events []chat.Event
	asked  *chat.Request
}

func (s *script) Chat(_ context.Context, req *chat.Request) iter.Seq2[chat.Event, error] {
	s.asked = req
	return func(yield func(chat.Event, error) bool) {
		for _, ev := range s.events {
			if !yield(ev, nil) {
				return
			}
		}
	}
}

func (s *script) Embed(_ context.Context, req *chat.EmbedRequest) (*chat.Embeddings, error) {
	return &chat.Embeddings{Vectors: make([][]float32, len(req.Inputs))}, nil
}

func (s *script) Rerank(_ context.Context, req *chat.RerankRequest) (*chat.Ranking, error) {
	return &chat.Ranking{}, nil
}

const catalogue = `{"name": "catalogue", "version": "1", "updated": "2026-11-25",
	"categories": {"gambling": {"level": 2, "words": ["赌博"]}, "fraud": {"level": 3, "words": ["诈骗"]}}}`

// guarded puts m behind a policy that blocks both words in requests, and in
// answers replaces the one and blocks at the other.
func guarded(t *testing.T, m chat.Model, change func(*filter.Policy)) *filter.Guarded {
	t.Helper()
	l, err := lexicon.Read("catalogue.json", []byte(catalogue), lexicon.Options{})
	if err != nil {
		t.Fatal(err)
	}
	rules, err := filter.Compile([]*lexicon.Lexicon{l})
	if err != nil {
		t.Fatal(err)
	}
	p := &filter.Policy{Categories: map[string]filter.Category{
		"gambling": {Request: filter.Always(filter.Block), Answer: filter.Always(filter.Replace)},
		"fraud":    {Request: filter.Always(filter.Block), Answer: filter.Always(filter.Block)},
	}, Replacement: "[…]"}
	if change != nil {
		change(p)
	}
	if err := p.Validate(rules); err != nil {
		t.Fatal(err)
	}
	return filter.Guard(m, filter.Options{Shelf: filter.NewShelf(rules), Policy: p})
}

func user(parts ...string) chat.Message {
	m := chat.Message{Role: chat.User}
	for _, p := range parts {
		m.Content = append(m.Content, chat.Part{Kind: chat.TextPart, Text: p})
	}
	return m
}

func TestCatalogueRequests(t *testing.T) {
	hello := user("hello")
	tests := []struct {
		name  string
		req   chat.Request
		param string // beginning of where it is said to be
	}{
		{"30 parts of one message", chat.Request{Messages: []chat.Message{user("我们去赌", "博吧")}}, "messages[0].content"},
		{"33 system", chat.Request{Messages: []chat.Message{chat.TextMessage(chat.System, "赌博"), hello}}, "messages[0].content"},
		{"33 reasoning", chat.Request{Messages: []chat.Message{{Role: chat.Assistant, Reasoning: "赌博"}, hello}}, "messages[0].reasoning_content"},
		{"33 refusal", chat.Request{Messages: []chat.Message{{Role: chat.Assistant, Content: []chat.Part{{Kind: chat.RefusalPart, Text: "赌博"}}}, hello}}, "messages[0]"},
		{"33 name of a speaker", chat.Request{Messages: []chat.Message{{Role: chat.User, Name: "赌博", Content: hello.Content}}}, "messages[0].name"},
		{"33 name of a file", chat.Request{Messages: []chat.Message{{Role: chat.User, Content: []chat.Part{{Kind: chat.FilePart, Data: json.RawMessage(`{"type":"file","file":{"filename":"赌博.pdf","file_id":"f"}}`)}}}}}, "messages[0].content"},
		{"33 name of a function", chat.Request{Messages: []chat.Message{hello}, Tools: []chat.Tool{{Name: "赌博"}}}, "tools[0]"},
		{"33 description of a tool", chat.Request{Messages: []chat.Message{hello}, Tools: []chat.Tool{{Name: "f", Description: "赌博"}}}, "tools[0]"},
		{"33 parameters of a tool", chat.Request{Messages: []chat.Message{hello}, Tools: []chat.Tool{{Name: "f", Parameters: json.RawMessage(`{"type":"object","properties":{"q":{"type":"string","description":"赌博"}}}`)}}}, "tools[0]"},
		{"32 arguments", chat.Request{Messages: []chat.Message{{Role: chat.Assistant, ToolCalls: []chat.ToolCall{{ID: "1", Name: "f", Arguments: `{"q":"赌博"}`}}}, {Role: chat.ToolRole, ToolCallID: "1", Content: hello.Content}}}, "messages[0].tool_calls[0]"},
		{"29 escaped in arguments", chat.Request{Messages: []chat.Message{{Role: chat.Assistant, ToolCalls: []chat.ToolCall{{ID: "1", Name: "f", Arguments: `{"q":"\u8d4c\u535a"}`}}}, {Role: chat.ToolRole, ToolCallID: "1", Content: hello.Content}}}, "messages[0].tool_calls[0]"},
		{"34 result of a tool", chat.Request{Messages: []chat.Message{{Role: chat.Assistant, ToolCalls: []chat.ToolCall{{ID: "1", Name: "f", Arguments: `{}`}}}, {Role: chat.ToolRole, ToolCallID: "1", Content: user("赌博").Content}}}, "messages[1]"},
		{"33 extra", chat.Request{Messages: []chat.Message{hello}, Extra: map[string]json.RawMessage{"instructions": json.RawMessage(`"赌博"`)}}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := &script{}
			var failed error
			for _, err := range guarded(t, m, nil).Chat(t.Context(), &tt.req) {
				failed = err
			}
			e, ok := errors.AsType[*chat.Error](failed)
			if !ok || m.asked != nil {
				t.Fatalf("error %v, the model was asked: %t", failed, m.asked != nil)
			}
			if !strings.HasPrefix(e.Param, tt.param) || e.Filtered == nil || !slices.Equal(e.Filtered.Categories, []string{"gambling"}) || strings.Contains(e.Error(), "赌博") {
				t.Errorf("param %q, want %q; filtered %+v; %v", e.Param, tt.param, e.Filtered, e)
			}
		})
	}
}

// 30: over the end of a message only strict policies look, and what they find is
// a guess: as delivered, it is for review.
func TestCatalogueMessages(t *testing.T) {
	req := &chat.Request{Messages: []chat.Message{user("我们去赌"), user("博吧")}}
	for _, strict := range []bool{false, true} {
		var actions []string
		for ev, err := range guarded(t, &script{events: []chat.Event{{Text: "ok"}, {Finish: chat.Stop}, {Usage: &chat.Usage{}}}}, func(p *filter.Policy) { p.Strict = strict }).Chat(t.Context(), req) {
			if err != nil {
				t.Fatal(err)
			}
			if ev.Filtered != nil && !ev.Filtered.Answer {
				actions = append(actions, ev.Filtered.Action)
			}
		}
		if found := slices.Contains(actions, "review"); found != strict {
			t.Errorf("strict %t: %q", strict, actions)
		}
	}
}

// 34: the other things a model does.
func TestCatalogueRoutes(t *testing.T) {
	g := guarded(t, &script{}, nil)
	if _, err := g.Embed(t.Context(), &chat.EmbedRequest{Inputs: []chat.Input{{Text: "hello"}, {Text: "赌\u200b博"}}}); err == nil || strings.Contains(err.Error(), "赌") {
		t.Errorf("embeddings: %v", err)
	}
	if _, err := g.Embed(t.Context(), &chat.EmbedRequest{Inputs: []chat.Input{{Text: "hello"}}}); err != nil {
		t.Errorf("harmless embeddings: %v", err)
	}
	if _, err := g.Rerank(t.Context(), &chat.RerankRequest{Query: "hello", Documents: []string{"a", "賭博"}}); err == nil {
		t.Error("rerank lets a document pass")
	}
	if v := g.Moderate([]string{"赌 博", "hello"}); len(v) != 2 {
		t.Errorf("moderation: %+v", v)
	}
}

func TestCatalogueAnswers(t *testing.T) {
	call := func(arguments string) chat.Event {
		return chat.Event{ToolCall: &chat.ToolCallDelta{Arguments: arguments}}
	}
	text := func(s string) chat.Event { return chat.Event{Text: s} }
	tests := []struct {
		name   string
		events []chat.Event
		want   string // text|reasoning|refusal|arguments
		finish chat.Finish
	}{
		{"31 one piece", []chat.Event{text("去赌博吧")}, "去[…]吧|||", chat.Stop},
		{"31 two pieces", []chat.Event{text("去赌"), text("博吧")}, "去[…]吧|||", chat.Stop},
		{"31 disguised over pieces", []chat.Event{text("去賭"), text("\u200b"), text("*"), text("博")}, "去[…]|||", chat.Stop},
		{"31 the beginning alone", []chat.Event{text("去赌"), text("城")}, "去赌城|||", chat.Stop},
		{"31 at the end", []chat.Event{text("去赌")}, "去赌|||", chat.Stop},
		{"30 of a block nothing is out", []chat.Event{text("ok 诈"), text("骗"), text("more")}, "ok |||", chat.ContentFilter},
		{"33 reasoning", []chat.Event{{Reasoning: "赌"}, {Reasoning: "博"}, text("ok")}, "ok|[…]||", chat.Stop},
		{"33 refusal", []chat.Event{{Refusal: "不赌"}, {Refusal: "博"}}, "||不[…]|", chat.Stop},
		{"32 arguments", []chat.Event{{ToolCall: &chat.ToolCallDelta{ID: "1", Name: "f"}}, call(`{"q":"赌`), call(`博"}`)}, `|||{"q":"[…]"}`, chat.ToolCalls},
		{"29 escaped arguments", []chat.Event{{ToolCall: &chat.ToolCallDelta{ID: "1", Name: "f"}}, call(`{"q":"\u8d4`), call(`c\u535a"}`)}, `|||{"q":"[…]"}`, chat.ToolCalls},
		{"33 log probabilities", []chat.Event{{Text: "赌博", LogProbs: []chat.TokenLogProbs{{TokenLogProb: chat.TokenLogProb{Token: "赌博", Bytes: []byte("赌博")}}}}}, "[…]|||", chat.Stop},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			end := chat.Stop
			if tt.finish == chat.ToolCalls {
				end = chat.ToolCalls
			}
			m := &script{events: append(slices.Clone(tt.events), chat.Event{Finish: end}, chat.Event{Usage: &chat.Usage{}})}
			var text, reasoning, refusal, arguments, tokens strings.Builder
			var finish chat.Finish
			for ev, err := range guarded(t, m, nil).Chat(t.Context(), &chat.Request{Messages: []chat.Message{user("hello")}, LogProbs: true}) {
				if err != nil {
					t.Fatal(err)
				}
				text.WriteString(ev.Text)
				reasoning.WriteString(ev.Reasoning)
				refusal.WriteString(ev.Refusal)
				if ev.ToolCall != nil {
					arguments.WriteString(ev.ToolCall.Arguments)
				}
				for _, l := range ev.LogProbs {
					tokens.WriteString(l.Token)
				}
				if ev.Finish != "" {
					finish = ev.Finish
				}
			}
			got := text.String() + "|" + reasoning.String() + "|" + refusal.String() + "|" + arguments.String()
			if got != tt.want || finish != tt.finish || strings.ContainsAny(tokens.String(), "赌博") {
				t.Errorf("got %q, %s, tokens %q; want %q, %s", got, finish, &tokens, tt.want, tt.finish)
			}
		})
	}
}
