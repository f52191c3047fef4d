package openaicompat

import (
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"bendi/chat"
	"bendi/ledger"
)

// An Observer is told of requests, for metrics. It may be told of several at
// once.
type Observer interface {
	// Enter tells of a request to a route, and leave of the end of its answer.
	Enter(route string) (leave func())
	// Admit returns why nothing can be answered now. It is asked for each
	// request that is no probe.
	Admit() error
	// Ended tells how a request ended, whether it came as far as a route or
	// not. Pages and probes that were answered do not count. Nothing in it is a
	// name that a client has made up, but for its ID: what was not resolved is
	// empty.
	Ended(*ledger.Entry)
}

// admit refuses a request of which nothing could be kept.
func (s *server) admit(c *gin.Context, x *exchange) error {
	if s.probes[c.FullPath()] {
		return nil
	}
	err := s.Observer.Admit()
	x.admitted = err == nil
	return err
}

// entry sums a request up.
func (x *exchange) entry(c *gin.Context) *ledger.Entry {
	e := &ledger.Entry{
		ID: x.id, AnswerID: x.answerID, Start: x.start, Principal: x.who.Name, Session: x.session, Of: x.of, Method: c.Request.Method,
		Operation: x.operation, Stream: x.stream, Status: c.Writer.Status(), Admitted: x.admitted, Quiet: x.quiet,
		Route: x.route, Model: x.model, Arm: x.arm, Backend: x.backend, Request: x.request, Answer: x.answer,
		Usage: x.usage, Total: time.Since(x.start), Finish: x.finish, Outcome: ledger.Success,
	}
	switch {
	case x.gone:
		e.Status, e.Outcome = StatusGone, ledger.Gone
	case x.err != nil:
		e.Status, e.Outcome, e.Err = x.fault, ledger.Failed, x.err
	case e.Status >= 400:
		e.Outcome = ledger.Failed
	}
	if !x.first.IsZero() {
		e.First = x.first.Sub(x.start)
	}
	x.learnt(e)
	return e
}

// page serves h beside the routes, to those who may.
func (s *server) page(h http.Handler) handler {
	return func(c *gin.Context, x *exchange) error {
		if s.locked() && !s.Open && !x.who.Admin && !x.who.Metrics {
			return chat.Errorf(chat.Forbidden, "This key may not read the metrics; the operator can make one that may, with bendi key create --metrics or metrics: true under access.keys.")
		}
		x.probe = true
		controller(c.Writer).SetWriteDeadline(time.Now().Add(s.WriteTimeout)) // not every writer can; then there is no limit
		h.ServeHTTP(c.Writer, c.Request)
		return nil
	}
}

// nobody is an Observer that looks away.
type nobody struct{}

func (nobody) Enter(string) func() { return func() {} }
func (nobody) Admit() error        { return nil }
func (nobody) Ended(*ledger.Entry) {}
