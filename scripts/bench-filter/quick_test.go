package main

import (
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"unicode/utf8"

	"bendi/filter/find"
	"bendi/filter/match"
)

func TestQuick(t *testing.T) {
	n, err := strconv.Atoi(os.Getenv("N"))
	if err != nil {
		t.Skip()
	}
	chars, _ := common()
	from, _ := sentences("../demo-model/corpus")
	r := rand.New(rand.NewPCG(1, 1))
	words := randomWords(r, chars, n)
	a, _, _, _ := build(words, match.Default)
	text := prose(r, from, words, 1<<20)
	if os.Getenv("HAN") != "" {
		text = onlyHan(text)
	}
	kinds := map[int]int{}
	for _, r := range text {
		kinds[utf8.RuneLen(r)]++
	}
	var spans []find.Span
	s := a.Scanner()
	d := best(400, func() { spans, _ = s.Scan(spans[:0], text, true); s.Reset() })
	t.Logf("%.0f MB/s %v, %.2f ns/rune", float64(len(text))/d.Seconds()/1e6, kinds, d.Seconds()*1e9/float64(utf8.RuneCountInString(text)))
}
