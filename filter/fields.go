package filter

import (
	"encoding/json"
	"iter"
	"maps"
	"slices"
	"strconv"
	"strings"

	"bendi/chat"
)

// A field is a text of a request: one string, or several that are read as one.
type field struct {
	place place
	kind  fieldKind
	texts []string
}

// A fieldKind says how a field is read, and what may be done to it.
type fieldKind uint8

const (
	textField fieldKind = iota
	jsonField           // its strings are; see lexer
	nameField           // stays what it is: something else refers to it, or a grammar would break
	idField             // likewise, and nobody minds what it looks like
)

// A place says where in a request a field is.
type place struct {
	what    what
	i, j, n int    // indices, and the number of parts
	key     string // of Extra
}

type what uint8

const (
	messageName what = iota
	messageContent
	messageRefusal
	messageData
	messageReasoning
	messageCallID
	callID
	callName
	callArguments
	toolName
	toolDescription
	toolParameters
	toolChoice
	formatName
	formatSchema
	formatGrammar
	stopString
	effort
	promptText
	promptSuffix
	extraKey
	extraValue
	inputText
	query
	document
	content
)

// path returns where the field is on the wire. It holds nothing that a client
// made up.
func (p place) path(parts int) string {
	i, j := "["+strconv.Itoa(p.i)+"]", "["+strconv.Itoa(p.j)+"]"
	message := "messages" + i
	switch p.what {
	case messageName:
		return message + ".name"
	case messageContent:
		if parts == 1 {
			return message + ".content"
		}
		return message + ".content" + j + ".text"
	case messageRefusal:
		if parts == 1 {
			return message + ".refusal"
		}
		return message + ".content" + j + ".refusal"
	case messageData:
		return message + ".content" + j
	case messageReasoning:
		return message + ".reasoning_content"
	case messageCallID:
		return message + ".tool_call_id"
	case callID:
		return message + ".tool_calls" + j + ".id"
	case callName:
		return message + ".tool_calls" + j + ".function.name"
	case callArguments:
		return message + ".tool_calls" + j + ".function.arguments"
	case toolName:
		return "tools" + i + ".function.name"
	case toolDescription:
		return "tools" + i + ".function.description"
	case toolParameters:
		return "tools" + i + ".function.parameters"
	case toolChoice:
		return "tool_choice"
	case formatName:
		return "response_format.json_schema.name"
	case formatSchema:
		return "response_format.json_schema.schema"
	case formatGrammar:
		return "grammar"
	case stopString:
		return "stop" + i
	case effort:
		return "reasoning_effort"
	case promptText:
		return "prompt"
	case promptSuffix:
		return "suffix"
	case inputText:
		return "input" + i
	case query:
		return "query"
	case document:
		return "documents" + i
	case content:
		return "content"
	case extraValue:
		if known(p.key) {
			return p.key
		}
	}
	return "" // a key that the client made up
}

// isSchema reports whether the field is JSON that describes JSON.
func (p place) isSchema() bool { return p.what == toolParameters || p.what == formatSchema }

// known reports whether a key looks like one of a protocol, rather than words.
func known(key string) bool {
	return len(key) <= 40 && strings.Trim(key, "abcdefghijklmnopqrstuvwxyz0123456789_-.") == ""
}

// fields yields every text of a chat request.
//
// Left out are what no client writes (ID, Principal, Classes), the model's
// name, which the route knows or refuses, and the role and the kind of a part,
// which are one of a few words.
func fields(req *chat.Request) iter.Seq[field] {
	return func(yield func(field) bool) {
		one := func(w what, i, j int, kind fieldKind, text string) bool {
			return text == "" || yield(field{place{what: w, i: i, j: j, n: 1}, kind, []string{text}})
		}
		for i := range req.Messages {
			m := &req.Messages[i]
			if !(one(messageName, i, 0, textField, m.Name) &&
				one(messageReasoning, i, 0, textField, m.Reasoning) &&
				one(messageCallID, i, 0, idField, m.ToolCallID) &&
				parts(m, i, yield)) {
				return
			}
			for j := range m.ToolCalls {
				c := &m.ToolCalls[j]
				if !(one(callID, i, j, idField, c.ID) && one(callName, i, j, nameField, c.Name) && one(callArguments, i, j, jsonField, c.Arguments)) {
					return
				}
			}
		}
		if p := req.Prompt; p != nil && !(one(promptText, 0, 0, textField, p.Text) && one(promptSuffix, 0, 0, textField, p.Suffix)) {
			return
		}
		for i := range req.Tools {
			t := &req.Tools[i]
			if !(one(toolName, i, 0, nameField, t.Name) && one(toolDescription, i, 0, textField, t.Description) && one(toolParameters, i, 0, jsonField, string(t.Parameters))) {
				return
			}
		}
		if f := req.Format; f != nil {
			if !(one(formatName, 0, 0, nameField, f.Name) && one(formatSchema, 0, 0, jsonField, string(f.Schema)) && one(formatGrammar, 0, 0, nameField, f.Grammar)) {
				return
			}
		}
		for i, s := range req.Stop {
			if !one(stopString, i, 0, nameField, s) {
				return
			}
		}
		if one(toolChoice, 0, 0, nameField, unescaped(req.ToolChoice)) && one(effort, 0, 0, nameField, req.ReasoningEffort) {
			extra(req.Extra, yield)
		}
	}
}

