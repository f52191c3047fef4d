package filter

import (
	"strings"

	"bendi/chat"
)

// A restorer puts values back in one text of an answer, as it streams by. It
// holds back no more than what may be the beginning of a token that was issued
// for this request; any other that looks like one passes as it stands.
type restorer struct {
	*issued
	json bool   // the text is JSON, in whose strings the tokens are
	held []byte // the end of the text, which may be the beginning of a token
	key  []byte // the same in lower case, where any case will do
}

// write takes the next piece and returns what is to go out, and where in it the
// values lie that were put back.
func (r *restorer) write(piece string, last bool) (out string, back []chat.Stretch) {
	if len(r.held) == 0 && strings.IndexByte(piece, '[') < 0 {
		return piece, nil
	}
	var b strings.Builder
	for i := 0; i < len(piece); i++ {
		if len(r.held) == 0 {
			n := strings.IndexByte(piece[i:], '[')
			if n < 0 {
				b.WriteString(piece[i:])
				break
			}
			b.WriteString(piece[i : i+n])
			i += n
		}
		c := piece[i]
		r.held = append(r.held, c)
		if r.fold && 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		r.key = append(r.key, c)
		for len(r.key) > 0 {
			prefix, whole := r.begins(r.key)
			if whole {
				value := r.values[string(r.key)]
				if r.json {
					value = escapeJSON(value)
				}
				start := b.Len()
				b.WriteString(value)
				back = append(back, chat.Stretch{Start: start, End: b.Len()})
				r.drop(len(r.held))
				break
			}
			if prefix {
				break
			}
			b.WriteByte(r.held[0])
			r.drop(1)
		}
	}
	if last {
		b.Write(r.held)
		r.drop(len(r.held))
	}
	return b.String(), back
}

func (r *restorer) drop(n int) {
	r.held = r.held[:copy(r.held, r.held[n:])]
	r.key = r.key[:copy(r.key, r.key[n:])]
}
