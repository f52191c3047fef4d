package wire

import (
	"bytes"
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"strings"

	"bendi/chat"
)

// MaxChoices is the most choices that one request may ask for, and MaxStops
// the most stop strings.
const (
	MaxChoices = 128
	MaxStops   = 16
)

// A Call is a request with how its answer is to be delivered.
type Call struct {
	Request      *chat.Request
	Stream       bool // as server-sent events
	IncludeUsage bool // the stream ends with the usage
}

// DecodeRequest reads the body of a chat completions request. Its errors are
// *chat.Error of kind Invalid.
//
// A field that nobody knows is kept in Extra and never a fault. A field that
// is known to change the answer in a way that a Request cannot carry is one.
func DecodeRequest(body []byte) (*Call, error) {
	if err := checkBody(body); err != nil {
		return nil, err
	}
	d := &decoder{}
	call := d.call(value{d: d, raw: bytes.TrimSpace(body)}.object())
	if d.err != nil {
		return nil, d.err
	}
	return call, nil
}

func (d *decoder) call(o object) *Call {
	d.refuse(o)
	req := &chat.Request{N: 1}
	req.Model = o.take("model").str()
	req.Session = d.session(o.take("session_id"))
	req.Messages = d.messages(o.take("messages"))
	req.MaxTokens = d.maxTokens(o.take("max_tokens"), o.take("max_completion_tokens"))
	req.Stop = d.stop(o.take("stop"))
	if n := o.take("n").integer(1, MaxChoices); n != nil {
		req.N = int(*n)
	}
	req.Sampling = d.sampling(o)
	req.Tools = d.tools(o.take("tools"))
	req.ToolChoice = d.toolChoice(o.take("tool_choice"), req.Tools)
	req.ParallelToolCalls = o.take("parallel_tool_calls").boolean()
	req.Format = d.format(o.take("response_format").object())
	if g := o.take("grammar"); !g.absent() {
		if req.Format != nil {
			g.bad("cannot be combined with 'response_format'; send one of them.")
		}
		if req.Format = (&chat.Format{Type: "grammar", Grammar: g.str()}); req.Format.Grammar == "" {
			g.bad("must not be empty.")
		}
	}
	req.LogProbs = o.take("logprobs").isTrue()
	top := o.take("top_logprobs")
	if n := top.integer(0, 20); n != nil {
		req.TopLogProbs = int(*n)
		if !req.LogProbs {
			top.bad("needs 'logprobs' to be true.")
		}
	}
	req.ReasoningEffort = o.take("reasoning_effort").str()
	req.Continue = d.goOn(o, req.Messages)
	if n := o.take("thinking_budget_tokens").integer(-1, math.MaxInt32); n != nil && *n >= 0 { // llama.cpp's clients write -1 for no bound
		req.ThinkingBudget = new(int(*n))
	}

	call := &Call{Request: req, Stream: o.take("stream").isTrue()}
	options := o.take("stream_options")
	call.IncludeUsage = options.object().take("include_usage").isTrue()
	if !options.absent() && !call.Stream {
		options.bad("is only allowed when 'stream' is true.")
	}

	req.Extra = o.extra()
	return call
}

// MaxSession is the most bytes that the name of a session may have.
const MaxSession = 128

// session reads the name of a session. It is a client's own, and goes into
// headers, paths and keys of stores.
func (d *decoder) session(v value) string {
	id := v.str()
	if !SaneSession(id) {
		v.bad("must be at most %d of the letters, digits and -_.:@ and have no other character.", MaxSession)
		return ""
	}
	return id
}

// SaneSession reports whether id may name a session; none is no session.
func SaneSession(id string) bool {
	const sane = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:@"
	return len(id) <= MaxSession && strings.Trim(id, sane) == ""
}

// refuse fails on the fields that change the answer and that a Request cannot
// carry.
func (d *decoder) refuse(o object) {
	for _, f := range []struct{ key, instead string }{
		{"audio", "Answers are text."},
		{"functions", "Use 'tools'."},
		{"function_call", "Use 'tool_choice'."},
		{"web_search_options", "No backend here searches the web; leave it out, or offer a search tool in 'tools'."},
	} {
		if v := o.take(f.key); !v.absent() {
			d.fail(chat.Unsupported(f.key, "'%s' is not supported. %s", f.key, f.instead))
		}
	}
	for m := range o.take("modalities").array() {
		if m.str() != "text" {
			d.fail(chat.Unsupported("modalities", "'modalities' may hold \"text\" alone; answers are text."))
		}
	}
	if v := o.take("verbosity"); !v.absent() && v.str() != "medium" {
		d.fail(chat.Unsupported("verbosity", "'verbosity' other than \"medium\" is not supported; ask for the length in a message, or bound it with 'max_completion_tokens'."))
	}
}

// goOn reads vLLM's way to ask for the rest of the last message.
func (d *decoder) goOn(o object, messages []chat.Message) bool {
	v := o.take("continue_final_message")
	if !v.isTrue() {
		return false
	}
	if prompt := o.take("add_generation_prompt"); prompt.isTrue() {
		prompt.bad("must be false where 'continue_final_message' is true.")
	}
	if n := len(messages); n == 0 || messages[n-1].Role != chat.Assistant || messages[n-1].Text() == "" || len(messages[n-1].ToolCalls) > 0 {
		v.bad("needs the last of the 'messages' to be the assistant's, to have text and to call no tool.")
	}
	return true
}

