package ollama

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"bendi/chat"
	"bendi/chat/chattest"
)

// conversation returns messages of chance: any roles in any order, and lengths
// from a word to more than a window.
func conversation(r *rand.Rand) []chat.Message {
	var all []chat.Message
	for range 1 + r.IntN(8) {
		role := []chat.Role{chat.System, chat.User, chat.Assistant}[r.IntN(3)]
		all = append(all, chat.TextMessage(role, strings.Repeat("字", r.IntN(1+[]int{4, 40, 160}[r.IntN(3)]))))
	}
	return all
}

// A request is answered if, and only if, all of its messages and a token of the
// answer fit the window; and an answer never outgrows it.
func TestNothingIsLeftOut(t *testing.T) {
	const window = 128
	for _, version := range []string{oldest, exact} {
		f := newFake()
		f.version = version
		// A model of few words around a message, so that some are certain, and
		// one of many, so that none is.
		for _, words := range []int{0, 4 * window} {
			f.show = strings.Replace(showChat, "<|{{ .Role }}|>", "<|{{ .Role }}|>"+`{{ \"`+strings.Repeat("x", words)+`\" }}`, 1)
			m := serve(t, f, func(c *Config) { c.Context = window })
			r := rand.New(rand.NewPCG(1, uint64(words)))
			fits, not, counted := 0, 0, 0
			for i := range 400 {
				req := ask()
				req.Messages = conversation(r)
				req.MaxTokens = r.IntN(2) * r.IntN(2*window)
				all, err := messages(req.Messages, facts{})
				if err != nil {
					t.Fatal(err)
				}
				tokens := sum(all)
				f.mu.Lock()
				f.asks = nil
				f.mu.Unlock()
				a, err := chattest.Collect(m.Chat(t.Context(), req), 1)
				e, refused := errors.AsType[*chat.Error](err)
				refused = refused && e.Code == chat.CodeContextLength
				if (err == nil) != (tokens < window) || err != nil && !refused {
					t.Fatalf("%s, conversation %d of %d tokens in a window of %d: %v", version, i, tokens, window, err)
				}
				if err != nil {
					not++
					continue
				}
				fits++
				if a.Usage.PromptTokens != tokens {
					t.Fatalf("%s, conversation %d has %d tokens and the usage %+v", version, i, tokens, a.Usage)
				}
				for _, b := range f.asks {
					counted++
					if limit := b.Options["num_predict"].(float64); version == oldest && tokens+int(limit) > window+1 {
						t.Fatalf("an answer of %v tokens was asked for behind %d", limit, tokens)
					}
				}
			}
			t.Logf("%s, %d bytes of template: %d fitted, in %d requests; %d did not", version, words, fits, counted, not)
			if fits < 50 || not < 50 {
				t.Error("the conversations are of no use")
			}
		}
	}
}

func TestWindow(t *testing.T) {
	show := func(trained, params string) string {
		return fmt.Sprintf(`{"model_info":{"general.architecture":"x","x.context_length":%s},"parameters":%q,"capabilities":["completion"]}`, trained, params)
	}
	tests := []struct {
		name  string
		cfg   Config
		show  string
		want  float64
		model string
	}{
		{"nothing is said", Config{}, show("131072", ""), DefaultContext, ""},
		{"by the Modelfile", Config{}, show("131072", "num_ctx                        16384"), 16384, ""},
		{"by the backend", Config{Context: 8192}, show("131072", "num_ctx                        16384"), 8192, ""},
		{"by the offer", Config{Context: 8192, Models: []Offer{{ID: "a", Model: "tiny", Context: 1024}}}, show("131072", ""), 1024, "a"},
		{"no more than it was trained for", Config{Context: 8192}, show("512", ""), 512, ""},
		{"trained for what is not said", Config{Context: 8192}, show("0", ""), 8192, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFake()
			f.show = tt.show
			m := serve(t, f, func(c *Config) { tt.cfg.URL = c.URL; *c = tt.cfg })
			req := ask()
			if tt.model != "" {
				req.Model = tt.model
			}
			if _, err := chattest.Collect(m.Chat(t.Context(), req), 1); err != nil {
				t.Fatal(err)
			}
			for _, b := range f.asks {
				if b.Options["num_ctx"] != tt.want || b.Model != "tiny" {
					t.Errorf("asked %s with a window of %v, want %v", b.Model, b.Options["num_ctx"], tt.want)
				}
			}
		})
	}
}

// The Modelfile's system message and its stop strings count although a request
// has its own.
func TestTheModelfileCounts(t *testing.T) {
	f := newFake()
	f.show = `{"system":"你是助手","parameters":"stop                           \"<|im_end|>\"\nstop                           \"\\n\"\ntemperature                    0.7","model_info":{},"capabilities":["completion"]}`
	req := ask()
	req.Stop = []string{"\n", "END"}
	if _, err := chattest.Collect(serve(t, f).Chat(t.Context(), req), 1); err != nil {
		t.Fatal(err)
	}
	b := f.asked()[0]
	if got := fmt.Sprintf("%q", b.Options["stop"]); got != `["\n" "END" "<|im_end|>"]` {
		t.Errorf("stops %s", got)
	}
	if len(b.Messages) != 2 || b.Messages[0].Role != "system" || b.Messages[0].Content != "你是助手" {
		t.Errorf("messages %+v", b.Messages)
	}
	if _, given := b.Options["temperature"]; given {
		t.Error("a temperature was sent that nobody asked for")
	}
}

// Messages that the Modelfile brings are out of sight: near the window nothing
// is certain, and nothing is asked.
func TestHiddenMessages(t *testing.T) {
	f := newFake()
	f.show = strings.Replace(showChat, "{", `{"messages":[{"role":"user","content":"`+strings.Repeat("x", 600)+`"}],`, 1)
	m := serve(t, f, func(c *Config) { c.Context = 1024 })
	if _, err := chattest.Collect(m.Chat(t.Context(), ask()), 1); err != nil {
		t.Error(err)
	}
	req := ask()
	req.Messages = []chat.Message{chat.TextMessage(chat.User, strings.Repeat("x", 1500))}
	_, err := chattest.Collect(m.Chat(t.Context(), req), 1)
	if e, ok := errors.AsType[*chat.Error](err); !ok || e.Code != chat.CodeContextLength {
		t.Errorf("got %v", err)
	}
}

// Another program that has the model loaded with another window between the
// count and the answer is noticed.
func TestACountThatChanges(t *testing.T) {
	f := newFake()
	f.chat = ndjson(`{"message":{"content":"好"},"done":false}`, `{"message":{"content":""},"done":true,"done_reason":"stop","prompt_eval_count":3,"eval_count":1}`)
	_, err := chattest.Collect(serve(t, f).Chat(t.Context(), ask()), 1)
	if e, ok := errors.AsType[*chat.Error](err); !ok || e.Kind != chat.BadBackend || !strings.Contains(e.Msg, "another window") {
		t.Errorf("got %v", err)
	}
}

func TestLiterals(t *testing.T) {
	for template, want := range map[string]int{
		"":                                 0,
		"abc":                              3,
		"{{ .Role }}":                      0,
		"<{{ .Role }}>{{- \"a\\\"b\" -}}":  2 + 6,
		"{{ if eq .Role `x` }}y{{ end }}z": 3 + 2,
	} {
		if got := literals(template); got != want {
			t.Errorf("literals(%q) = %d, want %d", template, got, want)
		}
	}
}
