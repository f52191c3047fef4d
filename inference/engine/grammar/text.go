package grammar

import "strings"

// string returns the name of a rule for the strings of a shape.
func (w *writer) string(s *shape) string {
	switch {
	case s.format != "":
		return w.rule("string-"+s.format, `"\"" `+w.builtin(s.format)+` "\""`)
	case s.pattern != nil:
		return w.rule("text", strings.TrimSpace(`"\"" `+w.regexp(s.pattern.root))+` "\""`)
	case s.minLength == 0 && s.maxLength < 0:
		return w.builtin("string")
	}
	return w.rule("text", `"\"" `+w.repeat(w.builtin("char"), s.minLength, s.maxLength)+` "\""`)
}

// regexp writes what matches a regular expression, as characters of a JSON
// string: a sequence, never bare alternatives.
func (w *writer) regexp(r rx) string {
	switch r.kind {
	case rxSet:
		return w.set(r.set)
	case rxRepeat:
		return w.repeat(w.atom(r.parts[0]), r.min, r.max)
	case rxEither:
		alts := make([]string, len(r.parts))
		for i, p := range r.parts {
			alts[i] = w.regexp(p)
			if alts[i] == "" {
				alts[i] = `""`
			}
		}
		return "(" + either(alts) + ")"
	}
	var items []string
	text := "" // characters that stand alone, as one literal
	flush := func() {
		if text != "" {
			items = append(items, quote(text))
			text = ""
		}
	}
	for _, p := range r.parts {
		if p.kind == rxSet && len(p.set) == 1 && p.set[0].lo == p.set[0].hi {
			text += quoteRune(p.set[0].lo)
			continue
		}
		flush()
		if item := w.regexp(p); item != "" {
			items = append(items, item)
		}
	}
	flush()
	return strings.Join(items, " ")
}

// atom writes an expression as one item, which can be repeated.
func (w *writer) atom(r rx) string {
	if r.kind == rxSet {
		return w.set(r.set)
	}
	body := w.regexp(r)
	if body == "" {
		body = `""`
	}
	return w.rule("part", body)
}

// set writes one character of a set as one item.
func (w *writer) set(set runeSet) string {
	alts := w.spellings(set)
	if len(alts) == 1 && !strings.Contains(alts[0], " ") {
		return alts[0]
	}
	return w.rule("chars", either(alts))
}

// spellings returns how the characters of a set are spelt in a JSON string:
// those that stand for themselves, those after a backslash, and only if there
// are no others, control characters that have no short escape.
func (w *writer) spellings(set runeSet) []string {
	var alts []string
	if raw := set.intersect(runeSet{{' ', '!'}, {'#', '['}, {']', 0xD7FF}, {0xE000, 0x10FFFF}}); len(raw) > 0 {
		alts = append(alts, quoteSet(raw))
	}
	var short runeSet
	for r, letter := range map[rune]rune{'"': '"', '\\': '\\', '\b': 'b', '\f': 'f', '\n': 'n', '\r': 'r', '\t': 't'} {
		if set.contains(r) {
			short = append(short, runeRange{letter, letter})
		}
	}
	if len(short) > 0 {
		alts = append(alts, `"\\" `+quoteSet(short.normal()))
	}
	if len(alts) == 0 {
		for r := range rune(' ') {
			if set.contains(r) {
				alts = append(alts, quote(quoteRune(r)))
			}
		}
	}
	return alts
}
