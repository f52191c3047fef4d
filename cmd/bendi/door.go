package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"reflect"
	"slices"
	"strings"
	"time"

	"bendi/access"
	"bendi/access/token"
	"bendi/config"
	"bendi/ledger"
	"bendi/openaicompat"
)

// admit lets those in who have a key or a token.
func (h *house) admit(context.Context) error {
	h.door = &access.Door{Keys: new(access.Keys), Closed: !isPrivate(h.cfg), Roll: &h.roll}
	for _, k := range h.cfg.Access.Keys {
		if err := h.door.Keys.Add(k.Identity(), k.Key.Reveal()); err != nil {
			return usage(err)
		}
	}
	if h.ground.keys == nil {
		store, err := openKeys(h.cfg, h.roll.Look)
		if err != nil {
			return err
		}
		h.ground.keys = store
	}
	h.door.Store = h.ground.keys
	if err := checkNames(h.cfg, h.door.Store); err != nil {
		return usage(err)
	}
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

// checkNames returns why a key of the configuration may not be called as it is:
// what is remembered, counted and recorded goes by the name, and so do rights.
func checkNames(cfg *config.Config, store *access.Store) error {
	var errs []error
	for i, k := range cfg.Access.Keys {
		if at := slices.IndexFunc(store.List(), func(made access.Key) bool { return made.Name == k.Name }); at >= 0 {
			what := "a key"
			if !store.List()[at].Revoked.IsZero() {
				what = "a revoked key"
			}
			errs = append(errs, fmt.Errorf("access.keys[%d].name: %q is the name of %s that was made with bendi key create: give the one of the configuration another; bendi key list shows those that are taken", i, k.Name, what))
		}
	}
	return errors.Join(errs...)
}

// checkNew returns why a key that is made may not be called so.
func checkNew(cfg *config.Config, name string) error {
	switch {
	case slices.ContainsFunc(cfg.Access.Keys, func(have config.Key) bool { return have.Name == name }):
		return fmt.Errorf("the configuration has a key %q: choose another name", name)
	case name == config.EnvironmentKey:
		return fmt.Errorf("%q is the name of the key in BENDI_API_KEY: choose another", name)
	}
	return nil
}

// openKeys opens the keys that are made while a server runs. From then on changed
// is called after each change, unless it is nil.
func openKeys(cfg *config.Config, changed func()) (*access.Store, error) {
	dir, err := cfg.DataPath()
	if err != nil {
		return nil, err
	}
	return access.OpenStore(dir, changed)
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

func (v *verifier) of(issuers []token.Issuer, denied token.Denied) (*token.Verifier, error) {
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

// failures are of those who try keys.
type failures struct{ *ground }

// Fail tells of a wrong key, see [openaicompat.Failures].
func (f failures) Fail(from netip.Addr) (wait time.Duration, note bool) {
	s := f.brake.Fail(from)
	f.measured.Front.WrongKey(s.Wait > 0)
	if s.Wait > 0 && s.Note {
		f.log.Warn("access: many wrong keys come from one address, and more of them are told to wait", "from", strings.TrimSuffix(s.From.String(), "/32"))
	}
	return s.Wait, s.Note
}

// knows reports whether somebody may be called so: a key of the configuration or
// of the store, or a user of an issuer.
func knows(cfg *config.Config, name string) bool {
	if slices.ContainsFunc(cfg.Access.Keys, func(k config.Key) bool { return k.Name == name }) ||
		slices.ContainsFunc(cfg.Access.JWT, func(j config.JWT) bool { return strings.HasPrefix(name, j.Name+":") }) {
		return true
	}
	store, err := openKeys(cfg, nil)
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

func (b *keyBody) about() string { return b.Name }

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
		{Method: "POST", Path: keysPath, Do: doing(func(ctx context.Context, in *access.Key) (any, error) {
			ledger.About(ctx, in.Name)
			if err := checkNew(h.cfg, in.Name); err != nil {
				return nil, asInvalid(err)
			}
			k, secret, err := keys.Create(*in)
			return newKey{k, secret}, asInvalid(err)
		})},
		{Method: "POST", Path: rotateKeyPath, Do: about(func(_ context.Context, in *keyBody) (any, error) {
			grace, err := graceOf(in.Grace)
			if err != nil {
				return nil, asInvalid(err)
			}
			k, secret, err := keys.Rotate(in.Name, grace)
			return newKey{k, secret}, asInvalid(err)
		})},
		{Method: "DELETE", Path: keysPath, Do: about(func(_ context.Context, in *keyBody) (any, error) {
			k, err := keys.Revoke(in.Name)
			return map[string]any{"key": k}, asInvalid(err)
		})},
	}
}
