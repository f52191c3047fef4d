package link

import (
	"bytes"
	"net/http"
	"reflect"
	"testing"
)

var sampleHeads = []requestHead{
	{method: "POST", url: "https://llm.example/v1/chat/completions", length: 12, header: http.Header{"Accept": {"text/event-stream"}, "X-Request-Id": {"a"}}},
	{method: "GET", url: "http://llm.example/v1/models", header: http.Header{}},
	{method: "POST", url: "https://llm.example/", length: 2, whole: true, body: "{}", header: http.Header{}},
	{method: "POST", url: "https://llm.example/", zstd: true, length: -1, header: http.Header{"Accept": {"a", "b"}}},
}

// A head that is read is the one that was written, and nothing else is read as
// one.
func FuzzHeads(f *testing.F) {
	for _, h := range sampleHeads {
		f.Add(h.append(nil))
	}
	f.Add((&responseHead{status: 200, length: -1, header: http.Header{"Content-Type": {"text/event-stream"}}}).append(nil))
	f.Add((&responseHead{fault: "no"}).append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		if h, err := parseRequestHead(b); err == nil {
			again, err := parseRequestHead(h.append(nil))
			if err != nil || !reflect.DeepEqual(h, again) {
				t.Errorf("%x is read as %+v, and that as %+v, %v", b, h, again, err)
			}
		}
		if h, err := parseResponseHead(b); err == nil {
			again, err := parseResponseHead(h.append(nil))
			if err != nil || !reflect.DeepEqual(h, again) {
				t.Errorf("%x is read as %+v, and that as %+v, %v", b, h, again, err)
			}
		}
	})
}

func TestHeadsThatAreRefused(t *testing.T) {
	good := sampleHeads[0].append(nil)
	for n := range good {
		if h, err := parseRequestHead(good[:n]); err == nil {
			t.Errorf("cut after %d bytes: read as %+v", n, h)
		}
	}
	for name, b := range map[string][]byte{
		"more after the end": append(bytes.Clone(good), 0),
		"another version":    append([]byte{headVersion + 1}, good[1:]...),
		"a huge field":       {headVersion, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
		"many lines":         {headVersion, 0, 1, 'G', 0, 0, 0xff, 0xff, 3},
	} {
		if h, err := parseRequestHead(b); err == nil {
			t.Errorf("%s: read as %+v", name, h)
		}
	}
}
