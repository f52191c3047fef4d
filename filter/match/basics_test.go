package match

import (
	"testing"

	"bendi/filter/find"
)

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
	return spans
}

func TestFirst(t *testing.T) {
	a := compile(t, Default, words("赌博", "网络赌", "kill yourself", "c++", "博", "赌博机")...)
	for _, text := range []string{"我们讨论赌博问题", "网络赌 博", "go kill  yourself", "C++ is", "赌*博 机", "不赌。博士"} {
		for _, s := range scan(a, text) {
			t.Log(text, s, text[s.Start:s.End])
		}
	}
	t.Logf("%+v", a.Stats())
}
