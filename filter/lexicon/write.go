package lexicon

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"bendi/filter/find"
)

// Write writes l as a YAML file of our own. What [Load] reads from it is equal
// to l but for the lines, and for IDs that were made of lines.
//
// A lexicon without a version or a day gets what it was given in l, which may
// be an empty text that Load does not take: set both before.
func Write(to io.Writer, l *Lexicon) error {
	w := &writer{Writer: bufio.NewWriter(to), l: l}
	switch {
	case !isName(l.Name):
		return fmt.Errorf("writing a lexicon: its name is not of 1 to 64 letters, digits and - _ . of ASCII; set another")
	case l.Version == "":
		return fmt.Errorf("writing the lexicon %s: it has no version; set one", l.Name)
	case l.Updated == "":
		return fmt.Errorf("writing the lexicon %s: it does not say when it was updated; set the day, such as 2026-11-25", l.Name)
	}
	words := map[string][]*Word{}
	for i := range l.Words {
		word := &l.Words[i]
		if _, ok := l.Categories[word.Category]; !ok {
			return fmt.Errorf("writing the lexicon %s: the category of the word %s is not among its categories", l.Name, word.ID)
		}
		words[word.Category] = append(words[word.Category], word)
	}

	w.line(0, "name", l.Name)
	w.line(0, "version", l.Version)
	w.line(0, "updated", l.Updated)
	if l.Note != "" {
		w.line(0, "note", l.Note)
	}
	if l.Starter {
		w.raw("starter: true\n")
	}
	if len(l.Categories) > 0 {
		w.raw("categories:\n")
	}
	for _, name := range l.categoryNames() {
		w.category(name, l.Categories[name], words[name])
	}
	w.allow("", l.Allow)
	return w.Flush()
}

type writer struct {
	*bufio.Writer
	l *Lexicon
}

func (w *writer) raw(s string) { w.WriteString(s) } // a bufio.Writer keeps its first error for Flush

func (w *writer) line(indent int, key, value string) {
	w.raw(strings.Repeat(" ", indent) + key + ": " + quote(value) + "\n")
}

func (w *writer) category(name string, c Category, words []*Word) {
	w.raw("  " + quote(name) + ":\n")
	if c.Title != "" {
		w.line(4, "title", c.Title)
	}
	if c.Level != 0 {
		w.raw("    level: " + strconv.Itoa(c.Level) + "\n")
	}
	if c.Risk != "" {
		w.line(4, "risk", c.Risk)
	}
	if c.Strict {
		w.raw("    strict: true\n")
	}
	if c.Forms != nil {
		w.raw("    forms: [" + formNames(c.Forms) + "]\n")
	}
	w.allow("    ", c.Allow)
	if len(words) == 0 {
		if c.Title == "" && c.Level == 0 && c.Risk == "" && !c.Strict && c.Forms == nil && len(c.Allow) == 0 {
			w.raw("    words: []\n") // the category must have something in it to be one
		}
		return
	}
	w.raw("    words:\n")
	for _, word := range words {
		w.raw("      - " + w.word(word, c) + "\n")
	}
}

func (w *writer) allow(indent string, allow []string) {
	if len(allow) == 0 {
		return
	}
	w.raw(indent + "allow:\n")
	for _, a := range allow {
		w.raw(indent + "  - " + quote(a) + "\n")
	}
}

// word is a text alone where the category says all the rest.
func (w *writer) word(word *Word, c Category) string {
	var parts []string
	put := func(key, value string) { parts = append(parts, key+": "+value) }
	if word.All == nil {
		put("text", quote(word.Text))
	} else {
		quoted := make([]string, len(word.All))
		for i, text := range word.All {
			quoted[i] = quote(text)
		}
		put("all", "["+strings.Join(quoted, ", ")+"]")
		put("within", strconv.Itoa(word.Within))
	}
	if !w.l.generated(word) {
		put("id", quote(word.ID))
	}
	if word.Level != c.Level {
		put("level", strconv.Itoa(word.Level))
	}
	if word.Risk != c.Risk && word.Risk != "" {
		put("risk", quote(word.Risk))
	}
	if word.Strict != c.Strict {
		put("strict", strconv.FormatBool(word.Strict))
	}
	if word.Whole != nil {
		put("whole", strconv.FormatBool(*word.Whole))
	}
	if word.Forms != nil && (c.Forms == nil || !slices.Equal(word.Forms, c.Forms)) {
		put("forms", "["+formNames(word.Forms)+"]")
	}
	if len(parts) == 1 && word.All == nil {
		return quote(word.Text)
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

func formNames(forms []find.Form) string {
	names := make([]string, len(forms))
	for i, f := range forms {
		names[i] = f.String()
	}
	return strings.Join(names, ", ")
}

// quote writes s as a YAML text.
func quote(s string) string {
	if _, ok := simpleText(s); ok && s[0] != '"' && s[0] != '\'' {
		return s
	}
	var b strings.Builder
	b.WriteByte('"')
	for _, c := range s {
		switch {
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteRune(c)
		case c == ' ' || unicode.IsPrint(c) && c != '\uFEFF':
			b.WriteRune(c)
		case c == '\n':
			b.WriteString(`\n`)
		case c == '\t':
			b.WriteString(`\t`)
		case c < 0x100:
			fmt.Fprintf(&b, `\x%02X`, c)
		case c < 0x10000:
			fmt.Fprintf(&b, `\u%04X`, c)
		default:
			fmt.Fprintf(&b, `\U%08X`, c)
		}
	}
	b.WriteByte('"')
	return b.String()
}
