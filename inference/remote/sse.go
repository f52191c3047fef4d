package remote

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"iter"
	"sync"
	"time"

	"bendi/chat"
	"bendi/internal/upstream"
	"bendi/openaicompat/wire"
)

// events yields the data of each server-sent event in r, as the WHATWG rules
// have it: lines end with LF, CR or CRLF, the data lines of an event are
// joined with LF, other fields and comments are skipped, an event without data
// is none, nor is one that no empty line ends. An event of more than limit
// bytes is an error. The data is valid until the next step.
//
// It is ours because github.com/tmaxmax/go-sse looks through the whole event
// again after each read: an event of 4 MiB that comes in packets of 1400 bytes
// costs it five seconds, and a hostile server could send 16 MiB. In the tests
// it is the oracle.
func events(r io.Reader, limit int) iter.Seq2[[]byte, error] {
	return eventsAnd(r, limit, listener{comment: func([]byte) {}, burst: func(bool) {}})
}

// A listener is told what there is in a stream beside its events.
type listener struct {
	comment func(text []byte)
	burst   func(more bool) // whether something has come that is not read yet
	dry     bool            // the reader tells when nothing has
}

// listenerOf returns one that tells whoever asks.
func listenerOf(req *chat.Request) listener {
	l := listener{
		comment: func(text []byte) {
			if position, length, ok := wire.ParseQueue(text); ok && req.Waiting != nil {
				req.Waiting(position, length)
			}
		},
		burst: req.Burst,
	}
	if l.burst == nil {
		l.burst = func(bool) {}
	}
	return l
}

// readers are for streams; most are read in pieces that are much smaller.
var readers = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, readSize) }}

const readSize = 4 << 10

// eventsAnd is events with a listener.
func eventsAnd(r io.Reader, limit int, l listener) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		br := readers.Get().(*bufio.Reader)
		br.Reset(r)
		defer func() {
			br.Reset(nil)
			readers.Put(br)
			l.burst(false)
		}()
		var line, data []byte
		first, afterCR := true, false
		for {
			waits := br.Buffered() == 0
			if waits && !l.dry {
				l.burst(false)
			}
			if _, err := br.Peek(1); err == io.EOF {
				return
			} else if err != nil {
				yield(nil, err)
				return
			}
			if waits {
				l.burst(true)
			}
			buf, _ := br.Peek(br.Buffered())
			if afterCR {
				afterCR = false
				if buf[0] == '\n' {
					br.Discard(1)
					continue
				}
			}
			if plain, size := plainEvent(buf, limit); size > 0 && !first && len(line) == 0 && len(data) == 0 {
				br.Discard(size)
				if !yield(plain, nil) {
					return
				}
				continue
			}
			end := bytes.IndexByte(buf, '\n')
			if cr := bytes.IndexByte(buf[:max(end, 0)], '\r'); cr >= 0 {
				end = cr
			} else if end < 0 {
				end = bytes.IndexByte(buf, '\r')
			}
			if end < 0 {
				line = append(line, buf...)
				br.Discard(len(buf))
			} else {
				line = append(line, buf[:end]...)
				afterCR = buf[end] == '\r'
				br.Discard(end + 1)
			}
			if len(line)+len(data) > limit {
				yield(nil, fmt.Errorf("an event of more than %d bytes", limit))
				return
			}
			if end < 0 {
				continue
			}
			if first {
				first = false
				line = bytes.TrimPrefix(line, []byte("\uFEFF"))
			}
			if len(line) > 0 {
				switch field, value, _ := bytes.Cut(line, []byte(":")); string(field) {
				case "data":
					data = append(data, bytes.TrimPrefix(value, []byte(" "))...)
					data = append(data, '\n')
				case "":
					l.comment(value)
				}
			} else {
				if len(data) > 1 && !yield(data[:len(data)-1], nil) {
					return
				}
				data = data[:0]
			}
			line = line[:0]
		}
	}
}

// plainEvent returns the data of the event that b begins with, and the size of
// that, if it is of one line and its end is there, as most are. The size is 0
// where b begins otherwise.
func plainEvent(b []byte, limit int) (data []byte, size int) {
	if !bytes.HasPrefix(b, []byte("data: ")) {
		return nil, 0
	}
	end := bytes.IndexByte(b, '\n')
	if end <= len("data: ") || end > limit || end+1 == len(b) || b[end+1] != '\n' || bytes.IndexByte(b[:end], '\r') >= 0 {
		return nil, 0
	}
	return b[len("data: "):end], end + 2
}

// newIdleReader returns a reader of r that ends the request when a read takes
// longer than limit.
func newIdleReader(r io.Reader, limit time.Duration, cancel context.CancelCauseFunc) *upstream.IdleReader {
	return upstream.NewIdleReader(r, limit, func() {
		cancel(chat.Errorf(chat.Timeout, "the backend sent nothing for %v", limit))
	})
}
