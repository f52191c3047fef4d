package e2e_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
)

// bases are what a user of an SDK would set as its base URL, and the model
// that answers there.
var bases = []struct{ path, model string }{
	{"/v1", "bendi-demo"},
	{"/v1/chat", "bendi-demo"},
	{"/v1/chat/pro", "bendi-demo:service"},
}

func TestGoClient(t *testing.T) {
	for _, base := range bases {
		t.Run(base.path, func(t *testing.T) {
			s := sharedServer(t)
			client := openai.NewClient(option.WithBaseURL(s.url+base.path), option.WithAPIKey("none"), option.WithMaxRetries(0))
			params := openai.ChatCompletionNewParams{
				Model:     base.model,
				Messages:  []openai.ChatCompletionMessageParamUnion{openai.UserMessage("你好,你是谁?")},
				MaxTokens: openai.Int(64),
			}

			var ids []string
			models := client.Models.ListAutoPaging(t.Context())
			for models.Next() {
				ids = append(ids, models.Current().ID)
			}
			if err := models.Err(); err != nil || len(ids) == 0 || ids[0] != base.model {
				t.Errorf("the models are %v, error %v; want %s first", ids, err, base.model)
			}
			if m, err := client.Models.Get(t.Context(), base.model); err != nil || m.ID != base.model {
				t.Errorf("the model is %+v, error %v", m, err)
			}

			answer, err := client.Chat.Completions.New(t.Context(), params)
			if err != nil {
				t.Fatalf("%v%v", err, s)
			}
			checkAnswer(t, answer, base.model)

			params.StreamOptions.IncludeUsage = openai.Bool(true)
			stream := client.Chat.Completions.NewStreaming(t.Context(), params)
			var whole openai.ChatCompletionAccumulator
			for stream.Next() {
				if !whole.AddChunk(stream.Current()) {
					t.Errorf("the accumulator refuses %s", stream.Current().RawJSON())
				}
			}
			if err := stream.Err(); err != nil {
				t.Fatalf("%v%v", err, s)
			}
			checkAnswer(t, &whole.ChatCompletion, base.model)

			params.Model, params.StreamOptions = "no-such-model", openai.ChatCompletionStreamOptionsParam{}
			_, err = client.Chat.Completions.New(t.Context(), params)
			if refusal, ok := errors.AsType[*openai.Error](err); !ok || refusal.StatusCode != 404 || refusal.Code != "model_not_found" {
				t.Errorf("an unknown model gives %v, want 404 model_not_found", err)
			}
		})
	}
}

func checkAnswer(t *testing.T, answer *openai.ChatCompletion, model string) {
	t.Helper()
	if answer.Model != model || len(answer.Choices) != 1 {
		t.Fatalf("the answer is %s, want one of %s", answer.RawJSON(), model)
	}
	choice, usage := answer.Choices[0], answer.Usage
	if choice.Message.Role != "assistant" || choice.Message.Content == "" || choice.FinishReason == "" {
		t.Errorf("the choice is %+v", choice)
	}
	if usage.PromptTokens == 0 || usage.CompletionTokens == 0 || usage.TotalTokens != usage.PromptTokens+usage.CompletionTokens {
		t.Errorf("the usage is %+v", usage)
	}
}

// Kinds are what may stand behind the routes that clients ask. Cannot has what a
// kind cannot do, by words of the checks that it fails, and what is said then.
var kinds = []struct {
	name   string
	start  func(testing.TB) *server
	cannot map[string]string
}{
	{"here", sharedServer, nil},
	{"remote", func(t testing.TB) *server {
		return before(t, fmt.Sprintf("url: %s/v1", start(t, bothModels(t)).ready(t).url))
	}, nil},
	{"process", func(t testing.TB) *server {
		return before(t, fmt.Sprintf("process: {command: [%q, serve, --config, %q, --listen, \"127.0.0.1:${PORT}\"], health: /readyz}",
			program(t, "bendi"), writeFile(t, "behind.yaml", bothModels(t))))
	}, nil},
	{"ollama", func(t testing.TB) *server {
		url, _ := realOllama(t)
		return start(t, fmt.Sprintf(`
backends:
  behind: {kind: ollama, url: %q, zone: inside, models: {base: {name: demo, context: 2048}}}
routes:
  - {path: /v1/chat, models: [{id: bendi-demo, tiers: [[behind/base]]}]}
`, url)).ready(t)
	}, map[string]string{
		"tools":             `leaves it to the model whether it calls a tool`,
		"logprobs":          `tells no log probabilities`,
		"completions":       `would cut a prompt that is too long without saying so`,
		"count_tokens":      `does not show its tokens`,
		"messages.create":   `cannot bound how much a model reasons`,
		"conversation":      `cannot bound how much a model reasons`,
		"stop_sequences":    `end_turn`,                              // it does not say what it has stopped at
		"structured output": `broke off before its answer was whole`, // it gives up JSON that is spaces
	}},
}

