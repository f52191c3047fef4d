package lexicon

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"bendi/filter/find"
)

// A Lexicon is a list of words with what they are about.
type Lexicon struct {
	Name    string // how rules and findings refer to it
	Version string // as its keepers write it
	Updated string // the day it was last brought up to date, such as 2026-11-25; empty where the file does not say
	Note    string // for people
	Starter bool   // a beginning, not meant to be enough

	Categories map[string]Category
	Words      []Word
	Allow      []string // allow words and templates, for words of any category
}

// A Category is a kind of content. Its settings are those of its words, unless
// a word has its own.
type Category struct {
	Title  string      // for people
	Level  int         // 1 to 3; 0 where every word has its own
	Risk   string      // what a standard calls it, such as A.1.6; may be empty
	Strict bool        // only strict policies look for the words
	Forms  []find.Form // see Word
	Allow  []string    // allow words, and templates for the words of the category
}

// A Word is what a rule looks for: a text, or a combination of texts.
type Word struct {
	ID       string   // given in the file, or the lexicon's name and the line
	Text     string   // as written; empty for a combination
	All      []string // a combination: all of these, in any order, ...
	Within   int      // ... within so many runes
	Category string
	Level    int    // 1 note, 2 serious, 3 not to be let through; what is done about it is the policy's affair
	Risk     string // such as A.1.6; may be empty
	Strict   bool   // only strict policies look for it
	Whole    *bool  // not inside a longer word or identifier; nil for yes where the word begins and ends with ASCII letters or digits, and no elsewhere

	// Forms are the ways to disguise the word that are looked for as well:
	// split, reversed, alike and sound. Nil leaves it to the length of the
	// word, see Patterns; empty is for none.
	Forms []find.Form

	Line int // of the file it was read from, from 1
}

// IsTemplate reports whether an allow word is a template such as 反～, where ～
// stands for each word of the category.
func IsTemplate(allow string) bool { return strings.ContainsAny(allow, "～~") }

// Age is how long ago the lexicon was brought up to date; known is false where
// it does not say when that was.
func (l *Lexicon) Age(now time.Time) (age time.Duration, known bool) {
	day, err := time.ParseInLocation(time.DateOnly, l.Updated, now.Location())
	if err != nil {
		return 0, false
	}
	return max(0, now.Sub(day)), true
}

// Options say what a file does not. The zero value is enough for YAML and JSON
// in our own layout.
type Options struct {
	Format   Format // Auto to go by the file's name and content
	Name     string // of lists without one; the file's base name when empty
	Category string // of words that name none
	Level    int    // of words and categories that name none
	Risk     string
	Strict   bool
	Tags     map[string]string // category by tag, for lines with tags; a tag that stands for nothing maps to ""
}

// maxFile is the size of the largest file of words, in bytes.
const maxFile = 256 << 20

// Load reads the file at path. Its error is a [Faults] when the file is wrong,
// with everything that is wrong in it.
func Load(path string, opts Options) (*Lexicon, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("reading a lexicon: %w", err)
	}
	if info.Size() > maxFile {
		return nil, Faults{{Source: path, Message: fmt.Sprintf("the file has %d bytes, a lexicon has at most %d; split it", info.Size(), maxFile)}}
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading a lexicon: %w", err)
	}
	return Read(path, text, opts)
}

// Read is [Load] for a text that is at hand. Source names it in faults, and
// tells the format by its ending.
func Read(source string, text []byte, opts Options) (*Lexicon, error) {
	r := &reader{source: source, opts: opts}
	r.read(text)
	if len(r.faults) > 0 {
		r.faults.Sort()
		return nil, r.faults
	}
	return &r.lexicon, nil
}

// A reader makes a Lexicon of a text.
type reader struct {
	source  string
	opts    Options
	lexicon Lexicon
	places  []place // of each word, for faults
	open    bool    // words may name categories that are not declared
	faults  Faults
}

// A place is where something is written, from 1.
type place struct{ line, column int32 }

func (r *reader) fault(at place, key, format string, args ...any) {
	r.faults = append(r.faults, Fault{Source: r.source, Line: int(at.line), Column: int(at.column), Key: key, Message: fmt.Sprintf(format, args...)})
}

func (r *reader) read(raw []byte) {
	text, ok := r.decodeText(raw)
	if !ok {
		return
	}
	format := r.opts.Format.of(r.source, text)
	if format == Lines && r.opts.Format == Auto && r.opts.Tags != nil {
		format = Tagged
	}
	switch format {
	case YAML:
		if root, ok := r.yaml(text); ok {
			r.document(root)
		}
	case JSON:
		if root, ok := r.json(text); ok {
			r.document(root)
		}
	case CSV:
		r.csv(text)
	case Lines:
		r.lines(text)
	case Tagged:
		r.tagged(text)
	}
	r.check()
}

// expect makes room for so many words.
func (r *reader) expect(words int) {
	r.lexicon.Words = slices.Grow(r.lexicon.Words, words)
	r.places = slices.Grow(r.places, words)
}

// add puts a word into the lexicon.
func (r *reader) add(w Word, at place) {
	w.Line = int(at.line)
	r.lexicon.Words = append(r.lexicon.Words, w)
	r.places = append(r.places, at)
}

// baseName is the name of a list that has none: that of its file.
func (r *reader) baseName() string {
	if r.opts.Name != "" {
		return r.opts.Name
	}
	base := filepath.Base(r.source)
	return strings.TrimSuffix(base, filepath.Ext(base))
}
