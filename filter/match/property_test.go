package match

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/cloudflare/ahocorasick"

	"bendi/filter/find"
	"bendi/filter/fold"
)

// pieces has every kind of rune, of one to four bytes, and runes that fold to
// each other.
var pieces = []string{
	"赌", "博", "赌", "博", "網", "网", "𠮷", "〇",
	"a", "b", "A", "ａ", "а", "α", "c", "1", "é", "b", "o", "4", "du", "bo", "ǖ", "㎏", "⒜", "2", "@",
	" ", " ", "\u3000", "\n", "*", "-", ".", "_", "🎲", "🎲\u200d👧", "\u200d👧", "+",
	"。", "，", ",", "(",
	"\u200b", "\u200d", "\ufe0f", "\u0336", "\U000E0041",
	"\x80", "\xe8", "�",
}

// clean are those that random patterns are made of, and texts that have to hit.
var clean = []string{"赌", "博", "网", "a", "b", "c", "o"}

func randomText(r *rand.Rand, from []string, n int) string {
	var b strings.Builder
	for range n {
		b.WriteString(from[r.IntN(len(from))])
	}
	return b.String()
}

// A menu is what random patterns may be.
type menu struct{ allow, whole, combinations bool }

func randomPatterns(r *rand.Rand, p Profile, m menu) []Pattern {
	var ps []Pattern
	for len(ps) == 0 || r.IntN(4) > 0 {
		from := clean
		if r.IntN(4) == 0 {
			from = pieces
		}
		pat := Pattern{Text: randomText(r, from, 1+r.IntN(4)), Rule: len(ps)}
		if m.combinations && r.IntN(4) == 0 {
			pat.All = []string{pat.Text}
			for range r.IntN(3) {
				pat.All = append(pat.All, randomText(r, clean, 1+r.IntN(2)))
			}
			pat.Text, pat.Within = "", 1+r.IntN(12)
		}
		pat.Whole = m.whole && r.IntN(3) == 0
		pat.Allow = m.allow && pat.All == nil && r.IntN(3) == 0
		if _, err := Compile([]Pattern{pat}, p); err == nil {
			ps = append(ps, pat)
		}
	}
	return ps
}

// likelyText has patterns in it, whole and in part.
func likelyText(r *rand.Rand, ps []Pattern, n int) string {
	var b strings.Builder
	for range n {
		switch p := ps[r.IntN(len(ps))]; {
		case r.IntN(3) == 0:
			text := p.Text
			if p.All != nil {
				text = p.All[r.IntN(len(p.All))]
			}
			rs := []rune(text)
			b.WriteString(string(rs[r.IntN(len(rs)):]))
		default:
			b.WriteString(pieces[r.IntN(len(pieces))])
		}
	}
	return b.String()
}

// rounds is how many random cases a property is tried on.
func rounds(t testing.TB, n int) int {
	if testing.Short() {
		return n / 10
	}
	return n
}

// cut scans text in pieces that end at the places given, and fails t if a
// promise of find.Finder is broken on the way.
func cut(t *testing.T, s *Scanner, text string, places []int) []find.Span {
	t.Helper()
	var spans []find.Span
	before, told := 0, 0
	places = append(slices.Clone(places), len(text))
	for i, at := range places {
		from := 0
		if i > 0 {
			from = places[i-1]
		}
		var settled int
		spans, settled = s.Scan(spans, text[from:at], i == len(places)-1)
		for _, x := range spans[told:] {
			if utf8.ValidString(text) && (!boundary(text, x.Start) || !boundary(text, x.End)) {
				t.Fatalf("%q: %v is not of whole runes", text, x)
			}
			if x.Start < before {
				t.Fatalf("%q: after %d bytes %v was told, but %d was settled", text, at, x, before)
			}
		}
		told = len(spans)
		switch {
		case settled < before:
			t.Fatalf("%+v %q: after %d bytes settled went back from %d to %d", s.a.combinations, text, at, before, settled)
		case settled > at:
			t.Fatalf("%q: after %d bytes %d are settled", text, at, settled)
		case settled < len(text) && utf8.ValidString(text) && !utf8.RuneStart(text[settled]):
			t.Fatalf("%q: after %d bytes %d are settled, which is within a rune", text, at, settled)
		}
		before = settled
	}
	if before != len(text) {
		t.Fatalf("%q: at the end %d are settled", text, before)
	}
	sortSpans(spans)
	return spans
}

func boundary(text string, i int) bool { return i == len(text) || utf8.RuneStart(text[i]) }

func everyByte(text string) []int {
	var at []int
	for i := 1; i < len(text); i++ {
		at = append(at, i)
	}
	return at
}

