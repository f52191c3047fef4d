package wire

import (
	"encoding/json"
	"errors"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"bendi/chat"
)

func TestPromptsThatAreRefused(t *testing.T) {
	for _, tt := range []struct{ body, param, want string }{
		{`{}`, "prompt", "'prompt' is missing; send a JSON object such as " + PromptExample + "."},
		{`{"prompt":""}`, "prompt", "'prompt' must not be empty: an empty text has nothing to be told by."},
		{`{"prompt":["` + secret + `",7]}`, "prompt[1]", "'prompt[1]' must be a string or an array of tokens, but is a number."},
		{`{"prompt":[-1]}`, "prompt[0]", "'prompt[0]' must be from 0 to 2147483647, but is -1."},
		{`{"prompt":"a","max_tokens":0}`, "max_tokens", "'max_tokens' must be from 1 to 2147483647, but is 0."},
		{`{"prompt":"a","logprobs":true}`, "logprobs", "'logprobs' must be an integer, but is a boolean."},
		{`{"prompt":"a","logprobs":1,"echo":true}`, "logprobs", "'logprobs' with 'echo' asks for those of the prompt, which are not computed here: leave out one of them."},
		{`{"prompt":["a","b"],"n":65}`, "n", "'n' is 65, and there are 2 prompts: that makes 130 choices, and at most 128 are allowed."},
		{`{"prompt":"a","best_of":2}`, "best_of", "'best_of' is 2 and 'n' is 1: there is no choosing among answers here, so leave it out or make it 'n'."},
		{`{"prompt":"a","tools":[]}`, "tools", "'tools' belong to a chat, and this asks for a text to be gone on with: send it to /chat/completions, or leave out 'prompt'."},
	} {
		call, err := DecodePrompts([]byte(tt.body))
		e, ok := errors.AsType[*chat.Error](err)
		if !ok || e.Kind != chat.Invalid || e.Msg != tt.want || e.Param != tt.param || strings.Contains(e.Error(), secret) {
			t.Errorf("%s\n got %+v, %v\nwant %s", tt.body, call, err, tt.want)
		}
	}
}

func TestPromptsThatAreTaken(t *testing.T) {
	call, err := DecodePrompts([]byte(`{"model":"m","prompt":[[1,2],[3]],"n":2,"suffix":"s","logprobs":0,"stop":"x","seed":7,"stream":true,"stream_options":{"include_usage":true},"user":"u","grammar":"root ::= \"a\""}`))
	if err != nil {
		t.Fatal(err)
	}
	want := chat.Request{
		Model: "m", N: 2, MaxTokens: maxTokensOfPrompt, Stop: []string{"x"}, LogProbs: true, Sampling: chat.Sampling{Seed: new(int64(7))},
		Format: &chat.Format{Type: "grammar", Grammar: `root ::= "a"`}, Extra: map[string]json.RawMessage{"user": json.RawMessage(`"u"`)},
	}
	if !call.Stream || !call.IncludeUsage || call.Echo || len(call.Requests) != 2 {
		t.Errorf("got %+v", call)
	}
	for i, tokens := range [][]int{{1, 2}, {3}} {
		want.Prompt = &chat.Prompt{Tokens: tokens, Suffix: "s"}
		if !reflect.DeepEqual(*call.Requests[i], want) {
			t.Errorf("got %+v, want %+v", call.Requests[i], want)
		}
	}
}

