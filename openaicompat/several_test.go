package openaicompat

import (
	"context"
	"errors"
	"iter"
	"testing"
	"testing/synctest"

	"bendi/chat"
	"bendi/chat/chattest"
)

// byPrompt plays the script that is the prompt.
type byPrompt struct{}

func (byPrompt) Chat(ctx context.Context, req *chat.Request) iter.Seq2[chat.Event, error] {
	return chattest.Script(req.Prompt.Text).Chat(ctx, req)
}

func prompts(texts ...string) []*chat.Request {
	var reqs []*chat.Request
	for _, text := range texts {
		reqs = append(reqs, &chat.Request{N: 1, Prompt: &chat.Prompt{Text: text}})
	}
	return reqs
}

func TestSeveral(t *testing.T) {
	tests := []struct {
		name    string
		scripts []string
		want    []string // texts; nil: it fails
	}{
		{"side by side", []string{"a\n!sleep 1s\nb\n!finish stop\n!usage 3 2", "c\n!finish length\n!usage 4 1"}, []string{"ab", "c"}},
		{"one fails", []string{"a\n!sleep 1h\nb", "!sleep 1s\n!fail unavailable no"}, nil},
		{"one breaks off", []string{"a\n!finish stop\n!usage 1 1", "c\n!finish stop\n!usage 1 1\nd"}, nil},
		{"one panics", []string{"a\n!wait", "!panic"}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, err := chattest.Collect(held(several(t.Context(), byPrompt{}, prompts(tt.scripts...)), len(tt.scripts)), len(tt.scripts))
				switch {
				case tt.want == nil:
					if err == nil {
						t.Errorf("got %+v, want an error", a)
					}
				case err != nil || a.Text[0] != tt.want[0] || a.Text[1] != tt.want[1] || a.Usage.PromptTokens != 7 || a.Usage.CompletionTokens != 3:
					t.Errorf("got %+v, %v", a, err)
				}
			})
		})
	}
}

// Whoever leaves one leaves all, and none goes on unseen.
func TestSeveralAreLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for range several(t.Context(), byPrompt{}, prompts("a\n!wait", "!wait")) {
			break
		}
		cause := errors.New("left")
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(cause)
		_, err := chattest.Collect(several(ctx, byPrompt{}, prompts("!wait", "!wait")), 2)
		if !errors.Is(err, cause) {
			t.Errorf("got %v", err)
		}
	})
}
