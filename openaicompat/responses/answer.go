package responses

import (
	"strings"
	"time"

	"bendi/chat"
	"bendi/openaicompat/wire"
)

// An answer is the items of a response, as far as they have come. The streamed
// and the whole answer are made of the same, and the stream tells each step.
//
// Reasoning and messages end where another item begins. Calls may grow side by
// side, and end with the answer.
type answer struct {
	head wire.Head
	call *Call
	id   ID
	tell func(event) // nil: nobody listens

	items  []*item
	counts map[string]int // items so far, by prefix
	finish chat.Finish
	usage  *chat.Usage
	ended  time.Time
	aigc   *chat.AIGC
	lost   bool // it could not be kept

	request, found *chat.Filtered
}

// An item is one that grows.
type item struct {
	kind   string // as on the wire
	id     string
	index  int
	status string

	parts []*part // of a message, or one of reasoning

	call                    int // index of a call
	callID, namespace, name string
	arguments               strings.Builder
}

// A part is a text that grows.
type part struct {
	refusal bool
	text    strings.Builder
	logs    []logBody
}

// add takes the next event.
func (a *answer) add(ev chat.Event) {
	if ev.Reasoning != "" {
		a.grow(a.last(reasoningKind, reasoningPrefix), false, ev.Reasoning, nil)
	}
	if ev.Text != "" || len(ev.LogProbs) > 0 {
		a.grow(a.last(messageKind, messagePrefix), false, ev.Text, ev.LogProbs)
	}
	if ev.Refusal != "" {
		a.grow(a.last(messageKind, messagePrefix), true, ev.Refusal, nil)
	}
	if ev.ToolCall != nil {
		a.growCall(ev.ToolCall)
	}
	if ev.Finish != "" {
		a.finish = ev.Finish
	}
	if ev.AIGC != nil {
		a.aigc = ev.AIGC
	}
	if m := ev.Memory; m != nil && (m.Stateless || m.Lost) {
		a.lost = true
	}
	switch f := ev.Filtered; {
	case f == nil:
	case f.Answer:
		a.found = f
	default:
		a.request = f
	}
	if ev.Usage != nil {
		a.usage, a.ended = ev.Usage, time.Now()
		a.close()
	}
}

// last returns the last item if it is of a kind, and else a new one.
func (a *answer) last(kind, prefix string) *item {
	if n := len(a.items); n > 0 && a.items[n-1].kind == kind {
		return a.items[n-1]
	}
	return a.open(&item{kind: kind}, prefix)
}

// open begins an item, and ends the one before it unless that is a call.
func (a *answer) open(it *item, prefix string) *item {
	if n := len(a.items); n > 0 && a.items[n-1].kind != callKind {
		a.end(a.items[n-1], completed)
	}
	if a.counts == nil {
		a.counts = make(map[string]int)
	}
	it.id, it.index, it.status = a.id.item(prefix, a.counts[prefix]), len(a.items), inProgress
	a.counts[prefix]++
	a.items = append(a.items, it)
	a.say(event{Type: "response.output_item.added", OutputIndex: &it.index, Item: it.body(a.call.summary)})
	return it
}

// grow adds to the text of an item.
func (a *answer) grow(it *item, refusal bool, text string, tokens []chat.TokenLogProbs) {
	n := len(it.parts)
	if n == 0 || it.parts[n-1].refusal != refusal {
		if n > 0 {
			a.endPart(it, n-1)
		}
		it.parts = append(it.parts, &part{refusal: refusal})
		ev := a.about(it, n)
		ev.Type, ev.Part = a.partEvent(it, "added"), it.part(n, a.call.summary)
		a.say(ev)
		n++
	}
	p := it.parts[n-1]
	logs := logsOf(tokens)
	p.text.WriteString(text)
	p.logs = append(p.logs, logs...)
	ev := a.about(it, n-1)
	ev.Type, ev.Delta = a.textEvent(it, p, "delta"), &text
	if it.kind == messageKind && !refusal {
		ev.LogProbs = &logs
	}
	a.say(ev)
}

func (a *answer) growCall(d *chat.ToolCallDelta) {
	var it *item
	for _, have := range a.items {
		if have.kind == callKind && have.call == d.Index {
			it = have
		}
	}
	if it == nil {
		namespace, name := a.call.settings.parted(d.Name)
		it = a.open(&item{kind: callKind, call: d.Index, callID: d.ID, namespace: namespace, name: name}, callPrefix)
	} else {
		it.callID += d.ID
		it.name += d.Name
	}
	if d.Arguments == "" {
		return
	}
	it.arguments.WriteString(d.Arguments)
	a.say(event{Type: "response.function_call_arguments.delta", ItemID: it.id, OutputIndex: &it.index, Delta: &d.Arguments})
}

// close ends the items that have not.
func (a *answer) close() {
	status, _ := statusOf(a.finish)
	for i, it := range a.items {
		if it.status != inProgress {
			continue
		}
		if i == len(a.items)-1 {
			a.end(it, status)
		} else {
			a.end(it, completed)
		}
	}
}

