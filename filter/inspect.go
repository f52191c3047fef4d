package filter

import (
	"strings"

	"bendi/filter/find"
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
	text, gaps, files := f.open(e)
	e.write(text, true)
	hidden := func(o outcome) {
		if b.bound != None {
			o.action = min(o.action, b.bound)
		}
		r.outcomes = append(r.outcomes, o)
		r.blocked = r.blocked || o.action == Block
	}
	if p.policy.Strict && f.kind == textField {
		p.decode(text, hidden)
	}
	for i := range r.outcomes {
		o := &r.outcomes[i]
		o.start, o.end = gaps.move(o.start), gaps.move(o.end)
	}
	gaps.moveAll(r.cuts)
	for _, f := range files {
		p.look(f.text, find.Plain, f.start, f.end, hidden)
	}
	if len(r.outcomes) == 0 {
		return clean
	}
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

// open makes e ready for the field, and returns what it is to read: the texts
// without what is no text, which leaves gaps, and the files that were in there.
func (f *field) open(e *editor) (text string, gaps gaps, files []file) {
	text = f.text()
	if f.kind == jsonField {
		e.json = newLexer(!f.place.isSchema())
		if f.place.what == messageData {
			return withoutPayload(text)
		}
	}
	return text, nil, nil
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
