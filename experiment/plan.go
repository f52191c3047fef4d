package experiment

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"time"

	"bendi/chat"
)

// A Plan says what an experiment compares.
type Plan struct {
	Name  string
	Route string
	Model string // requests for it take part, and no others
	Seed  string // of the assignment; two with the same have the same units together

	By      []Unit // who counts as one: the first of these that a request has
	Arms    []Arm  // at least two
	Control string // the arm that others are compared with, and that stands in for a stopped one

	Decide       []string // metrics that share the chance of a false verdict; empty: all that have a good direction
	Guards       Guards
	Prices       map[string]Price // by backend
	Manual       bool             // it does not start by itself
	KeepComments bool
}

// An Arm is one way to answer.
type Arm struct {
	Name   string
	Weight int  // its share, in relation to the others'
	Shadow bool // it gets a copy of each request, and its answer is told to nobody

	As    string     // the model that is asked for; empty: as the request does
	Model chat.Model // who answers; nil: the route. A shadow has its own

	// May reports whether the arm may be told a request; nil: whenever the route
	// may.
	May func(*chat.Request) bool

	System    string // put before the request's own system message
	Replace   bool   // or in its place
	Params    map[string]float64
	MaxTokens int // most tokens of an answer; 0: as the request says
}

// A Unit says who counts as one.
type Unit string

const (
	Session Unit = "session" // a conversation, by the name its client gives it
	User    Unit = "user"    // the field user of a request, or safety_identifier
	Key     Unit = "key"     // the API key
)

// A Price is in any currency, for a million tokens.
type Price struct{ Prompt, Completion float64 }

// Guards are limits that an arm is stopped at. Each is a share of requests; a
// limit of 0 is none.
type Guards struct {
	Errors float64       // that end in an error
	TTFT   time.Duration // that 95 of 100 answers begin within
	Filter float64       // in whose answer the filter finds something
	After  int           // requests of an arm before it may be stopped
}

// arm returns the arm of a name.
func (p *Plan) arm(name string) *Arm {
	for i := range p.Arms {
		if p.Arms[i].Name == name {
			return &p.Arms[i]
		}
	}
	return nil
}

// instructs reports whether some arm sets a system message.
func (p *Plan) instructs() bool {
	return slices.ContainsFunc(p.Arms, func(a Arm) bool { return a.System != "" })
}

// weights returns the shares of the arms that answer.
func (p *Plan) weights() map[string]int {
	all := make(map[string]int)
	for _, a := range p.Arms {
		if !a.Shadow {
			all[a.Name] = a.Weight
		}
	}
	return all
}

// print tells plans apart whose figures cannot be put together. It does not
// look at the weights, which may change while an experiment runs.
func (p *Plan) print() string {
	type arm struct {
		Name, As, System string
		Shadow, Replace  bool
		Params           map[string]float64
		MaxTokens        int
	}
	var arms []arm
	for _, a := range p.Arms {
		arms = append(arms, arm{a.Name, a.As, a.System, a.Shadow, a.Replace, a.Params, a.MaxTokens})
	}
	all := []any{p.Route, p.Model, p.Seed, p.By, p.Control, arms}
	if len(p.Decide) > 0 { // what decides is chosen before anything is seen
		all = append(all, p.Decide)
	}
	text, _ := json.Marshal(all) // of plain values
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:8])
}

// names lists the arms, the control first and the shadows last.
func (p *Plan) names() []string {
	names := []string{p.Control}
	for _, shadow := range []bool{false, true} {
		for _, a := range p.Arms {
			if a.Shadow == shadow && a.Name != p.Control {
				names = append(names, a.Name)
			}
		}
	}
	return names
}
