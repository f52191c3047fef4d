package filter

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"bendi/chat"
	"bendi/chat/chattest"
)

func TestParseOpinions(t *testing.T) {
	tests := []struct {
		style  OpinionStyle
		answer string
		want   judgement
		ok     bool
	}{
		{AskGuard, "Safety: Safe\nCategories: None\nRefusal: No", judgement{}, true},
		{AskGuard, "Safety: Unsafe\nCategories: Violent, PII\n", judgement{unsafe: true, categories: []string{"Violent", "PII"}}, true},
		{AskGuard, "safety:controversial\ncategories: Politically Sensitive Topics", judgement{unsure: true, categories: []string{"Politically Sensitive Topics"}}, true},
		{AskGuard, "Safety: perhaps", judgement{}, false},
		{AskGuard, "", judgement{}, false},
		{AskGuard, "I think it is safe.", judgement{}, false},
		{AskYesNo, "Yes.", judgement{unsafe: true}, true},
		{AskYesNo, " no", judgement{}, true},
		{AskYesNo, "**是**", judgement{unsafe: true}, true},
		{AskYesNo, "不是。", judgement{}, true},
		{AskYesNo, "nothing of the kind", judgement{}, false},
		{AskYesNo, "maybe", judgement{}, false},
	}
	for _, tt := range tests {
		parse := parseGuard
		if tt.style == AskYesNo {
			parse = parseYesNo
		}
		got, err := parse(tt.answer)
		if !reflect.DeepEqual(got, tt.want) || (err == nil) != tt.ok {
			t.Errorf("%q: %+v, %v; want %+v, read %v", tt.answer, got, err, tt.want, tt.ok)
		}
		if err != nil && len(tt.answer) > 9 && strings.Contains(err.Error(), tt.answer) {
			t.Errorf("the error tells what a model said: %v", err)
		}
	}
}

// doubts thinks that a text with 坏 is unsafe, and that one with 怪 may be. One
// with 慢 it never makes up its mind about.
func doubts(asked *[]string) stub {
	var mu sync.Mutex
	return func(ctx context.Context, req *chat.Request, yield func(chat.Event, error) bool) {
		var said []string
		for _, m := range req.Messages {
			said = append(said, string(m.Role)+" "+m.Text())
		}
		mu.Lock()
		*asked = append(*asked, strings.Join(said, "|"))
		mu.Unlock()
		last := req.Messages[len(req.Messages)-1].Text()
		out := "Safety: Safe"
		switch {
		case strings.Contains(last, "坏"):
			out = "Safety: Unsafe\nCategories: Violent"
		case strings.Contains(last, "怪"):
			out = "Safety: Controversial\nCategories: Unethical Acts"
		case strings.Contains(last, "慢"):
			<-ctx.Done()
			yield(chat.Event{}, context.Cause(ctx))
			return
		}
		play(append([]chat.Event{{Text: out}}, theEnd...)...)(ctx, req, yield)
	}
}

