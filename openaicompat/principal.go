package openaicompat

import (
	"encoding/json"
	"net/http"
	"strconv"

	"bendi/access"
	"bendi/chat"
)

// Headers by which a gateway tells its workers on whose behalf it asks. A
// server believes them only where Inside is set.
const (
	principalHeader = "X-Bendi-Principal"
	priorityHeader  = "X-Bendi-Priority"
)

// principal returns who asks: the API key by its name, or inside, whom the
// gateway names.
func (s *server) principal(h http.Header, x *exchange) string {
	if s.Inside {
		return h.Get(principalHeader)
	}
	return x.who.Name
}

// priority returns the priority of a request: that of its key and that of its
// route together. What the body says can only lower it; there it is vLLM's, of
// which the lowest goes first.
func (s *server) priority(h http.Header, x *exchange, rt Route, body json.RawMessage) (int, error) {
	if s.Inside {
		n, _ := strconv.Atoi(h.Get(priorityHeader))
		return bounded(n), nil
	}
	priority := bounded(rt.Priority + x.who.Priority)
	if len(body) == 0 {
		return priority, nil
	}
	var later int
	if err := json.Unmarshal(body, &later); err != nil {
		return 0, chat.BadParam("priority", "'priority' must be a whole number.")
	}
	if later < 0 {
		return 0, chat.BadParam("priority", "'priority' is %d; a request can be put behind others by a number above 0, and not before them.", later)
	}
	return bounded(priority - min(later, 2*access.MaxPriority)), nil
}

func bounded(priority int) int { return max(-access.MaxPriority, min(priority, access.MaxPriority)) }
