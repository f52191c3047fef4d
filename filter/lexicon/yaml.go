package lexicon

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	"bendi/internal/faults"
)

// yaml reads a YAML document.
//
// A lexicon is mostly runs of plain list items, a million of them perhaps, for
// which a YAML parser takes a kilobyte and microseconds each. Those runs are
// read here; the parser gets the document with one item in the place of each.
func (r *reader) yaml(text string) (node, bool) {
	y := &yamlReader{reader: r}
	if !strings.Contains(text, runMark) {
		y.condense(text)
	} else {
		y.text = text
	}
	faults := len(r.faults)
	root, ok := y.parse()
	if y.misplaced { // what looked like a run was part of some text: no short cuts
		r.faults = r.faults[:faults]
		y = &yamlReader{reader: r, text: text}
		root, ok = y.parse()
	}
	return root, ok
}

// runMark begins the text of an item that stands for a run.
const runMark = "bendi-run-"

// leastRun is how many items make a run.
const leastRun = 16

type yamlReader struct {
	*reader
	text      string
	lines     []int32 // number in the file of each line of text; nil where they are the same
	runs      [][]node
	misplaced bool // a run's item is not an item of a list
}

// condense sets y.text to text with one item in the place of each run.
func (y *yamlReader) condense(text string) {
	var (
		out    strings.Builder
		held   []string // lines of what may become a run
		run    []node   // its items
		at     []int    // which of held each item is
		indent int
		line   int32
	)
	put := func(s string, number int32) {
		out.WriteString(s)
		y.lines = append(y.lines, number)
	}
	// flush ends a run. Its last item stays, as the lines after it may belong
	// to it, and so does the first, which may belong to the line before it.
	flush := func() {
		first := line - int32(len(held)) + 1
		if len(run) < leastRun {
			for i, l := range held {
				put(l, first+int32(i))
			}
		} else {
			for i := range at[1] {
				put(held[i], first+int32(i))
			}
			put(strings.Repeat(" ", indent)+"- "+runMark+strconv.Itoa(len(y.runs))+"\n", first+int32(at[1]))
			for i := at[len(at)-1]; i < len(held); i++ {
				put(held[i], first+int32(i))
			}
			y.runs = append(y.runs, run[1:len(run)-1])
			run = nil // it is y's now
		}
		held, run, at = held[:0], run[:0], at[:0]
	}
	for l := range strings.Lines(text) {
		body := strings.TrimRight(l, " \n")
		inner := strings.TrimLeft(body, " ")
		if blockScalar(inner) {
			y.text, y.lines, y.runs = text, nil, nil
			return
		}
		in := len(body) - len(inner)
		item, ok := simpleItem(inner, place{line + 1, int32(in + 3)})
		switch {
		case ok && (len(run) == 0 || in == indent):
			if len(run) == 0 {
				flush()
			}
			indent = in
			run = append(run, item)
			at = append(at, len(held))
			held = append(held, l)
		case len(run) > 0 && (inner == "" || inner[0] == '#'):
			held = append(held, l)
		default:
			flush()
			if ok {
				indent = in
				run, at, held = append(run, item), append(at, 0), append(held, l)
			} else {
				put(l, line+1)
			}
		}
		line++
	}
	flush()
	y.text = out.String()
}

// blockScalar reports whether a line may begin a text that goes on over lines.
func blockScalar(line string) bool {
	line = strings.TrimRight(line, "+-0123456789")
	return strings.HasSuffix(line, "|") || strings.HasSuffix(line, ">")
}

// simpleItem reads "- word" and "- {text: word, level: 2}" where nothing in them
// means anything else to YAML.
func simpleItem(line string, at place) (node, bool) {
	line, ok := strings.CutPrefix(line, "- ")
	if !ok {
		return node{}, false
	}
	if s, ok := simpleText(line); ok {
		return node{kind: aText, place: at, text: s}, true
	}
	if !strings.HasPrefix(line, "{") || !strings.HasSuffix(line, "}") {
		return node{}, false
	}
	kids := &children{keys: make([]node, 0, 3), items: make([]node, 0, 3)}
	column := at.column + 1
	for part := range strings.SplitSeq(line[1:len(line)-1], ", ") {
		name, value, ok := strings.Cut(part, ": ")
		if !ok || !isName(name) || reserved(name) {
			return node{}, false
		}
		item := node{kind: aText, place: place{at.line, column + int32(len(name)) + 2}}
		if item.text, ok = simpleText(value); !ok {
			switch {
			case value == "true" || value == "false":
				item.kind = aTruth
			case value != "" && len(value) < 10 && strings.Trim(value, "0123456789") == "" && value[0] != '0':
				item.kind = aNumber
			default:
				return node{}, false
			}
			item.text = value
		}
		kids.keys = append(kids.keys, node{kind: aText, place: place{at.line, column}, text: name})
		kids.items = append(kids.items, item)
		column += int32(utf8.RuneCountInString(part)) + 2
	}
	return node{kind: aMapping, place: at, children: kids}, true
}

// simpleText returns the text that a scalar certainly is.
func simpleText(s string) (string, bool) {
	if len(s) >= 2 && (s[0] == '"' || s[0] == '\'') {
		inner := s[1 : len(s)-1]
		return inner, s[len(s)-1] == s[0] && !strings.ContainsAny(inner, "\"'\\\t") && utf8.ValidString(inner)
	}
	for i, c := range s {
		switch {
		case 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z':
		case c >= 0x80 && (unicode.IsLetter(c) || c == '～'):
		case i > 0 && ('0' <= c && c <= '9' || c == '_' || c == '.' || c == '-'):
		case i > 0 && c == ' ' && s[i-1] != ' ':
		default:
			return "", false
		}
	}
	return s, s != "" && s[len(s)-1] != ' ' && !reserved(s)
}

