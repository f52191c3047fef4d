package filter

import (
	"context"
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"bendi/chat"
	"bendi/chat/chattest"
	"bendi/filter/find"
)

// gifted answers everything.
type gifted struct {
	chattest.Script
	chattest.Gifts
}

// decided says of every field that can hold a string what the filter does about
// it: the path that a finding there has, or why nobody looks.
var decided = map[string]string{
	"Request.ID":                               "- ours, or of letters that no word has spaces between",
	"Request.AnswerID":                         "- ours",
	"Request.Model":                            "- one that a route knows, or an error",
	"Request.Principal":                        "- ours",
	"Request.User":                             "- a name of the client's that no backend is told",
	"Request.Session":                          "- a name of the client's, of few characters, that no backend is told",
	"Request.Turn.ID":                          "- ours",
	"Request.Turn.Parent":                      "- ours, or of letters that no word has spaces between",
	"Request.Turn.Aside[]":                     "- ours",
	"Request.Classes[]":                        "- ours",
	"Request.Messages[].Role":                  "- one of a few",
	"Request.Messages[].Name":                  "messages[0].name",
	"Request.Messages[].Content[].Kind":        "- one of a few",
	"Request.Messages[].Content[].Text":        "messages[0].content",
	"Request.Messages[].Content[].Data":        "messages[0].content[0]",
	"Request.Messages[].Reasoning":             "messages[0].reasoning_content",
	"Request.Messages[].ToolCalls[].ID":        "messages[0].tool_calls[0].id",
	"Request.Messages[].ToolCalls[].Name":      "messages[0].tool_calls[0].function.name",
	"Request.Messages[].ToolCalls[].Arguments": "messages[0].tool_calls[0].function.arguments",
	"Request.Messages[].ToolCallID":            "messages[0].tool_call_id",
	"Request.Stop[]":                           "stop[0]",
	"Request.Tools[].Name":                     "tools[0].function.name",
	"Request.Tools[].Description":              "tools[0].function.description",
	"Request.Tools[].Parameters":               "tools[0].function.parameters",
	"Request.ToolChoice":                       "tool_choice",
	"Request.Prompt.Text":                      "prompt",
	"Request.Prompt.Suffix":                    "suffix",
	"Request.Format.Type":                      "- one of a few",
	"Request.Format.Name":                      "response_format.json_schema.name",
	"Request.Format.Schema":                    "response_format.json_schema.schema",
	"Request.Format.Grammar":                   "grammar",
	"Request.ReasoningEffort":                  "reasoning_effort",
	"Request.Extra{}":                          "",
	"Request.Extra[]":                          "key",

	"EmbedRequest.ID":            "- as of a Request",
	"EmbedRequest.Model":         "- likewise",
	"EmbedRequest.Principal":     "- ours",
	"EmbedRequest.Classes[]":     "- ours",
	"EmbedRequest.Inputs[].Text": "input[0]",
	"EmbedRequest.Extra{}":       "",
	"EmbedRequest.Extra[]":       "key",

	"RerankRequest.ID":          "- as of a Request",
	"RerankRequest.Model":       "- likewise",
	"RerankRequest.Principal":   "- ours",
	"RerankRequest.Classes[]":   "- ours",
	"RerankRequest.Query":       "query",
	"RerankRequest.Documents[]": "documents[0]",
	"RerankRequest.Extra{}":     "",
	"RerankRequest.Extra[]":     "key",

	"TokenizeRequest.ID":        "- as of a Request",
	"TokenizeRequest.Model":     "- likewise",
	"TokenizeRequest.Classes[]": "- ours",
	"TokenizeRequest.Text":      "content",

	"DetokenizeRequest.ID":    "- as of a Request",
	"DetokenizeRequest.Model": "- likewise",
}

