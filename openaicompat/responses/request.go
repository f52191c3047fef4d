package responses

import (
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"time"

	"bendi/chat"
	"bendi/openaicompat/body"
	"bendi/openaicompat/wire"
)

// Example is the body of a request.
const Example = `{"input":"你好"}`

// A Call is a request with how its answer is to be delivered and kept. Its
// Request has no place in a session yet; see [Call.Place].
type Call struct {
	Request *chat.Request
	Stream  bool // as server-sent events

	Previous     string // the response that it goes on from
	Conversation string // likewise, the conversation
	Store        *bool  // what the client wants; nil: it did not say

	created  int64
	front    int // messages that are no items: the instructions
	kept     bool
	summary  bool // the reasoning is told as a summary
	trim     bool
	metadata map[string]string
	settings settings
}

// Find returns what an item is that a client refers to by its id.
type Find func(user, id string) (chat.Message, error)

type (
	value  = body.Value
	object = body.Object
)

// A decoder knows the fields of this protocol.
type decoder struct {
	*body.Decoder
	find Find
	user string
}

// DecodeRequest reads the body of a request for a response. Its errors are
// *chat.Error of kind Invalid, or those of find.
//
// A field that nobody knows is left out: what a backend is sent is of another
// protocol, in which it would mean nothing or something else.
func DecodeRequest(text []byte, find Find) (*Call, error) {
	return body.Decode(text, Example, func(d *body.Decoder, o object) *Call {
		return (&decoder{Decoder: d, find: find}).call(o)
	})
}

func (d *decoder) call(o object) *Call {
	d.refuse(o)
	req := &chat.Request{N: 1}
	c := &Call{Request: req}
	set := &c.settings
	req.Model = o.Take("model").Str()
	req.Session = wire.Session(o.Take("session_id"))
	c.Stream = o.Take("stream").IsTrue()
	c.Store = o.Take("store").Boolean()
	d.places(o, c)
	d.extra(o, c)

	if v := o.Take("instructions"); !v.Absent() {
		if text := v.Str(); text != "" {
			req.Messages, c.front = []chat.Message{chat.TextMessage(chat.System, text)}, 1
			set.Instructions = &text
		}
	}
	req.Messages = append(req.Messages, d.input(o.Take("input"), c)...)

	req.Sampling = d.sampling(o, set)
	if n := o.Take("max_output_tokens").Integer(1, math.MaxInt32); n != nil {
		req.MaxTokens, set.MaxOutputTokens = int(*n), n
	}
	req.Tools, set.Tools = d.tools(o.Take("tools"))
	d.toolChoice(o.Take("tool_choice"), req, set)
	req.ParallelToolCalls = o.Take("parallel_tool_calls").Boolean()
	set.Parallel = req.ParallelToolCalls == nil || *req.ParallelToolCalls
	set.MaxToolCalls = o.Take("max_tool_calls").Integer(1, math.MaxInt32) // of tools that a server runs
	d.text(o.Take("text").Object(), req, set)
	d.reasoning(o.Take("reasoning").Object(), c)
	d.logProbs(o, req, set)
	switch v := o.Take("truncation"); v.Str() {
	case "", "disabled":
		set.Truncation = "disabled"
	case "auto":
		set.Truncation, c.trim = "auto", true
	default:
		v.Bad("must be \"auto\" or \"disabled\".")
	}
	return c
}

// refuse fails on the fields that change the answer and that a Request cannot
// carry.
func (d *decoder) refuse(o object) {
	if v := o.Take("background"); v.IsTrue() {
		d.Fail(chat.Unsupported("background", "'background' is not supported: ask with \"stream\": true and stay, or ask again later."))
	}
	if v := o.Take("prompt"); !v.Absent() {
		d.Fail(chat.Unsupported("prompt", "'prompt' names a prompt that is stored at OpenAI; send its text in 'instructions' and 'input'."))
	}
}

