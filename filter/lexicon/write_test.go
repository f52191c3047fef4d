package lexicon_test

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"bendi/filter/lexicon"
	"bendi/filter/match"
)

// same compares two lexicons but for lines, and IDs made of lines. Write sorts
// words by category.
func same(t *testing.T, got, want *lexicon.Lexicon) {
	t.Helper()
	line := func(l *lexicon.Lexicon) []string {
		words := slices.Clone(l.Words)
		slices.SortStableFunc(words, func(a, b lexicon.Word) int { return strings.Compare(a.Category, b.Category) })
		var out []string
		for _, w := range words {
			if strings.HasPrefix(w.ID, l.Name+":") {
				w.ID = ""
			}
			out = append(out, fmt.Sprintf("%s forms=%t", sum(w), w.Forms != nil))
		}
		return out
	}
	if g, w := line(got), line(want); !slices.Equal(g, w) {
		t.Fatalf("words\n\t%q\nwant\n\t%q", g, w)
	}
	if got.Name != want.Name || got.Version != want.Version || got.Updated != want.Updated || got.Note != want.Note || got.Starter != want.Starter || !slices.Equal(got.Allow, want.Allow) {
		t.Fatalf("got %q %q %q %q %t %q, want %q %q %q %q %t %q", got.Name, got.Version, got.Updated, got.Note, got.Starter, got.Allow, want.Name, want.Version, want.Updated, want.Note, want.Starter, want.Allow)
	}
	if !maps.EqualFunc(got.Categories, want.Categories, func(a, b lexicon.Category) bool {
		return fmt.Sprintf("%q %v %t", fmt.Sprint(a.Title, a.Level, a.Risk, a.Strict, a.Forms), a.Allow, a.Forms == nil) == fmt.Sprintf("%q %v %t", fmt.Sprint(b.Title, b.Level, b.Risk, b.Strict, b.Forms), b.Allow, b.Forms == nil)
	}) {
		t.Fatalf("categories %+v\nwant %+v", got.Categories, want.Categories)
	}
	if got.Digest() != want.Digest() {
		t.Fatal("the digests differ")
	}
}

func TestWrite(t *testing.T) {
	l := load(t, "house.yaml", house, lexicon.Options{})
	var b bytes.Buffer
	if err := lexicon.Write(&b, l); err != nil {
		t.Fatal(err)
	}
	const want = `name: house
version: "3"
updated: "2026-11-25"
note: "two\nlines\n"
categories:
  fraud:
    title: 诈骗
    level: 2
    risk: A.1.8
    allow:
      - 反～
      - ～罪
    words:
      - 刷单返利
      - {text: 洗钱通道, level: 3, forms: [split, sound]}
      - {text: 包赚, id: sure-win, strict: true}
      - {all: [加, 微信], within: 6}
      - {text: SM, level: 3, risk: A.1.6, whole: false}
  gambling:
    level: 1
    forms: []
    words:
      - 赌球
      - online casino
      - 赌马
allow:
  - 大麻烦
`
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", &b, want)
	}
	same(t, load(t, "again.yaml", b.String(), lexicon.Options{}), l)
}

func TestWriteStarter(t *testing.T) {
	l := lexicon.Starter()
	var b bytes.Buffer
	if err := lexicon.Write(&b, l); err != nil {
		t.Fatal(err)
	}
	same(t, load(t, "again.yaml", b.String(), lexicon.Options{}), l)
}