// Every field of a request that can hold a string is decided about, and where
// the decision is to look, a word there is found, at that path.
func TestEveryFieldOfARequestIsDecided(t *testing.T) {
	m := guard(gifted{Script: "ok\n"}, nil)
	seen := map[string]bool{}
	for _, req := range []any{chat.Request{}, chat.EmbedRequest{}, chat.RerankRequest{}, chat.TokenizeRequest{}, chat.DetokenizeRequest{}} {
		typ := reflect.TypeOf(req)
		for _, path := range strs(typ, typ.Name()) {
			seen[path] = true
			same := strings.Replace(path, "TokenizeRequest.Chat.", "Request.", 1)
			decision, ok := decided[same]
			if !ok {
				t.Errorf("%s can hold a string, and nobody has decided what the filter does about it", path)
				continue
			}
			if strings.HasPrefix(decision, "-") {
				continue
			}
			v := reflect.New(typ)
			plant(v.Elem(), strings.Split(path, ".")[1:], "我要赌博")
			err := put(m, t, v.Interface())
			e, ok := errors.AsType[*chat.Error](err)
			if !ok || e.Code != chat.CodeContentFilter || e.Param != decision {
				t.Errorf("a word in %s: %v, want an error at %q", path, err, decision)
			}
		}
	}
	for path := range decided {
		if !seen[path] {
			t.Errorf("%s is decided about, and is no field", path)
		}
	}
}

// put asks m for whatever req asks for.
func put(m chat.Model, t *testing.T, req any) error {
	var err error
	switch req := req.(type) {
	case *chat.Request:
		req.N = 1
		_, err = chattest.Collect(m.Chat(t.Context(), req), 1)
	case *chat.EmbedRequest:
		_, err = chat.Embed(t.Context(), m, req)
	case *chat.RerankRequest:
		_, err = chat.Rerank(t.Context(), m, req)
	case *chat.TokenizeRequest:
		_, err = chat.Tokenize(t.Context(), m, req)
	}
	return err
}

// strs lists the paths of fields that can hold strings. [] is an element and
// {} a key.
func strs(typ reflect.Type, path string) []string {
	raw := reflect.TypeFor[json.RawMessage]()
	switch {
	case typ == raw:
		return []string{path}
	case typ.Kind() == reflect.String:
		return []string{path}
	case typ.Kind() == reflect.Pointer:
		return strs(typ.Elem(), path)
	case typ.Kind() == reflect.Slice:
		return strs(typ.Elem(), path+"[]")
	case typ.Kind() == reflect.Map:
		return append(strs(typ.Key(), path+"{}"), strs(typ.Elem(), path+"[]")...)
	case typ.Kind() == reflect.Struct:
		var all []string
		for f := range typ.Fields() {
			all = append(all, strs(f.Type, path+"."+f.Name)...)
		}
		return all
	}
	return nil
}

// plant writes text into a field of v.
func plant(v reflect.Value, path []string, text string) {
	if len(path) == 0 {
		if v.Type() == reflect.TypeFor[json.RawMessage]() {
			v.SetBytes([]byte(`{"k":["` + text + `"]}`))
		} else {
			v.SetString(text)
		}
		return
	}
	name, isKey := strings.CutSuffix(path[0], "{}")
	name, isElement := strings.CutSuffix(name, "[]")
	f := v.FieldByName(name)
	switch {
	case isKey:
		f.Set(reflect.ValueOf(map[string]json.RawMessage{text: json.RawMessage("1")}))
		return
	case f.Kind() == reflect.Map:
		f.Set(reflect.ValueOf(map[string]json.RawMessage{"key": json.RawMessage(`{"a":"` + text + `"}`)}))
		return
	case isElement:
		f.Set(reflect.MakeSlice(f.Type(), 1, 1))
		f = f.Index(0)
	case f.Kind() == reflect.Pointer:
		f.Set(reflect.New(f.Type().Elem()))
		f = f.Elem()
	}
	if p, ok := f.Addr().Interface().(*chat.Part); ok {
		p.Kind = chat.TextPart
		if path[1] == "Data" {
			p.Kind = chat.ImagePart
		}
	}
	plant(f, path[1:], text)
}