func TestSecondOpinions(t *testing.T) {
	tests := []struct {
		name    string
		opinion Opinion
		ask     string
		script  string
		text    string // of the answer
		finish  chat.Finish
		asked   []string
		found   []string // category and action
	}{
		{"about a request", Opinion{Mode: FullOpinion, Request: true}, "坏", "x\n", "", "", []string{"user 坏"}, []string{"second.violent block"}},
		{"about a harmless one", Opinion{Mode: FullOpinion, Request: true}, "好", "x\n", "x", chat.Stop, []string{"user 好"}, nil},
		{"controversial", Opinion{Mode: FullOpinion, Request: true}, "怪", "x\n", "x", chat.Stop, []string{"user 怪"}, []string{"second.unethical-acts review"}},
		{"by our names", Opinion{Mode: FullOpinion, Request: true, Unsafe: Log, Categories: map[string]string{"Violent": "violence"}}, "坏", "x\n", "x", chat.Stop, []string{"user 坏"}, []string{"violence log"}},
		{"sentence by sentence", Opinion{Mode: SentenceOpinion, Answer: true}, "hi", "一句。\n二坏\n句。三\n", "一句。", chat.ContentFilter, []string{"user hi|assistant 一句。", "user hi|assistant 一句。二坏句。"}, []string{"second.violent block"}},
		{"whole", Opinion{Mode: FullOpinion, Answer: true}, "hi", "一句。\n二坏\n", "", chat.ContentFilter, []string{"user hi|assistant 一句。二坏"}, []string{"second.violent block"}},
		{"whole and harmless", Opinion{Mode: FullOpinion, Answer: true}, "hi", "一句。\n二\n", "一句。二", chat.Stop, []string{"user hi|assistant 一句。二"}, nil},
		{"nobody waits", Opinion{Mode: Observe, Request: true, Answer: true}, "坏", "坏\n", "坏", chat.Stop, nil, []string{"second.violent review", "second.violent review"}},
		{"late, and closed", Opinion{Mode: FullOpinion, Request: true, Timeout: time.Second}, "慢", "x\n", "", "", []string{"user 慢"}, []string{"second.failed block"}},
		{"late, and open", Opinion{Mode: FullOpinion, Request: true, Timeout: time.Second, FailOpen: true}, "慢", "x\n", "x", chat.Stop, []string{"user 慢"}, []string{"second.failed log"}},
		{"late about an answer", Opinion{Mode: SentenceOpinion, Answer: true, Timeout: time.Second}, "hi", "一。慢。\n", "", chat.ContentFilter, []string{"user hi|assistant 一。慢。"}, []string{"second.failed block"}},
		{"yes or no", Opinion{Mode: FullOpinion, Request: true, Style: AskYesNo, Prompt: "坏? {{text}}", FailOpen: true}, "x", "x\n", "x", chat.Stop, []string{"user 坏? x"}, []string{"second.failed log"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var asked []string
				w := guard(chattest.Script(tt.script), func(o *Options) {
					o.Second, o.Policy.Second = doubts(&asked), tt.opinion
				})
				a, err := listen(t, w, ask(tt.ask))
				w.Wait()
				if tt.finish == "" {
					if e, ok := errors.AsType[*chat.Error](err); !ok || e.Code != chat.CodeContentFilter || e.Param != "messages[0].content" {
						t.Errorf("the error is %v", err)
					}
				} else if err != nil || a.text[0] != tt.text || a.finish[0] != tt.finish {
					t.Errorf("got %q (%s), %v; want %q (%s)", a.text[0], a.finish[0], err, tt.text, tt.finish)
				}
				if tt.asked != nil && !slices.Equal(asked, tt.asked) {
					t.Errorf("asked %q, want %q", asked, tt.asked)
				}
				var found []string
				for _, f := range w.found {
					found = append(found, f.Category+" "+f.Action.String())
					if f.Rule != "second" || f.Field == "" || f.Policy != "test" || strings.Contains(f.Note, tt.ask) && tt.ask != "x" {
						t.Errorf("finding %+v", f)
					}
				}
				if !slices.Equal(found, tt.found) {
					t.Errorf("found %q, want %q", found, tt.found)
				}
			})
		})
	}
}

// What a second opinion holds up is told with the rest.
func TestOpinionsAreTold(t *testing.T) {
	var asked []string
	w := guard(chattest.Script("怪abc。\n"), func(o *Options) {
		o.Second, o.Policy.Second = doubts(&asked), Opinion{Mode: SentenceOpinion, Answer: true, Request: true}
	})
	a, err := listen(t, w, ask("怪"))
	if err != nil {
		t.Fatal(err)
	}
	if a.request == nil || !slices.Equal(a.request.Categories, []string{"second.unethical-acts"}) || a.request.Action != "review" {
		t.Errorf("of the request it tells %+v", a.request)
	}
	if a.answer == nil || !slices.Equal(a.answer.Categories, []string{"mask", "second.unethical-acts"}) || a.answer.Action != "mask" {
		t.Errorf("of the answer it tells %+v", a.answer)
	}
}

// So many opinions that nobody waits for are too many.
func TestOpinionsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked []string
		w := guard(chattest.Script("x\n"), func(o *Options) {
			o.Second, o.Policy.Second = doubts(&asked), Opinion{Mode: Observe, Request: true, Timeout: time.Hour}
		})
		for range mostOpinions + 1 {
			if _, err := listen(t, w, ask("慢")); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		w.mu.Lock()
		if len(w.found) != 1 || !strings.Contains(w.found[0].Note, "8 opinions") {
			t.Errorf("findings %+v", w.found)
		}
		w.mu.Unlock()
		w.Wait()
	})
}
