package wire

import (
	"encoding/json"

	"bendi/chat"
)

// maxTokens is more than any answer has. Sums of such numbers do not overflow.
const maxTokens = 1 << 40

// UnmarshalJSON reads what a server says was used. Where that cannot be meant,
// the usage is unknown: it must neither end an answer that is whole nor be
// booked.
func (u *usageBody) UnmarshalJSON(data []byte) error {
	type plain usageBody // without this method
	u.check(json.Unmarshal(data, (*plain)(u)))
	return nil
}

// check looks at what was read.
func (u *usageBody) check(err error) {
	u.unknown = err != nil || u.Completion < 0 || u.Completion > maxTokens
	for _, n := range [...]*int{&u.Prompt, &u.PromptDetails.Cached, &u.Details.Reasoning} {
		if *n = max(*n, 0); *n > maxTokens {
			u.unknown = true
		}
	}
}

// appendTo appends the event with the usage, where that is known.
func (u *usageBody) appendTo(events []chat.Event) []chat.Event {
	if u == nil || u.unknown {
		return events
	}
	return append(events, chat.Event{Usage: &chat.Usage{
		PromptTokens:     u.Prompt,
		CachedTokens:     u.PromptDetails.Cached,
		CompletionTokens: u.Completion,
		ReasoningTokens:  u.Details.Reasoning,
	}})
}

// usage reads the usage where it has the common shape, as encoding/json would
// (see FuzzScanUsage).
func (s *scan) usage(u *usageBody) bool {
	ok := s.fields(func(key []byte) bool {
		switch string(key) {
		case "prompt_tokens":
			return s.count(&u.Prompt)
		case "completion_tokens":
			return s.count(&u.Completion)
		case "total_tokens":
			return s.count(&u.Total)
		case "prompt_tokens_details":
			return s.null() || s.detail("cached_tokens", &u.PromptDetails.Cached)
		case "completion_tokens_details":
			return s.null() || s.detail("reasoning_tokens", &u.Details.Reasoning)
		}
		return s.skip(0)
	})
	u.check(nil)
	return ok
}

// detail reads the one count of an object that matters.
func (s *scan) detail(name string, to *int) bool {
	return s.fields(func(key []byte) bool {
		if string(key) == name {
			return s.count(to)
		}
		return s.skip(0)
	})
}

// count reads a whole number that is not below 0, or null, which changes nothing.
func (s *scan) count(to *int) bool {
	if s.null() {
		return true
	}
	from, n := s.i, 0
	for s.i < len(s.b) && s.b[s.i] >= '0' && s.b[s.i] <= '9' && s.i < from+15 {
		n = n*10 + int(s.b[s.i]-'0')
		s.i++
	}
	digits := s.i - from
	*to = n
	return digits > 0 && digits < 15 && (digits == 1 || s.b[from] != '0') && !s.at('.') && !s.at('e') && !s.at('E')
}
