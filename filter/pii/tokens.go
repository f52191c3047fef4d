package pii

// Words of letters and digits: addresses of the net, codes, and what a word
// before them names.

// maxWord is how long the local part of an email address may be; no other
// word that has no prefix of a secret is longer.
const maxWord = 64

// A token is a word as it was read.
type token struct {
	start, end int // all of it; end is start+maxWord+1 where it is longer
	alnum      int // end of the letters and digits it begins with
	letters    int
	digits     int
	dots       int
	dashes     int
}

// word looks for what may begin with the ASCII character at p.
func (v *view) word(p int) rest {
	prev := v.asciiBefore(p)
	if prev < 0x80 && ascii[prev]&isLocal != 0 {
		return noRest
	}
	on := &v.d.on
	if on[Secret] {
		if prev == '/' && p >= 3 && v.b[p-2] == '/' && v.b[p-3] == ':' {
			v.userinfo(p)
		}
		if next := v.named(p); next != noRest {
			return next
		}
		if next := v.prefixed(p); next != noRest {
			return next
		}
	}
	if !isAlnum(v.b[p]) {
		return noRest
	}
	t := token{start: p, alnum: -1}
	i := p
	for ; i-p <= maxWord; i++ {
		c := v.at(i)
		bits := ascii[c]
		if bits&isLocal == 0 {
			break
		}
		switch {
		case bits&isDigit != 0:
			t.digits++
		case bits&isLetter != 0:
			t.letters++
		default:
			if t.alnum < 0 {
				t.alnum = i
			}
			if c == '.' {
				t.dots++
			} else if c == '-' {
				t.dashes++
			}
		}
	}
	if t.end = i; t.alnum < 0 {
		t.alnum = i
	}
	if t.end-p > maxWord {
		return noRest
	}
	next := v.at(t.end)
	if on[Email] && (next == '@' || next == 0xEF) {
		v.email(&t)
	}
	if on[IP] && t.dots >= 3 && t.digits >= 4 {
		v.ipv4(&t, prev)
	}
	if next == ':' && ascii[v.b[p]]&isHex != 0 && prev != ':' {
		if on[IP] && t.alnum == t.end && t.end-p <= 4 {
			v.ipv6(p)
		}
		if on[MAC] && t.alnum-p == 2 {
			v.mac(p, ':')
		}
	}
	if on[MAC] && t.dashes >= 5 && t.alnum-p == 2 {
		v.mac(p, '-')
	}
	if on[MAC] && t.dots >= 2 && t.alnum-p == 4 {
		v.ciscoMAC(p)
	}
	if on[Company] && t.alnum-p == 18 && t.letters > 0 {
		v.company(p)
	}
	if t.digits >= 6 && t.letters > 0 && t.alnum-p <= 20 {
		if on[Passport] && permit(v.b[p:t.alnum]) && v.after(p, v.d.words.passports) {
			v.found(Passport, p, t.alnum)
		}
		if on[SocialSecurity] && t.alnum-p >= 8 && v.after(p, v.d.words.social) {
			v.found(SocialSecurity, p, t.alnum)
		}
	}
	if on[WeChat] && ascii[v.b[p]]&isLetter != 0 && v.mayBeWeChat(p) {
		v.wechat(&t)
	}
	return noRest
}

// wide looks for a code in letters of full width.
func (v *view) wide(p int) {
	if r, _ := v.before(p, p); v.d.on[Company] && upper(r) == 0 && digit(r) < 0 {
		v.company(p)
	}
}

// email notes an address whose local part is t.
func (v *view) email(t *token) {
	i := t.end
	if r, n := v.rune(i); r == '@' || r == 0xFF20 {
		i += n
	} else {
		return
	}
	if string(v.b[t.start:t.end]) == "git" || v.b[t.end-1] == '.' || v.inLogin(t.start) {
		return
	}
	start := i
	label, last, end := i, -1, -1 // where labels begin; end of the last whole one
	for ; i-start <= 253; i++ {
		c := v.at(i)
		if c == '.' {
			if i == label {
				break
			}
			last, label = label, i+1
			continue
		}
		if ascii[c]&isDomain == 0 {
			break
		}
		end = i + 1
	}
	if i-start > 253 || end < 0 {
		return
	}
	// The last label that is not empty is the top-level domain.
	if label >= end {
		label = last
	}
	if label == start || label < start {
		return
	}
	top := v.b[label:end]
	for end > label && v.b[end-1] == '-' {
		end--
	}
	if len(top) < 2 || len(top) > 24 || isFileName(top) {
		return
	}
	for _, c := range top {
		if ascii[c]&isLetter == 0 && !(len(top) > 4 && (top[0] == 'x' || top[0] == 'X') && top[2] == '-') {
			return
		}
	}
	v.found(Email, t.start, end)
}

