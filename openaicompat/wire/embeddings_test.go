package wire

import (
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"bendi/chat"
)

func TestGiftsThatAreRefused(t *testing.T) {
	embed := func(b []byte) error { _, err := DecodeEmbed(b); return err }
	rerank := func(b []byte) error { _, err := DecodeRerank(b); return err }
	tokenize := func(b []byte) error { _, err := DecodeTokenize(b); return err }
	detokenize := func(b []byte) error { _, err := DecodeDetokenize(b); return err }
	many := func(elem string) string { return strings.Repeat(elem+",", MaxInputs) + elem }
	tests := []struct {
		decode            func([]byte) error
		body, param, want string
	}{
		{embed, ``, "", "The request body is empty; send a JSON object such as " + EmbedExample + "."},
		{embed, `{}`, "input", "'input' is missing; send a JSON object such as " + EmbedExample + "."},
		{embed, `{"input":null}`, "input", "'input' is missing; send a JSON object such as " + EmbedExample + "."},
		{embed, `{"input":7}`, "input", "'input' must be a string, an array of strings, or tokens as an array of integers or of such arrays, but is a number."},
		{embed, `{"input":""}`, "input", "'input' must not be empty: an empty text has nothing to be told by."},
		{embed, `{"input":[]}`, "input", "'input' is empty; it needs at least one text."},
		{embed, `{"input":["a",""]}`, "input[1]", "'input[1]' must not be empty: an empty text has nothing to be told by."},
		{embed, `{"input":["` + secret + `",7]}`, "input[1]", "'input[1]' must be a string or an array of tokens, but is a number."},
		{embed, `{"input":["` + secret + `",[7]]}`, "input[1]", "'input[1]' is an array, but the first input is not; send all as texts or all as tokens."},
		{embed, `{"input":[[7],"` + secret + `"]}`, "input[1]", "'input[1]' is a string, but the first input is not; send all as texts or all as tokens."},
		{embed, `{"input":[{"text":"` + secret + `"}]}`, "input[0]", "'input[0]' must be a string or an array of tokens, but is an object."},
		{embed, `{"input":[1,"` + secret + `"]}`, "input[1]", "'input[1]' must be an integer, but is a string."},
		{embed, `{"input":[1,-1]}`, "input[1]", "'input[1]' must be from 0 to 2147483647, but is -1."},
		{embed, `{"input":[[1],[2,3.5]]}`, "input[1][1]", "'input[1][1]' must be an integer, but is 3.5."},
		{embed, `{"input":[[1],[]]}`, "input[1]", "'input[1]' is empty; it needs at least one token."},
		{embed, `{"input":[[1,[2]]]}`, "input[0][1]", "'input[0][1]' must be an integer, but is an array."},
		{embed, `{"input":[` + many(`"a"`) + `]}`, "input", "'input' holds 2049 texts; at most 2048 are allowed."},
		{embed, `{"input":"` + secret + `\u0000"}`, "input", `'input' holds a NUL character (\u0000), which no model can read; remove it.`},
		{embed, `{"input":"a","dimensions":0}`, "dimensions", "'dimensions' must be from 1 to 2147483647, but is 0."},
		{embed, `{"input":"a","encoding_format":"` + secret + `"}`, "encoding_format", `'encoding_format' must be "float" or "base64".`},
		{embed, `{"input":"a","encoding_format":""}`, "encoding_format", `'encoding_format' must be "float" or "base64".`},

		{rerank, ``, "", "The request body is empty; send a JSON object such as " + RerankExample + "."},
		{rerank, `{"documents":["a"]}`, "query", "'query' is missing."},
		{rerank, `{"query":"","documents":["a"]}`, "query", "'query' must not be empty: an empty text has nothing to be told by."},
		{rerank, `{"query":"a"}`, "documents", "'documents' is missing; send a JSON object such as " + RerankExample + "."},
		{rerank, `{"query":"a","documents":"b"}`, "documents", "'documents' must be an array, but is a string."},
		{rerank, `{"query":"a","documents":[]}`, "documents", "'documents' is empty; it needs at least one text."},
		{rerank, `{"query":"a","documents":[7]}`, "documents[0]", "'documents[0]' must be a string or an object with a 'text', but is a number."},
		{rerank, `{"query":"a","documents":["a",{"title":"` + secret + `"}]}`, "documents[1].text", "'documents[1].text' is missing."},
		{rerank, `{"query":"a","documents":[` + many(`"a"`) + `]}`, "documents", "'documents' holds 2049 texts; at most 2048 are allowed."},
		{rerank, `{"query":"a","documents":["b"],"top_n":0}`, "top_n", "'top_n' must be from 1 to 2147483647, but is 0."},
		{rerank, `{"query":"a","documents":["b"],"return_documents":1}`, "return_documents", "'return_documents' must be a boolean, but is a number."},

		{tokenize, `{}`, "content", "'content' is missing."},
		{tokenize, `{"content":["` + secret + `"]}`, "content", "'content' must be a string, but is an array."},
		{tokenize, `{"content":"a\u0000"}`, "content", `'content' holds a NUL character (\u0000), which no model can read; remove it.`},
		{detokenize, `{}`, "tokens", "'tokens' is missing."},
		{detokenize, `{"tokens":"` + secret + `"}`, "tokens", "'tokens' must be an array of tokens, but is a string."},
		{detokenize, `{"tokens":[]}`, "tokens", "'tokens' is empty; it needs at least one token."},
		{detokenize, `{"tokens":[99999999999]}`, "tokens[0]", "'tokens[0]' must be from 0 to 2147483647, but is 99999999999."},
	}
	for _, tt := range tests {
		err := tt.decode([]byte(tt.body))
		e, ok := errors.AsType[*chat.Error](err)
		switch {
		case !ok:
			t.Errorf("%.80s\n got %v", tt.body, err)
		case e.Kind != chat.Invalid || e.Msg != tt.want || e.Param != tt.param:
			t.Errorf("%.80s\n got %s: %s\nwant %s: %s", tt.body, e.Param, e.Msg, tt.param, tt.want)
		case strings.Contains(e.Error(), secret):
			t.Errorf("%.80s\nthe error shows what the user wrote: %v", tt.body, e)
		}
	}
}

