package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"runtime"
	"strconv"
	"strings"

	"bendi/chat"
	"bendi/filter"
	"bendi/filter/lexicon"
	"bendi/inference/remote"
	table "bendi/internal/benchtable"
	"bendi/openaicompat"
	"bendi/router"
)

// allocations counts what a delta costs the garbage collector, on its way from
// an upstream within this process through all that a gateway is made of.
func (b *bench) allocations(ctx context.Context, _ []contestant) error {
	h, stop, err := within(b.words)
	if err != nil {
		return err
	}
	defer stop()
	few, many := 64, 4096
	for _, n := range []int{few, many} {
		if err := answer(ctx, h, n); err != nil { // what is made once
			return err
		}
	}
	var each []float64
	for range b.rounds {
		a, err := mallocs(ctx, h, few)
		if err != nil {
			return err
		}
		z, err := mallocs(ctx, h, many)
		if err != nil {
			return err
		}
		each = append(each, (z-a)/float64(many-few))
	}
	row := table.Row{Suite: "allocations", What: "for each delta of a stream", Must: table.AtMost(3)}
	b.report.Rows = append(b.report.Rows, row.Alone(each...))
	return nil
}

// mallocs counts the allocations of an answer.
func mallocs(ctx context.Context, h http.Handler, deltas int) (float64, error) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	err := answer(ctx, h, deltas)
	runtime.ReadMemStats(&after)
	return float64(after.Mallocs - before.Mallocs), err
}

// within returns a gateway whose upstream lies in memory, and how to stop that.
// The upstream answers with as many deltas as a request's max_tokens.
func within(words int) (h http.Handler, stop func(), err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, err
	}
	up := &http.Server{Handler: http.HandlerFunc(counted)}
	go up.Serve(l)
	stop = func() { up.Close() }
	m, err := remote.New(remote.Options{Name: "upstream", BaseURL: "http://" + l.Addr().String() + "/v1"})
	if err != nil {
		return nil, stop, err
	}
	pool, err := router.NewPool(router.PoolOptions{
		ModelInfo: chat.ModelInfo{ID: "m"},
		Tiers:     [][]*router.Backend{{router.NewBackend(router.BackendOptions{Name: "upstream", Model: m, As: "there", Zone: router.Inside})}},
	})
	if err != nil {
		return nil, stop, err
	}
	route, err := router.New([]router.Offer{{ModelInfo: chat.ModelInfo{ID: "m"}, Model: pool}}, "", nil)
	if err != nil {
		return nil, stop, err
	}
	policy := &filter.Policy{
		Name:        "bench",
		Categories:  map[string]filter.Category{"*": {Request: filter.Always(filter.Block), Answer: filter.Always(filter.Mask)}},
		Personal:    map[string]filter.Personal{"*": {Request: filter.Log, Answer: filter.Mask}},
		Replacement: "[…]",
	}
	list := &lexicon.Lexicon{Name: "bench", Version: "1", Categories: map[string]lexicon.Category{"bench": {Level: 2}}}
	for i, w := range randomWords(words) {
		list.Words = append(list.Words, lexicon.Word{ID: fmt.Sprint("bench:", i), Text: w, Category: "bench", Level: 2})
	}
	rules, err := filter.Compile([]*lexicon.Lexicon{list}, policy)
	if err != nil {
		return nil, stop, err
	}
	guarded := filter.Guard(route, filter.Options{Shelf: filter.NewShelf(rules), Policy: policy})
	return openaicompat.New(openaicompat.Options{Routes: []openaicompat.Route{{Path: "/v1/chat", Model: guarded}}}), stop, nil
}

// counted answers with as many deltas as tokens are wanted at most.
func counted(w http.ResponseWriter, r *http.Request) {
	body := make([]byte, r.ContentLength)
	r.Body.Read(body)
	_, rest, _ := bytes.Cut(body, []byte(`"max_tokens":`))
	end := bytes.IndexAny(rest, ",}")
	n, _ := strconv.Atoi(string(rest[:max(end, 0)]))
	w.Header().Set("Content-Type", "text/event-stream")
	var frames [][]byte
	for i := range len(prose) / 2 {
		frames = append(frames, []byte(`data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"there","choices":[{"index":0,"delta":{"content":`+strconv.Quote(piece(i))+`},"logprobs":null,"finish_reason":null}]}`+"\n\n"))
	}
	flush := w.(http.Flusher).Flush
	for i := range n {
		w.Write(frames[i%len(frames)])
		flush()
	}
	w.Write([]byte(`data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}` + "\n\ndata: [DONE]\n\n"))
}

// answer asks h for a stream of as many deltas.
func answer(ctx context.Context, h http.Handler, deltas int) error {
	body := strings.Replace(question(true), `"max_tokens":256`, `"max_tokens":`+strconv.Itoa(deltas), 1)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "/v1/chat/completions", strings.NewReader(body))
	if err != nil {
		return err
	}
	w := &sink{header: make(http.Header)}
	h.ServeHTTP(w, req)
	if w.status != http.StatusOK || !w.done {
		return fmt.Errorf("an answer of %d deltas had the status %d and an end: %v", deltas, w.status, w.done)
	}
	return nil
}

// A sink is a response that nobody keeps.
type sink struct {
	header http.Header
	status int
	done   bool
}

func (s *sink) Header() http.Header    { return s.header }
func (s *sink) WriteHeader(status int) { s.status = status }
func (s *sink) Flush()                 {}
func (s *sink) Write(p []byte) (int, error) {
	if s.status == 0 {
		s.status = http.StatusOK
	}
	s.done = s.done || bytes.Contains(p, []byte("[DONE]"))
	return len(p), nil
}
