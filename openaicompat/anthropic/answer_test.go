package anthropic

import (
	"encoding/json"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"bendi/chat"
	"bendi/chat/chattest"
	"bendi/openaicompat/wire"
)

var head = wire.Head{ID: "msg_1", Model: "m"}

// told plays events to a stream and to a whole answer. It returns the stream's
// events, by their data, and the body.
func told(events []chat.Event) (stream []map[string]any, body []byte, err error) {
	s, m := &Stream{Head: head}, &Message{Head: head}
	for _, ev := range events {
		m.Add(ev)
		frames, err := s.Frames(ev)
		if err != nil {
			if _, again := m.Encode(); again == nil && ev.Usage != nil {
				return nil, nil, errors.New("the stream failed and the whole answer did not")
			}
			return nil, nil, err
		}
		for frame := range strings.SplitAfterSeq(string(frames), "\n\n") {
			if frame == "" {
				continue
			}
			name, data, ok := strings.Cut(strings.TrimSuffix(frame, "\n\n"), "\ndata: ")
			var fields map[string]any
			if !ok || strings.ContainsAny(data, "\r\n") || json.Unmarshal([]byte(data), &fields) != nil || name != "event: "+fields["type"].(string) {
				return nil, nil, errors.New("the frame is " + frame)
			}
			stream = append(stream, fields)
		}
	}
	body, err = m.Encode()
	return stream, body, err
}

// fold adds a stream up as the SDKs of this protocol do.
func fold(t *testing.T, stream []map[string]any) map[string]any {
	t.Helper()
	var message map[string]any
	var blocks []any
	arguments, open := "", false
	for i, ev := range stream {
		switch typ := ev["type"]; {
		case (typ == "message_start") != (i == 0), (typ == "message_stop") != (i == len(stream)-1):
			t.Fatalf("%v is event %d of %d", typ, i+1, len(stream))
		}
		switch ev["type"] {
		case "message_start":
			message = ev["message"].(map[string]any)
		case "content_block_start":
			if open || int(ev["index"].(float64)) != len(blocks) {
				t.Fatalf("block %v begins as number %d, with one open: %v", ev["index"], len(blocks), open)
			}
			blocks, open, arguments = append(blocks, ev["content_block"]), true, ""
		case "content_block_delta":
			b := blocks[len(blocks)-1].(map[string]any)
			d := ev["delta"].(map[string]any)
			switch d["type"] {
			case "text_delta":
				b["text"] = b["text"].(string) + d["text"].(string)
			case "thinking_delta":
				b["thinking"] = b["thinking"].(string) + d["thinking"].(string)
			case "signature_delta":
				b["signature"] = d["signature"]
			case "input_json_delta":
				arguments += d["partial_json"].(string)
			}
			if !open {
				t.Fatal("a delta outside of a block")
			}
		case "content_block_stop":
			if arguments != "" {
				var input any
				if err := json.Unmarshal([]byte(arguments), &input); err != nil {
					t.Fatalf("the arguments %q are no JSON: %v", arguments, err)
				}
				blocks[len(blocks)-1].(map[string]any)["input"] = input
			}
			open = false
		case "message_delta":
			for _, from := range []map[string]any{ev["delta"].(map[string]any), {"usage": ev["usage"]}} {
				for key, v := range from {
					message[key] = v
				}
			}
		}
	}
	if message["content"] = blocks; blocks == nil {
		message["content"] = []any{}
	}
	return message
}

func check(t *testing.T, events []chat.Event) {
	t.Helper()
	stream, body, err := told(events)
	if err != nil {
		if e, ok := errors.AsType[*chat.Error](err); !ok || e.Kind != chat.BadBackend {
			t.Fatal(err)
		}
		return
	}
	var want any
	if err := json.Unmarshal(body, &want); err != nil {
		t.Fatal(err)
	}
	a, _ := json.Marshal(fold(t, stream))
	b, _ := json.Marshal(want)
	if string(a) != string(b) {
		t.Errorf("the stream adds up to\n%s\nthe whole answer is\n%s", a, b)
	}
}

