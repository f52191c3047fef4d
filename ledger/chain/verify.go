package chain

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// A Report is what [Verify] has found.
type Report struct {
	Dir      string    `json:"dir"`
	Files    int       `json:"files"`
	Lines    uint64    `json:"lines"`
	First    uint64    `json:"first"` // number of the first line that there is
	Last     uint64    `json:"last"`
	Hash     string    `json:"hash"` // of the last line
	From     time.Time `json:"from"`
	To       time.Time `json:"to"`
	Keyed    bool      `json:"keyed"`    // whoever has no key cannot have made it
	Lost     uint64    `json:"lost"`     // records that lines say were lost
	Refused  uint64    `json:"refused"`  // requests that lines say were turned away for want of a place
	Torn     int       `json:"torn"`     // lines that lines say were torn by the end of the program
	Retired  uint64    `json:"retired"`  // lines that were removed because of their age
	Rest     int       `json:"rest"`     // bytes of a line that is not whole: it is being written, or was when the program was killed
	Problems []Problem `json:"problems"` // the first of them
	More     int       `json:"more"`     // how many further ones there are
}

// A Problem is something that is not as a [Log] writes it.
type Problem struct {
	File string `json:"file"`
	Line int    `json:"line"` // from 1; 0: the file as such
	What string `json:"what"`
}

func (p Problem) String() string {
	if p.Line == 0 {
		return p.File + ": " + p.What
	}
	return fmt.Sprintf("%s:%d: %s", p.File, p.Line, p.What)
}

const mostProblems = 100

// VerifyOptions say what a chain is held to.
type VerifyOptions struct {
	Keys [][]byte // that it may have been written with; nil: none. With keys, its end has to be keyed
	Head *Head    // that was noted; nil: the file head is enough
}

// Verify reads the chain in a folder and reports all that is wrong with it. It
// may be one that is being written. The error is about reading alone.
func Verify(dir string, o VerifyOptions) (*Report, error) {
	v := &verifier{Report: Report{Dir: dir, Problems: []Problem{}}, options: o, sealers: []*sealer{newSealer(nil)}}
	for _, key := range o.Keys {
		v.sealers = append(v.sealers, newSealer(key))
	}
	// Read before the lines: of a chain that is written, more may come.
	heads := v.sealers
	if len(o.Keys) > 0 {
		heads = heads[1:]
	}
	head, headErr := readHead(dir, heads)
	names, err := Files(dir)
	if err != nil {
		return nil, err
	}
	if len(names) == 0 && headErr != nil && o.Head == nil {
		return nil, fmt.Errorf("there is no ledger in %s", dir)
	}
	if headErr == nil {
		v.head = &head
	} else if len(names) > 0 {
		what := "cannot be read: whether lines are missing at the end is not known"
		if isMissing(headErr) {
			what = "is missing: whether lines are missing at the end is not known"
		} else if errors.Is(headErr, errHead) {
			what = "was changed, or made with another key: whether lines are missing at the end is not known"
		}
		v.problem(headName, 0, "%s", what)
	}
	for i, name := range names {
		if err := v.file(name, i == len(names)-1); err != nil {
			return nil, err
		}
	}
	v.end()
	return &v.Report, nil
}

type verifier struct {
	Report
	options VerifyOptions
	sealers []*sealer
	head    *Head // that the file head says; nil: nobody knows
	seen    bool  // the head that was noted
	name    string
	beyond  string // hash of the line before the first, which is not there; empty: it is
	proven  bool   // a line says that what is before the first was removed
	sealer  *sealer
	last    Head
}

func (v *verifier) problem(file string, line int, format string, args ...any) {
	if len(v.Problems) == mostProblems {
		v.More++
		return
	}
	v.Problems = append(v.Problems, Problem{file, line, fmt.Sprintf(format, args...)})
}

// file verifies a file.
func (v *verifier) file(name string, isLast bool) error {
	f, err := os.Open(filepath.Join(v.Dir, name))
	if err != nil {
		return err
	}
	defer f.Close()
	v.Files++
	v.name = name
	n := 0
	rest, err := readLines(f, func(text []byte) error {
		n++
		v.line(n, text)
		return nil
	})
	switch {
	case errors.Is(err, errLong):
		v.problem(name, n+1, "%v", err)
	case err != nil:
		return err
	case len(rest) > 0 && isLast:
		v.Rest = len(rest)
	case len(rest) > 0:
		v.problem(name, n+1, "is not whole, in a file that is not the last")
	case n == 0 && !isLast:
		v.problem(name, 0, "is empty")
	}
	return nil
}

