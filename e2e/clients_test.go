package e2e_test

import (
	"errors"
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

// The clients of other languages have a program each, which prints a line for
// each check.
func TestOtherClients(t *testing.T) {
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
			for _, base := range tt.bases {
				t.Run(base, func(t *testing.T) {
					t.Parallel()
					s := sharedServer(t)
					argv := tt.command(s.url + base)
					r := finish(t, exec.Command(argv[0], argv[1:]...))
					r.want(t, 0)
					if n := strings.Count(r.stdout, "ok "); n < tt.checks {
						t.Errorf("%d checks are ok, want all of them%v", n, r)
					}
				})
			}
		})
	}
}
