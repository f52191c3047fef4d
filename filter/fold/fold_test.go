package fold_test

import (
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	. "bendi/filter/fold"
)

// word folds s as one who looks for words does, in the plainest way: forms are
// folded, and what may stand between the runes of a word is left out.
func word(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch KindOf(r) {
		case Invisible, Mark, Noise, Space, Newline:
			continue
		}
		if several := Expand(r); several != "" {
			b.WriteString(several)
		} else {
			b.WriteRune(Rune(r))
		}
	}
	return b.String()
}

func TestDisguises(t *testing.T) {
	tests := []struct{ name, want, disguised string }{
		{"case", "badword", "BadWord bAdWoRd"},
		{"full width", "badword", "ｂａｄｗｏｒｄ ＢＡＤｗord"},
		{"traditional", "赌博", "賭博 賭愽 赌愽"},
		{"traditional", "诈骗", "詐騙 诈騙 詐骗"},
		{"traditional", "毒品买卖", "毒品買賣"},
		{"Japanese", "发图读气", "発図読気"},
		{"one for many", "干", "乾 幹 榦 干 乹 亁"},
		{"one for many", "后", "後 后"},
		{"one for many", "发", "髮 發 発 髪"},
		{"one for many", "里面台只", "裡麵臺隻 裏面檯只 里麪颱衹"},
		{"variants", "杀国出它你", "殺圀岀牠妳"},
		{"zero width", "赌博", "赌\u200B博 赌\u200C博 赌\u200D博 赌\u2060博 赌\uFEFF博 赌\u00AD博 赌\u180E博 赌\u034F博 赌\u3164博"},
		{"variation selectors and tags", "赌博", "赌\uFE0F博 赌\uFE00博 赌\U000E0100博 赌\U000E0020博 赌\U000E007F博"},
		{"bidi", "赌博", "赌\u202E博\u202C 赌\u2066博\u2069 \u200F赌博 赌\u061C博"},
		{"controls", "赌博", "赌\x00博 赌\x1B博 赌\u0090博"},
		{"marks", "赌博", "赌̶博 赌็博 赌゙博"},
		{"marks", "badword", "b̲a̲d̲w̲o̲r̲d̲ b͓̽a͓̽d͓̽w͓̽o͓̽r͓̽d͓̽"},
		{"spaces", "赌博", "赌 博 赌\u3000博 赌\u00A0博 赌\u2003博 赌\t博 赌\u2800博"},
		{"line ends", "赌博", "赌\n博 赌\r\n博 赌\u2028博 赌\u0085博"},
		{"symbols", "赌博", "赌*博 赌_博 赌-博 赌.博 赌|博 赌~博 赌·博 赌／博 赌+博 赌•博 赌・博 赌～博 赌＊博 赌＿博 赌★博 赌→博 赌■博"},
		{"emoji", "赌博", "赌🎲博 赌❤️博 赌👨‍👩‍👧博 赌🇨🇳博 赌👍🏽博 赌™博 赌🆗博"},
		{"emoji", "诈骗", "诈😀骗 诈🥷骗"},
		{"circled, squared, mathematical", "badword", "ⓑⓐⓓⓦⓞⓡⓓ ⒷⒶⒹⓌⓄⓇⒹ 𝐛𝐚𝐝𝐰𝐨𝐫𝐝 𝕭𝖆𝖉𝖜𝖔𝖗𝖉 🄱🄰🄳🅆🄾🅁🄳 𝚋𝚊𝚍𝚠𝚘𝚛𝚍 𝒷𝒶𝒹𝓌ℴ𝓇𝒹"},
		{"negative circled and squared", "badword", "🅑🅐🅓🅦🅞🅡🅓 🅱🅰🅳🆆🅾🆁🅳 🅱️🅰️🅳🆆🅾️🆁🅳"},
		{"parenthesised", "badword", "⒝⒜⒟⒲⒪⒭⒟ 🄑🄐🄓🄦🄞🄡🄓"},
		{"small capitals and raised", "badword", "ʙᴀᴅᴡᴏʀᴅ ᵇᵃᵈʷᵒʳᵈ"},
		{"accents and strokes", "badword", "bádwörd ƀąđẁøřḋ ɓɑɗⱳọɾɖ"},
		{"digits", "0123456789", "⓪①②③④⑤⑥⑦⑧⑨ ⓿❶❷❸❹❺❻❼❽❾ 🄋➀➁➂➃➄➅➆➇➈ ⁰¹²³⁴⁵⁶⁷⁸⁹ ０１２３４５６７８９ 𝟘𝟙𝟚𝟛𝟜𝟝𝟞𝟟𝟠𝟡 ٠١٢٣٤٥٦٧٨٩ 🄀⒈⒉⒊⒋⒌⒍⒎⒏⒐ ₀₁₂₃₄₅₆₇₈₉"},
		{"digits", "123", "⑴⑵⑶ ➊➋➌ ⓵⓶⓷ ⒈⒉⒊"},
		{"several in one", "kg", "㎏"},
		{"several in one", "fi", "ﬁ"},
		{"several in one", "aeossoe", "Æoßœ"},
		{"several in one", "1012", "⑩⑿ ❿⓬"},
		{"several in one", "株式会社", "㍿"},
		{"bracketed", "一月", "㈠㊊"},
		{"homoglyphs", "badword", "bаdwоrd ΒΑDwοrd ƄΑᎠᎳОᎡᎠ ꓐꓮꓓꓪꓳꓣꓓ ваdwогd ьaԁѡorԁ"},
		{"signs", "don't", "don’t don＇t"},
		{"pinyin with tones", "dubo", "dǔ bó"},
		{"radicals", "贝者", "⾙者 貝者 ⻉者"},
		{"radicals", "言乍", "⾔乍 讠乍 訁乍 ⻈乍"},
		{"radicals", "水去手丁人门金刀", "氵去扌丁亻门钅刂 ⺡去⺘丁⺅門釒⺉"},
		{"compatibility ideographs", "更车金", "\uF901\uF902\uF90A"},
	}
	for _, tt := range tests {
		for form := range strings.SplitSeq(tt.disguised, " ") {
			if strings.HasPrefix(tt.name, "spaces") || tt.name == "pinyin with tones" {
				form = tt.disguised // the spaces are the disguise
			}
			got := word(form)
			if got = strings.ReplaceAll(got, tt.want, ""); got != "" {
				t.Errorf("%s: %q (%+q) folds to %q, want %q", tt.name, form, form, word(form), tt.want)
			}
		}
	}
}

