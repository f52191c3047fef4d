package link

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"sync"
	"time"
)

// A Code says why a stream was reset.
type Code uint8

const (
	Cancelled Code = iota + 1 // nobody wants the answer any more
	Busy                      // there are too many streams
	Refused                   // the grant does not allow it
	Broken                    // the other end could not go on
	Shut                      // the other end is closing
)

// A ResetError is the end of a stream that the other end has reset.
type ResetError struct{ Code Code }

func (e ResetError) Error() string {
	switch e.Code {
	case Cancelled:
		return "the other end of the link has cancelled the request"
	case Busy:
		return "the other end of the link has too many requests"
	case Refused:
		return "the relay does not grant this link what was asked for"
	case Broken:
		return "the other end of the link could not go on with the request"
	case Shut:
		return "the other end of the link is shutting down"
	}
	return fmt.Sprintf("the other end of the link has reset the request (code %d)", e.Code)
}

// A Stream is a request and its response. Each side writes one body and reads
// the other's.
type Stream struct {
	s     *Session
	id    uint64
	begun time.Time
	cond  sync.Cond     // on s.mu; told of every change
	err   error         // why it is over, for both directions
	gone  chan struct{} // closed when nothing is kept for it any more

	// What goes out.
	seq     uint32  // of the next word
	words   int     // under way
	unheard int     // bytes of theirs
	latest  *letter // the word before the next one
	sent    int64   // bytes of the body
	granted int64   // how many may be, in all
	bulk    []*letter
	ended   bool

	// What comes in.
	expect   uint32           // the next word to hand on
	early    map[uint32]frame // words that came before it
	head     []byte
	heads    int  // bytes of it that have come
	whole    bool // the head is
	body     [][]byte
	received int64 // bytes of the body
	consumed int64 // that were read
	promised int64 // that the peer may send, in all
	window   int64
	grown    time.Time // when the peer was last allowed more
	over     bool      // the body is
}

// A letter is a frame on its way: over one link or several, and once more
// where that takes too long.
type letter struct {
	frame
	st     *Stream   // whose word it is; nil: no word
	on     []*Link   // that it waits for, or is under way on
	second *Link     // that has the second copy
	at     time.Time // when it was written
	before *letter   // the word before it; nil when this or that was heard
	again  bool      // it went once more, since none followed it
	heard  bool      // the peer has it
	tries  int       // rescues
}

// writeHead sends a head, in as many words as it needs.
func (st *Stream) writeHead(k kind, head []byte) {
	for len(head) > maxPayload {
		st.post(frame{kind: k, flags: moreFlag, payload: head[:maxPayload]})
		head = head[maxPayload:]
	}
	st.post(frame{kind: k, payload: head})
}

// post sends the next word.
func (st *Stream) post(f frame) {
	x := st.letter(f)
	if !x.bulky() {
		st.s.send(x)
		return
	}
	if len(st.bulk) == 0 {
		st.s.ready = append(st.s.ready, st)
	}
	st.bulk = append(st.bulk, x)
	st.s.pull()
}

func (st *Stream) letter(f frame) *letter {
	f.stream, f.seq = st.id, st.seq
	st.seq++
	st.words++
	st.unheard += len(f.payload)
	x := &letter{frame: f, st: st, at: time.Now()}
	if st.latest != nil && !st.latest.heard {
		x.before = st.latest
	}
	st.latest = x
	return x
}

// heardOf is called when the peer has a word.
func (st *Stream) heardOf(x *letter) {
	st.words--
	st.unheard -= len(x.payload)
	st.cond.Broadcast()
	st.finish()
}

// chunk is how much of a large body goes over one link at a time.
const chunk = 8 << 10

// Write sends a piece of the body. It returns when all of it is on its way,
// which it is only as fast as the reader at the other end.
func (st *Stream) Write(p []byte) (n int, err error) {
	s := st.s
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(p) > 0 {
		for st.err == nil && (st.sent >= st.granted || st.unheard >= maxUnheard || st.words >= maxWords) {
			st.cond.Wait()
		}
		if st.err != nil {
			return n, st.err
		}
		if st.ended {
			return n, io.ErrClosedPipe
		}
		size := min(int64(len(p)), st.granted-st.sent, chunk)
		piece := append([]byte(nil), p[:size]...)
		st.sent += size
		st.post(frame{kind: dataFrame, payload: piece})
		p, n = p[size:], n+int(size)
	}
	return n, nil
}

// CloseWrite ends the body.
func (st *Stream) CloseWrite() error {
	s := st.s
	s.mu.Lock()
	defer s.mu.Unlock()
	for st.err == nil && st.words >= maxWords {
		st.cond.Wait()
	}
	if st.err != nil || st.ended {
		return st.err
	}
	st.ended = true
	st.post(frame{kind: endFrame})
	return nil
}

// Respond sends the head of a response.
func (st *Stream) Respond(head []byte) error {
	if len(head) > maxHead {
		return fmt.Errorf("the head of the response has %d bytes, at most %d go over a link", len(head), maxHead)
	}
	st.s.mu.Lock()
	defer st.s.mu.Unlock()
	if st.err == nil {
		st.writeHead(headFrame, head)
	}
	return st.err
}

