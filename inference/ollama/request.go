package ollama

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"mime"
	"slices"
	"strings"

	"github.com/ollama/ollama/api"
	ollamamodel "github.com/ollama/ollama/types/model"

	"bendi/chat"
)

// A chatBody is what /api/chat is sent: an [api.ChatRequest] with the fields of
// newer servers, and with JSON where that type would lose some of it.
type chatBody struct {
	Model     string            `json:"model"`
	Messages  []turn            `json:"messages"`
	Tools     []json.RawMessage `json:"tools,omitempty"`
	Format    json.RawMessage   `json:"format,omitempty"`
	Think     any               `json:"think,omitempty"` // a bool, or the effort
	KeepAlive *api.Duration     `json:"keep_alive,omitempty"`
	Options   map[string]any    `json:"options"`
	Stream    bool              `json:"stream"`

	// In place of messages, for /api/generate: a text that is gone on with.
	Prompt string `json:"prompt,omitempty"`
	Raw    bool   `json:"raw,omitempty"` // without a template

	// Since 0.12.6: no to leaving out messages that do not fit, and no to
	// forgetting the oldest tokens when the window is full.
	Truncate bool `json:"truncate"`
	Shift    bool `json:"shift"`
}

type turn struct {
	Role       string          `json:"role"`
	Content    string          `json:"content"`
	Thinking   string          `json:"thinking,omitempty"`
	Images     []api.ImageData `json:"images,omitempty"`
	ToolCalls  []toolCall      `json:"tool_calls,omitempty"`
	ToolName   string          `json:"tool_name,omitempty"`
	ToolCallID string          `json:"tool_call_id,omitempty"` // of newer servers
}

type toolCall struct {
	ID       string `json:"id,omitempty"` // of newer servers
	Function struct {
		Index     int             `json:"index,omitempty"`
		Name      string          `json:"name"`
		Arguments json.RawMessage `json:"arguments"` // an object
	} `json:"function"`
}

// body returns what to ask the server for, for one choice and without the
// bounds of the window, or the field of req that it cannot do.
func (m *Model) body(req *chat.Request, o Offer, f facts) (*chatBody, error) {
	options, err := options(req, f)
	if err != nil {
		return nil, err
	}
	options["num_ctx"] = m.window(o, f)
	b := &chatBody{Model: o.Model, Options: options, Stream: true}
	if m.cfg.KeepAlive != nil {
		b.KeepAlive = &api.Duration{Duration: *m.cfg.KeepAlive}
	}
	if !f.can(ollamamodel.CapabilityCompletion) {
		return nil, chat.Unsupported("model", "this model was made for embeddings and does not chat: name another")
	}
	if req.LogProbs || req.TopLogProbs > 0 {
		return nil, chat.Unsupported("logprobs", "an Ollama backend tells no log probabilities: leave 'logprobs' out, or name a model that runs here")
	}
	if req.Prompt != nil {
		return b, b.raw(req, f)
	}
	if _, given := req.Extra["chat_template_kwargs"]; given {
		return nil, chat.Unsupported("chat_template_kwargs", "Ollama's templates take no variables; whether the model reasons is up to 'reasoning_effort'")
	}
	if b.Tools, err = tools(req, f); err != nil {
		return nil, err
	}
	if b.Format, err = format(req); err != nil {
		return nil, err
	}
	if b.Think, err = think(req, f); err != nil {
		return nil, err
	}
	if b.Messages, err = messages(req.Messages, f); err != nil {
		return nil, err
	}
	return b, nil
}

// raw has a prompt gone on with as it stands.
func (b *chatBody) raw(req *chat.Request, f facts) (err error) {
	switch p := req.Prompt; {
	case !f.exact:
		return chat.Unsupported("prompt", "this version of Ollama would cut a prompt that is too long without saying so: send a chat, or have the operator update it")
	case p.Tokens != nil:
		return chat.Unsupported("prompt", "Ollama goes on with texts and not with tokens: send the text of the %d tokens", len(p.Tokens))
	case p.Suffix != "":
		return chat.Unsupported("suffix", "Ollama takes a suffix only with a template, and a prompt goes without one: leave 'suffix' out")
	}
	b.Prompt, b.Raw, b.Messages = req.Prompt.Text, true, []turn{}
	b.Format, err = format(req)
	return err
}

