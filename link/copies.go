package link

import (
	"slices"
	"time"
)

// Of a word on a bad line it is known too late that it was lost. So small words
// go more than once:
//
//   - those that somebody waits for the most, the first of each stream, over
//     several links at once: of a link that has had little to send lately nobody
//     knows whether it is well;
//   - one that stands alone over two;
//   - one that follows another closely over one, and once more with each of the
//     next three, over other links. That takes no more packets, only larger ones.
//
// Over a short line all go once.

const (
	firstWords  = 3
	mostEarlier = 3 // words that a word brings once more
)

// doubles reports whether small words go more than once.
func (s *Session) doubles() bool { return s.copies > 1 && s.rtt() >= nearby }

// send puts a letter on its way.
func (s *Session) send(x *letter) {
	copies := 1
	switch {
	case !x.small() || !s.doubles():
	case x.st == nil:
		copies = s.copies
	case x.seq < firstWords:
		copies = 2 * s.copies
	case !s.follows(x):
		copies = s.copies
	}
	if !s.place(x, copies) {
		s.parked = append(s.parked, x)
	}
}

// small reports whether a letter fits into one packet.
func (x *letter) small() bool { return len(x.payload) <= smallWord }

// follows reports whether a word came soon after the one before it, so that
// the next one is likely to come soon as well.
func (s *Session) follows(x *letter) bool {
	return x.before != nil && x.at.Sub(x.before.at) < s.rtt()/4
}

// earlier returns the words before x of which it is not known that the other
// end has them, as far as all fit into one packet.
func (s *Session) earlier(x *letter) []*letter {
	if !s.doubles() {
		return nil
	}
	var all []*letter
	room := smallWord - len(x.payload)
	for e := x.before; e != nil && !e.heard && len(all) < mostEarlier; e = e.before {
		if room -= len(e.payload); room < 0 {
			break
		}
		all = append(all, e)
	}
	slices.Reverse(all)
	return all
}

// followUp sends the latest word of a stream once more where the next one,
// which was to bring it, has not come.
func (s *Session) followUp(st *Stream, now time.Time) {
	x := st.latest
	if x == nil || x.heard || x.again || !x.small() || !s.doubles() || !s.follows(x) || now.Sub(x.at) < s.rtt()/4 {
		return
	}
	x.again = true
	n := len(x.on)
	if s.place(x, 1); len(x.on) > n {
		s.stats.Duplicates++
	}
}
