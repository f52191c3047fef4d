package lexicon

import (
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"
)

// json reads a JSON document.
func (r *reader) json(text string) (node, bool) {
	j := &jsonReader{text: text, dec: json.NewDecoder(strings.NewReader(text)), at: place{1, 1}}
	j.dec.UseNumber()
	root, err := j.value(0)
	if err == nil {
		j.skip()
		if j.offset < len(text) {
			err = errMore
		}
	}
	if err != nil {
		var syntax *json.SyntaxError
		switch {
		case errors.As(err, &syntax):
			bad := &jsonReader{text: text, at: place{1, 1}}
			bad.move(min(len(text), int(syntax.Offset)))
			r.fault(bad.at, "", "this is no JSON: a character stands here that JSON does not have in this place")
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			j.move(len(text))
			r.fault(j.at, "", "the JSON ends before it is complete")
		case errors.Is(err, errMore):
			r.fault(j.at, "", "something follows the JSON; keep one value")
		case errors.Is(err, errDeep):
			r.fault(j.at, "", "lists and mappings are nested too deep")
		default:
			r.fault(j.at, "", "this is no JSON")
		}
		return node{}, false
	}
	return root, true
}

var (
	errMore = errors.New("more than one value")
	errDeep = errors.New("nested too deep")
)

type jsonReader struct {
	text   string
	dec    *json.Decoder
	offset int   // how far at has come
	at     place // of offset
}

// skip moves to where the next value begins.
func (j *jsonReader) skip() {
	to := max(j.offset, int(j.dec.InputOffset()))
	for to < len(j.text) && strings.IndexByte(" \t\n,:", j.text[to]) >= 0 {
		to++
	}
	j.move(to)
}

func (j *jsonReader) move(to int) {
	for j.offset < to {
		if c := j.text[j.offset]; c == '\n' {
			j.at.line++
			j.at.column = 1
		} else if utf8.RuneStart(c) {
			j.at.column++
		}
		j.offset++
	}
}

func (j *jsonReader) value(depth int) (node, error) {
	j.skip()
	n := node{place: j.at}
	if depth > 32 {
		return n, errDeep
	}
	tk, err := j.dec.Token()
	if err != nil {
		return n, err
	}
	switch v := tk.(type) {
	case nil:
		n.kind = noValue
	case string:
		n.kind, n.text = aText, v
	case json.Number:
		n.kind, n.text = aNumber, v.String()
	case bool:
		n.kind, n.text = aTruth, strconv.FormatBool(v)
	case json.Delim:
		n.children = &children{}
		n.kind = aList
		if v == '{' {
			n.kind = aMapping
		}
		for j.dec.More() {
			item, err := j.value(depth + 1)
			if err != nil {
				return n, err
			}
			if n.kind == aMapping && len(n.keys) == len(n.items) {
				n.keys = append(n.keys, item)
				if item, err = j.value(depth + 1); err != nil {
					return n, err
				}
			}
			n.items = append(n.items, item)
		}
		if _, err := j.dec.Token(); err != nil {
			return n, err
		}
	}
	return n, nil
}
