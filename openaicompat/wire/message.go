package wire

import (
	"strconv"

	"bendi/chat"
)

func (d *decoder) messages(v value) []chat.Message {
	var messages []chat.Message
	for e := range v.Array() {
		messages = append(messages, d.message(e.Object()))
	}
	switch {
	case d.Err != nil || len(messages) > 0:
	case v.Absent():
		v.Bad("is missing; send a JSON object such as %s.", ChatExample)
	default:
		v.Bad("is empty; it needs at least one message.")
	}
	return messages
}

func (d *decoder) message(o object) chat.Message {
	m := chat.Message{Role: d.role(o.Need("role"))}
	for _, f := range []struct{ key, instead string }{
		{"audio", "Send the text of the answer in 'content'."},
		{"function_call", "Use 'tool_calls'."},
	} {
		if v := o.Take(f.key); !v.Absent() {
			d.Fail(chat.Unsupported(v.Path(), "%s is not supported. %s", v.Name(), f.instead))
		}
	}
	m.Name = o.Take("name").Str()
	m.Content = Content(o.Take("content"), d.part)
	if s := o.Take("refusal").Str(); s != "" {
		m.Content = append(m.Content, chat.Part{Kind: chat.RefusalPart, Text: s})
	}
	// The thinking has two names on the wire, and some clients send both.
	m.Reasoning = o.Take("reasoning_content").Str()
	if other := o.Take("reasoning").Str(); m.Reasoning == "" {
		m.Reasoning = other
	}
	for e := range o.Take("tool_calls").Array() {
		c := e.Object()
		d.function(c.Take("type"))
		fn := c.Need("function").Object()
		m.ToolCalls = append(m.ToolCalls, chat.ToolCall{
			ID:        c.Take("id").Str(),
			Name:      fn.Need("name").Str(),
			Arguments: fn.Take("arguments").Str(),
		})
	}
	m.ToolCallID = o.Take("tool_call_id").Str()
	return m
}

func (d *decoder) role(v value) chat.Role {
	switch role := chat.Role(v.Str()); role {
	case chat.System, chat.Developer, chat.User, chat.Assistant, chat.ToolRole:
		return role
	case "function":
		d.Fail(chat.Unsupported(v.Path(), "%s is \"function\", which is no longer supported; use \"tool\" with a 'tool_call_id'.", v.Name()))
	default:
		v.Bad("must be \"system\", \"developer\", \"user\", \"assistant\" or \"tool\", but is %s.", brief(string(role)))
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

func (d *decoder) part(v value) chat.Part {
	o := v.Object()
	typ := o.Need("type")
	p := chat.Part{Kind: chat.PartKind(typ.Str())}
	switch p.Kind {
	case chat.TextPart:
		p.Text = o.Need("text").Str()
	case chat.RefusalPart:
		p.Text = o.Need("refusal").Str()
	case chat.ImagePart:
		o.Need("image_url").Object().Need("url").Str()
		p.Data = v.Text()
	case chat.AudioPart:
		o.Need("input_audio").Object()
		p.Data = v.Text()
	case chat.FilePart:
		o.Need("file").Object()
		p.Data = v.Text()
	default:
		typ.Bad("must be \"text\", \"refusal\", \"image_url\", \"input_audio\" or \"file\", but is %s.", brief(string(p.Kind)))
	}
	return p
}
