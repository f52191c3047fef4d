package openaicompat

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"github.com/gin-gonic/gin"

	"bendi/chat"
)

// An Action is something that whoever runs the server may have done. It is
// given the body of the request, or of a GET the query as a JSON object, and
// returns what is told as JSON, or a [Page].
type Action struct {
	Method, Path string
	Do           func(ctx context.Context, body []byte) (any, error)
}

// act serves an action to those who may.
func (s *server) act(a Action) handler {
	return func(c *gin.Context, x *exchange) error {
		x.operation = strings.TrimPrefix(a.Path, "/")
		if err := s.mayAct(c.Request, x); err != nil {
			return err
		}
		body, err := s.body(c)
		if err != nil {
			return err
		}
		if a.Method == http.MethodGet && len(body) == 0 {
			body = queryOf(c.Request.URL.Query())
		}
		out, err := a.Do(c.Request.Context(), body)
		if err != nil {
			return err
		}
		if p, ok := out.(Page); ok {
			c.Header("Content-Type", p.Type)
			c.Status(http.StatusOK)
			return s.write(c, p.Body)
		}
		text, err := json.Marshal(out)
		if err != nil {
			return err
		}
		return s.json(c, http.StatusOK, text)
	}
}

// A Page is what an action tells that is no JSON.
type Page struct {
	Type string // of its content
	Body []byte
}

// queryOf returns a query as a JSON object of texts. Of a name that is there
// more than once, the first counts.
func queryOf(q url.Values) []byte {
	first := make(map[string]string)
	for name, values := range q {
		first[name] = values[0]
	}
	text, _ := json.Marshal(first) // texts always can be
	return text
}

// mayAct returns why a request may not change anything. With keys it takes one
// that may; without, whoever is on this machine may. A web page in a browser
// here is not: it could make the browser ask, so what a page sends is refused,
// and so is a name that somebody has made to mean this machine.
func (s *server) mayAct(r *http.Request, x *exchange) error {
	if s.Inside {
		return nil
	}
	if s.locked() {
		if !x.who.Admin {
			return chat.Errorf(chat.Forbidden, "This key may not do this; the operator can make one that may, with bendi key create --admin or admin: true under access.keys.")
		}
		return nil
	}
	if r.Header.Get("Origin") != "" || r.Header.Get("Sec-Fetch-Site") != "" || !isLocal(r.Host) {
		return chat.Errorf(chat.Forbidden, "Without API keys this is for programs on this machine alone, which ask 127.0.0.1 or localhost, and not for web pages.")
	}
	if media, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); r.Method == http.MethodPost && media != "application/json" { // of the others, a browser asks first whether it may
		return chat.Errorf(chat.Invalid, "The Content-Type must be application/json.")
	}
	return nil
}

// isLocal reports whether a Host header names this machine to itself.
func isLocal(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	addr, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return strings.EqualFold(host, "localhost") || err == nil && addr.Unmap().IsLoopback()
}

// DecodeAction reads the body of an action strictly: of a field that it does not
// know, such as a misspelt limit of a new key, nobody would notice that it counts
// for nothing.
func DecodeAction[T any](body []byte) (*T, error) {
	in := new(T)
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	err := d.Decode(in)
	if err == nil {
		if _, err = d.Token(); err == io.EOF {
			if err = unambiguous(json.NewDecoder(bytes.NewReader(body)), true); err == nil {
				return in, nil
			}
		} else {
			err = errors.New("something follows it")
		}
	}
	return nil, &chat.Error{Kind: chat.Invalid, Code: chat.CodeInvalidValue, Msg: "The body is not the JSON object that this takes: " + wrongWith(err) + ".", Err: err}
}

var errTwice = errors.New("a name is there twice")

// unambiguous returns why a value may be read in two ways: encoding/json takes the
// last of a name that is there twice, and for names of ours, those at the top, it
// does not look at the case.
func unambiguous(d *json.Decoder, top bool) error {
	t, err := d.Token()
	if err != nil || t != json.Delim('{') && t != json.Delim('[') {
		return err
	}
	seen := make(map[string]bool)
	for d.More() {
		if t == json.Delim('{') {
			name, err := d.Token()
			if err != nil {
				return err
			}
			text, _ := name.(string)
			if top {
				text = strings.ToLower(strings.ToUpper(text)) // so that ſ is an s, as to encoding/json
			}
			if seen[text] {
				return errTwice
			}
			seen[text] = true
		}
		if err := unambiguous(d, false); err != nil {
			return err
		}
	}
	_, err = d.Token()
	return err
}

// wrongWith says what is wrong with a body, and nothing that is in its values.
func wrongWith(err error) string {
	if t, ok := errors.AsType[*json.UnmarshalTypeError](err); ok && t.Field != "" {
		return fmt.Sprintf("%q cannot be a %s", t.Field, t.Value)
	}
	if name, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok && len(name) <= 64 {
		return "it has the unknown field " + name
	}
	if errors.Is(err, errTwice) {
		return err.Error()
	}
	return "it is no JSON that fits"
}
