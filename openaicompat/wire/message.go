package wire

import (
	"strconv"

	"bendi/chat"
)

func (d *decoder) messages(v value) []chat.Message {
	var messages []chat.Message
	for e := range v.array() {
		messages = append(messages, d.message(e.object()))
	}
	switch {
	case d.err != nil || len(messages) > 0:
	case v.absent():
		v.bad("is missing; send a JSON object such as %s.", example)
	default:
		v.bad("is empty; it needs at least one message.")
	}
	return messages
}

func (d *decoder) message(o object) chat.Message {
	m := chat.Message{Role: d.role(o.need("role"))}
	for _, f := range []struct{ key, instead string }{
		{"audio", "Send the text of the answer in 'content'."},
		{"function_call", "Use 'tool_calls'."},
	} {
		if v := o.take(f.key); !v.absent() {
			d.fail(chat.Unsupported(v.path(), "%s is not supported. %s", v.name(), f.instead))
		}
	}
	m.Name = o.take("name").str()
	m.Content = d.content(o.take("content"))
	if s := o.take("refusal").str(); s != "" {
		m.Content = append(m.Content, chat.Part{Kind: chat.RefusalPart, Text: s})
	}
	// The thinking has two names on the wire, and some clients send both.
	m.Reasoning = o.take("reasoning_content").str()
	if other := o.take("reasoning").str(); m.Reasoning == "" {
		m.Reasoning = other
	}
	for e := range o.take("tool_calls").array() {
		c := e.object()
		d.function(c.take("type"))
		fn := c.need("function").object()
		m.ToolCalls = append(m.ToolCalls, chat.ToolCall{
			ID:        c.take("id").str(),
			Name:      fn.need("name").str(),
			Arguments: fn.take("arguments").str(),
		})
	}
	m.ToolCallID = o.take("tool_call_id").str()
	return m
}

func (d *decoder) role(v value) chat.Role {
	switch role := chat.Role(v.str()); role {
	case chat.System, chat.Developer, chat.User, chat.Assistant, chat.ToolRole:
		return role
	case "function":
		d.fail(chat.Unsupported(v.path(), "%s is \"function\", which is no longer supported; use \"tool\" with a 'tool_call_id'.", v.name()))
	default:
		v.bad("must be \"system\", \"developer\", \"user\", \"assistant\" or \"tool\", but is %s.", brief(string(role)))
	}
	return ""
}

// brief quotes a word from a closed vocabulary that somebody mistyped, unless
// it is too long to be one.
func brief(s string) string {
	if len(s) > 20 {
		return "a string of " + strconv.Itoa(len(s)) + " bytes"
	}
	return strconv.Quote(s)
}

// content reads a message's content: a string, or an array of parts.
func (d *decoder) content(v value) []chat.Part {
	switch {
	case v.absent():
		return nil
	case v.is(`"`):
		return []chat.Part{{Kind: chat.TextPart, Text: v.str()}}
	case !v.want("a string or an array of parts", v.is("[")):
		return nil
	}
	var parts []chat.Part
	for e := range v.array() {
		parts = append(parts, d.part(e))
	}
	return parts
}

func (d *decoder) part(v value) chat.Part {
	o := v.object()
	typ := o.need("type")
	p := chat.Part{Kind: chat.PartKind(typ.str())}
	switch p.Kind {
	case chat.TextPart:
		p.Text = o.need("text").str()
	case chat.RefusalPart:
		p.Text = o.need("refusal").str()
	case chat.ImagePart:
		o.need("image_url").object().need("url").str()
		p.Data = v.text()
	case chat.AudioPart:
		o.need("input_audio").object()
		p.Data = v.text()
	case chat.FilePart:
		o.need("file").object()
		p.Data = v.text()
	default:
		typ.bad("must be \"text\", \"refusal\", \"image_url\", \"input_audio\" or \"file\", but is %s.", brief(string(p.Kind)))
	}
	return p
}
