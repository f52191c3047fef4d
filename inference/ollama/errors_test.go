package ollama

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"bendi/chat"
)

// What Ollama says may repeat what a user has written: the client is told it,
// and whoever prints the error is not.
func TestWordsAreNotPrinted(t *testing.T) {
	const words = "cannot parse: my own words"
	for _, status := range []int{400, 401, 403, 404, 413, 429, 500, 502, 503, 504} {
		err := refusal(status, words, "m")
		e, ok := errors.AsType[*chat.Error](err)
		if !ok || e.Msg == "" {
			t.Fatalf("%d: %v has no message", status, err)
		}
		if text := fmt.Sprintf("backend: %v", err); strings.Contains(text, words) {
			t.Errorf("%d: it is printed as %s", status, text)
		}
	}
	if e, _ := errors.AsType[*chat.Error](refusal(400, words, "m")); !strings.Contains(e.Msg, words) {
		t.Errorf("the client is told %q", e.Msg)
	}
}
