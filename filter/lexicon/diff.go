package lexicon

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"
	"strconv"

	"bendi/filter/find"
)

// Changes are what an update of a lexicon does. Words count as the same when
// they match the same, whatever their IDs and lines.
type Changes struct {
	Added, Removed              []Word
	Changed                     []Change
	AllowAdded, AllowRemoved    []string // of the categories too, as "category: word"
	CategoryAdded, CategoryGone []string
	Relabelled                  []string // categories with another title, level, risk, or other settings
	OldDigest, NewDigest        string
	OldVersion, NewVersion      string
}

// A Change is a word that both versions have, with other settings.
type Change struct {
	Old, New Word
	What     []string // the keys that differ, such as level
}

// Empty reports whether both versions find the same and say the same of it.
func (c *Changes) Empty() bool { return c.OldDigest == c.NewDigest }

// Diff tells what the update from old to new changes, in the order of the files.
func Diff(old, new *Lexicon) *Changes {
	c := &Changes{OldDigest: old.Digest(), NewDigest: new.Digest(), OldVersion: old.Version, NewVersion: new.Version}
	before := byKey(old)
	after := byKey(new)
	for i := range new.Words {
		w := &new.Words[i]
		key := w.key()
		if after[key] != w {
			continue // there twice
		}
		o, ok := before[key]
		if !ok {
			c.Added = append(c.Added, *w)
		} else if what := differences(o, w); what != nil {
			c.Changed = append(c.Changed, Change{*o, *w, what})
		}
	}
	for i := range old.Words {
		w := &old.Words[i]
		key := w.key()
		if _, ok := after[key]; !ok && before[key] == w {
			c.Removed = append(c.Removed, *w)
		}
	}
	c.AllowAdded, c.AllowRemoved = setDiff(allows(old), allows(new))
	c.CategoryAdded, c.CategoryGone = setDiff(old.categoryNames(), new.categoryNames())
	for _, name := range new.categoryNames() {
		a, b := old.Categories[name], new.Categories[name]
		if _, ok := old.Categories[name]; ok && (a.Title != b.Title || a.Level != b.Level || a.Risk != b.Risk || a.Strict != b.Strict || !slices.Equal(a.Forms, b.Forms)) {
			c.Relabelled = append(c.Relabelled, name)
		}
	}
	return c
}

// byKey has the first word of each key.
func byKey(l *Lexicon) map[string]*Word {
	words := make(map[string]*Word, len(l.Words))
	for i := range l.Words {
		w := &l.Words[i]
		if key := w.key(); words[key] == nil {
			words[key] = w
		}
	}
	return words
}

func differences(a, b *Word) []string {
	var what []string
	differ := func(key string, yes bool) {
		if yes {
			what = append(what, key)
		}
	}
	differ("category", a.Category != b.Category)
	differ("level", a.Level != b.Level)
	differ("risk", a.Risk != b.Risk)
	differ("strict", a.Strict != b.Strict)
	differ("whole", a.IsWhole() != b.IsWhole())
	differ("forms", !slices.Equal(a.Forms, b.Forms) || (a.Forms == nil) != (b.Forms == nil))
	return what
}

func allows(l *Lexicon) []string {
	all := slices.Clone(l.Allow)
	for _, name := range l.categoryNames() {
		for _, a := range l.Categories[name].Allow {
			all = append(all, name+": "+a)
		}
	}
	return all
}

func setDiff(old, new []string) (added, removed []string) {
	was, is := map[string]bool{}, map[string]bool{}
	for _, s := range old {
		was[s] = true
	}
	for _, s := range new {
		is[s] = true
	}
	for s := range is {
		if !was[s] {
			added = append(added, s)
		}
	}
	for s := range was {
		if !is[s] {
			removed = append(removed, s)
		}
	}
	slices.Sort(added)
	slices.Sort(removed)
	return added, removed
}

// Digest is a SHA-256 over what the lexicon finds and says of it: over words
// with their settings, allow words and categories, whatever their order. An
// approval can name it, and the one who puts the lexicon in force compare it.
// The name, the version, the day and the note are not part of it.
func (l *Lexicon) Digest() string {
	words := byKey(l)
	keys := slices.Sorted(maps.Keys(words))
	h := sha256.New()
	put := func(parts ...string) {
		for _, p := range parts {
			h.Write([]byte(strconv.Itoa(len(p)) + ":" + p + "\n"))
		}
	}
	for _, key := range keys {
		w := words[key]
		put("word", key, w.Category, strconv.Itoa(w.Level), w.Risk, strconv.FormatBool(w.Strict), strconv.FormatBool(w.IsWhole()), formsText(w.Forms))
	}
	allow := allows(l)
	slices.SortFunc(allow, cmp.Compare[string])
	for _, a := range slices.Compact(allow) {
		put("allow", a)
	}
	for _, name := range l.categoryNames() {
		c := l.Categories[name]
		put("category", name, c.Title, strconv.Itoa(c.Level), c.Risk, strconv.FormatBool(c.Strict), formsText(c.Forms))
	}
	return "sha256:" + hex.EncodeToString(h.Sum(nil))
}

func formsText(forms []find.Form) string {
	if forms == nil {
		return "by length"
	}
	return "[" + formNames(forms) + "]"
}

// IsWhole reports whether the word is looked for as a whole word only.
func (w *Word) IsWhole() bool {
	if w.Whole != nil {
		return *w.Whole
	}
	return w.All == nil && wordLike(Key(w.Text))
}

// wordLike reports whether key begins and ends with ASCII letters or digits.
func wordLike(key string) bool {
	return key != "" && alnum(key[0]) && alnum(key[len(key)-1])
}

func alnum(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}
