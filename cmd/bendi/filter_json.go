package main

import (
	"strings"

	"bendi/filter/lexicon"
)

// What the commands of the filter print as JSON.

type lintBody struct {
	Kind    lexicon.Kind `json:"kind"`
	Lexicon string       `json:"lexicon"`
	Line    int          `json:"line,omitempty"`
	Word    string       `json:"word,omitempty"` // its id
	Other   string       `json:"other,omitempty"`
	Text    string       `json:"text"`
	Reason  string       `json:"reason"`
	Advice  string       `json:"advice"`
}

type coverageBody struct {
	Profile    string          `json:"profile"`
	Title      string          `json:"title"`
	Supports   string          `json:"supports"`
	Complete   bool            `json:"complete"`
	Words      int             `json:"words"`
	Wanted     int             `json:"wanted"`
	Risks      []riskBody      `json:"risks"`
	Lexicons   []freshnessBody `json:"lexicons"`
	Unassigned int             `json:"without_risk"`
	Unknown    int             `json:"with_unlisted_risk"`
	TooLong    int             `json:"too_long"`
	Duplicates int             `json:"duplicates"`
	Starter    int             `json:"from_starter"`
}

type riskBody struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	Words   int    `json:"words"`
	Wanted  int    `json:"wanted"`
	Missing int    `json:"missing"`
}

type freshnessBody struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	Updated string `json:"updated,omitempty"`
	Days    int    `json:"days"` // -1: not known
	Stale   bool   `json:"stale"`
	Words   int    `json:"words"`
	Starter bool   `json:"starter"`
}

func coverageOf(c *lexicon.Coverage) coverageBody {
	b := coverageBody{
		Profile: c.Profile.ID, Title: c.Profile.Title, Supports: c.Profile.Supports, Complete: c.Complete(),
		Words: c.Total.Have, Wanted: c.Total.Min, Unassigned: c.Unassigned, Unknown: c.Unknown,
		TooLong: c.TooLong, Duplicates: c.Duplicates, Starter: c.Starter,
	}
	for _, r := range c.Risks {
		b.Risks = append(b.Risks, riskBody{r.ID, r.Name, r.Count.Have, r.Count.Min, r.Count.Short()})
	}
	for _, l := range c.Lexicons {
		b.Lexicons = append(b.Lexicons, freshnessBody{l.Name, l.Version, l.Updated, l.Days, l.Stale, l.Words, l.Starter})
	}
	return b
}

type changesBody struct {
	Old               versionBody  `json:"old"`
	New               versionBody  `json:"new"`
	Same              bool         `json:"same"`
	Added             []wordBody   `json:"added"`
	Removed           []wordBody   `json:"removed"`
	Changed           []changeBody `json:"changed"`
	AllowAdded        []string     `json:"allow_added,omitempty"`
	AllowRemoved      []string     `json:"allow_removed,omitempty"`
	CategoriesAdded   []string     `json:"categories_added,omitempty"`
	CategoriesRemoved []string     `json:"categories_removed,omitempty"`
	CategoriesChanged []string     `json:"categories_changed,omitempty"`
}

type versionBody struct {
	Version string `json:"version"`
	Digest  string `json:"digest"`
}

type wordBody struct {
	Text     string `json:"text"`
	Category string `json:"category"`
	Level    int    `json:"level"`
	Risk     string `json:"risk,omitempty"`
}

type changeBody struct {
	Old  wordBody `json:"old"`
	New  wordBody `json:"new"`
	What []string `json:"what"`
}

func changesOf(c *lexicon.Changes) changesBody {
	word := func(w lexicon.Word) wordBody {
		text := w.Text
		if w.All != nil {
			text = strings.Join(w.All, " + ")
		}
		return wordBody{text, w.Category, w.Level, w.Risk}
	}
	words := func(list []lexicon.Word) []wordBody {
		out := make([]wordBody, len(list))
		for i, w := range list {
			out[i] = word(w)
		}
		return out
	}
	b := changesBody{
		Old: versionBody{c.OldVersion, c.OldDigest}, New: versionBody{c.NewVersion, c.NewDigest}, Same: c.Empty(),
		Added: words(c.Added), Removed: words(c.Removed), Changed: make([]changeBody, len(c.Changed)),
		AllowAdded: c.AllowAdded, AllowRemoved: c.AllowRemoved,
		CategoriesAdded: c.CategoryAdded, CategoriesRemoved: c.CategoryGone, CategoriesChanged: c.Relabelled,
	}
	for i, ch := range c.Changed {
		b.Changed[i] = changeBody{word(ch.Old), word(ch.New), ch.What}
	}
	return b
}