func TestEmbedRequestsThatAreTaken(t *testing.T) {
	tests := []struct {
		body string
		want EmbedCall
	}{
		{`{"input":"a"}`, EmbedCall{Request: &chat.EmbedRequest{Inputs: []chat.Input{{Text: "a"}}}}},
		{`{"input":["a","b"],"model":"m","user":"u","dimensions":8.0,"encoding_format":"base64"}`,
			EmbedCall{Base64: true, Request: &chat.EmbedRequest{Model: "m", Dimensions: 8, Inputs: []chat.Input{{Text: "a"}, {Text: "b"}},
				Extra: map[string]json.RawMessage{"user": json.RawMessage(`"u"`)}}}},
		{`{"input":[1, 2e0 ,0],"encoding_format":"float"}`, EmbedCall{Request: &chat.EmbedRequest{Inputs: []chat.Input{{Tokens: []int{1, 2, 0}}}}}},
		{`{"input":[[1],[2,3]],"encoding_format":null}`, EmbedCall{Request: &chat.EmbedRequest{Inputs: []chat.Input{{Tokens: []int{1}}, {Tokens: []int{2, 3}}}}}},
	}
	for _, tt := range tests {
		got, err := DecodeEmbed([]byte(tt.body))
		if err != nil || !reflect.DeepEqual(*got, tt.want) {
			t.Errorf("%s\n got %+v, %v\nwant %+v", tt.body, got, err, tt.want)
		}
	}
}

// What base64 says is what the numbers say, to the last bit.
func TestBase64IsTheNumbers(t *testing.T) {
	e := &chat.Embeddings{
		Vectors: [][]float32{{0.1, -1, math.SmallestNonzeroFloat32}, {1.0 / 3, 0, math.MaxFloat32}},
		Usage:   chat.Usage{PromptTokens: 7},
	}
	for _, packed := range []bool{false, true} {
		body, err := EncodeEmbeddings("m", packed, e)
		if err != nil {
			t.Fatal(err)
		}
		got, err := DecodeEmbeddings(body, 2)
		if err != nil || !reflect.DeepEqual(got, e) {
			t.Errorf("base64 = %v: %s\n got %+v, %v\nwant %+v", packed, body, got, err, e)
		}
	}
	body, _ := EncodeEmbeddings("m", true, &chat.Embeddings{Vectors: [][]float32{{1, -2.5}}})
	const want = `{"object":"list","data":[{"object":"embedding","embedding":"AACAPwAAIMA=","index":0}],"model":"m","usage":{"prompt_tokens":0,"total_tokens":0}}`
	if string(body) != want {
		t.Errorf("got  %s\nwant %s", body, want)
	}
}

