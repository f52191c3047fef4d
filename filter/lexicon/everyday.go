package lexicon

import (
	_ "embed"
	"maps"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"
)

//go:embed common.txt
var commonText string

// Everyday words, by their keys and all that their keys contain.
type everydayWords struct {
	words map[string]bool
	parts map[string]string // of each part of a word, the shortest word that has it
}

// everyday holds the everyday words, read once.
var everyday = sync.OnceValue(func() *everydayWords {
	e := &everydayWords{words: map[string]bool{}, parts: map[string]string{}}
	for line := range strings.Lines(commonText) {
		if isComment(strings.TrimSpace(line)) {
			continue
		}
		for word := range strings.FieldsSeq(line) {
			e.add(Key(word))
		}
	}
	return e
})

func (e *everydayWords) add(word string) {
	if e.words[word] {
		return
	}
	e.words[word] = true
	for i := range word {
		for j := i; j < len(word); {
			_, size := utf8.DecodeRuneInString(word[j:])
			j += size
			part := word[i:j]
			if had, ok := e.parts[part]; !ok || len(word) < len(had) {
				e.parts[part] = word
			}
		}
	}
}

// sorted returns the words in order.
func (e *everydayWords) sorted() []string { return slices.Sorted(maps.Keys(e.words)) }

// within reports whether key is an everyday word or part of one.
func (e *everydayWords) within(key string) bool {
	_, ok := e.parts[key]
	return ok
}

// containing returns an everyday word that contains key.
func (e *everydayWords) containing(key string) (word string, ok bool) {
	word, ok = e.parts[key]
	return word, ok
}
