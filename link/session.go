package link

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// Bounds of a session. A peer that goes beyond them is cut off.
const (
	firstWindow = 128 << 10 // bytes of a body that may be sent before any credit
	maxWindow   = 4 << 20   // that may be under way, at most
	maxUnheard  = 1 << 20   // bytes of a stream that are kept until the peer has them
	maxWords    = 4096      // words of a stream that are under way
	maxHead     = 64 << 10  // bytes of the head of a request or response
	sessionCap  = 128 << 20 // bytes that all streams of a session may have promised to take

	smallWord = 1200 // bytes of payload that fit into one packet: these are sent twice
	fullLink  = 16   // frames under way, above which others are better
	fewLinks  = 4    // with something under way, below which nothing may be heard for long
	bulkBytes = 256 << 10
)

// Times of a session.
const (
	resumeFor  = 20 * time.Second // how long streams wait for a link when there is none
	pingIdle   = 5 * time.Second
	pingBusy   = time.Second // while a stream waits for something
	aloneFor   = 15 * time.Second
	newsDelay  = 10 * time.Millisecond  // until it is told what has come, at most
	newsLast   = 500 * time.Millisecond // for so long it is told again
	tendBusy   = 10 * time.Millisecond
	tendIdle   = time.Second
	nearby     = 10 * time.Millisecond  // over a line this short nothing goes twice
	assumedRTT = 200 * time.Millisecond // before one has been measured

	leastPatience = 50 * time.Millisecond // a busy machine takes its time as well
)

// A Conn carries messages of at most 16 KiB, whole and in order, until it
// fails. Read and Write are called by one goroutine each.
type Conn interface {
	Write(message []byte) error // blocks while the peer does not take it
	Read() (message []byte, err error)
	Close() error // ends both
}

// A Session is what an edge and a relay have with one another: any number of
// streams over any number of links. A stream belongs to no link. Each of its
// words goes over the links that have the least under way, a small one more
// than once, and is put into order at the other end; the words that were under
// way on a link that fails go over another.
type Session struct {
	edge   bool
	copies int
	accept func(*Stream) // of a relay; called on a goroutine of its own

	mu      sync.Mutex
	links   []*Link
	streams map[uint64]*Stream
	lastID  uint64    // of a stream that the edge has opened
	seen    idSet     // at the relay: streams that were opened or reset
	parked  []*letter // that wait for a link
	heard   time.Time // when anything has come
	learnt  time.Time // when the other end last told of something
	alone   time.Time // since when nothing comes, where there is no link
	ready   []*Stream // that have bulk to send, in turn
	owed    int64     // bytes that may come, and that nobody has read yet
	drains  bool      // at the edge: the relay wants no further streams
	closed  error
	tick    *time.Ticker
	untold  int         // frames that have come since the other end was told
	telling *time.Timer // until it is
	done    chan struct{}
	stats   Stats
}

// Stats count what a session has done.
type Stats struct {
	Links, Streams int
	RTT            time.Duration // of the quickest link
	Frames         uint64        // sent, acks aside
	Late           uint64        // of them, those of which it took long to be told that they came
	Duplicates     uint64        // of them, second copies
	Useful         uint64        // second copies that came first
	Repeated       uint64        // words that went once more with the next ones
	Rescued        uint64        // words sent once more because a link kept silent
	Resumed        uint64        // words sent once more because a link failed
	Backlog        int64         // bytes sent or waiting that the peer has not told of
	Drains         bool          // the relay is shutting down, and wants no further streams
}

// ErrLost is the end of streams that had no link for too long.
var ErrLost = errors.New("the link to the relay was lost and did not come back in time")

var errClosed = errors.New("the link is closed")

// newSession returns a session without links. With copies 2, small words are
// sent twice where there is room.
func newSession(edge bool, copies int, accept func(*Stream)) *Session {
	s := &Session{
		edge: edge, copies: copies, accept: accept,
		streams: make(map[uint64]*Stream), alone: time.Now(),
		tick: time.NewTicker(tendIdle), done: make(chan struct{}),
	}
	s.telling = time.AfterFunc(time.Hour, s.tellNews)
	go s.tend()
	return s
}

