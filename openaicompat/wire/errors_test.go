package wire

import (
	"errors"
	"fmt"
	"testing"

	"bendi/chat"
)

func TestEncodeError(t *testing.T) {
	cause := errors.New("dial unix /run/secret.sock")
	tests := []struct {
		err    error
		status int
		body   string
	}{
		{cause, 500, `{"error":{"message":"internal error","type":"server_error","param":null,"code":null}}`},
		{&chat.Error{Err: cause}, 500, `{"error":{"message":"internal error","type":"server_error","param":null,"code":null}}`},
		{&chat.Error{Kind: chat.Unavailable, Err: cause}, 503, `{"error":{"message":"The model cannot answer now; try again later.","type":"unavailable_error","param":null,"code":null}}`},
		{chat.Unsupported("audio", "no <audio>"), 400, `{"error":{"message":"no <audio>","type":"invalid_request_error","param":"audio","code":"unsupported_parameter"}}`},
		{fmt.Errorf("route: %w", &chat.Error{Kind: chat.NotFound, Code: chat.CodeModelNotFound, Param: "model", Msg: "no"}), 404,
			`{"error":{"message":"no","type":"invalid_request_error","param":"model","code":"model_not_found"}}`},
		{&chat.Error{Kind: 200, Msg: "from the future"}, 500, `{"error":{"message":"internal error","type":"server_error","param":null,"code":null}}`},
	}
	for _, tt := range tests {
		status, body := EncodeError(tt.err, "req_1")
		if status != tt.status || string(body) != tt.body {
			t.Errorf("%v\n got %d %s\nwant %d %s", tt.err, status, body, tt.status, tt.body)
		}
	}
}

// An error that crosses the wire keeps its kind, code, param and message; and
// its kind as well within a stream, where no status goes with it, but for
// those kinds that share a type.
func TestErrorRoundTrip(t *testing.T) {
	for kind := chat.Internal; kind <= chat.Timeout; kind++ {
		want := &chat.Error{Kind: kind, Code: "c", Param: "p", Msg: "m"}
		status, body := EncodeError(want, "req_1")
		if got := DecodeError(status, body); *got != *want {
			t.Errorf("%v: got %+v, want %+v", kind, got, want)
		}
		if kind == chat.NotFound || kind == chat.TooLarge {
			want.Kind = chat.Invalid
		}
		if got := DecodeError(0, body); *got != *want {
			t.Errorf("%v in a stream: got %+v, want %+v", kind, got, want)
		}
	}
	_, body := EncodeError(&chat.Error{Kind: chat.NotFound, Code: chat.CodeModelNotFound}, "")
	if got := DecodeError(0, body); got.Kind != chat.NotFound {
		t.Errorf("model_not_found in a stream: got %v", got.Kind)
	}
}

// What other servers say.
func TestDecodeError(t *testing.T) {
	tests := []struct {
		status int
		body   string
		want   chat.Error
	}{
		{404, `{"error":{"message":"no","type":"not_found_error","param":null,"code":404}}`, chat.Error{Kind: chat.NotFound, Msg: "no"}},
		{0, `{"error":{"message":"no","code":429}}`, chat.Error{Kind: chat.RateLimited, Msg: "no"}},
		{0, `{"error":{"message":"slow down","type":"tokens","code":"rate_limit_exceeded"}}`, chat.Error{Kind: chat.RateLimited, Code: "rate_limit_exceeded", Msg: "slow down"}},
		{400, `{"error":"model is required"}`, chat.Error{Kind: chat.Invalid, Msg: "model is required"}},
		{422, `{"detail":"bad"}`, chat.Error{Kind: chat.Invalid, Msg: "bad"}},
		{400, `{"object":"error","message":"too long","type":"BadRequestError","code":400}`, chat.Error{Kind: chat.Invalid, Msg: "too long"}},
		{400, `{"error":{"code":400,"message":"too long","type":"exceed_context_size_error","n_prompt_tokens":9,"n_ctx":8}}`, chat.Error{Kind: chat.Invalid, Code: chat.CodeContextLength, Msg: "too long"}},
		{429, ``, chat.Error{Kind: chat.RateLimited, Msg: "The backend reported an error with status 429 and a body of 0 bytes that is not an error of this protocol."}},
		{502, `<html><h1>秘密</h1></html>`, chat.Error{Kind: chat.BadBackend, Msg: "The backend reported an error with status 502 and a body of 28 bytes that is not an error of this protocol."}},
		{529, `{"error":{"message":"overloaded"}}`, chat.Error{Kind: chat.BadBackend, Msg: "overloaded"}},
		{408, `{"error":null}`, chat.Error{Kind: chat.Timeout, Msg: "The backend reported an error with status 408 and a body of 14 bytes that is not an error of this protocol."}},
	}
	for _, tt := range tests {
		if got := DecodeError(tt.status, []byte(tt.body)); *got != tt.want {
			t.Errorf("%d %s\n got %+v\nwant %+v", tt.status, tt.body, *got, tt.want)
		}
	}
}
