package openaicompat

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"bendi/chat"
)

// guard turns requests away before anything else looks at them, and tells
// browsers to make nothing of an answer but what it is.
func (s *server) guard(c *gin.Context, x *exchange) error {
	if s.Inside {
		return nil
	}
	h := c.Writer.Header()
	h["X-Content-Type-Options"] = noSniff
	h["Referrer-Policy"] = noReferrer
	h["X-Frame-Options"] = deny
	h["Content-Security-Policy"] = nothing
	h["Cache-Control"] = noStore
	if c.Request.TLS != nil && !isHere(c.Request.Host) && !isAddress(c.Request.Host) {
		h["Strict-Transport-Security"] = hsts
	}
	if c.Request.ContentLength != 0 {
		controller(c.Writer).SetReadDeadline(x.start.Add(s.BodyTimeout)) // not every connection can; then there is no limit
	}
	if len(c.Request.TransferEncoding) > 0 && c.Request.ProtoMajor == 1 {
		hangUp(c) // a proxy before us may have seen another end of the body: what follows it here is not to be a request
	}
	if !s.goesBy(c.Request.Host) {
		return s.misdirected(c, x)
	}
	if !slices.Contains(methods, c.Request.Method) {
		hangUp(c)
		return s.turnAway(c, x, http.StatusMethodNotAllowed, "method_not_allowed", "This server takes "+strings.Join(methods[:len(methods)-1], ", ")+" and "+methods[len(methods)-1]+" alone.")
	}
	return s.refuseForeign(c, x)
}

// methods are those that something here may take.
var methods = []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions}

// What every answer says of itself; a page that has more to show says so.
var (
	noSniff    = []string{"nosniff"}
	noReferrer = []string{"no-referrer"}
	deny       = []string{"DENY"}
	nothing    = []string{"default-src 'none'; frame-ancestors 'none'"}
	noStore    = []string{"no-store"}
	hsts       = []string{"max-age=31536000"}
)

// goesBy reports whether a Host header is a name of this server. One in figures
// always is: the danger is a name that somebody else can make mean this machine,
// so that a page of theirs and this server are of one origin.
func (s *server) goesBy(host string) bool {
	if s.Hosts == nil || host == "" || isAddress(host) || isHere(host) {
		return true
	}
	name := strings.TrimSuffix(withoutPort(host), ".")
	return slices.ContainsFunc(s.Hosts, func(known string) bool { return strings.EqualFold(known, name) })
}

func (s *server) misdirected(c *gin.Context, x *exchange) error {
	hangUp(c)
	return s.turnAway(c, x, http.StatusMisdirectedRequest, "unknown_host",
		"This server does not go by the name that the Host header has. Ask it by its address, or by 127.0.0.1 or localhost on its own machine; whoever runs it can add the name to server.hosts.")
}

// turnAway answers with a status that no kind of error has, for nothing behind
// the edge can fail so.
func (s *server) turnAway(c *gin.Context, x *exchange, status int, code, msg string) error {
	c.Abort()
	_, body := s.protocol(c).fault(&chat.Error{Kind: chat.Invalid, Code: code, Msg: msg}, x.id)
	return s.json(c, status, body)
}

const bodyRate = 16 << 10 // bytes that a client sends in a second, at the least

// A pacedBody is the body of a request that has to come: within the time that
// every body has, and then the faster the longer it is.
type pacedBody struct {
	body  io.Reader
	limit func(time.Time) error
	end   time.Time // when what has come so far has to be here
}

// paced returns the body of a request, and what ends its limit in time.
func (s *server) paced(c *gin.Context, body io.Reader) (paced io.Reader, free func()) {
	rc := controller(c.Writer)
	return &pacedBody{body, rc.SetReadDeadline, time.Now().Add(s.BodyTimeout)}, func() { rc.SetReadDeadline(time.Time{}) }
}

func (p *pacedBody) Read(b []byte) (int, error) {
	p.limit(p.end) // not every connection can; then there is no limit
	n, err := p.body.Read(b)
	p.end = p.end.Add(time.Duration(n) * time.Second / bodyRate)
	return n, err
}
