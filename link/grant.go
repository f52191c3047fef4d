package link

import (
	"fmt"
	"maps"
	"net/http"
	"net/textproto"
	"net/url"
	"slices"
	"strings"

	"bendi/internal/upstream"
)

// An Upstream is a server that a relay asks.
type Upstream struct {
	URL     *url.URL          // what is below it may be asked for
	Headers map[string]string // set at the relay, whatever the edge says; a key stays there
	Pass    []string          // names of headers that edges may set besides the usual ones
	Client  http.RoundTripper // nil: the relay's own
}

// usualHeaders are those that an edge may set. All others are refused, so that
// none of them says to the upstream who somebody is.
var usualHeaders = []string{
	"Accept", "Accept-Language", "Authorization", "Content-Type", "Idempotency-Key", "User-Agent", "X-Request-Id",
	"Api-Key", "X-Api-Key", "Anthropic-Version", "Anthropic-Beta", "Openai-Organization", "Openai-Project",
}

// HeaderEdge says to the upstream which edge asks.
const HeaderEdge = "X-Bendi-Edge"

// check returns an error where u is no base of what may be asked for.
func (u Upstream) check(name string) error {
	b := u.URL
	if b == nil || b.Scheme != "http" && b.Scheme != "https" || b.Host == "" || b.User != nil || b.RawQuery != "" || b.Fragment != "" || !plainPath(b) {
		return fmt.Errorf("upstream %s: its URL must be http or https with a host and a path, such as https://llm.example/v1, without user, query and fragment", name)
	}
	return nil
}

// plainPath reports whether the path of u means the same to everybody.
func plainPath(u *url.URL) bool {
	path := u.EscapedPath()
	return !strings.ContainsAny(path, "\\;%") && !strings.Contains(path, "//") && !slices.Contains(strings.Split(path, "/"), "..") && !slices.Contains(strings.Split(path, "/"), ".")
}

// below reports whether u is below base: the same server, and a path that goes
// on at a slash.
func below(base, u *url.URL) bool {
	if base.Scheme != u.Scheme || !strings.EqualFold(hostOf(base), hostOf(u)) {
		return false
	}
	prefix := strings.TrimSuffix(base.Path, "/")
	return u.Path == prefix || strings.HasPrefix(u.Path, prefix+"/")
}

func hostOf(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return u.Hostname() + ":" + port
}

// A refusal is what the relay says to an edge that asks for what it may not.
type refusal string

func (r refusal) Error() string { return string(r) }

// grant returns the request that an edge may make, as the relay makes it.
func (r *Relay) grant(name string, h requestHead) (*http.Request, http.RoundTripper, error) {
	u, err := url.Parse(h.url)
	if err != nil || u.User != nil || u.Fragment != "" || !plainPath(u) {
		return nil, nil, refusal("the URL that was asked for is not plain")
	}
	var up Upstream
	for _, granted := range r.edges[name].Upstreams {
		if o := r.o.Upstreams[granted]; below(o.URL, u) && (up.URL == nil || len(o.URL.Path) > len(up.URL.Path)) {
			up = o
		}
	}
	if up.URL == nil {
		return nil, nil, refusal(fmt.Sprintf("the edge %s is not granted %s://%s; the relay's settings say what is", name, u.Scheme, u.Host))
	}
	switch h.method {
	case http.MethodGet, http.MethodPost, http.MethodHead, http.MethodDelete:
	default:
		return nil, nil, refusal(fmt.Sprintf("requests of the method %.20s do not go over a link", h.method))
	}
	if h.length > r.o.MaxBody {
		return nil, nil, refusal(fmt.Sprintf("the body has %d bytes, at most %d go through this relay", h.length, r.o.MaxBody))
	}
	req := &http.Request{Method: h.method, URL: u, Host: up.URL.Host, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: make(http.Header)}
	for _, field := range slices.Sorted(maps.Keys(h.header)) {
		values := h.header[field]
		if !slices.Contains(usualHeaders, field) && !slices.Contains(up.Pass, field) {
			return nil, nil, refusal(fmt.Sprintf("the header %.40s is not granted; pass_headers of the relay's upstream says which are, besides the usual ones", field))
		}
		if len(values) != 1 {
			return nil, nil, refusal(fmt.Sprintf("the header %.40s comes %d times", field, len(values)))
		}
		req.Header[field] = values
	}
	for field, value := range up.Headers {
		req.Header.Set(field, value)
	}
	req.Header.Set(HeaderEdge, name)
	if req.Header.Get("User-Agent") == "" {
		req.Header["User-Agent"] = nil
	}
	client := up.Client
	if client == nil {
		client = r.o.Client
	}
	return req, client, nil
}

// passable returns the names of headers in their usual form, or an error where
// one cannot be passed on.
func passable(names []string) ([]string, error) {
	var out []string
	for _, n := range names {
		c := textproto.CanonicalMIMEHeaderKey(n)
		if !upstream.IsToken(n) || strings.Contains(n, "_") || c == HeaderEdge || slices.Contains(hopByHop, c) {
			return nil, fmt.Errorf("the header %.40q cannot be passed on", n)
		}
		out = append(out, c)
	}
	return out, nil
}

// hopByHop are the headers of a connection, which no stream has.
var hopByHop = []string{"Connection", "Content-Length", "Host", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization",
	"Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade", "Expect"}
