package filter

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"bendi/chat"
	"bendi/filter/find"
	"bendi/filter/lexicon"
)

// realRules are a few words with all their disguises, and personal data.
func realRules(t testing.TB) *Rules {
	const words = `{"name": "real", "version": "1", "updated": "2026-11-25", "categories": {
		"gambling": {"level": 2, "words": ["赌博", "网络赌博平台", "casino", "老虎机"]},
		"fraud": {"level": 3, "words": ["诈骗", "杀猪盘骗局"], "allow": ["反～"]},
		"drugs": {"level": 1, "words": ["大麻"], "allow": ["大麻烦"]},
		"contact": {"level": 1, "words": [{"all": ["加", "微"], "within": 8}]}}}`
	l, err := lexicon.Read("real.json", []byte(words), lexicon.Options{})
	if err != nil {
		t.Fatal(err)
	}
	r, err := Compile([]*lexicon.Lexicon{l})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func realPolicy(strict bool) *Policy {
	p := &Policy{
		Name: "real", Strict: strict, Sound: strict,
		Categories: map[string]Category{
			"gambling": {Request: Always(Replace), Answer: Always(Replace)},
			"fraud":    {Request: Always(Block), Answer: Always(Block)},
			"drugs":    {Request: Always(Mask), Answer: Always(Mask)},
			"contact":  {Request: Always(Review), Answer: Always(Review)},
		},
		Personal:    map[string]Personal{"*": {Request: Mask, Answer: Mask}},
		Replacement: "[…]",
	}
	if strict {
		p.Forms = map[find.Form]Action{}
		for f := range find.Sound + 1 {
			p.Forms[f] = Block
		}
	}
	return p
}

// bits are what texts are made of that people disguise.
var bits = []string{
	"赌", "博", "赌博", "賭", "网络", "平台", "casino", "CASINO", "c", "a", "s", "i", "n", "o", "老虎机", "诈", "骗", "诈骗", "反", "大麻", "烦", "加", "微", "信",
	" ", "\n", "*", "-", ".", "。", "，", "\u200b", "\u0301", "\ufe0f", "😀", "好", "今天", "贝者", "言", "乍", "du", "bo",
	"13800138000", "138", "0013", "8000", "1", "0", "a@b.cn", "@", "example.com", "11010519491231002X", "手机号", "我叫", "张三", "sk-", "password=", "4111111111111111", "北京市", "京A12345",
}

func (d draw) real() string {
	var b strings.Builder
	for range d.IntN(14) {
		b.WriteString(bits[d.IntN(len(bits))])
	}
	return b.String()
}

// With the finders that there are, as with the slow one: what comes out, and
// what is found, does not depend on how a text is cut up; nothing goes out that
// belongs to a word found later; and what came out stays as it is.
func realEditorKeepsItsPromises(t *testing.T, p *plan, text string, json bool, cut func(i int) bool) {
	run := func(text string, cut func(int) bool) (out []string, blocked bool, outcomes []outcome) {
		b := &bench{plan: p, direction: Answer, tell: func(o outcome, _ []byte) { outcomes = append(outcomes, o) }}
		e := p.editor(b)
		if json {
			e.json = newLexer(true)
		}
		parts := pieces(text, cut)
		for i, part := range parts {
			s := e.write(part, i == len(parts)-1)
			if utf8.ValidString(text) && !utf8.ValidString(s) {
				t.Errorf("%q: piece %d gives %q, which is not whole runes", text, i, s)
			}
			out = append(out, s)
		}
		return out, e.blocked, outcomes
	}
	never := func(int) bool { return false }
	whole, wasBlocked, judged := run(text, never)
	got, blocked, outcomes := run(text, cut)
	// What is only watched for is told when it is found, and not behind a block.
	order := func(a, b outcome) int {
		return cmp.Or(cmp.Compare(a.start, b.start), cmp.Compare(b.end, a.end), cmp.Compare(a.rule, b.rule), cmp.Compare(a.form, b.form))
	}
	watched := func(o outcome) bool { return blocked && o.action <= RouteLocal }
	outcomes, judged = slices.DeleteFunc(outcomes, watched), slices.DeleteFunc(judged, watched)
	slices.SortFunc(outcomes, order)
	slices.SortFunc(judged, order)
	if strings.Join(got, "") != whole[0] || blocked != wasBlocked || !slices.Equal(outcomes, judged) {
		t.Errorf("%q in pieces %q\ngives %q (%v) %+v\nwhole %q (%v) %+v", text, pieces(text, cut), got, blocked, outcomes, whole[0], wasBlocked, judged)
	}
	if len(p.policy.Personal) > 0 {
		return // masking a number ends the longer one that its neighbour was part of
	}
	if twice, _, _ := run(whole[0], never); twice[0] != whole[0] {
		t.Errorf("%q becomes %q, and that becomes %q", text, whole[0], twice[0])
	}
}

func TestRealFinders(t *testing.T) {
	rules := realRules(t)
	for _, strict := range []bool{false, true} {
		policy := realPolicy(strict)
		if err := policy.Validate(rules); err != nil {
			t.Fatal(err)
		}
		plans := []*plan{newPlan(rules, policy)}
		words := *policy
		words.Personal = nil
		plans = append(plans, newPlan(rules, &words))
		n := 600
		if testing.Short() {
			n = 100
		}
		for seed := range uint64(n) {
			p := plans[seed%2]
			d := draw{rand.New(rand.NewPCG(seed, 9))}
			text := d.real()
			if d.IntN(3) == 0 {
				text = `{"k":"` + text + `","n":[13800138000,"` + d.real() + `"]}`
				realEditorKeepsItsPromises(t, p, text, true, func(int) bool { return d.IntN(2) == 0 })
			}
			realEditorKeepsItsPromises(t, p, text, false, func(int) bool { return d.IntN(3) == 0 })
			if t.Failed() {
				t.Fatalf("seed %d, strict %v", seed, strict)
			}
		}
	}
}

func FuzzRealFinders(f *testing.F) {
	rules := realRules(f)
	plans := []*plan{newPlan(rules, realPolicy(false)), newPlan(rules, realPolicy(true))}
	f.Fuzz(func(t *testing.T, text string, seed, cuts uint64, strict, json bool) {
		if len(text) > 300 {
			return
		}
		p := plans[0]
		if strict {
			p = plans[1]
		}
		if text == "" {
			text = draw{rand.New(rand.NewPCG(seed, 9))}.real()
		}
		realEditorKeepsItsPromises(t, p, text, json, func(i int) bool { return cuts>>(i%64)&1 == 1 })
	})
}

// More allow words never find more, and more words never undo a block.
func TestMoreWords(t *testing.T) {
	compile := func(words, allow string) *plan {
		l, err := lexicon.Read("l.json", []byte(`{"name":"l","version":"1","updated":"2026-11-25","categories":{"fraud":{"level":3,"words":[`+words+`],"allow":[`+allow+`]}}}`), lexicon.Options{})
		if err != nil {
			t.Fatal(err)
		}
		r, err := Compile([]*lexicon.Lexicon{l}, realPolicy(false))
		if err != nil {
			t.Fatal(err)
		}
		return newPlan(r, realPolicy(false))
	}
	base := compile(`"诈骗","赌博"`, ``)
	more := compile(`"诈骗","赌博","博网络","骗"`, ``)
	allowed := compile(`"诈骗","赌博"`, `"反诈骗","赌博平台"`)
	found := func(p *plan, text string) (outcomes []outcome, blocked bool) {
		b := &bench{plan: p, direction: Answer, tell: func(o outcome, _ []byte) { outcomes = append(outcomes, o) }}
		e := p.editor(b)
		e.write(text, true)
		return outcomes, e.blocked
	}
	for seed := range uint64(2000) {
		text := draw{rand.New(rand.NewPCG(seed, 10))}.real()
		_, was := found(base, text)
		if _, is := found(more, text); was && !is {
			t.Fatalf("%q is blocked no more when there are more words", text)
		}
		if _, is := found(allowed, text); is && !was {
			t.Fatalf("%q is blocked when more is allowed", text)
		}
	}
}

// Personal data that was put back for whoever asks is not masked again; words
// are what they are.
func TestRestoredIsSpared(t *testing.T) {
	rules := realRules(t)
	text := "您的手机号13800138000,另一个13900139000,赌博"
	at := strings.Index(text, "138")
	for _, size := range []int{1000, 3} {
		var events []chat.Event
		runes := []rune(text)
		pos := 0
		for len(runes) > 0 {
			n := min(size, len(runes))
			s := string(runes[:n])
			runes = runes[n:]
			ev := chat.Event{Text: s}
			if pos <= at && at < pos+len(s) {
				if at+11 > pos+len(s) { // it comes back in one piece
					rest := at + 11 - pos - len(s)
					s += string(runes[:rest])
					runes = runes[rest:]
					ev.Text = s
				}
				ev.Restored = []chat.Stretch{{Start: at - pos, End: at - pos + 11}}
			}
			pos += len(s)
			events = append(events, ev)
		}
		g := Guard(play(append(events, theEnd...)...), Options{Shelf: NewShelf(rules), Policy: realPolicy(false)})
		a, err := listen(t, g, ask("hi"))
		if err != nil {
			t.Fatal(err)
		}
		if want := "您的手机号13800138000,另一个***,[…]"; a.text[0] != want {
			t.Errorf("in pieces of %d: got %q, want %q", size, a.text[0], want)
		}
	}
}

// Nothing waits for what is only watched for.
func TestWatchingHoldsNothingBack(t *testing.T) {
	for action, most := range map[Action]int{Review: 1, Block: 8} {
		policy := realPolicy(false)
		policy.Categories["contact"] = Category{Answer: Always(action)}
		p := newPlan(realRules(t), policy)
		var found []outcome
		e := p.editor(&bench{plan: p, direction: Answer, tell: func(o outcome, text []byte) {
			if found = append(found, o); string(text) != "加一个我的微" {
				t.Errorf("it is told of %q", text)
			}
		}})
		longest := 0
		for _, r := range "请加一个我的微信" {
			e.write(string(r), false)
			longest = max(longest, (e.read-e.base)/3)
		}
		if longest > most || len(found) != 1 {
			t.Errorf("%v: %d characters were held back, want at most %d; found %+v", action, longest, most, found)
		}
	}
}
