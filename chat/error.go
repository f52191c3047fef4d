package chat

import (
	"fmt"
	"time"
)

// A Kind is the class of a failure. The edge turns it into an HTTP status;
// nothing else does.
type Kind uint8

const (
	Internal        Kind = iota // a fault of ours; the client learns no details
	Invalid                     // the request makes no sense or asks for what is not supported
	Unauthenticated             // no valid key
	Forbidden                   // a valid key, but not for this
	NotFound                    // no such model or path
	Conflict                    // the state does not allow it now
	TooLarge                    // the body is over a limit
	RateLimited                 // the caller asked too much of us
	Unavailable                 // we cannot serve it now; another time or place may
	BadBackend                  // a backend answered nonsense or broke off
	Timeout                     // a backend took too long
)

var kindNames = [...]string{
	Internal: "internal", Invalid: "invalid", Unauthenticated: "unauthenticated",
	Forbidden: "forbidden", NotFound: "not found", Conflict: "conflict",
	TooLarge: "too large", RateLimited: "rate limited", Unavailable: "unavailable",
	BadBackend: "bad backend", Timeout: "timeout",
}

func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return fmt.Sprintf("kind %d", uint8(k))
}

// An Error is a failure that someone outside the program may be told about.
// Any other error that reaches the edge is shown as a bare internal error.
type Error struct {
	Kind       Kind
	Code       string        // for programs, such as "model_not_found"; may be empty
	Param      string        // request field at fault, such as "messages[2].role"
	Msg        string        // safe to send to the client: what happened and what to do next
	RetryAfter time.Duration // when to try again; 0: not said
	Filtered   *Filtered     // what the filter found, where it is the filter that says no
	Err        error         // the cause, for the log alone; may be nil
}

// Codes that clients act on.
const (
	CodeContentFilter = "content_filter"
	CodeContextLength = "context_length_exceeded"
	CodeModelNotFound = "model_not_found"
	CodeUnsupported   = "unsupported_parameter"
	CodeInvalidValue  = "invalid_value"
	CodeShuttingDown  = "shutting_down"
	CodeEngineFailed  = "engine_failed"
)

// Errorf returns an error of the given kind whose message is formatted.
func Errorf(kind Kind, format string, args ...any) *Error {
	return &Error{Kind: kind, Msg: fmt.Sprintf(format, args...)}
}

// BadParam reports that a request field holds a value that cannot be.
func BadParam(param, format string, args ...any) *Error {
	return &Error{Kind: Invalid, Code: CodeInvalidValue, Param: param, Msg: fmt.Sprintf(format, args...)}
}

// Unsupported reports that a request field asks for something that its model
// cannot do, and that would change the answer if it were ignored.
func Unsupported(param, format string, args ...any) *Error {
	return &Error{Kind: Invalid, Code: CodeUnsupported, Param: param, Msg: fmt.Sprintf(format, args...)}
}

// Error returns the message and the cause. It is for the log: a client is
// shown Msg alone.
func (e *Error) Error() string {
	msg := e.Msg
	if msg == "" {
		msg = e.Kind.String() + " error"
	}
	if e.Param != "" {
		msg = e.Param + ": " + msg
	}
	if e.Err != nil {
		msg += ": " + e.Err.Error()
	}
	return msg
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }
