package redis_test

import (
	"context"
	"errors"
	"fmt"
	"io"
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
	s := start(t, "requirepass open-sesame", "user gate on >gate-word ~* +@all")
	contract(t, redis.Options{Addresses: []string{s.address}, Username: "gate", Password: "gate-word", Timeout: patient})
	if err := redis.Open(redis.Options{Addresses: []string{s.address}, Password: "wrong", Timeout: patient}).Ping(t.Context()); err == nil {
		t.Error("a wrong password is let in")
	}
}

func TestCluster(t *testing.T) {
	var nodes []*server
	var addresses []string
	for range 3 {
		s := start(t, "cluster-enabled yes", "cluster-node-timeout 2000")
		nodes, addresses = append(nodes, s), append(addresses, s.address)
	}
	nodes[0].cli(t, append(append([]string{"--cluster", "create"}, addresses...), "--cluster-yes")...)
	for _, n := range nodes {
		eventually(t, 30*time.Second, "the cluster", func() error {
			if info := n.cli(t, "cluster", "info"); !strings.Contains(info, "cluster_state:ok") {
				return errors.New("not ok")
			}
			return nil
		})
	}
	contract(t, redis.Options{Mode: redis.Cluster, Addresses: addresses, Timeout: patient})
	spread := 0
	for _, n := range nodes {
		if n.cli(t, "dbsize") != "0\n" {
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
	master := start(t, "repl-diskless-sync-delay 0")
	replica := start(t, fmt.Sprintf("replicaof 127.0.0.1 %d", master.port))
	eventually(t, 30*time.Second, "the replica", func() error {
		if !strings.Contains(replica.cli(t, "info", "replication"), "master_link_status:up") {
			return errors.New("no link")
		}
		return nil
	})
	var sentinels []string
	for range 3 {
		s := start(t, fmt.Sprintf("sentinel monitor house 127.0.0.1 %d 2", master.port),
			"sentinel down-after-milliseconds house 1500", "sentinel failover-timeout house 6000")
		sentinels = append(sentinels, s.address)
	}
	o := redis.Options{Mode: redis.Sentinel, Master: "house", Addresses: sentinels, Timeout: patient}
	contract(t, o)

	s := open(t, o)
	key := conversation.Key{Owner: "o", ID: "x"}
	if err := s.Save(t.Context(), key, 0, conversation.Value{Version: 1, Data: []byte("before")}, time.Minute); err != nil {
		t.Fatal(err)
	}
	eventually(t, 10*time.Second, "replication", func() error {
		if !strings.Contains(replica.cli(t, "keys", "bendi:s:*"), "o|x") {
			return errors.New("not there")
		}
		return nil
	})
	eventually(t, 20*time.Second, "the sentinels know each other", func() error {
		if n := strings.Count((&server{port: portOf(sentinels[0])}).cli(t, "sentinel", "sentinels", "house"), "runid"); n < 2 {
			return fmt.Errorf("%d others", n)
		}
		return nil
	})
	master.cmd.Process.Kill()
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
	for line := range strings.Lines(replica.cli(t, "keys", "*:s:*")) {
		if name := strings.TrimSpace(line); replica.cli(t, "ttl", name) == "-1\n" {
			t.Errorf("%s has lost its time to live", name)
		}
	}
}

// A Sentinel that answers nothing keeps nobody from those that do.
func TestSentinelThatHangs(t *testing.T) {
	master := start(t)
	hole, err := net.Listen("tcp", "127.0.0.1:0") // it takes connections, and nobody ever answers
	if err != nil {
		t.Fatal(err)
	}
	defer hole.Close()
	sentinel := start(t, fmt.Sprintf("sentinel monitor house 127.0.0.1 %d 1", master.port))
	s := redis.Open(redis.Options{Mode: redis.Sentinel, Master: "house", Addresses: []string{hole.Addr().String(), sentinel.address}, Timeout: 50 * time.Millisecond})
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

func portOf(address string) (port int) {
	_, text, _ := net.SplitHostPort(address)
	fmt.Sscan(text, &port)
	return port
}

// What is deleted stands nowhere in Redis.
func TestDeletedIsGone(t *testing.T) {
	server := start(t)
	s := open(t, redis.Options{Addresses: []string{server.address}, Timeout: patient})
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
	if keys := server.cli(t, "keys", "*"); strings.TrimSpace(keys) != "" {
		t.Errorf("left are %q", keys)
	}
}

// However slow Redis answers, and whatever is given up on the way, no call is
// answered with a session that it did not ask for.
func TestLateRepliesAreNobodys(t *testing.T) {
	server := start(t)
	via := slow(t, server.address)
	direct := open(t, redis.Options{Addresses: []string{server.address}, Timeout: patient})
	const sessions = 50
	for i := range sessions {
		key := conversation.Key{Owner: "o", ID: fmt.Sprint(i)}
		if err := direct.Save(t.Context(), key, 0, conversation.Value{Version: uint64(i + 1), Data: []byte(key.ID)}, time.Minute); err != nil {
			t.Fatal(err)
		}
	}
	s := open(t, redis.Options{Addresses: []string{via.address}, Timeout: 20 * time.Millisecond})
	var wg sync.WaitGroup
	var right, late, wrong atomic.Int32
	for w := range 8 {
		wg.Go(func() {
			for i := range 250 {
				id := fmt.Sprint((i*7 + w) % sessions)
				if i%50 == 20 {
					via.delay.Store(int64(60 * time.Millisecond))
				} else if i%50 == 30 {
					via.delay.Store(0)
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

// A proxy passes on what Redis answers, later.
type proxy struct {
	address string
	delay   atomic.Int64
}

func slow(t *testing.T, to string) *proxy {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{address: l.Addr().String()}
	var wg sync.WaitGroup
	t.Cleanup(func() { l.Close(); wg.Wait() })
	wg.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer client.Close()
				server, err := net.Dial("tcp", to)
				if err != nil {
					return
				}
				defer server.Close()
				wg.Go(func() { io.Copy(server, client); server.Close() })
				buf := make([]byte, 32<<10)
				for {
					n, err := server.Read(buf)
					if err != nil {
						return
					}
					time.Sleep(time.Duration(p.delay.Load()))
					if _, err := client.Write(buf[:n]); err != nil {
						return
					}
				}
			})
		}
	})
	return p
}

func TestImports(t *testing.T) {
	deptest.Check(t, map[string]string{
		"github.com/gin-gonic/gin": "HTTP belongs to openaicompat",
		"bendi/config":             "settings arrive as Go values",
		"modernc.org/sqlite":       "a store is of one kind",
	})
}
