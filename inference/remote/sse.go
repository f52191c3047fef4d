package remote

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"iter"
	"time"

	"bendi/chat"
	"bendi/internal/upstream"
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
	return eventsAnd(r, limit, func([]byte) {})
}

// eventsAnd is events with the text of each comment told beside.
func eventsAnd(r io.Reader, limit int, comment func([]byte)) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		br := bufio.NewReaderSize(r, 32<<10)
		var line, data []byte
		first, afterCR := true, false
		for {
			if _, err := br.Peek(1); err == io.EOF {
				return
			} else if err != nil {
				yield(nil, err)
				return
			}
			buf, _ := br.Peek(br.Buffered())
			if afterCR {
				afterCR = false
				if buf[0] == '\n' {
					br.Discard(1)
					continue
				}
			}
			end := bytes.IndexAny(buf, "\r\n")
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
					comment(value)
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

// newIdleReader returns a reader of r that ends the request when a read takes
// longer than limit.
func newIdleReader(r io.Reader, limit time.Duration, cancel context.CancelCauseFunc) *upstream.IdleReader {
	return upstream.NewIdleReader(r, limit, func() {
		cancel(chat.Errorf(chat.Timeout, "the backend sent nothing for %v", limit))
	})
}
