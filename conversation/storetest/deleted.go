package storetest

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"
	"time"

	"bendi/chat"
	"bendi/chat/chattest"
	"bendi/conversation"
)

// DeletedStaysDeleted has sessions deleted while their turns are answered, be
// those the first. Each store is what one gateway has; they may be the same
// Redis, and what is deleted by one is deleted for all. A turn that began before
// a deletion leaves nothing behind it.
func DeletedStaysDeleted(t *testing.T, stores ...conversation.Store) {
	var gateways []*conversation.Memory
	for _, s := range stores {
		gateways = append(gateways, conversation.New(conversation.Options{Store: s, Limit: 10 * time.Second}))
	}
	here, there := gateways[0], gateways[len(gateways)-1]
	for _, one := range []bool{true, false} {
		for before := range 2 {
			for _, placed := range []bool{false, true} {
				name := fmt.Sprintf("one session %v, after %d turns, a response %v", one, before, placed)
				t.Run(name, func(t *testing.T) { deletedInBetween(t, here, there, one, before, placed) })
			}
		}
	}
	t.Run("at random", func(t *testing.T) { deletedAtRandom(t, gateways) })
}

// deletedInBetween has a session of so many turns deleted while the next is
// answered.
func deletedInBetween(t *testing.T, here, there *conversation.Memory, one bool, before int, placed bool) {
	key := conversation.Key{Owner: conversation.OwnerOf(t.Name(), ""), ID: "s"}
	request := func(n int) *chat.Request {
		req := &chat.Request{N: 1, Principal: t.Name(), Session: key.ID, Messages: []chat.Message{chat.TextMessage(chat.User, fmt.Sprint("question ", n))}}
		if placed {
			req.Turn = &chat.Turn{ID: fmt.Sprint("turn", n), Head: n > 0}
		}
		return req
	}
	m := held{begun: make(chan struct{}), goOn: make(chan struct{})}
	r := here.Remember(m, conversation.Policy{}, nil)
	ask := func(n int) error {
		_, err := chattest.Collect(r.Chat(t.Context(), request(n)), 1)
		return err
	}
	for n := range before {
		go func() { <-m.begun; m.goOn <- struct{}{} }()
		if err := ask(n); err != nil {
			t.Fatal(err)
		}
	}
	ended := make(chan error)
	go func() { ended <- ask(before) }()
	<-m.begun
	var err error
	if one {
		_, err = there.Delete(t.Context(), key)
	} else {
		_, err = there.DeleteAll(t.Context(), key.Owner)
	}
	if err != nil {
		t.Error(err)
	}
	m.goOn <- struct{}{}
	if e, ok := errors.AsType[*chat.Error](<-ended); !ok || e.Kind != chat.Conflict {
		t.Errorf("the turn ended with %v, want a conflict", e)
	}
	for _, memory := range []*conversation.Memory{here, there} {
		if s, err := memory.Session(t.Context(), key); !errors.Is(err, conversation.ErrNotFound) {
			t.Errorf("the session is there again: %v, %v", s, err)
		}
	}
	go func() { <-m.begun; m.goOn <- struct{}{} }()
	if err := ask(0); err != nil {
		t.Errorf("the name is not free: %v", err)
	}
	if s, err := there.Session(t.Context(), key); err != nil || len(s.Turns) != 1 {
		t.Errorf("a session that began after: %v, %v", s, err)
	}
}

// held answers when it is told to.
type held struct{ begun, goOn chan struct{} }

func (m held) Chat(ctx context.Context, req *chat.Request) iter.Seq2[chat.Event, error] {
	return func(yield func(chat.Event, error) bool) {
		m.begun <- struct{}{}
		<-m.goOn
		chattest.Script("an answer\n").Chat(ctx, req)(yield)
	}
}

// deletedAtRandom has turns answered, and sessions deleted, at once.
func deletedAtRandom(t *testing.T, gateways []*conversation.Memory) {
	begin := time.Now()
	owner := conversation.OwnerOf(t.Name(), "")
	var wg sync.WaitGroup
	turns, deletions := 0, 0
	var mu sync.Mutex
	for i := range 6 {
		memory := gateways[i%len(gateways)]
		r := memory.Remember(stamped{begin}, conversation.Policy{}, nil)
		wg.Go(func() {
			for time.Since(begin) < time.Second && !t.Failed() {
				key := conversation.Key{Owner: owner, ID: fmt.Sprint("s", rand.IntN(3))}
				if i < 4 {
					req := &chat.Request{N: 1, Principal: t.Name(), Session: key.ID, Messages: []chat.Message{chat.TextMessage(chat.User, "x")}}
					_, err := chattest.Collect(r.Chat(t.Context(), req), 1)
					if e, ok := errors.AsType[*chat.Error](err); err != nil && !(ok && e.Kind == chat.Conflict) {
						t.Errorf("a turn: %v", err)
					}
					mu.Lock()
					turns++
					mu.Unlock()
					continue
				}
				now := time.Since(begin)
				_, err := memory.Delete(t.Context(), key)
				if i == 5 {
					_, err = memory.DeleteAll(t.Context(), owner)
				}
				if err != nil {
					t.Errorf("deleting: %v", err)
				}
				time.Sleep(time.Duration(rand.IntN(20)) * time.Millisecond)
				s, err := memory.Session(t.Context(), key)
				if err != nil && !errors.Is(err, conversation.ErrNotFound) {
					t.Error(err)
				}
				for n := 0; err == nil && n < len(s.Turns); n++ {
					if at, err := strconv.ParseInt(s.Turns[n].Output[0].Text(), 10, 64); err != nil || time.Duration(at) < now {
						t.Errorf("a turn that began %v before its session was deleted is there, %v", now-time.Duration(at), err)
					}
				}
				mu.Lock()
				deletions++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	t.Logf("%d turns, %d deletions", turns, deletions)
}

// stamped answers with the time at which it was asked, after a while.
type stamped struct{ begin time.Time }

func (m stamped) Chat(ctx context.Context, req *chat.Request) iter.Seq2[chat.Event, error] {
	return func(yield func(chat.Event, error) bool) {
		text := strconv.FormatInt(int64(time.Since(m.begin)), 10)
		time.Sleep(time.Duration(rand.IntN(5)) * time.Millisecond)
		chattest.Script(text+"\n").Chat(ctx, req)(yield)
	}
}
