package filter

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"bendi/chat"
	"bendi/filter/find"
)

// A screening is the filter at work on one request: what it found, and what is
// to be done about it.
type screening struct {
	guard *Guarded
	era   *era
	plan  *plan
	about about

	tally  tally
	inside bool
	// The first that blocks:
	blocked *Rule
	where   string // its path; may be empty
}

// about is whose request it is.
type about struct{ id, principal, model string }

func (g *Guarded) screening(id, principal, model string) *screening {
	e := g.now()
	return &screening{guard: g, era: e, plan: e.plan, about: about{id, principal, model}}
}

// look looks through a field, and returns its texts as they are to be passed
// on. Rewritten says that this is not as they are.
func (s *screening) look(f field, history bool) (texts []string, rewritten bool) {
	r := s.guard.inspect(s.era, &f, history)
	if len(r.outcomes) > 0 {
		text, starts := f.text(), f.starts()
		for _, o := range r.outcomes {
			part, _ := slices.BinarySearch(starts, o.start+1)
			part-- // the last that begins at the start or before it
			at := f.place
			at.j += part
			s.note(o, at.path(f.place.n), o.start-starts[part], f.read(text, o.start, o.end), history)
		}
	}
	if len(r.cuts) == 0 || r.blocked {
		return f.texts, false
	}
	return apply(f.texts, r.cuts), true
}

// starts returns where each of the field's texts begins in all of them.
func (f *field) starts() []int {
	starts := make([]int, len(f.texts))
	for i, text := range f.texts[:len(f.texts)-1] {
		starts[i+1] = starts[i] + len(text)
	}
	return starts
}

// read returns a stretch of a field's text as it is read.
func (f *field) read(text string, start, end int) string {
	text = text[min(start, len(text)):min(end, len(text))]
	if f.kind == jsonField && strings.IndexByte(text, '\\') >= 0 {
		text = strings.Trim(unescaped([]byte(`"`+text+`"`)), `"`)
	}
	return text
}

// note keeps what was done about a hit, and tells whoever observes.
func (s *screening) note(o outcome, path string, start int, text string, history bool) {
	r := &s.plan.rules.rules[o.rule]
	s.tally.add(r, o.action)
	switch o.action {
	case RouteLocal:
		s.inside = true
	case Block:
		if s.blocked == nil {
			s.blocked, s.where = r, path
		}
	}
	s.guard.observe(s.plan, s.about, Finding{
		Rule: r.ID, Category: r.Category, Level: r.Level, Risk: r.Risk, Form: o.form, Action: o.action,
		Field: path, Start: start, End: start + o.end - o.start, Across: o.across, History: history,
	}, text)
}

// observe completes a finding and tells it.
func (g *Guarded) observe(p *plan, who about, f Finding, text string) {
	if g.Observe == nil {
		return
	}
	f.Policy, f.Rules = p.policy.Name, p.rules.version
	f.Request, f.Principal, f.Model = who.id, who.principal, who.model
	if text != "" {
		f.Hash = hashOf(g.Secret, text)
		if p.policy.Reveal {
			f.Text = text
		}
	}
	g.Observe(f)
}

// blockage returns the error of a request that is blocked, or nil.
func (s *screening) blockage() error {
	if s.blocked == nil {
		return nil
	}
	where, chinese := "'"+s.where+"'", s.where+" "
	if s.where == "" {
		where, chinese = "The name of one of its fields", "某个字段的名称"
	}
	r := s.blocked
	// In both languages, as the default refusal is: nobody here knows the client's.
	e := chat.Errorf(chat.Invalid, "The content filter stopped this request: %s holds what rule %s (%s, level %d) does not let through. Change it and send it again."+
		" 内容过滤器拦截了此请求：%s含有规则 %s（%s，%d 级）不允许的内容，请修改后重新发送。", where, r.ID, r.Category, r.Level, chinese, r.ID, r.Category, r.Level)
	if p := s.plan.policy; p.Refusal != "" {
		e.Msg = fmt.Sprintf("%s (%s: rule %s, %s, level %d)", p.Refusal, where, r.ID, r.Category, r.Level)
	}
	e.Code, e.Param, e.Filtered = chat.CodeContentFilter, s.where, s.filtered()
	return e
}

func (s *screening) filtered() *chat.Filtered { return s.tally.filtered(s.plan.policy, false) }

// request screens a chat request, and returns it as it is to be passed on.
func (s *screening) request(req *chat.Request) *chat.Request {
	d := draft{was: req}
	last := lastTurn(req.Messages)
	var over seams
	for f := range fields(req) {
		history := f.place.isHistory(req.Messages, last)
		if texts, rewritten := s.look(f, history); rewritten {
			d.set(f.place, texts)
		}
		if s.plan.policy.Strict && f.place.what == messageContent {
			over.add(f, history)
		}
	}
	over.look(s)
	if len(s.tally.categories) > 0 || s.inside {
		own := d.start()
		own.Classes = s.tally.classes(req.Classes)
		own.Inside = req.Inside || s.inside
	}
	return d.request()
}

// seams are the places where one message ends and the next begins. A word may
// be written over them.
type seams struct {
	texts  []string
	places []place
	past   []bool
}

func (m *seams) add(f field, history bool) {
	m.texts = append(m.texts, f.text())
	m.places = append(m.places, f.place)
	m.past = append(m.past, history)
}

// seamReach is how many bytes on either side of a seam belong to a word over
// it.
const seamReach = 256

// look looks for words over seams. They count as found by a loose reading, and
// cannot be rewritten.
func (m *seams) look(s *screening) {
	for i := 0; i+1 < len(m.texts); {
		// From the end of a message over short ones to the beginning of the
		// next long one.
		var joined strings.Builder
		joined.WriteString(tailOf(m.texts[i], seamReach))
		ends := []int{joined.Len()}
		j := i + 1
		for ; j < len(m.texts); j++ {
			joined.WriteString(headOf(m.texts[j], seamReach))
			ends = append(ends, joined.Len())
			if len(m.texts[j]) > seamReach {
				break
			}
		}
		m.pass(s, i, joined.String(), ends)
		i = max(j, i+1)
	}
}

// pass looks through the end of message i and what follows it. Ends has where
// in joined each of them ends.
func (m *seams) pass(s *screening, i int, joined string, ends []int) {
	b := &bench{plan: s.plan, direction: Request, peek: true}
	b.tell = func(o outcome, text []byte) {
		k, _ := slices.BinarySearch(ends, o.start+1)
		if k == len(ends) || o.end <= ends[k] {
			return // within one message: that was seen before
		}
		entry := &s.plan.sides[Request].entries[o.rule]
		o.action = min(entry.action, entry.forms[find.Loose], entry.forms[o.form])
		history := m.past[i+k]
		if h := s.plan.policy.History; history && h != None {
			o.action = min(o.action, h)
		}
		if o.across = true; o.action.changes() {
			o.action = s.plan.policy.across()
		}
		if o.action == None {
			return
		}
		start := o.start
		if k > 0 {
			start -= ends[k-1]
		} else {
			start += len(m.texts[i]) - ends[0]
		}
		s.note(o, m.places[i+k].path(m.places[i+k].n), start, string(text), history)
	}
	e := s.plan.editor(b)
	e.rigid = true
	e.write(joined, true)
}

func headOf(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

func tailOf(s string, n int) string {
	if len(s) <= n {
		return s
	}
	n = len(s) - n
	for n < len(s) && !utf8.RuneStart(s[n]) {
		n++
	}
	return s[n:]
}
