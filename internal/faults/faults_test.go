package faults

import (
	"errors"
	"strings"
	"testing"

	"github.com/goccy/go-yaml/lexer"
)

func TestFaults(t *testing.T) {
	fs := Faults{
		{Message: "of the whole"},
		{Source: "a.yaml", Line: 2, Column: 7, Key: "b", Message: "second"},
		{Source: "a.yaml", Line: 2, Column: 3, Message: "first"},
		{Source: "$X", Key: "c", Message: "no file"},
	}
	fs.Sort()
	want := "a.yaml:2:3: first\na.yaml:2:7: b: second\nof the whole\n$X: c: no file"
	if got := fs.Error(); got != want {
		t.Errorf("have %q, want %q", got, want)
	}
	if got, ok := errors.AsType[Faults](error(fs)); !ok || len(got) != 4 {
		t.Error("faults are no error")
	}
	many := make(Faults, mostTold+5)
	if got := many.Error(); strings.Count(got, "\n") != mostTold || !strings.HasSuffix(got, "and 5 faults more") {
		t.Errorf("the last line is %q", got[strings.LastIndex(got, "\n")+1:])
	}
}

func TestTooDeep(t *testing.T) {
	for _, tt := range []struct {
		text string
		deep bool
	}{
		{"a: {b: [c, {d: e}]}\n", false},
		{strings.Repeat("[", 40), true},
		{strings.Repeat("]", 40) + strings.Repeat("[", 20), false},
		{strings.Repeat(" ", 300) + "a: b\n", true},
		{"a: '" + strings.Repeat("x", 300) + "'\n", false},
	} {
		if got := TooDeep(lexer.Tokenize(tt.text)) != nil; got != tt.deep {
			t.Errorf("%.20q: %v, want %v", tt.text, got, tt.deep)
		}
	}
}
