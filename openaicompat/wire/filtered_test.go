package wire

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"bendi/chat"
)

var (
	masked = &chat.Filtered{Action: "mask", Rules: []string{"pii.phone", "starter:7"}, Categories: []string{"fraud", "pii.phone"}, Level: 2, Show: true}
	mark   = &chat.AIGC{Label: "1", ContentProducer: "91X", ProduceID: "chatcmpl-1", ContentPropagator: "91X", PropagateID: "chatcmpl-1"}
	cutOff = &chat.Filtered{Answer: true, Action: "block", Rules: []string{"starter:9"}, Categories: []string{"violence"}, Level: 3, Show: true}
)

func TestFilterHeader(t *testing.T) {
	tests := []struct {
		request, answer *chat.Filtered
		want            string
	}{
		{nil, nil, ""},
		{&chat.Filtered{}, nil, ""},
		{masked, nil, "request=mask;rules=2"},
		{nil, cutOff, "answer=block;rules=1"},
		{masked, cutOff, "request=mask;rules=2, answer=block;rules=1"},
	}
	for _, tt := range tests {
		if got := FilterHeader(tt.request, tt.answer); got != tt.want {
			t.Errorf("got %q, want %q", got, tt.want)
		}
	}
}

// A blocked request is told by the ids of rules, and survives the wire.
func TestBlockedRequest(t *testing.T) {
	err := &chat.Error{Kind: chat.Invalid, Code: chat.CodeContentFilter, Param: "messages[0].content", Msg: "no",
		Filtered: &chat.Filtered{Action: "block", Rules: []string{"a:1"}, Categories: []string{"fraud"}, Level: 3}}
	status, body := EncodeError(err, "req_1")
	want := `{"error":{"message":"no","type":"invalid_request_error","param":"messages[0].content","code":"content_filter",` +
		`"innererror":{"code":"policy_block","rule_ids":["a:1"],"categories":["fraud"],"level":3,"request_id":"req_1"}}}`
	if status != 400 || string(body) != want {
		t.Errorf("got %d %s\nwant %s", status, body, want)
	}
	if got := DecodeError(status, body); !reflect.DeepEqual(got, err) {
		t.Errorf("read back %+v %+v", got, got.Filtered)
	}
	azure := `{"error":{"message":"no","type":null,"param":"prompt","code":"content_filter","status":400,"innererror":{"code":"ResponsibleAIPolicyViolation","content_filter_result":{"hate":{"filtered":true,"severity":"high"}}}}}`
	if got := DecodeError(400, []byte(azure)); got.Code != chat.CodeContentFilter || got.Kind != chat.Invalid || got.Filtered != nil {
		t.Errorf("Azure's is read as %+v", got)
	}
}

