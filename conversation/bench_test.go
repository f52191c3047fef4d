package conversation_test

import (
	"strconv"
	"testing"

	"bendi/chat"
	"bendi/chat/chattest"
	"bendi/conversation"
	"bendi/conversation/storetest"
)

// BenchmarkTurn is what a turn of a session of ten takes with a store that
// costs nothing, and what the same request takes without memory.
func BenchmarkTurn(b *testing.B) {
	m := chattest.Script("an answer of some words\n")
	plain := func(b *testing.B, m chat.Model, session string) {
		for b.Loop() {
			if _, err := chattest.Collect(m.Chat(b.Context(), ask(session, "a question of some words")), 1); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.Run("none", func(b *testing.B) { plain(b, m, "") })
	b.Run("memory", func(b *testing.B) {
		memory := conversation.New(conversation.Options{Store: new(storetest.Store)})
		r := memory.Remember(m, conversation.Policy{}, nil)
		n := 0
		for b.Loop() {
			n++
			if _, err := chattest.Collect(r.Chat(b.Context(), ask("s"+strconv.Itoa(n/10), "a question of some words")), 1); err != nil {
				b.Fatal(err)
			}
			if n%10 == 9 {
				memory.Delete(b.Context(), conversation.Key{Owner: "shop", ID: "s" + strconv.Itoa(n/10)})
			}
		}
	})
}
