package audit

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"time"

	"bendi/chat"
	"bendi/ledger"
	"bendi/ledger/chain"
)

// Kind is that of the lines of a chain that have records.
const Kind = "request"

// A Record is what is kept of a request, as JSON.
type Record struct {
	ID        string    `json:"id"`
	Answer    string    `json:"answer,omitempty"` // as the client was told its name
	Start     time.Time `json:"start"`
	Key       string    `json:"key,omitempty"`       // who asked, by the name of the key
	Session   string    `json:"session,omitempty"`   // see SessionHash
	Of        string    `json:"of,omitempty"`        // whose session that is, by the name of the key; empty: of Key
	Object    string    `json:"object,omitempty"`    // what an operator's action was about, by its name
	Method    string    `json:"method,omitempty"`    // of HTTP; empty: POST
	Operation string    `json:"operation,omitempty"` // empty: there is no such path
	Route     string    `json:"route,omitempty"`
	Model     string    `json:"model,omitempty"`
	Backend   string    `json:"backend,omitempty"` // who answered
	Zone      string    `json:"zone,omitempty"`    // where that is: inside or outside of the house
	Arm       string    `json:"arm,omitempty"`

	Status  int    `json:"status"`
	Outcome string `json:"outcome"`        // success, failed or gone
	Code    string `json:"code,omitempty"` // of an error: what the client was told, or else its kind
	Stream  bool   `json:"stream,omitempty"`
	Finish  string `json:"finish,omitempty"`

	Classes  []string `json:"classes,omitempty"` // of data in the request
	Request  *Found   `json:"filter_request,omitempty"`
	Reply    *Found   `json:"filter_answer,omitempty"`
	Lexicons string   `json:"lexicons,omitempty"` // version of those in force at the end

	Prompt     int  `json:"prompt_tokens,omitempty"`
	Cached     int  `json:"cached_tokens,omitempty"`
	Completion int  `json:"completion_tokens,omitempty"`
	Reasoning  int  `json:"reasoning_tokens,omitempty"`
	Partial    bool `json:"partial,omitempty"` // the tokens of an answer that was cut short: at least so many

	First float64 `json:"first_ms,omitempty"`
	Total float64 `json:"total_ms"`

	Sent []Sent `json:"sent,omitempty"` // each attempt at a backend of the configuration
}

// Found is what the filter did.
type Found struct {
	Action     string   `json:"action"`
	Rules      []string `json:"rules,omitempty"`
	Categories []string `json:"categories,omitempty"`
	Level      int      `json:"level,omitempty"`
}

// Sent is a body that was sent to a backend.
type Sent struct {
	Backend string  `json:"backend"`
	Zone    string  `json:"zone"`
	After   float64 `json:"after_ms"`
	Bytes   int     `json:"bytes"`
	SHA256  string  `json:"sha256,omitempty"` // of the bytes that left the house
}

// Facts are what an entry does not tell.
type Facts struct {
	Zone     string // of the backend that answered
	Lexicons string
}

// RecordOf makes the record of an entry.
func RecordOf(e *ledger.Entry, f Facts) *Record {
	r := &Record{
		ID: e.ID, Answer: e.AnswerID, Start: e.Start.UTC(), Key: e.Principal, Session: SessionHash(cmp.Or(e.Of, e.Principal), e.Session), Of: e.Of, Object: e.Object,
		Operation: e.Operation, Route: e.Route, Model: e.Model, Backend: e.Backend, Arm: e.Arm,
		Status: e.Status, Outcome: string(e.Outcome), Code: e.Code(), Stream: e.Stream, Finish: string(e.Finish),
		Classes: e.Classes, Request: found(e.Request), Reply: found(e.Answer), Lexicons: f.Lexicons,
		Prompt: e.Usage.PromptTokens, Cached: e.Usage.CachedTokens, Completion: e.Usage.CompletionTokens, Reasoning: e.Usage.ReasoningTokens,
		Partial: e.Usage.Partial, First: ms(e.First), Total: ms(e.Total),
	}
	if e.Method != "POST" {
		r.Method = e.Method
	}
	if e.Backend != "" {
		r.Zone = f.Zone
	}
	for _, s := range e.Sent {
		zone := "inside"
		if s.Outside {
			zone = "outside"
		}
		r.Sent = append(r.Sent, Sent{s.Backend, zone, ms(s.After), s.Bytes, s.SHA256})
	}
	return r
}

// Encode returns the record as a line has it.
func (r *Record) Encode() ([]byte, error) { return json.Marshal(r) }

// Of reads the record of a line. Lines of other kinds have none.
func Of(l chain.Line) (*Record, bool) {
	r := new(Record)
	return r, l.Kind == Kind && json.Unmarshal(l.Data, r) == nil
}

// SessionHash is what a record has of a session: whoever knows its name can
// find it, and nobody can read the name.
func SessionHash(key, session string) string {
	if session == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(key + "\x00" + session))
	return hex.EncodeToString(sum[:12])
}

func found(f *chat.Filtered) *Found {
	if f == nil {
		return nil
	}
	return &Found{f.Action, f.Rules, f.Categories, f.Level}
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1e3 }
