// Package upstream has what everybody needs who asks a server over HTTP,
// whatever protocol is spoken with it.
package upstream

import (
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// An IdleReader gives up on a reader when a read takes too long. Between reads
// it is the consumer that is slow, and no time passes.
type IdleReader struct {
	r     io.Reader
	limit time.Duration
	timer *time.Timer
}

// NewIdleReader returns a reader of r that calls late when a read takes longer
// than limit. Late has to end the read, as by cancelling its request.
func NewIdleReader(r io.Reader, limit time.Duration, late func()) *IdleReader {
	timer := time.AfterFunc(limit, late)
	timer.Stop()
	return &IdleReader{r, limit, timer}
}

func (i *IdleReader) Read(p []byte) (int, error) {
	i.timer.Reset(i.limit)
	defer i.timer.Stop()
	return i.r.Read(p)
}

// MaxRetryAfter is the longest time that a backend is believed to need.
const MaxRetryAfter = time.Hour

// RetryAfter reads the header of that name (RFC 9110, section 10.2.3): seconds,
// or a date. It is 0 where there is none that makes sense.
func RetryAfter(value string, now time.Time) time.Duration {
	value = strings.TrimSpace(value)
	var d time.Duration
	if n, err := strconv.Atoi(value); err == nil {
		d = time.Duration(min(max(n, 0), int(MaxRetryAfter/time.Second))) * time.Second
	} else if at, err := http.ParseTime(value); err == nil {
		d = at.Sub(now)
	}
	return min(max(d, 0), MaxRetryAfter)
}
