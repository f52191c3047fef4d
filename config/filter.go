package config

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode"
)

// Starter names the lexicon that comes with Bendi.
const Starter = "starter"

// Off names no filter at all, for a route.
const Off = "off"

// Other is the rule of all categories, or all kinds of personal data, that
// have none of their own.
const Other = "*"

// Words names files of words: one file, a pattern such as words/*.txt, or
// [Starter].
type Words string

// IsStarter reports whether w is the lexicon that comes with Bendi.
func (w Words) IsStarter() bool { return w == Starter }

func (w *Words) resolve(dir string) {
	if *w != Starter {
		p := Path(*w)
		p.resolve(dir)
		*w = Words(p)
	}
}

// A Lexicon is words for the filter.
type Lexicon struct {
	Path     Words             `yaml:"path"`
	Shadow   bool              `yaml:"shadow"`   // what it finds is counted, and nothing is done about it
	Category string            `yaml:"category"` // of words that say none
	Level    int               `yaml:"level"`    // likewise, 1 to 3; 0 means 2
	Tags     map[string]string `yaml:"tags"`     // the categories that the tags of plain lists mean
}

// A Filter is a policy: what is done about what is found.
type Filter struct {
	Categories map[string]WordRule    `yaml:"categories"` // by category of the lexicons, or Other
	Privacy    map[string]PrivacyRule `yaml:"privacy"`    // by kind of personal data, or Other

	Profile  Profile           `yaml:"profile"`  // how hard to look
	Forms    map[string]Action `yaml:"forms"`    // the strongest action about what had to be read so to be found
	Mentions Mentions          `yaml:"mentions"` // where words are mentioned and not used

	Buffer  Buffer  `yaml:"buffer"`   // how much of an answer is held until it is judged
	BlockAs BlockAs `yaml:"block_as"` // how a refused request looks
	Refusal string  `yaml:"refusal"`  // what the client is told
	Notice  string  `yaml:"notice"`   // ends an answer that was cut off
	History History `yaml:"history"`  // what is done about earlier turns

	Results    bool `yaml:"results"`     // clients see what was found, in the body
	RevealText bool `yaml:"reveal_text"` // the log has the words that were found

	Label         Label         `yaml:"label"`
	SecondOpinion SecondOpinion `yaml:"second_opinion"`
}

// A WordRule says what is done about the words of a category. Written as one
// action or as three, it is about requests and answers alike. After Load
// everything is filled in, from the rule of [Other] what was left out.
type WordRule struct {
	Request     Actions `yaml:"request"`
	Answer      Actions `yaml:"answer"`
	Replacement string  `yaml:"replacement"` // what stands in place of a word
}

// A PrivacyRule says what is done about personal data of a kind. Written as
// one action, it is about requests and answers alike; and it is filled in as a
// WordRule is.
type PrivacyRule struct {
	Request     Action `yaml:"request"`
	Answer      Action `yaml:"answer"`
	Replacement string `yaml:"replacement"`
}

// Mentions are words that are only mentioned: those behind one of some texts,
// such as 打击, in the same sentence.
type Mentions struct {
	After  []string `yaml:"after"`
	Within int      `yaml:"within"` // characters between them
	Action Action   `yaml:"action"` // the strongest about them
}

// A Label says that a machine has written an answer.
type Label struct {
	Text     string   `yaml:"text"`     // in the answer itself; empty: none
	Position Position `yaml:"position"` // of the text
	Producer string   `yaml:"producer"` // the code of who runs this; not empty: answers carry the object AIGC
}

// A SecondOpinion asks a model about what was written.
type SecondOpinion struct {
	Model     string    `yaml:"model"` // one of models; empty: none is asked
	Style     Style     `yaml:"style"` // how it is asked
	Mode      Mode      `yaml:"mode"`
	OnFailure OnFailure `yaml:"on_failure"`
	Timeout   Duration  `yaml:"timeout"`
}

// An Action is what is done about a finding.
type Action string

// Values lists every Action, the strongest last.
func (Action) Values() []string {
	return []string{"none", "log", "review", "route_local", "mask", "replace", "block"}
}

// Actions are the actions at the levels 1, 2 and 3. Written as one word, it is
// that of all levels.
type Actions []Action

// Buffer is none, sentence or full.
type Buffer string

// BlockAs is error or refusal.
type BlockAs string

// History is log or act.
type History string

// Profile is default, strict or sound.
type Profile string

// Position is start or end.
type Position string

// Style is guard or yes_no.
type Style string

// Mode is observe, sentence or full.
type Mode string

// OnFailure is open or closed.
type OnFailure string

// Values lists every Buffer.
func (Buffer) Values() []string { return []string{"none", "sentence", "full"} }

// Values lists every BlockAs.
func (BlockAs) Values() []string { return []string{"error", "refusal"} }

// Values lists every History.
func (History) Values() []string { return []string{"log", "act"} }

// Values lists every Profile.
func (Profile) Values() []string { return []string{"default", "strict", "sound"} }

// Values lists every Position.
func (Position) Values() []string { return []string{"start", "end"} }

// Values lists every Style.
func (Style) Values() []string { return []string{"guard", "yes_no"} }

