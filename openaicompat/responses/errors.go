package responses

import (
	"encoding/json"

	"bendi/chat"
	"bendi/openaicompat/wire"
)

// Codes of what is not there.
const (
	codeNoPrevious     = "previous_response_not_found"
	codeNoResponse     = "response_not_found"
	codeNoConversation = "conversation_not_found"
	codeNoItem         = "item_not_found"
)

// What is not there, or is somebody else's: nobody learns which.

func NoResponse() error {
	return &chat.Error{Kind: chat.NotFound, Code: codeNoResponse, Msg: "You have no such response: it may have expired, or been asked for with \"store\": false."}
}

func noPrevious() error {
	return &chat.Error{Kind: chat.Invalid, Code: codeNoPrevious, Param: "previous_response_id",
		Msg: "You have no such response: it may have expired, or been asked for with \"store\": false. Send the conversation in 'input'."}
}

func NoConversation() error {
	return &chat.Error{Kind: chat.NotFound, Code: codeNoConversation, Param: "conversation", Msg: "You have no such conversation: it may have expired. Begin another by POST /v1/conversations."}
}

func NoItem() error {
	return &chat.Error{Kind: chat.NotFound, Code: codeNoItem, Param: "input", Msg: "You have no such item: its response may have expired, or been asked for with \"store\": false. Send the item itself."}
}

// errorBody is a failure as the events of a stream tell it.
type errorBody struct {
	Type    string  `json:"type"`
	Code    *string `json:"code"`
	Message string  `json:"message"`
	Param   *string `json:"param"`
}

func errorOf(err error, request string) (shown errorBody, raw json.RawMessage) {
	_, text := wire.EncodeError(err, request)
	var answer struct {
		Error json.RawMessage `json:"error"`
	}
	if json.Unmarshal(text, &answer) != nil || json.Unmarshal(answer.Error, &shown) != nil {
		panic("responses: an error that is not JSON") // a fault of ours
	}
	return shown, answer.Error
}
