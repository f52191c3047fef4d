package dialect

import (
	"encoding/json"
	"strings"
)

// A state takes what it can from the text at hand and returns the state that
// goes on, or nil to wait for more text. At the end of the text it must not
// wait for what cannot come.
//
// The states of a call are made of the steps below. A step that does not find
// what it looks for gives the call up.
type state func(*Parser) state

// A fork is a tag, and the state behind it.
type fork struct {
	tag  string
	next state
}

// The longest name and key that the parser waits for.
const (
	longestName = 128
	longestKey  = 256
)

// take moves n bytes of the text into the call.
func (p *Parser) take(n int) {
	p.call.raw = append(p.call.raw, p.in[:n]...)
	p.in = p.in[n:]
}

// skip takes white space, and reports whether what follows can be looked at.
func (p *Parser) skip() bool {
	p.take(spaces(p.in))
	return p.in != "" || p.final
}

// tag reads one of several tags. An empty tag, as the last, is there if no
// other is.
func (p *Parser) tag(forks ...fork) state {
	if !p.skip() {
		return nil
	}
	for _, f := range forks {
		switch p.begins(p.in, f.tag) {
		case partial:
			return nil
		case yes:
			p.take(len(f.tag))
			return f.next
		}
	}
	return p.fail()
}

// last reads a tag that the end of the text may cut short, or leave out.
func (p *Parser) last(tag string, next state) state {
	if !p.skip() {
		return nil
	}
	if p.final && strings.HasPrefix(tag, p.in) {
		p.in = ""
		return next
	}
	return p.tag(fork{tag, next})
}

// word reads up to one of the bytes in stop, at most longest bytes, and gives
// them without the white space around them to use, which may refuse them.
func (p *Parser) word(stop string, longest int, use func(*Parser, string) bool, next state) state {
	i := strings.IndexAny(p.in, stop)
	switch {
	case i < 0 && len(p.in) <= longest && !p.final:
		return nil
	case i < 0 || i > longest:
		return p.fail()
	}
	word := strings.TrimSpace(p.in[:i])
	p.take(i)
	if !use(p, word) {
		return p.fail()
	}
	return next
}

// name reads the name of the tool, up to one of the bytes in stop.
func (p *Parser) name(stop string, next state) state {
	return p.word(stop, longestName, (*Parser).named, next)
}

// key reads the name of an argument, up to one of the bytes in stop.
func (p *Parser) key(stop string, next state) state {
	return p.word(stop, longestKey, (*Parser).keyed, next)
}

// string reads a JSON string that is no longer than a key may be.
func (p *Parser) string(use func(*Parser, string) bool, next state) state {
	switch {
	case !p.skip():
		return nil
	case p.in == "" || p.in[0] != '"':
		return p.fail()
	}
	for i := 1; i < len(p.in) && i <= longestKey; i++ {
		switch p.in[i] {
		case '\\':
			i++
		case '"':
			var s string
			if json.Unmarshal([]byte(p.in[:i+1]), &s) != nil {
				return p.fail()
			}
			p.take(i + 1)
			if !use(p, s) {
				return p.fail()
			}
			return next
		}
	}
	if p.final || len(p.in) > longestKey {
		return p.fail()
	}
	return nil
}

// object reads the arguments, a JSON object.
func (p *Parser) object(next state) state {
	switch {
	case !p.skip():
		return nil
	case !strings.HasPrefix(p.in, "{"):
		return p.fail()
	}
	return jsonValue(p.arg, next)
}

// jsonValue reads a JSON value and gives it to each as it comes in.
func jsonValue(each func(string), next state) state {
	var scan jsonScanner
	return func(p *Parser) state {
		n, verdict := 0, jsonMore
		for verdict == jsonMore && n < len(p.in) {
			if verdict = scan.feed(p.in[n]); verdict == jsonMore || verdict == jsonLast {
				n++
			}
		}
		s := p.in[:n]
		p.take(n)
		each(s)
		switch {
		case verdict == jsonBad, verdict == jsonMore && p.final:
			return p.fail()
		case verdict == jsonMore:
			return nil
		}
		return next
	}
}