// path is where the body is to be posted.
func (b *chatBody) path() string {
	if b.Raw {
		return "/api/generate"
	}
	return "/api/chat"
}

// format returns what bounds the text of the answer.
func format(req *chat.Request) (json.RawMessage, error) {
	const param = "response_format"
	switch {
	case req.Format == nil:
		return nil, nil
	case len(req.Tools) > 0:
		return nil, chat.Unsupported(param, "this model cannot keep to a format and call tools in one answer: send one of them")
	case req.Format.Type == "json_object":
		return json.RawMessage(`"json"`), nil
	case req.Format.Type == "json_schema":
		schema := compact(req.Format.Schema)
		if !bytes.HasPrefix(schema, []byte("{")) {
			return nil, chat.BadParam(param, "'response_format.json_schema.schema' must be a JSON object; Ollama takes no other schema")
		}
		return schema, nil
	}
	return nil, chat.Unsupported(param, "an Ollama backend keeps to json_object and json_schema, not to a format of the type %q", cut(req.Format.Type, 32))
}

// think returns whether the model is to reason before it answers. Where the
// client says nothing a model that can does, as it does by itself: only then
// does Ollama tell the reasoning from the answer.
func think(req *chat.Request, f facts) (any, error) {
	const effort, budget = "reasoning_effort", "thinking_budget_tokens"
	able := f.can(ollamamodel.CapabilityThinking) && f.abilities != nil
	levels := f.family == "gptoss" || f.family == "gpt-oss"
	never := req.ReasoningEffort == "none" || req.ThinkingBudget != nil && *req.ThinkingBudget == 0
	switch {
	case req.ThinkingBudget != nil && *req.ThinkingBudget > 0:
		return nil, chat.Unsupported(budget, "Ollama cannot bound how much a model reasons; it can be 0 for not at all")
	case never && levels:
		return nil, chat.Unsupported(effort, "this model always reasons; its effort can be low, medium or high")
	case never && able:
		return false, nil
	case never:
		return nil, nil // it does not anyway
	case req.ReasoningEffort == "" && !able:
		return nil, nil
	case req.ReasoningEffort == "":
		return true, nil
	case !able:
		return nil, chat.Unsupported(effort, "this model does not reason before it answers")
	case req.Format != nil && !f.exact:
		return nil, chat.Unsupported(effort, "this version of Ollama cannot reason before an answer in a format: leave one out, or have the operator update it")
	case !levels:
		return nil, chat.Unsupported(effort, "this model reasons or does not, without more or less of it: leave 'reasoning_effort' out, or send \"none\"")
	case slices.Contains([]string{"low", "medium", "high"}, req.ReasoningEffort):
		return req.ReasoningEffort, nil
	}
	return nil, chat.Unsupported(effort, "the effort of this model can be low, medium or high")
}

