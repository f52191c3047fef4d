package grammar

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"
)

func mustParse(t testing.TB, gbnf string) *Grammar {
	t.Helper()
	g, err := Parse(gbnf)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// TestPartialCharacters: a text may stop within a character when some rest of
// it is allowed.
func TestPartialCharacters(t *testing.T) {
	tests := []struct {
		name, gbnf, text string
		ok               bool
	}{
		{"first byte", `root ::= [你好]`, "\xe4", true},
		{"two bytes of the first", `root ::= [你好]`, "\xe4\xbd", true},
		{"first byte of another", `root ::= [你好]`, "\xe6", false},
		{"two bytes of another", `root ::= [你好]`, "\xe4\xbe", false},
		{"of any", `root ::= .`, "\xf0\x9f\x98", true},
		{"of none", `root ::= [a-z]`, "\xf0", false},
		{"behind a character", `root ::= "a名"`, "a\xe5\x90", true},
		{"behind the end", `root ::= "a"`, "a\xe5", false},
		{"negated", `root ::= [^a]`, "\xc3", true},
		{"a range that ends within the bytes", `root ::= [\u0080-\u07ff]`, "\xdf", true},
		{"a range that ends before them", `root ::= [\u0080-\u07ff]`, "\xe0\xa0", false},
		{"a byte that begins nothing", `root ::= .`, "\xff", false},
		{"a continuation", `root ::= .`, "\x80", false},
		{"an overlong form", `root ::= .`, "\xc0", false},
		{"a surrogate", `root ::= .`, "\xed\xa0", false},
		{"broken off", `root ::= . .`, "\xe4a", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, ok := mustParse(t, tt.gbnf).Start().Accept([]byte(tt.text))
			if ok != tt.ok {
				t.Errorf("%q is accepted: %v, want %v", tt.text, ok, tt.ok)
			}
			if s.Done() {
				t.Errorf("%q may end", tt.text)
			}
		})
	}
}

// TestPieces: however a text is cut up, the states are the same.
func TestPieces(t *testing.T) {
	gbnf, err := FromSchema(json.RawMessage(`{"type":"object","properties":{"名":{"type":"string","maxLength":8},"n":{"type":"array","items":{"type":"number"}}},"required":["名"]}`))
	if err != nil {
		t.Fatal(err)
	}
	g := mustParse(t, gbnf)
	rng := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		text := newWalker(g, rng).text(40)
		if rng.IntN(2) == 0 && len(text) > 0 {
			i := rng.IntN(len(text))
			text = text[:i] + string(rune(rng.IntN(0x3000))) + text[i:]
		}
		whole, ok := g.Start().Accept([]byte(text))
		s, okPieces := g.Start(), true
		for rest := text; len(rest) > 0 && okPieces; {
			n := 1 + rng.IntN(min(3, len(rest)))
			s, okPieces = s.Accept([]byte(rest[:n]))
			rest = rest[n:]
		}
		if ok != okPieces || whole.Done() != s.Done() || whole.Final() != s.Final() {
			t.Errorf("%q whole: %v, done %v; in pieces: %v, done %v", text, ok, whole.Done(), okPieces, s.Done())
		}
	}
}

// TestStates: a state stays what it is, whatever is tried from it, and states
// may be used from several goroutines.
func TestStates(t *testing.T) {
	g := mustParse(t, AnyJSON())
	s, ok := g.Start().Accept([]byte(`{"a": [1, "x`))
	if !ok || s.Done() || s.Final() {
		t.Fatal("the beginning of an object is not accepted, or is taken for a whole")
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 200 {
				for rest, want := range map[string]bool{`"]}`: true, `y", {"b": null}]}`: true, `]}`: false, `"}`: false, `\"`: false} {
					end, ok := s.Accept([]byte(rest))
					if (ok && end.Done()) != want {
						t.Errorf("%q completes it: %v, want %v", rest, !want, want)
					}
					if want && !end.Final() {
						t.Errorf("after %q something may follow", rest)
					}
				}
			}
		})
	}
	wg.Wait()
	if _, ok := (State{}).Accept([]byte("a")); ok || (State{}).Done() {
		t.Error("the zero State accepts something")
	}
}

// TestLoops: within a string, the state comes back to itself, so that a long
// text takes no more memory than a short one.
func TestLoops(t *testing.T) {
	g := mustParse(t, AnyJSON())
	s, _ := g.Start().Accept([]byte(`{"a": "x`))
	long, ok := s.Accept([]byte(strings.Repeat("ab 你", 1000)))
	if !ok || long.set != s.set {
		t.Error("a letter within a string leads to another state")
	}
}

