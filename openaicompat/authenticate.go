package openaicompat

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"bendi/access"
	"bendi/chat"
)

// An Authenticator knows who asks.
type Authenticator interface {
	// Needed reports whether a secret is needed now.
	Needed() bool
	// Check returns who a secret shows to be asking, or an [access.Refusal].
	Check(ctx context.Context, secret string) (access.Identity, error)
}

// authenticate finds out who asks, where that has to be known.
func (s *server) authenticate(c *gin.Context, x *exchange) error {
	if !s.locked() || isOpen(c.Request) {
		return nil
	}
	secret := secretOf(c.Request.Header)
	if secret == "" {
		c.Header("WWW-Authenticate", `Bearer realm="bendi"`)
		return &chat.Error{Kind: chat.Unauthenticated, Code: "invalid_api_key",
			Msg: "No API key was given. Send it as the header 'Authorization: Bearer KEY'; for an SDK, set OPENAI_API_KEY."}
	}
	who, err := s.Keys.Check(c.Request.Context(), secret)
	if err != nil {
		return refused(c, err)
	}
	x.who = who
	if who.Ended != nil {
		x.endWith(c, who.Ended)
	}
	return nil
}

// locked reports whether requests need a secret.
func (s *server) locked() bool { return s.Keys != nil && s.Keys.Needed() }

// refused makes an error of why a secret opens nothing.
func refused(c *gin.Context, err error) error {
	r, ok := errors.AsType[*access.Refusal](err)
	switch {
	case !ok:
		return err
	case r.Now:
		return &chat.Error{Kind: chat.Unavailable, Code: r.Code, Msg: r.Text, Err: r.Err}
	}
	c.Header("WWW-Authenticate", `Bearer realm="bendi", error="invalid_token"`)
	return &chat.Error{Kind: chat.Unauthenticated, Code: r.Code, Msg: r.Text, Err: r.Err}
}

// errRevoked ends what runs for a key that is revoked.
var errRevoked = &chat.Error{Kind: chat.Unauthenticated, Code: "revoked_api_key",
	Msg: "The API key was revoked while this was being answered. Ask whoever runs this server for another."}

// endWith has the request end when ended does.
func (x *exchange) endWith(c *gin.Context, ended context.Context) {
	ctx, cancel := context.WithCancelCause(c.Request.Context())
	stop := context.AfterFunc(ended, func() { cancel(errRevoked) })
	x.leave = func() { stop(); cancel(nil) }
	c.Request = c.Request.WithContext(ctx)
}

// isOpen reports whether r needs no key: it asks what machines ask that have
// none, or what tells people where they are.
func isOpen(r *http.Request) bool {
	switch r.URL.Path {
	case "/", "/healthz", "/readyz":
		return true
	}
	return r.Method == http.MethodOptions
}

// secretOf returns the key of a request, by whichever header its client uses.
func secretOf(h http.Header) string {
	if scheme, secret, ok := strings.Cut(h.Get("Authorization"), " "); ok && strings.EqualFold(scheme, "Bearer") {
		if secret = strings.TrimSpace(secret); secret != "" {
			return secret
		}
	}
	if secret := h.Get("X-Api-Key"); secret != "" {
		return secret
	}
	return h.Get("Api-Key")
}
