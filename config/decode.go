package config

import (
	"encoding"
	"encoding/json"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	"bendi/internal/faults"
	"bendi/internal/spelling"
	"bendi/models/load"
)

// A decoder puts a YAML document into a Config. The library's own decoder
// stops at the first fault of most kinds; this one walks the document itself
// and goes on, so that one run shows everything. Where a value is at fault, the
// Config keeps what it had.
type decoder struct {
	source  string // the name of the file, for faults
	dir     string // what its relative paths start from
	lookup  func(string) (string, bool)
	reading func(path string) // see [Options]
	faults  Faults

	places  map[string]place  // of every key in the file
	origins map[string]Origin // of every value that was set
	outside map[string]bool   // keys that were last set by a flag or the environment
	broken  map[string]bool   // keys whose values are at fault; the empty one is all the file
}

// A place is where a key and its value are written.
type place struct{ key, value *token.Position }

func newDecoder(source, dir string, lookup func(string) (string, bool)) *decoder {
	return &decoder{source: source, dir: dir, lookup: lookup,
		places: map[string]place{}, origins: map[string]Origin{}, outside: map[string]bool{}, broken: map[string]bool{}}
}

// document decodes the whole of text into c.
func (d *decoder) document(text []byte, c *Config) {
	tokens := lexer.Tokenize(string(text))
	if at := faults.TooDeep(tokens); at != nil {
		d.fault(at, "", "lists and mappings are nested too deep")
		return
	}
	file, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		fault := Fault{Source: d.source, Line: 1, Column: 1, Message: err.Error()}
		if e, ok := err.(yaml.Error); ok {
			fault.Message = e.GetMessage()
			if strings.Contains(fault.Message, "'\t'") {
				fault.Message = "a tab cannot stand here; indent with spaces"
			}
			if tk := e.GetToken(); tk != nil && tk.Position != nil {
				fault.Line, fault.Column = tk.Position.Line, tk.Position.Column
			}
		}
		d.faults = append(d.faults, fault)
		d.broken[""] = true
		return
	}
	first := true
	for _, doc := range file.Docs {
		switch {
		case doc.Body == nil:
		case !first:
			d.fault(start(doc.Body), "", "the file has more than one document; keep one")
		default:
			first = false
			d.value(doc.Body, reflect.ValueOf(c).Elem(), "")
		}
	}
}

func (d *decoder) fault(at *token.Position, key, format string, args ...any) {
	d.broken[key] = true
	f := Fault{Source: d.source, Key: key, Message: fmt.Sprintf(format, args...)}
	if at != nil {
		f.Line, f.Column = at.Line, at.Column
	}
	d.faults = append(d.faults, f)
}

