package redis_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"bendi/conversation"
	"bendi/conversation/redis"
	"bendi/conversation/storetest"
	"bendi/internal/deptest"
	"bendi/internal/redistest"
)

// patient is for a machine that is busy with other tests.
const patient = 5 * time.Second

func open(t testing.TB, o redis.Options) *redis.Store {
	t.Helper()
	s := redis.Open(o)
	t.Cleanup(func() { s.Close() })
	eventually(t, 30*time.Second, "redis", func() error {
		ctx, cancel := context.WithTimeout(t.Context(), patient)
		defer cancel()
		return s.Ping(ctx)
	})
	return s
}

// eventually tries something until it works.
func eventually(t testing.TB, limit time.Duration, what string, try func() error) {
	t.Helper()
	until := time.Now().Add(limit)
	for {
		err := try()
		if err == nil {
			return
		}
		if time.Now().After(until) {
			t.Fatalf("%s: still %v after %v", what, err, limit)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// contract runs the tests of stores, each on keys of its own.
func contract(t *testing.T, o redis.Options) {
	n := 0
	storetest.Run(t, func(t *testing.T) conversation.Store {
		n++
		o.Prefix = fmt.Sprint("test", n)
		return open(t, o)
	})
}

func TestSingle(t *testing.T) {
	s := redistest.Start(t, "requirepass open-sesame", "user gate on >gate-word ~* +@all")
	contract(t, redis.Options{Addresses: []string{s.Address}, Username: "gate", Password: "gate-word", Timeout: patient})
	if err := redis.Open(redis.Options{Addresses: []string{s.Address}, Password: "wrong", Timeout: patient}).Ping(t.Context()); err == nil {
		t.Error("a wrong password is let in")
	}
}

func TestCluster(t *testing.T) {
	var nodes []*redistest.Server
	var addresses []string
	for range 3 {
		s := redistest.Start(t, "cluster-enabled yes", "cluster-node-timeout 2000")
		nodes, addresses = append(nodes, s), append(addresses, s.Address)
	}
	nodes[0].CLI(t, append(append([]string{"--cluster", "create"}, addresses...), "--cluster-yes")...)
	for _, n := range nodes {
		eventually(t, 30*time.Second, "the cluster", func() error {
			if info := n.CLI(t, "cluster", "info"); !strings.Contains(info, "cluster_state:ok") {
				return errors.New("not ok")
			}
			return nil
		})
	}
	o := redis.Options{Mode: redis.Cluster, Addresses: addresses, Timeout: patient}
	contract(t, o)
	storetest.DeletedStaysDeleted(t, open(t, o), open(t, o))
	spread := 0
	for _, n := range nodes {
		if n.CLI(t, "dbsize") != "0\n" {
			spread++
		}
	}
	if spread != 3 {
		t.Errorf("the sessions are on %d of 3 nodes", spread)
	}
}

// When the master behind Sentinel dies, sessions go on without a restart, and
// keep their time to live.
func TestSentinelFailover(t *testing.T) {
	w := redistest.StartWatched(t)
	o := redis.Options{Mode: redis.Sentinel, Master: redistest.MasterName, Addresses: w.Sentinels, Timeout: patient}
	contract(t, o)

	s := open(t, o)
	key := conversation.Key{Owner: "o", ID: "x"}
	if err := s.Save(t.Context(), key, 0, conversation.Value{Version: 1, Data: []byte("before")}, time.Minute); err != nil {
		t.Fatal(err)
	}
	eventually(t, 10*time.Second, "replication", func() error {
		if !strings.Contains(w.Replica.CLI(t, "keys", "bendi:s:*"), "o|x") {
			return errors.New("not there")
		}
		return nil
	})
	w.Master.Process.Kill()
	begin := time.Now()
	eventually(t, 60*time.Second, "a write after the failover", func() error {
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		return s.Save(ctx, key, 1, conversation.Value{Version: 2, Data: []byte("after")}, time.Minute)
	})
	t.Logf("writes were back %v after the master was killed", time.Since(begin).Round(100*time.Millisecond))
	if v, err := s.Load(t.Context(), key, 0); err != nil || string(v.Data) != "after" {
		t.Errorf("%q, %v", v.Data, err)
	}
	for line := range strings.Lines(w.Replica.CLI(t, "keys", "*:s:*")) {
		if name := strings.TrimSpace(line); w.Replica.CLI(t, "ttl", name) == "-1\n" {
			t.Errorf("%s has lost its time to live", name)
		}
	}
}

// A Sentinel that answers nothing keeps nobody from those that do.
func TestSentinelThatHangs(t *testing.T) {
	master := redistest.Start(t)
	hole, err := net.Listen("tcp", "127.0.0.1:0") // it takes connections, and nobody ever answers
	if err != nil {
		t.Fatal(err)
	}
	defer hole.Close()
	sentinel := redistest.Start(t, fmt.Sprintf("sentinel monitor house 127.0.0.1 %d 1", master.Port))
	s := redis.Open(redis.Options{Mode: redis.Sentinel, Master: "house", Addresses: []string{hole.Addr().String(), sentinel.Address}, Timeout: 50 * time.Millisecond})
	defer s.Close()
	key := conversation.Key{Owner: "o", ID: "x"}
	begin := time.Now()
	eventually(t, 30*time.Second, "a write beside the Sentinel that hangs", func() error {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		return s.Save(ctx, key, 0, conversation.Value{Version: 1, Data: []byte("v")}, time.Minute)
	})
	t.Logf("the first write came through after %v", time.Since(begin).Round(time.Millisecond))
	var slowest time.Duration
	for range 50 {
		begin := time.Now()
		if _, err := s.Load(t.Context(), key, 0); err != nil {
			t.Error(err)
		}
		slowest = max(slowest, time.Since(begin))
	}
	if slowest > time.Second {
		t.Errorf("once the master is known, a read takes %v", slowest)
	}
}

// What is deleted stands nowhere in Redis.
func TestDeletedIsGone(t *testing.T) {
	server := redistest.Start(t)
	s := open(t, redis.Options{Addresses: []string{server.Address}, Timeout: patient})
	for i := range 20 {
		key := conversation.Key{Owner: "o", ID: fmt.Sprint("s", i)}
		if err := s.Save(t.Context(), key, 0, conversation.Value{Version: 1, Data: []byte("x")}, time.Minute); err != nil {
			t.Fatal(err)
		}
	}
	if was, err := s.Delete(t.Context(), conversation.Key{Owner: "o", ID: "s3"}); !was || err != nil {
		t.Fatal(was, err)
	}
	if n, err := s.DeleteAll(t.Context(), "o"); n != 19 || err != nil {
		t.Fatal(n, err)
	}
	if keys := server.CLI(t, "keys", "*"); strings.TrimSpace(keys) != "" {
		t.Errorf("left are %q", keys)
	}
}

// However slow Redis answers, and whatever is given up on the way, no call is
// answered with a session that it did not ask for.
func TestLateRepliesAreNobodys(t *testing.T) {
	server := redistest.Start(t)
	via := redistest.Via(t, server.Address)
	direct := open(t, redis.Options{Addresses: []string{server.Address}, Timeout: patient})
	const sessions = 50
	for i := range sessions {
		key := conversation.Key{Owner: "o", ID: fmt.Sprint(i)}
		if err := direct.Save(t.Context(), key, 0, conversation.Value{Version: uint64(i + 1), Data: []byte(key.ID)}, time.Minute); err != nil {
			t.Fatal(err)
		}
	}
	s := open(t, redis.Options{Addresses: []string{via.Address}, Timeout: 20 * time.Millisecond})
	var wg sync.WaitGroup
	var right, late, wrong atomic.Int32
	for w := range 8 {
		wg.Go(func() {
			for i := range 250 {
				id := fmt.Sprint((i*7 + w) % sessions)
				if i%50 == 20 {
					via.Delay(60 * time.Millisecond)
				} else if i%50 == 30 {
					via.Delay(0)
				}
				ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
				v, err := s.Load(ctx, conversation.Key{Owner: "o", ID: id}, 0)
				cancel()
				switch {
				case err != nil:
					late.Add(1)
				case string(v.Data) != id:
					wrong.Add(1)
				default:
					right.Add(1)
				}
			}
		})
	}
	wg.Wait()
	t.Logf("%d right, %d given up, %d mixed up", right.Load(), late.Load(), wrong.Load())
	if wrong.Load() > 0 || right.Load() == 0 {
		t.Errorf("%d of %d replies were another's", wrong.Load(), right.Load()+wrong.Load())
	}
}

func TestImports(t *testing.T) {
	deptest.Check(t, map[string]string{
		"github.com/gin-gonic/gin": "HTTP belongs to openaicompat",
		"bendi/config":             "settings arrive as Go values",
		"modernc.org/sqlite":       "a store is of one kind",
	})
}
