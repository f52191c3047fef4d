package match

import (
	"cmp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"bendi/filter/find"
	"bendi/filter/fold"
)

// The oracle says what the package comment says, over whole texts, as plainly
// as possible and without a thought for speed. It knows no limit of 64.

// An oracleToken is a rune that is not passed over everywhere, or one of those
// that it stands for.
type oracleToken struct {
	r, raw         rune // folded, and as it stands
	kind           fold.Kind
	leet           bool
	at, end        int
	next           int  // the token that begins where this rune ends
	inner          bool // not the first of its rune
	joined         bool // to the rune before
	syllable, last bool // of a Han character that has a reading; the last letter of it
}

// An oracleSymbol is what patterns are compared with.
type oracleSymbol struct {
	oracleToken
	plain rune // before leet
	first int  // its place among the tokens
	gap   bool // before it, and passed over
	ends  []oracleEnd
}

// An oracleEnd is where a symbol may end: once, or after each repetition.
type oracleEnd struct {
	at, next int
	gap      bool // before this repetition
}

func oracleTokens(text string, p Profile) []oracleToken {
	var tokens []oracleToken
	joiner := false
	for at := 0; at < len(text); {
		raw, size := utf8.DecodeRuneInString(text[at:])
		end := at + size
		kind := fold.KindOf(raw)
		if kind == fold.Invisible || kind == fold.Mark {
			joiner = joiner || raw == 0x200D
			at = end
			continue
		}
		all := string(fold.Rune(raw))
		if e := fold.Expand(raw); p == Strict && e != "" {
			all = e
		}
		if p == Sound && strings.ContainsRune("üǖǘǚǜÜǕǗǙǛ", raw) {
			all = "v"
		}
		syllable := p == Sound && kind == fold.Han && fold.Syllable(fold.Rune(raw)) != ""
		if syllable {
			all = fold.Syllable(fold.Rune(raw))
		}
		first := len(tokens)
		for _, r := range all {
			k := fold.KindOf(r)
			if syllable || r == fold.Rune(raw) {
				k = kind
			}
			t := oracleToken{r: r, raw: raw, kind: k, at: at, end: end, inner: len(tokens) > first, syllable: syllable}
			if p == Strict && k == fold.Noise && fold.Leet(r) != r && len(tokens) > 0 && oracleLetter(tokens[len(tokens)-1]) {
				t.leet = true
			}
			if p == Strict && k == fold.Digit && fold.Leet(r) != r {
				t.leet = true
			}
			tokens = append(tokens, t)
		}
		for i := first; i < len(tokens); i++ {
			tokens[i].next = len(tokens)
		}
		tokens[first].joined, joiner = joiner, false
		tokens[len(tokens)-1].last = true
		at = end
	}
	return tokens
}

func oracleGap(k fold.Kind) bool {
	return k == fold.Noise || k == fold.Space || k == fold.Newline
}

// oracleLetter reports whether a token is a letter or digit, or taken for one.
func oracleLetter(t oracleToken) bool {
	return t.kind == fold.Letter || t.kind == fold.Digit || t.kind == fold.Noise && t.leet
}

func oracleWord(t oracleToken) bool { return t.kind == fold.Han || oracleLetter(t) }

func oracleSymbols(text string, p Profile) ([]oracleSymbol, []oracleToken) {
	tokens := oracleTokens(text, p)
	isGap := func(i int) bool { return oracleGap(tokens[i].kind) && !tokens[i].leet }
	var symbols []oracleSymbol
	add := func(i int, gap bool) {
		t := tokens[i]
		x := oracleSymbol{oracleToken: t, plain: t.r, first: i, gap: gap, ends: []oracleEnd{{t.end, i + 1, gap}}}
		if t.leet {
			x.r = fold.Leet(t.r)
		}
		if k := len(symbols) - 1; p == Strict && k >= 0 && oracleWord(t) && (t.kind != fold.Digit || t.leet) &&
			oracleWord(symbols[k].oracleToken) && symbols[k].r == x.r &&
			(symbols[k].kind == fold.Han) == (t.kind == fold.Han) {
			symbols[k].ends = append(symbols[k].ends, x.ends...)
			return
		}
		symbols = append(symbols, x)
	}
	gap := false
	for i := 0; i < len(tokens); {
		if !isGap(i) {
			add(i, gap)
			gap = false
			i++
			continue
		}
		j := i
		for j < len(tokens) && isGap(j) {
			j++
		}
		if gap = oraclePasses(tokens, i, j, p); !gap {
			for k := i; k < j; k++ {
				if t := tokens[k]; t.kind == fold.Noise {
					symbols = append(symbols, oracleSymbol{oracleToken: t, plain: t.r, first: k, ends: []oracleEnd{{t.end, k + 1, false}}})
				} else if k == i || tokens[k-1].kind == fold.Noise {
					t.r = ' '
					symbols = append(symbols, oracleSymbol{oracleToken: t, plain: ' ', first: k, ends: []oracleEnd{{t.end, k + 1, false}}})
				}
			}
		}
		i = j
	}
	return symbols, tokens
}

