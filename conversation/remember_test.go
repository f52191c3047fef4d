package conversation_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"bendi/chat"
	"bendi/chat/chattest"
	"bendi/conversation"
	"bendi/conversation/storetest"
)

// A model answers with what it was asked, by its messages' texts, and counts a
// token for each byte.
type model struct {
	window int // of its prompts, in bytes; 0: none
	lists  bool
	script chattest.Script // in place of the answer

	mu    sync.Mutex
	asked []*chat.Request
}

func (m *model) last() *chat.Request {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.asked[len(m.asked)-1]
}

func (m *model) Models() []chat.ModelInfo {
	if !m.lists {
		return nil
	}
	return []chat.ModelInfo{{ID: "m", Context: m.window}}
}

func (m *model) Chat(ctx context.Context, req *chat.Request) iter.Seq2[chat.Event, error] {
	m.mu.Lock()
	m.asked = append(m.asked, req)
	n := len(m.asked)
	m.mu.Unlock()
	size := 0
	for _, msg := range req.Messages {
		size += len(msg.Text())
	}
	if m.window > 0 && size > m.window {
		return chat.Fail(&chat.Error{Kind: chat.Invalid, Code: chat.CodeContextLength, Msg: fmt.Sprintf("The request has %d tokens, and the window %d.", size, m.window)})
	}
	if m.script != "" {
		return m.script.Chat(ctx, req)
	}
	return chattest.Script(fmt.Sprintf("answer\n%d\n", n)).Chat(ctx, req)
}

func seen(req *chat.Request) string {
	var texts []string
	for _, m := range req.Messages {
		texts = append(texts, m.Text())
	}
	return strings.Join(texts, " ")
}

func ask(session string, texts ...string) *chat.Request {
	req := &chat.Request{ID: "r", N: 1, Model: "m", Principal: "shop", Session: session}
	for _, text := range texts {
		req.Messages = append(req.Messages, chat.TextMessage(chat.User, text))
	}
	return req
}

// say has a model answer and returns what its memory told last.
func say(t *testing.T, m chat.Model, req *chat.Request) (text string, told *chat.Memory, err error) {
	t.Helper()
	a, err := chattest.Collect(func(yield func(chat.Event, error) bool) {
		for ev, err := range m.Chat(t.Context(), req) {
			if ev.Memory != nil {
				told = ev.Memory
			}
			if !yield(ev, err) {
				return
			}
		}
	}, 1)
	if err != nil {
		return "", told, err
	}
	return a.Text[0], told, nil
}

var key = conversation.Key{Owner: "shop", ID: "s"}

func TestRemember(t *testing.T) {
	m := &model{}
	memory := conversation.New(conversation.Options{Store: new(storetest.Store)})
	r := memory.Remember(m, conversation.Policy{}, nil)
	for i, want := range []string{"one", "one answer1 two", "one answer1 two answer2 three"} {
		_, told, err := say(t, r, ask("s", []string{"one", "two", "three"}[i]))
		if err != nil {
			t.Fatal(err)
		}
		if got := seen(m.last()); got != want || told == nil || *told != (chat.Memory{Kept: 2 * i}) {
			t.Errorf("turn %d: the model saw %q, want %q; told %+v", i+1, got, want, told)
		}
	}
	if say(t, r, ask("", "alone")); seen(m.last()) != "alone" {
		t.Errorf("without a session the model saw %q", seen(m.last()))
	}
	other := ask("s", "mine?")
	other.Principal = "thief"
	if say(t, r, other); seen(m.last()) != "mine?" {
		t.Errorf("another key's session of that name: the model saw %q", seen(m.last()))
	}
	s, err := memory.Session(t.Context(), key)
	if err != nil || len(s.Turns) != 3 || s.Head != s.Turns[2].ID || s.Turns[2].Parent != s.Turns[1].ID || s.Turns[1].Finish != chat.Stop {
		t.Errorf("%+v, %v", s, err)
	}
	if was, err := memory.Delete(t.Context(), key); !was || err != nil {
		t.Error(was, err)
	}
	if say(t, r, ask("s", "again")); seen(m.last()) != "again" {
		t.Errorf("after deletion the model saw %q", seen(m.last()))
	}
}

