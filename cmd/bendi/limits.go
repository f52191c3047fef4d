package main

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"bendi/access"
	"bendi/access/limit"
	counting "bendi/access/redis"
	"bendi/conversation/redis"
	"bendi/metrics"
	"bendi/openaicompat"
)

// A counts is what is counted of requests. It outlasts configurations, so that a
// reload gives nobody a fresh start.
type counts struct {
	local limit.Local

	mu     sync.Mutex
	health *limit.Health
	shared *counting.Counter
	client goredis.UniversalClient
}

// count has requests counted by what the configuration says of limits.
func (h *house) count(context.Context) error {
	zone, err := time.LoadLocation(h.cfg.Limits.DayZone)
	if err != nil {
		return usage(err)
	}
	rules := limit.Rules{
		EachKey: h.cfg.Limits.EachKey.Access(), EachUser: h.cfg.Limits.EachUser.Access(),
		Routes: make(map[string]access.Limits), Zone: zone, Refuse: h.cfg.Limits.WhenDown == "refuse",
	}
	for _, r := range h.cfg.Routes {
		rules.Routes[strings.TrimSuffix(r.Path, "/")] = r.Limits.Access()
	}
	c := &h.ground.counts
	c.mu.Lock()
	defer c.mu.Unlock()
	if h.cfg.Limits.Store != "redis" {
		h.limiter = limit.New(rules, nil, &c.local, nil)
		return nil
	}
	if c.shared == nil {
		o, err := redisOptions(h.cfg.Stores.Redis)
		if err != nil {
			return usage(err)
		}
		c.client = redis.Dial(o)
		c.shared = counting.New(c.client, h.cfg.Stores.Redis.Prefix)
		c.health = limit.NewHealth(h.tellCounting, func(err error) {
			h.measured.Limits.Unsettled()
			h.log.Warn("limits: what a request took could not be counted", "err", err)
		})
	}
	h.limiter = limit.New(rules, c.shared, &c.local, c.health)
	return nil
}

// tellCounting tells whether the Redis that counts can be reached.
func (g *ground) tellCounting(down bool, err error) {
	g.measured.Limits.Down(down)
	if down {
		g.log.Error("limits: Redis cannot be reached, see limits.when_down", "err", err)
		return
	}
	g.log.Info("limits: Redis counts again")
}

func (c *counts) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.shared != nil {
		c.shared.Close()
		c.client.Close()
	}
}

// limits is a limit.Limiter as HTTP asks it.
type limits struct {
	*limit.Limiter
	observe *metrics.Limits
}

func (l limits) Reserve(ctx context.Context, who access.Identity, route string, tokens int64) (openaicompat.Allowance, error) {
	g, err := l.Limiter.Reserve(ctx, who, route, tokens)
	if e, ok := errors.AsType[*access.Exceeded](err); ok {
		of, _, _ := strings.Cut(e.Subject, " ")
		l.observe.Refused(of, e.What)
	}
	if err != nil {
		return nil, err
	}
	return g, nil
}
