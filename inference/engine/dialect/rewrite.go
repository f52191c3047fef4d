package dialect

import (
	"regexp"
	"strconv"
	"strings"
)

// filterPrefix begins the names of the filters that stand in for those of the
// template engine.
const filterPrefix = "bendi_"

// rewrite changes the source of a template where github.com/ardanlabs/jinja
// v1.8.0 would not render what Python does:
//
//   - White space control reaches past a neighbouring tag: in "a {{ b }}{%- if"
//     the space goes. So we do it ourselves, by the rules of jinja2 with
//     trim_blocks and lstrip_blocks, and make text an expression of its own,
//     which leaves the engine nothing to trim.
//   - tojson(indent=…) sorts keys and writes <, > and & as \u003c, \u003e and
//     \u0026, and floats lose their point. The engine looks for a filter among
//     its own and then among the variables, so tojson becomes bendi_tojson,
//     which [Template.Render] provides.
//   - string, and the output of {{ }}, write 1e+06 for 1000000.0 and nothing
//     for none. Both go through bendi_string.
//   - {% generation %}, which marks text for training, is unknown to it, and
//     goes.
//   - }} ends an expression even inside a dict literal. A space goes between.
//   - String literals know few escapes. They are written out.
//
// What is not well formed is left for the compiler to complain about.
func rewrite(source string) string {
	var out strings.Builder
	out.Grow(len(source) + len(source)/4)
	source = strings.ReplaceAll(source, "\r\n", "\n")
	source = strings.TrimSuffix(source, "\n") // as jinja2 does
	l := lexer{rest: source, lineStart: true}
	for {
		text, tag, ok := l.next()
		if text != "" {
			out.WriteString("{{ " + quotePython(text) + " }}")
		}
		if !ok {
			out.WriteString(l.rest) // nothing, or a tag without an end
			return out.String()
		}
		body := strings.TrimSpace(tag.body)
		word := body
		if i := strings.IndexFunc(body, func(r rune) bool { return r > 0x7f || !wordByte(byte(r)) }); i >= 0 {
			word = body[:i]
		}
		switch {
		case tag.kind == '#', tag.kind == '%' && (word == "generation" || word == "endgeneration"):
		case tag.kind == '%' && word == "raw":
			if raw, ok := l.raw(); ok {
				out.WriteString("{{ " + quotePython(raw) + " }}")
			} else {
				out.WriteString("{% raw %}")
			}
		case tag.kind == '%':
			out.WriteString("{% " + code(body) + " %}")
		case body == "":
			out.WriteString("{{ }}")
		default:
			out.WriteString("{{ (" + code(body) + ")|" + filterPrefix + "string }}")
		}
	}
}

// A lexer cuts the source of a template into text and tags, and trims the text
// as the tags around it say.
type lexer struct {
	rest      string
	lineStart bool // the last tag took the end of its line with it
	strip     bool // and white space after it goes
}

// A tag is {{ }}, {% %} or {# #}.
type tag struct {
	kind  byte   // {, % or #
	body  string // without the delimiters and their marks
	left  byte   // the mark after the opening delimiter: -, + or 0
	right byte   // the mark before the closing one
}

// next returns the text before the next tag and that tag. There is none at the
// end, and when it does not end.
func (l *lexer) next() (text string, t tag, ok bool) {
	start := tagStart(l.rest)
	if start < 0 {
		text = l.trimmed(l.rest)
		l.rest = ""
		return text, tag{}, false
	}
	text = l.trimmed(l.rest[:start])
	l.rest = l.rest[start:]
	n := 0
	if t, n = readTag(l.rest); n == 0 {
		return text, t, false
	}
	text = l.before(text, t)
	l.rest = l.rest[n:]
	l.after(t)
	return text, t, true
}

// trimmed returns text without what the tag before it takes.
func (l *lexer) trimmed(text string) string {
	if l.strip {
		l.strip = false
		return strings.TrimLeft(text, pythonSpace)
	}
	return text
}

// before returns the text before t without what t takes.
func (l *lexer) before(text string, t tag) string {
	switch {
	case t.left == '-':
		return strings.TrimRight(text, pythonSpace)
	case t.left == '+' || t.kind == '{':
		return text
	}
	line := strings.LastIndexByte(text, '\n') + 1
	if (line > 0 || l.lineStart) && strings.Trim(text[line:], pythonSpace) == "" {
		return text[:line]
	}
	return text
}

