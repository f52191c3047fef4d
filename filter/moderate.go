package filter

// A Verdict is what moderation says about a text.
type Verdict struct {
	Flagged    bool               // the policy does more about it than to log it
	Categories map[string]int     // the highest level by category that was found
	OpenAI     map[string]bool    // all of OpenAI's 13 keys
	Scores     map[string]float64 // likewise; what was found counts 0.4, 0.7 or 1 by its level, and nothing 0
	Rules      []string           // ids, sorted
	Action     Action             // the strongest that the policy takes
}

// openAI has OpenAI's keys, with the categories of lexicons that are about the
// same. A category by any other name has no key: it counts as flagged alone.
var openAI = map[string][]string{
	"harassment":             {"abuse", "harassment", "insult", "辱骂"},
	"harassment/threatening": {"threat", "threats", "威胁"},
	"hate":                   {"hate", "discrimination", "歧视", "仇恨"},
	"hate/threatening":       {"extremism", "极端主义"},
	"illicit":                {"fraud", "gambling", "drugs", "illegal", "illicit", "诈骗", "赌博", "毒品", "违禁品"},
	"illicit/violent":        {"weapons", "explosives", "terrorism", "terror", "武器", "爆炸物", "恐怖主义"},
	"self-harm":              {"self-harm", "selfharm", "suicide", "自杀", "自残"},
	"self-harm/intent":       {"self-harm-intent"},
	"self-harm/instructions": {"self-harm-instructions"},
	"sexual":                 {"adult", "sexual", "porn", "色情"},
	"sexual/minors":          {"minors", "csam", "未成年人"},
	"violence":               {"violence", "terrorism", "terror", "暴力"},
	"violence/graphic":       {"gore", "血腥"},
}

// scores has that of each level.
var scores = [...]float64{0, 0.4, 0.7, 1}

// Moderate tells what the rules in force find in texts, by what the policy
// does in requests. Nothing is changed, nobody observes it, and no second
// opinion is asked for.
func (g *Guarded) Moderate(texts []string) []Verdict {
	p := g.now().plan
	verdicts := make([]Verdict, len(texts))
	for i, text := range texts {
		verdicts[i] = p.moderate(text)
	}
	return verdicts
}

func (p *plan) moderate(text string) Verdict {
	v := Verdict{Categories: map[string]int{}, OpenAI: map[string]bool{}, Scores: map[string]float64{}}
	var t tally
	b := &bench{plan: p, direction: Request, peek: true}
	b.tell = func(o outcome, _ []byte) {
		rule := &p.rules.rules[o.rule]
		t.add(rule, o.action)
		v.Categories[rule.Category] = max(v.Categories[rule.Category], rule.Level)
	}
	p.editor(b).write(text, true)
	v.Action, v.Rules, v.Flagged = t.action, t.rules, t.action > Log
	for key, categories := range openAI {
		v.OpenAI[key], v.Scores[key] = false, 0
		for _, c := range categories {
			if level := v.Categories[c]; level > 0 {
				v.OpenAI[key] = true
				v.Scores[key] = max(v.Scores[key], scores[min(level, 3)])
			}
		}
	}
	return v
}
