package link

import (
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

var soak = flag.Duration("soak", 0, "how long TestSoak goes on; 0: it is left out")

// However long requests of every kind go over links that stall and are cut, no
// byte is wrong, and nothing is left behind.
//
//	go test -race ./link -run TestSoak -soak 10m -timeout 15m
func TestSoak(t *testing.T) {
	if *soak == 0 {
		t.Skip("takes -soak")
	}
	p := newPair(t, 20*time.Millisecond, 0.03, echo)
	p.join(24)
	time.Sleep(time.Second)
	before := runtime.NumGoroutine()
	end := time.Now().Add(*soak)
	var wg sync.WaitGroup
	var done, moved atomic.Int64
	for i := range 20 {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(i), 9))
			for time.Now().Before(end) {
				body := randomBytes(r, []int{0, 10, 900, 20_000, 300_000}[r.IntN(5)])
				_, got, err := exchange(p.edge, []byte("head"), body, 1+r.IntN(9000), time.Duration(r.IntN(3))*time.Millisecond)
				if err != nil || string(got) != string(body) {
					t.Errorf("%d bytes went in, %d came out, %v", len(body), len(got), err)
					return
				}
				done.Add(1)
				moved.Add(int64(len(body)))
			}
		})
	}
	wg.Go(func() {
		for time.Now().Before(end) {
			time.Sleep(700 * time.Millisecond)
			p.cut(1)
			p.join(1)
		}
	})
	wg.Wait()
	time.Sleep(3 * time.Second)
	after := runtime.NumGoroutine()
	t.Logf("%d requests, %d MiB; %d goroutines before, %d after; %+v", done.Load(), moved.Load()>>20, before, after, p.edge.Stats())
	if after > before+10 {
		t.Errorf("%d goroutines before, %d after", before, after)
	}
	p.close()
}

// What the link adds where the line is none: medians, one request at a time.
func BenchmarkRequest(b *testing.B) {
	l := newLab(b, func(w http.ResponseWriter, r *http.Request) {
		io.Copy(w, r.Body)
	}).start()
	direct := NewClient(nil)
	defer direct.CloseIdleConnections()
	e := l.edge(nil)
	waitFor(b, "links", func() bool { return e.Status()[0].Links >= 8 })
	u, err := url.Parse(l.upstream.URL + "/v1/x")
	if err != nil {
		b.Fatal(err)
	}
	ask := func(client http.RoundTripper) time.Duration {
		begin := time.Now()
		req, err := http.NewRequestWithContext(b.Context(), http.MethodPost, u.String(), strings.NewReader(fmt.Sprintf("%0400d", 7)))
		if err != nil {
			b.Fatal(err)
		}
		res, err := client.RoundTrip(req)
		if err != nil {
			b.Fatal(err)
		}
		io.Copy(io.Discard, res.Body)
		res.Body.Close()
		return time.Since(begin)
	}
	for range 100 { // until it is known that the line is short
		ask(direct)
		ask(e)
	}
	var without, with []time.Duration
	for b.Loop() { // by turns, since a machine is never twice the same
		without = append(without, ask(direct))
		with = append(with, ask(e))
	}
	median := func(all []time.Duration) float64 {
		slices.Sort(all)
		return float64(all[len(all)/2].Microseconds()) / 1000
	}
	b.ReportMetric(median(without), "ms-direct")
	b.ReportMetric(median(with), "ms-link")
	b.ReportMetric(median(with)-median(without), "ms-added")
	b.ReportMetric(0, "ns/op")
}
