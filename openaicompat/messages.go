package openaicompat

import (
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"bendi/chat"
	"bendi/openaicompat/anthropic"
)

// messages serves Anthropic's protocol at the base URLs of a route. Its clients
// are given a URL to which they add /v1/messages themselves.
func (s *server) messages(rt Route) {
	p := messages()
	for _, base := range basesOf(rt) {
		roots := []string{base}
		if root, ok := rootOf(base); ok {
			roots = append(roots, root)
		}
		for _, root := range roots {
			path := root + "/v1/messages"
			s.speak(p, s.ask(p, rt), path)
			s.speak(p, s.count(rt), path+"/count_tokens")
		}
	}
}

// rootOf returns the URL to which a client of Anthropic's would have to be
// pointed to reach a base URL, and whether it is another one.
func rootOf(base string) (root string, other bool) { return strings.CutSuffix(base, "/v1") }

// speak serves a path by h, with failures told as p does.
func (s *server) speak(p *protocol, h handler, path string) {
	for _, path := range []string{path, path + "/"} {
		if !s.served[http.MethodPost+" "+path] {
			s.protocols[path] = p
		}
		s.on(http.MethodPost, h, path)
	}
}

// count tells how many tokens a model would read.
func (s *server) count(rt Route) handler {
	answer := once(counting, chat.Tokenize, tokensTell)
	return func(c *gin.Context, x *exchange) error {
		x.operation = "count_tokens"
		return answer(s, c, x, rt)
	}
}

func counting(body []byte) (q question[chat.TokenizeRequest, chat.Tokens], err error) {
	req, err := anthropic.DecodeCount(body)
	if err != nil {
		return q, err
	}
	q.req = &chat.TokenizeRequest{Model: req.Model, Chat: req}
	q.id, q.model, q.inside = &q.req.ID, &q.req.Model, &q.req.Inside
	q.encode = func(out *chat.Tokens) ([]byte, error) { return anthropic.EncodeCount(len(out.Tokens)), nil }
	return q, nil
}

// asksAsAnthropic reports whether a client wants lists of models in the shape of
// that protocol. Its SDKs send this with everything.
func asksAsAnthropic(c *gin.Context) bool { return c.GetHeader("Anthropic-Version") != "" }
