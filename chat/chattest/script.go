package chattest

import (
	"context"
	"fmt"
	"iter"
	"strconv"
	"strings"
	"time"

	"bendi/chat"
)

// A Script is a Model that plays its lines. Each line is a delta of text, or
// begins with an exclamation mark:
//
//	!sleep 20s        wait, or until the context ends
//	!wait             wait for the context to end
//	!think so so      a delta of reasoning
//	!tool 0 c1 find   begin tool call 0, by its id and the function's name
//	!args 0 {"a":     a delta of its arguments
//	!choice 1         what follows belongs to choice 1
//	!finish length    end the choice
//	!usage 7 3        end the answer: prompt and completion tokens
//	!panic            as it says
//	!fail             end with an error that the client learns nothing of
//	!fail unavailable overloaded, try again    end with a chat.Error (kinds: invalid, unavailable, bad-backend)
//
// A script without !finish, !usage and !fail ends as if it had "!finish stop"
// and "!usage" with one token for each delta. A "\n" in a delta is a newline.
type Script string

// Chat plays the script, whatever the request.
func (s Script) Chat(ctx context.Context, req *chat.Request) iter.Seq2[chat.Event, error] {
	return func(yield func(chat.Event, error) bool) {
		choice, deltas, ended := 0, 0, false
		for line := range strings.Lines(string(s)) {
			if ctx.Err() != nil {
				yield(chat.Event{}, context.Cause(ctx))
				return
			}
			line = strings.TrimSuffix(line, "\n")
			word, rest, _ := strings.Cut(line, " ")
			ev := chat.Event{Choice: choice}
			switch word {
			case "!sleep":
				d, err := time.ParseDuration(rest)
				if err != nil {
					panic("chattest: " + line + ": " + err.Error())
				}
				select {
				case <-time.After(d):
				case <-ctx.Done():
				}
				continue
			case "!wait":
				<-ctx.Done()
				continue
			case "!choice":
				choice = number(rest)
				continue
			case "!think":
				ev.Reasoning = rest
			case "!tool":
				i, call, _ := strings.Cut(rest, " ")
				id, name, _ := strings.Cut(call, " ")
				ev.ToolCall = &chat.ToolCallDelta{Index: number(i), ID: id, Name: name}
			case "!args":
				i, args, _ := strings.Cut(rest, " ")
				ev.ToolCall = &chat.ToolCallDelta{Index: number(i), Arguments: args}
			case "!panic":
				panic("chattest: the script says so")
			case "!finish":
				ev.Finish, ended = chat.Finish(rest), true
			case "!usage":
				in, out, _ := strings.Cut(rest, " ")
				ev.Usage, ended = &chat.Usage{PromptTokens: number(in), CompletionTokens: number(out)}, true
			case "!fail":
				yield(chat.Event{}, failure(rest))
				return
			default:
				if strings.HasPrefix(word, "!") {
					panic("chattest: no such line: " + line)
				}
				ev.Text = strings.ReplaceAll(line, `\n`, "\n")
				deltas++
			}
			if !yield(ev, nil) {
				return
			}
		}
		if ctx.Err() != nil {
			yield(chat.Event{}, context.Cause(ctx))
			return
		}
		if !ended && yield(chat.Event{Choice: choice, Finish: chat.Stop}, nil) {
			yield(chat.Event{Usage: &chat.Usage{PromptTokens: len(req.Messages), CompletionTokens: deltas}}, nil)
		}
	}
}

func number(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		panic("chattest: " + err.Error())
	}
	return n
}

func failure(s string) error {
	kinds := map[string]chat.Kind{"invalid": chat.Invalid, "unavailable": chat.Unavailable, "bad-backend": chat.BadBackend}
	word, msg, _ := strings.Cut(s, " ")
	if kind, ok := kinds[word]; ok {
		return &chat.Error{Kind: kind, Msg: msg}
	}
	return fmt.Errorf("scripted failure %q", s)
}
