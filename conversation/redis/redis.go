// Package redis keeps sessions in Redis, where several gateways share them: a
// single server, one behind Sentinel, or a Cluster.
//
// A session is one value, which is written together with its time to live, and
// only in place of the version that its writer has read. Beside it, each owner
// has an index of its sessions. A turn asks Redis twice: it takes the lease with
// the value, and gives it back with the next. Lease and value of a session are
// in one slot of a Cluster; an index may be in another, and is written first, so
// that no session is missing in it. One that is being begun is noted there as
// well: who deletes it, or all of an owner, ends its lease, and without that its
// first turn is not stored.
package redis

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"iter"
	"math"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"bendi/conversation"
)

// A Mode says how the servers work together.
type Mode string

const (
	Single   Mode = "single"
	Sentinel Mode = "sentinel"
	Cluster  Mode = "cluster"
)

// Options say where Redis is.
type Options struct {
	Mode      Mode     // empty: Single
	Addresses []string // host:port; of Sentinels, or of some nodes of a Cluster
	Master    string   // name of the master that Sentinels watch
	Username  string
	Password  string

	SentinelUsername string
	SentinelPassword string

	DB      int           // of a single server or behind Sentinel
	TLS     *tls.Config   // nil: none
	Prefix  string        // of all keys; empty: "bendi"
	Timeout time.Duration // that a connection waits for each try; 0: 50 ms. Of a Store it is at least a second
}

// Quiet has the client's library, which every Store shares, log nothing. What
// goes wrong is in the errors of calls.
func Quiet() { redis.SetLogger(silence{}) }

type silence struct{}

func (silence) Printf(context.Context, string, ...any) {}

// A Store is a [conversation.Store] in Redis. It connects when it is used.
type Store struct {
	client redis.UniversalClient
	prefix string
	spread bool // over the nodes of a Cluster: an index is elsewhere than its sessions
}

var (
	_ conversation.Store  = (*Store)(nil)
	_ conversation.Leaser = (*Store)(nil)
)

// Open returns a Store. That it can be reached shows in its first call.
func Open(o Options) *Store {
	if o.Prefix == "" {
		o.Prefix = "bendi"
	}
	// Whoever asks waits as long as its context lets it, see ask. That the
	// connection waits longer has a late reply be taken where the machine, and
	// not Redis, was late.
	o.Timeout = max(o.Timeout, time.Second)
	return &Store{client: Dial(o), prefix: o.Prefix, spread: o.Mode == Cluster}
}

// Dial returns a client for what else is kept where the sessions are.
func Dial(o Options) redis.UniversalClient {
	if o.Timeout == 0 {
		o.Timeout = 50 * time.Millisecond
	}
	u := &redis.UniversalOptions{
		Addrs: o.Addresses, Username: o.Username, Password: o.Password, DB: o.DB, TLSConfig: o.TLS,
		SentinelUsername: o.SentinelUsername, SentinelPassword: o.SentinelPassword,
		IsClusterMode:         o.Mode == Cluster,
		ContextTimeoutEnabled: true,
		DisableIdentity:       true, // a reply to it that comes late would be taken for another's
		MaxRetries:            1,
		MinRetryBackoff:       time.Millisecond,
		MaxRetryBackoff:       4 * time.Millisecond,
		DialTimeout:           o.Timeout * 4, // it goes on when the call has ended, for the next
		ReadTimeout:           o.Timeout,
		WriteTimeout:          o.Timeout,
		PoolTimeout:           o.Timeout,
	}
	if o.Mode == Sentinel {
		u.MasterName = o.Master
	}
	return redis.NewUniversalClient(u)
}

// value returns the key of a session. What is in braces decides the slot; no
// owner and no id has a brace.
func (s *Store) value(key conversation.Key) string {
	return s.prefix + ":s:{" + string(key.Owner) + "|" + key.ID + "}"
}

