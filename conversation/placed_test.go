package conversation_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"bendi/chat"
	"bendi/conversation"
	"bendi/conversation/storetest"
)

// placed is a request that names its place.
func placed(session string, turn chat.Turn, texts ...string) *chat.Request {
	req := ask(session, texts...)
	req.Turn = &turn
	return req
}

// A request with a place goes on from the turn that it names, whichever came
// later; nothing is merged, and what holds for one turn alone is not kept.
func TestPlaces(t *testing.T) {
	store := new(storetest.Store)
	memory := conversation.New(conversation.Options{Store: store})
	m := &model{}
	r := memory.Remember(m, conversation.Policy{}, nil)
	steps := []struct {
		title string
		req   *chat.Request
		want  string // what the model sees; or the code of an error
	}{
		{"a beginning", placed("s", chat.Turn{ID: "a"}, "one"), "one"},
		{"the next", placed("s", chat.Turn{ID: "b", Parent: "a"}, "two"), "one answer1 two"},
		{"a branch", placed("s", chat.Turn{ID: "c", Parent: "a", Branch: true}, "one"), "one answer1 one"},
		{"the next of it", placed("s", chat.Turn{ID: "d", Parent: "c", Branch: true, Front: 1}, "be brief", "three"), "be brief one answer1 one answer3 three"},
		{"what is not kept", placed("s", chat.Turn{ID: "e", Parent: "d", Forget: true}, "four"), "one answer1 one answer3 three answer4 four"},
		{"after what was not", placed("s", chat.Turn{ID: "f", Parent: "e"}, "five"), conversation.CodeNoPrevious},
		{"the end", placed("s", chat.Turn{ID: "g", Head: true}, "six"), "one answer1 two answer2 six"},
		{"nobody answers", placed("s", chat.Turn{ID: "h", Head: true, Silent: true}, "seven"), ""},
		{"after that", placed("s", chat.Turn{ID: "i", Head: true}, "eight"), "one answer1 two answer2 six answer6 seven eight"},
		{"nothing new", placed("s", chat.Turn{ID: "j", Head: true}), "one answer1 two answer2 six answer6 seven eight answer7"},
		{"no such session", placed("t", chat.Turn{ID: "k", Parent: "a"}, "x"), conversation.CodeNoPrevious},
		{"no such end", placed("t", chat.Turn{ID: "l", Head: true}, "x"), conversation.CodeNoConversation},
	}
	for _, step := range steps {
		before := len(m.asked)
		_, _, err := say(t, r, step.req)
		got := ""
		if e, ok := errors.AsType[*chat.Error](err); ok {
			got = e.Code
		} else if err != nil {
			t.Fatalf("%s: %v", step.title, err)
		} else if len(m.asked) > before {
			got = seen(m.last())
			if m.last().Turn != nil {
				t.Errorf("%s: the model is told the place", step.title)
			}
		}
		if got != step.want {
			t.Errorf("%s: the model saw %q, want %q", step.title, got, step.want)
		}
	}
	other := placed("s", chat.Turn{ID: "z", Parent: "a"}, "x")
	other.Principal = "thief"
	if _, _, err := say(t, r, other); err == nil || err.(*chat.Error).Code != conversation.CodeNoPrevious {
		t.Errorf("another's turn: %v", err)
	}
	if _, _, err := say(t, r, placed("u", chat.Turn{Forget: true}, "secret")); err != nil {
		t.Fatal(err)
	}
	store.Dump(func(key conversation.Key, v conversation.Value) {
		if key != (conversation.Key{Owner: "shop", ID: "s"}) {
			t.Errorf("session %v is stored", key)
		}
		if text := string(v.Data); strings.Contains(text, "four") || strings.Contains(text, "be brief") {
			t.Errorf("what was not to be kept is: %s", text)
		}
	})
}

