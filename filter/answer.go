package filter

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"unsafe"

	"bendi/chat"
)

// An answer is the filter at work on the answer to one request.
type answer struct {
	guard  *Guarded
	plan   *plan
	policy *Policy
	about  about
	req    *chat.Request
	ctx    context.Context
	yield  func(chat.Event, error) bool

	json    bool // the content is JSON
	full    bool // nothing goes out before a choice has ended
	choices []*choice
	left    int // choices that have not ended for the client

	begun   bool
	backend string     // to be told with the first event
	arm     string     // likewise
	request tally      // likewise
	usage   chat.Usage // of what was seen, in case that nobody tells
	tokens  *editor    // looks through likely tokens; made when there are some
	gone    bool       // the client has left
}

// A choice is one of the answers that were asked for.
type choice struct {
	index     int
	reasoning *strand
	content   *strand
	refusal   *strand
	calls     []*call
	args      *strand // of the call that was written to last

	tally    tally
	logs     []logs
	tokens   *editor      // looks through the tokens that log probabilities name; made when there are some
	queue    []chat.Event // what waits for the end of the choice
	queued   int          // about how many bytes that is
	labelled bool
	spoke    bool   // some of its content is out, or in the queue
	over     bool   // its model has ended it
	stopped  string // by which stop string
	ended    bool   // the client was told of the end
	said     said   // for a second opinion
}

// A call is a tool call that a choice makes.
type call struct {
	id, name string
	args     *strand
}

// Bounds of what a backend can make us keep.
const (
	mostCalls = 1024
	mostName  = 1024 // bytes of a call's name, and of its id

	mostQueued = 64 << 20 // bytes of a choice that waits for its end
)

func (a *answer) choice(i int) *choice {
	for len(a.choices) <= i {
		a.choices = append(a.choices, nil)
	}
	if a.choices[i] == nil {
		a.choices[i] = &choice{index: i}
	}
	return a.choices[i]
}

// strand returns a strand for a text of c.
func (a *answer) strand(c *choice, path string, json bool) *strand {
	s := &strand{choice: c}
	s.bench = bench{plan: a.plan, direction: Answer, tell: func(o outcome, text []byte) {
		o.start, o.end = max(0, o.start-s.given), o.end-s.given
		a.note(s.choice, s.choice.field(s), o, text)
	}}
	a.plan.start(&s.editor, &s.bench)
	if a.policy.Buffer == SentenceBuffer {
		s.gate = new(gate)
	}
	if json {
		s.json = newLexer(path != contentPath)
	} else if path == contentPath {
		s.follow(tailOf(given(a.req), seamReach))
	}
	if a.asks(SentenceOpinion) {
		var said strings.Builder
		s.gate = &gate{}
		s.gate.ask = func(sentence string) bool {
			said.WriteString(sentence)
			return a.passes(c, path, said.String())
		}
	}
	return s
}

// given returns the text that an answer goes on with.
func given(req *chat.Request) string {
	n := len(req.Messages)
	switch {
	case req.Prompt != nil:
		return req.Prompt.Text
	case req.Continue && n > 0:
		return req.Messages[n-1].Text()
	}
	return ""
}

// Names of an answer's texts, behind that of its choice.
const (
	contentPath   = "content"
	reasoningPath = "reasoning_content"
	refusalPath   = "refusal"
)

func argumentsPath(call int) string {
	return "tool_calls[" + strconv.Itoa(call) + "].function.arguments"
}

// field names one of the texts of c.
func (c *choice) field(s *strand) string {
	switch s {
	case c.content:
		return contentPath
	case c.reasoning:
		return reasoningPath
	case c.refusal:
		return refusalPath
	}
	return argumentsPath(slices.IndexFunc(c.calls, func(cl *call) bool { return cl != nil && cl.args == s }))
}

// bench returns the judge of a text of c.
func (a *answer) bench(c *choice, path string) *bench {
	return &bench{plan: a.plan, direction: Answer, tell: func(o outcome, text []byte) { a.note(c, path, o, text) }}
}