// oraclePasses reports whether the gap from i to j is passed over.
func oraclePasses(tokens []oracleToken, i, j int, p Profile) bool {
	if i == 0 || j == len(tokens) {
		return false
	}
	left, right := tokens[i-1], tokens[j]
	size, wide := j-i, j-i
	for k := i + 1; k < j; k++ {
		if tokens[k].joined && tokens[k].kind == fold.Noise && tokens[k-1].kind == fold.Noise {
			size--
		}
		if p != Default && oracleLetter(left) && tokens[k].kind != fold.Noise && tokens[k-1].kind != fold.Noise {
			size-- // spaces after a letter count once
			wide--
		}
	}
	if size > 2 || wide > 8 {
		return false
	}
	if !oracleWord(left) || !oracleWord(right) {
		return false
	}
	leftHan, rightHan := left.syllable || left.kind == fold.Han, right.syllable || right.kind == fold.Han
	if leftHan == rightHan {
		return leftHan || p != Default
	}
	return !slices.ContainsFunc(tokens[i:j], func(t oracleToken) bool { return t.r == '.' })
}

// oraclePattern is the symbols of a pattern without what its ends do not need;
// none if it cannot be one.
func oraclePattern(text string, profile Profile) []oracleSymbol {
	s, _ := oracleSymbols(text, profile)
	solid := func(x oracleSymbol) bool { return !oracleGap(x.kind) || x.leet }
	first := slices.IndexFunc(s, solid)
	if first < 0 {
		return nil
	}
	for first > 0 && (s[first].kind == fold.Han || s[0].kind != fold.Noise) {
		s, first = s[1:], first-1
	}
	last := len(s) - 1
	for !solid(s[last]) {
		last--
	}
	for last < len(s)-1 && (s[last].kind == fold.Han || s[len(s)-1].kind != fold.Noise) {
		s = s[:len(s)-1]
	}
	return s
}

func oracleJoins(t oracleToken) bool {
	return t.r == '_' || (t.kind == fold.Letter || t.kind == fold.Digit) && t.r < 0x590
}

func oracleAlnum(s oracleSymbol) bool {
	return oracleLetter(s.oracleToken) && s.r < 0x590
}

// oracleOccurrences are those of one text that is not a combination.
func oracleOccurrences(text, pattern string, whole bool, profile Profile) (spans [][2]int) {
	symbols, tokens := oracleSymbols(text, profile)
	p := oraclePattern(pattern, profile)
	hex, foreign := true, false
	for _, x := range p {
		hex = hex && (x.r >= '0' && x.r <= '9' || x.r >= 'a' && x.r <= 'f')
		foreign = foreign || fold.Foreign(x.raw)
	}
	joins := func(i int) bool { return i >= 0 && i < len(tokens) && oracleJoins(tokens[i]) }
	goesOn := func(i int) bool {
		return joins(i) || hex && i >= 0 && i < len(tokens) && (tokens[i].r == '-' || tokens[i].r == ':')
	}
	for i := 0; i+len(p) <= len(symbols) && len(p) > 0; i++ {
		m := symbols[i : i+len(p)]
		last := m[len(m)-1]
		if slices.CompareFunc(m, p, func(x, y oracleSymbol) int { return cmp.Compare(x.r, y.r) }) != 0 {
			continue
		}
		if whole && oracleAlnum(p[0]) && m[0].kind != fold.Han && goesOn(m[0].first-1) {
			continue
		}
		if !foreign && !oracleOneWriter(m) {
			continue
		}
		tail := whole && oracleAlnum(p[len(p)-1]) && last.kind != fold.Han
		spelled := false
		switch profile {
		case Strict:
			var ok bool
			if spelled, ok = oracleStrictly(m, p); !ok || spelled && joins(m[0].first-1) {
				continue
			}
			spelled = spelled && last.kind != fold.Han
		case Sound:
			if !oracleSoundly(m, p, tokens) || last.syllable && !last.last {
				continue
			}
			spelled = oracleLetter(last.oracleToken)
		}
		least := min(3, len(p[len(p)-1].ends))
		for k := least - 1; k < len(last.ends) && (tail || k < least); k++ {
			if k >= least && last.ends[k].gap && !goesOn(last.ends[k-1].next) {
				break // the word has ended before
			}
			if profile == Strict && oracleDoubled(m, p, k+1, whole && oracleAlnum(p[0])) {
				continue
			}
			if e := last.ends[k]; !(tail && goesOn(e.next)) && !(spelled && joins(e.next)) {
				spans = append(spans, [2]int{m[0].at, e.at})
			}
		}
	}
	return spans
}

// oracleStrictly reports whether m is a disguise of p, and whether it is one
// that spells it letter by letter.
func oracleStrictly(m, p []oracleSymbol) (spelled, ok bool) {
	leets, letters, gaps, foreignGaps, places := 0, 0, 0, 0, 0
	for i := range m {
		if len(m[i].ends) < min(3, len(p[i].ends)) {
			return false, false
		}
		switch {
		case p[i].leet:
			if m[i].plain != p[i].plain {
				return false, false
			}
		case m[i].leet:
			leets++
		case m[i].kind == fold.Letter:
			letters++
		}
		if i > 0 && m[i].kind != fold.Han && m[i-1].kind != fold.Han {
			places++
			if m[i].gap {
				gaps++
				if !p[i].gap {
					foreignGaps++
				}
			}
		}
	}
	if leets > 0 && leets >= letters {
		return false, false
	}
	return foreignGaps > 0, foreignGaps == 0 || gaps == places
}

