package main

import (
	"slices"
	"testing"

	"bendi/config"
	"bendi/filter"
	"bendi/filter/find"
	"bendi/filter/pii"
)

// The configuration knows the actions, kinds and forms of the filter by the
// same names, for it cannot import them.
func TestConfigurationAgreesWithTheFilter(t *testing.T) {
	actions := config.Action("").Values()
	for i, name := range actions {
		if a, err := filter.ParseAction(name); err != nil || int(a) != i {
			t.Errorf("action %s is %v, %v", name, a, err)
		}
	}
	if _, err := filter.ParseAction(filter.Action(len(actions)).String()); err == nil {
		t.Errorf("the filter has an action %v that the configuration does not", filter.Action(len(actions)))
	}
	var kinds []string
	for _, k := range pii.Types() {
		kinds = append(kinds, k.Name)
	}
	if !slices.Equal(kinds, config.PersonalData) {
		t.Errorf("the filter finds %v, the configuration has %v", kinds, config.PersonalData)
	}
	var forms []string
	for f := find.Loose; f <= find.Sound; f++ {
		forms = append(forms, f.String())
	}
	if !slices.Equal(forms, config.Forms) {
		t.Errorf("the filter has the forms %v, the configuration %v", forms, config.Forms)
	}
}

func TestDefaultPolicy(t *testing.T) {
	p, err := policyOf("default", config.Default().Filters["default"])
	if err != nil {
		t.Fatal(err)
	}
	other := p.Categories["*"]
	if want := (filter.Levels{filter.Log, filter.Mask, filter.Block}); other.Request != want || other.Answer != want {
		t.Errorf("the levels are %v and %v", other.Request, other.Answer)
	}
	if p.Personal["*"].Request != filter.Log || p.History != filter.Log || p.Strict || p.Sound || p.Reveal || p.Results {
		t.Errorf("the policy is %+v", p)
	}
}