// note keeps what was done about a hit, and tells whoever observes.
func (a *answer) note(c *choice, path string, o outcome, text []byte) {
	r := &a.plan.rules.rules[o.rule]
	c.tally.add(r, o.action)
	if a.guard.Observe != nil {
		a.guard.observe(a.plan, a.about, Finding{
			Rule: r.ID, Category: r.Category, Level: r.Level, Risk: r.Risk, Form: o.form, Action: o.action,
			Direction: Answer, Field: c.path(path), Choice: c.index, Start: o.start, End: o.end, Across: o.across,
		}, string(text))
	}
}

func (c *choice) path(field string) string {
	return "choices[" + strconv.Itoa(c.index) + "].message." + field
}

// take filters an event and passes on what is to go out.
func (a *answer) take(ev chat.Event) error {
	if ev.Choice < 0 || ev.Choice >= max(a.req.N, 1) {
		return chat.Errorf(chat.BadBackend, "The backend answered choice %d of a request for %d.", ev.Choice+1, max(a.req.N, 1))
	}
	c := a.choice(ev.Choice)
	if ev.Backend != "" && !a.begun {
		a.backend, a.arm = ev.Backend, ev.Arm
	}
	a.count(&ev)
	c.over = c.over || ev.Finish != ""
	c.stopped = ev.Stopped
	if c.ended {
		if ev.Usage != nil {
			a.emit(chat.Event{Choice: c.index, Usage: ev.Usage, Backend: ev.Backend, Arm: ev.Arm})
		}
		return nil
	}

	out, blocked := ev, false
	out.Finish, out.Stopped, out.Usage, out.Restored, out.Filtered = "", "", nil, nil, nil
	if f := ev.Filtered; f != nil && f.Answer {
		c.tally.merge(f)
	} else if f != nil && !a.begun {
		a.request.merge(f) // of a filter behind us, such as that of another house
	}
	text, reasoning := len(ev.Text), len(ev.Reasoning)
	a.write(c, &c.reasoning, reasoningPath, &out.Reasoning, &blocked, ev.Restored, text)
	a.write(c, &c.content, contentPath, &out.Text, &blocked, ev.Restored, 0)
	a.write(c, &c.refusal, refusalPath, &out.Refusal, &blocked, ev.Restored, text+reasoning)
	if ev.ToolCall != nil {
		var err error
		if out.ToolCall, err = a.tool(c, ev.ToolCall, &blocked, ev.Restored, text+reasoning+len(ev.Refusal)); err != nil {
			return err
		}
	}
	if len(ev.LogProbs) > 0 || len(c.logs) > 0 {
		a.logs(c, &out)
	}
	if !silent(&out) || silent(&ev) && ev.Finish == "" && ev.Usage == nil {
		a.send(c, out)
	}
	if c.queued > mostQueued {
		return chat.Errorf(chat.BadBackend, "The answer was broken off: the content filter keeps it until its end, and it grew beyond %d MB. Ask for a shorter one.", mostQueued>>20)
	}
	switch {
	case blocked:
		a.end(c, true, "", ev.Usage)
	case ev.Finish != "":
		a.end(c, false, ev.Finish, ev.Usage)
	case ev.Usage != nil:
		a.emit(chat.Event{Choice: c.index, Usage: ev.Usage})
	}
	return nil
}

// write has a piece of one of c's texts filtered, unless the choice is blocked
// already.
func (a *answer) write(c *choice, s **strand, path string, piece *string, blocked *bool, restored []chat.Stretch, at int) {
	switch {
	case *piece == "":
	case *blocked:
		*piece = ""
	default:
		if *s == nil {
			*s = a.strand(c, path, a.json && path == contentPath)
		}
		*piece = a.pass(*s, *piece, restored, at)
		*blocked = (*s).blocked
	}
}

// pass has a piece of a strand filtered, which begins at an offset of what the
// stretches are of.
func (a *answer) pass(s *strand, piece string, restored []chat.Stretch, at int) string {
	s.spare(restored, at, len(piece))
	text := s.write(piece, false)
	if a.guard.Held != nil {
		a.guard.Held(s.held())
	}
	return text
}

