package engine

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/hybridgroup/yzma/pkg/llama"

	"bendi/chat"
	"bendi/chat/chattest"
	"bendi/inference/engine/dialect"
)

// said is what an engine of that dialect makes of an answer whose tokens are
// these, and that ends like that.
func said(t *testing.T, d dialect.Dialect, j *job, finish chat.Finish, tokens ...string) (events []chat.Event) {
	t.Helper()
	v := &vocab{}
	j.out = newOutput(1)
	for i, text := range tokens {
		v.pieces = append(v.pieces, []byte(text))
		j.out.put(step{token: llama.Token(i)})
	}
	j.out.put(step{finish: finish})
	j.end = []context.CancelCauseFunc{func(error) {}}
	e := &Engine{vocab: v, dialect: d}
	j.dialect = d
	seq := func(yield func(chat.Event, error) bool) {
		if err := e.answer(context.Background(), j, yield); err != nil {
			yield(chat.Event{}, err)
		}
	}
	if _, err := chattest.Collect(seq, 1); err != nil {
		t.Fatal(err)
	}
	j.out = newOutput(1)
	for i := range tokens {
		j.out.put(step{token: llama.Token(i)})
	}
	j.out.put(step{finish: finish})
	for ev, err := range seq {
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, ev)
	}
	return events
}

func TestAnswersInADialect(t *testing.T) {
	qwen := dialect.Dialect{Calls: dialect.Hermes, ThinkStart: "<think>", ThinkEnd: "</think>"}
	weather := []chat.Tool{{Name: "天气"}}
	call := []string{"<tool_", "call>\n", `{"name": "天气", "arg`, `uments": {"城市": "北京"}}`, "\n</tool_call>"}
	tests := []struct {
		name      string
		job       *job
		tokens    []string
		finish    chat.Finish
		text      string
		reasoning string
		arguments string
		want      chat.Finish
		thought   int // tokens of reasoning, about
	}{
		{"plain", &job{}, []string{"你", "\xe5\xa5", "\xbd"}, chat.Stop, "你好", "", "", chat.Stop, 0},
		{"reasoning", &job{}, []string{"<think>", "嗯", "</thi", "nk>\n\n", "好"}, chat.Stop, "好", "嗯", "", chat.Stop, 3},
		{"reasoning that the prompt has opened", &job{opened: true}, []string{"嗯", "</think>", "好"}, chat.Stop, "好", "嗯", "", chat.Stop, 2},
		{"a call", &job{tools: weather}, call, chat.Stop, "", "", `{"城市": "北京"}`, chat.ToolCalls, 0},
		{"one call where one is allowed", &job{tools: weather, single: true}, append(slices.Clone(call), call...), chat.Length, "", "", `{"城市": "北京"}`, chat.ToolCalls, 0},
		{"a call without tools is text", &job{}, call, chat.Stop, strings.Join(call, ""), "", "", chat.Stop, 0},
		{"a call cut off is text", &job{tools: weather}, call[:3], chat.Length, strings.Join(call[:3], ""), "", "", chat.Length, 0},
		{"a stop string", &job{stop: []string{"好的"}}, []string{"你好", "的", "呀"}, chat.Length, "你", "", "", chat.Stop, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var text, reasoning, arguments string
			var finish chat.Finish
			var usage chat.Usage
			for _, ev := range said(t, qwen, tt.job, tt.finish, tt.tokens...) {
				text, reasoning = text+ev.Text, reasoning+ev.Reasoning
				if ev.ToolCall != nil {
					arguments += ev.ToolCall.Arguments
				}
				if ev.Finish != "" {
					finish = ev.Finish
				}
				if ev.Usage != nil {
					usage = *ev.Usage
				}
			}
			if text != tt.text || reasoning != tt.reasoning || arguments != tt.arguments || finish != tt.want {
				t.Errorf("text %q, reasoning %q, arguments %q, %s; want %q, %q, %q, %s",
					text, reasoning, arguments, finish, tt.text, tt.reasoning, tt.arguments, tt.want)
			}
			if usage.ReasoningTokens != tt.thought {
				t.Errorf("%d tokens of reasoning, want %d", usage.ReasoningTokens, tt.thought)
			}
		})
	}
}
