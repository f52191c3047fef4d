package match

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// fuzzed makes patterns of the lines of list, which kinds make of one kind or
// another; nil if they cannot be compiled.
func fuzzed(list string, kinds uint32, m menu) (p Profile, ps []Pattern) {
	p, kinds = Profile(kinds%3), kinds/3
	for line := range strings.SplitSeq(list, "|") {
		pat := Pattern{Text: line, Rule: len(ps)}
		if m.combinations && p != Sound && strings.Contains(line, "&") {
			pat.Text, pat.All, pat.Within = "", strings.Split(line, "&"), 1+int(kinds%16)
		} else if m.allow && kinds&1 != 0 {
			pat.Allow = true
		}
		pat.Whole = m.whole && kinds&2 != 0
		kinds /= 4
		if _, err := Compile([]Pattern{pat}, p); err != nil || len(ps) == 8 {
			return p, nil
		}
		ps = append(ps, pat)
	}
	return p, ps
}

func seeds(f *testing.F) {
	f.Add("赌博|网络赌|kill yourself|c++", "网络赌*博 or kill  yourself in C++", uint32(0))
	f.Add("大麻|大麻烦|av", "我有一个大麻烦, have av", uint32(3*0x84))
	f.Add("badword|妈妈", "b4dw0rd 妈 妈 b a d w o r d bbadword", uint32(1))
	f.Add("赌博|dubo", "du bo赌boDubois", uint32(2))
	f.Add("加&微信|微信", "加我微\u200b信", uint32(30))
}

// small keeps the oracle, which has no limits and takes its time, to short texts.
func small(list, text string) bool {
	return utf8.RuneCountInString(text) <= 40 && utf8.RuneCountInString(list) <= 40
}

// However a text is cut up, the spans are those that the oracle finds.
func FuzzCuts(f *testing.F) {
	seeds(f)
	f.Add("ooo|o", "ooooo", uint32(28))            // allowed, then repeated
	f.Add("k|kg", "㎏", uint32(4))                  // allowed within one rune
	f.Add("00", "0_0_0 00_0 0-0-0-0 0", uint32(7)) // words that end late, or not
	f.Add("oo", "o-o-o-o o_o_o o", uint32(7))
	f.Fuzz(func(t *testing.T, list, text string, kinds uint32) {
		if p, ps := fuzzed(list, kinds, menu{true, true, true}); ps != nil && small(list, text) {
			checkCuts(t, p, ps, text, uint64(kinds))
			checkSame(t, p, ps, text, uint64(kinds))
		}
	})
}

// One more allowed pattern adds no span, and one more of another kind removes none.
func FuzzMonotone(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, list, text string, kinds uint32) {
		if p, ps := fuzzed(list, kinds, menu{allow: true, whole: true}); ps != nil {
			checkMonotone(t, p, ps, text)
		}
	})
}

// Every pattern is found in itself.
func FuzzSelf(f *testing.F) {
	seeds(f)
	f.Add("00 00|aaa_a|aaa-a|aa a_a", "", uint32(1)) // repetitions that end with a word late
	f.Fuzz(func(t *testing.T, list, _ string, kinds uint32) {
		for text := range strings.SplitSeq(list, "|") {
			checkSelf(t, Profile(kinds%3), text, kinds/3%2 == 0)
		}
	})
}
