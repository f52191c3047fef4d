package engine

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"bendi/models/gguf"
	"bendi/models/gguf/random"
)

func TestZZMeasure(t *testing.T) {
	if _, err := LoadLibrary(testLibrary); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "m.gguf")
	if err := random.Create(path, random.Shape{Layers: 2, Width: 256, Heads: 4, KVHeads: 2, FF: 512, Vocab: 150000, Context: 8192, Weights: gguf.Type(8), Spread: 4}, 1); err != nil {
		t.Fatal(err)
	}
	rss := func() int {
		data, _ := os.ReadFile("/proc/self/statm")
		var a, b int
		fmt.Sscan(string(data), &a, &b)
		return b * os.Getpagesize() >> 20
	}
	e, err := Open(Config{Name: "m", Model: path, Slots: 1, Threads: 1, Context: 8192})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	t.Log("rss after load", rss())
	for _, n := range []int{10, 400, 1000} {
		b := time.Now()
		_, err := e.Embed(t.Context(), texts(strings.Repeat("abcd ", n/5)))
		t.Log(n, time.Since(b), "rss", rss(), err)
		b = time.Now()
		_, err = e.Embed(t.Context(), texts(strings.Repeat("abcd ", n/5)))
		t.Log(n, time.Since(b), "rss", rss(), err)
	}
}
