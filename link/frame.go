package link

import (
	"encoding/binary"
	"fmt"
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
	ackFrame                    // carries nothing but the ack
	pingFrame                   // asks for an ack
	leaveFrame                  // this link is about to end: send nothing more on it
	lastKind    = leaveFrame
)

func (k kind) String() string {
	names := [...]string{openFrame: "open", headFrame: "head", dataFrame: "data", endFrame: "end", resetFrame: "reset",
		creditFrame: "credit", ackFrame: "ack", pingFrame: "ping", leaveFrame: "leave"}
	if k == 0 || k > lastKind {
		return fmt.Sprintf("kind %d", uint8(k))
	}
	return names[k]
}

// numbered reports whether frames of this kind are words of a stream.
func (k kind) numbered() bool { return k >= openFrame && k <= endFrame }

// moreFlag says that the next word goes on with this head.
const moreFlag = 1

// A frame is what is sent at once. Its header is, in network order: kind (1
// byte), flags (1), stream (8), seq (4), ack (4).
type frame struct {
	kind    kind
	flags   uint8
	stream  uint64 // 0: none, for what concerns the link
	seq     uint32 // of a word in its direction of its stream
	ack     uint32 // how many frames, acks aside, have come by this link; it wraps
	payload []byte
}

// append writes f to b.
func (f *frame) append(b []byte) []byte {
	b = append(b, byte(f.kind), f.flags)
	b = binary.BigEndian.AppendUint64(b, f.stream)
	b = binary.BigEndian.AppendUint32(b, f.seq)
	b = binary.BigEndian.AppendUint32(b, f.ack)
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
	want := -1 // bytes of payload; -1: any
	switch f.kind {
	case openFrame, headFrame, dataFrame:
	case endFrame, ackFrame, pingFrame, leaveFrame:
		want = 0
	case resetFrame:
		want = 1
	case creditFrame:
		want = 8
	default:
		return f, fmt.Errorf("a frame is of the unknown %v", f.kind)
	}
	link := f.kind == ackFrame || f.kind == pingFrame || f.kind == leaveFrame
	switch {
	case want >= 0 && len(f.payload) != want:
		return f, fmt.Errorf("a frame %v has %d bytes of payload, want %d", f.kind, len(f.payload), want)
	case link != (f.stream == 0):
		return f, fmt.Errorf("a frame %v is of stream %d", f.kind, f.stream)
	case !f.kind.numbered() && f.seq != 0:
		return f, fmt.Errorf("a frame %v has the number %d, and is no word", f.kind, f.seq)
	case f.flags&^moreFlag != 0, f.flags != 0 && f.kind != openFrame && f.kind != headFrame:
		return f, fmt.Errorf("a frame %v has the flags %#x", f.kind, f.flags)
	}
	return f, nil
}
