package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"bendi/chat"
	"bendi/config"
	memories "bendi/conversation"
	"bendi/conversation/redis"
	"bendi/conversation/sqlite"
	"bendi/openaicompat"
	"bendi/openaicompat/responses"
	"bendi/openaicompat/wire"
	"bendi/router"
)

// A memory is what the ground remembers of conversations.
type memory struct {
	*memories.Memory
	summarizer *scribe
	perUser    bool
}

// remind opens the memory of conversations, once, if there is to be one.
func (h *house) remind(context.Context) error {
	s := h.cfg.Sessions
	if h.ground.memory != nil || s.Store == config.Off {
		return nil
	}
	o := memories.Options{
		TTL: time.Duration(s.TTL), Down: memories.Down(s.WhenDown), Busy: memories.Busy(s.WhenBusy), Patience: time.Duration(s.MaxWait),
		MaxSize: int(s.MaxSize), PerUser: s.PerUser, Reasoning: s.Reasoning, Trim: memories.Trim(s.Trim), SummaryModel: s.SummaryModel,
		Log: h.log, Observe: h.measured.Sessions,
	}
	var keys []memories.SealKey
	for _, k := range s.Keys {
		secret, err := k.Bytes()
		if err != nil {
			return usage(fmt.Errorf("sessions.encryption_keys: %w", err))
		}
		keys = append(keys, memories.SealKey{ID: k.ID, Secret: secret})
	}
	var err error
	if len(keys) > 0 {
		if o.Sealer, err = memories.NewSealer(keys...); err != nil {
			return usage(err)
		}
		o.Sealer.ReadPlain = s.ReadPlain
	}
	writer := new(scribe)
	if s.SummaryModel != "" {
		o.Summarizer = writer
	}
	if o.Store, o.Limit, err = openStore(h.cfg); err != nil {
		return err
	}
	if c, ok := o.Store.(interface{ Count() int }); ok {
		h.measured.Sessions.Read(c.Count)
	}
	h.ground.memory = &memory{memories.New(o), writer, s.PerUser}
	return nil
}

// openStore opens what sessions are kept in, and returns how long requests wait
// for it at the most; 0: as the policy has it.
func openStore(cfg *config.Config) (memories.Store, time.Duration, error) {
	if cfg.Sessions.Store == "redis" {
		o, err := redisOptions(cfg.Stores.Redis)
		if err != nil {
			return nil, 0, err
		}
		if cfg.Sessions.WhenDown == "fail" {
			o.Timeout = max(o.Timeout, patience)
		}
		return redis.Open(o), o.Timeout, nil
	}
	s := &lazyStore{cfg: cfg}
	path, err := s.path(false)
	if err == nil {
		_, err = os.Stat(path)
	}
	if err == nil { // what is wrong with a file that is there is said at once
		if _, err := s.store(); err != nil {
			return nil, 0, err
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, 0, err
	}
	return s, 0, nil
}

// patience is the least that a request waits for Redis which fails without it.
const patience = 2 * time.Second

// checkSessions says where sessions are kept, and whether that can be reached.
func (p *program) checkSessions(ctx context.Context, cfg *config.Config) (string, error) {
	if cfg.Sessions.Store == "redis" {
		o, err := redisOptions(cfg.Stores.Redis)
		if err != nil {
			return "", err
		}
		o.Timeout = max(o.Timeout, patience)
		s := redis.Open(o)
		defer s.Close()
		ctx, cancel := context.WithTimeout(ctx, 2*patience)
		defer cancel()
		if err := s.Ping(ctx); err != nil {
			return "", fmt.Errorf("%s: %w", p.sayf("Redis at %s cannot be reached; sessions are not remembered until it is", "无法连接 Redis（%s），恢复之前不记忆会话", strings.Join(cfg.Stores.Redis.Addresses, ", ")), err)
		}
		return p.sayf("Redis answers at %s", "Redis 正常：%s", strings.Join(cfg.Stores.Redis.Addresses, ", ")), nil
	}
	s := &lazyStore{cfg: cfg}
	path, err := s.path(false)
	if err != nil {
		return "", err
	}
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return p.sayf("%s is made with the first session", "%s 将在首个会话出现时创建", path), nil
	}
	f, err := s.store()
	if err != nil {
		return "", err
	}
	defer s.Close()
	return p.sayf("%s has %d sessions", "%s 中有 %d 个会话", path, f.Count()), nil
}

