package audit

import (
	"cmp"
	"encoding/csv"
	"fmt"
	"io"
	"iter"
	"strconv"
	"strings"
	"time"

	"bendi/ledger/chain"
)

// A Query says which records are wanted. Empty fields want any.
type Query struct {
	Key string // who asked, or whose session an operator dealt with

	Route, Model, Backend, Operation, Object, Outcome, Code, Zone string

	Session string // its hash
	ID      string // of the request or of the answer
	Status  int
	From    time.Time // when the request came, at the earliest
	To      time.Time // before then
}

func (q *Query) wants(r *Record) bool {
	is := func(want, have string) bool { return want == "" || want == have }
	return (is(q.Key, r.Key) || q.Key == r.Of) && is(q.Object, r.Object) && is(q.Route, r.Route) && is(q.Model, r.Model) && is(q.Backend, r.Backend) && is(q.Operation, r.Operation) &&
		is(q.Outcome, r.Outcome) && is(q.Code, r.Code) && is(q.Zone, r.Zone) && is(q.Session, r.Session) &&
		(q.ID == "" || q.ID == r.ID || q.ID == r.Answer) && (q.Status == 0 || q.Status == r.Status) &&
		!r.Start.Before(q.From) && (q.To.IsZero() || r.Start.Before(q.To))
}

// A Match is a record that was wanted, with its line.
type Match struct {
	*Record
	Line chain.Read
}

// Find yields the records in a folder that are wanted, in the order in which
// the requests ended. A line that cannot be read is an error, after which the
// next one comes.
func Find(dir string, q Query) iter.Seq2[Match, error] {
	return func(yield func(Match, error) bool) {
		for l, err := range chain.Lines(dir) {
			if err != nil {
				if !yield(Match{}, err) {
					return
				}
				continue
			}
			if r, ok := Of(l.Line); ok && q.wants(r) && !yield(Match{r, l}, nil) {
				return
			}
		}
	}
}

// ParseTime reads a day (2026-11-25, UTC), a time (RFC 3339), or how long ago
// (24h, 7d).
func ParseTime(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if t, err := time.Parse(time.DateOnly, text); err == nil {
		return t, nil
	}
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t, nil
	}
	if days, ok := strings.CutSuffix(text, "d"); ok {
		if n, err := strconv.Atoi(days); err == nil && n >= 0 && n <= 36500 {
			return now.AddDate(0, 0, -n), nil
		}
	}
	if d, err := time.ParseDuration(text); err == nil && d >= 0 {
		return now.Add(-d), nil
	}
	return time.Time{}, fmt.Errorf("want a day such as 2026-11-25 (UTC), a time such as 2026-11-25T08:00:00+08:00, or how long ago, such as 24h or 7d; have %q", text)
}

var columns = []string{
	"seq", "start", "id", "answer", "key", "session", "of", "object", "method", "operation", "route", "model", "backend", "zone", "arm", "status", "outcome", "code", "stream", "finish",
	"classes", "filter_request", "filter_answer", "lexicons", "prompt_tokens", "cached_tokens", "completion_tokens", "reasoning_tokens", "first_ms", "total_ms",
	"sent", "hash",
}

// WriteCSV writes records as CSV, with a header.
func WriteCSV(w io.Writer, all iter.Seq2[Match, error]) error {
	out := csv.NewWriter(w)
	out.Write(columns)
	for m, err := range all {
		if err != nil {
			return err
		}
		if err := out.Write(m.row()); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

func (m Match) row() []string {
	action := func(f *Found) string {
		if f == nil {
			return ""
		}
		return f.Action + ":" + strings.Join(f.Rules, " ")
	}
	var sent []string
	for _, s := range m.Sent {
		sent = append(sent, s.Backend+":"+s.Zone+":"+s.SHA256)
	}
	decimal := func(v float64) string { return strconv.FormatFloat(v, 'f', 3, 64) }
	row := []string{
		fmt.Sprint(m.Line.Seq), m.Start.Format(time.RFC3339Nano), m.ID, m.Answer, m.Key, m.Session, m.Of, m.Object, cmp.Or(m.Method, "POST"), m.Operation, m.Route, m.Model, m.Backend, m.Zone, m.Arm,
		strconv.Itoa(m.Status), m.Outcome, m.Code, strconv.FormatBool(m.Stream), m.Finish,
		strings.Join(m.Classes, " "), action(m.Request), action(m.Reply), m.Lexicons,
		strconv.Itoa(m.Prompt), strconv.Itoa(m.Cached), strconv.Itoa(m.Completion), strconv.Itoa(m.Reasoning), decimal(m.First), decimal(m.Total),
		strings.Join(sent, " "), m.Line.Hash,
	}
	return harmless(row)
}

// harmless returns a row in which a spreadsheet takes no name for a formula.
func harmless(row []string) []string {
	for i, cell := range row {
		if cell != "" && strings.ContainsRune("=+-@\t\r", rune(cell[0])) {
			row[i] = "'" + cell
		}
	}
	return row
}