func TestAnswers(t *testing.T) {
	usage := &chat.Usage{PromptTokens: 7, CachedTokens: 5, CompletionTokens: 3}
	call := func(i int, id, name, arguments string) chat.Event {
		return chat.Event{ToolCall: &chat.ToolCallDelta{Index: i, ID: id, Name: name, Arguments: arguments}}
	}
	end := func(why chat.Finish) chat.Event { return chat.Event{Finish: why, Usage: usage} }
	const used = `"usage":{"input_tokens":2,"cache_creation_input_tokens":0,"cache_read_input_tokens":5,"output_tokens":3}}`
	tests := []struct {
		name   string
		events []chat.Event
		want   string // of the content on; empty: it fails
	}{
		{"text", []chat.Event{{Text: "<你"}, {Text: "好>"}, {Finish: chat.Stop}, {Usage: usage}}, `[{"type":"text","text":"<你好>"}],"stop_reason":"end_turn","stop_sequence":null,` + used},
		{"nothing", []chat.Event{end(chat.Stop)}, `[],"stop_reason":"end_turn","stop_sequence":null,` + used},
		{"a stop string", []chat.Event{{Text: "a"}, {Finish: chat.Stop, Stopped: "END"}, {Usage: usage}}, `[{"type":"text","text":"a"}],"stop_reason":"stop_sequence","stop_sequence":"END",` + used},
		{"too long", []chat.Event{{Text: "a"}, end(chat.Length)}, `[{"type":"text","text":"a"}],"stop_reason":"max_tokens","stop_sequence":null,` + used},
		{"cut off by the filter", []chat.Event{{Text: "a"}, {Refusal: "no"}, end(chat.ContentFilter)}, `[{"type":"text","text":"ano"}],"stop_reason":"refusal","stop_sequence":null,` + used},
		{"reasoning and calls", []chat.Event{{Reasoning: "h"}, {Reasoning: "m"}, {Text: "a"}, call(0, "1", "f", ""), call(0, "", "", `{"x":`), call(0, "", "", ` 1}`), call(1, "2", "g", ""), end(chat.ToolCalls)},
			`[{"type":"thinking","thinking":"hm","signature":"bendi"},{"type":"text","text":"a"},{"type":"tool_use","id":"1","name":"f","input":{"x":1}},{"type":"tool_use","id":"2","name":"g","input":{}}],"stop_reason":"tool_use","stop_sequence":null,` + used},
		{"calls in turns", []chat.Event{call(0, "1", "f", `{"x"`), call(1, "2", "g", `{"y"`), call(0, "", "", ":1}"), {Text: "a"}, call(1, "", "", ":2}"), end(chat.ToolCalls)},
			`[{"type":"tool_use","id":"1","name":"f","input":{"x":1}},{"type":"tool_use","id":"2","name":"g","input":{"y":2}},{"type":"text","text":"a"}],"stop_reason":"tool_use","stop_sequence":null,` + used},
		{"a call that breaks off", []chat.Event{call(0, "1", "f", `{"x":"a\u4f`), end(chat.Length)}, `[{"type":"tool_use","id":"1","name":"f","input":{"x":"a\u4f00"}}],"stop_reason":"max_tokens","stop_sequence":null,` + used},
		{"arguments that are none", []chat.Event{call(0, "1", "f", `{x:1}`), end(chat.ToolCalls)}, ""},
		{"arguments that are no object", []chat.Event{call(0, "1", "f", `[1]`), end(chat.ToolCalls)}, ""},
		{"arguments that go on", []chat.Event{call(0, "1", "f", `{}`), {Text: "a"}, call(0, "", "", `{}`), end(chat.ToolCalls)}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			check(t, tt.events)
			_, body, err := told(tt.events)
			want := `{"id":"msg_1","type":"message","role":"assistant","model":"m","content":` + tt.want
			if tt.want == "" && err == nil || tt.want != "" && (err != nil || string(body) != want) {
				t.Errorf("got\n%s, %v\nwant\n%s", body, err, want)
			}
		})
	}
}

