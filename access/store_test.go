package access_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"bendi/access"
)

func openStore(t testing.TB, dir string) *access.Store {
	t.Helper()
	s, err := access.OpenStore(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func create(t testing.TB, s *access.Store, k access.Key) string {
	t.Helper()
	_, secret, err := s.Create(k)
	if err != nil {
		t.Fatal(err)
	}
	return secret
}

// code returns why a secret opens nothing, or nothing where it opens something.
func code(t testing.TB, s *access.Store, secret string) string {
	t.Helper()
	_, err := s.Check(t.Context(), secret)
	if err == nil {
		return ""
	}
	r, ok := errors.AsType[*access.Refusal](err)
	if !ok || r.Text == "" {
		t.Fatalf("Check = %v, want a Refusal", err)
	}
	if len(secret) > 4 && strings.Contains(err.Error(), secret) {
		t.Errorf("the error shows the secret")
	}
	return r.Code
}

func TestStore(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "not", "there")
	s := openStore(t, dir)
	if s.Any() || len(s.List()) != 0 || code(t, s, "") == "" {
		t.Fatal("an empty store has a key")
	}
	if _, err := os.Stat(dir); err == nil {
		t.Error("opening a store makes its folder")
	}
	want := access.Identity{Name: "shop", User: "ann", Admin: true, Priority: 3, Inside: true,
		Scopes: access.Scopes{Routes: []string{"/v1/chat"}}, Limits: access.Limits{Concurrent: 2}, Proof: access.Proof{Made: true}}
	secret := create(t, s, access.Key{Name: "shop", User: "ann", Admin: true, Priority: 3, Inside: true, Scopes: want.Scopes, Limits: want.Limits, Labels: map[string]string{"team": "a"}})
	other := openStore(t, dir) // as after a restart, or in another process
	for name, s := range map[string]*access.Store{"itself": s, "another": other} {
		who, err := s.Check(t.Context(), secret)
		if err != nil || fmt.Sprint(who) != fmt.Sprint(want) {
			t.Errorf("%s: %+v, %v, want %+v", name, who, err, want)
		}
	}
	for title, wrong := range map[string]string{
		"cut short": secret[:len(secret)-1], "with more": secret + "A", "another letter": strings.Replace(secret, secret[12:13], "a", 1),
		"its name": "shop", "SQL": "' OR 1=1--", "nothing": "", "a megabyte": strings.Repeat("x", 1<<20), "dots": strings.Repeat(".", 1<<20),
	} {
		if code(t, other, wrong) != "invalid_api_key" {
			t.Errorf("%s: not refused as unknown", title)
		}
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		info, _ := f.Info()
		text, _ := os.ReadFile(filepath.Join(dir, f.Name()))
		if info.Mode().Perm() != 0o600 || strings.Contains(string(text), secret) {
			t.Errorf("%s has mode %v, or the secret in it", f.Name(), info.Mode())
		}
	}
}

func TestRevokeAndRotate(t *testing.T) {
	dir := t.TempDir()
	command, server := openStore(t, dir), openStore(t, dir)
	d := &access.Door{Keys: new(access.Keys), Store: server}
	first := create(t, command, access.Key{Name: "shop"})
	look := func() {
		t.Helper()
		if _, err := server.Look(); err != nil {
			t.Fatal(err)
		}
	}
	look()
	who, err := server.Check(t.Context(), first)
	if err != nil {
		t.Fatal(err)
	}
	_, second, err := command.Rotate("shop", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	look()
	if code(t, server, first) != "" || code(t, server, second) != "" {
		t.Error("within the grace both secrets open")
	}
	_, third, err := command.Rotate("shop", 0)
	if err != nil {
		t.Fatal(err)
	}
	look()
	if code(t, server, second) == "" || code(t, server, first) == "" || code(t, server, third) != "" {
		t.Error("without a grace the newest secret opens alone")
	}
	if err := d.Still(who); err != nil {
		t.Errorf("a rotation ends what runs: %v", err)
	}
	if _, err := command.Revoke("shop"); err != nil {
		t.Fatal(err)
	}
	look()
	if got := code(t, server, third); got != "revoked_api_key" {
		t.Errorf("after it was revoked: %q", got)
	}
	if d.Still(who) == nil {
		t.Error("what runs for a revoked key goes on")
	}
	if _, _, err := command.Rotate("shop", 0); err == nil {
		t.Error("a revoked key was rotated")
	}
	if _, _, err := command.Create(access.Key{Name: "shop"}); err == nil {
		t.Error("a revoked key's name was given to another")
	}
	if !server.Any() {
		t.Error("when the last key is revoked, the store says that there never was any")
	}
	if err := os.Remove(filepath.Join(dir, "keys.json")); err != nil {
		t.Fatal(err)
	}
	look()
	if !server.Any() || code(t, server, third) == "" {
		t.Error("without its file the store is open")
	}
}

func TestExpiry(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := openStore(t, dir)
		secret := create(t, s, access.Key{Name: "shop", Expires: time.Now().Add(time.Hour)})
		time.Sleep(time.Hour - time.Second)
		if code(t, s, secret) != "" {
			t.Error("a second before")
		}
		time.Sleep(time.Second)
		if got := code(t, s, secret); got != "expired_api_key" {
			t.Errorf("at its time: %q", got)
		}
		if _, _, err := s.Create(access.Key{Name: "late", Expires: time.Now()}); err == nil {
			t.Error("a key was made that has expired")
		}
		now := time.Now()
		for _, d := range []access.Denial{{ID: "a", Until: now.Add(time.Hour)}, {ID: "for ever"}, {User: "staff:ann", Before: now, Until: now.Add(time.Hour)}} {
			if err := s.Deny(d); err != nil {
				t.Error(err)
			}
		}
		token := func(id string, issued time.Time) access.Proof {
			return access.Proof{Issuer: "staff", ID: id, Issued: issued}
		}
		later := now.Add(time.Second)
		for _, tt := range []struct {
			user       string
			proof      access.Proof
			want, then bool // within the hour, and after it
		}{
			{"staff:bob", token("a", later), true, false},
			{"staff:bob", token("for ever", later), true, true},
			{"staff:bob", token("b", now), false, false},
			{"staff:bob", token("", now), false, false},
			{"staff:ann", token("b", now), true, false},
			{"staff:ann", token("", time.Time{}), true, false},
			{"staff:ann", token("b", later), false, false},
			{"", token("", later), false, false},
		} {
			if got := s.Denied(tt.user, tt.proof); got != tt.want {
				t.Errorf("%s, %+v: denied = %v, want %v", tt.user, tt.proof, got, tt.want)
			}
			defer func() {
				if got := s.Denied(tt.user, tt.proof); got != tt.then {
					t.Errorf("%s, %+v, after an hour: denied = %v, want %v", tt.user, tt.proof, got, tt.then)
				}
			}()
		}
		for _, d := range []access.Denial{{}, {ID: "a", User: "b"}, {User: "b"}, {ID: strings.Repeat("x", 257)}} {
			if s.Deny(d) == nil {
				t.Errorf("%+v is a denial", d)
			}
		}
		time.Sleep(2 * time.Hour)
	})
}

