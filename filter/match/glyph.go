package match

import "bendi/filter/fold"

// A glyph is a symbol of a pattern, with what is known of it beside its rune.
type glyph struct {
	r      rune
	kind   fold.Kind
	script uint8
	gap    bool // a gap before it was passed over
}

// A shape is what a text that reads like a pattern has to be like beside.
type shape struct{}

func shapeOf(p Profile, glyphs []glyph) shape { return shape{} }
