package conversation

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"bendi/chat"
)

// talk reads messages: "u:" user, "a:" assistant, "s:" system, "c:" a call of
// the assistant, "t:" its result.
func talk(text string) []chat.Message {
	var all []chat.Message
	for _, word := range strings.Fields(text) {
		kind, rest, _ := strings.Cut(word, ":")
		switch kind {
		case "u":
			all = append(all, chat.TextMessage(chat.User, rest))
		case "a":
			all = append(all, chat.TextMessage(chat.Assistant, rest))
		case "s":
			all = append(all, chat.TextMessage(chat.System, rest))
		case "c":
			all = append(all, chat.Message{Role: chat.Assistant, ToolCalls: []chat.ToolCall{{ID: rest, Name: "f", Arguments: "{}"}}})
		case "t":
			m := chat.TextMessage(chat.ToolRole, "result")
			m.ToolCallID = rest
			all = append(all, m)
		default:
			panic("talk: " + word)
		}
	}
	return all
}

// untalk writes them again.
func untalk(all []chat.Message) string {
	var words []string
	for _, m := range all {
		switch {
		case m.Role == chat.ToolRole:
			words = append(words, "t:"+m.ToolCallID)
		case len(m.ToolCalls) > 0:
			words = append(words, "c:"+m.ToolCalls[0].ID)
		default:
			words = append(words, string(m.Role[:1])+":"+m.Text())
		}
	}
	return strings.Join(words, " ")
}

// sessionOf returns a session of turns, which are apart by "|". The last
// message of each is its output.
func sessionOf(text string) *Session {
	s := &Session{Key: Key{"o", "s"}}
	if text == "" {
		return s
	}
	for part := range strings.SplitSeq(text, "|") {
		all := talk(part)
		t := Turn{ID: fmt.Sprint(len(s.Turns))}
		t.System, all = front(all)
		t.Input, t.Output = all[:len(all)-1], all[len(all)-1:]
		s.Turns = append(s.Turns, t)
	}
	return s
}

func TestMerge(t *testing.T) {
	const history = "s:rules u:1 a:1 | u:2 a:2"
	tests := []struct {
		title, history, request string
		resends                 bool
		want                    string // what the model sees
		keep                    int
		input                   string
	}{
		{"the first turn", "", "s:rules u:1", false, "s:rules u:1", 0, "u:1"},
		{"examples before the first turn", "", "u:x a:y u:1", false, "u:x a:y u:1", 0, "u:x a:y u:1"},
		{"what is new", history, "u:3", false, "s:rules u:1 a:1 u:2 a:2 u:3", 2, "u:3"},
		{"other rules, and what is new", history, "s:other u:3", false, "s:other u:1 a:1 u:2 a:2 u:3", 2, "u:3"},
		{"the first question again, as news", history, "u:1", false, "s:rules u:1 a:1 u:2 a:2 u:1", 2, "u:1"},
		{"all of it", history, "s:rules u:1 a:1 u:2 a:2 u:3", false, "s:rules u:1 a:1 u:2 a:2 u:3", 2, "u:3"},
		{"all of it but the rules", history, "u:1 a:1 u:2 a:2 u:3", false, "s:rules u:1 a:1 u:2 a:2 u:3", 2, "u:3"},
		{"the last of it", history, "u:2 a:2 u:3", false, "s:rules u:1 a:1 u:2 a:2 u:3", 2, "u:3"},
		{"the last answer of it", history, "a:2 u:3", false, "s:rules u:1 a:1 u:2 a:2 u:3", 2, "u:3"},
		{"the last answer once more", history, "u:1 a:1 u:2", false, "s:rules u:1 a:1 u:2", 1, "u:2"},
		{"the last question changed", history, "u:1 a:1 u:other", false, "s:rules u:1 a:1 u:other", 1, "u:other"},
		{"an answer changed", history, "u:1 a:other u:2", false, "s:rules u:1 a:other u:2", 0, "u:1 a:other u:2"},
		{"another conversation", history, "u:x a:y u:z", false, "s:rules u:x a:y u:z", 0, "u:x a:y u:z"},
		{"the first question changed, by one who resends", history, "u:x", true, "s:rules u:x", 0, "u:x"},
		{"the first question again, by one who resends", history, "u:1", true, "s:rules u:1", 0, "u:1"},
		{"results of tools", "u:1 c:k", "t:k", false, "u:1 c:k t:k", 1, "t:k"},
		{"results of tools, with the call", "u:1 c:k", "c:k t:k", false, "u:1 c:k t:k", 1, "t:k"},
		{"results of tools, with all", "u:1 c:k", "u:1 c:k t:k", false, "u:1 c:k t:k", 1, "t:k"},
		{"an answer to go on with", "u:1 a:1", "u:1 a:1", false, "u:1 a:1", 1, ""},
	}
	for _, tt := range tests {
		t.Run(tt.title, func(t *testing.T) {
			s := sessionOf(tt.history)
			s.Resends = tt.resends
			m := merge(s, talk(tt.request))
			if got := untalk(slices.Concat(m.system, m.body)); got != tt.want {
				t.Errorf("the model sees  %s\nwant            %s", got, tt.want)
			}
			if got := untalk(m.input); m.keep != tt.keep || got != tt.input {
				t.Errorf("kept %d turns and added %q, want %d and %q", m.keep, got, tt.keep, tt.input)
			}
		})
	}
}

