package wire

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"bendi/chat"
)

// A TextStream writes what goes on with prompts as server-sent events. It serves
// one answer and one goroutine.
type TextStream struct {
	Head
	IncludeUsage bool
	Echo         []string // by choice: what its text begins with; nil: nothing

	choices textChoices
	prompt  []promptResults // what the next chunk tells of the request
}

type textChoices []*textState

func (cs *textChoices) at(i int) *textState {
	for len(*cs) <= i {
		*cs = append(*cs, &textState{})
	}
	return (*cs)[i]
}

// textState is what is known of a choice on its way.
type textState struct {
	begun  bool
	offset int             // runes of the text so far
	found  *chat.Filtered  // what its next chunk tells of the filter
	text   strings.Builder // of a whole answer
	logs   textLogs
	end    chat.Event
}

// Frames returns the frames that tell ev, which may be none.
func (s *TextStream) Frames(ev chat.Event) []byte {
	c := s.choices.at(ev.Choice)
	s.note(c, ev)
	var out []byte
	text := ev.Text + ev.Refusal
	if !c.begun && (text != "" || ev.LogProbs != nil || ev.Finish != "") {
		text = s.begin(c, ev.Choice) + text
	}
	if text != "" || ev.LogProbs != nil {
		out = s.chunk(out, ev, textChoice{Index: ev.Choice, Text: text, LogProbs: c.log(text, ev.LogProbs), Results: c.results()})
	}
	if ev.Finish != "" {
		out = s.chunk(out, ev, textChoice{Index: ev.Choice, Finish: &ev.Finish, Stopped: ev.Stopped, Results: c.results()})
	}
	if ev.Usage != nil && s.IncludeUsage {
		usage, _ := marshal(usageOf(*ev.Usage)) // integers always marshal
		out = s.write(out, textBody{Choices: []textChoice{}, AIGC: ev.AIGC, Usage: usage})
	} else if ev.AIGC != nil && ev.Finish == "" {
		out = s.chunk(out, ev, textChoice{Index: ev.Choice})
	}
	return out
}

// begin returns what the text of a choice begins with.
func (s *TextStream) begin(c *textState, i int) string {
	c.begun = true
	if i < len(s.Echo) {
		return s.Echo[i]
	}
	return ""
}

func (s *TextStream) note(c *textState, ev chat.Event) {
	switch f := ev.Filtered; {
	case f == nil || !f.Show:
	case f.Answer:
		c.found = f
	default:
		s.prompt = promptResultsOf(f)
	}
}

func (c *textState) results() filterResults {
	r := resultsOf(c.found)
	c.found = nil
	return r
}

func (s *TextStream) chunk(out []byte, ev chat.Event, c textChoice) []byte {
	b := textBody{Choices: []textChoice{c}}
	if ev.Usage == nil || !s.IncludeUsage {
		b.AIGC = ev.AIGC
	}
	if s.IncludeUsage {
		b.Usage = null
	}
	return s.write(out, b)
}

func (s *TextStream) write(out []byte, b textBody) []byte {
	b.ID, b.Object, b.Created, b.Model, b.Prompt = s.ID, textObject, s.Created, s.Model, s.prompt
	s.prompt = nil
	text, _ := marshal(b) // nothing in it fails
	out = append(append(out, "data: "...), text...)
	return append(out, "\n\n"...)
}

const textObject = "text_completion"

// A TextCompletion adds up the same events to one body.
type TextCompletion struct {
	Head
	Echo []string // as of a TextStream

	choices textChoices
	usage   chat.Usage
	aigc    *chat.AIGC
	prompt  *chat.Filtered
}

// Add takes the next event.
func (t *TextCompletion) Add(ev chat.Event) {
	c := t.choices.at(ev.Choice)
	text := ev.Text + ev.Refusal
	if logs := c.log(text, ev.LogProbs); logs != nil {
		c.logs.add(logs)
	}
	c.text.WriteString(text)
	if ev.Finish != "" {
		c.end = ev
	}
	if ev.Usage != nil {
		t.usage = *ev.Usage
	}
	t.aigc = cmp.Or(ev.AIGC, t.aigc)
	switch f := ev.Filtered; {
	case f == nil:
	case f.Answer:
		c.found = f
	default:
		t.prompt = f
	}
}

// Filtered is as that of a [Completion].
func (t *TextCompletion) Filtered() (request, answer *chat.Filtered) {
	for _, c := range t.choices {
		answer = stronger(answer, c.found)
	}
	return t.prompt, answer
}

