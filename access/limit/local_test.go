package limit_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"bendi/access"
	"bendi/access/limit"
	"bendi/access/limit/limittest"
)

func TestLocal(t *testing.T) {
	local := new(limit.Local)
	limittest.Test(t, func(*testing.T) limit.Counter { return local })
}

// A granted is what a log of a Counter's doings has of one request.
type granted struct {
	at     time.Time
	tokens int64
}

// FuzzMinute grants, settles and waits at random. No 60 seconds have more than
// the limits, whatever happens; who is refused was over the limit of the last 61;
// and who waits as long as it is told, passes.
func FuzzMinute(f *testing.F) {
	for seed := range uint64(8) {
		f.Add(seed, uint8(5), uint16(300))
	}
	f.Fuzz(func(t *testing.T, seed uint64, mostRequests uint8, mostTokens uint16) {
		l := access.Limits{RequestsPerMinute: int64(mostRequests)%20 + 1, TokensPerMinute: int64(mostTokens) + 50}
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 1))
			var c limit.Local
			s := limit.Subject{Name: "key a", Limits: l}
			var log []*granted
			running := map[*granted]*limit.Receipt{}
			within := func(from, to time.Time) (requests, tokens int64) {
				for _, g := range log {
					if !g.at.Before(from) && !g.at.After(to) {
						requests++
						tokens += g.tokens
					}
				}
				return requests, tokens
			}
			check := func() {
				for _, g := range log {
					requests, tokens := within(g.at, g.at.Add(time.Minute-1))
					if requests > l.RequestsPerMinute || tokens > l.TokensPerMinute {
						t.Fatalf("the minute from %v on has %d requests and %d tokens, %+v may be", g.at, requests, tokens, l)
					}
				}
			}
			n := 0
			try := func(tokens int64) error {
				n++
				r, err := c.Reserve(t.Context(), &limit.Demand{ID: fmt.Sprint(n), Subjects: []limit.Subject{s}, Tokens: tokens, Zone: time.UTC})
				if err == nil {
					g := &granted{time.Now(), tokens}
					log = append(log, g)
					running[g] = r
				}
				return err
			}
			for range 120 {
				switch random.IntN(4) {
				case 0:
					time.Sleep(time.Duration(random.Int64N(int64(20 * time.Second))))
				case 1:
					for g, r := range running {
						used := random.Int64N(g.tokens + 1) // at most what was set aside
						if err := c.Settle(t.Context(), r, used); err != nil {
							t.Fatal(err)
						}
						g.tokens = used
						delete(running, g)
						break
					}
				default:
					tokens := random.Int64N(l.TokensPerMinute) + 1
					e, refused := errors.AsType[*access.Exceeded](try(tokens))
					if !refused {
						break
					}
					requests, used := within(time.Now().Add(-61*time.Second), time.Now())
					if requests+1 <= l.RequestsPerMinute && used+tokens <= l.TokensPerMinute {
						t.Fatalf("refused with %d requests and %d tokens of the last 61 s, and %d asked: %v", requests, used, tokens, e)
					}
					if random.IntN(3) == 0 {
						time.Sleep(e.Retry)
						if err := try(tokens); err != nil {
							t.Fatalf("after the %v that it was told to wait: %v", e.Retry, err)
						}
					}
				}
				check()
			}
		})
	})
}

// A day is one of the zone, and its number changes at midnight there.
func TestDay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // it begins on 2000-01-01 at 00:00 UTC
		zone := time.FixedZone("there", 8*60*60)
		var c limit.Local
		ask := func() error {
			_, err := c.Reserve(t.Context(), &limit.Demand{ID: "x", Zone: zone, Subjects: []limit.Subject{{Name: "key a", Limits: access.Limits{RequestsPerDay: 1}}}})
			return err
		}
		if err := ask(); err != nil {
			t.Fatal(err)
		}
		e, ok := errors.AsType[*access.Exceeded](ask())
		if !ok || e.Retry != 16*time.Hour {
			t.Fatalf("the second of the day: %+v, want to be told to wait 16 h", e)
		}
		time.Sleep(16*time.Hour - time.Second)
		if ask() == nil {
			t.Error("passed a second before midnight")
		}
		time.Sleep(time.Second)
		if err := ask(); err != nil {
			t.Errorf("at midnight: %v", err)
		}
	})
}

