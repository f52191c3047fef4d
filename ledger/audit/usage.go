package audit

import (
	"cmp"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"bendi/ledger"
	"bendi/ledger/chain"
)

// A Price is for a million tokens, in any currency.
type Price struct{ Prompt, Completion float64 }

// A Cell is what records of one day, key, model and route add up to.
type Cell struct {
	Day   string `json:"day"` // of UTC
	Key   string `json:"key"`
	Model string `json:"model"`
	Route string `json:"route"`

	Sum
}

// A Sum is what records add up to.
type Sum struct {
	Requests   int `json:"requests"`
	Failed     int `json:"failed"` // of them
	Gone       int `json:"gone"`   // likewise, whose client left
	Prompt     int `json:"prompt_tokens"`
	Cached     int `json:"cached_tokens"` // of the prompt
	Completion int `json:"completion_tokens"`
	Reasoning  int `json:"reasoning_tokens"` // of the completion
}

func (s *Sum) add(o Sum) {
	s.Requests += o.Requests
	s.Failed += o.Failed
	s.Gone += o.Gone
	s.Prompt += o.Prompt
	s.Cached += o.Cached
	s.Completion += o.Completion
	s.Reasoning += o.Reasoning
}

type cellKey struct{ day, key, model, route string }

// cells are those of a file, so far.
type cells struct {
	At  int64 // bytes of the file that they are of
	All map[cellKey]*Sum
}

func (c *cells) count(r *Record) {
	if r.Operation == ledger.Shadow {
		return // nobody is charged for copies
	}
	k := cellKey{r.Start.UTC().Format(time.DateOnly), r.Key, r.Model, r.Route}
	s := c.All[k]
	if s == nil {
		s = new(Sum)
		c.All[k] = s
	}
	one := Sum{Requests: 1, Prompt: r.Prompt, Cached: r.Cached, Completion: r.Completion, Reasoning: r.Reasoning}
	switch ledger.Outcome(r.Outcome) {
	case ledger.Failed:
		one.Failed = 1
	case ledger.Gone:
		one.Gone = 1
	}
	s.add(one)
}

// An Index adds up the records of a folder. It reads on where it has stopped,
// and what it has of a file that is full lies beside that, to be made again
// from the lines whenever it is not there.
type Index struct {
	Dir  string
	Keep bool // whether it may write

	mu    sync.Mutex
	files map[string]*cells
}

// besideTail is behind the name of a file of lines; see package chain, which
// removes both together.
const besideTail = ".usage"

// beside is what lies beside a file.
type beside struct {
	Bytes int64  `json:"bytes"` // of the file
	Cells []Cell `json:"cells"`
}

