package pii

// Secrets are told by the prefix that their issuer gives them, by their form,
// or by a word before them. Of a value after a word, such as password=, more
// is asked: letters and digits mixed, so that code is left alone.

// maxSecret bounds a secret that is told in one piece.
const maxSecret = 8 << 10

// maxLogin bounds a login in a URL.
const maxLogin = 256

// rest says what a secret goes on with that was longer than its bound.
type rest uint8

const (
	noRest    rest = iota
	tokenRest      // characters of a token
	keyRest        // of a private key
)

// An issuer's prefix, and how long what follows is.
type prefix struct {
	text     string
	min, max int
	dense    bool // all of it letters and digits, with a digit and no dash
}

var prefixes = [...]prefix{
	{"sk-", 20, maxSecret, false}, {"sk_live_", 16, 128, true}, {"sk_test_", 16, 128, true}, {"rk_live_", 16, 128, true},
	{"AKIA", 16, 16, true}, {"ASIA", 16, 16, true}, {"LTAI", 12, 26, true}, {"AKID", 13, 40, true},
	{"ghp_", 36, 255, true}, {"gho_", 36, 255, true}, {"ghu_", 36, 255, true}, {"ghs_", 36, 255, true}, {"ghr_", 36, 255, true},
	{"github_pat_", 22, 255, false}, {"glpat-", 20, 64, false}, {"xoxb-", 10, 255, false}, {"xoxp-", 10, 255, false}, {"xoxa-", 10, 255, false}, {"xoxs-", 10, 255, false},
	{"AIza", 35, 35, false}, {"hf_", 30, 64, true}, {"npm_", 36, 36, true}, {"pypi-", 50, 255, false}, {"ya29.", 20, 512, false}, {"dop_v1_", 64, 64, true},
	{"SG.", 22, 128, false}, {"tskey-", 16, 128, false}, {"gsk_", 40, 128, true}, {"AGE-SECRET-KEY-1", 58, 58, true},
}

// pair is a number for the first two bytes of a prefix.
func pair(a, b byte) rune { return rune(a)<<8 | rune(b) }

// prefixed notes a token with an issuer's prefix, or a JSON Web Token.
func (v *view) prefixed(p int) rest {
	if ascii[v.b[p]]&isLetter == 0 {
		return noRest
	}
	second := v.at(p + 1)
	if !v.d.pairs.has(pair(v.b[p], second)) {
		return noRest
	}
	if v.b[p] == 'e' {
		return v.jwt(p)
	}
next:
	for k := range prefixes {
		f := &prefixes[k]
		if v.b[p] != f.text[0] || second != f.text[1] {
			continue
		}
		for i := 2; i < len(f.text); i++ {
			if v.at(p+i) != f.text[i] {
				continue next
			}
		}
		i, digits, run, longest := p+len(f.text), 0, 0, 0
		for i-p < maxSecret {
			c := v.at(i)
			if ascii[c]&isToken == 0 && !(c == '.' && f.text == "SG.") {
				break
			}
			if isAlnum(c) {
				run++
				longest = max(longest, run)
			} else {
				run = 0
			}
			if ascii[c]&isDigit != 0 {
				digits++
			}
			i++
		}
		n := i - p - len(f.text)
		if n < f.min || n > f.max || digits < 2 && !(f.min == 16 && f.max == 16 && digits > 0) || longest < min(f.min, 12) || f.dense && longest < n {
			continue
		}
		v.found(Secret, p, i)
		if i-p == maxSecret {
			return tokenRest
		}
		return noRest
	}
	return noRest
}

// jwt notes a JSON Web Token: three parts with dots between, of which the first
// two are JSON in base64.
func (v *view) jwt(p int) rest {
	if v.at(p+1) != 'y' || v.at(p+2) != 'J' {
		return noRest
	}
	i, parts, second := p, 1, 0
	for i-p < maxSecret {
		c := v.at(i)
		if c == '.' {
			if parts == 5 || parts == 1 && i-p < 10 {
				break
			}
			if parts++; parts == 2 {
				second = i + 1
			}
		} else if ascii[c]&isToken == 0 {
			break
		}
		i++
	}
	if second == 0 || i-second < 10 {
		return noRest
	}
	for i > second && v.b[i-1] == '.' {
		i--
	}
	v.found(Secret, p, i)
	if i-p == maxSecret {
		return tokenRest
	}
	return noRest
}

// userinfo notes the name and password at the beginning of what follows ://.
func (v *view) userinfo(p int) {
	i, colon := p, -1
	for ; i-p <= maxLogin; i++ {
		c := v.at(i)
		if c == '@' {
			break
		}
		if ascii[c]&isUserinfo == 0 {
			return
		}
		if c == ':' && colon < 0 {
			colon = i
		}
	}
	if colon < 0 || colon+1 >= i || i-p > maxLogin || !isAlnum(v.at(i+1)) {
		return
	}
	v.found(Secret, p, i)
}

