package wire

import (
	"encoding/json"
	"math"

	"bendi/chat"
)

// A RerankCall is a request with how its answer is to be delivered.
type RerankCall struct {
	Request         *chat.RerankRequest
	ReturnDocuments bool // each result repeats its document
}

// DecodeRerank reads the body of a rerank request, in the shape that Jina and
// Cohere use. Its errors are *chat.Error of kind Invalid.
func DecodeRerank(body []byte) (*RerankCall, error) {
	return decode(body, RerankExample, func(d *decoder, o object) *RerankCall {
		req := &chat.RerankRequest{}
		call := &RerankCall{Request: req}
		req.Model = o.Take("model").Str()
		req.Query = o.Need("query").Filled()
		req.Documents = d.documents(o.Take("documents"))
		if n := o.Take("top_n").Integer(1, math.MaxInt32); n != nil {
			req.Top = int(*n)
		}
		call.ReturnDocuments = o.Take("return_documents").IsTrue()
		req.Extra = o.Extra()
		return call
	})
}

// documents reads an array of texts, or of objects with a text.
func (d *decoder) documents(v value) []string {
	if v.Absent() {
		v.Bad("is missing; send a JSON object such as %s.", RerankExample)
		return nil
	}
	var docs []string
	n := 0
	for e := range v.Array() {
		if n++; n > MaxInputs || !e.Want("a string or an object with a 'text'", e.Is(`"{`)) {
			continue
		}
		if e.Is("{") {
			e = e.Object().Need("text")
		}
		docs = append(docs, e.Filled())
	}
	switch {
	case d.Err != nil:
	case n == 0:
		v.Bad("is empty; it needs at least one text.")
	case n > MaxInputs:
		v.Bad("holds %d texts; at most %d are allowed.", n, MaxInputs)
	}
	return docs
}

// EncodeRerank writes the body that asks a server of this protocol for the
// answer to req. What DecodeRerank makes of it is req again, but for the ID.
func EncodeRerank(req *chat.RerankRequest) ([]byte, error) {
	return withExtra(struct {
		Model     string   `json:"model,omitempty"`
		Query     string   `json:"query"`
		Documents []string `json:"documents"`
		Top       int      `json:"top_n,omitempty"`
		Return    bool     `json:"return_documents"` // some servers do unless told not to
	}{req.Model, req.Query, req.Documents, req.Top, false}, req.Extra)
}

type rankedBody struct {
	Index    *int          `json:"index"`
	Score    *float64      `json:"relevance_score"`
	Document *documentBody `json:"document,omitempty"`
}

type documentBody struct {
	Text string `json:"text"`
}

// EncodeRanking writes the body of an answer. The documents, where they are
// given, are repeated in it.
func EncodeRanking(model string, r *chat.Ranking, documents []string) ([]byte, error) {
	body := struct {
		Object  string       `json:"object"`
		Model   string       `json:"model"`
		Results []rankedBody `json:"results"`
		Usage   promptUsage  `json:"usage"`
	}{"list", model, make([]rankedBody, len(r.Results)), promptUsage{r.Usage.PromptTokens, r.Usage.PromptTokens}}
	for i, x := range r.Results {
		body.Results[i] = rankedBody{Index: &x.Index, Score: &x.Score}
		if documents != nil {
			body.Results[i].Document = &documentBody{documents[x.Index]}
		}
	}
	return marshal(body)
}

// DecodeRanking reads the answer to a request. What it returns is whole: each
// result is one of the documents, none is there twice, and there are as many
// as were asked for.
func DecodeRanking(body []byte, req *chat.RerankRequest) (*chat.Ranking, error) {
	var answer struct {
		Results []rankedBody `json:"results"`
		Usage   struct {
			Prompt int `json:"prompt_tokens"`
			Total  int `json:"total_tokens"` // Jina sends this one alone
		} `json:"usage"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return nil, &chat.Error{Kind: chat.BadBackend, Msg: "The backend sent a ranking that is not JSON of this protocol.", Err: err}
	}
	want := len(req.Documents)
	if req.Top > 0 {
		want = min(want, req.Top)
	}
	if len(answer.Results) != want {
		return nil, chat.Errorf(chat.BadBackend, "The backend ranked %d documents; %d were asked for.", len(answer.Results), want)
	}
	out := &chat.Ranking{Usage: chat.Usage{PromptTokens: max(0, answer.Usage.Prompt, answer.Usage.Total)}}
	seen := make([]bool, len(req.Documents))
	for _, r := range answer.Results {
		if r.Index == nil || *r.Index < 0 || *r.Index >= len(seen) || seen[*r.Index] || r.Score == nil {
			return nil, chat.Errorf(chat.BadBackend, "The backend sent a result without a score, or of a document that is not one of %d, or twice.", len(seen))
		}
		seen[*r.Index] = true
		out.Results = append(out.Results, chat.Ranked{Index: *r.Index, Score: *r.Score})
	}
	out.Sort()
	return out, nil
}