func (s *Store) lease(key conversation.Key) string { return s.value(key) + ":lease" }

func (s *Store) index(owner conversation.Owner) string {
	return s.prefix + ":o:{" + string(owner) + "}"
}

// What is stored is the version in 16 hexadecimal digits, and the data.
const versionSize = 16

func pack(v conversation.Value) string {
	return fmt.Sprintf("%016x", v.Version) + string(v.Data)
}

func unpack(text string) (conversation.Value, error) {
	if len(text) < versionSize {
		return conversation.Value{}, fmt.Errorf("a stored session of %d bytes is damaged: it ends in its version", len(text))
	}
	version, err := strconv.ParseUint(text[:versionSize], 16, 64)
	if err != nil {
		return conversation.Value{}, fmt.Errorf("a stored session of %d bytes is damaged: its version is no number", len(text))
	}
	return conversation.Value{Version: version, Data: []byte(text[versionSize:])}, nil
}

// Load returns what is stored of a session.
func (s *Store) Load(ctx context.Context, key conversation.Key, ttl time.Duration) (conversation.Value, error) {
	return ask(ctx, func(ctx context.Context) (conversation.Value, error) { return s.load(ctx, key, ttl) })
}

func (s *Store) load(ctx context.Context, key conversation.Key, ttl time.Duration) (conversation.Value, error) {
	if ttl <= 0 {
		return read(s.client.Get(ctx, s.value(key)))
	}
	v, err := read(s.client.GetEx(ctx, s.value(key), ttl))
	if err == nil {
		err = s.client.PExpire(ctx, s.index(key.Owner), 2*ttl).Err()
	}
	return v, err
}

func read(got *redis.StringCmd) (conversation.Value, error) {
	text, err := got.Result()
	if errors.Is(err, redis.Nil) {
		return conversation.Value{}, conversation.ErrNotFound
	}
	if err != nil {
		return conversation.Value{}, err
	}
	return unpack(text)
}

// saveScript writes ARGV[3] for ARGV[4] ms where the version is ARGV[1], or
// ARGV[2] already: then its first reply was lost. It ends the lease KEYS[2] of
// the token ARGV[5]. Where an index KEYS[3] is in the same place, it notes there
// that ARGV[6] is used at ARGV[7].
// Without a value, and with a token, the lease has to be there: whoever deletes
// the session takes it away.
var saveScript = redis.NewScript(`
local is = redis.call('GETRANGE', KEYS[1], 0, 15)
if is == '' and ARGV[5] ~= '' and redis.call('GET', KEYS[2]) ~= ARGV[5] then return 0 end
if is == '' then is = '0000000000000000' end
if is ~= ARGV[1] and is ~= ARGV[2] then return 0 end
if KEYS[3] then
	redis.call('ZADD', KEYS[3], ARGV[7], ARGV[6])
	if redis.call('PTTL', KEYS[3]) < 2 * ARGV[4] then redis.call('PEXPIRE', KEYS[3], 2 * ARGV[4]) end
end
redis.call('SET', KEYS[1], ARGV[3], 'PX', ARGV[4])
if ARGV[5] ~= '' and redis.call('GET', KEYS[2]) == ARGV[5] then redis.call('DEL', KEYS[2]) end
return 1`)

// indexScript notes in an index that ARGV[1] is used at ARGV[2], and keeps the
// index for at least ARGV[3] ms.
var indexScript = redis.NewScript(`
redis.call('ZADD', KEYS[1], ARGV[2], ARGV[1])
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[3]) then redis.call('PEXPIRE', KEYS[1], ARGV[3]) end
return 1`)

// pruneScript takes ARGV[1] out of an index where it was noted at ARGV[2] and
// not since.
var pruneScript = redis.NewScript(`
local is = redis.call('ZSCORE', KEYS[1], ARGV[1])
if is and tonumber(is) == tonumber(ARGV[2]) then return redis.call('ZREM', KEYS[1], ARGV[1]) end
return 0`)

