package wire

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"bendi/chat"
)

// classes says how each kind of failure looks on the wire: its HTTP status,
// its type, and the message of an error that has none.
var classes = [...]struct {
	status int
	typ    string
	msg    string
}{
	chat.Internal:        {500, "server_error", "internal error"},
	chat.Invalid:         {400, "invalid_request_error", "The request is invalid."},
	chat.Unauthenticated: {401, "authentication_error", "No valid key was given."},
	chat.Forbidden:       {403, "permission_error", "The key does not allow this."},
	chat.NotFound:        {404, "invalid_request_error", "There is no such thing here."},
	chat.Conflict:        {409, "conflict_error", "This cannot be done now."},
	chat.TooLarge:        {413, "invalid_request_error", "The request is too large."},
	chat.RateLimited:     {429, "rate_limit_error", "Too many requests; try again later."},
	chat.Unavailable:     {503, "unavailable_error", "The model cannot answer now; try again later."},
	chat.BadBackend:      {502, "backend_error", "The backend did not give a whole answer."},
	chat.Timeout:         {504, "timeout_error", "The backend took too long."},
}

type errorBody struct {
	Message string  `json:"message"`
	Type    string  `json:"type"`
	Param   *string `json:"param"`
	Code    *string `json:"code"`

	Inner *innerError `json:"innererror,omitempty"`
}

// An innerError tells why the filter said no: rules, never words.
type innerError struct {
	Code       string   `json:"code"` // policyBlock
	Rules      []string `json:"rule_ids"`
	Categories []string `json:"categories"`
	Level      int      `json:"level"`
	Request    string   `json:"request_id,omitempty"`
}

const policyBlock = "policy_block"

// EncodeError returns the HTTP status and the body that tell a client of err,
// the failure of the request with that id. It is the one place that knows how an error looks: an error that is not, and
// does not wrap, a *chat.Error is a bare internal error, and causes are never
// shown.
func EncodeError(err error, request string) (status int, body []byte) {
	e, ok := errors.AsType[*chat.Error](err)
	if !ok || int(e.Kind) >= len(classes) {
		e = &chat.Error{Kind: chat.Internal}
	}
	class := classes[e.Kind]
	shown := errorBody{Message: e.Msg, Type: class.typ}
	if shown.Message == "" {
		shown.Message = class.msg
	}
	if e.Param != "" {
		shown.Param = &e.Param
	}
	if e.Code != "" {
		shown.Code = &e.Code
	}
	if f := e.Filtered; f != nil {
		shown.Inner = &innerError{policyBlock, list(f.Rules), list(f.Categories), f.Level, request}
	}
	body, _ = marshal(struct { // strings always marshal
		Error errorBody `json:"error"`
	}{shown})
	return class.status, body
}

// DecodeError returns the failure that a server reported with an HTTP status
// and a body, or within a stream, where there is no status and it is 0. It
// knows the shapes that servers of this protocol use; of any other body it
// says the length alone.
func DecodeError(status int, body []byte) *chat.Error {
	e := &chat.Error{}
	var answer struct {
		Error   json.RawMessage `json:"error"`
		Message string          `json:"message"` // of servers that do not wrap it
		Detail  string          `json:"detail"`  // likewise
	}
	var shown struct {
		Message string          `json:"message"`
		Type    string          `json:"type"`
		Param   any             `json:"param"`
		Code    json.RawMessage `json:"code"`
		Inner   *innerError     `json:"innererror"`
	}
	if json.Unmarshal(body, &answer) == nil {
		if json.Unmarshal(answer.Error, &e.Msg) != nil && json.Unmarshal(answer.Error, &shown) == nil {
			e.Msg = shown.Message
			e.Param, _ = shown.Param.(string)
		}
		if e.Msg == "" {
			e.Msg = answer.Message
		}
		if e.Msg == "" {
			e.Msg = answer.Detail
		}
	}
	var number int // some servers repeat the status as the code
	if json.Unmarshal(shown.Code, &e.Code) != nil {
		json.Unmarshal(shown.Code, &number)
	}
	if e.Code == "" && shown.Type == "exceed_context_size_error" { // llama-server's name for it
		e.Code = chat.CodeContextLength
	}
	if status == 0 {
		status = number
	}
	e.Kind = kindOf(status, shown.Type, e.Code)
	if in := shown.Inner; in != nil && in.Code == policyBlock {
		e.Filtered = &chat.Filtered{Action: blocked, Rules: in.Rules, Categories: in.Categories, Level: in.Level}
	}
	if e.Msg == "" {
		e.Msg = fmt.Sprintf("The backend reported an error with status %d and a body of %d bytes that is not an error of this protocol.", status, len(body))
	}
	return e
}

// kindOf finds the kind of a failure by its status, or else by its type and
// code.
func kindOf(status int, typ, code string) chat.Kind {
	for kind, class := range classes {
		if class.status == status {
			return chat.Kind(kind)
		}
	}
	switch {
	case status == 408:
		return chat.Timeout
	case status >= 400 && status < 500:
		return chat.Invalid
	case status >= 500:
		return chat.BadBackend
	case code == chat.CodeModelNotFound || typ == "not_found_error":
		return chat.NotFound
	case strings.HasPrefix(code, "rate_limit"):
		return chat.RateLimited
	}
	for kind, class := range classes {
		if class.typ == typ {
			return chat.Kind(kind)
		}
	}
	return chat.BadBackend
}
