// Package match finds many words in a stream of text at once, disguised or not.
//
// [Compile] makes an [Automaton] of a list of patterns: an Aho-Corasick machine
// over classes of runes, so that upper and lower case, widths, traditional
// characters and the other disguises that replace one rune by another cost
// nothing, and places in the text need no table to find them again. An
// Automaton never changes and is shared; each stream has a [Scanner], which is
// a [find.Finder] and holds a few hundred bytes.
//
// Patterns are read by the same code as the text, so whatever is done to the
// one is done to the other.
//
// # How a text is read
//
// A text is read as a sequence of symbols, each with the bytes it came from.
//
//   - A Han character, a letter, a digit, punctuation that separates and
//     whatever has no other kind is a symbol, after [fold.Rune].
//   - Invisible runes and combining marks are passed over, up to 64 in a row.
//   - Noise, spaces and line ends between two symbols are a gap. A gap of one or
//     two runes is passed over where a Han character is on either side and a
//     Han character, a letter or a digit on the other. (A full stop, being
//     punctuation elsewhere, is passed over between two Han characters only.
//     Emoji that U+200D joins to one, up to eight, count as one rune.)
//   - Any other gap is text: its noise is symbols, and each run of up to 64
//     spaces and line ends is one symbol, the space.
//
// So 赌*博 is read as 赌博, "bad  word" as "bad word", "sex.com" as it stands,
// and 不赌。博士 has a symbol between 赌 and 博.
//
// [Strict] and [Sound] read more than that out of a text; see there.
//
// The Scanner tells all occurrences, those that overlap too, but for those that
// lie within an occurrence of a pattern with Allow. It decides as early as
// possible: what it holds back is the longest end of the text that may be the
// beginning of an occurrence. Nothing depends on how the text was cut up, nor
// on time.
//
// # Rough edges
//
// A pattern with noise between a letter and a Han character is read without the
// noise, as a text is: c++语言 is c语言. Noise at its ends counts only next to
// letters, and is not found where a Han character follows. A hyphen or colon
// beside a word goes on with it only if the word is hexadecimal, and words in
// base64 between + and / are words. A keycap is a digit. A little more than
// necessary is held back where a pattern begins with noise, within a gap under
// an allowed pattern, and in Strict and Sound.
package match