// line verifies a line.
func (v *verifier) line(n int, text []byte) {
	v.Lines++
	l, err := parse(text)
	if err != nil {
		v.problem(v.name, n, "%v", err)
		return
	}
	if n == 1 {
		v.begin(l)
	} else if l.Kind == kindOpen {
		v.problem(v.name, n, "begins a file in the midst of one")
	}
	first := v.last.Hash == ""
	if first {
		v.First, v.From = l.Seq, l.Time
		if l.Seq > 1 {
			v.beyond = l.Prev
		} else if l.Prev != zeros {
			v.problem(v.name, n, "is the first, and links to another")
		}
	} else if err := l.follows(v.last.Seq, v.last.Hash); err != nil {
		v.problem(v.name, n, "%v", err)
	}
	if v.sealer != nil {
		if err := v.sealer.check(text, l); err != nil {
			v.problem(v.name, n, "%v", err)
		}
	}
	if h := v.head; h != nil && h.Seq == l.Seq && h.Hash != l.Hash {
		v.problem(v.name, n, "is not what it was, as the file head says")
	}
	if h := v.options.Head; h != nil && h.Seq == l.Seq {
		if v.seen = true; h.Hash != l.Hash {
			v.problem(v.name, n, "is not what it was when the head was noted")
		}
	}
	v.last = Head{l.Seq, l.Hash}
	v.Last, v.Hash, v.To = l.Seq, l.Hash, l.Time
	v.own(n, l)
}

// begin holds a file to what its first line says.
func (v *verifier) begin(l Line) {
	if l.Kind != kindOpen {
		v.problem(v.name, 1, "is not the beginning of a file")
		return
	}
	if name := fileName(l.Seq); name != v.name {
		v.problem(v.name, 1, "is the beginning of the file %s", name)
	}
	id := keyOf(l)
	v.sealer = nil
	for _, s := range v.sealers {
		if s.id == id {
			v.sealer = s
		}
	}
	switch {
	case v.sealer == nil:
		v.problem(v.name, 1, "is hashed with the key %q, which was not given: its lines are not proven", id)
	case v.Keyed && id == "":
		v.problem(v.name, 1, "has no key, and files before it have one")
	}
	v.Keyed = id != "" && v.sealer != nil
}

// own takes in what lines of the chain's own say.
func (v *verifier) own(n int, l Line) {
	read := func(into any) { json.Unmarshal(l.Data, into) } // its hash says whether it is as it was written
	switch l.Kind {
	case kindTorn:
		v.Torn++
	case kindLost:
		var x lost
		read(&x)
		v.Lost += x.Lines
		v.Refused += x.Refused
	case kindRetired:
		var x retired
		read(&x)
		v.Retired += x.Last - x.First + 1
		if v.beyond != "" && x.Last+1 == v.First && x.Hash == v.beyond {
			v.proven = true
		}
	case kindShort:
		var x short
		read(&x)
		v.problem(v.name, n, "%d lines before it are missing, up to line %d: they were gone when the program started", x.Missing, x.Seq)
	case kindDamaged:
		var x damaged
		read(&x)
		v.problem(v.name, n, "says that %v when the program started", Problem(x))
	}
}

// end holds the whole to what was noted of it.
func (v *verifier) end() {
	if v.beyond != "" && !v.proven {
		v.problem(v.name, 0, "lines 1 to %d are not there, and no line says that they were removed because of their age", v.First-1)
	}
	if h := v.head; h != nil && h.Seq > v.last.Seq {
		v.problem(v.name, 0, "ends with line %d, and there were %d, as the file head says", v.last.Seq, h.Seq)
	}
	switch h := v.options.Head; {
	case h == nil || v.seen:
	case h.Seq > v.last.Seq:
		v.problem(v.name, 0, "ends with line %d, and there were %d when the head was noted", v.last.Seq, h.Seq)
	case h.Seq < v.First:
		v.problem(v.name, 0, "begins with line %d; the head that was noted is line %d, which was removed because of its age", v.First, h.Seq)
	default:
		v.problem(v.name, 0, "has no line %d, which is the head that was noted", h.Seq)
	}
	if len(v.options.Keys) > 0 && v.Lines > 0 && !v.Keyed {
		v.problem(v.name, 0, "was made without the key that was given")
	}
}
