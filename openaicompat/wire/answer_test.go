package wire

import (
	"encoding/json"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"bendi/chat"
)

func TestStreamFrames(t *testing.T) {
	s := &Stream{Head: Head{ID: "chatcmpl-1", Model: "m", Created: 7}, IncludeUsage: true}
	var got strings.Builder
	for _, ev := range []chat.Event{
		{Backend: "local"},
		{Reasoning: "hm"},
		{Text: "<你\u2028>&", Finish: chat.Stop},
		{Choice: 1, ToolCall: &chat.ToolCallDelta{ID: "call_1", Name: "f"}},
		{Choice: 1, ToolCall: &chat.ToolCallDelta{Arguments: "{}"}},
		{Choice: 1, Finish: chat.ToolCalls},
		{Usage: &chat.Usage{PromptTokens: 3, CachedTokens: 2, CompletionTokens: 4, ReasoningTokens: 1}},
	} {
		got.Write(s.Frames(ev))
	}
	head := `data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":7,"model":"m","choices":`
	want := ""
	for _, rest := range []string{
		`[{"index":0,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}],"usage":null}`,
		`[{"index":0,"delta":{"reasoning_content":"hm"},"logprobs":null,"finish_reason":null}],"usage":null}`,
		`[{"index":0,"delta":{"content":"<你\u2028>&"},"logprobs":null,"finish_reason":null}],"usage":null}`,
		`[{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}],"usage":null}`,
		`[{"index":1,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}],"usage":null}`,
		`[{"index":1,"delta":{"tool_calls":[{"index":0,"id":"call_1","type":"function","function":{"name":"f","arguments":""}}]},"logprobs":null,"finish_reason":null}],"usage":null}`,
		`[{"index":1,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{}"}}]},"logprobs":null,"finish_reason":null}],"usage":null}`,
		`[{"index":1,"delta":{},"logprobs":null,"finish_reason":"tool_calls"}],"usage":null}`,
		`[],"usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7,"prompt_tokens_details":{"cached_tokens":2},"completion_tokens_details":{"reasoning_tokens":1}}}`,
	} {
		want += head + rest + "\n\n"
	}
	if got.String() != want {
		t.Errorf("got\n%s\nwant\n%s", got.String(), want)
	}
}

func TestCompletion(t *testing.T) {
	c := &Completion{Head: Head{ID: "chatcmpl-1", Model: "m", Created: 7}}
	for _, ev := range []chat.Event{
		{Reasoning: "h"}, {Reasoning: "m"}, {Text: "<你"}, {Text: "好>"},
		{Choice: 1, ToolCall: &chat.ToolCallDelta{ID: "call_1", Name: "f"}},
		{Choice: 1, ToolCall: &chat.ToolCallDelta{Arguments: "{"}},
		{Choice: 1, ToolCall: &chat.ToolCallDelta{Arguments: "}"}},
		{Choice: 0, Finish: chat.Length},
		{Choice: 1, Finish: chat.ToolCalls},
		{Choice: 2, Refusal: "no", Finish: chat.Stop},
		{Choice: 3, Finish: chat.Stop},
		{Usage: &chat.Usage{PromptTokens: 3, CompletionTokens: 4}},
	} {
		c.Add(ev)
	}
	got, err := c.Encode()
	if err != nil {
		t.Fatal(err)
	}
	want := `{"id":"chatcmpl-1","object":"chat.completion","created":7,"model":"m","choices":[` +
		`{"index":0,"message":{"role":"assistant","content":"<你好>","reasoning_content":"hm","refusal":null},"logprobs":null,"finish_reason":"length"},` +
		`{"index":1,"message":{"role":"assistant","content":null,"refusal":null,"tool_calls":[{"id":"call_1","type":"function","function":{"name":"f","arguments":"{}"}}]},"logprobs":null,"finish_reason":"tool_calls"},` +
		`{"index":2,"message":{"role":"assistant","content":null,"refusal":"no"},"logprobs":null,"finish_reason":"stop"},` +
		`{"index":3,"message":{"role":"assistant","content":"","refusal":null},"logprobs":null,"finish_reason":"stop"}],` +
		`"usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7,"prompt_tokens_details":{"cached_tokens":0},"completion_tokens_details":{"reasoning_tokens":0}}}`
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// single takes an event apart into those that say one thing each, in the order
// that the wire tells them.
func single(ev chat.Event) []chat.Event {
	var events []chat.Event
	delta := chat.Event{Choice: ev.Choice, Text: ev.Text, Reasoning: ev.Reasoning, Refusal: ev.Refusal, LogProbs: ev.LogProbs}
	if !reflect.DeepEqual(delta, chat.Event{Choice: ev.Choice}) {
		events = append(events, delta)
	}
	if ev.ToolCall != nil {
		events = append(events, chat.Event{Choice: ev.Choice, ToolCall: ev.ToolCall})
	}
	if ev.Finish != "" {
		events = append(events, chat.Event{Choice: ev.Choice, Finish: ev.Finish})
	}
	if ev.Usage != nil {
		events = append(events, chat.Event{Usage: ev.Usage})
	}
	return events
}

// What Chunks reads from a Stream's frames are the events written, taken
// apart; and no text, whatever is in it, makes a frame of its own.
func checkEvents(t *testing.T, events []chat.Event) {
	t.Helper()
	s := &Stream{Head: Head{ID: "chatcmpl-1", Model: "m"}, IncludeUsage: true}
	var got, want []chat.Event
	for _, ev := range events {
		want = append(want, single(ev)...)
		for frame := range strings.SplitAfterSeq(string(s.Frames(ev)), "\n\n") {
			if frame == "" {
				continue
			}
			data, ok := strings.CutPrefix(frame, "data: ")
			if data = strings.TrimSuffix(data, "\n\n"); !ok || strings.ContainsAny(data, "\r\n") {
				t.Fatalf("%+v made the frame %q", ev, frame)
			}
			decoded, err := new(Chunks).Append(nil, []byte(data))
			if err != nil {
				t.Fatalf("%s: %v", data, err)
			}
			got = append(got, decoded...)
		}
	}
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("got  %+v\nwant %+v", got, want)
	}
}

