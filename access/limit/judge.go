package limit

import (
	"time"

	"bendi/access"
)

// A Reading is what is counted of a subject at the moment of a demand, and in
// milliseconds, how long until the demand would fit a minute, and until all that
// is counted of a minute is over.
type Reading struct {
	MinuteRequests, MinuteTokens int64
	DayRequests, DayTokens       int64
	Running                      int64

	WaitRequests, WaitTokens   int64
	ClearRequests, ClearTokens int64
}

// A limited is one limit of a subject, and what a demand makes of it.
type limited struct {
	what               string
	limit, used, asked int64
	wait, clear        time.Duration
}

// Judge says whether a demand fits, given a reading of each of its subjects and
// how long until the day is over: it returns the limit that would be exceeded
// for the longest, or nil, and what is left after the demand, or, where it does
// not fit, without it.
func Judge(d *Demand, readings []Reading, dayLeft time.Duration) (*access.Exceeded, access.Standing) {
	var worst *access.Exceeded
	var before, after access.Standing
	for i, s := range d.Subjects {
		r := readings[i]
		ms := func(n int64) time.Duration { return time.Duration(n) * time.Millisecond }
		requests := []limited{
			{"requests per minute", s.Limits.RequestsPerMinute, r.MinuteRequests, 1, ms(r.WaitRequests), ms(r.ClearRequests)},
			{"requests per day", s.Limits.RequestsPerDay, r.DayRequests, 1, dayLeft, dayLeft},
		}
		tokens := []limited{
			{"tokens per minute", s.Limits.TokensPerMinute, r.MinuteTokens, d.Tokens, ms(r.WaitTokens), ms(r.ClearTokens)},
			{"tokens per day", s.Limits.TokensPerDay, r.DayTokens, d.Tokens, dayLeft, dayLeft},
		}
		for _, l := range requests {
			worst = l.exceeded(worst, s.Name)
			narrow(&before.Requests, l, 0)
			narrow(&after.Requests, l, 1)
		}
		for _, l := range tokens {
			worst = l.exceeded(worst, s.Name)
			narrow(&before.Tokens, l, 0)
			narrow(&after.Tokens, l, d.Tokens)
		}
		// When a place becomes free nobody knows; a second is what those wait who ask again.
		places := limited{access.Concurrently, s.Limits.Concurrent, r.Running, 1, time.Second, 0}
		worst = places.exceeded(worst, s.Name)
	}
	if worst != nil {
		worst.Standing = before
		return worst, before
	}
	return nil, after
}

// fits reports whether the limit leaves room for the demand.
func (l limited) fits() bool { return l.limit == 0 || l.asked == 0 || l.used+l.asked <= l.limit }

// exceeded returns l as an Exceeded, where it does not fit and keeps the request
// out for longer than worst does.
func (l limited) exceeded(worst *access.Exceeded, subject string) *access.Exceeded {
	if l.fits() {
		return worst
	}
	e := &access.Exceeded{Subject: subject, What: l.what, Limit: l.limit, Used: l.used, Asked: l.asked, Retry: max(l.wait, time.Millisecond)}
	if l.asked > l.limit {
		e.Retry = 0 // for ever
	}
	if worst == nil || worst.Retry != 0 && (e.Retry == 0 || e.Retry > worst.Retry) {
		return e
	}
	return worst
}

// narrow notes what is left of l in left, if that is less.
func narrow(left *access.Left, l limited, taken int64) {
	if l.limit == 0 {
		return
	}
	remaining := max(0, l.limit-l.used-taken)
	if left.Limit == 0 || remaining < left.Remaining {
		clear := l.clear
		if taken > 0 && l.clear < time.Minute {
			clear = time.Minute + time.Second // what is taken now is over last
		}
		*left = access.Left{Limit: l.limit, Remaining: remaining, Reset: clear}
	}
}
