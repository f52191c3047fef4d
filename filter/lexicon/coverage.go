package lexicon

import (
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"bendi/filter/fold"
)

//go:embed profiles/*.json
var profiles embed.FS

// A Profile has the figures of a standard. It is data, in a file: figures
// change, and some are not verified.
type Profile struct {
	ID         string `json:"id"`
	Title      string `json:"title"`
	Status     string `json:"status"`   // where the figures are from
	Supports   string `json:"supports"` // what a count is good for; always shown with it
	Total      Figure `json:"total"`
	UpdateDays Figure `json:"update_days"`

	// What tests with questions have to show, in percent: how many of those
	// that should be refused are, and how many of the others.
	Refused        Figure `json:"refused"`
	WronglyRefused Figure `json:"wrongly_refused"`

	WordLength struct {
		Han      int  `json:"han"`     // the longest word that counts, in Chinese characters; 0 for no bound
		Foreign  int  `json:"foreign"` // likewise in words of another language
		Verified bool `json:"verified"`
	} `json:"word_length"`
	Risks []Risk `json:"risks"`
}

// A Figure is a number that a standard names.
type Figure struct {
	Min      int    `json:"min,omitempty"`
	Max      int    `json:"max,omitempty"`
	Verified bool   `json:"verified"` // somebody has read it in the standard itself
	Note     string `json:"note,omitempty"`
}

// A Risk is a kind of content that a standard lists.
type Risk struct {
	ID   string `json:"id"` // such as A.1.6
	Name string `json:"name"`
	Figure
}

// ProfileNames lists the profiles that Bendi brings along.
func ProfileNames() []string {
	entries, err := profiles.ReadDir("profiles")
	if err != nil {
		panic(err) // it is embedded
	}
	var names []string
	for _, e := range entries {
		names = append(names, strings.TrimSuffix(e.Name(), ".json"))
	}
	return names
}

// LoadProfile reads a profile: one that Bendi brings along by its name, or any
// other from its file.
func LoadProfile(name string) (*Profile, error) {
	if slices.Contains(ProfileNames(), name) {
		text, err := profiles.ReadFile("profiles/" + name + ".json")
		if err != nil {
			return nil, err
		}
		return readProfile(name, text)
	}
	text, err := os.ReadFile(name)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("there is no profile %s and no file of that name; known profiles are %s", name, strings.Join(ProfileNames(), ", "))
	}
	if err != nil {
		return nil, fmt.Errorf("reading a profile: %w", err)
	}
	return readProfile(name, text)
}

func readProfile(source string, text []byte) (*Profile, error) {
	dec := json.NewDecoder(strings.NewReader(string(text)))
	dec.DisallowUnknownFields()
	p := &Profile{}
	if err := dec.Decode(p); err != nil {
		return nil, fmt.Errorf("profile %s: %w", source, err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("profile %s: something follows its JSON", source)
	}
	seen := map[string]bool{}
	for _, r := range p.Risks {
		switch {
		case !isRisk(r.ID):
			return nil, fmt.Errorf("profile %s: %q is no number of a risk such as A.1.6", source, r.ID)
		case seen[r.ID]:
			return nil, fmt.Errorf("profile %s: the risk %s is there twice", source, r.ID)
		case r.Min < 0:
			return nil, fmt.Errorf("profile %s: the risk %s has a negative minimum", source, r.ID)
		}
		seen[r.ID] = true
	}
	if p.ID == "" || p.Supports == "" {
		return nil, fmt.Errorf("profile %s: needs an id, and supports: what its counts are good for", source)
	}
	return p, nil
}

// A Coverage tells how many words there are for each risk of a profile. It is a
// count, which supports an assessment and makes nothing compliant.
type Coverage struct {
	Profile *Profile
	Risks   []RiskCount // in the profile's order
	Total   Count
	Starter int // how many of the words counted are from starter lexicons

	Unassigned int // different words without a risk; they count in Total
	Unknown    int // different words with a risk that the profile does not list; likewise
	TooLong    int // different words that are longer than what counts; they do not count
	Duplicates int // words left out as another lexicon or line has them

	Lexicons []Freshness
}

// A Count is what there is and what there should be.
type Count struct{ Have, Min int }

// Short is how many are missing.
func (c Count) Short() int { return max(0, c.Min-c.Have) }

// A RiskCount is the count of one risk.
type RiskCount struct {
	Risk
	Count Count
}

// Freshness tells when a lexicon was brought up to date.
type Freshness struct {
	Name, Version, Updated string
	Starter                bool
	Words                  int
	Days                   int  // since it was updated; -1 where it does not say when that was
	Stale                  bool // longer ago than the profile has it, or not known
}

// Complete reports whether no count is short and no lexicon is stale. It is not
// a statement about compliance.
func (c *Coverage) Complete() bool {
	for _, r := range c.Risks {
		if r.Count.Short() > 0 {
			return false
		}
	}
	for _, l := range c.Lexicons {
		if l.Stale {
			return false
		}
	}
	return c.Total.Short() == 0
}

// Cover counts the words of lexicons against a profile, as of now. A word counts
// once, for the risk it has where it stands first.
func Cover(p *Profile, now time.Time, lexicons ...*Lexicon) *Coverage {
	c := &Coverage{Profile: p, Total: Count{Min: p.Total.Min}}
	have := map[string]int{}
	known := map[string]bool{}
	for _, r := range p.Risks {
		known[r.ID] = true
	}
	seen := map[string]bool{}
	for _, l := range lexicons {
		for i := range l.Words {
			w := &l.Words[i]
			key := w.key()
			switch {
			case seen[key]:
				c.Duplicates++
				continue
			case p.tooLong(w):
				seen[key] = true
				c.TooLong++
				continue
			case w.Risk == "":
				c.Unassigned++
			case !known[w.Risk]:
				c.Unknown++
			default:
				have[w.Risk]++
			}
			seen[key] = true
			c.Total.Have++
			if l.Starter {
				c.Starter++
			}
		}
		f := Freshness{Name: l.Name, Version: l.Version, Updated: l.Updated, Starter: l.Starter, Words: len(l.Words), Days: -1, Stale: true}
		if age, ok := l.Age(now); ok {
			f.Days = int(age / (24 * time.Hour))
			f.Stale = p.UpdateDays.Max > 0 && f.Days > p.UpdateDays.Max
		}
		c.Lexicons = append(c.Lexicons, f)
	}
	for _, r := range p.Risks {
		c.Risks = append(c.Risks, RiskCount{r, Count{have[r.ID], r.Min}})
	}
	return c
}

// tooLong reports whether w is longer than what the profile counts. The texts of
// a combination are looked at one by one.
func (p *Profile) tooLong(w *Word) bool {
	texts := w.All
	if texts == nil {
		texts = []string{w.Text}
	}
	return slices.ContainsFunc(texts, func(text string) bool {
		key := Key(text)
		han := strings.ContainsFunc(key, func(r rune) bool { return fold.KindOf(r) == fold.Han })
		return han && p.WordLength.Han > 0 && utf8.RuneCountInString(key) > p.WordLength.Han ||
			!han && p.WordLength.Foreign > 0 && len(strings.Fields(key)) > p.WordLength.Foreign
	})
}
