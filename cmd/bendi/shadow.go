package main

import (
	"context"
	"iter"
	"strings"

	"bendi/chat"
	"bendi/filter"
)

// A shadow looks with lexicons that are not in force yet at what passes, and
// counts what they would have found. It changes and delays nothing: an answer
// has been passed on when it is looked at.
type shadow struct {
	tower
	route    string
	judge    *filter.Guarded // of the lexicons in the shadow
	findings *findings
}

func (s shadow) Chat(ctx context.Context, req *chat.Request) iter.Seq2[chat.Event, error] {
	return func(yield func(chat.Event, error) bool) {
		s.look(filter.Request, lastTurn(req))
		var texts []*strings.Builder
		defer func() {
			var said []string
			for _, t := range texts {
				said = append(said, t.String())
			}
			s.look(filter.Answer, said)
		}()
		for ev, err := range s.tower.Chat(ctx, req) {
			for len(texts) <= ev.Choice {
				texts = append(texts, new(strings.Builder))
			}
			texts[ev.Choice].WriteString(ev.Reasoning + ev.Text + ev.Refusal)
			if !yield(ev, err) {
				return
			}
		}
	}
}

// look counts what is in texts that belong together.
func (s shadow) look(d filter.Direction, texts []string) {
	if s.judge.Shelf.Current() == nil {
		return
	}
	found := make(map[string]int)
	for _, v := range s.judge.Moderate(texts) {
		for _, id := range v.Rules {
			lexicon, _, _ := strings.Cut(id, ":")
			found[lexicon]++
		}
	}
	s.findings.shadow(s.route, d, found)
}

// lastTurn returns the texts since the model last spoke.
func lastTurn(req *chat.Request) []string {
	var texts []string
	if req.Prompt != nil {
		texts = append(texts, req.Prompt.Text+req.Prompt.Suffix)
	}
	for i := len(req.Messages) - 1; i >= 0 && req.Messages[i].Role != chat.Assistant; i-- {
		texts = append(texts, req.Messages[i].Text())
	}
	return texts
}
