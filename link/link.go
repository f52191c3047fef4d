package link

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// A Link is one connection of a session. What the other end has is told by
// counting: messages arrive in order, so the number that has come by a link
// says which these were.
type Link struct {
	s    *Session
	conn Conn
	id   uint32        // of its session's links
	wake chan struct{} // there may be something to send
	done chan struct{} // it has ended
	why  error         // as its first fault says

	// Guarded by the session's mu.
	queue    []*letter     // that it is to send
	sent     []sending     // under way, oldest first
	bytes    int           // of both
	acked    uint32        // frames that the other end has
	received uint32        // frames, acks aside, that have come
	news     time.Time     // when the latest has
	unsaid   bool          // the other end may not know that
	tell     bool          // it is to tell what has come by all links
	told     time.Time     // when it last was
	rtt      time.Duration // smoothed
	used     time.Time     // when it was last given something
	heard    time.Time     // when the other end last told what it has
	silent   bool          // something is under way for longer than it should
	leaving  bool          // it takes nothing new
	ended    bool
}

// A sending is a letter under way.
type sending struct {
	x       *letter
	earlier []*letter // that went with it
	at      time.Time
}

// attach adds a link to the session. It returns once the link has ended, with
// the reason.
func (s *Session) attach(conn Conn, id uint32) error {
	l, err := s.join(conn, id)
	if err != nil {
		return err
	}
	return l.read()
}

// join adds a link to the session. It carries nothing that comes until read is
// called. Both sides know it by its id, which no other link of the session has.
func (s *Session) join(conn Conn, id uint32) (*Link, error) {
	l := &Link{s: s, conn: conn, id: id, wake: make(chan struct{}, 1), done: make(chan struct{}), heard: time.Now(), used: time.Now()}
	s.mu.Lock()
	if s.closed != nil {
		s.mu.Unlock()
		conn.Close()
		return nil, s.closed
	}
	if s.link(id) != nil {
		s.mu.Unlock()
		conn.Close()
		return nil, fmt.Errorf("there already is a link %d", id)
	}
	s.links = append(s.links, l)
	s.heard = time.Now()
	parked := s.parked
	s.parked = nil
	for _, x := range parked {
		if !x.stale() {
			s.send(x)
		}
	}
	s.pull()
	s.mu.Unlock()
	go l.write()
	return l, nil
}

// stale reports whether nobody waits for a letter any more.
func (x *letter) stale() bool { return x.heard || x.st != nil && x.st.err != nil }

// read takes what comes until the link ends, and returns why it did.
func (l *Link) read() error {
	for {
		b, err := l.conn.Read()
		if err != nil {
			l.end(err)
			return l.why
		}
		f, err := parseFrame(b)
		if err == nil {
			l.s.mu.Lock()
			err = l.take(f)
			l.s.mu.Unlock()
		}
		if err != nil {
			l.end(err)
			return l.why
		}
	}
}

// take is called with each frame that comes by this link.
func (l *Link) take(f frame) error {
	if l.ended {
		return errClosed
	}
	now := time.Now()
	l.s.heard = now
	if err := l.ack(f.ack, now); err != nil {
		return err
	}
	if f.kind == ackFrame {
		return l.s.learn(&f, now)
	}
	l.received++
	l.news, l.unsaid = now, true
	l.s.owesNews()
	switch f.kind {
	case pingFrame:
		return nil
	case leaveFrame:
		l.leaving = true
		return nil
	case drainFrame:
		if !l.s.edge {
			return errors.New("an edge says that it is shutting down, which is for relays")
		}
		l.s.drains = true
		return nil
	}
	return l.s.take(f)
}

