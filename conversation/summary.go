package conversation

import (
	"context"
	"errors"
	"strings"
	"time"

	"bendi/chat"
)

// What a summary may take.
const (
	summaryTokens = 400
	summaryTime   = 30 * time.Second
	summaryShare  = 0.6 // of the window, that what is not summarised gets: so there is not a summary for each turn
)

// summarise has a model put messages, and the summary of those before them,
// into a few words.
func (m *Memory) summarise(ctx context.Context, req *chat.Request, before string, messages []chat.Message) (string, error) {
	if m.Summarizer == nil {
		return "", errors.New("no model writes summaries")
	}
	ctx, cancel := context.WithTimeout(ctx, summaryTime)
	defer cancel()
	var b strings.Builder
	if before != "" {
		b.WriteString("Summary so far: " + before + "\n\n")
	}
	for _, msg := range messages {
		if isSystem(msg) {
			continue
		}
		b.WriteString(string(msg.Role) + ": " + msg.Text())
		for _, c := range msg.ToolCalls {
			b.WriteString(" [calls " + c.Name + " " + c.Arguments + "]")
		}
		b.WriteByte('\n')
	}
	ask := &chat.Request{
		ID: req.ID, Model: m.SummaryModel, Principal: req.Principal, Priority: req.Priority, Inside: true, Classes: req.Classes, N: 1, MaxTokens: summaryTokens,
		Sampling: chat.Sampling{Temperature: new(0.0)},
		Messages: []chat.Message{
			chat.TextMessage(chat.System, "Summarise the conversation so far for whoever goes on with it: names, numbers, what was asked, what was decided, what is open. Write in its language, at most 200 words, and the summary alone."),
			chat.TextMessage(chat.User, b.String()),
		},
	}
	var text strings.Builder
	for ev, err := range m.Summarizer.Chat(ctx, ask) {
		if err != nil {
			return "", err
		}
		text.WriteString(ev.Text)
	}
	if strings.TrimSpace(text.String()) == "" {
		return "", errors.New("the summary is empty")
	}
	return strings.TrimSpace(text.String()), nil
}

// told is how a model is told a summary.
func (s *Summary) told() chat.Message {
	return chat.TextMessage(chat.System, "Summary of the earlier conversation: "+s.Text)
}
