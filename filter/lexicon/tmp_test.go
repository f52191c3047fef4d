package lexicon

import "testing"

func TestTmp(t *testing.T) {
	l := Starter()
	for _, f := range Lint(l) { t.Log(f.Kind, f.Line, f.Text, f.Other, f.Reason) }
}
