package openaicompat

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"bendi/access"
	"bendi/chat"
	"bendi/ledger"
	"bendi/openaicompat/wire"
)

// An exchange is what the log tells about one request.
type exchange struct {
	id    string // of the request
	start time.Time
	who   access.Identity
	leave func() // when the request has ended; nil: nothing is to be done
	route string // path of the route

	operation string // what is asked of it: "chat", or an endpoint without its slash
	model     string // as resolved
	backend   string
	arm       string // of an experiment
	stream    bool
	first     time.Time // when the first delta came
	pieces    int64     // of the answer
	settle    func()    // see reserve; nil: nothing is to be settled
	finish    chat.Finish
	usage     chat.Usage
	request   *chat.Filtered                         // what the filter did to the request
	answer    *chat.Filtered                         // and to the answer, where it last did something
	memory    *chat.Memory                           // what the memory of the conversation did
	failure   func(err error, request string) []byte // ends a stream that has begun; nil: as its protocol does
	err       error
	fault     int  // the status of err, which a stream that had begun could not have
	gone      bool // the client has left
	admitted  bool // see [Observer]
	answerID  string
	session   string              // that the client names
	of        string              // whose session that is; empty: of who asks
	learnt    func(*ledger.Entry) // adds what was learnt where the request was answered
	probe     bool                // asked again and again by machines, and not worth a line
	quiet     bool                // one of many alike, and neither worth a line
}

const exchangeKey = "openaicompat.exchange"

// StatusGone stands for the status that nobody was left to read.
const StatusGone = 499

// observe gives each request its ID and writes its line in the log.
func (s *server) observe(c *gin.Context) {
	x := &exchange{id: requestID(c.GetHeader("X-Request-Id")), start: time.Now()}
	c.Set(exchangeKey, x)
	var ctx context.Context
	ctx, x.learnt = ledger.Listen(c.Request.Context(), x.start)
	c.Request = c.Request.WithContext(ctx)
	c.Header("X-Request-Id", x.id)
	if s.protocols[c.FullPath()] != nil {
		c.Header("Request-Id", x.id) // its name with Anthropic's clients
	}
	cut := true // by a panic, which is how a connection is cut
	defer func() {
		x.gone = x.gone || cut
		s.ended(c, x)
	}()
	c.Next()
	cut = false
}

// ended tells of the end of a request.
func (s *server) ended(c *gin.Context, x *exchange) {
	if x.leave != nil {
		x.leave()
	}
	if !x.gone {
		// The limit of the last write must not outlive this response: the
		// connection may serve others.
		controller(c.Writer).SetWriteDeadline(time.Time{})
	}
	if !x.quiet {
		s.log(c, x)
	}
	if !x.probe {
		s.Observer.Ended(x.entry(c))
	}
}

// requestID returns the client's own ID for a request, if it is a sane one.
func requestID(given string) string {
	const sane = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"
	if given != "" && len(given) <= 128 && strings.Trim(given, sane) == "" {
		return given
	}
	return newID("req_")
}

// newID returns an ID that nobody can guess: 130 bits by chance.
func newID(prefix string) string {
	const digits = "abcdefghijklmnopqrstuvwxyz234567"
	var room [64]byte
	id := append(room[:0], prefix...)
	var bits [26]byte
	rand.Read(bits[:]) // never fails
	for _, b := range bits {
		id = append(id, digits[b%32])
	}
	return string(id)
}

// log writes the line of a request. A failure of ours is an error; one of the
// client's is not.
func (s *server) log(c *gin.Context, x *exchange) {
	status, level := c.Writer.Status(), slog.LevelInfo
	switch {
	case x.gone:
		status = StatusGone
	case x.probe:
		level = slog.LevelDebug
	case x.err != nil && x.fault >= 500:
		level = slog.LevelError
	}
	if !s.Log.Enabled(c.Request.Context(), level) {
		return
	}
	attrs := []slog.Attr{
		slog.String("method", c.Request.Method),
		slog.String("path", c.Request.URL.Path),
		slog.Int("status", status),
		slog.Duration("duration", time.Since(x.start)),
		slog.String("request", x.id),
	}
	text := func(name, value string) {
		if value != "" {
			attrs = append(attrs, slog.String(name, value))
		}
	}
	text("key", x.who.Name)
	text("route", x.route)
	text("backend", x.backend)
	text("arm", x.arm)
	text("model", x.model)
	if !x.first.IsZero() {
		attrs = append(attrs, slog.Duration("ttft", x.first.Sub(x.start)))
	}
	if x.usage != (chat.Usage{}) {
		attrs = append(attrs, slog.Int("prompt_tokens", x.usage.PromptTokens), slog.Int("completion_tokens", x.usage.CompletionTokens))
	}
	text("finish", string(x.finish))
	text("filter", wire.FilterHeader(x.request, x.answer))
	text("session", wire.SessionHeader(x.memory))
	if x.stream {
		attrs = append(attrs, slog.Bool("stream", true))
	}
	if e, ok := errors.AsType[*chat.Error](x.err); ok && e.Code == chat.CodeModelNotFound {
		text("err", "there is no such model; its name is the client's, and not logged")
	} else if x.err != nil {
		attrs = append(attrs, slog.Any("err", x.err))
	}
	s.Log.LogAttrs(c.Request.Context(), level, "request", attrs...)
}
