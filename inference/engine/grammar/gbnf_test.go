package grammar

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// TestParse: grammars, and texts that they accept and do not.
func TestParse(t *testing.T) {
	tests := []struct {
		name, gbnf         string
		accepted, rejected []string
	}{
		{"literal", `root ::= "ab"`, []string{"ab"}, []string{"", "a", "abc", "b"}},
		{"escapes", `root ::= "\x41\u0042\U0001F600\n\t\r\\\"\[\]\-"`, []string{"AB😀\n\t\r\\\"[]-"}, []string{"AB"}},
		{"class", `root ::= [a-cx\]^-] [^a-c\n]`, []string{"ad", "x名", "]x", "^d", "-d"}, []string{"dd", "aa", "a\n", "a"}},
		{"any character", `root ::= .`, []string{"a", "\n", "😀"}, []string{"", "ab"}},
		{"alternatives", `root ::= "a" | "b" |`, []string{"a", "b", ""}, []string{"c", "ab"}},
		{"group", "root ::= (\"a\" |\n \"b\"\n)\"c\"", []string{"ac", "bc"}, []string{"a", "c"}},
		{"repetition", `root ::= "a"* "b"+ "c"? "de"{2}`, []string{"bdede", "aabbcdede"}, []string{"dede", "bccdede", "bde", "bdedede"}},
		{"bounded repetition", `root ::= "a"{1,3}"b"{ 2 , }"c"{0}`, []string{"abb", "aaabbbb"}, []string{"bb", "aaaabb", "ab", "abbc"}},
		{"rules", "root ::= item (\",\" item)*\nitem ::= [0-9]+ # digits\n\n# the end", []string{"1", "12,3"}, []string{",", "1,"}},
		{"nesting", `root ::= "(" root ")" | "x"`, []string{"x", "((x))"}, []string{"(x", "(x))", "()"}},
		{"right recursion", "root ::= \"a\" root | \"b\"", []string{"b", "aaab"}, []string{"a", "ba"}},
		{"ambiguity", "root ::= e\ne ::= \"x\" | \"x\" e a | \"x\" e b\na ::= \"a\"\nb ::= \"b\" | \"a\"", []string{"x", "xxa", "xxxba"}, []string{"xa", "xx", "xxab"}},
		{"empty rules", "root ::= a a \"x\" a\na ::= \"a\"? b\nb ::= | \"b\"", []string{"x", "aabxb", "abx"}, []string{"bax" + "x", ""}},
		{"tail of nothing", "root ::= a b? c?\na ::= \"a\"\nb ::= \"b\"\nc ::= \"c\"", []string{"a", "ab", "ac", "abc"}, []string{"acb", "b"}},
		{"a rule that is not used", "root ::= \"a\"\nspare ::= \"b\"", []string{"a"}, []string{"b"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			g, err := Parse(tt.gbnf)
			if err != nil {
				t.Fatal(err)
			}
			for _, text := range tt.accepted {
				if !accepts(g, text) {
					t.Errorf("%q is not accepted", text)
				}
			}
			for _, text := range tt.rejected {
				if accepts(g, text) {
					t.Errorf("%q is accepted", text)
				}
			}
		})
	}
}

