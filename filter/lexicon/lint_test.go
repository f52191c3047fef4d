package lexicon_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"bendi/filter/lexicon"
)

func TestLint(t *testing.T) {
	const head = "name: h\nversion: 1\nupdated: 2026-11-25\ncategories:\n"
	tests := []struct {
		name, text string
		want       []string // kind line other
	}{
		{"nothing", "  x:\n    level: 2\n    words:\n      - 刷单返利\n      - 线上赌场\n", nil},
		{"dead by an allow word", "  x:\n    level: 2\n    allow: [刷单返利]\n    words:\n      - 刷单返利\n", []string{"dead 9"}},
		{"dead by a template", "  x:\n    level: 2\n    allow: [反～]\n    words:\n      - 赌球\n      - 反赌球\n", []string{"dead 10"}},
		{"dead, too near", "  x:\n    level: 2\n    words:\n      - {all: [刷单返利, 加微信], within: 5}\n", []string{"dead 8"}},
		{"shadowed", "  x:\n    level: 2\n    words:\n      - 线上赌场\n      - 真钱线上赌场\n      - {text: 赌球, strict: true}\n      - 买赌球\n", []string{"shadowed 9 h:8"}},
		{"not shadowed: worse", "  x:\n    level: 2\n    words:\n      - 线上赌场\n      - {text: 真钱线上赌场, level: 3}\n", nil},
		{"not shadowed: another category", "  x:\n    level: 2\n    words:\n      - 线上赌场\n  y:\n    level: 2\n    words:\n      - 真钱线上赌场\n", nil},
		{"not shadowed: inside it is allowed", "  x:\n    level: 2\n    allow: [大赌球]\n    words:\n      - 赌球\n      - 大赌球王\n", nil},
		{"whole words shadow as such", "  x:\n    level: 2\n    words:\n      - porn\n      - free porn\n      - pornhub\n", []string{"shadowed 9 h:8"}},
		{"combination shadowed", "  x:\n    level: 2\n    words:\n      - 赌球\n      - {all: [赌球, 加微], within: 9}\n", []string{"shadowed 9 h:8"}},
		{"duplicates", "  x:\n    level: 2\n    words:\n      - 赌球\n      - 赌 球\n      - ABCDEF\n      - ａｂｃdef\n", []string{"duplicate 9 h:8", "duplicate 11 h:10"}},
		{"short", "  x:\n    level: 2\n    words:\n      - 枪\n      - {text: xq, whole: false}\n      - zx\n", []string{"single 8", "broad 9"}},
		{"stop words", "  x:\n    level: 2\n    words:\n      - 的\n      - the\n", []string{"stop_word 8", "stop_word 9"}},
		{"long", "  x:\n    level: 2\n    words:\n      - 在线发牌真人荷官注册就送\n      - one big fat long bad sentence\n", []string{"long 8", "long 9"}},
		{"common", "  x:\n    level: 2\n    allow: [大麻烦]\n    words:\n      - 大麻\n      - 市长\n      - {text: 传销, level: 1}\n", []string{"common 10"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, f := range lexicon.Lint(load(t, "h.yaml", head+tt.text, lexicon.Options{})) {
				got = append(got, strings.TrimSpace(fmt.Sprint(string(f.Kind), " ", f.Line, " ", f.Other)))
				if f.Reason == "" || f.Advice == "" || f.Text == "" || f.Lexicon != "h" {
					t.Errorf("finding %+v", f)
				}
			}
			check(t, got, tt.want)
		})
	}
}

// The words of the false-positive catalogue that must not be listed bare are
// all found out.
func TestLintFalsePositives(t *testing.T) {
	words := strings.Fields(`大麻 SM 黄片 av 干 口交 市长 中国 拍卖 和服 和尚 日本 人大 性感 马上 白粉 枪
		ass tit hell cunt penis sex cock dick anal rapist kill 注入 爆破 slave bomb 赌博 海明 诈骗 妈的 子弹 炸弹`)
	l := load(t, "w.yaml", "name: w\nversion: 1\nupdated: 2026-11-25\ncategories:\n  x:\n    level: 2\n    words:\n"+
		"      - {whole: false, text: "+strings.Join(words, "}\n      - {whole: false, text: ")+"}\n", lexicon.Options{})
	found := map[string]bool{}
	for _, f := range lexicon.Lint(l) {
		if slices.Contains([]lexicon.Kind{lexicon.Single, lexicon.Broad, lexicon.Common}, f.Kind) {
			found[f.Text] = true
		}
	}
	for _, w := range words {
		if !found[w] {
			t.Errorf("nothing about %s", w)
		}
	}
}

// What an allow word covers in every everyday word is not found.
func TestLintAllowed(t *testing.T) {
	const text = "name: w\nversion: 1\nupdated: 2026-11-25\ncategories:\n  x:\n    level: 2\n    allow: [三黄片]\n    words: [黄片, av, sm]\n"
	if found := lexicon.Lint(load(t, "w.yaml", text, lexicon.Options{})); len(found) > 0 {
		t.Errorf("found %+v", found)
	}
}

func TestLintSeveral(t *testing.T) {
	a := load(t, "a.txt", "线上赌场\n", lexicon.Options{Category: "x", Level: 2})
	b := load(t, "b.txt", "线上赌场\n真钱线上赌场\n", lexicon.Options{Category: "x", Level: 2})
	var got []string
	for _, f := range lexicon.Lint(a, b) {
		got = append(got, fmt.Sprint(f.Kind, " ", f.Word, " ", f.Other))
	}
	check(t, got, []string{"duplicate b:1 a:1", "shadowed b:2 a:1"})
}

func TestStarter(t *testing.T) {
	l := lexicon.Starter()
	if n := len(l.Words); n < 300 || n > 500 {
		t.Errorf("%d words", n)
	}
	if !l.Starter || l.Updated == "" {
		t.Errorf("starter %t, updated %q", l.Starter, l.Updated)
	}
	for _, f := range lexicon.Lint(l) {
		t.Errorf("line %d: %s: %s; %s", f.Line, f.Kind, f.Reason, f.Advice)
	}
	if want := []string{"abuse", "adult", "fraud", "gambling", "violence"}; true {
		var names []string
		for name := range l.Categories {
			names = append(names, name)
		}
		slices.Sort(names)
		check(t, names, want)
	}
}
