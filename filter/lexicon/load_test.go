package lexicon_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"bendi/filter/find"
	"bendi/filter/lexicon"
)

const house = `# 词库
name: house
version: 3
updated: 2026-11-25
note: |
  two
  lines
categories:
  fraud:
    title: 诈骗
    level: 2
    risk: A.1.8
    allow: [反～, ～罪]
    words:
      - 刷单返利
      - {text: 洗钱通道, level: 3, forms: [sound, split]}
      - text: 包赚
        strict: true
        id: sure-win
      - all: [加, 微信]
        within: 6
  gambling:
    level: 1
    forms: []
    words: [赌球, "online casino", '赌马']
words:
  - {text: SM, category: fraud, whole: false, level: 3, risk: A.1.6}
allow:
  - 大麻烦
`

func load(t *testing.T, source, text string, opts lexicon.Options) *lexicon.Lexicon {
	t.Helper()
	l, err := lexicon.Read(source, []byte(text), opts)
	if err != nil {
		t.Fatalf("Read(%s): %v", source, err)
	}
	return l
}

// sum is a word in one line, for tests.
func sum(w lexicon.Word) string {
	text := w.Text
	if w.All != nil {
		text = fmt.Sprintf("%s@%d", strings.Join(w.All, "+"), w.Within)
	}
	s := fmt.Sprintf("%s %s %s %d %s", w.ID, text, w.Category, w.Level, w.Risk)
	if w.Strict {
		s += " strict"
	}
	if w.Whole != nil {
		s += fmt.Sprintf(" whole=%t", *w.Whole)
	}
	if w.Forms != nil {
		s += fmt.Sprint(" ", w.Forms)
	}
	return s
}

func sums(l *lexicon.Lexicon) []string {
	var out []string
	for _, w := range l.Words {
		out = append(out, sum(w))
	}
	return out
}

func check(t *testing.T, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("got\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
	}
}

func TestYAML(t *testing.T) {
	want := []string{
		"house:15 刷单返利 fraud 2 A.1.8",
		"house:16 洗钱通道 fraud 3 A.1.8 [split sound]",
		"sure-win 包赚 fraud 2 A.1.8 strict",
		"house:20 加+微信@6 fraud 2 A.1.8",
		"house:25 赌球 gambling 1  []",
		"house:25.2 online casino gambling 1  []",
		"house:25.3 赌马 gambling 1  []",
		"house:27 SM fraud 3 A.1.6 whole=false",
	}
	for name, text := range map[string]string{
		"as it is": house,
		"CRLF":     strings.ReplaceAll(house, "\n", "\r\n"),
		"BOM":      "\uFEFF" + house,
	} {
		t.Run(name, func(t *testing.T) {
			l := load(t, "house.yaml", text, lexicon.Options{})
			check(t, sums(l), want)
			if l.Name != "house" || l.Version != "3" || l.Updated != "2026-11-25" || l.Note != "two\nlines\n" || l.Starter {
				t.Errorf("got %q %q %q %q %t", l.Name, l.Version, l.Updated, l.Note, l.Starter)
			}
			if !slices.Equal(l.Allow, []string{"大麻烦"}) || !slices.Equal(l.Categories["fraud"].Allow, []string{"反～", "～罪"}) || l.Categories["fraud"].Title != "诈骗" {
				t.Errorf("allow %q, categories %v", l.Allow, l.Categories)
			}
		})
	}
}

