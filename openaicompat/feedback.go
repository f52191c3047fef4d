package openaicompat

import (
	"encoding/json"
	"net/http"
	"slices"

	"github.com/gin-gonic/gin"

	"bendi/chat"
)

// Feedback is what a client says of answers that it was given: of one, by the ID
// of the request or of the answer, or which of two is the better one.
type Feedback struct {
	ID      string   `json:"id"`
	Request string   `json:"request_id"` // another name of ID
	Score   *float64 `json:"score"`      // -1 to 1
	Tags    []string `json:"tags"`
	Comment string   `json:"comment"`

	A      string `json:"a"`
	B      string `json:"b"`
	Winner string `json:"winner"` // a, b or tie
}

// A Taker takes the feedback of a key, by its name. Only about what that key
// has asked is any taken.
type Taker interface {
	Take(key string, f *Feedback) error
}

const feedbackExample = `{"id":"chatcmpl-…","score":1}`

// feedback serves the paths that clients send feedback to.
func (s *server) feedback() {
	if s.Feedback == nil {
		return
	}
	paths := []string{"/v1"}
	for _, rt := range s.Routes {
		paths = append(paths, basesOf(rt)...)
	}
	slices.Sort(paths)
	for _, base := range slices.Compact(paths) {
		s.on(http.MethodPost, s.takeFeedback, base+"/feedback", base+"/feedback/")
	}
}

func (s *server) takeFeedback(c *gin.Context, x *exchange) error {
	x.operation = "feedback"
	body, err := s.body(c)
	if err != nil {
		return err
	}
	var f Feedback
	if err := json.Unmarshal(body, &f); err != nil {
		return &chat.Error{Kind: chat.Invalid, Code: chat.CodeInvalidValue, Msg: "The body is not the JSON object that this takes, such as " + feedbackExample + ".", Err: err}
	}
	if f.ID == "" {
		f.ID = f.Request
	} else if f.Request != "" && f.Request != f.ID {
		return chat.BadParam("request_id", "'id' and 'request_id' name two answers; send one of them.")
	}
	if err := s.Feedback.Take(x.who.Name, &f); err != nil {
		return err
	}
	return s.json(c, http.StatusOK, []byte(`{"object":"feedback","counted":true}`))
}
