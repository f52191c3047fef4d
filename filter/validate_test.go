package filter

import (
	"strings"
	"testing"
	"time"

	"bendi/filter/find"
)

func TestValidate(t *testing.T) {
	rules := testRules(testWords...)
	tests := []struct {
		name   string
		change func(p *Policy)
		want   []string // keys and a word of what is said, in order
	}{
		{"fine", func(p *Policy) {}, nil},
		{"no such category", func(p *Policy) { p.Categories["blok"] = Category{} }, []string{"categories.blok: no rule"}},
		{"that of an opinion", func(p *Policy) { p.Categories["second.violent"] = Category{} }, nil},
		{"personal data as a category", func(p *Policy) { p.Categories["pii.phone"] = Category{} }, []string{"categories.pii.phone: no rule", "categories.pii.phone: personal"}},
		{"replaced by nothing", func(p *Policy) { p.Categories["replace"] = Category{Answer: Always(Replace)} }, []string{"categories.replace.replacement: words are replaced by nothing"}},
		{"by that of the policy", func(p *Policy) {
			p.Categories["replace"] = Category{Answer: Always(Replace)}
			p.Replacement = "[…]"
		}, nil},
		{"words can be read across", func(p *Policy) { p.Replacement = "*" }, []string{"replacement: words could be read across"}},
		{"or with its end", func(p *Policy) { p.Replacement = "[]天" }, []string{"replacement: words could"}},
		{"or with its beginning", func(p *Policy) { p.Replacement = "博[]" }, []string{"replacement: words could"}},
		{"it holds a word", func(p *Policy) { p.Replacement = "[不谈赌博]" }, []string{"replacement: it holds"}},
		{"no action", func(p *Policy) { p.Categories["log"] = Category{Request: Levels{9}} }, []string{"categories.log.request[0]: 9 is no action"}},
		{"an answer stays inside", func(p *Policy) { p.Categories["log"] = Category{Answer: Always(RouteLocal)} }, []string{"categories.log.answer[0]: an answer", "answer[1]", "answer[2]"}},
		{"no form", func(p *Policy) { p.Forms = map[find.Form]Action{77: Log} }, []string{"forms: 77"}},
		{"mentions of nothing", func(p *Policy) { p.Categories["log"] = Category{Mentions: Log} }, []string{"categories.log.mentions: mentions.after"}},
		{"mentions of everything", func(p *Policy) { p.Mentions = Mentions{After: []string{" "}, Within: 1000} }, []string{"mentions.after[0]", "mentions.within"}},
		{"across", func(p *Policy) { p.Across = Mask }, []string{"across: mask"}},
		{"history", func(p *Policy) { p.History = Block }, []string{"history: block"}},
		{"a refusal without words", func(p *Policy) { p.BlockAs = AsRefusal }, []string{"refusal: block_as"}},
		{"a mask that is no sign", func(p *Policy) { p.Mask.Rune = '\u200b' }, []string{"mask.rune: U+200B"}},
		{"a mask of a word", func(p *Policy) { p.Mask.Rune = '博' }, nil}, // in brackets
		{"an opinion on nothing", func(p *Policy) {
			p.Second = Opinion{Mode: Observe, Unsafe: Block, Unsure: Replace, Timeout: -time.Second}
		}, []string{"second_opinion: it is asked", "second_opinion.unsafe: block comes too late", "second_opinion.unsure: replace needs", "second_opinion.timeout"}},
		{"a question without the text", func(p *Policy) {
			p.Second = Opinion{Mode: FullOpinion, Answer: true, Style: AskYesNo, Prompt: "?"}
		}, []string{"second_opinion.prompt"}},
		{"a label that says too little", func(p *Policy) { p.Label.Text = "AI" }, []string{"label.text"}},
		{"a label", func(p *Policy) { p.Label.Text = "内容由ai生成" }, nil},
		{"a mark", func(p *Policy) { p.Label = Label{Metadata: true, Reserved1: "中", Reserved2: " "} }, []string{"label.producer: the mark", "label.reserved1", "label.reserved2"}},
		{"personal data of no type", func(p *Policy) { p.Personal = map[string]Personal{"fone": {Answer: RouteLocal}} }, []string{"privacy.fone: there is no", "privacy.fone.answer"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := testPolicy()
			tt.change(p)
			var got []string
			if err := p.Validate(rules); err != nil {
				got = strings.Split(err.Error(), "\n")
			}
			if len(got) != len(tt.want) {
				t.Fatalf("got %q, want %q", got, tt.want)
			}
			for i := range got {
				if !strings.Contains(got[i], tt.want[i]) {
					t.Errorf("got %q, want %q", got[i], tt.want[i])
				}
			}
		})
	}
}

// A mask that words could be read across gets a fence.
func TestFence(t *testing.T) {
	rules := testRules(testWords...)
	for _, tt := range []struct {
		style  MaskStyle
		strict bool
		want   string
	}{
		{MaskStyle{}, false, "***"},
		{MaskStyle{Rune: '█'}, false, "███"},
		{MaskStyle{Long: true}, false, "[**]"},
		{MaskStyle{Rune: '博', Long: true}, false, "[博博]"},
	} {
		p := testPolicy()
		p.Mask, p.Strict = tt.style, tt.strict
		if got := newPlan(rules, p).mask([]byte("赌\u200b*博")); got != tt.want {
			t.Errorf("%+v: the mask is %q, want %q", tt.style, got, tt.want)
		}
	}
}
