package wire

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"

	"bendi/chat"
)

// MaxInputs is the most texts that one request may have embedded or ranked.
const MaxInputs = 2048

// Examples of the bodies of requests.
const (
	ChatExample       = example
	EmbedExample      = `{"input":"你好"}`
	RerankExample     = `{"query":"怎么退货?","documents":["七天内可以退货。","我们周末休息。"]}`
	TokenizeExample   = `{"content":"你好"}`
	DetokenizeExample = `{"tokens":[1,2,3]}`
)

// An EmbedCall is a request with how its answer is to be delivered.
type EmbedCall struct {
	Request *chat.EmbedRequest
	Base64  bool // vectors as little-endian float32 in base64, not as numbers
}

// DecodeEmbed reads the body of an embeddings request. Its errors are
// *chat.Error of kind Invalid.
func DecodeEmbed(body []byte) (*EmbedCall, error) {
	call := &EmbedCall{Request: &chat.EmbedRequest{}}
	req := call.Request
	err := decode(body, EmbedExample, func(d *decoder, o object) {
		req.Model = o.take("model").str()
		req.Inputs = d.inputs(o.take("input"))
		if n := o.take("dimensions").integer(1, math.MaxInt32); n != nil {
			req.Dimensions = int(*n)
		}
		format := o.take("encoding_format")
		switch s := format.str(); {
		case s == "base64":
			call.Base64 = true
		case s != "float" && !format.absent():
			format.bad("must be \"float\" or \"base64\".")
		}
		req.Extra = o.extra()
	})
	if err != nil {
		return nil, err
	}
	return call, nil
}

// decode checks a body, takes it apart with take, and returns the first fault.
func decode(body []byte, like string, take func(*decoder, object)) error {
	if len(bytes.TrimSpace(body)) == 0 {
		return chat.Errorf(chat.Invalid, "The request body is empty; send a JSON object such as %s.", like)
	}
	if err := checkBody(body); err != nil {
		return err
	}
	d := &decoder{}
	take(d, value{d: d, raw: bytes.TrimSpace(body)}.object())
	return d.err
}

// extra returns the fields that were not taken.
func (o object) extra() map[string]json.RawMessage {
	var extra map[string]json.RawMessage
	for key, v := range o.rest() {
		if extra == nil {
			extra = map[string]json.RawMessage{}
		}
		extra[key] = v.json()
	}
	return extra
}

// inputs reads a text, an array of texts, an array of tokens, or an array of
// arrays of tokens.
func (d *decoder) inputs(v value) []chat.Input {
	const what = "a string, an array of strings, or tokens as an array of integers or of such arrays"
	switch {
	case v.absent():
		v.bad("is missing; send a JSON object such as %s.", EmbedExample)
		return nil
	case v.is(`"`):
		return []chat.Input{{Text: v.filled()}}
	case !v.want(what, v.is("[")):
		return nil
	}
	var inputs []chat.Input
	first, n := byte(0), 0
	for e := range v.array() {
		if n++; n == 1 {
			first = e.raw[0]
			if e.is("-0123456789") {
				return []chat.Input{{Tokens: d.tokens(v)}}
			}
		}
		switch {
		case n > MaxInputs: // counted alone
		case !e.want("a string or an array of tokens", e.is(`"[`)):
		case e.raw[0] != first:
			e.bad("is %s, but the first input is not; send all as texts or all as tokens.", e.typ())
		case first == '"':
			inputs = append(inputs, chat.Input{Text: e.filled()})
		default:
			inputs = append(inputs, chat.Input{Tokens: d.tokens(e)})
		}
	}
	switch {
	case d.err != nil:
	case n == 0:
		v.bad("is empty; it needs at least one text.")
	case n > MaxInputs:
		v.bad("holds %d texts; at most %d are allowed.", n, MaxInputs)
	}
	return inputs
}

// filled returns a string that must not be empty.
func (v value) filled() string {
	s := v.str()
	if s == "" {
		v.bad("must not be empty: an empty text has nothing to be told by.")
	}
	return s
}

// tokens reads an array of token ids. There may be as many as bytes in the
// body, so a path is only made for one at fault.
func (d *decoder) tokens(v value) []int {
	if v.absent() || !v.want("an array of tokens", v.is("[")) {
		return nil
	}
	tokens := []int{}
	for _, raw := range split(v.raw) {
		id, err := strconv.ParseInt(string(raw), 10, 32)
		if err != nil || id < 0 {
			e := value{d: d, in: v.path() + "[" + strconv.Itoa(len(tokens)) + "]", raw: raw}
			n := e.integer(0, math.MaxInt32)
			if n == nil {
				return nil
			}
			id = *n
		}
		tokens = append(tokens, int(id))
	}
	if len(tokens) == 0 {
		v.bad("is empty; it needs at least one token.")
	}
	return tokens
}

