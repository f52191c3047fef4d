package filter

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"slices"
	"strings"

	"bendi/filter/pii"
)

// A vault has the tokens that stand for values in one request. It lives as long
// as the request does.
//
// A token is [[, the type in capitals, an underscore, eight characters and ]]:
// [[PHONE_k7q2m4xa]]. The first seven are those of the value in its normal
// form, keyed, for whoever asks; the last tells its spellings apart, a being
// the normal form itself. So a value has the same token each turn, nobody
// without the secret can compute it, and what is put back is byte for byte what
// was taken.
type vault struct {
	secret []byte
	scope  string

	tokens  map[spelling]string // those that were issued
	owners  map[string]spelling // by token
	normals map[string]normal   // by type and the first seven characters
	values  map[string]string   // what is put back, by token
}

// A spelling is a value as it was written.
type spelling struct{ kind, text string }

// A normal is a value in its normal form.
type normal struct{ kind, text string }

// literal is the kind of what only looks like a token. It is replaced as well,
// so that nothing is put back in its place but itself.
const literal = "TEXT"

const tokenChars = "abcdefghijklmnopqrstuvwxyz234567"

var tokenEncoding = base32.NewEncoding(tokenChars).WithPadding(base32.NoPadding)

// bodySize is the number of characters that tell values apart, and spellings.
const bodySize = 8

func newVault(secret []byte, scope string) *vault {
	return &vault{
		secret: secret, scope: scope,
		tokens: make(map[spelling]string), owners: make(map[string]spelling),
		normals: make(map[string]normal), values: make(map[string]string),
	}
}

// token returns the token of a value, as it is written, of a type. Back says
// that the value is to be put back where the token stands in the answer.
func (v *vault) token(kind, form, text string, back bool) string {
	s := spelling{kind, text}
	if t, ok := v.tokens[s]; ok {
		return t
	}
	n := normal{kind, form}
	var body string
	for i := uint64(0); ; i++ {
		body = v.keyed(kind, form, i)[:bodySize-1]
		if was, taken := v.normals[kind+body]; !taken || was == n {
			v.normals[kind+body] = n
			break
		}
	}
	first := 0
	if text != form {
		first = strings.IndexByte(tokenChars, v.keyed("spelling of "+kind, text, 0)[0])
	}
	var t string
	for i := 0; ; i++ {
		if i > 0 && i%len(tokenChars) == 0 { // all spellings of the normal form are taken
			body = v.keyed(kind, form, uint64(i))[:bodySize-1]
		}
		t = "[[" + kind + "_" + body + tokenChars[(first+i)%len(tokenChars):][:1] + "]]"
		if _, taken := v.owners[t]; !taken {
			break
		}
	}
	v.tokens[s], v.owners[t] = t, s
	if back {
		v.values[t] = text
	}
	return t
}

// keyed returns characters that nobody can compute without the secret.
func (v *vault) keyed(kind, text string, n uint64) string {
	mac := hmac.New(sha256.New, v.secret)
	for _, s := range []string{v.scope, kind, text} {
		mac.Write(binary.BigEndian.AppendUint64(nil, uint64(len(s))))
		mac.Write([]byte(s))
	}
	mac.Write(binary.BigEndian.AppendUint64(nil, n))
	return tokenEncoding.EncodeToString(mac.Sum(nil))
}

// kindOf returns what a type is called in a token.
func kindOf(t pii.Type) string { return strings.ToUpper(t.String()) }

// issued has the tokens whose values are put back.
type issued struct {
	sorted []string // in lower case, where any case will do
	values map[string]string
	fold   bool
}

func (v *vault) issued(fold bool) *issued {
	is := &issued{fold: fold, values: make(map[string]string, len(v.values))}
	for t, value := range v.values {
		if fold {
			t = strings.ToLower(t)
		}
		is.sorted = append(is.sorted, t)
		is.values[t] = value
	}
	slices.Sort(is.sorted)
	return is
}

// begins reports whether a token begins with s, and whether s is one.
func (is *issued) begins(s []byte) (prefix, whole bool) {
	i, _ := slices.BinarySearchFunc(is.sorted, s, func(t string, s []byte) int { return strings.Compare(t, string(s)) })
	if i == len(is.sorted) || !strings.HasPrefix(is.sorted[i], string(s)) {
		return false, false
	}
	return true, len(is.sorted[i]) == len(s)
}
