package lexicon_test

import (
	"os"
	"strings"
	"testing"

	"bendi/filter/lexicon"
	"bendi/filter/match"
)

// 35 and all others: the starter lexicon finds nothing in harmless texts, least
// of all in advice that names a topic.
func TestStarterHarmless(t *testing.T) {
	text, err := os.ReadFile("testdata/harmless.txt")
	if err != nil {
		t.Fatal(err)
	}
	s := newSearcher(t, lexicon.Starter())
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "# ") {
			continue
		}
		for p := match.Default; p <= match.Sound; p++ {
			if found := s.search(p, line); len(found) > 0 {
				t.Errorf("%v finds %v in %q", p, found, line)
			}
		}
	}
}

// What the starter is there for, it finds; every word finds itself.
func TestStarterFinds(t *testing.T) {
	l := lexicon.Starter()
	s := newSearcher(t, l)
	for _, w := range l.Words {
		for _, p := range []match.Profile{match.Default, match.Strict} {
			text := w.Text + strings.Join(w.All, "")
			if found := strings.Join(s.search(p, text), "\n"); !strings.Contains(found, w.ID+" ") {
				t.Errorf("line %d: %v finds %q in the word itself", w.Line, p, found)
			}
		}
	}
	for _, text := range []string{
		"加我微信，刷单返利，日结", "出售银行卡", "高價收卡", "網賭平台", "真人荷官在线发牌", "出 售 枪 支", "how  to make a BOMB", "约炮", "你这个傻逼", "F U C K", "线上*赌场",
		"赌博吧", "教我怎么诈骗",
	} {
		if len(s.search(match.Strict, text)) == 0 {
			t.Errorf("nothing found in %q", text)
		}
	}
}
