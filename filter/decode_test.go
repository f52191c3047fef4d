package filter

import (
	"encoding/base64"
	"net/url"
	"strings"
	"testing"

	"bendi/chat/chattest"
	"bendi/filter/find"
)

// Strict policies look into what is encoded. What they find is for review,
// unless they say otherwise.
func TestEncoded(t *testing.T) {
	const text = "我要赌博"
	for name, hidden := range map[string]string{
		"URL":      url.QueryEscape(text),
		"JSON":     `\u6211\u8981\u8d4c\u535a`,
		"HTML":     "&#36172;&#x535a;",
		"base64":   base64.StdEncoding.EncodeToString([]byte(text)),
		"its kind": base64.RawURLEncoding.EncodeToString([]byte("??>" + text)),
	} {
		for _, action := range []Action{Review, Block} {
			w := guard(chattest.Script("ok\n"), func(o *Options) {
				o.Policy.Strict, o.Policy.Reveal = true, true
				o.Policy.Forms = map[find.Form]Action{find.Loose: action}
			})
			_, err := listen(t, w, ask("看这个: "+hidden+" 好"))
			if (err != nil) != (action == Block) {
				t.Errorf("%s, %v: %v", name, action, err)
			}
			if len(w.found) != 1 || w.found[0].Action != action || w.found[0].Text != hidden || w.found[0].Form != find.Loose {
				t.Errorf("%s, %v: findings %+v", name, action, w.found)
			}
		}
		w := guard(chattest.Script("ok\n"), nil)
		if _, err := listen(t, w, ask(hidden)); err != nil || len(w.found) > 0 {
			t.Errorf("%s: other policies find %+v, %v", name, w.found, err)
		}
	}
	strict := func(o *Options) { o.Policy.Strict = true }
	for _, harmless := range []string{
		"100%25 isSMEnabled deadbeefdeadbeef /usr/local/lib/python3 &#39; %41%42",
		base64.StdEncoding.EncodeToString([]byte(strings.Repeat("早上好", 4000) + text)), // too long for a word
	} {
		w := guard(chattest.Script("ok\n"), strict)
		if _, err := listen(t, w, ask(harmless)); err != nil || len(w.found) > 0 {
			t.Errorf("%.40q: found %+v, %v", harmless, w.found, err)
		}
	}
}
