package anthropic

import (
	"encoding/json"
	"math"

	"bendi/chat"
	"bendi/openaicompat/body"
	"bendi/openaicompat/wire"
)

// Examples of the bodies of requests.
const (
	Example      = `{"max_tokens":64,"messages":[{"role":"user","content":"你好"}]}`
	CountExample = `{"messages":[{"role":"user","content":"你好"}]}`
)

// A Call is a request with how its answer is to be delivered.
type Call struct {
	Request *chat.Request
	Stream  bool // as server-sent events
}

type (
	value  = body.Value
	object = body.Object
)

// A decoder knows the fields of this protocol.
type decoder struct{ *body.Decoder }

// DecodeRequest reads the body of a request for a message. Its errors are
// *chat.Error of kind Invalid.
//
// A field that nobody knows is left out: what a backend is sent is of another
// protocol, in which it would mean nothing or something else.
func DecodeRequest(text []byte) (*Call, error) {
	return body.Decode(text, Example, func(d *body.Decoder, o object) *Call {
		req := (&decoder{d}).request(o)
		limit := o.Need("max_tokens")
		if n := limit.Integer(1, math.MaxInt32); n != nil {
			req.MaxTokens = int(*n)
		}
		return &Call{Request: req, Stream: o.Take("stream").IsTrue()}
	})
}

// DecodeCount reads the body of a request for the number of tokens that a
// message would have the model read.
func DecodeCount(text []byte) (*chat.Request, error) {
	return body.Decode(text, CountExample, func(d *body.Decoder, o object) *chat.Request { return (&decoder{d}).request(o) })
}

func (d *decoder) request(o object) *chat.Request {
	for mcp := range o.Take("mcp_servers").Array() {
		d.Fail(chat.Unsupported(mcp.Path(), "'mcp_servers' are not asked from here: have your client ask them, and offer their tools in 'tools'."))
	}
	req := &chat.Request{N: 1}
	req.Model = o.Take("model").Str()
	req.Session = wire.Session(o.Take("session_id"))
	req.User = o.Take("metadata").Object().Take("user_id").Str()
	if system := d.system(o.Take("system")); len(system) > 0 {
		req.Messages = []chat.Message{{Role: chat.System, Content: system}}
	}
	req.Messages = append(req.Messages, d.messages(o.Take("messages"))...)
	req.Continue = wire.Unfinished(req.Messages) // an assistant's turn at the end asks for the rest of it here
	req.Stop = wire.Stops(o.Take("stop_sequences"))
	req.Sampling = d.sampling(o)
	req.Tools = d.tools(o.Take("tools"))
	d.toolChoice(o.Take("tool_choice"), req)
	req.ThinkingBudget = d.thinking(o.Take("thinking").Object())
	req.Format = d.format(o)
	return req
}

func (d *decoder) sampling(o object) chat.Sampling {
	var s chat.Sampling
	s.Temperature = o.Take("temperature").Number(0, 1)
	s.TopP = wire.TopP(o.Take("top_p"))
	if k := o.Take("top_k").Integer(0, math.MaxInt32); k != nil {
		s.TopK = new(int(*k))
	}
	return s
}

func (d *decoder) tools(v value) []chat.Tool {
	var tools []chat.Tool
	for e := range v.Array() {
		o := e.Object()
		typ := o.Take("type")
		if s := typ.Str(); s != "" && s != "custom" {
			d.Fail(chat.Unsupported(typ.Path(), "%s names a tool of Anthropic's servers; only tools that the client runs can be offered here: leave it out, or describe the tool with an 'input_schema'.", typ.Name()))
		}
		name := o.Need("name")
		t := chat.Tool{Name: name.Str(), Description: o.Take("description").Str(), Strict: o.Take("strict").IsTrue()}
		if t.Name == "" {
			name.Bad("must not be empty.")
		}
		t.Parameters = o.Take("input_schema").ObjectText()
		tools = append(tools, t)
	}
	return tools
}

func (d *decoder) toolChoice(v value, req *chat.Request) {
	if v.Absent() {
		return
	}
	o := v.Object()
	if o.Take("disable_parallel_tool_use").IsTrue() {
		req.ParallelToolCalls = new(false)
	}
	switch typ := o.Need("type"); typ.Str() {
	case "auto":
		req.ToolChoice = json.RawMessage(`"auto"`)
	case "none":
		req.ToolChoice = json.RawMessage(`"none"`)
	case "any":
		if req.ToolChoice = json.RawMessage(`"required"`); len(req.Tools) == 0 {
			typ.Bad("is \"any\", but 'tools' offers none.")
		}
	case "tool":
		name := wire.Offered(o.Need("name"), req.Tools)
		req.ToolChoice = wire.Marshal(map[string]any{"type": "function", "function": map[string]string{"name": name}})
	default:
		typ.Bad("must be \"auto\", \"any\", \"tool\" or \"none\".")
	}
}

func (d *decoder) thinking(o object) *int {
	if o.Absent() {
		return nil
	}
	budget := o.Take("budget_tokens")
	switch typ := o.Need("type"); typ.Str() {
	case "disabled":
		return new(0)
	case "adaptive":
	case "enabled":
		if n := budget.Integer(1, math.MaxInt32); n != nil {
			return new(int(*n))
		}
	default:
		typ.Bad("must be \"enabled\", \"adaptive\" or \"disabled\".")
	}
	return nil
}

// format reads what bounds the text of the answer, by either of its names.
func (d *decoder) format(o object) *chat.Format {
	f := o.Take("output_config").Object().Take("format")
	if older := o.Take("output_format"); f.Absent() {
		f = older
	}
	if f.Absent() {
		return nil
	}
	fields := f.Object()
	if typ := fields.Need("type"); typ.Str() != "json_schema" {
		typ.Bad("must be \"json_schema\".")
	}
	return &chat.Format{Type: "json_schema", Name: "output", Schema: fields.Need("schema").ObjectText(), Strict: true}
}
