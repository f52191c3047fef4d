package remote_test

import (
	"io"
	"net/http"
	"slices"
	"testing"

	"bendi/chat/chattest"
	"bendi/inference/remote"
	"bendi/openaicompat/wire"
)

// A worker of ours hears who asks by a hash, the same each time, and how
// urgently; anybody else hears neither.
func TestOnlyInsideHearsWhoAsks(t *testing.T) {
	var heard http.Header
	h := modelled(chattest.Script("你\n"))
	remember := func(w http.ResponseWriter, r *http.Request) {
		heard = r.Header.Clone()
		h(w, r)
	}
	hear := func(m *remote.Model, who string, priority int) (string, string) {
		req := ask()
		req.Principal, req.Priority = who, priority
		if _, err := chattest.Collect(m.Chat(t.Context(), req), 1); err != nil {
			t.Fatal(err)
		}
		return heard.Get("X-Bendi-Principal"), heard.Get("X-Bendi-Priority")
	}
	outside := serve(t, remember)
	if who, priority := hear(outside, "shop", 3); who != "" || priority != "" {
		t.Errorf("a server outside heard of %q with the priority %q", who, priority)
	}
	inside := serve(t, remember, func(o *remote.Options) { o.Inside = []byte("secret") })
	shop, priority := hear(inside, "shop", -3)
	again, _ := hear(inside, "shop", 0)
	other, none := hear(inside, "batch", 0)
	if len(shop) != 32 || shop == "shop" || shop != again || shop == other || priority != "-3" || none != "" {
		t.Errorf("a worker heard of %q, %q and %q with the priorities %q and %q", shop, again, other, priority, none)
	}
	if who, _ := hear(inside, "", 0); who != "" {
		t.Errorf("of nobody it heard of %q", who)
	}
}

// The place in a server's queue is passed on; other comments are not.
func TestPlaceInTheQueue(t *testing.T) {
	stream := wire.KeepAlive + wire.Queue(5, 12) + ": queue some of many\n\n: queue 13 of 12\n\n" + wire.Queue(2, 11) + wire.Queue(0, 0)
	played := modelled(chattest.Script("你\n"))
	m := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		io.WriteString(w, stream)
		played(w, r)
	})
	var told []int
	req := ask()
	req.Waiting = func(position, length int) { told = append(told, position, length) }
	if _, err := chattest.Collect(m.Chat(t.Context(), req), 1); err != nil {
		t.Fatal(err)
	}
	if want := []int{5, 12, 2, 11, 0, 0}; !slices.Equal(told, want) {
		t.Errorf("told %v, want %v", told, want)
	}
}
