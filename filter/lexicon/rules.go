package lexicon

import (
	"fmt"
	"slices"
	"unicode/utf8"

	"bendi/filter/find"
	"bendi/filter/match"
)

// A Rule is a word of a lexicon without its text: what findings may tell.
type Rule struct {
	ID       string
	Category string
	Level    int    // 1 to 3
	Risk     string // such as A.1.6; may be empty
	Lexicon  string // name of the lexicon
	Line     int    // where its file has the word
}

// Rules lists the words of lexicons as rules, one each, in their order. A rule's
// index is what the patterns of [Patterns] call it. Two lexicons must not have
// one name: findings would not say which of them they mean.
func Rules(lexicons ...*Lexicon) ([]Rule, error) {
	n := 0
	names := map[string]bool{}
	for _, l := range lexicons {
		if names[l.Name] {
			return nil, fmt.Errorf("two lexicons have the name %s; give one of them another", l.Name)
		}
		names[l.Name] = true
		n += len(l.Words)
	}
	rules := make([]Rule, 0, n)
	for _, l := range lexicons {
		for i := range l.Words {
			w := &l.Words[i]
			rules = append(rules, Rule{w.ID, w.Category, w.Level, w.Risk, l.Name, w.Line})
		}
	}
	return rules, nil
}

// MostPatterns is how many patterns Patterns makes for one profile. A template
// makes one for each word of its category, and a disguise up to 16.
const MostPatterns = 8_000_000

// Patterns makes the patterns for a profile of the automaton. All of them
// together are for a policy that looks for everything:
//
//   - [match.Default]: the words that are not strict, as they are.
//   - [match.Strict]: all words, and their forms: characters split into their
//     parts, words reversed, characters that look alike.
//   - [match.Sound]: the words that are looked for by their sound.
//
// The allow words go into each. A word without forms of its own gets those that
// its length makes safe: split from 2 Chinese characters on, reversed from 3
// Chinese characters or 5 letters on, alike and sound from 3 Chinese characters
// on. A disguise that is an everyday word, or part of one, is left out.
func Patterns(p match.Profile, lexicons ...*Lexicon) ([]match.Pattern, error) {
	m := maker{profile: p, allowed: map[string]bool{}}
	rule := 0
	for _, l := range lexicons {
		for i := range l.Words {
			m.word(&l.Words[i], rule)
			rule++
		}
		if err := m.allow(l); err != nil {
			return nil, err
		}
		if len(m.patterns) > MostPatterns {
			return nil, fmt.Errorf("lexicon %s: with its forms and templates there are %d patterns or more for the profile %s, at most %d can be; write forms: [] in its largest categories, or use fewer templates", l.Name, len(m.patterns), p, MostPatterns)
		}
	}
	return m.patterns, nil
}

// A maker makes patterns for one profile.
type maker struct {
	profile  match.Profile
	patterns []match.Pattern
	allowed  map[string]bool // keys of allow words, which are often there twice
}

func (m *maker) word(w *Word, rule int) {
	pat := match.Pattern{Text: w.Text, Rule: rule, All: w.All, Within: w.Within, Whole: w.IsWhole() || w.All != nil && w.Whole == nil}
	if m.profile == match.Sound {
		if w.All == nil && wants(w, find.Sound) {
			pat.Form, pat.Whole = find.Sound, true
			for _, reading := range readings(w.Text) {
				pat.Text = reading
				m.patterns = append(m.patterns, pat)
			}
		}
		return
	}
	if m.profile == match.Default && w.Strict {
		return
	}
	m.patterns = append(m.patterns, pat)
	if m.profile != match.Strict || w.All != nil {
		return
	}
	for _, form := range []find.Form{find.Split, find.Reversed, find.Alike} {
		if wants(w, form) {
			pat.Form = form
			for _, pat.Text = range disguises(w.Text, form) {
				m.patterns = append(m.patterns, pat)
			}
		}
	}
}

// wants reports whether a form of w is looked for.
func wants(w *Word, form find.Form) bool {
	if w.Forms != nil {
		return slices.Contains(w.Forms, form)
	}
	return byLength(Key(w.Text), form)
}

func (m *maker) allow(l *Lexicon) error {
	add := func(text string) {
		if key := Key(text); !m.allowed[key] {
			m.allowed[key] = true
			m.patterns = append(m.patterns, match.Pattern{Text: text, Allow: true})
		}
	}
	var err error
	eachAllow(l, func(text string, _ string) bool {
		if utf8.RuneCountInString(Key(text)) <= mostSymbols { // else a template made it too long to be found
			add(text)
		}
		if len(m.patterns) > MostPatterns {
			err = fmt.Errorf("lexicon %s: its templates make more than %d allow words; use fewer, or write the allow words out", l.Name, MostPatterns)
		}
		return err == nil
	})
	return err
}

// eachAllow calls f for each allow word of l, templates filled in, with the
// template it came from, until f says no.
func eachAllow(l *Lexicon, f func(text, template string) bool) {
	fill := func(allow, category string) bool {
		before, after, isTemplate := cutTemplate(allow)
		if !isTemplate {
			return f(allow, "")
		}
		for i := range l.Words {
			w := &l.Words[i]
			if w.All == nil && (category == "" || w.Category == category) && !f(before+w.Text+after, allow) {
				return false
			}
		}
		return true
	}
	for _, allow := range l.Allow {
		if !fill(allow, "") {
			return
		}
	}
	for _, name := range l.categoryNames() {
		for _, allow := range l.Categories[name].Allow {
			if !fill(allow, name) {
				return
			}
		}
	}
}