// A session expires with all its turns, and is renewed while it goes on.
func TestPlacesExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory := conversation.New(conversation.Options{Store: new(storetest.Store), TTL: time.Hour})
		defer memory.Close()
		r := memory.Remember(new(model), conversation.Policy{}, nil)
		turn := chat.Turn{ID: "a"}
		for i, id := range []string{"b", "c", "d"} {
			if _, _, err := say(t, r, placed("s", turn, "on")); err != nil {
				t.Fatalf("turn %d: %v", i, err)
			}
			turn = chat.Turn{ID: id, Parent: turn.ID}
			time.Sleep(50 * time.Minute)
		}
		time.Sleep(11 * time.Minute)
		if _, _, err := say(t, r, placed("s", turn, "on")); err == nil {
			t.Error("it goes on when it has expired")
		}
		if _, err := memory.Session(t.Context(), key); !errors.Is(err, conversation.ErrNotFound) {
			t.Errorf("it can be read: %v", err)
		}
	})
}

// What is set aside is kept as it has become on its way, and nobody who answers
// is told.
func TestAside(t *testing.T) {
	memory := conversation.New(conversation.Options{Store: new(storetest.Store)})
	m := &model{}
	masked := json.RawMessage(`"***"`)
	r := memory.Remember(m, conversation.Policy{}, func(next chat.Model) chat.Model { return extra{next, masked} })
	req := placed("s", chat.Turn{ID: "a", Aside: []string{"metadata"}, Note: func(req *chat.Request) []byte { return req.Extra["metadata"] }}, "x")
	req.Extra = map[string]json.RawMessage{"metadata": json.RawMessage(`"secret"`), "user": json.RawMessage(`"anna"`)}
	if _, _, err := say(t, r, req); err != nil {
		t.Fatal(err)
	}
	if got := m.last().Extra; got["metadata"] != nil || got["user"] == nil {
		t.Errorf("the model is told %v", got)
	}
	s, err := memory.Session(t.Context(), key)
	if err != nil || string(s.Turns[0].Note) != string(masked) {
		t.Errorf("the note is %s, %v", s.Turns[0].Note, err)
	}
}

// extra gives requests another metadata.
type extra struct {
	chat.Model
	metadata json.RawMessage
}

func (e extra) Chat(ctx context.Context, req *chat.Request) iter.Seq2[chat.Event, error] {
	own := *req
	own.Extra = map[string]json.RawMessage{"metadata": e.metadata, "user": req.Extra["user"]}
	return e.Model.Chat(ctx, &own)
}

// A turn is forgotten with what it has, and what went on from it goes on from
// the turn before. The session goes with its last turn.
func TestForget(t *testing.T) {
	store := new(storetest.Store)
	memory := conversation.New(conversation.Options{Store: store})
	m := &model{}
	r := memory.Remember(m, conversation.Policy{}, nil)
	for i, id := range []string{"a", "b", "c"} {
		turn := chat.Turn{ID: id}
		if i > 0 {
			turn.Parent = []string{"a", "b"}[i-1]
		}
		if _, _, err := say(t, r, placed("s", turn, "said-"+id)); err != nil {
			t.Fatal(err)
		}
	}
	forget := func(owner conversation.Owner, id string, want bool) {
		t.Helper()
		if was, err := memory.Forget(t.Context(), conversation.Key{Owner: owner, ID: "s"}, id); was != want || err != nil {
			t.Errorf("forgetting %s of %s: %v, %v", id, owner, was, err)
		}
	}
	forget("thief", "b", false)
	forget("shop", "b", true)
	forget("shop", "b", false)
	store.Dump(func(_ conversation.Key, v conversation.Value) {
		if strings.Contains(string(v.Data), "said-b") || strings.Contains(string(v.Data), "answer2") {
			t.Errorf("it is stored still: %s", v.Data)
		}
	})
	if _, _, err := say(t, r, placed("s", chat.Turn{ID: "d", Parent: "c"}, "on")); err != nil || seen(m.last()) != "said-a answer1 said-c answer3 on" {
		t.Errorf("%v; the model saw %q", err, seen(m.last()))
	}
	if _, _, err := say(t, r, placed("s", chat.Turn{ID: "e", Parent: "b"}, "on")); err == nil {
		t.Error("what was forgotten is gone on from")
	}
	for _, id := range []string{"d", "c", "a"} {
		forget("shop", id, true)
	}
	store.Dump(func(key conversation.Key, v conversation.Value) { t.Errorf("%v is left: %s", key, v.Data) })
}

