package openaicompat

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"strings"
	"time"

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

// A Revoker is an Authenticator by which somebody may be known no longer.
type Revoker interface {
	// Enter has end called, once, when who may not ask any more, with an
	// [access.Refusal]; until leave is called.
	Enter(who access.Identity, end func(error)) (leave func())
}

// authenticate finds out who asks, where that has to be known.
func (s *server) authenticate(c *gin.Context, x *exchange) error {
	if !s.locked() || s.isOpen(c) {
		return nil
	}
	if len(c.Request.Header["Authorization"]) > 1 { // who stands before us may have looked at the other
		return chat.Errorf(chat.Unauthenticated, "The header Authorization was sent %d times; send it once.", len(c.Request.Header["Authorization"]))
	}
	secret := secretOf(c.Request.Header)
	if secret == "" {
		c.Header("WWW-Authenticate", `Bearer realm="bendi"`)
		return &chat.Error{Kind: chat.Unauthenticated, Code: "invalid_api_key",
			Msg: "No API key was given. Send it as the header 'Authorization: Bearer KEY'; for an SDK, set OPENAI_API_KEY."}
	}
	who, err := s.Keys.Check(c.Request.Context(), secret)
	if err != nil {
		return s.refused(c, x, err)
	}
	x.who = who
	if r, ok := s.Keys.(Revoker); ok {
		x.enter(c, r)
	}
	return nil
}

// locked reports whether requests need a secret.
func (s *server) locked() bool { return s.Keys != nil && s.Keys.Needed() }

// Failures are told of wrong secrets.
type Failures interface {
	// Fail tells of one from an address, which may be none, and returns how long
	// whoever sent it is to wait, and whether it is worth a note.
	Fail(from netip.Addr) (wait time.Duration, note bool)
}

// refused makes an error of why a secret opens nothing.
func (s *server) refused(c *gin.Context, x *exchange, err error) error {
	r, ok := errors.AsType[*access.Refusal](err)
	switch {
	case !ok:
		return err
	case r.Now:
		return &chat.Error{Kind: chat.Unavailable, Code: r.Code, Msg: r.Text, Err: r.Err}
	}
	if s.Failures != nil {
		from, _ := netip.ParseAddrPort(c.Request.RemoteAddr)
		wait, note := s.Failures.Fail(from.Addr())
		if wait > 0 {
			x.quiet = !note
			c.Header("X-Should-Retry", "false") // to OpenAI's and Anthropic's clients: a wrong key stays one
			return &chat.Error{Kind: chat.RateLimited, Code: "too_many_failures", RetryAfter: wait,
				Msg: "Too many wrong API keys came from your address, and this is another one: correct the key, and wait before you try again."}
		}
	}
	c.Header("WWW-Authenticate", `Bearer realm="bendi", error="invalid_token"`)
	return &chat.Error{Kind: chat.Unauthenticated, Code: r.Code, Msg: r.Text, Err: r.Err}
}

// enter has the request end when whoever asks may not ask any more.
func (x *exchange) enter(c *gin.Context, r Revoker) {
	ctx, cancel := context.WithCancelCause(c.Request.Context())
	leave := r.Enter(x.who, func(err error) {
		if r, ok := errors.AsType[*access.Refusal](err); ok {
			err = &chat.Error{Kind: chat.Unauthenticated, Code: r.Code, Msg: r.Text}
		}
		cancel(err)
	})
	x.leave = func() { leave(); cancel(nil) }
	c.Request = c.Request.WithContext(ctx)
}

// isOpen reports whether a request needs no key: it asks what machines ask that have
// none, or what tells people where they are.
func (s *server) isOpen(c *gin.Context) bool {
	switch path := c.Request.URL.Path; path {
	case "/", "/healthz", "/readyz":
		return true
	default:
		return c.Request.Method == http.MethodOptions || s.Open && s.Pages[strings.TrimSuffix(path, "/")] != nil
	}
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
