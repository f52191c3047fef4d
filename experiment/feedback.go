package experiment

import (
	"time"

	"bendi/chat"
	"bendi/experiment/metric"
)

// Feedback is what a client says of answers that it was given: of the one with
// the ID, or of A and B together.
type Feedback struct {
	ID      string // of the request or of its answer
	Score   *float64
	Tags    []string
	Comment string

	A, B   string // likewise
	Winner string // "a", "b" or "tie"
}

const (
	mostTags    = 8
	longestTag  = 32
	mostAnswers = 50_000
	keepAnswers = 30 * 24 * time.Hour
)

// Check returns what is wrong with feedback.
func (f *Feedback) Check() error {
	vote := f.A != "" || f.B != "" || f.Winner != ""
	switch {
	case vote && (f.ID != "" || f.Score != nil):
		return chat.BadParam("winner", "This is a score and a vote at once: send 'id' and 'score', or 'a', 'b' and 'winner'.")
	case vote && (f.A == "" || f.B == "" || f.A == f.B):
		return chat.BadParam("a", "A vote is between two answers: 'a' and 'b' must be the ids of two.")
	case vote && f.Winner != "a" && f.Winner != "b" && f.Winner != "tie":
		return chat.BadParam("winner", "'winner' must be \"a\", \"b\" or \"tie\".")
	case !vote && f.ID == "":
		return chat.BadParam("id", "'id' is missing: the id of the answer, such as chatcmpl-…, or what x-request-id said.")
	case !vote && f.Score == nil && len(f.Tags) == 0 && f.Comment == "":
		return chat.BadParam("score", "'score' is missing: a number from -1 (bad) to 1 (good).")
	case f.Score != nil && !(*f.Score >= -1 && *f.Score <= 1):
		return chat.BadParam("score", "'score' must be from -1 (bad) to 1 (good).")
	case len(f.Tags) > mostTags:
		return chat.BadParam("tags", "There are %d tags; at most %d are taken.", len(f.Tags), mostTags)
	case !validComment(f.Comment):
		return chat.BadParam("comment", "'comment' has %d bytes; at most %d bytes of UTF-8 are taken.", len(f.Comment), longestComment)
	}
	for _, tag := range f.Tags {
		if !isTag(tag) {
			return chat.BadParam("tags", "A tag has 1 to %d small letters, digits and -_.", longestTag)
		}
	}
	return nil
}

func isTag(s string) bool {
	for _, c := range s {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' && c != '.' {
			return false
		}
	}
	return s != "" && len(s) <= longestTag
}

// An answered request is one that feedback may come to.
type answered struct {
	ids       []string
	arm, unit string
	at        time.Time
	given     bool
	score     *float64
}

// answers are the latest requests, by their ids.
type answers struct {
	byID  map[string]*answered
	ring  []*answered
	next  int
	votes map[string]string // winners, by pairs of ids
}

func newAnswers() *answers {
	a := new(answers)
	a.clear()
	return a
}

func (a *answers) clear() {
	*a = answers{byID: make(map[string]*answered), votes: make(map[string]string)}
}

func (a *answers) add(o *Observation) {
	if len(o.IDs) == 0 {
		return
	}
	one := &answered{ids: o.IDs, arm: o.Arm, unit: o.Unit, at: o.At}
	if len(a.ring) < mostAnswers {
		a.ring = append(a.ring, one)
	} else {
		for _, id := range a.ring[a.next].ids {
			if a.byID[id] == a.ring[a.next] {
				delete(a.byID, id)
			}
		}
		a.ring[a.next] = one
		a.next = (a.next + 1) % mostAnswers
	}
	for _, id := range o.IDs {
		a.byID[id] = one
	}
}

// find returns a request that is known and not too old.
func (a *answers) find(id string) *answered {
	if one := a.byID[id]; one != nil && time.Since(one.at) < keepAnswers {
		return one
	}
	return nil
}

// give counts feedback by the hashes of its ids; ok is false where the
// experiment does not know them.
func (x *Experiment) give(f *Feedback, id, a, b string) (ok bool, err error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if f.ID == "" {
		return x.giveVote(f, a, b)
	}
	one := x.answers.find(id)
	if one == nil {
		return false, nil
	}
	if one.given {
		if same(one.score, f.Score) {
			return true, nil
		}
		return true, chat.Errorf(chat.Conflict, "There is feedback about this answer already, with another score; it counts once.")
	}
	s := &Score{At: time.Now(), Arm: one.arm, Unit: one.unit, ID: one.ids[0], Score: f.Score, Tags: f.Tags}
	if x.plan.KeepComments {
		s.Comment = f.Comment
	}
	x.write(line{Score: s})
	x.score(s)
	return true, nil
}

// mirrored is who has won when the two change places.
var mirrored = map[string]string{"a": "b", "b": "a", "tie": "tie"}

func same(a, b *float64) bool { return a == b || a != nil && b != nil && *a == *b }

func (x *Experiment) giveVote(f *Feedback, a, b string) (ok bool, err error) {
	first, second := x.answers.find(a), x.answers.find(b)
	if first == nil || second == nil {
		if first != second {
			return true, chat.Errorf(chat.Conflict, "The two answers are not of one experiment, or one of them counted in none.")
		}
		return false, nil
	}
	if first.arm == second.arm {
		return true, chat.Errorf(chat.Conflict, "Both answers are of the same arm; a vote between them says nothing.")
	}
	winner := f.Winner
	if first.ids[0] > second.ids[0] { // the pair has one order, whichever is named first
		first, second = second, first
		winner = mirrored[winner]
	}
	pair := first.ids[0] + " " + second.ids[0]
	if said, ok := x.answers.votes[pair]; ok {
		if said == winner {
			return true, nil
		}
		return true, chat.Errorf(chat.Conflict, "There is another vote between these two answers already; it counts once.")
	}
	v := &Vote{At: time.Now(), Unit: first.unit, A: first.arm, B: second.arm, ID: pair, Winner: winner}
	x.write(line{Vote: v})
	x.vote(v)
	return true, nil
}

// score adds feedback to what was counted. Its caller holds mu.
func (x *Experiment) score(s *Score) {
	if one := x.answers.byID[s.ID]; one != nil {
		one.given, one.score = true, s.Score
	}
	if t := x.tallies[s.Arm]; t != nil && s.Score != nil {
		t.metrics[metric.Feedback].Add(s.Unit, *s.Score)
	}
}

// vote likewise.
func (x *Experiment) vote(v *Vote) {
	if len(x.answers.votes) >= mostAnswers {
		clear(x.answers.votes)
	}
	x.answers.votes[v.ID] = v.Winner
	a, b, winner := v.A, v.B, v.Winner
	if a > b {
		a, b = b, a
		winner = mirrored[winner]
	}
	p := x.pairs[[2]string{a, b}]
	switch winner {
	case "a":
		p.A++
	case "b":
		p.B++
	default:
		p.Ties++
	}
	x.pairs[[2]string{a, b}] = p
	value := map[string]float64{"a": 1, "b": 0, "tie": 0.5}[winner]
	switch x.plan.Control { // the tally is the other arm's
	case a:
		a, value = b, 1-value
	case b:
	default:
		return // between two that are not the control
	}
	if t := x.tallies[a]; t != nil {
		t.metrics[metric.Votes].Add(v.Unit, value)
	}
}
