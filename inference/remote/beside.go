package remote

import (
	"context"
	"errors"
	"io"
	"mime"
	"net/http"

	"bendi/chat"
	"bendi/openaicompat/wire"
)

// maxWhole bounds the bytes of an answer that is one body. The vectors of 2048
// inputs in 16384 dimensions take 171 MiB of base64.
const maxWhole = 256 << 20

// Embed has the server embed the inputs of req.
func (m *Model) Embed(ctx context.Context, req *chat.EmbedRequest) (*chat.Embeddings, error) {
	return whole(ctx, m, "/embeddings", m.sender(req.ID, req.Principal, req.Priority), func() ([]byte, error) { return wire.EncodeEmbed(req) },
		func(body []byte) (*chat.Embeddings, error) { return wire.DecodeEmbeddings(body, len(req.Inputs)) })
}

// Rerank has the server score the documents of req.
func (m *Model) Rerank(ctx context.Context, req *chat.RerankRequest) (*chat.Ranking, error) {
	return whole(ctx, m, "/rerank", m.sender(req.ID, req.Principal, req.Priority), func() ([]byte, error) { return wire.EncodeRerank(req) },
		func(body []byte) (*chat.Ranking, error) { return wire.DecodeRanking(body, req) })
}

// Tokenize has the server tokenize a text. Of the servers there are, few can
// below their base URL.
func (m *Model) Tokenize(ctx context.Context, req *chat.TokenizeRequest) (*chat.Tokens, error) {
	return whole(ctx, m, "/tokenize", sender{id: req.ID}, func() ([]byte, error) { return wire.EncodeTokenize(req) },
		func(body []byte) (*chat.Tokens, error) {
			tokens, err := wire.DecodeTokens(body)
			if err == nil && req.Chat != nil && len(tokens) == 0 { // as llama.cpp's server says to what it does not know
				err = chat.Unsupported("model", "the backend of this model tells the tokens of texts, and not those of a chat")
			}
			return &chat.Tokens{Tokens: tokens}, err
		})
}

// Detokenize has the server turn tokens into text.
func (m *Model) Detokenize(ctx context.Context, req *chat.DetokenizeRequest) (*chat.Text, error) {
	return whole(ctx, m, "/detokenize", sender{id: req.ID}, func() ([]byte, error) { return wire.EncodeDetokenize(req) },
		func(body []byte) (*chat.Text, error) {
			text, err := wire.DecodeText(body)
			return &chat.Text{Text: text}, err
		})
}

// whole asks for an answer that is one body.
func whole[T any](ctx context.Context, m *Model, path string, from sender, encode func() ([]byte, error), decode func([]byte) (*T, error)) (*T, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(errLeft)
	out, err := func() (*T, error) {
		body, err := encode()
		if err != nil {
			return nil, err
		}
		if body, err = m.fetch(ctx, cancel, path, from, body); err != nil {
			return nil, err
		}
		out, err := decode(body)
		if err != nil {
			if said := inBand(body); said != nil {
				return nil, said
			}
		}
		return out, err
	}()
	if err == nil {
		return out, nil
	}
	if ctx.Err() != nil {
		err = context.Cause(ctx) // whatever broke, this is why
	}
	return nil, m.failed(err)
}

// fetch posts a body and returns that of the answer.
func (m *Model) fetch(ctx context.Context, cancel context.CancelCauseFunc, path string, from sender, body []byte) ([]byte, error) {
	res, err := m.post(ctx, m.base+path, "application/json", from, body)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	limit := int64(maxWhole + 1)
	if res.StatusCode != http.StatusOK {
		limit = maxOther
	}
	text, err := io.ReadAll(io.LimitReader(newIdleReader(res.Body, m.idle, cancel), limit))
	switch {
	case err != nil:
		return nil, brokenOff(err)
	case len(text) > maxWhole:
		return nil, chat.Errorf(chat.BadBackend, "the backend sent more than %d bytes", maxWhole)
	case res.StatusCode != http.StatusOK:
		return nil, ours(refused(res, text))
	case !is(res, "application/json"):
		media, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type"))
		return nil, chat.Errorf(chat.BadBackend, "the backend answered with the content type %q, encoded %q, where JSON was asked for", media, res.Header.Get("Content-Encoding"))
	}
	return text, nil
}

// refused is reported for what not every server can do: a path that it does not
// have is something that it cannot.
func refused(res *http.Response, text []byte) *chat.Error {
	e := reported(res, text)
	noModel := e.Code == chat.CodeModelNotFound || e.Param == "model"
	if res.StatusCode == http.StatusNotFound && !noModel ||
		res.StatusCode == http.StatusMethodNotAllowed || res.StatusCode == http.StatusNotImplemented {
		return &chat.Error{
			Kind: chat.Invalid, Code: chat.CodeUnsupported, Param: "model",
			Msg: "the backend of this model cannot do this; name a model that can",
			Err: errors.New(e.Msg),
		}
	}
	return e
}
