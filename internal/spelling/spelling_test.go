package spelling_test

import (
	"testing"

	"bendi/internal/spelling"
)

func TestDistance(t *testing.T) {
	tests := []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"", "本地", 2}, {"slots", "slots", 0}, {"slot", "slots", 1},
		{"lisetn", "listen", 1}, {"模形", "模型", 1}, {"abc", "xyz", 3},
	}
	for _, tt := range tests {
		if got := spelling.Distance(tt.a, tt.b); got != tt.want {
			t.Errorf("Distance(%q, %q) = %d, want %d", tt.a, tt.b, got, tt.want)
		}
		if got := spelling.Distance(tt.b, tt.a); got != tt.want {
			t.Errorf("Distance(%q, %q) = %d, want %d", tt.b, tt.a, got, tt.want)
		}
	}
}

func TestNearest(t *testing.T) {
	names := []string{"listen", "models", "routes"}
	for name, want := range map[string]string{"lisetn": "listen", "model": "models", "qqqq": "", "": ""} {
		if got := spelling.Nearest(name, names); got != want {
			t.Errorf("Nearest(%q) = %q, want %q", name, got, want)
		}
	}
}
