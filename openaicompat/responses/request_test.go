package responses

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"bendi/chat"
)

// said sums messages up, each as its role and what it has.
func said(messages []chat.Message) string {
	var all []string
	for _, m := range messages {
		s := string(m.Role) + ":" + m.Text()
		if m.Reasoning != "" {
			s += " (" + m.Reasoning + ")"
		}
		for _, p := range m.Content {
			if p.Data != nil {
				s += " " + string(p.Data)
			}
		}
		for _, c := range m.ToolCalls {
			s += " " + c.Name + "#" + c.ID + c.Arguments
		}
		if m.ToolCallID != "" {
			s += " #" + m.ToolCallID
		}
		all = append(all, s)
	}
	return strings.Join(all, " | ")
}

func TestInput(t *testing.T) {
	tests := []struct{ name, body, want string }{
		{"a text", `{"input":"hi"}`, "user:hi"},
		{"instructions", `{"instructions":"be brief","input":"hi"}`, "system:be brief | user:hi"},
		{"messages", `{"input":[{"role":"developer","content":"a"},{"type":"message","role":"user","content":[{"type":"input_text","text":"b"},{"type":"input_text","text":"c"}]},{"role":"assistant","content":[{"type":"output_text","text":"d","annotations":[]}],"phase":"final_answer"}]}`,
			"developer:a | user:bc | assistant:d"},
		{"a loop of calls", `{"input":[{"role":"user","content":"q"},{"type":"reasoning","id":"rs_1","summary":[{"type":"summary_text","text":"short"}],"content":[{"type":"reasoning_text","text":"long"}],"encrypted_content":"x"},` +
			`{"type":"message","role":"assistant","content":[{"type":"output_text","text":"let me see"}]},{"type":"function_call","call_id":"c1","name":"f","arguments":"{}","id":"fc_1","status":"completed"},{"type":"function_call","call_id":"c2","name":"g","arguments":"{}"},` +
			`{"type":"function_call_output","call_id":"c1","output":"1"},{"type":"function_call_output","call_id":"c2","output":[{"type":"input_text","text":"2"}]}]}`,
			"user:q | assistant:let me see (long) f#c1{} g#c2{} | tool:1 #c1 | tool:2 #c2"},
		{"a summary alone", `{"input":[{"type":"reasoning","summary":[{"type":"summary_text","text":"a"},{"type":"summary_text","text":"b"}]},{"type":"function_call","call_id":"c1","name":"f","arguments":"{}"},{"type":"function_call_output","call_id":"c1","output":"1"}]}`,
			"assistant: (a\n\nb) f#c1{} | tool:1 #c1"},
		{"reasoning that led to nothing", `{"input":[{"type":"reasoning","summary":[{"type":"summary_text","text":"a"}]},{"role":"user","content":"q"}]}`, "user:q"},
		{"two messages in a row", `{"input":[{"role":"assistant","content":"a"},{"role":"assistant","content":"b"},{"type":"function_call","call_id":"c","name":"f","arguments":"{}"},{"role":"assistant","content":"d"}]}`,
			"assistant:a | assistant:b f#c{} | assistant:d"},
		{"an image", `{"input":[{"role":"user","content":[{"type":"input_image","image_url":"data:x"}]}]}`, `user: {"image_url":{"detail":"auto","url":"data:x"},"type":"image_url"}`},
		{"a refusal", `{"input":[{"role":"assistant","content":[{"type":"refusal","refusal":"no"}]}]}`, "assistant:no"},
		{"a reference", `{"user":"anna","input":[{"role":"user","content":"q"},{"type":"item_reference","id":"x"},{"id":"y"}]}`, "user:q | assistant:anna x | assistant:anna y"},
		{"nothing, after something", `{"previous_response_id":"` + head.ID + `"}`, ""},
	}
	find := func(user, id string) (chat.Message, error) {
		return chat.TextMessage(chat.Assistant, user+" "+id), nil
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, err := DecodeRequest([]byte(tt.body), find)
			if err != nil {
				t.Fatal(err)
			}
			if got := said(c.Request.Messages); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestRequest(t *testing.T) {
	c := callOf(t, `{"model":"m","input":"x","temperature":0,"top_p":0.5,"max_output_tokens":9,"parallel_tool_calls":false,"stream":true,
		"tools":[{"type":"function","name":"f","description":"d","parameters":{"type":"object"},"strict":true},{"type":"function","name":"g"}],
		"tool_choice":{"type":"allowed_tools","mode":"required","tools":[{"type":"function","name":"f"}]},
		"text":{"format":{"type":"json_schema","name":"n","schema":{"type":"object"},"strict":true}},
		"reasoning":{"effort":"low","summary":"auto"},"include":["message.output_text.logprobs","reasoning.encrypted_content"],
		"truncation":"auto","user":"anna","prompt_cache_key":"k","service_tier":"auto","unknown":1}`)
	want := &chat.Request{N: 1, Model: "m", Messages: []chat.Message{chat.TextMessage(chat.User, "x")}, MaxTokens: 9,
		Sampling: chat.Sampling{Temperature: new(0.0), TopP: new(0.5)}, ParallelToolCalls: new(false),
		Tools:      []chat.Tool{{Name: "f", Description: "d", Parameters: json.RawMessage(`{"type":"object"}`), Strict: true}},
		ToolChoice: json.RawMessage(`"required"`), Format: &chat.Format{Type: "json_schema", Name: "n", Schema: json.RawMessage(`{"type":"object"}`), Strict: true},
		ReasoningEffort: "low", LogProbs: true, Extra: map[string]json.RawMessage{"user": json.RawMessage(`"anna"`), "prompt_cache_key": json.RawMessage(`"k"`)},
	}
	if !reflect.DeepEqual(c.Request, want) || !c.Stream || !c.trim || !c.summary {
		t.Errorf("got  %+v\nwant %+v; %+v", c.Request, want, c)
	}
	if len(c.settings.Tools) != 2 || string(c.settings.ToolChoice) != `{"type":"allowed_tools","mode":"required","tools":[{"type":"function","name":"f"}]}` {
		t.Errorf("the client is told %+v", c.settings)
	}
	c = callOf(t, `{"input":[{"type":"function_call","call_id":"c","namespace":"agents","name":"close","arguments":"{}"}],
		"tools":[{"type":"function","name":"f"},{"type":"namespace","name":"agents","description":"d","tools":[{"type":"function","name":"close"}]}]}`)
	r := NewResponse(head, c)
	r.Add(piece(0, "c1", "agents__close", "{}"))
	if got := c.Request.Tools[1].Name + " " + c.Request.Messages[0].ToolCalls[0].Name; got != "agents__close agents__close" {
		t.Errorf("the model is told of %s", got)
	}
	if b := r.response().Output[0].(callBody); b.Namespace != "agents" || b.Name != "close" {
		t.Errorf("the client is told of %+v", b)
	}
	c = callOf(t, `{"input":"x","tools":[{"type":"function","name":"f"}],"tool_choice":{"type":"function","name":"f"}}`)
	if string(c.Request.ToolChoice) != `{"function":{"name":"f"},"type":"function"}` {
		t.Errorf("tool_choice %s", c.Request.ToolChoice)
	}
}

func TestBadRequests(t *testing.T) {
	long := strings.Repeat("x", 513)
	tests := []struct{ body, param, code, text string }{
		{`{}`, "input", chat.CodeInvalidValue, Example},
		{`{"input":[]}`, "input", chat.CodeInvalidValue, "empty"},
		{`{"input":7}`, "input", chat.CodeInvalidValue, "a string or an array"},
		{`{"input":[{"type":"web_search_call","id":"x"}]}`, "input[0].type", chat.CodeUnsupported, "web_search_call"},
		{`{"input":[{"role":"tool","content":"x"}]}`, "input[0].role", chat.CodeInvalidValue, ""},
		{`{"input":[{"role":"user","content":[{"type":"input_image","file_id":"f"}]}]}`, "input[0].content[0].file_id", chat.CodeUnsupported, "no store of files"},
		{`{"input":[{"role":"user","content":[{"type":"input_file","file_url":"http://x"}]}]}`, "input[0].content[0].file_url", chat.CodeUnsupported, "fetched"},
		{`{"input":[{"role":"user","content":[{"type":"input_audio"}]}]}`, "input[0].content[0].type", chat.CodeUnsupported, "input_audio"},
		{`{"input":[{"type":"item_reference","id":"x"}]}`, "input[0].id", chat.CodeInvalidValue, "none are kept"},
		{`{"input":"x","background":true}`, "background", chat.CodeUnsupported, "stream"},
		{`{"input":"x","prompt":{"id":"p"}}`, "prompt", chat.CodeUnsupported, "instructions"},
		{`{"input":"x","previous_response_id":"resp_7"}`, "previous_response_id", codeNoPrevious, ""},
		{`{"input":"x","conversation":"conv_7"}`, "conversation", codeNoConversation, ""},
		{`{"input":"x","conversation":"` + NewConversation() + `","previous_response_id":"` + head.ID + `"}`, "conversation", chat.CodeInvalidValue, "one of them"},
		{`{"input":"x","tools":[{"type":"web_search"}]}`, "tools[0].type", chat.CodeUnsupported, "web_search"},
		{`{"input":"x","tools":[{"type":"function"}]}`, "tools[0].name", chat.CodeInvalidValue, "missing"},
		{`{"input":"x","tool_choice":"required"}`, "tool_choice", chat.CodeInvalidValue, "offers none"},
		{`{"input":"x","tool_choice":{"type":"function","name":"f"}}`, "tool_choice.name", chat.CodeInvalidValue, "0 'tools'"},
		{`{"input":"x","tool_choice":{"type":"web_search"}}`, "tool_choice.type", chat.CodeUnsupported, ""},
		{`{"input":"x","text":{"format":{"type":"xml"}}}`, "text.format.type", chat.CodeInvalidValue, ""},
		{`{"input":"x","text":{"verbosity":"low"}}`, "text.verbosity", chat.CodeUnsupported, "max_output_tokens"},
		{`{"input":"x","truncation":"middle"}`, "truncation", chat.CodeInvalidValue, ""},
		{`{"input":"x","metadata":{"a":7}}`, "metadata.a", chat.CodeInvalidValue, "a string"},
		{`{"input":"x","metadata":{"a":"` + long + `"}}`, "metadata", chat.CodeInvalidValue, "513"},
		{`{"input":"x","temperature":3}`, "temperature", chat.CodeInvalidValue, ""},
		{`{"input":"x","max_output_tokens":0}`, "max_output_tokens", chat.CodeInvalidValue, ""},
		{`{"input":"x","session_id":"a b"}`, "session_id", chat.CodeInvalidValue, ""},
		{`{"input":"x","reasoning":{"summary":"long"}}`, "reasoning.summary", chat.CodeInvalidValue, ""},
	}
	for _, tt := range tests {
		_, err := DecodeRequest([]byte(tt.body), nil)
		e, ok := errors.AsType[*chat.Error](err)
		if !ok || e.Param != tt.param || e.Code != tt.code || !strings.Contains(e.Msg, tt.text) {
			t.Errorf("%s: %v\nwant %q %s … %s", tt.body, err, tt.param, tt.code, tt.text)
		}
	}
}

func TestPlace(t *testing.T) {
	conversation := NewConversation()
	inside := ID{conversation, "bbbbbbbbbbbbbbbbbbbbbbbbbb"}.String()
	tests := []struct {
		name, body string
		kept       bool
		want       string // what is said of the turn; or the code of an error
	}{
		{"new", `{"input":"x"}`, true, "begins"},
		{"not kept", `{"input":"x","store":false}`, true, "forget begins"},
		{"nothing is kept", `{"input":"x"}`, false, ""},
		{"nothing is kept, and that is fine", `{"input":"x","store":false}`, false, ""},
		{"nothing is kept, and that is not", `{"input":"x","store":true}`, false, chat.CodeUnsupported},
		{"after a response", `{"input":"x","previous_response_id":"` + head.ID + `"}`, true, "in " + session + " after bbbbbbbbbbbbbbbbbbbbbbbbbb"},
		{"after a response, not kept", `{"input":"x","store":false,"previous_response_id":"` + head.ID + `"}`, true, "in " + session + " forget after bbbbbbbbbbbbbbbbbbbbbbbbbb"},
		{"after a response that is nowhere", `{"input":"x","previous_response_id":"` + head.ID + `"}`, false, chat.CodeUnsupported},
		{"in a conversation", `{"input":"x","conversation":{"id":"` + conversation + `"}}`, true, "in " + conversation + " at its end"},
		{"beside a conversation", `{"input":"x","previous_response_id":"` + inside + `"}`, true, "in " + conversation + " branch after bbbbbbbbbbbbbbbbbbbbbbbbbb"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := callOf(t, tt.body)
			id, err := c.Place(tt.kept)
			got := ""
			if e, ok := errors.AsType[*chat.Error](err); ok {
				got = e.Code
			} else if p := c.Request.Turn; p != nil {
				if p.Parent != "" || p.Head {
					got = "in " + c.Request.Session + " "
				}
				for word, is := range map[string]bool{"forget ": p.Forget, "branch ": p.Branch} {
					if is {
						got += word
					}
				}
				switch {
				case p.Head:
					got += "at its end"
				case p.Parent != "":
					got += "after " + p.Parent
				default:
					got += "begins"
				}
				if back, ok := ParseID(id.String()); !p.Forget && (!ok || back != (ID{c.Request.Session, p.ID})) {
					t.Errorf("%v is read as %v", id, back)
				}
			}
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// What is read again of a response that was kept is what the client was told of
// it, and its items are found by their ids.
func TestKept(t *testing.T) {
	c := callOf(t, `{"input":[{"role":"user","content":"q"},{"type":"function_call","call_id":"c0","name":"f","arguments":"{}"},{"type":"function_call_output","call_id":"c0","output":"r"}],
		"instructions":"be brief","metadata":{"a":"b"},"user":"anna","tools":[{"type":"function","name":"f","description":"d"}],
		"text":{"format":{"type":"json_schema","name":"n","schema":{"type":"object"}}},"reasoning":{"summary":"auto"},"max_output_tokens":9}`)
	id, err := c.Place(true)
	if err != nil {
		t.Fatal(err)
	}
	head := headOf("")
	head.ID, head.Created = id.String(), c.created
	r := NewResponse(head, c)
	output := chat.Message{Role: chat.Assistant, Reasoning: "hm", Content: []chat.Part{{Kind: chat.TextPart, Text: "a"}}, ToolCalls: []chat.ToolCall{{ID: "c1", Name: "f", Arguments: "{}"}, {ID: "c2", Name: "f", Arguments: "{"}}}
	for _, ev := range []chat.Event{{Reasoning: "hm"}, {Text: "a"}, piece(0, "c1", "f", "{}"), piece(1, "c2", "f", "{"), end(chat.Length), {Usage: usage, AIGC: &chat.AIGC{Label: "1"}}} {
		r.Add(ev)
	}
	want, _ := r.Encode()
	turn := &Turn{ID: id.Turn, Time: time.Unix(c.created, 0), Input: c.Request.Messages[1:], Output: []chat.Message{output}, Model: "m", Finish: chat.Length, Usage: *usage, AIGC: &chat.AIGC{Label: "1"}, Note: c.Request.Turn.Note(c.Request)}
	got, err := EncodeStored(id.Session, turn)
	if err != nil || string(got) != string(want) {
		t.Errorf("read again, it is\n%s, %v\nand was\n%s", got, err, want)
	}

	in, _ := EncodeInput(id.Session, turn, Page{Limit: 9, Ascending: true})
	out, _ := EncodeItems(id.Session, []Turn{*turn}, Page{Limit: 9, Ascending: true})
	var items struct {
		Data []struct{ ID, Type string }
	}
	for body, n := range map[string]int{string(in): 3, string(out): 7} {
		if err := json.Unmarshal([]byte(body), &items); err != nil || len(items.Data) != n {
			t.Errorf("%d items, want %d: %s", len(items.Data), n, body)
		}
	}
	var messages []chat.Message
	for _, it := range items.Data {
		if found, ok := ParseItemID(it.ID); !ok || found != id {
			t.Errorf("item %s is of %v", it.ID, found)
		}
	}
	if err := json.Unmarshal(out, &items); err != nil {
		t.Fatal(err)
	}
	for _, it := range items.Data {
		m, err := turn.Piece(id.Session, it.ID)
		if err != nil {
			t.Fatal(err)
		}
		messages = join(messages, m)
	}
	if got, want := said(messages), said(append(append([]chat.Message{}, turn.Input...), output)); got != want {
		t.Errorf("the items are\n%s\nwant\n%s", got, want)
	}
	if _, err := turn.Piece(id.Session, "msg_nothing"); err == nil {
		t.Error("an item that is not there is found")
	}
	last, _ := EncodeItems(id.Session, []Turn{*turn}, Page{Limit: 2})
	var page struct {
		Data []struct{ ID string }
		More bool   `json:"has_more"`
		Last string `json:"last_id"`
	}
	json.Unmarshal(last, &page)
	next, err := EncodeItems(id.Session, []Turn{*turn}, Page{Limit: 9, After: page.Last})
	if !page.More || page.Data[0].ID != items.Data[6].ID || err != nil || strings.Contains(string(next), `"id":"`+page.Last+`"`) || !strings.Contains(string(next), items.Data[4].ID) {
		t.Errorf("pages: %s\nthen %s, %v", last, next, err)
	}
}

// No body makes the decoder fail otherwise than by saying what is wrong.
func FuzzDecodeRequest(f *testing.F) {
	for _, body := range []string{Example, ConversationExample, `{"input":[{"type":"reasoning","summary":[{}]}]}`, `{"tools":[{"type":"function","name":"f"}],"tool_choice":{"type":"allowed_tools","mode":"auto","tools":[]},"input":"x"}`} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		c, err := DecodeRequest(body, nil)
		if _, ok := errors.AsType[*chat.Error](err); err != nil && !ok {
			t.Fatalf("%v", err)
		}
		if err == nil {
			if id, err := c.Place(true); err == nil && c.Request.Turn.Note != nil {
				r := NewResponse(headOf(id.Turn), c)
				r.Add(over)
				if _, err := r.Encode(); err != nil {
					t.Error(err)
				}
				c.Request.Turn.Note(c.Request)
			}
		}
		DecodeConversation(body, nil)
	})
}