func TestWriteWrong(t *testing.T) {
	for name, l := range map[string]lexicon.Lexicon{
		"its name":     {Name: "a b", Version: "1", Updated: "2026-11-25"},
		"no version":   {Name: "a", Updated: "2026-11-25"},
		"when it was":  {Name: "a", Version: "1"},
		"the category": {Name: "a", Version: "1", Updated: "2026-11-25", Words: []lexicon.Word{{Text: "abc", Category: "x"}}},
	} {
		if err := lexicon.Write(&bytes.Buffer{}, &l); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// No text of any format makes Read panic, and what it reads survives Write.
func FuzzRead(f *testing.F) {
	f.Add(uint8(1), []byte(house))
	f.Add(uint8(1), []byte("name: h\nversion: 1\nupdated: 2026-11-25\ncategories: {x: {level: 1, words: [\"a\\tb\", 'it''s', \"\\U0001F600a\", '- a', 'null', ' x ', '1']}}\n"))
	f.Add(uint8(1), []byte("name: h\nversion: 1\nupdated: 2026-11-25\ncategories:\n  x:\n    level: 1\n    words:\n"+strings.Repeat("    - {text: abc, level: 1}\n", 20)))
	f.Add(uint8(1), []byte("- {a: }"))
	f.Add(uint8(2), []byte(`{"name": "h", "version": "1", "updated": "2026-11-25", "categories": {"x": {"level": 2, "words": ["a", {"all": ["b", "c"], "within": 3}]}}, "allow": ["ab~"]}`))
	f.Add(uint8(2), []byte(`["赌博", {"word": "诈骗", "category": "fraud"}]`))
	f.Add(uint8(3), []byte("word,category,level,forms,all\n赌博,x,2,split|sound,\n,y,1,,加|微信\n"))
	f.Add(uint8(4), []byte("赌博,诈骗\n# no\n#话题\n"))
	f.Add(uint8(5), []byte("赌博 1\nfake id 2,1\n"))
	f.Add(uint8(0), []byte("\xb6\xc4\xb2\xa9"))
	f.Fuzz(func(t *testing.T, format uint8, text []byte) {
		opts := lexicon.Options{Format: lexicon.Format(format % 6), Category: "cat", Level: 2, Tags: map[string]string{"1": "one", "2": ""}}
		l, err := lexicon.Read("fuzz", text, opts)
		if err != nil {
			faults, ok := err.(lexicon.Faults)
			if !ok || len(faults) == 0 || err.Error() == "" {
				t.Fatalf("the error is %T %q", err, err)
			}
			return
		}
		if l.Version == "" {
			l.Version = "1"
		}
		if l.Updated == "" {
			l.Updated = "2026-11-25"
		}
		lexicon.Lint(l)
		var b bytes.Buffer
		if err := lexicon.Write(&b, l); err != nil {
			if len(l.Name) > 0 {
				t.Fatalf("Write: %v", err)
			}
			return
		}
		again, err := lexicon.Read("again.yaml", b.Bytes(), lexicon.Options{})
		if err != nil {
			t.Fatalf("reading what Write wrote: %v\n%s", err, &b)
		}
		same(t, again, l)
		if d := lexicon.Diff(l, again); !d.Empty() || len(d.Added)+len(d.Removed)+len(d.Changed) > 0 {
			t.Fatalf("Diff of a copy: %+v", d)
		}
	})
}

// manyWords makes n different words of Chinese characters, one per line.
func manyWords(n int, prefix string) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(prefix)
		for j, k := 0, i; j < 4; j, k = j+1, k/40 {
			b.WriteRune('一' + rune(k%40)*7 + rune(j)*300)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// A long list loads, as a list and as YAML. BenchmarkRead reads a million words.
func TestMany(t *testing.T) {
	const n = 100_000
	l := load(t, "many.txt", manyWords(n, ""), lexicon.Options{Category: "x", Level: 2})
	if len(l.Words) != n {
		t.Fatalf("%d words", len(l.Words))
	}
	y := load(t, "many.yaml", "name: many\nversion: 1\nupdated: 2026-11-25\ncategories:\n  x:\n    level: 2\n    words:\n"+manyWords(n, "      - "), lexicon.Options{})
	if len(y.Words) != n || y.Words[n-1].Line != n+7 {
		t.Fatalf("%d words, the last on line %d", len(y.Words), y.Words[n-1].Line)
	}
}

func BenchmarkRead(b *testing.B) {
	const n = 1_000_000
	plain := []byte(manyWords(n, ""))
	yaml := []byte("name: many\nversion: 1\nupdated: 2026-11-25\ncategories:\n  x:\n    level: 2\n    words:\n" + manyWords(n, "      - "))
	objects := bytes.ReplaceAll(bytes.ReplaceAll(yaml, []byte("      - "), []byte("      - {level: 3, text: ")), []byte("\n      - {"), []byte("}\n      - {"))
	objects = append(bytes.TrimSuffix(bytes.Replace(objects, []byte("words:}"), []byte("words:"), 1), []byte("\n")), '}')
	table := append([]byte("word,level\n"), bytes.ReplaceAll(plain, []byte("\n"), []byte(",2\n"))...)
	array := append(append([]byte("[\""), bytes.ReplaceAll(bytes.TrimSpace(plain), []byte("\n"), []byte("\",\n\""))...), "\"]"...)
	for name, text := range map[string][]byte{"many.txt": plain, "many.yaml": yaml, "objects.yaml": objects, "many.csv": table, "many.json": array} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := lexicon.Read(name, text, lexicon.Options{Category: "x", Level: 2}); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "words/s")
		})
	}
}

// BenchmarkPatterns makes the patterns of a lexicon of 100,000 words.
func BenchmarkPatterns(b *testing.B) {
	l, err := lexicon.Read("many.txt", []byte(manyWords(100_000, "")), lexicon.Options{Category: "x", Level: 2})
	if err != nil {
		b.Fatal(err)
	}
	for p := match.Default; p <= match.Sound; p++ {
		b.Run(p.String(), func(b *testing.B) {
			n := 0
			for b.Loop() {
				patterns, err := lexicon.Patterns(p, l)
				if err != nil {
					b.Fatal(err)
				}
				n = len(patterns)
			}
			b.ReportMetric(float64(n), "patterns")
		})
	}
}

func BenchmarkLint(b *testing.B) {
	l, err := lexicon.Read("many.txt", []byte(manyWords(100_000, "")), lexicon.Options{Category: "x", Level: 2})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		lexicon.Lint(l)
	}
}

func BenchmarkDigest(b *testing.B) {
	l, err := lexicon.Read("many.txt", []byte(manyWords(100_000, "")), lexicon.Options{Category: "x", Level: 2})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		l.Digest()
	}
}
