package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"bendi/internal/programs"
)

// measure starts a server with two workers, and holds the conversations.
func measure(ctx context.Context, o options, balance string) (*sum, error) {
	dir, err := os.MkdirTemp("", "bench-affinity-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	model, err := filepath.Abs(filepath.Join(o.home, o.model))
	if err != nil {
		return nil, err
	}
	file := filepath.Join(dir, "bendi.yaml")
	one := fmt.Sprintf("{path: %q, context: %d, slots: %d, cache: %d, threads: 1}", model, window, o.clients, o.cache)
	config := fmt.Sprintf("data: data\nmodels:\n  a: %s\n  b: %s\nroutes:\n  - path: /v1/chat\n    filter: off\n    models: [{id: chat, tiers: [[a, b]], balance: %s}]\n", one, one, balance)
	if err := os.WriteFile(file, []byte(config), 0o644); err != nil {
		return nil, err
	}
	home, err := filepath.Abs(o.home)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, filepath.Join(home, "bin", "bendi"), "serve", "--config", file, "--listen", "127.0.0.1:0")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "BENDI_HOME="+home, "XDG_RUNTIME_DIR="+dir, "BENDI_LANG=en")
	p, err := programs.Launch(cmd)
	if err != nil {
		return nil, err
	}
	url, err := address(p.Stdout)
	if err != nil {
		return nil, p.Failed(err)
	}
	defer p.Stop()
	return talkAll(ctx, o, url)
}

// address reads the start print up to its end.
func address(out io.Reader) (url string, err error) {
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if at, ok := programs.API(lines.Text()); ok {
			url = at
		}
		if strings.HasPrefix(lines.Text(), "Ready") && url != "" {
			go io.Copy(io.Discard, out)
			return url, nil
		}
	}
	return "", fmt.Errorf("the server ended before it was ready")
}

// talkAll holds the conversations, some at once.
func talkAll(ctx context.Context, o options, url string) (*sum, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	total := new(sum)
	var mu sync.Mutex // guards total
	var wg sync.WaitGroup
	places := make(chan struct{}, o.clients)
	for i := range o.talks {
		places <- struct{}{}
		wg.Go(func() {
			defer func() { <-places }()
			s, err := talk(ctx, o, url, i)
			if err != nil {
				cancel(err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			total.add(s)
		})
	}
	wg.Wait()
	return total, context.Cause(ctx)
}

type message struct {
	Role    string `json:"role"`
	Content string `json:"content"`
}

// talk holds one conversation.
func talk(ctx context.Context, o options, url string, i int) (*sum, error) {
	s := new(sum)
	messages := []message{{"system", text(uint64(i%o.systems), o.words)}}
	for turn := range o.turns {
		if o.think > 0 {
			time.Sleep(rand.N(o.think))
		}
		messages = append(messages, message{"user", text(uint64(1000+i*o.turns+turn), o.said)})
		answer, err := s.ask(ctx, url, messages)
		if err != nil {
			return nil, err
		}
		messages = append(messages, message{"assistant", answer})
	}
	return s, nil
}

// ask asks for a short answer and notes what it cost.
func (s *sum) ask(ctx context.Context, url string, messages []message) (string, error) {
	body, err := json.Marshal(map[string]any{
		"model": "chat", "messages": messages, "max_tokens": 16, "temperature": 0, "stream": true,
		"stream_options": map[string]bool{"include_usage": true},
	})
	if err != nil {
		return "", err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/v1/chat", bytes.NewReader(body))
	if err != nil {
		return "", err
	}
	begin := time.Now()
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(resp.Body)
		return "", fmt.Errorf("status %d: %s", resp.StatusCode, text)
	}
	answer, first := "", time.Duration(0)
	lines := bufio.NewReader(resp.Body)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return "", fmt.Errorf("the answer broke off: %w", err)
		}
		data, ok := bytes.CutPrefix(bytes.TrimSpace(line), []byte("data: "))
		if !ok {
			continue
		}
		if string(data) == "[DONE]" {
			s.first = append(s.first, first)
			return answer, nil
		}
		var piece struct {
			Choices []struct{ Delta struct{ Content string } }
			Usage   *struct {
				Prompt  int `json:"prompt_tokens"`
				Details struct {
					Cached int `json:"cached_tokens"`
				} `json:"prompt_tokens_details"`
			}
		}
		if err := json.Unmarshal(data, &piece); err != nil {
			return "", err
		}
		for _, c := range piece.Choices {
			if answer += c.Delta.Content; answer != "" && first == 0 {
				first = time.Since(begin)
			}
		}
		if u := piece.Usage; u != nil {
			s.prompt += u.Prompt
			s.cached += u.Details.Cached
			if first == 0 {
				first = time.Since(begin)
			}
		}
	}
}

// text is n words that depend on seed.
func text(seed uint64, n int) string {
	r := rand.New(rand.NewPCG(seed, 1))
	words := make([]string, n)
	for i := range words {
		words[i] = fmt.Sprintf("w%d", r.IntN(1000))
	}
	return strings.Join(words, " ")
}
