package chattest

import (
	"math/rand/v2"
	"slices"

	"bendi/chat"
)

// Pieces cuts a text up between runes, as by chance a server may.
func Pieces(r *rand.Rand, text string) []string {
	var out []string
	for _, c := range text {
		if len(out) == 0 || r.IntN(3) == 0 {
			out = append(out, "")
		}
		out[len(out)-1] += string(c)
	}
	return out
}

// Mixed returns the events of all lanes, those of each in their order and the
// lanes in turns as by chance.
func Mixed(r *rand.Rand, lanes ...[]chat.Event) []chat.Event {
	var events []chat.Event
	for len(lanes) > 0 {
		i := r.IntN(len(lanes))
		if len(lanes[i]) == 0 {
			lanes = slices.Delete(lanes, i, i+1)
			continue
		}
		events, lanes[i] = append(events, lanes[i][0]), lanes[i][1:]
	}
	return events
}
