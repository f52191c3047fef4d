package filter

import (
	"cmp"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"bendi/filter/find"
	"bendi/filter/fold"
)

// An editor changes one text as it streams by. It asks finders what there is
// and a judge what to do about it, and holds back what is not decided.
//
//	 context |  held back
//	---------+--------------+-----------------------
//	         |              |                      |
//	from    base            settled             read
//
// Spans that begin before the lowest offset that a finder has settled are all
// known. Of those, the leftmost is rewritten, of those that begin together the
// longest, and none that overlaps one that was. A blocking span ends the text
// before its first byte, wherever it lies. What a rewrite puts in is not looked
// at again.
//
// Offsets are of the text that finders read: of JSON, with strings unescaped.
type editor struct {
	judge   judge
	stages  []stage
	json    *lexer // nil: plain text
	context int32  // bytes before a span that the judge wants to see
	rigid   bool   // nothing may be rewritten
	exact   bool   // marks behind what was rewritten stay: the rewrite is undone later
	swallow bool   // marks at base belong to what was rewritten before them
	blocked bool
	altered bool // something was rewritten, or blocked

	read  int    // what finders have read
	base  int    // what lies before it is out, or gone
	given int    // what lies before it was out before the text began
	from  int    // where tail begins
	tail  []byte // what was read, for as long as somebody may ask for it
	hits  []hit  // told by finders, and not judged yet

	made  *strings.Builder // the output of a write, behind others; nil between writes
	slabs *sync.Pool       // of builders that have room left; may be nil
	cuts  *[]cut           // takes the rewrites instead of an output being made; nil: make one
}

// A stage is one of the finders that an editor asks. One that only watches tells
// of nothing that is rewritten or blocked, and so nothing waits for it. What it
// has not told when a text is blocked, nobody hears of.
type stage struct {
	find.Finder
	source  int32
	watches bool
}

// A hit is a span by one of the finders.
type hit struct {
	find.Span
	source int32
	at, to int // as Start and End, in the text as it is written: of JSON, with its escapes
}

// A cut is a rewrite of a text as it is written.
type cut struct {
	start, end int
	put        string
}

// A judge decides what to do about hits. It is asked about each once, in the
// order of their beginnings; of those that begin together, the longest first.
type judge interface {
	// judge is given the text of the hit, what stands before it as far as the
	// editor's context goes (which may begin within a rune), and whether
	// nothing can be put in its place where it lies.
	judge(h hit, text, before []byte, rigid bool) ruling
}

// A ruling is what is done about a hit.
type ruling struct {
	Action Action
	put    string // for Mask and Replace, which are the same to an editor
}

// slabSize is the capacity of a builder of outputs, in bytes. Most are a few
// bytes, and are soon forgotten.
const slabSize = 256

// write takes the next piece of the text and returns what is to go out. After
// a block or the last piece there is no more.
func (e *editor) write(piece string, last bool) string {
	if e.blocked {
		return ""
	}
	begin, view := e.read, piece
	if e.json != nil {
		view = e.json.read(piece, last)
	}
	e.read += len(view)
	settled, watched := e.scan(view, last)

	// Most pieces pass untouched.
	if e.base == begin && len(e.hits) == 0 && !e.swallow {
		if e.json == nil {
			n := max(0, settled-begin)
			e.base += n
			e.retain(begin, view, min(e.base, watched))
			return piece[:n]
		}
		if settled == e.read && e.json.holds(len(piece)) {
			e.base = settled
			e.retain(begin, view, watched)
			return piece
		}
	}

	e.tail = append(e.tail, view...)
	start := e.begin(len(e.tail))
	e.settle(settled, last)
	if e.blocked {
		e.hits, e.tail = nil, nil
	} else {
		e.keep(settled)
		e.retain(e.read, "", min(e.base, settled, watched))
	}
	return e.end(start)
}

// retain adds a piece that begins at an offset to the tail, and drops from that
// what nobody will ask about any more.
func (e *editor) retain(begin int, view string, from int) {
	from = max(e.from, from-int(e.context))
	if from >= begin {
		e.tail = append(e.tail[:0], view[from-begin:]...)
	} else {
		e.tail = append(e.tail, view...)
		e.tail = e.tail[:copy(e.tail, e.tail[from-e.from:])]
	}
	e.from = from
	if e.json != nil {
		e.json.forget(from)
	}
}

// reset makes e ready for another text.
func (e *editor) reset() {
	for i := range e.stages {
		e.stages[i].Reset()
	}
	if e.json != nil {
		e.json = newLexer(e.json.bare)
	}
	e.read, e.base, e.from = 0, 0, 0
	e.tail, e.hits = e.tail[:0], e.hits[:0]
	e.swallow, e.blocked, e.altered = false, false, false
}

// scan has the finders read a piece, and returns the lowest offset that those
// who matter have settled, and the lowest of all.
func (e *editor) scan(view string, last bool) (settled, watched int) {
	settled, watched = e.read, e.read
	for i := range e.stages {
		s := &e.stages[i]
		found, upto := s.Scan(nil, view, last)
		if watched = min(watched, upto); !s.watches {
			settled = min(settled, upto)
		}
		for _, sp := range found {
			e.hits = append(e.hits, hit{Span: sp, source: s.source})
		}
	}
	if last {
		return e.read, e.read
	}
	if settled == e.read {
		settled -= e.partial(view)
	}
	if e.json != nil {
		settled = e.json.whole(settled)
	}
	return settled, min(settled, watched)
}