// wireKeys says of every key that the wire code reads or writes where its
// strings are looked at: the field of a request, or why nobody looks.
var wireKeys = map[string]string{
	"messages": "Request.Messages", "content": "Request.Messages, or TokenizeRequest.Text", "text": "Part.Text", "refusal": "Part.Text",
	"name": "Message, Tool, ToolCall and Format", "reasoning_content": "Message.Reasoning", "reasoning": "Message.Reasoning",
	"tool_calls": "Message.ToolCalls", "arguments": "ToolCall.Arguments", "id": "ToolCall.ID", "tool_call_id": "Message.ToolCallID",
	"image_url": "Part.Data", "input_audio": "Part.Data", "file": "Part.Data", "url": "Part.Data",
	"tools": "Request.Tools", "function": "Tool and ToolCall", "description": "Tool.Description", "parameters": "Tool.Parameters",
	"tool_choice": "Request.ToolChoice", "response_format": "Request.Format", "json_schema": "Request.Format", "schema": "Format.Schema",
	"grammar": "Format.Grammar", "stop": "Request.Stop", "reasoning_effort": "Request.ReasoningEffort",
	"input": "EmbedRequest.Inputs, or a moderation, which is the filter itself", "query": "RerankRequest.Query", "documents": "RerankRequest.Documents",
	"tokens": "DetokenizeRequest.Tokens, whose text is looked at",

	"prompt": "Request.Prompt", "suffix": "Request.Prompt",
	// Anthropic's:
	"system": "Request.Messages", "thinking": "Message.Reasoning, or a budget", "title": "Part.Text, or Part.Data", "context": "Part.Text", "data": "Part.Text, or Part.Data",
	"input_schema": "Tool.Parameters", "tool_use_id": "Message.ToolCallID", "stop_sequences": "Request.Stop", "output_config": "Request.Format", "output_format": "Request.Format", "format": "Request.Format",
	"source": "-", "media_type": "Part.Data", "mcp_servers": "- refused", "is_error": "-",

	// Responses':
	"instructions": "Request.Messages", "items": "Request.Messages", "output": "Request.Messages", "summary": "Message.Reasoning, or one of a few",
	"call_id": "Message.ToolCallID, and ToolCall.ID", "namespace": "Tool.Name, and ToolCall.Name", "effort": "Request.ReasoningEffort",
	"file_data": "Part.Data", "filename": "Part.Data", "detail": "Part.Data", "metadata": "Request.Extra, or an object with a user_id", "user_id": "- Request.User", "file_id": "- refused", "file_url": "- refused",
	"previous_response_id": "- an id of ours", "conversation": "- an id of ours", "include": "-", "mode": "-", "truncation": "-", "generate_summary": "-", // one of a few

	"session_id": "- Request.Session", "model": "-", "role": "-", "type": "-", "encoding_format": "-", "verbosity": "-", "modalities": "-", // one of a few
	"stream_options": "-", "logit_bias": "-", // no strings but numbers in keys
}

var quietKeys = regexp.MustCompile(`^(add_generation_prompt|best_of|budget_tokens|disable_parallel_tool_use|echo|add_special|background|continue_final_message|dimensions|dry_.*|frequency_penalty|ignore_eos|include_usage|logprobs|max_.*|min_p|mirostat.*|n|parallel_tool_calls|parse_special|presence_penalty|repe.*_penalty|return_documents|seed|special|store|stream|strict|temperature|thinking_budget_tokens|top_.*|typical_p|with_pieces|xtc_.*)$`)

// Every key that the wire code takes out of a request is decided about.
func TestEveryKeyOfTheWireIsDecided(t *testing.T) {
	fset := token.NewFileSet()
	files, _ := filepath.Glob("../openaicompat/wire/*.go")
	others, _ := filepath.Glob("../openaicompat/anthropic/*.go")
	more, _ := filepath.Glob("../openaicompat/responses/*.go")
	found := map[string]token.Pos{}
	for _, name := range slices.Concat(files, others, more) {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(fset, name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || len(call.Args) != 1 {
				return true
			}
			sel, ok := call.Fun.(*ast.SelectorExpr)
			if !ok || sel.Sel.Name != "Take" && sel.Sel.Name != "Need" {
				return true
			}
			if lit, ok := call.Args[0].(*ast.BasicLit); ok {
				key, _ := strconv.Unquote(lit.Value)
				found[key] = lit.Pos()
			}
			return true
		})
	}
	if len(found) < 50 {
		t.Fatalf("only %d keys were found: is a request read in another way?", len(found))
	}
	for _, key := range slices.Sorted(maps.Keys(found)) {
		if _, ok := wireKeys[key]; !ok && !quietKeys.MatchString(key) {
			t.Errorf("%v: the key %q is read, and nobody has decided what the filter does about its strings", fset.Position(found[key]), key)
		}
	}
}

