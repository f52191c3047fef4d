package ollama

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"bendi/chat"
)

// How it is known that nothing of a prompt was left out.
//
// Ollama makes a prompt fit in three places, and says so in none of them: the
// server leaves out the oldest messages (server/prompt.go), the engine cuts the
// middle out of what is still too long and keeps exactly num_ctx tokens
// (NewSequence of the runners), and when the answer has filled the window, it
// forgets the older half of it and goes on (ShiftCacheSlot).
//
// A server of 0.12.6 or later refuses each of them where it is told truncate
// and shift are false, as every request does: a prompt that does not fit is
// status 400, and an answer that fills the window ends with "length". That is
// all there is to do; the promise is the server's.
//
// An older server does not know these fields. There is no way to its tokenizer
// either, but two things can be seen: how many tokens the prompt had that the
// engine got, at the end of an answer, and that the server's choice of messages
// depends on nothing but the messages. So the prompt is counted first, by an
// answer of one token. Its tokens are then in the engine's cache, and the real
// request takes no longer than it would have.
//
//   - A count of num_ctx or more is a prompt that the engine cut, or one that
//     leaves no room for an answer. It is refused.
//   - If messages were left out, then the newest of them did not fit beside the
//     rest. So where the rest and the longest message together are within the
//     window, counted as a token for each byte, none was.
//   - Otherwise, the same is counted without the oldest message that may be
//     left out. If some were left out, that one was, and both counts are of one
//     prompt: they are equal. If none was, the second prompt is shorter. (The
//     server drops from the front and always keeps the last message and the
//     system messages before the ones it keeps.)
//
// The count also bounds the answer, so that the window is never shifted.
//
// What is not proven: that a template shows the model every message it is
// given, which is the template's own choice; and, for an older server, prompts
// near the window of a Modelfile with messages of its own, which is why those
// are refused.

// fit has b's answer be of the whole prompt, or returns why that cannot be. It
// returns how many tokens the prompt has; 0: the server will see to it.
func (m *Model) fit(ctx context.Context, b *chatBody, f facts, limit int) (int, error) {
	window := b.Options["num_ctx"].(int)
	if f.exact {
		b.Options["num_predict"] = limit
		if limit == 0 {
			b.Options["num_predict"] = -1
		}
		return 0, nil
	}
	prompt, err := m.count(ctx, b, b.Messages)
	if err != nil {
		return 0, err
	}
	if prompt >= window {
		return 0, tooLong(fmt.Sprintf("the messages have %d tokens or more", prompt), window)
	}
	if !certain(b, f, prompt, window) {
		fewer := withoutOldest(b.Messages)
		if f.hidden > 0 || fewer == nil {
			return 0, tooLong("this version of Ollama would leave some of the messages out without saying so: they may have more tokens", window)
		}
		rest, err := m.count(ctx, b, fewer)
		if err != nil {
			return 0, err
		}
		if rest >= prompt {
			return 0, tooLong("the messages have more tokens", window)
		}
	}
	room := window - prompt
	if limit > 0 {
		room = min(room, limit)
	}
	b.Options["num_predict"] = room
	return prompt, nil
}

// certain reports whether no message can have been left out of a prompt that
// was counted, because even the longest would have fitted in.
func certain(b *chatBody, f facts, prompt, window int) bool {
	longest := 0
	if f.hidden > 0 {
		longest = f.hidden + f.template
	}
	for _, msg := range b.Messages[:len(b.Messages)-1] {
		if len(msg.Images) > 0 {
			return false // an image's tokens have nothing to do with its bytes
		}
		text, err := json.Marshal(msg)
		if err != nil {
			return false
		}
		longest = max(longest, len(text)+f.template*(1+len(msg.ToolCalls)))
	}
	if longest == 0 {
		return true // there is none that could be left out
	}
	for _, t := range b.Tools {
		longest += 2 * len(t) // which a template may write beside a message, in another notation
	}
	return prompt+longest <= window
}

// withoutOldest returns the messages without the one that the server leaves
// out first, or nil where there is none: the first that is not the system's,
// or else the last but one.
func withoutOldest(all []turn) []turn {
	if len(all) < 2 {
		return nil
	}
	i := slices.IndexFunc(all, func(t turn) bool { return t.Role != string(chat.System) })
	if i < 0 || i >= len(all)-1 {
		i = len(all) - 2
	}
	return slices.Delete(slices.Clone(all), i, i+1)
}

// count returns how many tokens of a prompt reached the engine.
func (m *Model) count(ctx context.Context, b *chatBody, messages []turn) (int, error) {
	probe := *b
	probe.Messages, probe.Format = messages, nil
	probe.Options = map[string]any{"num_ctx": b.Options["num_ctx"], "num_predict": 1, "temperature": 0}
	done := false
	for line, err := range m.stream(ctx, "/api/chat", b.Model, &probe, &done) {
		if err != nil {
			return 0, err
		}
		l, err := decode(line)
		if err != nil {
			return 0, err
		}
		if !l.Done {
			continue
		}
		done = true
		if l.PromptEvalCount <= 0 {
			return 0, chat.Errorf(chat.BadBackend, "Ollama did not say how many tokens the messages have, without which this version of it cannot be trusted with them; the operator has to update it")
		}
		return l.PromptEvalCount, nil
	}
	return 0, brokenOff(errNoEnd)
}

// errNoEnd is the cause where a stream ended well on the wire, and no line had
// said that the answer is whole. Ollama does so itself when a model has said
// one token more than thirty times in a row.
var errNoEnd = errors.New("the stream ended without the line that ends an answer; Ollama does so when its engine died or a model repeats one token")
