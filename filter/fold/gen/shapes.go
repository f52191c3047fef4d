package main

import (
	"bufio"
	"fmt"
	"os"
	"strings"
)

// A shape says how a character is put together: "a(讠,乍)" is 讠 to the left
// of 乍. A part without a code point of its own is a number there.
type shape struct {
	how   string // a: side by side, d: one above the other, s: around, r: repeated, ...
	parts []string
}

// readShapes reads the CJK Decomposition Data.
func readShapes(name string) (map[string]shape, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("the CJK Decomposition Data: %w", err)
	}
	defer f.Close()
	shapes := map[string]shape{}
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		whole, rest, ok := strings.Cut(strings.TrimSpace(lines.Text()), ":")
		how, list, ok2 := strings.Cut(strings.TrimSuffix(rest, ")"), "(")
		if ok && ok2 && list != "" {
			list = strings.ReplaceAll(list, "卄", "艹") // the data write 草 that way
			shapes[whole] = shape{how, strings.Split(list, ",")}
		}
	}
	return shapes, lines.Err()
}

// split tells the parts in the order they are written in, or nil for what
// nobody spells out.
func (s shape) split() []string {
	how, _, _ := strings.Cut(s.how, "/")
	switch how {
	case "a", "d", "s", "st", "stl", "str", "sl", "sb", "sbl":
		if len(s.parts) == 2 {
			return s.parts
		}
	case "ra", "rd":
		return []string{s.parts[0], s.parts[0]}
	case "r3tr", "r3a", "r3d", "r3st", "r3gw":
		return []string{s.parts[0], s.parts[0], s.parts[0]}
	}
	return nil
}
