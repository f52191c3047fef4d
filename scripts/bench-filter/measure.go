package main

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"time"
	"unicode/utf8"

	petar "github.com/petar-dambovaliev/aho-corasick"

	"github.com/cloudflare/ahocorasick"

	"bendi/filter/find"
	"bendi/filter/match"
	table "bendi/internal/benchtable"
)

// A size is a number of words with what it must reach.
type size struct {
	words   int
	build   float64 // seconds at most
	heap    float64 // MB at most
	speed   float64 // MB/s at least
	others  []other
	strange bool // measured in the other profiles too
}

// An other is a library to compare with.
type other struct {
	name string
	must *table.Target
	make func(words []string) func(text string) int
}

var cloudflare = other{"cloudflare", table.AtLeast(8), func(words []string) func(string) int {
	m := ahocorasick.NewStringMatcher(words)
	return func(text string) int { return len(m.Match([]byte(text))) }
}}

var petarNFA = other{"petar", nil, func(words []string) func(string) int {
	b := petar.NewAhoCorasickBuilder(petar.Opts{MatchKind: petar.LeftMostLongestMatch})
	m := b.Build(words)
	return func(text string) (n int) {
		for it := m.Iter(text); it.Next() != nil; {
			n++
		}
		return n
	}
}}

// all makes the whole table.
func (b *bench) all(quick bool) error {
	sizes := []size{
		{10_000, 0.1, 4, 250, []other{cloudflare, petarNFA}, true},
		{100_000, 1, 20, 150, []other{petarNFA}, true},
		{1_000_000, 6, 120, 50, nil, false},
	}
	if quick {
		sizes = sizes[:2]
	}
	for _, s := range sizes {
		if quick {
			s.others = nil
		}
		b.say("%d words", s.words)
		if err := b.size(s); err != nil {
			return err
		}
	}
	return nil
}

const textSize = 1 << 20 // bytes

func (b *bench) size(s size) error {
	suite := fmt.Sprintf("%dk", s.words/1000)
	if s.words >= 1_000_000 {
		suite = fmt.Sprintf("%dM", s.words/1_000_000)
	}
	r := rand.New(rand.NewPCG(1, uint64(s.words)))
	words := randomWords(r, b.chars, s.words)
	text := prose(r, b.from, words, textSize)
	han := onlyHan(text)

	a, built, size, err := build(words, match.Default)
	if err != nil {
		return err
	}
	b.report.add(suite, "build", built.Seconds(), "s", table.AtMost(s.build), fmt.Sprintf("%d states, %d classes", a.Stats().States, a.Stats().Classes))
	b.report.add(suite, "heap", float64(size)/1e6, "MB", table.AtMost(s.heap), "")

	spans := make([]find.Span, 0, 1<<16)
	scanner := a.Scanner()
	ours := b.speed(text, func() {
		spans, _ = scanner.Scan(spans[:0], text, true)
		scanner.Reset()
	})
	b.report.add(suite, "text", ours, "MB/s", table.AtLeast(s.speed), fmt.Sprintf("%d hits", len(spans)))
	oursHan := b.speed(han, func() {
		spans, _ = scanner.Scan(spans[:0], han, true)
		scanner.Reset()
	})
	b.report.add(suite, "text, Han characters alone", oursHan, "MB/s", nil, "")
	for _, o := range s.others {
		b.say("%d words with %s", s.words, o.name)
		before, begin := heap(), processTime()
		search := o.make(words)
		took, size := processTime()-begin, heap()-before
		n := 0
		theirs := b.speed(text, func() { n = search(text) })
		b.report.compare(suite, "text", ours, "MB/s", o.name, theirs, o.must,
			fmt.Sprintf("%s: build %.2f s, heap %.1f MB, %d hits", o.name, took.Seconds(), float64(size)/1e6, n))
		b.report.compare(suite, "text, Han characters alone", oursHan, "MB/s", o.name, b.speed(han, func() { n = search(han) }), o.must, "")
		runtime.KeepAlive(search)
	}

	if s.words == 100_000 {
		b.streams(suite, a, text)
	}
	if s.strange {
		for _, p := range []match.Profile{match.Strict, match.Sound} {
			a, built, size, err := build(words, p)
			if err != nil {
				return err
			}
			scanner := a.Scanner()
			speed := b.speed(text, func() {
				spans, _ = scanner.Scan(spans[:0], text, true)
				scanner.Reset()
			})
			b.report.add(suite, "text, "+p.String(), speed, "MB/s", nil, fmt.Sprintf("build %.2f s, heap %.1f MB, %d hits", built.Seconds(), float64(size)/1e6, len(spans)))
		}
	}
	return nil
}

// build compiles the words and tells what that took, and what is left of it on
// the heap.
func build(words []string, p match.Profile) (*match.Automaton, time.Duration, int, error) {
	patterns := make([]match.Pattern, len(words))
	for i, w := range words {
		patterns[i] = match.Pattern{Text: w, Rule: i}
	}
	if _, err := match.Compile(patterns[:1], p); err != nil { // what all automata share
		return nil, 0, 0, err
	}
	before, begin := heap(), processTime()
	a, err := match.Compile(patterns, p)
	took, size := processTime()-begin, heap()-before
	runtime.KeepAlive(patterns)
	return a, took, size, err
}

// speed is how many MB of text f reads in a second.
func (b *bench) speed(text string, f func()) float64 {
	return float64(len(text)) / 1e6 / best(b.turns, f).Seconds()
}

// streams measures what a stream costs: what is held back of it, the state it
// needs, and the time of a long message.
func (b *bench) streams(suite string, a *match.Automaton, text string) {
	b.say("streams")
	var held []float64
	s, begun := a.Scanner(), 0
	var spans []find.Span
	for i, r := range text {
		end := i + utf8.RuneLen(r)
		var settled int
		spans, settled = s.Scan(spans[:0], text[i:end], false)
		held = append(held, float64(utf8.RuneCountInString(text[settled:end])))
		if begun = len(held); begun == 200_000 {
			break
		}
	}
	sum := 0.0
	for _, h := range held {
		sum += h
	}
	slices.Sort(held)
	b.report.add(suite, "held back, mean", sum/float64(len(held)), "runes", table.AtMost(1.5), fmt.Sprintf("one rune at a time; at most %.0f", held[len(held)-1]))
	b.report.add(suite, "held back, 99th percentile", held[len(held)*99/100], "runes", nil, "")

	const streams = 10_000
	scanners := make([]*match.Scanner, streams)
	before := heap()
	for i := range scanners {
		scanners[i] = a.Scanner()
		scanners[i].Scan(spans[:0], text[:3000], false) // may end within a rune
	}
	b.report.add(suite, "10,000 streams", float64(heap()-before)/1e6, "MB", table.AtMost(5), "of 3,000 bytes each so far")
	runtime.KeepAlive(scanners)

	message := string([]rune(text)[:100_000])
	took := best(b.turns, func() {
		spans, _ = s.Scan(spans[:0], message, true)
		s.Reset()
	})
	b.report.add(suite, "a message of 100,000 runes", float64(took)/1e6, "ms", table.AtMost(5), fmt.Sprintf("%d bytes", len(message)))

	piece := 0
	cut := func(n int) {
		for i := 0; i < len(message); i += n {
			spans, _ = s.Scan(spans[:0], message[i:min(i+n, len(message))], false)
			piece++
		}
		s.Reset()
	}
	took = best(b.turns, func() { piece = 0; cut(5) })
	b.report.add(suite, "a piece of 5 bytes", float64(took)/float64(piece), "ns", nil, "")
}
