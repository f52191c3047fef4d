package openaicompat

import (
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"bendi/chat"
	"bendi/openaicompat/wire"
)

// chat answers a chat completions request.
func (s *server) chat(c *gin.Context, x *exchange, rt Route) error {
	defer s.Observer.Enter(rt.Path)()
	x.route, x.operation = rt.Path, "chat"
	c.Header("X-Bendi-Route", rt.Path)
	body, err := s.body(c)
	if err != nil {
		return err
	}
	call, err := wire.DecodeRequest(body)
	if err != nil {
		return err
	}
	req := call.Request
	req.ID, req.Principal = x.id, s.principal(c.Request.Header, x)
	if err := session(c.Request.Header, req); err != nil {
		return err
	}
	if req.Priority, err = s.priority(c.Request.Header, x, rt, req.Extra["priority"]); err != nil {
		return err
	}
	if r, ok := rt.Model.(Resolver); ok {
		if req.Model, err = r.Resolve(req.Model); err != nil {
			return err
		}
		x.model = req.Model // one of ours, and no words of a client's
	}
	x.stream = call.Stream
	head := wire.Head{ID: newID("chatcmpl-"), Model: req.Model, Created: time.Now().Unix()}
	if call.Stream {
		return s.stream(c, x, rt.Model, req, &wire.Stream{Head: head, IncludeUsage: call.IncludeUsage})
	}

	answer := wire.Completion{Head: head}
	for ev, err := range whole(rt.Model.Chat(c.Request.Context(), req), req.N) {
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
	if filter := wire.FilterHeader(answer.Filtered()); filter != "" {
		c.Header(filterHeader, filter)
	}
	return s.json(c, 200, body)
}

// stream answers as server-sent events.
func (s *server) stream(c *gin.Context, x *exchange, m chat.Model, req *chat.Request, format *wire.Stream) error {
	out := s.open(c)
	defer out.close()
	req.Waiting = out.waiting
	for ev, err := range whole(m.Chat(c.Request.Context(), req), req.N) {
		if err != nil {
			return err
		}
		if x.note(ev) {
			out.header("X-Bendi-Backend", x.backend)
			if x.arm != "" {
				out.header(armHeader, x.arm)
			}
		}
		if f := ev.Filtered; f != nil && !f.Answer {
			out.header(filterHeader, wire.FilterHeader(f, nil))
		}
		if frames := format.Frames(ev); len(frames) > 0 {
			if err := out.send(frames); err != nil {
				return err
			}
		}
	}
	return out.send([]byte(wire.Done))
}

// session takes the name of the conversation from the header, for clients that
// cannot set it in the body.
func session(h http.Header, req *chat.Request) error {
	id := h.Get("X-Session-ID")
	switch {
	case id == "" || id == req.Session:
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
	if x.first.IsZero() && (ev.Text != "" || ev.Reasoning != "" || ev.Refusal != "" || ev.ToolCall != nil) {
		x.first = time.Now()
	}
	if ev.Finish != "" && ev.Choice == 0 {
		x.finish = ev.Finish
	}
	if ev.Usage != nil {
		x.usage = *ev.Usage
	}
	x.noteFilter(ev.Filtered)
	if x.backend == "" && ev.Backend != "" {
		x.backend, x.arm, named = ev.Backend, ev.Arm, true
	}
	return named
}
