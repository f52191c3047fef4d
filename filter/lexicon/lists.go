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
// stands for a category gives it. A word whose tags all stand for nothing is of
// the category for the whole list, and is left out where there is none: whoever
// maps a tag to nothing does not want its words.
func (r *reader) tagged(text string) {
	r.list()
	told := map[string]bool{}
	r.eachLine(text, func(line string, at place) {
		word, tags := line, ""
		if i := strings.LastIndexAny(line, " \t"); i >= 0 {
			word, tags = strings.TrimRight(line[:i], " \t"), line[i+1:]
		}
		category, unwanted := "", tags != ""
		for tag := range strings.SplitSeq(tags, ",") {
			c, known := r.opts.Tags[tag]
			switch {
			case tag == "":
			case known && category == "":
				category = c
			case !known:
				unwanted = false
				if !told[tag] {
					told[tag] = true
					r.fault(at, "", "its tag is not among those that were given a category; known are %s. A tag that stands for nothing maps to an empty name", strings.Join(slices.Sorted(maps.Keys(r.opts.Tags)), ", "))
				}
			}
		}
		if category == "" && r.opts.Category == "" && unwanted {
			return
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
