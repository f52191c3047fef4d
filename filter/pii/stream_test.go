package pii_test

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"

	"bendi/filter/find"
	"bendi/filter/pii"
)

func order(a, b find.Span) int {
	return cmp.Or(cmp.Compare(a.Start, b.Start), cmp.Compare(a.End, b.End), cmp.Compare(a.Rule, b.Rule))
}

// inPieces scans text cut by the bytes of cuts, and checks what a Finder
// promises along the way.
func inPieces(t *testing.T, s *pii.Scanner, text string, cuts []byte) []find.Span {
	t.Helper()
	s.Reset()
	var all []find.Span
	valid := utf8.ValidString(text)
	settled := 0
	for i, k := 0, 0; ; k++ {
		n := len(text) - i
		if len(cuts) > 0 {
			n = min(n, int(cuts[k%len(cuts)]))
			if k >= len(cuts) && n == 0 {
				n = min(1, len(text)-i)
			}
		}
		last := i+n == len(text)
		spans, now := s.Scan(nil, text[i:i+n], last)
		i += n
		for _, sp := range spans {
			switch {
			case sp.Start < settled:
				t.Fatalf("%q: %v is told after %d was settled", text, sp, settled)
			case sp.Start >= sp.End || sp.End > i:
				t.Fatalf("%q: %v is no span of the %d bytes read", text, sp, i)
			case valid && !utf8.ValidString(text[sp.Start:sp.End]):
				t.Fatalf("%q: %v cuts a rune", text, sp)
			}
		}
		if now < settled || now > i || last && now != i || valid && now < len(text) && !utf8.RuneStart(text[now]) {
			t.Fatalf("%q: settled at %d of %d bytes read, and at %d before", text, now, i, settled)
		}
		settled = now
		all = append(all, spans...)
		if last {
			break
		}
	}
	slices.SortFunc(all, order)
	if n := len(all); n != len(slices.Compact(slices.Clone(all))) {
		t.Fatalf("%q: a span is told twice: %v", text, all)
	}
	return all
}

func same(t *testing.T, s *pii.Scanner, text string, cuts []byte) {
	t.Helper()
	whole := inPieces(t, s, text, nil)
	for _, cuts := range [][]byte{{1}, cuts} {
		if pieces := inPieces(t, s, text, cuts); !slices.Equal(whole, pieces) {
			t.Fatalf("%q cut by %v:\nwhole  %v\npieces %v", text, cuts, whole, pieces)
		}
	}
}

// However a text is cut up, the same is found, and what was settled stays so.
func FuzzPieces(f *testing.F) {
	for _, tt := range found {
		f.Add(tt.text, []byte{3, 1, 0, 7})
	}
	for _, text := range silent {
		f.Add(text, []byte{2})
	}
	s := pii.New().Scanner()
	f.Fuzz(func(t *testing.T, text string, cuts []byte) { same(t, s, text, cuts) })
}

// The same, with texts that are put together from values and pieces of them.
func TestRandomPieces(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	s := pii.New().Scanner()
	glue := []string{"", "", " ", "，", "号", ":", "-", "\n", "@", ".", "\u200b", "的", "1", "a", "://", "/", "\xff", "\xe4\xbd", "住在", "我叫", "密码=", "省", "路", "一", "Ａ"}
	for range 1500 {
		var b strings.Builder
		for range 1 + rng.IntN(6) {
			text := found[rng.IntN(len(found))].text
			if rng.IntN(3) == 0 {
				text = silent[rng.IntN(len(silent))]
			}
			if rng.IntN(2) == 0 && len(text) > 2 {
				i := rng.IntN(len(text))
				text = text[i : i+rng.IntN(len(text)-i+1)]
			}
			b.WriteString(text)
			b.WriteString(glue[rng.IntN(len(glue))])
		}
		cuts := make([]byte, 1+rng.IntN(5))
		for i := range cuts {
			cuts[i] = byte(rng.IntN(12))
		}
		same(t, s, b.String(), cuts)
	}
}

