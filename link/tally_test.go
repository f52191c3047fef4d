package link

import (
	"io"
	"net/http"
	"testing"
)

// A relay counts how the requests of each edge end, the bytes of their bodies,
// and whom it does not let in.
func TestCounts(t *testing.T) {
	l := newLab(t, func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		if r.URL.Path == "/v1/broken" {
			panic(http.ErrAbortHandler)
		}
		io.WriteString(w, "answer")
	})
	l.options.Edges["paris"] = EdgeGrant{Certificate: true}
	l.start()
	e := l.edge(nil)
	if _, text, err := l.ask(e, "/v1/chat", "question"); text != "answer" || err != nil {
		t.Fatalf("the answer is %q, %v", text, err)
	}
	l.ask(e, "/v2/chat", "question") // not granted
	l.ask(e, "/v1/broken", "")
	stranger := l.edge(func(o *EdgeOptions) {
		o.Identity.Key = append([]byte("x"), testKey...)
	})
	waitFor(t, "a link that is refused", func() bool { return stranger.Status()[0].Fault != "" })

	waitFor(t, "the ends of all requests", func() bool {
		b := l.relay.Counts().Edges["berlin"]
		return b.Requests[Answered]+b.Requests[Ungranted]+b.Requests[Failed] == 3
	})
	c := l.relay.Counts()
	b, paris := c.Edges["berlin"], c.Edges["paris"]
	if b.Requests[Answered] != 1 || b.Requests[Ungranted] != 1 || b.Requests[Failed] != 1 || b.Asked != int64(len("question")) || b.Answer != int64(len("answer")) {
		t.Errorf("berlin has %+v", b)
	}
	if c.Refused["identity"] == 0 || len(c.Refused) != 1 {
		t.Errorf("refused were %v", c.Refused)
	}
	if _, ok := c.Edges["paris"]; !ok || len(paris.Requests) != 0 {
		t.Errorf("paris, which has not come, has %+v", paris)
	}
}