// Values lists every Mode.
func (Mode) Values() []string { return []string{"observe", "sentence", "full"} }

// Values lists every OnFailure.
func (OnFailure) Values() []string { return []string{"open", "closed"} }

// filterDefaults is the policy that acts where nothing else was said.
func filterDefaults() Filter {
	return Filter{
		Categories:    map[string]WordRule{Other: otherWords()},
		Privacy:       map[string]PrivacyRule{Other: {Request: "log", Answer: "log"}},
		Profile:       "default",
		Forms:         map[string]Action{},
		Mentions:      Mentions{After: []string{}, Action: "log"},
		Buffer:        "none",
		BlockAs:       "error",
		History:       "log",
		Label:         Label{Position: "start"},
		SecondOpinion: SecondOpinion{Style: "guard", Mode: "observe", OnFailure: "open", Timeout: Duration(10e9)},
	}
}

func otherWords() WordRule {
	return WordRule{Request: Actions{"log", "mask", "block"}, Answer: Actions{"log", "mask", "block"}}
}

// complete fills in what the policies and the routes leave to others. It tells
// inherit of each key that takes its value from another.
func (c *Config) complete(inherit func(key, from string)) {
	c.completeBackends()
	c.completeExperiments()
	c.completeSessions()
	if c.Filters == nil {
		c.Filters = map[string]Filter{}
	}
	if _, ok := c.Filters[defaultFilter]; !ok {
		c.Filters[defaultFilter] = filterDefaults()
	}
	for name, f := range c.Filters {
		key := join("filters", name)
		if f.Categories == nil {
			f.Categories = map[string]WordRule{}
		}
		if f.Privacy == nil {
			f.Privacy = map[string]PrivacyRule{}
		}
		c.Filters[name] = f
		completeRules(f.Categories, otherWords(), join(key, "categories"), inherit, func(r *WordRule, other WordRule, fill func(string)) {
			if r.Request == nil {
				r.Request = slices.Clone(other.Request)
				fill("request")
			}
			if r.Answer == nil {
				r.Answer = slices.Clone(other.Answer)
				fill("answer")
			}
			if r.Replacement == "" {
				r.Replacement = other.Replacement
				fill("replacement")
			}
		})
		completeRules(f.Privacy, PrivacyRule{Request: "log", Answer: "log"}, join(key, "privacy"), inherit, func(r *PrivacyRule, other PrivacyRule, fill func(string)) {
			if r.Request == "" {
				r.Request = other.Request
				fill("request")
			}
			if r.Answer == "" {
				r.Answer = other.Answer
				fill("answer")
			}
			if r.Replacement == "" {
				r.Replacement = other.Replacement
				fill("replacement")
			}
		})
	}
	for i := range c.Routes {
		if c.Routes[i].Filter == "" {
			c.Routes[i].Filter = defaultFilter
		}
	}
}

// completeRules fills in rules, first that of Other.
func completeRules[R any](rules map[string]R, basic R, key string, inherit func(key, from string), fill func(r *R, other R, filled func(field string))) {
	other := rules[Other]
	fill(&other, basic, func(string) {})
	rules[Other] = other
	for name, r := range rules {
		fill(&r, other, func(field string) { inherit(join(key, name)+"."+field, join(key, Other)+"."+field) })
		rules[name] = r
	}
}

// defaultFilter is the policy of routes that name none.
const defaultFilter = "default"

func (c *Config) checkLexicons(bad bad) {
	for i, l := range c.Lexicons {
		key := fmt.Sprintf("lexicons[%d]", i)
		switch {
		case l.Path == "":
			bad(key+".path", "is missing: a file of words, a pattern such as words/*.txt, or %s", Starter)
		case !l.Path.IsStarter():
			if _, err := filepath.Match(string(l.Path), ""); err != nil {
				bad(key+".path", "is no pattern of files: %v", err)
			}
		}
		if l.Level < 0 || l.Level > 3 {
			bad(key+".level", "want 0 (as the file says, or else 2) or 1 to 3, have %d", l.Level)
		}
		if l.Category != "" && !isCategory(l.Category) {
			bad(key+".category", "%s", categoryWanted)
		}
		for _, tag := range slices.Sorted(maps.Keys(l.Tags)) {
			if l.Tags[tag] != "" && !isCategory(l.Tags[tag]) { // empty: the tag stands for nothing
				bad(join(key+".tags", tag), "%s", categoryWanted)
			}
		}
	}
}

const (
	maxCategory    = 64
	categoryWanted = "a category has 1 to 64 bytes and neither spaces nor control characters"
)

func isCategory(s string) bool {
	return s != "" && len(s) <= maxCategory && !strings.ContainsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) })
}

