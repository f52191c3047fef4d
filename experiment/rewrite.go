package experiment

import (
	"slices"

	"bendi/chat"
	"bendi/experiment/param"
)

// rewrite returns a request as the arm puts it. What the arm sets counts,
// whatever the request says.
func (a *Arm) rewrite(req *chat.Request) *chat.Request {
	own := *req
	if a.As != "" {
		own.Model = a.As
	}
	for name, value := range a.Params {
		param.Set(&own.Sampling, name, value)
	}
	if a.MaxTokens > 0 && (own.MaxTokens == 0 || own.MaxTokens > a.MaxTokens) {
		own.MaxTokens = a.MaxTokens
	}
	if a.System != "" {
		own.Messages = a.instruct(req.Messages)
	}
	return &own
}

// instruct puts the arm's system message first. There is one with the
// request's own, since not every model takes two.
func (a *Arm) instruct(messages []chat.Message) []chat.Message {
	isSystem := func(m chat.Message) bool { return m.Role == chat.System || m.Role == chat.Developer }
	first := chat.TextMessage(chat.System, a.System)
	rest := messages
	switch {
	case a.Replace:
		rest = slices.DeleteFunc(slices.Clone(messages), isSystem)
	case len(messages) > 0 && isSystem(messages[0]):
		first = messages[0]
		first.Content = append([]chat.Part{{Kind: chat.TextPart, Text: a.System + "\n\n"}}, first.Content...)
		rest = messages[1:]
	}
	return append([]chat.Message{first}, rest...)
}
