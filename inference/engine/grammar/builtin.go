package grammar

import (
	"maps"
	"slices"
	"strings"
)

// A builtin is a rule that does not depend on the schema.
type builtin struct{ body, needs string }

// builtins are the rules that schemas are made of. space stands after a colon,
// break after a comma and inside brackets: at most one space, or one line end
// and some indentation.
var builtins = map[string]builtin{
	"value":   {`object | array | string | number | boolean | null`, "object array string number boolean null"},
	"object":  {`"{" break (member (comma member)* break)? "}"`, "break member comma"},
	"member":  {`string colon value`, "string colon value"},
	"array":   {`"[" break (value (comma value)* break)? "]"`, "break value comma"},
	"boolean": {`"true" | "false"`, ""},
	"null":    {`"null"`, ""},
	"colon":   {`":" space`, "space"},
	"comma":   {`"," break`, "break"},
	"space":   {`" "?`, ""},
	"break":   {`(" " | "\n" " "{0,32})?`, ""},

	"string":  {`"\"" char* "\""`, "char"},
	"char":    {`[^"\\\x00-\x1F] | "\\" escape`, "escape"},
	"escape":  {`["\\/bfnrt] | "u" unicode`, "unicode"},
	"unicode": {`[0-9a-cA-CefEF] hex{3} | [dD] [0-7] hex{2} | [dD] [89abAB] hex{2} "\\u" [dD] [c-fC-F] hex{2}`, "hex"},
	"hex":     {`[0-9a-fA-F]`, ""},

	"integer":  {`"0" | "-"? [1-9] [0-9]{0,17}`, ""},
	"number":   {`"-"? ("0" | [1-9] [0-9]{0,17}) fraction? exponent?`, "fraction exponent"},
	"fraction": {`"." [0-9]{1,17}`, ""},
	"exponent": {`[eE] [+\-]? [0-9]{1,2}`, ""},

	// Names of properties that the schema does not have: without \u and \/, so
	// that each has one spelling only.
	"key-char": {`[^"\\\x00-\x1F] | "\\" ["\\bfnrt]`, ""},

	"date":       {`year "-" month-day | leap-year "-02-29"`, "year month-day leap-year"},
	"year":       {`[0-9]{4}`, ""},
	"leap-year":  {`[0-9] [0-9] ("0" [48] | [2468] [048] | [13579] [26]) | ("0" [048] | [2468] [048] | [13579] [26]) "00"`, ""},
	"month-day":  {`("0" [13578] | "1" [02]) "-" ("0" [1-9] | [12] [0-9] | "3" [01]) | ("0" [469] | "11") "-" ("0" [1-9] | [12] [0-9] | "30") | "02-" ("0" [1-9] | "1" [0-9] | "2" [0-8])`, ""},
	"time":       {`hour ":" minute ":" minute ("." [0-9]{1,9})? ("Z" | [+\-] hour ":" minute)`, "hour minute"},
	"hour":       {`[01] [0-9] | "2" [0-3]`, ""},
	"minute":     {`[0-5] [0-9]`, ""},
	"date-time":  {`date "T" time`, "date time"},
	"uuid":       {`hex{8} "-" hex{4} "-" hex{4} "-" hex{4} "-" hex{12}`, "hex"},
	"ipv4":       {`octet "." octet "." octet "." octet`, "octet"},
	"octet":      {`[0-9] | [1-9] [0-9] | "1" [0-9] [0-9] | "2" [0-4] [0-9] | "25" [0-5]`, ""},
	"hextet":     {`hex{1,4}`, "hex"},
	"hextet-end": {`":" hextet`, "hextet"},
	"hextet-on":  {`hextet ":"`, "hextet"},
	"ipv6": {`hextet-on{7} hextet | hextet-on{1,7} ":" | hextet-on{1,6} hextet-end | hextet-on{1,5} hextet-end{2} | ` +
		`hextet-on{1,4} hextet-end{3} | hextet-on{1,3} hextet-end{4} | hextet-on{1,2} hextet-end{5} | hextet-on hextet-end{6} | ` +
		`":" (hextet-end{1,7} | ":")`, "hextet hextet-on hextet-end"},
	"email":      {`mailbox{1,20} ("." mailbox{1,20}){0,2} "@" hostname`, "mailbox hostname"},
	"mailbox":    {`[a-zA-Z0-9_+\-]`, ""},
	"hostname":   {`host-label ("." host-label){0,4}`, "host-label"},
	"host-label": {`[a-zA-Z] (host-inner{0,30} host-end)?`, "host-inner host-end"},
	"host-inner": {`[a-zA-Z0-9\-]`, ""},
	"host-end":   {`[a-zA-Z0-9]`, ""},
}

// A format is a format of strings that is enforced, by the rule of its name.
type format struct{ min, max int } // characters that it may have

var formats = map[string]format{
	"date":      {10, 10},
	"time":      {9, 24},
	"date-time": {20, 35},
	"uuid":      {36, 36},
	"ipv4":      {7, 15},
	"ipv6":      {2, 39},
	"email":     {3, 227},
	"hostname":  {1, 164},
}

func formatNames() string {
	return strings.Join(slices.Sorted(maps.Keys(formats)), ", ")
}

// AnyJSON returns the grammar of all JSON objects, for an answer that has to
// be JSON of whatever kind. They may be nested without end.
func AnyJSON() string {
	w := newWriter()
	w.reserve("root")
	w.define("root", w.builtin("object"))
	return w.String()
}
