package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// A load is what the clients ask, and what came of it.
type load struct {
	server  *server
	clients int
	began   time.Time
	seed    uint64
	short   bool

	asked, answered, left, gone, failed, tokens, swaps atomic.Int64

	mu    sync.Mutex
	fault string // of the first failure
	kinds map[string]int
}

func newLoad(s *server, o options) *load {
	return &load{server: s, clients: o.clients, seed: o.seed, short: o.short, began: time.Now(), kinds: make(map[string]int)}
}

// play asks n requests, or for so long where that is above 0. When it returns,
// every client has its answer or has left.
func (l *load) play(ctx context.Context, n int, lasts time.Duration) {
	if lasts > 0 {
		n = math.MaxInt
	}
	end := time.Now().Add(lasts)
	var next atomic.Int64
	var clients, swapper sync.WaitGroup
	for range l.clients {
		seed := l.seed
		l.seed++
		clients.Go(func() {
			random := rand.New(rand.NewPCG(seed, 0))
			for int(next.Add(1)) <= n && ctx.Err() == nil && (lasts == 0 || time.Now().Before(end)) {
				l.ask(ctx, random)
			}
		})
	}
	swapping, stopSwapping := context.WithCancel(ctx)
	if !l.short {
		swapper.Go(func() { l.swap(swapping) })
	}
	clients.Wait()
	stopSwapping()
	swapper.Wait()
}

// swap loads and unloads an adapter all the time.
func (l *load) swap(ctx context.Context) {
	for ctx.Err() == nil {
		for _, path := range []string{"load", "unload"} {
			body, _ := json.Marshal(map[string]string{"id": "demo:hot", "path": l.server.adapter})
			status, text, err := l.post(context.WithoutCancel(ctx), "/admin/adapters/"+path, body)
			if err != nil || status != http.StatusOK {
				l.fail("adapters "+path, "status %d, %v: %.200s", status, err, text)
			}
			select {
			case <-ctx.Done():
			case <-time.After(500 * time.Millisecond):
			}
		}
		l.swaps.Add(1)
	}
}

// post sends a body and reads the whole answer.
func (l *load) post(ctx context.Context, path string, body []byte) (status int, text []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	res, err := l.send(ctx, path, body)
	if err != nil {
		return 0, nil, err
	}
	defer res.Body.Close()
	text, err = io.ReadAll(res.Body)
	return res.StatusCode, text, err
}

func (l *load) send(ctx context.Context, path string, body []byte) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, l.server.url+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	return l.server.client.Do(req)
}

func (l *load) fail(kind, format string, args ...any) {
	l.failed.Add(1)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fault == "" {
		l.fault = kind + ": " + fmt.Sprintf(format, args...)
	}
}

func (l *load) first() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.fault
}

var questions = []string{"你好", "怎么退货?", "写一句欢迎语", "发票什么时候开?", "你是谁?", "hello", "1+1=?"}

// ask makes one request of a random kind and checks its answer.
func (l *load) ask(ctx context.Context, random *rand.Rand) {
	if random.IntN(20) == 0 {
		l.embed(ctx, random)
		return
	}
	path, kind := "/v1/chat", "plain"
	n := 1
	messages := []map[string]string{{"role": "user", "content": fmt.Sprintf("%s %d", questions[random.IntN(len(questions))], random.IntN(1000))}}
	if random.IntN(3) == 0 { // a beginning that is worth keeping
		rule := fmt.Sprintf("第 %d 条：你是本地小铺的客服，请用一句话回答，不要多说。", random.IntN(5))
		messages = append([]map[string]string{{"role": "system", "content": strings.Repeat(rule, 6)}}, messages...)
	}
	body := map[string]any{"messages": messages, "max_tokens": 1 + random.IntN(12)}
	if l.short {
		body["max_tokens"] = 1 + random.IntN(4)
	}
	mayMiss := false // the model may be gone
	switch adapter := random.IntN(10); {
	case l.short:
	case adapter < 3:
		path = "/v1/chat/pro"
	case adapter == 3:
		body["model"], mayMiss = "demo:hot", true
	}
	switch random.IntN(8) {
	case 0:
		kind, n = "choices", 2+random.IntN(3)
		body["n"] = n
	case 1:
		kind = "stop"
		body["stop"] = []string{"。", "!", "的"}
		body["ignore_eos"] = true
	case 2:
		kind = "schema"
		body["response_format"] = json.RawMessage(`{"type":"json_schema","json_schema":{"name":"a","schema":{"type":"object","properties":{"ok":{"type":"boolean"}},"required":["ok"],"additionalProperties":false}}}`)
		body["max_tokens"] = 32
	case 3:
		kind = "logprobs"
		body["logprobs"], body["top_logprobs"] = true, 3
	}
	stream := random.IntN(3) > 0
	ctx, leave := context.WithTimeout(ctx, 2*time.Minute)
	defer leave()
	leaves := random.IntN(10) == 0
	if leaves {
		kind = "leaving"
		body["max_tokens"] = 400
		body["ignore_eos"] = true
		after := time.Duration(random.IntN(60)) * time.Millisecond
		stop := time.AfterFunc(after, leave)
		defer stop.Stop()
	}
	if stream {
		body["stream"] = true
		body["stream_options"] = map[string]bool{"include_usage": true}
	}
	text, _ := json.Marshal(body)
	l.asked.Add(1)
	l.mu.Lock()
	l.kinds[kind]++
	l.mu.Unlock()
	res, err := l.send(ctx, path, text)
	if err == nil {
		defer res.Body.Close()
		switch {
		case mayMiss && res.StatusCode == http.StatusNotFound:
			io.Copy(io.Discard, res.Body)
			l.gone.Add(1)
			return
		case res.StatusCode != http.StatusOK:
			answer, _ := io.ReadAll(io.LimitReader(res.Body, 1<<10))
			err = fmt.Errorf("status %d: %s", res.StatusCode, answer)
		case stream:
			err = l.readStream(res.Body, n)
		default:
			err = l.readWhole(res.Body, n, kind)
		}
	}
	switch {
	case leaves && ctx.Err() != nil:
		l.left.Add(1)
	case err != nil:
		l.fail(kind, "%v", err)
	default:
		l.answered.Add(1)
	}
}