// A secret beyond all bounds is told in pieces that leave nothing out, and a
// long text does not make the Scanner grow.
func TestLong(t *testing.T) {
	s := pii.New().Scanner()
	for _, text := range []string{
		"a eyJ" + strings.Repeat("abcdefgh12", 2000) + "." + strings.Repeat("b", 100) + " end",
		"sk-" + strings.Repeat("aB3dE5gH", 3000),
		"-----BEGIN RSA PRIVATE KEY-----\n" + strings.Repeat(strings.Repeat("Ab+/", 16)+"\n", 400) + "-----END RSA PRIVATE KEY----- end",
		strings.Repeat("138 0013 8000 中文 ", 3000),
		strings.Repeat("1", 8000), strings.Repeat("1 ", 8000), strings.Repeat("1111 ", 4000), strings.Repeat("a", 8000), strings.Repeat("a.", 8000), strings.Repeat("北京", 4000), strings.Repeat("北京市", 4000),
		strings.Repeat("1\u200b", 4000), strings.Repeat("x://", 4000), strings.Repeat("-----BEGIN ", 3000), strings.Repeat("eyJ.", 4000), strings.Repeat("a@", 4000), strings.Repeat("a@a.", 4000), strings.Repeat("fe80:", 4000),
	} {
		whole := inPieces(t, s, text, nil)
		for _, cuts := range [][]byte{{255, 1, 90}, {13}} { // byte by byte takes too long
			if pieces := inPieces(t, s, text, cuts); !slices.Equal(whole, pieces) {
				t.Fatalf("%.40q... cut by %v:\nwhole  %v\npieces %v", text, cuts, whole, pieces)
			}
		}
	}
	for _, spans := range [][]find.Span{inPieces(t, s, "a eyJ"+strings.Repeat("abcdefgh12", 2000)+"."+strings.Repeat("b", 100)+" end", nil)} {
		if len(spans) != 0 {
			// A first part that long is no token.
			t.Errorf("got %v", spans)
		}
	}
	text := "key -----BEGIN RSA PRIVATE KEY-----\n" + strings.Repeat(strings.Repeat("Ab+/", 16)+"\n", 400) + "-----END RSA PRIVATE KEY----- end"
	at := strings.Index(text, "-----B")
	for _, sp := range inPieces(t, s, text, []byte{100}) {
		if sp.Start != at {
			t.Fatalf("the pieces leave %d to %d out", at, sp.Start)
		}
		at = sp.End
	}
	if text[at:] != " end" {
		t.Errorf("what is left over is %q", text[at:])
	}
}

const prose = "我们在讨论这个问题的时候，应当先把情况弄清楚，再决定怎么办。大家都说今天天气很好，适合出去走走；可是到了下午，风越来越大，雨也下了起来。" +
	"关于这件事情，经理表示将继续努力，并在会议上介绍了后面的安排。老师说，学习语言要多听多读，不能着急，慢慢就会好的。"

// Of plain Chinese almost nothing is held back, and nothing without need.
func TestHold(t *testing.T) {
	s := pii.New().Scanner()
	held, runes := 0, 0
	for i, r := range prose {
		n := utf8.RuneLen(r)
		_, settled := s.Scan(nil, prose[i:i+n], false)
		held += utf8.RuneCountInString(prose[settled : i+n])
		runes++
	}
	mean := float64(held) / float64(runes)
	t.Logf("mean %.3f runes held", mean)
	if mean > 0.15 {
		t.Errorf("%.3f runes are held back on average", mean)
	}

	// What is held after each text, when nothing more has come.
	for _, tt := range []struct{ text, held string }{
		{"今夜", ""}, {"今天", "天"}, {"云", "云"}, {"云朵", ""}, {"我有1", "1"}, {"2024年", ""}, {"2024", "2024"}, {"9 2 ", ""}, {"138 ", "138 "}, {"hello", "hello"}, {"hello ", ""}, {"Hello, ", ""},
		{"hello@", "hello@"}, {"hello@x ", ""}, {"see https://", ""}, {"https://example.com/a", "a"}, {strings.Repeat("a", 70), ""}, {strings.Repeat("1", 20), strings.Repeat("1", 20)}, {strings.Repeat("1", 70), ""}, {"北京的", ""}, {"北京市", "北京市"}, {"我叫", ""}, {"我叫张", "张"}, {"-", "-"}, {"- ", ""}, {"-----", "-----"}, {"🎲", ""}, {"一", "一"}, {"一个", ""},
		{"电话13800138000", "13800138000"}, {"电话13800138000，", ""}, {"a=1;", ""}, {"std::", ""}, {"#️⃣", ""},
	} {
		s.Reset()
		_, settled := s.Scan(nil, tt.text, false)
		if got := tt.text[settled:]; got != tt.held {
			t.Errorf("after %q: %q is held, want %q", tt.text, got, tt.held)
		}
	}
}

