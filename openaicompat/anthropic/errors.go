package anthropic

import (
	"encoding/json"
	"strconv"

	"bendi/openaicompat/wire"
)

// EncodeError returns the HTTP status and the body that tell a client of err,
// the failure of the request with that id. The type is this protocol's for the
// status; what else is known of the failure stands beside it, as in the other
// protocol.
func EncodeError(err error, request string) (status int, body []byte) {
	status, text := wire.EncodeError(err, request)
	var other struct {
		Error map[string]json.RawMessage `json:"error"`
	}
	if err := json.Unmarshal(text, &other); err != nil {
		panic(err) // a fault of ours
	}
	e := other.Error
	e["type"] = json.RawMessage(strconv.Quote(typeOf(status)))
	for _, key := range []string{"param", "code"} {
		if string(e[key]) == "null" {
			delete(e, key)
		}
	}
	return status, marshal(struct {
		Type    string                     `json:"type"`
		Error   map[string]json.RawMessage `json:"error"`
		Request string                     `json:"request_id,omitempty"`
	}{"error", e, request})
}

// ErrorFrame returns the frame that ends a stream which failed.
func ErrorFrame(err error, request string) []byte {
	_, body := EncodeError(err, request)
	return append(append([]byte("event: error\ndata: "), body...), "\n\n"...)
}

func typeOf(status int) string {
	switch status {
	case 401:
		return "authentication_error"
	case 403:
		return "permission_error"
	case 404:
		return "not_found_error"
	case 413:
		return "request_too_large"
	case 429:
		return "rate_limit_error"
	case 503:
		return "overloaded_error"
	case 504:
		return "timeout_error"
	}
	if status >= 500 {
		return "api_error"
	}
	return "invalid_request_error"
}
