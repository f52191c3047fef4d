package chain

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// open opens a chain and leaves it to the test to close it.
func open(t testing.TB, o Options) *Log {
	t.Helper()
	l, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// written writes n lines and closes the chain.
func written(t testing.TB, o Options, n int) {
	t.Helper()
	l := open(t, o)
	for i := range n {
		l.Add("request", fmt.Appendf(nil, `{"n":%d}`, i))
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

func verified(t testing.TB, dir string, o VerifyOptions) *Report {
	t.Helper()
	r, err := Verify(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func whole(t testing.TB, dir string, o VerifyOptions) *Report {
	t.Helper()
	r := verified(t, dir, o)
	for _, p := range r.Problems {
		t.Error(p)
	}
	return r
}

// requests returns how many lines are of requests.
func requests(t testing.TB, dir string) (n int) {
	for l, err := range Lines(dir) {
		if err != nil {
			t.Fatal(err)
		}
		if l.Kind == "request" {
			n++
		}
	}
	return n
}

var key = []byte("a key of thirty-two bytes at least")

func TestVerify(t *testing.T) {
	tests := []struct {
		name  string
		o     Options
		files int
	}{
		{"one file", Options{}, 1},
		{"several", Options{MaxFile: 1500}, 3},
		{"keyed", Options{MaxFile: 1500, Key: key}, 3},
		{"each", Options{Interval: 0}, 1},
		{"now and then", Options{Interval: time.Hour}, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.o.Dir = t.TempDir()
			written(t, tt.o, 10)
			written(t, tt.o, 5) // it goes on
			o := VerifyOptions{}
			if tt.o.Key != nil {
				o.Keys = [][]byte{key}
			}
			r := whole(t, tt.o.Dir, o)
			if got := requests(t, tt.o.Dir); got != 15 || r.Files < tt.files || r.Keyed != (tt.o.Key != nil) || r.First != 1 || r.Last != r.Lines {
				t.Errorf("%d requests, %+v", got, r)
			}
			head := Head{r.Last, r.Hash}
			o.Head = &head
			whole(t, tt.o.Dir, o)
		})
	}
}

// Whoever changes one byte, takes a line out, repeats one, changes the order of
// two or cuts the end off is found out.
func TestTampering(t *testing.T) {
	for _, k := range [][]byte{nil, key} {
		dir := t.TempDir()
		written(t, Options{Dir: dir, Key: k, MaxFile: 500}, 5)
		o := VerifyOptions{}
		if k != nil {
			o.Keys = [][]byte{k}
		}
		whole(t, dir, o)
		names, _ := Files(dir)
		if len(names) < 3 {
			t.Fatalf("%d files", len(names))
		}
		found := func(what string) {
			t.Helper()
			if r := verified(t, dir, o); len(r.Problems) == 0 {
				t.Errorf("key %t: %s is not found", k != nil, what)
			}
		}
		for _, name := range append(names, headName) {
			path := filepath.Join(dir, name)
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			put := func(text []byte) {
				if err := os.WriteFile(path, text, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			for i := range text {
				flip := []byte{1, 0x20, 0x80}[i%3]
				changed := bytes.Clone(text)
				changed[i] ^= flip
				put(changed)
				found(fmt.Sprintf("byte %d of %s with %#x flipped", i, name, flip))
			}
			if name == headName {
				put(text)
				continue
			}
			lines := slices.Collect(bytes.Lines(text))
			for i := range lines {
				put(bytes.Join(slices.Delete(slices.Clone(lines), i, i+1), nil))
				found(fmt.Sprintf("%s without line %d", name, i+1))
				put(bytes.Join(slices.Insert(slices.Clone(lines), i, lines[i]), nil))
				found(fmt.Sprintf("%s with line %d twice", name, i+1))
				put(bytes.Join(lines[:i], nil))
				found(fmt.Sprintf("%s cut off before line %d", name, i+1))
				for j := range i {
					other := slices.Clone(lines)
					other[i], other[j] = other[j], other[i]
					put(bytes.Join(other, nil))
					found(fmt.Sprintf("%s with lines %d and %d exchanged", name, i+1, j+1))
				}
			}
			for i := 1; i < len(text); i += 7 {
				put(text[:i])
				found(fmt.Sprintf("%s cut off at byte %d", name, i))
			}
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			found("the removal of " + name)
			put(text)
			whole(t, dir, o)
		}
	}
}

// Whoever makes all of it anew is found out by a head that was noted, or by the
// key.
func TestMadeAnew(t *testing.T) {
	dir := t.TempDir()
	written(t, Options{Dir: dir, Key: key}, 8)
	r := whole(t, dir, VerifyOptions{Keys: [][]byte{key}})
	noted := Head{r.Last, r.Hash}
	other := t.TempDir()
	written(t, Options{Dir: other}, 12)
	whole(t, other, VerifyOptions{})
	if r := verified(t, other, VerifyOptions{Head: &noted}); len(r.Problems) == 0 {
		t.Error("another chain has the head that was noted")
	}
	if r := verified(t, other, VerifyOptions{Keys: [][]byte{key}}); len(r.Problems) == 0 {
		t.Error("a chain without a key counts as one with it")
	}
	if r := verified(t, dir, VerifyOptions{}); len(r.Problems) == 0 {
		t.Error("a chain is proven without its key")
	}
	if _, err := ParseHead(noted.String()); err != nil {
		t.Error(err)
	}
	for _, text := range []string{"", "5", "5:abc", "x:" + zeros, ":"} {
		if _, err := ParseHead(text); err == nil {
			t.Errorf("ParseHead(%q) is no error", text)
		}
	}
}

// A chain that begins to have a key is proven by it from there on.
func TestKeyLater(t *testing.T) {
	dir := t.TempDir()
	written(t, Options{Dir: dir}, 3)
	written(t, Options{Dir: dir, Key: key}, 3)
	if r := whole(t, dir, VerifyOptions{Keys: [][]byte{key}}); r.Files != 2 || !r.Keyed {
		t.Errorf("%+v", r)
	}
	written(t, Options{Dir: dir}, 3)
	if r := verified(t, dir, VerifyOptions{Keys: [][]byte{key}}); len(r.Problems) == 0 {
		t.Error("a key that is given up is not found")
	}
}

// What the end of the program has torn is put aside, and a line says so.
func TestTorn(t *testing.T) {
	dir := t.TempDir()
	written(t, Options{Dir: dir}, 5)
	names, _ := Files(dir)
	path := filepath.Join(dir, names[0])
	text, _ := os.ReadFile(path)
	lines := slices.Collect(bytes.Lines(text))
	s := newSealer(nil)
	l, _ := parse(bytes.TrimSuffix(lines[5], []byte("\n")))
	next, _ := s.appendLine(nil, l.Seq+1, time.Now(), l.Hash, "request", []byte(`{"n":5}`))
	for n := range next {
		dir := t.TempDir()
		path := filepath.Join(dir, names[0])
		if err := os.WriteFile(path, append(bytes.Clone(text), next[:n]...), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, headName), (Head{l.Seq, l.Hash}).encode(s), 0o600); err != nil {
			t.Fatal(err)
		}
		if r := whole(t, dir, VerifyOptions{}); r.Rest != n {
			t.Errorf("%d bytes are a rest of %d", n, r.Rest)
		}
		written(t, Options{Dir: dir}, 1)
		r := whole(t, dir, VerifyOptions{})
		aside, _ := filepath.Glob(filepath.Join(dir, "torn-*"))
		want := 1
		if n == 0 || n == len(next)-1 { // nothing, or all but the end of the line
			want = 0
		}
		if r.Torn != want || len(aside) != want || r.Rest != 0 {
			t.Errorf("%d bytes: %d lines about it and %d files, want %d", n, r.Torn, len(aside), want)
		}
		if n == len(next)-1 && requests(t, dir) != 7 {
			t.Error("a line that lacked its end alone is lost")
		}
	}
}

// A chain whose end is cut off while nobody writes it says so for ever.
func TestShort(t *testing.T) {
	dir := t.TempDir()
	written(t, Options{Dir: dir}, 5)
	names, _ := Files(dir)
	path := filepath.Join(dir, names[0])
	text, _ := os.ReadFile(path)
	lines := slices.Collect(bytes.Lines(text))
	os.WriteFile(path, bytes.Join(lines[:4], nil), 0o600)
	for range 2 {
		written(t, Options{Dir: dir}, 5)
		r := verified(t, dir, VerifyOptions{})
		if len(r.Problems) != 1 || !strings.Contains(r.Problems[0].What, "2 lines before it are missing, up to line 6") {
			t.Errorf("%v", r.Problems)
		}
	}
}

// Files that are too old are removed, and the rest is still proven.
func TestRetain(t *testing.T) {
	dir := t.TempDir()
	written(t, Options{Dir: dir, MaxFile: 900}, 20)
	before, _ := Files(dir)
	os.WriteFile(filepath.Join(dir, before[0]+".usage"), nil, 0o600)
	written(t, Options{Dir: dir, MaxFile: 900, Retain: time.Nanosecond}, 3)
	r := whole(t, dir, VerifyOptions{})
	after, _ := Files(dir)
	if r.First == 1 || r.Retired < 10 || slices.Contains(after, before[0]) {
		t.Errorf("%+v: %v", r, after)
	}
	if _, err := os.Stat(filepath.Join(dir, before[0]+".usage")); err == nil {
		t.Error("what lay beside a file is still there")
	}
	written(t, Options{Dir: dir, MaxFile: 900, Retain: time.Nanosecond}, 3)
	whole(t, dir, VerifyOptions{})
	// Whoever removes one more is found out.
	after, _ = Files(dir)
	os.Remove(filepath.Join(dir, after[0]))
	if r := verified(t, dir, VerifyOptions{}); len(r.Problems) == 0 {
		t.Error("the removal of the first file is not found")
	}
}

// A clock that is a year ahead has no file removed that the records tell is young;
// one that is right in the end does not have them kept for ever, and a program that
// runs knows how much time has passed.
func TestRetainByWrongClock(t *testing.T) {
	const day = 24 * time.Hour
	dir := t.TempDir()
	o := Options{Dir: dir, Retain: 30 * day}
	var log bytes.Buffer
	o.Log = slog.New(slog.NewTextHandler(&log, nil))
	files := func() int {
		names, err := Files(dir)
		if err != nil {
			t.Fatal(err)
		}
		return len(names)
	}
	// at has the program run at a day, whatever was before: each day in a world of
	// its own begins at the same time.
	at := func(days int, run func(l *Log)) {
		synctest.Test(t, func(t *testing.T) {
			time.Sleep(time.Duration(days) * day)
			l := open(t, o)
			run(l)
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
		})
	}
	add := func(l *Log) { l.Add("request", []byte("{}")); synctest.Wait() }
	for d := range 20 {
		at(d, add)
	}
	if n := files(); n != 20 {
		t.Fatalf("%d files, want one for each of 20 days", n)
	}
	at(400, add) // the clock jumps
	if n := files(); n != 21 || strings.Count(log.String(), "too old by the clock") != 1 {
		t.Errorf("%d files are left when the clock is a year ahead, want 21; the log has %s", n, &log)
	}
	at(20, add) // and is right again
	for d := 21; d < 45; d++ {
		at(d, add)
	}
	whole(t, dir, VerifyOptions{})
	if n := files(); n < 30 || n > 40 {
		t.Errorf("%d files, want those of 30 days, and a week more or less for the jump", n)
	}
	at(45, func(l *Log) { time.Sleep(40 * day); add(l) })
	if n := files(); n > 3 {
		t.Errorf("%d files, though the program has run for 40 days since", n)
	}
	whole(t, dir, VerifyOptions{})
}

func TestOneWriter(t *testing.T) {
	dir := t.TempDir()
	l := open(t, Options{Dir: dir})
	defer l.Close()
	if _, err := Open(Options{Dir: dir, Block: true}); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("a second writer: %v", err)
	}
	var text bytes.Buffer
	second, err := Open(Options{Dir: dir, Log: slog.New(slog.NewTextHandler(&text, nil)), testOnlyRetry: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	second.Add("request", []byte("{}"))
	if !second.Stats().Failing || !strings.Contains(text.String(), "in use") {
		t.Errorf("a second writer that may lose lines: %s", text.String())
	}
	second.Close()
}

// A file that goes away is one that is missing, and the others are written.
func TestRemovedFile(t *testing.T) {
	dir := t.TempDir()
	l := open(t, Options{Dir: dir})
	l.Add("request", []byte("{}"))
	names, _ := Files(dir)
	os.Remove(filepath.Join(dir, names[0]))
	deadline := time.Now().Add(30 * time.Second)
	for n := 0; n < 1 && time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		l.Add("request", []byte("{}"))
		names, _ = Files(dir)
		n = len(names)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if r := verified(t, dir, VerifyOptions{}); len(r.Problems) == 0 || r.Lines == 0 {
		t.Errorf("%+v", r)
	}
}

// However broken the files are, reading them ends without a panic, and what
// Verify finds whole is what a Log has written.
func FuzzVerify(f *testing.F) {
	dir := f.TempDir()
	written(f, Options{Dir: dir}, 2)
	text, _ := os.ReadFile(filepath.Join(dir, fileName(1)))
	f.Add(text)
	f.Add([]byte("{}\n"))
	f.Add([]byte("\n\n"))
	f.Add(bytes.Repeat([]byte("x"), 100<<10))
	f.Add([]byte(`{"seq":18446744073709551615,"time":"2026-01-01T00:00:00Z","prev":"","kind":"open","data":null,"hash":""}` + "\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		dir := t.TempDir()
		os.WriteFile(filepath.Join(dir, fileName(1)), text, 0o600)
		if _, err := Verify(dir, VerifyOptions{Keys: [][]byte{key}}); err != nil {
			t.Error(err)
		}
		for range Lines(dir) {
		}
		l, err := Open(Options{Dir: dir, Retain: time.Nanosecond})
		if err != nil {
			t.Fatal(err)
		}
		l.Add("request", []byte("{}"))
		l.Close()
		if _, err := Verify(dir, VerifyOptions{}); err != nil {
			t.Error(err)
		}
	})
}
