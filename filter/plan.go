package filter

import (
	"cmp"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"bendi/chat"
	"bendi/filter/find"
	"bendi/filter/fold"
)

// A plan is what a policy means for rules: what to look with, and what to do
// about each rule.
type plan struct {
	rules  *Rules
	policy *Policy
	sides  [2]side   // by Direction
	fence  [2]string // around a mask that words could be read across
	slabs  sync.Pool // of editors
	idle   sync.Pool // *reading
}

// A side is the plan for one direction.
type side struct {
	sources []int   // of the rules, those that are worth looking with
	watches []bool  // by sources: nothing that they tell is rewritten or blocked
	entries []entry // by rule
	context int     // bytes before a hit that tell whether it is a mention
}

// An entry is what is done about a rule.
type entry struct {
	action  Action
	forms   [len(formBound)]Action // bound by form
	mention Action                 // bound for a mention; None: none
	put     string                 // for Replace
	plain   bool                   // a plain source tells it
}

// formBound has the strongest action for a form when nobody says otherwise.
var formBound = [...]Action{
	find.Plain: Block, find.Loose: Review, find.Split: Review, find.Reversed: Review, find.Alike: Review, find.Sound: Review,
}

func newPlan(rules *Rules, policy *Policy) *plan {
	p := &plan{rules: rules, policy: policy}
	for d := range p.sides {
		s := &p.sides[d]
		s.entries = make([]entry, len(rules.rules))
		for i, r := range rules.rules {
			s.entries[i] = policy.entry(r, Direction(d))
		}
		for i, src := range rules.sources {
			if policy.looksWith(src.kind) && s.any(src) {
				s.sources = append(s.sources, i)
				s.watches = append(s.watches, !s.matters(src))
			}
			if src.kind == plainSource {
				for _, r := range src.rules {
					s.entries[r].plain = true
				}
			}
		}
		for _, w := range policy.Mentions.After {
			s.context = max(s.context, len(w)+utf8.UTFMax*policy.Mentions.Within)
		}
	}
	p.fence, _ = rules.fence(policy)
	return p
}

// looksWith reports whether p uses a kind of source.
func (p *Policy) looksWith(k sourceKind) bool {
	switch k {
	case strictSource:
		return p.Strict
	case soundSource:
		return p.Sound
	}
	return true
}

// any reports whether there is a rule of src that something is done about.
func (s *side) any(src source) bool {
	for _, r := range src.rules {
		if s.entries[r].action != None {
			return true
		}
	}
	return false
}

// matters reports whether something that src may tell is rewritten or blocked.
func (s *side) matters(src source) bool {
	for _, r := range src.rules {
		e := &s.entries[r]
		strongest := min(e.action, slices.Max(e.forms[:]))
		if src.kind == soundSource {
			strongest = min(e.action, e.forms[find.Sound])
		}
		if strongest > RouteLocal {
			return true
		}
	}
	return false
}

// entry returns what is done about a rule.
func (p *Policy) entry(r Rule, d Direction) entry {
	if kind, ok := strings.CutPrefix(r.Category, personal); ok {
		c, ok := p.Personal[kind]
		if !ok {
			c = p.Personal["*"]
		}
		e := entry{action: c.Request, forms: formBound, put: c.Replacement}
		if d == Answer {
			e.action = c.Answer
		}
		if e.put == "" {
			e.put = p.Replacement
		}
		return e
	}
	c, ok := p.Categories[r.Category]
	if !ok {
		c, ok = p.Categories["*"]
	}
	if !ok {
		return entry{action: Log, forms: formBound}
	}
	e := entry{action: c.Request.At(r.Level), forms: formBound, mention: c.Mentions, put: c.Replacement}
	if d == Answer {
		e.action = c.Answer.At(r.Level)
	}
	if e.put == "" {
		e.put = p.Replacement
	}
	for f := range e.forms {
		if a, ok := p.Forms[find.Form(f)]; ok {
			e.forms[f] = a
		}
		if a, ok := c.Forms[find.Form(f)]; ok {
			e.forms[f] = a
		}
	}
	return e
}

// personal begins the categories of personal data.
const personal = "pii."

// editor returns an editor for a text of one direction, which asks b.
func (p *plan) editor(b *bench) *editor {
	e := new(editor)
	p.start(e, b)
	return e
}

// start makes an editor ready.
func (p *plan) start(e *editor, b *bench) {
	s := &p.sides[b.direction]
	e.judge, e.context, e.stages, e.slabs = b, int32(s.context), make([]stage, len(s.sources)), &p.slabs
	for i, src := range s.sources {
		e.stages[i] = stage{p.rules.sources[src].open(), int32(src), s.watches[i]}
	}
}

