package wire

import (
	"encoding/json"
	"math"
	"strconv"

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
func DecodeRequest(text []byte) (*Call, error) { return decode(text, ChatExample, (*decoder).call) }

func (d *decoder) call(o object) *Call {
	d.refuse(o)
	req := &chat.Request{N: 1}
	req.Model = o.Take("model").Str()
	req.Session = Session(o.Take("session_id"))
	req.Messages = d.messages(o.Take("messages"))
	req.MaxTokens = d.maxTokens(o.Take("max_tokens"), o.Take("max_completion_tokens"))
	req.Stop = d.stop(o.Take("stop"))
	if n := o.Take("n").Integer(1, MaxChoices); n != nil {
		req.N = int(*n)
	}
	req.Sampling = d.sampling(o)
	req.Tools = d.tools(o.Take("tools"))
	req.ToolChoice = d.toolChoice(o.Take("tool_choice"), req.Tools)
	req.ParallelToolCalls = o.Take("parallel_tool_calls").Boolean()
	req.Format = d.form(o)
	req.LogProbs = o.Take("logprobs").IsTrue()
	top := o.Take("top_logprobs")
	if n := top.Integer(0, 20); n != nil {
		req.TopLogProbs = int(*n)
		if !req.LogProbs {
			top.Bad("needs 'logprobs' to be true.")
		}
	}
	req.ReasoningEffort = o.Take("reasoning_effort").Str()
	req.Continue = d.goOn(o, req.Messages)
	req.ThinkingBudget = d.budget(o.Take("thinking_budget_tokens"))

	call := &Call{Request: req}
	call.Stream, call.IncludeUsage = d.streaming(o)
	req.Extra = o.Extra()
	return call
}

// streaming reads how the answer is to be delivered.
func (d *decoder) streaming(o object) (stream, usage bool) {
	stream = o.Take("stream").IsTrue()
	options := o.Take("stream_options")
	usage = options.Object().Take("include_usage").IsTrue()
	if !options.Absent() && !stream {
		options.Bad("is only allowed when 'stream' is true.")
	}
	return stream, usage
}

func (d *decoder) budget(v value) *int {
	if n := v.Integer(-1, math.MaxInt32); n != nil && *n >= 0 { // llama.cpp's clients write -1 for no bound
		return new(int(*n))
	}
	return nil
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
		if v := o.Take(f.key); !v.Absent() {
			d.Fail(chat.Unsupported(f.key, "'%s' is not supported. %s", f.key, f.instead))
		}
	}
	for m := range o.Take("modalities").Array() {
		if m.Str() != "text" {
			d.Fail(chat.Unsupported("modalities", "'modalities' may hold \"text\" alone; answers are text."))
		}
	}
	if v := o.Take("verbosity"); !v.Absent() && v.Str() != "medium" {
		d.Fail(chat.Unsupported("verbosity", "'verbosity' other than \"medium\" is not supported; ask for the length in a message, or bound it with 'max_completion_tokens'."))
	}
}

// goOn reads vLLM's way to ask for the rest of the last message.
func (d *decoder) goOn(o object, messages []chat.Message) bool {
	v := o.Take("continue_final_message")
	if !v.IsTrue() {
		return false
	}
	if prompt := o.Take("add_generation_prompt"); prompt.IsTrue() {
		prompt.Bad("must be false where 'continue_final_message' is true.")
	}
	if !Unfinished(messages) {
		v.Bad("needs the last of the 'messages' to be the assistant's, to have text and to call no tool.")
	}
	return true
}

func (d *decoder) maxTokens(old, current value) int {
	a, b := old.Integer(1, math.MaxInt32), current.Integer(1, math.MaxInt32)
	switch {
	case a == nil && b == nil:
		return 0
	case a == nil:
		return int(*b)
	case b != nil && *a != *b:
		old.Bad("is %d and 'max_completion_tokens' is %d; send one of them.", *a, *b)
	}
	return int(*a)
}

