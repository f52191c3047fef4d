package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"bendi/chat"
	"bendi/chat/chattest"
	"bendi/config"
	"bendi/inference/process"
	"bendi/models/fit"
	"bendi/openaicompat"
)

// serverVariable makes a server of the test's program: it is the port.
const serverVariable = "BENDI_TEST_SERVER"

// TestServe is no test, but the server of others.
func TestServe(t *testing.T) {
	port := os.Getenv(serverVariable)
	if port == "" {
		t.Skip("this is the server of other tests")
	}
	l, err := net.Listen("tcp", "127.0.0.1:"+port)
	if err != nil {
		t.Fatal(err)
	}
	api := openaicompat.New(openaicompat.Options{Routes: []openaicompat.Route{{Path: "/v1/chat", Model: chattest.Script("你\n好\n!sleep 5ms\n。\n")}}})
	http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/health" {
			api.ServeHTTP(w, r)
		}
	}))
}

// serving is a backend that is started here and takes so many GiB.
func serving(size int64) config.Backend {
	return config.Backend{
		Kind: "openai", Zone: "inside", Models: map[string]config.BackendModel{"m": {Name: "m"}}, MaxConns: 10,
		Process: config.Process{
			Command: []config.Word{config.Word(os.Args[0]), "-test.run=^TestServe$"},
			Env:     map[string]config.Word{serverVariable: "${PORT}"},
			Load:    config.LoadDemand, Memory: config.Size(size * gib), Health: "/health",
			StopTimeout: config.Duration(time.Second), Backoff: config.Duration(10 * time.Millisecond),
		},
	}
}

// At no time do the servers that are started, together, take more than there
// is, however they are asked; and who finds no room is told when to come again.
func TestProcessesFitTheMemory(t *testing.T) {
	const limit = 10
	sizes := map[string]int64{"a": 4, "b": 4, "c": 5, "big": 9}
	g := &ground{rooms: newResidence(func(context.Context) fit.Machine { return fit.Machine{} }, slog.New(slog.DiscardHandler)), log: slog.New(slog.DiscardHandler)}
	g.rooms.set(limit*gib, false)
	servers := make(map[string]*server)
	for name, size := range sizes {
		s, err := g.startProcess(name, serving(size))
		if err != nil {
			t.Fatal(err)
		}
		defer s.close()
		servers[name] = s
	}

	ctx, stop := context.WithTimeout(t.Context(), 3*time.Second)
	defer stop()
	var wg, watch sync.WaitGroup
	var mu sync.Mutex
	answers, refusals := 0, 0
	for i := range 6 {
		wg.Go(func() {
			names := []string{"a", "b", "c", "big"}
			for n := 0; ctx.Err() == nil; n++ {
				s := servers[names[rand.N(len(names))]]
				if n == 0 {
					s = servers[names[i%len(names)]]
				}
				_, err := chattest.Collect(s.model.Chat(t.Context(), &chat.Request{Model: "m", N: 1, Messages: []chat.Message{chat.TextMessage(chat.User, "你好")}}), 1)
				mu.Lock()
				if err == nil {
					answers++
				} else if e, ok := errors.AsType[*chat.Error](err); ok && e.Kind == chat.Unavailable && e.RetryAfter > 0 {
					refusals++
				} else {
					t.Error(err)
				}
				mu.Unlock()
			}
		})
	}
	samples := 0
	watch.Go(func() {
		for ; ctx.Err() == nil; time.Sleep(time.Millisecond) {
			starts, taken, sum := restarts(servers), "", int64(0)
			for name, s := range servers {
				if state := s.process.State(); state == process.Loaded || state == process.Loading {
					sum += sizes[name]
					taken += " " + name
				}
			}
			// What was seen one after the other was so at one moment where
			// nothing has been started meanwhile.
			if restarts(servers) == starts {
				if samples++; sum > limit {
					t.Errorf("%s take %d GiB of %d", taken, sum, limit)
				}
			}
		}
	})
	wg.Wait()
	watch.Wait()
	if answers == 0 || samples == 0 {
		t.Errorf("%d answers, %d refusals, %d samples", answers, refusals, samples)
	}
	t.Logf("%d answers, %d refusals, %d samples, starts %s", answers, refusals, samples, restarts(servers))
}

func restarts(servers map[string]*server) string {
	var text strings.Builder
	for _, name := range []string{"a", "b", "c", "big"} {
		fmt.Fprint(&text, servers[name].process.Restarts(), " ")
	}
	return text.String()
}

// What is started here says of itself what it takes.
func TestTenantsOf(t *testing.T) {
	two := serving(2)
	two.Models = map[string]config.BackendModel{"a": {}, "b": {}}
	two.Process.Load = config.LoadStart
	list, onDemand := tenantsOf(&config.Config{Backends: map[string]config.Backend{"one": serving(1), "two": two, "none": serving(0), "elsewhere": {URL: "http://x/v1"}}})
	if len(list) != 2 || list[0].ID != "one/m" || list[1].ID != "two/*" || list[0].Host.Total() != gib || !onDemand["one/m"] || onDemand["two/*"] {
		t.Errorf("got %+v, %v", list, onDemand)
	}
	err := fit.Check(list, fit.Machine{Free: gib, Limit: fit.LimitSet})
	if err == nil || !strings.Contains(err.Error(), "model two/*: 2.0 GiB, as the configuration says") || !strings.Contains(err.Error(), "have two/* take less") {
		t.Errorf("where they do not fit: %v", err)
	}
}
