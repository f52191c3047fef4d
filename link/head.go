package link

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/textproto"
	"slices"

	"bendi/internal/upstream"
)

// Heads are made of fields, each with its length before it, so that nothing in
// one can be taken for the next.

// headVersion is the first byte of a head.
const headVersion = 1

const (
	maxFields = 256 // lines of a header
	zstdBody  = 1   // flag of a request: its body is compressed
	wholeBody = 2   // all of its body is in the head
)

// A requestHead is what a stream opens with.
type requestHead struct {
	method, url string
	zstd        bool
	length      int64 // bytes of the body, before it was compressed; -1: not known
	whole       bool  // body is all of it; the stream brings none
	body        string
	header      http.Header
}

// A responseHead is what the relay answers with. Where it could not ask, it has
// no status and says why.
type responseHead struct {
	status int
	fault  string
	length int64 // -1: not known
	header http.Header
}

func (h *requestHead) append(b []byte) []byte {
	flags := byte(0)
	if h.zstd {
		flags = zstdBody
	}
	b = append(b, headVersion, flags)
	b = appendField(appendField(b, h.method), h.url)
	b = binary.AppendVarint(b, h.length)
	if h.whole {
		b[1] |= wholeBody
		b = appendField(b, h.body)
	}
	return appendHeader(b, h.header)
}

func (h *responseHead) append(b []byte) []byte {
	b = binary.AppendUvarint(append(b, headVersion), uint64(h.status))
	b = appendField(b, h.fault)
	b = binary.AppendVarint(b, h.length)
	return appendHeader(b, h.header)
}

func appendField(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func appendHeader(b []byte, h http.Header) []byte {
	n := 0
	for _, values := range h {
		n += len(values)
	}
	b = binary.AppendUvarint(b, uint64(n))
	for _, name := range slices.Sorted(maps.Keys(h)) {
		for _, value := range h[name] {
			b = appendField(appendField(b, name), value)
		}
	}
	return b
}

func parseRequestHead(b []byte) (h requestHead, err error) {
	r := fields{b: b}
	version, flags := r.byte(), r.byte()
	h = requestHead{method: r.field(), url: r.field(), length: r.signed(), zstd: flags&zstdBody != 0}
	if h.whole = flags&wholeBody != 0; h.whole {
		h.body = r.field()
	}
	h.header = r.header()
	switch {
	case r.bad || version != headVersion || flags&^(zstdBody|wholeBody) != 0 || h.length < -1:
		return h, errHead
	case !upstream.IsToken(h.method):
		return h, errors.New("the method of a request has characters that it cannot have")
	}
	return h, r.fault
}

func parseResponseHead(b []byte) (h responseHead, err error) {
	r := fields{b: b}
	version := r.byte()
	status := r.number()
	h = responseHead{status: int(min(status, 1000)), fault: r.field(), length: r.signed()}
	h.header = r.header()
	if r.bad || version != headVersion || h.length < -1 || h.status != 0 && (h.status < 200 || h.status > 599) {
		return h, errHead
	}
	return h, r.fault
}

var errHead = errors.New("the head of a message of the link is not one; are both ends of the same version?")

// fields reads the fields of a head. Once something is wrong, it stays so.
type fields struct {
	b     []byte
	bad   bool
	fault error // of the header
}

func (r *fields) byte() byte {
	if r.bad = r.bad || len(r.b) == 0; r.bad {
		return 0
	}
	c := r.b[0]
	r.b = r.b[1:]
	return c
}

func (r *fields) number() uint64 {
	v, n := binary.Uvarint(r.b)
	if r.bad = r.bad || n <= 0; r.bad {
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *fields) signed() int64 {
	v, n := binary.Varint(r.b)
	if r.bad = r.bad || n <= 0; r.bad {
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *fields) field() string {
	n := r.number()
	if r.bad = r.bad || n > uint64(len(r.b)); r.bad {
		return ""
	}
	s := string(r.b[:n])
	r.b = r.b[n:]
	return s
}

// header reads the lines of a header, which is the last of a head.
func (r *fields) header() http.Header {
	n := r.number()
	if r.bad = r.bad || n > maxFields; r.bad {
		return nil
	}
	h := make(http.Header, n)
	for range n {
		name, value := r.field(), r.field()
		if r.bad {
			return nil
		}
		if !upstream.IsToken(name) || textproto.CanonicalMIMEHeaderKey(name) != name {
			r.fault = fmt.Errorf("the name of a header is not in its usual form (%.40q)", name)
		}
		if !upstream.IsLine(value) {
			r.fault = fmt.Errorf("the value of the header %.40s has a control character in it", name)
		}
		h[name] = append(h[name], value)
	}
	r.bad = len(r.b) > 0
	return h
}
