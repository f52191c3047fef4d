// Package find says what a finder is: something that reads a stream of text
// piece by piece and tells where in it the spans lie that it looks for.
//
// The lexicon automaton is a finder, so is a detector of telephone numbers, and
// so is the search for the tokens that masking has issued. Whoever changes a
// stream asks all its finders how far they have made up their minds, and lets
// everything before that go.
package find

// A Finder looks for spans in one stream of text. Its state is that of the
// stream; what it looks for is shared between streams.
type Finder interface {
	// Scan reads the next piece of the stream, of any length and cut at any
	// byte, and appends to found the spans that it has now decided on. Last
	// says that no piece follows; everything is decided then.
	//
	// Every span is told once, those that overlap too, in no particular order.
	// Settled is the offset before which nothing can begin any more: all spans
	// that start before it have been told. It never goes back, is never beyond
	// the text read, lies between runes of valid UTF-8, and is as large as the
	// finder's patterns allow.
	//
	// Scan keeps no reference to piece.
	Scan(found []Span, piece string, last bool) (spans []Span, settled int)

	// Reset makes the finder ready for another stream.
	Reset()
}

// A Span is where a rule was found in a stream.
type Span struct {
	Start, End int  // bytes of the stream, from its beginning
	Rule       int  // which of the finder's rules
	Form       Form // how the text had to be read to find it
}

// A Form is a way to read a text that its writer may or may not have meant.
type Form uint8

const (
	Plain    Form = iota // as it stands, after folding
	Loose                // with repeated runes, leet, or markup taken out
	Split                // a character written as its parts
	Reversed             // from right to left
	Alike                // characters that look like those of the word
	Sound                // characters or letters that sound like the word
)

var formNames = [...]string{"plain", "loose", "split", "reversed", "alike", "sound"}

func (f Form) String() string { return formNames[f] }
