package engine

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"bendi/chat"
	"bendi/chat/chattest"
	"bendi/inference/watch"
)

// ids returns the names of the models that the engine lists.
func ids(e *Engine) string {
	var all []string
	for _, m := range e.Models() {
		all = append(all, m.ID)
	}
	return strings.Join(all, " ")
}

// An adapter that is loaded while the engine answers is a model at once, and
// says what it says when it was there from the start. When it is gone it is no
// model, and nothing of it is left.
func TestAdaptersComeAndGo(t *testing.T) {
	e, diaries := openWatched(t, Config{Slots: 4})
	want := answerOf(t, e, question("怎么退货?", model("demo:service"))).Text[0]
	base := answerOf(t, e, question("怎么退货?", spoken)).Text[0]
	for range 3 {
		if err := e.LoadAdapter(t.Context(), "second", testAdapter); err != nil {
			t.Fatal(err)
		}
		if got := ids(e); got != "demo demo:second demo:service" {
			t.Errorf("the models are %s", got)
		}
		for range 2 {
			if got := answerOf(t, e, question("怎么退货?", model("demo:second"))).Text[0]; got != want {
				t.Errorf("it says %q, want %q", got, want)
			}
		}
		answerOf(t, e, question("怎么退货?", spoken, model("demo:second")))
		if _, err := e.Embed(t.Context(), &chat.EmbedRequest{Model: "demo:second", Inputs: []chat.Input{{Text: "你好"}}}); err != nil {
			t.Error(err)
		}
		if err := e.UnloadAdapter(t.Context(), "second"); err != nil {
			t.Fatal(err)
		}
		if got := ids(e); got != "demo demo:service" {
			t.Errorf("the models are %s", got)
		}
		_, err := chattest.Collect(e.Chat(t.Context(), question("怎么退货?", model("demo:second"))), 1)
		if f, ok := errors.AsType[*chat.Error](err); !ok || f.Code != chat.CodeModelNotFound {
			t.Errorf("when it is gone, a request for it got %v", err)
		}
		if got := answerOf(t, e, question("怎么退货?", spoken)); got.Text[0] != base || got.Usage.CachedTokens != got.Usage.PromptTokens-1 {
			t.Errorf("the model without it says %q with %+v, want %q", got.Text[0], got.Usage, base)
		}
	}
	if n := len(e.shelf.books); n != 2 {
		t.Errorf("%d numbers were given out, want 2", n)
	}
	if err := e.UnloadAdapter(t.Context(), "service"); err != nil { // one from the start
		t.Fatal(err)
	}
	if got := answerOf(t, e, question("怎么退货?", spoken)).Text[0]; got != base || ids(e) != "demo" {
		t.Errorf("with no adapter left it says %q, want %q; the models are %s", got, base, ids(e))
	}
	if d := diaries["demo:second"]; d == nil || d.generated == 0 {
		t.Error("nobody was told of what it did")
	}
}

func TestAdapterRefusals(t *testing.T) {
	e := openDemo(t, Config{})
	tests := []struct {
		name string
		err  error
		kind chat.Kind
	}{
		{"a name twice", e.LoadAdapter(t.Context(), "service", testAdapter), chat.Conflict},
		{"no adapter", e.LoadAdapter(t.Context(), "other", testModel), chat.Invalid},
		{"no file", e.LoadAdapter(t.Context(), "other", "none.gguf"), chat.Invalid},
		{"none of that name", e.UnloadAdapter(t.Context(), "other"), chat.NotFound},
		{"the model itself", e.UnloadAdapter(t.Context(), ""), chat.NotFound},
	}
	for _, tt := range tests {
		if f, ok := errors.AsType[*chat.Error](tt.err); !ok || f.Kind != tt.kind {
			t.Errorf("%s: got %v, want %v", tt.name, tt.err, tt.kind)
		}
	}
	if err := e.LoadAdapter(t.Context(), "other", testAdapter); err != nil || len(e.shelf.books) != 2 {
		t.Errorf("after the refusals: %v, %d numbers", err, len(e.shelf.books))
	}
}

