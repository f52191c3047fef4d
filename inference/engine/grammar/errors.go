package grammar

import (
	"fmt"
	"strings"
)

// An UnsupportedError reports a keyword of a JSON Schema that would constrain
// the answer in a way this package cannot enforce, or a schema over one of the
// limits in limits.go. Its text names places in the schema, never a value of it.
type UnsupportedError struct {
	Keyword string // such as "patternProperties"; empty where no single keyword is at fault
	Path    string // of the schema that has it, such as "#/properties/x"
	Message string // why, with numbers, and what to do instead
}

func (e *UnsupportedError) Error() string {
	if e.Keyword == "" {
		return fmt.Sprintf("the JSON schema at %s is not supported: %s", e.Path, e.Message)
	}
	return fmt.Sprintf("%s at %s is not supported: %s", e.Keyword, e.Path, e.Message)
}

// An InvalidError reports a schema that makes no sense: a keyword of the wrong
// type, a $ref that leads nowhere, or constraints that no value can satisfy.
type InvalidError struct {
	Keyword string // empty where no single keyword is at fault
	Path    string // of the schema at fault, such as "#/properties/x"
	Message string // what is wrong, and what would be right
}

func (e *InvalidError) Error() string {
	if e.Keyword == "" {
		return fmt.Sprintf("the JSON schema at %s is invalid: %s", e.Path, e.Message)
	}
	return fmt.Sprintf("%s at %s is invalid: %s", e.Keyword, e.Path, e.Message)
}

// A SyntaxError reports a GBNF grammar that [Parse] refuses.
type SyntaxError struct {
	Line, Column int // of the fault, from 1; columns count characters
	Message      string
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("grammar, line %d, column %d: %s", e.Line, e.Column, e.Message)
}

func unsupported(keyword, path, format string, args ...any) error {
	return &UnsupportedError{clip(keyword), clipPath(path), fmt.Sprintf(format, args...)}
}

func invalid(keyword, path, format string, args ...any) error {
	return &InvalidError{clip(keyword), clipPath(path), fmt.Sprintf(format, args...)}
}

// clip and clipPath keep what a client wrote from making an error endless: a
// name keeps its beginning, a path its end.
func clip(name string) string {
	const most = 64
	if len(name) <= most {
		return name
	}
	return strings.ToValidUTF8(name[:most], "") + "…"
}

func clipPath(path string) string {
	const most = 400
	if len(path) <= most {
		return path
	}
	return "…" + strings.ToValidUTF8(path[len(path)-most:], "")
}
