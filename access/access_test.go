package access_test

import (
	"fmt"
	"strings"
	"testing"

	"bendi/access"
)

func TestKeys(t *testing.T) {
	var keys access.Keys
	shop, bench := strings.Repeat("s", 16), strings.Repeat("b", 64)
	for name, secret := range map[string]string{"shop": shop, "bench": bench} {
		if err := keys.Add(access.Identity{Name: name}, secret); err != nil {
			t.Fatal(err)
		}
	}
	tests := []struct{ title, secret, name string }{
		{"the shortest secret", shop, "shop"},
		{"a long secret", bench, "bench"},
		{"a secret cut short", shop[1:], ""},
		{"a secret with more behind it", shop + "s", ""},
		{"no secret", "", ""},
		{"a name", "shop", ""},
		{"a megabyte", strings.Repeat("s", 1<<20), ""},
	}
	for _, tt := range tests {
		t.Run(tt.title, func(t *testing.T) {
			who, err := keys.Check(t.Context(), tt.secret)
			if who.Name != tt.name || (err == nil) != (tt.name != "") {
				t.Errorf("Check = %q, %v, want %q", who.Name, err, tt.name)
			}
		})
	}
	if keys.Len() != 2 {
		t.Errorf("Len = %d, want 2", keys.Len())
	}
	var none access.Keys
	if who, err := none.Check(t.Context(), ""); err == nil {
		t.Errorf("an empty set knows the empty secret as %q", who.Name)
	}
}

func TestAddRefuses(t *testing.T) {
	const secret = "0123456789abcdef"
	tests := []struct{ title, name, secret, want string }{
		{"a short secret", "other", secret[1:], "15 characters, it needs at least 16"},
		{"an empty secret", "other", "", "0 characters"},
		{"no name", "", secret, "needs a name"},
		{"a name twice", "shop", secret + "x", `two API keys are named "shop"`},
		{"a secret twice", "other", secret, `"shop" and "other" have the same secret`},
	}
	for _, tt := range tests {
		t.Run(tt.title, func(t *testing.T) {
			var keys access.Keys
			if err := keys.Add(access.Identity{Name: "shop"}, secret); err != nil {
				t.Fatal(err)
			}
			err := keys.Add(access.Identity{Name: tt.name}, tt.secret)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("Add = %v, want %q in it", err, tt.want)
			}
			if tt.secret != "" && strings.Contains(err.Error(), tt.secret) {
				t.Errorf("the error shows the secret: %v", err)
			}
		})
	}
}

func TestKeysShowNoSecret(t *testing.T) {
	var keys access.Keys
	if err := keys.Add(access.Identity{Name: "shop"}, "a-very-secret-secret"); err != nil {
		t.Fatal(err)
	}
	for _, verb := range []string{"%v", "%+v", "%#v"} {
		if text := fmt.Sprintf(verb, keys); strings.Contains(text, "a-very-secret") {
			t.Errorf("%s prints %s", verb, text)
		}
	}
}

func TestIsLoopback(t *testing.T) {
	tests := []struct {
		listen string
		want   bool
	}{
		{"127.0.0.1:8080", true},
		{"127.8.9.10:0", true},
		{"[::1]:8080", true},
		{"[::ffff:127.0.0.1]:8080", true},
		{"localhost:8080", true},
		{"LocalHost:8080", true},
		{":8080", false},
		{"0.0.0.0:8080", false},
		{"[::]:8080", false},
		{"192.168.1.5:8080", false},
		{"localhost.example.com:8080", false},
		{"127.0.0.1", false},
		{"", false},
	}
	for _, tt := range tests {
		if got := access.IsLoopback(tt.listen); got != tt.want {
			t.Errorf("IsLoopback(%q) = %v, want %v", tt.listen, got, tt.want)
		}
	}
}