// inLogin reports whether what begins at p is the password of a login in a URL.
func (v *view) inLogin(p int) bool {
	if v.asciiBefore(p) != ':' {
		return false
	}
	i := p - 1
	for lo := max(0, p-memory); i > lo && ascii[v.b[i-1]]&isUserinfo != 0 && v.b[i-1] != ':'; {
		i--
	}
	return i >= 3 && string(v.b[i-3:i]) == "://"
}

// isFileName reports whether what looks like a top-level domain is the end of
// a file's name, as in icon@2x.png.
func isFileName(top []byte) bool {
	switch string(top) {
	case "png", "jpg", "jpeg", "gif", "svg", "webp", "ico", "css", "js", "ts", "json", "html", "bmp", "pdf":
		return true
	}
	return false
}

// ipv4 notes four bytes with dots between, unless they read like a version.
func (v *view) ipv4(t *token, prev byte) {
	i := t.start
	var octets [4]int
	for k := range 4 {
		n, digits := 0, 0
		for ; ascii[v.at(i)]&isDigit != 0 && digits < 4; i++ {
			n = n*10 + int(v.b[i]-'0')
			digits++
		}
		if digits == 0 || digits > 3 || n > 255 || digits > 1 && v.b[i-digits] == '0' {
			return
		}
		octets[k] = n
		if k < 3 {
			if v.at(i) != '.' {
				return
			}
			i++
		}
	}
	switch c := v.at(i); {
	case isAlnum(c), c == '_', c == '-' && isAlnum(v.at(i+1)), c == '.' && isAlnum(v.at(i+1)):
		return
	}
	if octets[0] == 127 || octets[0] == 0 || octets[0] == 255 || prev == '=' && t.start > 1 && v.b[t.start-2] < '@' && v.b[t.start-2] > '9' || prev == '^' {
		return
	}
	if v.near(t.start, v.d.words.versions, 4) {
		return
	}
	if max(octets[0], octets[1], octets[2], octets[3]) <= 31 && !v.near(t.start, v.d.words.hosts, 10) {
		return
	}
	v.found(IP, t.start, i)
}

// ipv6 notes groups of hexadecimal digits between colons, where they begin
// like an address that is in use.
func (v *view) ipv6(p int) {
	if c := v.asciiBefore(p); c == ':' || isAlnum(c) {
		return
	}
	i, groups, gap, digits := p, 0, false, 0
	first := 0
	if v.b[p] == ':' {
		return // ::1 is this machine, and nothing else begins so
	}
	for groups < 8 {
		n, width := 0, 0
		for ; ascii[v.at(i)]&isHex != 0 && width < 5; i++ {
			c := v.b[i]
			n = n*16 + hexValue(c)
			if c <= '9' {
				digits++
			}
			width++
		}
		if width > 4 {
			return
		}
		if width == 0 {
			if !gap || v.b[i-1] != ':' {
				return
			}
			break
		}
		if groups == 0 {
			first = n
			if width != 4 && n != 0x64 {
				return
			}
		}
		groups++
		if v.at(i) != ':' {
			break
		}
		if v.at(i+1) == ':' {
			if gap {
				return
			}
			gap = true
			i += 2
		} else if groups < 8 && ascii[v.at(i+1)]&isHex != 0 {
			i++
		} else {
			break
		}
	}
	if c := v.at(i); isAlnum(c) || c == ':' {
		return
	}
	if gap == (groups == 8) || digits == 0 {
		return
	}
	if first>>13 == 1 || first>>9 == 0x7E || first>>6 == 0x3FA || first == 0x64 {
		v.found(IP, p, i)
	}
}

