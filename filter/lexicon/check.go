package lexicon

import (
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"bendi/filter/match"
)

const (
	mostBytes   = 1000             // of a text as it is written
	mostSymbols = match.MaxSymbols // of a text as it is read
)

// key is that of a word; a combination's is that of its sorted texts.
func (w *Word) key() string {
	if w.All == nil {
		return Key(w.Text)
	}
	keys := make([]string, len(w.All))
	for i, part := range w.All {
		keys[i] = Key(part)
	}
	slices.Sort(keys)
	return "\x00" + strconv.Itoa(w.Within) + "\x00" + strings.Join(keys, "\x00")
}

// check looks at the words as a whole, and gives each the ID it lacks.
func (r *reader) check() {
	l := &r.lexicon
	r.identify()
	first := make(map[string]int32, len(l.Words))
	for i := range l.Words {
		w, at := &l.Words[i], r.places[i]
		key, ok := r.sound(w, at)
		if !ok {
			continue
		}
		j, twice := first[key]
		if !twice {
			first[key] = int32(i)
			continue
		}
		if o := &l.Words[j]; o.Category != w.Category || o.Level != w.Level {
			r.fault(at, "", "the same word after folding as on line %d, which has category %s and level %d; here it is %s and %d. Keep one of them", o.Line, o.Category, o.Level, w.Category, w.Level)
		}
	}
	for _, allow := range l.Allow {
		r.checkAllow(allow, "allow")
	}
	for _, name := range l.categoryNames() {
		for _, allow := range l.Categories[name].Allow {
			r.checkAllow(allow, "categories."+name+".allow")
		}
	}
}

// sound tells the key of w and whether its texts can be looked for.
func (r *reader) sound(w *Word, at place) (key string, ok bool) {
	if w.All == nil {
		return r.checkText(w.Text, at, "")
	}
	for _, part := range w.All {
		if _, ok := r.checkText(part, at, "all: "); !ok {
			return "", false
		}
	}
	return w.key(), true
}

func (r *reader) checkText(text string, at place, prefix string) (key string, ok bool) {
	switch {
	case strings.ContainsAny(text, "\n\x00"):
		r.fault(at, "", "%sa word is on one line and has no zero bytes", prefix)
		return "", false
	case len(text) > mostBytes:
		r.fault(at, "", "%sthe word has %d bytes, a word has at most %d", prefix, len(text), mostBytes)
		return "", false
	}
	key = Key(text)
	if key == "" {
		r.fault(at, "", "%sthe word has nothing to look for: it is of spaces, symbols and what does not show alone", prefix)
		return "", false
	}
	if len(key) > mostSymbols {
		if n := utf8.RuneCountInString(key); n > mostSymbols {
			r.fault(at, "", "%sthe word has %d symbols after folding, a word has at most %d", prefix, n, mostSymbols)
			return "", false
		}
	}
	return key, true
}

func (r *reader) checkAllow(allow, key string) {
	at := place{}
	switch {
	case utf8.RuneCountInString(Key(allow)) > mostSymbols:
		r.fault(at, key, "an allow word has %d symbols after folding, it may have %d", utf8.RuneCountInString(Key(allow)), mostSymbols)
	case strings.ContainsAny(allow, "\n\x00"):
		r.fault(at, key, "an allow word is on one line and has no zero bytes")
	case IsTemplate(allow):
		if before, after, _ := cutTemplate(allow); Key(before+after) == "" {
			r.fault(at, key, "a template needs something beside ～: it would allow every word")
		} else if IsTemplate(after) {
			r.fault(at, key, "a template has one ～, this one has more")
		}
	case Key(allow) == "":
		r.fault(at, key, "an allow word has nothing to look for: it is of spaces, symbols and what does not show alone")
	}
}

// cutTemplate returns what a template has before and after the placeholder.
func cutTemplate(allow string) (before, after string, found bool) {
	i := strings.IndexAny(allow, "～~")
	if i < 0 {
		return allow, "", false
	}
	_, size := utf8.DecodeRuneInString(allow[i:])
	return allow[:i], allow[i+size:], true
}

// identify gives an ID to each word without: the lexicon's name and the line,
// and the place in the line where that has several.
func (r *reader) identify() {
	l := &r.lexicon
	given := map[string]int{}
	for i := range l.Words {
		if id := l.Words[i].ID; id != "" {
			if line, twice := given[id]; twice {
				r.fault(r.places[i], "", "its id is that of the word on line %d", line)
			}
			given[id] = l.Words[i].Line
		}
	}
	// All IDs share one text, which is much cheaper than a million of them.
	ids := make([]byte, 0, len(l.Words)*(len(l.Name)+8))
	ends := make([]int, len(l.Words))
	nth := 1
	for i := range l.Words {
		w := &l.Words[i]
		if nth++; i == 0 || l.Words[i-1].Line != w.Line {
			nth = 1
		}
		if w.ID == "" {
			ids = append(append(append(ids, l.Name...), ':'), strconv.Itoa(w.Line)...)
			if nth > 1 {
				ids = append(append(ids, '.'), strconv.Itoa(nth)...)
			}
		}
		ends[i] = len(ids)
	}
	all, begin := string(ids), 0
	for i, end := range ends {
		if l.Words[i].ID == "" {
			l.Words[i].ID = all[begin:end]
		}
		begin = end
	}
}

// generated reports whether the ID of w is one that identify gave.
func (l *Lexicon) generated(w *Word) bool {
	rest, ok := strings.CutPrefix(w.ID, l.Name+":"+strconv.Itoa(w.Line))
	return ok && (rest == "" || rest[0] == '.') || w.ID == ""
}
