package openaicompat

import (
	"cmp"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gin-gonic/gin"

	"bendi/openaicompat/wire"
)

// A stream is the body of a streamed answer. It begins with the first frame,
// or with the first comment, whichever comes first; until then the response
// may still become something else.
type stream struct {
	server *server
	c      *gin.Context
	ping   string // what is said where there is no news

	mu      sync.Mutex // guards the response and what follows: the timer writes as well
	quiet   *time.Timer
	news    time.Time // when the latest was written, which puts the next comment off
	limited time.Time // when the limit of a write was set
	held    *[]byte   // frames of a burst, which go out together; nil: none
	burst   bool
	err     error        // of the first write that failed, or that the stream is closed
	place   atomic.Value // string: the comment that tells the place in a queue; set without mu, so that none is lost to a comment being written
}

// open returns a stream that says nothing until it has to.
func (s *server) open(c *gin.Context, ping string) *stream {
	st := &stream{server: s, c: c, ping: ping, news: time.Now()}
	st.quiet = time.AfterFunc(math.MaxInt64, st.comment) // not before st is whole
	st.quiet.Reset(s.KeepAlive)
	return st
}

// comment is called when there was no news for a while.
func (st *stream) comment() {
	if !st.mu.TryLock() {
		// There is some now. Waiting until a slow client has taken it in
		// would keep a goroutine for a comment that nobody needs.
		st.quiet.Reset(st.server.KeepAlive)
		return
	}
	defer st.mu.Unlock()
	if quiet := time.Since(st.news); quiet < st.server.KeepAlive { // the timer is not set anew with each piece
		st.quiet.Reset(st.server.KeepAlive - quiet)
		return
	}
	place, _ := st.place.Load().(string)
	if st.write([]byte(cmp.Or(place, st.ping))) == nil {
		st.quiet.Reset(st.server.KeepAlive)
	}
}

// waiting notes where in a queue the request is, for the next comment. A
// gateway is told at once: it has comments of its own.
func (st *stream) waiting(position, length int) {
	place := ""
	if position > 0 {
		place = wire.Queue(position, length)
	}
	st.place.Store(place)
	if !st.mu.TryLock() {
		return // what is being written may not have it; the next comment does
	}
	defer st.mu.Unlock()
	if st.server.Inside {
		st.write([]byte(wire.Queue(position, length)))
	}
}

// header sets a header, unless the response has begun.
func (st *stream) header(name, value string) {
	st.mu.Lock()
	defer st.mu.Unlock()
	if !st.c.Writer.Written() {
		st.c.Header(name, value)
	}
}

// send writes frames, and puts the next comment off.
func (st *stream) send(frames []byte) error {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.place.Load() != nil {
		st.place.Store("")
	}
	if st.burst && st.err == nil && st.hold(frames) {
		return nil
	}
	return st.write(frames)
}

// hold holds frames, unless that is too much.
func (st *stream) hold(frames []byte) bool {
	if st.held == nil {
		st.held, _ = st.server.buffers.Get().(*[]byte)
		if st.held == nil {
			st.held = new(make([]byte, 0, writeSize/4))
		}
	}
	if len(*st.held)+len(frames) > writeSize {
		return false
	}
	*st.held = append(*st.held, frames...)
	return true
}

// between is told of bursts, see [chat.Request].
func (st *stream) between(more bool) {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.burst = more; !more && st.held != nil {
		st.write(nil) // a failure is told to the next who sends
	}
}

// write writes what is held, and then frames.
func (st *stream) write(frames []byte) error {
	if st.err != nil {
		return st.err
	}
	if !st.c.Writer.Written() {
		st.c.Header("Content-Type", "text/event-stream; charset=utf-8")
		st.c.Header("Cache-Control", "no-cache")
		st.c.Header("X-Accel-Buffering", "no")
	}
	held := st.held
	if held != nil {
		st.held, frames = nil, append(*held, frames...)
	}
	st.news = time.Now()
	st.err = st.server.writeBy(st.c, frames, &st.limited, st.news)
	if held != nil && cap(frames) <= 2*writeSize {
		*held = frames[:0]
		st.server.buffers.Put(held)
	}
	return st.err
}

// close ends the comments. When it returns, the response is its caller's.
func (st *stream) close() {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.quiet.Stop()
	if st.burst = false; st.held != nil {
		st.write(nil)
	}
	if st.err == nil {
		st.err = errGone // for a comment that is under way
	}
}