// However a text is cut up, byte by byte included, the spans are those that
// the oracle finds in the whole.
func checkCuts(t *testing.T, p Profile, ps []Pattern, text string, seed uint64) {
	t.Helper()
	a := compile(t, p, ps...)
	want := oracle(text, ps, p)
	r := rand.New(rand.NewPCG(seed, 2))
	defer func() {
		if t.Failed() {
			t.Logf("patterns %+v", ps)
		}
	}()
	s := a.Scanner()
	s.second = nil // the oracle knows no markup
	for _, places := range [][]int{nil, everyByte(text), randomCuts(r, text), randomCuts(r, text)} {
		if got := cut(t, s, text, places); !slices.Equal(got, want) {
			t.Fatalf("%v, patterns %+v\ntext %q cut at %v\ngot  %v\nwant %v", p, ps, text, places, got, want)
		}
		s.Reset()
	}
}

func randomCuts(r *rand.Rand, text string) (at []int) {
	for i := range len(text) {
		if r.IntN(3) == 0 {
			at = append(at, i)
		}
	}
	return at
}

func TestCuts(t *testing.T) {
	for seed := range uint64(rounds(t, 1500)) {
		r := rand.New(rand.NewPCG(seed, 1))
		p := Profile(r.IntN(3))
		ps := randomPatterns(r, p, menu{r.IntN(2) == 0, r.IntN(2) == 0, r.IntN(2) == 0 && p != Sound})
		checkCuts(t, p, ps, likelyText(r, ps, 1+r.IntN(24)), seed)
	}
}

// After each rune, no less is held back than something may still begin at, and
// no more; and what no continuation could change has been told.
func TestMinimal(t *testing.T) {
	for seed := range uint64(rounds(t, 200)) {
		r := rand.New(rand.NewPCG(seed, 3))
		ps := slices.DeleteFunc(randomPatterns(r, Default, menu{allow: r.IntN(2) == 0, whole: r.IntN(2) == 0}), hasNoise)
		ps = slices.DeleteFunc(ps, func(p Pattern) bool { return p.Allow && slices.ContainsFunc(ps, p.same) })
		if len(ps) == 0 {
			continue
		}
		// A letter of another script is held until it is known whether there are
		// Latin ones, and one after a hyphen until it is known to be no hexadecimal.
		latin := strings.NewReplacer("а", "a", "α", "a", "-", "*").Replace(likelyText(r, ps, 1+r.IntN(10)))
		if slices.ContainsFunc(ps, func(p Pattern) bool { return p.Allow }) {
			// An allowed pattern counts as alive within words, and in a gap
			// whatever comes next.
			for i := range ps {
				ps[i].Whole = ps[i].Whole && !ps[i].Allow
			}
			latin = strings.Map(func(r rune) rune {
				if oracleGap(fold.KindOf(r)) {
					return '中'
				}
				return r
			}, latin)
		}
		checkMinimal(t, ps, strings.ToValidUTF8(latin, "中"))
	}
}

// same reports whether p, which is allowed, voids all that q finds.
func (p Pattern) same(q Pattern) bool {
	return !q.Allow && slices.EqualFunc(oraclePattern(p.Text, Default), oraclePattern(q.Text, Default),
		func(x, y oracleSymbol) bool { return x.r == y.r })
}

// hasNoise reports whether noise is a symbol of a pattern. Such noise may be
// held back a gap longer, until it is known that it is text.
func hasNoise(p Pattern) bool {
	return slices.ContainsFunc(oraclePattern(p.Text, Default), func(x oracleSymbol) bool { return x.kind == fold.Noise })
}

func checkMinimal(t *testing.T, ps []Pattern, text string) {
	t.Helper()
	a := compile(t, Default, ps...)
	ends := []string{"", "x", "中", " "}
	for _, p := range ps {
		rs := []rune(p.Text)
		for i := range rs {
			ends = append(ends, string(rs[i:]), string(rs[i:])+"x")
		}
	}
	s := a.Scanner()
	var told []find.Span
	for i, ch := range text {
		var settled int
		told, settled = s.Scan(told, string(ch), false)
		read := text[:i+utf8.RuneLen(ch)]
		want := len(read)
		var sure []find.Span
		for k, end := range ends {
			all := oracle(read+end, ps, Default)
			for _, x := range all {
				if !slices.Contains(told, x) {
					want = min(want, x.Start)
				}
			}
			if k == 0 {
				sure = all
			} else {
				sure = slices.DeleteFunc(sure, func(x find.Span) bool { return !slices.Contains(all, x) })
			}
		}
		if settled != want {
			t.Fatalf("patterns %+v\nafter %q settled is %d, could be %d", ps, read, settled, want)
		}
		for _, x := range sure {
			if !slices.Contains(told, x) {
				t.Fatalf("patterns %+v\nafter %q span %v is certain, but not told", ps, read, x)
			}
		}
	}
}

