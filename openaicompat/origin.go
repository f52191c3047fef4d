package openaicompat

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"
	"github.com/rs/cors"

	"bendi/chat"
)

// crossOrigin lets pages of other origins ask that may. Whatever headers they
// want to send are allowed by name, for the Fetch standard does not let "*"
// stand for Authorization; cookies are never wanted.
func (s *server) crossOrigin() gin.HandlerFunc {
	options := cors.Options{
		AllowedMethods: []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodDelete},
		AllowedHeaders: []string{"*"},
		ExposedHeaders: []string{
			"X-Request-Id", "Request-Id", "Retry-After",
			"X-Ratelimit-Limit-Requests", "X-Ratelimit-Remaining-Requests", "X-Ratelimit-Reset-Requests",
			"X-Ratelimit-Limit-Tokens", "X-Ratelimit-Remaining-Tokens", "X-Ratelimit-Reset-Tokens",
			"X-Bendi-Route", "X-Bendi-Backend", "X-Bendi-Arm", "X-Bendi-Filter",
		},
		MaxAge: 600,
	}
	if slices.Contains(s.AllowOrigins, "*") {
		options.AllowedOrigins = []string{"*"}
	} else {
		options.AllowOriginVaryRequestFunc = func(r *http.Request, origin string) (bool, []string) { return s.welcome(r, origin), nil }
	}
	policy := cors.New(options)
	return func(c *gin.Context) {
		policy.HandlerFunc(c.Writer, c.Request)
		if c.Request.Method == http.MethodOptions && c.GetHeader("Access-Control-Request-Method") != "" {
			c.Abort()
			c.Writer.WriteHeaderNow()
		}
	}
}

// refuseForeign refuses what a page asks to have done that may not ask. That
// its script would not see the answer is not enough: the work would be done.
func (s *server) refuseForeign(c *gin.Context, x *exchange) error {
	origin := c.GetHeader("Origin")
	if origin == "" || s.Inside || s.welcome(c.Request, origin) {
		return nil
	}
	switch c.Request.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return nil // changes nothing, and the page does not see it
	}
	return &chat.Error{Kind: chat.Forbidden, Code: "origin_not_allowed",
		Msg: "Web pages of this origin may not ask here. Whoever runs the server can add it to server.allow_origins."}
}

// welcome reports whether a page may ask: one of this server, and one of those
// that are named. Where none are, whoever has a key may ask wherever a key is
// needed, and else what comes from this machine: without a key, any page in a
// browser here could ask in the name of whoever looks at it.
func (s *server) welcome(r *http.Request, origin string) bool {
	u, err := url.Parse(origin)
	switch {
	case slices.Contains(s.AllowOrigins, "*"):
		return true
	case err != nil || u.Scheme == "":
		return false // such as null, which any page can be
	case strings.EqualFold(u.Host, r.Host) && (u.Scheme == "http" || u.Scheme == "https"):
		return true
	case len(s.AllowOrigins) > 0:
		return slices.Contains(s.AllowOrigins, strings.ToLower(origin))
	}
	return s.locked() || slices.Contains(apps, u.Scheme) || (u.Scheme == "http" || u.Scheme == "https") && isHere(u.Host)
}

// apps are the schemes of programs that show pages of their own. No page of the
// web has one of them.
var apps = []string{"app", "capacitor", "file", "ionic", "tauri", "vscode-file", "vscode-webview"}

// isHere reports whether a host, with a port or without, is this machine to
// itself: the names below localhost are (RFC 6761).
func isHere(host string) bool {
	host = strings.ToLower(strings.TrimSuffix(withoutPort(host), "."))
	return isLocal(host) || strings.HasSuffix(host, ".localhost")
}

// withoutPort returns the name or the address of a Host header.
func withoutPort(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
}

// isAddress reports whether a host is written in figures. No page can make such
// a host mean another machine.
func isAddress(host string) bool {
	_, err := netip.ParseAddr(withoutPort(host))
	return err == nil
}
