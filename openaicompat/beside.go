package openaicompat

import (
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"bendi/chat"
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
		{"/embeddings", (*server).embeddings, wire.EmbedExample},
		{"/rerank", (*server).rerank, wire.RerankExample},
		{"/tokenize", (*server).tokenize, wire.TokenizeExample},
		{"/detokenize", (*server).detokenize, wire.DetokenizeExample},
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
			h := func(c *gin.Context, x *exchange) error { return e.answer(s, c, x, rt) }
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
	return wire.ChatExample
}

func (s *server) embeddings(c *gin.Context, x *exchange, rt Route) error {
	defer s.Observer.Enter(rt.Path)()
	body, err := s.begin(c, x, rt)
	if err != nil {
		return err
	}
	call, err := wire.DecodeEmbed(body)
	if err != nil {
		return err
	}
	req := call.Request
	req.ID = x.id
	if req.Model, err = x.resolve(rt, req.Model); err != nil {
		return err
	}
	out, err := chat.Embed(c.Request.Context(), rt.Model, req)
	if err != nil {
		return err
	}
	x.usage = out.Usage
	body, err = wire.EncodeEmbeddings(req.Model, call.Base64, out)
	return s.end(c, x, out.Backend, body, err)
}

func (s *server) rerank(c *gin.Context, x *exchange, rt Route) error {
	defer s.Observer.Enter(rt.Path)()
	body, err := s.begin(c, x, rt)
	if err != nil {
		return err
	}
	call, err := wire.DecodeRerank(body)
	if err != nil {
		return err
	}
	req := call.Request
	req.ID = x.id
	if req.Model, err = x.resolve(rt, req.Model); err != nil {
		return err
	}
	out, err := chat.Rerank(c.Request.Context(), rt.Model, req)
	if err != nil {
		return err
	}
	x.usage = out.Usage
	var documents []string
	if call.ReturnDocuments {
		documents = req.Documents
	}
	body, err = wire.EncodeRanking(req.Model, out, documents)
	return s.end(c, x, out.Backend, body, err)
}

func (s *server) tokenize(c *gin.Context, x *exchange, rt Route) error {
	defer s.Observer.Enter(rt.Path)()
	body, err := s.begin(c, x, rt)
	if err != nil {
		return err
	}
	call, err := wire.DecodeTokenize(body)
	if err != nil {
		return err
	}
	req := call.Request
	req.ID = x.id
	if req.Model, err = x.resolve(rt, req.Model); err != nil {
		return err
	}
	out, err := chat.Tokenize(c.Request.Context(), rt.Model, req)
	if err != nil {
		return err
	}
	body, err = wire.EncodeTokens(out.Tokens, call.Pieces)
	return s.end(c, x, out.Backend, body, err)
}

func (s *server) detokenize(c *gin.Context, x *exchange, rt Route) error {
	defer s.Observer.Enter(rt.Path)()
	body, err := s.begin(c, x, rt)
	if err != nil {
		return err
	}
	req, err := wire.DecodeDetokenize(body)
	if err != nil {
		return err
	}
	req.ID = x.id
	if req.Model, err = x.resolve(rt, req.Model); err != nil {
		return err
	}
	out, err := chat.Detokenize(c.Request.Context(), rt.Model, req)
	if err != nil {
		return err
	}
	body, err = wire.EncodeText(out.Text)
	return s.end(c, x, out.Backend, body, err)
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
	model, categories, results, err := rt.Moderator.Moderate(c.Request.Context(), texts)
	if err != nil {
		return err
	}
	body, err = wire.EncodeModeration(newID("modr-"), model, categories, results)
	return s.end(c, x, "", body, err)
}

// begin notes the route of a request and reads its body.
func (s *server) begin(c *gin.Context, x *exchange, rt Route) ([]byte, error) {
	x.route = rt.Path
	c.Header("X-Bendi-Route", rt.Path)
	return s.body(c)
}

// resolve returns the name of the model that answers to a name.
func (x *exchange) resolve(rt Route, name string) (string, error) {
	r, ok := rt.Model.(Resolver)
	if !ok {
		return name, nil
	}
	name, err := r.Resolve(name)
	if err == nil {
		x.model = name // one of ours, and no words of a client's
	}
	return name, err
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
