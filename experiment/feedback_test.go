package experiment

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"bendi/chat"
	"bendi/experiment/metric"
	"bendi/ledger"
)

// kind returns what sort of error err is; "" is none.
func kind(err error) string {
	if err == nil {
		return ""
	}
	if e, ok := errors.AsType[*chat.Error](err); ok {
		return e.Kind.String()
	}
	return err.Error()
}

func TestFeedback(t *testing.T) {
	b := newBench(t, t.TempDir(), plan(Arm{Name: "a", Weight: 1}, Arm{Name: "b", Weight: 1, Model: &hall{name: "b"}}), nil)
	arms := make(map[string]string) // by id
	for i := range 20 {
		req := question(fmt.Sprint("r", i), fmt.Sprint("s", i))
		req.Principal = "alice"
		_, arm, _ := b.ask(t.Context(), req)
		arms[req.ID] = arm
	}
	var a1, a2, b1 string // two of one arm, and one of the other
	for i := range 20 {
		switch id := fmt.Sprint("r", i); {
		case arms[id] == "x/b":
			b1 = id
		case a1 == "":
			a1 = id
		default:
			a2 = id
		}
	}
	if _, _, err := b.ask(t.Context(), question("uncounted", "")); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, who string
		f         Feedback
		want      string
	}{
		{"about a request", "alice", Feedback{ID: a1, Score: new(1.0)}, ""},
		{"the same again", "alice", Feedback{ID: a1, Score: new(1.0)}, ""},
		{"by the answer's id", "alice", Feedback{ID: "chatcmpl-" + a1, Score: new(1.0)}, ""},
		{"another score", "alice", Feedback{ID: a1, Score: new(-1.0)}, "conflict"},
		{"of somebody else", "bob", Feedback{ID: b1, Score: new(1.0)}, "not found"},
		{"of nobody", "", Feedback{ID: b1, Score: new(1.0)}, "not found"},
		{"about nothing known", "alice", Feedback{ID: "r99", Score: new(1.0)}, "not found"},
		{"about what did not count", "", Feedback{ID: "uncounted", Score: new(1.0)}, "not found"},
		{"too good", "alice", Feedback{ID: b1, Score: new(1.5)}, "invalid"},
		{"of nothing", "alice", Feedback{}, "invalid"},
		{"a word as a tag", "alice", Feedback{ID: b1, Tags: []string{"Oh dear"}}, "invalid"},
		{"a vote", "alice", Feedback{A: a1, B: b1, Winner: "b"}, ""},
		{"the same the other way round", "alice", Feedback{A: b1, B: "chatcmpl-" + a1, Winner: "a"}, ""},
		{"another vote", "alice", Feedback{A: a1, B: b1, Winner: "tie"}, "conflict"},
		{"a vote within an arm", "alice", Feedback{A: a1, B: a2, Winner: "a"}, "conflict"},
		{"a vote with a stranger", "alice", Feedback{A: a1, B: "r99", Winner: "a"}, "conflict"},
		{"a vote without a winner", "alice", Feedback{A: a1, B: b1}, "invalid"},
		{"a vote with a score", "alice", Feedback{A: a1, B: b1, Winner: "a", Score: new(0.0)}, "invalid"},
	}
	for _, tt := range tests {
		if got := kind(b.lab.Give(tt.who, &tt.f)); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
	x := b.lab.all["x"]
	if n := x.tallies["a"].metrics[metric.Feedback].N(); n != 1 {
		t.Errorf("%d scores of a, want 1", n)
	}
	if v := x.tallies["b"].metrics[metric.Votes]; v.N() != 1 || v.Value(0.05).Value != 1 {
		t.Errorf("votes of b: %+v, want one that it won", v.Value(0.05))
	}
}

