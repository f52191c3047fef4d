package ledger

import (
	"strings"
	"unicode/utf8"

	"bendi/chat"
)

// longestOpening is how much of an answer is looked at, in runes. A refusal
// says so at once; further down the words may mean anything.
const longestOpening = 80

// refusals are how answers begin that decline, in small letters.
var refusals = []string{
	"i can't", "i can’t", "i cannot", "i can not", "i'm sorry, but", "i’m sorry, but", "i am sorry, but", "sorry, i can", "sorry, but i",
	"i'm unable", "i’m unable", "i am unable", "i'm not able", "i’m not able", "i am not able", "i won't", "i won’t", "i must decline", "as an ai",
	"我不能", "我无法", "我没办法", "抱歉，我", "抱歉,我", "很抱歉", "对不起，我", "对不起,我", "作为一个人工智能", "作为ai", "作为人工智能", "无法提供", "无法回答", "不能提供", "不便回答",
}

// SoundsLikeRefusal reports whether an answer begins as those that decline do.
// It is a guess by a list of phrases: it misses refusals in other words, and
// takes for one an apology that goes on to help.
func SoundsLikeRefusal(text string) bool {
	text = strings.ToLower(strings.TrimLeft(text, " \t\r\n\"“”*#>"))
	for _, phrase := range refusals {
		if strings.HasPrefix(text, phrase) {
			return true
		}
	}
	return false
}

// An opening is the beginning of the first choice's text.
type opening struct {
	strings.Builder
	runes int
}

func (o *opening) add(ev chat.Event) {
	if ev.Choice != 0 || o.runes >= longestOpening {
		return
	}
	o.WriteString(ev.Text)
	o.runes += utf8.RuneCountInString(ev.Text)
}