// ack notes which frames the other end has by now. What it has told over
// another link may be older than what is known.
func (l *Link) ack(count uint32, now time.Time) error {
	n := count - l.acked
	if n == 0 || n > 1<<31 {
		return nil
	}
	if n > uint32(len(l.sent)) {
		return fmt.Errorf("the other end of the link tells of %d frames more than it was sent", n-uint32(len(l.sent)))
	}
	sample := now.Sub(l.sent[n-1].at)
	if l.rtt == 0 {
		l.rtt = sample
	}
	l.rtt += (sample - l.rtt) / 8
	l.acked, l.heard, l.silent, l.s.learnt = count, now, false, now
	patience := l.s.patience()
	for _, sending := range l.sent[:n] {
		if now.Sub(sending.at) > patience {
			l.s.stats.Late++
		}
		l.drop(sending.x)
		if sending.x.second == l && !sending.x.heard {
			l.s.stats.Useful++
		}
		sending.x.deliver()
		for _, x := range sending.earlier {
			x.deliver()
		}
	}
	l.sent = slices.Delete(l.sent, 0, int(n))
	l.s.pull()
	return nil
}

// deliver notes that the other end has a letter.
func (x *letter) deliver() {
	if x.heard {
		return
	}
	x.heard, x.before = true, nil
	if x.st != nil {
		x.st.heardOf(x)
	}
}

// ofLink reports whether a letter concerns the link that it is on, and no
// other.
func (x *letter) ofLink() bool { return x.kind == pingFrame || x.kind == leaveFrame }

// bulky reports whether a letter is a piece of a large body.
func (x *letter) bulky() bool { return x.kind == dataFrame && !x.small() }

// drop takes a letter off the account of this link.
func (l *Link) drop(x *letter) {
	l.bytes -= headerSize + len(x.payload)
	x.on = slices.DeleteFunc(x.on, func(o *Link) bool { return o == l })
}

func (l *Link) holds(x *letter) bool { return slices.Contains(x.on, l) }

// late reports whether something was under way for longer than patience, at the
// time of a session's clock.
func (l *Link) late(clock time.Time, patience time.Duration) bool {
	return len(l.sent) > 0 && clock.Sub(l.sent[0].at) >= patience
}

// full reports whether the link has enough to do.
func (l *Link) full() bool { return len(l.sent)+len(l.queue) >= fullLink }

// before reports whether l has less to do than o, or has had for longer.
func (l *Link) before(o *Link) bool {
	if n, m := len(l.sent)+len(l.queue), len(o.sent)+len(o.queue); n != m {
		return n < m
	}
	return l.used.Before(o.used)
}

// push gives the link a letter to send. What is small goes before what is not.
func (l *Link) push(x *letter, now time.Time) {
	x.on = append(x.on, l)
	at := len(l.queue)
	for !x.bulky() && at > 0 && l.queue[at-1].bulky() {
		at--
	}
	l.queue = slices.Insert(l.queue, at, x)
	l.bytes += headerSize + len(x.payload)
	l.used = now
	l.stir()
}

// stir wakes the writer.
func (l *Link) stir() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// write sends what there is until the link ends.
func (l *Link) write() {
	buf := make([]byte, 0, maxFrame)
	for {
		l.s.mu.Lock()
		buf = l.next(buf[:0])
		l.s.mu.Unlock()
		if len(buf) == 0 {
			select {
			case <-l.wake:
				continue
			case <-l.done:
				return
			}
		}
		if err := l.conn.Write(buf); err != nil {
			l.end(err)
			return
		}
	}
}

// next writes the next frame to send to buf, which stays empty where there is
// none.
func (l *Link) next(buf []byte) []byte {
	for len(l.queue) > 0 && !l.ended {
		x := l.queue[0]
		l.queue[0] = nil
		l.queue = l.queue[1:]
		if x.stale() {
			l.drop(x)
			continue
		}
		earlier := l.s.earlier(x)
		l.sent = append(l.sent, sending{x, earlier, time.Now()})
		l.s.stats.Frames++
		l.s.stats.Repeated += uint64(len(earlier))
		f := x.frame
		f.ack = l.received
		for _, e := range earlier {
			f.earlier = append(f.earlier, e.frame)
		}
		return f.append(buf)
	}
	if l.tell && !l.ended {
		l.tell = false
		f := frame{kind: ackFrame, ack: l.received, payload: l.s.news()}
		return f.append(buf)
	}
	return buf
}

