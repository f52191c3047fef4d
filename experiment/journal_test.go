package experiment

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// However the end of a program, or a disk, has cut or spoilt the file: it opens,
// the lines that are whole count, and what is written after that counts.
func FuzzTornFile(f *testing.F) {
	dir := f.TempDir()
	p := plan(Arm{Name: "a", Weight: 1}, Arm{Name: "b", Weight: 1})
	b := newBench(f, dir, p, nil)
	for i := range 8 {
		b.ask(f.Context(), question(fmt.Sprint("r", i), fmt.Sprint("s", i)))
	}
	b.close()
	whole, err := os.ReadFile(filepath.Join(dir, "x.jsonl"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(uint16(0), []byte{})
	f.Add(uint16(1), []byte("\n"))
	f.Add(uint16(len(whole)-1), []byte{})
	f.Add(uint16(len(whole)), []byte(`{"state":{"what":"start"}`))
	f.Add(uint16(len(whole)/2), []byte("\x00\xff\n[]\n{}\nnull"))
	f.Fuzz(func(t *testing.T, cut uint16, junk []byte) {
		kept := whole[:min(int(cut), len(whole))]
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "x.jsonl"), append(bytes.Clone(kept), junk...), 0o600); err != nil {
			t.Fatal(err)
		}
		x, err := openExperiment(p, filepath.Join(dir, "x.jsonl"), slog.New(slog.DiscardHandler), nobody{})
		if err != nil {
			t.Fatal(err)
		}
		defer x.close()
		if len(junk) > 0 {
			return // it may be anything, lines that are in order too
		}
		counted := 0
		for _, tally := range x.tallies {
			counted += tally.requests
		}
		if want := max(bytes.Count(kept, []byte("\n"))-1, 0); counted < want || counted > want+1 { // but the start; a last line may lack no more than its end
			t.Errorf("of %d bytes %d requests count, want %d", len(kept), counted, want)
		}
	})
}

// While the disk takes its time, requests are answered and counted.
func TestRequestsDoNotWaitForTheDisk(t *testing.T) {
	b := newBench(t, t.TempDir(), plan(Arm{Name: "a", Weight: 1}, Arm{Name: "b", Weight: 1}), nil)
	x := b.lab.all["x"]
	x.journal.syncing.Lock()
	var saving sync.WaitGroup
	saving.Go(x.save)
	time.Sleep(20 * time.Millisecond) // it waits by then
	b.ask(t.Context(), question("counted", "s"))
	b.ask(t.Context(), question("excluded", ""))
	s := b.lab.Experiments()[0]
	x.journal.syncing.Unlock()
	saving.Wait()
	if n := requests(s); n["a"]+n["b"] != 1 || s.Excluded[NoUnit] != 1 {
		t.Errorf("counted %v, excluded %v", n, s.Excluded)
	}
}