// upper is a filter that rewrites both ways.
type upper struct{ chat.Model }

func (u upper) Chat(ctx context.Context, req *chat.Request) iter.Seq2[chat.Event, error] {
	own := *req
	own.Messages = nil
	for _, m := range req.Messages {
		own.Messages = append(own.Messages, chat.TextMessage(m.Role, strings.ToUpper(m.Text())))
	}
	own.Classes = []string{"pii.phone"}
	return func(yield func(chat.Event, error) bool) {
		for ev, err := range u.Model.Chat(ctx, &own) {
			ev.Text = strings.ToUpper(ev.Text)
			if !yield(ev, err) {
				return
			}
		}
	}
}

// What is stored is what the filter let pass, both ways, and what it learnt
// holds for later turns.
func TestWhatIsStoredHasPassedTheFilter(t *testing.T) {
	m, store := &model{}, new(storetest.Store)
	memory := conversation.New(conversation.Options{Store: store})
	r := memory.Remember(m, conversation.Policy{}, func(m chat.Model) chat.Model { return upper{m} })
	if _, _, err := say(t, r, ask("s", "secret")); err != nil {
		t.Fatal(err)
	}
	store.Dump(func(_ conversation.Key, v conversation.Value) {
		if text := string(v.Data); strings.Contains(text, "secret") || strings.Contains(text, "answer") || !strings.Contains(text, "ANSWER1") {
			t.Errorf("stored: %s", text)
		}
	})
	plain := memory.Remember(m, conversation.Policy{}, nil)
	if _, _, err := say(t, plain, ask("s", "two")); err != nil {
		t.Fatal(err)
	}
	if req := m.last(); seen(req) != "SECRET ANSWER1 two" || fmt.Sprint(req.Classes) != "[pii.phone]" {
		t.Errorf("the model saw %q of classes %v", seen(req), req.Classes)
	}
}

func TestInterruptedTurns(t *testing.T) {
	for title, tt := range map[string]struct {
		script chattest.Script
		want   string // what the next turn sees; empty: nothing of it
	}{
		"after some text":    {"so\n far\n!fail", "q so far next"},
		"before any":         {"!fail", "next"},
		"in a tool call":     {"so\n!tool 0 k f\n!args 0 {\"a\n!fail", "q so next"},
		"whole":              {"so", "q so next"},
		"a backend that was": {"!fail unavailable full", "next"},
	} {
		t.Run(title, func(t *testing.T) {
			m := &model{script: tt.script}
			r := conversation.New(conversation.Options{Store: new(storetest.Store)}).Remember(m, conversation.Policy{}, nil)
			say(t, r, ask("s", "q"))
			m.script = ""
			if _, _, err := say(t, r, ask("s", "next")); err != nil {
				t.Fatal(err)
			}
			if got := seen(m.last()); got != tt.want {
				t.Errorf("the next turn saw %q, want %q", got, tt.want)
			}
		})
	}
}

// A client that leaves has its turn stored as far as it went.
func TestClientLeaves(t *testing.T) {
	m := &model{script: "some\n more\n!wait"}
	memory := conversation.New(conversation.Options{Store: new(storetest.Store)})
	r := memory.Remember(m, conversation.Policy{}, nil)
	ctx, cancel := context.WithCancel(t.Context())
	for ev := range r.Chat(ctx, ask("s", "q")) {
		if ev.Text == " more" {
			cancel()
		}
	}
	cancel()
	s, err := memory.Session(t.Context(), key)
	if err != nil || len(s.Turns) != 1 || !s.Turns[0].Interrupted || s.Turns[0].Output[0].Text() != "some more" {
		t.Errorf("%+v, %v", s, err)
	}
}

