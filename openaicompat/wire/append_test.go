package wire

import (
	"testing"

	"bendi/chat"
)

// A request that is written quickly is written as encoding/json would.
func FuzzAppendRequest(f *testing.F) {
	for _, s := range []string{
		`{"model":"m","messages":[{"role":"system","content":"x"},{"role":"user","content":"你\n\"<>&\u2028"}],"temperature":0.7,"max_tokens":256,"user":"bench"}`,
		`{"messages":[{"role":"assistant","content":null,"reasoning_content":"r","name":"n"},{"role":"tool","content":"","tool_call_id":"c"}],"n":2,"top_p":1,"top_k":0,"min_p":0,"seed":-5}`,
		`{"messages":[{"role":"user","content":"x"}],"frequency_penalty":-2,"presence_penalty":1.5e-5,"b":[1, {"x":"<\u2028>"}],"a":"\u00e4"}`,
		`{"messages":[{"role":"user","content":"x"}],"temperature":1e-9}`, `{"messages":[{"role":"user","content":"x"}],"stop":["a"],"mirostat":2}`,
		`{"messages":[{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}],"":0}`,
	} {
		f.Add([]byte(s), false)
		f.Add([]byte(s), true)
	}
	f.Fuzz(func(t *testing.T, body []byte, whole bool) {
		in, err := DecodeRequest(body)
		if err != nil {
			return
		}
		in.Request.Whole = whole
		got, ok := appendRequest(nil, in.Request)
		if !ok {
			return
		}
		want, err := encodeRequest(in.Request)
		if err != nil || string(got) != string(want) {
			t.Errorf("%s\nappended: %s\nexpected: %s, %v", body, got, want, err)
		}
	})
}

// An answer that is written quickly is written as encoding/json would.
func FuzzAppendCompletion(f *testing.F) {
	f.Add("chatcmpl-1", "m", "你好\n\"", "", "", "stop", "", 20, 64, 0, false)
	f.Add("a\"b", "m\x00", "", "why", "no", "length", "\u2028", 0, 0, 3, true)
	f.Add("", "", "", "", "", "", "", -1, 0, 0, true)
	f.Fuzz(func(t *testing.T, id, model, text, reasoning, refusal, finish, stopped string, prompt, completion, cached int, filtered bool) {
		c := &Completion{Head: Head{ID: id, Model: model, Created: 1764000000}}
		c.Add(chat.Event{Text: text, Reasoning: reasoning, Refusal: refusal})
		c.Add(chat.Event{Choice: 2, Text: "x", Finish: chat.Finish(finish), Stopped: stopped})
		c.Add(chat.Event{Usage: &chat.Usage{PromptTokens: prompt, CompletionTokens: completion, CachedTokens: cached, ReasoningTokens: 1}})
		if filtered {
			c.Add(chat.Event{Filtered: &chat.Filtered{Action: "mask", Categories: []string{"x"}}})
		}
		got, ok := c.appendTo(nil)
		want, err := c.encode()
		if !ok || err != nil || string(got) != string(want) {
			t.Errorf("appended: %s (%v)\nexpected: %s, %v", got, ok, want, err)
		}
	})
}