// With markup in it, a text is read in the same way however it is cut up.
func TestMarkupCuts(t *testing.T) {
	more := slices.Concat([]string{"<", "<b>", "</b>", "](x)", "[", "]", "\n1. ", "\n2.", "&#36172;", "&#x535A;", "&#", "&", ";", "赌", "博", "赌", "博", "博"}, pieces)
	for seed := range uint64(rounds(t, 600)) {
		r := rand.New(rand.NewPCG(seed, 4))
		ps := randomPatterns(r, Strict, menu{r.IntN(2) == 0, r.IntN(2) == 0, r.IntN(2) == 0})
		checkSame(t, Strict, ps, randomText(r, more, 1+r.IntN(24)), seed)
	}
}

// checkSame checks that cuts make no difference.
func checkSame(t *testing.T, p Profile, ps []Pattern, text string, seed uint64) {
	t.Helper()
	a := compile(t, p, ps...)
	r := rand.New(rand.NewPCG(seed, 2))
	want := cut(t, a.Scanner(), text, nil)
	for _, places := range [][]int{everyByte(text), randomCuts(r, text)} {
		if got := cut(t, a.Scanner(), text, places); !slices.Equal(got, want) {
			t.Fatalf("%v, patterns %+v\ntext %q cut at %v\ngot  %v\nwant %v", p, ps, text, places, got, want)
		}
	}
}

// One more allowed pattern adds no span, and one more of another kind removes none.
func TestMonotone(t *testing.T) {
	for seed := range uint64(rounds(t, 600)) {
		r := rand.New(rand.NewPCG(seed, 5))
		p := Profile(r.IntN(3))
		ps := randomPatterns(r, p, menu{true, true, false})
		checkMonotone(t, p, ps, likelyText(r, ps, 1+r.IntN(24)))
	}
}

func checkMonotone(t *testing.T, p Profile, ps []Pattern, text string) {
	t.Helper()
	fewer, one := ps[:len(ps)-1], ps[len(ps)-1]
	with, without := scan(compile(t, p, ps...), text), scan(compile(t, p, fewer...), text)
	if one.Allow {
		with, without = without, with
	}
	for _, x := range without {
		if !slices.Contains(with, x) {
			t.Fatalf("%v, %+v on top of %+v in %q: %v and %v", p, one, fewer, text, with, without)
		}
	}
}

// Every pattern is found in itself.
func TestSelf(t *testing.T) {
	for seed := range uint64(rounds(t, 2000)) {
		r := rand.New(rand.NewPCG(seed, 6))
		checkSelf(t, Profile(r.IntN(3)), randomText(r, pieces, 1+r.IntN(8)), r.IntN(2) == 0)
	}
}

func checkSelf(t *testing.T, p Profile, text string, whole bool) {
	t.Helper()
	a, err := Compile([]Pattern{{Text: text, Whole: whole}}, p)
	if err != nil {
		return
	}
	if len(scan(a, text)) == 0 {
		t.Fatalf("%v: %q is not found in itself", p, text)
	}
}

// Streams that take turns do not notice each other.
func TestTurns(t *testing.T) {
	for seed := range uint64(rounds(t, 200)) {
		r := rand.New(rand.NewPCG(seed, 7))
		p := Profile(r.IntN(3))
		ps := randomPatterns(r, p, menu{true, true, p != Sound})
		a := compile(t, p, ps...)
		texts, scanners, got := make([]string, 5), make([]*Scanner, 5), make([][]find.Span, 5)
		for i := range texts {
			texts[i] = likelyText(r, ps, 20)
			scanners[i] = a.Scanner()
		}
		rest := slices.Clone(texts)
		for slices.ContainsFunc(rest, func(s string) bool { return s != "" }) {
			i := r.IntN(len(rest))
			n := min(r.IntN(6), len(rest[i]))
			got[i], _ = scanners[i].Scan(got[i], rest[i][:n], false)
			rest[i] = rest[i][n:]
		}
		for i, s := range scanners {
			got[i], _ = s.Scan(got[i], "", true)
			sortSpans(got[i])
			if want := scan(a, texts[i]); !slices.Equal(got[i], want) {
				t.Fatalf("%v, %+v, stream %d %q: got %v, want %v", p, ps, i, texts[i], got[i], want)
			}
		}
	}
}

