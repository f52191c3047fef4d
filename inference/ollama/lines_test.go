package ollama

import (
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

// bits reads in pieces of chance.
type bits struct {
	text string
	r    *rand.Rand
}

func (b *bits) Read(p []byte) (int, error) {
	if b.text == "" {
		return 0, io.EOF
	}
	n := copy(p, b.text[:min(len(b.text), 1+b.r.IntN(7))])
	b.text = b.text[n:]
	return n, nil
}

func all(t *testing.T, r io.Reader) (got []string) {
	for line, err := range lines(r, 1<<20) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, string(line))
	}
	return got
}

// However the bytes of a stream are cut up, the lines are the same: those that
// are not empty, without their ends and the white space around them.
func FuzzLines(f *testing.F) {
	for _, s := range []string{"", "\n", "a\nb\n", "a\r\n\r\n b \nc", `{"message":{"content":"你好"}}` + "\n" + `{"done":true}`, strings.Repeat("x", 40<<10) + "\ny"} {
		f.Add(s, uint64(1))
	}
	f.Fuzz(func(t *testing.T, stream string, seed uint64) {
		var want []string
		for _, line := range strings.Split(stream, "\n") {
			if line = strings.TrimSpace(line); line != "" {
				want = append(want, line)
			}
		}
		for name, r := range map[string]io.Reader{
			"whole":          strings.NewReader(stream),
			"byte by byte":   iotest.OneByteReader(strings.NewReader(stream)),
			"in chance bits": &bits{stream, rand.New(rand.NewPCG(seed, 0))},
		} {
			if got := all(t, r); !slices.Equal(got, want) {
				t.Errorf("%s: got %q, want %q", name, got, want)
			}
		}
	})
}

// Whatever a server sends, decoding it gives a line or an error, and a call
// that is passed on has a name and an object.
func FuzzDecode(f *testing.F) {
	f.Add(`{"message":{"content":"a","thinking":"b","tool_calls":[{"function":{"name":"f","arguments":{"b":1,"a":2}}}]},"done":true,"done_reason":"stop","prompt_eval_count":3}`)
	f.Add(`{"error":{"error":1},"message":[],"done":"yes"}`)
	f.Fuzz(func(t *testing.T, text string) {
		message([]byte(text))
		inBand([]byte(text), "m")
		l, err := decode([]byte(text))
		if err != nil {
			return
		}
		for i, c := range l.Message.ToolCalls {
			if d, err := toolDelta(c, i); err == nil && (d.Name == "" || d.ID == "" || !strings.HasPrefix(d.Arguments, "{")) {
				t.Errorf("%q: %+v", text, d)
			}
		}
	})
}

func TestLinesLimit(t *testing.T) {
	for _, n := range []int{10, 11} {
		var last error
		for _, err := range lines(strings.NewReader(strings.Repeat("x", n)+"\n"), 11) {
			last = err
		}
		if (last != nil) != (n == 11) {
			t.Errorf("%d bytes and an end, limit 11: %v", n, last)
		}
	}
	broken := iotest.TimeoutReader(strings.NewReader("a\nb"))
	var got []string
	var last error
	for line, err := range lines(iotest.OneByteReader(broken), 10) {
		got, last = append(got, string(line)), err
	}
	if last == nil {
		t.Errorf("a read that failed: %q", got)
	}
}
