package limit

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"sync"
	"time"

	"bendi/access"
)

// A Subject is whose requests are counted together, and how many there may be.
type Subject struct {
	Name   string // such as "key shop", "user ann" or "route /v1/chat"
	Limits access.Limits
}

// A Demand is what a request asks to have set aside.
type Demand struct {
	ID       string // of the demand; no two have the same
	Subjects []Subject
	Tokens   int64 // 0 or more
	Zone     *time.Location
}

// A Counter counts.
type Counter interface {
	// Reserve grants a demand, or says by an [access.Exceeded] which limit it
	// would exceed; then nothing is counted. Any other error is of the Counter.
	Reserve(ctx context.Context, d *Demand) (*Receipt, error)
	// Settle gives back a place, and has tokens count in place of those that
	// were set aside.
	Settle(ctx context.Context, r *Receipt, tokens int64) error
}

// A Receipt is what a Counter has granted, and when.
type Receipt struct {
	*Demand
	Second, Day int64 // that the request is counted for
	Standing    access.Standing
}

// Rules say what limits there are beside those of each Identity.
type Rules struct {
	EachKey  access.Limits            // of a key or token that has none of its own
	EachUser access.Limits            // of a user's keys and tokens together
	Routes   map[string]access.Limits // of all requests to a route together, by its path
	Zone     *time.Location           // whose days are counted; nil: UTC
	Refuse   bool                     // nobody passes while the Counter fails
}

// A Limiter grants requests by Rules.
type Limiter struct {
	rules  Rules
	shared Counter // nil: local alone counts
	local  Counter // counts while shared fails
	down   *Health // of shared
}

// New returns a Limiter that counts by shared, or, where that is nil or fails,
// by local. The Health is of shared, and lasts longer than a Limiter.
func New(rules Rules, shared, local Counter, health *Health) *Limiter {
	if rules.Zone == nil {
		rules.Zone = time.UTC
	}
	return &Limiter{rules, shared, local, health}
}

// subjects returns whose limits a request falls under.
func (l *Limiter) subjects(who access.Identity, route string) []Subject {
	var all []Subject
	add := func(kind, name string, limits access.Limits) {
		if limits != (access.Limits{}) {
			all = append(all, Subject{kind + " " + name, limits})
		}
	}
	add("key", cmp.Or(who.Name, "(none)"), who.Limits.Or(l.rules.EachKey))
	if who.User != "" {
		add("user", who.User, l.rules.EachUser)
	}
	add("route", route, l.rules.Routes[route])
	return all
}

// A Grant is a request that may be answered. Of nothing that is limited, it is
// empty.
type Grant struct {
	counter Counter
	receipt *Receipt
	once    sync.Once
	failed  func(error)
}

// ErrDown is that the Counter fails, and that nobody is to pass then.
var ErrDown = errors.New("what counts the requests cannot be reached")

// Reserve sets aside a request of who to a route, and the tokens that it takes at
// most. The error is an [access.Exceeded], or wraps ErrDown.
func (l *Limiter) Reserve(ctx context.Context, who access.Identity, route string, tokens int64) (*Grant, error) {
	subjects := l.subjects(who, route)
	if len(subjects) == 0 {
		return &Grant{}, nil
	}
	d := &Demand{ID: rand.Text(), Subjects: subjects, Tokens: min(max(tokens, 0), access.MaxLimit), Zone: l.rules.Zone}
	if l.shared != nil && l.down.try() {
		r, err := l.shared.Reserve(ctx, d)
		if _, said := errors.AsType[*access.Exceeded](err); said || err == nil {
			l.down.works()
			return granted(l.shared, r, err, l.down.settles)
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx) // which says nothing about the Counter
		}
		l.down.fails(err)
	}
	if l.shared != nil && l.rules.Refuse {
		return nil, ErrDown
	}
	r, err := l.local.Reserve(ctx, d)
	return granted(l.local, r, err, func(error) {})
}

func granted(c Counter, r *Receipt, err error, failed func(error)) (*Grant, error) {
	if err != nil {
		return nil, err
	}
	return &Grant{counter: c, receipt: r, failed: failed}, nil
}

// Standing tells what is left after the grant.
func (g *Grant) Standing() access.Standing {
	if g.receipt == nil {
		return access.Standing{}
	}
	return g.receipt.Standing
}

// settleTime is how long an answer that is over waits to be settled.
const settleTime = time.Second

// Settle says that the request has ended and how many tokens it took. Only the
// first call counts.
func (g *Grant) Settle(tokens int64) {
	if g.receipt == nil {
		return
	}
	g.once.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), settleTime)
		defer cancel()
		if err := g.counter.Settle(ctx, g.receipt, min(max(tokens, 0), access.MaxLimit)); err != nil {
			g.failed(err)
		}
	})
}
