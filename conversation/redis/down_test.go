package redis_test

import (
	"fmt"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"bendi/chat"
	"bendi/chat/chattest"
	"bendi/conversation"
	"bendi/conversation/redis"
	"bendi/conversation/storetest"
	"bendi/internal/redistest"
)

func TestTenantsNeverMeet(t *testing.T) {
	server := redistest.Start(t)
	storetest.TenantsNeverMeet(t, open(t, redis.Options{Addresses: []string{server.Address}, Timeout: patient}), time.Second)
}

// Two gateways that share a Redis delete what the other answers.
func TestDeletedStaysDeleted(t *testing.T) {
	o := redis.Options{Addresses: []string{redistest.Start(t).Address}, Timeout: patient}
	storetest.DeletedStaysDeleted(t, open(t, o), open(t, o))
}

// While Redis is stopped, answers five seconds late, is emptied or is gone,
// requests are answered, and nobody waits for it for long. When it is back, so
// is memory.
func TestTroubleUnderLoad(t *testing.T) {
	server := redistest.Start(t)
	via := redistest.Via(t, server.Address)
	s := open(t, redis.Options{Addresses: []string{via.Address}, Timeout: 50 * time.Millisecond})
	memory := conversation.New(conversation.Options{Store: s, Down: conversation.Stateless})
	r := memory.Remember(chattest.Script("an answer\n"), conversation.Policy{}, nil)
	round := func(what string) (stateless int) {
		var mu sync.Mutex
		var took []time.Duration
		var wg sync.WaitGroup
		for w := range 4 {
			wg.Go(func() {
				for i := range 40 {
					begin := time.Now()
					req := &chat.Request{N: 1, Principal: "p", Session: fmt.Sprint(w), Messages: []chat.Message{chat.TextMessage(chat.User, fmt.Sprint(i))}}
					without := false
					for ev, err := range r.Chat(t.Context(), req) {
						if err != nil {
							t.Errorf("%s: %v", what, err)
							break
						}
						without = without || ev.Memory != nil && (ev.Memory.Stateless || ev.Memory.Lost)
					}
					mu.Lock()
					took = append(took, time.Since(begin))
					if without {
						stateless++
					}
					mu.Unlock()
					time.Sleep(5 * time.Millisecond)
				}
			})
		}
		wg.Wait()
		slices.Sort(took)
		median, worst := took[len(took)/2], took[len(took)-1]
		t.Logf("%s: %d of %d without memory, median %v, worst %v", what, stateless, len(took), median.Round(10*time.Microsecond), worst.Round(time.Millisecond))
		if median > 100*time.Millisecond {
			t.Errorf("%s: the median request takes %v", what, median)
		}
		return stateless
	}
	back := func(what string) {
		eventually(t, 20*time.Second, "memory after Redis was "+what, func() error {
			for ev := range r.Chat(t.Context(), &chat.Request{N: 1, Principal: "p", Session: "back", Messages: []chat.Message{chat.TextMessage(chat.User, "x")}}) {
				if ev.Memory != nil && (ev.Memory.Stateless || ev.Memory.Lost) {
					return fmt.Errorf("%+v", *ev.Memory)
				}
			}
			return nil
		})
	}
	back("started")
	round("all is well")

	server.Process.Signal(syscall.SIGSTOP)
	if round("stopped") == 0 {
		t.Error("stopped: every request had memory")
	}
	server.Process.Signal(syscall.SIGCONT)
	back("stopped")

	via.Delay(5 * time.Second)
	if round("slowed by 5 s") == 0 {
		t.Error("slowed: every request had memory")
	}
	via.Delay(0)
	back("slowed")

	server.CLI(t, "flushall")
	round("emptied")
	server.Process.Kill()
	if round("killed") == 0 {
		t.Error("killed: every request had memory")
	}
}
