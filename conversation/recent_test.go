package conversation_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"bendi/chat"
	"bendi/conversation"
	"bendi/conversation/storetest"
)

// Whatever has been done, a turn goes on from what the store has: the sessions
// that are at hand are those. A change that somebody makes beside us is a
// conflict once, and is noticed then.
func TestAtHandIsWhatIsStored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, m := new(storetest.Store), &model{}
		memory := conversation.New(conversation.Options{Store: store, TTL: time.Minute, MaxSize: 4000, Trim: conversation.TrimOldest})
		defer memory.Close()
		other := conversation.New(conversation.Options{Store: store, TTL: time.Minute, MaxSize: 4000, Trim: conversation.TrimOldest})
		defer other.Close()
		r, beside := memory.Remember(m, conversation.Policy{}, nil), other.Remember(&model{}, conversation.Policy{}, nil)
		history := func(id string) string {
			s, err := memory.Session(t.Context(), conversation.Key{Owner: "shop", ID: id})
			if errors.Is(err, conversation.ErrNotFound) {
				return ""
			}
			if err != nil {
				t.Fatal(err)
			}
			return seen(&chat.Request{Messages: s.History()})
		}
		rng := rand.New(rand.NewPCG(1, 2))
		changed := map[string]bool{} // beside us
		for i := range 2000 {
			id := fmt.Sprint("s", rng.IntN(4))
			k := conversation.Key{Owner: "shop", ID: id}
			switch rng.IntN(16) {
			case 0:
				memory.Delete(t.Context(), k)
			case 1:
				if rng.IntN(4) == 0 {
					memory.DeleteAll(t.Context(), "shop")
				}
			case 2:
				if s, err := memory.Session(t.Context(), k); err == nil {
					memory.Forget(t.Context(), k, s.Turns[rng.IntN(len(s.Turns))].ID)
				}
			case 3:
				time.Sleep(time.Duration(rng.IntN(40)) * time.Second)
			case 4:
				say(t, beside, ask(id, fmt.Sprint("beside", i)))
				changed[id] = true
			default:
				question := fmt.Sprint("q", i)
				want := strings.TrimSpace(history(id) + " " + question)
				_, _, err := say(t, r, ask(id, question))
				if changed[id] && kindOf(err) == chat.Conflict {
					changed[id] = false
					continue
				}
				if err != nil {
					t.Fatalf("step %d: %v", i, err)
				}
				if got := seen(m.last()); got != want {
					t.Fatalf("step %d: the model saw %q, and stored was %q", i, got, want)
				}
				changed[id] = false
			}
		}
	})
}
