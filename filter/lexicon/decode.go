package lexicon

import (
	"strconv"
	"strings"
	"time"

	"bendi/filter/find"
)

var (
	topKeys      = []string{"name", "version", "updated", "note", "starter", "categories", "words", "allow"}
	categoryKeys = []string{"title", "level", "risk", "strict", "forms", "words", "allow"}
	wordKeys     = []string{"id", "text", "all", "within", "level", "risk", "strict", "whole", "forms"}
	listedKeys   = append(append([]string{}, wordKeys...), "word", "category") // of words outside a category
)

// document reads a YAML or JSON document: a lexicon, or a list of words.
func (r *reader) document(root node) {
	l := &r.lexicon
	l.Categories = map[string]Category{}
	if root.kind == aList { // words alone
		l.Name = r.baseName()
		r.openCategories()
		r.words(root, "", "")
		return
	}
	has := map[string]bool{}
	var categories, words node
	r.entries(root, "", topKeys, func(name, key string, v node) {
		has[name] = true
		switch name {
		case "name":
			l.Name, _ = r.text(v, key)
		case "version":
			if v.kind == aNumber {
				v.kind = aText // 3 and 1.2 are fine too
			}
			l.Version, _ = r.text(v, key)
		case "updated":
			if l.Updated, _ = r.text(v, key); l.Updated != "" {
				if _, err := time.Parse(time.DateOnly, l.Updated); err != nil {
					r.fault(v.place, key, "want a day such as 2026-11-25")
				}
			}
		case "note":
			l.Note, _ = r.text(v, key)
		case "starter":
			l.Starter = r.truth(v, key)
		case "categories":
			categories = v
		case "words":
			words = v
		case "allow":
			l.Allow = r.texts(v, key)
		}
	})
	if root.kind != aMapping {
		return
	}
	for _, name := range []string{"name", "version", "updated"} {
		if !has[name] {
			r.fault(root.place, name, "is missing; a lexicon has a name, a version and the day it was updated")
		}
	}
	if has["name"] && l.Name != "" && !isName(l.Name) {
		r.fault(root.place, "name", "want up to 64 letters, digits and - _ . of ASCII: it stands in headers and logs")
	}
	if has["version"] && l.Version != "" && strings.ContainsFunc(l.Version, func(c rune) bool { return c <= ' ' || c > '~' }) {
		r.fault(root.place, "version", "want ASCII without spaces: it stands in headers and logs")
	}

	// The words come after all settings of their categories, wherever they
	// stand in the file.
	type section struct {
		name, key string
		words     node
	}
	var sections []section
	if has["categories"] && categories.kind != noValue {
		r.entries(categories, "categories", nil, func(name, key string, v node) {
			if !isName(name) {
				r.fault(v.place, key, "the name of a category has up to 64 letters, digits and - _ . of ASCII; names for people go into title")
				return
			}
			c, words := r.category(v, key)
			l.Categories[name] = c
			sections = append(sections, section{name, key + ".words", words})
		})
	}
	for _, s := range sections {
		if s.words.kind != noValue {
			r.words(s.words, s.key, s.name)
		}
	}
	if has["words"] && words.kind != noValue {
		if len(l.Categories) == 0 {
			r.openCategories()
		}
		r.words(words, "words", "")
	}
}

func (r *reader) category(n node, key string) (c Category, words node) {
	c = Category{Level: r.opts.Level, Risk: r.opts.Risk, Strict: r.opts.Strict}
	if n.kind == noValue {
		return c, words
	}
	r.entries(n, key, categoryKeys, func(name, key string, v node) {
		switch name {
		case "title":
			c.Title, _ = r.text(v, key)
		case "level":
			c.Level = r.level(v, key)
		case "risk":
			c.Risk = r.risk(v, key)
		case "strict":
			c.Strict = r.truth(v, key)
		case "forms":
			c.Forms = r.forms(v, key)
		case "words":
			words = v
		case "allow":
			c.Allow = r.texts(v, key)
		}
	})
	return c, words
}