// A bench is the judge of one text: it applies a plan, and tells what it did.
type bench struct {
	plan      *plan
	direction Direction
	bound     Action // strongest action; None: no bound
	given     int    // bytes at the beginning of the text that are not judged
	lenient   bool   // where nothing can be rewritten it is an id or the number of a schema, and nobody minds
	peek      bool   // what would be done is told, and nothing is
	tell      func(o outcome, text []byte)
	more      *benchMore // what few need; nil: nothing yet
}

// benchMore is what few benches need.
type benchMore struct {
	// spared has the stretches of the text, as it is written, in which personal
	// data is that of whoever asks.
	spared []chat.Stretch

	start, end int     // of the last hits
	rules      []int32 // theirs
}

func (b *bench) other() *benchMore {
	if b.more == nil {
		b.more = new(benchMore)
	}
	return b.more
}

// An outcome is what was done about a hit.
type outcome struct {
	rule       int32 // of the rules
	form       find.Form
	action     Action
	across     bool
	start, end int // in the text as it is written
}

func (b *bench) judge(h hit, text, before []byte, rigid bool) ruling {
	if h.End <= b.given {
		return ruling{}
	}
	p := b.plan
	src := &p.rules.sources[h.source]
	rule := src.rule(h.Rule)
	if b.told(h, int32(rule)) || src.kind == personalSource && b.spares(h) {
		return ruling{}
	}
	e := &p.sides[b.direction].entries[rule]
	if h.Form == find.Plain && src.kind == strictSource && e.plain {
		h.Form = find.Loose // or the plain source had told it
	}
	a := min(e.action, e.forms[h.Form])
	if a > e.mention && e.mention != None && p.policy.Mentions.is(before) {
		a = e.mention
	}
	if b.bound != None {
		a = min(a, b.bound)
	}
	if a == RouteLocal && b.direction == Answer {
		a = Log
	}
	across := rigid && a.changes()
	if across {
		a = p.policy.across()
		if b.lenient {
			a = Log
		}
	}
	if a == None {
		return ruling{}
	}
	b.tell(outcome{int32(rule), h.Form, a, across, h.at, h.to}, text)
	if b.peek {
		return ruling{}
	}
	r := ruling{Action: a, put: e.put}
	if a == Mask {
		r.put = p.mask(text)
	}
	return r
}

// told reports whether the rule of h was told of its place before: that which
// is read plainly comes first.
func (b *bench) told(h hit, rule int32) bool {
	if !b.plan.policy.Strict {
		return false // there is one source for each rule
	}
	m := b.other()
	if h.Start != m.start || h.End != m.end {
		m.start, m.end, m.rules = h.Start, h.End, m.rules[:0]
	}
	if slices.Contains(m.rules, rule) {
		return true
	}
	m.rules = append(m.rules, rule)
	return false
}

// spares reports whether h lies in a stretch that is spared. It forgets those
// that are past.
func (b *bench) spares(h hit) bool {
	if b.more == nil {
		return false
	}
	spared := &b.more.spared
	for len(*spared) > 0 && (*spared)[0].End <= h.at {
		*spared = (*spared)[1:]
	}
	return len(*spared) > 0 && (*spared)[0].Start <= h.at && h.to <= (*spared)[0].End
}

// across is what is done where nothing can be rewritten.
func (p *Policy) across() Action { return cmp.Or(p.Across, Block) }

// is reports whether a word after before is only mentioned.
func (m *Mentions) is(before []byte) bool {
	sentence := string(before)
	if i := strings.LastIndexAny(sentence, "。！？!?\n"); i >= 0 {
		sentence = sentence[i:]
	}
	for _, w := range m.After {
		i := strings.LastIndex(sentence, w)
		if i < 0 {
			continue
		}
		between := sentence[i+len(w):]
		closed := closers[w] != "" && strings.Contains(between, closers[w])
		if !closed && utf8.RuneCountInString(between) <= m.Within {
			return true
		}
	}
	return false
}

// closers end what begins with a bracket.
var closers = map[string]string{"《": "》", "“": "”", "「": "」", "『": "』", "(": ")", "（": "）", "【": "】"}

// mask returns what is put in place of a text.
func (p *plan) mask(text []byte) string {
	r, n := p.policy.Mask.Rune, 3
	if r == 0 {
		r = '*'
	}
	if p.policy.Mask.Long {
		n = 0
		for i := 0; i < len(text); {
			r, size := utf8.DecodeRune(text[i:])
			if k := fold.KindOf(r); k != fold.Invisible && k != fold.Mark && k != fold.Noise && k != fold.Space && k != fold.Newline {
				n++
			}
			i += size
		}
	}
	return p.fence[0] + strings.Repeat(string(r), max(n, 1)) + p.fence[1]
}