// However an answer is cut up, its stream adds up to the whole answer, one block
// open at a time, or both fail; and what is cut off from JSON is made whole.
func FuzzAnswer(f *testing.F) {
	for seed := range uint64(20) {
		f.Add(seed, "你好", `{"a":{"b":[1,-2.5e3,"\"\\\u4f60"]},"c":true,"d":null}`)
	}
	f.Add(uint64(1), "\n\ndata: x", `{"a" : {} } `)
	f.Add(uint64(1), "x", `[`)
	f.Fuzz(func(t *testing.T, seed uint64, text, arguments string) {
		r := rand.New(rand.NewPCG(seed, 0))
		arguments = strings.ToValidUTF8(arguments, "")
		text = strings.ToValidUTF8(text, "")
		if json.Valid([]byte(arguments)) && strings.HasPrefix(arguments, "{") {
			cut := r.IntN(len(arguments)) + 1
			if end, ok := closing(arguments[:cut]); !ok || !json.Valid([]byte(arguments[:cut]+end)) {
				t.Errorf("%q is not made whole", arguments[:cut])
			}
		}
		var lanes [][]chat.Event
		for i := range 1 + r.IntN(3) {
			var lane []chat.Event
			for _, piece := range chattest.Pieces(r, arguments) {
				lane = append(lane, chat.Event{ToolCall: &chat.ToolCallDelta{Index: i, Arguments: piece}})
			}
			if len(lane) > 0 {
				lane[0].ToolCall.ID, lane[0].ToolCall.Name = "id", "f"
			}
			lanes = append(lanes, lane)
		}
		var said []chat.Event
		for _, piece := range chattest.Pieces(r, text) {
			if r.IntN(2) == 0 {
				said = append(said, chat.Event{Text: piece})
			} else {
				said = append(said, chat.Event{Reasoning: piece})
			}
		}
		events := chattest.Mixed(r, append(lanes, said)...)
		check(t, append(events, chat.Event{Finish: chat.Stop}, chat.Event{Usage: &chat.Usage{}}))
	})
}

func TestErrors(t *testing.T) {
	for _, tt := range []struct {
		err    error
		status int
		want   string
	}{
		{chat.BadParam("max_tokens", "is missing"), 400, `{"type":"error","error":{"code":"invalid_value","message":"is missing","param":"max_tokens","type":"invalid_request_error"},"request_id":"req_1"}`},
		{chat.Unsupported("continue_final_message", "leave out 'tools'"), 400, `{"type":"error","error":{"code":"unsupported_parameter","message":"The last of 'messages' is the assistant's, so that the answer would go on with its text, and this model does that with plain text alone: end with a turn of the user, or leave out 'tools' and 'output_config'.","param":"messages","type":"invalid_request_error"},"request_id":"req_1"}`},
		{chat.Errorf(chat.Unauthenticated, "no key"), 401, `{"type":"error","error":{"message":"no key","type":"authentication_error"},"request_id":"req_1"}`},
		{chat.Errorf(chat.Forbidden, "no"), 403, `{"type":"error","error":{"message":"no","type":"permission_error"},"request_id":"req_1"}`},
		{&chat.Error{Kind: chat.NotFound, Code: chat.CodeModelNotFound, Msg: "which?"}, 404, `{"type":"error","error":{"code":"model_not_found","message":"which?","type":"not_found_error"},"request_id":"req_1"}`},
		{chat.Errorf(chat.TooLarge, "big"), 413, `{"type":"error","error":{"message":"big","type":"request_too_large"},"request_id":"req_1"}`},
		{chat.Errorf(chat.RateLimited, "slow"), 429, `{"type":"error","error":{"message":"slow","type":"rate_limit_error"},"request_id":"req_1"}`},
		{chat.Errorf(chat.Unavailable, "busy"), 503, `{"type":"error","error":{"message":"busy","type":"overloaded_error"},"request_id":"req_1"}`},
		{chat.Errorf(chat.BadBackend, "broke"), 502, `{"type":"error","error":{"message":"broke","type":"api_error"},"request_id":"req_1"}`},
		{chat.Errorf(chat.Timeout, "late"), 504, `{"type":"error","error":{"message":"late","type":"timeout_error"},"request_id":"req_1"}`},
		{errors.New(secret), 500, `{"type":"error","error":{"message":"internal error","type":"api_error"},"request_id":"req_1"}`},
	} {
		status, body := EncodeError(tt.err, "req_1")
		if status != tt.status || string(body) != tt.want {
			t.Errorf("%v\n got %d %s\nwant %d %s", tt.err, status, body, tt.status, tt.want)
		}
		if frame := string(ErrorFrame(tt.err, "req_1")); frame != "event: error\ndata: "+tt.want+"\n\n" {
			t.Errorf("the frame is %q", frame)
		}
	}
}
