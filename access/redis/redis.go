// Package redis counts for several gateways together what is asked of them.
//
// One script reads what is counted, decides and counts, all at once; the time is
// that of Redis, so that the clocks of the gateways do not matter. All keys have
// one hash tag and lie in one slot of a Cluster, since a request is counted for
// its key, its user and its route in one step.
//
// What runs holds a lease, which a [Counter] keeps up: the places of a gateway
// that has died are free again when its leases run out. The tokens that it had
// set aside count for as long as those that were taken.
package redis

import (
	"context"
	_ "embed"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"bendi/access/limit"
)

var (
	//go:embed reserve.lua
	reserveText string
	//go:embed settle.lua
	settleText string

	reserveScript = redis.NewScript(reserveText)
	settleScript  = redis.NewScript(settleText)
)

// leaseTime is how long a lease lasts that is not kept up.
const leaseTime = 30 * time.Second

// A Counter is a [limit.Counter] in Redis.
type Counter struct {
	client redis.UniversalClient
	prefix string // of all keys
	lease  time.Duration

	mu      sync.Mutex
	running map[string]*limit.Receipt // by the ID of the demand
	ending  context.CancelFunc
	ended   sync.WaitGroup
}

var _ limit.Counter = (*Counter)(nil)

// New returns a Counter that asks client. It keeps up leases until it is closed.
func New(client redis.UniversalClient, prefix string) *Counter {
	return open(client, prefix, leaseTime)
}

func open(client redis.UniversalClient, prefix string, lease time.Duration) *Counter {
	c := &Counter{client: client, prefix: prefix + ":{limits}:", lease: lease, running: make(map[string]*limit.Receipt)}
	ctx, cancel := context.WithCancel(context.Background())
	c.ending = cancel
	c.ended.Go(func() { c.keepUp(ctx) })
	return c
}

// Close ends the Counter. What is running keeps its leases until they run out.
func (c *Counter) Close() {
	c.ending()
	c.ended.Wait()
}

// keys returns what the scripts are to look at.
func (c *Counter) keys(d *limit.Demand) []string {
	keys := []string{c.prefix + "once:" + d.ID}
	for _, s := range d.Subjects {
		keys = append(keys, c.prefix+"counted:"+s.Name, c.leases(s))
	}
	return keys
}

func (c *Counter) leases(s limit.Subject) string { return c.prefix + "leases:" + s.Name }

const head, perSubject = 4, 9 // numbers of an answer of the script

// Reserve grants a demand, see [limit.Counter].
func (c *Counter) Reserve(ctx context.Context, d *limit.Demand) (*limit.Receipt, error) {
	args := []any{d.ID, d.Tokens, c.lease.Milliseconds(), limit.Offset(time.Now(), d.Zone)}
	for _, s := range d.Subjects {
		l := s.Limits
		args = append(args, l.RequestsPerMinute, l.TokensPerMinute, l.RequestsPerDay, l.TokensPerDay, l.Concurrent)
	}
	answer, err := reserveScript.Run(ctx, c.client, c.keys(d), args...).Int64Slice()
	if err != nil {
		return nil, fmt.Errorf("counting in Redis: %w", err)
	}
	if want := head + perSubject*len(d.Subjects); len(answer) != want {
		return nil, fmt.Errorf("counting in Redis: %d numbers came back in place of %d", len(answer), want)
	}
	readings := make([]limit.Reading, len(d.Subjects))
	for i := range readings {
		n := answer[head+perSubject*i:]
		readings[i] = limit.Reading{
			MinuteRequests: n[0], MinuteTokens: n[1], DayRequests: n[2], DayTokens: n[3], Running: n[4],
			WaitRequests: n[5], WaitTokens: n[6], ClearRequests: n[7], ClearTokens: n[8],
		}
	}
	granted := answer[0] == 1
	exceeded, standing := limit.Judge(d, readings, limit.DayLeft(time.UnixMilli(answer[3]), d.Zone))
	if granted != (exceeded == nil) {
		return nil, fmt.Errorf("counting in Redis: its script says granted %v, and its numbers do not", granted)
	}
	if exceeded != nil {
		return nil, exceeded
	}
	r := &limit.Receipt{Demand: d, Second: answer[1], Day: answer[2], Standing: standing}
	c.mu.Lock()
	c.running[d.ID] = r
	c.mu.Unlock()
	return r, nil
}

// Settle settles a grant, see [limit.Counter].
func (c *Counter) Settle(ctx context.Context, r *limit.Receipt, tokens int64) error {
	c.mu.Lock()
	delete(c.running, r.ID)
	c.mu.Unlock()
	err := settleScript.Run(ctx, c.client, c.keys(r.Demand), r.ID, r.Second, r.Day, strconv.FormatInt(tokens-r.Tokens, 10)).Err()
	if err != nil {
		return fmt.Errorf("settling in Redis: %w", err)
	}
	return nil
}

// keepUp keeps up the leases until ctx ends.
func (c *Counter) keepUp(ctx context.Context) {
	ticker := time.NewTicker(c.lease / 3)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			c.renew(ctx)
		}
	}
}

// renew has the leases of what runs last longer. A lease that has run out is
// made anew: what it stands for is still running.
func (c *Counter) renew(ctx context.Context) {
	c.mu.Lock()
	var running []*limit.Receipt
	for _, r := range c.running {
		running = append(running, r)
	}
	c.mu.Unlock()
	if len(running) == 0 {
		return
	}
	now, err := c.client.Time(ctx).Result()
	if err != nil {
		return // the next round tries again, before the leases run out
	}
	until := float64(now.Add(c.lease).UnixMilli())
	c.client.Pipelined(ctx, func(p redis.Pipeliner) error {
		for _, r := range running {
			for _, s := range r.Subjects {
				p.ZAdd(ctx, c.leases(s), redis.Z{Score: until, Member: r.ID})
				p.PExpire(ctx, c.leases(s), c.lease)
			}
		}
		return nil
	})
	// Who ended meanwhile has to have no lease after all.
	for _, r := range running {
		c.mu.Lock()
		_, is := c.running[r.ID]
		c.mu.Unlock()
		if !is {
			for _, s := range r.Subjects {
				c.client.ZRem(ctx, c.leases(s), r.ID)
			}
		}
	}
}