// tool filters a piece of a tool call.
func (a *answer) tool(c *choice, d *chat.ToolCallDelta, blocked *bool, restored []chat.Stretch, at int) (*chat.ToolCallDelta, error) {
	if d.Index < 0 || d.Index >= mostCalls {
		return nil, chat.Errorf(chat.BadBackend, "The backend sent a piece of tool call %d; at most %d are taken.", d.Index, mostCalls)
	}
	for len(c.calls) <= d.Index {
		c.calls = append(c.calls, nil)
	}
	cl := c.calls[d.Index]
	if cl == nil {
		cl = new(call)
		c.calls[d.Index] = cl
	}
	path := "tool_calls[" + strconv.Itoa(d.Index) + "]"
	if err := a.name(c, path+".id", &cl.id, d.ID, true, blocked); err != nil {
		return nil, err
	}
	if err := a.name(c, path+".function.name", &cl.name, d.Name, false, blocked); err != nil {
		return nil, err
	}
	if *blocked {
		return nil, nil
	}
	if d.Arguments == "" {
		return d, nil
	}
	if cl.args == nil {
		cl.args = a.strand(c, argumentsPath(d.Index), true)
	}
	c.args = cl.args
	args := a.pass(cl.args, d.Arguments, restored, at)
	*blocked = cl.args.blocked
	switch {
	case len(args) == len(d.Arguments) && args == d.Arguments:
		return d, nil
	case args == "" && d.ID == "" && d.Name == "":
		return nil, nil
	}
	return &chat.ToolCallDelta{Index: d.Index, ID: d.ID, Name: d.Name, Arguments: args}, nil
}

// name adds a piece to a name, which cannot be rewritten, and looks through it.
// It comes in one piece, or some backends repeat it.
func (a *answer) name(c *choice, path string, name *string, piece string, id bool, blocked *bool) error {
	if *blocked || piece == "" || piece == *name {
		return nil
	}
	if *name += piece; len(*name) > mostName {
		return chat.Errorf(chat.BadBackend, "The backend sent a tool call whose id or name has %d bytes; at most %d are taken.", len(*name), mostName)
	}
	b := a.bench(c, path)
	b.lenient = id
	e := a.plan.editor(b)
	e.rigid = true
	e.write(*name, true)
	*blocked = e.blocked
	return nil
}

// silent reports whether an event says nothing, its end and the usage apart.
func silent(ev *chat.Event) bool {
	return ev.Text == "" && ev.Reasoning == "" && ev.Refusal == "" && ev.ToolCall == nil && len(ev.LogProbs) == 0
}

// count counts what a backend says as its tokens, which it may not live to
// tell.
func (a *answer) count(ev *chat.Event) {
	if silent(ev) {
		return
	}
	n := max(1, len(ev.LogProbs))
	a.usage.CompletionTokens += n
	if ev.Reasoning != "" {
		a.usage.ReasoningTokens += n
	}
}

// altered reports whether some of c is not what its model said.
func (c *choice) altered() bool {
	for s := range c.strands {
		if s.altered {
			return true
		}
	}
	return c.tokens != nil && c.tokens.altered
}

// strands yields the texts of c, in the order that clients expect them in.
func (c *choice) strands(yield func(*strand, func(*chat.Event, string)) bool) {
	for _, s := range []struct {
		*strand
		put func(*chat.Event, string)
	}{
		{c.reasoning, func(ev *chat.Event, s string) { ev.Reasoning = s }},
		{c.content, func(ev *chat.Event, s string) { ev.Text = s }},
		{c.refusal, func(ev *chat.Event, s string) { ev.Refusal = s }},
	} {
		if s.strand != nil && !yield(s.strand, s.put) {
			return
		}
	}
	for i, cl := range c.calls {
		put := func(ev *chat.Event, s string) { ev.ToolCall = &chat.ToolCallDelta{Index: i, Arguments: s} }
		if cl != nil && cl.args != nil && !yield(cl.args, put) {
			return
		}
	}
}

