package openaicompat

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/gin-gonic/gin"

	"bendi/chat"
	"bendi/openaicompat/responses"
	"bendi/openaicompat/wire"
)

// Turns are the turns of sessions, each session of an owner. A response is one,
// and a conversation is a session.
type Turns interface {
	// Turn returns a turn, or an error of the kind NotFound.
	Turn(ctx context.Context, o Owner, session, turn string) (*responses.Turn, error)
	// Path returns the turns of a session's branch in use and when it began, or
	// an error of the kind NotFound.
	Path(ctx context.Context, o Owner, session string) (turns []responses.Turn, created time.Time, err error)
	// Forget forgets a turn, and reports whether there was one.
	Forget(ctx context.Context, o Owner, session, turn string) (bool, error)
	// Delete forgets a session, and reports whether there was one.
	Delete(ctx context.Context, o Owner, session string) (bool, error)
}

// responses serves the Responses protocol at the base URLs of a route.
func (s *server) responses(rt Route) {
	for _, base := range basesOf(rt) {
		path := base + "/responses"
		s.on(http.MethodPost, s.respond(rt), path, path+"/")
		s.on(http.MethodPost, s.countInput(rt), path+"/input_tokens", path+"/input_tokens/")
		s.on(http.MethodPost, noCompaction, path+"/compact", path+"/compact/")
		if s.Turns == nil {
			continue
		}
		s.on(http.MethodGet, s.kept(s.getResponse), path+"/:id", path+"/:id/")
		s.on(http.MethodDelete, s.kept(s.deleteResponse), path+"/:id", path+"/:id/")
		s.on(http.MethodGet, s.kept(s.listInput), path+"/:id/input_items", path+"/:id/input_items/")
		if rt.Keeps {
			s.conversations(rt, base+"/conversations")
		}
	}
}

// respond answers requests for a response.
func (s *server) respond(rt Route) handler {
	return func(c *gin.Context, x *exchange) error {
		defer s.Observer.Enter(rt.Path)()
		x.operation = "responses"
		body, err := s.begin(c, x, rt)
		if err != nil {
			return err
		}
		p := chats()
		p.operation, p.done = x.operation, "" // the last frame has it
		p.read = func(body []byte) (*call, error) { return s.readResponse(c, x, rt, body) }
		return s.answer(c, x, rt, p, body)
	}
}

func (s *server) readResponse(c *gin.Context, x *exchange, rt Route, body []byte) (*call, error) {
	var found chat.Request // what it has of what it refers to
	in, err := responses.DecodeRequest(body, s.find(c, x, &found))
	if err != nil {
		return nil, err
	}
	in.Request.Classes, in.Request.Inside = found.Classes, found.Inside
	keeps := rt.Keeps && s.Turns != nil
	if cmp.Or(c.GetHeader("X-Session-ID"), in.Request.Session) != "" && in.Previous == "" && in.Conversation == "" {
		keeps, in.Store = false, nil // it is a turn of that session, and no response to be read again
	}
	id, err := in.Place(keeps)
	if err != nil {
		return nil, err
	}
	call := &call{requests: []*chat.Request{in.Request}, stream: in.Stream, id: id.String()}
	call.frames = func(t telling) func(chat.Event) ([]byte, error) {
		stream := responses.NewStream(t.Head, in)
		call.failure = stream.Failure
		return stream.Frames
	}
	call.whole = func(t telling) whole { return responses.NewResponse(t.Head, in) }
	return call, nil
}

// noCompaction tells those who look whether there is compaction that there is
// none.
func noCompaction(_ *gin.Context, x *exchange) error {
	x.operation = "responses"
	return &chat.Error{Kind: chat.NotFound, Msg: "Responses are not compacted here. Send \"truncation\": \"auto\", which leaves the oldest turns out, or begin another conversation."}
}

// find returns what finds the items that a request of whoever asks refers to.
// The classes of data in them are noted. A response is read once, however many of
// its items are named.
func (s *server) find(c *gin.Context, x *exchange, found *chat.Request) responses.Find {
	if s.Turns == nil {
		return nil
	}
	read := make(map[responses.ID]*responses.Turn) // the user is the same for all of a request
	return func(user, item string) (chat.Message, error) {
		id, ok := responses.ParseItemID(item)
		if !ok {
			return chat.Message{}, responses.NoItem()
		}
		turn := read[id]
		if turn != nil {
			return turn.Piece(id.Session, item)
		}
		turn, err := s.Turns.Turn(c.Request.Context(), Owner{s.principal(c.Request.Header, x), user}, id.Session, id.Turn)
		if isNotFound(err) {
			return chat.Message{}, responses.NoItem()
		}
		if err != nil {
			return chat.Message{}, err
		}
		read[id] = turn
		found.Classes = append(found.Classes, turn.Classes...)
		slices.Sort(found.Classes)
		found.Classes = slices.Compact(found.Classes)
		found.Inside = found.Inside || turn.Inside
		return turn.Piece(id.Session, item)
	}
}

