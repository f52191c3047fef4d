package bank

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A Question is one of a bank.
type Question struct {
	ID     string // given, or the number of its line
	Text   string
	Refuse bool   // it should be refused; otherwise it should be answered
	Risk   string // what a standard calls its subject, such as A.1.6; may be empty
	Line   int    // of the bank, from 1
}

// mostFaults is how many faults of a bank are told.
const mostFaults = 20

// Read reads a bank: JSON lines with the keys question, expect, risk and id, or
// CSV with a header that names these columns. Expect is refuse or answer, also
// written 拒答 and 回答. Its error has a line for each fault.
func Read(name string, text []byte) ([]Question, error) {
	text = bytes.TrimPrefix(text, []byte("\xEF\xBB\xBF"))
	if !utf8.Valid(text) {
		return nil, fmt.Errorf("%s: is not UTF-8", name)
	}
	r := &reader{name: name, ids: make(map[string]int)}
	if first := bytes.TrimSpace(text); len(first) > 0 && first[0] == '{' {
		r.lines(string(text))
	} else {
		r.csv(text)
	}
	if len(r.questions) == 0 && len(r.errs) == 0 {
		r.bad(1, "the bank has no questions: want lines such as {\"question\":\"…\",\"expect\":\"refuse\",\"risk\":\"A.1.1\"}, or CSV with the header question,expect,risk")
	}
	if r.more > 0 {
		r.errs = append(r.errs, fmt.Errorf("%s: and %d faults more", name, r.more))
	}
	return r.questions, errors.Join(r.errs...)
}

type reader struct {
	name      string
	questions []Question
	ids       map[string]int // line by id
	errs      []error
	more      int
}

func (r *reader) bad(line int, format string, args ...any) {
	if len(r.errs) >= mostFaults {
		r.more++
		return
	}
	r.errs = append(r.errs, fmt.Errorf("%s:%d: %s", r.name, line, fmt.Sprintf(format, args...)))
}

// expects maps what a bank may say to whether it means a refusal.
var expects = map[string]bool{
	"refuse": true, "refused": true, "reject": true, "拒答": true, "应拒答": true, "拒绝": true,
	"answer": false, "answered": false, "回答": false, "应答": false, "非拒答": false, "不应拒答": false,
}

func (r *reader) add(line int, id, text, expect, risk string) {
	text, expect = strings.TrimSpace(text), strings.ToLower(strings.TrimSpace(expect))
	refuse, known := expects[expect]
	if id = strings.TrimSpace(id); id == "" {
		id = strconv.Itoa(line)
	}
	switch before, twice := r.ids[id]; {
	case text == "":
		r.bad(line, "the question is empty")
	case expect == "":
		r.bad(line, "expect is missing: want refuse or answer")
	case !known:
		r.bad(line, "want refuse or answer, expect has %d bytes that say something else", len(expect))
	case twice:
		r.bad(line, "its id is that of line %d", before)
	default:
		r.ids[id] = line
		r.questions = append(r.questions, Question{ID: id, Text: text, Refuse: refuse, Risk: strings.TrimSpace(risk), Line: line})
	}
}

func (r *reader) lines(text string) {
	n := 0
	for line := range strings.Lines(text) {
		n++
		if strings.TrimSpace(line) == "" {
			continue
		}
		var q struct{ ID, Question, Prompt, Expect, Risk string }
		if err := json.Unmarshal([]byte(line), &q); err != nil {
			r.bad(n, "is no JSON object of texts: %v", shortError(err))
			continue
		}
		if q.Question == "" {
			q.Question = q.Prompt
		}
		r.add(n, q.ID, q.Question, q.Expect, q.Risk)
	}
}

// shortError is err without what it quotes.
func shortError(err error) string {
	if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return fmt.Sprintf("%s is a %s", e.Field, e.Value)
	}
	if e, ok := errors.AsType[*json.SyntaxError](err); ok {
		return fmt.Sprintf("at byte %d", e.Offset)
	}
	return "it cannot be read"
}

// columns are the names that a header may have for each column.
var columns = map[string]string{
	"id": "id", "编号": "id", "序号": "id",
	"question": "question", "prompt": "question", "问题": "question", "题目": "question",
	"expect": "expect", "expected": "expect", "预期": "expect", "期望": "expect",
	"risk": "risk", "category": "risk", "风险": "risk", "类别": "risk",
}

func (r *reader) csv(text []byte) {
	c := csv.NewReader(bytes.NewReader(text))
	c.FieldsPerRecord = -1
	c.LazyQuotes = true
	if header, _, _ := bytes.Cut(text, []byte("\n")); bytes.ContainsRune(header, '\t') {
		c.Comma = '\t'
	}
	at := map[string]int{}
	for {
		row, err := c.Read()
		if err == io.EOF {
			return
		}
		if err != nil {
			if e, ok := errors.AsType[*csv.ParseError](err); ok {
				r.bad(e.Line, "is no CSV: %v", e.Err)
			}
			return
		}
		line, _ := c.FieldPos(0)
		if len(at) == 0 {
			for i, name := range row {
				if column, ok := columns[strings.ToLower(strings.TrimSpace(name))]; ok {
					at[column] = i
				}
			}
			_, hasQuestion := at["question"]
			_, hasExpect := at["expect"]
			if !hasQuestion || !hasExpect {
				r.bad(line, "the header of a CSV bank names the columns question and expect, and perhaps risk and id")
				return
			}
			continue
		}
		cell := func(column string) string {
			if i, ok := at[column]; ok && i < len(row) {
				return row[i]
			}
			return ""
		}
		r.add(line, cell("id"), cell("question"), cell("expect"), cell("risk"))
	}
}
