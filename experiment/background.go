package experiment

import (
	"slices"
	"strings"

	"bendi/chat"
)

// longestTask is how much of a message is looked at for what marks a task.
const longestTask = 4096

// tasks are what chat front ends ask for themselves: titles, tags and
// suggestions. Each is a set of texts that such a request has all of, in small
// letters, by what its front end's own templates say.
var tasks = [...][]string{
	{"### task:", "### output:"},                                               // Open WebUI: titles, tags, follow-ups, searches, completions
	{"### task:", "<chat_history>"},                                            // Open WebUI with a template of the operator's
	{"### task:", "### guidelines:"},                                           // likewise
	{"provide a concise, 5-word-or-less title for the conversation"},           // LibreChat
	{"please generate a concise, 5-word-or-less title"},                        // likewise
	{"please generate a four to five word title summarizing our conversation"}, // NextChat
	{"summarize the discussion briefly in 200 words or less to use as a prompt"},
	{"使用四到五个字直接返回这句话的简要主题"}, // NextChat
	{"简要总结一下对话内容，用作后续的上下文提示"},
	{"you are an assistant who is good at conversation. you need to summarize", "title"}, // Cherry Studio
	{"总结给出的会话，将其总结为语言为", "标题"},
	{"summarize the given session as a", "title"},
	{"analyze if this message indicates a new conversation topic", "title"}, // Claude Code
	{"summarize this coding conversation in under 50 characters"},
	{"generate a concise title", "conversation"},
}

// Background reports whether a request is a chat front end's own, rather than a
// turn of a conversation. There is no field that says so: it goes by what the
// first and the last message of such requests have in them.
func Background(req *chat.Request) bool {
	if len(req.Messages) == 0 {
		return false
	}
	for _, i := range []int{0, len(req.Messages) - 1} {
		text := req.Messages[i].Text()
		// The marks stand before the conversation that the task is about, or after it.
		if len(text) > 2*longestTask {
			text = text[:longestTask] + "\n" + text[len(text)-longestTask:]
		}
		text = strings.ToLower(text)
		for _, marks := range tasks {
			if !slices.ContainsFunc(marks, func(mark string) bool { return !strings.Contains(text, mark) }) {
				return true
			}
		}
	}
	return false
}
