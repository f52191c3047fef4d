package filter

import (
	"math/rand/v2"
	"reflect"
	"sync"
	"testing"
)

// What a reading has read before does not change what it finds next.
func TestReadingsAreUsedAgain(t *testing.T) {
	rules := realRules(t)
	for _, strict := range []bool{false, true} {
		policy := realPolicy(strict)
		p, fresh := newPlan(rules, policy), newPlan(rules, policy)
		for seed := range uint64(200) {
			d := draw{rand.New(rand.NewPCG(seed, 4))}
			f := &field{place{what: messageContent, n: 1}, textField, []string{d.real()}}
			switch d.IntN(4) {
			case 0:
				f = &field{place{what: extraValue, key: "k", n: 1}, jsonField, []string{`{"k":"` + d.real() + `","n":[13800138000,1]}`}}
			case 1:
				f.place.what, f.kind = stopString, nameField
			case 2:
				f.place.what, f.kind = callID, idField
			}
			history := d.IntN(2) == 0
			fresh.idle = sync.Pool{}
			got, want := p.inspect(f, history), fresh.inspect(f, history)
			if !reflect.DeepEqual(got, want) {
				t.Fatalf("seed %d: %q gives %+v, want %+v", seed, f.texts, got, want)
			}
		}
	}
}