// partial returns how many bytes at the end of the text are not a whole rune
// yet.
func (e *editor) partial(view string) int {
	if len(view) == 0 || len(view) >= utf8.UTFMax {
		return partialRune(view)
	}
	n := min(len(e.tail), utf8.UTFMax-1)
	return partialRune(string(e.tail[len(e.tail)-n:]) + view)
}

func partialRune(s string) int {
	for n := 1; n < utf8.UTFMax && n <= len(s); n++ {
		if c := s[len(s)-n]; utf8.RuneStart(c) {
			if !utf8.FullRuneInString(s[len(s)-n:]) {
				return n
			}
			return 0
		}
	}
	return 0
}

// settle judges the hits that begin before settled, and does what is to be done
// about them.
func (e *editor) settle(settled int, last bool) {
	if len(e.hits) > 1 {
		slices.SortFunc(e.hits, func(a, b hit) int {
			return cmp.Or(cmp.Compare(a.Start, b.Start), cmp.Compare(b.End, a.End), cmp.Compare(a.source, b.source), cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.Form, b.Form))
		})
	}
	e.skipMarks(last)
	done := 0
	for done < len(e.hits) && e.hits[done].Start < settled {
		first := done
		var rewrite hit // the longest of those that begin together, and its strongest ruling
		var rule ruling
		block := false
		for ; done < len(e.hits) && e.hits[done].Start == e.hits[first].Start; done++ {
			h := e.hits[done]
			from, to, fits := e.fit(&h)
			r := e.judge.judge(h, e.tail[h.Start-e.from:h.End-e.from], e.tail[max(0, h.Start-e.from-int(e.context)):h.Start-e.from], !fits)
			switch {
			case r.Action == Block:
				block = true
			case fits && r.Action.changes() && (rule.Action == None || to == rewrite.End && r.Action > rule.Action):
				rewrite, rule = h, r
				rewrite.Start, rewrite.End = from, to
			}
		}
		switch {
		case block:
			e.keep(e.hits[first].Start)
			e.blocked, e.altered = true, true
			return
		case rule.Action != None && (rewrite.Start >= e.base || e.base == e.given && rewrite.Start < e.given):
			e.keep(rewrite.Start)
			e.put(rewrite, rule.put)
			e.skipMarks(last)
		}
	}
	e.hits = e.hits[:copy(e.hits, e.hits[done:])]
}

// fit sets where h lies in the text as it is written, and returns what has to
// be rewritten for it and whether that can be done.
func (e *editor) fit(h *hit) (start, end int, fits bool) {
	start, end, fits = h.Start, h.End, !e.rigid
	h.at, h.to = start, end
	if e.json != nil {
		var inJSON bool
		h.at, h.to = e.json.written(start), e.json.written(end)
		start, end, inJSON = e.json.fit(start, end)
		fits = fits && inJSON
	}
	return start, end, fits
}

// keep lets go of what lies before an offset.
func (e *editor) keep(upto int) {
	if upto <= e.base {
		return
	}
	switch {
	case e.cuts != nil:
	case e.json != nil:
		e.made.Write(e.json.text(e.base, upto))
	default:
		e.made.Write(e.tail[e.base-e.from : upto-e.from])
	}
	e.base = upto
}

// put lets go of a text in place of a span.
func (e *editor) put(h hit, text string) {
	e.altered = true
	switch {
	case e.cuts != nil && e.json != nil:
		*e.cuts = append(*e.cuts, cut{e.json.written(h.Start), e.json.written(h.End), e.json.quote(h.Start, text)})
	case e.cuts != nil:
		*e.cuts = append(*e.cuts, cut{h.Start, h.End, text})
	case e.json != nil:
		e.made.WriteString(e.json.quote(h.Start, text))
	default:
		e.made.WriteString(text)
	}
	e.base, e.swallow = h.End, !e.exact
}

// skipMarks drops the marks that belonged to the last rune of what was
// rewritten: on another rune they would look like an accident.
func (e *editor) skipMarks(last bool) {
	for e.swallow && e.base < e.read {
		rest := e.tail[e.base-e.from:]
		if !last && !utf8.FullRune(rest) {
			return
		}
		r, size := utf8.DecodeRune(rest)
		if !clings(r) {
			e.swallow = false
			return
		}
		e.base += size
		if e.cuts != nil {
			end := e.base
			if e.json != nil {
				end = e.json.written(end)
			}
			(*e.cuts)[len(*e.cuts)-1].end = end
		}
	}
}

// clings reports whether r shows only on the rune before it.
func clings(r rune) bool {
	switch {
	case r < 0x300:
		return false
	case r == 0x200D, 0xFE00 <= r && r <= 0xFE0F, 0xE0020 <= r && r <= 0xE01EF:
		return true // joiner, variation selectors, tags
	}
	return fold.KindOf(r) == fold.Mark
}

// begin makes room for an output of about n bytes and returns where in made it
// starts.
func (e *editor) begin(n int) int {
	if e.cuts != nil {
		return 0
	}
	if e.slabs != nil {
		e.made, _ = e.slabs.Get().(*strings.Builder)
	}
	if e.made == nil || e.made.Cap()-e.made.Len() < n {
		e.made = new(strings.Builder)
		e.made.Grow(max(n, slabSize))
	}
	return e.made.Len()
}

// end returns the output that starts there in made.
func (e *editor) end(start int) string {
	if e.made == nil {
		return ""
	}
	text := e.made.String()[start:]
	if e.slabs != nil && e.made.Len() < slabSize {
		e.slabs.Put(e.made)
	}
	e.made = nil
	return text
}
