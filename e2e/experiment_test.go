package e2e_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The base model against its fine-tuned adapter on one route, with a shadow:
// 200 questions of 160 sessions with feedback, and what the report says of them.
func TestExperiment(t *testing.T) {
	data := t.TempDir()
	s := start(t, fmt.Sprintf(`
data: %q
models:
  bendi-demo: {path: %q, context: 2048, slots: 4, threads: 1, adapters: {service: %q}}
routes:
  - path: /v1/chat
    models: [bendi-demo]
experiments:
  tuned:
    route: /v1/chat
    arms:
      base: {max_tokens: 2}
      service: {model: "bendi-demo:service", max_tokens: 2}
      dark: {model: "bendi-demo:service", shadow: true, max_tokens: 1}
    control: base
    guards: {errors: 0.05}
`, data, demo(t, demoModel), demo(t, demoAdapter))).ready(t)
	const words, questions, sessions = "你好，你是谁", 200, 160
	arms, total := make(map[string]string), make(map[string]int)
	for i := range questions {
		session := fmt.Sprint("visitor-", i%sessions)
		resp := s.post(t, "/v1/chat", question(words, fmt.Sprintf(`"session_id":%q`, session)))
		var answer struct{ ID string }
		err := json.NewDecoder(resp.Body).Decode(&answer)
		resp.Body.Close()
		arm := resp.Header.Get("x-bendi-arm")
		if err != nil || resp.StatusCode != http.StatusOK || arm != "tuned/base" && arm != "tuned/service" {
			t.Fatalf("status %d by %q: %v%v", resp.StatusCode, arm, err, s)
		}
		if arm == "tuned/service" && resp.Header.Get("x-bendi-backend") != "bendi-demo:service" {
			t.Errorf("the arm service was answered by %q", resp.Header.Get("x-bendi-backend"))
		}
		if was := arms[session]; was != "" && was != arm {
			t.Errorf("%s was in %s and is in %s", session, was, arm)
		}
		arms[session] = arm
		total[arm]++
		score := -float64(i%3) / 2
		if arm == "tuned/service" {
			score = -score
		}
		if status, c := s.ask(t, "/v1/feedback", fmt.Sprintf(`{"id":%q,"score":%v}`, answer.ID, score)); status != http.StatusOK {
			t.Fatalf("feedback: status %d, %v", status, c.Error)
		}
	}
	task := question("### Task:\nGenerate a title\n### Output:\nJSON", `"session_id":"visitor-1"`, `"max_tokens":1`)
	if resp := s.post(t, "/v1/chat", task); resp.Header.Get("x-bendi-arm") != "" {
		t.Errorf("a title was asked of %q", resp.Header.Get("x-bendi-arm"))
	}
	if status, _ := s.ask(t, "/v1/feedback", `{"id":"chatcmpl-nobodys","score":1}`); status != http.StatusNotFound {
		t.Errorf("feedback about nothing: status %d", status)
	}

	run(t, "", "ab", "status", "--server", s.url).want(t, 0, "tuned on /v1/chat: running", fmt.Sprint(total["tuned/base"]), fmt.Sprint(total["tuned/service"]), "shadow", "not counted: 1, asked by a chat front end")
	md := run(t, "", "ab", "report", "tuned", "-o", "md", "--server", s.url)
	md.want(t, 0, "| feedback score |", "| **better** |")
	t.Logf("%s", md.stdout)
	run(t, "", "ab", "report", "tuned", "-o", "svg", "--server", s.url).want(t, 0, "<svg", "</svg>")
	var report struct {
		Arms []struct {
			Name     string
			Requests int
		}
	}
	text := run(t, "", "ab", "report", "tuned", "-o", "json", "--server", s.url)
	if err := json.Unmarshal([]byte(text.stdout), &report); err != nil {
		t.Fatalf("%v%v", err, text)
	}
	sum := 0
	for _, a := range report.Arms {
		if a.Name != "dark" {
			sum += a.Requests
		}
	}
	if sum != questions {
		t.Errorf("the report counts %d requests, want %d", sum, questions)
	}
	run(t, "", "ab", "stop", "tuned", "--winner", "service", "--server", s.url).want(t, 0, "winner service")
	resp := s.post(t, "/v1/chat", question(words, `"max_tokens":1`))
	resp.Body.Close()
	if by, arm := resp.Header.Get("x-bendi-backend"), resp.Header.Get("x-bendi-arm"); by != "bendi-demo:service" || arm != "" {
		t.Errorf("after the end %q by %q", by, arm)
	}
	if text := s.get(t, "/metrics"); !strings.Contains(text, `bendi_experiment_running{experiment="tuned",route="/v1/chat"} 0`) ||
		!strings.Contains(text, fmt.Sprintf(`bendi_experiment_requests_total{arm="base",experiment="tuned",outcome="success"} %d`, total["tuned/base"])) {
		t.Errorf("the metrics are\n%s", text)
	}
	file, err := os.ReadFile(filepath.Join(data, "experiments", "tuned.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	for _, word := range []string{words, "visitor-", "chatcmpl"} {
		if strings.Contains(string(file), word) || strings.Contains(s.stderr.String(), words) {
			t.Errorf("%q is in the file of the experiment, or in the log", word)
		}
	}
}