// The events of an answer have no field that is passed on without a decision.
func TestEveryFieldOfAnEventIsDecided(t *testing.T) {
	decided := map[string]string{
		"Event.Text": "filtered", "Event.Reasoning": "filtered", "Event.Refusal": "filtered", "Event.ToolCall.ID": "filtered, not rewritten",
		"Event.ToolCall.Name": "filtered, not rewritten", "Event.ToolCall.Arguments": "filtered", "Event.LogProbs[].TokenLogProb.Token": "dropped with a rewritten choice",
		"Event.LogProbs[].Top[].Token": "dropped where it is a word", "Event.Finish": "one of a few", "Event.Stopped": "one of the request's, which was filtered", "Event.Backend": "a name of the operator's", "Event.Arm": "names of the operator's",
	}
	for _, path := range strs(reflect.TypeFor[chat.Event](), "Event") {
		ours := strings.HasPrefix(path, "Event.Filtered.") || strings.HasPrefix(path, "Event.AIGC.")
		if decided[path] == "" && !ours {
			t.Errorf("%s can hold a string, and nobody has decided what the filter does about it", path)
		}
	}
}

func TestRewrittenRequests(t *testing.T) {
	var got *chat.Request
	m := guard(stub(func(ctx context.Context, req *chat.Request, yield func(chat.Event, error) bool) {
		got = req
		play(theEnd...)(ctx, req, yield)
	}), nil)
	part := func(s string) chat.Part { return chat.Part{Kind: chat.TextPart, Text: s} }
	ask := func() *chat.Request {
		return &chat.Request{N: 1,
			Messages: []chat.Message{
				{Role: chat.User, Content: []chat.Part{part("今天天"), part("气"), part("气好"), {Kind: chat.ImagePart, Data: json.RawMessage(`{"type":"image_url","image_url":{"url":"http://x/天气","detail":"天气` + strings.Repeat("A", 3) + `"}}`)}, part("天"), part("空")}},
				{Role: chat.Assistant, Reasoning: "abc", ToolCalls: []chat.ToolCall{{ID: "abc", Name: "f", Arguments: `{"天\u6c14":"abc"}`}}},
				{Role: chat.ToolRole, ToolCallID: "abc", Content: []chat.Part{part("abc")}},
			},
			Tools:  []chat.Tool{{Name: "f", Description: "天气", Parameters: json.RawMessage(`{"properties":{"天气":{"enum":["abc"],"maximum":13800138000}}}`)}},
			Format: &chat.Format{Type: "json_schema", Name: "n", Schema: json.RawMessage(`{"title":"天气"}`)},
			Extra:  map[string]json.RawMessage{"metadata": json.RawMessage(`{"a":"天气","n":1}`), "b": json.RawMessage(`"x"`)},
		}
	}
	req := ask()
	if _, err := chattest.Collect(m.Chat(t.Context(), req), 1); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(req, ask()) {
		t.Errorf("the client's request became %+v", req)
	}
	want := &chat.Request{N: 1,
		Messages: []chat.Message{
			{Role: chat.User, Content: []chat.Part{part("今天[gone]"), part("气好"), {Kind: chat.ImagePart, Data: json.RawMessage(`{"type":"image_url","image_url":{"url":"http://x/[gone]","detail":"[gone]AAA"}}`)}, part("天"), part("空")}},
			{Role: chat.Assistant, Reasoning: "***", ToolCalls: []chat.ToolCall{{ID: "abc", Name: "f", Arguments: `{"[gone]":"***"}`}}},
			{Role: chat.ToolRole, ToolCallID: "abc", Content: []chat.Part{part("***")}},
		},
		Tools:   []chat.Tool{{Name: "f", Description: "[gone]", Parameters: json.RawMessage(`{"properties":{"[gone]":{"enum":["***"],"maximum":13800138000}}}`)}},
		Format:  &chat.Format{Type: "json_schema", Name: "n", Schema: json.RawMessage(`{"title":"[gone]"}`)},
		Extra:   map[string]json.RawMessage{"metadata": json.RawMessage(`{"a":"[gone]","n":1}`), "b": json.RawMessage(`"x"`)},
		Classes: []string{"mask", "replace"},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("the model got\n%+v\nwant\n%+v", got, want)
	}
}

