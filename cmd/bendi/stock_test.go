package main

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// A stock makes a thing once for all that have it at a time, and ends it once,
// after the last has given it back.
func TestStock(t *testing.T) {
	// script: +a takes a, -a gives the oldest a back, !a takes an a that cannot be made.
	tests := []struct{ name, script, did string }{
		{"one", "+a -a", "make a, end a"},
		{"two that are alike", "+a +a -a -a", "make a, end a"},
		{"one after the other", "+a -a +a -a", "make a, end a, make a, end a"},
		{"one that overlaps", "+a +a -a +a -a -a", "make a, end a"},
		{"two that differ", "+a +b -a -b", "make a, make b, end a, end b"},
		{"one that cannot be made", "!a +a -a", "make a, end a"},
		{"one that is there need not be made", "+a !a -a -a", "make a, end a"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var did []string
			s := stock[string, string]{alike: func(a, b string) bool { return a == b }, end: func(thing string) { did = append(did, "end "+thing) }}
			backs := make(map[string][]func())
			for _, step := range strings.Fields(tt.script) {
				name := step[1:]
				if step[0] == '-' {
					backs[name][0]()
					backs[name][0]() // twice is once
					backs[name] = backs[name][1:]
					continue
				}
				_, back, err := s.take(name, func() (string, error) {
					if step[0] == '!' {
						return "", errors.New("no")
					}
					did = append(did, "make "+name)
					return name, nil
				})
				if err == nil {
					backs[name] = append(backs[name], back)
				}
			}
			if got := strings.Join(did, ", "); got != tt.did {
				t.Errorf("%s: %s, want %s", tt.script, got, tt.did)
			}
			if s.len() != 0 {
				t.Errorf("%d things are left", s.len())
			}
		})
	}
}

// While things are taken one after the other, they are given back from
// anywhere, and none is ended that somebody has.
func TestStockAtOnce(t *testing.T) {
	type thing struct{ ended atomic.Bool }
	var made, ended atomic.Int32
	s := stock[int, *thing]{alike: func(a, b int) bool { return a == b }, end: func(th *thing) {
		if th.ended.Swap(true) {
			t.Error("a thing was ended twice")
		}
		ended.Add(1)
	}}
	var wg sync.WaitGroup
	for i := range 2000 {
		th, back, err := s.take(i%3, func() (*thing, error) { made.Add(1); return new(thing), nil })
		if err != nil || th.ended.Load() {
			t.Fatalf("a thing that has been ended was handed out, %v", err)
		}
		wg.Go(func() {
			if th.ended.Load() {
				t.Error("a thing was ended that somebody has")
			}
			back()
		})
	}
	wg.Wait()
	if made.Load() != ended.Load() || s.len() != 0 {
		t.Errorf("%d made, %d ended, %d left", made.Load(), ended.Load(), s.len())
	}
}

func TestDiffer(t *testing.T) {
	got := differ("key", map[string]int{"a": 1, "b": 2, "c": 3}, map[string]int{"b": 2, "c": 4, "d": 5}, alike)
	want := []change{{"key", "a", "removed"}, {"key", "c", "changed"}, {"key", "d", "added"}}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	p := &program{language: "zh"}
	if text := p.changeText(got[0]) + " " + p.changeText(change{What: "lexicons", How: "changed"}); text != "密钥 a 已移除 词库已更改" {
		t.Errorf("in Chinese: %s", text)
	}
}