// Save stores a session.
func (s *Store) Save(ctx context.Context, key conversation.Key, was uint64, v conversation.Value, ttl time.Duration) error {
	return s.Finish(ctx, key, was, v, ttl, "")
}

// Finish stores a session and ends a lease of it.
func (s *Store) Finish(ctx context.Context, key conversation.Key, was uint64, v conversation.Value, ttl time.Duration, token string) error {
	return tell(ctx, func(ctx context.Context) error { return s.finish(ctx, key, was, v, ttl, token) })
}

func (s *Store) finish(ctx context.Context, key conversation.Key, was uint64, v conversation.Value, ttl time.Duration, token string) error {
	now := time.Now().UnixMilli()
	if s.spread {
		if err := indexScript.Run(ctx, s.client, []string{s.index(key.Owner)}, key.ID, now, (2 * ttl).Milliseconds()).Err(); err != nil {
			return err
		}
	}
	done, err := saveScript.Run(ctx, s.client, s.of(key),
		fmt.Sprintf("%016x", was), fmt.Sprintf("%016x", v.Version), pack(v), ttl.Milliseconds(), token, key.ID, now).Int()
	if err == nil && done == 0 {
		return conversation.ErrConflict
	}
	return err
}

// deleteScript deletes a value and its lease, and where an index is in the same
// place takes ARGV[1] out of it.
var deleteScript = redis.NewScript(`
if KEYS[3] then redis.call('ZREM', KEYS[3], ARGV[1]) end
redis.call('DEL', KEYS[2])
return redis.call('DEL', KEYS[1])`)

// of returns the keys that a script about a session is told of.
func (s *Store) of(key conversation.Key) []string {
	keys := []string{s.value(key), s.lease(key)}
	if !s.spread {
		keys = append(keys, s.index(key.Owner))
	}
	return keys
}

// Delete forgets a session.
func (s *Store) Delete(ctx context.Context, key conversation.Key) (bool, error) {
	return ask(ctx, func(ctx context.Context) (was bool, err error) {
		noted := 0.0
		if s.spread {
			if noted, err = s.client.ZScore(ctx, s.index(key.Owner), key.ID).Result(); err != nil && !errors.Is(err, redis.Nil) {
				return false, err
			}
		}
		n, err := deleteScript.Run(ctx, s.client, s.of(key), key.ID).Int()
		if err == nil && s.spread {
			err = s.prune(ctx, key.Owner, key.ID, noted).Err()
		}
		return n > 0, err
	})
}

// prune takes an id out of an index, where it was noted at that time and not
// since.
func (s *Store) prune(ctx context.Context, owner conversation.Owner, id string, noted float64) *redis.Cmd {
	return pruneScript.Run(ctx, s.client, []string{s.index(owner)}, id, int64(noted))
}

// DeleteAll deletes all sessions of an owner, and the leases of those that are
// being begun.
func (s *Store) DeleteAll(ctx context.Context, owner conversation.Owner) (int, error) {
	return ask(ctx, func(ctx context.Context) (all int, err error) {
		for {
			noted, err := s.client.ZRangeWithScores(ctx, s.index(owner), 0, 499).Result()
			if err != nil || len(noted) == 0 {
				return all, err
			}
			dels := make([]*redis.Cmd, len(noted))
			_, err = s.client.Pipelined(ctx, func(p redis.Pipeliner) error {
				for i, z := range noted {
					id := z.Member.(string)
					dels[i] = deleteScript.Eval(ctx, p, s.of(conversation.Key{Owner: owner, ID: id}), id)
				}
				return nil
			})
			if err != nil {
				return all, err
			}
			for i, z := range noted {
				n, err := dels[i].Int()
				if err == nil && s.spread {
					err = s.prune(ctx, owner, z.Member.(string), z.Score).Err()
				}
				if err != nil {
					return all, err
				}
				all += n
			}
		}
	})
}

