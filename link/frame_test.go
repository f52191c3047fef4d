package link

import (
	"bytes"
	"slices"
	"testing"
)

var sampleFrames = []frame{
	{kind: openFrame, stream: 1, payload: []byte("POST")},
	{kind: headFrame, flags: moreFlag, stream: 1<<64 - 1, seq: 7, ack: 1<<32 - 1, payload: []byte{1, 2}},
	{kind: dataFrame, stream: 2, seq: 1<<32 - 1, payload: bytes.Repeat([]byte{9}, maxPayload)},
	{kind: endFrame, stream: 3, seq: 2},
	{kind: resetFrame, stream: 3, payload: []byte{4}},
	{kind: creditFrame, stream: 3, payload: make([]byte, 8)},
	{kind: endFrame, stream: 3, seq: 1, earlier: []frame{{kind: headFrame, flags: moreFlag, payload: []byte("h")}, {kind: dataFrame, payload: []byte("data")}}},
	{kind: dataFrame, stream: 3, seq: 9, earlier: []frame{{kind: dataFrame}}, payload: []byte("data")},
	{kind: ackFrame, ack: 12},
	{kind: ackFrame, payload: news{7, 1<<32 - 1}.append(news{1, 2}.append(nil))},
	{kind: drainFrame},
	{kind: pingFrame},
	{kind: leaveFrame},
}

func TestFramesAreReadAsTheyWereWritten(t *testing.T) {
	for _, f := range sampleFrames {
		got, err := parseFrame(f.append(nil))
		if err != nil {
			t.Errorf("%v: %v", f.kind, err)
		}
		if !bytes.Equal(got.append(nil), f.append(nil)) {
			t.Errorf("%v: read as %+v", f.kind, got)
		}
	}
}

func TestFramesThatAreRefused(t *testing.T) {
	tests := map[string][]byte{
		"nothing":                   nil,
		"a header cut short":        make([]byte, headerSize-1),
		"too long":                  (&frame{kind: dataFrame, stream: 1, payload: make([]byte, maxPayload+1)}).append(nil),
		"no kind":                   (&frame{stream: 1}).append(nil),
		"an unknown kind":           (&frame{kind: lastKind + 1, stream: 1}).append(nil),
		"data of no stream":         (&frame{kind: dataFrame}).append(nil),
		"a ping of a stream":        (&frame{kind: pingFrame, stream: 1}).append(nil),
		"an end with a payload":     (&frame{kind: endFrame, stream: 1, payload: []byte{1}}).append(nil),
		"a reset without a code":    (&frame{kind: resetFrame, stream: 1}).append(nil),
		"a credit of four bytes":    (&frame{kind: creditFrame, stream: 1, payload: make([]byte, 4)}).append(nil),
		"a credit with a number":    (&frame{kind: creditFrame, stream: 1, seq: 1, payload: make([]byte, 8)}).append(nil),
		"data with more to come":    (&frame{kind: dataFrame, flags: moreFlag, stream: 1}).append(nil),
		"a flag that nobody knows":  (&frame{kind: openFrame, flags: 4, stream: 1}).append(nil),
		"news cut short":            (&frame{kind: ackFrame, payload: make([]byte, newsSize-1)}).append(nil),
		"a reset with words":        (&frame{kind: resetFrame, flags: earlierFlag, stream: 1, payload: []byte{1}}).append(nil),
		"no earlier word":           (&frame{kind: dataFrame, flags: earlierFlag, stream: 1, payload: []byte{0}}).append(nil),
		"too many earlier words":    (&frame{kind: dataFrame, stream: 1, earlier: slices.Repeat([]frame{{kind: dataFrame}}, maxEarlier+1)}).append(nil),
		"an earlier word cut short": (&frame{kind: dataFrame, flags: earlierFlag, stream: 1, payload: []byte{1, byte(dataFrame), 0, 0, 2, 'x'}}).append(nil),
		"an earlier end":            (&frame{kind: dataFrame, stream: 1, earlier: []frame{{kind: endFrame}}}).append(nil),
		"an earlier credit":         (&frame{kind: dataFrame, stream: 1, earlier: []frame{{kind: creditFrame}}}).append(nil),
		"an earlier word with a flag that nobody knows": (&frame{kind: dataFrame, stream: 1, earlier: []frame{{kind: openFrame, flags: 2}}}).append(nil),
	}
	for name, b := range tests {
		if f, err := parseFrame(b); err == nil {
			t.Errorf("%s: read as %+v", name, f)
		}
	}
}

// Whatever is read is what would be written.
func FuzzFrame(f *testing.F) {
	for _, s := range sampleFrames {
		f.Add(s.append(nil))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := parseFrame(b)
		if err == nil && !bytes.Equal(got.append(nil), b) {
			t.Errorf("%x is read as %+v, which is written as %x", b, got, got.append(nil))
		}
	})
}
