package e2e_test

import (
	"bufio"
	"context"
	"net/http"
	"strings"
	"testing"
)

// TestQueuePosition reads where in the queue a waiting stream is, in its
// comments.
func TestQueuePosition(t *testing.T) {
	s := start(t, oneSlot(t)+"server: {keep_alive: 1s}\n").ready(t)
	s.stream(t, "/v1/chat", long(t, 8000))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url+"/v1/chat", strings.NewReader(question("你好", `"stream":true`)))
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	lines := bufio.NewScanner(res.Body)
	for n := 0; lines.Scan() && n < 10; n++ {
		if lines.Text() == ": queue 1 of 1" {
			return
		}
		if strings.HasPrefix(lines.Text(), "data:") {
			break
		}
	}
	t.Errorf("the last line is %q, %v; no comment told the place%v", lines.Text(), lines.Err(), s)
}
