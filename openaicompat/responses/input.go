package responses

import (
	"slices"

	"bendi/chat"
	"bendi/openaicompat/wire"
)

// input reads what is new: a text, or items.
func (d *decoder) input(v value, c *Call) []chat.Message {
	var messages []chat.Message
	switch {
	case v.Absent():
	case v.Is(`"`):
		messages = []chat.Message{chat.TextMessage(chat.User, v.Str())}
	case v.Want("a string or an array of items", v.Is("[")):
		messages = d.items(v)
	}
	switch {
	case d.Err != nil || len(messages) > 0 || c.goesOn() != "":
	case v.Absent():
		v.Bad("is missing; send a JSON object such as %s.", Example)
	default:
		v.Bad("is empty; it needs at least one item.")
	}
	return messages
}

// items makes messages of items: those of an assistant that belong together
// become one.
func (d *decoder) items(v value) []chat.Message {
	var messages []chat.Message
	for e := range v.Array() {
		o := e.Object()
		typ, role := o.Take("type"), o.Take("role")
		kind := typ.Str()
		if kind == "" && !role.Absent() {
			kind = messageKind
		}
		switch kind {
		case messageKind:
			messages = join(messages, chat.Message{Role: d.role(role), Content: wire.Content(o.Need("content"), d.part)})
		case reasoningKind:
			messages = join(messages, d.thought(o))
		case callKind:
			name := fullName(o.Take("namespace").Str(), o.Need("name").Str())
			call := chat.ToolCall{ID: o.Need("call_id").Str(), Name: name, Arguments: o.Need("arguments").Str()}
			messages = join(messages, chat.Message{Role: chat.Assistant, ToolCalls: []chat.ToolCall{call}})
		case outputKind:
			messages = append(messages, chat.Message{Role: chat.ToolRole, ToolCallID: o.Need("call_id").Str(), Content: wire.Content(o.Need("output"), d.part)})
		case referenceKind, "":
			messages = join(messages, d.reference(o.Need("id")))
		default:
			d.Fail(chat.Unsupported(typ.Path(), "%s, an item that nothing here knows; there are message, reasoning, function_call, function_call_output and item_reference.", quoted(typ)))
		}
	}
	// Reasoning that led to nothing says nothing to a model.
	return slices.DeleteFunc(messages, func(m chat.Message) bool {
		return m.Role == chat.Assistant && len(m.Content) == 0 && len(m.ToolCalls) == 0
	})
}

// reference finds what a client has left with us.
func (d *decoder) reference(v value) chat.Message {
	id := v.Str()
	if d.Err != nil {
		return chat.Message{}
	}
	if d.find == nil {
		v.Bad("names an item, and none are kept here: send the item itself.")
		return chat.Message{}
	}
	m, err := d.find(d.user, id)
	if err != nil {
		d.Fail(err)
	}
	return m
}

// join puts a message behind others. What an assistant thought, said and called
// is one message, as far as that keeps the order.
func join(messages []chat.Message, m chat.Message) []chat.Message {
	n := len(messages)
	if n == 0 || m.Role != chat.Assistant || messages[n-1].Role != chat.Assistant {
		return append(messages, m)
	}
	last := &messages[n-1]
	switch {
	case (m.Reasoning != "" || len(m.Content) > 0) && (len(last.Content) > 0 || len(last.ToolCalls) > 0):
		return append(messages, m)
	case m.Reasoning != "" && last.Reasoning != "":
		last.Reasoning += "\n\n" + m.Reasoning
	default:
		last.Reasoning += m.Reasoning
	}
	last.Content = append(last.Content, m.Content...)
	last.ToolCalls = append(last.ToolCalls, m.ToolCalls...)
	return messages
}

func (d *decoder) role(v value) chat.Role {
	switch role := chat.Role(v.Str()); role {
	case chat.System, chat.Developer, chat.User, chat.Assistant:
		return role
	}
	v.Bad("must be \"user\", \"assistant\", \"system\" or \"developer\".")
	return ""
}

// thought reads reasoning: what there is in full, or else its summary. What is
// sealed by OpenAI's servers no other model can open.
func (d *decoder) thought(o object) chat.Message {
	m := chat.Message{Role: chat.Assistant}
	for _, key := range []string{"content", "summary"} {
		text := ""
		for e := range o.Take(key).Array() {
			part := e.Object()
			part.Take("type")
			if s := part.Need("text").Str(); text != "" && s != "" {
				text += "\n\n" + s
			} else {
				text += s
			}
		}
		if m.Reasoning == "" {
			m.Reasoning = text
		}
	}
	return m
}

func (d *decoder) part(v value) chat.Part {
	o := v.Object()
	typ := o.Need("type")
	switch kind := typ.Str(); kind {
	case "input_text", "output_text", "text":
		return chat.Part{Kind: chat.TextPart, Text: o.Need("text").Str()}
	case "refusal":
		return chat.Part{Kind: chat.RefusalPart, Text: o.Need("refusal").Str()}
	case "input_image":
		d.noFile(o)
		url, detail := o.Need("image_url").Str(), o.Take("detail").Str()
		if detail == "" {
			detail = "auto"
		}
		return chat.Part{Kind: chat.ImagePart, Data: wire.Marshal(map[string]any{"type": "image_url", "image_url": map[string]string{"url": url, "detail": detail}})}
	case "input_file":
		d.noFile(o)
		if v := o.Take("file_url"); !v.Absent() {
			d.Fail(chat.Unsupported(v.Path(), "%s is not supported: nothing is fetched from elsewhere; send 'file_data'.", v.Name()))
		}
		return chat.Part{Kind: chat.FilePart, Data: wire.Marshal(map[string]any{"type": "file", "file": map[string]string{
			"filename": o.Take("filename").Str(), "file_data": o.Need("file_data").Str(),
		}})}
	}
	d.Fail(chat.Unsupported(typ.Path(), "%s, which is not supported; there are input_text, output_text, refusal, input_image and input_file.", quoted(typ)))
	return chat.Part{}
}

func (d *decoder) noFile(o object) {
	if v := o.Take("file_id"); !v.Absent() {
		d.Fail(chat.Unsupported(v.Path(), "%s is not supported: there is no store of files here; send what is in it.", v.Name()))
	}
}
