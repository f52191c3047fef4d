package filter

import (
	"encoding/json"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// A scene is a text with what is looked for in it and done about it.
type scene struct {
	text    string
	words   []string
	rulings []ruling
	json    bool
}

func (s scene) editor() (*editor, *testJudge) {
	j := &testJudge{rulings: s.rulings}
	e := &editor{judge: j, stages: []stage{{Finder: &slowFinder{words: s.words[:len(s.words)/2]}}, {Finder: &slowFinder{words: s.words}, source: 1}}}
	if s.json {
		e.json = newLexer(true)
	}
	return e, j
}

// whole returns the output for the whole text at once.
func (s scene) whole() (out string, e *editor, j *testJudge) {
	e, j = s.editor()
	return e.write(s.text, true), e, j
}

// cuts returns the pieces of text between offsets where cut says so.
func pieces(text string, cut func(i int) bool) []string {
	var out []string
	from := 0
	for i := 1; i < len(text); i++ {
		if cut(i) {
			out = append(out, text[from:i])
			from = i
		}
	}
	return append(out, text[from:])
}

// check holds the editor to its promises for one scene and one way to cut it.
func (s scene) check(t *testing.T, cut func(i int) bool) {
	t.Helper()
	want, whole, judged := s.whole()
	if oracle := s.oracle(); !s.json && want != oracle {
		t.Errorf("%+v:\nwhole  %q\noracle %q", s, want, oracle)
	}

	e, j := s.editor()
	var got strings.Builder
	parts := pieces(s.text, cut)
	for i, p := range parts {
		out := e.write(p, i == len(parts)-1)
		if utf8.ValidString(s.text) && !utf8.ValidString(out) {
			t.Errorf("%+v: piece %d gives %q, which is not whole runes", s, i, out)
		}
		got.WriteString(out)
		if !strings.HasPrefix(want, got.String()) {
			t.Fatalf("%+v in pieces %q:\nout  %q\nwant %q", s, parts[:i+1], got.String(), want)
		}
		if i < len(parts)-1 && !s.json && !e.altered {
			if held := e.read - got.Len(); held != s.minimal(e.read) {
				t.Errorf("%+v: after %d bytes %d are held back, %d have to be", s, e.read, held, s.minimal(e.read))
			}
		}
	}
	if got.String() != want || e.blocked != whole.blocked || e.altered != whole.altered {
		t.Errorf("%+v in pieces %q:\ngot  %q (blocked %v)\nwant %q (blocked %v)", s, parts, got.String(), e.blocked, want, whole.blocked)
	}
	if !slices.Equal(j.asked, judged.asked) || !slices.Equal(j.texts, judged.texts) {
		t.Errorf("%+v in pieces %q:\nasked about %+v %q\nwhole       %+v %q", s, parts, j.asked, j.texts, judged.asked, judged.texts)
	}
	if s.json && json.Valid([]byte(s.text)) && !e.blocked && !json.Valid([]byte(want)) {
		t.Errorf("%+v: %q is not JSON any more", s, want)
	}

	// The cuts of a text that is there as a whole come to the same, in however
	// many parts it is.
	if got := strings.Join(s.apart(parts), ""); got != want && !whole.blocked {
		t.Errorf("%+v: cut in parts %q it is %q, want %q", s, parts, got, want)
	}

	again := s
	again.text = want
	if twice, _, _ := again.whole(); twice != want {
		t.Errorf("%+v: %q becomes %q when it is filtered again", s, want, twice)
	}
}

// apart returns the parts of the text with its cuts made in them.
func (s scene) apart(parts []string) []string {
	var cuts []cut
	e, _ := s.editor()
	e.cuts = &cuts
	e.write(s.text, true)
	return apply(parts, cuts)
}

// oracle is the output by the definition: leftmost, then longest, and nothing
// from a blocking word on.
func (s scene) oracle() string {
	var b strings.Builder
	for i := 0; i < len(s.text); {
		end, best := 0, ruling{}
		for r, w := range s.words {
			n, is, _ := matchAt(s.text[i:], w)
			switch a := s.rulings[r]; {
			case !is || a.Action < Mask:
			case a.Action == Block:
				return b.String()
			case n > end || n == end && a.Action > best.Action:
				end, best = n, a
			}
		}
		if end == 0 {
			b.WriteByte(s.text[i])
			i++
			continue
		}
		// A blocking word may begin within what is replaced.
		for k := i; k < i+end; k++ {
			for r, w := range s.words {
				if _, is, _ := matchAt(s.text[k:], w); is && s.rulings[r].Action == Block {
					b.WriteString(best.put)
					return b.String()
				}
			}
		}
		b.WriteString(best.put)
		i += end
		for i < len(s.text) {
			r, size := utf8.DecodeRuneInString(s.text[i:])
			if !clings(r) {
				break
			}
			i += size
		}
	}
	return b.String()
}

// minimal is how much of the text has to be held back when n bytes are read:
// from the first place on where a word may still be going on.
func (s scene) minimal(n int) int {
	text := s.text[:n]
	for i := range n {
		if !utf8.RuneStart(text[i]) {
			continue
		}
		if !utf8.FullRuneInString(text[i:]) {
			return n - i
		}
		for _, w := range s.words {
			if _, _, open := matchAt(text[i:], w); open {
				return n - i
			}
		}
	}
	return 0
}

// A draw makes scenes of random numbers.
type draw struct{ *rand.Rand }

func (d draw) scene() scene {
	alphabet := []string{"a", "b", "c", "赌", "博", "é", "😀", "-", "\u0301", "\ufe0f"}
	text := func(n int, from []string) string {
		var b strings.Builder
		for range n {
			b.WriteString(from[d.IntN(len(from))])
		}
		return b.String()
	}
	s := scene{json: d.IntN(2) == 0}
	for i := range 1 + d.IntN(5) {
		w := text(1+d.IntN(4), alphabet[:7])
		if d.IntN(4) == 0 {
			w = []string{"1", "ue", "true", "12", "80013", ".5e3", "2."}[d.IntN(7)]
		}
		s.words = append(s.words, w)
		a := ruling{Action: []Action{Log, Mask, Replace, Replace, Block}[d.IntN(5)]}
		if a.Action.changes() {
			a.put = "[" + strings.Repeat("X", i) + "\"\n]"
		}
		s.rulings = append(s.rulings, a)
	}
	switch {
	case !s.json:
		s.text = text(d.IntN(20), alphabet)
		if d.IntN(8) == 0 {
			s.text += string([]byte{byte(d.IntN(256)), byte(d.IntN(256))}) + s.text
		}
	case d.IntN(2) == 0:
		s.text = d.json(3)
		if d.IntN(4) == 0 && len(s.text) > 2 {
			s.text = s.text[:d.IntN(len(s.text))]
		}
	default:
		s.text = text(d.IntN(20), append(alphabet, `"`, `{`, `}`, `:`, `,`, `\`, `\u8d4c`, `\ud83d`, `\ude00`, `\n`, " ", "1", "true"))
	}
	return s
}

// json returns a random JSON value.
func (d draw) json(depth int) string {
	str := func() string {
		var b strings.Builder
		for range d.IntN(8) {
			b.WriteString([]string{"a", "b", "c", "赌", "博", `\u8d4c`, `\u535a`, `\ud83d\ude00`, `\ud83d`, `\"`, `\\`, `\n`, "-", `\u0301`, " ", `\u0061`}[d.IntN(16)])
		}
		return `"` + b.String() + `"`
	}
	switch n := d.IntN(8); {
	case n < 3 || depth == 0:
		return str()
	case n == 3:
		return []string{"true", "null", "-12.5e3", "0", " 13800138000"}[d.IntN(5)]
	case n < 6:
		var parts []string
		for range d.IntN(4) {
			parts = append(parts, str()+": "+d.json(depth-1))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	default:
		var parts []string
		for range d.IntN(4) {
			parts = append(parts, d.json(depth-1))
		}
		return "[" + strings.Join(parts, ",") + "\n]"
	}
}

func TestEditorKeepsItsPromises(t *testing.T) {
	n := 3000
	if testing.Short() {
		n = 500
	}
	for seed := range uint64(n) {
		d := draw{rand.New(rand.NewPCG(seed, 1))}
		s := d.scene()
		s.check(t, func(int) bool { return true })
		s.check(t, func(int) bool { return d.IntN(3) == 0 })
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

// However a text is cut into pieces, what comes out, what is found and whether
// it is blocked are the same as for the whole text; nothing goes out that is
// rewritten later; nothing is held back without need; JSON stays JSON; and
// what came out stays as it is when it is filtered again.
func FuzzEditor(f *testing.F) {
	f.Add(uint64(1), "我们赌-博", uint64(5))
	f.Add(uint64(2), `{"a":"\u8d4c\u535a","n":13800138000}`, uint64(77))
	f.Fuzz(func(t *testing.T, seed uint64, text string, cuts uint64) {
		if len(text) > 200 {
			return
		}
		s := draw{rand.New(rand.NewPCG(seed, 2))}.scene()
		if text != "" {
			s.text = text
		}
		s.check(t, func(i int) bool { return cuts>>(i%64)&1 == 1 })
	})
}