// An adapter goes when those who are answered with it have their answers, and
// takes no more of them meanwhile.
func TestUnloadWaitsForAnswers(t *testing.T) {
	e := openDemo(t, Config{Slots: 2})
	begun, read := make(chan struct{}), make(chan struct{})
	var n int
	var wg sync.WaitGroup
	wg.Go(func() {
		for ev, err := range e.Chat(t.Context(), question("你好", endless, tokens(300), model("demo:service"))) {
			if err != nil {
				t.Error(err)
			}
			if n == 0 {
				close(begun)
				<-read
			}
			if n++; ev.Usage != nil && ev.Usage.CompletionTokens != 300 {
				t.Errorf("it got %d tokens", ev.Usage.CompletionTokens)
			}
		}
	})
	<-begun
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := e.UnloadAdapter(ctx, "service"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("in the midst of an answer: %v", err)
	}
	if _, err := chattest.Collect(e.Chat(t.Context(), question("你好", model("demo:service"))), 1); err == nil {
		t.Error("one that is about to go took another request")
	}
	close(read)
	wg.Wait()
	free := func() bool {
		e.shelf.mu.Lock()
		defer e.shelf.mu.Unlock()
		return e.shelf.books[0].name == "" && !e.shelf.books[0].gone
	}
	for deadline := time.Now().Add(5 * time.Second); !free(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it has not gone")
		}
	}
	if err := e.LoadAdapter(t.Context(), "service", testAdapter); err != nil || len(e.shelf.books) != 1 {
		t.Errorf("loaded again: %v, %d numbers", err, len(e.shelf.books))
	}
}

// Adapters come and go under load, and nobody else notices.
func TestAdaptersUnderLoad(t *testing.T) {
	e := openDemo(t, Config{Slots: 4})
	want := answerOf(t, e, question("怎么退货?", model("demo:service"))).Text[0]
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for ctx.Err() == nil {
				a, err := chattest.Collect(e.Chat(t.Context(), question("怎么退货?", model("demo:service"))), 1)
				if err != nil || a.Text[0] != want {
					t.Errorf("%v, %+v", err, a)
					return
				}
			}
		})
	}
	wg.Go(func() {
		for ctx.Err() == nil { // sometimes there, sometimes not; never anything else
			_, err := chattest.Collect(e.Chat(t.Context(), question("怎么退货?", tokens(3), model("demo:hot"))), 1)
			if f, ok := errors.AsType[*chat.Error](err); err != nil && (!ok || f.Code != chat.CodeModelNotFound) {
				t.Error(err)
			}
		}
	})
	for range 8 {
		if err := e.LoadAdapter(t.Context(), "hot", testAdapter); err != nil {
			t.Error(err)
		}
		time.Sleep(5 * time.Millisecond)
		if err := e.UnloadAdapter(t.Context(), "hot"); err != nil {
			t.Error(err)
		}
	}
	stop()
	wg.Wait()
	idle(t, e)
}

// Two models that share the weights take turns: while both have answers to
// give, neither is given much less of the time.
func TestAdaptersTakeTurns(t *testing.T) {
	e := openDemo(t, Config{Slots: 6})
	var wg sync.WaitGroup
	progress := make([]int, 6)
	ended := make([]time.Time, 6)
	for i := range progress {
		name := "demo"
		if i == 5 {
			name = "demo:service" // one against five
		}
		wg.Go(func() {
			for range e.Chat(t.Context(), question("你好", endless, tokens(200), model(name))) {
				progress[i]++
			}
			ended[i] = time.Now()
		})
	}
	began := time.Now()
	wg.Wait()
	alone, together := ended[5].Sub(began), ended[0].Sub(began)
	if alone > together*3/2 {
		t.Errorf("the one of the adapter took %v, those of the model %v", alone, together)
	}
}

var _ watch.Observer = (*diary)(nil)
