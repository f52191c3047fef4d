package e2e_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"bendi/models/gguf"
)

// A completion is what the tests read of an answer, a chunk or an error.
type completion struct {
	ID      string `json:"id"`
	Object  string `json:"object"`
	Model   string `json:"model"`
	Choices []struct {
		Message struct {
			Role    string `json:"role"`
			Content string `json:"content"`
		} `json:"message"`
		Delta struct {
			Content string `json:"content"`
		} `json:"delta"`
		Finish string `json:"finish_reason"`
	} `json:"choices"`
	Usage *struct {
		Prompt     int `json:"prompt_tokens"`
		Completion int `json:"completion_tokens"`
		Total      int `json:"total_tokens"`
	} `json:"usage"`
	Error *wireError `json:"error"`
}

// A wireError is an error as clients see it. Param and Code must be there, and
// may be null.
type wireError struct {
	Message string          `json:"message"`
	Type    string          `json:"type"`
	Param   json.RawMessage `json:"param"`
	Code    json.RawMessage `json:"code"`
}

// String is the error for the messages of failures.
func (e *wireError) String() string {
	if e == nil {
		return "none"
	}
	return fmt.Sprintf("{%s, type %s, param %s, code %s}", e.Message, e.Type, e.Param, e.Code)
}

// question is the body of a request with one message.
func question(words string, fields ...string) string {
	content, err := json.Marshal(words)
	if err != nil {
		panic(err) // a string always marshals
	}
	more := ""
	for _, f := range fields {
		more += "," + f
	}
	return fmt.Sprintf(`{"messages":[{"role":"user","content":%s}]%s}`, content, more)
}

// long is the body of a request for an answer that does not end of itself: the
// tokens that would end it are forbidden.
func long(t testing.TB, tokens int) string {
	t.Helper()
	f, err := gguf.Open(demo(t, demoModel))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	types, err := f.Value("tokenizer.ggml.token_type")
	if err != nil {
		t.Fatal(err)
	}
	const control = 3
	forbidden := map[int]int{}
	for id, typ := range types.([]int32) {
		if typ == control {
			forbidden[id] = -100
		}
	}
	bias, err := json.Marshal(forbidden)
	if err != nil {
		t.Fatal(err)
	}
	return question("讲一个很长的故事", `"stream":true`, fmt.Sprintf(`"max_tokens":%d`, tokens), `"logit_bias":`+string(bias))
}

// post sends a body and returns the response.
func (s *server) post(t testing.TB, path, body string) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatalf("POST %s: %v%v", path, err, s)
	}
	return resp
}

// ask sends a body and returns the status and what was answered.
func (s *server) ask(t testing.TB, path, body string) (int, completion) {
	t.Helper()
	resp := s.post(t, path, body)
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("reading the answer: %v%v", err, s)
	}
	var c completion
	if err := json.Unmarshal(data, &c); err != nil {
		t.Fatalf("status %d, and the body is no JSON: %v: %q%v", resp.StatusCode, err, data, s)
	}
	return resp.StatusCode, c
}

// answer sends a body and returns the text of the answer, which must come.
func (s *server) answer(t testing.TB, path, body string) string {
	t.Helper()
	status, c := s.ask(t, path, body)
	if status != http.StatusOK || len(c.Choices) != 1 || c.Choices[0].Message.Content == "" || c.Choices[0].Finish == "" {
		t.Fatalf("%s: status %d, choices %+v, error %v; want an answer%v", path, status, c.Choices, c.Error, s)
	}
	return c.Choices[0].Message.Content
}

// A stream reads an answer as it comes. Its methods need no [testing.T], so
// that many may be read at once.
type stream struct {
	body   io.ReadCloser
	lines  *bufio.Reader
	text   string     // so far
	pieces int        // so far
	finish string     // of the choice
	err    *wireError // the error event
	done   bool       // [DONE] has come
	broken error      // what is not in order
}

// stream asks for an answer and waits for its first piece. The test's end
// closes it.
func (s *server) stream(t testing.TB, path, body string) *stream {
	t.Helper()
	st, err := s.open(t.Context(), path, body)
	if err != nil {
		t.Fatalf("%v%v", err, s)
	}
	t.Cleanup(func() { st.body.Close() })
	for st.text == "" {
		if !st.next() {
			t.Fatalf("the stream ended before its first piece: %v%v", st, s)
		}
	}
	return st
}

// open asks for an answer.
func (s *server) open(ctx context.Context, path, body string) (*stream, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url+path, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	typ := resp.Header.Get("Content-Type")
	if resp.StatusCode != http.StatusOK || !strings.HasPrefix(typ, "text/event-stream") {
		data, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		return nil, fmt.Errorf("status %d, type %q, want a stream: %s", resp.StatusCode, typ, data)
	}
	return &stream{body: resp.Body, lines: bufio.NewReader(resp.Body)}, nil
}

func (st *stream) String() string {
	return fmt.Sprintf("%d pieces, finish %q, error %v, [DONE] %v, %v", st.pieces, st.finish, st.err, st.done, st.broken)
}

// next reads the next event and notes what it says. It reports false at the
// end of the stream, and when something is not in order.
func (st *stream) next() bool {
	for st.broken == nil {
		line, err := st.lines.ReadString('\n')
		if err == io.EOF && line == "" {
			return false
		}
		if err != nil {
			st.broken = fmt.Errorf("the connection broke off: %w", err)
			return false
		}
		data, isData := strings.CutPrefix(strings.TrimRight(line, "\r\n"), "data: ")
		switch {
		case !isData: // a comment, or the empty line behind an event
		case st.done || st.err != nil:
			st.broken = fmt.Errorf("an event after the last: %q", data)
		case data == "[DONE]":
			st.done = true
			return true
		default:
			return st.note(data)
		}
	}
	return false
}

func (st *stream) note(data string) bool {
	var c completion
	if err := json.Unmarshal([]byte(data), &c); err != nil {
		st.broken = fmt.Errorf("an event that is no JSON: %w: %q", err, data)
		return false
	}
	st.err = c.Error
	if len(c.Choices) > 0 {
		st.text += c.Choices[0].Delta.Content
		st.pieces++
		st.finish += c.Choices[0].Finish
	}
	return true
}

// whole reads the rest of a stream, and returns an error unless it ends well.
func (st *stream) whole() error {
	for st.next() {
	}
	if !st.done || st.err != nil || st.finish == "" || st.text == "" || st.broken != nil {
		return fmt.Errorf("the answer is not whole: %v", st)
	}
	return nil
}

// cut reads the rest of a stream, and returns an error unless it ends with an
// error event.
func (st *stream) cut() error {
	for st.next() {
	}
	switch {
	case st.done || st.finish != "" || st.broken != nil:
		return fmt.Errorf("want an error event and no [DONE]: %v", st)
	case st.err == nil:
		return fmt.Errorf("the stream ended without an error event: %v", st)
	}
	return st.err.check()
}

// check returns what an OpenAI client would miss in an error.
func (e *wireError) check() error {
	if e == nil || e.Message == "" || e.Type == "" || e.Param == nil || e.Code == nil {
		return fmt.Errorf("an error needs a message, type, param and code: %v", e)
	}
	return nil
}