// What a server makes of the request of another's client is that request.
func TestGiftsThereAndBack(t *testing.T) {
	embed := &chat.EmbedRequest{Model: "m", Dimensions: 3, Inputs: []chat.Input{{Text: "a<b"}, {Text: "你"}}, Extra: map[string]json.RawMessage{"user": json.RawMessage(`"u"`)}}
	body, err := EncodeEmbed(embed)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := DecodeEmbed(body); err != nil || !reflect.DeepEqual(got, &EmbedCall{embed, true}) {
		t.Errorf("%s: %+v, %v", body, got, err)
	}
	tokens := &chat.EmbedRequest{Inputs: []chat.Input{{Tokens: []int{1, 2}}, {Tokens: []int{3}}}}
	if body, err = EncodeEmbed(tokens); err != nil {
		t.Fatal(err)
	}
	if got, err := DecodeEmbed(body); err != nil || !reflect.DeepEqual(got.Request, tokens) {
		t.Errorf("%s: %+v, %v", body, got, err)
	}
	if _, err := EncodeEmbed(&chat.EmbedRequest{Inputs: []chat.Input{{Text: "a"}, {Tokens: []int{3}}}}); err == nil {
		t.Error("a mixture of texts and tokens is encoded")
	}

	rerank := &chat.RerankRequest{Model: "m", Query: "q", Documents: []string{"a", "b", "c"}, Top: 2}
	if body, err = EncodeRerank(rerank); err != nil {
		t.Fatal(err)
	}
	if got, err := DecodeRerank(body); err != nil || !reflect.DeepEqual(got, &RerankCall{Request: rerank}) {
		t.Errorf("%s: %+v, %v", body, got, err)
	}
	ranking := &chat.Ranking{Results: []chat.Ranked{{Index: 2, Score: 0.75}, {Index: 0, Score: 0.5}}, Usage: chat.Usage{PromptTokens: 9}}
	for _, docs := range [][]string{nil, rerank.Documents} {
		if body, err = EncodeRanking("m", ranking, docs); err != nil {
			t.Fatal(err)
		}
		if got, err := DecodeRanking(body, rerank); err != nil || !reflect.DeepEqual(got, ranking) {
			t.Errorf("%s: %+v, %v", body, got, err)
		}
	}

	tok := &chat.TokenizeRequest{Model: "m", Text: "a", AddSpecial: true, ParseSpecial: true}
	if body, err = EncodeTokenize(tok); err != nil {
		t.Fatal(err)
	}
	if got, err := DecodeTokenize(body); err != nil || !reflect.DeepEqual(got, &TokenizeCall{tok, true}) {
		t.Errorf("%s: %+v, %v", body, got, err)
	}
	pieces := []chat.Token{{ID: 7, Piece: []byte("你")}, {ID: 0, Piece: []byte("\xe4\xbd")}, {ID: 8, Piece: []byte{}}}
	if body, err = EncodeTokens(pieces, true); err != nil {
		t.Fatal(err)
	}
	if want := `{"tokens":[{"id":7,"piece":"你"},{"id":0,"piece":[228,189]},{"id":8,"piece":""}]}`; string(body) != want {
		t.Errorf("got  %s\nwant %s", body, want)
	}
	if got, err := DecodeTokens(body); err != nil || !reflect.DeepEqual(got, pieces) {
		t.Errorf("%s: %+v, %v", body, got, err)
	}
	if got, err := DecodeTokens([]byte(`{"tokens":[7,8]}`)); err != nil || len(got) != 2 || got[1].ID != 8 {
		t.Errorf("got %+v, %v", got, err)
	}
	detok := &chat.DetokenizeRequest{Model: "m", Tokens: []int{1, 2}, Special: true}
	if body, err = EncodeDetokenize(detok); err != nil {
		t.Fatal(err)
	}
	if got, err := DecodeDetokenize(body); err != nil || !reflect.DeepEqual(got, detok) {
		t.Errorf("%s: %+v, %v", body, got, err)
	}
	body, _ = EncodeText("a\n你")
	if got, err := DecodeText(body); err != nil || got != "a\n你" {
		t.Errorf("%s: %q, %v", body, got, err)
	}
}

func TestAnswersThatAreNonsense(t *testing.T) {
	embeddings := func(s string) error { _, err := DecodeEmbeddings([]byte(s), 2); return err }
	ranking := func(s string) error {
		_, err := DecodeRanking([]byte(s), &chat.RerankRequest{Documents: []string{"a", "b"}})
		return err
	}
	tokens := func(s string) error { _, err := DecodeTokens([]byte(s)); return err }
	text := func(s string) error { _, err := DecodeText([]byte(s)); return err }
	tests := []struct {
		decode func(string) error
		body   string
	}{
		{embeddings, `[]`},
		{embeddings, `{"data":[{"embedding":[1]}]}`},
		{embeddings, `{"data":[{"embedding":[1],"index":0},{"embedding":[1],"index":0}]}`},
		{embeddings, `{"data":[{"embedding":[1],"index":0},{"embedding":[1],"index":2}]}`},
		{embeddings, `{"data":[{"embedding":[1],"index":0},{"embedding":[1,2],"index":1}]}`},
		{embeddings, `{"data":[{"embedding":[1]},{"embedding":[]}]}`},
		{embeddings, `{"data":[{"embedding":[1]},{"embedding":null}]}`},
		{embeddings, `{"data":[{"embedding":[1]},{}]}`},
		{embeddings, `{"data":[{"embedding":[1]},{"embedding":"AAAA"}]}`},
		{embeddings, `{"data":[{"embedding":[1]},{"embedding":"AADAfw=="}]}`}, // NaN
		{ranking, `{"results":[{"index":0,"relevance_score":1}]}`},
		{ranking, `{"results":[{"index":0,"relevance_score":1},{"index":0,"relevance_score":1}]}`},
		{ranking, `{"results":[{"index":0,"relevance_score":1},{"index":-1,"relevance_score":1}]}`},
		{ranking, `{"results":[{"index":0,"relevance_score":1},{"index":1}]}`},
		{tokens, `{}`},
		{tokens, `{"tokens":["a"]}`},
		{tokens, `{"tokens":[{"id":1,"piece":{}}]}`},
		{text, `{}`},
		{text, `{"content":7}`},
	}
	for _, tt := range tests {
		if e, ok := errors.AsType[*chat.Error](tt.decode(tt.body)); !ok || e.Kind != chat.BadBackend {
			t.Errorf("%s: got %v", tt.body, e)
		}
	}
}

