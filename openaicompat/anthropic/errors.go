package anthropic

import (
	"encoding/json"
	"errors"
	"strconv"

	"bendi/chat"
	"bendi/openaicompat/wire"
)

// EncodeError returns the HTTP status and the body that tell a client of err,
// the failure of the request with that id. The type is this protocol's for the
// status; what else is known of the failure stands beside it, as in the other
// protocol.
func EncodeError(err error, request string) (status int, body []byte) {
	status, text := wire.EncodeError(inOurWords(err), request)
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
	return status, wire.Marshal(struct {
		Type    string                     `json:"type"`
		Error   map[string]json.RawMessage `json:"error"`
		Request string                     `json:"request_id,omitempty"`
	}{"error", e, request})
}

// inOurWords returns err without the name of a field that this protocol does not
// have: that the answer goes on with the last message is said by the messages.
func inOurWords(err error) error {
	e, ok := errors.AsType[*chat.Error](err)
	if !ok || e.Param != "continue_final_message" || e.Code != chat.CodeUnsupported {
		return err
	}
	own := *e
	own.Param = "messages"
	own.Msg = "The last of 'messages' is the assistant's, so that the answer would go on with its text, and this model does that with plain text alone: end with a turn of the user, or leave out 'tools' and 'output_config'."
	return &own
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
