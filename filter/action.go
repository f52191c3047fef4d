package filter

import (
	"fmt"
	"strings"
)

// An Action is what is done about a finding. Of several, the last in this list
// wins.
type Action uint8

const (
	None       Action = iota // it is as if nothing had been found
	Log                      // it is told to whoever observes
	Review                   // likewise, and marked for a person to look at
	RouteLocal               // the request must not leave the house
	Mask                     // asterisks take its place
	Replace                  // a text takes its place
	Block                    // the request is refused, or the answer ends before it
)

var actionNames = [...]string{"none", "log", "review", "route_local", "mask", "replace", "block"}

func (a Action) String() string {
	if int(a) < len(actionNames) {
		return actionNames[a]
	}
	return fmt.Sprintf("action %d", uint8(a))
}

// ParseAction reads the name of an action.
func ParseAction(name string) (Action, error) {
	for i, n := range actionNames {
		if n == name {
			return Action(i), nil
		}
	}
	return None, fmt.Errorf("%q is no action; there are %s", name, strings.Join(actionNames[:], ", "))
}

func (a Action) valid() bool { return int(a) < len(actionNames) }

// changes reports whether a rewrites the text.
func (a Action) changes() bool { return a == Mask || a == Replace }

// A Direction says whose text it is.
type Direction uint8

const (
	Request Direction = iota // what a client sends
	Answer                   // what a model says
)

func (d Direction) String() string {
	if d == Answer {
		return "answer"
	}
	return "request"
}
