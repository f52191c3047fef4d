package wire

import (
	"encoding/json"
	"reflect"
	"testing"

	"bendi/chat"
)

// What scanAnswer reads, encoding/json reads the same.
func FuzzScanAnswer(f *testing.F) {
	for _, s := range []string{
		`{"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"content":"你好"},"logprobs":null,"finish_reason":null}]}`,
		`{"choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}],"usage":null}`,
		`{"choices":[{"index":1,"delta":{"content":"a\n\"\u4f60\ud83d\ude00\ud83d x"},"finish_reason":"stop"}]}`,
		`{"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2,"prompt_tokens_details":{"cached_tokens":1}}}`,
		`{"choices":[{"index":0,"message":{"role":"assistant","content":"x","refusal":null,"tool_calls":null},"finish_reason":"length"}],"usage":{"completion_tokens":2}}`,
		`{"choices":[{"delta":{"reasoning":"r","Content":"C"}}]}`,
		`{"choices":[{"delta":{"content":"a","content":"b"}}], "x":[1,-0.5e+3,{"y":[true,false,null]}]}`,
		`{"choices":[{"index":01,"delta":{}}]}`, `{"choices":[{"delta":{"content":"` + "\xff" + `"}}]} `, `{"error":{"message":"no"}}`,
		`{"choices":[{"index":0,"delta":{"content":"x"},"finish_reason":"error"}]}`, `{"choices":null}`, `{"a":"\u12"}`, `{"choices":[{"delta":null}]}`,
		`{"choices":[{"delta":{"reasoning_content":"","reasoning":"x"}}]}`, `{"a":1.}`, `{"a":-}`, `{"a":1e}`, `{,}`, `{"a":1,}`, `{"choices":[{},]}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for said, piece := range map[string]func(*answerChoice) json.RawMessage{
			"delta":   func(c *answerChoice) json.RawMessage { return c.Delta },
			"message": func(c *answerChoice) json.RawMessage { return c.Message },
		} {
			got, ok := scanAnswer(nil, data, said)
			if !ok {
				continue
			}
			want, err := decodeAnswer(nil, data, piece)
			if err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("%s %q\nscanned:  %+v\nexpected: %+v, %v", said, data, got, want, err)
			}
		}
	})
}

// What was read of one chunk does not change what is read of the next.
func FuzzChunks(f *testing.F) {
	const a = `{"id":"c","choices":[{"index":0,"delta":{"content":"你好"},"finish_reason":null}]}`
	for _, s := range []string{
		`{"id":"c","choices":[{"index":0,"delta":{"content":""},"finish_reason":null}]}`,
		`{"id":"c","choices":[{"index":0,"delta":{"content":"\u4f60\"x"},"finish_reason":null}]}`,
		`{"id":"c","choices":[{"index":0,"delta":{"content":null},"finish_reason":null}]}`,
		`{"id":"c","choices":[{"index":0,"delta":{"content":"x"},"finish_reason":"stop"}]}`,
		`{"id":"c","choices":[{"index":0,"delta":{"content":"x","content":"y"},"finish_reason":null}]}`,
		`{"id":"c","choices":[{"index":0,"delta":{"content":"` + "\xff" + `"},"finish_reason":null}]}`,
		`{"id":"c","choices":[{"index":0,"delta":{"content":"x"},"finish_reason":null}]} x`,
		`{"choices":[{"index":1,"delta":{"content":"","reasoning":"r"}}]}`, `{"choices":[{"delta":{"refusal":"r","role":"x"}}]}`,
	} {
		f.Add([]byte(a), []byte(s))
		f.Add([]byte(s), []byte(s))
	}
	f.Fuzz(func(t *testing.T, first, second []byte) {
		var c Chunks
		for _, data := range [][]byte{first, second, first} {
			got, err := c.Append(nil, data)
			want, wantErr := decodeAnswer(nil, data, func(c *answerChoice) json.RawMessage { return c.Delta })
			if (err == nil) != (wantErr == nil) || err == nil && !reflect.DeepEqual(got, want) {
				t.Errorf("%q, after %q\nread:     %+v, %v\nexpected: %+v, %v", data, first, got, err, want, wantErr)
			}
		}
	})
}

// What is read of a usage, encoding/json reads the same.
func FuzzScanUsage(f *testing.F) {
	for _, s := range []string{
		`{"prompt_tokens":20,"completion_tokens":64,"total_tokens":84}`, `{"prompt_tokens":null,"completion_tokens": 0 ,"x":[{}]}`, `{}`,
		`{"prompt_tokens":1,"prompt_tokens_details":{"cached_tokens":3,"y":null},"completion_tokens_details":{"reasoning_tokens":1},"prompt_tokens":2}`,
		`{"prompt_tokens_details":null,"completion_tokens_details":{}}`, `{"prompt_tokens":01}`, `{"prompt_tokens":-1}`, `{"completion_tokens":99999999999999}`,
		`{"prompt_tokens":1e3}`, `{"Prompt_tokens":1}`, `{"prompt_tokens":1234567890123456789}`, `{"prompt_tokens":"1"}`, `{"prompt_tokens_details":[]}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var got, want usageBody
		if s := (scan{b: data}); !s.usage(&got) || !s.ended() {
			return
		}
		if err := json.Unmarshal(data, &want); err != nil || got != want {
			t.Errorf("%q\nscanned:  %+v\nexpected: %+v, %v", data, got, want, err)
		}
	})
}

// The shapes that servers send are those that are scanned.
func TestCommonChunksAreScanned(t *testing.T) {
	for _, s := range []string{
		`{"id":"c","object":"chat.completion.chunk","created":1,"model":"m","system_fingerprint":"fp","choices":[{"index":0,"delta":{"content":"你好"},"logprobs":null,"finish_reason":null}]}`,
		`{"id":"c","choices":[{"delta":{"role":"assistant","content":null,"function_call":null,"tool_calls":null},"finish_reason":null,"index":0,"logprobs":null,"matched_stop":null}],"usage":null}`,
		`{"choices":[{"index":0,"delta":{},"finish_reason":"stop","stop_reason":null}],"timings":{"prompt_n":3,"prompt_ms":1.5}}`,
		`{"choices":[{"index":0,"delta":{"reasoning_content":"hm\n"}}]}`,
	} {
		if _, ok := scanAnswer(nil, []byte(s), "delta"); !ok {
			t.Errorf("not scanned: %s", s)
		}
	}
}

func BenchmarkChunks(b *testing.B) {
	data := []byte(`{"id":"chatcmpl-b3f1c9","object":"chat.completion.chunk","created":1764000000,"model":"m","system_fingerprint":"fp_44709d","choices":[{"index":0,"delta":{"content":"你好"},"logprobs":null,"finish_reason":null}]}`)
	var events []chat.Event
	var chunks Chunks
	b.ReportAllocs()
	for b.Loop() {
		events, _ = chunks.Append(events[:0], data)
	}
	if len(events) != 1 {
		b.Fatal(events)
	}
}
