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

// A reading is an editor at work on a field of a request, and what it finds.
type reading struct {
	editor
	bench bench
	report
}

// read returns a reading of nothing yet. It may have been used before.
func (p *plan) read() *reading {
	rd, _ := p.idle.Get().(*reading)
	if rd == nil {
		rd = new(reading)
		rd.bench = bench{plan: p, direction: Request, tell: func(o outcome, _ []byte) { rd.outcomes = append(rd.outcomes, o) }}
		p.start(&rd.editor, &rd.bench)
		rd.editor.cuts = &rd.report.cuts
	}
	return rd
}

// mostRead is how long a text may be, in bytes, for its reading to be used
// again: one of much has made much room.
const mostRead = 4 << 10

// giveBack takes back a reading of so many bytes.
func (p *plan) giveBack(rd *reading, size int) {
	if size > mostRead {
		return
	}
	rd.bench.bound, rd.bench.lenient, rd.bench.more = None, false, nil
	rd.json, rd.rigid = nil, false
	rd.reset()
	rd.report = report{}
	p.idle.Put(rd)
}

// hidden adds what was found where nothing can be rewritten.
func (rd *reading) hidden(o outcome) {
	if rd.bench.bound != None {
		o.action = min(o.action, rd.bench.bound)
	}
	rd.outcomes = append(rd.outcomes, o)
	rd.report.blocked = rd.report.blocked || o.action == Block
}

// inspect looks through a field of a request.
func (p *plan) inspect(f *field, history bool) *report {
	rd := p.read()
	if rd.bench.lenient = f.kind == idField || f.place.isSchema(); history {
		rd.bench.bound = p.policy.History
	}
	rd.rigid = f.kind == nameField || f.kind == idField
	text, gaps, files := f.open(&rd.editor)
	rd.write(text, true)
	if p.policy.Strict && f.kind == textField {
		p.decode(text, rd.hidden)
	}
	for i := range rd.outcomes {
		o := &rd.outcomes[i]
		o.start, o.end = gaps.move(o.start), gaps.move(o.end)
	}
	gaps.moveAll(rd.report.cuts)
	for _, f := range files {
		p.look(f.text, find.Plain, f.start, f.end, rd.hidden)
	}
	r := clean
	if len(rd.outcomes) > 0 {
		rd.report.blocked = rd.report.blocked || rd.editor.blocked
		r = new(rd.report)
	}
	p.giveBack(rd, len(text)) // not of a panic
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
