package config

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"
)

// Sessions say what is remembered of conversations.
type Sessions struct {
	Store        SessionStore `yaml:"store"`
	TTL          Duration     `yaml:"ttl"` // how long a session is kept after its last turn
	WhenDown     DownPolicy   `yaml:"when_down"`
	WhenBusy     BusyPolicy   `yaml:"when_busy"`
	MaxWait      Duration     `yaml:"max_wait"`      // most that a request waits for its turn
	Trim         TrimPolicy   `yaml:"trim"`          // what is done about a history beyond the window
	SummaryModel string       `yaml:"summary_model"` // that writes summaries; one that runs here
	Reasoning    bool         `yaml:"keep_reasoning"`
	PerUser      bool         `yaml:"per_user"` // the users that requests name have sessions of their own
	MaxSize      Size         `yaml:"max_size"` // of a stored session
	Keys         []SessionKey `yaml:"encryption_keys"`
	ReadPlain    bool         `yaml:"read_unencrypted"` // with keys, what was stored before there were any is believed
}

// A SessionKey encrypts what is stored of sessions. The first does; the others
// read what they encrypted before.
type SessionKey struct {
	ID      string `yaml:"id"`
	Key     Secret `yaml:"key"` // 32 bytes in base64
	KeyFile Path   `yaml:"key_file"`
}

// Bytes returns the key itself.
func (k SessionKey) Bytes() ([]byte, error) {
	b, err := base64.StdEncoding.DecodeString(strings.TrimSpace(k.Key.Reveal()))
	if err != nil || len(b) != 32 {
		return nil, fmt.Errorf("want 32 bytes in base64; make them with: openssl rand -base64 32")
	}
	return b, nil
}

// Stores are where things may be kept.
type Stores struct {
	SQLite SQLiteStore `yaml:"sqlite"`
	Redis  RedisStore  `yaml:"redis"`
}

// A SQLiteStore is a file on this machine.
type SQLiteStore struct {
	File Path       `yaml:"file"` // empty: sessions.db in the folder data
	Sync SyncPolicy `yaml:"sync"`
}

// A RedisStore is a Redis that several gateways may share.
type RedisStore struct {
	Mode      RedisMode `yaml:"mode"`
	Addresses []string  `yaml:"addresses"` // host:port; of Sentinels, or of some nodes of a Cluster
	Master    string    `yaml:"master"`    // that Sentinels watch
	Username  string    `yaml:"username"`
	Password  Secret    `yaml:"password"`
	PassFile  Path      `yaml:"password_file"`

	SentinelUsername string `yaml:"sentinel_username"`
	SentinelPassword Secret `yaml:"sentinel_password"`
	SentinelPassFile Path   `yaml:"sentinel_password_file"`

	DB       int      `yaml:"db"`
	TLS      bool     `yaml:"tls"`
	CAFile   Path     `yaml:"ca_file"`   // empty: what the system trusts
	CertFile Path     `yaml:"cert_file"` // by which we show who we are; empty: we do not
	KeyFile  Path     `yaml:"key_file"`  // of that certificate
	Prefix   string   `yaml:"prefix"`    // of all keys
	Timeout  Duration `yaml:"timeout"`   // most that a request waits for it in all, where it can do without
}

type (
	SessionStore string // sqlite, redis or off
	DownPolicy   string // fail or stateless
	BusyPolicy   string // wait or refuse
	TrimPolicy   string // error, oldest or summary
	SyncPolicy   string // normal or full
	RedisMode    string // single, sentinel or cluster
	SessionBy    string // asked, user or off
)

// Values lists every SessionStore.
func (SessionStore) Values() []string { return []string{"sqlite", "redis", Off} }

// Values lists every DownPolicy.
func (DownPolicy) Values() []string { return []string{"fail", "stateless"} }

// Values lists every BusyPolicy.
func (BusyPolicy) Values() []string { return []string{"wait", "refuse"} }

// Values lists every TrimPolicy.
func (TrimPolicy) Values() []string { return []string{"error", "oldest", "summary"} }

// Values lists every SyncPolicy.
func (SyncPolicy) Values() []string { return []string{"normal", "full"} }

// Values lists every RedisMode.
func (RedisMode) Values() []string { return []string{"single", "sentinel", "cluster"} }

// Values lists every SessionBy.
func (SessionBy) Values() []string { return []string{"asked", "user", Off} }

func sessionDefaults() Sessions {
	return Sessions{
		Store: "sqlite", TTL: Duration(time.Hour), WhenDown: "fail", WhenBusy: "wait", MaxWait: Duration(30 * time.Second),
		Trim: "error", MaxSize: 4 << 20, Keys: []SessionKey{},
	}
}

func storeDefaults() Stores {
	return Stores{SQLite: SQLiteStore{Sync: "normal"}, Redis: RedisStore{Mode: "single", Addresses: []string{}, Prefix: "bendi", Timeout: Duration(50 * time.Millisecond)}}
}

func (c *Config) completeSessions() {
	for i := range c.Routes {
		if c.Routes[i].Session == "" {
			c.Routes[i].Session = "asked"
		}
		c.Routes[i].Trim = cmp.Or(c.Routes[i].Trim, c.Sessions.Trim)
	}
}

