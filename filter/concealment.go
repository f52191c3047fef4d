package filter

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"bendi/chat"
	"bendi/filter/find"
	"bendi/filter/pii"
)

// A concealment is the search for personal data in one request, and what takes
// its place.
type concealment struct {
	c     *Concealed
	token func(kind, form, text string, back bool) string
	about about

	scanner *pii.Scanner
	known   map[string]pii.Type // values that were found, as they were written
	memory  *memory             // finds them again; nil in the first pass

	found  []Finding
	denied []string // rules, sorted
	where  string   // of the first
}

// conceal runs pass, which is to read every text of a request and to make
// another request of what it becomes. It runs twice where something is found:
// what a word gave away in one place is known in all others then. Whatever goes
// wrong, there is an error, and no request.
func (c *Concealed) conceal(token func(kind, form, text string, back bool) string, who about, pass func(*concealment)) (err error) {
	defer func() {
		if r := recover(); r != nil {
			// A panic's text may hold a piece of what was read.
			err = chat.Errorf(chat.Unavailable, "The request could not be looked through for personal data, so it was not sent on. Ask again, or ask a model that runs here.")
			err.(*chat.Error).Err = fmt.Errorf("concealing: panic of type %T", r)
		}
	}()
	if c.detector == nil {
		k := &concealment{c: c, token: token, about: who}
		pass(k)
		return k.refusal()
	}
	k := &concealment{c: c, token: token, about: who, scanner: c.detector.Scanner(), known: make(map[string]pii.Type)}
	pass(k)
	if len(k.known) > 0 && len(k.denied) == 0 {
		k.memory = newMemory(k.known)
		k.found = nil
		pass(k)
	}
	if c.Observe != nil {
		for _, f := range k.found {
			c.Observe(f)
		}
	}
	return k.refusal()
}

// Sources of an editor that conceals.
const (
	detected = iota
	tokenLike
	remembered
)

// texts looks through a field, and returns its texts as they are to leave.
func (k *concealment) texts(f *field) (texts []string, rewritten bool) {
	if k.scanner == nil {
		return f.texts, false
	}
	var cuts []cut
	k.scanner.Reset()
	if k.memory != nil {
		k.memory.Reset()
	}
	e := &editor{judge: &concealer{k, f}, rigid: f.kind == nameField || f.kind == idField || f.place.what == messageName, exact: true, cuts: &cuts}
	e.stages = []stage{{Finder: k.scanner, source: detected}, {Finder: new(tokenLikes), source: tokenLike}}
	if k.memory != nil {
		e.stages = append(e.stages, stage{Finder: k.memory, source: remembered})
	}
	text, gaps, files := f.open(e)
	e.write(text, true)
	for _, file := range files {
		k.scanner.Reset()
		spans, _ := k.scanner.Scan(nil, file.text, true)
		for _, sp := range spans {
			k.refuse(pii.Type(sp.Rule).String(), f.place.path(f.place.n))
		}
	}
	if len(cuts) == 0 {
		return f.texts, false
	}
	gaps.moveAll(cuts)
	return apply(f.texts, cuts), true
}

// extra looks through fields that have no meaning here.
func (k *concealment) extra(m map[string]json.RawMessage) map[string]json.RawMessage {
	return rewriteExtra(m, func(f field) ([]string, bool) { return k.texts(&f) })
}

// refuse has the request refused because of a rule.
func (k *concealment) refuse(rule, path string) {
	if len(k.denied) == 0 {
		k.where = path
	}
	k.denied = insert(k.denied, personal+rule)
}

// refusal returns the error of a request that must not leave, or nil.
func (k *concealment) refusal() error {
	if len(k.denied) == 0 {
		return nil
	}
	where := "'" + k.where + "'"
	if k.where == "" {
		where = "the name of one of its fields"
	}
	e := chat.Errorf(chat.Invalid, "The request was not sent on: the model is outside of the house, and %s holds what may not leave it (%s). Take it out, or ask a model that runs here.", where, strings.Join(k.denied, ", "))
	e.Code, e.Param = chat.CodeContentFilter, k.where
	e.Filtered = &chat.Filtered{Action: Block.String(), Rules: slices.Clone(k.denied), Categories: slices.Clone(k.denied), Level: 3}
	return e
}

// A concealer is the judge of one field.
type concealer struct {
	*concealment
	f *field
}