// A body is refused as invalid or becomes a request that another server reads
// as the same, and whose inputs are neither empty nor hold a NUL.
func FuzzDecodeEmbed(f *testing.F) {
	for _, s := range []string{`{"input":"a"}`, `{"input":["a","b"],"x":[1]}`, `{"input":[1,2]}`, `{"input":[[1],[2,3]],"dimensions":4}`, `{"input":[[1],[]]}`, `{"input":["a",[1]]}`, `{"input":"\u0000"}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		call, err := DecodeEmbed(body)
		if err != nil {
			if e, ok := errors.AsType[*chat.Error](err); !ok || e.Kind != chat.Invalid {
				t.Errorf("%q: %v", body, err)
			}
			return
		}
		for _, in := range call.Request.Inputs {
			if in.Text == "" && len(in.Tokens) == 0 || strings.Contains(in.Text, "\x00") || slices.ContainsFunc(in.Tokens, func(t int) bool { return t < 0 }) {
				t.Errorf("%q: an input is %+v", body, in)
			}
		}
		again, err := EncodeEmbed(call.Request)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := DecodeEmbed(again); err != nil || !reflect.DeepEqual(got.Request, call.Request) {
			t.Errorf("%q\nbecomes %q\nand that %+v, %v", body, again, got, err)
		}
	})
}

// The same of rerank, tokenize and detokenize.
func FuzzDecodeOthers(f *testing.F) {
	for _, s := range []string{`{"query":"q","documents":["a",{"text":"b"}],"top_n":1}`, `{"content":"a","with_pieces":true}`, `{"tokens":[1,2]}`, `{}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		same := func(a, b any, err error) {
			if err != nil || !reflect.DeepEqual(a, b) {
				t.Errorf("%q\nbecomes %+v\nand that %+v, %v", body, a, b, err)
			}
		}
		if call, err := DecodeRerank(body); err == nil {
			again, _ := EncodeRerank(call.Request)
			got, err := DecodeRerank(again)
			same(call.Request, got.Request, err)
		}
		if call, err := DecodeTokenize(body); err == nil {
			again, _ := EncodeTokenize(call.Request)
			got, err := DecodeTokenize(again)
			same(call.Request, got.Request, err)
		}
		if req, err := DecodeDetokenize(body); err == nil {
			again, _ := EncodeDetokenize(req)
			got, err := DecodeDetokenize(again)
			same(req, got, err)
		}
	})
}

// Whatever a backend answers is an error or whole.
func FuzzDecodeAnswers(f *testing.F) {
	for _, s := range []string{`{"data":[{"embedding":[1],"index":1},{"embedding":"AACAPw==","index":0}]}`, `{"results":[{"index":1,"relevance_score":0.5},{"index":0,"relevance_score":1e400}]}`, `{"tokens":[1,{"id":2,"piece":[1]}]}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		if e, err := DecodeEmbeddings(body, 2); err == nil {
			if _, err := EncodeEmbeddings("", false, e); err != nil || len(e.Vectors) != 2 || len(e.Vectors[0]) != len(e.Vectors[1]) {
				t.Errorf("%q: %+v, %v", body, e, err)
			}
		}
		docs := []string{"a", "b"}
		if r, err := DecodeRanking(body, &chat.RerankRequest{Documents: docs}); err == nil {
			if _, err := EncodeRanking("", r, docs); err != nil || len(r.Results) != 2 || r.Results[0].Score < r.Results[1].Score {
				t.Errorf("%q: %+v, %v", body, r, err)
			}
		}
		if tokens, err := DecodeTokens(body); err == nil {
			if _, err := EncodeTokens(tokens, true); err != nil {
				t.Errorf("%q: %v", body, err)
			}
		}
	})
}