// reserved reports whether YAML takes s for something else than a text.
func reserved(s string) bool {
	if len(s) > 5 {
		return false
	}
	switch strings.ToLower(s) {
	case "null", "true", "false", "yes", "no", "on", "off", "y", "n", "nan", "inf":
		return true
	}
	return false
}

// parse reads y.text with the YAML parser.
func (y *yamlReader) parse() (root node, ok bool) {
	defer func() {
		if recover() != nil { // the parser has its own faults; a file must not stop the program
			y.fault(place{1, 1}, "", "this is no YAML that can be read")
			root, ok = node{}, false
		}
	}()
	tokens := lexer.Tokenize(y.text)
	if at := faults.TooDeep(tokens); at != nil {
		y.fault(y.at(at), "", "lists and mappings are nested too deep")
		return node{}, false
	}
	file, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		at, message := place{1, 1}, "this is no YAML"
		if e, ok := err.(yaml.Error); ok {
			if tk := e.GetToken(); tk != nil && tk.Position != nil {
				at = y.at(tk.Position)
			}
			message += ": " + syntax(e.GetMessage())
		}
		y.fault(at, "", "%s", message)
		return node{}, false
	}
	first := true
	for _, doc := range file.Docs {
		switch {
		case doc.Body == nil:
		case !first:
			y.fault(y.at(start(doc.Body)), "", "the file has more than one document; keep one")
			return node{}, false
		default:
			first = false
			root = y.node(doc.Body)
		}
	}
	if first {
		y.fault(place{1, 1}, "", "the file is empty")
		return node{}, false
	}
	return root, true
}

// syntax is the parser's message without anything that it quotes.
func syntax(message string) string {
	if strings.Contains(message, "'\t'") {
		return "a tab cannot stand here; indent with spaces"
	}
	for _, quote := range []string{"\"", "'", "`", "[", "{"} {
		message, _, _ = strings.Cut(message, quote)
	}
	message, _, _ = strings.Cut(message, "\n")
	return strings.TrimRight(message, " :,")
}

// at is where a position of y.text is in the file.
func (y *yamlReader) at(p *token.Position) place {
	if p == nil {
		return place{1, 1}
	}
	line := int32(p.Line)
	if i := p.Line - 1; i >= 0 && i < len(y.lines) {
		line = y.lines[i]
	}
	return place{line, int32(p.Column)}
}

// node turns what the parser made into nodes.
func (y *yamlReader) node(n ast.Node) node {
	at := y.at(start(n))
	switch n := n.(type) {
	case *ast.NullNode:
		return node{kind: noValue, place: at}
	case *ast.StringNode:
		return y.string(n.Value, at)
	case *ast.LiteralNode:
		return y.string(n.Value.Value, at)
	case *ast.IntegerNode:
		return node{kind: aNumber, place: at, text: fmt.Sprint(n.Value)}
	case *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		return node{kind: aNumber, place: at, text: n.GetToken().Value}
	case *ast.BoolNode:
		return node{kind: aTruth, place: at, text: strconv.FormatBool(n.Value)}
	case *ast.MappingValueNode: // a mapping of one entry
		return y.mapping(ast.Mapping(n.Start, false, n), at)
	case *ast.MappingNode:
		return y.mapping(n, at)
	case *ast.SequenceNode:
		kids := &children{}
		for _, v := range n.Values {
			if s, ok := v.(*ast.StringNode); ok {
				if id, ok := strings.CutPrefix(s.Value, runMark); ok {
					if i, err := strconv.Atoi(id); err == nil && i < len(y.runs) {
						kids.items = append(kids.items, y.runs[i]...)
						continue
					}
				}
			}
			kids.items = append(kids.items, y.node(v))
		}
		return node{kind: aList, place: at, children: kids}
	}
	return node{kind: aThing, place: at}
}

func (y *yamlReader) string(s string, at place) node {
	if y.runs != nil && strings.Contains(s, runMark) {
		y.misplaced = true
	}
	return node{kind: aText, place: at, text: s}
}

func (y *yamlReader) mapping(m *ast.MappingNode, at place) node {
	kids := &children{}
	for _, e := range m.Values {
		key := node{kind: aText, place: y.at(e.Key.GetToken().Position), text: e.Key.GetToken().Value}
		if e.Key.IsMergeKey() {
			key.kind = aThing
		}
		if strings.Contains(key.text, runMark) {
			y.misplaced = true
		}
		kids.keys = append(kids.keys, key)
		kids.items = append(kids.items, y.node(e.Value))
	}
	return node{kind: aMapping, place: at, children: kids}
}

// start returns where n begins. Tokens of collections mark other places.
func start(n ast.Node) *token.Position {
	switch n := n.(type) {
	case *ast.MappingNode:
		if !n.IsFlowStyle && len(n.Values) > 0 {
			return start(n.Values[0])
		}
	case *ast.MappingValueNode:
		return n.Key.GetToken().Position
	}
	if tk := n.GetToken(); tk != nil {
		return tk.Position
	}
	return nil
}
