package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"bendi/access"
	"bendi/access/token"
	"bendi/config"
	"bendi/conversation/redis"
)

// soon is how long before they end the doctor speaks of a key and of a relay's
// certificate.
const soon = 14 * 24 * time.Hour

// checkAccess says who may ask, what is wrong with the keys and the issuers of
// tokens, and whether what counts for several gateways is there.
func (p *program) checkAccess(ctx context.Context, cfg *config.Config) []finding {
	var list []finding
	note := func(check string, err error, detail string) { list = append(list, checked(check, err, detail)) }
	store, err := openKeys(cfg, nil)
	if err != nil {
		note("keys", err, "")
	} else {
		list = append(list, p.checkKeys(cfg, store))
		if err := checkNames(cfg, store); err != nil {
			note("keys", err, "")
		}
	}
	if all, err := issuers(cfg); err != nil {
		note("tokens", unwrapped(err), "")
	} else if len(all) > 0 {
		_, err := token.New(all, nil)
		note("tokens", err, p.sayf("%d issuers", "%d 个签发方", len(all)))
	}
	if text := p.textNote(cfg); text != "" {
		list = append(list, finding{"ledger", "warn", text})
	}
	if cfg.Limits.Store == "redis" {
		note("limits", pingRedis(ctx, cfg), p.say("Redis counts for all gateways", "由 Redis 为所有网关计数"))
	}
	return list
}

// checkKeys tells how many keys there are, and which of them end soon.
func (p *program) checkKeys(cfg *config.Config, store *access.Store) finding {
	active := len(cfg.Access.Keys)
	var ending []string
	now := time.Now()
	for _, k := range store.List() {
		if !k.Active(now) {
			continue
		}
		active++
		if !k.Expires.IsZero() && k.Expires.Sub(now) < soon {
			ending = append(ending, k.Name)
		}
	}
	nobody := active == 0 && len(cfg.Access.JWT) == 0
	switch {
	case len(ending) > 0:
		return finding{"keys", "warn", p.sayf("%d active; within 14 days these expire: %v; make others with `bendi key create`", "%d 个有效；14 天内到期：%v；请用 `bendi key create` 创建新的", active, ending)}
	case nobody && !isPrivate(cfg) && store.Any():
		return finding{"keys", "warn", p.say("no key opens anything: make one with `bendi key create NAME`", "没有可用的密钥：请用 `bendi key create 名称` 创建")}
	case nobody && !isPrivate(cfg):
		return finding{"keys", "ok", p.say("none; the first start makes one and shows it", "没有；首次启动会创建并显示一个")}
	case nobody && !store.Any():
		return finding{"keys", "ok", p.say("none; open to this machine alone", "没有；仅本机可访问")}
	}
	return finding{"keys", "ok", p.sayf("%d active", "%d 个有效", active)}
}

// pingRedis returns why the Redis of the limits does not answer.
func pingRedis(ctx context.Context, cfg *config.Config) error {
	o, err := redisOptions(cfg.Stores.Redis)
	if err != nil {
		return err
	}
	client := redis.Dial(o)
	defer client.Close()
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if err := client.Ping(ctx).Err(); err != nil {
		return fmt.Errorf("limits are counted in Redis, and it does not answer: %w; check stores.redis, or see limits.when_down", err)
	}
	return nil
}

// unwrapped returns an error without what only says how the program ends.
func unwrapped(err error) error {
	if exit, ok := errors.AsType[exitError](err); ok {
		return exit.err
	}
	return err
}
