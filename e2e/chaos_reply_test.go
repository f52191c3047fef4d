package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// What nobody may find where it does not belong.
const (
	keyCanary    = "sk-canary-of-the-key"
	promptCanary = "canary-of-the-prompt"
	answerCanary = "canary-of-the-answer"
)

// A reply is all that a client got for a request. It is read to its end and
// judged by [reply.check], which knows no excuse.
type reply struct {
	status int
	header http.Header
	body   string
	broken error // of the connection
	took   time.Duration

	text, finish string
	calls        map[int]string // arguments of tool calls, by index
	usage        *usage
	failure      *wireError
	done         bool
}

type usage struct {
	Prompt     int `json:"prompt_tokens"`
	Completion int `json:"completion_tokens"`
	Total      int `json:"total_tokens"`
}

// A piece is a chunk of a stream, or a whole answer.
type piece struct {
	Choices []struct {
		Index   int     `json:"index"`
		Delta   message `json:"delta"`
		Message message `json:"message"`
		Finish  string  `json:"finish_reason"`
	} `json:"choices"`
	Usage *usage     `json:"usage"`
	Error *wireError `json:"error"`
}

type message struct {
	Content   string `json:"content"`
	ToolCalls []struct {
		Index    int
		Function struct{ Arguments string }
	} `json:"tool_calls"`
}

// chaosBody is a request for a model.
func chaosBody(model string, stream bool) string {
	return question("你好 "+promptCanary, fmt.Sprintf(`"model":%q,"stream":%v`, model, stream))
}

// chaosAsk asks and reads all there is, for a minute at most.
func (s *server) chaosAsk(ctx context.Context, body string) *reply {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	begin := time.Now()
	r := &reply{calls: map[int]string{}}
	defer func() { r.took = time.Since(begin) }()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url+"/v1/chat", strings.NewReader(body))
	if err != nil {
		r.broken = err
		return r
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		r.broken = err
		return r
	}
	defer resp.Body.Close()
	r.status, r.header = resp.StatusCode, resp.Header
	data, err := io.ReadAll(resp.Body)
	r.body, r.broken = string(data), err
	return r
}

// check reads the reply and returns what of the invariants it breaks: there is
// exactly one outcome, that is a whole answer, an error, or the beginning of an
// answer with an error event as its end; it is well formed; it is not a failure
// of the client's own key; and nothing in it is anybody else's.
func (r *reply) check() error {
	if r.broken != nil {
		return fmt.Errorf("the connection broke off after %d bytes: %w", len(r.body), r.broken)
	}
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if r.header.Get("X-Request-Id") == "" {
		bad("no x-request-id")
	}
	if strings.Contains(r.body+fmt.Sprint(r.header), keyCanary) {
		bad("the gateway's key is in it")
	}
	if len(r.header) > 12 || r.header.Get("Set-Cookie") != "" || r.header.Get("X-Evil") != "" {
		bad("headers of the backend's: %v", r.header)
	}
	switch typ := r.header.Get("Content-Type"); {
	case r.status == http.StatusOK && strings.HasPrefix(typ, "text/event-stream"):
		if err := r.readStream(); err != nil {
			errs = append(errs, err)
		}
		if whole := r.done && r.finish != "" && r.failure == nil; whole == (r.failure != nil) || r.done && r.failure != nil {
			bad("no single outcome: finish %q, [DONE] %v, error %v", r.finish, r.done, r.failure)
		}
	case r.status == http.StatusOK:
		var p piece
		if err := json.Unmarshal([]byte(r.body), &p); err != nil {
			bad("the body is no JSON: %w", err)
			break
		}
		r.note(p)
		if r.finish == "" || r.failure != nil || p.Usage == nil {
			bad("the answer is not whole: finish %q, usage %v, error %v", r.finish, p.Usage, r.failure)
		}
	default:
		var p piece
		if err := json.Unmarshal([]byte(r.body), &p); err != nil {
			bad("the error is no JSON: %w", err)
		}
		if r.failure = p.Error; r.status < 400 || r.status == http.StatusUnauthorized || r.status == http.StatusForbidden {
			bad("status %d", r.status)
		}
	}
	if r.failure != nil {
		if err := r.failure.check(); err != nil {
			errs = append(errs, err)
		}
	}
	if u := r.usage; u != nil && (u.Prompt < 0 || u.Completion < 0 || u.Total != u.Prompt+u.Completion) {
		bad("usage %+v", *u)
	}
	return errors.Join(errs...)
}

// readStream reads server-sent events as a strict client does.
func (r *reply) readStream() error {
	if !strings.HasSuffix(r.body, "\n\n") {
		return fmt.Errorf("the stream does not end with an empty line: %q", tail(r.body))
	}
	for block := range strings.SplitSeq(strings.TrimSuffix(r.body, "\n\n"), "\n\n") {
		if strings.HasPrefix(block, ":") && !strings.Contains(block, "\n") {
			continue // a comment
		}
		data, ok := strings.CutPrefix(block, "data: ")
		switch {
		case !ok || strings.ContainsAny(data, "\r\n"):
			return fmt.Errorf("no event: %q", tail(block))
		case r.done || r.failure != nil:
			return fmt.Errorf("an event after the last: %q", tail(data))
		case data == "[DONE]":
			r.done = true
			continue
		}
		var p piece
		if err := json.Unmarshal([]byte(data), &p); err != nil {
			return fmt.Errorf("an event that is no JSON: %w: %q", err, tail(data))
		}
		if r.finish != "" && len(p.Choices) > 0 {
			return fmt.Errorf("a piece behind the finish: %q", tail(data))
		}
		r.note(p)
	}
	return nil
}

func (r *reply) note(p piece) {
	if r.failure = p.Error; p.Usage != nil {
		r.usage = p.Usage
	}
	for _, c := range p.Choices {
		r.text += c.Delta.Content + c.Message.Content
		r.finish += c.Finish
		for i, t := range append(c.Delta.ToolCalls, c.Message.ToolCalls...) {
			r.calls[max(t.Index, i)] += t.Function.Arguments
		}
	}
}

// code is the code of the error; "" where there is none.
func (r *reply) code() string {
	var code string
	if r.failure != nil {
		json.Unmarshal(r.failure.Code, &code)
	}
	return code
}

// String is the reply in a cell of a table.
func (r *reply) String() string {
	var b bytes.Buffer
	switch {
	case r.failure != nil && r.status == http.StatusOK:
		fmt.Fprintf(&b, "%d bytes, then error", len(r.text))
	case r.failure != nil:
		fmt.Fprint(&b, r.status)
	default:
		fmt.Fprintf(&b, "whole, %d bytes", len(r.text))
	}
	if code := r.code(); code != "" {
		fmt.Fprintf(&b, " %s", code)
	}
	return b.String()
}

// tail is the end of a text, for the messages of failures.
func tail(text string) string { return text[max(0, len(text)-200):] }