// end ends a choice. What is held goes out before its end, unless it is blocked:
// then nobody knows what would have become of it.
func (a *answer) end(c *choice, blocked bool, finish chat.Finish, usage *chat.Usage) {
	if !blocked {
		blocked = a.flush(c)
	}
	switch {
	case blocked:
	case a.asks(FullOpinion):
		blocked = !a.passes(c, contentPath, c.said.String())
	case a.asks(Observe):
		a.watch(c, contentPath, c.said.String())
	}
	if blocked {
		finish, c.stopped, c.queue, c.spoke = chat.ContentFilter, "", nil, c.spoke && !a.full
		if a.policy.Notice != "" && !a.json {
			a.emit(chat.Event{Choice: c.index, Text: a.policy.Notice})
		}
	}
	for _, ev := range c.queue {
		a.emit(ev)
	}
	c.queue = nil
	if l := &a.policy.Label; l.Text != "" && l.End && c.spoke && !a.json && len(c.calls) == 0 {
		a.emit(chat.Event{Choice: c.index, Text: l.Text})
	}
	c.ended = true
	a.left--
	a.emit(chat.Event{Choice: c.index, Finish: finish, Stopped: c.stopped, Usage: usage, Filtered: c.tally.filtered(a.policy, true)})
}

// flush lets go of what is held of a choice, and reports whether that blocks.
func (a *answer) flush(c *choice) (blocked bool) {
	if c.tokens != nil {
		c.tokens.write("", true)
	}
	for s, put := range c.strands {
		out := chat.Event{Choice: c.index}
		if text := s.write("", true); text != "" {
			put(&out, text)
			a.logs(c, &out)
			a.send(c, out)
		}
		if s.blocked {
			return true
		}
	}
	if out := (chat.Event{Choice: c.index}); len(c.logs) > 0 {
		if a.logs(c, &out); !silent(&out) {
			a.send(c, out)
		}
	}
	return false
}

// send passes on an event of c, at once or when the choice has ended.
func (a *answer) send(c *choice, ev chat.Event) {
	if ev.Text != "" {
		c.spoke = true
		if l := &a.policy.Label; !c.labelled && l.Text != "" && !l.End && !a.json {
			ev.Text = l.Text + ev.Text
		}
		c.labelled = true
	}
	if a.asks(FullOpinion) || a.asks(Observe) {
		c.said.add(&ev)
	}
	if a.full {
		c.keep(ev)
		return
	}
	a.emit(ev)
}

// keep queues an event. Pieces of one text become one.
func (c *choice) keep(ev chat.Event) {
	size := len(ev.Text) + len(ev.Reasoning)
	if n := len(c.queue); n > 0 && isPlain(&ev) {
		was := &c.queue[n-1]
		sum := len(was.Text) + len(was.Reasoning) + size
		if isPlain(was) && sum <= 1024 && (sum == len(was.Text)+len(ev.Text) || sum == len(was.Reasoning)+len(ev.Reasoning)) {
			was.Text += ev.Text
			was.Reasoning += ev.Reasoning
			c.queued += size
			return
		}
	}
	if ev.ToolCall != nil {
		size += len(ev.ToolCall.Arguments)
	}
	c.queue = append(c.queue, ev)
	c.queued += size + len(ev.Refusal) + int(unsafe.Sizeof(ev))*(1+len(ev.LogProbs))
}

// isPlain reports whether an event has nothing but content and reasoning.
func isPlain(ev *chat.Event) bool {
	return ev.Refusal == "" && ev.ToolCall == nil && ev.LogProbs == nil && ev.Finish == "" && ev.Usage == nil && ev.Filtered == nil &&
		ev.AIGC == nil && ev.Restored == nil && ev.Backend == "" && ev.Arm == ""
}

// emit passes an event on. The first tells who answers, and what was found in
// the request.
func (a *answer) emit(ev chat.Event) {
	if a.gone {
		return
	}
	if !a.begun {
		a.begun = true
		if ev.Backend == "" {
			ev.Backend, ev.Arm = a.backend, a.arm
		}
		switch request := a.request.filtered(a.policy, false); {
		case request == nil:
		case ev.Choice == 0 && ev.Filtered == nil:
			ev.Filtered = request
		default:
			if !a.yield(chat.Event{Filtered: request, Backend: ev.Backend, Arm: ev.Arm}, nil) {
				a.gone = true
				return
			}
		}
	}
	if ev.Usage != nil && a.policy.Label.Metadata {
		ev.AIGC = a.policy.Label.mark(a.about.id)
	}
	a.gone = !a.yield(ev, nil)
}