// countInput tells how many tokens a model would read.
func (s *server) countInput(rt Route) handler {
	return func(c *gin.Context, x *exchange) error {
		x.operation = "count_tokens"
		answer := once(func(body []byte) (q question[chat.TokenizeRequest, chat.Tokens], err error) {
			var found chat.Request
			req, err := responses.DecodeCount(body, s.find(c, x, &found))
			if err != nil {
				return q, err
			}
			q.req = &chat.TokenizeRequest{Model: req.Model, Chat: req, Classes: found.Classes, Inside: found.Inside}
			q.id, q.model, q.inside = &q.req.ID, &q.req.Model, &q.req.Inside
			q.encode = func(out *chat.Tokens) ([]byte, error) { return responses.EncodeCount(len(out.Tokens)), nil }
			return q, nil
		}, chat.Tokenize, tokensTell)
		return answer(s, c, x, rt)
	}
}

// kept serves what is about turns that are kept.
func (s *server) kept(h func(*gin.Context, Owner) error) handler {
	return func(c *gin.Context, x *exchange) error {
		x.operation = "responses"
		if id, ok := responses.ParseID(c.Param("id")); ok {
			x.session = id.Session
		} else if id := c.Param("id"); responses.IsConversation(id) {
			x.session = id
		}
		return h(c, Owner{s.principal(c.Request.Header, x), c.Query("user")})
	}
}

// stored returns the turn that the path names.
func (s *server) stored(c *gin.Context, o Owner) (responses.ID, *responses.Turn, error) {
	id, ok := responses.ParseID(c.Param("id"))
	if !ok {
		return responses.ID{}, nil, responses.NoResponse()
	}
	turn, err := s.Turns.Turn(c.Request.Context(), o, id.Session, id.Turn)
	if isNotFound(err) {
		err = responses.NoResponse()
	}
	return id, turn, err
}

func isNotFound(err error) bool {
	e, ok := errors.AsType[*chat.Error](err)
	return ok && e.Kind == chat.NotFound
}

func (s *server) getResponse(c *gin.Context, o Owner) error {
	if c.Query("stream") == "true" {
		return chat.Unsupported("stream", "'stream' is not supported of a response that is kept; read the whole of it.")
	}
	id, turn, err := s.stored(c, o)
	if err != nil {
		return err
	}
	body, err := responses.EncodeStored(id.Session, turn)
	if err != nil {
		return err
	}
	return s.json(c, http.StatusOK, body)
}

func (s *server) listInput(c *gin.Context, o Owner) error {
	page, err := pageOf(c)
	if err != nil {
		return err
	}
	id, turn, err := s.stored(c, o)
	if err != nil {
		return err
	}
	body, err := responses.EncodeInput(id.Session, turn, page)
	if err != nil {
		return err
	}
	return s.json(c, http.StatusOK, body)
}

func (s *server) deleteResponse(c *gin.Context, o Owner) error {
	id, turn, err := s.stored(c, o)
	if isNotFound(err) && id.Session != "" { // it may be the first of a chain that is being answered, and is not kept then
		if _, err := s.Turns.Forget(c.Request.Context(), o, id.Session, id.Turn); err != nil {
			return err
		}
	}
	if err != nil {
		return err
	}
	if _, err := responses.EncodeStored(id.Session, turn); err != nil {
		return err // it is no response
	}
	was, err := s.Turns.Forget(c.Request.Context(), o, id.Session, id.Turn)
	if err != nil {
		return err
	}
	if !was {
		return responses.NoResponse()
	}
	return s.json(c, http.StatusOK, responses.EncodeDeleted(id.String(), "response"))
}

func pageOf(c *gin.Context) (responses.Page, error) {
	limit, err := limitOf(c)
	page := responses.Page{Limit: limit, After: c.Query("after")}
	if err != nil {
		return page, err
	}
	switch c.DefaultQuery("order", "desc") {
	case "desc":
	case "asc":
		page.Ascending = true
	default:
		return page, chat.BadParam("order", "'order' must be \"asc\" or \"desc\".")
	}
	return page, nil
}

