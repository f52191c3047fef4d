package lexicon

import (
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

// lines reads one word per line, or several with commas between them.
func (r *reader) lines(text string) {
	r.list()
	if r.opts.Category == "" {
		r.fault(place{}, "", "a list of words alone needs a category and a level; give them where you load it")
		return
	}
	r.eachLine(text, func(line string, at place) {
		for {
			i := strings.IndexAny(line, ",，、")
			if i < 0 {
				r.listed(line, at, r.opts.Category)
				return
			}
			r.listed(line[:i], at, r.opts.Category)
			_, size := utf8.DecodeRuneInString(line[i:])
			at.column += int32(utf8.RuneCountInString(line[:i])) + 1
			line = line[i+size:]
		}
	})
}

// tagged reads lines of a word and its tags: "word tag,tag". The first tag that
// stands for a category gives it.
func (r *reader) tagged(text string) {
	r.list()
	unknown := map[string]int{}
	r.eachLine(text, func(line string, at place) {
		word, tags := line, ""
		if i := strings.LastIndexAny(line, " \t"); i >= 0 {
			word, tags = strings.TrimRight(line[:i], " \t"), line[i+1:]
		}
		category, known := r.opts.Category, tags == ""
		for tag := range strings.SplitSeq(tags, ",") {
			if tag = strings.TrimSpace(tag); tag == "" {
				continue
			}
			c, ok := r.opts.Tags[tag]
			if !ok {
				if unknown[tag]++; unknown[tag] == 1 {
					r.fault(at, "", "its tag is not among those that were given a category; known are %s. A tag that stands for nothing maps to an empty name", strings.Join(slices.Sorted(maps.Keys(r.opts.Tags)), ", "))
				}
				continue
			}
			if c != "" && !known {
				category = c
			}
			known = known || c != ""
		}
		r.listed(word, at, category)
	})
}

// list prepares for a file that has nothing but words.
func (r *reader) list() {
	r.lexicon.Name = r.baseName()
	r.lexicon.Categories = map[string]Category{}
	r.openCategories()
}

// eachLine calls f for each line that has a word.
func (r *reader) eachLine(text string, f func(line string, at place)) {
	at := place{1, 1}
	r.expect(strings.Count(text, "\n"))
	for line := range strings.Lines(text) {
		if trimmed := strings.TrimSpace(line); trimmed != "" && !isComment(trimmed) {
			at.column = 1
			if indent := strings.Index(line, trimmed); indent > 0 {
				at.column += int32(utf8.RuneCountInString(line[:indent]))
			}
			f(trimmed, at)
		}
		at.line++
	}
}

func (r *reader) listed(word string, at place, category string) {
	if word = strings.TrimSpace(word); word != "" {
		r.word(Word{Text: word, Category: category}, node{place: at}, "", len(r.lexicon.Words), given{})
	}
}

func (l *Lexicon) categoryNames() []string { return slices.Sorted(maps.Keys(l.Categories)) }