// Clients that send what is new, that send everything, and that send as much as
// they like of the end, have the model see the same: what a client that keeps
// everything would send.
func FuzzMergeIsWhatAFaithfulClientSends(f *testing.F) {
	for seed := range uint64(20) {
		f.Add(seed, byte(seed))
	}
	f.Fuzz(func(t *testing.T, seed uint64, words byte) {
		r := rand.New(rand.NewPCG(seed, 1))
		word := func() string { return fmt.Sprint(r.IntN(int(words)%5 + 1)) } // few, so that messages repeat
		var s Session
		var whole []chat.Message
		style := r.IntN(3)
		for turn := range 8 {
			var fresh []chat.Message
			if n := len(whole); n > 0 && len(whole[n-1].ToolCalls) > 0 {
				fresh = talk("t:" + whole[n-1].ToolCalls[0].ID)
			} else {
				fresh = talk("u:" + word())
			}
			request := fresh
			switch style {
			case 1:
				request = slices.Concat(whole, fresh)
			case 2: // the end, with an answer, such that it is nowhere else
				from := r.IntN(len(whole) + 1)
				request = slices.Concat(whole[from:], fresh)
				if slices.ContainsFunc(request, isAssistant) && from > 0 && common(whole, request) > 0 {
					request = slices.Concat(whole, fresh) // it begins as the whole does: the whole is meant
				}
			}
			whole = append(whole, fresh...)
			m := merge(&s, request)
			if got := untalk(m.body); got != untalk(whole) {
				t.Fatalf("turn %d, style %d, request %q over %q:\nthe model sees %s\nwant           %s", turn, style, untalk(request), untalk(s.history()), got, untalk(whole))
			}
			answer := talk("a:" + word())
			if r.IntN(4) == 0 {
				answer = talk(fmt.Sprint("c:k", turn))
			}
			whole = append(whole, answer...)
			s.Turns = append(s.Turns[:m.keep:m.keep], Turn{Input: m.input, Output: answer})
			s.Resends = s.Resends || m.resent && style == 1
		}
	})
}

func TestGroupsKeepCallsWithTheirResults(t *testing.T) {
	for text, want := range map[string][]int{
		"u:1 a:1 u:2 a:2":          {0, 2},
		"a:0 u:1 a:1 u:2":          {0, 1, 3},
		"u:1 c:k t:k a:1 u:2":      {0, 4},
		"u:1 c:k u:wait t:k u:2":   {0, 4},
		"u:1 c:never u:2 a:2 u:3":  {0, 2, 4},
		"u:1 s:rule a:1 u:2 s:x a": {0, 3},
	} {
		if got := groups(talk(strings.TrimSuffix(text, " a"))); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", text, got, want)
		}
	}
}

func TestFromKeepsSystemMessages(t *testing.T) {
	rest, left := from(talk("u:1 s:rule a:1 u:2"), 3)
	if untalk(rest) != "s:rule u:2" || left != 2 {
		t.Errorf("%q, %d left out", untalk(rest), left)
	}
}