// places reads what the request goes on from.
func (d *decoder) places(o object, c *Call) {
	v := o.Take("previous_response_id")
	if c.Previous = v.Str(); c.Previous != "" {
		if _, ok := ParseID(c.Previous); !ok {
			d.Fail(noPrevious())
		}
	}
	where := o.Take("conversation")
	switch {
	case where.Absent():
	case where.Is("{"):
		c.Conversation = where.Object().Need("id").Str()
	default:
		c.Conversation = where.Str()
	}
	if !where.Absent() && !IsConversation(c.Conversation) {
		d.Fail(NoConversation())
	}
	if c.Conversation != "" && c.Previous != "" {
		where.Bad("and 'previous_response_id' are both there; send one of them.")
	}
}

// What a client may say of a request beside what it is about. Of it, that which
// chat completions have as well is passed on to backends that speak them.
const (
	maxPairs = 16
	maxKey   = 64
	maxValue = 512
)

func (d *decoder) extra(o object, c *Call) {
	extra := make(map[string]json.RawMessage)
	for key, to := range c.settings.passedOn() {
		if v := o.Take(key); !v.Absent() {
			*to, extra[key] = new(v.Str()), v.JSON()
		}
	}
	if c.settings.User != nil {
		d.user = *c.settings.User
	}
	for _, key := range []string{"priority", "chat_template_kwargs"} {
		if v := o.Take(key); !v.Absent() {
			extra[key] = v.JSON()
		}
	}
	if len(extra) > 0 {
		c.Request.Extra = extra
	}
	c.metadata = d.metadata(o.Take("metadata"))
	c.settings.Metadata = c.metadata
}

func (d *decoder) metadata(v value) map[string]string {
	pairs := map[string]string{}
	if v.Absent() {
		return pairs
	}
	for key, e := range v.Object().Rest() {
		text := e.Str()
		switch {
		case len([]rune(key)) > maxKey:
			v.Bad("has a key of %d characters; at most %d are allowed.", len([]rune(key)), maxKey)
		case len([]rune(text)) > maxValue:
			v.Bad("has a value of %d characters; at most %d are allowed.", len([]rune(text)), maxValue)
		}
		pairs[key] = text
	}
	if len(pairs) > maxPairs {
		v.Bad("has %d keys; at most %d are allowed.", len(pairs), maxPairs)
	}
	return pairs
}

func (d *decoder) sampling(o object, set *settings) chat.Sampling {
	var s chat.Sampling
	s.Temperature = o.Take("temperature").Number(0, 2)
	s.TopP = wire.TopP(o.Take("top_p"))
	s.FrequencyPenalty = o.Take("frequency_penalty").Number(-2, 2)
	s.PresencePenalty = o.Take("presence_penalty").Number(-2, 2)
	set.Temperature, set.TopP = or(s.Temperature, 1), or(s.TopP, 1)
	set.FrequencyPenalty, set.PresencePenalty = or(s.FrequencyPenalty, 0), or(s.PresencePenalty, 0)
	return s
}

func or(f *float64, otherwise float64) float64 {
	if f == nil {
		return otherwise
	}
	return *f
}

func (d *decoder) tools(v value) (tools []chat.Tool, told []toolBody) {
	told = []toolBody{}
	for e := range v.Array() {
		o := e.Object()
		typ := o.Need("type")
		switch typ.Str() {
		case "function":
		case "namespace":
			name := o.Need("name")
			d.filled(name)
			inside, shown := d.tools(o.Need("tools"))
			for i := range inside {
				if shown[i].Namespace != "" {
					typ.Bad("is \"namespace\", within another.")
				}
				shown[i].Namespace = name.Str()
				inside[i].Name = shown[i].full()
			}
			tools, told = append(tools, inside...), append(told, shown...)
			continue
		default:
			d.Fail(chat.Unsupported(typ.Path(), "%s, a tool that OpenAI's servers run or that only their models know; offer a \"function\" that your client runs, or leave it out.", quoted(typ)))
		}
		name := o.Need("name")
		d.filled(name)
		t := chat.Tool{Name: name.Str(), Description: o.Take("description").Str(), Strict: o.Take("strict").IsTrue()}
		t.Parameters = o.Take("parameters").ObjectText()
		tools, told = append(tools, t), append(told, toolOf(t))
	}
	return tools, told
}