// redisOptions says where Redis is.
func redisOptions(r config.RedisStore) (redis.Options, error) {
	o := redis.Options{
		Mode: redis.Mode(r.Mode), Addresses: r.Addresses, Master: r.Master, Username: r.Username, Password: r.Password.Reveal(),
		SentinelUsername: r.SentinelUsername, SentinelPassword: r.SentinelPassword.Reveal(),
		DB: r.DB, Prefix: r.Prefix, Timeout: time.Duration(r.Timeout),
	}
	if r.TLS {
		o.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
		if r.CAFile != "" {
			pool, err := certificatesIn(r.CAFile)
			if err != nil {
				return o, fmt.Errorf("stores.redis.ca_file: %w", err)
			}
			o.TLS.RootCAs = pool
		}
		if r.CertFile != "" {
			pair, err := tls.LoadX509KeyPair(string(r.CertFile), string(r.KeyFile))
			if err != nil {
				return o, fmt.Errorf("stores.redis.cert_file: %w", err)
			}
			o.TLS.Certificates = []tls.Certificate{pair}
		}
	}
	redis.Quiet()
	return o, nil
}

// A lazyStore makes its file when there is something to keep.
type lazyStore struct {
	cfg *config.Config

	opening sync.WaitGroup

	mu   sync.Mutex
	file *sqlite.Store
}

// path returns where the file is. The folder is made where it is to be.
func (s *lazyStore) path(folder bool) (string, error) {
	if file := s.cfg.Stores.SQLite.File; file != "" {
		return string(file), nil
	}
	if !folder {
		dir, err := s.cfg.DataPath()
		return filepath.Join(dir, "sessions.db"), err
	}
	dir, err := s.cfg.DataDir()
	return filepath.Join(dir, "sessions.db"), err
}

func (s *lazyStore) store() (*sqlite.Store, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.file != nil {
		return s.file, nil
	}
	path, err := s.path(true)
	if err != nil {
		return nil, err
	}
	s.file, err = sqlite.Open(path, sqlite.Sync(s.cfg.Stores.SQLite.Sync))
	return s.file, err
}

// there returns the store if there is a file already.
func (s *lazyStore) there() *sqlite.Store {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.file
}

func (s *lazyStore) Load(ctx context.Context, key memories.Key, ttl time.Duration) (memories.Value, error) {
	if f := s.there(); f != nil {
		return f.Load(ctx, key, ttl)
	}
	if ttl > 0 { // of a turn, which is to be stored: the file is made while it is answered
		s.opening.Go(func() { s.store() })
	}
	return memories.Value{}, memories.ErrNotFound
}

func (s *lazyStore) Save(ctx context.Context, key memories.Key, was uint64, v memories.Value, ttl time.Duration) error {
	f, err := s.store()
	if err != nil {
		return err
	}
	return f.Save(ctx, key, was, v, ttl)
}

func (s *lazyStore) Delete(ctx context.Context, key memories.Key) (bool, error) {
	if f := s.there(); f != nil {
		return f.Delete(ctx, key)
	}
	return false, nil
}

func (s *lazyStore) DeleteAll(ctx context.Context, owner memories.Owner) (int, error) {
	if f := s.there(); f != nil {
		return f.DeleteAll(ctx, owner)
	}
	return 0, nil
}

func (s *lazyStore) List(ctx context.Context, owner memories.Owner, after string, limit int) ([]memories.Head, string, error) {
	if f := s.there(); f != nil {
		return f.List(ctx, owner, after, limit)
	}
	return nil, "", nil
}

func (s *lazyStore) All(ctx context.Context) iter.Seq2[memories.Key, error] {
	if f := s.there(); f != nil {
		return f.All(ctx)
	}
	return func(func(memories.Key, error) bool) {}
}

func (s *lazyStore) Erase(ctx context.Context) error {
	if f := s.there(); f != nil {
		return f.Erase(ctx)
	}
	return nil
}

// Verify reads the whole file and says what is wrong with it.
func (s *lazyStore) Verify(ctx context.Context) error {
	if f := s.there(); f != nil {
		return f.Verify(ctx)
	}
	return nil
}

// Count returns how many sessions the file has.
func (s *lazyStore) Count() int {
	if f := s.there(); f != nil {
		return f.Count()
	}
	return 0
}

func (s *lazyStore) Close() error {
	s.opening.Wait()
	if f := s.there(); f != nil {
		return f.Close()
	}
	return nil
}

// A scribe is the model that writes summaries: the one of the house in force.
type scribe struct{ model atomic.Pointer[router.Route] }

func (s *scribe) Chat(ctx context.Context, req *chat.Request) iter.Seq2[chat.Event, error] {
	m := s.model.Load()
	if m == nil {
		return chat.Fail(errors.New("the model that writes summaries does not run"))
	}
	return m.Chat(ctx, req)
}

// employScribe has the house's own model write summaries from now on.
func (h *house) employScribe() {
	id := h.cfg.Sessions.SummaryModel
	if h.ground.memory == nil || id == "" {
		return
	}
	route, err := router.New(h.offers(id), "", nil)
	if err != nil {
		h.log.Error("sessions: nothing writes summaries", "model", id, "err", err)
		return
	}
	h.ground.memory.summarizer.model.Store(route)
}

