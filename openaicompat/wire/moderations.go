package wire

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"bendi/chat"
)

// ModerationExample is the body of a request.
const ModerationExample = `{"input":"你好"}`

// DecodeModeration reads the body of a moderations request: the texts to judge,
// of which each gets a result. A text and an array of texts are that; an array
// of parts is one text, as it is for OpenAI. What is no text is refused, for
// nothing here can look at an image. The model that is asked for is not looked
// at. Its errors are *chat.Error of kind Invalid.
func DecodeModeration(body []byte) ([]string, error) {
	return decode(body, ModerationExample, func(d *decoder, o object) []string {
		o.Take("model").Str()
		return d.moderated(o.Take("input"))
	})
}

func (d *decoder) moderated(v value) []string {
	switch {
	case v.Absent():
		v.Bad("is missing; send a JSON object such as %s.", ModerationExample)
		return nil
	case v.Is(`"`):
		return []string{v.Str()}
	case !v.Want("a string, an array of strings, or an array of parts", v.Is("[")):
		return nil
	}
	var texts []string
	var parts strings.Builder
	first, n := byte(0), 0
	for e := range v.Array() {
		if n++; n == 1 {
			first = e.Raw[0]
		}
		switch {
		case n > MaxInputs: // counted alone
		case !e.Want("a string or a part", e.Is(`"{`)):
		case e.Raw[0] != first:
			e.Bad("is %s, but the first is not; send texts or parts.", e.Typ())
		case first == '"':
			texts = append(texts, e.Str())
		default:
			o := e.Object()
			typ := o.Need("type")
			if kind := typ.Str(); d.Err == nil && kind != string(chat.TextPart) {
				d.Fail(chat.Unsupported(typ.Path(), "%s must be \"text\"; nothing here can judge anything else.", typ.Name()))
			}
			parts.WriteString(o.Need("text").Str())
		}
	}
	switch {
	case d.Err != nil:
	case n == 0:
		v.Bad("is empty; it needs at least one text.")
	case n > MaxInputs:
		v.Bad("holds %d texts; at most %d are allowed.", n, MaxInputs)
	case first == '{':
		return []string{parts.String()}
	}
	return texts
}

// A Judgement is the result of one text.
type Judgement struct {
	Flagged    bool
	Categories map[string]bool
	Scores     map[string]float64 // 0 to 1
}

// openAICategories are what each result of OpenAI's has, and their clients
// want.
var openAICategories = []string{
	"harassment", "harassment/threatening", "hate", "hate/threatening", "illicit", "illicit/violent",
	"self-harm", "self-harm/intent", "self-harm/instructions", "sexual", "sexual/minors", "violence", "violence/graphic",
}

// EncodeModeration writes the body of an answer. Each result has the
// categories of OpenAI's, and those of own beside them.
func EncodeModeration(id, model string, own []string, results []Judgement) ([]byte, error) {
	names := slices.Clone(openAICategories)
	for _, name := range slices.Sorted(slices.Values(own)) {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	body := moderationBody{ID: id, Model: model, Results: make([]resultBody, len(results))}
	for i, r := range results {
		all := slices.Clone(names)
		for _, name := range slices.Sorted(maps.Keys(r.Categories)) {
			if !slices.Contains(all, name) {
				all = append(all, name)
			}
		}
		out := &body.Results[i]
		out.Flagged = r.Flagged
		for _, name := range all {
			out.Categories = append(out.Categories, pair{name, r.Categories[name]})
			out.Scores = append(out.Scores, pair{name, r.Scores[name]})
			out.Types = append(out.Types, pair{name, []string{"text"}})
		}
	}
	return marshal(body)
}

type moderationBody struct {
	ID      string       `json:"id"`
	Model   string       `json:"model"`
	Results []resultBody `json:"results"`
}

type resultBody struct {
	Flagged    bool  `json:"flagged"`
	Categories pairs `json:"categories"`
	Scores     pairs `json:"category_scores"`
	Types      pairs `json:"category_applied_input_types"`
}

// pairs is an object whose keys stay in their order.
type pairs []pair

type pair struct {
	key   string
	value any
}

func (p pairs) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, kv := range p {
		if i > 0 {
			b.WriteByte(',')
		}
		key, err := json.Marshal(kv.key)
		if err != nil {
			return nil, err
		}
		value, err := json.Marshal(kv.value)
		if err != nil {
			return nil, err
		}
		b.Write(append(append(key, ':'), value...))
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}
