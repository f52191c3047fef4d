package openaicompat

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"bendi/chat"
	"bendi/openaicompat/anthropic"
	"bendi/openaicompat/responses"
	"bendi/openaicompat/wire"
)

// An endpoint is something that base URLs answer beside chat, for models that
// can.
type endpoint struct {
	path    string // behind that of the base URL
	answer  func(s *server, c *gin.Context, x *exchange, rt Route) error
	example string // of a body
}

func endpoints() []endpoint {
	return []endpoint{
		{"/embeddings", once(embedding, chat.Embed, func(a *chat.Embeddings) (string, chat.Usage) { return a.Backend, a.Usage }), wire.EmbedExample},
		{"/rerank", once(reranking, chat.Rerank, func(a *chat.Ranking) (string, chat.Usage) { return a.Backend, a.Usage }), wire.RerankExample},
		{"/tokenize", once(tokenizing, chat.Tokenize, tokensTell), wire.TokenizeExample},
		{"/detokenize", once(detokenizing, chat.Detokenize, func(a *chat.Text) (string, chat.Usage) { return a.Backend, chat.Usage{} }), wire.DetokenizeExample},
		{"/moderations", (*server).moderations, wire.ModerationExample},
	}
}

// beside serves the endpoints of a route at its base URLs.
func (s *server) beside(rt Route) {
	for _, base := range basesOf(rt) {
		for _, e := range endpoints() {
			if e.path == "/moderations" && rt.Moderator == nil {
				continue
			}
			h := func(c *gin.Context, x *exchange) error {
				x.operation = e.path[1:]
				return e.answer(s, c, x, rt)
			}
			s.on(http.MethodPost, h, base+e.path, base+e.path+"/")
		}
	}
}

// exampleOf returns a body that may be posted to a path.
func exampleOf(path string) string {
	for _, e := range endpoints() {
		if strings.HasSuffix(path, e.path) {
			return e.example
		}
	}
	switch {
	case strings.HasSuffix(path, "/count_tokens"):
		return anthropic.CountExample
	case strings.HasSuffix(path, "/messages"):
		return anthropic.Example
	case strings.HasSuffix(path, "/responses"), strings.HasSuffix(path, "/input_tokens"):
		return responses.Example
	case strings.Contains(path, "/conversations"):
		return responses.ConversationExample
	case strings.HasSuffix(path, "/feedback"):
		return feedbackExample
	case strings.HasSuffix(path, "/completions") && !strings.HasSuffix(path, "/chat/completions"):
		return wire.PromptExample
	}
	return wire.ChatExample
}

// A question is a request to one of the endpoints that a model answers in one
// piece, and how its answer is told.
type question[Req, Answer any] struct {
	req       *Req
	id, model *string                              // of req
	from      func(principal string, priority int) // tells req who asks; nil: that makes no difference
	inside    *bool                                // of req; nil: it goes nowhere
	tokens    int64                                // most that the answer can take; 0: none are counted
	extra     map[string]json.RawMessage           // of req
	encode    func(*Answer) ([]byte, error)
}

// once returns the endpoint that asks a model such questions.
func once[Req, Answer any](
	decode func(body []byte) (question[Req, Answer], error),
	ask func(context.Context, chat.Model, *Req) (*Answer, error),
	tells func(*Answer) (backend string, usage chat.Usage),
) func(s *server, c *gin.Context, x *exchange, rt Route) error {
	return func(s *server, c *gin.Context, x *exchange, rt Route) error {
		defer s.Observer.Enter(rt.Path)()
		body, err := s.begin(c, x, rt)
		if err != nil {
			return err
		}
		q, err := decode(body)
		if err != nil {
			return err
		}
		*q.id = x.id
		if q.from != nil {
			priority, err := s.priority(c.Request.Header, x, rt, q.extra["priority"])
			if err != nil {
				return err
			}
			q.from(s.principal(c.Request.Header, x), priority)
		}
		if *q.model, err = x.resolve(rt, *q.model); err != nil {
			return err
		}
		if q.inside != nil {
			*q.inside = *q.inside || x.who.Inside
		}
		done, err := s.reserve(c, x, rt, q.tokens, q.tokens)
		if err != nil {
			return err
		}
		defer done()
		out, err := ask(c.Request.Context(), rt.Model, q.req)
		if err != nil {
			return err
		}
		var backend string
		backend, x.usage = tells(out)
		done()
		body, err = q.encode(out)
		return s.end(c, x, backend, body, err)
	}
}

func embedding(body []byte) (q question[chat.EmbedRequest, chat.Embeddings], err error) {
	in, err := wire.DecodeEmbed(body)
	if err != nil {
		return q, err
	}
	q.req, q.id, q.model = in.Request, &in.Request.ID, &in.Request.Model
	q.extra, q.from = in.Request.Extra, func(who string, priority int) { in.Request.Principal, in.Request.Priority = who, priority }
	q.inside, q.tokens = &in.Request.Inside, int64(len(body))
	q.encode = func(out *chat.Embeddings) ([]byte, error) {
		return wire.EncodeEmbeddings(in.Request.Model, in.Base64, out)
	}
	return q, nil
}