// value decodes node into v, the setting called key.
func (d *decoder) value(node ast.Node, v reflect.Value, key string) {
	at := start(node)
	switch n := node.(type) {
	case *ast.AnchorNode, *ast.AliasNode, *ast.TagNode:
		d.fault(at, key, "anchors, aliases and tags are not supported; write the value out")
		return
	case *ast.NullNode:
		if v.Kind() == reflect.Struct && v.Type() != reflect.TypeFor[Secret]() {
			return // all its keys are commented out: they keep their defaults
		}
		if v.Kind() != reflect.Slice && v.Kind() != reflect.Map {
			d.fault(at, key, "has no value; give it one or remove the key")
			return
		}
		v.SetZero()
		d.origin(key, at)
		return
	case *ast.MappingValueNode: // a mapping of one entry
		node = ast.Mapping(n.Start, false, n)
	}

	text, isText := text(node)
	switch target := v.Addr().Interface().(type) {
	case *Secret:
		d.secret(node, target, key)
		return
	case *Actions, *WordRule, *PrivacyRule, *RouteModel, *BackendModel, *Egress:
		if d.short(node, target, key) {
			return
		}
	case *Size, *load.Layers:
		if n, ok := node.(*ast.IntegerNode); ok { // these may be written as numbers
			text, isText = n.Token.Value, true
		}
	case *Number:
		switch node.(type) {
		case *ast.IntegerNode, *ast.FloatNode:
			text, isText = node.GetToken().Value, true
		}
	case *Scalar:
		d.scalar(node, target, key)
		return
	case *Word:
		d.word(node, target, key)
		return
	}
	switch {
	case v.Kind() == reflect.Struct:
		d.structure(node, v, key)
	case v.Kind() == reflect.Map:
		d.mapping(node, v, key)
	case v.Kind() == reflect.Slice:
		d.list(node, v, key)
	case v.Kind() == reflect.Int:
		n, ok := node.(*ast.IntegerNode)
		if !ok {
			d.fault(at, key, "want a whole number, have %s", describe(node, key))
			return
		}
		i, err := strconv.Atoi(fmt.Sprint(n.Value))
		if err != nil {
			d.fault(at, key, "want a whole number, have %s, which is too large", n.Token.Value)
			return
		}
		v.SetInt(int64(i))
		d.origin(key, at)
	case v.Kind() == reflect.Bool:
		b, ok := node.(*ast.BoolNode)
		if !ok {
			d.fault(at, key, "want true or false, have %s", describe(node, key))
			return
		}
		v.SetBool(b.Value)
		d.origin(key, at)
	case !isText:
		d.fault(at, key, "want %s, have %s%s", wanted(v), describe(node, key), quoteHint(node, v))
	default:
		text, err := d.expand(text)
		if err == nil {
			err = setText(v, text, d.dir)
		}
		if err != nil {
			d.fault(at, key, "%v", err)
			return
		}
		d.origin(key, at)
	}
}

// short decodes what may be written shorter than it is: one action for those of
// all levels, and actions for a rule about requests and answers alike.
func (d *decoder) short(node ast.Node, target any, key string) bool {
	_, isText := text(node)
	_, isList := node.(*ast.SequenceNode)
	at, faults := start(node), len(d.faults)
	whole := func(field any, name string) {
		d.value(node, reflect.ValueOf(field).Elem(), key)
		d.origin(key+"."+name, at)
	}
	switch target := target.(type) {
	case *RouteModel:
		if !isText {
			return false
		}
		whole(&target.ID, "id")
	case *BackendModel:
		if !isText {
			return false
		}
		whole(&target.Name, "name")
	case *Egress:
		if !isText {
			return false
		}
		whole(&target.Route, "route")
	case *Actions:
		if !isText {
			return false
		}
		var a Action
		d.value(node, reflect.ValueOf(&a).Elem(), key)
		*target = Actions{a, a, a}
	case *WordRule:
		if !isText && !isList {
			return false
		}
		d.value(node, reflect.ValueOf(&target.Request).Elem(), key)
		target.Answer = slices.Clone(target.Request)
		d.origin(key+".request", at)
		d.origin(key+".answer", at)
	case *PrivacyRule:
		if !isText {
			return false
		}
		d.value(node, reflect.ValueOf(&target.Request).Elem(), key)
		target.Answer = target.Request
		d.origin(key+".request", at)
		d.origin(key+".answer", at)
	}
	if len(d.faults) > faults {
		d.broken[key] = true // what is short stands for more than its own key
	}
	return true
}

// scalar reads a value whose type is part of what it says.
func (d *decoder) scalar(node ast.Node, v *Scalar, key string) {
	at := start(node)
	var value any
	switch n := node.(type) {
	case *ast.BoolNode:
		value = n.Value
	case *ast.IntegerNode:
		value = n.Value
	default:
		text, ok := text(node)
		if !ok {
			d.fault(at, key, "want true, false, a whole number or a text, have %s", describe(node, key))
			return
		}
		text, err := d.expand(text)
		if err != nil {
			d.fault(at, key, "%v", err)
			return
		}
		value = text
	}
	data, err := json.Marshal(value)
	if err != nil {
		d.fault(at, key, "%v", err)
		return
	}
	*v = Scalar(data)
	d.origin(key, at)
}