// Close ends the session and all its streams.
func (s *Session) Close() { s.fail(errClosed) }

func (s *Session) fail(err error) {
	s.mu.Lock()
	if s.closed != nil {
		s.mu.Unlock()
		return
	}
	s.closed = err
	close(s.done)
	s.tick.Stop()
	s.telling.Stop()
	for _, st := range s.streams {
		st.die(err)
	}
	links := s.links
	s.links = nil
	s.mu.Unlock()
	for _, l := range links {
		l.end(err)
	}
}

// Stats returns what the session has done so far.
func (s *Session) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.stats
	st.Links, st.Streams, st.Drains = len(s.links), len(s.streams), s.drains
	if len(s.links) > 0 {
		st.RTT = s.rtt()
	}
	for _, l := range s.links {
		st.Backlog += int64(l.bytes)
	}
	return st
}

// open begins a stream with the head of a request.
func (s *Session) open(head []byte) (*Stream, error) {
	if len(head) > maxHead {
		return nil, fmt.Errorf("the head of the request has %d bytes, at most %d go over a link", len(head), maxHead)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed != nil {
		return nil, s.closed
	}
	if err := s.room(); err != nil {
		return nil, err
	}
	s.lastID++
	st := s.add(s.lastID)
	st.writeHead(openFrame, head)
	return st, nil
}

// room says why there can be no further stream.
func (s *Session) room() error {
	if s.owed+firstWindow > sessionCap {
		return fmt.Errorf("the link has %d streams, which may take %d MiB; no more go over it", len(s.streams), s.owed>>20)
	}
	return nil
}

func (s *Session) add(id uint64) *Stream {
	st := &Stream{s: s, id: id, granted: firstWindow, promised: firstWindow, window: firstWindow, begun: time.Now(), gone: make(chan struct{})}
	st.cond.L = &s.mu
	s.owed += firstWindow
	if len(s.streams) == 0 {
		s.tick.Reset(tendBusy)
	}
	s.streams[id] = st
	return st
}

// forget ends what is kept for a stream.
func (s *Session) forget(st *Stream) {
	if s.streams[st.id] != st {
		return
	}
	delete(s.streams, st.id)
	close(st.gone)
	s.owed -= st.promised - st.consumed
	if len(s.streams) == 0 && s.closed == nil {
		s.tick.Reset(tendIdle)
	}
}

// take is called with each frame that comes, with s.mu held.
func (s *Session) take(f frame) error {
	st := s.streams[f.stream]
	if st == nil {
		var err error
		if st, err = s.stranger(f); st == nil {
			return err
		}
	}
	switch {
	case f.kind.numbered():
		if f.kind == openFrame && s.edge || f.kind == headFrame && !s.edge {
			return fmt.Errorf("a frame %v came from the wrong side", f.kind)
		}
		for _, e := range f.earlier {
			if err := st.word(e); err != nil {
				return err
			}
		}
		return st.word(f)
	case f.kind == resetFrame:
		st.die(ResetError{Code(f.payload[0])})
	case f.kind == creditFrame:
		st.granted = max(st.granted, int64(min(binary.BigEndian.Uint64(f.payload), 1<<62)))
		st.cond.Broadcast()
	}
	return nil
}

// stranger deals with a frame of a stream that is not there: one that begins,
// or one that is over, of which late copies mean nothing.
func (s *Session) stranger(f frame) (*Stream, error) {
	if s.edge {
		if f.stream > s.lastID {
			return nil, fmt.Errorf("a frame is of stream %d, and %d is the last that was opened", f.stream, s.lastID)
		}
		return nil, nil
	}
	fresh, err := s.seen.add(f.stream)
	if !fresh || err != nil || f.kind == resetFrame {
		return nil, err
	}
	if s.room() != nil {
		s.send(&letter{frame: frame{kind: resetFrame, stream: f.stream, payload: []byte{byte(Busy)}}})
		return nil, nil
	}
	return s.add(f.stream), nil
}

// place puts copies of a letter on links that have none of it yet. It reports
// whether any link has it. What is sent where something is late would wait
// behind it; and words that come once more are to come by another link.
func (s *Session) place(x *letter, copies int) bool {
	now, patience, earlier := time.Now(), s.patience(), s.earlier(x)
	clock := s.clock(now)
	better := func(l, o *Link) bool {
		if l, o := l.late(clock, patience) || l.full(), o.late(clock, patience) || o.full(); l != o {
			return o
		}
		if l, o := slices.ContainsFunc(earlier, l.holds), slices.ContainsFunc(earlier, o.holds); l != o {
			return o
		}
		return l.before(o)
	}
	for n := range copies {
		var best *Link
		for _, l := range s.links {
			if l.leaving || l.holds(x) || n > 0 && l.full() {
				continue
			}
			if best == nil || better(l, best) {
				best = l
			}
		}
		if best == nil {
			break
		}
		if n > 0 {
			s.stats.Duplicates++
			x.second = best
		}
		best.push(x, now)
	}
	return len(x.on) > 0
}

// link returns a link by its id, or nil.
func (s *Session) link(id uint32) *Link {
	for _, l := range s.links {
		if l.id == id {
			return l
		}
	}
	return nil
}

// rtt is the shortest round trip of a link.
func (s *Session) rtt() time.Duration {
	shortest := time.Duration(0)
	for _, l := range s.links {
		if l.rtt > 0 && (shortest == 0 || l.rtt < shortest) {
			shortest = l.rtt
		}
	}
	if shortest == 0 {
		return assumedRTT
	}
	return shortest
}

// patience is how long a word may be under way before it goes once more.
func (s *Session) patience() time.Duration {
	return max(s.rtt()*9/8+2*newsDelay, leastPatience)
}

// clock is the time at which to judge what is late. With much under way
// something is heard all the time; where it is not, this machine or the whole
// line stood still, and no link is worse than another.
func (s *Session) clock(now time.Time) time.Time {
	told := s.learnt.Add(2 * newsDelay)
	if now.Before(told) {
		return now
	}
	busy := 0
	for _, l := range s.links {
		if len(l.sent) > 0 {
			busy++
		}
	}
	if busy <= fewLinks {
		return now
	}
	return told
}

// tend looks after links until the session is closed.
func (s *Session) tend() {
	for {
		select {
		case <-s.done:
			return
		case <-s.tick.C:
		}
		var dead []*Link
		s.mu.Lock()
		now := time.Now()
		for _, l := range s.links {
			if err := l.check(now); err != nil {
				l.why = err
				dead = append(dead, l)
			}
		}
		for _, st := range s.streams {
			s.followUp(st, now)
		}
		lost := len(s.links) == 0 && len(s.streams) > 0 && now.Sub(s.alone) > resumeFor
		if lost {
			for _, st := range s.streams {
				st.die(ErrLost)
			}
			s.parked = nil
		}
		s.mu.Unlock()
		for _, l := range dead {
			l.end(l.why)
		}
	}
}

// an idSet holds the ids of streams that have been seen: all up to low, and
// more.
type idSet struct {
	low  uint64
	more map[uint64]bool
}

// maxAhead is how far the opening of a stream may be ahead of an earlier one.
const maxAhead = 4096

// add puts id into the set and reports whether it is new there.
func (set *idSet) add(id uint64) (fresh bool, err error) {
	if id <= set.low || set.more[id] {
		return false, nil
	}
	if id > set.low+maxAhead {
		return false, fmt.Errorf("stream %d was opened before stream %d", id, set.low+1)
	}
	if set.more == nil {
		set.more = make(map[uint64]bool)
	}
	set.more[id] = true
	for set.more[set.low+1] {
		set.low++
		delete(set.more, set.low)
	}
	return true, nil
}