// settled is how long after its note in the index a session is written at the
// latest.
const settled = time.Minute

// List returns sessions of an owner, those used last first.
func (s *Store) List(ctx context.Context, owner conversation.Owner, after string, limit int) ([]conversation.Head, string, error) {
	skip := 0
	if after != "" {
		n, err := strconv.Atoi(after)
		if err != nil || n < 0 || n > math.MaxInt32 {
			return nil, "", conversation.ErrPlace
		}
		skip = n
	}
	var heads []conversation.Head
	for {
		members, err := s.client.ZRevRangeWithScores(ctx, s.index(owner), int64(skip), int64(skip+limit)).Result()
		if err != nil || len(members) == 0 {
			return heads, "", err
		}
		found, err := s.heads(ctx, owner, members)
		if err != nil {
			return nil, "", err
		}
		for i, h := range found {
			if len(heads) == limit {
				return heads, strconv.Itoa(skip), nil
			}
			if h.Bytes > 0 {
				heads = append(heads, h)
				skip++
				continue
			}
			gone := int64(0)
			if time.Since(h.Used) > settled && h.Bytes == 0 {
				if gone, err = s.prune(ctx, owner, h.ID, members[i].Score).Int64(); err != nil {
					return nil, "", err
				}
			}
			skip += 1 - int(gone)
		}
	}
}