func TestNoAllocation(t *testing.T) {
	var text strings.Builder
	for _, tt := range found {
		text.WriteString(tt.text + " 中文，")
	}
	all := text.String()
	s := pii.New().Scanner()
	found := make([]find.Span, 0, 1000)
	run := func() {
		s.Reset()
		for i := 0; i < len(all); i += 7 {
			found, _ = s.Scan(found[:0], all[i:min(i+7, len(all))], i+7 >= len(all))
		}
	}
	run()
	if n := testing.AllocsPerRun(10, run); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkScan(b *testing.B) {
	digits := func() string {
		rng := rand.New(rand.NewPCG(3, 4))
		var b strings.Builder
		for b.Len() < 1<<20 {
			for range 1 + rng.IntN(16) {
				b.WriteByte(byte('0' + rng.IntN(10)))
			}
			b.WriteString([]string{" ", ",", "\n", "-", "元"}[rng.IntN(5)])
		}
		return b.String()
	}()
	english := strings.Repeat("The gateway reads its configuration once, and again when it is told to; nothing else is read from disk. ", 10000)
	code := strings.Repeat("\tif err := s.handle(ctx, req.Messages[i].Content); err != nil { return fmt.Errorf(\"message %d: %w\", i, err) }\n", 10000)
	logs := strings.Repeat("2026-11-25 12:34:56.789 INFO gateway: request req_8f3a took 35ms, 128 tokens, status=200 remote=example.com:443\n", 10000)
	var mixed strings.Builder
	for mixed.Len() < 1<<20 {
		mixed.WriteString(prose)
		for _, tt := range found[:8] {
			mixed.WriteString(tt.text)
		}
	}
	for _, bb := range []struct{ name, text string }{
		{"prose", strings.Repeat(prose, 3000)}, {"digits", digits}, {"english", english}, {"code", code}, {"logs", logs}, {"mixed", mixed.String()},
	} {
		for _, piece := range []int{1 << 30, 6} {
			name := bb.name
			if piece == 6 {
				name += "/streamed"
			}
			b.Run(name, func(b *testing.B) {
				s := pii.New().Scanner()
				var found []find.Span
				b.SetBytes(int64(len(bb.text)))
				b.ReportAllocs()
				before := cpuTime(b)
				for b.Loop() {
					s.Reset()
					for i := 0; i < len(bb.text); i += piece {
						end := min(i+piece, len(bb.text))
						found, _ = s.Scan(found[:0], bb.text[i:end], end == len(bb.text))
					}
				}
				// On a busy machine this says more than the time that passed.
				b.ReportMetric(float64(len(bb.text))*float64(b.N)/1e6/(cpuTime(b)-before).Seconds(), "MB/cpu-s")
			})
		}
	}
}

func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func ExampleDetector() {
	d := pii.New(pii.Phone, pii.Email)
	text := "请打１３８-００１３-８０００，或写信到 li.si@example.com。"
	spans, _ := d.Scanner().Scan(nil, text, true)
	for _, s := range spans {
		fmt.Println(pii.Type(s.Rule), text[s.Start:s.End])
	}
	// Output:
	// phone １３８-００１３-８０００
	// email li.si@example.com
}
