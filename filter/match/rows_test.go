package match

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"bendi/filter/find"
)

// profiles in which a row is found, all of them being tried.
const (
	inDefault = 1 << Default
	inStrict  = 1 << Strict
	inSound   = 1 << Sound
)

// The disguises that the automaton sees through, and in which profile; and
// those that it must not.
func TestDisguises(t *testing.T) {
	tests := []struct {
		name  string
		word  Pattern
		found int // profiles; -1: those of the word as it is
		texts []string
	}{
		{"case", Pattern{Text: "badword"}, inDefault | inStrict | inSound, []string{"BadWord", "bAdWoRd"}},
		{"width", Pattern{Text: "badword"}, inDefault | inStrict | inSound, []string{"ｂａｄｗｏｒｄ", "ＢＡＤword"}},
		{"traditional", Pattern{Text: "赌博"}, inDefault | inStrict | inSound, []string{"賭博", "賭愽", "赌愽"}},
		{"traditional", Pattern{Text: "诈骗"}, inDefault | inStrict | inSound, []string{"詐騙", "詐骗"}},
		{"invisible", Pattern{Text: "赌博"}, inDefault | inStrict | inSound, []string{
			"赌\u200b博", "赌\u200c\u200d博", "赌\u2060博", "赌\ufeff博", "赌\u00ad博", "赌\u180e博", "赌\u034f博"}},
		{"selectors and tags", Pattern{Text: "赌博"}, inDefault | inStrict | inSound, []string{"赌\ufe0f博", "赌\U000e0101博", "赌\U000e0041\U000e007f博"}},
		{"bidi", Pattern{Text: "赌博"}, inDefault | inStrict | inSound, []string{"赌\u202e博\u202c", "赌\u2066博\u2069"}},
		{"marks", Pattern{Text: "赌博"}, inDefault | inStrict | inSound, []string{"赌\u0336博", "赌\u0300\u0301\u0302\u0303\u0304\u0305博"}},
		{"marks", Pattern{Text: "badword"}, inDefault | inStrict | inSound, []string{"b\u0332a\u0332d\u0332w\u0332o\u0332r\u0332d"}},
		{"spaces", Pattern{Text: "赌博"}, inDefault | inStrict | inSound, []string{"赌 博", "赌\u3000博", "赌\u00a0 博", "赌\u2003博"}},
		{"spelled", Pattern{Text: "badword"}, inStrict | inSound, []string{"b a d w o r d", "b-a-d-w-o-r-d", "b. a. d. w. o. r. d"}},
		{"noise", Pattern{Text: "赌博"}, inDefault | inStrict | inSound, []string{"赌*博", "赌_博", "赌-博", "赌.博", "赌|博", "赌~博", "赌·博"}},
		{"emoji", Pattern{Text: "赌博"}, inDefault | inStrict | inSound, []string{"赌🎲博", "赌🎲\ufe0f博", "赌👨\u200d👩\u200d👧博", "赌👩\u200d❤\ufe0f\u200d👨🎲博"}},
		{"many emoji", Pattern{Text: "赌博"}, 0, []string{"赌👨👩👧博", "赌👨\u200d👩🎲🎲博", "赌👨 \u200d👩🎲博"}},
		{"line break", Pattern{Text: "赌博"}, inDefault | inStrict | inSound, []string{"赌\n博", "赌\r\n博"}},
		{"list", Pattern{Text: "赌博"}, inStrict, []string{"1. 赌\n2. 博", "1、赌\n2、博", "- 赌\n- 博"}},
		{"markup", Pattern{Text: "赌博"}, inStrict, []string{
			"赌<b>博</b>", "赌</b><i class=x>博", "[赌](x)博", "&#36172;博", "赌&#x535A;", "赌<!-- x -->博", "赌 <br>\n博"}},
		{"no markup", Pattern{Text: "赌博"}, 0, []string{"赌<b博", "赌<赌>博", "[赌]博", "赌&#1;博", "赌\n12 博", "赌(x)博"}},
		{"repeated", Pattern{Text: "网络赌"}, inStrict, []string{"网网络络赌赌", "网 络 络 络赌"}},
		{"repeated", Pattern{Text: "badword"}, inStrict, []string{"baaadwooord"}},
		{"repeated", Pattern{Text: "badword", Whole: true}, inStrict, []string{"bbaaddwwoorrdd", "baaadwooorddd"}},
		{"circled", Pattern{Text: "badword"}, inDefault | inStrict | inSound, []string{"ⓑⓐⓓⓦⓞⓡⓓ", "𝐛𝐚𝐝𝐰𝐨𝐫𝐝", "🄱🄰🄳🅆🄾🅁🄳"}},
		{"compatibility", Pattern{Text: "kg"}, inStrict, []string{"㎏"}},
		{"homoglyphs", Pattern{Text: "badword"}, inDefault | inStrict | inSound, []string{"b\u0430dw\u043erd", "b\u03b1dword"}},
		{"homoglyphs alone", Pattern{Text: "cop"}, 0, []string{"\u0441\u043e\u0440"}},
		{"homoglyphs meant", Pattern{Text: "\u0441\u043e\u0440"}, inDefault | inStrict | inSound, []string{"\u0441\u043e\u0440"}},
		{"leet", Pattern{Text: "badword"}, inStrict, []string{"b4dw0rd", "6adword", "b@dword"}},
		{"pinyin", Pattern{Text: "赌博"}, inSound, []string{"dubo", "du bo", "dǔ bó", "赌bo", "du博", "堵博", "睹博"}},
		{"pinyin", Pattern{Text: "诈骗"}, inSound, []string{"zha骗", "炸骗"}},
		{"pinyin of ü", Pattern{Text: "旅客"}, inSound, []string{"lvke", "lǚkè", "lü ke"}},
		{"initials", Pattern{Text: "赌博"}, 0, []string{"db", "d b"}},
		{"beyond the gap", Pattern{Text: "赌博"}, 0, []string{"赌aaaaaaa博", "赌***博", "赌   博", "赌啊博"}},
		{"as given", Pattern{Text: "c++"}, inDefault | inStrict | inSound, []string{"C++", "in C++ or"}},
		{"as given", Pattern{Text: "kill yourself"}, inDefault | inStrict | inSound, []string{"Kill yourself", "kill  yourself"}},
		{"longer spaces", Pattern{Text: "kill yourself"}, inDefault | inStrict | inSound, []string{"kill     yourself", "kill\n\nyourself"}},
		{"as given", Pattern{Text: "example.com"}, inDefault | inStrict | inSound, []string{"www.Example.com"}},
	}
	for _, tt := range tests {
		for p := Default; p <= Sound; p++ {
			a := compile(t, p, tt.word)
			for _, text := range tt.texts {
				spans := scan(a, text)
				if got, want := len(spans) > 0, tt.found&(1<<p) != 0; got != want {
					t.Errorf("%s: %q in %q, %v: found %v, want %v", tt.name, tt.word.Text, text, p, got, want)
				}
			}
		}
	}
}

