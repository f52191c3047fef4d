package filter

import (
	"reflect"
	"slices"
	"testing"

	"bendi/chat/chattest"
)

func TestModerate(t *testing.T) {
	rules := testRules("gambling:赌博", "log:天气", "adult:abc")
	g := Guard(chattest.Script(""), Options{Shelf: NewShelf(rules), Policy: &Policy{Categories: map[string]Category{
		"log": {Request: Always(Log)}, "*": {Request: Always(Block)},
	}}, Observe: func(f Finding) { t.Errorf("moderation is observed: %+v", f) }})
	got := g.Moderate([]string{"", "天气", "abc赌博天气abc"})
	if len(got) != 3 || got[0].Flagged || len(got[0].Categories) != 0 || len(got[0].OpenAI) != 13 || len(got[0].Scores) != 13 {
		t.Fatalf("of nothing: %+v", got)
	}
	if v := got[1]; v.Flagged || !reflect.DeepEqual(v.Categories, map[string]int{"log": 2}) {
		t.Errorf("of what is logged: %+v", v)
	}
	v := got[2]
	if !v.Flagged || v.Action != Block || !slices.Equal(v.Rules, []string{"radult", "rgambling", "rlog"}) {
		t.Errorf("behind a word that blocks: %+v", v)
	}
	var keys []string
	for k, is := range v.OpenAI {
		if is {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	if !slices.Equal(keys, []string{"illicit", "sexual"}) || v.Scores["sexual"] != 1 || v.Scores["illicit"] != 0.4 || v.Scores["hate"] != 0 {
		t.Errorf("keys %q, scores %v", keys, v.Scores)
	}
}
