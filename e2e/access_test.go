package e2e_test

import (
	"errors"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
)

func TestKeys(t *testing.T) {
	const secret = "correct-horse-battery-staple"
	file := writeFile(t, "key", secret+"\n")
	s := start(t, "access: {keys: [{name: shop, key_file: "+file+"}]}\n").ready(t)
	models := func(key string) error {
		client := openai.NewClient(option.WithBaseURL(s.url+"/v1"), option.WithAPIKey(key), option.WithMaxRetries(0))
		_, err := client.Models.List(t.Context())
		return err
	}
	if err := models(secret); err != nil {
		t.Errorf("with the key: %v%v", err, s)
	}
	for name, key := range map[string]string{"without a key": "", "with another key": secret + "r"} {
		err := models(key)
		if refusal, ok := errors.AsType[*openai.Error](err); !ok || refusal.StatusCode != http.StatusUnauthorized || refusal.Code != "invalid_api_key" {
			t.Errorf("%s: %v, want 401 invalid_api_key", name, err)
		}
	}
	if strings.Contains(s.String(), secret) {
		t.Errorf("the secret is printed%v", s)
	}
}

// TestLogHoldsNoWords asks in ways that work and in ways that fail. The log
// tells of each request, and nothing of what was asked or answered.
func TestLogHoldsNoWords(t *testing.T) {
	const words = "nobody-may-read-this"
	s := start(t, "log: {level: debug}\n").ready(t)
	bodies := []string{
		question(words, `"temperature":0`),
		question(words, `"stream":true`),
		question(words, `"temperature":9`),
		question(words, `"user":"`+words+`"`, `"stop":7`),
		question(words + "\x00"),
		question(words, `"tools":[{"type":"function","function":{"name":"`+words+`"}}]`),
		question(words) + words,
		question(strings.Repeat(words, 2000)),
	}
	var ids []string
	for _, body := range bodies {
		resp := s.post(t, "/v1/chat", body)
		resp.Body.Close()
		ids = append(ids, resp.Header.Get("X-Request-Id"))
	}
	s.signal(t, syscall.SIGTERM)
	s.exit(t, within(10*time.Second))
	for i, id := range ids {
		if id == "" || !strings.Contains(s.stderr.String(), id) {
			t.Errorf("the log does not tell of request %d, %q%v", i, id, s)
		}
	}
	if strings.Contains(s.String(), words) {
		t.Errorf("the log holds what a user wrote%v", s)
	}
}