// What a word must not be found in, in no profile that looks for it.
func TestNotFound(t *testing.T) {
	whole := func(words ...string) (ps []Pattern) {
		for _, w := range words {
			ps = append(ps, Pattern{Text: w, Whole: true})
		}
		return ps
	}
	allow := func(word string, allowed ...string) []Pattern {
		ps := []Pattern{{Text: word}}
		for _, w := range allowed {
			ps = append(ps, Pattern{Text: w, Allow: true})
		}
		return ps
	}
	both := []Profile{Default, Strict}
	tests := []struct {
		row      string
		patterns []Pattern
		texts    []string
		profiles []Profile
	}{
		{"1", allow("大麻", "大麻烦"), []string{"我有一个大麻烦"}, both},
		{"2", whole("sm"), []string{"Smoking is not allowed here", "isSMEnabled"}, both},
		{"3", allow("黄片", "三黄片"), []string{"三黄片"}, both},
		{"4", whole("av"), []string{"I have a nice day", "getAvg", "java", "av_rational"}, both},
		{"7", allow("市长", "南京市长江"), []string{"南京市长江大桥"}, both},
		{"8", allow("中国", "发展中国家"), []string{"发展中国家"}, both},
		{"9", allow("拍卖", "球拍卖"), []string{"乒乓球拍卖完了"}, both},
		{"10", allow("和服", "和服务"), []string{"产品和服务"}, both},
		{"11", allow("和尚", "和尚未"), []string{"结婚的和尚未结婚的"}, both},
		{"12", allow("日本", "今日本", "近日本"), []string{"今日本公司、近日本店"}, both},
		{"14", allow("人大", "个人大量", "人大笑"), []string{"个人大量、两人大笑"}, both},
		{"18", allow("枪", "焊枪", "枪支管理法"), []string{"焊枪、枪支管理法"}, both},
		{"19", whole("ass"), []string{"class", "assert", "assessment", "passion"}, both},
		{"20", whole("tit"), []string{"title", "sanctity"}, both},
		{"21", whole("hell"), []string{"hello", "shell", "Michelle"}, both},
		{"22", whole("cunt", "penis", "sex", "cock", "dick", "anal", "rapist"), []string{"Scunthorpe", "Penistone", "Essex", "Cockburn", "Dickens", "analysis", "therapist"}, both},
		{"23", append(whole("kill", "slave", "bomb"), Pattern{Text: "kill -9", Allow: true}, Pattern{Text: "mysql slave", Allow: true}, Pattern{Text: "fork bomb", Allow: true}),
			[]string{"`kill -9`", "MySQL slave", "a fork bomb"}, both},
		{"24", whole("sm", "av", "dead", "fed", "bad"), []string{"8f14dead-beef-4bad-8fed-00000000dead", "dead:beef:bad", "x-8fed-bad", "eyJhbGciOiJIUzI1NiIsm0"}, both},
		{"28", words("下三滥", "三"), []string{"下3滥", "3", "③"}, both},
		{"29", words("妈妈", "哈哈", "天天"), []string{"妈", "哈", "天空"}, []Profile{Default, Strict}},
		{"29", whole("bok"), []string{"book"}, both},
		{"29", words("book", "妈妈"), []string{"bok", "妈"}, both},
		{"30", words("赌博"), []string{"他不赌。博士毕业了", "小赌，博一笑", "小赌,博", "赌！博", "赌？博", "赌;博"}, []Profile{Default, Strict, Sound}},
		{"30", words("badword"), []string{"bad. Word", "bad word", "bad, word", "bad-word"}, both},
		{"31", words("赌博"), []string{"Dubois", "db = database", "dub ois", "undu bo", "adubo"}, []Profile{Sound}},
		{"31", words("西安"), []string{"先", "小先", "县"}, []Profile{Sound}},
		{"32", whole("va", "hell"), []string{"v4", "d3h3ll0a"}, both},
		{"32", words("oil"), []string{"011", "0il1"[:1]}, both},
	}
	for _, tt := range tests {
		for _, p := range tt.profiles {
			a := compile(t, p, tt.patterns...)
			for _, text := range tt.texts {
				if spans := scan(a, text); len(spans) > 0 {
					t.Errorf("row %s: %v in %q: found %v", tt.row, p, text, spans)
				}
			}
		}
	}
}

