package filter

import "bendi/chat"

// mark returns the mark of the answer to a request.
func (l *Label) mark(id string) *chat.AIGC {
	propagator := l.Propagator
	if propagator == "" {
		propagator = l.Producer
	}
	return &chat.AIGC{
		Label: "1", ContentProducer: l.Producer, ProduceID: id, ReservedCode1: l.Reserved1,
		ContentPropagator: propagator, PropagateID: id, ReservedCode2: l.Reserved2,
	}
}

// printable reports whether s has the characters from ! to ~ alone.
func printable(s string) bool {
	for i := range len(s) {
		if s[i] < 0x21 || s[i] > 0x7E {
			return false
		}
	}
	return true
}
