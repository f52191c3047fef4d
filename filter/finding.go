package filter

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"

	"bendi/filter/find"
)

// A Finding is one thing that was found, and what was done about it. It holds
// nothing of the text, but for Text.
type Finding struct {
	Rule     string // its id
	Category string
	Level    int    // 1 to 3
	Risk     string // what a standard calls it, such as "A.1.6"; may be empty
	Form     find.Form
	Action   Action // what was done

	Direction Direction
	Field     string // its path, such as "messages[3].content" or "choices[0].message.content"
	Choice    int    // of an answer
	Start     int    // bytes into the field
	End       int
	Across    bool // it lay across the structure of JSON, or in a field that cannot be rewritten
	History   bool // in an earlier turn of the conversation

	Hash  string // keyed, of the text: the same text has the same hash in one deployment; empty without a secret
	Text  string // only where the policy reveals it
	Note  string // why there was no answer from a second opinion, and the like; never a word of the text
	Rules string // version of the rules
	// Policy, Request, Principal and Model name where it was.
	Policy, Request, Principal, Model string
}

// hashOf returns 8 hexadecimal digits that tell texts apart, and that nobody
// can compute without the secret.
func hashOf(secret []byte, text string) string {
	if len(secret) == 0 {
		return ""
	}
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(text))
	return hex.EncodeToString(mac.Sum(nil)[:4])
}
