package e2e_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/responses"
)

// An answered is what the tests read of a response.
type answered struct {
	ID       string
	Status   string
	Store    bool
	Previous string `json:"previous_response_id"`
	Output   []struct {
		ID, Type string
		Content  []struct{ Text string }
	}
	Usage struct {
		Input int `json:"input_tokens"`
	}
}

// respond asks for a response.
func (s *server) respond(t testing.TB, key, body string) (r answered, raw string) {
	t.Helper()
	status, _, text := s.do(t, http.MethodPost, "/v1/responses", key, "", body)
	if status != http.StatusOK || json.Unmarshal([]byte(text), &r) != nil || r.ID == "" {
		t.Fatalf("%d %s%v", status, text, s)
	}
	return r, strings.TrimSpace(text)
}

// Responses are kept for whoever asked for them alone, as the filter let them
// pass, until they are deleted: then no file has a byte of them. What was not to
// be kept leaves nothing.
func TestResponses(t *testing.T) {
	const shop, bank = "shop-secret-0123456789", "bank-secret-0123456789"
	data := t.TempDir()
	s := start(t, fmt.Sprintf("data: %s\naccess:\n  keys:\n    - {name: shop, key_file: %s}\n    - {name: bank, key_file: %s}\nfilters: {default: {privacy: {phone: mask}}}\n",
		data, writeFile(t, "shop", shop), writeFile(t, "bank", bank))).ready(t)
	stored := func(word string) bool { return stored(data, word) }

	if r, _ := s.respond(t, shop, `{"input":"代号 quetzal","instructions":"quetzal","store":false,"max_output_tokens":4}`); r.Store || stored("quetzal") {
		t.Error("what was not to be kept is")
	}
	first, raw := s.respond(t, shop, `{"input":"电话是 13812345678,代号 zanzibar","instructions":"打 13812345678","metadata":{"who":"13812345678","a":"b"},"max_output_tokens":8}`)
	status, _, again := s.do(t, http.MethodGet, "/v1/responses/"+first.ID, shop, "", "")
	if status != http.StatusOK || strings.Contains(again, "13812345678") || !strings.Contains(again, first.Output[0].Content[0].Text) {
		t.Errorf("read again, it is %d %s\nand was\n%s", status, again, raw)
	}
	if !stored("zanzibar") || stored("13812345678") {
		t.Errorf("the files have the words: %v, and a number that was masked: %v", stored("zanzibar"), stored("13812345678"))
	}

	next, _ := s.respond(t, shop, `{"input":"再说一次","previous_response_id":"`+first.ID+`","max_output_tokens":4}`)
	reference, _ := s.respond(t, shop, `{"store":false,"input":[{"type":"item_reference","id":"`+first.Output[0].ID+`"},{"role":"user","content":"再说一次"}],"max_output_tokens":4}`)
	alone, _ := s.respond(t, shop, `{"store":false,"input":"再说一次","max_output_tokens":4}`)
	if next.Previous != first.ID || next.Usage.Input <= reference.Usage.Input || reference.Usage.Input <= alone.Usage.Input {
		t.Errorf("the model saw %d tokens of a chain, %d with a reference, %d without", next.Usage.Input, reference.Usage.Input, alone.Usage.Input)
	}

	missing := strings.Replace(first.ID, first.ID[5:7], "zz", 1)
	for _, call := range []struct{ method, path, body, code string }{
		{http.MethodGet, "/v1/responses/%s", "", "response_not_found"},
		{http.MethodGet, "/v1/responses/%s/input_items", "", "response_not_found"},
		{http.MethodDelete, "/v1/responses/%s", "", "response_not_found"},
		{http.MethodPost, "/v1/responses", `{"input":"x","previous_response_id":"%s"}`, "previous_response_not_found"},
	} {
		ask := func(id string) string {
			path, body := strings.Replace(call.path, "%s", id, 1), strings.Replace(call.body, "%s", id, 1)
			status, header, text := s.do(t, call.method, path, bank, "", body)
			if !strings.Contains(text, `"code":"`+call.code+`"`) || status/100 != 4 {
				t.Errorf("%s %s: %d %s", call.method, path, status, text)
			}
			return fmt.Sprint(status, strings.ReplaceAll(text, header.Get("X-Request-Id"), ""))
		}
		if another, none := ask(first.ID), ask(missing); another != none {
			t.Errorf("%s %s: another's gives %s, none %s", call.method, call.path, another, none)
		}
	}

	// A session of another protocol is a session, and none of this one's are.
	status, header, text := s.do(t, http.MethodPost, "/v1/responses", shop, "trip", `{"input":"你好","max_output_tokens":4}`)
	if status != http.StatusOK || header.Get("X-Bendi-Session") != "kept=0" || !strings.Contains(text, `"store":false`) {
		t.Errorf("in a session: %d, x-bendi-session %q: %s", status, header.Get("X-Bendi-Session"), text)
	}
	chain := first.ID[:5+26]
	if status, _, text := s.do(t, http.MethodPost, "/v1/chat", shop, chain, question("你好", `"max_tokens":4`)); status != http.StatusBadRequest || !strings.Contains(text, "previous_response_id") {
		t.Errorf("a chain as a session: %d %s", status, text)
	}
	if status, _, text := s.do(t, http.MethodDelete, "/v1/sessions/trip", shop, "", ""); status != http.StatusOK {
		t.Errorf("%d %s", status, text)
	}

	if status, _, text := s.do(t, http.MethodDelete, "/v1/responses/"+first.ID, shop, "", ""); status != http.StatusOK {
		t.Fatalf("%d %s", status, text)
	}
	if stored("zanzibar") {
		t.Error("a file has words of a response that was deleted")
	}
	if status, _, _ := s.do(t, http.MethodGet, "/v1/responses/"+next.ID, shop, "", ""); status != http.StatusOK {
		t.Errorf("the response after it: %d", status)
	}
	if status, _, text := s.do(t, http.MethodDelete, "/v1/sessions", shop, "", ""); status != http.StatusOK || !strings.Contains(text, `"deleted":1`) {
		t.Errorf("all is deleted: %d %s", status, text)
	}
	if status, _, _ := s.do(t, http.MethodGet, "/v1/responses/"+next.ID, shop, "", ""); status != http.StatusNotFound {
		t.Errorf("when all is deleted, a response is %d", status)
	}
}