// word reads a text as it is written. What looks like a number or a truth value
// is a text, too.
func (d *decoder) word(node ast.Node, v *Word, key string) {
	at := start(node)
	written, ok := text(node)
	switch n := node.(type) {
	case *ast.BoolNode, *ast.IntegerNode, *ast.FloatNode:
		written, ok = n.GetToken().Value, true
	}
	if !ok {
		d.fault(at, key, "want a text, have %s", describe(node, key))
		return
	}
	if err := v.UnmarshalText([]byte(written)); err != nil {
		d.fault(at, key, "%v", err)
		return
	}
	d.origin(key, at)
}

func (d *decoder) origin(key string, at *token.Position) {
	d.origins[key] = Origin(d.source + ":" + strconv.Itoa(at.Line))
}

// structure decodes a mapping with known keys.
func (d *decoder) structure(node ast.Node, v reflect.Value, key string) {
	entries, ok := d.entries(node, key)
	if !ok {
		return
	}
	fields := map[string]reflect.Value{}
	var names []string
	for name, fv := range settings(v) {
		fields[name] = fv
		names = append(names, name)
	}
	for _, e := range entries {
		field, ok := fields[e.name]
		if !ok {
			near := spelling.Nearest(e.name, names)
			if near != "" {
				d.broken[join(key, near)] = true // do not say as well that it is missing
				d.fault(e.at, e.key, "unknown key; did you mean %s?", near)
			} else {
				d.fault(e.at, e.key, "unknown key; known here: %s", strings.Join(names, ", "))
			}
			continue
		}
		d.value(e.value, field, e.key)
	}
}

// settings yields the fields of a struct by their keys. Those of a struct that
// is inlined count as its own.
func settings(v reflect.Value) iter.Seq2[string, reflect.Value] {
	return func(yield func(string, reflect.Value) bool) {
		for field, fv := range v.Fields() {
			key := field.Tag.Get("yaml")
			if key != ",inline" {
				if !yield(key, fv) {
					return
				}
				continue
			}
			for key, fv := range settings(fv) {
				if !yield(key, fv) {
					return
				}
			}
		}
	}
}

// mapping decodes a mapping whose keys are names.
func (d *decoder) mapping(node ast.Node, v reflect.Value, key string) {
	entries, ok := d.entries(node, key)
	if !ok {
		return
	}
	v.Set(reflect.MakeMap(v.Type()))
	d.origin(key, start(node))
	for _, e := range entries {
		elem := reflect.New(v.Type().Elem()).Elem()
		switch m := elem.Addr().Interface().(type) {
		case *Model:
			*m = modelDefaults()
		case *Filter:
			*m = filterDefaults()
		case *Backend:
			*m = backendDefaults()
		case *Relays:
			*m = relaysDefaults()
		case *Experiment:
			*m = experimentDefaults()
		case *Arm:
			m.Weight = 1
		}
		d.value(e.value, elem, e.key)
		v.SetMapIndex(reflect.ValueOf(e.name), elem)
	}
}

func (d *decoder) list(node ast.Node, v reflect.Value, key string) {
	n, ok := node.(*ast.SequenceNode)
	if !ok {
		d.fault(start(node), key, "want a list, have %s", describe(node, key))
		return
	}
	v.Set(reflect.MakeSlice(v.Type(), len(n.Values), len(n.Values)))
	d.origin(key, start(node))
	for i, value := range n.Values {
		elem := key + "[" + strconv.Itoa(i) + "]"
		d.places[elem] = place{start(value), start(value)}
		d.value(value, v.Index(i), elem)
	}
}

// An entry is one key of a mapping with its value.
type entry struct {
	name, key string // as written, and with the path before it
	at        *token.Position
	value     ast.Node
}

