package wire

import (
	"bytes"
	"encoding/json"
	"maps"
	"math"
	"slices"
	"strconv"

	"bendi/chat"
)

// What most requests and answers are made of is written here, without a look at
// what few have. It is what encoding/json would write (see FuzzAppendRequest and
// FuzzAppendCompletion).

// A writer appends JSON to itself.
type writer []byte

// put appends JSON as it stands.
func (w *writer) put(text string) { *w = append(*w, text...) }

func (w *writer) quote(text string) { *w = appendQuoted(*w, text) }

func (w *writer) integer(n int64) { *w = strconv.AppendInt(*w, n, 10) }

// text appends a field whose value is a string, if that is not empty.
func (w *writer) text(name, value string) {
	if value != "" {
		w.put(name)
		w.quote(value)
	}
}

// whole appends a field of a whole number, unless that is 0.
func (w *writer) whole(name string, n int) {
	if n != 0 {
		w.put(name)
		w.integer(int64(n))
	}
}

// number appends a field of a number, if it is there. It reports whether it can
// be written without an exponent.
func (w *writer) number(name string, f *float64) bool {
	if f == nil {
		return true
	}
	size := math.Abs(*f)
	if size != 0 && (size < 1e-6 || !(size < 1e21)) {
		return false
	}
	w.put(name)
	*w = strconv.AppendFloat(*w, *f, 'f', -1, 64)
	return true
}

// appendRequest appends the body that EncodeRequest writes, if req is of texts
// and common parameters alone.
func appendRequest(w writer, req *chat.Request) ([]byte, bool) {
	s := &req.Sampling
	if len(req.Tools) > 0 || req.ToolChoice != nil || req.ParallelToolCalls != nil || req.Format != nil ||
		req.LogProbs || req.TopLogProbs != 0 || req.ReasoningEffort != "" || req.ThinkingBudget != nil || req.Continue ||
		len(s.LogitBias) > 0 || samplerBodyOf(*s) != (samplerBody{}) {
		return nil, false
	}
	w.put("{")
	if req.Model != "" {
		w.text(`"model":`, req.Model)
		w.put(",")
	}
	w.put(`"messages":[`)
	for i := range req.Messages {
		if i > 0 {
			w.put(",")
		}
		if !w.message(&req.Messages[i]) {
			return nil, false
		}
	}
	w.put("]")
	w.whole(`,"max_tokens":`, req.MaxTokens)
	for i, stop := range req.Stop {
		if i == 0 {
			w.put(`,"stop":[`)
		} else {
			w.put(",")
		}
		w.quote(stop)
	}
	if len(req.Stop) > 0 {
		w.put("]")
	}
	if req.N > 1 {
		w.whole(`,"n":`, req.N)
	}
	ok := w.number(`,"temperature":`, s.Temperature) && w.number(`,"top_p":`, s.TopP)
	if s.TopK != nil {
		w.put(`,"top_k":`)
		w.integer(int64(*s.TopK))
	}
	ok = ok && w.number(`,"min_p":`, s.MinP) && w.number(`,"frequency_penalty":`, s.FrequencyPenalty) && w.number(`,"presence_penalty":`, s.PresencePenalty)
	if s.Seed != nil {
		w.put(`,"seed":`)
		w.integer(*s.Seed)
	}
	if req.Whole {
		w.put(`,"stream":false`)
	} else {
		w.put(`,"stream":true,"stream_options":{"include_usage":true}`)
	}
	return w, ok && w.extra(req.Extra)
}

// message appends a message of one text or none, that calls no tool.
func (w *writer) message(m *chat.Message) bool {
	if len(m.ToolCalls) > 0 || len(m.Content) > 1 || len(m.Content) == 1 && m.Content[0].Kind != chat.TextPart {
		return false
	}
	w.put(`{"role":`)
	w.quote(string(m.Role))
	w.text(`,"name":`, m.Name)
	w.put(`,"content":`)
	if len(m.Content) == 1 {
		w.quote(m.Content[0].Text)
	} else {
		w.put("null")
	}
	w.text(`,"reasoning_content":`, m.Reasoning)
	w.text(`,"tool_call_id":`, m.ToolCallID)
	w.put("}")
	return true
}

// extra appends the fields that have no meaning here, and the end of the object.
func (w *writer) extra(fields map[string]json.RawMessage) bool {
	for _, key := range slices.Sorted(maps.Keys(fields)) {
		w.put(",")
		w.quote(key)
		w.put(":")
		b := bytes.NewBuffer(*w)
		if json.Compact(b, fields[key]) != nil {
			return false
		}
		*w = b.Bytes()
	}
	w.put("}")
	return true
}

// appendTo appends the body of a whole answer, if that is of texts alone.
func (c *Completion) appendTo(w writer) ([]byte, bool) {
	if c.aigc != nil || resultsOf(c.prompt) != nil {
		return nil, false
	}
	w.put(`{"id":`)
	w.quote(c.ID)
	w.put(`,"object":"chat.completion","created":`)
	w.integer(c.Created)
	w.put(`,"model":`)
	w.quote(c.Model)
	w.put(`,"choices":[`)
	for i, ch := range c.choices {
		if len(ch.calls) > 0 || len(ch.logs) > 0 || resultsOf(ch.filtered) != nil {
			return nil, false
		}
		if i > 0 {
			w.put(",")
		}
		w.put(`{"index":`)
		w.integer(int64(i))
		w.put(`,"message":{"role":"assistant","content":`)
		refusal := ch.refusal.String()
		if text := ch.text.String(); text != "" || refusal == "" {
			w.quote(text)
		} else {
			w.put("null")
		}
		w.text(`,"reasoning_content":`, ch.reasoning.String())
		if refusal == "" {
			w.put(`,"refusal":null`)
		} else {
			w.text(`,"refusal":`, refusal)
		}
		w.put(`},"logprobs":null,"finish_reason":`)
		w.quote(string(ch.finish))
		w.text(`,"stop_reason":`, ch.stopped)
		w.put("}")
	}
	u := &c.usage
	w.put(`],"usage":{"prompt_tokens":`)
	w.integer(int64(u.PromptTokens))
	w.put(`,"completion_tokens":`)
	w.integer(int64(u.CompletionTokens))
	w.put(`,"total_tokens":`)
	w.integer(int64(u.PromptTokens + u.CompletionTokens))
	w.put(`,"prompt_tokens_details":{"cached_tokens":`)
	w.integer(int64(u.CachedTokens))
	w.put(`},"completion_tokens_details":{"reasoning_tokens":`)
	w.integer(int64(u.ReasoningTokens))
	w.put("}}}")
	return w, true
}
