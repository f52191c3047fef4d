package filter

import (
	"context"
	"crypto/rand"
	"fmt"
	"iter"
	"strings"

	"bendi/chat"
	"bendi/filter/pii"
)

// An Egress is what becomes of personal data where it would leave the house.
type Egress uint8

const (
	EgressAllow       Egress = iota // it leaves as it is, and is not looked for
	EgressMask                      // a token takes its place; the answer has the value again
	EgressMaskForGood               // a token takes its place, in the answer too
	EgressDeny                      // the request is refused
)

var egressNames = [...]string{"allow", "mask", "mask_irreversible", "deny"}

func (e Egress) String() string {
	if int(e) < len(egressNames) {
		return egressNames[e]
	}
	return fmt.Sprintf("egress %d", uint8(e))
}

// ParseEgress reads the name of an egress, as in [pii.Kind].
func ParseEgress(name string) (Egress, error) {
	for i, n := range egressNames {
		if n == name {
			return Egress(i), nil
		}
	}
	return EgressDeny, fmt.Errorf("%q says nothing about what leaves; there are %s", name, strings.Join(egressNames[:], ", "))
}

// ConcealOptions say what Conceal keeps from a backend.
type ConcealOptions struct {
	// Types has an entry for a type of personal data, such as "phone", or "*"
	// for those without one. For what no entry speaks of, it is as suggested in
	// [pii.Types].
	Types map[string]Egress

	// Secret keys the tokens, at least 16 bytes that nobody outside knows. While
	// it is the same, a value has the same token each time that one principal
	// sends it. Without one, tokens change with each start.
	Secret []byte

	// Scope names whose request it is; the requests of two scopes share no
	// token. Nil: the principal.
	Scope func(*chat.Request) string

	AnyCase bool // a model may write a token in other letters, and its value is still put back
	NoMedia bool // requests with images, sound or files are refused: nobody looks into those, but for files that are texts

	Observe func(Finding) // told of each value, from several goroutines at once; may be nil
}

// Concealed is a model outside that is not told personal data.
type Concealed struct {
	ConcealOptions
	model    chat.Model
	egress   map[pii.Type]Egress // without those that are allowed
	detector *pii.Detector
}

// Conceal returns m, which is outside of the house, with personal data kept
// from it. In every text of a request a value becomes a token such as
// [[PHONE_k7q2m4xa]], and wherever the answer has that token it becomes the
// value again.
//
// A value that was found somewhere is kept back wherever else it stands in the
// request. What cannot be rewritten, such as the name of a function, must hold
// none. Where values cannot be looked for, nothing leaves: the request fails.
// In JSON, a number that is a value becomes a string.
//
// The tokens of a request live no longer than it does, and are restored in its
// own answer alone. What is put back is told in [chat.Event.Restored].
func Conceal(m chat.Model, o ConcealOptions) *Concealed {
	if len(o.Secret) < 16 {
		o.Secret = []byte(rand.Text())
	}
	if o.Scope == nil {
		o.Scope = func(req *chat.Request) string { return req.Principal }
	}
	c := &Concealed{ConcealOptions: o, model: m, egress: make(map[pii.Type]Egress)}
	var types []pii.Type
	for _, k := range pii.Types() {
		e, ok := o.Types[k.Name]
		if !ok {
			e, ok = o.Types["*"]
		}
		if !ok {
			e, _ = ParseEgress(k.Suggested)
		}
		if e != EgressAllow {
			c.egress[k.Type] = e
			types = append(types, k.Type)
		}
	}
	if len(types) > 0 {
		c.detector = pii.New(types...)
	}
	return c
}

// Chat has the model answer req without its personal data, and puts that back
// into the answer.
func (c *Concealed) Chat(ctx context.Context, req *chat.Request) iter.Seq2[chat.Event, error] {
	return func(yield func(chat.Event, error) bool) {
		if ctx.Err() != nil {
			yield(chat.Event{}, context.Cause(ctx))
			return
		}
		v := newVault(c.Secret, c.Scope(req))
		var own *chat.Request
		err := c.conceal(v.token, about{req.ID, req.Principal, req.Model}, func(k *concealment) {
			own = k.request(req)
		})
		switch {
		case err != nil:
			yield(chat.Event{}, err)
			return
		case len(v.tokens) == 0:
			for ev, err := range c.model.Chat(ctx, own) {
				ev.Restored = nil // nobody else may say so
				if !yield(ev, err) {
					return
				}
			}
			return
		}
		r := &restoration{issued: v.issued(c.AnyCase), json: own.Format != nil && (own.Format.Type == "json_object" || own.Format.Type == "json_schema")}
		for ev, err := range c.model.Chat(ctx, own) {
			if err != nil {
				yield(chat.Event{}, err)
				return
			}
			for ev := range r.take(ev) {
				if !yield(ev, nil) {
					return
				}
			}
		}
	}
}

