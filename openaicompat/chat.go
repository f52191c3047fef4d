package openaicompat

import (
	"context"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"bendi/chat"
	"bendi/openaicompat/responses"
	"bendi/openaicompat/wire"
)

// ask answers requests of a protocol.
func (s *server) ask(p *protocol, rt Route) handler {
	return func(c *gin.Context, x *exchange) error {
		defer s.Observer.Enter(rt.Path)()
		x.operation = p.operation
		body, err := s.begin(c, x, rt)
		if err != nil {
			return err
		}
		return s.answer(c, x, rt, p, body)
	}
}

// askEither answers requests of the protocols that share a path.
func (s *server) askEither(rt Route) handler {
	chat, text := chats(), texts()
	return func(c *gin.Context, x *exchange) error {
		defer s.Observer.Enter(rt.Path)()
		x.operation = chat.operation
		body, err := s.begin(c, x, rt)
		if err != nil {
			return err
		}
		p := chat
		if isText(body) {
			p = text
		}
		x.operation = p.operation
		return s.answer(c, x, rt, p, body)
	}
}

// answer has the model of a route answer a body, and tells the answer.
func (s *server) answer(c *gin.Context, x *exchange, rt Route, p *protocol, body []byte) error {
	call, err := p.read(body)
	if err != nil {
		return err
	}
	head, n, err := s.address(c, x, rt, p, call)
	if err != nil {
		return err
	}
	x.stream = call.stream
	var most, prompt int64
	if s.Limits != nil {
		most, prompt = bound(rt, call.requests, len(body))
	}
	done, err := s.reserve(c, x, rt, most, prompt)
	if err != nil {
		return err
	}
	defer done()
	told := telling{Head: head}
	if call.echo {
		if told.echo, err = echoes(c.Request.Context(), rt.Model, call.requests); err != nil {
			return err
		}
	}
	if call.stream {
		return s.stream(c, x, rt.Model, call, p, n, call.frames(told))
	}
	for _, req := range call.requests {
		req.Whole = true
	}
	answer := call.whole(told)
	for ev, err := range held(several(c.Request.Context(), rt.Model, call.requests), n) {
		if err != nil {
			return err
		}
		x.note(ev)
		answer.Add(ev)
	}
	if body, err = answer.Encode(); err != nil {
		return err
	}
	c.Header("X-Bendi-Backend", x.backend)
	if x.arm != "" {
		c.Header(armHeader, x.arm)
	}
	if session := wire.SessionHeader(x.memory); session != "" {
		c.Header(sessionHeader, session)
	}
	if filter := wire.FilterHeader(answer.Filtered()); filter != "" {
		c.Header(filterHeader, filter)
	}
	return s.json(c, 200, body)
}

// address tells the requests of a call who asks, and which model is meant. It
// returns what the answer says about itself, and how many choices it has.
func (s *server) address(c *gin.Context, x *exchange, rt Route, p *protocol, call *call) (head wire.Head, n int, err error) {
	head = wire.Head{ID: call.id, Created: time.Now().Unix()}
	if call.id == "" {
		head.ID = newID(p.prefix)
	}
	for _, req := range call.requests {
		req.ID, req.AnswerID, req.Principal = x.id, head.ID, s.principal(c.Request.Header, x)
		req.Inside = req.Inside || x.who.Inside
		if err := session(c.Request.Header, req); err != nil {
			return head, 0, err
		}
		x.answerID, x.session = head.ID, req.Session
		if req.Priority, err = s.priority(c.Request.Header, x, rt, req.Extra["priority"]); err != nil {
			return head, 0, err
		}
		if req.Model, err = x.resolve(rt, req.Model); err != nil {
			return head, 0, err
		}
		head.Model = req.Model
		n += req.N
	}
	return head, n, nil
}