// What folding must keep apart, and what must keep a word from being found.
func TestTraps(t *testing.T) {
	for _, pair := range []string{
		"三3", "一1", "〇0", "零0", "壹1", "贰2", "叁3", "肆4", "捌8", "玖9", "十1", "〡1", "弌1", "㊂3", "㈢3", "㆓2",
		"か が", "ハ八", "ロ口", "ー一", "l1", "o0", "i1", "覆复", "未末", "己已", "幺么",
	} {
		r := []rune(strings.ReplaceAll(pair, " ", ""))
		if Rune(r[0]) == Rune(r[1]) {
			t.Errorf("%c and %c both fold to %c", r[0], r[1], Rune(r[0]))
		}
	}
	for _, r := range "。！？；，、,;!?:：…—“”‘’\"'（）()[]【】《》<>「」｡！？" {
		if k := KindOf(r); k != Sentence {
			t.Errorf("KindOf(%q) = %v, want Sentence: what it parts is no word", r, k)
		}
	}
	for a, b := range map[string]string{"乾坤": "干坤", "頭髮": "头发", "皇后": "皇後", "下三滥": "下三濫"} {
		if word(a) != word(b) {
			t.Errorf("%s folds to %s and %s to %s", a, word(a), b, word(b))
		}
	}
	for r, want := range map[rune]string{'㈢': "", '⒝': "", '⑶': "", '㊂': "", '⑽': "10", '½': "", '①': "", '…': "", '™': "tm"} {
		if got := Expand(r); got != want {
			t.Errorf("Expand(%c) = %q, want %q", r, got, want)
		}
	}
	if word("下三滥") == word("下3滥") {
		t.Error("a number word folds to a digit")
	}
}

func TestKindOf(t *testing.T) {
	tests := map[Kind]string{
		Han:       "赌賭〇々⾙⺉㈠㊙一\uF900𠀀𪚥",
		Letter:    "aZｂⓑ🅱éаαあアー한กا",
		Digit:     "0９①❶٣²🄁",
		Invisible: "\u200B\u200D\uFE0F\u202E\u00AD\u034F\u180E\uFEFF\u0000\x7F\U000E0041\u115F\u2064",
		Mark:      "🏽\u0301\u0336\u20E3\u3099",
		Noise:     "*_-.|~·@#$%^&+=/\\`★→■😀🎲🇨\u2764•・°™\uFFFD\uFFFC\U0001FAE9",
		Space:     " \t\u00A0\u3000\u2003\u2800",
		Newline:   "\n\r\v\f\u0085\u2028\u2029",
		Sentence:  "。，!?",
		Other:     "½\uE000\uFFFF",
	}
	for want, runes := range tests {
		for _, r := range runes {
			if got := KindOf(r); got != want {
				t.Errorf("KindOf(%U %q) = %v, want %v", r, r, got, want)
			}
		}
	}
	for _, r := range []rune{-1, 0xD800, unicode.MaxRune + 1} {
		if KindOf(r) != Other || Rune(r) != r || Foreign(r) {
			t.Errorf("%#x is no rune but KindOf = %v, Rune = %#x", r, KindOf(r), Rune(r))
		}
	}
}

