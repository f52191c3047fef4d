package link

import (
	"encoding/binary"
	"fmt"
	"iter"
	"slices"
)

// Sizes of frames, in bytes. A frame is one message of a link.
const (
	headerSize = 18
	maxFrame   = 16 << 10
	maxPayload = maxFrame - headerSize
)

// A kind says what a frame is for.
type kind uint8

// The first four are the words of a stream: they are numbered, and are handed
// on in their order. The others mean the same however often and in whatever
// order they come.
const (
	openFrame   kind = iota + 1 // the head of a request
	headFrame                   // the head of its response
	dataFrame                   // a piece of a body
	endFrame                    // there is no more of it
	resetFrame                  // the stream is over, now; the payload is a code
	creditFrame                 // the payload is how many bytes of a body may have been sent in all
	ackFrame                    // says how much has come by which links
	pingFrame                   // asks for an ack
	leaveFrame                  // this link is about to end: send nothing more on it
	drainFrame                  // the relay is about to end: open no more streams
	lastKind    = drainFrame
)

func (k kind) String() string {
	names := [...]string{openFrame: "open", headFrame: "head", dataFrame: "data", endFrame: "end", resetFrame: "reset",
		creditFrame: "credit", ackFrame: "ack", pingFrame: "ping", leaveFrame: "leave", drainFrame: "drain"}
	if k == 0 || k > lastKind {
		return fmt.Sprintf("kind %d", uint8(k))
	}
	return names[k]
}

// numbered reports whether frames of this kind are words of a stream.
func (k kind) numbered() bool { return k >= openFrame && k <= endFrame }

// Flags of words.
const (
	moreFlag    = 1 // the next word goes on with this head
	earlierFlag = 2 // the words before it come once more, ahead of its payload
)

// maxEarlier is how many words may come once more with a word.
const maxEarlier = 4

// A frame is what is sent at once. Its header is, in network order: kind (1
// byte), flags (1), stream (8), seq (4), ack (4). Words that come once more are
// their number (1), and of each kind (1), flags (1), length (2) and payload.
type frame struct {
	kind    kind
	flags   uint8
	stream  uint64  // 0: none, for what concerns the link
	seq     uint32  // of a word in its direction of its stream
	ack     uint32  // how many frames, acks aside, have come by this link; it wraps
	earlier []frame // words that come once more; the last one is that before this
	payload []byte
}

// append writes f to b.
func (f *frame) append(b []byte) []byte {
	flags := f.flags
	if len(f.earlier) > 0 {
		flags |= earlierFlag
	}
	b = append(b, byte(f.kind), flags)
	b = binary.BigEndian.AppendUint64(b, f.stream)
	b = binary.BigEndian.AppendUint32(b, f.seq)
	b = binary.BigEndian.AppendUint32(b, f.ack)
	if len(f.earlier) > 0 {
		b = append(b, byte(len(f.earlier)))
	}
	for _, e := range f.earlier {
		b = append(b, byte(e.kind), e.flags)
		b = binary.BigEndian.AppendUint16(b, uint16(len(e.payload)))
		b = append(b, e.payload...)
	}
	return append(b, f.payload...)
}

// parseFrame reads a whole frame. The payload is part of b.
func parseFrame(b []byte) (f frame, err error) {
	if len(b) < headerSize || len(b) > maxFrame {
		return f, fmt.Errorf("a frame has %d bytes, want %d to %d", len(b), headerSize, maxFrame)
	}
	f = frame{
		kind: kind(b[0]), flags: b[1],
		stream: binary.BigEndian.Uint64(b[2:]), seq: binary.BigEndian.Uint32(b[10:]), ack: binary.BigEndian.Uint32(b[14:]),
		payload: b[headerSize:],
	}
	if f.flags&earlierFlag != 0 && f.kind.numbered() {
		f.flags &^= earlierFlag
		if err := f.parseEarlier(); err != nil {
			return f, err
		}
	}
	want := -1 // bytes of payload; -1: any
	switch f.kind {
	case openFrame, headFrame, dataFrame:
	case endFrame, pingFrame, leaveFrame, drainFrame:
		want = 0
	case ackFrame:
		if want = len(f.payload) / newsSize * newsSize; want != len(f.payload) {
			return f, fmt.Errorf("a frame %v has %d bytes of payload, want a multiple of %d", f.kind, len(f.payload), newsSize)
		}
	case resetFrame:
		want = 1
	case creditFrame:
		want = 8
	default:
		return f, fmt.Errorf("a frame is of the unknown %v", f.kind)
	}
	link := f.kind >= ackFrame
	switch {
	case want >= 0 && len(f.payload) != want:
		return f, fmt.Errorf("a frame %v has %d bytes of payload, want %d", f.kind, len(f.payload), want)
	case link != (f.stream == 0):
		return f, fmt.Errorf("a frame %v is of stream %d", f.kind, f.stream)
	case !f.kind.numbered() && f.seq != 0:
		return f, fmt.Errorf("a frame %v has the number %d, and is no word", f.kind, f.seq)
	}
	return f, f.checkFlags()
}

func (f *frame) checkFlags() error {
	if f.flags&^moreFlag != 0 || f.flags != 0 && f.kind != openFrame && f.kind != headFrame {
		return fmt.Errorf("a frame %v has the flags %#x", f.kind, f.flags)
	}
	return nil
}

// parseEarlier takes the words that come once more from the payload.
func (f *frame) parseEarlier() error {
	b := f.payload
	if len(b) == 0 || b[0] == 0 || b[0] > maxEarlier {
		return fmt.Errorf("a frame %v has none of the earlier words that it should, or more than %d", f.kind, maxEarlier)
	}
	n := uint32(b[0])
	b = b[1:]
	for i := range n {
		if len(b) < 4 || len(b)-4 < int(binary.BigEndian.Uint16(b[2:])) {
			return fmt.Errorf("earlier word %d in a frame %v is cut short", i+1, f.kind)
		}
		size := int(binary.BigEndian.Uint16(b[2:]))
		e := frame{kind: kind(b[0]), flags: b[1], stream: f.stream, seq: f.seq - n + i, payload: b[4 : 4+size]}
		if !e.kind.numbered() || e.kind == endFrame {
			return fmt.Errorf("earlier word %d in a frame %v is of %v", i+1, f.kind, e.kind)
		}
		if err := e.checkFlags(); err != nil {
			return err
		}
		f.earlier = append(f.earlier, e)
		b = b[4+size:]
	}
	f.payload = b
	return nil
}

// News say how many frames, acks aside, have come by a link. On the wire they
// are its number (4 bytes) and the count (4), which wraps.
type news struct{ link, count uint32 }

const newsSize = 8

func (n news) append(b []byte) []byte {
	return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(b, n.link), n.count)
}

// news returns those of an ack.
func (f *frame) news() iter.Seq[news] {
	return func(yield func(news) bool) {
		for b := range slices.Chunk(f.payload, newsSize) {
			if !yield(news{binary.BigEndian.Uint32(b), binary.BigEndian.Uint32(b[4:])}) {
				return
			}
		}
	}
}
