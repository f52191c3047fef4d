package redistest

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// A Watched is a master and its replica, and three Sentinels that watch them,
// two of which have to agree.
type Watched struct {
	Master, Replica *Server
	Sentinels       []string // host:port
}

// MasterName is what Sentinels call the master of a [Watched].
const MasterName = "house"

// StartWatched starts a [Watched]. When it returns, the replica follows and the
// Sentinels know each other.
func StartWatched(t testing.TB) *Watched {
	t.Helper()
	w := &Watched{Master: Start(t, "repl-diskless-sync-delay 0")}
	w.Replica = Start(t, fmt.Sprintf("replicaof 127.0.0.1 %d", w.Master.Port))
	var first *Server
	for range 3 {
		s := Start(t, fmt.Sprintf("sentinel monitor %s 127.0.0.1 %d 2", MasterName, w.Master.Port),
			"sentinel down-after-milliseconds "+MasterName+" 1500", "sentinel failover-timeout "+MasterName+" 6000")
		w.Sentinels = append(w.Sentinels, s.Address)
		if first == nil {
			first = s
		}
	}
	until(t, "the replica follows its master", func() bool {
		return strings.Contains(w.Replica.CLI(t, "info", "replication"), "master_link_status:up")
	})
	until(t, "the Sentinels know each other and the replica", func() bool {
		return strings.Count(first.CLI(t, "sentinel", "sentinels", MasterName), "runid") >= 2 &&
			strings.Contains(first.CLI(t, "sentinel", "replicas", MasterName), "runid")
	})
	return w
}

func until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for begin := time.Now(); !ok(); time.Sleep(50 * time.Millisecond) {
		if time.Since(begin) > time.Minute {
			t.Fatalf("%s: not within a minute", what)
		}
	}
}