// oracleDoubled reports whether some letters of m, but not all, are two where p
// has one. The last is there so many times.
func oracleDoubled(m, p []oracleSymbol, last int, head bool) bool {
	runs := map[int]bool{}
	for i := range m {
		n := len(m[i].ends)
		if i == len(m)-1 {
			n = last
		}
		if m[i].kind != fold.Han && len(p[i].ends) == 1 && (i > 0 || head) {
			runs[n] = true
		}
	}
	return runs[1] && runs[2]
}

// oracleSoundly reports whether m is made of words and syllables, and those of p.
func oracleSoundly(m, p []oracleSymbol, tokens []oracleToken) bool {
	isHan := func(x oracleSymbol) bool { return x.syllable || x.kind == fold.Han }
	starts := func(x []oracleSymbol, i int) bool {
		return isHan(x[i]) && !x[i].inner || isHan(x[i]) != isHan(x[i-1]) || x[i].gap
	}
	if isHan(m[0]) && m[0].inner || oracleLetter(m[0].oracleToken) && !isHan(m[0]) && m[0].first > 0 && oracleJoins(tokens[m[0].first-1]) {
		return false
	}
	for i := 1; i < len(m); i++ {
		in := starts(p, i)
		if starts(m, i) && !in && isHan(p[i]) || in && isHan(m[i]) && !starts(m, i) {
			return false
		}
	}
	return true
}

func oracleOneWriter(m []oracleSymbol) bool {
	var latin, greek, other bool
	for _, x := range m {
		switch {
		case fold.Foreign(x.raw) && unicode.Is(unicode.Greek, x.raw):
			greek = true
		case fold.Foreign(x.raw):
			other = true
		case x.kind == fold.Letter && !x.leet || x.kind == fold.Han || x.syllable:
			latin = true
		}
	}
	return !greek && !other || latin && (greek || other) || greek && other
}

// oracle tells all spans in text, sorted.
func oracle(text string, patterns []Pattern, profile Profile) []find.Span {
	var allowed [][2]int
	for _, p := range patterns {
		if p.Allow {
			allowed = append(allowed, oracleOccurrences(text, p.Text, p.Whole, profile)...)
		}
	}
	surviving := func(pattern string, whole bool) (left [][2]int) {
		for _, o := range oracleOccurrences(text, pattern, whole, profile) {
			if !slices.ContainsFunc(allowed, func(a [2]int) bool { return a[0] <= o[0] && o[1] <= a[1] }) {
				left = append(left, o)
			}
		}
		return left
	}
	var spans []find.Span
	for _, p := range patterns {
		if p.Allow {
			continue
		}
		if len(p.All) == 0 {
			for _, o := range surviving(p.Text, p.Whole) {
				spans = append(spans, find.Span{Start: o[0], End: o[1], Rule: p.Rule, Form: p.Form})
			}
			continue
		}
		var parts [][][2]int
		for _, part := range p.All {
			parts = append(parts, surviving(part, p.Whole))
		}
		spans = append(spans, oracleWholes(text, p, parts, profile)...)
	}
	sortSpans(spans)
	return spans
}

// oracleWholes are the spans that have all parts, and none of them within.
func oracleWholes(text string, p Pattern, parts [][][2]int, profile Profile) (spans []find.Span) {
	symbols, _ := oracleSymbols(text, profile)
	var starts, ends []int
	for _, part := range parts {
		for _, o := range part {
			starts, ends = append(starts, o[0]), append(ends, o[1])
		}
	}
	slices.Sort(starts)
	slices.Sort(ends)
	full := func(start, end int) bool {
		for _, part := range parts {
			if !slices.ContainsFunc(part, func(o [2]int) bool { return start <= o[0] && o[1] <= end }) {
				return false
			}
		}
		return true
	}
	for _, start := range slices.Compact(starts) {
		for _, end := range slices.Compact(slices.Clone(ends)) {
			if !full(start, end) {
				continue
			}
			smaller := false
			for _, s := range starts {
				for _, e := range ends {
					smaller = smaller || s >= start && e <= end && (s > start || e < end) && full(s, e)
				}
			}
			size := 0
			for _, x := range symbols {
				if start <= x.at && x.end <= end {
					size++
				}
			}
			if !smaller && size <= p.Within {
				spans = append(spans, find.Span{Start: start, End: end, Rule: p.Rule, Form: p.Form})
			}
		}
	}
	return spans
}

func sortSpans(spans []find.Span) {
	slices.SortFunc(spans, func(x, y find.Span) int {
		return cmp.Or(cmp.Compare(x.Start, y.Start), cmp.Compare(x.End, y.End), cmp.Compare(x.Rule, y.Rule), cmp.Compare(x.Form, y.Form))
	})
}
