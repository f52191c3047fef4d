// Package param has the sampling parameters that an arm of an experiment may
// set, for the configuration that checks them and the arm that sets them.
package param

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"bendi/chat"
)

// params are what an arm may set, and from what to what.
var params = map[string]struct {
	least, most float64
	whole       bool
	set         func(*chat.Sampling, float64)
}{
	"temperature":       {0, 2, false, func(s *chat.Sampling, v float64) { s.Temperature = &v }},
	"top_p":             {1e-6, 1, false, func(s *chat.Sampling, v float64) { s.TopP = &v }},
	"top_k":             {0, 1e6, true, func(s *chat.Sampling, v float64) { s.TopK = new(int(v)) }},
	"min_p":             {0, 1, false, func(s *chat.Sampling, v float64) { s.MinP = &v }},
	"typical_p":         {1e-6, 1, false, func(s *chat.Sampling, v float64) { s.TypicalP = &v }},
	"frequency_penalty": {-2, 2, false, func(s *chat.Sampling, v float64) { s.FrequencyPenalty = &v }},
	"presence_penalty":  {-2, 2, false, func(s *chat.Sampling, v float64) { s.PresencePenalty = &v }},
	"repeat_penalty":    {1e-6, 10, false, func(s *chat.Sampling, v float64) { s.RepeatPenalty = &v }},
	"seed":              {math.MinInt32, math.MaxInt32, true, func(s *chat.Sampling, v float64) { s.Seed = new(int64(v)) }},
}

// Check returns what is wrong with a parameter.
func Check(name string, value float64) error {
	p, ok := params[name]
	switch {
	case !ok:
		return fmt.Errorf("no parameter %q; there are: %s", name, strings.Join(slices.Sorted(maps.Keys(params)), ", "))
	case p.whole && value != math.Trunc(value):
		return fmt.Errorf("want a whole number, have %v", value)
	case !(value >= p.least && value <= p.most):
		return fmt.Errorf("want %v to %v, have %v", p.least, p.most, value)
	}
	return nil
}

// Set sets a parameter that has been checked.
func Set(s *chat.Sampling, name string, value float64) { params[name].set(s, value) }