func TestLists(t *testing.T) {
	bets := lexicon.Options{Category: "gambling", Level: 2, Risk: "A.1.8"}
	tests := []struct {
		name, source, text string
		opts               lexicon.Options
		want               []string
	}{
		{"one per line", "bets.txt", "# list\n赌球\n\n  赌马  \n#话题\nonline casino\n", bets, []string{
			"bets:2 赌球 gambling 2 A.1.8", "bets:4 赌马 gambling 2 A.1.8", "bets:5 #话题 gambling 2 A.1.8", "bets:6 online casino gambling 2 A.1.8"}},
		{"with commas", "bets.txt", "赌球,赌马，六合彩、,\n", bets, []string{
			"bets:1 赌球 gambling 2 A.1.8", "bets:1.2 赌马 gambling 2 A.1.8", "bets:1.3 六合彩 gambling 2 A.1.8"}},
		{"with a byte order mark and CRLF", "bets.txt", "\uFEFF赌球\r\n赌马\r\n", bets, []string{
			"bets:1 赌球 gambling 2 A.1.8", "bets:2 赌马 gambling 2 A.1.8"}},
		{"tags", "tags.txt", "赌球 3\nfake id 1,9\n裸聊 9,2,3\n其他 9\n", lexicon.Options{Level: 2, Tags: map[string]string{"1": "fraud", "2": "adult", "3": "gambling", "9": ""}}, []string{
			"tags:1 赌球 gambling 2 ", "tags:2 fake id fraud 2 ", "tags:3 裸聊 adult 2 "}},
		{"CSV", "t.csv", "Word,Category,Level,Risk,Strict,Whole,Forms,ID\n赌球,gambling,2,A.1.8,yes,,split|sound,a1\n\"a \"\"b\"\"\",fraud,3,,,false,none,\n", lexicon.Options{}, []string{
			`a1 赌球 gambling 2 A.1.8 strict [split sound]`, `t:3 a "b" fraud 3  whole=false []`}},
		{"CSV with tabs and combinations", "t.txt", "word\tall\twithin\tcategory\n赌球\t\t\tgambling\n\t加|微信\t8\tfraud\n", lexicon.Options{Level: 1}, []string{
			"t:2 赌球 gambling 1 ", "t:3 加+微信@8 fraud 1 "}},
		{"JSON texts", "j.json", `["赌球", "赌马"]`, bets, []string{
			"j:1 赌球 gambling 2 A.1.8", "j:1.2 赌马 gambling 2 A.1.8"}},
		{"JSON objects", "j.json", "[{\"word\": \"赌球\",\n \"category\": \"gambling\", \"level\": 3}]", lexicon.Options{Name: "house"}, []string{
			"house:1 赌球 gambling 3 "}},
		{"JSON in our layout", "j.json", `{"name": "h", "version": "1", "updated": "2026-01-31", "categories": {"fraud": {"level": 1, "words": ["刷单", {"all": ["加", "微信"]}]}}}`, lexicon.Options{}, []string{
			"h:1 刷单 fraud 1 ", "h:1.2 加+微信@20 fraud 1 "}},
		{"by content", "words", `["赌球"]`, bets, []string{"words:1 赌球 gambling 2 A.1.8"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			check(t, sums(load(t, tt.source, tt.text, tt.opts)), tt.want)
		})
	}
}