func (k *concealer) judge(h hit, text, _ []byte, rigid bool) ruling {
	s := string(text)
	if h.source == tokenLike {
		if rigid {
			return ruling{} // nothing is ever put back there
		}
		return ruling{Action: Replace, put: k.token(literal, s, s, true)}
	}
	t := pii.Type(h.Rule)
	do, action := k.c.egress[t], Mask
	switch {
	case do == EgressDeny || rigid:
		k.refuse(t.String(), k.f.place.path(k.f.place.n))
		action = Block
	case do == EgressMaskForGood:
		action = Replace
	}
	if k.c.Observe != nil {
		f := Finding{
			Rule: personal + t.String(), Category: personal + t.String(), Level: 1, Action: action,
			Field: k.f.place.path(k.f.place.n), Start: h.at, End: h.to, Across: rigid, Hash: hashOf(k.c.Secret, s),
			Request: k.about.id, Principal: k.about.principal, Model: k.about.model,
		}
		if t.Kind().Sensitive {
			f.Level = 3
		}
		if n := len(k.found); n == 0 || k.found[n-1] != f { // a detector and the memory both find it
			k.found = append(k.found, f)
		}
	}
	if action == Block {
		return ruling{}
	}
	if h.source == detected {
		k.known[s] = t
	}
	return ruling{Action: Replace, put: k.token(kindOf(t), pii.Normal(t, s), s, do == EgressMask)}
}

// tokenLikes finds what looks like a token, whoever made it, in a text that
// comes in one piece.
type tokenLikes struct{ read int }

func (l *tokenLikes) Scan(found []find.Span, piece string, _ bool) ([]find.Span, int) {
	for i := 0; ; {
		n := strings.Index(piece[i:], "[[")
		if n < 0 {
			break
		}
		i += n
		if end := tokenEnd(piece[i:]); end > 0 {
			found = append(found, find.Span{Start: l.read + i, End: l.read + i + end})
		}
		i++
	}
	l.read += len(piece)
	return found, l.read
}

func (l *tokenLikes) Reset() { l.read = 0 }

// tokenEnd returns the length of what looks like a token at the beginning of s:
// [[, letters with underscores, eight letters or digits, ]].
func tokenEnd(s string) int {
	end := strings.Index(s[:min(len(s), maxTokenSize)], "]]")
	if end < 2+1+1+bodySize || s[end-bodySize-1] != '_' {
		return 0
	}
	for i := 2; i < end; i++ {
		switch c := s[i] | 0x20; {
		case 'a' <= c && c <= 'z', i >= end-bodySize && '0' <= c && c <= '9', s[i] == '_' && i < end-bodySize:
		default:
			return 0
		}
	}
	return end + 2
}

// maxTokenSize is more than the length of any token.
const maxTokenSize = 64

// memory finds values again that were found somewhere in the request, in a text
// that comes in one piece.
type memory struct {
	read  int
	first [1 << 16 / 64]uint64 // has a bit for the first two bytes of each
	sizes map[uint16][]int     // by those: the lengths that there are
	types map[string]pii.Type
}

// leastRemembered is the length of the shortest value that is looked for
// elsewhere, in bytes: two Chinese characters, or five digits.
const leastRemembered = 5

func newMemory(values map[string]pii.Type) *memory {
	m := &memory{sizes: make(map[uint16][]int), types: values}
	for s := range values {
		if len(s) < leastRemembered {
			continue
		}
		k := uint16(s[0])<<8 | uint16(s[1])
		m.first[k>>6] |= 1 << (k & 63)
		if !slices.Contains(m.sizes[k], len(s)) {
			m.sizes[k] = append(m.sizes[k], len(s))
		}
	}
	return m
}

func (m *memory) Scan(found []find.Span, piece string, _ bool) ([]find.Span, int) {
	for i := 0; i+1 < len(piece); i++ {
		k := uint16(piece[i])<<8 | uint16(piece[i+1])
		if m.first[k>>6]&(1<<(k&63)) == 0 {
			continue
		}
		if goesOn(piece, i) {
			continue
		}
		for _, n := range m.sizes[k] {
			end := i + n
			if end > len(piece) || goesOn(piece, end) {
				continue
			}
			if t, is := m.types[piece[i:end]]; is {
				found = append(found, find.Span{Start: m.read + i, End: m.read + end, Rule: int(t)})
			}
		}
	}
	m.read += len(piece)
	return found, m.read
}

func (m *memory) Reset() { m.read = 0 }

// goesOn reports whether a word or a number goes on over an offset.
func goesOn(s string, i int) bool {
	return i > 0 && i < len(s) && alnum(s[i-1]) && alnum(s[i])
}

func alnum(c byte) bool { return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z' }