func hexValue(c byte) int {
	switch {
	case c <= '9':
		return int(c - '0')
	case c <= 'F':
		return int(c-'A') + 10
	}
	return int(c-'a') + 10
}

// mac notes six pairs of hexadecimal digits.
func (v *view) mac(p int, sep byte) {
	i, sum := p, 0
	for k := range 6 {
		if ascii[v.at(i)]&isHex == 0 || ascii[v.at(i+1)]&isHex == 0 {
			return
		}
		sum += hexValue(v.b[i])*16 + hexValue(v.b[i+1])
		if i += 2; k < 5 {
			if v.at(i) != sep {
				return
			}
			i++
		}
	}
	if c := v.at(i); isAlnum(c) || c == sep && isAlnum(v.at(i+1)) || sum == 0 || sum == 6*255 {
		return
	}
	v.found(MAC, p, i)
}

// ciscoMAC notes three groups of four hexadecimal digits with dots between.
func (v *view) ciscoMAC(p int) {
	letters := 0
	for i := range 14 {
		c := v.at(p + i)
		if i%5 == 4 {
			if c != '.' {
				return
			}
			continue
		}
		if ascii[c]&isHex == 0 {
			return
		}
		letters += int(ascii[c] & isLetter)
	}
	if c := v.at(p + 14); isAlnum(c) || c == '.' && isAlnum(v.at(p+15)) || letters == 0 {
		return
	}
	v.found(MAC, p, p+14)
}

// company notes a unified social credit code.
func (v *view) company(p int) {
	var code [18]byte
	i, letters := p, 0
	for k := range code {
		r, n := v.rune(i)
		d := -1
		if c := upper(r); c != 0 {
			d = creditValue(c)
			letters++
		} else if r < 0x80 || r >= 0xFF00 {
			d = digit(r)
		}
		if d < 0 || k >= 2 && k < 8 && d > 9 {
			return
		}
		code[k] = byte(d)
		i += n
	}
	if r, _ := v.rune(i); digit(r) >= 0 || upper(r) != 0 {
		return
	}
	if letters > 0 && region(code[2:]) && credit(code[:]) {
		v.found(Company, p, i)
	}
}

func creditValue(c byte) int {
	for i := range len(creditAlphabet) {
		if creditAlphabet[i] == c {
			return i
		}
	}
	return -1
}

// permit reports whether a code looks like that of a passport or a permit: one
// to three letters, then digits.
func permit(code []byte) bool {
	n := 0
	for n < len(code) && ascii[code[n]]&isLetter != 0 {
		n++
	}
	digits := len(code) - n
	for i, c := range code[n:] {
		if ascii[c]&isDigit == 0 && !(i == 8 && i == digits-1) { // a letter may end it
			return false
		}
	}
	switch n {
	case 0:
		return digits == 9
	case 1:
		return digits >= 7 && digits <= 10
	case 2:
		return digits >= 6 && digits <= 8
	}
	return n == 3 && digits == 12
}

// mayBeWeChat reports whether a word may stand before p that names a name on
// WeChat, looked at in a hurry.
func (v *view) mayBeWeChat(p int) bool {
	if p > 0 && v.b[p-1] == ' ' {
		p--
	}
	c := lower(v.asciiBefore(p))
	return p > 0 && (ascii[c]&(isLetter|isDigit) == 0 && c != ',' && c != '\n' && c != '.' || c == 't' || c == 'n' || c == 'x')
}

// wechat notes a name on WeChat that a word before it says it is.
func (v *view) wechat(t *token) {
	end := t.start
	for end < t.end && ascii[v.b[end]]&isToken != 0 {
		end++
	}
	n := end - t.start
	if n < 6 || n > 20 || end < t.end && v.b[end] == '.' && end+1 < t.end || v.at(t.end) == '@' {
		return
	}
	strong := t.digits > 0
	for _, c := range v.b[t.start:end] {
		strong = strong || c == '_'
	}
	if !strong {
		r, i := v.visibleBefore(t.start, t.start)
		for r == ' ' {
			r, i = v.visibleBefore(t.start, i)
		}
		strong = r == ':' || r == '：' || r == '号' || r == '號' || r == '是' || r == '='
	}
	if strong && v.after(t.start, v.d.words.wechat) {
		v.found(WeChat, t.start, end)
	}
}