// messages returns the conversation in Ollama's words.
func messages(all []chat.Message, f facts) ([]turn, error) {
	calls := map[string]string{} // name by id
	var out []turn
	for i, msg := range all {
		param := fmt.Sprintf("messages[%d]", i)
		if (msg.Role == chat.ToolRole || len(msg.ToolCalls) > 0) && !f.can(ollamamodel.CapabilityTools) {
			return nil, chat.Unsupported(param, noTools)
		}
		to := turn{Role: string(msg.Role), Thinking: msg.Reasoning}
		if msg.Role == chat.Developer {
			to.Role = string(chat.System) // the name that templates know
		}
		var text strings.Builder
		for j, part := range msg.Content {
			param := fmt.Sprintf("%s.content[%d]", param, j)
			switch part.Kind {
			case chat.TextPart, chat.RefusalPart:
				text.WriteString(part.Text)
			case chat.ImagePart:
				if !f.can(ollamamodel.CapabilityVision) {
					return nil, chat.Unsupported(param, "this model reads text only, not %s", part.Kind)
				}
				image, err := image(param, part.Data)
				if err != nil {
					return nil, err
				}
				to.Images = append(to.Images, image)
			default:
				return nil, chat.Unsupported(param, "an Ollama backend reads text and images, not %s", part.Kind)
			}
		}
		to.Content = text.String()
		if f.abilities != nil && f.can(ollamamodel.CapabilityVision) && strings.Contains(to.Content, "[img") {
			return nil, chat.BadParam(param, "the text holds \"[img\", by which Ollama finds the place of an image: write it otherwise for this model")
		}
		for j, call := range msg.ToolCalls {
			arguments := compact(json.RawMessage(call.Arguments))
			if strings.TrimSpace(call.Arguments) == "" {
				arguments = json.RawMessage("{}")
			}
			if !bytes.HasPrefix(arguments, []byte("{")) {
				return nil, chat.BadParam(fmt.Sprintf("%s.tool_calls[%d].function.arguments", param, j), "must be a JSON object in a string; Ollama takes no other arguments")
			}
			c := toolCall{ID: call.ID}
			c.Function.Index, c.Function.Name, c.Function.Arguments = j, call.Name, arguments
			to.ToolCalls = append(to.ToolCalls, c)
			calls[call.ID] = call.Name
		}
		if msg.Role == chat.ToolRole {
			name, known := calls[msg.ToolCallID]
			if !known {
				return nil, chat.BadParam(param+".tool_call_id", "answers no call of an earlier assistant message; Ollama needs to know which tool it is from")
			}
			to.ToolName, to.ToolCallID = name, msg.ToolCallID
		}
		out = append(out, to)
	}
	sortResults(out)
	if f.system != "" && out[0].Role != string(chat.System) {
		// The server would put it there itself, unseen; see window.go.
		out = slices.Insert(out, 0, turn{Role: string(chat.System), Content: f.system})
	}
	return out, nil
}

// sortResults puts the results behind a message with calls into the order of
// the calls. Most templates show a model no ids, so the order is all that it
// can tell them apart by.
func sortResults(all []turn) {
	for i := 0; i < len(all); i++ {
		if len(all[i].ToolCalls) < 2 {
			continue
		}
		place := map[string]int{}
		for n, c := range all[i].ToolCalls {
			place[c.ID] = n
		}
		end := i + 1
		for end < len(all) && all[end].Role == string(chat.ToolRole) {
			end++
		}
		slices.SortStableFunc(all[i+1:end], func(a, b turn) int { return place[a.ToolCallID] - place[b.ToolCallID] })
	}
}

// image returns the bytes of an image part. No URL is ever fetched.
func image(param string, part json.RawMessage) (api.ImageData, error) {
	var p struct {
		ImageURL json.RawMessage `json:"image_url"`
	}
	var inner struct {
		URL string `json:"url"`
	}
	if json.Unmarshal(part, &p) != nil || json.Unmarshal(p.ImageURL, &inner) != nil && json.Unmarshal(p.ImageURL, &inner.URL) != nil {
		return nil, chat.BadParam(param, "is no image_url with a 'url'")
	}
	head, data, found := strings.Cut(inner.URL, ",")
	kind, isData := strings.CutPrefix(head, "data:")
	if !isData || !found {
		return nil, chat.Unsupported(param, "an image must come within the request, as a data: URL with base64; none is fetched from elsewhere")
	}
	kind, coded := strings.CutSuffix(kind, ";base64")
	if media, _, err := mime.ParseMediaType(kind); err != nil || !strings.HasPrefix(media, "image/") || !coded {
		return nil, chat.BadParam(param, "must be a data: URL of an image in base64, such as data:image/png;base64,…")
	}
	image, err := base64.StdEncoding.DecodeString(data)
	if err != nil || len(image) == 0 {
		return nil, chat.BadParam(param, "holds %d characters that are not the base64 of an image", len(data))
	}
	return image, nil
}