// What the filter did is on the chunk that it is about, at the choice's end at
// the latest, and only where the operator lets it be seen.
func TestFilteredStream(t *testing.T) {
	shown, hidden := []bool{true, false}, 0
	for _, show := range shown {
		request, answer := *masked, *cutOff
		request.Show, answer.Show = show, show
		s := &Stream{Head: Head{ID: "chatcmpl-1", Model: "m"}}
		var got []map[string]any
		for _, ev := range []chat.Event{
			{Backend: "local", Filtered: &request},
			{Text: "a"},
			{Filtered: &answer},
			{Finish: chat.ContentFilter},
			{Usage: &chat.Usage{PromptTokens: 1}, AIGC: mark},
		} {
			for frame := range strings.SplitSeq(strings.TrimSuffix(string(s.Frames(ev)), "\n\n"), "\n\n") {
				if frame == "" {
					continue
				}
				var chunk map[string]any
				if err := json.Unmarshal([]byte(strings.TrimPrefix(frame, "data: ")), &chunk); err != nil {
					t.Fatal(err)
				}
				got = append(got, chunk)
			}
		}
		if len(got) != 4 {
			t.Fatalf("%d chunks: %v", len(got), got)
		}
		prompt, _ := json.Marshal(got[0]["prompt_filter_results"])
		last := got[2]["choices"].([]any)[0].(map[string]any)
		results, _ := json.Marshal(last["content_filter_results"])
		label, _ := json.Marshal(got[3]["AIGC"])
		if after := got[3]["choices"].([]any)[0].(map[string]any); after["finish_reason"] != nil {
			t.Errorf("the mark ends the choice again: %v", after)
		}
		if last["finish_reason"] != "content_filter" {
			t.Errorf("the choice ends with %v", last)
		}
		if want := `{"ContentProducer":"91X","ContentPropagator":"91X","Label":"1","ProduceID":"chatcmpl-1","PropagateID":"chatcmpl-1","ReservedCode1":"","ReservedCode2":""}`; string(label) != want {
			t.Errorf("the label is %s", label)
		}
		wantPrompt, wantResults := `null`, `null`
		if show {
			wantPrompt = `[{"content_filter_results":{"fraud":{"action":"mask","detected":true,"filtered":false},"pii.phone":{"action":"mask","detected":true,"filtered":false}},"prompt_index":0}]`
			wantResults = `{"violence":{"action":"block","detected":true,"filtered":true}}`
		} else {
			hidden++
		}
		if string(prompt) != wantPrompt || string(results) != wantResults {
			t.Errorf("shown %v: of the request %s, of the answer %s", show, prompt, results)
		}
	}
	if hidden != 1 {
		t.Error("nothing was hidden")
	}
}

func TestFilteredCompletion(t *testing.T) {
	c := &Completion{Head: Head{ID: "chatcmpl-1", Model: "m"}}
	for _, ev := range []chat.Event{
		{Filtered: masked}, {Text: "a"}, {Choice: 1, Text: "b"},
		{Choice: 1, Filtered: &chat.Filtered{Answer: true, Action: "log", Rules: []string{"a:1", "a:2"}, Categories: []string{"fraud"}, Level: 1}},
		{Finish: chat.ContentFilter, Filtered: cutOff},
		{Choice: 1, Finish: chat.Stop},
		{Usage: &chat.Usage{}, AIGC: mark},
	} {
		c.Add(ev)
	}
	if request, answer := c.Filtered(); request != masked || answer != cutOff {
		t.Errorf("it was told of %+v and %+v", request, answer)
	}
	body, err := c.Encode()
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{
		`"finish_reason":"content_filter","content_filter_results":{"violence":{"filtered":true,"detected":true,"action":"block"}}}`,
		`{"index":1,"message":{"role":"assistant","content":"b","refusal":null},"logprobs":null,"finish_reason":"stop"}]`,
		`"prompt_filter_results":[{"prompt_index":0,`,
		`"AIGC":{"Label":"1","ContentProducer":"91X","ProduceID":"chatcmpl-1",`,
	} {
		if !strings.Contains(string(body), part) {
			t.Errorf("%s is not in %s", part, body)
		}
	}
}

// With the usage, the mark is on the last chunk.
func TestMarkWithUsage(t *testing.T) {
	s := &Stream{IncludeUsage: true}
	frames := string(s.Frames(chat.Event{Usage: &chat.Usage{}, AIGC: mark}))
	if strings.Count(frames, "data: ") != 1 || !strings.Contains(frames, `"choices":[],"AIGC":{"Label":"1",`) {
		t.Errorf("got %s", frames)
	}
}

// A remote backend may end a choice with its own filter.
func TestContentFilterOfABackend(t *testing.T) {
	evs, err := new(Chunks).Append(nil, []byte(`{"choices":[{"index":0,"delta":{},"finish_reason":"content_filter","content_filter_results":{"hate":{"filtered":true,"severity":"high"}}}]}`))
	if err != nil || len(evs) != 1 || evs[0].Finish != chat.ContentFilter {
		t.Errorf("read %+v, %v", evs, err)
	}
	evs, err = new(Chunks).Append(nil, []byte(`{"choices":[],"prompt_filter_results":[{"prompt_index":0,"content_filter_results":{}}]}`))
	if err != nil || len(evs) != 0 {
		t.Errorf("read %+v, %v", evs, err)
	}
}