// request returns a chat request without what is concealed in it.
func (k *concealment) request(req *chat.Request) *chat.Request {
	d := draft{was: req}
	if p := req.Prompt; p != nil && p.Tokens != nil {
		k.refuse("tokens", place{what: promptText}.path(1))
	}
	for f := range fields(req) {
		if f.place.what == messageData && k.c.NoMedia {
			k.refuse("media", f.place.path(f.place.n))
		}
		if texts, rewritten := k.texts(&f); rewritten {
			d.set(f.place, texts)
		}
	}
	return d.request()
}

// Embed has the model embed inputs without their personal data. What takes its
// place names the type alone, since vectors of one principal are compared with
// those of another: two texts that differ in nothing but a value are alike.
func (c *Concealed) Embed(ctx context.Context, req *chat.EmbedRequest) (*chat.Embeddings, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	own := *req
	own.Inputs = append([]chat.Input(nil), req.Inputs...)
	err := c.conceal(bareToken, about{id: req.ID, model: req.Model}, func(k *concealment) {
		for i, in := range req.Inputs {
			f := field{place{what: inputText, i: i, n: 1}, textField, []string{in.Text}}
			if in.Tokens != nil {
				k.refuse("tokens", f.place.path(1))
				continue
			}
			if texts, rewritten := k.texts(&f); rewritten {
				own.Inputs[i].Text = texts[0]
			}
		}
		own.Extra = k.extra(req.Extra)
	})
	if err != nil {
		return nil, err
	}
	return chat.Embed(ctx, c.model, &own)
}

// Rerank has the model rank documents without their personal data. A value has
// one token in the query and all documents, and another in the next request.
func (c *Concealed) Rerank(ctx context.Context, req *chat.RerankRequest) (*chat.Ranking, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	own := *req
	own.Documents = append([]string(nil), req.Documents...)
	err := c.conceal(newVault(c.Secret, "once "+rand.Text()).token, about{id: req.ID, model: req.Model}, func(k *concealment) {
		text := func(to *string, p place, text string) {
			if texts, rewritten := k.texts(&field{p, textField, []string{text}}); rewritten {
				*to = texts[0]
			}
		}
		text(&own.Query, place{what: query, n: 1}, req.Query)
		for i, d := range req.Documents {
			text(&own.Documents[i], place{what: document, i: i, n: 1}, d)
		}
		own.Extra = k.extra(req.Extra)
	})
	if err != nil {
		return nil, err
	}
	return chat.Rerank(ctx, c.model, &own)
}

// Tokenize returns the tokens of a text as the model would read it, without its
// personal data.
func (c *Concealed) Tokenize(ctx context.Context, req *chat.TokenizeRequest) (*chat.Tokens, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	own := *req
	err := c.conceal(bareToken, about{id: req.ID, model: req.Model}, func(k *concealment) {
		if texts, rewritten := k.texts(&field{place{what: content, n: 1}, textField, []string{req.Text}}); rewritten {
			own.Text = texts[0]
		}
		if req.Chat != nil {
			own.Chat = k.request(req.Chat)
		}
	})
	if err != nil {
		return nil, err
	}
	return chat.Tokenize(ctx, c.model, &own)
}

// Detokenize refuses: nobody can look into tokens for personal data.
func (c *Concealed) Detokenize(context.Context, *chat.DetokenizeRequest) (*chat.Text, error) {
	return nil, chat.Unsupported("tokens", "this model is outside of the house, and tokens cannot be looked through for personal data before they leave")
}

// Models lists what the model lists.
func (c *Concealed) Models() []chat.ModelInfo {
	if l, ok := c.model.(chat.Lister); ok {
		return l.Models()
	}
	return nil
}

// Resolve returns the name of the model that answers to a name.
func (c *Concealed) Resolve(name string) (string, error) {
	if r, ok := c.model.(resolver); ok {
		return r.Resolve(name)
	}
	return name, nil
}

// bareToken is a token that says nothing but a type.
func bareToken(kind, _, _ string, _ bool) string { return "[[" + kind + "]]" }
