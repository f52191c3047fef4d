package output

import (
	"slices"
	"strings"
	"testing"
)

func TestLines(t *testing.T) {
	for _, size := range []int{1, 3, 1000} {
		var got []string
		l := &Lines{Max: 10, Each: func(s string) { got = append(got, s) }}
		text := "one\n\ntwo\r\n12345678901234\nä\xffö\nlast"
		for chunk := range slices.Chunk([]byte(text), size) {
			if n, err := l.Write(chunk); n != len(chunk) || err != nil {
				t.Errorf("Write: %d, %v", n, err)
			}
		}
		l.Flush()
		want := []string{"one", "two", "1234567890 [4 more bytes cut off]", "ä\uFFFDö", "last"}
		if !slices.Equal(got, want) {
			t.Errorf("in pieces of %d: got %q, want %q", size, got, want)
		}
	}
}

func TestTailIsBounded(t *testing.T) {
	var end Tail
	const line = 2 << 10
	for range 1000 {
		end.Add(strings.Repeat("x", line))
	}
	if n := len(strings.Join(end.Lines(), "")); n > tailBytes || n < tailBytes-line {
		t.Errorf("it keeps %d bytes", n)
	}
}
