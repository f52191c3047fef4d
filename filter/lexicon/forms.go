package lexicon

import (
	"slices"

	"bendi/filter/find"
)

// formList is what a word can have as forms.
const formList = "split, reversed, alike, sound"

// parseForm reads the name of a form that can be asked for.
func parseForm(name string) (find.Form, bool) {
	for _, f := range []find.Form{find.Split, find.Reversed, find.Alike, find.Sound} {
		if f.String() == name {
			return f, true
		}
	}
	return 0, false
}

func sortForms(forms []find.Form) []find.Form {
	slices.Sort(forms)
	return slices.Compact(forms)
}