func FuzzEvents(f *testing.F) {
	f.Add(uint64(1), "你好", "hm")
	f.Add(uint64(2), "\r\n\ndata: [DONE]\n\n", "\u2028</script>")
	f.Fuzz(func(t *testing.T, seed uint64, text, other string) {
		text, other = strings.ToValidUTF8(text, "?"), strings.ToValidUTF8(other, "?")
		r := rand.New(rand.NewPCG(seed, 0))
		pick := func() string { return []string{"", text, other}[r.IntN(3)] }
		var events []chat.Event
		for range 10 {
			ev := chat.Event{Choice: r.IntN(3), Text: pick(), Reasoning: pick(), Refusal: pick()}
			if r.IntN(3) == 0 {
				entry := func() chat.TokenLogProb {
					return chat.TokenLogProb{Token: pick(), Bytes: []byte{228, 189}, LogProb: -r.Float64()}
				}
				ev.LogProbs = []chat.TokenLogProbs{{TokenLogProb: entry()}, {TokenLogProb: entry(), Top: []chat.TokenLogProb{entry(), entry()}}}
			}
			if r.IntN(3) == 0 {
				ev.ToolCall = &chat.ToolCallDelta{Index: r.IntN(3), ID: pick(), Name: pick(), Arguments: pick()}
			}
			if r.IntN(3) == 0 {
				ev.Finish = []chat.Finish{chat.Stop, chat.Length, chat.ToolCalls, chat.ContentFilter}[r.IntN(4)]
			}
			if r.IntN(5) == 0 {
				ev.Usage = &chat.Usage{PromptTokens: r.IntN(9), CachedTokens: r.IntN(9), CompletionTokens: r.IntN(9), ReasoningTokens: r.IntN(9)}
			}
			events = append(events, ev)
		}
		checkEvents(t, events)
	})
}