// heads returns what is known of sessions. One of no bytes is not there, and one
// of -1 is being begun.
func (s *Store) heads(ctx context.Context, owner conversation.Owner, members []redis.Z) ([]conversation.Head, error) {
	heads := make([]conversation.Head, len(members))
	sizes, rests, held := make([]*redis.IntCmd, len(members)), make([]*redis.DurationCmd, len(members)), make([]*redis.IntCmd, len(members))
	_, err := s.client.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, m := range members {
			key := conversation.Key{Owner: owner, ID: m.Member.(string)}
			held[i] = p.Exists(ctx, s.lease(key))
			sizes[i], rests[i] = p.StrLen(ctx, s.value(key)), p.PTTL(ctx, s.value(key))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for i, m := range members {
		heads[i] = conversation.Head{
			ID: m.Member.(string), Used: time.UnixMilli(int64(m.Score)),
			Bytes: max(0, int(sizes[i].Val())-versionSize), Expires: time.Now().Add(max(0, rests[i].Val())),
		}
		if heads[i].Bytes == 0 && held[i].Val() > 0 {
			heads[i].Bytes = -1
		}
	}
	return heads, nil
}

// All yields the keys of all sessions.
func (s *Store) All(ctx context.Context) iter.Seq2[conversation.Key, error] {
	return func(yield func(conversation.Key, error) bool) {
		if c, ok := s.client.(*redis.ClusterClient); ok {
			// Masters are asked at once, and told of one after the other.
			var mu sync.Mutex
			var keys []conversation.Key
			err := c.ForEachMaster(ctx, func(ctx context.Context, node *redis.Client) error {
				return s.scan(ctx, node, func(key conversation.Key) bool {
					mu.Lock()
					defer mu.Unlock()
					keys = append(keys, key)
					return true
				})
			})
			for _, key := range keys {
				if !yield(key, nil) {
					return
				}
			}
			if err != nil {
				yield(conversation.Key{}, err)
			}
			return
		}
		left := false
		err := s.scan(ctx, s.client, func(key conversation.Key) bool {
			left = !yield(key, nil)
			return !left
		})
		if err != nil && !left {
			yield(conversation.Key{}, err)
		}
	}
}

func (s *Store) scan(ctx context.Context, node redis.Cmdable, tell func(conversation.Key) bool) error {
	begin := s.prefix + ":s:{"
	it := node.Scan(ctx, 0, begin+"*}", 500).Iterator()
	for it.Next(ctx) {
		name := strings.TrimSuffix(strings.TrimPrefix(it.Val(), begin), "}")
		owner, id, ok := strings.Cut(name, "|")
		if ok && !tell(conversation.Key{Owner: conversation.Owner(owner), ID: id}) {
			return nil
		}
	}
	return it.Err()
}

// renewScript keeps a lease for ARGV[2] ms, where it is that of the token ARGV[1].
var renewScript = redis.NewScript(`
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])`)

// beginScript takes the lease KEYS[2] for the token ARGV[1] and ARGV[2] ms,
// unless it is another's than the gateway's ARGV[6], and returns what KEYS[1] has, which is kept for
// ARGV[3] ms from now on. Where that is nothing, it notes in an index KEYS[3]
// that ARGV[4] is begun at ARGV[5]. A number is returned of a lease that is
// another's.
var beginScript = redis.NewScript(`
local is = redis.call('GET', KEYS[2])
if is and string.sub(is, 1, #ARGV[6]) ~= ARGV[6] then return 0 end
redis.call('SET', KEYS[2], ARGV[1], 'PX', ARGV[2])
local value = redis.call('GETEX', KEYS[1], 'PX', ARGV[3])
if KEYS[3] then
	if not value then redis.call('ZADD', KEYS[3], ARGV[5], ARGV[4]) end
	if redis.call('PTTL', KEYS[3]) < 2 * ARGV[3] then redis.call('PEXPIRE', KEYS[3], 2 * ARGV[3]) end
end
return value`)

var releaseScript = redis.NewScript(`
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0`)

// Begin takes the lease of a session and reads it. One that is being begun is
// noted in the index of its owner, so that DeleteAll finds it.
func (s *Store) Begin(ctx context.Context, key conversation.Key, l conversation.Lease, ttl time.Duration) (conversation.Value, bool, error) {
	type begun struct {
		value conversation.Value
		ours  bool
	}
	b, err := ask(ctx, func(ctx context.Context) (b begun, err error) {
		now := time.Now().UnixMilli()
		got, err := beginScript.Run(ctx, s.client, s.of(key), l.Token, l.Time.Milliseconds(), ttl.Milliseconds(), key.ID, now, l.Gateway).Result()
		text, found := got.(string)
		none := errors.Is(err, redis.Nil)
		if b.ours = none || err == nil && found; !b.ours {
			return b, err
		}
		if ctx.Err() != nil { // nobody waits for it any more
			return b, s.Release(context.WithoutCancel(ctx), key, l.Token)
		}
		if s.spread {
			if none {
				err = indexScript.Run(ctx, s.client, []string{s.index(key.Owner)}, key.ID, now, (2 * ttl).Milliseconds()).Err()
			} else {
				err = s.client.PExpire(ctx, s.index(key.Owner), 2*ttl).Err()
			}
			if err != nil {
				return b, err
			}
		}
		if none {
			return b, conversation.ErrNotFound
		}
		b.value, err = unpack(text)
		return b, err
	})
	return b.value, b.ours, err
}

// Renew renews the lease of a session.
func (s *Store) Renew(ctx context.Context, key conversation.Key, l conversation.Lease) (bool, error) {
	return ask(ctx, func(ctx context.Context) (bool, error) {
		n, err := renewScript.Run(ctx, s.client, []string{s.lease(key)}, l.Token, l.Time.Milliseconds()).Int()
		return n == 1, err
	})
}

// Release ends the lease of a session.
func (s *Store) Release(ctx context.Context, key conversation.Key, token string) error {
	return tell(ctx, func(ctx context.Context) error {
		return releaseScript.Run(ctx, s.client, []string{s.lease(key)}, token).Err()
	})
}

// Ping asks whether Redis can be reached.
func (s *Store) Ping(ctx context.Context) error { return s.client.Ping(ctx).Err() }

// Close closes the connections.
func (s *Store) Close() error { return s.client.Close() }