// Encode returns the body of the whole answer.
func (t *TextCompletion) Encode() ([]byte, error) {
	usage, err := marshal(usageOf(t.usage))
	if err != nil {
		return nil, err
	}
	b := textBody{
		ID: t.ID, Object: textObject, Created: t.Created, Model: t.Model,
		Choices: make([]textChoice, len(t.choices)), Prompt: promptResultsOf(t.prompt), AIGC: t.aigc, Usage: usage,
	}
	for i, c := range t.choices {
		text := c.text.String()
		if i < len(t.Echo) {
			text = t.Echo[i] + text
		}
		b.Choices[i] = textChoice{Index: i, Text: text, LogProbs: c.logs.body(), Finish: &c.end.Finish, Stopped: c.end.Stopped, Results: resultsOf(c.found)}
	}
	return marshal(b)
}

type textBody struct {
	ID      string          `json:"id"`
	Object  string          `json:"object"`
	Created int64           `json:"created"`
	Model   string          `json:"model"`
	Choices []textChoice    `json:"choices"`
	Prompt  []promptResults `json:"prompt_filter_results,omitempty"`
	AIGC    *chat.AIGC      `json:"AIGC,omitempty"`
	Usage   json.RawMessage `json:"usage,omitempty"`
}

type textChoice struct {
	Index    int           `json:"index"`
	Text     string        `json:"text"`
	LogProbs *textLogs     `json:"logprobs"`
	Finish   *chat.Finish  `json:"finish_reason"`
	Stopped  string        `json:"stop_reason,omitempty"`
	Results  filterResults `json:"content_filter_results,omitempty"`
}

// textLogs are the log probabilities of tokens, in the form that they had before
// chats.
type textLogs struct {
	Tokens  []string             `json:"tokens"`
	Logs    []*float64           `json:"token_logprobs"`
	Top     []map[string]float64 `json:"top_logprobs"` // null where none were asked for
	Offsets []int                `json:"text_offset"`  // in runes, from the beginning of the text
}

func (l *textLogs) add(more *textLogs) {
	l.Tokens, l.Logs, l.Offsets = append(l.Tokens, more.Tokens...), append(l.Logs, more.Logs...), append(l.Offsets, more.Offsets...)
	l.Top = append(l.Top, more.Top...)
}

func (l *textLogs) body() *textLogs {
	if l.Tokens == nil {
		return nil
	}
	return l
}

// log returns the log probabilities that go with a text.
func (c *textState) log(text string, tokens []chat.TokenLogProbs) *textLogs {
	if len(tokens) == 0 {
		return nil
	}
	l := &textLogs{}
	for _, t := range tokens {
		l.Tokens, l.Logs, l.Offsets = append(l.Tokens, t.Token), append(l.Logs, &t.LogProb), append(l.Offsets, c.offset)
		c.offset += utf8.RuneCountInString(t.Token)
		if len(t.Top) == 0 {
			continue
		}
		top := map[string]float64{}
		for _, o := range slices.Backward(t.Top) { // of two that are written alike, the likelier
			top[o.Token] = o.LogProb
		}
		l.Top = append(l.Top, top)
	}
	return l
}

// tokens is the other way round.
func (l *textLogs) tokens() []chat.TokenLogProbs {
	if l == nil {
		return nil
	}
	var out []chat.TokenLogProbs
	for i, token := range l.Tokens {
		t := chat.TokenLogProbs{TokenLogProb: chat.TokenLogProb{Token: token, Bytes: []byte(token)}}
		if i < len(l.Logs) && l.Logs[i] != nil {
			t.LogProb = *l.Logs[i]
		}
		if i < len(l.Top) {
			for _, other := range slices.Sorted(maps.Keys(l.Top[i])) {
				t.Top = append(t.Top, chat.TokenLogProb{Token: other, Bytes: []byte(other), LogProb: l.Top[i][other]})
			}
			slices.SortStableFunc(t.Top, func(a, b chat.TokenLogProb) int { return cmp.Compare(b.LogProb, a.LogProb) })
		}
		out = append(out, t)
	}
	return out
}

// AppendTextChunk is [Chunks.Append] for what goes on with a prompt.
func AppendTextChunk(events []chat.Event, data []byte) ([]chat.Event, error) {
	type textPiece struct {
		choiceEnd
		Text     string    `json:"text"`
		LogProbs *textLogs `json:"logprobs"`
	}
	choices, usage, err := readChunk[textPiece](data, "a text")
	if err != nil {
		return nil, err
	}
	for i := range choices {
		c := &choices[i]
		if err := c.check(); err != nil {
			return nil, err
		}
		if logs := c.LogProbs.tokens(); c.Text != "" || logs != nil {
			events = append(events, chat.Event{Choice: c.Index, Text: c.Text, LogProbs: logs})
		}
		if events, err = c.appendTo(events); err != nil {
			return nil, err
		}
	}
	return usage.appendTo(events), nil
}
