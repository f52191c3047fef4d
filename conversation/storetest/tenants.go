package storetest

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"sync"
	"testing"
	"time"

	"bendi/chat"
	"bendi/chat/chattest"
	"bendi/conversation"
)

// TenantsNeverMeet has two tenants use the same ids of a store at the same
// time. Neither may see a word of the other's, whatever is read and deleted
// meanwhile.
func TenantsNeverMeet(t *testing.T, store conversation.Store, long time.Duration) {
	memory := conversation.New(conversation.Options{Store: store, Limit: 10 * time.Second})
	until := time.Now().Add(long)
	var wg sync.WaitGroup
	for i := range 8 {
		mine, other := "alpha", "beta"
		if i%2 == 1 {
			mine, other = other, mine
		}
		r := memory.Remember(strict{t, other}, conversation.Policy{}, nil)
		wg.Go(func() {
			for n := 0; time.Now().Before(until) && !t.Failed(); n++ {
				key := conversation.Key{Owner: conversation.OwnerOf(mine, ""), ID: fmt.Sprint("s", n%5)}
				req := &chat.Request{N: 1, Principal: mine, Session: key.ID, Messages: []chat.Message{chat.TextMessage(chat.User, mine)}}
				_, err := chattest.Collect(r.Chat(t.Context(), req), 1)
				if e, ok := errors.AsType[*chat.Error](err); err != nil && !(ok && e.Kind == chat.Conflict) {
					t.Errorf("a turn: %v", err)
				}
				if s, err := memory.Session(t.Context(), key); err == nil && strings.Contains(fmt.Sprint(s.History()), other) {
					t.Errorf("%s has read words of %s", mine, other)
				}
				if n%7 == 0 {
					if _, err := memory.Delete(t.Context(), key); err != nil {
						t.Errorf("deleting: %v", err)
					}
				}
			}
		})
	}
	wg.Wait()
}

// strict is a model that may not see a word.
type strict struct {
	t    *testing.T
	word string
}

func (m strict) Chat(ctx context.Context, req *chat.Request) iter.Seq2[chat.Event, error] {
	for _, msg := range req.Messages {
		if strings.Contains(msg.Text(), m.word) {
			m.t.Errorf("%s was shown words of %s", req.Principal, m.word)
		}
	}
	return chattest.Script(req.Principal+" was here\n").Chat(ctx, req)
}