// For every rune: folding twice is folding once, a form is of the kind of what
// it is a form of, and the kinds agree with the categories of Unicode.
func TestEveryRune(t *testing.T) {
	counts := map[Kind]int{}
	for r := range rune(unicode.MaxRune + 1) {
		kind, to := KindOf(r), Rune(r)
		counts[kind]++
		if again := Rune(to); again != to {
			t.Fatalf("%U folds to %U, which folds to %U", r, to, again)
		}
		flag := 0x1F1E6 <= r && r <= 0x1F1FF
		if KindOf(to) != kind && !flag {
			t.Errorf("%U is %v, but folds to %U, which is %v", r, kind, to, KindOf(to))
		}
		if Foreign(r) && (to >= utf8.RuneSelf && to != 'þ' || unicode.Is(unicode.Latin, r)) {
			t.Errorf("%U is Foreign and folds to %U", r, to)
		}
		if lower := unicode.ToLower(r); Rune(lower) != to && Rune(unicode.ToUpper(lower)) != to && !strings.ContainsRune("ΗΜΝΥ", r) && !Foreign(r) {
			t.Errorf("%U folds to %U, its lower case %U to %U", r, to, lower, Rune(lower))
		}
		switch several := Expand(r); {
		case several == "":
		case utf8.RuneCountInString(several) < 2, utf8.RuneCountInString(several) > 6, strings.Map(Rune, several) != several:
			t.Errorf("Expand(%U) = %q, want two to six folded runes", r, several)
		}
		if utf8.ValidRune(r) {
			checkKind(t, r, to, kind)
		}
	}
	if counts[Han] < 90000 || counts[Noise] < 5000 || counts[Letter] < 20000 || counts[Digit] < 800 {
		t.Errorf("too few runes of a kind: %v", counts)
	}
}

func checkKind(t *testing.T, r, to rune, kind Kind) {
	var ok bool
	switch kind {
	case Han:
		ok = unicode.Is(unicode.Han, to) || unicode.Is(unicode.Han, r) || r >= 0x20000 || []rune(Expand(r)) != nil
	case Letter:
		ok = unicode.In(to, unicode.L, unicode.Mc) || Expand(r) != ""
	case Digit:
		ok = '0' <= to && to <= '9' || Expand(r) != ""
	case Invisible:
		ok = unicode.In(r, unicode.Cf, unicode.Cc, unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point) || r >= 0xE0000 && r <= 0xE0FFF
	case Mark:
		ok = unicode.In(to, unicode.Mn, unicode.Me, unicode.Mc) || 0x1F3FB <= r && r <= 0x1F3FF
	case Noise, Sentence:
		ok = unicode.In(r, unicode.P, unicode.S) || 0x1F000 <= r && r <= 0x1FFFD // some of it kept for emoji to come
	case Space, Newline:
		ok = unicode.IsSpace(r) || r == 0x2800
	case Other:
		ok = !unicode.In(r, unicode.L, unicode.M, unicode.P, unicode.S, unicode.Z)
	}
	if !ok {
		t.Errorf("%U %q is %v", r, r, kind)
	}
}

func TestForeign(t *testing.T) {
	for _, r := range "аоеАОЕοΟαΒᎠꓐⲟօµ" {
		if !Foreign(r) || Rune(r) >= utf8.RuneSelf {
			t.Errorf("Foreign(%c) = %v, it folds to %c", r, Foreign(r), Rune(r))
		}
	}
	for _, r := range "aÀøⓐ𝐚🅰жλ赌1ı" {
		if Foreign(r) {
			t.Errorf("Foreign(%c), it folds to %c", r, Rune(r))
		}
	}
}

func TestLeet(t *testing.T) {
	for leet, want := range map[string]string{"b4dw0rd": "badword", "6adword": "badword", "b@dword": "badword", "5h1t": "shit", "p0rn": "porn", "$3x": "sex", "赌博": "赌博"} {
		if got := strings.Map(Leet, leet); got != want {
			t.Errorf("%s reads %s, want %s", leet, got, want)
		}
	}
	for r := range rune(unicode.MaxRune + 1) {
		if l := Leet(r); l != r && (Leet(l) != l || Rune(l) != l || KindOf(l) != Letter) {
			t.Errorf("Leet(%U) = %U", r, l)
		}
	}
}