func TestFaults(t *testing.T) {
	const head = "name: h\nversion: 1\nupdated: 2026-11-25\n"
	gbk := "\xb6\xc4\xb2\xa9\n\xd5\xa9\xc6\xad\n"
	tests := []struct {
		name, source, text string
		want               []string // beginnings of the lines of the error
	}{
		{"all at once", "h.yaml", "name: a b\nversion: 1\nupdated: soon\ncolour: red\ncategories:\n  x:\n    level: 4\n    words: [abc]\n  y:\n    level: 1\n    word: [abc]\n    risk: high\n    words:\n      - 12\n      - {text: abc, levle: 2}\n", []string{
			"h.yaml:1:1: name: want up to 64 letters",
			"h.yaml:3:10: updated: want a day",
			"h.yaml:4:1: colour: unknown key",
			"h.yaml:7:12: categories.x.level: want a level of 1",
			"h.yaml:8:13: categories.x.words[0]: has no level",
			"h.yaml:11:5: categories.y.word: unknown key; did you mean words?",
			"h.yaml:12:11: categories.y.risk: want the number of a risk",
			"h.yaml:14:9: categories.y.words[0]: want a text or a mapping, have a number; write it in quotes",
			"h.yaml:15:21: categories.y.words[1].levle: unknown key; did you mean level?",
		}},
		{"nothing", "h.yaml", "", []string{"h.yaml:1:1: the file is empty"}},
		{"no settings", "h.yaml", "categories: {}\n", []string{"h.yaml:1:1: name: is missing", "h.yaml:1:1: version: is missing", "h.yaml:1:1: updated: is missing"}},
		{"broken", "h.yaml", head + "categories: [\n", []string{"h.yaml:4:13: this is no YAML: sequence end token"}},
		{"tab", "h.yaml", head + "categories:\n\tx: 1\n", []string{"h.yaml:"}},
		{"deep", "h.yaml", head + "categories: " + strings.Repeat("[", 100) + "\n", []string{"h.yaml:4:45: lists and mappings are nested too deep"}},
		{"unknown category", "h.yaml", head + "categories: {x: {level: 1}}\nwords:\n  - {text: abc, category: z}\n  - def\n", []string{
			"h.yaml:6:5: words[0]: unknown category; known are x",
			"h.yaml:7:5: words[1]: has no category",
		}},
		{"conflict", "h.yaml", head + "categories:\n  x:\n    level: 1\n    words: [赌博, ABC]\n  y:\n    level: 2\n    words:\n      - ａｂｃ\n", []string{
			"h.yaml:11:9: the same word after folding as on line 7, which has category x and level 1; here it is y and 2",
		}},
		{"nothing to look for", "h.yaml", head + "categories:\n  x:\n    level: 1\n    allow: ['～', '反～～', '**']\n    words: ['***', \"\\u200b\", '', {all: [a]}, {all: [a, ' ']}, {text: a, within: 3}]\n", []string{
			"h.yaml:8:13: the word has nothing to look for",
			"h.yaml:8:20: the word has nothing to look for",
			"h.yaml:8:30: the word has nothing to look for",
			"h.yaml:8:34: categories.x.words[3]: all has 1 texts",
			"h.yaml:8:56: categories.x.words[4].all[1]: is empty",
			"h.yaml:8:63: categories.x.words[5]: within belongs to all",
			"h.yaml: categories.x.allow: a template needs something beside ～",
			"h.yaml: categories.x.allow: a template has one ～",
			"h.yaml: categories.x.allow: an allow word has nothing",
		}},
		{"ids", "h.yaml", head + "categories:\n  x:\n    level: 1\n    words:\n      - {text: a1, id: a}\n      - {text: b1, id: a}\n      - {text: c1, id: a b}\n", []string{
			"h.yaml:9:9: its id is that of the word on line 8",
			"h.yaml:10:24: categories.x.words[2].id: want up to 64",
		}},
		{"a list without a category", "w.txt", "abc\n", []string{"w.txt: a list of words alone needs a category"}},
		{"GBK", "词 库.txt", gbk, []string{"词 库.txt:1:1: the file is not UTF-8 but looks like GBK (GB18030); convert it and load the result: iconv -f GB18030 -t UTF-8 '词 库.txt' > '词 库.txt'.utf8"}},
		{"UTF-16", "w.txt", "\xff\xfea\x00", []string{"w.txt:1:1: the file is not UTF-8 but looks like UTF-16"}},
		{"neither", "w.txt", "abc\nd\xffe", []string{"w.txt:2:2: the file is not UTF-8: the first byte that cannot be is 0xff"}},
		{"CSV header", "w.csv", "word,colour,word\n", []string{"w.csv:1:6: unknown column; known are", "w.csv:1:13: the column is there twice"}},
		{"CSV rows", "w.csv", "word,category,level\n赌博,x,9\n诈骗,x,1,1\n\"a\" b,x,1\n", []string{
			"w.csv:2:6: words[0].level: want a level", "w.csv:3:8: the row has 4 fields, the header 3", "w.csv:4:3: the quotes of this row"}},
		{"JSON", "w.json", "{\"name\": \"x\",\n \"version\": 1,,}", []string{"w.json:2:15: this is no JSON"}},
		{"JSON ends", "w.json", "[\"x\"", []string{"w.json:1:5: the JSON ends before"}},
		{"JSON twice", "w.json", "[] []", []string{"w.json:1:4: something follows"}},
		{"JSON keys", "w.json", "{\"name\": \"x\", \"name\": \"y\", \"version\": \"1\", \"updated\": \"2026-11-25\", \"words\": [null]}", []string{
			"w.json:1:15: name: is there twice, the first time on line 1", "w.json:1:79: words[0]: want a text or a mapping, have nothing"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l, err := lexicon.Read(tt.source, []byte(tt.text), lexicon.Options{})
			if err == nil {
				t.Fatalf("no error; words %q", sums(l))
			}
			if _, ok := err.(lexicon.Faults); !ok {
				t.Errorf("the error is a %T", err)
			}
			lines := strings.Split(err.Error(), "\n")
			for i := range max(len(lines), len(tt.want)) {
				if i >= len(lines) || i >= len(tt.want) || !strings.HasPrefix(lines[i], tt.want[i]) {
					t.Errorf("got\n\t%s\nwant lines that begin\n\t%s", strings.Join(lines, "\n\t"), strings.Join(tt.want, "\n\t"))
					break
				}
			}
		})
	}
}

// No fault quotes a word.
func TestFaultsKeepWords(t *testing.T) {
	const secret = "秘密词"
	for source, text := range map[string]string{
		"a.yaml": "name: h\nversion: 1\nupdated: 2026-11-25\n秘密词: 1\ncategories:\n  秘密词: {}\n  x:\n    level: 9\n    words: [{秘密词: 1}, {text: 秘密词, level: 秘密词, risk: 秘密词, forms: [秘密词]}]\n",
		"b.yaml": "name: 秘密词\n  秘密词\n- 秘密词: 秘密词: 秘密词",
		"c.yaml": "a: \"秘密词\nb: '秘密词",
		"c.json": "{\"秘密词\": 秘密词}",
		"d.csv":  "word,秘密词\n",
		"e.csv":  "word,category\n秘密词,秘密词\n\"秘密词\"秘密词,",
		"f.txt":  "秘密词 秘密词\n",
	} {
		_, err := lexicon.Read(source, []byte(text), lexicon.Options{Tags: map[string]string{}})
		if err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("%s: %v", source, err)
		}
	}
}