// What other servers send.
func TestChunk(t *testing.T) {
	tests := []struct {
		name, data string
		want       []chat.Event
		kind       chat.Kind // of the error; Internal: none
	}{
		{"role alone", `{"choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}`, nil, 0},
		{"nothing", `{}`, nil, 0},
		{"null everywhere", `{"choices":[{"delta":{"content":null,"tool_calls":null},"finish_reason":null}],"usage":null,"error":null}`, nil, 0},
		{"an empty reason", `{"choices":[{"delta":{"content":"a"},"finish_reason":""}]}`, []chat.Event{{Text: "a"}}, 0},
		{"reasoning by its other name", `{"choices":[{"delta":{"reasoning":"a"}}]}`, []chat.Event{{Reasoning: "a"}}, 0},
		{"both names", `{"choices":[{"delta":{"reasoning":"a","reasoning_content":"a"}}]}`, []chat.Event{{Reasoning: "a"}}, 0},
		{"text and end in one", `{"choices":[{"delta":{"content":"a"},"finish_reason":"length"}],"usage":{"prompt_tokens":1,"completion_tokens":2,"prompt_tokens_details":null}}`,
			[]chat.Event{{Text: "a"}, {Finish: chat.Length}, {Usage: &chat.Usage{PromptTokens: 1, CompletionTokens: 2}}}, 0},
		{"usage below zero", `{"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":-2}}`, nil, 0},
		{"usage beyond all numbers", `{"choices":[{"delta":{"content":"a"}}],"usage":{"prompt_tokens":9223372036854775807,"completion_tokens":1e300}}`, []chat.Event{{Text: "a"}}, 0},
		{"usage that is none", `{"choices":[{"delta":{"content":"a"}}],"usage":"much"}`, []chat.Event{{Text: "a"}}, 0},
		{"calls without an index", `{"choices":[{"delta":{"tool_calls":[{"id":"a","function":{"name":"f","arguments":"{}"}},{"id":"b","function":{"name":"g"}}]}}]}`,
			[]chat.Event{{ToolCall: &chat.ToolCallDelta{Index: 0, ID: "a", Name: "f", Arguments: "{}"}}, {ToolCall: &chat.ToolCallDelta{Index: 1, ID: "b", Name: "g"}}}, 0},
		{"an unknown reason", `{"choices":[{"delta":{},"finish_reason":"eos"}]}`, []chat.Event{{Finish: chat.Stop}}, 0},
		{"an end that is a failure", `{"choices":[{"delta":{},"finish_reason":"error"}]}`, nil, chat.BadBackend},
		{"an error within the stream", `{"error":{"message":"busy","type":"unavailable_error","code":503}}`, nil, chat.Unavailable},
		{"an error that is a string", `{"error":"out of memory"}`, nil, chat.BadBackend},
		{"not JSON", `<html>`, nil, chat.BadBackend},
		{"an absurd choice", `{"choices":[{"index":1000000000,"delta":{"content":"a"}}]}`, nil, chat.BadBackend},
		{"an absurd call", `{"choices":[{"delta":{"tool_calls":[{"index":-1}]}}]}`, nil, chat.BadBackend},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := new(Chunks).Append(nil, []byte(tt.data))
			if e, _ := err.(*chat.Error); (e == nil) != (tt.kind == 0) || e != nil && e.Kind != tt.kind {
				t.Fatalf("error %v, want kind %v", err, tt.kind)
			}
			if !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got  %+v\nwant %+v", got, tt.want)
			}
		})
	}
}

// No data makes Chunks panic, and its errors are *chat.Error.
func FuzzChunk(f *testing.F) {
	f.Add([]byte(`{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{}}]},"finish_reason":"stop"}],"usage":{}}`))
	f.Add([]byte(`{"error":{"message":1,"code":{}}}`))
	f.Add([]byte(`{"error":[]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if _, err := new(Chunks).Append(nil, data); err != nil {
			if e, ok := err.(*chat.Error); !ok || e.Msg == "" {
				t.Errorf("%q: %v", data, err)
			}
		}
	})
}

func TestModelsRoundTrip(t *testing.T) {
	want := []chat.ModelInfo{{ID: "a/b:c", Created: 7, OwnedBy: "local", Context: 2048}, {ID: "d"}}
	body, err := EncodeModels(want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := DecodeModels(body)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%s: got %+v, %v", body, got, err)
	}
	if body, _ := EncodeModels(nil); !json.Valid(body) || !strings.Contains(string(body), `"data":[]`) {
		t.Errorf("no models: %s", body)
	}
}

func BenchmarkFrames(b *testing.B) {
	s := &Stream{Head: Head{ID: "chatcmpl-7f3c", Model: "bendi-demo", Created: 1700000000}}
	ev := chat.Event{Text: "你好，世界"}
	b.ReportAllocs()
	for b.Loop() {
		s.Frames(ev)
	}
}
