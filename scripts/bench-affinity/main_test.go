package main

import (
	"testing"
	"time"
)

func TestSum(t *testing.T) {
	var s sum
	for i := range 100 {
		s.add(&sum{prompt: 10, cached: 4, first: []time.Duration{time.Duration(100-i) * time.Second}})
	}
	if got, want := s.String(), "| 1000 | 600 | 40 % | 51s | 1m40s |"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestTextsDifferBySeed(t *testing.T) {
	one, again, other := text(1, 50), text(1, 50), text(2, 50)
	if one != again || one == other {
		t.Errorf("seed 1 is %q and %q, seed 2 %q", one, again, other)
	}
}