func TestTurnsOfASessionAreAnsweredOneAfterTheOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &model{script: "x\n!sleep 1s"}
		store := new(storetest.Store)
		memory := conversation.New(conversation.Options{Store: store, Patience: 5 * time.Second})
		r := memory.Remember(m, conversation.Policy{}, nil)
		refusing := conversation.New(conversation.Options{Store: store, Busy: conversation.Refuse}).Remember(m, conversation.Policy{}, nil)
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				if _, _, err := say(t, r, ask("s", "q")); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		s, err := memory.Session(t.Context(), key)
		if err != nil || len(s.Turns) != 4 {
			t.Errorf("%d turns are stored of 4, %v", len(s.Turns), err)
		}
		var first error
		wg.Go(func() { _, _, first = say(t, refusing, ask("s", "q")) })
		synctest.Wait()
		if _, _, err := say(t, refusing, ask("s", "q")); kindOf(err) != chat.Conflict {
			t.Errorf("a second turn: %v, want a conflict", err)
		}
		// Of two programs that do not know of each other, one has its turn stored.
		_, _, second := say(t, r, ask("s", "q"))
		wg.Wait()
		if (first == nil) == (second == nil) || kindOf(errors.Join(first, second)) != chat.Conflict {
			t.Errorf("two turns at once, of two programs: %v and %v, want one conflict", first, second)
		}
	})
}

func kindOf(err error) chat.Kind {
	if e, ok := errors.AsType[*chat.Error](err); ok {
		return e.Kind
	}
	return chat.Internal
}

// When the store is down nobody waits for it for long, and what happens is as
// the policy says.
func TestStoreDown(t *testing.T) {
	for _, policy := range []conversation.Down{conversation.Fail, conversation.Stateless} {
		for _, fault := range []string{"refuses", "hangs"} {
			t.Run(string(policy)+", it "+fault, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					var down atomic.Bool
					down.Store(true)
					store := &storetest.Store{Fault: func(ctx context.Context) error {
						if down.Load() && fault == "hangs" {
							<-ctx.Done()
							return context.Cause(ctx)
						} else if down.Load() {
							return errors.New("connection refused")
						}
						return nil
					}}
					m := &model{}
					memory := conversation.New(conversation.Options{Store: store, Down: policy})
					defer memory.Close()
					r := memory.Remember(m, conversation.Policy{}, nil)
					limit := map[conversation.Down]time.Duration{conversation.Fail: time.Second, conversation.Stateless: 25 * time.Millisecond}[policy]
					for i := range 100 {
						begin := time.Now()
						_, told, err := say(t, r, ask("s", "q"))
						if i > 50 {
							limit = 0 // it is known to be down
						}
						if took := time.Since(begin); took > limit {
							t.Errorf("request %d took %v", i, took)
						}
						if policy == conversation.Fail && (kindOf(err) != chat.Unavailable) {
							t.Errorf("request %d: %v, want unavailable", i, err)
						}
						if policy == conversation.Stateless && (err != nil || told == nil || !told.Stateless) {
							t.Errorf("request %d: %v, told %+v", i, err, told)
						}
					}
					down.Store(false)
					time.Sleep(3 * time.Second) // a probe that hangs still, and the next
					if _, told, err := say(t, r, ask("s", "q")); err != nil || told.Stateless {
						t.Errorf("when it is back: %v, told %+v", err, told)
					}
				})
			})
		}
	}
}

// A store that is late, as on a busy machine, is not left alone: each request
// waits for it within its budget, and has memory again as soon as it is in time.
func TestStoreIsLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var late atomic.Int64
		store := &storetest.Store{Fault: func(ctx context.Context) error {
			select {
			case <-time.After(time.Duration(late.Load())):
				return nil
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}}
		memory := conversation.New(conversation.Options{Store: store, Down: conversation.Stateless})
		defer memory.Close()
		r := memory.Remember(&model{}, conversation.Policy{}, nil)
		for _, step := range []struct {
			late      time.Duration // of each call; a request makes two
			took      time.Duration
			stateless bool
			lost      bool
		}{
			{late: 0},
			{late: 20 * time.Millisecond, took: 40 * time.Millisecond},
			{late: 60 * time.Millisecond, took: 25 * time.Millisecond, stateless: true},
			{late: 24 * time.Millisecond, took: 48 * time.Millisecond},
			{late: 0},
		} {
			late.Store(int64(step.late))
			for i := range 10 {
				begin := time.Now()
				_, told, err := say(t, r, ask(fmt.Sprint(step.late, i), "q"))
				if err != nil || told == nil || told.Stateless != step.stateless || told.Lost != step.lost || time.Since(begin) != step.took {
					t.Errorf("%v late, request %d: took %v, told %+v, %v; want %v, stateless %v", step.late, i, time.Since(begin), told, err, step.took, step.stateless)
				}
			}
			if err := memory.Unreachable(); err != nil {
				t.Errorf("%v late: left alone: %v", step.late, err)
			}
		}
	})
}

