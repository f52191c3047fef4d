package filter

import (
	"math/rand/v2"
	"strings"
	"testing"

	"bendi/chat"
)

// However an answer is cut into events, and its choices and texts are mixed, each
// text comes out as it would alone, or as a beginning of that where its choice
// is blocked; and its log probabilities never tell more.
func TestAnswersInAnyOrder(t *testing.T) {
	rules, policy := realRules(t), realPolicy(false)
	g := Guard(nil, Options{Shelf: NewShelf(rules), Policy: policy})
	n := 300
	if testing.Short() {
		n = 60
	}
	for seed := range uint64(n) {
		d := draw{rand.New(rand.NewPCG(seed, 11))}
		var texts [2][4]string // content, reasoning, refusal, arguments
		var left [2][4][]string
		for i := range texts {
			for j := range texts[i] {
				texts[i][j] = strings.ToValidUTF8(d.real(), "")
				if j == 3 {
					texts[i][j] = `{"a":"` + texts[i][j] + `"}`
				}
				// An event has whole runes.
				for _, r := range texts[i][j] {
					if p := &left[i][j]; len(*p) == 0 || d.IntN(2) == 0 {
						*p = append(*p, string(r))
					} else {
						(*p)[len(*p)-1] += string(r)
					}
				}
			}
		}
		var events []chat.Event
		for c := range 2 {
			events = append(events, chat.Event{Choice: c, ToolCall: &chat.ToolCallDelta{ID: "c", Name: "f"}})
		}
		var open [2]int
		for i := range open {
			for j := range left[i] {
				open[i] += len(left[i][j])
			}
		}
		for open[0]+open[1] > 0 {
			i, j := d.IntN(2), d.IntN(4)
			if len(left[i][j]) == 0 {
				continue
			}
			piece := left[i][j][0]
			left[i][j] = left[i][j][1:]
			ev := chat.Event{Choice: i}
			switch j {
			case 0:
				ev.Text = piece
				ev.LogProbs = []chat.TokenLogProbs{{TokenLogProb: chat.TokenLogProb{Token: piece}}}
			case 1:
				ev.Reasoning = piece
			case 2:
				ev.Refusal = piece
			case 3:
				ev.ToolCall = &chat.ToolCallDelta{Arguments: piece}
			}
			events = append(events, ev)
			if open[i]--; open[i] == 0 {
				events = append(events, chat.Event{Choice: i, Finish: chat.Stop})
			}
		}
		events = append(events, chat.Event{Usage: &chat.Usage{}})

		g.model = play(events...)
		req := ask("hi")
		req.N = 2
		a, err := listen(t, g, req)
		if err != nil {
			t.Fatal(err)
		}
		plan := g.now().plan
		for i := range texts {
			blocked := false
			got := [4]string{a.text[i], a.reasoning[i], a.refusal[i]}
			if len(a.args[i]) > 0 {
				got[3] = a.args[i][0]
			}
			for j, text := range texts[i] {
				e := plan.editor(&bench{plan: plan, direction: Answer, tell: func(outcome, []byte) {}})
				if j == 3 {
					e.json = newLexer(true)
				}
				want := e.write(text, true)
				blocked = blocked || e.blocked
				if got[j] != want && (a.finish[i] != chat.ContentFilter || !strings.HasPrefix(want, got[j])) {
					t.Errorf("seed %d: text %d of choice %d, %q, became %q, want %q", seed, j, i, text, got[j], want)
				}
			}
			if blocked != (a.finish[i] == chat.ContentFilter) {
				t.Errorf("seed %d: choice %d ended with %s", seed, i, a.finish[i])
			}
		}
		var text, tokens [2]string
		for _, ev := range a.events {
			text[ev.Choice] += ev.Text
			for _, l := range ev.LogProbs {
				tokens[ev.Choice] += l.Token
			}
			if !strings.HasPrefix(text[ev.Choice], tokens[ev.Choice]) {
				t.Errorf("seed %d: the text is %q when %q was told of", seed, text[ev.Choice], tokens[ev.Choice])
			}
		}
	}
}