func (d *decoder) maxTokens(old, current value) int {
	a, b := old.integer(1, math.MaxInt32), current.integer(1, math.MaxInt32)
	switch {
	case a == nil && b == nil:
		return 0
	case a == nil:
		return int(*b)
	case b != nil && *a != *b:
		old.bad("is %d and 'max_completion_tokens' is %d; send one of them.", *a, *b)
	}
	return int(*a)
}

func (d *decoder) stop(v value) []string {
	if v.absent() {
		return nil
	}
	if v.is(`"`) {
		return []string{d.stopString(v)}
	}
	if !v.want("a string or an array of strings", v.is("[")) {
		return nil
	}
	var stops []string
	n := 0
	for e := range v.array() {
		if n++; n <= MaxStops {
			stops = append(stops, d.stopString(e))
		}
	}
	if n > MaxStops {
		v.bad("holds %d strings; at most %d are allowed.", n, MaxStops)
	}
	return stops
}

func (d *decoder) stopString(v value) string {
	s := v.str()
	if s == "" {
		v.bad("must not be empty: an empty string would end every answer at once.")
	}
	return s
}

func (d *decoder) sampling(o object) chat.Sampling {
	var s chat.Sampling
	s.Temperature = o.take("temperature").number(0, 2)
	topP := o.take("top_p")
	if s.TopP = topP.number(0, 1); s.TopP != nil && *s.TopP == 0 {
		topP.bad("must be above 0 and at most 1, but is 0; for the likeliest token each time set 'temperature' to 0.")
	}
	if k := o.take("top_k").integer(-1, math.MaxInt32); k != nil {
		s.TopK = new(int(max(*k, 0))) // vLLM's clients write -1 for off
	}
	s.MinP = o.take("min_p").number(0, 1)
	s.FrequencyPenalty = o.take("frequency_penalty").number(-2, 2)
	s.PresencePenalty = o.take("presence_penalty").number(-2, 2)
	d.samplers(o, &s)
	s.Seed = o.take("seed").integer(math.MinInt64, math.MaxInt64)

	bias := o.take("logit_bias")
	for key, v := range bias.object().rest() {
		id, err := strconv.ParseInt(key, 10, 32)
		if err != nil || id < 0 {
			bias.bad("must map token ids to numbers; one of its keys is not a token id.")
			break
		}
		if f := v.number(-100, 100); f != nil {
			if s.LogitBias == nil {
				s.LogitBias = map[int]float64{}
			}
			s.LogitBias[int(id)] = *f
		}
	}
	return s
}

func (d *decoder) tools(v value) []chat.Tool {
	var tools []chat.Tool
	for e := range v.array() {
		o := e.object()
		d.function(o.take("type"))
		fn := o.need("function").object()
		name := fn.need("name")
		t := chat.Tool{Name: name.str(), Description: fn.take("description").str()}
		if t.Name == "" {
			name.bad("must not be empty.")
		}
		params := fn.take("parameters")
		if !params.absent() && params.want("an object", params.is("{")) {
			t.Parameters = params.text()
		}
		t.Strict = fn.take("strict").isTrue()
		tools = append(tools, t)
	}
	return tools
}

// function fails on a tool type that is there and is not "function".
func (d *decoder) function(typ value) {
	if s := typ.str(); s != "" && s != "function" {
		d.fail(chat.Unsupported(typ.path(), "%s may be \"function\" alone.", typ.name()))
	}
}

func (d *decoder) toolChoice(v value, tools []chat.Tool) json.RawMessage {
	if v.absent() || !v.want("a string or an object", v.is(`"{`)) {
		return nil
	}
	raw := v.text()
	if v.is(`"`) {
		switch v.str() {
		case "none", "auto":
		case "required":
			if len(tools) == 0 {
				v.bad("is \"required\", but 'tools' offers none.")
			}
		default:
			v.bad("must be \"none\", \"auto\", \"required\" or an object that names a function.")
		}
		return raw
	}
	o := v.object()
	switch typ := o.need("type"); typ.str() {
	case "function":
		name := o.need("function").object().need("name")
		s := name.str()
		if !slices.ContainsFunc(tools, func(t chat.Tool) bool { return t.Name == s }) {
			name.bad("is not the name of one of the %d 'tools'.", len(tools))
		}
	default:
		d.fail(chat.Unsupported(typ.path(), "%s may be \"function\" alone.", typ.name()))
	}
	return raw
}

func (d *decoder) format(o object) *chat.Format {
	if o.absent() {
		return nil
	}
	typ := o.need("type")
	switch f := (&chat.Format{Type: typ.str()}); f.Type {
	case "text":
		return nil
	case "json_object":
		return f
	case "json_schema":
		s := o.need("json_schema").object()
		f.Name = s.take("name").str()
		schema := s.need("schema")
		if !schema.absent() && schema.want("an object", schema.is("{")) {
			f.Schema = schema.text()
		}
		f.Strict = s.take("strict").isTrue()
		return f
	}
	typ.bad("must be \"text\", \"json_object\" or \"json_schema\".")
	return nil
}