// Row 34: an allowed word hides what lies within it and nothing else.
func TestAllowContains(t *testing.T) {
	ps := []Pattern{{Text: "大麻"}, {Text: "麻烦人", Rule: 1}, {Text: "大麻烦", Allow: true}}
	text := "大麻烦人的买卖，大麻"
	got := scan(compile(t, Default, ps...), text)
	want := []find.Span{{Start: 3, End: 12, Rule: 1}, {Start: 24, End: 30}}
	if !slices.Equal(got, want) {
		t.Errorf("%q: got %v, want %v", text, got, want)
	}
}

// Row 27: both of them, in any order, with anything between, within so many.
func TestCombination(t *testing.T) {
	a := compile(t, Default, Pattern{All: []string{"加", "微信"}, Within: 8, Rule: 7})
	for text, want := range map[string]string{
		"请加我的微信":       "[{3 18 7 plain}]",
		"微信号在这，快加":     "[{0 24 7 plain}]",
		"加，，，，，，，微信":   "[]",
		"加加微信微信":       "[{3 12 7 plain}]",
		"加微信加":         "[{0 9 7 plain} {3 12 7 plain}]",
		"微\u200b信加":    "[{0 12 7 plain}]",
		"加 一 二 三 四 微信": "[{0 26 7 plain}]",
	} {
		if got := fmt.Sprint(scan(a, text)); got != want {
			t.Errorf("%q: got %v, want %v", text, got, want)
		}
	}
}

