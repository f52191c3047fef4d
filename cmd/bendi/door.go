package main

import (
	"context"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"time"

	"bendi/access"
	"bendi/access/token"
	"bendi/config"
	"bendi/openaicompat"
)

// admit lets those in who have a key or a token.
func (h *house) admit(context.Context) error {
	h.door = &access.Door{Keys: new(access.Keys), Closed: !isPrivate(h.cfg)}
	for _, k := range h.cfg.Access.Keys {
		if err := h.door.Keys.Add(k.Identity(), k.Key.Reveal()); err != nil {
			return usage(err)
		}
	}
	if h.ground.keys == nil {
		store, err := openKeys(h.cfg)
		if err != nil {
			return err
		}
		h.ground.keys = store
	}
	h.door.Store = h.ground.keys
	if !h.first && h.door.Closed && h.door.Keys.Len() == 0 && len(h.cfg.Access.JWT) == 0 && !h.door.Store.Any() {
		h.log.Warn("access: nobody has a key any more, and other machines can reach the server: make one with bendi key create")
	}
	var err error
	if h.issuers, err = issuers(h.cfg); err != nil || len(h.issuers) == 0 {
		return err
	}
	v, err := h.ground.tokens.of(h.issuers, h.door.Store.Denied)
	if err != nil {
		return usage(err)
	}
	h.door.Tokens = v
	return nil
}

// openKeys opens the keys that are made while a server runs.
func openKeys(cfg *config.Config) (*access.Store, error) {
	dir, err := cfg.DataPath()
	if err != nil {
		return nil, err
	}
	return access.OpenStore(dir)
}

// issuers returns whose tokens a configuration takes.
func issuers(cfg *config.Config) ([]token.Issuer, error) {
	var all []token.Issuer
	for _, j := range cfg.Access.JWT {
		i := token.Issuer{
			Name: j.Name, Issuer: j.Issuer, Audience: j.Audience, Secret: []byte(j.Secret.Reveal()), File: string(j.JWKSFile), URL: j.JWKSURL,
			Refresh: time.Duration(j.Refresh), Keep: time.Duration(j.Keep), Leeway: time.Duration(j.Leeway), AdminRole: j.AdminRole,
			Claims: token.Claims(j.Claims), Scopes: j.Scopes(), Limits: j.Limits.Access(), Priority: j.Priority, Inside: j.Inside,
		}
		if i.Leeway == 0 {
			i.Leeway = time.Minute
		}
		for _, a := range j.Algorithms {
			i.Algorithms = append(i.Algorithms, string(a))
		}
		if j.PublicKeyFile != "" {
			pem, err := os.ReadFile(string(j.PublicKeyFile))
			if err != nil {
				return nil, usage(fmt.Errorf("the public key of the issuer %s: %w", j.Name, err))
			}
			i.PublicKey = pem
		}
		all = append(all, i)
	}
	return all, nil
}

// A verifier is the one in force. It outlasts a configuration that leaves the
// issuers as they are, and with it the keys it has fetched.
type verifier struct {
	issuers []token.Issuer
	*token.Verifier
}

func (v *verifier) of(issuers []token.Issuer, denied func(string) bool) (*token.Verifier, error) {
	if v.Verifier != nil && reflect.DeepEqual(v.issuers, issuers) {
		return v.Verifier, nil
	}
	made, err := token.New(issuers, denied)
	if err == nil {
		v.issuers, v.Verifier = issuers, made
	}
	return made, err
}

// lookAtKeys is how often the file of the keys is looked at: what changes there
// counts within that time.
const lookAtKeys = 250 * time.Millisecond

// watchKeys takes over what other processes change in the keys, until ctx ends.
func (g *ground) watchKeys(ctx context.Context) {
	ticker := time.NewTicker(lookAtKeys)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		changed, err := g.keys.Look()
		if err != nil {
			g.log.Error("access: the keys stay as they were", "err", err)
		} else if changed {
			g.log.Info("access: the keys have changed", "keys", len(g.keys.List()))
		}
	}
}

