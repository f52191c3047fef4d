package link

import "time"

// What has come by all links is told in one message, over two of them. If each
// link told of itself, that would be as many packets as there are words; some
// would be lost, and what is sent next on that link would wait for them.

// promptNews is how many frames come before the other end is told at once.
const promptNews = 64

// owesNews notes that there is something to tell.
func (s *Session) owesNews() {
	if s.untold++; s.untold == 1 {
		s.telling.Reset(min(s.rtt()/16, newsDelay)) // it is part of the round trip, as it is measured
	} else if s.untold == promptNews {
		s.telling.Reset(0)
	}
}

// sayAgain has everything told that may have been lost with a link.
func (s *Session) sayAgain() {
	if len(s.links) == 0 {
		return
	}
	for _, l := range s.links {
		l.unsaid = true
	}
	s.owesNews()
}

// tellNews has two links tell what has come, by turns.
func (s *Session) tellNews() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.untold = 0
	copies := 1
	if s.doubles() {
		copies = 2
	}
	now, patience := time.Now(), s.patience()
	clock := s.clock(now)
	for range copies {
		var best *Link
		for _, l := range s.links {
			if !l.tell && (best == nil || l.fitter(best, clock, patience)) {
				best = l
			}
		}
		if best == nil {
			return
		}
		best.tell, best.told = true, now
		best.stir()
	}
}

// fitter reports whether l is to tell the news, rather than o.
func (l *Link) fitter(o *Link, clock time.Time, patience time.Duration) bool {
	if l, o := l.late(clock, patience), o.late(clock, patience); l != o {
		return o
	}
	return l.told.Before(o.told)
}

// news returns what has come by the links that anything has come by lately.
func (s *Session) news() (b []byte) {
	now := time.Now()
	for _, l := range s.links {
		if l.unsaid || now.Sub(l.news) < newsLast {
			b = news{l.id, l.received}.append(b)
			l.unsaid = false
		}
	}
	return b
}

// learn takes what the other end tells. Of a link that has ended here it means
// nothing any more.
func (s *Session) learn(f *frame, now time.Time) error {
	for n := range f.news() {
		if l := s.link(n.link); l != nil {
			if err := l.ack(n.count, now); err != nil {
				return err
			}
		}
	}
	return nil
}