// pull gives bulk to the links that have room, one word of each stream in turn.
func (s *Session) pull() {
	for len(s.ready) > 0 {
		var best *Link
		now := time.Now()
		for _, l := range s.links {
			if !l.leaving && !l.silent && l.bytes < bulkBytes && (best == nil || l.bytes < best.bytes) {
				best = l
			}
		}
		if best == nil {
			return // until something is heard of
		}
		st := s.ready[0]
		s.ready = s.ready[1:]
		if len(st.bulk) == 0 {
			continue
		}
		x := st.bulk[0]
		st.bulk = st.bulk[1:]
		if len(st.bulk) > 0 {
			s.ready = append(s.ready, st)
		}
		best.push(x, now)
	}
}

// check looks whether the link is well. Words that it keeps for too long go
// once more, over another.
func (l *Link) check(now time.Time) error {
	s := l.s
	if len(l.sent) == 0 {
		pause := pingIdle
		if len(s.streams) > 0 {
			pause = pingBusy
		}
		switch {
		case len(l.queue) > 0:
		case l.leaving && now.Sub(l.used) > time.Second:
			return errLeft
		case !l.leaving && now.Sub(l.used) >= pause:
			l.push(&letter{frame: frame{kind: pingFrame}}, now)
		}
		return nil
	}
	age := now.Sub(l.sent[0].at)
	if age > aloneFor || age > max(4*s.rtt(), 2*time.Second) && s.answers(l, now) {
		return fmt.Errorf("nothing was heard for %v", age.Round(time.Millisecond))
	}
	clock, patience := s.clock(now), s.patience()
	if !l.late(clock, patience) {
		return nil
	}
	l.silent = true
	for _, sending := range l.sent {
		x := sending.x
		if clock.Sub(sending.at) < patience {
			break
		}
		if x.ofLink() || x.stale() || x.tries >= 3 || len(x.on) > 1 && x.tries == 0 && !allLate(x, clock, patience) {
			continue
		}
		limit := patience << x.tries
		if x.bulky() && (x.tries > 0 || !s.idle()) {
			limit *= 4 // it waits behind other bulk
		}
		if clock.Sub(sending.at) < limit {
			continue
		}
		x.tries++
		n, copies := len(x.on), 1
		if !x.bulky() {
			copies = s.copies // it has waited once
		}
		if s.place(x, copies); len(x.on) > n {
			s.stats.Rescued++
		}
	}
	return nil
}

// allLate reports whether on every link that has a letter something is late.
func allLate(x *letter, clock time.Time, patience time.Duration) bool {
	for _, l := range x.on {
		if !l.late(clock, patience) {
			return false
		}
	}
	return true
}

// idle reports whether a link has nothing to do.
func (s *Session) idle() bool {
	return slices.ContainsFunc(s.links, func(l *Link) bool { return l.bytes == 0 && !l.leaving && !l.silent })
}

// errLeft is the end of a link that the other end has taken back.
var errLeft = errors.New("the link was taken back")

// answers reports whether another link than l was heard of lately.
func (s *Session) answers(l *Link, now time.Time) bool {
	for _, o := range s.links {
		if o != l && now.Sub(o.heard) < pingBusy+2*s.rtt() {
			return true
		}
	}
	return false
}

// leave lets the link end once nothing is under way on it.
func (l *Link) leave() {
	l.s.mu.Lock()
	defer l.s.mu.Unlock()
	if !l.leaving {
		l.push(&letter{frame: frame{kind: leaveFrame}}, time.Now())
		l.leaving = true
	}
}

// end takes the link out of its session. What was under way on it alone goes
// over others.
func (l *Link) end(why error) {
	s := l.s
	s.mu.Lock()
	if l.ended {
		s.mu.Unlock()
		return
	}
	l.ended = true
	if l.why == nil {
		l.why = why
	}
	close(l.done)
	s.links = slices.DeleteFunc(s.links, func(o *Link) bool { return o == l })
	if len(s.links) == 0 {
		s.alone = s.heard
	}
	left := l.queue
	for _, sending := range l.sent {
		left = append(left, sending.x)
	}
	l.queue, l.sent = nil, nil
	for _, x := range left {
		l.drop(x)
		if len(x.on) > 0 || x.stale() || x.ofLink() {
			continue
		}
		s.stats.Resumed++
		s.send(x)
	}
	s.sayAgain()
	s.pull()
	s.mu.Unlock()
	l.conn.Close()
}
