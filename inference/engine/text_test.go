package engine

import (
	"strings"
	"testing"
)

// However the bytes are cut up, the runes that come out are those of the whole.
func FuzzRuneBuffer(f *testing.F) {
	f.Add([]byte("你好,世界"), uint8(1))
	f.Add([]byte("a\xe4\xbd"), uint8(2))
	f.Add([]byte("\xff\xe4\xbd\xa0\x80😀"), uint8(3))
	f.Fuzz(func(t *testing.T, text []byte, size uint8) {
		var r runeBuffer
		var got strings.Builder
		for rest := text; len(rest) > 0; {
			n := min(max(int(size), 1), len(rest))
			piece := r.push(rest[:n])
			if strings.ToValidUTF8(piece, "") != piece {
				t.Fatalf("half a rune came out: %q", piece)
			}
			got.WriteString(piece)
			rest = rest[n:]
		}
		got.WriteString(r.flush())
		if want := string([]rune(string(text))); got.String() != want {
			t.Errorf("in pieces of %d: %q, whole: %q", size, got.String(), want)
		}
	})
}

// However the text is cut up, it ends before the same stop string.
func FuzzStopFilter(f *testing.F) {
	f.Add("你好<|end|>再见", "<|end|>", "end", uint8(1))
	f.Add("aaab", "aab", "aaab", uint8(2))
	f.Add("abcabd", "abd", "b", uint8(3))
	f.Fuzz(func(t *testing.T, text, stop1, stop2 string, size uint8) {
		if stop1 == "" || stop2 == "" {
			t.Skip("stop strings are never empty")
		}
		words := []string{stop1, stop2}
		whole := stopFilter{words: words}
		want, wantStopped := whole.push(text)
		want += whole.flush()
		for _, w := range words {
			if strings.Contains(want, w) {
				t.Errorf("%q let %q through", want, w)
			}
		}

		pieces := stopFilter{words: words}
		var got strings.Builder
		var stopped bool
		for rest := text; len(rest) > 0 && !stopped; {
			n := min(max(int(size), 1), len(rest))
			var out string
			out, stopped = pieces.push(rest[:n])
			got.WriteString(out)
			rest = rest[n:]
		}
		got.WriteString(pieces.flush())
		if got.String() != want || stopped != wantStopped {
			t.Errorf("in pieces of %d: %q, %v; whole: %q, %v", size, got.String(), stopped, want, wantStopped)
		}
	})
}

// Nothing is held back that cannot become a stop string.
func TestStopFilterHoldsBackNoMoreThanItMust(t *testing.T) {
	f := stopFilter{words: []string{"。\n", "User:"}}
	tests := []struct{ in, out string }{
		{"你好", "你好"}, {"。", ""}, {"再", "。再"}, {"U", ""}, {"s", ""}, {"ed", "Used"},
	}
	for _, tt := range tests {
		if out, stopped := f.push(tt.in); out != tt.out || stopped {
			t.Errorf("push(%q) = %q, %v; want %q", tt.in, out, stopped, tt.out)
		}
	}
}
