package param

import (
	"strings"
	"testing"

	"bendi/chat"
	"bendi/internal/deptest"
)

func TestImports(t *testing.T) { deptest.StandardLibraryOnly(t, "bendi/chat") }

func TestCheck(t *testing.T) {
	tests := []struct {
		name  string
		value float64
		want  string // part of the fault; empty: none
	}{
		{"temperature", 0, ""},
		{"temperature", 2.1, "0 to 2"},
		{"top_k", 40, ""},
		{"top_k", 0.5, "whole number"},
		{"temprature", 1, "temperature"},
	}
	for _, tt := range tests {
		err := Check(tt.name, tt.value)
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("Check(%s, %v) = %v, want %q", tt.name, tt.value, err, tt.want)
		}
	}
}

// Each parameter that may be set is set.
func TestSet(t *testing.T) {
	for name, p := range params {
		var s, nothing chat.Sampling
		if Set(&s, name, p.most); s.Temperature == nothing.Temperature && s.TopP == nil && s.TopK == nil && s.MinP == nil && s.TypicalP == nil &&
			s.FrequencyPenalty == nil && s.PresencePenalty == nil && s.RepeatPenalty == nil && s.Seed == nil {
			t.Errorf("%s sets nothing", name)
		}
	}
}
