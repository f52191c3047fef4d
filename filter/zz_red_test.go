package filter

import (
	"strings"
	"testing"
	"time"

	"bendi/filter/lexicon"
	"bendi/filter/find"
)

func TestZZAdversarial(t *testing.T) {
	l := lexicon.Starter()
	pol := &Policy{Name: "x", Categories: map[string]Category{"*": {Request: Always(Log), Answer: Always(Log)}}, Personal: map[string]Personal{"*": {Request: Mask, Answer: Mask}}, Replacement: "[…]", Strict: true, Sound: true, Forms: map[find.Form]Action{}}
	pol2 := *pol
	pol2.Strict, pol2.Sound = false, false
	t0 := time.Now()
	rules, err := Compile([]*lexicon.Lexicon{l}, pol, &pol2)
	if err != nil {
		t.Fatal(err)
	}
	t.Log("compile", time.Since(t0))
	const mb = 256 << 10
	rep := func(s string) string { return strings.Repeat(s, mb/len(s)+1)[:mb] }
	texts := map[string]string{
		"natural":   prose(mb / 3),
		"赌博":        rep("赌博"),
		"赌":         rep("赌"),
		"赌**":       rep("赌**"),
		"noise":     "赌" + rep("*"),
		"spaces":    "赌" + rep(" "),
		"zw":        "赌" + rep("\u200b"),
		"marks":     "赌" + rep("\u0301"),
		"emoji":     rep("🎲"),
		"leet":      rep("b4dw0rd "),
		"secret":    rep(strings.Repeat("secret:", 1000) + "("),
		"token=":    rep("token=abc1"),
		"sk-":       rep("sk-" + strings.Repeat("a", 8000) + " "),
		"jwt":       rep("eyJhbGciOiJ." ),
		"pem":       rep("-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC "),
		"digits":    rep("1"),
		"phones":    rep("13800138000,"),
		"phones86":  rep("+86 138 0013 8000 "),
		"1-1-1":     rep("1-3-8-"),
		"place":     rep("北京"),
		"addr":      rep("地址:北京市海淀区"),
		"name":      rep("姓名:王"),
		"ips":       rep("1.2.3.4 "),
		"colons":    rep("a:"),
		"2001:":     rep("2001:db8::"),
		"url":       rep("http://a:b@c "),
		"%":         rep("%E8%B5%8C%E5%8D%9A"),
		"b64":       rep("6LWM5Y2a6LWM5Y2a "),
		"&#":        rep("&#36172;&#x535a;"),
		"&#open":    rep("&#36172"),
		"<":         rep("<"),
		"<b":        rep("<b>赌"),
		"[x](":      rep("[赌]("),
		"bold":      rep("**赌"),
		"pinyin":    rep("dubo"),
		"pinyin sp": rep("du bo "),
		"aaaa":      rep("a"),
		"a a a":     rep("a "),
		"invis digits": rep("1\u200b"),
	}
	for name, text := range texts {
		for pn, p := range map[string]*Policy{"default": &pol2, "strict": pol} {
			plan := newPlan(rules, p)
			t0 := time.Now()
			f := field{place{what: messageContent, n: 1}, textField, []string{text}}
			r := plan.inspect(&f, false)
			whole := time.Since(t0)
			// Streamed in pieces of 3 bytes.
			n := 0
			b := &bench{plan: plan, direction: Answer, tell: func(outcome, []byte) { n++ }}
			e := plan.editor(b)
			t0 = time.Now()
			held := 0
			part := text[:64<<10]
			for i := 0; i < len(part); i += 3 {
				e.write(part[i:min(i+3, len(part))], false)
				held = max(held, len(e.tail))
			}
			e.write("", true)
			streamed := time.Since(t0)
			mark := ""
			if whole > mb*100 || streamed > (64<<10)*500 {
				mark = "  <<<<"
			}
			t.Logf("%-14s %-8s whole %6.1f MB/s  streamed %7.2f MB/s  hits %d, tail %d%s", name, pn, float64(len(text))/1e6/whole.Seconds(), float64(len(part))/1e6/streamed.Seconds(), len(r.outcomes), held, mark)
		}
	}
}