// What is encoded in base64 is not looked through, and what lies around it is.
func TestPayload(t *testing.T) {
	payload := strings.Repeat("abcd", 100)
	p := newPlan(testRules(testWords...), testPolicy())
	for raw, want := range map[string]string{
		`{"image_url":{"url":"data:image/png;base64,` + payload + `"},"天气":"abc"}`: `{"image_url":{"url":"data:image/png;base64,` + payload + `"},"[gone]":"***"}`,
		`{"file":{"filename":"abc.天气","file_data":"` + payload + `"}}`:             `{"file":{"filename":"***.[gone]","file_data":"` + payload + `"}}`,
		`{"url":"` + payload + ` abc"}`:                                            `{"url":"` + strings.Repeat("***d", 100) + ` ***"}`,
		`{"a":"` + payload + `","b":"` + payload + `","c":"天气"}`:                   `{"a":"` + payload + `","b":"` + payload + `","c":"[gone]"}`,
	} {
		f := field{place{what: messageData, n: 1}, jsonField, []string{raw}}
		if got := apply(f.texts, p.inspect(&f, false).cuts)[0]; got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

// A part that begins to be read with another is found, wherever it is cut, and
// its place is told in the part it begins in.
func TestPartsAreReadAsOne(t *testing.T) {
	w := guard(chattest.Script("ok\n"), nil)
	req := ask("x")
	req.Messages[0].Content = []chat.Part{{Kind: chat.TextPart, Text: "一"}, {Kind: chat.TextPart}, {Kind: chat.TextPart, Text: "二赌"}, {Kind: chat.TextPart, Text: "博"}}
	_, err := chattest.Collect(w.Chat(t.Context(), req), 1)
	if e, ok := errors.AsType[*chat.Error](err); !ok || e.Param != "messages[0].content[2].text" || w.found[0].Start != 3 || w.found[0].End != 9 {
		t.Errorf("error %v, findings %+v", err, w.found)
	}
}

// A strict policy looks for words over the end of a message as well. They are
// for review, unless a category says otherwise.
func TestSeams(t *testing.T) {
	long := strings.Repeat("好", 300)
	for name, texts := range map[string][]string{
		"two":            {"我要赌", "博啊"},
		"over a third":   {"赌", "-", "博"},
		"of long ones":   {long + "赌", "博" + long},
		"behind another": {"好", long + "赌", "博"},
	} {
		t.Run(name, func(t *testing.T) {
			w := guard(chattest.Script("ok\n"), func(o *Options) { o.Policy.Strict = true })
			if _, err := listen(t, w, ask(texts...)); err != nil {
				t.Fatal(err)
			}
			if len(w.found) != 1 || w.found[0].Action != Review || !w.found[0].Across {
				t.Errorf("findings %+v", w.found)
			}
			strict := guard(chattest.Script("ok\n"), func(o *Options) {
				o.Policy.Strict = true
				o.Policy.Forms = map[find.Form]Action{find.Loose: Block}
			})
			if _, err := listen(t, strict, ask(texts...)); err == nil {
				t.Error("it is let through")
			}
		})
	}
	w := guard(chattest.Script("ok\n"), func(o *Options) { o.Policy.Strict = true })
	if _, err := listen(t, w, ask("abc", "天气")); err != nil || len(w.found) != 2 {
		t.Errorf("words within messages are told again: %+v, %v", w.found, err)
	}
}