// Spans are in bytes of the text as it came.
func TestPlaces(t *testing.T) {
	for _, tt := range []struct {
		p          Profile
		word, text string
		want       string // what of the text
	}{
		{Default, "赌博", "网賭\u200b博机", "賭\u200b博"},
		{Default, "badword", "a 𝐛𝐚𝐝𝐰𝐨𝐫𝐝!", "𝐛𝐚𝐝𝐰𝐨𝐫𝐝"},
		{Strict, "赌博", "赌赌 博博", "赌赌 博"},
		{Strict, "赌博", "赌<b>博</b>", "赌<b>博"},
		{Strict, "赌博", "x&#36172;博", "&#36172;博"},
		{Sound, "赌博", "小堵 bo.", "堵 bo"},
	} {
		spans := scan(compile(t, tt.p, Pattern{Text: tt.word}), tt.text)
		if len(spans) != 1 || tt.text[spans[0].Start:spans[0].End] != tt.want {
			t.Errorf("%v, %q in %q: got %v, want %q", tt.p, tt.word, tt.text, spans, tt.want)
		}
	}
}

func TestCompileErrors(t *testing.T) {
	long := ""
	for range MaxSymbols + 1 {
		long += "长"
	}
	for _, tt := range []struct {
		p      Profile
		pat    Pattern
		reason string
	}{
		{Default, Pattern{}, "folds to nothing: it has only what is passed over inside words"},
		{Default, Pattern{Text: " \u200b*"}, "folds to nothing: it has only what is passed over inside words"},
		{Default, Pattern{Text: "a\xff"}, "is not valid UTF-8"},
		{Default, Pattern{Text: long}, "is longer than 64 symbols as it is read"},
		{Default, Pattern{Text: "a" + strings.Repeat("\u200b", maxSkip+1) + "b"}, "has more than 64 runes in a row that are passed over"},
		{Strict, Pattern{Text: strings.Repeat("a", maxRun+1)}, "has more than 64 runes in a row that are passed over, or more than 63 that are the same"},
		{Default, Pattern{All: []string{"a", "*"}, Within: 3}, "part 2: folds to nothing: it has only what is passed over inside words"},
		{Default, Pattern{All: []string{"a", "b"}}, "a combination lies within 1 to 1000 symbols"},
		{Default, Pattern{Text: "a", All: []string{"a", "b"}, Within: 3}, "has a text and a combination; one of them only"},
		{Sound, Pattern{All: []string{"a", "b"}, Within: 3}, "a combination cannot be found by its sound"},
	} {
		_, err := Compile([]Pattern{{Text: "好"}, tt.pat}, tt.p)
		if want := "pattern 1: " + tt.reason; err == nil || err.Error() != want {
			t.Errorf("%+v: got %v, want %v", tt.pat, err, want)
		}
	}
	if a, err := Compile(nil, Default); err != nil || len(scan(a, "任何 text")) > 0 {
		t.Errorf("no patterns: %v", err)
	}
}