// Where sessions are off, responses are answered and said not to be kept.
func TestResponsesWithoutStore(t *testing.T) {
	s := start(t, "sessions: {store: off}\n").ready(t)
	if r, _ := s.respond(t, "", `{"input":"你好","max_output_tokens":4}`); r.Store {
		t.Error("the response is said to be kept")
	}
	for body, param := range map[string]string{
		`{"input":"x","store":true}`: "store",
		`{"input":"x","previous_response_id":"resp_aaaaaaaaaaaaaaaaaaaaaaaaaa0aaaaaaaaaaaaaaaaaaaaaaaaaa"}`: "previous_response_id",
		`{"input":"x","conversation":"conv_aaaaaaaaaaaaaaaaaaaaaaaaaa"}`:                                    "conversation",
	} {
		status, _, text := s.do(t, http.MethodPost, "/v1/responses", "", "", body)
		if status != http.StatusBadRequest || !strings.Contains(text, `"param":"`+param+`"`) {
			t.Errorf("%s: %d %s", body, status, text)
		}
	}
}

func TestGoClientResponses(t *testing.T) {
	s := sharedServer(t)
	client := openai.NewClient(option.WithBaseURL(s.url+"/v1"), option.WithAPIKey("none"), option.WithMaxRetries(0))
	params := responses.ResponseNewParams{
		Model: "bendi-demo", MaxOutputTokens: openai.Int(32),
		Input: responses.ResponseNewParamsInputUnion{OfString: openai.String("你好,你是谁?")},
	}
	whole, err := client.Responses.New(t.Context(), params)
	if err != nil || whole.OutputText() == "" {
		t.Fatalf("%v: %s%v", err, whole.RawJSON(), s)
	}
	text := ""
	stream := client.Responses.NewStreaming(t.Context(), params)
	var last responses.ResponseStreamEventUnion
	for stream.Next() {
		if last = stream.Current(); last.Type == "response.output_text.delta" {
			text += last.Delta
		}
	}
	if err := stream.Err(); err != nil || text == "" || last.Response.OutputText() != text {
		t.Errorf("%v: the pieces are %q, the response %q", err, text, last.Response.OutputText())
	}
	if again, err := client.Responses.Get(t.Context(), whole.ID, responses.ResponseGetParams{}); err != nil || again.OutputText() != whole.OutputText() {
		t.Errorf("read again: %v", err)
	}
	if err := client.Responses.Delete(t.Context(), whole.ID); err != nil {
		t.Error(err)
	}
	if _, err := client.Responses.Get(t.Context(), whole.ID, responses.ResponseGetParams{}); err == nil {
		t.Error("what was deleted is there")
	}
}
