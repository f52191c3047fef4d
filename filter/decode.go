package filter

import (
	"encoding/base64"
	"html"
	"net/url"
	"regexp"
	"strings"

	"bendi/filter/find"
)

// encoded matches what a text may hide a word in: bytes of a URL, escapes of
// JSON, numbers of characters in HTML, and base64.
var encoded = regexp.MustCompile(`(?:%[0-9A-Fa-f]{2}){3,}|(?:\\u[0-9A-Fa-f]{4})+|(?:&#(?:[0-9]{2,7}|[xX][0-9A-Fa-f]{2,6});)+|[A-Za-z0-9+/_-]{8,}={0,2}`)

// Bounds of what is decoded of one text. It is decoded once: what comes out may
// be encoded again.
const (
	mostDecoded   = 64 << 10 // bytes, together
	longestHidden = 8 << 10  // of one stretch; what is longer is no word but a file
)

// decode tells of what a strict policy finds in the encoded stretches of a
// text. Nothing can be rewritten there, and it counts as found by a loose
// reading: a model may read it, or may not.
func (p *plan) decode(text string, tell func(o outcome)) {
	left := mostDecoded
	for _, at := range encoded.FindAllStringIndex(text, -1) {
		if at[1]-at[0] > longestHidden {
			continue
		}
		hidden := decoded(text[at[0]:at[1]])
		if left -= len(hidden); hidden == "" || left < 0 {
			continue
		}
		p.look(hidden, find.Loose, at[0], at[1], tell)
	}
}

// look tells of what is found in a text that another hides in a stretch, once
// for each rule. It takes a form to find it, and it cannot be rewritten.
func (p *plan) look(hidden string, form find.Form, start, end int, tell func(o outcome)) {
	told := map[int32]bool{}
	b := &bench{plan: p, direction: Request, peek: true}
	b.tell = func(o outcome, _ []byte) {
		if told[o.rule] {
			return
		}
		told[o.rule] = true
		e := &p.sides[Request].entries[o.rule]
		if o.action = min(e.action, e.forms[form], e.forms[o.form]); o.action.changes() {
			o.action = p.policy.across()
		}
		o.form, o.across, o.start, o.end = max(o.form, form), true, start, end
		if o.action != None {
			tell(o)
		}
	}
	p.editor(b).write(hidden, true)
}

// decoded returns the text of an encoded stretch, or "" where it is none.
func decoded(s string) string {
	var text string
	switch s[0] {
	case '%':
		text, _ = url.PathUnescape(s)
	case '\\':
		text = strings.Trim(unescaped([]byte(`"`+s+`"`)), `"`)
	case '&':
		text = html.UnescapeString(s)
	default:
		raw, _ := base64.RawStdEncoding.DecodeString(fromURL.Replace(strings.TrimRight(s, "=")))
		text = string(raw)
	}
	if !isText([]byte(text)) {
		return ""
	}
	return text
}