// knows reports whether somebody may be called so: a key of the configuration or
// of the store, or a user of an issuer.
func knows(cfg *config.Config, name string) bool {
	if slices.ContainsFunc(cfg.Access.Keys, func(k config.Key) bool { return k.Name == name }) ||
		slices.ContainsFunc(cfg.Access.JWT, func(j config.JWT) bool { return strings.HasPrefix(name, j.Name+":") }) {
		return true
	}
	store, err := openKeys(cfg)
	return err == nil && slices.ContainsFunc(store.List(), func(k access.Key) bool { return k.Name == name })
}

// firstKey makes a key where the server can be reached from other machines and
// nobody has one, and shows it.
func (p *program) firstKey(h *house) error {
	d := h.door
	if !d.Closed || d.Keys.Len() > 0 || d.Tokens != nil || d.Store.Any() {
		return nil
	}
	_, secret, err := d.Store.Create(access.Key{Name: "default"})
	if err != nil {
		return fmt.Errorf("making the first API key, for %s can be reached from other machines: %w; name another folder with data:, or give a key of your own in BENDI_API_KEY", h.cfg.Listen, err)
	}
	fmt.Fprintln(p.stdout, p.sayf(
		" key      %s\n          it is named default, and shown this once: keep it; `bendi key` makes others",
		" 密钥     %s\n          名称为 default，只显示这一次，请妥善保存；可用 `bendi key` 创建其他密钥", secret))
	return nil
}

// accessText says who may ask.
func (p *program) accessText(d *access.Door) string {
	if !d.Needed() {
		return p.say("open, from this machine alone", "无需密钥，仅限本机")
	}
	active := d.Keys.Len()
	for _, k := range d.Store.List() {
		if k.Active(time.Now()) {
			active++
		}
	}
	switch {
	case active == 0 && d.Tokens == nil:
		return p.say("nobody, for no API key opens anything: make one with `bendi key create NAME`", "没有可用的 API 密钥，任何请求都会被拒绝：请用 `bendi key create 名称` 创建")
	case active == 0:
		return p.say("with a token", "需要令牌")
	case d.Tokens != nil:
		return p.sayf("with one of %d API keys, or a token", "需要 API 密钥（共 %d 个）或令牌", active)
	}
	return p.sayf("with one of %d API keys", "需要 API 密钥（共 %d 个）", active)
}

// Paths of what the operator may do about keys.
const (
	keysPath      = "/admin/keys"
	rotateKeyPath = "/admin/keys/rotate"
)

// A keyBody says which key is meant.
type keyBody struct {
	Name  string `json:"name"`
	Grace string `json:"grace,omitempty"` // how long the old secret is taken, such as 24h
}

// A newKey is a key with the secret that it was given.
type newKey struct {
	Key    access.Key `json:"key"`
	Secret string     `json:"secret"`
}

// keyActions list, make, rotate and revoke keys.
func (h *house) keyActions() []openaicompat.Action {
	keys := h.door.Store
	return []openaicompat.Action{
		{Method: "GET", Path: keysPath, Do: func(context.Context, []byte) (any, error) {
			return map[string]any{"keys": append([]access.Key{}, keys.List()...)}, nil
		}},
		{Method: "POST", Path: keysPath, Do: doing(func(_ context.Context, in *access.Key) (any, error) {
			if h.door.Keys.Has(in.Name) {
				return nil, asInvalid(fmt.Errorf("the configuration has a key %q: choose another name", in.Name))
			}
			k, secret, err := keys.Create(*in)
			return newKey{k, secret}, asInvalid(err)
		})},
		{Method: "POST", Path: rotateKeyPath, Do: doing(func(_ context.Context, in *keyBody) (any, error) {
			grace, err := graceOf(in.Grace)
			if err != nil {
				return nil, asInvalid(err)
			}
			k, secret, err := keys.Rotate(in.Name, grace)
			return newKey{k, secret}, asInvalid(err)
		})},
		{Method: "DELETE", Path: keysPath, Do: doing(func(_ context.Context, in *keyBody) (any, error) {
			k, err := keys.Revoke(in.Name)
			return map[string]any{"key": k}, asInvalid(err)
		})},
	}
}
