package wire

import (
	"math"

	"bendi/chat"
)

// PromptExample is the body of a request to go on with a text.
const PromptExample = `{"prompt":"从前有座山,","max_tokens":32}`

// A PromptCall asks for texts to be gone on with, as the older completions of
// this protocol do: each prompt is a request of its own, and the choices of one
// come behind those of the one before it.
type PromptCall struct {
	Requests     []*chat.Request
	Stream       bool
	IncludeUsage bool
	Echo         bool // each choice begins with its prompt
}

// maxTokensOfPrompt is how many tokens go on with a prompt where nothing is said.
const maxTokensOfPrompt = 16

// DecodePrompts reads the body of a completions request. Its errors are
// *chat.Error of kind Invalid.
func DecodePrompts(text []byte) (*PromptCall, error) {
	return decode(text, PromptExample, (*decoder).promptCall)
}

func (d *decoder) promptCall(o object) *PromptCall {
	for _, key := range []string{"messages", "tools"} {
		if v := o.Take(key); !v.Absent() {
			d.Fail(chat.Unsupported(key, "'%s' belong to a chat, and this asks for a text to be gone on with: send it to /chat/completions, or leave out 'prompt'.", key))
		}
	}
	req := chat.Request{N: 1}
	req.Model = o.Take("model").Str()
	req.Session = Session(o.Take("session_id"))
	prompts := d.prompts(o.Take("prompt"))
	suffix := o.Take("suffix").Str()
	req.MaxTokens = maxTokensOfPrompt
	if n := o.Take("max_tokens").Integer(1, math.MaxInt32); n != nil {
		req.MaxTokens = int(*n)
	}
	req.Stop = d.stop(o.Take("stop"))
	n := o.Take("n")
	if i := n.Integer(1, MaxChoices); i != nil {
		req.N = int(*i)
	}
	if best := o.Take("best_of").Integer(1, MaxChoices); best != nil && int(*best) != req.N {
		d.Fail(chat.Unsupported("best_of", "'best_of' is %d and 'n' is %d: there is no choosing among answers here, so leave it out or make it 'n'.", *best, req.N))
	}
	if len(prompts)*req.N > MaxChoices {
		n.Bad("is %d, and there are %d prompts: that makes %d choices, and at most %d are allowed.", req.N, len(prompts), req.N*len(prompts), MaxChoices)
	}
	req.Sampling = d.sampling(o)
	req.Format = d.form(o)
	logprobs := o.Take("logprobs")
	if top := logprobs.Integer(0, 20); top != nil {
		req.LogProbs, req.TopLogProbs = true, int(*top)
	}
	call := &PromptCall{Echo: o.Take("echo").IsTrue()}
	if call.Echo && req.LogProbs {
		d.Fail(chat.Unsupported("logprobs", "'logprobs' with 'echo' asks for those of the prompt, which are not computed here: leave out one of them."))
	}
	call.Stream, call.IncludeUsage = d.streaming(o)
	req.Extra = o.Extra()
	for _, p := range prompts {
		p.Suffix = suffix
		own := req
		own.Prompt = p
		call.Requests = append(call.Requests, &own)
	}
	return call
}

func (d *decoder) prompts(v value) []*chat.Prompt {
	if v.Absent() {
		v.Bad("is missing; send a JSON object such as %s.", PromptExample)
		return nil
	}
	var prompts []*chat.Prompt
	for _, in := range d.inputs(v) {
		prompts = append(prompts, &chat.Prompt{Text: in.Text, Tokens: in.Tokens})
	}
	return prompts
}

// EncodePrompt writes the body that asks a server of this protocol to go on with
// the prompt of req: as a stream that ends with the usage. What DecodePrompts
// makes of it is req again, but for the ID.
func EncodePrompt(req *chat.Request) ([]byte, error) {
	body := promptBody{
		Model:         req.Model,
		Prompt:        req.Prompt.Text,
		Suffix:        req.Prompt.Suffix,
		generation:    generationOf(req),
		form:          formOf(req.Format),
		Stream:        true,
		StreamOptions: streamOptions{IncludeUsage: true},
	}
	if req.Prompt.Tokens != nil {
		body.Prompt = req.Prompt.Tokens
	}
	if req.LogProbs {
		body.LogProbs = &req.TopLogProbs
	}
	return withExtra(body, req.Extra)
}

type promptBody struct {
	Model  string `json:"model,omitempty"`
	Prompt any    `json:"prompt"` // a string, or an array of tokens
	Suffix string `json:"suffix,omitempty"`
	generation
	form
	LogProbs      *int          `json:"logprobs,omitempty"`
	Stream        bool          `json:"stream"`
	StreamOptions streamOptions `json:"stream_options"`
}