// entries returns the entries of a mapping, leaving out what is there twice.
func (d *decoder) entries(node ast.Node, key string) ([]entry, bool) {
	mapping, ok := node.(*ast.MappingNode)
	if !ok {
		d.fault(start(node), key, "want a mapping, have %s", describe(node, key))
		return nil, false
	}
	var entries []entry
	lines := map[string]int{}
	for _, e := range mapping.Values {
		at := e.Key.GetToken().Position
		if e.Key.IsMergeKey() {
			d.fault(at, join(key, "<<"), "merge keys are not supported; write the values out")
			continue
		}
		name := e.Key.GetToken().Value
		full := join(key, name)
		if line, twice := lines[name]; twice {
			d.fault(at, full, "is there twice, the first time on line %d", line)
			continue
		}
		lines[name] = at.Line
		value := start(e.Value)
		if _, null := e.Value.(*ast.NullNode); null {
			value = at
		}
		d.places[full] = place{at, value}
		entries = append(entries, entry{name, full, at, e.Value})
	}
	return entries, true
}

// secret reads a secret, which must be a reference to the environment and
// nothing else. No fault quotes it.
func (d *decoder) secret(node ast.Node, v *Secret, key string) {
	at := start(node)
	text, ok := text(node)
	if !ok {
		d.fault(at, key, "want the name of an environment variable, such as \"${BENDI_API_KEY}\", have %s", kindOf(node))
		return
	}
	if text == "" {
		*v = Secret{}
		d.origin(key, at)
		return
	}
	name, isRef := strings.CutPrefix(text, "${")
	name, closed := strings.CutSuffix(name, "}")
	if !isRef || !closed || !isVariable(name) {
		file := ", or into a file and name that with key_file"
		if strings.HasPrefix(key, "access.jwt") {
			file = ", or into a file and name that with secret_file"
		}
		if strings.Contains(key, ".process.secrets") {
			file = ", or into a file and name that with secret_files"
		} else if strings.HasPrefix(key, "stores.") {
			file = ""
		}
		d.fault(at, key, "a secret must not stand in the file; put it into an environment variable and write \"${BENDI_API_KEY}\" here%s", file)
		return
	}
	value, set := d.lookup(name)
	if (!set || value == "") && strings.HasPrefix(key, "backends") {
		d.fault(at, key, "the environment variable %s is not set; it has to hold what the backend wants to see", name)
		return
	}
	if !set || value == "" {
		d.fault(at, key, "the environment variable %s is not set; make a secret with: export %s=$(openssl rand -hex 24)", name, name)
		return
	}
	*v = NewSecret(value)
	d.origins[key] = Origin("environment " + name + " by " + d.source + ":" + strconv.Itoa(at.Line))
}

// expand replaces each ${NAME} by the environment variable NAME. $${ stands
// for ${ itself.
func (d *decoder) expand(text string) (string, error) {
	var b strings.Builder
	for {
		i := strings.Index(text, "${")
		if i < 0 {
			b.WriteString(text)
			return b.String(), nil
		}
		if i > 0 && text[i-1] == '$' {
			b.WriteString(text[:i-1] + "${")
			text = text[i+2:]
			continue
		}
		name, rest, closed := strings.Cut(text[i+2:], "}")
		if !closed || !isVariable(name) {
			return "", fmt.Errorf("after ${ want the name of an environment variable and }; to mean ${ itself write $${")
		}
		value, set := d.lookup(name)
		if !set {
			return "", fmt.Errorf("the environment variable %s is not set", name)
		}
		b.WriteString(text[:i] + value)
		text = rest
	}
}

func isVariable(name string) bool {
	for i, r := range name {
		if r != '_' && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') && (i == 0 || r < '0' || r > '9') {
			return false
		}
	}
	return name != ""
}

