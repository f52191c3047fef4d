package e2e_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestKeysShareFairly has one API key send sixty requests to a model that
// answers one at a time, and another key one after them: it is answered next.
// What the first has left in the cache is not used for the second.
func TestKeysShareFairly(t *testing.T) {
	secrets := map[string]string{"flood": "0123456789-flood-key", "other": "0123456789-other-key", "late": "0123456789-late-key"}
	keys := ""
	for name, secret := range secrets {
		priority := 0
		if name == "late" {
			priority = -5
		}
		keys += fmt.Sprintf("    - {name: %s, key_file: %s, priority: %d}\n", name, writeFile(t, name, secret), priority)
	}
	s := start(t, oneSlot(t)+"access:\n  keys:\n"+keys)
	s.listening(t)
	ask := func(ctx context.Context, key string) (string, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url+"/v1/chat", strings.NewReader(question("请用一句话回答：怎么退货?", `"max_tokens":40`, `"ignore_eos":true`, `"temperature":0`)))
		if err != nil {
			return "", err
		}
		req.Header.Set("Authorization", "Bearer "+secrets[key])
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			return "", err
		}
		defer res.Body.Close()
		text, err := io.ReadAll(res.Body)
		if err == nil && res.StatusCode != http.StatusOK {
			err = fmt.Errorf("status %d: %s", res.StatusCode, text)
		}
		return string(text), err
	}
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	var answered atomic.Int64
	var flood sync.WaitGroup
	for range 60 {
		flood.Go(func() {
			if _, err := ask(ctx, "flood"); err == nil {
				answered.Add(1)
			}
		})
	}
	eventually(t, 10*time.Second, "an answer to the flood", func() bool { return answered.Load() > 2 })
	var late atomic.Bool
	flood.Go(func() {
		ask(ctx, "late")
		late.Store(true)
	})
	before := answered.Load()
	text, err := ask(ctx, "other")
	if err != nil {
		t.Fatalf("%v%v", err, s)
	}
	if meanwhile := answered.Load() - before; meanwhile > 8 || late.Load() {
		t.Errorf("while the other waited, %d of the flood were answered, and the late one: %v", meanwhile, late.Load())
	}
	if !strings.Contains(text, `"cached_tokens":0`) {
		t.Errorf("the prompt of another key was used: %s", text)
	}
	stop()
	flood.Wait()
}
