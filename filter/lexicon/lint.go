package lexicon

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"bendi/filter/fold"
)

// A Kind says what is unwise about a word.
type Kind string

const (
	Dead      Kind = "dead"      // it can never be found
	Shadowed  Kind = "shadowed"  // another word finds all that it finds
	Duplicate Kind = "duplicate" // the same word is there twice
	Single    Kind = "single"    // it is of one character
	Broad     Kind = "broad"     // it is short, and found inside other words
	Common    Kind = "common"    // it is part of everyday language
	StopWord  Kind = "stop_word" // it is a word that holds sentences together
	Long      Kind = "long"      // standards count words up to 10 characters or 5 foreign words
	Template  Kind = "template"  // a template makes very many allow words
)

// A Finding is one unwise thing in a lexicon.
type Finding struct {
	Kind    Kind
	Lexicon string
	Line    int    // 0 for an allow word
	Word    string // its ID; empty for an allow word
	Other   string // ID of the word it is about as well; may be empty
	Text    string // the word, for the one who keeps the lexicon; keep it out of logs
	Reason  string // does not quote the word
	Advice  string
}

// Lint finds what is unwise in lexicons that are used together, in the order of
// their words. A lexicon without findings can still be wrong: Lint knows some
// everyday words, not all of them.
func Lint(lexicons ...*Lexicon) []Finding {
	c := &linter{words: map[string]entry{}, allow: map[string]bool{}}
	for _, l := range lexicons {
		for i := range l.Words {
			w := &l.Words[i]
			if w.All != nil {
				c.combined = append(c.combined, entry{l, w, ""})
				continue
			}
			e := entry{l, w, Key(w.Text)}
			c.longest = max(c.longest, utf8.RuneCountInString(e.key))
			first, twice := c.words[e.key]
			if !twice {
				c.words[e.key] = e
				continue
			}
			c.duplicate(first, e)
			if stronger(w, first.word) {
				c.words[e.key] = e
			}
		}
		c.templates(l)
	}
	for _, l := range lexicons {
		eachAllow(l, func(text, _ string) bool {
			key := Key(text)
			c.allow[key] = true
			c.longestAllow = max(c.longestAllow, utf8.RuneCountInString(key))
			return len(c.allow) < MostPatterns
		})
	}
	for _, l := range lexicons {
		for i := range l.Words {
			if w := &l.Words[i]; w.All == nil {
				c.word(entry{l, w, Key(w.Text)})
			}
		}
	}
	for _, e := range c.combined {
		c.combination(e)
	}
	order := map[string]int{}
	for i, l := range lexicons {
		order[l.Name] = i
	}
	slices.SortStableFunc(c.findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(order[a.Lexicon], order[b.Lexicon]), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Kind, b.Kind))
	})
	return c.findings
}

// An entry is a word with its lexicon and its key.
type entry struct {
	lexicon *Lexicon
	word    *Word
	key     string
}

type linter struct {
	words        map[string]entry // by key, the strongest of each
	combined     []entry
	allow        map[string]bool // keys
	longest      int             // of words, in runes
	longestAllow int
	findings     []Finding
}

func (c *linter) found(k Kind, e entry, other *Word, reason, advice string) {
	f := Finding{Kind: k, Lexicon: e.lexicon.Name, Line: e.word.Line, Word: e.word.ID, Text: e.word.Text, Reason: reason, Advice: advice}
	if e.word.All != nil {
		f.Text = strings.Join(e.word.All, " + ")
	}
	if other != nil {
		f.Other = other.ID
	}
	c.findings = append(c.findings, f)
}

// stronger reports whether a does all that b does, and more.
func stronger(a, b *Word) bool {
	return a.Level > b.Level || a.Level == b.Level && b.Strict && !a.Strict
}

// covers reports whether wherever a is looked for and found, finding b as well
// adds nothing.
func covers(a, b *Word) bool {
	return a.Category == b.Category && a.Level >= b.Level && (!a.Strict || b.Strict)
}