func (d *decoder) stop(v value) []string {
	if v.Absent() {
		return nil
	}
	if v.Is(`"`) {
		return []string{stopString(v)}
	}
	if !v.Want("a string or an array of strings", v.Is("[")) {
		return nil
	}
	return Stops(v)
}

func (d *decoder) sampling(o object) chat.Sampling {
	var s chat.Sampling
	s.Temperature = o.Take("temperature").Number(0, 2)
	s.TopP = TopP(o.Take("top_p"))
	if k := o.Take("top_k").Integer(-1, math.MaxInt32); k != nil {
		s.TopK = new(int(max(*k, 0))) // vLLM's clients write -1 for off
	}
	s.MinP = o.Take("min_p").Number(0, 1)
	s.FrequencyPenalty = o.Take("frequency_penalty").Number(-2, 2)
	s.PresencePenalty = o.Take("presence_penalty").Number(-2, 2)
	d.samplers(o, &s)
	s.Seed = o.Take("seed").Integer(math.MinInt64, math.MaxInt64)

	bias := o.Take("logit_bias")
	for key, v := range bias.Object().Rest() {
		id, err := strconv.ParseInt(key, 10, 32)
		if err != nil || id < 0 {
			bias.Bad("must map token ids to numbers; one of its keys is not a token id.")
			break
		}
		if f := v.Number(-100, 100); f != nil {
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
	for e := range v.Array() {
		o := e.Object()
		d.function(o.Take("type"))
		fn := o.Need("function").Object()
		name := fn.Need("name")
		t := chat.Tool{Name: name.Str(), Description: fn.Take("description").Str()}
		if t.Name == "" {
			name.Bad("must not be empty.")
		}
		t.Parameters = fn.Take("parameters").ObjectText()
		t.Strict = fn.Take("strict").IsTrue()
		tools = append(tools, t)
	}
	return tools
}

// function fails on a tool type that is there and is not "function".
func (d *decoder) function(typ value) {
	if s := typ.Str(); s != "" && s != "function" {
		d.Fail(chat.Unsupported(typ.Path(), "%s may be \"function\" alone.", typ.Name()))
	}
}

func (d *decoder) toolChoice(v value, tools []chat.Tool) json.RawMessage {
	if v.Absent() || !v.Want("a string or an object", v.Is(`"{`)) {
		return nil
	}
	raw := v.Text()
	if v.Is(`"`) {
		switch v.Str() {
		case "none", "auto":
		case "required":
			if len(tools) == 0 {
				v.Bad("is \"required\", but 'tools' offers none.")
			}
		default:
			v.Bad("must be \"none\", \"auto\", \"required\" or an object that names a function.")
		}
		return raw
	}
	o := v.Object()
	switch typ := o.Need("type"); typ.Str() {
	case "function":
		Offered(o.Need("function").Object().Need("name"), tools)
	default:
		d.Fail(chat.Unsupported(typ.Path(), "%s may be \"function\" alone.", typ.Name()))
	}
	return raw
}

// form reads what bounds the text of the answer.
func (d *decoder) form(o object) *chat.Format {
	f := d.format(o.Take("response_format").Object())
	g := o.Take("grammar")
	if g.Absent() {
		return f
	}
	if f != nil {
		g.Bad("cannot be combined with 'response_format'; send one of them.")
	}
	if f = (&chat.Format{Type: "grammar", Grammar: g.Str()}); f.Grammar == "" {
		g.Bad("must not be empty.")
	}
	return f
}

func (d *decoder) format(o object) *chat.Format {
	if o.Absent() {
		return nil
	}
	typ := o.Need("type")
	switch f := (&chat.Format{Type: typ.Str()}); f.Type {
	case "text":
		return nil
	case "json_object":
		return f
	case "json_schema":
		s := o.Need("json_schema").Object()
		f.Name = s.Take("name").Str()
		f.Schema = s.Need("schema").ObjectText()
		f.Strict = s.Take("strict").IsTrue()
		return f
	}
	typ.Bad("must be \"text\", \"json_object\" or \"json_schema\".")
	return nil
}