// readStream reads a stream to its end, which has to be the right one.
func (l *load) readStream(r io.Reader, n int) error {
	finished, usage, done := 0, false, false
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		data, ok := strings.CutPrefix(lines.Text(), "data: ")
		switch {
		case !ok:
			continue
		case data == "[DONE]":
			done = true
			continue
		}
		var chunk struct {
			Choices []struct {
				Finish *string `json:"finish_reason"`
			} `json:"choices"`
			Usage *struct {
				Tokens int64 `json:"completion_tokens"`
			} `json:"usage"`
			Error json.RawMessage `json:"error"`
		}
		if err := json.Unmarshal([]byte(data), &chunk); err != nil || chunk.Error != nil {
			return fmt.Errorf("in the stream: %.200s", data)
		}
		for _, c := range chunk.Choices {
			if c.Finish != nil {
				finished++
			}
		}
		if chunk.Usage != nil {
			usage = true
			l.tokens.Add(chunk.Usage.Tokens)
		}
	}
	switch {
	case lines.Err() != nil:
		return lines.Err()
	case finished != n || !usage || !done:
		return fmt.Errorf("%d of %d choices finished, usage %v, [DONE] %v", finished, n, usage, done)
	}
	return nil
}

// readWhole reads an answer of one piece.
func (l *load) readWhole(r io.Reader, n int, kind string) error {
	var answer struct {
		Choices []struct {
			Message struct {
				Content string `json:"content"`
			} `json:"message"`
			Finish string `json:"finish_reason"`
		} `json:"choices"`
		Usage struct {
			Tokens int64 `json:"completion_tokens"`
		} `json:"usage"`
	}
	if err := json.NewDecoder(r).Decode(&answer); err != nil {
		return err
	}
	l.tokens.Add(answer.Usage.Tokens)
	if len(answer.Choices) != n {
		return fmt.Errorf("%d choices, want %d", len(answer.Choices), n)
	}
	for _, c := range answer.Choices {
		if kind == "schema" && c.Finish == "stop" && !json.Valid([]byte(c.Message.Content)) {
			return errors.New("the answer is not of its schema")
		}
		if kind == "stop" && strings.ContainsAny(c.Message.Content, "。!的") {
			return errors.New("the answer holds its stop string")
		}
	}
	return nil
}

// embed asks for vectors.
func (l *load) embed(ctx context.Context, random *rand.Rand) {
	l.asked.Add(1)
	l.mu.Lock()
	l.kinds["embeddings"]++
	l.mu.Unlock()
	var inputs []string
	for range 1 + random.IntN(4) {
		inputs = append(inputs, questions[random.IntN(len(questions))])
	}
	text, _ := json.Marshal(map[string]any{"input": inputs, "encoding_format": "base64"})
	status, answer, err := l.post(ctx, "/v1/embeddings", text)
	switch {
	case ctx.Err() != nil:
	case err != nil || status != http.StatusOK:
		l.fail("embeddings", "status %d, %v: %.200s", status, err, answer)
	default:
		l.answered.Add(1)
	}
}

// print says what was asked and what came of it.
func (l *load) print(w io.Writer) {
	took := time.Since(l.began)
	fmt.Fprintf(w, "%d requests in %v (%.0f/s): %d answered, %d left, %d asked for an adapter that was gone, %d failed; %d tokens; the adapter came and went %d times\n",
		l.asked.Load(), took.Round(time.Second), float64(l.asked.Load())/took.Seconds(),
		l.answered.Load(), l.left.Load(), l.gone.Load(), l.failed.Load(), l.tokens.Load(), l.swaps.Load())
	l.mu.Lock()
	defer l.mu.Unlock()
	fmt.Fprintf(w, "of these, by kind: %v\n", l.kinds)
}
