package engine

import (
	"strings"
	"testing"
)

// A round generates as many tokens as it says, also where the prompts need
// several batches, and can be followed by another.
func TestCeiling(t *testing.T) {
	if _, err := LoadLibrary(testLibrary); err != nil {
		t.Fatal(err)
	}
	c, err := OpenCeiling(Config{Model: testModel, Slots: 3, Context: 512, Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, shape := range [][3]int{{1, 1, 1}, {3, 300, 4}, {2, prefillChunk / 2, 2}} {
		r, err := c.Measure(shape[0], shape[1], shape[2])
		if err != nil {
			t.Fatal(err)
		}
		if tokens := r.TokensPerSecond * r.Seconds; int(tokens+0.5) != shape[0]*shape[2] {
			t.Errorf("%v: %g tokens in all", shape, tokens)
		}
		if r.PrefillSeconds <= 0 || r.PrefillSeconds > r.Seconds {
			t.Errorf("%v: %g s of %g s for the prompts", shape, r.PrefillSeconds, r.Seconds)
		}
	}
	for _, tt := range []struct {
		streams, in, out int
		want             string
	}{
		{4, 1, 1, "1 to the 3 slots, not 4"},
		{0, 1, 1, "not 0"},
		{3, 500, 100, "do not fit into a KV cache of 1536"},
		{1, 0, 1, "do not fit"},
	} {
		if _, err := c.Measure(tt.streams, tt.in, tt.out); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("Measure(%d, %d, %d): %v, want an error with %q", tt.streams, tt.in, tt.out, err, tt.want)
		}
	}
}
