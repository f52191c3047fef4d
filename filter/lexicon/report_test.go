package lexicon_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"bendi/filter/lexicon"
)

func TestProfiles(t *testing.T) {
	check(t, lexicon.ProfileNames(), []string{"gbt45654-2025", "tc260-003"})
	for _, name := range lexicon.ProfileNames() {
		p, err := lexicon.LoadProfile(name)
		if err != nil {
			t.Fatal(err)
		}
		sum := 0
		for _, r := range p.Risks {
			sum += r.Min
			if r.Verified {
				t.Errorf("%s: %s counts as verified; nobody has read the standard", name, r.ID)
			}
		}
		if p.ID != name || len(p.Risks) != 31 || p.Total.Min != 10_000 || sum != 8*200+9*100 || p.UpdateDays.Max != 7 {
			t.Errorf("%s: id %s, %d risks, total %d, sum %d, %d days", name, p.ID, len(p.Risks), p.Total.Min, sum, p.UpdateDays.Max)
		}
		if !strings.Contains(p.Supports, "does not make a service compliant") {
			t.Errorf("%s: supports %q", name, p.Supports)
		}
	}
}

func TestLoadProfile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "own.json")
	for text, want := range map[string]string{
		`{"id": "own", "supports": "x", "risks": [{"id": "A.1", "name": "n", "min": 3}]}`: "",
		`{"id": "own", "supports": "x", "risk": []}`:                                      "unknown field",
		`{"id": "own", "supports": "x", "risks": [{"id": "first"}]}`:                      "no number of a risk",
		`{"id": "own", "supports": "x", "risks": [{"id": "A.1"}, {"id": "A.1"}]}`:         "twice",
		`{"id": "own", "supports": "x", "risks": [{"id": "A.1", "min": -1}]}`:             "negative",
		`{"id": "own"}`:                     "supports",
		`{"id": "own", "supports": "x"} {}`: "follows",
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := lexicon.LoadProfile(path)
		if got := fmt.Sprint(err); (want == "") != (err == nil) || !strings.Contains(got, want) && want != "" {
			t.Errorf("%s: %v", text, err)
		}
	}
	if _, err := lexicon.LoadProfile("iso"); err == nil || !strings.Contains(err.Error(), "known profiles are gbt45654-2025, tc260-003") {
		t.Errorf("an unknown name: %v", err)
	}
}

func TestCover(t *testing.T) {
	p, err := lexicon.LoadProfile("tc260-003")
	if err != nil {
		t.Fatal(err)
	}
	a := load(t, "a.yaml", "name: a\nversion: 1\nupdated: 2026-11-20\ncategories:\n  x:\n    level: 2\n    risk: A.1.8\n    words: [甲乙, 丙丁, 一二三四五六七八九十零, one two three four five six, {all: [甲乙, 丙丁]}]\n  y:\n    level: 1\n    words: [戊己, {text: 庚辛, risk: B.1}]\n", lexicon.Options{})
	b := load(t, "b.yaml", "name: b\nversion: 1\nupdated: 2026-11-10\nstarter: true\ncategories:\n  x:\n    level: 2\n    risk: A.2.5\n    words: [甲 乙, 壬癸]\n", lexicon.Options{})
	c := load(t, "c.txt", "壬癸\n", lexicon.Options{Category: "x", Level: 1})
	now := time.Date(2026, 11, 25, 12, 0, 0, 0, time.Local)
	got := lexicon.Cover(p, now, a, b, c)
	var risks []string
	for _, r := range got.Risks {
		if r.Count.Have > 0 {
			risks = append(risks, fmt.Sprintf("%s %d/%d short %d", r.ID, r.Count.Have, r.Count.Min, r.Count.Short()))
		}
	}
	check(t, risks, []string{"A.1.8 3/200 short 197", "A.2.5 1/100 short 99"})
	if got.Total != (lexicon.Count{Have: 6, Min: 10_000}) || got.Starter != 1 || got.Unassigned != 1 || got.Unknown != 1 || got.TooLong != 2 || got.Duplicates != 2 || got.Complete() {
		t.Errorf("got %+v", got)
	}
	var fresh []string
	for _, l := range got.Lexicons {
		fresh = append(fresh, fmt.Sprintf("%s %d %t", l.Name, l.Days, l.Stale))
	}
	check(t, fresh, []string{"a 5 false", "b 15 true", "c -1 true"})
}

func TestDiff(t *testing.T) {
	const head = "name: h\nupdated: 2026-11-25\n"
	old := load(t, "old.yaml", head+"version: 1\ncategories:\n  x:\n    level: 1\n    allow: [反～]\n    words: [甲乙, 丙丁, 戊己, sex]\n  y:\n    level: 2\n", lexicon.Options{})
	new := load(t, "new.yaml", head+"version: 2\ncategories:\n  x:\n    level: 2\n    allow: [防～]\n    words: [{text: 丙丁, level: 1}, 甲乙, 庚辛, SEX]\n  z:\n    level: 2\n", lexicon.Options{})
	d := lexicon.Diff(old, new)
	var got []string
	for _, w := range d.Added {
		got = append(got, "+ "+w.Text)
	}
	for _, w := range d.Removed {
		got = append(got, "- "+w.Text)
	}
	for _, c := range d.Changed {
		got = append(got, fmt.Sprint("! ", c.New.Text, " ", c.What, " ", c.Old.Level, c.New.Level))
	}
	got = append(got, fmt.Sprint(d.AllowAdded, d.AllowRemoved, d.CategoryAdded, d.CategoryGone, d.Relabelled, " ", d.OldVersion+"→"+d.NewVersion, " ", d.Empty()))
	check(t, got, []string{"+ 庚辛", "- 戊己", "! 甲乙 [level] 1 2", "! SEX [level] 1 2", "[x: 防～] [x: 反～] [z] [y] [x] 1→2 false"})

	moved := load(t, "moved.yaml", "# moved\nnote: other\n"+head+"version: 9\ncategories:\n  y: {level: 2}\n  x:\n    level: 1\n    words: [丙丁, sex, 戊 己, 甲乙]\n    allow: [反～]\n", lexicon.Options{})
	if d := lexicon.Diff(old, moved); !d.Empty() || len(d.Added)+len(d.Removed)+len(d.Changed) > 0 {
		t.Errorf("words that only moved: %+v", d)
	}
}