func TestManyFaults(t *testing.T) {
	_, err := lexicon.Read("w.csv", []byte("word,category,level\n"+strings.Repeat("abc,x,9\n", 1000)), lexicon.Options{})
	faults, ok := err.(lexicon.Faults)
	if !ok || len(faults) != 1000 || !strings.HasSuffix(err.Error(), "\nand 900 faults more") {
		t.Errorf("%d faults, the error ends %q", len(faults), err.Error()[max(0, len(err.Error())-60):])
	}
}

func TestLoad(t *testing.T) {
	path := filepath.Join(t.TempDir(), "house.yaml")
	if _, err := lexicon.Load(path, lexicon.Options{}); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("without a file: %v", err)
	}
	if err := os.WriteFile(path, []byte(house), 0o600); err != nil {
		t.Fatal(err)
	}
	if l, err := lexicon.Load(path, lexicon.Options{}); err != nil || len(l.Words) != 8 {
		t.Errorf("got %v, %v", l, err)
	}
}

// A run of plain items is read without the YAML parser. Whatever stands around
// it, and whatever a run only looks like, the words and their lines are the same.
func TestRuns(t *testing.T) {
	var many []string
	for i := range 40 {
		many = append(many, fmt.Sprintf("词%c%c", '一'+rune(i), '丁'+rune(i)))
	}
	const head = "name: h\nversion: 1\nupdated: 2026-11-25\ncategories:\n  x:\n    level: 1\n"
	items := func(indent string) string { return indent + "- " + strings.Join(many, "\n"+indent+"- ") + "\n" }

	l := load(t, "h.yaml", head+"    words:\n"+items("      ")+"  y:\n    level: 2\n    words: [最后]\n", lexicon.Options{})
	if len(l.Words) != 41 || l.Words[20].Text != many[20] || l.Words[20].ID != "h:28" || l.Words[40].ID != "h:50" {
		t.Errorf("%d words: %q", len(l.Words), sums(l))
	}

	l = load(t, "h.yaml", head+"    words:\n"+strings.Replace(items("    "), "\n    - "+many[9], "\n\n    # a comment\n    - {text: 插入, level: 3, strict: true}\n    - "+many[9], 1), lexicon.Options{})
	if len(l.Words) != 41 || sum(l.Words[9]) != "h:19 插入 x 3  strict" || l.Words[10].ID != "h:20" {
		t.Errorf("%d words: %q", len(l.Words), sums(l))
	}

	l = load(t, "h.yaml", head+"    words: [abc]\nnote: |\n"+items("  "), lexicon.Options{})
	if len(l.Words) != 1 || !strings.Contains(l.Note, "- "+many[20]+"\n") {
		t.Errorf("a text of lines that look like items: %q", l.Note)
	}
	l = load(t, "h.yaml", head+"    words: [abc]\nnote: \"\n"+items("  ")+"  \"\n", lexicon.Options{})
	if len(l.Words) != 1 || !strings.Contains(l.Note, "- "+many[20]+" -") {
		t.Errorf("a quoted text of lines that look like items: %q", l.Note)
	}
	l = load(t, "h.yaml", head+"    words:\n"+items("      ")+"        and more\n", lexicon.Options{})
	if n := len(l.Words); n != 40 || l.Words[n-1].Text != many[39]+" and more" {
		t.Errorf("an item that goes on: %q", sums(l)[n-1])
	}
	_, err := lexicon.Read("h.yaml", []byte(head+"    words:\n"+items("      ")+"      - {text: abc, level: 7}\n"+items("      ")), lexicon.Options{})
	if err == nil || !strings.HasPrefix(err.Error(), "h.yaml:48:28: categories.x.words[40].level: want a level") {
		t.Errorf("a fault between runs: %v", err)
	}
}

func TestForms(t *testing.T) {
	l := load(t, "h.yaml", house, lexicon.Options{})
	if got := l.Words[1].Forms; !slices.Equal(got, []find.Form{find.Split, find.Sound}) {
		t.Errorf("forms %v", got)
	}
	if got := l.Words[0].Forms; got != nil {
		t.Errorf("forms of a word without: %v", got)
	}
	if got := l.Words[4].Forms; got == nil || len(got) != 0 {
		t.Errorf("forms: [] of the category gives %v", got)
	}
}

func TestFormats(t *testing.T) {
	for _, name := range []string{"auto", "yaml", "json", "csv", "lines", "tagged"} {
		if f, err := lexicon.ParseFormat(name); err != nil || f.String() != name {
			t.Errorf("%s: %v, %v", name, f, err)
		}
	}
	if _, err := lexicon.ParseFormat("xml"); err == nil {
		t.Error("xml is a format")
	}
}