// EncodeEmbed writes the body that asks a server of this protocol for the
// answer to req. What DecodeEmbed makes of it is req again, but for the ID.
// It asks for base64, which is a third of the size of numbers.
func EncodeEmbed(req *chat.EmbedRequest) ([]byte, error) {
	body := struct {
		Model      string `json:"model,omitempty"`
		Input      any    `json:"input"`
		Dimensions int    `json:"dimensions,omitempty"`
		Format     string `json:"encoding_format"`
	}{req.Model, nil, req.Dimensions, "base64"}
	texts, tokens := []string{}, [][]int{}
	for _, in := range req.Inputs {
		if in.Tokens != nil {
			tokens = append(tokens, in.Tokens)
		} else {
			texts = append(texts, in.Text)
		}
	}
	switch {
	case len(texts) > 0 && len(tokens) > 0:
		return nil, chat.BadParam("input", "texts and tokens cannot be mixed in one request; send all as one of them")
	case len(tokens) > 0:
		body.Input = tokens
	default:
		body.Input = texts
	}
	return withExtra(body, req.Extra)
}

type embeddingBody struct {
	Object    string          `json:"object"`
	Embedding json.RawMessage `json:"embedding"` // an array of numbers, or a string of base64
	Index     *int            `json:"index"`
}

// promptUsage is the usage of what completes nothing.
type promptUsage struct {
	Prompt int `json:"prompt_tokens"`
	Total  int `json:"total_tokens"`
}

type embeddingsBody struct {
	Object string          `json:"object"`
	Data   []embeddingBody `json:"data"`
	Model  string          `json:"model"`
	Usage  promptUsage     `json:"usage"`
}

// EncodeEmbeddings writes the body of an answer.
func EncodeEmbeddings(model string, base64 bool, e *chat.Embeddings) ([]byte, error) {
	body := embeddingsBody{
		Object: "list", Model: model, Data: make([]embeddingBody, len(e.Vectors)),
		Usage: promptUsage{e.Usage.PromptTokens, e.Usage.PromptTokens},
	}
	for i, v := range e.Vectors {
		var raw json.RawMessage
		if base64 {
			raw = packed(v)
		} else {
			var err error
			if raw, err = json.Marshal(v); err != nil {
				return nil, fmt.Errorf("the vector of input %d: %w", i, err)
			}
		}
		body.Data[i] = embeddingBody{Object: "embedding", Embedding: raw, Index: new(i)}
	}
	return marshal(body)
}

// packed returns v as a JSON string of base64.
func packed(v []float32) json.RawMessage {
	bits := make([]byte, 0, 4*len(v))
	for _, x := range v {
		bits = binary.LittleEndian.AppendUint32(bits, math.Float32bits(x))
	}
	out := append(make([]byte, 0, base64.StdEncoding.EncodedLen(len(bits))+2), '"')
	return append(base64.StdEncoding.AppendEncode(out, bits), '"')
}

// DecodeEmbeddings reads the answer to a request of n inputs, in either
// format. What it returns is whole: a vector of finite numbers for each input,
// all with the same number of dimensions.
func DecodeEmbeddings(body []byte, n int) (*chat.Embeddings, error) {
	nonsense := func(format string, args ...any) (*chat.Embeddings, error) {
		return nil, chat.Errorf(chat.BadBackend, "The backend sent embeddings that are not what was asked for: "+format+".", args...)
	}
	var answer embeddingsBody
	if err := json.Unmarshal(body, &answer); err != nil {
		return nil, &chat.Error{Kind: chat.BadBackend, Msg: "The backend sent embeddings that are not JSON of this protocol.", Err: err}
	}
	if len(answer.Data) != n {
		return nonsense("%d for %d inputs", len(answer.Data), n)
	}
	out := &chat.Embeddings{Vectors: make([][]float32, n), Usage: chat.Usage{PromptTokens: max(0, answer.Usage.Prompt)}}
	for i, e := range answer.Data {
		if e.Index != nil {
			i = *e.Index
		}
		if i < 0 || i >= n || out.Vectors[i] != nil {
			return nonsense("input %d is not one of %d, or is there twice", i, n)
		}
		v, err := unpacked(e.Embedding)
		if err != nil || len(v) == 0 {
			return nonsense("the vector of input %d is neither an array of numbers nor base64", i)
		}
		for _, x := range v {
			if math.IsNaN(float64(x)) || math.IsInf(float64(x), 0) {
				return nonsense("the vector of input %d is not finite", i)
			}
		}
		out.Vectors[i] = v
	}
	for i, v := range out.Vectors {
		if len(v) != len(out.Vectors[0]) {
			return nonsense("input %d has %d dimensions, the first has %d", i, len(v), len(out.Vectors[0]))
		}
	}
	return out, nil
}

func unpacked(raw json.RawMessage) ([]float32, error) {
	var text string
	if json.Unmarshal(raw, &text) != nil {
		var v []float32
		return v, json.Unmarshal(raw, &v)
	}
	bits, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(bits)%4 != 0 {
		return nil, fmt.Errorf("%d bytes of base64: %w", len(text), err)
	}
	v := make([]float32, len(bits)/4)
	for i := range v {
		v[i] = math.Float32frombits(binary.LittleEndian.Uint32(bits[4*i:]))
	}
	return v, nil
}

// withExtra marshals an object with more fields behind its own.
func withExtra(body any, extra map[string]json.RawMessage) ([]byte, error) {
	out, err := marshal(body)
	if err != nil {
		return nil, err
	}
	for _, key := range slices.Sorted(maps.Keys(extra)) {
		field, err := marshal(map[string]json.RawMessage{key: extra[key]})
		if err != nil {
			return nil, err
		}
		out[len(out)-1] = ','
		out = append(out, field[1:]...)
	}
	return out, nil
}
