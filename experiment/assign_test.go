package experiment

import (
	"encoding/json"
	"fmt"
	"math"
	"testing"

	"bendi/chat"
)

func units(n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = join("session", "key", fmt.Sprint(i))
	}
	return all
}

// The arms get units by their weights.
func TestSharesAreTheWeights(t *testing.T) {
	const n = 20_000
	weights := map[string]int{"a": 70, "b": 20, "c": 10, "off": 0}
	got := make(map[string]int)
	for _, unit := range units(n) {
		got[Assign("seed", unit, weights)]++
	}
	for arm, w := range weights {
		p := float64(w) / 100
		if want, dev := p*n, 5*math.Sqrt(p*(1-p)*n); math.Abs(float64(got[arm])-want) > dev {
			t.Errorf("%s has %d of %d units, want %.0f ± %.0f", arm, got[arm], n, want, dev)
		}
	}
}

// The same unit comes to the same arm in every gateway; so a change here moves
// people in experiments that run.
func TestAssignmentIsForEver(t *testing.T) {
	weights := map[string]int{"control": 50, "new": 50}
	text := ""
	for i := range 24 {
		text += Assign("prompts", join("session", "alice", fmt.Sprint("s", i)), weights)[:1]
	}
	if want := "cccnncccncnnncccncnnnncc"; text != want {
		t.Errorf("the arms are %s, want %s", text, want)
	}
}

// Growing an arm's weight moves units into it and moves no others; an arm that
// goes leaves those of the others where they are.
func FuzzGrowingMovesOnlyIn(f *testing.F) {
	f.Add("seed", uint8(1), uint8(1), uint8(1), uint8(50))
	f.Add("", uint8(0), uint8(99), uint8(1), uint8(1))
	f.Add("x", uint8(255), uint8(0), uint8(3), uint8(255))
	all := units(500)
	f.Fuzz(func(t *testing.T, seed string, a, b, c, more uint8) {
		before := map[string]int{"a": int(a), "b": int(b), "c": int(c)}
		after := map[string]int{"a": int(a), "b": int(b) + int(more), "c": int(c)}
		without := map[string]int{"a": int(a), "c": int(c)}
		for _, unit := range all {
			was, is := Assign(seed, unit, before), Assign(seed, unit, after)
			if was != is && is != "b" {
				t.Fatalf("growing b moves %q from %q to %q", unit, was, is)
			}
			if left := Assign(seed, unit, without); was != "b" && left != was {
				t.Fatalf("without b, %q goes from %q to %q", unit, was, left)
			}
		}
	})
}

func TestUnit(t *testing.T) {
	user := map[string]json.RawMessage{"user": json.RawMessage(`"u1"`)}
	session := &chat.Request{Session: "s", Principal: "k", Extra: user}
	tests := []struct {
		name string
		by   []Unit
		req  *chat.Request
		want string
	}{
		{"the session first", []Unit{Session, User, Key}, session, join("session", "k", "s")},
		{"by the user", []Unit{User, Session}, session, join("user", "k", "u1")},
		{"by the key", []Unit{Key}, session, join("key", "k")},
		{"what there is", []Unit{Session, Key}, &chat.Request{Principal: "k"}, join("key", "k")},
		{"nobody", []Unit{Session, User, Key}, &chat.Request{}, ""},
		{"no session, and no other unit wanted", []Unit{Session}, &chat.Request{Principal: "k", Extra: user}, ""},
		{"a user that is no text", []Unit{User}, &chat.Request{Extra: map[string]json.RawMessage{"user": json.RawMessage(`7`)}}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := Plan{By: tt.by}
			if got, _ := p.unit(tt.req); got != tt.want {
				t.Errorf("unit = %q, want %q", got, tt.want)
			}
		})
	}
	if join("a", "b:c") == join("a:b", "c") || join("ab", "c") == join("a", "bc") {
		t.Error("two names are one")
	}
}
