package openaicompat_test

import (
	"context"
	"encoding/json"
	"io"
	"iter"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"bendi/chat"
	"bendi/openaicompat"
	"bendi/openaicompat/wire"
)

// A filtering model refuses requests, or cuts its answer off.
type filtering struct{ refuses bool }

func (f filtering) Chat(ctx context.Context, req *chat.Request) iter.Seq2[chat.Event, error] {
	if f.refuses {
		return chat.Fail(&chat.Error{Kind: chat.Invalid, Code: chat.CodeContentFilter, Param: "messages[0].content", Msg: "no",
			Filtered: &chat.Filtered{Action: "block", Rules: []string{"a:1"}, Categories: []string{"fraud"}, Level: 3}})
	}
	return func(yield func(chat.Event, error) bool) {
		for _, ev := range []chat.Event{
			{Backend: "engine-1", Filtered: &chat.Filtered{Action: "mask", Rules: []string{"a:2", "a:3"}, Categories: []string{"fraud"}, Level: 2}},
			{Text: "safe"},
			{Finish: chat.ContentFilter, Filtered: &chat.Filtered{Answer: true, Action: "block", Rules: []string{"a:4"}, Categories: []string{"violence"}, Level: 3}},
			{Usage: &chat.Usage{PromptTokens: 3, CompletionTokens: 1}, AIGC: &chat.AIGC{Label: "1"}},
		} {
			if !yield(ev, nil) {
				return
			}
		}
	}
}

func (filtering) Moderate(ctx context.Context, texts []string) (string, []string, []wire.Judgement, error) {
	results := make([]wire.Judgement, len(texts))
	for i, text := range texts {
		if strings.Contains(text, "赌") {
			results[i] = wire.Judgement{Flagged: true, Categories: map[string]bool{"gambling": true}, Scores: map[string]float64{"gambling": 1}}
		}
	}
	return "bendi-lexicon 1", []string{"gambling"}, results, nil
}

// asked posts a body and returns the response with its body, and the log.
func asked(t *testing.T, rt openaicompat.Route, path, body string) (*http.Response, string, string) {
	t.Helper()
	var log strings.Builder
	rt.Path = "/v1/chat"
	srv := httptest.NewServer(openaicompat.New(openaicompat.Options{
		Routes: []openaicompat.Route{rt}, Log: slog.New(slog.NewTextHandler(&log, nil)),
	}))
	defer srv.Close()
	res, err := http.Post(srv.URL+path, "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	srv.Close() // the log is whole then
	return res, string(text), log.String()
}

// A request that the filter refuses is 400, as a stream as well: a client must
// not try again.
func TestBlockedRequest(t *testing.T) {
	for _, stream := range []string{"", `"stream":true,`} {
		res, body, log := asked(t, openaicompat.Route{Model: filtering{refuses: true}}, "/v1/chat", `{`+stream+`"messages":[{"role":"user","content":"x"}]}`)
		var got struct {
			Error struct {
				Code, Param, Type string
				Inner             struct {
					Code    string
					Request string `json:"request_id"`
				} `json:"innererror"`
			}
		}
		if err := json.Unmarshal([]byte(body), &got); err != nil {
			t.Fatalf("%v: %s", err, body)
		}
		e := got.Error
		if res.StatusCode != 400 || e.Code != "content_filter" || e.Param != "messages[0].content" || e.Type != "invalid_request_error" ||
			e.Inner.Code != "policy_block" || e.Inner.Request != res.Header.Get("X-Request-Id") || res.Header.Get("X-Bendi-Filter") != "request=block;rules=1" {
			t.Errorf("%d %v %s", res.StatusCode, res.Header, body)
		}
		if !strings.Contains(log, `filter="request=block;rules=1"`) {
			t.Errorf("the log is %s", log)
		}
	}
}

// An answer that is cut off in the middle is a whole one: it ends with its
// reason, the usage and [DONE].
func TestCutOffAnswer(t *testing.T) {
	rt := openaicompat.Route{Model: filtering{}}
	res, body, log := asked(t, rt, "/v1/chat", `{"messages":[{"role":"user","content":"x"}]}`)
	const both = "request=mask;rules=2, answer=block;rules=1"
	if res.StatusCode != 200 || res.Header.Get("X-Bendi-Filter") != both || !strings.Contains(body, `"finish_reason":"content_filter"`) || !strings.Contains(body, `"AIGC":`) {
		t.Errorf("%d %v %s", res.StatusCode, res.Header, body)
	}
	if !strings.Contains(log, `filter="`+both+`"`) {
		t.Errorf("the log is %s", log)
	}
	res, body, _ = asked(t, rt, "/v1/chat", `{"stream":true,"stream_options":{"include_usage":true},"messages":[{"role":"user","content":"x"}]}`)
	finish, usage, done := strings.Index(body, `"finish_reason":"content_filter"`), strings.Index(body, `"prompt_tokens":3`), strings.Index(body, "[DONE]")
	if res.Header.Get("X-Bendi-Filter") != "request=mask;rules=2" || finish < 0 || usage < finish || done < usage {
		t.Errorf("%v %s", res.Header, body)
	}
}

func TestModerations(t *testing.T) {
	rt := openaicompat.Route{Model: filtering{}, Moderator: filtering{}}
	for _, path := range []string{"/v1/moderations", "/v1/chat/moderations"} {
		res, body, _ := asked(t, rt, path, `{"model":"omni-moderation-latest","input":["你好","赌博"]}`)
		var got struct {
			ID, Model string
			Results   []struct {
				Flagged    bool
				Categories map[string]bool
			}
		}
		if err := json.Unmarshal([]byte(body), &got); err != nil {
			t.Fatalf("%v: %s", err, body)
		}
		if res.StatusCode != 200 || !strings.HasPrefix(got.ID, "modr-") || got.Model != "bendi-lexicon 1" || len(got.Results) != 2 ||
			got.Results[0].Flagged || !got.Results[1].Flagged || !got.Results[1].Categories["gambling"] || len(got.Results[0].Categories) != 14 {
			t.Errorf("%s: %d %s", path, res.StatusCode, body)
		}
	}
	if res, body, _ := asked(t, rt, "/v1/moderations", `{"input":7}`); res.StatusCode != 400 {
		t.Errorf("%d %s", res.StatusCode, body)
	}
	rt.Moderator = nil
	if res, body, _ := asked(t, rt, "/v1/moderations", `{"input":"x"}`); res.StatusCode != 404 {
		t.Errorf("without a filter: %d %s", res.StatusCode, body)
	}
}
