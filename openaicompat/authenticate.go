package openaicompat

import (
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"bendi/chat"
)

// authenticate lets a request pass that carries a key, where keys are needed.
func (s *server) authenticate(c *gin.Context, x *exchange) error {
	if s.Keys == nil || isOpen(c.Request) {
		return nil
	}
	secret := secretOf(c.Request.Header)
	name, ok := s.Keys.Check(secret)
	switch {
	case secret == "":
		c.Header("WWW-Authenticate", `Bearer realm="bendi"`)
		return &chat.Error{Kind: chat.Unauthenticated, Code: "invalid_api_key",
			Msg: "No API key was given. Send it as the header 'Authorization: Bearer KEY'; for an SDK, set OPENAI_API_KEY."}
	case !ok:
		c.Header("WWW-Authenticate", `Bearer realm="bendi", error="invalid_token"`)
		return &chat.Error{Kind: chat.Unauthenticated, Code: "invalid_api_key",
			Msg: "The API key is not known here. Ask whoever runs this server for one."}
	}
	x.key = name
	return nil
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