func reranking(body []byte) (q question[chat.RerankRequest, chat.Ranking], err error) {
	in, err := wire.DecodeRerank(body)
	if err != nil {
		return q, err
	}
	q.req, q.id, q.model = in.Request, &in.Request.ID, &in.Request.Model
	q.extra, q.from = in.Request.Extra, func(who string, priority int) { in.Request.Principal, in.Request.Priority = who, priority }
	q.inside, q.tokens = &in.Request.Inside, int64(len(body)+len(in.Request.Documents)*len(in.Request.Query)) // each is read behind the query
	q.encode = func(out *chat.Ranking) ([]byte, error) {
		var documents []string
		if in.ReturnDocuments {
			documents = in.Request.Documents
		}
		return wire.EncodeRanking(in.Request.Model, out, documents)
	}
	return q, nil
}

func tokenizing(body []byte) (q question[chat.TokenizeRequest, chat.Tokens], err error) {
	in, err := wire.DecodeTokenize(body)
	if err != nil {
		return q, err
	}
	q.req, q.id, q.model, q.inside = in.Request, &in.Request.ID, &in.Request.Model, &in.Request.Inside
	q.encode = func(out *chat.Tokens) ([]byte, error) { return wire.EncodeTokens(out.Tokens, in.Pieces) }
	return q, nil
}

func tokensTell(a *chat.Tokens) (backend string, usage chat.Usage) { return a.Backend, chat.Usage{} }

func detokenizing(body []byte) (q question[chat.DetokenizeRequest, chat.Text], err error) {
	req, err := wire.DecodeDetokenize(body)
	if err != nil {
		return q, err
	}
	q.req, q.id, q.model = req, &req.ID, &req.Model
	q.encode = func(out *chat.Text) ([]byte, error) { return wire.EncodeText(out.Text) }
	return q, nil
}

func (s *server) moderations(c *gin.Context, x *exchange, rt Route) error {
	defer s.Observer.Enter(rt.Path)()
	body, err := s.begin(c, x, rt)
	if err != nil {
		return err
	}
	texts, err := wire.DecodeModeration(body)
	if err != nil {
		return err
	}
	done, err := s.reserve(c, x, rt, 0, 0)
	if err != nil {
		return err
	}
	defer done()
	model, categories, results, err := rt.Moderator.Moderate(c.Request.Context(), texts)
	if err != nil {
		return err
	}
	done()
	body, err = wire.EncodeModeration(newID("modr-"), model, categories, results)
	return s.end(c, x, "", body, err)
}

// begin notes the route of a request and reads its body.
func (s *server) begin(c *gin.Context, x *exchange, rt Route) ([]byte, error) {
	x.route = rt.Path
	if !x.who.Scopes.Route(rt.Path) {
		return nil, chat.Errorf(chat.Forbidden, "This key may not use the route %s. Ask whoever runs this server to allow it.", rt.Path)
	}
	c.Header("X-Bendi-Route", rt.Path)
	return s.body(c)
}

// resolve returns the name of the model that answers to a name, for whoever asks.
func (x *exchange) resolve(rt Route, name string) (string, error) {
	r, ok := rt.Model.(Resolver)
	if !ok {
		return name, nil
	}
	id, err := r.Resolve(name)
	if x.who.Scopes.Models != nil {
		id, err = x.within(rt, name, id, err)
	}
	if err == nil {
		x.model = id // one of ours, and no words of a client's
	}
	return id, err
}

// within is resolve for who may not use every model: for them there are no
// others, and where they name none, the first that they may use answers.
func (x *exchange) within(rt Route, name, id string, err error) (string, error) {
	if err == nil && x.who.Scopes.Model(id) {
		return id, nil
	}
	var may []string
	if l, ok := rt.Model.(chat.Lister); ok {
		for _, m := range l.Models() {
			if x.who.Scopes.Model(m.ID) {
				may = append(may, m.ID)
			}
		}
	}
	switch {
	case len(may) == 0:
		return "", chat.Errorf(chat.Forbidden, "This key may use no model of the route %s. Ask whoever runs this server to allow one.", rt.Path)
	case name == "":
		return may[0], nil
	}
	return "", &chat.Error{Kind: chat.NotFound, Code: chat.CodeModelNotFound, Param: "model",
		Msg: "There is no model of that name here for this key; there are: " + strings.Join(may, ", ") + "."}
}

// end answers with a body, unless that could not be made.
func (s *server) end(c *gin.Context, x *exchange, backend string, body []byte, err error) error {
	if err != nil {
		return err
	}
	x.backend = backend
	if backend != "" {
		c.Header("X-Bendi-Backend", backend)
	}
	return s.json(c, http.StatusOK, body)
}