func (c *Config) checkFilters(bad bad) {
	for _, name := range slices.Sorted(maps.Keys(c.Filters)) {
		f, key := c.Filters[name], join("filters", name)
		if name == Off {
			bad(key, "%s stands for no filter, and cannot be the name of one", Off)
		} else if !isName(name, maxID, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") {
			bad(key, "the name of a filter has letters, digits, dots, dashes and underscores, at most %d, and begins with a letter or digit", maxID)
		}
		for _, category := range slices.Sorted(maps.Keys(f.Categories)) {
			r, key := f.Categories[category], join(key+".categories", category)
			if !isCategory(category) {
				bad(key, "%s", categoryWanted)
			}
			checkActions(bad, key+".request", r.Request)
			if len(r.Request) == 3 || !slices.Equal(r.Request, r.Answer) {
				checkActions(bad, key+".answer", r.Answer)
			}
			if strings.HasPrefix(category, "pii.") {
				bad(key, "personal data has settings of its own, under privacy")
			}
			if r.Replacement == "" && slices.Contains(append(slices.Clone(r.Request), r.Answer...), replaces) {
				bad(key+".replacement", replacesNothing)
			}
			for i, a := range r.Answer {
				if a == routeLocal && len(r.Answer) == 3 {
					bad(fmt.Sprintf("%s.answer[%d]", key, i), routeLocalAnswer)
				}
			}
		}
		for _, kind := range slices.Sorted(maps.Keys(f.Privacy)) {
			r, key := f.Privacy[kind], join(key+".privacy", kind)
			if kind != Other && !slices.Contains(PersonalData, kind) {
				bad(key, "no kind of personal data %q%s", kind, suggest(kind, PersonalData))
			}
			one(bad, key+".request", r.Request)
			one(bad, key+".answer", r.Answer)
			if r.Replacement == "" && (r.Request == replaces || r.Answer == replaces) {
				bad(key+".replacement", replacesNothing)
			}
			if r.Answer == routeLocal {
				bad(key+".answer", routeLocalAnswer)
			}
		}
		one(bad, key+".profile", f.Profile)
		for _, form := range slices.Sorted(maps.Keys(f.Forms)) {
			if key := join(key+".forms", form); !slices.Contains(Forms, form) {
				bad(key, "no form %q%s", form, suggest(form, Forms))
			} else {
				one(bad, key, f.Forms[form])
			}
		}
		for i, text := range f.Mentions.After {
			if strings.TrimSpace(text) == "" {
				bad(fmt.Sprintf("%s.mentions.after[%d]", key, i), "is empty: want a text such as 打击")
			}
		}
		if n := f.Mentions.Within; n < 0 || n > 100 {
			bad(key+".mentions.within", "want 0 to 100 characters, have %d", n)
		}
		one(bad, key+".mentions.action", f.Mentions.Action)
		one(bad, key+".buffer", f.Buffer)
		one(bad, key+".block_as", f.BlockAs)
		one(bad, key+".history", f.History)
		one(bad, key+".label.position", f.Label.Position)
		if text := f.Label.Text; text != "" && (!strings.Contains(text, "人工智能") && !strings.Contains(strings.ToUpper(text), "AI") || !strings.Contains(text, "生成") && !strings.Contains(text, "合成")) {
			bad(key+".label.text", "must say 人工智能 or AI, and 生成 or 合成, as GB 45438-2025 has it")
		}
		if strings.ContainsFunc(f.Label.Producer, func(r rune) bool { return r < 0x21 || r > 0x7e }) {
			bad(key+".label.producer", "want a code of characters from ! to ~, as GB 45438-2025 has it, without spaces")
		}
		one(bad, key+".second_opinion.style", f.SecondOpinion.Style)
		if d := time.Duration(f.SecondOpinion.Timeout); d < 100*time.Millisecond || d > 5*time.Minute {
			bad(key+".second_opinion.timeout", "want 100ms to 5m, have %v", f.SecondOpinion.Timeout)
		}
		one(bad, key+".second_opinion.mode", f.SecondOpinion.Mode)
		one(bad, key+".second_opinion.on_failure", f.SecondOpinion.OnFailure)
		if id := f.SecondOpinion.Model; id != "" && !c.Offered()[id] {
			bad(key+".second_opinion.model", "no model %q%s", id, suggest(id, slices.Sorted(maps.Keys(c.Offered()))))
		}
	}
}

const (
	replaces        = "replace"
	replacesNothing = "is empty, so that what is left and right of a word can make another; write a text such as [已屏蔽], or use mask"

	routeLocal       = "route_local"
	routeLocalAnswer = "route_local is for requests: an answer has been written when it is looked at"
)

func checkActions(bad bad, key string, a Actions) {
	if len(a) != 3 {
		bad(key, "want an action, or one for each of the levels 1, 2 and 3, such as [log, mask, block]; have %d", len(a))
		return
	}
	for i := range a {
		one(bad, fmt.Sprintf("%s[%d]", key, i), a[i])
	}
}

// one checks that a choice is one of its values.
func one(bad bad, key string, c choice) {
	if err := choose(c); err != nil {
		bad(key, "%v", err)
	}
}

// PersonalData are the kinds of personal data that a rule may be about.
var PersonalData = []string{
	"id_card", "phone", "landline", "bank_card", "passport", "social_security", "plate", "email", "wechat",
	"qq", "address", "name", "gps", "ip", "mac", "company", "secret",
}

// Forms are the ways in which a text may have to be read to find a word in it.
var Forms = []string{"loose", "split", "reversed", "alike", "sound"}
