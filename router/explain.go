package router

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"bendi/chat"
)

// A What says what a [Pool] did.
type What string

const (
	Skipped   What = "skipped"   // a backend, for the Reason
	Asked     What = "asked"     // a backend
	Hedged    What = "hedged"    // it asked a second backend as well
	Waited    What = "waited"    // for the Reason, for so long
	Committed What = "committed" // to the backend: its first token has come
	Done      What = "done"      // the answer was whole
	Lost      What = "lost"      // another backend was faster
	Faulted   What = "failed"    // the backend did, by the Err
	Declined  What = "declined"  // the backend did, by no fault of its own
	Invalid   What = "invalid"   // the request is
	Gone      What = "gone"      // the client is, or the time of the request over
	Resumed   What = "resumed"   // another backend is to go on with half an answer
	GaveUp    What = "gave up"   // for the Reason, with the Err
)

var whats = [...]What{
	whole: Done, gone: Gone, lost: Lost, refused: Invalid, small: Declined, absent: Declined,
	limited: Declined, fault: Faulted, barred: Faulted, deadly: Faulted,
}

// A Reason says why a [Pool] did something.
type Reason string

const (
	Forbidden Reason = "egress"     // the policy does not let the request go there
	Unable    Reason = "unable"     // it cannot do what is asked for
	Failed    Reason = "failed"     // it failed for this request, and would again
	NoPrefill Reason = "no prefill" // it cannot go on with half an answer
	Small     Reason = "window"     // the prompt does not fit
	Resting   Reason = "resting"    // it said when it can be asked again
	Open      Reason = "open"       // it failed too often of late
	Probing   Reason = "probing"    // another request finds out whether it has recovered
	BackOff   Reason = "back-off"
	NoTries   Reason = "tries"   // none is left
	NoBudget  Reason = "budget"  // too many requests are being retried
	NoTime    Reason = "time"    // the first token would be too late
	NoBackend Reason = "backend" // none is left
)

// A Step is one decision about a request. But for the Err, which is what a
// backend said, it holds names and figures and no word of the request.
type Step struct {
	Request, Model string // the request's ID, and the model by the name in it
	What           What
	Reason         Reason
	Because        []string // rules of the policy, where the Reason is Forbidden
	Backend        string
	Try            int           // from 1
	Wait           time.Duration // of Waited
	Took           time.Duration // of the try until then
	At             time.Duration // since the request came
	Err            error
}

func (c *call) note(s Step) {
	if c.pool.Observe == nil {
		return
	}
	s.Request, s.Model, s.At = c.id, c.model, time.Since(c.begun)
	c.pool.Observe(s)
}

// skipped notes the candidates that are not asked.
func (c *call) skipped(list []candidate) {
	if c.pool.Observe == nil {
		return
	}
	for _, k := range list {
		if k.why != "" {
			s := Step{What: Skipped, Reason: k.why, Backend: k.backend.Name, Wait: k.wait}
			if k.why == Forbidden {
				s.Because = c.ruling.because
			}
			c.note(s)
		}
	}
}

// A Decision is what a [Pool] would do with a request.
type Decision struct {
	Model      string
	Permission Permission // to leave the house
	Because    []string   // the rules that say so
	Candidates []Candidate
	Err        error // that the request would end with at once; nil: it is sent to the first candidate
}

// A Candidate is a backend of a [Decision], in the order in which they are
// asked. Those that are not asked come last.
type Candidate struct {
	Status
	Tier     int    // from 1
	As       string // what it is asked for
	Excluded Reason // why it is not asked; empty: it is
	Wait     time.Duration
	Hedge    time.Duration // after which another is asked as well; 0: none is
}

// Explain says who would be asked for req, and sends nothing. Where chance has
// a part in it, it may be another the next time.
func (p *Pool) Explain(req *chat.Request) Decision {
	var c call
	asker := askerOf(req)
	c.init(context.Background(), p, asker)
	defer c.close()
	if p.Balance == Affine && len(p.backends) > 1 {
		c.key = affinity(req)
	}
	ruling := p.Egress.judge(&asker) // which a pool of backends inside has no use for
	d := Decision{Model: req.Model, Permission: ruling.Permission, Because: ruling.because}
	list := p.rank(nil, &c, time.Now())
	for _, k := range list {
		one := Candidate{Status: k.backend.Status(), Tier: k.tier + 1, As: k.backend.name(req.Model), Excluded: k.why, Wait: k.wait}
		if p.Hedge && k.why == "" {
			one.Hedge, _ = k.backend.first.quantile(hedgeQuantile)
		}
		d.Candidates = append(d.Candidates, one)
	}
	if d.Candidates[0].Excluded != "" {
		d.Err = c.nobody(list)
	}
	return d
}

// Explain says who would be asked for req, and sends nothing. Of a model that is
// no [Pool] nobody knows in which zone it is; it is told to be outside.
func (r *Route) Explain(req *chat.Request) (Decision, error) {
	o, err := r.offer(req.Model)
	if err != nil {
		return Decision{}, err
	}
	own := *req
	own.Model = o.ID
	if p, ok := o.Model.(*Pool); ok {
		return p.Explain(&own), nil
	}
	only := Candidate{Status: Status{Backend: o.Backend, State: breakerStates[closed], Share: 1}, Tier: 1, As: o.ID}
	return Decision{Model: o.ID, Permission: Allowed, Candidates: []Candidate{only}}, nil
}

// CodeNoBackend is the code of a request for which there is no backend now.
const CodeNoBackend = "no_backend"

// nobody is the error of a request that there is no backend for.
func (c *call) nobody(list []candidate) error {
	if c.last != nil {
		return c.last
	}
	count := make(map[Reason]int)
	var wait time.Duration
	for _, k := range list {
		count[k.why]++
		if k.wait > 0 && (wait == 0 || k.wait < wait) {
			wait = k.wait
		}
	}
	if count[Forbidden] == len(list) {
		return c.ruling.forbidden(len(list))
	}
	var parts []string
	for _, r := range [...]struct {
		why  Reason
		text string
	}{
		{Open, "%d failed too often of late"},
		{Probing, "%d may be about to recover"},
		{Resting, "%d asked to be left alone"},
		{Forbidden, "%d may not be asked (because of " + strings.ReplaceAll(strings.Join(c.ruling.because, ", "), "%", "%%") + ")"},
		{Unable, "%d cannot do this"},
	} {
		if n := count[r.why]; n > 0 {
			parts = append(parts, fmt.Sprintf(r.text, n))
		}
	}
	if count[Forbidden]+count[Unable] == len(list) { // nor will they later
		return &chat.Error{
			Kind: chat.Unavailable, Code: CodeNoAllowedBackend,
			Msg: fmt.Sprintf("None of the %d backends can answer this: %s.", len(list), strings.Join(parts, ", ")),
		}
	}
	// Not all who are told this come again at once.
	wait += time.Duration(0.2 * rand.Float64() * float64(wait))
	return &chat.Error{
		Kind: chat.Unavailable, Code: CodeNoBackend, RetryAfter: wait,
		Msg: fmt.Sprintf("None of the %d backends can answer now: %s. Try again in %v.", len(list), strings.Join(parts, ", "), max(wait.Round(time.Second), time.Second)),
	}
}

// resting returns after how long the first backend that asked for a pause can
// be asked again, where all that are left did; 0: none did.
func resting(list []candidate) time.Duration {
	var wait time.Duration
	for _, k := range list {
		if k.why == Resting && (wait == 0 || k.wait < wait) {
			wait = k.wait
		}
	}
	return wait
}