// refresh reads what is new.
func (x *Index) refresh() error {
	names, err := chain.Files(x.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	old := x.files
	x.files = make(map[string]*cells)
	for i, name := range names {
		c := old[name]
		path := filepath.Join(x.Dir, name)
		info, err := os.Stat(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue // it was removed because of its age
		}
		if err != nil {
			return err
		}
		isLast := i == len(names)-1
		if c == nil && !isLast {
			c = load(path+besideTail, info.Size())
		}
		if c == nil || c.At > info.Size() {
			c = &cells{All: make(map[cellKey]*Sum)}
		}
		x.files[name] = c
		if c.At == info.Size() {
			continue
		}
		for l, err := range chain.LinesOf(path, c.At) {
			if l.End > c.At {
				c.At = l.End
			}
			if err != nil {
				continue // which line, `bendi audit verify` says
			}
			if r, ok := Of(l.Line); ok {
				c.count(r)
			}
		}
		if !isLast && x.Keep {
			c.save(path + besideTail) // if it cannot be, it is made again
		}
	}
	return nil
}

func load(path string, size int64) *cells {
	text, err := os.ReadFile(path)
	var b beside
	if err != nil || json.Unmarshal(text, &b) != nil || b.Bytes != size {
		return nil
	}
	c := &cells{At: size, All: make(map[cellKey]*Sum)}
	for _, cell := range b.Cells {
		c.All[cellKey{cell.Day, cell.Key, cell.Model, cell.Route}] = new(cell.Sum)
	}
	return c
}

func (c *cells) save(path string) {
	b := beside{Bytes: c.At}
	for k, s := range c.All {
		b.Cells = append(b.Cells, Cell{k.day, k.key, k.model, k.route, *s})
	}
	text, err := json.Marshal(b)
	if err == nil && os.WriteFile(path+".new", text, 0o600) == nil {
		os.Rename(path+".new", path)
	}
}

// A UsageQuery says what is wanted of the usage.
type UsageQuery struct {
	By       []string // day, key, model, route; those that are not named are added up
	From, To string   // days, inclusive; empty: all
	Prices   map[string]Price
}

// dimensions are what usage is told by.
var dimensions = []string{"day", "key", "model", "route"}

// A Row is a row of the usage. What it is not by is empty.
type Row struct {
	Cell
	Cost *float64 `json:"cost"` // nil: there is no price for a model in it
}

// Check reports what is wrong with a query.
func (q *UsageQuery) Check() error {
	if len(q.By) == 0 {
		return errors.New("by: is missing: day, key, model or route, or several with commas")
	}
	for _, by := range q.By {
		if !slices.Contains(dimensions, by) {
			return fmt.Errorf("by: want %s, or several with commas, have %q", strings.Join(dimensions, ", "), by)
		}
	}
	for name, day := range map[string]string{"from": q.From, "to": q.To} {
		if _, err := time.Parse(time.DateOnly, day); day != "" && err != nil {
			return fmt.Errorf("%s: want a day such as 2026-11-25 (UTC), have %q", name, day)
		}
	}
	if q.From != "" && q.To != "" && q.From > q.To {
		return fmt.Errorf("from: %s is after to, %s", q.From, q.To)
	}
	return nil
}

// Usage adds up the records, in the order of what they are told by.
func (x *Index) Usage(q UsageQuery) ([]Row, error) {
	if err := q.Check(); err != nil {
		return nil, err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if err := x.refresh(); err != nil {
		return nil, err
	}
	rows := make(map[cellKey]*Row)
	for _, c := range x.files {
		for k, s := range c.All {
			if q.From != "" && k.day < q.From || q.To != "" && k.day > q.To {
				continue
			}
			var own cellKey
			for _, by := range q.By {
				switch by {
				case "day":
					own.day = k.day
				case "key":
					own.key = k.key
				case "model":
					own.model = k.model
				case "route":
					own.route = k.route
				}
			}
			r := rows[own]
			if r == nil {
				r = &Row{Cell: Cell{own.day, own.key, own.model, own.route, Sum{}}, Cost: new(float64)}
				rows[own] = r
			}
			r.add(*s)
			r.charge(k.model, *s, q.Prices)
		}
	}
	all := []Row{}
	for _, r := range rows {
		if r.Cost != nil {
			*r.Cost = math.Round(*r.Cost*1e6) / 1e6
		}
		all = append(all, *r)
	}
	slices.SortFunc(all, func(a, b Row) int {
		return cmp.Or(cmp.Compare(a.Day, b.Day), cmp.Compare(a.Key, b.Key), cmp.Compare(a.Model, b.Model), cmp.Compare(a.Route, b.Route))
	})
	return all, nil
}

// charge adds the price of tokens, or that there is none.
func (r *Row) charge(model string, s Sum, prices map[string]Price) {
	if s.Prompt+s.Completion == 0 || r.Cost == nil {
		return
	}
	p, ok := prices[model]
	if !ok {
		r.Cost = nil
		return
	}
	*r.Cost += (float64(s.Prompt)*p.Prompt + float64(s.Completion)*p.Completion) / 1e6
}

// WriteUsageCSV writes rows as CSV, with a header.
func WriteUsageCSV(w io.Writer, rows []Row) error {
	out := csv.NewWriter(w)
	out.Write([]string{"day", "key", "model", "route", "requests", "failed", "gone", "prompt_tokens", "cached_tokens", "completion_tokens", "reasoning_tokens", "cost"})
	for _, r := range rows {
		row := []string{r.Day, r.Key, r.Model, r.Route}
		for _, n := range []int{r.Requests, r.Failed, r.Gone, r.Prompt, r.Cached, r.Completion, r.Reasoning} {
			row = append(row, strconv.Itoa(n))
		}
		out.Write(harmless(append(row, r.CostText())))
	}
	out.Flush()
	return out.Error()
}

// CostText returns the cost as text; empty where it is not known.
func (r Row) CostText() string {
	if r.Cost == nil {
		return ""
	}
	return strconv.FormatFloat(*r.Cost, 'f', -1, 64)
}