// remember puts the memory of conversations around a route, behind the filter
// that between puts there.
func (h *house) remember(r config.Route, route tower, between func(tower) tower) tower {
	if h.ground.memory == nil || r.Session == config.Off {
		return between(route)
	}
	return h.ground.memory.Remember(route, memories.Policy{By: memories.By(r.Session), Trim: memories.Trim(r.Trim)}, func(m chat.Model) chat.Model { return between(m.(tower)) })
}

// sessions are what clients may do about their sessions.
type sessions struct{ *memory }

func (s sessions) owner(o openaicompat.Owner) memories.Owner {
	if !s.perUser {
		o.User = ""
	}
	return memories.OwnerOf(o.Principal, o.User)
}

// everyOf is owner, for what is about all sessions of one. Where a user has none
// of its own, those of the whole key are not what is meant.
func (s sessions) everyOf(o openaicompat.Owner) (memories.Owner, error) {
	if o.User != "" && !s.perUser {
		return "", chat.BadParam("user", "Users have no sessions of their own here, since sessions.per_user is off. Name one session instead; on routes with session: user, that of a user is called ~ and its name.")
	}
	return s.owner(o), nil
}

func (s sessions) List(ctx context.Context, o openaicompat.Owner, after string, limit int) ([]wire.SessionInfo, string, error) {
	owner, err := s.everyOf(o)
	if err != nil {
		return nil, "", err
	}
	heads, next, err := s.Memory.List(ctx, owner, after, limit)
	var list []wire.SessionInfo
	for _, h := range heads {
		list = append(list, wire.SessionInfo{ID: h.ID, Used: h.Used, Expires: h.Expires, Bytes: h.Bytes})
	}
	return list, next, err
}

func (s sessions) session(ctx context.Context, o openaicompat.Owner, id string) (*memories.Session, error) {
	session, err := s.Memory.Session(ctx, memories.Key{Owner: s.owner(o), ID: id})
	if errors.Is(err, memories.ErrNotFound) {
		return nil, openaicompat.NoSession()
	}
	return session, err
}

func (s sessions) Get(ctx context.Context, o openaicompat.Owner, id string) (wire.SessionInfo, []wire.SessionTurn, []chat.Message, error) {
	session, err := s.session(ctx, o, id)
	if err != nil {
		return wire.SessionInfo{}, nil, nil, err
	}
	var turns []wire.SessionTurn
	for _, t := range session.Turns {
		turns = append(turns, wire.SessionTurn{
			ID: t.ID, Parent: t.Parent, Time: t.Time, Model: t.Model, Backend: t.Backend, Arm: t.Arm, Finish: t.Finish,
			Interrupted: t.Interrupted, Usage: t.Usage, Messages: t.Messages(),
		})
	}
	info := wire.SessionInfo{ID: id, Created: session.Created, Used: session.Used, Bytes: session.Bytes()}
	return info, turns, session.History(), nil
}

func (s sessions) Delete(ctx context.Context, o openaicompat.Owner, id string) (bool, error) {
	return s.Memory.Delete(ctx, memories.Key{Owner: s.owner(o), ID: id})
}

func (s sessions) Turn(ctx context.Context, o openaicompat.Owner, id, turn string) (*responses.Turn, error) {
	session, err := s.session(ctx, o, id)
	if err != nil {
		return nil, err
	}
	t, ok := session.Turn(turn)
	if !ok {
		return nil, openaicompat.NoSession()
	}
	return new(turnOf(t)), nil
}

func (s sessions) Path(ctx context.Context, o openaicompat.Owner, id string) ([]responses.Turn, time.Time, error) {
	session, err := s.session(ctx, o, id)
	if err != nil {
		return nil, time.Time{}, err
	}
	var turns []responses.Turn
	for _, t := range session.Path() {
		turns = append(turns, turnOf(&t))
	}
	return turns, session.Created, nil
}

func turnOf(t *memories.Turn) responses.Turn {
	return responses.Turn{
		ID: t.ID, Parent: t.Parent, Time: t.Time, Input: t.Input, Output: t.Output, Model: t.Model, Finish: t.Finish, Interrupted: t.Interrupted,
		Usage: t.Usage, AIGC: t.AIGC, Classes: t.Classes, Inside: t.Inside, Note: t.Note,
	}
}

func (s sessions) Forget(ctx context.Context, o openaicompat.Owner, id, turn string) (bool, error) {
	return s.Memory.Forget(ctx, memories.Key{Owner: s.owner(o), ID: id}, turn)
}

func (s sessions) DeleteAll(ctx context.Context, o openaicompat.Owner) (int, error) {
	owner, err := s.everyOf(o)
	if err != nil {
		return 0, err
	}
	return s.Memory.DeleteAll(ctx, owner)
}
