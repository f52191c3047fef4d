package e2e_test

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// do asks the server, with a key and in a session where they are named.
func (s *server) do(t testing.TB, method, path, key, session, body string) (int, http.Header, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, s.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	if key != "" {
		req.Header.Set("Authorization", "Bearer "+key)
	}
	if session != "" {
		req.Header.Set("X-Session-ID", session)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, resp.Header, string(text)
}

// stored reports whether a file in a folder has a word in it.
func stored(dir, word string) bool {
	files, _ := filepath.Glob(filepath.Join(dir, "*"))
	return slices.ContainsFunc(files, func(f string) bool {
		text, err := os.ReadFile(f)
		return err == nil && strings.Contains(string(text), word)
	})
}

// A conversation is remembered by its key alone, over the death of the gateway,
// as the filter let it pass, until it is deleted: then no file has a byte of it.
func TestSessions(t *testing.T) {
	const shop, bank = "shop-secret-0123456789", "bank-secret-0123456789"
	data := t.TempDir()
	config := fmt.Sprintf("data: %s\naccess:\n  keys:\n    - {name: shop, key_file: %s}\n    - {name: bank, key_file: %s}\nfilters: {default: {privacy: {phone: mask}}}\n",
		data, writeFile(t, "shop", shop), writeFile(t, "bank", bank))
	say := func(s *server, key, words string, want string) {
		t.Helper()
		status, header, body := s.do(t, http.MethodPost, "/v1/chat", key, "trip", question(words, `"max_tokens":8`))
		if status != http.StatusOK || header.Get("X-Bendi-Session") != want {
			t.Fatalf("%d, x-bendi-session %q, want %q: %s%v", status, header.Get("X-Bendi-Session"), want, body, s)
		}
	}
	s := start(t, config).ready(t)
	say(s, shop, "你好,我的电话是 13812345678,代号 zanzibar", "kept=0")
	say(s, bank, "别人的会话", "kept=0")
	say(s, shop, "再说一次", "kept=2")

	s.signal(t, syscall.SIGKILL)
	s.exit(t, 10*time.Second)
	s = start(t, config).ready(t)
	say(s, shop, "还在吗", "kept=4")
	status, _, body := s.do(t, http.MethodGet, "/v1/sessions/trip", shop, "", "")
	if status != http.StatusOK || !strings.Contains(body, "zanzibar") || strings.Contains(body, "13812345678") || strings.Contains(body, "别人") {
		t.Errorf("%d %s", status, body)
	}
	if status, _, body = s.do(t, http.MethodGet, "/v1/sessions", bank, "", ""); !strings.Contains(body, `"trip"`) || strings.Count(body, `"session"`) != 1 {
		t.Errorf("the bank's sessions: %d %s", status, body)
	}
	stored := func(word string) bool { return stored(data, word) }
	if !stored("zanzibar") || stored("13812345678") {
		t.Errorf("the files have the words: %v, and a number that was masked: %v", stored("zanzibar"), stored("13812345678"))
	}
	for _, method := range []string{http.MethodGet, http.MethodDelete} { // nobody's user is the whole key
		if status, _, body = s.do(t, method, "/v1/sessions?user=anna", shop, "", ""); status != http.StatusBadRequest {
			t.Errorf("%s of the sessions of a user that has none of its own: %d %s", method, status, body)
		}
	}
	if status, _, body = s.do(t, http.MethodDelete, "/v1/sessions/trip", shop, "", ""); status != http.StatusOK {
		t.Fatalf("%d %s", status, body)
	}
	if stored("zanzibar") {
		t.Error("a file has words of a session that was deleted")
	}
	say(s, shop, "从头开始", "kept=0")
	say(s, bank, "接着说", "kept=2")
}
