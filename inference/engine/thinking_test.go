package engine

import (
	"testing"

	"github.com/hybridgroup/yzma/pkg/llama"
)

func TestThinkingBudget(t *testing.T) {
	const ended = llama.Token(-1)
	words := []llama.Token{100, 101}
	tests := []struct {
		name   string
		t      thinking
		said   []string // by the model, one token each
		forced []int    // before which of them words are forced
	}{
		{"ends by itself in time", thinking{left: 3}, []string{"嗯", "</think>", "好", "的", "呀"}, nil},
		{"is ended", thinking{left: 2}, []string{"嗯", "啊"}, []int{2}},
		{"begins first", thinking{left: 2, start: []byte("<think>")}, []string{"\n<thi", "nk>", "嗯", "啊"}, []int{4}},
		{"there is none", thinking{left: 1, start: []byte("<think>")}, []string{"好", "的", "呀"}, nil},
		{"at once", thinking{left: 0}, nil, []int{0}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := tt.t
			b.end, b.words = []byte("</think>"), words
			var forced []int
			for i := 0; i <= len(tt.said); i++ {
				if _, ok := b.forced(); ok {
					forced = append(forced, i)
					for _, want := range words {
						token, _ := b.forced()
						if token != want {
							t.Fatalf("token %d is forced, want %d", token, want)
						}
						b.take(token, nil)
					}
					if _, ok := b.forced(); ok {
						t.Fatal("more is forced than the words")
					}
				}
				if i < len(tt.said) {
					b.take(ended, []byte(tt.said[i]))
				}
			}
			if len(forced) != len(tt.forced) || len(forced) > 0 && forced[0] != tt.forced[0] {
				t.Errorf("forced before %v, want %v", forced, tt.forced)
			}
		})
	}
}