// filled fails on a name that is empty.
func (d *decoder) filled(name value) {
	if name.Str() == "" {
		name.Bad("must not be empty.")
	}
}

// quoted says which word a field has, where it is short enough to be one of a
// vocabulary.
func quoted(v value) string {
	s := v.Str()
	if len(s) > 40 {
		s = "a text of " + strconv.Itoa(len(s)) + " bytes"
	} else {
		s = strconv.Quote(s)
	}
	return v.Name() + " is " + s
}

func (d *decoder) toolChoice(v value, req *chat.Request, set *settings) {
	set.ToolChoice = json.RawMessage(`"auto"`)
	if v.Absent() || !v.Want("a string or an object", v.Is(`"{`)) {
		return
	}
	if v.Is(`"`) {
		d.mode(v, req)
		set.ToolChoice = req.ToolChoice
		return
	}
	o := v.Object()
	switch typ := o.Need("type"); typ.Str() {
	case "function":
		name := wire.Offered(o.Need("name"), req.Tools)
		req.ToolChoice = wire.Marshal(map[string]any{"type": "function", "function": map[string]string{"name": name}})
		set.ToolChoice = wire.Marshal(nameBody{"function", name})
	case "allowed_tools":
		mode := o.Need("mode")
		var allowed []nameBody
		for e := range o.Need("tools").Array() {
			t := e.Object()
			if typ := t.Need("type"); typ.Str() != "function" {
				d.Fail(chat.Unsupported(typ.Path(), "%s may be \"function\" alone.", typ.Name()))
			}
			allowed = append(allowed, nameBody{"function", wire.Offered(t.Need("name"), req.Tools)})
		}
		req.Tools = slices.DeleteFunc(slices.Clone(req.Tools), func(t chat.Tool) bool {
			return !slices.Contains(allowed, nameBody{"function", t.Name})
		})
		d.mode(mode, req)
		set.ToolChoice = wire.Marshal(struct {
			Type  string     `json:"type"`
			Mode  string     `json:"mode"`
			Tools []nameBody `json:"tools"`
		}{"allowed_tools", mode.Str(), allowed})
	default:
		d.Fail(chat.Unsupported(typ.Path(), "%s may be \"function\" or \"allowed_tools\" alone.", typ.Name()))
	}
}

// mode reads whether tools have to be called.
func (d *decoder) mode(v value, req *chat.Request) {
	switch mode := v.Str(); mode {
	case "none", "auto", "required":
		if req.ToolChoice = json.RawMessage(strconv.Quote(mode)); mode == "required" && len(req.Tools) == 0 {
			v.Bad("is \"required\", but 'tools' offers none.")
		}
	default:
		v.Bad("must be \"none\", \"auto\" or \"required\", or name a function.")
	}
}

type nameBody struct {
	Type string `json:"type"`
	Name string `json:"name"`
}

// text reads what bounds the text of the answer.
func (d *decoder) text(o object, req *chat.Request, set *settings) {
	if v := o.Take("verbosity"); !v.Absent() && v.Str() != "medium" {
		d.Fail(chat.Unsupported("text.verbosity", "'text.verbosity' other than \"medium\" is not supported; ask for the length in a message, or bound it with 'max_output_tokens'."))
	}
	set.Text = textOf(nil)
	f := o.Take("format")
	if f.Absent() {
		return
	}
	fields := f.Object()
	typ := fields.Need("type")
	switch typ.Str() {
	case "text":
	case "json_object":
		req.Format = &chat.Format{Type: "json_object"}
	case "json_schema":
		req.Format = &chat.Format{Type: "json_schema", Name: fields.Need("name").Str(), Strict: fields.Take("strict").IsTrue(), Schema: fields.Need("schema").ObjectText()}
	default:
		typ.Bad("must be \"text\", \"json_object\" or \"json_schema\".")
	}
	set.Text = textOf(req.Format)
}