func TestSyllables(t *testing.T) {
	for r, want := range map[rune]string{ // the main one first
		'赌': "du", '賭': "du", '堵': "du", '博': "bo", '诈': "zha", '炸': "zha", '骗': "pian", '女': "nv", '绿': "lv lu", '行': "xing hang",
		'重': "zhong chong", '干': "gan qian", '乾': "gan qian", '著': "zhe zhu", '〇': "ling", '大': "da dai", '髮': "fa",
	} {
		got := Syllables(r)
		for i, s := range strings.Fields(want) {
			if !slices.Contains(got, s) || i == 0 && Syllable(r) != s {
				t.Errorf("Syllables(%c) = %q, want %q", r, got, want)
			}
		}
	}
	if Syllable('a') != "" || Syllables('😀') != nil || Syllables(-1) != nil {
		t.Error("what is no character has a reading")
	}
	for r := range rune(1 << 16) {
		got := Syllables(r)
		for i, s := range got {
			if strings.Trim(s, "abcdefghijklmnopqrstuvwxyz") != "" || len(s) > 6 || slices.Contains(got[:i], s) {
				t.Errorf("Syllables(%c) = %q", r, got)
			}
		}
	}
}

func TestParts(t *testing.T) {
	for r, ways := range map[rune]string{
		'赌': "贝者", '賭': "贝者", '博': "十尃 十甫寸", '诈': "言乍", '骗': "马扁", '枪': "木仓", '弹': "弓单", '法': "水去", '打': "手丁",
		'过': "辶寸 寸辶", '毒': "主母", '湖': "水胡 水古月", '品': "口口口", '林': "木木", '国': "囗玉 口玉",
	} {
		for way := range strings.SplitSeq(ways, " ") {
			if !slices.Contains(Parts(r), word(way)) {
				t.Errorf("Parts(%c) = %q, want %q among them", r, Parts(r), word(way))
			}
		}
	}
	if slices.Contains(Parts('好'), "女子") {
		t.Error("好 is written 女子, which is a word")
	}
	if Parts('a') != nil || Parts('一') != nil {
		t.Error("what has no parts is written as parts")
	}
	for r := range rune(1 << 16) {
		ways := Parts(r)
		if len(ways) > 4 {
			t.Errorf("Parts(%c) = %q, more than four", r, ways)
		}
		for _, way := range ways {
			if n := utf8.RuneCountInString(way); n < 2 || n > 4 || strings.Map(Rune, way) != way || strings.ContainsRune(way, Rune(r)) {
				t.Errorf("Parts(%c) has %q", r, way)
			}
		}
	}
}

func TestAlikes(t *testing.T) {
	for r, alikes := range map[rune]string{'赌': "睹堵镨", '诈': "作炸", '博': "搏膊", '己': "已巳", '未': "末", '口': "ロ"} {
		for _, a := range alikes {
			if !slices.Contains(Alikes(r), a) {
				t.Errorf("Alikes(%c) = %q, want %c among them", r, Alikes(r), a)
			}
		}
	}
	for r := range rune(1 << 16) {
		list := Alikes(r)
		if len(list) > 12 {
			t.Errorf("Alikes(%c) = %q, more than twelve", r, list)
		}
		for i, a := range list {
			if Rune(a) != a || a == Rune(r) || slices.Contains(list[:i], a) {
				t.Errorf("Alikes(%c) = %q", r, list)
			}
		}
	}
}

// A string folds to what its folded form folds to, and is found in itself
// whatever is put between its runes.
func FuzzFold(f *testing.F) {
	for _, s := range []string{"赌博", "賭\u200B博", "bаdwоrd", "dǔ bó", "㎏ ﬁ ⒝", "下三滥", "\xff\xfe", "İıſß", "🇨🇳", "が", "Ⅳ"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		once := word(s)
		if again := word(once); again != once {
			t.Errorf("%+q folds to %+q, which folds to %+q", s, once, again)
		}
		var spread strings.Builder
		for _, r := range s {
			spread.WriteRune(r)
			spread.WriteString("\u200B*😀 ")
		}
		if got := word(spread.String()); got != once {
			t.Errorf("%+q folds to %+q, and to %+q with noise between its runes", s, once, got)
		}
	})
}

func BenchmarkRune(b *testing.B) {
	text := []rune(strings.Repeat("我们讨论賭博问题, and bаdwords。", 100))
	Rune(0)
	var sum rune
	for b.Loop() {
		for _, r := range text {
			sum += Rune(r) + rune(KindOf(r))
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(text)), "ns/rune")
	_ = sum
}
