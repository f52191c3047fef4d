package lexicon

import (
	"fmt"
	"path/filepath"
	"strings"
)

// A Format is a way to write words down.
type Format uint8

const (
	Auto   Format = iota // by the file's name and content
	YAML                 // our own
	JSON                 // our own as JSON, or a list of words or of objects
	CSV                  // with a header; separated by commas, semicolons or tabs
	Lines                // one word per line, or several with commas
	Tagged               // "word tag,tag" on each line
)

var formatNames = [...]string{"auto", "yaml", "json", "csv", "lines", "tagged"}

func (f Format) String() string { return formatNames[f] }

// ParseFormat reads the name of a format.
func ParseFormat(name string) (Format, error) {
	for i, n := range formatNames {
		if n == name {
			return Format(i), nil
		}
	}
	return Auto, fmt.Errorf("%q is no format of words; known are %s", name, strings.Join(formatNames[:], ", "))
}

// of settles Auto for the text of a file.
func (f Format) of(source, text string) Format {
	if f != Auto {
		return f
	}
	switch strings.ToLower(filepath.Ext(source)) {
	case ".yaml", ".yml":
		return YAML
	case ".json":
		return JSON
	case ".csv", ".tsv":
		return CSV
	}
	first := firstLine(text)
	switch {
	case strings.HasPrefix(first, "{"), strings.HasPrefix(first, "["):
		return JSON
	case isHeader(first):
		return CSV
	case strings.HasPrefix(first, "name:"), strings.HasPrefix(first, "categories:"), first == "---":
		return YAML
	}
	return Lines
}

// firstLine returns the first line of text that says something.
func firstLine(text string) string {
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" && !isComment(line) {
			return line
		}
	}
	return ""
}

// isComment reports whether a line of a list is for people. #topic is a word.
func isComment(line string) bool {
	return line == "#" || strings.HasPrefix(line, "# ") || strings.HasPrefix(line, "##")
}