// openCategories makes the one category that the options name, and lets words
// make others.
func (r *reader) openCategories() {
	r.open = true
	if r.opts.Category != "" {
		r.lexicon.Categories[r.opts.Category] = r.optionCategory()
	}
}

func (r *reader) optionCategory() Category {
	return Category{Level: r.opts.Level, Risk: r.opts.Risk, Strict: r.opts.Strict}
}

// words reads a list of words. Those outside a category name theirs, or are of
// the one that the options name.
func (r *reader) words(n node, key, category string) {
	if n.kind != aList {
		r.fault(n.place, key, "want a list of words, have %s", n.kind)
		return
	}
	r.expect(len(n.items))
	for i, item := range n.items {
		switch item.kind {
		case aText:
			r.word(Word{Text: item.text, Category: category}, item, key, i, given{})
		case aMapping:
			r.object(item, key, category, i)
		case aNumber, aTruth:
			r.fault(item.place, elem(key, i), "want a text or a mapping, have %s; write it in quotes", item.kind)
		default:
			r.fault(item.place, elem(key, i), "want a text or a mapping, have %s", item.kind)
		}
	}
}

// elem is the path of an item of a list.
func elem(key string, i int) string {
	if key == "" {
		key = "words"
	}
	return key + "[" + strconv.Itoa(i) + "]"
}

// given are the settings that a word has of its own.
type given struct{ level, risk, strict, forms, within bool }

// object reads a word with settings.
func (r *reader) object(n node, list, category string, index int) {
	known := wordKeys
	if category == "" {
		known = listedKeys
	}
	w := Word{Category: category}
	var has given
	faults := len(r.faults)
	r.entries(n, elem(list, index), known, func(name, key string, v node) {
		switch name {
		case "id":
			if w.ID, _ = r.text(v, key); w.ID != "" && !isName(w.ID) {
				r.fault(v.place, key, "want up to 64 letters, digits and - _ . of ASCII: it stands in headers and logs")
			}
		case "text", "word":
			w.Text, _ = r.text(v, key)
		case "all":
			w.All = r.texts(v, key)
		case "within":
			has.within = true
			w.Within = r.within(v, key)
		case "category":
			w.Category, _ = r.text(v, key)
		case "level":
			w.Level, has.level = r.level(v, key), true
		case "risk":
			w.Risk, has.risk = r.risk(v, key), true
		case "strict":
			w.Strict, has.strict = r.truth(v, key), true
		case "whole":
			whole := r.truth(v, key)
			w.Whole = &whole
		case "forms":
			w.Forms, has.forms = r.forms(v, key), true
		}
	})
	if len(r.faults) == faults {
		r.word(w, n, list, index, has)
	}
}

// word adds a word, with the settings of its category for those it has not.
func (r *reader) word(w Word, at node, list string, index int, has given) {
	key := func() string { return elem(list, index) }
	if w.Category == "" {
		w.Category = r.opts.Category
	}
	c, ok := r.lexicon.Categories[w.Category]
	switch {
	case w.Category == "":
		r.fault(at.place, key(), "has no category; give it one, or one for the whole list where you load it")
		return
	case ok:
	case !r.open:
		r.fault(at.place, key(), "unknown category; known are %s", strings.Join(r.lexicon.categoryNames(), ", "))
		return
	case !isName(w.Category):
		r.fault(at.place, key(), "the name of a category has up to 64 letters, digits and - _ . of ASCII")
		return
	default:
		c = r.optionCategory()
		r.lexicon.Categories[w.Category] = c
	}
	if !has.level {
		w.Level = c.Level
	}
	if !has.risk {
		w.Risk = c.Risk
	}
	if !has.strict {
		w.Strict = c.Strict
	}
	if !has.forms {
		w.Forms = c.Forms
	}
	if w.Level == 0 {
		r.fault(at.place, key(), "has no level; give one of 1 to 3 to it, to its category, or to the whole list where you load it")
		return
	}
	switch {
	case w.Text != "" && w.All != nil:
		r.fault(at.place, key(), "has text and all; keep one of them")
		return
	case w.All == nil && has.within:
		r.fault(at.place, key(), "within belongs to all, which is missing")
		return
	case w.All != nil && len(w.All) < 2:
		r.fault(at.place, key(), "all has %d texts; a combination has 2 or more", len(w.All))
		return
	case len(w.All) > mostParts:
		r.fault(at.place, key(), "all has %d texts; a combination has at most %d", len(w.All), mostParts)
		return
	case w.All != nil && !has.within:
		w.Within = usualWithin
	}
	r.add(w, at.place)
}