// sessionKeys reads the secrets of sessions and stores that lie in files.
func (d *decoder) sessionKeys(c *Config) {
	for i := range c.Sessions.Keys {
		k, key := &c.Sessions.Keys[i], fmt.Sprintf("sessions.encryption_keys[%d].key", i)
		d.orFile(key, &k.Key, k.KeyFile)
	}
	r := &c.Stores.Redis
	d.orFile("stores.redis.password", &r.Password, r.PassFile)
	d.orFile("stores.redis.sentinel_password", &r.SentinelPassword, r.SentinelPassFile)
}

// orFile reads a secret from its file, where it has one. One that is written as
// an empty text is none.
func (d *decoder) orFile(key string, secret *Secret, file Path) {
	_, written := d.places[key]
	if text, ok := d.secretIn(file, key, key+"_file", written && !secret.IsZero()); ok {
		*secret = NewSecret(strings.TrimSpace(text))
	}
}

func (c *Config) checkSessions(bad bad) {
	s := &c.Sessions
	one(bad, "sessions.store", s.Store)
	one(bad, "sessions.when_down", s.WhenDown)
	one(bad, "sessions.when_busy", s.WhenBusy)
	one(bad, "sessions.trim", s.Trim)
	if d := time.Duration(s.TTL); d < time.Minute || d > 10*365*24*time.Hour {
		bad("sessions.ttl", "want 1m to 87600h, have %v", s.TTL)
	}
	if d := time.Duration(s.MaxWait); d < time.Second || d > time.Hour {
		bad("sessions.max_wait", "want 1s to 1h, have %v", s.MaxWait)
	}
	if s.MaxSize < 64<<10 || s.MaxSize > 64<<20 {
		bad("sessions.max_size", "want 64KiB to 64MiB, have %v", s.MaxSize)
	}
	switch offered := c.Offered(); {
	case s.SummaryModel == "" && (s.Trim == "summary" || slices.ContainsFunc(c.Routes, func(r Route) bool { return r.Trim == "summary" })):
		bad("sessions.summary_model", "is missing: which model writes the summaries that trim asks for; it has to run here")
	case s.SummaryModel != "" && !offered[s.SummaryModel]:
		bad("sessions.summary_model", "no model %q runs here", s.SummaryModel)
	}
	for i, k := range s.Keys {
		key := fmt.Sprintf("sessions.encryption_keys[%d]", i)
		if !isName(k.ID, maxID, letters) {
			bad(key+".id", "an id has letters, digits, dots, dashes and underscores, at most %d, and begins with a letter or digit", maxID)
		} else if slices.ContainsFunc(s.Keys[:i], func(o SessionKey) bool { return o.ID == k.ID }) {
			bad(key+".id", "two keys are called %q", k.ID)
		}
		if _, err := k.Bytes(); err != nil {
			bad(key+".key", "%v", err)
		}
	}
	if s.ReadPlain && len(s.Keys) == 0 {
		bad("sessions.read_unencrypted", "goes with encryption_keys: without any, nothing is encrypted")
	}
	for i, r := range c.Routes {
		one(bad, fmt.Sprintf("routes[%d].session", i), r.Session)
		if r.Trim != s.Trim {
			one(bad, fmt.Sprintf("routes[%d].trim", i), r.Trim)
		}
	}
	one(bad, "stores.sqlite.sync", c.Stores.SQLite.Sync)
	c.checkRedis(bad)
}

func (c *Config) checkRedis(bad bad) {
	r := &c.Stores.Redis
	one(bad, "stores.redis.mode", r.Mode)
	if c.Sessions.Store == "redis" && len(r.Addresses) == 0 {
		bad("stores.redis.addresses", "is missing: where Redis is, such as [127.0.0.1:6379]")
	}
	for i, a := range r.Addresses {
		if _, _, err := net.SplitHostPort(a); err != nil {
			bad(fmt.Sprintf("stores.redis.addresses[%d]", i), "want host:port, have %q", a)
		}
	}
	if r.Mode == "single" && len(r.Addresses) > 1 {
		bad("stores.redis.addresses", "has %d, and a single Redis has one; several are of mode sentinel or cluster", len(r.Addresses))
	}
	if (r.Mode == "sentinel") != (r.Master != "") {
		bad("stores.redis.master", "is the name of the master that Sentinels watch, and goes with mode sentinel")
	}
	if r.DB < 0 || r.DB > 1<<16 || r.DB > 0 && r.Mode == "cluster" {
		bad("stores.redis.db", "want 0 to 65536, and 0 of a cluster, have %d", r.DB)
	}
	if r.CAFile != "" && !r.TLS {
		bad("stores.redis.ca_file", "goes with tls: true")
	}
	if (r.CertFile != "") != (r.KeyFile != "") {
		bad("stores.redis.cert_file", "and key_file go together")
	} else if r.CertFile != "" && !r.TLS {
		bad("stores.redis.cert_file", "goes with tls: true")
	}
	if !isName(r.Prefix, maxID, letters) {
		bad("stores.redis.prefix", "a prefix has letters, digits, dots, dashes and underscores, at most %d", maxID)
	}
	if d := time.Duration(r.Timeout); d < time.Millisecond || d > 10*time.Second {
		bad("stores.redis.timeout", "want 1ms to 10s, have %v", r.Timeout)
	}
}
