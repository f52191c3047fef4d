package limit

import (
	"context"
	"sync"
	"time"
)

// window is how many seconds count: the 60 that are over or begun, and the one
// that a minute which began within it still reaches into.
const window = 61

// Local is a Counter in this process. The zero Local is ready; it keeps a
// subject as long as something is counted of it.
type Local struct {
	mu      sync.Mutex
	counted map[string]*account // by the name of the subject
	sweep   int                 // how many subjects there may be before those of which nothing counts are let go
}

// An account is what is counted of a subject.
type account struct {
	minute  [window]tally // by the second, modulo window
	day     tally
	running int64
}

// A tally counts what was granted in a second, or on a day.
type tally struct{ when, requests, tokens int64 }

// at returns what is counted at a time, from nothing where that is a new one.
func (t *tally) at(when int64) *tally {
	if t.when != when {
		*t = tally{when: when}
	}
	return t
}

// Reserve grants a demand, see [Counter].
func (l *Local) Reserve(_ context.Context, d *Demand) (*Receipt, error) {
	now := time.Now()
	second, day := now.Unix(), dayOf(now, d.Zone)
	l.mu.Lock()
	defer l.mu.Unlock()
	readings := make([]Reading, len(d.Subjects))
	for i, s := range d.Subjects {
		if a := l.counted[s.Name]; a != nil {
			readings[i] = a.read(now, day, s, d.Tokens)
		}
	}
	exceeded, standing := Judge(d, readings, DayLeft(now, d.Zone))
	if exceeded != nil {
		return nil, exceeded
	}
	for _, s := range d.Subjects {
		a := l.account(s.Name, now)
		a.running++
		for _, t := range []*tally{a.minute[second%window].at(second), a.day.at(day)} {
			t.requests++
			t.tokens += d.Tokens
		}
	}
	return &Receipt{Demand: d, Second: second, Day: day, Standing: standing}, nil
}

// Settle settles a grant, see [Counter].
func (l *Local) Settle(_ context.Context, r *Receipt, tokens int64) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range r.Subjects {
		a := l.counted[s.Name] // it is there as long as something runs
		a.running--
		if t := &a.minute[r.Second%window]; t.when == r.Second {
			t.tokens += tokens - r.Tokens
		}
		if t := &a.day; t.when == r.Day {
			t.tokens += tokens - r.Tokens
		}
	}
	return nil
}

// account returns the account of a subject. l.mu is held.
func (l *Local) account(name string, now time.Time) *account {
	if a := l.counted[name]; a != nil {
		return a
	}
	if l.counted == nil {
		l.counted = make(map[string]*account)
	}
	if len(l.counted) >= l.sweep {
		for name, a := range l.counted {
			if a.over(now) {
				delete(l.counted, name)
			}
		}
		l.sweep = 2*len(l.counted) + 1024
	}
	a := new(account)
	l.counted[name] = a
	return a
}

// over reports whether nothing counts any more. A day is over in every zone
// after two.
func (a *account) over(now time.Time) bool {
	if a.running > 0 || a.day.when >= now.Unix()/secondsOfDay-1 {
		return false
	}
	for _, t := range a.minute {
		if t.when > now.Unix()-window {
			return false
		}
	}
	return true
}

// read reads what is counted at a time of a subject.
func (a *account) read(now time.Time, day int64, s Subject, tokens int64) Reading {
	r := Reading{Running: a.running}
	if a.day.when == day {
		r.DayRequests, r.DayTokens = a.day.requests, a.day.tokens
	}
	second := now.Unix()
	for n := second - window + 1; n <= second; n++ {
		if t := a.minute[n%window]; t.when == n {
			r.MinuteRequests += t.requests
			r.MinuteTokens += t.tokens
		}
	}
	requests, left := r.MinuteRequests, r.MinuteTokens
	for n := second - window + 1; n <= second; n++ { // from the oldest on, they leave
		t := a.minute[n%window]
		if t.when != n || t.requests == 0 && t.tokens == 0 {
			continue
		}
		until := time.Unix(n+window, 0).Sub(now).Milliseconds() + 1
		if requests+1 > s.Limits.RequestsPerMinute {
			r.WaitRequests = until
		}
		if left+tokens > s.Limits.TokensPerMinute {
			r.WaitTokens = until
		}
		requests -= t.requests
		left -= t.tokens
		if t.requests > 0 {
			r.ClearRequests = until
		}
		if t.tokens > 0 {
			r.ClearTokens = until
		}
	}
	return r
}

const secondsOfDay = 24 * 60 * 60

// dayOf numbers the days of a zone.
func dayOf(at time.Time, zone *time.Location) int64 {
	return (at.Unix() + Offset(at, zone)) / secondsOfDay
}

// Offset returns how far the clocks of a zone are ahead at a time, in seconds.
func Offset(at time.Time, zone *time.Location) int64 {
	_, offset := at.In(zone).Zone()
	return int64(offset)
}

// DayLeft returns how long until the day is over in a zone.
func DayLeft(at time.Time, zone *time.Location) time.Duration {
	local := at.In(zone)
	return time.Date(local.Year(), local.Month(), local.Day()+1, 0, 0, 0, 0, zone).Sub(at)
}
