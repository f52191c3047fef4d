package experiment

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"math"
	"strconv"

	"bendi/chat"
)

// longestUser is the length of the longest name of a user that counts.
const longestUser = 512

// unit returns who counts as one for a request, and as what; empty: nobody that
// is known.
func (p *Plan) unit(req *chat.Request) (unit string, by Unit) {
	for _, by := range p.By {
		var name string
		switch by {
		case Session:
			name = req.Session
		case User:
			name = userOf(req)
		case Key:
			if req.Principal != "" {
				return join(string(Key), req.Principal), Key
			}
		}
		if name != "" { // which is a name among those of its principal
			return join(string(by), req.Principal, name), by
		}
	}
	return "", ""
}

func userOf(req *chat.Request) string {
	if req.User != "" && len(req.User) <= longestUser {
		return req.User
	}
	for _, field := range []string{"user", "safety_identifier"} {
		var name string
		if json.Unmarshal(req.Extra[field], &name) == nil && name != "" && len(name) <= longestUser {
			return name
		}
	}
	return ""
}

// join makes one text of several, of no others the same.
func join(parts ...string) string {
	var all []byte
	for _, part := range parts {
		all = strconv.AppendInt(all, int64(len(part)), 10)
		all = append(append(all, ':'), part...)
	}
	return string(all)
}

// Assign returns the arm of a unit: the one with the highest score, which is
// drawn by a hash of the seed, the arm and the unit, and grows with the arm's
// weight (weighted rendezvous hashing). An arm whose weight grows thus takes
// units from others, and between the others nothing changes; an arm that goes
// leaves its units to the others by their weights.
func Assign(seed, unit string, weights map[string]int) string {
	best, arm := math.Inf(-1), ""
	for name, weight := range weights {
		if weight <= 0 {
			continue
		}
		sum := sha256.Sum256([]byte(join(seed, name, unit)))
		u := (float64(binary.BigEndian.Uint64(sum[:8])>>11) + 0.5) / (1 << 53) // above 0 and below 1
		score := -float64(weight) / math.Log(u)
		if score > best || score == best && name < arm {
			best, arm = score, name
		}
	}
	return arm
}
