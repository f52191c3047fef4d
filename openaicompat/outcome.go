package openaicompat

import (
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
)

// An Observer is told of requests, for metrics. It may be told of several at
// once.
type Observer interface {
	// Enter tells of a request to a route, and leave of the end of its answer.
	Enter(route string) (leave func())
	// Ended tells how a request ended, whether it came as far as a route or
	// not. Pages and probes do not count.
	Ended(o Outcome)
}

// An Outcome is how a request ended. It holds no name that a client has made
// up: what was not resolved is empty.
type Outcome struct {
	Route      string // path
	Operation  string // "chat", "embeddings", "rerank", ...; empty where no route was reached
	Model      string // as resolved
	Backend    string // who answered
	Status     int    // 499 where the client left; of a stream that failed, what it would have been before it began
	Stream     bool
	FirstToken time.Duration // until the first piece of the answer; 0: none came
	Duration   time.Duration
}

// outcome sums a request up.
func (x *exchange) outcome(c *gin.Context) Outcome {
	o := Outcome{
		Route: x.route, Operation: x.operation, Model: x.model, Backend: x.backend, Stream: x.stream,
		Status: c.Writer.Status(), Duration: time.Since(x.start),
	}
	switch {
	case x.gone:
		o.Status = StatusGone
	case x.err != nil:
		o.Status = x.fault
	}
	if !x.first.IsZero() {
		o.FirstToken = x.first.Sub(x.start)
	}
	return o
}

// page serves h beside the routes.
func (s *server) page(h http.Handler) handler {
	return func(c *gin.Context, x *exchange) error {
		x.probe = true
		controller(c.Writer).SetWriteDeadline(time.Now().Add(s.WriteTimeout)) // not every writer can; then there is no limit
		h.ServeHTTP(c.Writer, c.Request)
		return nil
	}
}

// nobody is an Observer that looks away.
type nobody struct{}

func (nobody) Enter(string) func() { return func() {} }
func (nobody) Ended(Outcome)       {}
