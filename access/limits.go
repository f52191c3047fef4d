package access

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// Limits are how much may be asked. A zero is no limit.
type Limits struct {
	RequestsPerMinute int64 `json:"requests_per_minute,omitempty"`
	TokensPerMinute   int64 `json:"tokens_per_minute,omitempty"`
	RequestsPerDay    int64 `json:"requests_per_day,omitempty"`
	TokensPerDay      int64 `json:"tokens_per_day,omitempty"`
	Concurrent        int64 `json:"concurrent,omitempty"` // requests at once
}

// MaxLimit is the highest that a limit can be.
const MaxLimit = 1 << 50

// Or returns l, with what it does not limit as other has it.
func (l Limits) Or(other Limits) Limits {
	return l.each(other, func(a, b int64) int64 {
		if a == 0 {
			return b
		}
		return a
	})
}

// Within returns the lower of both limits.
func (l Limits) Within(other Limits) Limits {
	return l.each(other, func(a, b int64) int64 {
		if a == 0 || b == 0 {
			return max(a, b)
		}
		return min(a, b)
	})
}

func (l Limits) each(other Limits, of func(a, b int64) int64) Limits {
	return Limits{
		of(l.RequestsPerMinute, other.RequestsPerMinute), of(l.TokensPerMinute, other.TokensPerMinute),
		of(l.RequestsPerDay, other.RequestsPerDay), of(l.TokensPerDay, other.TokensPerDay),
		of(l.Concurrent, other.Concurrent),
	}
}

// Check returns what is wrong with l, by the names of the fields.
func (l Limits) Check() error {
	for _, f := range []struct {
		name  string
		value int64
	}{
		{"requests_per_minute", l.RequestsPerMinute}, {"tokens_per_minute", l.TokensPerMinute},
		{"requests_per_day", l.RequestsPerDay}, {"tokens_per_day", l.TokensPerDay}, {"concurrent", l.Concurrent},
	} {
		if f.value < 0 || f.value > MaxLimit {
			return fmt.Errorf("%s is %d: want 0 (no limit) to %d", f.name, f.value, int64(MaxLimit))
		}
	}
	return nil
}

// String writes the limits as people read them, or nothing where there is none.
func (l Limits) String() string {
	var parts []string
	for _, f := range []struct {
		value int64
		name  string
	}{
		{l.RequestsPerMinute, "requests/min"}, {l.TokensPerMinute, "tokens/min"},
		{l.RequestsPerDay, "requests/day"}, {l.TokensPerDay, "tokens/day"}, {l.Concurrent, "at once"},
	} {
		if f.value > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", f.value, f.name))
		}
	}
	return strings.Join(parts, ", ")
}

// A Standing is how much is left of the limit that is nearest to its end.
type Standing struct {
	Requests, Tokens Left
}

// A Left is what is left of a limit, and how long until all of it is there
// again. A zero Limit is none.
type Left struct {
	Limit, Remaining int64
	Reset            time.Duration
}

// An Exceeded says which limit a request would exceed.
type Exceeded struct {
	Subject string // whose limit it is, such as "key shop"
	What    string // such as "tokens per minute"
	Limit   int64
	Used    int64         // of it, those that are reserved included
	Asked   int64         // by this request
	Retry   time.Duration // until the request may pass; 0: it never does, being larger than the limit

	Standing Standing
}

func (e *Exceeded) Error() string {
	if e.Retry == 0 {
		return fmt.Sprintf("This request may take up to %d %s, and the limit of %s is %d: make it smaller, with a lower max_tokens or a shorter prompt.", e.Asked, e.What, e.Subject, e.Limit)
	}
	if e.What == Concurrently {
		return fmt.Sprintf("The limit of %s is %d requests at once, and %d are being answered: wait for one of them to end.", e.Subject, e.Limit, e.Used)
	}
	return fmt.Sprintf("The limit of %s is %d %s; %d are used and this request may take %d: try again in %d s.", e.Subject, e.Limit, e.What, e.Used, e.Asked, int64(math.Ceil(e.Retry.Seconds())))
}

// Concurrently is What of the limit on requests at once.
const Concurrently = "requests at once"