func (c *linter) duplicate(first, e entry) {
	where := fmt.Sprintf("line %d", first.word.Line)
	if first.lexicon != e.lexicon {
		where = fmt.Sprintf("line %d of %s", first.word.Line, first.lexicon.Name)
	}
	how := "as it stands"
	if e.word.Text != first.word.Text {
		how = "after folding (case, width, traditional characters and the like)"
	}
	reason := fmt.Sprintf("is the word on %s, %s", where, how)
	if e.word.Category != first.word.Category || e.word.Level != first.word.Level {
		reason += fmt.Sprintf(", which has category %s and level %d, not %s and %d: both count, and the stronger action wins", first.word.Category, first.word.Level, e.word.Category, e.word.Level)
	}
	c.found(Duplicate, e, first.word, reason, "remove one of them")
}

func (c *linter) word(e entry) {
	w, key := e.word, e.key
	runes := []rune(key)
	han, foreign := 0, 0
	for _, r := range runes {
		if fold.KindOf(r) == fold.Han {
			han++
		}
	}
	for field := range strings.FieldsSeq(key) {
		if !strings.ContainsFunc(field, func(r rune) bool { return fold.KindOf(r) == fold.Han }) {
			foreign++
		}
	}
	whole := w.IsWhole()

	if c.allow[key] {
		c.found(Dead, e, nil, "an allow word is the same: every occurrence is allowed", "remove the word or the allow word")
		return
	}
	if shadow, ok := c.shadow(e, runes); ok {
		c.found(Shadowed, e, shadow.word, fmt.Sprintf("contains the word on line %d%s, which has the same category and at least its level, so that one is found wherever this one is", shadow.word.Line, of(shadow.lexicon, e.lexicon)), "remove it, or give it a higher level if it is worse; where the shorter word is replaced, the longer one is replaced as a whole only while it is there")
	}
	switch {
	case stopWords()[key]:
		c.found(StopWord, e, nil, "holds sentences together and stands in nearly every text", "remove it: it is probably a slip in the list")
		return
	case len(runes) == 1:
		c.found(Single, e, nil, "is of one character, which is part of many words", "write the words that are meant, or a combination (all, within)")
		return
	case han == 0 && len(runes) <= 2 && !whole:
		c.found(Broad, e, nil, fmt.Sprintf("has %d letters and is found inside other words", len(runes)), "set whole: true, or write the words that are meant")
		return
	}
	if word, ok := c.common(key, whole); ok && (word != key || w.Level > 1) {
		reason := "is an everyday word itself"
		advice := "write what makes it harmful with it, or a combination (all, within); or give it level 1"
		if word != key {
			reason = fmt.Sprintf("is part of the everyday %s %s", map[bool]string{true: "phrase", false: "word"}[utf8.RuneCountInString(word) > 4 && han > 0], word)
			advice = fmt.Sprintf("add the allow word %s, or write a longer word", word)
			if han == 0 {
				advice = "set whole: true, or add the allow word " + word
			}
		}
		c.found(Common, e, nil, reason, advice)
	}
	if han > 10 || han == 0 && foreign > 5 {
		c.found(Long, e, nil, fmt.Sprintf("has %d Chinese characters and %d foreign words; standards count words of up to 10 or up to 5", han, foreign), "write its core, or a combination (all, within) of its parts")
	}
}

func of(l, than *Lexicon) string {
	if l == than {
		return ""
	}
	return " of " + l.Name
}

// shadow returns a word that is found wherever e is.
func (c *linter) shadow(e entry, runes []rune) (entry, bool) {
	for i := range runes {
		for j := i + 1; j <= len(runes) && j-i <= c.longest; j++ {
			if j-i == len(runes) {
				continue
			}
			o, ok := c.words[string(runes[i:j])]
			if !ok || !covers(o.word, e.word) {
				continue
			}
			if o.word.IsWhole() && (i > 0 && asciiWord(runes[i-1]) || j < len(runes) && asciiWord(runes[j])) {
				continue // it is not found inside this one
			}
			if c.allowedInside(runes, i, j) {
				continue // there it is allowed
			}
			return o, true
		}
	}
	return entry{}, false
}

