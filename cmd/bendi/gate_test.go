package main

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"bendi/chat"
	"bendi/chat/chattest"
	"bendi/router"
)

func guardedScript(t *testing.T, g *gate, script chattest.Script) chat.Model {
	t.Helper()
	r, err := router.New([]router.Offer{{ModelInfo: chat.ModelInfo{ID: "m"}, Model: script}}, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	return g.guard(r)
}

func ask() *chat.Request {
	return &chat.Request{N: 1, Messages: []chat.Message{chat.TextMessage(chat.User, "你好")}}
}

func TestGuardedKeepsTheContract(t *testing.T) {
	chattest.Contract(t, guardedScript(t, newGate(), "你\n好\n。\n"), ask)
}

func TestDrain(t *testing.T) {
	tests := []struct {
		name   string
		script chattest.Script
		limit  time.Duration
		took   time.Duration // of the drain
		cut    int
	}{
		{"nothing runs", "", time.Minute, 0, 0},
		{"the answer ends in time", "a\n!sleep 3s\nb\n", time.Minute, 3 * time.Second, 0},
		{"the answer is cut", "a\n!wait\n", 5 * time.Second, 5 * time.Second, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := newGate()
				m := guardedScript(t, g, tt.script)
				var answer error
				if tt.script != "" {
					go func() { _, answer = chattest.Collect(m.Chat(t.Context(), ask()), 1) }()
					synctest.Wait()
				}
				ctx, cancel := context.WithTimeout(t.Context(), tt.limit)
				defer cancel()
				begin := time.Now()
				if cut := g.drain(ctx); cut != tt.cut {
					t.Errorf("%d answers were cut, want %d", cut, tt.cut)
				}
				if took := time.Since(begin); took != tt.took {
					t.Errorf("the drain took %v, want %v", took, tt.took)
				}
				synctest.Wait()
				if want := tt.cut > 0; errors.Is(answer, errShuttingDown) != want {
					t.Errorf("the answer ended with %v", answer)
				}
				if _, err := chattest.Collect(m.Chat(t.Context(), ask()), 1); !errors.Is(err, errShuttingDown) {
					t.Errorf("a request after the drain ended with %v", err)
				}
			})
		})
	}
}

// blocking embeds until it is told to stop.
type blocking struct{ chattest.Script }

func (blocking) Embed(ctx context.Context, req *chat.EmbedRequest) (*chat.Embeddings, error) {
	<-ctx.Done()
	return nil, context.Cause(ctx)
}

// What is asked beside chat goes through the gate as well.
func TestDrainOfEmbeddings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate()
		r, err := router.New([]router.Offer{{ModelInfo: chat.ModelInfo{ID: "m"}, Model: blocking{}}}, "", nil)
		if err != nil {
			t.Fatal(err)
		}
		m := g.guard(r)
		var answer error
		go func() { _, answer = chat.Embed(t.Context(), m, &chat.EmbedRequest{}) }()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		cut := g.drain(ctx)
		synctest.Wait()
		if cut != 1 || !errors.Is(answer, errShuttingDown) {
			t.Errorf("%d were cut, and the answer is %v", cut, answer)
		}
		for _, late := range []func() error{
			func() error { _, err := chat.Embed(t.Context(), m, &chat.EmbedRequest{}); return err },
			func() error { _, err := chat.Rerank(t.Context(), m, &chat.RerankRequest{}); return err },
			func() error { _, err := chat.Tokenize(t.Context(), m, &chat.TokenizeRequest{}); return err },
			func() error { _, err := chat.Detokenize(t.Context(), m, &chat.DetokenizeRequest{}); return err },
		} {
			if err := late(); !errors.Is(err, errShuttingDown) {
				t.Errorf("a late request: %v", err)
			}
		}
	})
}
