package ollama

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

// lines yields the lines of r that are not empty, without their ends. The last
// one need not end. A line of more than limit bytes is an error. A line is
// valid until the next step.
func lines(r io.Reader, limit int) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		br := bufio.NewReaderSize(r, 32<<10)
		var long []byte // what has come of a line that is longer than the buffer
		for {
			piece, err := br.ReadSlice('\n')
			if len(long)+len(piece) > limit {
				yield(nil, chat.Errorf(chat.BadBackend, "Ollama sent a line of more than %d bytes", limit))
				return
			}
			line := piece
			if err == bufio.ErrBufferFull || len(long) > 0 {
				long = append(long, piece...)
				line = long
			}
			if err == bufio.ErrBufferFull {
				continue
			}
			if line = bytes.TrimSpace(line); len(line) > 0 && (err == nil || err == io.EOF) && !yield(line, nil) {
				return
			}
			if err != nil {
				if err != io.EOF {
					yield(nil, err)
				}
				return
			}
			long = long[:0]
		}
	}
}

// newIdleReader returns a reader of r that ends the request when a read takes
// longer than limit.
func newIdleReader(r io.Reader, limit time.Duration, cancel context.CancelCauseFunc) *upstream.IdleReader {
	return upstream.NewIdleReader(r, limit, func() {
		cancel(&chat.Error{Kind: chat.Timeout, Msg: fmt.Sprintf("Ollama sent nothing for %v in the midst of its answer", limit)})
	})
}