// echoes returns what each choice begins with: its prompt.
func echoes(ctx context.Context, m chat.Model, reqs []*chat.Request) ([]string, error) {
	var all []string
	for _, req := range reqs {
		text := req.Prompt.Text
		if req.Prompt.Tokens != nil {
			out, err := chat.Detokenize(ctx, m, &chat.DetokenizeRequest{ID: req.ID, Model: req.Model, Tokens: req.Prompt.Tokens, Special: true})
			if err != nil {
				return nil, err
			}
			text = out.Text
		}
		for range req.N {
			all = append(all, text)
		}
	}
	return all, nil
}

// stream answers as server-sent events.
func (s *server) stream(c *gin.Context, x *exchange, m chat.Model, call *call, p *protocol, n int, frames func(chat.Event) ([]byte, error)) error {
	x.failure = call.failure
	out := s.open(c, p.ping)
	defer out.close()
	for _, req := range call.requests {
		req.Waiting = out.waiting
	}
	if len(call.requests) == 1 { // of several, each would be in a goroutine of its own
		call.requests[0].Burst = out.between
	}
	for ev, err := range held(several(c.Request.Context(), m, call.requests), n) {
		if err != nil {
			return err
		}
		if x.note(ev) {
			out.header("X-Bendi-Backend", x.backend)
			if x.arm != "" {
				out.header(armHeader, x.arm)
			}
		}
		if ev.Memory != nil {
			out.header(sessionHeader, wire.SessionHeader(ev.Memory))
		}
		if f := ev.Filtered; f != nil && !f.Answer {
			out.header(filterHeader, wire.FilterHeader(f, nil))
		}
		told, err := frames(ev)
		if err != nil {
			return err
		}
		if len(told) > 0 {
			if err := out.send(told); err != nil {
				return err
			}
		}
	}
	if p.done == "" {
		return nil
	}
	return out.send([]byte(p.done))
}

// session takes the name of the conversation from the header, for clients that
// cannot set it in the body.
func session(h http.Header, req *chat.Request) error {
	id := h.Get("X-Session-ID")
	if req.Turn == nil && (responses.IsSession(id) || responses.IsSession(req.Session)) {
		return chat.BadParam("session_id", "'session_id' names what is kept of responses: go on with it by 'previous_response_id' or 'conversation' at /v1/responses.")
	}
	switch {
	case id == "" || id == req.Session || req.Turn != nil: // a turn that is named has its session
	case req.Session != "":
		return chat.BadParam("session_id", "'session_id' and the header X-Session-ID name two sessions; send one of them.")
	case !wire.SaneSession(id):
		return chat.BadParam("session_id", "The header X-Session-ID must be at most %d of the letters, digits and -_.:@ and have no other character.", wire.MaxSession)
	default:
		req.Session = id
	}
	return nil
}

// armHeader tells which arm of an experiment answered, as "experiment/arm".
const armHeader = "X-Bendi-Arm"

// filterHeader tells what the filter did, and never a word.
const filterHeader = "X-Bendi-Filter"

func (x *exchange) noteFilter(f *chat.Filtered) {
	switch {
	case f == nil:
	case f.Answer:
		x.answer = f
	default:
		x.request = f
	}
}

// note keeps what the log tells about an answer. It reports whether ev was the
// first to say who answers.
func (x *exchange) note(ev chat.Event) (named bool) {
	if ev.Text != "" || ev.Reasoning != "" || ev.Refusal != "" || ev.ToolCall != nil {
		if x.pieces++; x.first.IsZero() {
			x.first = time.Now()
		}
	}
	if ev.Finish != "" && ev.Choice == 0 {
		x.finish = ev.Finish
	}
	if ev.Usage != nil {
		x.usage = *ev.Usage
		if x.settle != nil {
			x.settle()
		}
	}
	x.noteFilter(ev.Filtered)
	if ev.Memory != nil {
		x.memory = ev.Memory
	}
	if x.backend == "" && ev.Backend != "" {
		x.backend, x.arm, named = ev.Backend, ev.Arm, true
	}
	return named
}
