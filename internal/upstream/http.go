package upstream

import (
	"errors"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync/atomic"
)

// Do has a client make a request. Connected reports whether there was a
// connection for it: without one the server has not heard of it. The error is
// without the URL, which says nothing that the backend's name does not.
func Do(client *http.Client, req *http.Request) (res *http.Response, connected bool, err error) {
	var there atomic.Bool
	req = req.WithContext(httptrace.WithClientTrace(req.Context(), &httptrace.ClientTrace{
		GetConn: func(string) { there.Store(false) },
		GotConn: func(httptrace.GotConnInfo) { there.Store(true) },
	}))
	res, err = client.Do(req)
	if e, ok := errors.AsType[*url.Error](err); ok {
		err = e.Err
	}
	return res, there.Load(), err
}

// IsToken reports whether a method or a name of a header is one.
func IsToken(s string) bool {
	return s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-.^_`|~") == ""
}

// IsLine reports whether a value of a header is one line.
func IsLine(value string) bool {
	return !strings.ContainsFunc(value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f })
}
