package ollama

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
	"unicode"

	"bendi/chat"
)

const (
	maxSaid  = 300             // bytes of what the server says that are passed on
	busyWait = 2 * time.Second // until a full queue is tried again
)

// message returns the error in a body or a line, "" if there is none. It is a
// text or, where another server speaks through Ollama, an object.
func message(body []byte) string {
	var answer struct {
		Error json.RawMessage `json:"error"`
	}
	if json.Unmarshal(body, &answer) != nil || len(answer.Error) == 0 || string(answer.Error) == "null" {
		return ""
	}
	var text string
	if json.Unmarshal(answer.Error, &text) == nil {
		return text
	}
	return string(answer.Error)
}

// inBand returns the error that a line of a stream is. Newer servers say there
// which status it would have had.
func inBand(line []byte, model string) error {
	text := message(line)
	if text == "" {
		return nil
	}
	var more struct {
		Status int `json:"status"`
	}
	json.Unmarshal(line, &more)
	if more.Status < 400 {
		more.Status = http.StatusInternalServerError
	}
	return refusal(more.Status, text, model)
}

// refusal returns the error of what Ollama said no to. Its errors are texts
// without codes, so the one that a client must tell apart is known by its
// words; see overflow.
func refusal(status int, said, model string) error {
	if e := overflow(said); e != nil && (status == http.StatusBadRequest || status == http.StatusInternalServerError) {
		return e
	}
	text := cut(said, maxSaid)
	if text == "" {
		text = "nothing more"
	}
	switch {
	case strings.HasPrefix(said, "pull model manifest") && strings.Contains(said, "file does not exist"):
		return &chat.Error{Kind: chat.NotFound, Code: chat.CodeModelNotFound, Param: "model", Msg: fmt.Sprintf("the registry has no model %s", cut(model, 100))}
	case status == http.StatusNotFound && model != "":
		return notInstalled(model)
	case status == http.StatusServiceUnavailable, status == http.StatusTooManyRequests:
		return &quoting{&chat.Error{Kind: chat.Unavailable, RetryAfter: busyWait, Msg: fmt.Sprintf("Ollama is busy (status %d: %s); try again in a moment", status, text)}}
	case status == http.StatusUnauthorized, status == http.StatusForbidden, status == http.StatusProxyAuthRequired:
		return &chat.Error{
			Kind: chat.BadBackend, Code: codeOf[status], // servers repeat pieces of the key in what they say
			Msg: fmt.Sprintf("Ollama refused the gateway with status %d; the operator has to set the backend's key, or have Ollama allow its host with OLLAMA_HOST", status),
		}
	case status == http.StatusGatewayTimeout, status == http.StatusRequestTimeout:
		return &quoting{chat.Errorf(chat.Timeout, "Ollama took too long (status %d: %s)", status, text)}
	case status == http.StatusRequestEntityTooLarge:
		return chat.Errorf(chat.TooLarge, "the request is too large for what stands before Ollama (status 413); the operator can raise its limit")
	case status == http.StatusBadRequest:
		return &quoting{chat.Errorf(chat.Invalid, "Ollama refused the request: %s", text)}
	case status == http.StatusBadGateway:
		return chat.Errorf(chat.Unavailable, "what stands before Ollama cannot reach it (status 502)")
	}
	return &quoting{chat.Errorf(chat.BadBackend, "Ollama failed (status %d: %s); its log has more", status, text)}
}

// A quoting error has words of the server's in it, which may repeat those of a
// user. The client is told them, and whoever prints the error is not.
type quoting struct{ e *chat.Error }

func (q *quoting) Unwrap() error { return q.e }

func (q *quoting) Error() string {
	return fmt.Sprintf("Ollama failed with an error of the kind %q, in words that the client was told", q.e.Kind)
}

// codeOf has the code of a key that is not taken; package router knows it.
var codeOf = map[int]string{http.StatusUnauthorized: "backend_auth"}

func notInstalled(model string) *chat.Error {
	return &chat.Error{
		Kind: chat.NotFound, Code: chat.CodeModelNotFound, Param: "model",
		Msg: fmt.Sprintf("Ollama has no model %s; `ollama pull %[1]s` gets it", cut(model, 100)),
	}
}

// overflow returns the error of a prompt that was too long for the window,
// where that is what Ollama said. Since 0.30 it passes on an error of
// llama-server's with both numbers in it.
func overflow(said string) *chat.Error {
	var inner struct {
		Error struct {
			Type   string `json:"type"`
			Prompt int    `json:"n_prompt_tokens"`
			Window int    `json:"n_ctx"`
		} `json:"error"`
	}
	switch {
	case json.Unmarshal([]byte(said), &inner) == nil && inner.Error.Type == "exceed_context_size_error":
		return tooLong(fmt.Sprintf("the messages have %d tokens", inner.Error.Prompt), inner.Error.Window)
	case strings.Contains(said, "input length exceeds"), // 0.12.6 to 0.29, and embeddings
		strings.Contains(said, "prompt is longer than the context length"):
		return tooLong("the messages have more tokens", 0)
	}
	return nil
}

// tooLong returns the error of a prompt that does not fit a window of so many
// tokens; 0: the server did not say.
func tooLong(what string, window int) *chat.Error {
	fits := "than the window holds"
	if window > 0 {
		fits = fmt.Sprintf("and the window holds %d with the answer", window)
	}
	return &chat.Error{
		Kind: chat.Invalid, Code: chat.CodeContextLength, Param: "messages",
		Msg: fmt.Sprintf("%s %s; shorten them, or have the operator raise 'context' for this model", what, fits),
	}
}

// stranger is the error of an answer that is not Ollama's. Nothing of it is
// shown: it may be any page.
func stranger(status int, media string) *chat.Error {
	kind := chat.BadBackend
	switch status {
	case http.StatusServiceUnavailable, http.StatusBadGateway:
		kind = chat.Unavailable
	case http.StatusGatewayTimeout:
		kind = chat.Timeout
	}
	if media == "" {
		media = "none"
	}
	return chat.Errorf(kind, "what answered is not Ollama: status %d with the content type %q; see whether the backend's url is right, or a proxy stands before it", status, cut(media, 64))
}

// brokenOff is the error of an answer that ended before it was whole.
func brokenOff(err error) error {
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return &chat.Error{Kind: chat.BadBackend, Msg: "Ollama broke off before its answer was whole", Err: err}
}

// shapeOf returns an error of encoding/json's without what it quotes.
func shapeOf(err error) error {
	if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return fmt.Errorf("a JSON %s where %s was expected, at byte %d", strings.SplitN(e.Value, " ", 2)[0], e.Type, e.Offset)
	}
	if e, ok := errors.AsType[*json.SyntaxError](err); ok {
		return fmt.Errorf("no JSON from byte %d on", e.Offset)
	}
	return fmt.Errorf("a fault in JSON of the type %T", err)
}

// cut returns s on one line and of at most n bytes.
func cut(s string, n int) string {
	s = strings.ToValidUTF8(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, s), "\uFFFD")
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "") + "…"
}
