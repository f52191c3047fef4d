package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"
)

// deltas is how many pieces an answer has.
const deltas = 64

// holding, somewhere in a request, has the answer wait after its first pieces
// until the client leaves. A filter may keep the last of them.
const (
	holding = "wait for me"
	heard   = 8
)

// prose is what the upstream says, over and over.
var prose = []rune("今天天气很好，我们一起去公园散步。湖边的柳树已经发芽，孩子们在草地上放风筝。The tea house by the lake opens at nine, and a pot of green tea costs twenty yuan. ")

// piece is the text of a delta: two runes.
func piece(i int) string {
	at := 2 * i % (len(prose) - 1)
	return string(prose[at : at+2])
}

// An upstream answers every request alike, from bytes that were made before:
// with a stream of as many deltas, each sent by itself, or a whole answer.
func upstream() http.Handler {
	chunk := func(choices, usage string) []byte {
		return []byte(`data: {"id":"chatcmpl-b3f1c9","object":"chat.completion.chunk","created":1764000000,"model":"m","system_fingerprint":"fp_44709d","choices":[` +
			choices + `]` + usage + "}\n\n")
	}
	var frames [][]byte
	var text strings.Builder
	for i := range deltas {
		text.WriteString(piece(i))
		frames = append(frames, chunk(`{"index":0,"delta":{"content":`+strconv.Quote(piece(i))+`},"logprobs":null,"finish_reason":null}`, ""))
	}
	const usage = `,"usage":{"prompt_tokens":20,"completion_tokens":64,"total_tokens":84}`
	first := chunk(`{"index":0,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}`, "")
	last := bytes.Join([][]byte{
		chunk(`{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}`, ""), chunk("", usage), []byte("data: [DONE]\n\n"),
	}, nil)
	whole := []byte(`{"id":"chatcmpl-b3f1c9","object":"chat.completion","created":1764000000,"model":"m","system_fingerprint":"fp_44709d","choices":[{"index":0,"message":{"role":"assistant","content":` +
		strconv.Quote(text.String()) + `,"refusal":null},"logprobs":null,"finish_reason":"stop"}]` + usage + "}")
	length := []string{strconv.Itoa(len(whole))}
	asJSON, asEvents := []string{"application/json"}, []string{"text/event-stream"}

	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		h := w.Header()
		if !bytes.Contains(body, []byte(`"stream":true`)) {
			h["Content-Type"], h["Content-Length"] = asJSON, length
			w.Write(whole)
			return
		}
		h["Content-Type"] = asEvents
		flush := w.(http.Flusher).Flush
		waits := bytes.Contains(body, []byte(holding))
		w.Write(first)
		for i, frame := range frames {
			w.Write(frame)
			flush()
			if waits && i == heard {
				<-r.Context().Done()
				return
			}
		}
		w.Write(last)
	})
}

// copying is a Gin handler that copies bytes between its client and the
// upstream and does nothing else: what Gin and net/http cost by themselves.
func copying(base string) http.Handler {
	gin.SetMode(gin.ReleaseMode)
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 256, DisableCompression: true}}
	e := gin.New()
	e.POST("/v1/chat/completions", func(c *gin.Context) {
		req, err := http.NewRequestWithContext(c.Request.Context(), http.MethodPost, base+c.Request.URL.Path, c.Request.Body)
		if err != nil {
			c.AbortWithStatus(http.StatusInternalServerError)
			return
		}
		req.ContentLength = c.Request.ContentLength
		req.Header.Set("Content-Type", "application/json")
		res, err := client.Do(req)
		if err != nil {
			c.AbortWithStatus(http.StatusBadGateway)
			return
		}
		defer res.Body.Close()
		c.Header("Content-Type", res.Header.Get("Content-Type"))
		if n := res.ContentLength; n >= 0 {
			c.Header("Content-Length", strconv.FormatInt(n, 10))
		}
		c.Status(res.StatusCode)
		buf := make([]byte, 32<<10)
		for {
			n, err := res.Body.Read(buf)
			if n > 0 {
				c.Writer.Write(buf[:n])
				if res.ContentLength < 0 {
					c.Writer.Flush()
				}
			}
			if err != nil {
				return
			}
		}
	})
	return e
}

// serve serves h on a free port of the loopback interface, which it prints,
// until its standard input ends.
func serve(h http.Handler) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(l.Addr())
	go func() {
		io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	return http.Serve(l, h)
}
