package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/tmaxmax/go-sse"

	"bendi/chat"
)

// However the bytes of a stream are cut up, the events are the same, and they
// are those of an implementation that is not ours.
func FuzzEvents(f *testing.F) {
	for _, s := range []string{
		"data: a\n\ndata: b\n\n", "data:a\r\n\r\ndata:b\r\r", ": c\ndata: a\ndata: b\nid: 1\n\n", "\uFEFFdata: a\n\n",
		"data\n\n", "data: \n\n", "data: a", "data: a\n", "\n\n\r\ndata: a\n\n", "event: x\n\ndata: 你好\n\n",
	} {
		f.Add(s, uint64(1))
	}
	f.Fuzz(func(t *testing.T, stream string, seed uint64) {
		whole := all(t, strings.NewReader(stream))
		for name, r := range map[string]io.Reader{
			"byte by byte":   iotest.OneByteReader(strings.NewReader(stream)),
			"in chance bits": &bits{stream, rand.New(rand.NewPCG(seed, 0))},
		} {
			if got := all(t, r); !slices.Equal(got, whole) {
				t.Errorf("%s: got %q, read whole %q", name, got, whole)
			}
		}
		if strings.LastIndex(stream, "\uFEFF") > 0 {
			return // the oracle drops marks of byte order where it should not
		}
		var want []string
		for ev, err := range sse.Read(strings.NewReader(stream), &sse.ReadConfig{MaxEventSize: 1 << 20}) {
			if err != nil {
				t.Fatal(err)
			}
			if ev.Data != "" {
				want = append(want, ev.Data)
			}
		}
		if !slices.Equal(whole, want) {
			t.Errorf("events(%q) = %q, the oracle says %q", stream, whole, want)
		}
	})
}

func all(t *testing.T, r io.Reader) (got []string) {
	for data, err := range events(r, 1<<20) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, string(data))
	}
	return got
}

// bits hands a string out in pieces of chance lengths.
type bits struct {
	rest string
	rand *rand.Rand
}

func (b *bits) Read(p []byte) (int, error) {
	if b.rest == "" {
		return 0, io.EOF
	}
	n := copy(p, b.rest[:min(len(b.rest), 1+b.rand.IntN(20))])
	b.rest = b.rest[n:]
	return n, nil
}

// A stream that is cut before its end never passes for a whole answer, and
// what was read before the cut is a beginning of it.
func FuzzTruncated(f *testing.F) {
	const stream = `data: {"choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}

: keep-alive

data: {"choices":[{"index":0,"delta":{"content":"你"}}],"usage":null}

data: {"choices":[{"index":0,"delta":{"content":"好"},"finish_reason":"stop"}],"usage":{"prompt_tokens":7,"completion_tokens":1}}

data: {"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":2}}

data: [DONE]

`
	whole, err := play(strings.NewReader(stream))
	if err != nil {
		f.Fatal(err)
	}
	for cut := range len(stream) {
		f.Add(cut, uint64(cut))
	}
	f.Fuzz(func(t *testing.T, cut int, seed uint64) {
		if cut < 0 || cut >= len(stream) {
			return
		}
		got, err := play(&bits{stream[:cut], rand.New(rand.NewPCG(seed, 0))})
		if e, ok := errors.AsType[*chat.Error](err); !ok || e.Kind != chat.BadBackend || !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("cut at %d of %d: the error is %v", cut, len(stream), err)
		}
		if len(got) > len(whole) || !slices.Equal(got, whole[:len(got)]) {
			t.Errorf("cut at %d: got %q, which does not begin %q", cut, got, whole)
		}
		again, _ := play(iotest.OneByteReader(strings.NewReader(stream)))
		if !slices.Equal(again, whole) {
			t.Errorf("byte by byte: got %q, want %q", again, whole)
		}
	})
}

// play returns the events of an answer whose body is r.
func play(r io.Reader) (got []string, err error) {
	m, err := New(Options{Name: "far", BaseURL: "https://far/v1"})
	if err != nil {
		return nil, err
	}
	m.client.Transport = roundTrip(func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {"text/event-stream"}}, Body: io.NopCloser(r)}, nil
	})
	for ev, err := range m.Chat(context.Background(), &chat.Request{N: 1}) {
		if err != nil {
			return got, err
		}
		got = append(got, fmt.Sprintf("%+v %+v", ev.Text+string(ev.Finish), ev.Usage))
	}
	return got, nil
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// A long event in small packets takes time in proportion to its length.
func TestLongEventInSmallPackets(t *testing.T) {
	const size = 8 << 20
	start := time.Now()
	r := &packets{strings.NewReader("data: " + strings.Repeat("x", size) + "\n\n")}
	for data, err := range events(r, maxEvent) {
		if err != nil || len(data) != size {
			t.Errorf("got %d bytes, %v", len(data), err)
		}
	}
	if d := time.Since(start); d > 2*time.Second {
		t.Errorf("%d bytes took %v", size, d)
	}
}

type packets struct{ r io.Reader }

func (p *packets) Read(b []byte) (int, error) { return p.r.Read(b[:min(len(b), 1400)]) }

func BenchmarkEvents(b *testing.B) {
	stream := strings.Repeat(`data: {"choices":[{"index":0,"delta":{"content":"字"}}]}`+"\n\n", 1000)
	n := 0
	for b.Loop() {
		for range events(strings.NewReader(stream), maxEvent) {
			n++
		}
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "events/s")
}