func (d *decoder) reasoning(o object, c *Call) {
	if o.Absent() {
		return
	}
	c.Request.ReasoningEffort = o.Take("effort").Str()
	c.settings.Reasoning = &effortBody{Effort: nilOr(c.Request.ReasoningEffort)}
	older := o.Take("generate_summary")
	v := o.Take("summary")
	if v.Absent() {
		v = older
	}
	switch summary := v.Str(); summary {
	case "":
	case "auto", "concise", "detailed":
		c.summary, c.settings.Reasoning.Summary = true, &summary
	default:
		v.Bad("must be \"auto\", \"concise\" or \"detailed\".")
	}
}

func nilOr(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// withLogProbs is what a client wants included that wants log probabilities.
const withLogProbs = "message.output_text.logprobs"

func (d *decoder) logProbs(o object, req *chat.Request, set *settings) {
	for e := range o.Take("include").Array() {
		req.LogProbs = req.LogProbs || e.Str() == withLogProbs // of the others, nothing is left out that there is
	}
	if n := o.Take("top_logprobs").Integer(0, 20); n != nil && *n > 0 {
		req.LogProbs, req.TopLogProbs, set.TopLogProbs = true, int(*n), int(*n)
	}
}

// goesOn returns the field that says what the request goes on from; empty: it
// begins.
func (c *Call) goesOn() string {
	switch {
	case c.Conversation != "":
		return "conversation"
	case c.Previous != "":
		return "previous_response_id"
	}
	return ""
}

// Place puts the request in its place in a session, where there are any: it goes
// on from what the client said, and is kept unless the client does not want
// that. It returns the id of the response.
func (c *Call) Place(kept bool) (ID, error) {
	wanted := c.Store == nil || *c.Store
	switch {
	case !kept && c.goesOn() != "":
		param := c.goesOn()
		return ID{}, chat.Unsupported(param, "'%s' is not supported here, for this route keeps no responses: send the whole conversation in 'input'.", param)
	case !kept && c.Store != nil && wanted:
		return ID{}, chat.Unsupported("store", "'store' is true, but this route keeps no responses: leave it out, or have the operator turn sessions on.")
	}
	if !kept {
		return NewID(""), nil
	}
	if !wanted && c.goesOn() == "" {
		c.Request.Turn = &chat.Turn{Forget: true}
		return NewID(""), nil
	}
	t := &chat.Turn{Front: c.front, Trim: c.trim, Forget: !wanted}
	session := c.Conversation
	if previous, ok := ParseID(c.Previous); ok {
		session, t.Parent, t.Branch = previous.Session, previous.Turn, IsConversation(previous.Session)
	}
	t.Head = c.Conversation != ""
	id := NewID(session)
	t.ID, c.created = id.Turn, time.Now().Unix()
	c.Request.Session, c.Request.Turn = id.Session, t
	if c.kept = wanted; wanted {
		t.Note = c.note
		setAside(c.Request, c.metadata)
	}
	return id, nil
}

const metadataKey = "metadata"

// setAside has metadata kept with the turn of a request, as the filter lets
// them pass.
func setAside(req *chat.Request, metadata map[string]string) {
	if len(metadata) == 0 {
		return
	}
	req.Turn.Aside = []string{metadataKey}
	if req.Extra == nil {
		req.Extra = make(map[string]json.RawMessage)
	}
	req.Extra[metadataKey] = wire.Marshal(metadata)
}

// asideOf returns the metadata that a request has set aside.
func asideOf(req *chat.Request) map[string]string {
	metadata := map[string]string{}
	json.Unmarshal(req.Extra[metadataKey], &metadata) // absent, or ours
	return metadata
}
