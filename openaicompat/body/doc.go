// Package body takes the JSON body of a request apart, field by field, and says
// of what is wrong with it where that is.
//
// A body is checked before it is decoded: what gets through is valid UTF-8
// without lone surrogates, nested at most [MaxDepth] deep, and no text in it
// that reaches a model holds a NUL. Every fault is named by the path of its
// field, such as messages[2].content[0].text, and by types, lengths and
// numbers; what the user wrote is never quoted.
//
// Which fields there are, and what they mean, is the protocols' business:
// packages wire, anthropic and responses.
package body
