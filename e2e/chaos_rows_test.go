package e2e_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	bad "bendi/internal/badserver"
)

// A fate is what becomes of a request.
type fate uint8

const (
	early fate = iota // the backend fails before it has said anything: another one answers, or there is an error
	late              // it fails in the midst of its answer: what has come stays, and an error is its end
	fine              // it is odd, and its answer whole
)

func (f fate) String() string { return [...]string{"early", "late", "fine"}[f] }

// A fault is a row of the catalogue in docs/reliability.md: what a backend does,
// and what a client sees of it. Each is asked for alone and with a backend
// behind it that is sound, as a stream and not.
type fault struct {
	name   string
	play   func(n int) bad.Script // for the n-th request for a model
	url    func(*lab) string      // in place of play: where there is no such server
	config string                 // of the backend, further keys

	want   fate
	status int    // of the error, where nothing has been said
	code   string // of the error
	alone  fate   // where it is asked alone and that differs; see differs
	differ bool
	text   string // of a whole answer; empty: the usual one
	most   int    // requests for a model; 0: one where it says something, three where it does not
	check  func(*testing.T, *reply)

	keeps  bool // connections are kept open, and used again
	leaves bool // the gateway has to close the connection, since the backend does not
}

// pieces are what the backends say.
var (
	pieces = []string{"Jade rivers ", "run to the 海。", answerCanary, " end."}
	spoken = strings.Join(pieces, "")
)

const secondText = "The second backend answers."

func always(steps ...bad.Step) func(int) bad.Script {
	return func(int) bad.Script { return steps }
}

// begun is a stream of which three pieces have come, and then something else.
func begun(steps ...bad.Step) func(int) bad.Script {
	s := bad.Script{bad.Stream}
	for _, p := range pieces[:3] {
		s = append(s, bad.Send(bad.Chunk(bad.Delta(p))))
	}
	return always(append(s, steps...)...)
}

// events is a stream of events, whatever is in them.
func events(text ...string) func(int) bad.Script {
	return always(bad.Stream, bad.Send(bad.Chunk(strings.Join(text, ""))+bad.LastChunk))
}

// first answers the first request for a model otherwise than the next ones.
func first(s bad.Script) func(int) bad.Script {
	return func(n int) bad.Script {
		if n == 1 {
			return s
		}
		return bad.Answer(pieces...)
	}
}

func said() string {
	text := ""
	for _, p := range pieces {
		text += bad.Delta(p)
	}
	return text
}

// refusal is a response with an error in it that repeats what it should not.
func refusal(status int, headers ...string) bad.Step {
	return bad.Whole(status, `{"error":{"message":"no: `+promptCanary+`","type":"x","code":null}}`, append(headers, "Content-Type: application/json")...)
}

const (
	jsonType  = "Content-Type: application/json"
	eventType = "Content-Type: text/event-stream"
)

func gzipped(n int) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	w.Write(make([]byte, n))
	w.Close()
	return b.String()
}

func toolPiece(index, arguments string) string {
	text, _ := json.Marshal(arguments)
	return bad.Event(`{"choices":[{"index":0,"delta":{"tool_calls":[{` + index + `"id":"c","type":"function","function":{"name":"f","arguments":` + string(text) + `}}]}}]}`)
}

func usageOf(usage string) string { return bad.Event(`{"choices":[],"usage":` + usage + `}`) }