// bothModels is a configuration of a route with the demo model and its adapter.
func bothModels(t testing.TB) string {
	return fmt.Sprintf(`
data: %q
models: {bendi-demo: {path: %q, adapters: {service: %q}}}
routes:
  - {path: /v1/chat, models: [bendi-demo, "bendi-demo:service"]}
`, t.TempDir(), demo(t, demoModel), demo(t, demoAdapter))
}

// before starts a server that has the demo model behind it, as a backend.
func before(t testing.TB, backend string) *server {
	return start(t, fmt.Sprintf(`
backends:
  behind:
    %s
    zone: inside
    models: {base: {name: bendi-demo, context: 2048}, tuned: {name: "bendi-demo:service", context: 2048}}
routes:
  - {path: /v1/chat, models: [{id: bendi-demo, tiers: [[behind/base]]}, {id: "bendi-demo:service", tiers: [[behind/tuned]]}]}
  - {path: /v1/chat/pro, models: [{id: "bendi-demo:service", tiers: [[behind/tuned]]}]}
`, backend)).ready(t)
}

// The clients of other languages have a program each, which prints a line for
// each check. They find the same whatever answers.
func TestOtherClients(t *testing.T) {
	for _, kind := range kinds {
		t.Run(kind.name, func(t *testing.T) { testClients(t, kind.start(t), kind.name == "here", kind.cannot) })
	}
}

// testClients runs them, at the second base as well where all is asked for.
func testClients(t *testing.T, s *server, all bool, cannot map[string]string) {
	clients := filepath.Join(home(t), "scripts", "clients")
	node, python := filepath.Join(clients, "node"), filepath.Join(clients, "python")
	venv := filepath.Join(python, ".venv", "bin", "python")
	nodeHas := func(name string) string { return filepath.Join(node, "node_modules", filepath.FromSlash(name)) }
	pythonHas := func(name string) string {
		found, _ := filepath.Glob(filepath.Join(python, ".venv", "lib", "python3*", "site-packages", name))
		return append(found, "no "+name)[0]
	}
	run := func(program ...string) func(base string) []string {
		return func(base string) []string { return append([]string{program[0], program[1], base}, program[2:]...) }
	}
	openAI, anthropic := []string{"/v1", "/v1/chat/pro"}, []string{"", "/v1/chat/pro"}
	tests := []struct {
		name, needs, install string
		command              func(base string) []string
		bases                []string
		checks               int // there are at least
	}{
		{"node", nodeHas("openai"), "npm ci in " + node, run("node", filepath.Join(node, "check.mjs")), openAI, 10},
		{"node next", nodeHas("openai-next"), "npm ci in " + node, run("node", filepath.Join(node, "check.mjs"), "openai-next"), openAI, 10},
		{"node responses", nodeHas("openai"), "npm ci in " + node, run("node", filepath.Join(node, "responses.mjs")), openAI, 10},
		{"node next responses", nodeHas("openai-next"), "npm ci in " + node, run("node", filepath.Join(node, "responses.mjs"), "openai-next"), openAI, 10},
		{"node messages", nodeHas("@anthropic-ai/sdk"), "npm ci in " + node, run("node", filepath.Join(node, "messages.mjs")), anthropic, 9},
		{"node frameworks", nodeHas("@langchain/openai"), "npm ci in " + node, run("node", filepath.Join(node, "frameworks.mjs")), openAI[:1], 20},
		{"python", venv, "make clients", run(venv, filepath.Join(python, "check.py")), openAI, 10},
		{"python responses", venv, "make clients", run(venv, filepath.Join(python, "responses.py")), openAI, 9},
		{"python messages", pythonHas("anthropic"), "make clients", run(venv, filepath.Join(python, "messages.py")), anthropic, 9},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := os.Stat(tt.needs); err != nil {
				t.Skipf("the client is not installed: run %s", tt.install)
			}
			if !all {
				tt.bases = tt.bases[:1]
			}
			for _, base := range tt.bases {
				t.Run(base, func(t *testing.T) {
					t.Parallel()
					argv := tt.command(s.url + base)
					r := finish(t, exec.Command(argv[0], argv[1:]...))
					if cannot != nil {
						failsAs(t, r, cannot)
						return
					}
					r.want(t, 0)
					if n := strings.Count(r.stdout, "ok "); n < tt.checks {
						t.Errorf("%d checks are ok, want all of them%v", n, r)
					}
				})
			}
		})
	}
}

// failsAs looks whether what has failed is what cannot be done, for the reason
// that there is.
func failsAs(t *testing.T, r result, cannot map[string]string) {
	t.Helper()
	if !strings.Contains(r.stdout, "ok ") {
		t.Errorf("nothing is ok%v", r)
	}
	for _, text := range strings.Split(r.stdout, "FAILED ")[1:] {
		name, _, _ := strings.Cut(text, "\n")
		known := false
		for what, reason := range cannot {
			known = known || strings.Contains(name, what) && strings.Contains(text, reason)
		}
		if !known {
			t.Errorf("failed: %s", text)
		}
	}
}
