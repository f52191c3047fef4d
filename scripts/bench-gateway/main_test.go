package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// What wrk prints is read, and a run of which requests failed is none.
func TestRead(t *testing.T) {
	const out = `Running 2s test @ http://127.0.0.1:1/
  Latency Distribution
     50%%  162.45us
     75%%  570.70ms
     99%%    1.69s 
  180 requests in 2.76s, 2.50MB read
%sRequests/sec:     65.28
`
	good := strings.ReplaceAll(strings.Replace(out, "%s", "", 1), "%%", "%")
	if r, err := read(good); err != nil || r != (result{perSecond: 65.28, seconds: 2.76, p50: 162.45, p99: 1.69e6}) {
		t.Errorf("got %+v, %v", r, err)
	}
	for _, bad := range []string{
		strings.ReplaceAll(strings.Replace(out, "%s", "  Non-2xx or 3xx responses: 3\n", 1), "%%", "%"),
		strings.ReplaceAll(strings.Replace(out, "%s", "  Socket errors: connect 0, read 1, write 0, timeout 0\n", 1), "%%", "%"),
		"", "unable to connect",
	} {
		if r, err := read(bad); err == nil {
			t.Errorf("%q is read as %+v", bad, r)
		}
	}
}

// The upstream answers as it is asked, and the bare handler copies that.
func TestUpstream(t *testing.T) {
	up := httptest.NewServer(upstream())
	defer up.Close()
	between := httptest.NewServer(copying(up.URL))
	defer between.Close()
	for name, base := range map[string]string{"direct": up.URL, "copy": between.URL} {
		c := contestant{name: name, url: base + "/v1/chat/completions"}
		if err := c.check(t.Context()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	res, err := http.Post(between.URL+"/v1/chat/completions", "application/json", strings.NewReader(question(true)))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if n := strings.Count(string(body), "data: "); err != nil || n != 1+deltas+3 {
		t.Errorf("%d frames, want a beginning, %d deltas, their end, the usage and the end of it all (%v)", n, deltas, err)
	}
}

// A delta costs three allocations at most, on its way from an upstream through
// the filter to a client.
func TestAllocations(t *testing.T) {
	h, stop, err := within(500)
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	const few, many = 64, 2048
	if err := answer(t.Context(), h, many); err != nil {
		t.Fatal(err)
	}
	least := 1e9
	for range 3 { // other goroutines allocate as well
		a, err := mallocs(t.Context(), h, few)
		if err != nil {
			t.Fatal(err)
		}
		z, err := mallocs(t.Context(), h, many)
		if err != nil {
			t.Fatal(err)
		}
		least = min(least, (z-a)/(many-few))
	}
	if least > 3 {
		t.Errorf("%.2f allocations for each delta, want 3 at most", least)
	}
}

// What a stream of 64 deltas costs on its way through the gateway.
func BenchmarkStream(b *testing.B) {
	h, stop, err := within(10_000)
	if err != nil {
		b.Fatal(err)
	}
	defer stop()
	b.ReportAllocs()
	for b.Loop() {
		if err := answer(b.Context(), h, deltas); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/deltas, "ns/delta")
}
