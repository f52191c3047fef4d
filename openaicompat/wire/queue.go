package wire

import "fmt"

// Queue returns the comment which says that a request waits at a position of a
// queue of such a length, from 1; 0 is that its turn has come.
func Queue(position, length int) string {
	return fmt.Sprintf(": queue %d of %d\n\n", position, length)
}

// ParseQueue reads the text of a comment that [Queue] has made.
func ParseQueue(comment []byte) (position, length int, ok bool) {
	n, err := fmt.Sscanf(string(comment), " queue %d of %d", &position, &length)
	return position, length, n == 2 && err == nil && position >= 0 && position <= length
}
