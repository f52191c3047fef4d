package faults

import "github.com/goccy/go-yaml/token"

// TooDeep returns where the tokens of a YAML file nest deeper than any file of
// a person does, which would cost the parser memory without bound; nil if
// nowhere.
func TooDeep(tokens token.Tokens) *token.Position {
	const mostBrackets, mostColumns = 32, 256
	brackets := 0
	for _, tk := range tokens {
		switch tk.Type {
		case token.MappingStartType, token.SequenceStartType:
			brackets++
		case token.MappingEndType, token.SequenceEndType:
			brackets = max(0, brackets-1)
		case token.SequenceEntryType, token.MappingKeyType, token.MappingValueType:
			if brackets == 0 && tk.Position.Column > mostColumns {
				return tk.Position
			}
		}
		if brackets > mostBrackets {
			return tk.Position
		}
	}
	return nil
}