// TestSyntaxErrors: what is refused, where, and the words that say why.
func TestSyntaxErrors(t *testing.T) {
	var wide strings.Builder // each rule begins with the next in two ways
	for i := range 40 {
		fmt.Fprintf(&wide, "r%d ::= r%d \"a\" | r%d \"b\"\n", i, i+1, i+1)
	}
	tests := []struct {
		name, gbnf, at, words string
	}{
		{"nothing", "", "1:1", "no rule named root"},
		{"no root", "a ::= \"a\"", "1:1", "no rule named root"},
		{"undefined rule", "root ::= \"a\"\n  # x\nb ::= c", "3:7", `"c" is used but not defined`},
		{"rule defined twice", "root ::= a\na ::= \"a\"\na ::= \"b\"", "3:1", "defined twice"},
		{"no ::=", "root = \"a\"", "1:6", "want ::="},
		{"no name", "::= \"a\"", "1:1", "name of a rule"},
		{"underscore", "root ::= a_b", "1:11", "underscore"},
		{"rest of a line", "root ::= \"a\" ;", "1:14", "end of the line"},
		{"a line that begins with |", "root ::= \"a\"\n| \"b\"", "2:1", "name of a rule"},
		{"open literal", "root ::= \"a", "1:10", "closing quote"},
		{"open class", "root ::= [a", "1:10", "closing bracket"},
		{"open group", "root ::= (\"a\"", "1:14", "want"},
		{"group without beginning", "root ::= \"a\")", "1:13", "end of the line"},
		{"empty class", "root ::= []", "1:10", "empty"},
		{"empty negated class", "root ::= [^]", "1:10", "empty"},
		{"backward range", "root ::= [z-a]", "1:11", "backward"},
		{"unknown escape", "root ::= \"名\\q\"", "1:12", "unknown escape"},
		{"short escape", "root ::= \"\\u12\"", "1:11", "4 hexadecimal"},
		{"escape beyond Unicode", "root ::= \"\\U00110000\"", "1:11", "U+110000"},
		{"half a character", "root ::= \"\\ud800\"", "1:11", "half a character"},
		{"backslash at the end", "root ::= \"\\", "1:11", "unknown escape"},
		{"nothing to repeat", "root ::= * \"a\"", "1:10", "nothing stands before"},
		{"repetition of an empty literal", "root ::= \"\"*", "1:12", "nothing stands before"},
		{"repetition without a number", "root ::= \"a\"{,2}", "1:14", "number"},
		{"repetition without end", "root ::= \"a\"{1", "1:15", "want }"},
		{"repetition backward", "root ::= \"a\"{2,1}", "1:13", "before it begins"},
		{"long repetition", "root ::= \"a\"{0,2001}", "1:16", "more than 2000"},
		{"repetition of a large group", "root ::= (\"a\"? \"b\"? \"c\"?){0,500}", "1:26", "makes 2000 rules"},
		{"token", "root ::= <think>", "1:10", "tokens"},
		{"all but a token", "root ::= !<[5]>", "1:10", "tokens"},
		{"zero byte", "root ::= \"a\x00\"", "1:12", "zero byte"},
		{"not UTF-8", "root ::= \"\xff\"", "1:11", "UTF-8"},
		{"left recursion", "root ::= a\na ::= a \"x\" | \"y\"", "2:1", `"a" comes back to itself`},
		{"left recursion through another rule", "root ::= a\na ::= b \"x\" | \"y\"\nb ::= a \"z\"", "3:1", "comes back to itself"},
		{"left recursion behind an empty rule", "root ::= e a\ne ::= f\nf ::= \"e\"?\na ::= e a | \"y\"", "4:1", "comes back to itself"},
		{"repetition of what may be empty", "root ::= (\"a\"?)*", "1:1", "may be empty"},
		{"no end", "root ::= \"a\" root", "1:1", "never end"},
		{"no character", "root ::= \"a\" | b\nb ::= [^\\x00-\\U0010FFFF]", "2:1", "never end"},
		{"deep groups", "root ::= " + strings.Repeat("(", 61) + "\"a\"" + strings.Repeat(")", 61), "1:70", "60 deep"},
		{"too many steps", "root ::= " + strings.Repeat("\"a\"{1999}", 101), "1:1", "200000 steps"},
		{"too many steps, nested", "root ::= a\na ::= ((\"a\"{1000}){1000}){1000}", "2:26", "rules"},
		{"too many ways to begin", "root ::= r0\n" + wide.String() + "r40 ::= \"x\"", "", "ways"},
		{"too long", "root ::= \"a\"\n#" + strings.Repeat("x", maxGrammarBytes), "1:1", "over the limit of 524288"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Parse(tt.gbnf)
			e, ok := errors.AsType[*SyntaxError](err)
			if !ok {
				t.Fatalf("error %v, want a *SyntaxError", err)
			}
			if at := fmt.Sprintf("%d:%d", e.Line, e.Column); tt.at != "" && at != tt.at || !strings.Contains(e.Message, tt.words) {
				t.Errorf("at %s: %v; want it at %s, about %q", at, err, tt.at, tt.words)
			}
		})
	}
}
