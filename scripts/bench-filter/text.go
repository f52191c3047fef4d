package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/encoding/simplifiedchinese"
)

// common tells the 3,755 characters of GB 2312 that are in common use: its
// first level.
func common() ([]rune, error) {
	var gb []byte
	for row := 0xB0; row <= 0xD7; row++ {
		for cell := 0xA1; cell <= 0xFE; cell++ {
			if row < 0xD7 || cell <= 0xF9 {
				gb = append(gb, byte(row), byte(cell))
			}
		}
	}
	text, err := simplifiedchinese.GBK.NewDecoder().Bytes(gb)
	return []rune(string(text)), err
}

// randomWords makes n different words of two to eight common characters.
func randomWords(r *rand.Rand, from []rune, n int) []string {
	seen := make(map[string]bool, n)
	words := make([]string, 0, n)
	for len(words) < n {
		word := make([]rune, 2+r.IntN(7))
		for i := range word {
			word[i] = from[r.IntN(len(from))]
		}
		if w := string(word); !seen[w] {
			seen[w] = true
			words = append(words, w)
		}
	}
	return words
}

// sentences reads the Chinese part of the demo model's corpus, without its markup.
func sentences(dir string) ([]string, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.zh.txt"))
	if err != nil || len(files) == 0 {
		return nil, fmt.Errorf("no texts *.zh.txt in %s; run this in the root of the repository", dir)
	}
	plain := strings.NewReplacer("{", "", "}", "", " | ", "。")
	var all []string
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		for line := range strings.Lines(string(data)) {
			if kind, rest, ok := strings.Cut(strings.TrimSpace(line), ": "); ok && (kind == "q" || kind == "h" || kind == "a") {
				all = append(all, plain.Replace(rest))
			}
		}
	}
	return all, nil
}

// prose makes a text of size bytes of sentences in any order, with one of the
// words in every 2,000 runes.
func prose(r *rand.Rand, from, words []string, size int) string {
	var b strings.Builder
	runes := 0
	for b.Len() < size {
		s := from[r.IntN(len(from))]
		b.WriteString(s)
		b.WriteString("\n")
		if runes += utf8.RuneCountInString(s); runes >= 2000 {
			runes -= 2000
			b.WriteString(words[r.IntN(len(words))])
		}
	}
	return b.String()
}

// onlyHan leaves the Han characters of a text.
func onlyHan(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Han, r) {
			return r
		}
		return -1
	}, text)
}