// parts yields the content of message i. Text parts that follow each other are
// one text to whoever reads them.
func parts(m *chat.Message, i int, yield func(field) bool) bool {
	for j := 0; j < len(m.Content); j++ {
		f := field{place: place{what: messageContent, i: i, j: j, n: 1}}
		switch p := &m.Content[j]; p.Kind {
		case chat.TextPart:
			for j+1 < len(m.Content) && m.Content[j+1].Kind == chat.TextPart {
				j++
				f.place.n++
			}
			for _, p := range m.Content[f.place.j : j+1] {
				f.texts = append(f.texts, p.Text)
			}
		case chat.RefusalPart:
			f.place.what, f.texts = messageRefusal, []string{p.Text}
		default:
			f.place.what, f.kind, f.texts = messageData, jsonField, []string{string(p.Data)}
		}
		if !yield(f) {
			return false
		}
	}
	return true
}

// extra yields the fields that have no meaning here, with their keys.
func extra(m map[string]json.RawMessage, yield func(field) bool) bool {
	for _, key := range slices.Sorted(maps.Keys(m)) {
		if !yield(field{place{what: extraKey, key: key, n: 1}, nameField, []string{key}}) ||
			!yield(field{place{what: extraValue, key: key, n: 1}, jsonField, []string{string(m[key])}}) {
			return false
		}
	}
	return true
}

// rewriteExtra returns m with the fields that rewrite gives other texts. It
// leaves m as it is.
func rewriteExtra(m map[string]json.RawMessage, rewrite func(field) (texts []string, rewritten bool)) map[string]json.RawMessage {
	d := draft{was: &chat.Request{Extra: m}}
	extra(m, func(f field) bool {
		if texts, rewritten := rewrite(f); rewritten {
			d.set(f.place, texts)
		}
		return true
	})
	return d.request().Extra
}

// unescaped returns JSON as it is read, for what is never rewritten.
func unescaped(raw []byte) string {
	if len(raw) == 0 {
		return ""
	}
	return newLexer(false).read(string(raw), true)
}

// A draft is a request that is rewritten, without harm to the one it was.
type draft struct {
	was, own *chat.Request
	messages bool // own has messages of its own, and so on
	tools    bool
	extra    bool
	format   bool
	prompt   bool
	contents map[int]bool // by message
	calls    map[int]bool
}

// request returns the request as it has become. A part of which nothing is left
// is gone: not every backend takes an empty one.
func (d *draft) request() *chat.Request {
	if d.own == nil {
		return d.was
	}
	for i := range d.contents {
		was := d.was.Messages[i].Content
		m := &d.own.Messages[i]
		kept := m.Content[:0]
		for j, p := range m.Content {
			if p.Kind != chat.TextPart || p.Text != "" || was[j].Text == "" {
				kept = append(kept, p)
			}
		}
		m.Content = kept
	}
	d.contents = nil
	return d.own
}

// start makes the request our own, at the top.
func (d *draft) start() *chat.Request {
	if d.own == nil {
		d.own = new(*d.was)
		d.contents, d.calls = map[int]bool{}, map[int]bool{}
	}
	return d.own
}

// set rewrites a field. Texts has as many as the field had.
func (d *draft) set(p place, texts []string) {
	req := d.start()
	text := texts[0]
	switch p.what {
	case toolDescription, toolParameters:
		if !d.tools {
			req.Tools, d.tools = slices.Clone(req.Tools), true
		}
		if p.what == toolDescription {
			req.Tools[p.i].Description = text
		} else {
			req.Tools[p.i].Parameters = json.RawMessage(text)
		}
		return
	case promptText, promptSuffix:
		if !d.prompt {
			req.Prompt, d.prompt = new(*req.Prompt), true
		}
		if p.what == promptText {
			req.Prompt.Text, req.Prompt.Tokens = text, nil // which said the text as it was
		} else {
			req.Prompt.Suffix = text
		}
		return
	case formatSchema:
		if !d.format {
			req.Format, d.format = new(*req.Format), true
		}
		req.Format.Schema = json.RawMessage(text)
		return
	case extraValue:
		if !d.extra {
			req.Extra, d.extra = maps.Clone(req.Extra), true
		}
		req.Extra[p.key] = json.RawMessage(text)
		return
	}

	if !d.messages {
		req.Messages, d.messages = slices.Clone(req.Messages), true
	}
	m := &req.Messages[p.i]
	switch p.what {
	case messageName:
		m.Name = text
	case messageReasoning:
		m.Reasoning = text
	case callArguments:
		if !d.calls[p.i] {
			m.ToolCalls, d.calls[p.i] = slices.Clone(m.ToolCalls), true
		}
		m.ToolCalls[p.j].Arguments = text
	case messageContent, messageRefusal, messageData:
		if !d.contents[p.i] {
			m.Content, d.contents[p.i] = slices.Clone(m.Content), true
		}
		if p.what == messageData {
			m.Content[p.j].Data = json.RawMessage(text)
			return
		}
		for k, text := range texts {
			m.Content[p.j+k].Text = text
		}
	default:
		panic("filter: a name is never rewritten") // a fault of ours: see fieldKind
	}
}

// lastTurn returns the index of the message that the last turn of the user
// begins with. What is before it is history, but for instructions.
func lastTurn(messages []chat.Message) int {
	for i := len(messages) - 1; i >= 0; i-- {
		if messages[i].Role == chat.User {
			return i
		}
	}
	return 0
}

// isHistory reports whether a place is in a turn before message last.
func (p place) isHistory(messages []chat.Message, last int) bool {
	if p.what > callArguments || p.i >= last {
		return false
	}
	r := messages[p.i].Role
	return r != chat.System && r != chat.Developer
}