// Many processes make keys at once, and none is lost.
func TestManyWriters(t *testing.T) {
	dir := t.TempDir()
	var group sync.WaitGroup
	for i := range 4 {
		group.Go(func() {
			s, err := access.OpenStore(dir, nil)
			if err != nil {
				t.Error(err)
				return
			}
			for n := range 5 {
				if _, _, err := s.Create(access.Key{Name: fmt.Sprintf("k%d-%d", i, n)}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	if n := len(openStore(t, dir).List()); n != 20 {
		t.Errorf("%d keys, want 20", n)
	}
}

// What is wrong with the files is an error, and a running store goes on with
// what it knew.
func TestDamage(t *testing.T) {
	tests := []struct {
		name string
		harm func(dir string) error
		want string
	}{
		{"cut short", func(dir string) error { return os.Truncate(filepath.Join(dir, "keys.json"), 30) }, "is damaged"},
		{"another version", func(dir string) error {
			return os.WriteFile(filepath.Join(dir, "keys.json"), []byte(`{"version":9,"keys":[]}`), 0o600)
		}, "is of version 9"},
		{"a hash cut short", func(dir string) error {
			return os.WriteFile(filepath.Join(dir, "keys.json"), []byte(`{"version":1,"keys":[{"name":"a","hash":"00"}]}`), 0o600)
		}, "is damaged"},
		{"no pepper", func(dir string) error { return os.Remove(filepath.Join(dir, "keys.pepper")) }, "keys.pepper is gone"},
		{"a pepper that others may read", func(dir string) error { return os.Chmod(filepath.Join(dir, "keys.pepper"), 0o644) }, "others may read"},
		{"keys that others may write", func(dir string) error { return os.Chmod(filepath.Join(dir, "keys.json"), 0o620) }, "others may write"},
		{"an empty pepper", func(dir string) error { return os.Truncate(filepath.Join(dir, "keys.pepper"), 0) }, "does not hold 32 bytes"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			s := openStore(t, dir)
			secret := create(t, s, access.Key{Name: "shop"})
			if err := tt.harm(dir); err != nil {
				t.Fatal(err)
			}
			if _, err := access.OpenStore(dir, nil); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("OpenStore = %v, want %q in it", err, tt.want)
			}
			s.Look()
			if code(t, s, secret) != "" {
				t.Error("the running store has forgotten the key")
			}
			if _, _, err := s.Create(access.Key{Name: "more"}); err == nil {
				t.Error("a key was written over what is damaged")
			}
		})
	}
}

func TestCreateRefuses(t *testing.T) {
	tests := []struct {
		title string
		key   access.Key
		want  string
	}{
		{"no name", access.Key{}, "the name of a key has"},
		{"a path", access.Key{Name: "../a"}, "the name of a key has"},
		{"a line", access.Key{Name: "a", User: "b\nc"}, "a user of a key has"},
		{"an empty label", access.Key{Name: "a", Labels: map[string]string{"": "x"}}, "a label's name of a key has"},
		{"a model for a route", access.Key{Name: "a", Scopes: access.Scopes{Routes: []string{"bendi-demo"}}}, "a route is a path"},
		{"an empty model", access.Key{Name: "a", Scopes: access.Scopes{Models: []string{""}}}, "a model of a key has"},
		{"a high priority", access.Key{Name: "a", Priority: 11}, "not 11"},
		{"a limit below zero", access.Key{Name: "a", Limits: access.Limits{TokensPerDay: -1}}, "tokens_per_day is -1"},
	}
	s := openStore(t, t.TempDir())
	for _, tt := range tests {
		if _, _, err := s.Create(tt.key); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q in it", tt.title, err, tt.want)
		}
	}
	if s.Any() {
		t.Error("a key was made all the same")
	}
}

// Secrets differ, are of one shape, and every slip in one is seen.
func TestSecrets(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir)
	secret := create(t, s, access.Key{Name: "a"})
	if len(secret) != 42 || !strings.HasPrefix(secret, access.SecretPrefix) || strings.Trim(secret[9:], "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") != "" {
		t.Errorf("the secret is of another shape, of %d characters", len(secret))
	}
	for i := len(access.SecretPrefix); i < len(secret); i++ {
		for _, letter := range []string{"A", "7"} {
			slip := secret[:i] + letter + secret[i+1:]
			_, err := s.Check(t.Context(), slip)
			if slip != secret && (err == nil || !strings.Contains(err.Error(), "checksum")) {
				t.Errorf("a slip at %d: %v", i, err)
			}
		}
	}
}

// A key by any JSON survives being stored; nothing in it gives more than it says.
func FuzzKeyJSON(f *testing.F) {
	f.Add(`{"name":"a","scopes":{"routes":[]}}`)
	f.Add(`{"name":"a","admin":true,"hash":"00","revoked":"2026-01-01T00:00:00Z"}`)
	f.Fuzz(func(t *testing.T, text string) {
		var k access.Key
		if json.Unmarshal([]byte(text), &k) != nil {
			return
		}
		dir := t.TempDir()
		s := openStore(t, dir)
		made, secret, err := s.Create(k)
		if err != nil {
			return
		}
		again := openStore(t, dir)
		a, err1 := s.Check(t.Context(), secret)
		b, err2 := again.Check(t.Context(), secret)
		if fmt.Sprint(a, err1) != fmt.Sprint(b, err2) {
			t.Errorf("before the restart %+v %v, after it %+v %v", a, err1, b, err2)
		}
		if a.Name != k.Name || (k.Scopes.Routes != nil) != (a.Scopes.Routes != nil) || !made.Revoked.IsZero() {
			t.Errorf("asked for %+v, made %+v", k, a)
		}
	})
}
