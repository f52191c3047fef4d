package openaicompat

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"

	"bendi/chat"
	"bendi/openaicompat/wire"
)

// A handler answers a request, or returns why it cannot.
type handler func(*gin.Context, *exchange) error

// errGone is the end of a request whose client does not read any more.
var errGone = errors.New("the client has left")

// handle adapts h to Gin. No other code ends a request that failed.
func (s *server) handle(h handler) gin.HandlerFunc {
	return func(c *gin.Context) {
		x := c.MustGet(exchangeKey).(*exchange)
		if err := protect(h, c, x); err != nil {
			c.Abort()
			s.fail(c, x, err)
		}
	}
}

// protect calls h and makes an error of a panic.
func protect(h handler, c *gin.Context, x *exchange) (err error) {
	defer func() {
		switch p := recover(); {
		case p == http.ErrAbortHandler:
			panic(p) // net/http's own way to cut a connection
		case p != nil:
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return h(c, x)
}

// fail tells the client of err, unless nobody is left to tell: as the response
// where none has begun, and else as the last event of the stream.
func (s *server) fail(c *gin.Context, x *exchange, err error) {
	if ctx := c.Request.Context(); ctx.Err() != nil && !errors.Is(err, errSlow) {
		// It ended because the client left, or because we end it and say why.
		ours, ok := errors.AsType[*chat.Error](context.Cause(ctx))
		if !ok {
			err = errGone
		} else if !errors.Is(err, ours) {
			err = ours
		}
	}
	if errors.Is(err, errGone) {
		x.gone = true
		return
	}
	p := s.protocol(c)
	status, body := p.fault(err, x.id)
	x.err, x.fault = err, status
	if e, ok := errors.AsType[*chat.Error](err); ok {
		x.noteFilter(e.Filtered)
	}
	if c.Writer.Written() {
		if x.stream {
			frame := p.frame
			if x.failure != nil {
				frame = x.failure
			}
			s.write(c, frame(err, x.id))
		}
		return
	}
	if e, ok := errors.AsType[*chat.Error](err); ok {
		if e.RetryAfter > 0 {
			c.Header("Retry-After", strconv.Itoa(int(math.Ceil(e.RetryAfter.Seconds()))))
		}
		if e.Filtered != nil {
			c.Header(filterHeader, wire.FilterHeader(x.request, x.answer))
		}
	}
	s.json(c, status, body)
}

// protocol returns that of the path which was asked, in which failures are told.
func (s *server) protocol(c *gin.Context) *protocol {
	if p := s.protocols[c.FullPath()]; p != nil {
		return p
	}
	return chats()
}

// json writes a whole response, and the end of its line for whoever reads it
// in a terminal.
func (s *server) json(c *gin.Context, status int, body []byte) error {
	body = append(body, '\n')
	c.Header("Content-Type", "application/json; charset=utf-8")
	c.Header("Content-Length", strconv.Itoa(len(body)))
	c.Status(status)
	return s.write(c, body)
}

// write writes data and sees it on its way, piece by piece: a client that
// takes in no piece for the WriteTimeout has left.
func (s *server) write(c *gin.Context, data []byte) error {
	return s.writeBy(c, data, new(time.Time), time.Now())
}

const writeSize = 32 << 10 // bytes of a piece

// writeBy is write for one who writes often. The limit stands for an eighth of
// the WriteTimeout longer, and is set anew when that has passed since limited.
func (s *server) writeBy(c *gin.Context, data []byte, limited *time.Time, now time.Time) error {
	rc := controller(c.Writer)
	for len(data) > 0 {
		if spare := s.WriteTimeout / 8; limited.IsZero() || now.Sub(*limited) > spare {
			*limited = now
			rc.SetWriteDeadline(now.Add(s.WriteTimeout + spare)) // not every writer can; then there is no limit
		}
		piece := data[:min(len(data), writeSize)]
		if _, err := c.Writer.Write(piece); err != nil {
			return errGone
		}
		if data = data[len(piece):]; len(data) > 0 {
			now = time.Now()
		}
	}
	if err := rc.Flush(); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return errGone
	}
	return nil
}

// controller controls the connection's own writer: Gin's hides the errors of
// flushing.
func controller(w gin.ResponseWriter) *http.ResponseController {
	if u, ok := w.(interface{ Unwrap() http.ResponseWriter }); ok {
		return http.NewResponseController(u.Unwrap())
	}
	return http.NewResponseController(w)
}