// What EncodePrompt writes, DecodePrompts reads; and whatever else is read is a
// request with a prompt, or a fault of the client's.
func FuzzDecodePrompts(f *testing.F) {
	for _, s := range []string{PromptExample, `{"prompt":[1,2],"suffix":"x","n":2}`, `{"prompt":["a",""]}`, `{"prompt":[[1],[2]],"logprobs":5,"temperature":0,"response_format":{"type":"json_object"}}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		call, err := DecodePrompts(text)
		if err != nil {
			if e, ok := errors.AsType[*chat.Error](err); !ok || e.Kind != chat.Invalid {
				t.Fatalf("%q: %v", text, err)
			}
			return
		}
		for _, req := range call.Requests {
			if req.Prompt == nil || req.Prompt.Text == "" && len(req.Prompt.Tokens) == 0 || req.MaxTokens < 1 {
				t.Fatalf("%q: %+v", text, req)
			}
			req.Session = "" // no backend is told
			body, err := EncodePrompt(req)
			if err != nil {
				t.Fatal(err)
			}
			again, err := DecodePrompts(body)
			if err != nil || len(again.Requests) != 1 || !reflect.DeepEqual(again.Requests[0], req) {
				t.Errorf("%q: %s became %+v, %v", text, body, again, err)
			}
		}
	})
}

// A streamed text adds up to the whole one, however it is cut up, and
// AppendTextChunk reads the events that were written.
func FuzzTextStream(f *testing.F) {
	for seed := range uint64(10) {
		f.Add(seed, "你好\n\ndata: x", "echo")
	}
	f.Fuzz(func(t *testing.T, seed uint64, text, echo string) {
		text, echo = strings.ToValidUTF8(text, ""), strings.ToValidUTF8(echo, "")
		r := rand.New(rand.NewPCG(seed, 0))
		echoes := []string{echo, echo}
		s := &TextStream{Head: Head{ID: "cmpl-1", Model: "m"}, IncludeUsage: true, Echo: echoes}
		whole := &TextCompletion{Head: s.Head, Echo: echoes}
		texts := []string{"", ""}
		var usage *chat.Usage
		play := func(ev chat.Event) {
			whole.Add(ev)
			for frame := range strings.SplitAfterSeq(string(s.Frames(ev)), "\n\n") {
				data, ok := strings.CutPrefix(strings.TrimSuffix(frame, "\n\n"), "data: ")
				if frame == "" {
					continue
				}
				events, err := AppendTextChunk(nil, []byte(data))
				if !ok || err != nil {
					t.Fatalf("%q: %v", frame, err)
				}
				for _, got := range events {
					texts[got.Choice] += got.Text
					if got.Finish != "" && got.Stopped != "END" {
						t.Errorf("the end is %+v", got)
					}
					if got.Usage != nil {
						usage = got.Usage
					}
				}
			}
		}
		rest := []string{text, text}
		for rest[0] != "" || rest[1] != "" {
			c := r.IntN(2)
			runes := []rune(rest[c])
			n := r.IntN(len(runes) + 1)
			piece := string(runes[:n])
			rest[c] = string(runes[n:])
			ev := chat.Event{Choice: c, Text: piece}
			if piece != "" {
				ev.LogProbs = []chat.TokenLogProbs{{TokenLogProb: chat.TokenLogProb{Token: piece, LogProb: -1}}}
			}
			play(ev)
		}
		play(chat.Event{Choice: 1, Finish: chat.Stop, Stopped: "END"})
		play(chat.Event{Choice: 0, Finish: chat.Stop, Stopped: "END", Usage: &chat.Usage{PromptTokens: 3}})
		body, err := whole.Encode()
		if err != nil {
			t.Fatal(err)
		}
		var answer struct {
			Choices []struct {
				Text     string
				LogProbs *textLogs
			}
		}
		if err := json.Unmarshal(body, &answer); err != nil || len(answer.Choices) != 2 {
			t.Fatalf("%s: %v", body, err)
		}
		for i, c := range answer.Choices {
			if c.Text != echo+text || texts[i] != c.Text || usage == nil || usage.PromptTokens != 3 {
				t.Errorf("choice %d is %q whole and %q streamed, want %q", i, c.Text, texts[i], echo+text)
			}
			if (c.LogProbs == nil) != (text == "") || c.LogProbs != nil && strings.Join(c.LogProbs.Tokens, "") != text {
				t.Errorf("choice %d has the tokens %+v", i, c.LogProbs)
			}
		}
	})
}
