package filter

import (
	"cmp"
	"slices"
	"strings"
)

// A report is what a plan makes of a field. It holds nothing of the text, so
// that it can be kept.
type report struct {
	outcomes []outcome
	cuts     []cut // in the field's texts, one behind the other
	blocked  bool
}

// clean is the report of most fields.
var clean = new(report)

// inspect looks through a field of a request.
func (p *plan) inspect(f *field, history bool) *report {
	r := new(report)
	b := &bench{plan: p, direction: Request, lenient: f.kind == idField || f.place.isSchema()}
	if history {
		b.bound = p.policy.History
	}
	b.tell = func(o outcome, _ []byte) { r.outcomes = append(r.outcomes, o) }
	e := p.editor(b)
	e.cuts = &r.cuts
	e.rigid = f.kind == nameField || f.kind == idField
	text := f.text()
	var gaps gaps
	if f.kind == jsonField {
		e.json = newLexer(!f.place.isSchema())
		if f.place.what == messageData {
			text, gaps = withoutPayload(text)
		}
	}
	e.write(text, true)
	if p.policy.Strict && f.kind == textField {
		p.decode(text, func(o outcome) {
			if b.bound != None {
				o.action = min(o.action, b.bound)
			}
			r.outcomes = append(r.outcomes, o)
			r.blocked = r.blocked || o.action == Block
		})
	}
	if len(r.outcomes) == 0 {
		return clean
	}
	for i := range r.outcomes {
		o := &r.outcomes[i]
		o.start, o.end = gaps.move(o.start), gaps.move(o.end)
	}
	gaps.moveAll(r.cuts)
	r.blocked = r.blocked || e.blocked
	return r
}

// text returns the field's texts as they are read.
func (f *field) text() string {
	if len(f.texts) == 1 {
		return f.texts[0]
	}
	return strings.Join(f.texts, "")
}

// apply makes cuts, which are in order, in a field's texts. What a cut over
// several of them puts in goes into the first.
func apply(texts []string, cuts []cut) []string {
	out := make([]string, len(texts))
	at := 0 // where the text begins in all of them
	for i, text := range texts {
		end := at + len(text)
		var b strings.Builder
		pos := at
		for len(cuts) > 0 && cuts[0].start < end {
			c := cuts[0]
			if c.start >= at {
				b.WriteString(text[pos-at : c.start-at])
				b.WriteString(c.put)
			}
			if pos = min(c.end, end); c.end > end {
				break // it goes on in the next
			}
			cuts = cuts[1:]
		}
		b.WriteString(text[pos-at:])
		out[i] = b.String()
		at = end
	}
	return out
}

// Gaps are the stretches of a text that were taken out of it, in order.
type gaps []gap

type gap struct {
	at   int // where it was, in the text that is left
	size int // of it and all before it
}

// move returns where an offset of the text that is left was before.
func (g gaps) move(offset int) int {
	i, _ := slices.BinarySearchFunc(g, offset, func(g gap, offset int) int { return cmp.Compare(g.at, offset) })
	if i == 0 {
		return offset
	}
	return offset + g[i-1].size
}

func (g gaps) moveAll(cuts []cut) {
	for i := range cuts {
		c := &cuts[i]
		c.start, c.end = g.move(c.start), g.move(c.end)
	}
}

// withoutPayload takes what is encoded in base64 out of a part of a message:
// images, sound and files, of which nobody reads the letters. What only claims
// to be encoded stays.
func withoutPayload(raw string) (string, gaps) {
	const least = 256 // bytes that are worth it
	var gaps gaps
	var b strings.Builder
	from, taken := 0, 0
	for i := 0; i < len(raw); i++ {
		if raw[i] != '"' {
			continue
		}
		end := i + 1
		for end < len(raw) && raw[end] != '"' {
			if raw[end] == '\\' {
				end++
			}
			end++
		}
		if end >= len(raw) {
			break
		}
		start := i + 1
		if s := raw[start:end]; strings.HasPrefix(s, "data:") {
			if _, after, ok := strings.Cut(s, ";base64,"); ok {
				start = end - len(after)
			}
		}
		if end-start >= least && isBase64(raw[start:end]) {
			b.WriteString(raw[from:start])
			taken += end - start
			gaps = append(gaps, gap{b.Len(), taken})
			from = end
		}
		i = end
	}
	if gaps == nil {
		return raw, nil
	}
	b.WriteString(raw[from:])
	return b.String(), gaps
}

// isBase64 reports whether s is one long word of base64. Text of any language
// has spaces or other letters, and no byte of base64 begins a JSON escape
// other than that of the slash.
func isBase64(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '+', c == '/', c == '-', c == '_':
		case c == '=' && i >= len(s)-2:
		case c == '\\' && i+1 < len(s) && s[i+1] == '/':
		default:
			return false
		}
	}
	return true
}
