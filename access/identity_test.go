package access_test

import (
	"math/rand/v2"
	"strings"
	"testing"

	"bendi/access"
)

func TestScopes(t *testing.T) {
	tests := []struct {
		name     string
		patterns []string
		yes, no  []string
	}{
		{"everything", nil, []string{"", "a", "a:b"}, nil},
		{"nothing", []string{}, nil, []string{"", "a"}},
		{"one", []string{"a"}, []string{"a"}, []string{"", "ab", "A", "a:b"}},
		{"all that begins so", []string{"a:*"}, []string{"a:b", "a:"}, []string{"a", "b:a:"}},
		{"two", []string{"a", "b*"}, []string{"a", "b", "bc"}, []string{"c"}},
		{"a star within", []string{"a*b"}, []string{"a*b"}, []string{"ab", "axb"}},
	}
	for _, tt := range tests {
		s := access.Scopes{Models: tt.patterns}
		for _, id := range tt.yes {
			if !s.Model(id) {
				t.Errorf("%s: %q is not allowed", tt.name, id)
			}
		}
		for _, id := range tt.no {
			if s.Model(id) {
				t.Errorf("%s: %q is allowed", tt.name, id)
			}
		}
	}
}

// What two scopes allow together is what each of them allows.
func TestWithin(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	pattern := func() string {
		p := strings.Repeat("a", random.IntN(3)) + strings.Repeat("b", random.IntN(2))
		if random.IntN(2) == 0 {
			p += "*"
		}
		return p
	}
	list := func() []string {
		if random.IntN(5) == 0 {
			return nil
		}
		l := []string{}
		for range random.IntN(3) {
			l = append(l, pattern())
		}
		return l
	}
	for range 2000 {
		a, b := access.Scopes{Models: list()}, access.Scopes{Models: list()}
		both := a.Within(b)
		for _, id := range []string{"", "a", "aa", "aab", "ab", "b", "abc", "aabc"} {
			if both.Model(id) != (a.Model(id) && b.Model(id)) {
				t.Fatalf("%q within %q is %q, which says %v of %q", a.Models, b.Models, both.Models, both.Model(id), id)
			}
		}
	}
}

func TestLimits(t *testing.T) {
	own, other := access.Limits{RequestsPerMinute: 5, TokensPerDay: 100}, access.Limits{RequestsPerMinute: 3, Concurrent: 2}
	if got, want := own.Or(other), (access.Limits{RequestsPerMinute: 5, TokensPerDay: 100, Concurrent: 2}); got != want {
		t.Errorf("Or = %+v, want %+v", got, want)
	}
	if got, want := own.Within(other), (access.Limits{RequestsPerMinute: 3, TokensPerDay: 100, Concurrent: 2}); got != want {
		t.Errorf("Within = %+v, want %+v", got, want)
	}
	if got := own.String(); got != "5 requests/min, 100 tokens/day" {
		t.Errorf("String = %q", got)
	}
	if err := (access.Limits{TokensPerDay: access.MaxLimit + 1}).Check(); err == nil {
		t.Error("a limit that is too high passes")
	}
}

// A door is open only while there is no key at all and it may be; what the store
// has revoked opens nothing, wherever else it stands.
func TestDoor(t *testing.T) {
	store := openStore(t, t.TempDir())
	d := &access.Door{Keys: new(access.Keys), Store: store}
	if d.Needed() {
		t.Error("a secret is needed where there is none")
	}
	secret := create(t, store, access.Key{Name: "stored"})
	if !d.Needed() {
		t.Error("open although there is a key")
	}
	if err := d.Keys.Add(access.Identity{Name: "environment"}, secret); err != nil {
		t.Fatal(err)
	}
	if who, err := d.Check(t.Context(), secret); err != nil || who.Name != "stored" {
		t.Errorf("Check = %+v, %v", who, err)
	}
	if _, err := store.Revoke("stored"); err != nil {
		t.Fatal(err)
	}
	if who, err := d.Check(t.Context(), secret); err == nil || !d.Needed() {
		t.Errorf("revoked, and passes as %+v", who)
	}
	if closed := (&access.Door{Keys: new(access.Keys), Closed: true}); !closed.Needed() {
		t.Error("closed, and open")
	}
}