const (
	mostParts   = 8   // texts in a combination
	usualWithin = 20  // runes, where a combination does not say
	mostWithin  = 500 // runes
)

func (r *reader) text(n node, key string) (string, bool) {
	switch n.kind {
	case aText:
		if strings.TrimSpace(n.text) == "" {
			r.fault(n.place, key, "is empty")
			return "", false
		}
		return n.text, true
	case aNumber, aTruth:
		r.fault(n.place, key, "want a text, have %s; write it in quotes", n.kind)
	default:
		r.fault(n.place, key, "want a text, have %s", n.kind)
	}
	return "", false
}

// texts reads a list of texts; a single text counts as a list of one.
func (r *reader) texts(n node, key string) []string {
	switch n.kind {
	case noValue:
		return nil
	case aText:
		n = node{kind: aList, children: &children{items: []node{n}}}
	case aList:
	default:
		r.fault(n.place, key, "want a list of texts, have %s", n.kind)
		return nil
	}
	out := make([]string, 0, len(n.items))
	for i, item := range n.items {
		if s, ok := r.text(item, elem(key, i)); ok {
			out = append(out, s)
		}
	}
	return out
}

func (r *reader) truth(n node, key string) bool {
	if n.kind != aTruth {
		r.fault(n.place, key, "want true or false, have %s", n.kind)
	}
	return n.text == "true"
}

func (r *reader) level(n node, key string) int {
	level, err := strconv.Atoi(n.text)
	if n.kind != aNumber && n.kind != aText || err != nil || level < 1 || level > 3 {
		r.fault(n.place, key, "want a level of 1 (note), 2 (serious) or 3 (not to be let through)")
		return 0
	}
	return level
}

func (r *reader) within(n node, key string) int {
	within, err := strconv.Atoi(n.text)
	if n.kind != aNumber && n.kind != aText || err != nil || within < 1 || within > mostWithin {
		r.fault(n.place, key, "want a number of runes from 1 to %d", mostWithin)
		return 0
	}
	return within
}

func (r *reader) risk(n node, key string) string {
	if n.kind != aText || !isRisk(n.text) {
		r.fault(n.place, key, "want the number of a risk such as A.1.6")
		return ""
	}
	return n.text
}

// isRisk reports whether s is a letter and numbers with dots, as A.1.6 is.
func isRisk(s string) bool {
	for i, part := range strings.Split(s, ".") {
		if i == 0 && (len(part) != 1 || part[0] < 'A' || part[0] > 'Z') ||
			i > 0 && (part == "" || len(part) > 3 || strings.Trim(part, "0123456789") != "") || i > 3 {
			return false
		}
	}
	return true
}

func (r *reader) forms(n node, key string) []find.Form {
	forms := []find.Form{}
	if n.kind != aList && n.kind != aText {
		r.fault(n.place, key, "want a list of %s, have %s", formList, n.kind)
		return nil
	}
	items := []node{n}
	if n.kind == aList {
		items = nil
		if n.children != nil {
			items = n.items
		}
	}
	for _, item := range items {
		form, ok := parseForm(item.text)
		if !ok || item.kind != aText {
			r.fault(item.place, key, "want any of %s", formList)
			continue
		}
		forms = append(forms, form)
	}
	return sortForms(forms)
}
