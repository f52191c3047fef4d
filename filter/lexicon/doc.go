// Package lexicon reads, checks, compares and writes the word lists of the
// filter.
//
// A [Lexicon] is one versioned file: categories with a level each, the words of
// each category, and the allow words around which a word is harmless. [Load]
// reads our YAML, the same as JSON, CSV, one word per line, and lines with
// tags; [Write] writes our YAML, so that to import is to load and write.
//
// What is wrong with a file is a load error, told with line and column, all of
// it at once. What is only unwise (words that never match, that match everyday
// words, that another word makes superfluous) is for [Lint]. [Diff] tells what
// an update changes, for those who approve it, and [Cover] how many words there
// are for each risk that a standard lists.
//
// [Rules] and [Patterns] turn lexicons into what the automaton of package match
// is made from. What happens when a word is found is decided elsewhere: a
// lexicon has levels, a policy gives them actions.
//
// No fault quotes a word: faults end up in logs, and a list of words may be
// confidential. They say where the word stands.
package lexicon