// faults is the catalogue. The numbers are those of docs/reliability.md.
func faults() []fault {
	const slow = "first_token_timeout: 1s"
	const silent = "read_timeout: 1s"
	return []fault{
		{name: "01a the stream ends after three pieces", play: begun(bad.Send(bad.LastChunk)), want: late},
		{name: "01b the connection ends after three pieces", play: begun(bad.Close), want: late},
		{name: "01c the stream ends behind the finish, without [DONE]", play: events(said(), bad.Finish("stop")), want: late},
		{name: "01d [DONE] without a finish", play: events(said(), bad.Done), want: late},
		{name: "01e a stream without a word", play: always(bad.Stream, bad.Send(bad.LastChunk)), want: early, status: 502},
		{name: "01f [DONE] alone", play: events(bad.Done), want: early, status: 502},
		{name: "01g the connection ends before the head", play: always(bad.Close), want: early, status: 502},
		{name: "01h the connection ends in the head", play: always(bad.Send("HTTP/1.1 200 OK\r\nContent-Ty"), bad.Close), want: early, status: 502},
		{name: "01i the connection ends behind the head", play: always(bad.Stream, bad.Close), want: early, status: 502},
		{name: "02a a reset after three pieces", play: begun(bad.Pause(time.Second), bad.Reset), want: late},
		{name: "02b a reset before the head", play: always(bad.Reset), want: early, status: 502},
		{name: "03a half an event, then silence", play: begun(bad.Send(bad.Chunk(`data: {"id":`)), bad.Stall), config: silent, want: late, status: 504, leaves: true},
		{name: "03b silence after three pieces", play: begun(bad.Stall), config: silent, want: late, status: 504, leaves: true},
		{name: "03c half an event, then the end", play: begun(bad.Send(bad.Chunk(`data: {"id":`) + bad.LastChunk)), want: late},
		{name: "04a no answer", play: always(bad.Stall), config: slow, want: early, status: 504, code: "backend_timeout", leaves: true},
		{name: "04b a head and no answer", play: always(bad.Stream, bad.Stall), config: slow, want: early, status: 504, code: "backend_timeout", leaves: true},
		{name: "04c comments and no answer", play: always(bad.Stream, bad.Every(50*time.Millisecond, bad.Chunk(": wait\n\n"))), config: slow, want: early, status: 504, code: "backend_timeout", leaves: true},
		{name: "04d empty pieces and no answer", play: always(bad.Stream, bad.Every(5*time.Millisecond, bad.Chunk(bad.Delta("")))), config: slow, want: early, status: 504, code: "backend_timeout", leaves: true},
		{name: "04e a byte a second of a head", play: always(bad.Send("HTTP/1.1 200 OK\r\n"), bad.Every(time.Second, "a")), config: slow, want: early, status: 504, code: "backend_timeout", leaves: true},
		{name: "04f a slow start", play: always(append(bad.Script{bad.Pause(1500 * time.Millisecond)}, bad.Answer(pieces...)...)...), want: fine},
		{name: "05a 500", play: always(refusal(500)), want: early, status: 502, most: 2},
		{name: "05b 502", play: always(refusal(502)), want: early, status: 502},
		{name: "05c 503", play: always(refusal(503)), want: early, status: 503},
		{name: "05d 504", play: always(refusal(504)), want: early, status: 504},
		{name: "05e 500, and then it is well", play: first(bad.Script{refusal(500)}), want: early, alone: fine, differ: true, most: 2},
		{name: "05f 503, and then it is well", play: first(bad.Script{refusal(503)}), want: early, alone: fine, differ: true, most: 2},
		{name: "05g an unknown status", play: always(refusal(599)), want: early, status: 502},
		{name: "08a 429, Retry-After: 1", play: first(bad.Script{refusal(429, "Retry-After: 1")}), want: early, alone: fine, differ: true, most: 2},
		{name: "08b 429, Retry-After of 20 s", play: always(refusal(429, "Retry-After: 20")), want: early, status: 429, most: 1, check: retryAfter(15, 25)},
		{name: "08c 429, Retry-After a date", play: func(int) bad.Script {
			return bad.Script{refusal(429, "Retry-After: "+time.Now().Add(30*time.Second).UTC().Format(http.TimeFormat))}
		}, want: early, status: 429, most: 1, check: retryAfter(15, 40)},
		{name: "08d 429, Retry-After of a billion seconds", play: always(refusal(429, "Retry-After: 1000000000")), want: early, status: 429, most: 1, check: retryAfter(3000, 4500)},
		{name: "08e 429, Retry-After that makes no sense", play: always(refusal(429, "Retry-After: soon")), want: early, status: 429},
		{name: "08f 429, Retry-After: -1", play: always(refusal(429, "Retry-After: -1")), want: early, status: 429},
		{name: "08g 503, Retry-After: 1", play: first(bad.Script{refusal(503, "Retry-After: 1")}), want: early, alone: fine, differ: true, most: 2},
		{name: "08h 503, Retry-After a date", play: func(int) bad.Script {
			return bad.Script{refusal(503, "Retry-After: "+time.Now().Add(30*time.Second).UTC().Format(http.TimeFormat))}
		}, want: early, status: 503, most: 1, check: retryAfter(15, 40)},
		{name: "09a 401", play: always(bad.Whole(401, `{"error":{"message":"wrong key `+keyCanary+`","code":"invalid_api_key"}}`, jsonType, "WWW-Authenticate: Bearer")), want: early, status: 502, code: "backend_auth", most: 1},
		{name: "09b 403", play: always(bad.Whole(403, `{"error":{"message":"wrong key `+keyCanary+`"}}`, jsonType)), want: early, status: 502, code: "backend_auth", most: 1},
		{name: "09c a refused key within the stream", play: events(bad.Event(`{"error":{"message":"wrong key ` + keyCanary + `","type":"authentication_error","code":401}}`)), want: early, status: 502, code: "backend_auth", most: 1},
		{name: "10a 200 and a page", play: always(bad.Whole(200, "<html>welcome</html>", "Content-Type: text/html")), want: early, status: 502},
		{name: "10b 200 and an error", play: always(bad.Whole(200, `{"error":{"message":"no"}}`, jsonType)), want: early, status: 502},
		{name: "10c 200 and JSON that is no answer", play: always(bad.Whole(200, `{"id":"a","object":"chat.completion","choices":[]}`, jsonType)), want: early, status: 502},
		{name: "10d 200 and nothing", play: always(bad.Whole(200, "", eventType)), want: early, status: 502},
		{name: "10e 204", play: always(bad.Head(204)), want: early, status: 502},
		{name: "10f compressed, which nobody asked for", play: always(bad.Whole(200, gzipped(10<<20), eventType, "Content-Encoding: gzip")), want: early, status: 502},
		{name: "10g a bomb in a compressed error", play: always(bad.Whole(500, gzipped(64<<20), jsonType, "Content-Encoding: gzip")), want: early, status: 502, most: 2},
		{name: "10h an error as the first event", play: events(bad.Event(`{"error":{"message":"no","type":"server_error","code":null}}`)), want: early, status: 502, most: 2},
		{name: "10i an error event after three pieces", play: begun(bad.Send(bad.Chunk(bad.Event(`{"error":{"message":"no","type":"server_error","code":null}}`)) + bad.LastChunk)), want: late},
		{name: "10j a finish that is an error", play: begun(bad.Send(bad.Chunk(bad.Finish("error")+bad.Done) + bad.LastChunk)), want: late},
		{name: "10k an endless error", play: always(bad.Head(500, jsonType), bad.Flood(0, strings.Repeat("a", 4096))), want: early, status: 502, most: 2, leaves: true},
		{name: "10o an error whose body does not come", play: always(bad.Head(503, jsonType, "Content-Length: 100", "Retry-After: 20"), bad.Stall), want: early, status: 503, most: 1, check: retryAfter(10, 25), leaves: true},
		{name: "10l no HTTP", play: always(bad.Send("SSH-2.0-OpenSSH_9.2\r\n"), bad.Close), want: early, status: 502},
		{name: "10m a redirect to another host", play: always(bad.Whole(302, "", "Location: http://192.0.2.1/v1/chat/completions")), want: early, status: 502},
		{name: "10n a redirect that keeps the body", play: always(bad.Whole(307, "", "Location: /elsewhere")), want: early, status: 502},
		{name: "11a characters cut at every byte", play: always(bad.Stream, func(c *bad.Conn) bool {
			for _, b := range []byte(bad.Delta("👩‍👩‍👧海🇨🇳é") + bad.Finish("stop") + bad.Done) {
				if _, err := c.Write([]byte(bad.Chunk(string([]byte{b})))); err != nil {
					return false
				}
			}
			return bad.Send(bad.LastChunk)(c)
		}), want: fine, text: "👩‍👩‍👧海🇨🇳é"},
		{name: "11b characters cut between pieces", play: events(bad.Delta("\xe6\xb5"), bad.Delta("\xb7!"), bad.Finish("stop"), bad.Done), want: fine, text: "\uFFFD\uFFFD\uFFFD!"},
		{name: "11c bytes that are no text", play: events(bad.Delta("a\xff\xc0b"), bad.Finish("stop"), bad.Done), want: fine, text: "a\uFFFD\uFFFDb"},
		{name: "12a an event of 4 MiB", play: events(bad.Delta(strings.Repeat("lines of jade ", 300_000)), bad.Finish("stop"), bad.Done), want: fine, text: strings.Repeat("lines of jade ", 300_000)},
		{name: "12b an event without an end", play: always(bad.Stream, bad.Send(bad.Chunk("data: ")), bad.Flood(0, bad.Chunk(strings.Repeat("a", 64<<10)))), want: early, status: 502, leaves: true},
		{name: "12c all kinds of line ends, comments and fields", play: events("\uFEFF: hello\r\rid: 1\revent: x\nretry: 1\n", strings.NewReplacer("data: ", "data:", "\n", "\r").Replace(said()), strings.ReplaceAll(bad.Finish("stop"), "\n", "\r\n"), "data: [DONE]\n\n"), want: fine},
		{name: "12d an event in several lines", play: events("data: {\"choices\":[{\"index\":0,\ndata: \"delta\":{\"content\":\"a\"},\ndata:\"finish_reason\":\"stop\"}]}\n\n", bad.Done), want: fine, text: "a"},
		{name: "12e all in one segment", play: events(said(), bad.Finish("stop"), bad.Done), want: fine},
		{name: "12f JSON that is none", play: begun(bad.Send(bad.Chunk("data: {\"choices\":[{\n\n") + bad.LastChunk)), want: late},
		{name: "12g JSON that is none, at once", play: events("data: nonsense\n\n"), want: early, status: 502},
		{name: "12h JSON that is no chunk", play: events("data: [1,2]\n\n"), want: early, status: 502},
		{name: "12i JSON as deep as the sea", play: events(bad.Event(strings.Repeat(`{"choices":[`, 100_000))), want: early, status: 502},
		{name: "12j more [DONE] than one", play: events(said(), bad.Finish("stop"), bad.Done, bad.Done, bad.Done), want: fine},
		{name: "12k words behind [DONE]", play: events(said(), bad.Finish("stop"), bad.Done, bad.Delta("ghost")), want: fine},
		{name: "12l words behind the finish", play: events(said(), bad.Finish("stop"), bad.Delta("ghost"), bad.Done), want: late},
		{name: "12m two finishes", play: events(said(), bad.Finish("stop"), bad.Finish("length"), bad.Done), want: late},
		{name: "12n a choice that nobody asked for", play: begun(bad.Send(bad.Chunk(bad.Event(`{"choices":[{"index":7,"delta":{"content":"ghost"}}]}`)) + bad.LastChunk)), want: late},
		{name: "12o a choice below the first", play: events(bad.Event(`{"choices":[{"index":-1,"delta":{"content":"ghost"}}]}`)), want: early, status: 502},
		{name: "12p null wherever something may be", play: events(bad.Event(`{"choices":null,"usage":null,"error":null}`), bad.Event(`{"choices":[{"index":0,"delta":null,"logprobs":null,"finish_reason":null}]}`), said(), bad.Finish("stop"), bad.Done), want: fine},
		{name: "12q words that look like the end", play: events(bad.Delta("a\n\ndata: [DONE]\n\nb\r\rc\u2028d: e"), bad.Finish("stop"), bad.Done), want: fine, text: "a\n\ndata: [DONE]\n\nb\r\rc\u2028d: e"},
		{name: "12r names with line ends in them", play: events(bad.Event(`{"id":"a\r\nX-Evil: 1","model":"b\n\ndata: [DONE]","choices":[{"index":0,"delta":{"content":"a"}}]}`), bad.Finish("stop"), bad.Done), want: fine, text: "a"},
		{name: "39a tool calls that alternate", play: events(toolPiece(`"index":0,`, "{"), toolPiece(`"index":1,`, "["), toolPiece(`"index":0,`, "}"), toolPiece(`"index":1,`, "]"), bad.Finish("tool_calls"), bad.Done), want: fine, text: "-", check: hasCalls("{}", "[]")},
		{name: "39b a tool call without an index", play: events(toolPiece("", "{"), toolPiece("", "}"), bad.Finish("tool_calls"), bad.Done), want: fine, text: "-", check: hasCalls("{}")},
		{name: "39c a tool call far away", play: events(toolPiece(`"index":1000000000,`, "{}"), bad.Finish("tool_calls"), bad.Done), want: early, status: 502},
		{name: "40a usage below zero", play: events(said(), bad.Finish("stop"), usageOf(`{"prompt_tokens":-5,"completion_tokens":-1,"total_tokens":-6}`), bad.Done), want: fine},
		{name: "40b usage beyond all numbers", play: events(said(), bad.Finish("stop"), usageOf(`{"prompt_tokens":9223372036854775808,"completion_tokens":1e300,"total_tokens":1}`), bad.Done), want: fine},
		{name: "40e usage whose sum is beyond all numbers", play: events(said(), bad.Finish("stop"), usageOf(`{"prompt_tokens":9223372036854775807,"completion_tokens":9223372036854775807}`), bad.Done), want: fine},
		{name: "40c usage that is none", play: events(said(), bad.Finish("stop"), usageOf(`{"prompt_tokens":"many","completion_tokens":1.5,"prompt_tokens_details":null}`), bad.Done), want: fine},
		{name: "40d usage in the midst", play: events(usageOf(`{"prompt_tokens":1,"completion_tokens":0}`), said(), bad.Finish("stop"), bad.Done), want: fine},
		{name: "41a headers without an end", play: always(bad.Send("HTTP/1.1 200 OK\r\n"), bad.Flood(0, "X-Evil: "+strings.Repeat("a", 1000)+"\r\n")), want: early, status: 502, leaves: true},
		{name: "41b a header without an end", play: always(bad.Send("HTTP/1.1 200 OK\r\nX-Evil: "), bad.Flood(0, strings.Repeat("a", 1000))), want: early, status: 502, leaves: true},
		{name: "41c interim responses without an end", play: always(bad.Flood(0, "HTTP/1.1 103 Early Hints\r\nX-Evil: 1\r\n\r\n")), want: early, status: 502, leaves: true},
		{name: "41d a header with a line end in it", play: always(append(bad.Script{bad.Head(200, "X-Evil: a\r\nSet-Cookie: b=c", eventType, "Connection: close"), bad.Send(said() + bad.Finish("stop") + bad.Done)}, bad.Close)...), want: fine},
		{name: "41e a header that is none", play: always(bad.Send("HTTP/1.1 200 OK\r\nX Evil\r\n\r\n"), bad.Close), want: early, status: 502},
		{name: "41f a status that is none", play: always(bad.Send("HTTP/1.1 banana\r\n\r\n"), bad.Close), want: early, status: 502},
		{name: "41g an upgrade that nobody asked for", play: always(bad.Head(101, "Connection: Upgrade", "Upgrade: websocket"), bad.Stall), want: early, status: 502, leaves: true},
		{name: "42a a chunk whose size is none", play: begun(bad.Send("zz\r\n"), bad.Stall), want: late, leaves: true},
		{name: "42b a chunk that is cut short", play: begun(bad.Send("ffff\r\ndata: {"), bad.Close), want: late},
		{name: "42c a chunk of more than there can be", play: begun(bad.Send("ffffffffffffffffff\r\n"), bad.Stall), want: late, leaves: true},
		{name: "42d a broken trailer behind a whole answer", play: always(bad.Stream, bad.Send(bad.Chunk(said()+bad.Finish("stop")+bad.Done)+"0\r\nX Evil\r\n\r\n"), bad.Close), want: fine},
		{name: "42e a trailer without an end behind a whole answer", play: always(bad.Stream, bad.Send(bad.Chunk(said()+bad.Finish("stop")+bad.Done)+"0\r\n"), bad.Flood(0, "X-Evil: "+strings.Repeat("a", 1000)+"\r\n")), want: fine, leaves: true},
		{name: "42f a body shorter than told", play: always(bad.Head(200, eventType, "Content-Length: 100000"), bad.Send(said()), bad.Close), want: late},
		{name: "42g a body longer than told", play: always(bad.Whole(200, said()+bad.Finish("stop")+bad.Done, eventType), bad.Send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nghost")), want: fine, keeps: true},
		{name: "42h two lengths", play: always(bad.Head(200, eventType, "Content-Length: 5", "Content-Length: 500"), bad.Send(said()), bad.Close), want: early, status: 502},
		{name: "42i chunks and a length", play: always(bad.Head(200, eventType, "Transfer-Encoding: chunked", "Content-Length: 5"), bad.Send(bad.Chunk(said()+bad.Finish("stop")+bad.Done)+bad.LastChunk)), want: fine},
		{name: "42j an answer that goes on when it is over", play: always(bad.Stream, bad.Send(bad.Chunk(said()+bad.Finish("stop")+bad.Done)), bad.Flood(0, bad.Chunk(bad.Delta("ghost")))), want: fine, leaves: true},
		{name: "42k an answer whose connection stays open", play: always(bad.Stream, bad.Send(bad.Chunk(said()+bad.Finish("stop")+bad.Done)), bad.Stall), want: fine, leaves: true},
		{name: "42l words that nobody asked for, on an idle connection", play: always(append(bad.Answer(pieces...), bad.Pause(300*time.Millisecond), bad.Send("HTTP/1.1 200 OK\r\nX-Evil: "+answerCanary+"\r\n\r\n"))...), want: fine, keeps: true},
		{name: "17a nobody listens", url: (*lab).closedPort, want: early, status: 503},
		{name: "17b a host that swallows everything", url: (*lab).blackHole, config: "connect_timeout: 1s", want: early, status: 503},
		{name: "16a a name that nobody has", url: func(*lab) string { return "http://nobody.invalid/v1" }, config: "connect_timeout: 2s", want: early, status: 503},
		{name: "17c a socket that nobody has", url: func(l *lab) string { return "unix:" + l.dir + "/nothing.sock" }, want: early, status: 503},
		{name: "17d a socket of somebody dead", url: (*lab).deadSocket, want: early, status: 503},
		{name: "18a a certificate of a stranger", url: (*lab).strangersTLS, want: early, status: 503},
		{name: "18b a certificate that has expired", url: (*lab).expiredTLS, config: "ca_file: CA", want: early, status: 503},
		{name: "18c a certificate of another name", url: (*lab).otherTLS, config: "ca_file: CA", want: early, status: 503},
		{name: "18d a TLS of long ago", url: (*lab).oldTLS, config: "ca_file: CA", want: early, status: 503},
		{name: "18e no TLS where there should be", url: (*lab).noTLS, want: early, status: 503},
		{name: "18f TLS as it should be", url: (*lab).soundTLS, config: "ca_file: CA", want: fine},
		{name: "18g TLS where nobody speaks it", url: func(l *lab) string { return strings.Replace(l.soundTLS(), "https", "http", 1) }, want: early, status: 502},
		{name: "18h a handshake that does not end", url: (*lab).slowTLS, config: "connect_timeout: 1s", want: early, status: 503},
	}
}

// retryAfter checks that clients are told when to come again.
func retryAfter(least, most int) func(*testing.T, *reply) {
	return func(t *testing.T, r *reply) {
		var n int
		if _, err := fmt.Sscan(r.header.Get("Retry-After"), &n); r.failure != nil && (err != nil || n < least || n > most) {
			t.Errorf("Retry-After is %q, want %d to %d", r.header.Get("Retry-After"), least, most)
		}
	}
}

func hasCalls(want ...string) func(*testing.T, *reply) {
	return func(t *testing.T, r *reply) {
		for i, args := range want {
			if r.calls[i] != args || len(r.calls) != len(want) {
				t.Errorf("tool calls %v, want %v", r.calls, want)
			}
		}
	}
}