// after notes what t takes of the text after it.
func (l *lexer) after(t tag) {
	l.lineStart, l.strip = false, t.right == '-'
	if t.right == 0 && t.kind != '{' && strings.TrimSpace(t.body) != "raw" {
		l.rest, l.lineStart = strings.CutPrefix(l.rest, "\n")
	}
}

var endRaw = regexp.MustCompile(`\{%[-+]?\s*endraw\s*[-+]?%\}`)

// raw takes the text up to the end of a raw block.
func (l *lexer) raw() (string, bool) {
	at := endRaw.FindStringIndex(l.rest)
	if at == nil {
		return "", false
	}
	text := l.trimmed(l.rest[:at[0]])
	end, n := readTag(l.rest[at[0]:])
	text = l.before(text, end)
	l.rest = l.rest[at[0]+n:]
	l.after(end)
	return text, true
}

// pythonSpace is the ASCII white space that Python strips.
const pythonSpace = " \t\n\r\f\v"

// tagStart returns where the next tag begins, or -1.
func tagStart(s string) int {
	for i := 0; i+1 < len(s); i++ {
		if s[i] == '{' && (s[i+1] == '{' || s[i+1] == '%' || s[i+1] == '#') {
			return i
		}
	}
	return -1
}

// readTag reads the tag that s begins with, and returns its length, which is 0
// when it does not end.
func readTag(s string) (t tag, n int) {
	t.kind = s[1]
	body := 2
	if body < len(s) && (s[body] == '-' || s[body] == '+' && t.kind != '{') {
		t.left = s[body]
		body++
	}
	end := tagEnd(s, body, t.kind)
	if end < 0 {
		return t, 0
	}
	t.body, n = s[body:end], end+2
	if last := len(t.body) - 1; last >= 0 && (t.body[last] == '-' || t.body[last] == '+' && t.kind != '{') {
		t.right, t.body = t.body[last], t.body[:last]
	}
	return t, n
}

// tagEnd returns where the closing delimiter of a tag is whose body begins at
// i, or -1.
func tagEnd(s string, i int, kind byte) int {
	if kind == '#' {
		if n := strings.Index(s[i:], "#}"); n >= 0 {
			return i + n
		}
		return -1
	}
	for depth := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\'' || c == '"':
			i += literal(s[i:]) - 1
		case kind == '%' && strings.HasPrefix(s[i:], "%}"),
			kind == '{' && depth == 0 && strings.HasPrefix(s[i:], "}}"):
			return i
		case c == '{':
			depth++
		case c == '}':
			depth--
		}
	}
	return -1
}

// literal returns the length of the string literal that s begins with.
func literal(s string) int {
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case s[0]:
			return i + 1
		}
	}
	return len(s)
}

// code rewrites what is inside a tag.
func code(s string) string {
	var out strings.Builder
	for i := 0; i < len(s); {
		switch s[i] {
		case '\'', '"':
			n := literal(s[i:])
			out.WriteString(quotePython(unescape(s[i+1 : max(i+1, i+n-1)])))
			i += n
			continue
		case '}':
			if strings.HasPrefix(s[i:], "}}") {
				out.WriteString("} ")
				i++
				continue
			}
		case '|':
			out.WriteByte('|')
			i++
			for i < len(s) && strings.IndexByte(pythonSpace, s[i]) >= 0 {
				i++
			}
			n := 0
			for i+n < len(s) && wordByte(s[i+n]) {
				n++
			}
			if name := s[i : i+n]; name == "tojson" || name == "string" {
				out.WriteString(filterPrefix)
			}
			continue
		}
		out.WriteByte(s[i])
		i++
	}
	return out.String()
}

// unescape returns what a string literal stands for, by Python's rules.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var out strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			out.WriteByte(s[i])
			continue
		}
		i++
		if at := strings.IndexByte(`\'"ntrbfav`, s[i]); at >= 0 {
			out.WriteByte("\\'\"\n\t\r\b\f\a\v"[at])
			continue
		}
		if digits := map[byte]int{'x': 2, 'u': 4, 'U': 8}[s[i]]; digits > 0 && i+digits < len(s) {
			if r, err := strconv.ParseUint(s[i+1:i+1+digits], 16, 32); err == nil {
				out.WriteRune(rune(r))
				i += digits
				continue
			}
		}
		out.WriteByte('\\')
		out.WriteByte(s[i])
	}
	return out.String()
}

// quotePython returns s as a string literal that the template engine reads.
func quotePython(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'"
}

func wordByte(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}
