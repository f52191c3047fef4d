package anthropic

import (
	"bendi/chat"
	"bendi/openaicompat/wire"
)

// system reads the instructions: a string, or blocks of text.
func (d *decoder) system(v value) []chat.Part {
	var parts []chat.Part
	for b := range d.blocks(v) {
		if typ := b.Need("type"); typ.Str() != "text" {
			typ.Bad("must be \"text\".")
		}
		parts = append(parts, textPart(b.Need("text").Str()))
	}
	return parts
}

// blocks yields the blocks of a content; a string is one of text.
func (d *decoder) blocks(v value) func(func(object) bool) {
	return func(yield func(object) bool) {
		if v.Absent() {
			return
		}
		if v.Is(`"`) {
			if s := v.Str(); s != "" {
				yield(textBlock(v, s))
			}
			return
		}
		if !v.Want("a string or an array of blocks", v.Is("[")) {
			return
		}
		for e := range v.Array() {
			if !yield(e.Object()) {
				return
			}
		}
	}
}

func (d *decoder) messages(v value) []chat.Message {
	var messages []chat.Message
	n := 0
	for e := range v.Array() {
		n++
		o := e.Object()
		role := o.Need("role")
		content := o.Need("content")
		switch role.Str() {
		case "user":
			messages = append(messages, d.user(content)...)
		case "assistant":
			messages = append(messages, d.assistant(content)...)
		case "system":
			messages = append(messages, chat.Message{Role: chat.System, Content: d.system(content)})
		default:
			role.Bad("must be \"user\" or \"assistant\".")
		}
	}
	switch {
	case d.Err != nil || len(messages) > 0:
	case v.Absent():
		v.Bad("is missing; send a JSON object such as %s.", Example)
	default:
		v.Bad("holds %d messages without any content; it needs at least one with some.", n)
	}
	return messages
}

// user makes messages of a turn of the user: one of each tool's result, and one
// of what is said between them.
func (d *decoder) user(content value) []chat.Message {
	var messages []chat.Message
	var said []chat.Part
	flush := func() {
		if len(said) > 0 {
			messages = append(messages, chat.Message{Role: chat.User, Content: said})
			said = nil
		}
	}
	for b := range d.blocks(content) {
		typ := b.Need("type")
		if typ.Str() == "tool_result" {
			flush()
			messages = append(messages, d.result(b))
			continue
		}
		said = append(said, d.part(b, typ))
	}
	flush()
	return messages
}

// result reads what a tool gave. That it failed is told in words: no other
// protocol has a place for it.
func (d *decoder) result(b object) chat.Message {
	m := chat.Message{Role: chat.ToolRole, ToolCallID: b.Need("tool_use_id").Str()}
	if b.Take("is_error").IsTrue() {
		m.Content = []chat.Part{textPart("Error: ")}
	}
	for part := range d.blocks(b.Take("content")) {
		m.Content = append(m.Content, d.part(part, part.Need("type")))
	}
	return m
}

// part reads a block that a person, or a tool, says something with.
func (d *decoder) part(b object, typ value) chat.Part {
	switch kind := typ.Str(); kind {
	case "text":
		return textPart(b.Need("text").Str())
	case "image":
		return d.image(b.Need("source").Object())
	case "document":
		return d.document(b)
	case "tool_use", "thinking", "redacted_thinking":
		typ.Bad("is \"%s\", which only an assistant's turn can have.", kind)
	default:
		d.Fail(chat.Unsupported(typ.Path(), "%s is not supported; there are text, image, document and tool_result.", typ.Name()))
	}
	return chat.Part{}
}

func (d *decoder) image(source object) chat.Part {
	url := ""
	switch typ := source.Need("type"); typ.Str() {
	case "base64":
		url = "data:" + source.Need("media_type").Str() + ";base64," + source.Need("data").Str()
	case "url":
		url = source.Need("url").Str()
	default:
		d.Fail(chat.Unsupported(typ.Path(), "%s may be \"base64\" or \"url\"; there is no store of files here.", typ.Name()))
	}
	return chat.Part{Kind: chat.ImagePart, Data: wire.Marshal(map[string]any{"type": "image_url", "image_url": map[string]string{"url": url}})}
}

// document reads a text, which is one to any model, or a file.
func (d *decoder) document(b object) chat.Part {
	source := b.Need("source").Object()
	title := b.Take("title").Str()
	about := b.Take("context")
	switch typ := source.Need("type"); typ.Str() {
	case "text":
		text := source.Need("data").Str()
		for _, before := range []string{about.Str(), title} {
			if before != "" {
				text = before + "\n\n" + text
			}
		}
		return textPart(text)
	case "base64":
		if title == "" {
			title = "document.pdf"
		}
		if about.Str() != "" {
			d.Fail(chat.Unsupported(about.Path(), "%s has no place beside a file in the protocol that models here are asked by: say it in a block of text.", about.Name()))
		}
		data := "data:" + source.Need("media_type").Str() + ";base64," + source.Need("data").Str()
		return chat.Part{Kind: chat.FilePart, Data: wire.Marshal(map[string]any{"type": "file", "file": map[string]string{"filename": title, "file_data": data}})}
	default:
		d.Fail(chat.Unsupported(typ.Path(), "%s may be \"text\" or \"base64\"; nothing is fetched from elsewhere.", typ.Name()))
	}
	return chat.Part{}
}

// assistant makes messages of a turn of the assistant. A message has its
// reasoning, then its text, then its calls; a block that comes too late for that
// begins another.
func (d *decoder) assistant(content value) []chat.Message {
	m := chat.Message{Role: chat.Assistant}
	var messages []chat.Message
	flush := func(late bool) {
		if late {
			messages, m = append(messages, m), chat.Message{Role: chat.Assistant}
		}
	}
	for b := range d.blocks(content) {
		switch typ := b.Need("type"); typ.Str() {
		case "thinking":
			flush(len(m.Content) > 0 || len(m.ToolCalls) > 0)
			thought := b.Need("thinking").Str()
			if m.Reasoning != "" && thought != "" {
				thought = "\n\n" + thought
			}
			m.Reasoning += thought
		case "redacted_thinking":
			// Sealed by Anthropic's servers; no other model can open it.
		case "text":
			flush(len(m.ToolCalls) > 0)
			if text := b.Need("text").Str(); text != "" {
				m.Content = append(m.Content, textPart(text))
			}
		case "tool_use":
			m.ToolCalls = append(m.ToolCalls, d.call(b))
		default:
			d.Fail(chat.Unsupported(typ.Path(), "%s is not supported in an assistant's turn; there are text, thinking and tool_use.", typ.Name()))
		}
	}
	flush(m.Reasoning != "" || len(m.Content) > 0 || len(m.ToolCalls) > 0)
	return messages
}

func (d *decoder) call(b object) chat.ToolCall {
	c := chat.ToolCall{ID: b.Need("id").Str(), Name: b.Need("name").Str(), Arguments: "{}"}
	if input := b.Take("input").ObjectText(); input != nil {
		c.Arguments = string(input)
	}
	return c
}

func textPart(text string) chat.Part { return chat.Part{Kind: chat.TextPart, Text: text} }

// textBlock is the block that a string stands for.
func textBlock(v value, text string) object {
	v.Raw = wire.Marshal(map[string]string{"type": "text", "text": text})
	return v.Object()
}