// end ends an item.
func (a *answer) end(it *item, status string) {
	it.status = status
	if it.kind == callKind {
		text := it.arguments.String()
		a.say(event{Type: "response.function_call_arguments.done", ItemID: it.id, OutputIndex: &it.index, Name: it.name, Arguments: &text})
	} else if n := len(it.parts); n > 0 {
		a.endPart(it, n-1)
	}
	a.say(event{Type: "response.output_item.done", OutputIndex: &it.index, Item: it.body(a.call.summary)})
}

// endPart ends a part of an item.
func (a *answer) endPart(it *item, i int) {
	p := it.parts[i]
	text := p.text.String()
	ev := a.about(it, i)
	ev.Type = a.textEvent(it, p, "done")
	if p.refusal {
		ev.Refusal = &text
	} else {
		ev.Text = &text
	}
	if it.kind == messageKind && !p.refusal {
		ev.LogProbs = new(append([]logBody{}, p.logs...))
	}
	a.say(ev)
	ev = a.about(it, i)
	ev.Type, ev.Part = a.partEvent(it, "done"), it.part(i, a.call.summary)
	a.say(ev)
}

// about returns an event about a part of an item.
func (a *answer) about(it *item, i int) event {
	ev := event{ItemID: it.id, OutputIndex: &it.index}
	if it.kind == reasoningKind && a.call.summary {
		ev.SummaryIndex = &i
	} else {
		ev.ContentIndex = &i
	}
	return ev
}

func (a *answer) partEvent(it *item, what string) string {
	if it.kind == reasoningKind && a.call.summary {
		return "response.reasoning_summary_part." + what
	}
	return "response.content_part." + what
}

func (a *answer) textEvent(it *item, p *part, what string) string {
	switch {
	case it.kind == messageKind && p.refusal:
		return "response.refusal." + what
	case it.kind == messageKind:
		return "response.output_text." + what
	case a.call.summary:
		return "response.reasoning_summary_text." + what
	}
	return "response.reasoning_text." + what
}

func (a *answer) say(ev event) {
	if a.tell != nil {
		a.tell(ev)
	}
}

// body is the item as it is now.
func (it *item) body(summary bool) any {
	switch it.kind {
	case callKind:
		return callBody{it.id, callKind, it.status, it.callID, it.namespace, it.name, it.arguments.String()}
	case reasoningKind:
		if len(it.parts) == 0 {
			return reasoningBody{ID: it.id, Type: reasoningKind, Status: it.status, Summary: []any{}}
		}
		return reasoningItem(it.id, it.status, it.parts[0].text.String(), summary)
	}
	b := messageBody{it.id, messageKind, it.status, chat.Assistant, []any{}}
	for i := range it.parts {
		b.Content = append(b.Content, it.part(i, summary))
	}
	return b
}

// part is a part of the item as it is now.
func (it *item) part(i int, summary bool) any {
	p := it.parts[i]
	switch text := p.text.String(); {
	case it.kind == reasoningKind && summary:
		return plainBody{"summary_text", text}
	case it.kind == reasoningKind:
		return plainBody{"reasoning_text", text}
	case p.refusal:
		return refusalBody{"refusal", text}
	default:
		return outputText(text, p.logs)
	}
}

// response is the response as it is now.
func (a *answer) response() *responseBody {
	c := a.call
	b := &responseBody{
		ID: a.head.ID, Object: "response", Created: a.head.Created, Status: inProgress, Model: a.head.Model, Output: []any{},
		Previous: nilOr(c.Previous), Store: c.kept && !a.lost, ServiceTier: "default", settings: c.settings,
	}
	if c.Conversation != "" {
		b.Conversation = &identityBody{c.Conversation}
	}
	for _, it := range a.items {
		b.Output = append(b.Output, it.body(c.summary))
	}
	if a.usage == nil {
		return b
	}
	b.Status, b.Incomplete = statusOf(a.finish)
	if b.Status == completed {
		b.Completed = new(a.ended.Unix())
	}
	b.Usage, b.AIGC = usageOf(*a.usage), a.aigc
	return b
}

// A Response adds up the events of an answer to the one body that a client gets
// who did not ask for a stream.
type Response struct{ answer }

// NewResponse returns what adds up the answer to a call.
func NewResponse(head wire.Head, c *Call) *Response { return &Response{newAnswer(head, c)} }

func newAnswer(head wire.Head, c *Call) answer {
	id, _ := ParseID(head.ID)
	return answer{head: head, call: c, id: id}
}

// Add takes the next event.
func (r *Response) Add(ev chat.Event) { r.add(ev) }

// Filtered returns what the filter did to the request and to the answer; nil
// where it did nothing.
func (r *Response) Filtered() (request, answer *chat.Filtered) { return r.request, r.found }

// Encode returns the body of the whole answer.
func (r *Response) Encode() ([]byte, error) { return wire.Marshal(r.response()), nil }
