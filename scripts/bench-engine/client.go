package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"sync"
	"time"

	table "bendi/internal/benchtable"
)

// A request is what a client asks for.
type request struct {
	system, user string
	tokens       int            // to generate; the end of the text is ignored
	fields       map[string]any // further fields of the body
	leave        int            // the client leaves after so many tokens; 0: never
	onToken      func(n int)    // called at the n-th token, from 1, while it is read; may be nil
}

// An answer is what a client saw of one.
type answer struct {
	status     int
	retryAfter bool
	began      time.Time
	first      time.Duration   // from began to the first token
	took       time.Duration   // from began to the end
	gaps       []time.Duration // between one piece of text and the next
	prompt     int
	cached     int // of the prompt
	tokens     int // generated
	left       bool
	err        error
}

// complete reports whether the answer came whole.
func (a *answer) complete() bool { return a.err == nil && a.status == http.StatusOK && !a.left }

// refused reports whether the server said when to come back.
func (a *answer) refused() bool {
	return (a.status == http.StatusTooManyRequests || a.status == http.StatusServiceUnavailable) && a.retryAfter
}

// body returns the JSON of r. Both servers read these fields.
func (r *request) body() []byte {
	type message struct {
		Role    string `json:"role"`
		Content string `json:"content"`
	}
	var messages []message
	if r.system != "" {
		messages = append(messages, message{"system", r.system})
	}
	fields := map[string]any{
		"messages": append(messages, message{"user", r.user}), "max_tokens": r.tokens, "ignore_eos": true,
		"temperature": 0, "stream": true, "stream_options": map[string]bool{"include_usage": true},
	}
	maps.Copy(fields, r.fields)
	data, _ := json.Marshal(fields) // strings, numbers and maps always marshal
	return data
}

// ask sends r and reads the answer to its end.
func (s *server) ask(ctx context.Context, r request) (a answer) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	a.began = time.Now()
	defer func() { a.took = time.Since(a.began) }()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.base+"/v1/chat/completions", bytes.NewReader(r.body()))
	if err != nil {
		a.err = err
		return a
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := s.client.Do(req)
	if err != nil {
		a.err = err
		return a
	}
	defer res.Body.Close()
	a.status, a.retryAfter = res.StatusCode, res.Header.Get("Retry-After") != ""
	if a.status != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(res.Body, 500))
		a.err = fmt.Errorf("%s answered %d: %s", s.name, a.status, bytes.TrimSpace(text))
		return a
	}
	a.err = a.read(res.Body, r)
	return a
}

var (
	contentKey = []byte(`"content":"`)
	usageKey   = []byte(`"usage":{`)
	doneLine   = []byte("data: [DONE]")
	errorKey   = []byte(`data: {"error"`)
)

// read takes in a stream. It looks into the JSON no further than it must: the
// client shares the processors with what it measures.
func (a *answer) read(body io.Reader, r request) error {
	lines := bufio.NewReaderSize(body, 16<<10)
	last := time.Time{}
	pieces := 0
	for {
		line, err := lines.ReadSlice('\n')
		if err != nil {
			return fmt.Errorf("the stream ended after %d pieces of text without [DONE]: %w", pieces, err)
		}
		if i := bytes.Index(line, contentKey); i >= 0 && line[i+len(contentKey)] != '"' {
			now := time.Now()
			if pieces++; pieces == 1 {
				a.first = now.Sub(a.began)
			} else {
				a.gaps = append(a.gaps, now.Sub(last))
			}
			last = now
			if r.onToken != nil {
				r.onToken(pieces)
			}
			if pieces == r.leave {
				a.left, a.tokens = true, pieces
				return nil
			}
		}
		switch {
		case bytes.Contains(line, usageKey):
			if err := a.usage(line); err != nil {
				return err
			}
		case bytes.HasPrefix(line, doneLine):
			return nil
		case bytes.HasPrefix(line, errorKey):
			return errors.New(string(bytes.TrimSpace(line)))
		}
	}
}

func (a *answer) usage(line []byte) error {
	var chunk struct {
		Usage struct {
			Prompt     int `json:"prompt_tokens"`
			Completion int `json:"completion_tokens"`
			Details    struct {
				Cached int `json:"cached_tokens"`
			} `json:"prompt_tokens_details"`
		} `json:"usage"`
		Timings struct { // llama-server's
			Cached int `json:"cache_n"`
		} `json:"timings"`
	}
	if err := json.Unmarshal(bytes.TrimPrefix(line, []byte("data: ")), &chunk); err != nil {
		return fmt.Errorf("reading the usage: %w", err)
	}
	a.prompt, a.tokens = chunk.Usage.Prompt, chunk.Usage.Completion
	a.cached = max(chunk.Usage.Details.Cached, chunk.Timings.Cached)
	return nil
}

// A load is what many requests gave.
type load struct {
	answers []answer
	took    time.Duration
	busy    time.Duration // processor time that the server used
}

// together asks all at once.
func (s *server) together(ctx context.Context, requests []request) load {
	return s.inFlight(ctx, len(requests), requests)
}

// inFlight asks n at a time.
func (s *server) inFlight(ctx context.Context, n int, requests []request) load {
	l := load{answers: make([]answer, len(requests))}
	next := make(chan int, len(requests))
	for i := range requests {
		next <- i
	}
	close(next)
	begin, busy := time.Now(), s.busy()
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			for i := range next {
				l.answers[i] = s.ask(ctx, requests[i])
			}
		})
	}
	wg.Wait()
	l.took, l.busy = time.Since(begin), s.busy()-busy
	return l
}

// every asks one after the other at an even pace, whether those before have
// been answered or not. A request that could not be sent in time counts from
// when it was due.
func (s *server) every(ctx context.Context, pause time.Duration, requests []request) load {
	l := load{answers: make([]answer, len(requests))}
	begin := time.Now()
	var wg sync.WaitGroup
	for i, r := range requests {
		due := begin.Add(time.Duration(i) * pause)
		time.Sleep(time.Until(due))
		wg.Go(func() {
			a := s.ask(ctx, r)
			late := a.began.Sub(due)
			a.first, a.took, a.began = a.first+late, a.took+late, due
			l.answers[i] = a
		})
	}
	wg.Wait()
	l.took = time.Since(begin)
	return l
}

// failed returns an error when an answer did not come whole.
func (l load) failed() error {
	for i := range l.answers {
		if a := &l.answers[i]; !a.complete() && !a.left {
			return fmt.Errorf("request %d of %d: %w", i+1, len(l.answers), a.err)
		}
	}
	return nil
}

// perSecond returns how many tokens a second were generated.
func (l load) perSecond() table.Figure { return table.Figure(float64(l.tokens()) / l.took.Seconds()) }

// perToken returns the processor time of a token in milliseconds. Where the
// machine has other things to do as well, it says more than perSecond.
func (l load) perToken() table.Figure {
	return table.Figure(l.busy.Seconds() * 1000 / float64(l.tokens()))
}

func (l load) tokens() int {
	n := 0
	for _, a := range l.answers {
		n += a.tokens
	}
	return n
}

// each returns a time of each answer in milliseconds.
func (l load) each(of func(*answer) time.Duration) []float64 {
	var out []time.Duration
	for i := range l.answers {
		out = append(out, of(&l.answers[i]))
	}
	return table.Milliseconds(out)
}

func firstToken(a *answer) time.Duration { return a.first }
func wholeTime(a *answer) time.Duration  { return a.took }