// What is held back is bounded, whatever comes: here, all that is passed over.
func TestBoundedHold(t *testing.T) {
	for p, most := range map[Profile]int{
		Default: MaxSymbols * (maxSkip + maxWide + 1) * utf8.UTFMax,
		Sound:   MaxSymbols * (maxSkip + maxWide + 1) * utf8.UTFMax,
		Strict:  MaxSymbols * maxRun * (maxSkip + maxWide + 1) * utf8.UTFMax,
	} {
		a := compile(t, p, append(words("赌博机", "ab", "a b c", "c++", "赌<b"), Pattern{Text: "赌", Whole: true, Rule: 5}, Pattern{Text: "赌博机器", Allow: true})...)
		for _, unit := range []string{"\u200b", "\u0336", " ", "\n", "*", "赌", "赌博", "a", "a ", "a b ", "<b>", "<", "&#1", "](", "\n1. ", "赌\u200b", "\xe8\x80", "c+"} {
			s := a.Scanner()
			at := 0
			for _, piece := range append([]string{"赌"}, slices.Repeat([]string{unit}, 40_000/len(unit))...) {
				_, settled := s.Scan(nil, piece, false)
				if at += len(piece); at-settled > most {
					t.Errorf("%v, %q: %d bytes are held, want at most %d", p, unit, at-settled, most)
					break
				}
			}
			if n := cap(s.pending); n > 8*minMany {
				t.Errorf("%v, %q: room for %d pending", p, unit, n)
			}
		}
	}
}

// Without anything to fold, the words that occur are those that
// cloudflare/ahocorasick finds.
func TestCloudflare(t *testing.T) {
	letters := strings.Split("赌博网络诈骗abc", "")
	for seed := range uint64(rounds(t, 300)) {
		r := rand.New(rand.NewPCG(seed, 8))
		var list []string
		for range 1 + r.IntN(30) {
			if w := randomText(r, letters, 1+r.IntN(5)); !slices.Contains(list, w) {
				list = append(list, w)
			}
		}
		text := randomText(r, letters, 200)
		want := ahocorasick.NewStringMatcher(list).Match([]byte(text))
		slices.Sort(want)
		var got []int
		for _, x := range scan(compile(t, Default, words(list...)...), text) {
			got = append(got, x.Rule)
		}
		slices.Sort(got)
		if got = slices.Compact(got); !slices.Equal(got, want) {
			t.Fatalf("%q in %q: got %v, want %v", list, text, got, want)
		}
	}
}

// Where nearly every pair of runes begins a word, pairs are found in another
// way, and nothing else is different.
func TestDense(t *testing.T) {
	letters := strings.Split("甲乙丙丁戊己庚辛壬癸子丑寅卯辰巳午未申酉", "")
	r := rand.New(rand.NewPCG(1, 9))
	var list []string
	for len(list) < 3000 {
		list = append(list, randomText(r, letters, 2+r.IntN(3)))
	}
	slices.Sort(list)
	list = slices.Compact(list)
	a := compile(t, Default, words(list...)...)
	if a.stride == 0 {
		t.Fatalf("%d words of %d letters do not make a dense table", len(list), len(letters))
	}
	text := randomText(r, letters, 3000)
	var want []find.Span
	for i, w := range list {
		for at := 0; ; at++ {
			n := strings.Index(text[at:], w)
			if n < 0 {
				break
			}
			at += n
			want = append(want, find.Span{Start: at, End: at + len(w), Rule: i})
		}
	}
	sortSpans(want)
	if got := cut(t, a.Scanner(), text, nil); !slices.Equal(got, want) {
		t.Errorf("%d spans in the whole, want %d", len(got), len(want))
	}
	if got := cut(t, a.Scanner(), text, randomCuts(r, text)); !slices.Equal(got, want) {
		t.Errorf("%d spans in pieces, want %d", len(got), len(want))
	}
}

// A stream costs no garbage once its scanner has met a few words.
func TestNoGarbage(t *testing.T) {
	for p := Default; p <= Sound; p++ {
		a := compile(t, p, append(words("赌博", "网络赌博", "kill yourself"), Pattern{Text: "赌博机", Allow: true}, Pattern{All: []string{"加", "微信"}, Within: 9})[:4+min(1, int(Sound-p))]...)
		s := a.Scanner()
		spans := make([]find.Span, 0, 64)
		text := strings.Repeat("我们讨论网络赌博的问题，加我 微信。go kill yourself 赌 博机", 3)
		stream := func() {
			spans = spans[:0]
			for i, r := range text {
				spans, _ = s.Scan(spans, text[i:i+utf8.RuneLen(r)], false)
			}
			spans, _ = s.Scan(spans, "", true)
			s.Reset()
		}
		stream()
		if n := testing.AllocsPerRun(20, stream); n > 0 {
			t.Errorf("%v: %v allocations in a stream", p, n)
		}
	}
}

func compile(t testing.TB, p Profile, patterns ...Pattern) *Automaton {
	t.Helper()
	a, err := Compile(patterns, p)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// words makes plain patterns, the rule of each its index.
func words(texts ...string) []Pattern {
	var ps []Pattern
	for i, text := range texts {
		ps = append(ps, Pattern{Text: text, Rule: i})
	}
	return ps
}

func scan(a *Automaton, text string) []find.Span {
	spans, _ := a.Scanner().Scan(nil, text, true)
	sortSpans(spans)
	return spans
}
