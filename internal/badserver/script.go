package badserver

import (
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"
)

// A Step is a piece of a [Script]. It reports whether the script goes on; when
// it does not, the connection is closed.
type Step func(*Conn) bool

// A Script is what is played for one request, from the first byte of the
// response. When it has been played, the next request is read from the same
// connection: a script whose response ends with its connection ends with [Close]
// or [Reset].
type Script []Step

// A Conn is the connection that a request came by.
type Conn struct {
	net.Conn
	call *Call
}

// Send sends bytes.
func Send(text string) Step {
	return func(c *Conn) bool {
		_, err := c.Write([]byte(text))
		return err == nil
	}
}

// Drip sends bytes in pieces, each in a segment of its own where the network
// does not mend that.
func Drip(size int, text string) Step {
	return func(c *Conn) bool {
		for ; text != ""; time.Sleep(200 * time.Microsecond) {
			n := min(size, len(text))
			if _, err := c.Write([]byte(text[:n])); err != nil {
				return false
			}
			text = text[n:]
		}
		return true
	}
}

// Flood sends the same bytes again and again, n times or, where n is 0, until
// the client has left.
func Flood(n int, text string) Step {
	return func(c *Conn) bool {
		data := []byte(text)
		for i := 0; n == 0 || i < n; i++ {
			if _, err := c.Write(data); err != nil {
				return false
			}
		}
		return true
	}
}

// Every sends bytes each time that long, until the client has left.
func Every(d time.Duration, text string) Step {
	return func(c *Conn) bool {
		for c.wait(d) {
			if _, err := c.Write([]byte(text)); err != nil {
				break
			}
		}
		return false
	}
}

// Pause says nothing for a while.
func Pause(d time.Duration) Step { return func(c *Conn) bool { return c.wait(d) } }

// Stall says nothing until the client has left.
func Stall(c *Conn) bool {
	<-c.call.left
	return false
}

// Close ends the connection in good order.
func Close(*Conn) bool { return false }

// Reset ends the connection as a crash would: what was sent and has not been
// read yet may be lost.
func Reset(c *Conn) bool {
	if tcp, ok := c.Conn.(*net.TCPConn); ok {
		tcp.SetLinger(0)
	}
	return false
}

// wait reports whether the client is still there after that long.
func (c *Conn) wait(d time.Duration) bool {
	select {
	case <-c.call.left:
		return false
	case <-time.After(d):
		return true
	}
}

// Head sends a status line and headers, such as "Retry-After: 7".
func Head(status int, headers ...string) Step {
	text := fmt.Sprintf("HTTP/1.1 %d %s\r\n", status, http.StatusText(status))
	for _, h := range headers {
		text += h + "\r\n"
	}
	return Send(text + "\r\n")
}

// Stream is the head of a stream of events in chunks.
var Stream = Head(200, "Content-Type: text/event-stream", "Transfer-Encoding: chunked")

// Whole is a response with a body whose length is told.
func Whole(status int, body string, headers ...string) Step {
	return Head(status, append(headers, fmt.Sprintf("Content-Length: %d", len(body)))...).then(Send(body))
}

func (s Step) then(next Step) Step { return func(c *Conn) bool { return s(c) && next(c) } }

// Chunk is text as a chunk of a body.
func Chunk(text string) string { return fmt.Sprintf("%x\r\n%s\r\n", len(text), text) }

// LastChunk ends a body of chunks.
const LastChunk = "0\r\n\r\n"

// Event is the data of a server-sent event, framed.
func Event(data string) string { return "data: " + data + "\n\n" }

// Delta is an event with a piece of an answer.
func Delta(text string) string {
	return Event(`{"object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":` + quote(text) + `},"finish_reason":null}]}`)
}

// Finish is the event that ends the choice.
func Finish(reason string) string {
	return Event(`{"object":"chat.completion.chunk","choices":[{"index":0,"delta":{},"finish_reason":` + quote(reason) + `}]}`)
}

// Done is the event that ends the stream.
const Done = "data: [DONE]\n\n"

// Answer is a whole answer, in the pieces given.
func Answer(pieces ...string) Script {
	s := Script{Stream}
	for _, p := range pieces {
		s = append(s, Send(Chunk(Delta(p))))
	}
	return append(s, Send(Chunk(Finish("stop"))+Chunk(Done)+LastChunk))
}

// quote is text as JSON, byte by byte: what is not UTF-8 stays so.
func quote(text string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\r", `\r`, "\t", `\t`).Replace(text) + `"`
}
