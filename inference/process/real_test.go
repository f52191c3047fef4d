package process

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"bendi/chat"
	"bendi/chat/chattest"
)

// A real llama-server, where BENDI_LLAMA_SERVER names one, answers from the
// demo model, is stopped when nobody asks, and answers again.
func TestRealLlamaServer(t *testing.T) {
	server := os.Getenv("BENDI_LLAMA_SERVER")
	if server == "" {
		t.Skip("set BENDI_LLAMA_SERVER to the path of a llama-server to have it tried")
	}
	const model = "../../models/demo/bendi-demo-q8_0.gguf"
	if _, err := os.Stat(model); err != nil {
		t.Skip(err)
	}
	p, _ := run(t, "", func(c *Config) {
		c.Command = strings.Fields(fmt.Sprintf("%s --model %s --host 127.0.0.1 --port %s --ctx-size 2048 --parallel 1 --threads 1", server, model, Port))
		c.UnloadAfter, c.StartTimeout = time.Second, time.Minute
	})
	for range 2 {
		req := ask("你好,你是谁?")
		req.MaxTokens = 16
		answer, err := chattest.Collect(p.Chat(t.Context(), req), 1)
		if err != nil {
			t.Fatal(err)
		}
		if answer.Text[0] == "" || answer.Usage.PromptTokens == 0 {
			t.Errorf("it answered %+v", answer)
		}
		until(t, p, Unloaded)
	}
	if _, err := chattest.Collect(p.Chat(t.Context(), &chat.Request{N: 1, Messages: []chat.Message{chat.TextMessage(chat.User, strings.Repeat("很长", 4000))}}), 1); err == nil {
		t.Error("a prompt that is too long was answered")
	}
}
