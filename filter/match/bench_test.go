package match

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"bendi/filter/find"
)

// Of the characters from U+4E00 on, words of two to eight, and a text with one
// of them in every 2,000. `make bench-filter` has real characters and text.
func benchmarkInput(n int) (ps []Pattern, text string) {
	r := rand.New(rand.NewPCG(1, 1))
	word := func(n int) string {
		rs := make([]rune, n)
		for i := range rs {
			rs[i] = 0x4E00 + rune(r.IntN(3755))
		}
		return string(rs)
	}
	for i := range n {
		ps = append(ps, Pattern{Text: word(2 + r.IntN(7)), Rule: i})
	}
	var b strings.Builder
	for b.Len() < 1<<18 {
		b.WriteString(word(1998))
		b.WriteString(ps[r.IntN(n)].Text)
	}
	return ps, b.String()
}

func BenchmarkCompile(b *testing.B) {
	for _, n := range []int{1_000, 10_000} {
		ps, _ := benchmarkInput(n)
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				if _, err := Compile(ps, Default); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkScan(b *testing.B) {
	for _, n := range []int{10_000, 100_000} {
		ps, text := benchmarkInput(n)
		for p := Default; p <= Sound; p++ {
			b.Run(fmt.Sprintf("%d/%v", n, p), func(b *testing.B) {
				a := compile(b, p, ps...)
				s := a.Scanner()
				spans := make([]find.Span, 0, 1<<12)
				b.ReportAllocs()
				b.SetBytes(int64(len(text)))
				for b.Loop() {
					spans, _ = s.Scan(spans[:0], text, true)
					s.Reset()
				}
			})
		}
	}
}

// What a stream pays for each token.
func BenchmarkPieces(b *testing.B) {
	ps, text := benchmarkInput(100_000)
	s := compile(b, Default, ps...).Scanner()
	spans := make([]find.Span, 0, 64)
	b.ReportAllocs()
	for i := 0; b.Loop(); i = (i + 5) % (len(text) - 5) {
		spans, _ = s.Scan(spans[:0], text[i:i+5], false)
	}
}