// conversations serves those that a route's model keeps.
func (s *server) conversations(rt Route, path string) {
	one := path + "/:id"
	items := one + "/items"
	s.on(http.MethodPost, s.addTo(rt, false, func(_ string, body []byte, find responses.Find) (*chat.Request, error) {
		return responses.DecodeConversation(body, find)
	}), path, path+"/")
	s.on(http.MethodPost, s.addTo(rt, false, func(id string, body []byte, _ responses.Find) (*chat.Request, error) {
		return responses.DecodeMetadata(id, body)
	}), one, one+"/")
	s.on(http.MethodPost, s.addTo(rt, true, responses.DecodeItems), items, items+"/")
	s.on(http.MethodGet, s.kept(s.getConversation), one, one+"/")
	s.on(http.MethodDelete, s.kept(s.deleteConversation), one, one+"/")
	s.on(http.MethodGet, s.kept(s.listItems), items, items+"/")
	s.on(http.MethodGet, s.kept(s.getItem), items+"/:item", items+"/:item/")
}

// addTo adds to a conversation what the filter lets pass: a turn that nobody
// answers. It tells the items that were added, or the conversation.
func (s *server) addTo(rt Route, items bool, decode func(id string, body []byte, find responses.Find) (*chat.Request, error)) handler {
	return func(c *gin.Context, x *exchange) error {
		defer s.Observer.Enter(rt.Path)()
		x.operation = "conversations"
		body, err := s.begin(c, x, rt)
		if err != nil {
			return err
		}
		id := c.Param("id")
		if id != "" && !responses.IsConversation(id) {
			return responses.NoConversation()
		}
		var found chat.Request
		req, err := decode(id, body, s.find(c, x, &found))
		if err != nil {
			return err
		}
		req.Classes, req.Inside = found.Classes, found.Inside
		if user := c.Query("user"); user != "" {
			if req.Extra == nil {
				req.Extra = make(map[string]json.RawMessage)
			}
			req.Extra["user"] = wire.Marshal(user)
		}
		call := &call{requests: []*chat.Request{req}, id: req.Turn.ID}
		if _, _, err = s.address(c, x, rt, chats(), call); err != nil {
			return err
		}
		done, err := s.reserve(c, x, rt, 0, 0)
		if err != nil {
			return err
		}
		defer done()
		for ev, err := range rt.Model.Chat(c.Request.Context(), req) {
			if err != nil {
				return err
			}
			x.noteFilter(ev.Filtered)
			x.memory = ev.Memory
		}
		if filter := wire.FilterHeader(x.request, nil); filter != "" {
			c.Header(filterHeader, filter)
		}
		o := Owner{req.Principal, c.Query("user")}
		if items {
			turn, err := s.Turns.Turn(c.Request.Context(), o, req.Session, req.Turn.ID)
			if err != nil {
				return err
			}
			if body, err = responses.EncodeAdded(req.Session, turn); err != nil {
				return err
			}
			return s.json(c, http.StatusOK, body)
		}
		return s.tellConversation(c, o, req.Session)
	}
}

func (s *server) tellConversation(c *gin.Context, o Owner, id string) error {
	turns, created, err := s.conversation(c, o, id)
	if err != nil {
		return err
	}
	return s.json(c, http.StatusOK, responses.EncodeConversation(id, created, turns))
}

// conversation returns the turns of a conversation.
func (s *server) conversation(c *gin.Context, o Owner, id string) ([]responses.Turn, time.Time, error) {
	if !responses.IsConversation(id) {
		return nil, time.Time{}, responses.NoConversation()
	}
	turns, created, err := s.Turns.Path(c.Request.Context(), o, id)
	if isNotFound(err) {
		err = responses.NoConversation()
	}
	return turns, created, err
}

func (s *server) getConversation(c *gin.Context, o Owner) error {
	return s.tellConversation(c, o, c.Param("id"))
}

func (s *server) listItems(c *gin.Context, o Owner) error {
	page, err := pageOf(c)
	if err != nil {
		return err
	}
	turns, _, err := s.conversation(c, o, c.Param("id"))
	if err != nil {
		return err
	}
	body, err := responses.EncodeItems(c.Param("id"), turns, page)
	if err != nil {
		return err
	}
	return s.json(c, http.StatusOK, body)
}

func (s *server) getItem(c *gin.Context, o Owner) error {
	turns, _, err := s.conversation(c, o, c.Param("id"))
	if err != nil {
		return err
	}
	body, err := responses.EncodeItem(c.Param("id"), turns, c.Param("item"))
	if err != nil {
		return err
	}
	return s.json(c, http.StatusOK, body)
}

func (s *server) deleteConversation(c *gin.Context, o Owner) error {
	id := c.Param("id")
	if !responses.IsConversation(id) {
		return responses.NoConversation()
	}
	was, err := s.Turns.Delete(c.Request.Context(), o, id)
	if err != nil {
		return err
	}
	if !was {
		return responses.NoConversation()
	}
	return s.json(c, http.StatusOK, responses.EncodeDeleted(id, "conversation.deleted"))
}
