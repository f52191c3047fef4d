package main

import (
	"os"
	"path/filepath"
	"testing"

	"bendi/internal/deptest"
)

func TestImports(t *testing.T) {
	deptest.StandardLibraryOnly(t, "bendi/internal/programs")
}

// A short soak of what is built ends well. How memory grows at the beginning
// says nothing, so all else is looked at.
func TestShortSoak(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes seconds")
	}
	home, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(home, "bin", "bendi")); err != nil {
		t.Fatalf("%v: run `make build` first", err)
	}
	s, err := startServer(t.Context(), home)
	if err != nil {
		t.Fatal(err)
	}
	defer s.stop()
	l := newLoad(s, options{clients: 4, seed: 1})
	l.play(t.Context(), 60, 0)
	first, err := s.measure(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	l.play(t.Context(), 60, 0)
	last, err := s.measure(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	first.gateway.memory, first.worker.memory = last.gateway.memory, last.worker.memory
	if err := verdict([3]measurement{first, first, last}, l); err != nil {
		t.Error(err)
	}
}