// What was counted is counted after a new start, feedback finds its answers, a
// torn line is told of and costs itself alone, and nothing that anybody said or
// is called is in the file.
func TestTheFileTellsAll(t *testing.T) {
	dir := t.TempDir()
	p := plan(Arm{Name: "a", Weight: 1}, Arm{Name: "b", Weight: 1})
	b := newBench(t, dir, p, nil)
	for i := range 10 {
		req := question(fmt.Sprint("r", i), "secret-session")
		req.Principal = "secret-key"
		b.ask(t.Context(), req)
	}
	if err := b.lab.Give("secret-key", &Feedback{ID: "r1", Score: new(-1.0), Comment: "secret words"}); err != nil {
		t.Fatal(err)
	}
	b.ask(t.Context(), question("x", ""))
	before := b.lab.Experiments()[0]
	b.close()

	file := filepath.Join(dir, "x.jsonl")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, word := range []string{"secret", "你好", "I am", `"r1"`, "chatcmpl"} {
		if strings.Contains(string(text), word) {
			t.Errorf("the file has %q in it", word)
		}
	}
	if err := os.WriteFile(file, append(text, `{"request":{"at":"2026-`...), 0o600); err != nil {
		t.Fatal(err)
	}
	b = newBench(t, dir, p, nil)
	after := b.lab.Experiments()[0]
	if fmt.Sprint(requests(before)) != fmt.Sprint(requests(after)) || after.Excluded[NoUnit] != 1 || after.Damaged != 1 || !after.Since.Equal(*before.Since) {
		t.Errorf("before %+v, after %+v", before, after)
	}
	if got := kind(b.lab.Give("secret-key", &Feedback{ID: "chatcmpl-r2", Score: new(1.0)})); got != "" {
		t.Errorf("feedback after a new start: %s", got)
	}
	if got := kind(b.lab.Give("secret-key", &Feedback{ID: "r1", Score: new(1.0)})); got != "conflict" {
		t.Errorf("feedback a second time: %q", got)
	}
	b.ask(t.Context(), question("y", "s"))
	b.close()
	b = newBench(t, dir, p, nil)
	if s := b.lab.Experiments()[0]; s.Damaged != 1 || s.Arms[0].Requests+s.Arms[1].Requests != 11 {
		t.Errorf("after the torn line: %+v", s)
	}
	other := New(Options{})
	defer other.Close()
	if _, err := other.Split(dir, b.route, []Plan{p}, nil); err == nil || !strings.Contains(err.Error(), "another bendi") {
		t.Errorf("two programs with one file: %v", err)
	}
}

// Comments are kept where the plan says so.
func TestComments(t *testing.T) {
	for _, keep := range []bool{false, true} {
		dir := t.TempDir()
		p := plan(Arm{Name: "a", Weight: 1}, Arm{Name: "b", Weight: 1})
		p.KeepComments = keep
		b := newBench(t, dir, p, nil)
		b.ask(t.Context(), question("r", "s"))
		if err := b.lab.Give("", &Feedback{ID: "r", Comment: "so lala"}); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(filepath.Join(dir, "x.jsonl"))
		if err != nil || strings.Contains(string(text), "so lala") != keep {
			t.Errorf("keep %v: %v\n%s", keep, err, text)
		}
	}
}

// What is remembered of answers is bounded.
func TestAnswersAreForgotten(t *testing.T) {
	a := newAnswers()
	for i := range mostAnswers + 10 {
		a.add(&Observation{At: time.Now(), IDs: []string{fmt.Sprint(i), fmt.Sprint("c", i)}})
	}
	if len(a.byID) != 2*mostAnswers || a.find("9") != nil || a.find("10") == nil {
		t.Errorf("%d ids are remembered", len(a.byID))
	}
	a.add(&Observation{At: time.Now().Add(-keepAnswers), IDs: []string{"old"}})
	if a.find("old") != nil {
		t.Error("an answer is remembered for ever")
	}
}

func TestObservation(t *testing.T) {
	p := Plan{Prices: map[string]Price{"cloud/m": {Prompt: 2, Completion: 10}, "here": {Completion: 1}}}
	e := &ledger.Entry{Backend: "cloud/m", Usage: chat.Usage{PromptTokens: 1e6, CompletionTokens: 5e5}, Finish: chat.ContentFilter, Outcome: ledger.Success}
	if o := p.observe(e, "a"); o.Cost == nil || *o.Cost != 7 || !o.Refused {
		t.Errorf("observation = %+v, want a cost of 7 and a refusal", o)
	}
	e.Backend, e.Model = "llamacpp", "here"
	if o := p.observe(e, "a"); o.Cost == nil || *o.Cost != 0.5 {
		t.Errorf("observation = %+v, want a cost of 0.5", o)
	}
	e.Model, e.Outcome, e.Err = "there", ledger.Failed, errors.New("with words in it")
	if o := p.observe(e, "a"); o.Cost != nil || o.Code != "internal" {
		t.Errorf("observation = %+v, want no cost and the code internal", o)
	}
}
