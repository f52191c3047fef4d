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
		if err := keys.Add(name, secret); err != nil {
			t.Fatal(err)
		}
	}
	tests := []struct {
		title, secret, name string
		ok                  bool
	}{
		{"the shortest secret", shop, "shop", true},
		{"a long secret", bench, "bench", true},
		{"a secret cut short", shop[1:], "", false},
		{"a secret with more behind it", shop + "s", "", false},
		{"no secret", "", "", false},
		{"a name", "shop", "", false},
	}
	for _, tt := range tests {
		t.Run(tt.title, func(t *testing.T) {
			name, ok := keys.Check(tt.secret)
			if name != tt.name || ok != tt.ok {
				t.Errorf("Check = %q, %v, want %q, %v", name, ok, tt.name, tt.ok)
			}
		})
	}
	if keys.Len() != 2 {
		t.Errorf("Len = %d, want 2", keys.Len())
	}
	var none access.Keys
	if name, ok := none.Check(""); ok {
		t.Errorf("an empty set knows the empty secret as %q", name)
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
			if err := keys.Add("shop", secret); err != nil {
				t.Fatal(err)
			}
			err := keys.Add(tt.name, tt.secret)
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
	if err := keys.Add("shop", "a-very-secret-secret"); err != nil {
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
