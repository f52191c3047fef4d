package wire

import "bendi/openaicompat/body"

// A decoder knows the fields of this protocol.
type decoder struct{ *body.Decoder }

type (
	value  = body.Value
	object = body.Object
)

// decode takes a body apart with take, and returns the first fault.
func decode(text []byte, like string, take func(*decoder, object)) error {
	_, err := body.Decode(text, like, func(d *body.Decoder, o object) struct{} {
		take(&decoder{d}, o)
		return struct{}{}
	})
	return err
}