// Reset ends the stream for both sides, whatever is under way.
func (st *Stream) Reset(why Code) {
	st.s.mu.Lock()
	defer st.s.mu.Unlock()
	if st.err != nil || st.s.streams[st.id] != st {
		return
	}
	st.s.send(&letter{frame: frame{kind: resetFrame, stream: st.id, payload: []byte{byte(why)}}})
	st.die(context.Canceled)
}

// die ends a stream. Its words need not arrive any more.
func (st *Stream) die(err error) {
	if st.err == nil && !(st.over && st.ended && st.words == 0 && len(st.body) == 0) {
		st.err = err
	}
	st.bulk, st.body, st.early = nil, nil, nil
	st.cond.Broadcast()
	st.s.forget(st)
}

// finish forgets a stream of which both bodies are through.
func (st *Stream) finish() {
	if st.over && len(st.body) == 0 && st.ended && st.words == 0 {
		st.s.forget(st)
	}
}

// word takes a word that has come.
func (st *Stream) word(f frame) error {
	ahead := f.seq - st.expect // it wraps, as seq does
	if ahead >= 1<<31 || st.early[f.seq].kind != 0 {
		return nil // a copy
	}
	if ahead >= 2*maxWords {
		return fmt.Errorf("word %d of stream %d came, and %d is the next", f.seq, st.id, st.expect)
	}
	switch f.kind {
	case openFrame, headFrame:
		if st.heads += len(f.payload); st.heads > maxHead {
			return fmt.Errorf("the head of stream %d has more than %d bytes", st.id, maxHead)
		}
	case dataFrame:
		if st.received += int64(len(f.payload)); st.received > st.promised {
			return fmt.Errorf("%d bytes of stream %d came, and %d may", st.received, st.id, st.promised)
		}
	}
	f.payload = append([]byte(nil), f.payload...)
	if st.early == nil {
		st.early = make(map[uint32]frame)
	}
	st.early[f.seq] = f
	for {
		next, ok := st.early[st.expect]
		if !ok {
			break
		}
		delete(st.early, st.expect)
		st.expect++
		if err := st.hear(next); err != nil {
			return err
		}
	}
	st.cond.Broadcast()
	st.finish()
	return nil
}

// hear takes the next word in order.
func (st *Stream) hear(f frame) error {
	switch {
	case st.over:
		return fmt.Errorf("a word %v of stream %d came after its end", f.kind, st.id)
	case f.kind == openFrame || f.kind == headFrame:
		if st.whole {
			return fmt.Errorf("stream %d has a second head", st.id)
		}
		st.head = append(st.head, f.payload...)
		if st.whole = f.flags&moreFlag == 0; st.whole && f.kind == openFrame {
			go st.s.accept(st)
		}
	case !st.whole:
		return fmt.Errorf("a word %v of stream %d came before its head", f.kind, st.id)
	case f.kind == dataFrame:
		if len(f.payload) > 0 {
			st.body = append(st.body, f.payload)
		}
	default:
		st.over = true
	}
	return nil
}

// Head waits for the head that the other side sends first.
func (st *Stream) Head() ([]byte, error) {
	st.s.mu.Lock()
	defer st.s.mu.Unlock()
	for st.err == nil && !st.whole {
		st.cond.Wait()
	}
	if !st.whole {
		return nil, st.err
	}
	return st.head, nil
}

// Read reads from the other side's body. It returns io.EOF at its end, and
// never before.
func (st *Stream) Read(p []byte) (int, error) {
	s := st.s
	s.mu.Lock()
	defer s.mu.Unlock()
	for st.err == nil && len(st.body) == 0 && !st.over {
		st.cond.Wait()
	}
	switch {
	case st.err != nil:
		return 0, st.err
	case len(st.body) == 0:
		return 0, io.EOF
	}
	n := copy(p, st.body[0])
	if st.body[0] = st.body[0][n:]; len(st.body[0]) == 0 {
		st.body[0] = nil
		st.body = st.body[1:]
	}
	st.read(int64(n))
	return n, nil
}

// read allows the other side more where half of what it may send was read. Of a
// reader that keeps up, the window grows.
func (st *Stream) read(n int64) {
	s := st.s
	st.consumed += n
	s.owed -= n
	if st.finish(); st.over || s.streams[st.id] != st {
		return
	}
	if st.promised-st.consumed > st.window/2 {
		return
	}
	now := time.Now()
	if now.Sub(st.grown) < 2*s.rtt() && st.window < maxWindow && s.owed+st.window < sessionCap {
		st.window *= 2
	}
	st.grown = now
	more := st.consumed + st.window - st.promised
	st.promised += more
	s.owed += more
	s.send(&letter{frame: frame{kind: creditFrame, stream: st.id, payload: binary.BigEndian.AppendUint64(nil, uint64(st.promised))}})
}
