package openaicompat

import (
	"context"
	"net/http"
	"strconv"

	"github.com/gin-gonic/gin"

	"bendi/chat"
	"bendi/openaicompat/wire"
)

// sessionHeader tells what the memory of a conversation did.
const sessionHeader = "X-Bendi-Session"

// Sessions are the conversations that are remembered, each of an owner.
type Sessions interface {
	// List returns sessions of an owner, those used last first, and what to
	// give as after for those that follow; empty: none do.
	List(ctx context.Context, o Owner, after string, limit int) (list []wire.SessionInfo, next string, err error)
	// Get returns a session with its turns, and the messages of all of it, or
	// an error of the kind NotFound.
	Get(ctx context.Context, o Owner, id string) (info wire.SessionInfo, turns []wire.SessionTurn, messages []chat.Message, err error)
	// Delete forgets a session, and reports whether there was one.
	Delete(ctx context.Context, o Owner, id string) (bool, error)
	// DeleteAll forgets all sessions of an owner, and returns how many.
	DeleteAll(ctx context.Context, o Owner) (int, error)
}

// An Owner is whose sessions are meant: those of a principal, or of a user that
// it names.
type Owner struct{ Principal, User string }

const sessionsPath = "/v1/sessions"

// remember serves the sessions.
func (s *server) remember() {
	if s.Sessions == nil {
		return
	}
	one := sessionsPath + "/:id"
	s.on(http.MethodGet, s.owned(s.listSessions), sessionsPath, sessionsPath+"/")
	s.on(http.MethodDelete, s.owned(s.deleteSessions), sessionsPath, sessionsPath+"/")
	s.on(http.MethodGet, s.owned(s.getSession), one, one+"/")
	s.on(http.MethodDelete, s.owned(s.deleteSession), one, one+"/")
	s.on(http.MethodGet, s.owned(s.exportSession), one+"/export", one+"/export/")
}

// owned finds out whose sessions are meant: of whoever asks, or of the key that
// an operator names. Without keys, web pages may not ask.
func (s *server) owned(h func(*gin.Context, Owner) error) handler {
	return func(c *gin.Context, x *exchange) error {
		x.operation = "sessions"
		o := Owner{s.principal(c.Request.Header, x), c.Query("user")}
		other, named := c.GetQuery("key")
		if !s.locked() || named && other != o.Principal {
			if err := s.mayAct(c.Request, x); err != nil {
				return err
			}
		}
		if named {
			o.Principal = other
		}
		x.session = c.Param("id")
		if o.Principal != x.who.Name {
			x.of = o.Principal
		}
		return h(c, o)
	}
}

func (s *server) listSessions(c *gin.Context, o Owner) error {
	limit, err := limitOf(c)
	if err != nil {
		return err
	}
	list, next, err := s.Sessions.List(c.Request.Context(), o, c.Query("after"), limit)
	if err != nil {
		return err
	}
	body, err := wire.EncodeSessions(list, next)
	if err != nil {
		return err
	}
	return s.json(c, http.StatusOK, body)
}

// limitOf returns how long a list may become that is asked for.
func limitOf(c *gin.Context) (int, error) {
	text, ok := c.GetQuery("limit")
	if !ok {
		return 20, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > 100 {
		return 0, chat.BadParam("limit", "'limit' must be a whole number from 1 to 100.")
	}
	return n, nil
}

func (s *server) getSession(c *gin.Context, o Owner) error {
	info, turns, _, err := s.Sessions.Get(c.Request.Context(), o, c.Param("id"))
	if err != nil {
		return err
	}
	body, err := wire.EncodeSession(info, turns)
	if err != nil {
		return err
	}
	return s.json(c, http.StatusOK, body)
}

func (s *server) exportSession(c *gin.Context, o Owner) error {
	_, _, messages, err := s.Sessions.Get(c.Request.Context(), o, c.Param("id"))
	if err != nil {
		return err
	}
	body, err := wire.EncodeExport(messages)
	if err != nil {
		return err
	}
	c.Header("Content-Disposition", `attachment; filename="session.json"`)
	return s.json(c, http.StatusOK, body)
}

func (s *server) deleteSession(c *gin.Context, o Owner) error {
	was, err := s.Sessions.Delete(c.Request.Context(), o, c.Param("id"))
	if err != nil {
		return err
	}
	if !was {
		return NoSession()
	}
	return s.json(c, http.StatusOK, []byte(`{"object":"session.deleted","deleted":1}`))
}

func (s *server) deleteSessions(c *gin.Context, o Owner) error {
	n, err := s.Sessions.DeleteAll(c.Request.Context(), o)
	if err != nil {
		return err
	}
	return s.json(c, http.StatusOK, []byte(`{"object":"session.deleted","deleted":`+strconv.Itoa(n)+`}`))
}

// NoSession is the error of a session that is not there, or is somebody
// else's: nobody learns which.
func NoSession() error {
	return &chat.Error{Kind: chat.NotFound, Code: "session_not_found", Msg: "You have no such session; it may have expired. GET /v1/sessions lists those that there are."}
}