func TestDecodeModeration(t *testing.T) {
	tests := []struct {
		body  string
		want  []string
		param string // of the error
	}{
		{`{"input":"一"}`, []string{"一"}, ""},
		{`{"input":""}`, []string{""}, ""},
		{`{"model":"omni-moderation-latest","input":["一","","二"]}`, []string{"一", "", "二"}, ""},
		{`{"input":[{"type":"text","text":"一"},{"type":"text","text":"二"}]}`, []string{"一二"}, ""},
		{`{}`, nil, "input"},
		{`{"input":[]}`, nil, "input"},
		{`{"input":7}`, nil, "input"},
		{`{"input":["一",{"type":"text","text":"二"}]}`, nil, "input[1]"},
		{`{"input":[{"type":"image_url","image_url":{"url":"x"}}]}`, nil, "input[0].type"},
		{`{"input":[{"type":"text"}]}`, nil, "input[0].text"},
		{`{"input":"\u0000"}`, nil, "input"},
	}
	for _, tt := range tests {
		got, err := DecodeModeration([]byte(tt.body))
		if tt.param != "" {
			if e, ok := err.(*chat.Error); !ok || e.Param != tt.param || e.Kind != chat.Invalid {
				t.Errorf("%s: %v, want an error of %s", tt.body, err, tt.param)
			}
			continue
		}
		if err != nil || !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: %q, %v", tt.body, got, err)
		}
	}
	many := `{"input":[""` + strings.Repeat(`,""`, MaxInputs) + `]}`
	if _, err := DecodeModeration([]byte(many)); err == nil || !strings.Contains(err.Error(), "2049") {
		t.Errorf("too many: %v", err)
	}
}

func TestEncodeModeration(t *testing.T) {
	body, err := EncodeModeration("modr-1", "bendi-lexicon 3", []string{"gambling", "violence"}, []Judgement{
		{Flagged: true, Categories: map[string]bool{"violence": true, "pii.phone": true}, Scores: map[string]float64{"violence": 1, "pii.phone": 0.5}}, {},
	})
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		ID, Model string
		Results   []struct {
			Flagged    bool
			Categories map[string]bool
			Scores     map[string]float64  `json:"category_scores"`
			Types      map[string][]string `json:"category_applied_input_types"`
		}
	}
	if err := json.Unmarshal(body, &got); err != nil {
		t.Fatal(err)
	}
	for i, r := range got.Results {
		for _, key := range append([]string{"gambling"}, openAICategories...) {
			if _, ok := r.Categories[key]; !ok || len(r.Types[key]) != 1 {
				t.Errorf("result %d has no %s: %s", i, key, body)
			}
		}
	}
	a, b := got.Results[0], got.Results[1]
	if !a.Flagged || !a.Categories["violence"] || a.Scores["pii.phone"] != 0.5 || a.Categories["hate"] || b.Flagged || b.Categories["violence"] {
		t.Errorf("got %s", body)
	}
}

// Whatever a body holds, it is read as texts or refused by a *chat.Error that
// is the client's fault.
func FuzzDecodeModeration(f *testing.F) {
	for _, body := range []string{`{"input":"一"}`, `{"input":["一","二"]}`, `{"input":[{"type":"text","text":"一"}]}`, `{"input":[{"type":"image_url"}]}`, `{"input":[[]]}`, `[]`, ``} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		texts, err := DecodeModeration(body)
		if err == nil && len(texts) == 0 {
			t.Error("nothing to judge, and no error")
		}
		if err != nil {
			if e, ok := err.(*chat.Error); !ok || e.Kind != chat.Invalid {
				t.Errorf("%T %v", err, err)
			}
		}
	})
}
