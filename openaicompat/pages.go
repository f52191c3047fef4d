package openaicompat

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"bendi/chat"
	"bendi/openaicompat/wire"
)

// root tells people, and clients that look whether somebody is there, where
// they are.
func (s *server) root(c *gin.Context, x *exchange) error {
	body, err := json.Marshal(struct {
		Name   string   `json:"name"`
		Routes []string `json:"routes"`
		Models []string `json:"models"`
	}{"Bendi", s.chats, s.lists})
	if err != nil {
		return err
	}
	return s.json(c, http.StatusOK, body)
}

// healthy says that the process is alive, whatever its models do.
func (s *server) healthy(c *gin.Context, x *exchange) error {
	x.probe = true
	return s.json(c, http.StatusOK, []byte(`{"status":"ok"}`))
}

// ready says whether requests can be answered.
func (s *server) ready(c *gin.Context, x *exchange) error {
	x.probe = true
	if s.Ready != nil {
		if err := s.Ready(); err != nil {
			if _, ok := errors.AsType[*chat.Error](err); ok {
				return err
			}
			return &chat.Error{Kind: chat.Unavailable, Code: "not_ready", Msg: err.Error()}
		}
	}
	body := struct {
		Status string            `json:"status"`
		Models map[string]string `json:"models,omitempty"`
		Notes  []string          `json:"notes,omitempty"`
	}{Status: "ready"}
	if s.States != nil {
		body.Models = s.States()
	}
	if s.Notes != nil {
		body.Notes = s.Notes()
	}
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	return s.json(c, http.StatusOK, text)
}

func (s *server) notFound(c *gin.Context, x *exchange) error {
	if len(s.chats) == 0 { // what the operator asks alone
		return chat.Errorf(chat.NotFound, "There is nothing at this path: this address is the operator's, and models answer at another.")
	}
	return chat.Errorf(chat.NotFound, "There is nothing at this path. Ask for an answer with POST %s, also with /completions or /chat/completions behind it; list the models with GET %s.",
		strings.Join(s.chats, ", "), strings.Join(s.lists, ", "))
}

// wrongMethod answers for a path that does not know the method. The status has
// no kind of its own, for nothing behind the edge can fail so.
func (s *server) wrongMethod(c *gin.Context, x *exchange) error {
	allow := c.Writer.Header().Get("Allow") // Gin's
	if c.Request.Method == http.MethodOptions {
		c.Status(http.StatusNoContent)
		c.Writer.WriteHeaderNow()
		return nil
	}
	msg := fmt.Sprintf("This path takes %s.", allow)
	path := strings.TrimSuffix(c.Request.URL.Path, "/")
	if s.served[http.MethodPost+" "+path] {
		msg += fmt.Sprintf(` For example: curl http://%s%s -H 'Content-Type: application/json' -d '%s'`, c.Request.Host, path, exampleOf(path))
	}
	_, body := wire.EncodeError(&chat.Error{Kind: chat.Invalid, Code: "method_not_allowed", Msg: msg}, x.id)
	return s.json(c, http.StatusMethodNotAllowed, body)
}
