package main

import (
	"iter"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"

	"bendi/chat"
	"bendi/chat/chattest"
	"bendi/filter"
	"bendi/filter/lexicon"
	"bendi/metrics"
	"bendi/router"
)

// A lexicon in the shadow changes nothing of an answer and counts what it would
// have found in the last turn and in the answer.
func TestShadow(t *testing.T) {
	l, err := lexicon.Read("new.txt", []byte("某某商城\n"), lexicon.Options{Category: "rivals", Level: 3})
	if err != nil {
		t.Fatal(err)
	}
	rules, err := filter.Compile([]*lexicon.Lexicon{l})
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	measured := metrics.NewGateway("1", nil)
	told := newFindings(slog.New(slog.NewTextHandler(&log, nil)), measured.Filter)
	route := func(script string) tower {
		r, err := router.New([]router.Offer{{ModelInfo: chat.ModelInfo{ID: "m"}, Model: chattest.Script(script)}}, "", nil)
		if err != nil {
			t.Fatal(err)
		}
		return shadow{r, "/v1/chat", judgeOf(rules, watching("default")), told}
	}
	chattest.Contract(t, route("某某\n商城\n好\n。\n"), ask)

	measured = metrics.NewGateway("1", nil)
	told = newFindings(slog.New(slog.NewTextHandler(&log, nil)), measured.Filter)
	req := &chat.Request{N: 1, Messages: []chat.Message{
		chat.TextMessage(chat.User, "某某商城"), chat.TextMessage(chat.Assistant, "某某商城"), chat.TextMessage(chat.User, "某某商城和某某商城"),
	}}
	text, err := collect(route("某某\n商城\n好\n。\n").Chat(t.Context(), req))
	if err != nil || text != "某某商城好。" {
		t.Errorf("the answer is %q, %v", text, err)
	}
	rec := httptest.NewRecorder()
	measured.Handler().ServeHTTP(rec, httptest.NewRequestWithContext(t.Context(), "GET", "/metrics", nil))
	for _, want := range []string{
		`bendi_filter_shadow_requests_total{direction="request",lexicon="new",route="/v1/chat"} 1`,
		`bendi_filter_shadow_requests_total{direction="answer",lexicon="new",route="/v1/chat"} 1`,
	} {
		if !strings.Contains(rec.Body.String(), want) {
			t.Errorf("%s is not in the metrics", want)
		}
	}
	told.close()
	if !strings.Contains(log.String(), "route=/v1/chat direction=answer lexicon=new times=1 of=1") || strings.Contains(log.String(), "商城") {
		t.Errorf("the log is %s", log.String())
	}
}

func collect(seq iter.Seq2[chat.Event, error]) (string, error) {
	var b strings.Builder
	for ev, err := range seq {
		if err != nil {
			return b.String(), err
		}
		b.WriteString(ev.Text)
	}
	return b.String(), nil
}