func TestTrim(t *testing.T) {
	long := strings.Repeat("x", 30)
	for _, lists := range []bool{true, false} { // whether the window is known, or shows in an error
		for _, trim := range []conversation.Trim{conversation.TrimError, conversation.TrimOldest, conversation.TrimSummary} {
			t.Run(fmt.Sprint(trim, ", window known: ", lists), func(t *testing.T) {
				m := &model{window: 150, lists: lists}
				memory := conversation.New(conversation.Options{
					Store: new(storetest.Store), Trim: trim, Summarizer: chattest.Script("a summary\n"), SummaryModel: "m",
				})
				r := memory.Remember(m, conversation.Policy{}, nil)
				var told *chat.Memory
				var err error
				for i := range 8 {
					req := ask("s", fmt.Sprint("q", i, long))
					req.MaxTokens = 10
					if i == 0 {
						req.Messages = append([]chat.Message{chat.TextMessage(chat.System, "rules")}, req.Messages...)
					}
					if _, told, err = say(t, r, req); err != nil {
						break
					}
				}
				if trim == conversation.TrimError {
					e, ok := errors.AsType[*chat.Error](err)
					if !ok || e.Code != chat.CodeContextLength || !strings.Contains(e.Msg, "history of the session") {
						t.Errorf("%v, want the window's error with what the session has to do with it", err)
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				got := seen(m.last())
				if !strings.HasPrefix(got, "rules ") || !strings.HasSuffix(got, "q7"+long) || strings.Contains(got, "q0") || told.LeftOut == 0 || told.Kept+told.LeftOut != 14 {
					t.Errorf("the model saw %q; told %+v", got, told)
				}
				if has := strings.Contains(got, "a summary"); has != (trim == conversation.TrimSummary) || told.Summarised != has {
					t.Errorf("the model saw %q; told %+v", got, told)
				}
			})
		}
	}
}

func TestSealed(t *testing.T) {
	secret := func(b byte) []byte { return []byte(strings.Repeat(string(b), 32)) }
	store, m := new(storetest.Store), &model{}
	memory := func(keys ...conversation.SealKey) *conversation.Memory {
		sealer, err := conversation.NewSealer(keys...)
		if err != nil {
			t.Fatal(err)
		}
		return conversation.New(conversation.Options{Store: store, Sealer: sealer})
	}
	old, fresh := conversation.SealKey{ID: "old", Secret: secret('o')}, conversation.SealKey{ID: "new", Secret: secret('n')}
	if _, _, err := say(t, memory(old).Remember(m, conversation.Policy{}, nil), ask("s", "words")); err != nil {
		t.Fatal(err)
	}
	held := func() (text string) {
		store.Dump(func(_ conversation.Key, v conversation.Value) { text += string(v.Data) })
		return text
	}
	if text := held(); strings.Contains(text, "words") || !strings.Contains(text, "old") {
		t.Errorf("stored: %q", text)
	}
	rotated := memory(fresh, old)
	if n, all, err := rotated.Reseal(t.Context()); n != 1 || all != 1 || err != nil {
		t.Errorf("resealed %d of %d, %v", n, all, err)
	}
	if n, _, err := rotated.Reseal(t.Context()); n != 0 || err != nil {
		t.Errorf("resealed %d again, %v", n, err)
	}
	if _, err := memory(fresh).Session(t.Context(), key); err != nil {
		t.Error(err)
	}
	for _, wrong := range []conversation.SealKey{old, {ID: "new", Secret: secret('x')}} {
		if _, err := memory(wrong).Session(t.Context(), key); err == nil || !strings.Contains(err.Error(), `key "new"`) {
			t.Errorf("with the key %s: %v", wrong.ID, err)
		}
	}
	// Moved to another owner, it does not open.
	var v conversation.Value
	store.Dump(func(_ conversation.Key, is conversation.Value) { v = is })
	other := conversation.Key{Owner: "thief", ID: "s"}
	if err := store.Save(t.Context(), other, 0, v, time.Minute); err != nil {
		t.Fatal(err)
	}
	if _, err := rotated.Session(t.Context(), other); err == nil {
		t.Error("a session that was moved to another owner opens")
	}
}

// What was never sealed is refused where there are keys, by a turn, by whoever
// reads and by what seals, unless it is said that it is from before.
func TestPlainIsRefused(t *testing.T) {
	store := new(storetest.Store)
	plain := conversation.New(conversation.Options{Store: store})
	if _, _, err := say(t, plain.Remember(&model{}, conversation.Policy{}, nil), ask("s", "words")); err != nil {
		t.Fatal(err)
	}
	sealer, err := conversation.NewSealer(conversation.SealKey{ID: "k", Secret: []byte(strings.Repeat("k", 32))})
	if err != nil {
		t.Fatal(err)
	}
	for _, read := range []bool{false, true, false} {
		if read {
			sealer.ReadPlain = true
		}
		memory := conversation.New(conversation.Options{Store: store, Sealer: sealer})
		_, _, err := say(t, memory.Remember(&model{}, conversation.Policy{}, nil), ask("s", "more"))
		if _, verify := memory.Verify(t.Context()); (err == nil) != sealer.ReadPlain || (verify == nil) != sealer.ReadPlain {
			t.Errorf("read %v: a turn %v, verified %v", sealer.ReadPlain, err, verify)
		}
		if e, ok := errors.AsType[*chat.Error](err); err != nil && !(ok && e.Code == conversation.CodeUnread && memory.Unreachable() == nil) {
			t.Errorf("a turn: %v, and the store is %v", err, memory.Unreachable())
		}
		if n, _, err := memory.Reseal(t.Context()); n != 0 || (err == nil) != sealer.ReadPlain {
			t.Errorf("read %v: resealed %d, %v", sealer.ReadPlain, n, err)
		}
	}
}

func TestUsers(t *testing.T) {
	m := &model{}
	r := conversation.New(conversation.Options{Store: new(storetest.Store), PerUser: true}).Remember(m, conversation.Policy{By: conversation.ByUser}, nil)
	from := func(user, session, text string) *chat.Request {
		req := ask(session, text)
		req.Extra = map[string]json.RawMessage{"user": json.RawMessage(`"` + user + `"`)}
		return req
	}
	for _, step := range []struct{ user, session, text, want string }{
		{"anna", "", "a", "a"}, {"ben", "", "b", "b"}, {"anna", "", "c", "a answer1 c"}, {"ben", "x", "d", "d"}, {"anna", "x", "e", "e"},
	} {
		if say(t, r, from(step.user, step.session, step.text)); seen(m.last()) != step.want {
			t.Errorf("%s in %q says %s: the model saw %q, want %q", step.user, step.session, step.text, seen(m.last()), step.want)
		}
	}
	agent, sdk := ask("", "f"), ask("", "g")
	agent.User = "anna"
	sdk.Extra = map[string]json.RawMessage{"safety_identifier": json.RawMessage(`"anna"`)}
	for _, req := range []*chat.Request{agent, sdk} {
		if say(t, r, req); !strings.HasPrefix(seen(m.last()), "a answer1 c ") {
			t.Errorf("another protocol's anna is another: the model saw %q", seen(m.last()))
		}
	}
	if say(t, r, from("x", "anna", "h")); seen(m.last()) != "h" {
		t.Errorf("a session called as a user has the user's: the model saw %q", seen(m.last()))
	}
	if _, _, err := say(t, r, from("a b", "", "x")); kindOf(err) != chat.Invalid {
		t.Errorf("a user that is no name: %v", err)
	}
}

func TestOneAnswerPerTurn(t *testing.T) {
	r := conversation.New(conversation.Options{Store: new(storetest.Store)}).Remember(&model{}, conversation.Policy{}, nil)
	req := ask("s", "q")
	req.N = 2
	if _, _, err := say(t, r, req); kindOf(err) != chat.Invalid {
		t.Errorf("%v", err)
	}
}

func TestContract(t *testing.T) {
	memory := conversation.New(conversation.Options{Store: new(storetest.Store)})
	chattest.Contract(t, memory.Remember(chattest.Script("a\n!sleep 10ms\nb\n!sleep 10ms\nc"), conversation.Policy{}, nil), func() *chat.Request { return ask("", "q") })
}