// allowedInside reports whether an allow word within the word voids what it has
// from i to j.
func (c *linter) allowedInside(runes []rune, i, j int) bool {
	for from := 0; from <= i; from++ {
		for to := j; to <= len(runes) && to-from <= c.longestAllow; to++ {
			if c.allow[string(runes[from:to])] {
				return true
			}
		}
	}
	return false
}

func asciiWord(r rune) bool { return r < 0x80 && (alnum(byte(r)) || r == '_') }

// common returns an everyday word that contains key and in which no allow word
// voids it.
func (c *linter) common(key string, whole bool) (string, bool) {
	e := everyday()
	if e.words[key] {
		return key, true
	}
	if whole {
		return "", false
	}
	if word, ok := e.containing(key); !ok || !c.voids(word, key) && ok {
		return word, ok
	}
	// The shortest is allowed; perhaps not all are.
	for _, word := range e.sorted() {
		if strings.Contains(word, key) && !c.voids(word, key) {
			return word, true
		}
	}
	return "", false
}

// voids reports whether allow words void each occurrence of key in text.
func (c *linter) voids(text, key string) bool {
	runes, n := []rune(text), utf8.RuneCountInString(key)
	for i := 0; i+n <= len(runes); i++ {
		if string(runes[i:i+n]) == key && !c.allowedInside(runes, i, i+n) {
			return false
		}
	}
	return true
}

func (c *linter) combination(e entry) {
	w := e.word
	least := 0
	for _, part := range w.All {
		key := Key(part)
		least += utf8.RuneCountInString(key)
		if o, ok := c.words[key]; ok && covers(o.word, w) {
			c.found(Shadowed, e, o.word, fmt.Sprintf("one of its texts is the word on line %d%s, which has the same category and at least its level", o.word.Line, of(o.lexicon, e.lexicon)), "remove the combination, or give it a higher level if it is worse")
			return
		}
	}
	if least > w.Within {
		c.found(Dead, e, nil, fmt.Sprintf("its texts have %d characters together, which are never within %d", least, w.Within), fmt.Sprintf("set within to %d or more", least))
	}
}

// mostFilled is how many allow words templates may make before Lint says so.
const mostFilled = 200_000

func (c *linter) templates(l *Lexicon) {
	made := map[string]int{}
	eachAllow(l, func(_, template string) bool {
		if template != "" {
			made[template]++
		}
		return true
	})
	total := 0
	for _, n := range made {
		total += n
	}
	if total > mostFilled {
		c.findings = append(c.findings, Finding{Kind: Template, Lexicon: l.Name,
			Reason: fmt.Sprintf("its %d templates make %d allow words", len(made), total),
			Advice: "put the words that are topics into a category of their own and the templates there"})
	}
}

// stopWords hold sentences together.
var stopWords = sync.OnceValue(func() map[string]bool {
	words := map[string]bool{}
	for w := range strings.FieldsSeq(`的 了 是 在 我 你 他 她 它 们 这 那 和 与 或 也 都 就 不 没 有 要 会 能 可 以 之 其 而 但 吗 呢 吧 啊 呀 把 被 让 给 对 从 到 向 跟 很 太 再 还 又 只 才 上 下 中 里 个 一 二 三 着 过 得 地 所 等 于 为 及
		一个 一些 这个 那个 这些 那些 什么 怎么 怎样 如何 为什么 哪里 谁 我们 你们 他们 自己 没有 不是 就是 还是 或者 以及 因为 所以 但是 如果 可以 可能 已经 非常 什么的 的话 之一
		a an the of to in on at by for from with as is are was were be been am do does did have has had i you he she it we they me him her us them my your his its our their this that these those and or but if not no so than then there here what which who when where how`) {
		words[w] = true
	}
	return words
})
