package filter

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"

	"bendi/filter/find"
)

// Validate reports everything wrong with p, one line each, by key. Rules are
// what it is to be used with; nil leaves out what depends on them.
func (p *Policy) Validate(rules *Rules) error {
	v := &validator{p: p, rules: rules}
	for _, name := range slices.Sorted(maps.Keys(p.Categories)) {
		c, key := p.Categories[name], "categories."+name
		if rules != nil && name != "*" && !strings.HasPrefix(name, "second.") && !slices.Contains(rules.categories, name) {
			v.bad(key, "no rule has this category; there are %s", strings.Join(rules.categories, ", "))
		}
		if strings.HasPrefix(name, personal) {
			v.bad(key, "personal data has settings of its own, under privacy")
		}
		for i := range 3 {
			v.action(fmt.Sprintf("%s.request[%d]", key, i), c.Request[i], Request)
			v.action(fmt.Sprintf("%s.answer[%d]", key, i), c.Answer[i], Answer)
		}
		v.action(key+".mentions", c.Mentions, Request)
		v.forms(key+".forms", c.Forms)
		v.replacement(key+".replacement", c.Replacement, slices.Contains(append(c.Request[:], c.Answer[:]...), Replace))
	}
	for _, name := range slices.Sorted(maps.Keys(p.Personal)) {
		c, key := p.Personal[name], "privacy."+name
		if rules != nil && name != "*" && !slices.Contains(rules.categories, personal+name) {
			v.bad(key, "there is no such type of personal data")
		}
		v.action(key+".request", c.Request, Request)
		v.action(key+".answer", c.Answer, Answer)
		v.replacement(key+".replacement", c.Replacement, c.Request == Replace || c.Answer == Replace)
	}
	if p.Replacement != "" {
		v.replacement("replacement", p.Replacement, false)
	}
	if r := p.Mask.Rune; r != 0 && !unicode.IsPrint(r) {
		v.bad("mask.rune", "U+%04X does not show", r)
	}
	if rules != nil {
		if _, ok := rules.fence(p); !ok {
			v.bad("mask.rune", "words can be read across %q, even in brackets; take a character that no word has", cmpRune(p.Mask.Rune))
		}
	}
	v.forms("forms", p.Forms)
	v.mentions()
	if p.Across != None && p.Across != Log && p.Across != Block {
		v.bad("across", "%s cannot be done where nothing can be rewritten; there are log and block", p.Across)
	}
	if p.History > Review {
		v.bad("history", "%s is no bound on earlier turns; there are none, log and review", p.History)
	}
	if p.BlockAs == AsRefusal && p.Refusal == "" {
		v.bad("refusal", "block_as is refusal, which needs the sentence that a client is told")
	}
	v.opinion()
	v.label()
	return errors.Join(v.errs...)
}

// A validator gathers what is wrong with a policy.
type validator struct {
	p     *Policy
	rules *Rules
	errs  []error
}

func (v *validator) bad(key, format string, args ...any) {
	v.errs = append(v.errs, fmt.Errorf("%s: "+format, append([]any{key}, args...)...))
}

func (v *validator) action(key string, a Action, d Direction) {
	switch {
	case !a.valid():
		v.bad(key, "%d is no action", a)
	case a == RouteLocal && d == Answer:
		v.bad(key, "an answer can no longer be kept inside: route_local is for requests")
	}
}

func (v *validator) forms(key string, forms map[find.Form]Action) {
	for _, f := range slices.Sorted(maps.Keys(forms)) {
		if f > find.Sound {
			v.bad(key, "%d is no form", f)
			continue
		}
		v.action(key+"."+f.String(), forms[f], Request)
	}
}

// replacement checks what is put in place of words.
func (v *validator) replacement(key, own string, used bool) {
	put := own
	if put == "" {
		put = v.p.Replacement
	}
	switch {
	case put == "" && used:
		v.bad(key, "words are replaced by nothing, so that what is left and right of one can make another; write a text such as [已屏蔽], or use mask")
	case own != "" && v.rules != nil && !v.rules.bars(own, v.p):
		v.bad(key, "words could be read across it, or together with its ends; let it begin and end with a character that no word has, such as [ and ]")
	case own != "" && v.rules != nil && v.rules.finds(own, v.p):
		v.bad(key, "it holds what the rules look for themselves")
	}
}

// finds reports whether a policy does something about a text.
func (r *Rules) finds(text string, p *Policy) bool {
	plan := newPlan(r, p)
	for d := range plan.sides {
		b := &bench{plan: plan, direction: Direction(d), tell: func(outcome, []byte) {}}
		e := plan.editor(b)
		if e.write(text, true); e.altered {
			return true
		}
	}
	return false
}

func (v *validator) mentions() {
	m := &v.p.Mentions
	for i, w := range m.After {
		if strings.TrimSpace(w) == "" {
			v.bad(fmt.Sprintf("mentions.after[%d]", i), "is empty: everything would be a mention")
		}
	}
	switch {
	case m.Within < 0 || m.Within > 100:
		v.bad("mentions.within", "is %d characters; it can be 0 to 100", m.Within)
	case len(m.After) == 0:
		for _, name := range slices.Sorted(maps.Keys(v.p.Categories)) {
			if v.p.Categories[name].Mentions != None {
				v.bad("categories."+name+".mentions", "mentions.after has no text that makes one")
			}
		}
	}
}

func (v *validator) opinion() {
	o, key := &v.p.Second, "second_opinion"
	if o.Mode == NoOpinion {
		return
	}
	if !o.Request && !o.Answer {
		v.bad(key, "it is asked about neither requests nor answers")
	}
	for _, a := range []struct {
		key string
		Action
	}{{key + ".unsafe", o.Unsafe}, {key + ".unsure", o.Unsure}} {
		switch {
		case !a.valid():
			v.bad(a.key, "%d is no action", a.Action)
		case a.changes():
			v.bad(a.key, "%s needs a place in the text, which an opinion does not name; there are log, review, route_local and block", a.Action)
		case a.Action > Review && o.Mode == Observe:
			v.bad(a.key, "%s comes too late when nobody waits for the opinion; take the mode sentence or full, or the action review", a.Action)
		}
	}
	if o.Timeout < 0 {
		v.bad(key+".timeout", "is %v", o.Timeout)
	}
	if o.Style == AskYesNo && o.Prompt != "" && !strings.Contains(o.Prompt, "{{text}}") {
		v.bad(key+".prompt", "has no {{text}}, where the text is to stand")
	}
}

func (v *validator) label() {
	l := &v.p.Label
	if l.Text != "" {
		if !strings.Contains(l.Text, "人工智能") && !strings.Contains(strings.ToUpper(l.Text), "AI") || !strings.Contains(l.Text, "生成") && !strings.Contains(l.Text, "合成") {
			v.bad("label.text", "must say 人工智能 or AI, and 生成 or 合成 (GB 45438)")
		}
	}
	if l.Metadata && l.Producer == "" {
		v.bad("label.producer", "the mark needs the code of who makes the answers")
	}
	for _, c := range []struct{ key, code string }{{"producer", l.Producer}, {"propagator", l.Propagator}, {"reserved1", l.Reserved1}, {"reserved2", l.Reserved2}} {
		if !printable(c.code) {
			v.bad("label."+c.key, "may have the characters from ! to ~ alone: neither spaces nor Chinese")
		}
	}
}
