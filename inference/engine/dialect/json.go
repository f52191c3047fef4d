package dialect

// A jsonScanner checks one JSON value byte by byte, as it comes in. It accepts
// what encoding/json accepts, up to a depth.
type jsonScanner struct {
	state jsonState
	open  []byte // the containers we are in: '{' or '['
	rest  string // of a literal such as true
	hex   int    // digits of a \u escape still to come
}

// deepest is how deep arguments may be nested; encoding/json stops at 10000.
const deepest = 1000

type jsonState uint8

const (
	wantValue     jsonState = iota
	wantFirstItem           // after [: a value or ]
	wantFirstKey            // after {: a key or }
	wantKey                 // after , in an object
	wantColon               // after a key
	wantNext                // after a value in a container: , or the end
	inString                // of a value
	inKey                   // the same, of a key
	escString               // after a backslash in a value
	escKey                  // the same, in a key
	inLiteral               // true, false, null
	afterMinus              // a digit must follow
	afterZero               // . or e may follow
	inInteger               // digits, . or e may follow
	afterPoint              // a digit must follow
	inFraction              // digits or e may follow
	afterE                  // a sign or digit must follow
	afterSign               // a digit must follow
	inExponent              // digits may follow
	valueDone
)

type jsonVerdict uint8

const (
	jsonMore jsonVerdict = iota // the byte belongs to the value, which goes on
	jsonLast                    // the byte is the value's last
	jsonOver                    // the value ended before the byte, a number
	jsonBad                     // the byte cannot be
)

func isSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\r' || c == '\t' }
func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// feed takes the next byte. White space before the value belongs to it.
func (s *jsonScanner) feed(c byte) jsonVerdict {
	switch s.state {
	case inString, inKey:
		switch {
		case c == '"' && s.state == inKey:
			s.state = wantColon
		case c == '"':
			return s.end()
		case c == '\\':
			s.state += escString - inString
		case c < 0x20:
			return jsonBad
		}
		return jsonMore
	case escString, escKey:
		switch {
		case s.hex > 0:
			if !isDigit(c) && (c|0x20 < 'a' || c|0x20 > 'f') {
				return jsonBad
			}
			s.hex--
		case c == 'u':
			s.hex = 4
		case c != '"' && c != '\\' && c != '/' && c != 'b' && c != 'f' && c != 'n' && c != 'r' && c != 't':
			return jsonBad
		}
		if s.hex == 0 {
			s.state -= escString - inString
		}
		return jsonMore
	case inLiteral:
		if c != s.rest[0] {
			return jsonBad
		}
		if s.rest = s.rest[1:]; s.rest == "" {
			return s.end()
		}
		return jsonMore
	case afterMinus, afterZero, inInteger, afterPoint, inFraction, afterE, afterSign, inExponent:
		return s.number(c)
	case valueDone:
		return jsonBad
	}
	if isSpace(c) {
		return jsonMore
	}
	switch s.state {
	case wantFirstKey, wantKey:
		switch {
		case c == '"':
			s.state = inKey
		case c == '}' && s.state == wantFirstKey:
			return s.shut()
		default:
			return jsonBad
		}
		return jsonMore
	case wantColon:
		if c != ':' {
			return jsonBad
		}
		s.state = wantValue
		return jsonMore
	case wantNext:
		in := s.open[len(s.open)-1]
		switch {
		case c == ',' && in == '{':
			s.state = wantKey
		case c == ',':
			s.state = wantValue
		case c == in+2: // } is two after {, and ] two after [
			return s.shut()
		default:
			return jsonBad
		}
		return jsonMore
	case wantFirstItem:
		if c == ']' {
			return s.shut()
		}
	}
	return s.begin(c)
}

// begin takes the first byte of a value.
func (s *jsonScanner) begin(c byte) jsonVerdict {
	switch {
	case (c == '{' || c == '[') && len(s.open) == deepest:
		return jsonBad
	case c == '{':
		s.open, s.state = append(s.open, c), wantFirstKey
	case c == '[':
		s.open, s.state = append(s.open, c), wantFirstItem
	case c == '"':
		s.state = inString
	case c == 't':
		s.state, s.rest = inLiteral, "rue"
	case c == 'f':
		s.state, s.rest = inLiteral, "alse"
	case c == 'n':
		s.state, s.rest = inLiteral, "ull"
	case c == '-':
		s.state = afterMinus
	case c == '0':
		s.state = afterZero
	case isDigit(c):
		s.state = inInteger
	default:
		return jsonBad
	}
	return jsonMore
}

func (s *jsonScanner) number(c byte) jsonVerdict {
	state := s.state
	switch {
	case state == afterMinus && c == '0':
		s.state = afterZero
	case isDigit(c) && (state == afterMinus || state == inInteger):
		s.state = inInteger
	case isDigit(c) && (state == afterPoint || state == inFraction):
		s.state = inFraction
	case isDigit(c) && (state == afterE || state == afterSign || state == inExponent):
		s.state = inExponent
	case c == '.' && (state == afterZero || state == inInteger):
		s.state = afterPoint
	case c|0x20 == 'e' && (state == afterZero || state == inInteger || state == inFraction):
		s.state = afterE
	case (c == '+' || c == '-') && state == afterE:
		s.state = afterSign
	case state == afterMinus || state == afterPoint || state == afterE || state == afterSign:
		return jsonBad
	default: // the number is over, and c belongs to what is around it
		if s.end() == jsonLast {
			return jsonOver
		}
		return s.feed(c)
	}
	return jsonMore
}

// end notes the end of a value.
func (s *jsonScanner) end() jsonVerdict {
	if len(s.open) == 0 {
		s.state = valueDone
		return jsonLast
	}
	s.state = wantNext
	return jsonMore
}

// shut notes the end of a container.
func (s *jsonScanner) shut() jsonVerdict {
	s.open = s.open[:len(s.open)-1]
	return s.end()
}