// TestAmbiguity: an ambiguous grammar, for which the number of stacks doubles
// with every character, takes a bounded time for each.
func TestAmbiguity(t *testing.T) {
	for _, gbnf := range []string{
		"root ::= \"x\" | \"x\" root a | \"x\" root b\na ::= \"a\"\nb ::= \"a\"",
		"root ::= e\ne ::= \"x\" e e | \"x\"",
		"root ::= e\ne ::= \"x\" o o o o\no ::= e?",
		"root ::= \"x\" " + strings.Repeat("(\"x\"? \"x\"?) ", 200),
	} {
		g := mustParse(t, gbnf)
		start := time.Now()
		s, ok := g.Start(), true
		for n := 0; n < 400 && ok; n++ {
			s, ok = s.Accept([]byte("x"))
		}
		if took := time.Since(start); took > 10*time.Second {
			t.Errorf("%s took %v", gbnf, took)
		}
	}
}

// inString is a state within a string of an answer with a schema.
func inString(b testing.TB) State {
	gbnf, err := FromSchema(json.RawMessage(`{"type":"object","properties":{"name":{"type":"string"},"tags":{"type":"array","items":{"type":"string"}},"age":{"type":"integer"}},"required":["name","tags","age"]}`))
	if err != nil {
		b.Fatal(err)
	}
	s, ok := mustParse(b, gbnf).Start().Accept([]byte(`{"name": "A", "tags": ["x`))
	if !ok {
		b.Fatal("not accepted")
	}
	return s
}

// BenchmarkCandidates: 256 candidate tokens within a JSON string, of four
// bytes each and different first bytes.
func BenchmarkCandidates(b *testing.B) {
	s := inString(b)
	benchmarkCandidates(b, s, func(i int) string { return fmt.Sprintf("%c%c%02d", 'a'+i%26, 'A'+i/26%26, i%100) })
}

// BenchmarkCandidatesChinese: the same, of two Chinese characters each.
func BenchmarkCandidatesChinese(b *testing.B) {
	benchmarkCandidates(b, inString(b), func(i int) string { return string([]rune{0x4e00 + rune(i)*7, 0x5000 + rune(i)}) })
}

// BenchmarkCandidatesBounded: the same, where the string has a maxLength and
// no state comes back to itself.
func BenchmarkCandidatesBounded(b *testing.B) {
	gbnf, err := FromSchema(json.RawMessage(`{"type":"object","properties":{"name":{"type":"string","maxLength":5000}}}`))
	if err != nil {
		b.Fatal(err)
	}
	s, _ := mustParse(b, gbnf).Start().Accept([]byte(`{"name": "` + strings.Repeat("x", 300)))
	benchmarkCandidates(b, s, func(i int) string { return fmt.Sprintf("%c%c%02d", 'a'+i%26, 'A'+i/26%26, i%100) })
}

// BenchmarkCandidatesStructure: the same, where the name of a property has to
// come and most candidates are wrong.
func BenchmarkCandidatesStructure(b *testing.B) {
	gbnf, err := FromSchema(json.RawMessage(`{"type":"object","properties":{"name":{"type":"string"},"nick":{"type":"string"},"age":{"type":"integer"}}}`))
	if err != nil {
		b.Fatal(err)
	}
	s, _ := mustParse(b, gbnf).Start().Accept([]byte(`{`))
	benchmarkCandidates(b, s, func(i int) string {
		return []string{` "na`, "\n  \"", `"age`, ` "ni`, `"x`, "wxyz", `}`}[i%7]
	})
}

func benchmarkCandidates(b *testing.B, s State, text func(int) string) {
	var candidates [256][]byte
	for i := range candidates {
		candidates[i] = []byte(text(i))
	}
	b.ReportAllocs()
	for b.Loop() {
		for _, c := range candidates {
			s.Accept(c)
		}
	}
	n := float64(b.N * len(candidates))
	b.ReportMetric(n/b.Elapsed().Seconds(), "candidates/s")
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/n, "ns/candidate")
}

func BenchmarkFromSchema(b *testing.B) {
	schema := json.RawMessage(`{"type":"object","properties":{"name":{"type":"string"},"age":{"type":"integer","minimum":0,"maximum":150},"kind":{"enum":["a","b"]},"tags":{"type":"array","items":{"type":"string"},"maxItems":5}},"required":["name"],"additionalProperties":false}`)
	for b.Loop() {
		if _, err := FromSchema(schema); err != nil {
			b.Fatal(err)
		}
	}
}
