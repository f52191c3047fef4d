package wire

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"

	"bendi/chat"
)

// MaxInputs is the most texts that one request may have embedded or ranked.
const MaxInputs = 2048

// Examples of the bodies of requests.
const (
	ChatExample       = `{"messages":[{"role":"user","content":"你好"}]}`
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
	return decode(body, EmbedExample, func(d *decoder, o object) *EmbedCall {
		req := &chat.EmbedRequest{}
		call := &EmbedCall{Request: req}
		req.Model = o.Take("model").Str()
		req.Inputs = d.inputs(o.Take("input"))
		if n := o.Take("dimensions").Integer(1, math.MaxInt32); n != nil {
			req.Dimensions = int(*n)
		}
		format := o.Take("encoding_format")
		switch s := format.Str(); {
		case s == "base64":
			call.Base64 = true
		case s != "float" && !format.Absent():
			format.Bad("must be \"float\" or \"base64\".")
		}
		req.Extra = o.Extra()
		return call
	})
}

// inputs reads a text, an array of texts, an array of tokens, or an array of
// arrays of tokens.
func (d *decoder) inputs(v value) []chat.Input {
	const what = "a string, an array of strings, or tokens as an array of integers or of such arrays"
	switch {
	case v.Absent():
		v.Bad("is missing; send a JSON object such as %s.", EmbedExample)
		return nil
	case v.Is(`"`):
		return []chat.Input{{Text: v.Filled()}}
	case !v.Want(what, v.Is("[")):
		return nil
	}
	var inputs []chat.Input
	first, n := byte(0), 0
	for e := range v.Array() {
		if n++; n == 1 {
			first = e.Raw[0]
			if e.Is("-0123456789") {
				return []chat.Input{{Tokens: v.Tokens()}}
			}
		}
		switch {
		case n > MaxInputs: // counted alone
		case !e.Want("a string or an array of tokens", e.Is(`"[`)):
		case e.Raw[0] != first:
			e.Bad("is %s, but the first input is not; send all as texts or all as tokens.", e.Typ())
		case first == '"':
			inputs = append(inputs, chat.Input{Text: e.Filled()})
		default:
			inputs = append(inputs, chat.Input{Tokens: e.Tokens()})
		}
	}
	switch {
	case d.Err != nil:
	case n == 0:
		v.Bad("is empty; it needs at least one text.")
	case n > MaxInputs:
		v.Bad("holds %d texts; at most %d are allowed.", n, MaxInputs)
	}
	return inputs
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
