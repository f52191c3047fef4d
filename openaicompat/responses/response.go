package responses

import (
	"encoding/json"

	"bendi/chat"
	"bendi/openaicompat/wire"
)

// settings are what a response says of the request it answers, in the order in
// which it does.
type settings struct {
	Instructions     *string           `json:"instructions"`
	MaxOutputTokens  *int64            `json:"max_output_tokens"`
	MaxToolCalls     *int64            `json:"max_tool_calls"`
	Parallel         bool              `json:"parallel_tool_calls"`
	Reasoning        *effortBody       `json:"reasoning"`
	Temperature      float64           `json:"temperature"` // 1 where the client said nothing
	TopP             float64           `json:"top_p"`       // likewise
	PresencePenalty  float64           `json:"presence_penalty"`
	FrequencyPenalty float64           `json:"frequency_penalty"`
	TopLogProbs      int               `json:"top_logprobs"`
	Text             formatText        `json:"text"`
	ToolChoice       json.RawMessage   `json:"tool_choice"`
	Tools            []toolBody        `json:"tools"`
	Truncation       string            `json:"truncation"`
	Metadata         map[string]string `json:"metadata"`
	User             *string           `json:"user"`
	SafetyIdentifier *string           `json:"safety_identifier"`
	PromptCacheKey   *string           `json:"prompt_cache_key"`
}

// passedOn are those that backends are told as well, by their names there.
func (s *settings) passedOn() map[string]**string {
	return map[string]**string{"user": &s.User, "safety_identifier": &s.SafetyIdentifier, "prompt_cache_key": &s.PromptCacheKey}
}

type effortBody struct {
	Effort  *string `json:"effort"`
	Summary *string `json:"summary"`
}

type formatText struct {
	Format    formatBody `json:"format"`
	Verbosity string     `json:"verbosity"`
}

type formatBody struct {
	Type        string          `json:"type"`
	Name        string          `json:"name,omitempty"`
	Description *string         `json:"description,omitempty"`
	Schema      json.RawMessage `json:"schema,omitempty"`
	Strict      *bool           `json:"strict,omitempty"`
}

func textOf(f *chat.Format) formatText {
	t := formatText{formatBody{Type: "text"}, "medium"}
	if f == nil {
		return t
	}
	t.Format.Type = f.Type
	if f.Type == "json_schema" {
		t.Format.Name, t.Format.Schema, t.Format.Strict = f.Name, f.Schema, &f.Strict
	}
	return t
}

type toolBody struct {
	Type        string          `json:"type"`
	Namespace   string          `json:"namespace,omitempty"`
	Name        string          `json:"name"`
	Description *string         `json:"description"`
	Parameters  json.RawMessage `json:"parameters"`
	Strict      bool            `json:"strict"`
}

func toolOf(t chat.Tool) toolBody {
	return toolBody{Type: "function", Name: t.Name, Description: nilOr(t.Description), Parameters: t.Parameters, Strict: t.Strict}
}

// full is the name of a tool as models know it, who know no namespaces.
func (b *toolBody) full() string { return fullName(b.Namespace, b.Name) }

func fullName(namespace, name string) string {
	if namespace == "" {
		return name
	}
	return namespace + "__" + name
}

// parted returns the namespace and the name of a tool that a model calls.
func (s *settings) parted(full string) (namespace, name string) {
	if s != nil {
		for i := range s.Tools {
			if s.Tools[i].full() == full {
				return s.Tools[i].Namespace, s.Tools[i].Name
			}
		}
	}
	return "", full
}

// note returns what is kept of the request beside its items: the settings, with
// the texts as the filter let them pass.
func (c *Call) note(req *chat.Request) []byte {
	s := c.settings
	if c.front > 0 && s.Instructions != nil {
		s.Instructions = new(req.Messages[0].Text())
	}
	// Of the tools, some may not be allowed, and are not part of the request.
	s.Tools = append([]toolBody{}, s.Tools...)
	for i := range s.Tools {
		for _, t := range req.Tools {
			if b := &s.Tools[i]; t.Name == b.full() {
				b.Description, b.Parameters = nilOr(t.Description), t.Parameters
			}
		}
	}
	s.Text = textOf(req.Format)
	s.Metadata = asideOf(req)
	for key, to := range s.passedOn() {
		if raw := req.Extra[key]; raw != nil {
			*to = nil
			json.Unmarshal(raw, to)
		}
	}
	return wire.Marshal(noteBody{Created: c.created, Previous: c.Previous, Conversation: c.Conversation, Settings: &s})
}

// A noteBody is what is kept with a turn.
type noteBody struct {
	Created      int64              `json:"created,omitempty"`
	Previous     string             `json:"previous,omitempty"`
	Conversation string             `json:"conversation,omitempty"`
	Settings     *settings          `json:"settings,omitempty"` // of a response
	Metadata     *map[string]string `json:"metadata,omitempty"` // of a conversation, from here on
}

// A responseBody is a response as it is told.
type responseBody struct {
	ID           string        `json:"id"`
	Object       string        `json:"object"`
	Created      int64         `json:"created_at"`
	Completed    *int64        `json:"completed_at"`
	Status       string        `json:"status"`
	Background   bool          `json:"background"`
	Error        *failureBody  `json:"error"`
	Incomplete   *reasonBody   `json:"incomplete_details"`
	Model        string        `json:"model"`
	Output       []any         `json:"output"`
	Previous     *string       `json:"previous_response_id"`
	Conversation *identityBody `json:"conversation"`
	Store        bool          `json:"store"`
	ServiceTier  string        `json:"service_tier"`
	settings
	Usage *usageBody `json:"usage"`
	AIGC  *chat.AIGC `json:"AIGC,omitempty"`
}

type failureBody struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

type reasonBody struct {
	Reason string `json:"reason"`
}

type identityBody struct {
	ID string `json:"id"`
}

type usageBody struct {
	Input        int `json:"input_tokens"`
	InputDetails struct {
		Cached int `json:"cached_tokens"`
	} `json:"input_tokens_details"`
	Output        int `json:"output_tokens"`
	OutputDetails struct {
		Reasoning int `json:"reasoning_tokens"`
	} `json:"output_tokens_details"`
	Total int `json:"total_tokens"`
}

func usageOf(u chat.Usage) *usageBody {
	b := &usageBody{Input: u.PromptTokens, Output: u.CompletionTokens, Total: u.PromptTokens + u.CompletionTokens}
	b.InputDetails.Cached, b.OutputDetails.Reasoning = u.CachedTokens, u.ReasoningTokens
	return b
}

// statusOf says in this protocol's words how an answer ended.
func statusOf(f chat.Finish) (status string, why *reasonBody) {
	switch f {
	case chat.Length:
		return incomplete, &reasonBody{"max_output_tokens"}
	case chat.ContentFilter:
		return incomplete, &reasonBody{"content_filter"}
	}
	return completed, nil
}