// setText gives v the value that text says; a relative Path starts from dir.
func setText(v reflect.Value, text, dir string) error {
	switch target := v.Addr().Interface().(type) {
	case *Path:
		*target = Path(text)
		target.resolve(dir)
		return nil
	case *Words:
		*target = Words(text)
		target.resolve(dir)
		return nil
	case encoding.TextUnmarshaler:
		return target.UnmarshalText([]byte(text))
	}
	switch v.Kind() {
	case reflect.Bool:
		b, err := strconv.ParseBool(text)
		if err != nil {
			return fmt.Errorf("want true or false, have %q", text)
		}
		v.SetBool(b)
		return nil
	case reflect.Int:
		n, err := strconv.Atoi(text)
		if err != nil {
			return fmt.Errorf("want a whole number, have %q", text)
		}
		v.SetInt(int64(n))
		return nil
	}
	old := v.String()
	v.SetString(text)
	if c, ok := v.Interface().(choice); ok {
		if err := choose(c); err != nil {
			v.SetString(old)
			return err
		}
	}
	return nil
}

func (p *Path) resolve(dir string) {
	if rest, ok := strings.CutPrefix(string(*p), "~/"); ok {
		if home, err := os.UserHomeDir(); err == nil {
			*p = Path(filepath.Join(home, rest))
			return
		}
	}
	if *p != "" && !filepath.IsAbs(string(*p)) && dir != "" {
		*p = Path(filepath.Join(dir, string(*p)))
	}
}

// text returns the text of node if it is one.
func text(node ast.Node) (string, bool) {
	switch n := node.(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.LiteralNode:
		return n.Value.Value, true
	default:
		return "", false
	}
}

// start returns where node begins. Tokens of collections mark other places.
func start(node ast.Node) *token.Position {
	switch n := node.(type) {
	case *ast.MappingNode:
		if !n.IsFlowStyle && len(n.Values) > 0 {
			return start(n.Values[0])
		}
	case *ast.MappingValueNode:
		return n.Key.GetToken().Position
	}
	return node.GetToken().Position
}

// wanted says what v takes, for faults.
func wanted(v reflect.Value) string {
	switch target := v.Addr().Interface().(type) {
	case *Size:
		return "a size such as 8MiB"
	case *Duration:
		return "a duration such as 15s"
	case *Number:
		return "a number"
	case *Path, *Words:
		return "a path"
	case *Actions:
		return "an action or a list of three"
	case *load.Layers:
		return "all or a number of layers"
	case choice:
		return "one of " + strings.Join(target.Values(), ", ")
	default:
		return "a text"
	}
}

// describe says what node, the value of key, is, for faults. A long text is
// cut, and what stands under access and backends is not shown: it may be a secret in the
// wrong place.
func describe(node ast.Node, key string) string {
	if strings.HasPrefix(key, "access") || strings.HasPrefix(key, "backends") {
		return kindOf(node)
	}
	switch n := node.(type) {
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		return kindOf(node) + " " + n.GetToken().Value
	case *ast.StringNode:
		return fmt.Sprintf("the text %.60q", n.Value)
	default:
		return kindOf(node)
	}
}

// kindOf is describe without showing what is there.
func kindOf(node ast.Node) string {
	switch node.(type) {
	case *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		return "the number"
	case *ast.BoolNode:
		return "the truth value"
	case *ast.StringNode, *ast.LiteralNode:
		return "a text"
	case *ast.SequenceNode:
		return "a list"
	case *ast.MappingNode, *ast.MappingValueNode:
		return "a mapping"
	default:
		return "something else"
	}
}

// quoteHint tells how to make a text of a number, where any text would do.
func quoteHint(node ast.Node, v reflect.Value) string {
	switch node.(type) {
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		if t := v.Type(); t == reflect.TypeFor[string]() || t == reflect.TypeFor[Path]() || t == reflect.TypeFor[Words]() || t == reflect.TypeFor[TLSVersion]() {
			return "; write it in quotes"
		}
	}
	return ""
}

// join appends name to the path of a key; a name that would read as several is
// quoted.
func join(key, name string) string {
	plain := !strings.ContainsFunc(name, func(r rune) bool {
		return r != '_' && r != '-' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	})
	if !plain || name == "" {
		name = strconv.Quote(name)
	}
	if key == "" {
		return name
	}
	return key + "." + name
}