// failing is a Counter that cannot be reached, for now.
type failing struct {
	limit.Local
	err   error
	calls int
}

func (f *failing) Reserve(ctx context.Context, d *limit.Demand) (*limit.Receipt, error) {
	f.calls++
	if f.err != nil {
		return nil, f.err
	}
	return f.Local.Reserve(ctx, d)
}

func TestShared(t *testing.T) {
	tests := []struct {
		name   string
		refuse bool
		passes int // of three while the shared Counter is down, where two may a minute
	}{
		{"each counts for itself", false, 2},
		{"nobody passes", true, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				shared := &failing{err: errors.New("gone")}
				var changes []bool
				health := limit.NewHealth(func(down bool, _ error) { changes = append(changes, down) }, nil)
				l := limit.New(limit.Rules{EachKey: access.Limits{RequestsPerMinute: 2}, Refuse: tt.refuse}, shared, new(limit.Local), health)
				passed := 0
				for range 3 {
					g, err := l.Reserve(t.Context(), access.Identity{Name: "a"}, "/v1/chat", 0)
					if err == nil {
						passed++
						g.Settle(0)
					} else if tt.refuse && !errors.Is(err, limit.ErrDown) {
						t.Error(err)
					}
				}
				if passed != tt.passes || shared.calls != 1 {
					t.Errorf("%d passed, want %d; the one that is down was asked %d times, want once a second", passed, tt.passes, shared.calls)
				}
				time.Sleep(2 * time.Second)
				shared.err = nil
				if _, err := l.Reserve(t.Context(), access.Identity{Name: "a"}, "/v1/chat", 0); err != nil {
					t.Errorf("when it is back: %v", err)
				}
				if fmt.Sprint(changes) != "[true false]" {
					t.Errorf("told of the changes %v, want down and up", changes)
				}
			})
		})
	}
}

// Whose limits count: those of the key, or else of each; and those of the user
// and the route beside them.
func TestRules(t *testing.T) {
	rules := limit.Rules{
		EachKey: access.Limits{RequestsPerMinute: 2}, EachUser: access.Limits{RequestsPerMinute: 3},
		Routes: map[string]access.Limits{"/busy": {RequestsPerMinute: 1}},
	}
	tests := []struct {
		name  string
		who   []access.Identity // of each request
		route string
		want  string // subject of the limit that the last one is over; empty: none
	}{
		{"each key", []access.Identity{{Name: "a"}, {Name: "a"}, {Name: "a"}}, "/", "key a"},
		{"another key", []access.Identity{{Name: "a"}, {Name: "a"}, {Name: "b"}}, "/", ""},
		{"a key's own", []access.Identity{{Name: "a"}, {Name: "a"}, {Name: "a", Limits: access.Limits{RequestsPerMinute: 9}}}, "/", ""},
		{"a user", []access.Identity{{Name: "a", User: "u"}, {Name: "b", User: "u"}, {Name: "c", User: "u"}, {Name: "d", User: "u"}}, "/", "user u"},
		{"the route", []access.Identity{{Name: "a"}, {Name: "b"}}, "/busy", "route /busy"},
		{"nobody's key", []access.Identity{{}, {}, {}}, "/", "key (none)"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := limit.New(rules, nil, new(limit.Local), nil)
			for i, who := range tt.who {
				_, err := l.Reserve(t.Context(), who, tt.route, 0)
				e, refused := errors.AsType[*access.Exceeded](err)
				last := i == len(tt.who)-1
				if refused != (last && tt.want != "") || refused && e.Subject != tt.want {
					t.Errorf("request %d: %v, want the last over %q", i, err, tt.want)
				}
			}
		})
	}
}

func BenchmarkLocal(b *testing.B) {
	var c limit.Local
	s := []limit.Subject{
		{Name: "key a", Limits: access.Limits{RequestsPerMinute: 1 << 40, TokensPerMinute: 1 << 40}},
		{Name: "user a", Limits: access.Limits{TokensPerDay: 1 << 40}}, {Name: "route /", Limits: access.Limits{Concurrent: 1 << 40}},
	}
	for b.Loop() {
		r, err := c.Reserve(b.Context(), &limit.Demand{ID: "x", Subjects: s, Tokens: 10, Zone: time.UTC})
		if err != nil {
			b.Fatal(err)
		}
		c.Settle(b.Context(), r, 5)
	}
}