// What was learnt about a turn that is gone holds for those that went on from it:
// they may say again what it said. So it does where a session has grown too large
// and loses its first turns.
func TestWhatIsLearntOutlastsTurns(t *testing.T) {
	memory := conversation.New(conversation.Options{Store: new(storetest.Store)})
	m := &model{}
	r := memory.Remember(m, conversation.Policy{}, nil)
	first := placed("s", chat.Turn{ID: "a"}, "one")
	first.Classes, first.Inside = []string{"privacy.id"}, true
	for _, req := range []*chat.Request{first, placed("s", chat.Turn{ID: "b", Parent: "a"}, "two")} {
		if _, _, err := say(t, r, req); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := memory.Forget(t.Context(), key, "a"); err != nil {
		t.Fatal(err)
	}
	check := func(title string) {
		t.Helper()
		if got := m.last(); !got.Inside || !slices.Equal(got.Classes, first.Classes) {
			t.Errorf("%s: inside %v, classes %q", title, got.Inside, got.Classes)
		}
	}
	if _, _, err := say(t, r, placed("s", chat.Turn{ID: "c", Parent: "b"}, "three")); err != nil {
		t.Fatal(err)
	}
	check("a turn was forgotten")

	memory = conversation.New(conversation.Options{Store: new(storetest.Store), MaxSize: 2000, Trim: conversation.TrimOldest})
	r = memory.Remember(m, conversation.Policy{}, nil)
	for i := range 12 {
		req := ask("s", fmt.Sprint(i, strings.Repeat(" word", 60)))
		if i == 0 {
			req.Classes, req.Inside = first.Classes, true
		}
		if _, _, err := say(t, r, req); err != nil {
			t.Fatal(err)
		}
	}
	s, err := memory.Session(t.Context(), key)
	if err != nil || len(s.Turns) > 10 {
		t.Fatalf("%v; nothing was dropped: %d turns", err, len(s.Turns))
	}
	check("turns were dropped")
}

// Turns that go on from one side by side are all kept, whoever ends first.
func TestBranchesSideBySide(t *testing.T) {
	memory := conversation.New(conversation.Options{Store: new(storetest.Store), Limit: 10 * time.Second})
	r := memory.Remember(new(model), conversation.Policy{}, nil)
	if _, _, err := say(t, r, placed("s", chat.Turn{ID: "a"}, "one")); err != nil {
		t.Fatal(err)
	}
	const n = 6
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			for _, err := range r.Chat(t.Context(), placed("s", chat.Turn{ID: fmt.Sprint(i), Parent: "a"}, "on")) {
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	s, err := memory.Session(t.Context(), key)
	if err != nil || len(s.Turns) != n+1 {
		t.Fatalf("%d turns are kept, want %d: %v", len(s.Turns), n+1, err)
	}
	for i := range n {
		if turn, ok := s.Turn(fmt.Sprint(i)); !ok || turn.Parent != "a" {
			t.Errorf("turn %d is %+v", i, turn)
		}
	}
}

// The oldest turns are left out where the client allows that, and only there.
func TestPlacesAreTrimmed(t *testing.T) {
	for trim, want := range map[bool]string{false: "", true: "two answer2 three"} {
		memory := conversation.New(conversation.Options{Store: new(storetest.Store), Trim: conversation.TrimSummary})
		m := &model{window: 20}
		r := memory.Remember(m, conversation.Policy{}, nil)
		for i, text := range []string{"one", "two", "three"} {
			turn := chat.Turn{ID: fmt.Sprint(i), Trim: trim}
			if i > 0 {
				turn.Parent = fmt.Sprint(i - 1)
			}
			_, told, err := say(t, r, placed("s", turn, text))
			if i < 2 {
				continue
			}
			if e, ok := errors.AsType[*chat.Error](err); !trim && (!ok || e.Code != chat.CodeContextLength || !strings.Contains(e.Msg, `"truncation": "auto"`)) {
				t.Errorf("without: %v", err)
			}
			if trim && (err != nil || seen(m.last()) != want || told.LeftOut != 2) {
				t.Errorf("with: %v, the model saw %q, want %q; told %+v", err, seen(m.last()), want, told)
			}
		}
	}
}
