package main

import (
	"math/rand/v2"
	"os"
	"strconv"
	"runtime"
	"testing"

	"bendi/filter/match"
)

func TestQuick(t *testing.T) {
	chars, _ := common()
	from, err := sentences("../demo-model/corpus")
	if err != nil {
		t.Fatal(err)
	}
	t.Log(len(chars), len(from))
	sizes, turns := []int{10_000, 100_000, 1_000_000}, 15
	if v, err := strconv.Atoi(os.Getenv("N")); err == nil {
		sizes, turns = []int{v}, 300
	}
	for _, n := range sizes {
		r := rand.New(rand.NewPCG(1, 1))
		words := randomWords(r, chars, n)
		pats := make([]match.Pattern, n)
		for i, w := range words {
			pats[i] = match.Pattern{Text: w, Rule: i}
		}
		before := heap()
		begin := processTime()
		a, err := match.Compile(pats, match.Default)
		if err != nil {
			t.Fatal(err)
		}
		took := processTime() - begin
		size := heap() - before
		text := prose(r, from, words, 1<<20)
		han := onlyHan(text)
		var hits int
		s := a.Scanner()
		d := best(turns, func() { f, _ := s.Scan(nil, text, true); hits = len(f); s.Reset() })
		d2 := best(turns, func() { s.Scan(nil, han, true); s.Reset() })
		t.Logf("%d: build %v heap %.2f MB %+v  prose %.0f MB/s han %.0f MB/s hits %d", n, took, float64(size)/1e6, a.Stats(), float64(len(text))/d.Seconds()/1e6, float64(len(han))/d2.Seconds()/1e6, hits)
		runtime.KeepAlive(a)
		runtime.KeepAlive(pats)
	}
}
