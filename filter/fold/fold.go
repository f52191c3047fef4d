package fold

// A Kind says what part a rune plays in a word that somebody may have disguised.
type Kind uint8

const (
	Other     Kind = iota // nothing that is named below, such as a fraction or a private character
	Han                   // a Chinese character or radical, in any form
	Letter                // a letter of another script, in any form
	Digit                 // a decimal digit in any form, such as ② or ٣; a number word is Han
	Invisible             // shows nothing: controls, zero-width, bidi, variation selectors, tags
	Mark                  // a combining mark, or a skin tone of the emoji before it
	Noise                 // a symbol or emoji that people put between characters, such as * _ - . | ~ ·
	Space                 // a space within a line
	Newline               // the end of a line
	Sentence              // punctuation that ends or separates: stops, commas, dashes, quotes, brackets
)

var kindNames = [...]string{"Other", "Han", "Letter", "Digit", "Invisible", "Mark", "Noise", "Space", "Newline", "Sentence"}

func (k Kind) String() string { return kindNames[k] }

// KindOf tells the kind of r, which is that of Rune(r) too. Only the letters
// that flags are made of, U+1F1E6 to U+1F1FF, are Noise though Rune makes them
// Latin: next to Chinese a pair of them is a picture, among letters it may
// spell a word.
//
// The full stop '.' is Noise, since it is put between characters; between
// Latin words it ends a sentence, which is for the caller to see.
func KindOf(r rune) Kind {
	t := runeTables()
	if uint32(r) < planeSize {
		return Kind(t.kind[r] &^ foreignBit)
	}
	return t.farKind(r)
}

// Rune folds r to the rune that stands for all its forms: of upper and lower
// case the lower, of wide, circled, bracketed (⒝), squared, raised and
// mathematical forms the plain one, of a letter with accents the letter, of
// traditional and variant characters the simplified one, of a radical the
// character it is, of digits, dashes and quotes the ASCII ones, and of a letter
// that looks Latin the Latin one. What has no other form is r itself.
//
// Folding twice is folding once. ü folds to u as any letter does; who reads
// pinyin asks for it before.
func Rune(r rune) rune {
	t := runeTables()
	if uint32(r) < planeSize {
		if to := t.fold[r]; to != 0 {
			return rune(to)
		}
		return r
	}
	if to, ok := t.far[r]; ok {
		return to
	}
	return r
}

// Foreign reports whether Rune makes r Latin only by its looks: a letter of
// the Cyrillic, Greek or another script. A word of such letters alone is most
// likely meant as it stands; among Latin ones they are a disguise.
func Foreign(r rune) bool {
	t := runeTables()
	if uint32(r) < planeSize {
		return t.kind[r]&foreignBit != 0
	}
	return t.farForeign[r]
}

// Expand tells the folded runes that are in one, two to six: kg in ㎏, fi in
// ﬁ, ae in æ; "" for a rune that holds no others. What holds one in brackets or
// before a stop, such as ⒝, ㈠ and ⒈, is a form of that, which Rune tells.
func Expand(r rune) string { return runeTables().expand[r] }

// Leet tells the letter that the folded rune r stands for where digits and
// signs stand for letters, such as a for 4 and @; r itself if it stands for none.
func Leet(r rune) rune {
	switch r {
	case '0':
		return 'o'
	case '1', '!', '¡':
		return 'i'
	case '2':
		return 'z'
	case '3', '€':
		return 'e'
	case '4', '@':
		return 'a'
	case '5', '$', '§':
		return 's'
	case '6', '8', 'ß':
		return 'b'
	case '7', '+', '†':
		return 't'
	case '9':
		return 'g'
	case '|', '£':
		return 'l'
	case '(', '¢', '©':
		return 'c'
	case '®':
		return 'r'
	case '¥':
		return 'y'
	case '×':
		return 'x'
	}
	return r
}

// Syllable tells the main reading of the character r in pinyin without tones,
// with v for ü; "" if it has none.
func Syllable(r rune) string {
	if all := Syllables(r); len(all) > 0 {
		return all[0]
	}
	return ""
}

// Syllables tells the readings in use of the character r, the main one first,
// as Syllable does. Those of what folds to r are among them. The caller does
// not change the slice.
func Syllables(r rune) []string { return readingTable().of(Rune(r)) }

// Parts tells up to four ways to write the character r as its parts, the most
// likely first, folded: 诈 is 言乍, which 讠乍 folds to as well. A way that is
// an ordinary word is left out, so 好 is not 女子.
func Parts(r rune) []string { return partTable()[Rune(r)] }

// Alikes tells up to twelve folded characters that look like the character r
// and do not fold to it, the most likely first: those with the same sounding
// part in the same place (赌 睹 堵), and those a stroke apart (己 已 巳).
func Alikes(r rune) []rune { return alikeTable()[Rune(r)] }
