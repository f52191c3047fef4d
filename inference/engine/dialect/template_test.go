package dialect

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/tools/txtar"

	"bendi/chat"
)

var update = flag.Bool("update", false, "rewrite the prompts in testdata")

// A conversation is an entry of testdata/conversations.txtar.
type conversation struct {
	Messages []struct {
		Role       chat.Role
		Content    json.RawMessage
		Reasoning  string `json:"reasoning_content"`
		ToolCallID string `json:"tool_call_id"`
		ToolCalls  []struct {
			ID       string
			Function struct{ Name, Arguments string }
		} `json:"tool_calls"`
	}
	Tools []struct {
		Function struct {
			Name, Description string
			Parameters        json.RawMessage
			Strict            bool
		}
	}
	Thinking *bool
	Generate bool
}

func (c conversation) input(t *testing.T) Input {
	in := Input{
		Thinking: c.Thinking, Generate: c.Generate, BOS: "<s>", EOS: "</s>",
		Now:    time.Date(2026, 5, 7, 8, 9, 10, 0, time.UTC),
		Shield: strings.NewReplacer("<|im_end|>", "{im_end}").Replace,
	}
	for _, m := range c.Messages {
		msg := chat.Message{Role: m.Role, Reasoning: m.Reasoning, ToolCallID: m.ToolCallID}
		var text *string
		var parts []struct{ Text string }
		switch {
		case len(m.Content) == 0:
		case json.Unmarshal(m.Content, &text) == nil:
			if text != nil {
				msg.Content = []chat.Part{{Kind: chat.TextPart, Text: *text}}
			}
		case json.Unmarshal(m.Content, &parts) == nil:
			for _, p := range parts {
				msg.Content = append(msg.Content, chat.Part{Kind: chat.TextPart, Text: p.Text})
			}
		default:
			t.Fatalf("content %s", m.Content)
		}
		for _, call := range m.ToolCalls {
			msg.ToolCalls = append(msg.ToolCalls, chat.ToolCall{ID: call.ID, Name: call.Function.Name, Arguments: call.Function.Arguments})
		}
		in.Messages = append(in.Messages, msg)
	}
	for _, tool := range c.Tools {
		f := tool.Function
		in.Tools = append(in.Tools, chat.Tool{Name: f.Name, Description: f.Description, Parameters: f.Parameters, Strict: f.Strict})
	}
	return in
}

func conversations(t *testing.T) (names []string, all map[string]Input) {
	t.Helper()
	archive, err := txtar.ParseFile(filepath.Join("testdata", "conversations.txtar"))
	if err != nil {
		t.Fatal(err)
	}
	all = map[string]Input{}
	for _, f := range archive.Files {
		var c conversation
		if err := json.Unmarshal(f.Data, &c); err != nil {
			t.Fatalf("%s: %v", f.Name, err)
		}
		names = append(names, f.Name)
		all[f.Name] = c.input(t)
	}
	return names, all
}

// source returns the template in testdata/templates/name.txtar.
func source(t *testing.T, archive *txtar.Archive) string {
	t.Helper()
	if len(archive.Files) == 0 || archive.Files[0].Name != "template" {
		t.Fatal("the first file is not the template")
	}
	return strings.TrimSuffix(string(archive.Files[0].Data), "\n")
}

// Each file is a template of a family's format and what every conversation
// becomes with it. The prompts have been compared with those of jinja2 3.1.6
// in the environment of transformers.
func TestTemplates(t *testing.T) {
	names, all := conversations(t)
	files, _ := filepath.Glob(filepath.Join("testdata", "templates", "*.txtar"))
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			tmpl, err := Compile(source(t, archive))
			if err != nil {
				t.Fatal(err)
			}
			got := &txtar.Archive{Comment: archive.Comment, Files: archive.Files[:1:1]}
			for _, name := range names {
				prompt, err := tmpl.Render(all[name])
				if err != nil {
					prompt = "refused: " + err.Error()
				}
				got.Files = append(got.Files, txtar.File{Name: name, Data: []byte(prompt + "\n")})
			}
			if *update {
				if err := os.WriteFile(file, txtar.Format(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			for _, f := range got.Files {
				i := slices.IndexFunc(archive.Files, func(have txtar.File) bool { return have.Name == f.Name })
				if i < 0 {
					t.Errorf("%s is not there: run with -update", f.Name)
				} else if want := string(archive.Files[i].Data); string(f.Data) != want {
					t.Errorf("%s\ngot:\n%s\nwant:\n%s", f.Name, f.Data, want)
				}
			}
		})
	}
}

// A template may be used concurrently.
func TestTemplateIsSafeForConcurrentUse(t *testing.T) {
	_, all := conversations(t)
	tmpl, _ := load(t, "qwen3")
	want, err := tmpl.Render(all["calls"])
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 10 {
				if got, err := tmpl.Render(all["calls"]); err != nil || got != want {
					t.Errorf("got %q, %v", got, err)
				}
			}
		})
	}
	wg.Wait()
}
