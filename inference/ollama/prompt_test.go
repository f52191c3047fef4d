package ollama

import (
	"errors"
	"strings"
	"testing"

	"bendi/chat"
)

// A prompt is gone on with as it stands, by /api/generate; what Ollama cannot do
// with one is refused.
func TestPrompts(t *testing.T) {
	req := func(p chat.Prompt) *chat.Request {
		return &chat.Request{N: 1, MaxTokens: 8, Prompt: &p}
	}
	f := facts{abilities: able, exact: true}
	body, err := bodyOf(t, req(chat.Prompt{Text: "从前"}), f)
	if err != nil || !strings.Contains(body, `"prompt":"从前","raw":true`) || !strings.Contains(body, `"messages":[]`) {
		t.Errorf("got %s, %v", body, err)
	}
	if b := (&chatBody{Raw: true}); b.path() != "/api/generate" {
		t.Errorf("it goes to %s", b.path())
	}
	for param, tt := range map[string]struct {
		p chat.Prompt
		f facts
	}{
		"suffix": {chat.Prompt{Text: "a", Suffix: "b"}, f},
		"prompt": {chat.Prompt{Tokens: []int{1}}, f},
	} {
		_, err := bodyOf(t, req(tt.p), tt.f)
		if e, ok := errors.AsType[*chat.Error](err); !ok || e.Code != chat.CodeUnsupported || e.Param != param {
			t.Errorf("%+v: %v", tt.p, err)
		}
	}
	_, err = bodyOf(t, req(chat.Prompt{Text: "a"}), facts{abilities: able})
	if e, ok := errors.AsType[*chat.Error](err); !ok || e.Param != "prompt" {
		t.Errorf("an older Ollama: %v", err)
	}
	l, err := decode([]byte(`{"response":"山","done":false}`))
	if err != nil || l.Response != "山" {
		t.Errorf("got %+v, %v", l, err)
	}
}
