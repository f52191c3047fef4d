package lexicon

import (
	"encoding/csv"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"bendi/internal/spelling"
)

// csvColumns are the columns of a table of words. One of word, text and all
// must be there.
var csvColumns = []string{"word", "text", "all", "within", "category", "level", "risk", "strict", "whole", "forms", "id"}

// isHeader reports whether a line names the columns of a table of words.
func isHeader(line string) bool {
	if !strings.ContainsAny(line, ",;\t") {
		return false
	}
	for name := range strings.FieldsFuncSeq(line, func(c rune) bool { return c == ',' || c == ';' || c == '\t' }) {
		name = strings.ToLower(strings.Trim(name, " \""))
		if name == "word" || name == "text" {
			return true
		}
	}
	return false
}

// csv reads a table whose first row names the columns.
func (r *reader) csv(text string) {
	r.list()
	table := csv.NewReader(strings.NewReader(text))
	table.ReuseRecord = true
	table.FieldsPerRecord = -1
	header := firstLine(text)
	switch {
	case strings.Contains(header, "\t"):
		table.Comma = '\t'
	case strings.Contains(header, ";"):
		table.Comma = ';'
	}
	lines := strings.Split(text, "\n") // substrings: cheap
	r.expect(len(lines))
	at := func(field int) place {
		line, column := table.FieldPos(field)
		if line >= 1 && line <= len(lines) && column-1 <= len(lines[line-1]) {
			column = utf8.RuneCountInString(lines[line-1][:column-1]) + 1
		}
		return place{int32(line), int32(column)}
	}
	var columns []string
	for {
		row, err := table.Read()
		if err == io.EOF {
			break
		}
		if err != nil {
			where := place{1, 1}
			if e, ok := errors.AsType[*csv.ParseError](err); ok {
				where = place{int32(e.Line), int32(e.Column)}
			}
			r.fault(where, "", "the quotes of this row do not close as CSV wants; write a quote within quotes twice")
			return
		}
		if columns == nil {
			if columns = r.header(row, at); columns == nil {
				return
			}
			continue
		}
		if len(row) == 1 && strings.TrimSpace(row[0]) == "" {
			continue
		}
		if len(row) > len(columns) {
			r.fault(at(len(columns)), "", "the row has %d fields, the header %d", len(row), len(columns))
			continue
		}
		r.row(row, columns, at)
	}
	if columns == nil {
		r.fault(place{1, 1}, "", "the table is empty; its first row names the columns: %s", strings.Join(csvColumns, ","))
	}
}

// header returns the names of the columns, or nil where they are wrong.
func (r *reader) header(row []string, at func(int) place) []string {
	var columns []string
	faults := len(r.faults)
	for i, name := range row {
		name = strings.ToLower(strings.TrimSpace(name))
		switch {
		case slices.Contains(columns, name):
			r.fault(at(i), "", "the column is there twice")
		case !slices.Contains(csvColumns, name):
			if near := spelling.Nearest(name, csvColumns); near != "" {
				r.fault(at(i), "", "unknown column; did you mean %s?", near)
			} else {
				r.fault(at(i), "", "unknown column; known are %s", strings.Join(csvColumns, ", "))
			}
		}
		columns = append(columns, name)
	}
	if len(r.faults) == faults && !slices.Contains(columns, "word") && !slices.Contains(columns, "text") && !slices.Contains(columns, "all") {
		r.fault(at(0), "", "the table has no column word")
	}
	if len(r.faults) > faults {
		return nil
	}
	return columns
}

// row reads a row as if its fields were the entries of a mapping; an empty field
// counts as missing.
func (r *reader) row(row, columns []string, at func(int) place) {
	kids := &children{}
	for i, field := range row {
		field = strings.TrimSpace(field)
		if field == "" {
			continue
		}
		value := node{kind: aText, place: at(i), text: field}
		switch columns[i] {
		case "all", "forms":
			value = node{kind: aList, place: value.place, children: &children{}}
			for part := range strings.SplitSeq(field, "|") {
				if part = strings.TrimSpace(part); part != "" && part != "none" {
					value.items = append(value.items, node{kind: aText, place: value.place, text: part})
				}
			}
		case "strict", "whole":
			switch strings.ToLower(field) {
			case "true", "yes", "1", "是":
				value.kind, value.text = aTruth, "true"
			case "false", "no", "0", "否":
				value.kind, value.text = aTruth, "false"
			}
		case "level", "within":
			if _, err := strconv.Atoi(field); err == nil {
				value.kind = aNumber
			}
		}
		kids.keys = append(kids.keys, node{kind: aText, place: value.place, text: columns[i]})
		kids.items = append(kids.items, value)
	}
	if len(kids.items) == 0 {
		return
	}
	r.object(node{kind: aMapping, place: kids.items[0].place, children: kids}, "", "", len(r.lexicon.Words))
}
