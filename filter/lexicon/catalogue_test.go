package lexicon_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"bendi/filter/find"
	"bendi/filter/lexicon"
	"bendi/filter/match"
)

// A searcher looks for the words of lexicons with all three profiles.
type searcher struct {
	rules     []lexicon.Rule
	automaton [3]*match.Automaton
}

func newSearcher(t *testing.T, lexicons ...*lexicon.Lexicon) *searcher {
	t.Helper()
	s := &searcher{}
	var err error
	if s.rules, err = lexicon.Rules(lexicons...); err != nil {
		t.Fatal(err)
	}
	for p := range s.automaton {
		patterns, err := lexicon.Patterns(match.Profile(p), lexicons...)
		if err != nil {
			t.Fatal(err)
		}
		if s.automaton[p], err = match.Compile(patterns, match.Profile(p)); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// search tells what a profile finds in pieces of a text: each rule with its form
// and the text it was found in.
func (s *searcher) search(p match.Profile, pieces ...string) []string {
	sc := s.automaton[p].Scanner()
	text := strings.Join(pieces, "")
	var spans []find.Span
	for i, piece := range pieces {
		spans, _ = sc.Scan(spans, piece, i == len(pieces)-1)
	}
	var out []string
	for _, span := range spans {
		out = append(out, fmt.Sprintf("%s (%v) in %q", s.rules[span.Rule].ID, span.Form, text[span.Start:span.End]))
	}
	return out
}

// severe reports whether one of finds took no guess: a form that only ever
// leads to review does not count.
func severe(finds []string) bool {
	return slices.ContainsFunc(finds, func(f string) bool {
		return !strings.Contains(f, "(alike)") && !strings.Contains(f, "(sound)")
	})
}

// words makes a lexicon of words in one category of level 2.
func words(t *testing.T, allow string, words ...string) *lexicon.Lexicon {
	t.Helper()
	return load(t, "w.yaml", "name: w\nversion: 1\nupdated: 2026-11-25\ncategories:\n  x:\n    level: 2\n    allow: ["+allow+"]\n    words: ["+strings.Join(words, ", ")+"]\n", lexicon.Options{})
}

const allForms = ", forms: [split, reversed, alike, sound]}"

// The ways to hide a word. What each profile finds is part of what the filter
// promises; so is what nobody finds.
func TestEvasion(t *testing.T) {
	usual := []string{"{text: 赌博" + allForms, "{text: 诈骗" + allForms, "{text: badword" + allForms}
	const (
		D = "default"      // every policy finds it
		S = "strict"       // strict policies find it
		R = "review"       // strict policies and those that look for sounds find it, as a guess
		X = "out of scope" // nobody finds it
	)
	rows := []struct {
		number  string
		name    string
		profile string
		words   []string // usual when nil
		texts   []string
	}{
		{"0", "nothing hidden", D, nil, []string{"赌博", "去赌博吧", "诈骗", "a badword!"}},
		{"1", "case", D, nil, []string{"BadWord", "bAdWoRd", "BADWORD"}},
		{"2", "full width", D, nil, []string{"ｂａｄｗｏｒｄ", "ＢＡＤword"}},
		{"3", "traditional and variants", D, nil, []string{"賭博", "詐騙", "賭博网", "赌愽", "诈騙"}},
		{"4", "zero-width", D, nil, []string{"赌\u200b博", "赌\u200c博", "赌\u200d博", "赌\u2060博", "赌\ufeff博", "赌\u00ad博", "赌\u180e博", "赌\u034f博", "b\u200ba\u200bd\u200bw\u200bo\u200br\u200bd", "赌" + strings.Repeat("\u200b", 30) + "博"}},
		{"5", "variation selectors, tags", D, nil, []string{"赌\ufe00博", "赌\ufe0f博", "赌\U000E0100博", "赌\U000E0041\U000E007F博"}},
		{"6", "bidi controls", D, nil, []string{"赌\u202e博\u202c", "赌\u2066博\u2069", "\u202a赌\u202c博"}},
		{"7", "combining marks", D, nil, []string{"赌̶博", "b̲a̲d̲w̲o̲r̲d̲", "赌̴̡̢̛̼博", "bàdwórd"}},
		{"8", "spaces between characters", D, nil, []string{"赌 博", "赌\u3000博", "赌\u00a0博", "赌\u2003博", "赌  博"}},
		{"8", "letters apart", S, nil, []string{"b a d w o r d", "b\u00a0a\u00a0d\u00a0w\u00a0o\u00a0r\u00a0d", "b.a.d.w.o.r.d"}},
		{"9", "noise", D, nil, []string{"赌*博", "赌_博", "赌-博", "赌.博", "赌|博", "赌~博", "赌·博", "赌+博", "赌=博", "赌^^博"}},
		{"10", "emoji", D, nil, []string{"赌🎲博", "诈😀骗", "赌👍🏽博"}},
		{"11", "line ends", D, nil, []string{"赌\n博", "赌\r\n博"}},
		{"11", "lists", S, nil, []string{"1. 赌\n2. 博"}},
		{"12", "markup", S, nil, []string{"赌<b>博</b>", "[赌](x)博", "&#36172;博"}},
		{"12", "markup of two signs", D, nil, []string{"赌**博**", "`赌`博"}},
		{"13", "repeated, the word still stands", D, nil, []string{"赌赌博博"}},
		{"13", "repeated", S, []string{"badword", "网上赌场"}, []string{"baaadwooord", "网网上上赌赌场场"}},
		{"14", "circled, squared, mathematical", D, nil, []string{"ⓑⓐⓓⓦⓞⓡⓓ", "𝐛𝐚𝐝𝐰𝐨𝐫𝐝", "🄱🄰🄳word"}},
		{"15", "negative", D, nil, []string{"🅑🅐🅓word", "🅱🅰🅳word"}},
		{"16", "one in brackets", D, []string{"badword", "一月"}, []string{"⒝⒜⒟word", "㈠月"}},
		{"16", "several runes in one", S, []string{"filler"}, []string{"ﬁller"}},
		{"17", "homoglyphs", D, nil, []string{"bаdwоrd", "badwοrd", "ΒΑDword"}},
		{"18", "leet", S, nil, []string{"b4dw0rd", "b@dword", "6adword"}},
		{"19", "numbers as words", X, []string{"一三八"}, []string{"138", "①③⑧"}},
		{"19", "numbers as words, by their sound", R, []string{"一三八"}, []string{"壹叁捌"}},
		{"20", "homophones", R, nil, []string{"堵博", "睹博", "赌搏", "炸骗"}},
		{"21", "pinyin", R, nil, []string{"dubo", "du bo", "dǔ bó", "赌bo", "zha骗", "zhapian"}},
		{"22", "initials", X, nil, []string{"db", "zp"}},
		{"23", "split", S, nil, []string{"贝者博", "贝者十尃", "讠乍马扁", "言乍马扁"}},
		{"23", "split, one character", S, []string{"{text: 枪, forms: [split]}"}, []string{"木仓"}},
		{"24", "alike", R, nil, []string{"睹博", "作骗"}},
		{"25", "radicals, compatibility ideographs", D, []string{"贝者", "金玉"}, []string{"⾙者", "\uf90a玉", "⺉" + "贝者"}},
		{"26", "reversed", S, []string{"{text: 赌博" + allForms, "{text: 诈骗" + allForms, "badword", "地下赌场"}, []string{"博赌", "骗诈", "drowdab", "场赌下地"}},
		{"27", "scattered", D, []string{"{all: [加, 微], within: 8}"}, []string{"加我一下微信", "微信号，加一下", "加微"}},
		{"27", "scattered too far", X, []string{"{all: [加, 微], within: 8}"}, []string{"加我吧我们以后再慢慢聊微信"}},
		{"28", "interleaved", X, nil, []string{"赌aaaaaaa博", "赌，博", "赌一下博"}},
		{"29", "escapes: whoever reads JSON decodes them", X, nil, []string{`\u8d4c\u535a`, "%E8%B5%8C%E5%8D%9A", "6LWM5Y2a"}},
		{"35", "euphemism", X, []string{"博彩"}, []string{"菠菜"}},
		{"35", "euphemism, listed", D, []string{"博彩", "菠菜平台"}, []string{"菠菜平台"}},
	}
	for _, row := range rows {
		t.Run(row.number+" "+row.name, func(t *testing.T) {
			w := row.words
			if w == nil {
				w = usual
			}
			s := newSearcher(t, words(t, "", w...))
			for _, text := range row.texts {
				d, st, so := s.search(match.Default, text), s.search(match.Strict, text), s.search(match.Sound, text)
				var ok bool
				switch row.profile {
				case D:
					ok = severe(d) && severe(st)
				case S:
					ok = !severe(d) && severe(st)
				case R:
					ok = !severe(d) && !severe(st) && len(st)+len(so) > 0
				case X:
					ok = len(d)+len(st)+len(so) == 0
				}
				if !ok {
					t.Errorf("%q, %s:\n\tdefault %v\n\tstrict  %v\n\tsound   %v", text, row.profile, d, st, so)
				}
			}
		})
	}
}

// 31: however a stream is cut up, even within a character, the finds are the same.
func TestEvasionPieces(t *testing.T) {
	s := newSearcher(t, words(t, "反～", "赌博", "诈骗", "badword"))
	for _, text := range []string{"去赌博吧", "反赌博", "诈\u200b骗", "a badword.", "赌\xff博"} {
		var runes, bytes []string
		for _, r := range text {
			runes = append(runes, string(r))
		}
		for i := range len(text) {
			bytes = append(bytes, text[i:i+1])
		}
		for p := match.Default; p <= match.Sound; p++ {
			want := s.search(p, text)
			if got := s.search(p, bytes...); !slices.Equal(got, want) {
				t.Errorf("%q, %v: byte by byte %v, whole %v", text, p, got, want)
			}
			if got := s.search(p, runes...); !strings.Contains(text, "\xff") && !slices.Equal(got, want) {
				t.Errorf("%q, %v: rune by rune %v, whole %v", text, p, got, want)
			}
		}
	}
}

// Harmless text in which a listed word seems to stand. Where the words alone
// cannot tell, allow words do, and the lint says which.
func TestFalsePositives(t *testing.T) {
	rows := []struct {
		number string
		words  []string
		allow  string
		texts  []string // nothing is to be found
		finds  []string // but here it is
	}{
		{"1", []string{"大麻"}, "大麻烦", []string{"我有一个大麻烦", "惹上大麻烦了"}, []string{"种大麻"}},
		{"2", []string{"SM"}, "", []string{"Smoking is not allowed here", "small", "prism"}, []string{"SM", "玩SM的", "(sm)"}},
		{"3", []string{"黄片"}, "三黄片", []string{"三黄片"}, []string{"看黄片", "三黄片和黄片"}},
		{"4", []string{"av"}, "", []string{"I have a nice day", "average", "JAVA"}, []string{"av 女优"}},
		{"5", []string{"干你"}, "在干你", []string{"你在干嘛", "你在干你的活"}, []string{"干你"}},
		{"6", []string{"口交"}, "路口交, 窗口交", []string{"路口交通拥堵", "窗口交互"}, nil},
		{"7", []string{"市长"}, "市长江", []string{"南京市长江大桥"}, []string{"南京市长"}},
		{"8", []string{"中国"}, "发展中国", []string{"发展中国家"}, []string{"中国"}},
		{"9", []string{"拍卖"}, "球拍卖", []string{"乒乓球拍卖完了"}, []string{"拍卖会"}},
		{"10", []string{"和服"}, "和服务", []string{"产品和服务"}, []string{"一件和服"}},
		{"11", []string{"和尚"}, "和尚未", []string{"结婚的和尚未结婚的"}, []string{"老和尚"}},
		{"12", []string{"日本"}, "今日本, 近日本", []string{"今日本公司放假", "近日本店"}, []string{"日本"}},
		{"14", []string{"人大"}, "个人大, 人大笑", []string{"个人大量转账", "两人大笑"}, nil},
		{"15", []string{"性感"}, "磁性感, 弹性感", []string{"磁性感应", "弹性感知"}, []string{"很性感"}},
		{"16", []string{"马上"}, "从马上", []string{"他从马上下来"}, []string{"马上来"}},
		{"17", []string{"白粉"}, "白粉病, 白粉墙", []string{"黄瓜白粉病", "一面白粉墙"}, []string{"卖白粉"}},
		{"18", []string{"枪"}, "焊枪, 枪支管理法", []string{"一把焊枪", "《枪支管理法》"}, []string{"买枪"}},
		{"19", []string{"ass"}, "", []string{"class", "assert", "assessment", "passion"}, []string{"my ass"}},
		{"20", []string{"tit"}, "", []string{"title", "sanctity"}, []string{"tit"}},
		{"21", []string{"hell"}, "", []string{"hello", "shell", "Michelle"}, []string{"hell!"}},
		{"22", []string{"cunt", "penis", "sex", "cock", "dick", "anal", "rapist"}, "", []string{"Scunthorpe", "Penistone", "Essex", "Cockburn", "Dickens", "analysis", "therapist"}, nil},
		{"23", []string{"kill", "注入", "爆破", "slave", "bomb"}, "kill -9, 依赖注入, 工程爆破, mysql slave, fork bomb", []string{"`kill -9 1234`", "杀进程", "依赖注入", "工程爆破", "MySQL slave", "a fork bomb"}, []string{"kill him"}},
		{"24", []string{"sm", "av", "bad", "cafe"}, "", []string{"isSMEnabled", "getAvg", "sm_count", "my_av", "d3b07384-d9a0-4bad-8bad-0123456789ab", "0xbad1", "YmFkIGNhZmU0c20v"}, nil},
		{"25", []string{"赌博"}, "反～, 关于～的规定", []string{"反赌博宣传", "《治安管理处罚法》中关于赌博的规定"}, []string{"一起赌博"}},
		{"26", []string{"海明"}, "上海明", []string{"上海明珠塔"}, []string{"海明"}},
		{"28", []string{"下三滥", "一夜", "后来", "发票", "乾隆"}, "", []string{"下3滥", "1夜", "毛髪", "干净"}, []string{"下三滥", "後来", "乾隆", "發票"}},
		{"29", []string{"妈的", "天下"}, "妈妈的, 天天下", []string{"妈妈的手", "天天下雨"}, []string{"妈的", "天下"}},
		{"30", []string{"赌博", "badword"}, "", []string{"他不赌。博士毕业了", "小赌，博一笑", "bad. Word", "赌；博", "bad word", "bad, word"}, nil},
		{"34", []string{"大麻"}, "大麻烦", []string{"大麻烦"}, []string{"大麻烦人的买卖和大麻", "大麻的大麻烦"}},
	}
	for _, row := range rows {
		t.Run(row.number, func(t *testing.T) {
			s := newSearcher(t, words(t, row.allow, row.words...))
			for p := match.Default; p <= match.Sound; p++ {
				for _, text := range row.texts {
					if got := s.search(p, text); len(got) > 0 {
						t.Errorf("%v finds %v in %q", p, got, text)
					}
				}
			}
			for _, text := range row.finds {
				if len(s.search(match.Default, text)) == 0 {
					t.Errorf("nothing found in %q", text)
				}
			}
		})
	}
}

// False positives that only a stricter profile could make.
func TestFalsePositivesOfForms(t *testing.T) {
	forced := func(w string) string { return "{text: " + w + allForms }
	rows := []struct {
		number, name string
		words        []string
		texts        []string
		profiles     []match.Profile
	}{
		{"29", "repeats", []string{"bok", "哈", "天"}, []string{"book"}, []match.Profile{match.Default, match.Strict}},
		{"31", "pinyin", []string{forced("赌博"), forced("诈骗")}, []string{"Dubois", "db = database", "dubois"}, []match.Profile{match.Default, match.Strict, match.Sound}},
		{"32", "leet", []string{"va", "hello", "bade"}, []string{"v4", "5f4dcc3b5aa765d61d8327deb882cf99", "h3ll0d3adb33f", "IPv4"}, []match.Profile{match.Default, match.Strict}},
		{"33", "numbers", []string{"赌博", "一三八"}, []string{"1382024120112", "2024.12.01.01", "v1.2.3.4"}, []match.Profile{match.Default, match.Strict, match.Sound}},
	}
	for _, row := range rows {
		t.Run(row.number+" "+row.name, func(t *testing.T) {
			s := newSearcher(t, words(t, "", row.words...))
			for _, p := range row.profiles {
				for _, text := range row.texts {
					if got := s.search(p, text); len(got) > 0 {
						t.Errorf("%v finds %v in %q", p, got, text)
					}
				}
			}
		})
	}
}