// named notes a value that a word before it calls a password, a token or the
// like.
func (v *view) named(p int) rest {
	if p < v.keyed {
		return noRest
	}
	// Whether anything before p links it to a word, looked at in a hurry.
	i := p
	for i > 0 && p-i < 4 && (v.b[i-1] == ' ' || v.b[i-1] == '"' || v.b[i-1] == '\'' || v.b[i-1] == '`') {
		i--
	}
	if i == 0 {
		return noRest
	}
	switch c := v.b[i-1]; {
	case c == ':', c == '=', c >= 0x80:
	case i < p && (c|0x20 == 'r' || c|0x20 == 'c'): // Bearer
		if i < 6 || v.b[i-6]|0x20 != 'b' {
			return noRest
		}
	default:
		return noRest
	}
	if !v.after(p, v.d.words.secrets) {
		return noRest
	}
	letters, digits, others := 0, 0, 0
	for i = p; i-p < maxSecret; i++ {
		c := v.at(i)
		if c <= ' ' || c >= 0x7F || c == '"' || c == '\'' || c == '`' || c == ',' || c == ';' || c == ')' || c == '}' || c == ']' || c == '<' || c == '>' || c == '&' {
			break
		}
		switch {
		case c == '(' || c == '[' || c == '{':
			v.keyed = i
			return noRest // code
		case ascii[c]&isLetter != 0:
			letters++
		case ascii[c]&isDigit != 0:
			digits++
		case c != '-' && c != '_' && c != '.' && c != '/' && c != ':':
			others++
		}
	}
	if i-p == maxSecret {
		v.found(Secret, p, i)
		return tokenRest
	}
	v.keyed = i
	for i > p && (v.b[i-1] == '.' || v.b[i-1] == ':') {
		i--
	}
	if i-p < 6 || letters == 0 && others == 0 || digits == 0 && (letters == 0 || others < 2) {
		return noRest
	}
	v.found(Secret, p, i)
	return noRest
}

// privateKey notes a private key in PEM, from its first dash to its last.
// One that has no end goes as far as its characters do.
func (v *view) privateKey(p int) rest {
	const begin = "-----BEGIN "
	if v.asciiBefore(p) == '-' {
		return noRest
	}
	for k := range len(begin) {
		if v.at(p+k) != begin[k] {
			return noRest
		}
	}
	i := p + len(begin)
	for i-p < 64 {
		c := v.at(i)
		if c != ' ' && (c < 'A' || c > 'Z') && (c < '0' || c > '9') {
			break
		}
		i++
	}
	label := v.b[p+len(begin) : min(i, len(v.b))]
	if v.short || !endsWith(label, "PRIVATE KEY") && !endsWith(label, "PRIVATE KEY BLOCK") {
		return noRest
	}
	for range 5 {
		if v.at(i) != '-' {
			return noRest
		}
		i++
	}
	// Somewhere near its beginning the key itself is a long run; prose about
	// keys has none.
	body, run, key := i, 0, false
	for ; i-p < maxSecret && v.isKeyChar(i); i++ {
		if c := v.b[i]; isAlnum(c) || c == '+' || c == '/' || c == '=' {
			run++
			key = key || run == 24
		} else {
			run = 0
		}
		if !key && i-body > 256 {
			return noRest
		}
	}
	switch {
	case !key:
		return noRest
	case i-p >= maxSecret:
		v.found(Secret, p, i)
		return keyRest
	}
	v.found(Secret, p, v.keyEnd(i))
	return noRest
}

// keyEnd returns where a private key ends whose characters end at i: after its
// END line, if it has one.
func (v *view) keyEnd(i int) int {
	const end = "-----END "
	for k := range len(end) {
		if v.at(i+k) != end[k] {
			return i
		}
	}
	j := i + len(end)
	for j-i < 64 && (v.at(j) == ' ' || isAlnum(v.at(j))) {
		j++
	}
	for range 5 {
		if v.at(j) != '-' {
			return i
		}
		j++
	}
	return j
}

// isKeyChar tells what is between the lines that begin and end a private key,
// be it in a string of some language.
func (v *view) isKeyChar(i int) bool {
	switch c := v.at(i); c {
	case '+', '/', '=', '\n', '\r', ' ', '\t', '\\', ':', ',', '"', '.':
		return true
	case '-':
		return isAlnum(v.at(i + 1))
	default:
		return isAlnum(c)
	}
}

// goOn notes the next piece of a secret that was longer than its bound.
func (v *view) goOn(p int, kind rest) rest {
	i := p
	for i-p < maxSecret {
		c := v.at(i)
		if kind == keyRest && !v.isKeyChar(i) || kind == tokenRest && ascii[c]&isToken == 0 && c != '.' && c != '+' && c != '/' && c != '=' {
			break
		}
		i++
	}
	switch {
	case i-p == maxSecret:
		v.found(Secret, p, i)
		return kind
	case kind == keyRest:
		i = v.keyEnd(i)
	}
	if i > p {
		v.found(Secret, p, i)
	}
	return noRest
}

func endsWith(b []byte, end string) bool {
	return len(b) >= len(end) && string(b[len(b)-len(end):]) == end
}
