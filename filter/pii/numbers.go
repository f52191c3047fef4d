package pii

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// Numbers are read as groups of digits with separators between them: the date
// 2024-11-25 has three groups, 138 0013 8000 has too. A value is one group, or
// several whose sizes are a shape that people write it in.

// maxDigits is the length of the longest number that means anything here.
const maxDigits = 19

// maxGap is how many separators may stand between two groups, as in ") ".
const maxGap = 3

// groups are the groups of digits from a position on.
type groups struct {
	d      [maxDigits + 1]byte // digits by value, 10 for an X at the end
	n      int
	packed uint64 // sizes of the first eight groups, as those of a shape
	size   int    // of the first
	k      int
	end    int       // of the last group
	next   rune      // the first rune after it that is seen
	at     int       // where next is
	width  int       // of next
	sep    separator // before the last group
	dots   bool      // a dot stands between two groups
	form   form      // the digits that count; anyForm: all
	mixed  bool      // the number might go on in another form
}

// value returns the value of a digit that counts, or -1.
func (g *groups) value(r rune) int {
	d := digit(r)
	if d >= 0 && g.form != anyForm && formOf(r) != g.form {
		g.mixed = true
		return -1
	}
	return d
}

// read adds the group that begins at i. It reports false where there is none,
// or a digit too many.
func (g *groups) read(v *view, i int) bool {
	first := g.n
	for {
		for g.form <= western && i < len(v.b) && ascii[v.b[i]]&isDigit != 0 && g.n < maxDigits {
			g.d[g.n] = v.b[i] - '0'
			g.n++
			i++
			g.end = i
		}
		r, n := v.rune(i)
		if d := g.value(r); d >= 0 {
			if g.n == maxDigits {
				return false
			}
			g.d[g.n] = byte(d)
			g.n++
			i += n
			g.end = i
			continue
		}
		if r < 0x80 || !isInvisible(r) {
			g.next, g.at, g.width = r, i, n
			break
		}
		g.next, g.at, g.width = v.visible(i)
		if g.value(g.next) < 0 || g.n == first {
			break
		}
		i = g.at
	}
	if g.n == first {
		return false
	}
	if g.n == 17 && isX(g.next) {
		if after, _, _ := v.visible(g.at + g.width); digit(after) < 0 && upper(after) == 0 {
			g.d[17], g.n = 10, 18
			g.end = g.at + g.width
			g.next, g.at, g.width = v.visible(g.end)
		}
	}
	if g.k == 0 {
		g.size = g.n
	}
	if g.k < 8 {
		g.packed |= uint64(g.n-first) << (8 * g.k)
	}
	g.k++
	return true
}

// more reads the separators and the group that follow.
func (g *groups) more(v *view) bool {
	r, i, n := g.next, g.at, g.width
	sep := noSeparator
	for range maxGap {
		s := separatorOf(r)
		if s == noSeparator {
			break
		}
		sep = max(sep, s)
		r, i, n = v.visible(i + n)
	}
	if sep == noSeparator || g.value(r) < 0 {
		return false
	}
	g.sep = sep
	g.dots = g.dots || sep == dot
	return g.read(v, i)
}

// A shape is the sizes of up to eight groups, one in a byte, the first lowest.
type shape struct {
	sizes uint64
	k     int
}

func shapes(list ...string) []shape {
	all := make([]shape, len(list))
	for i, text := range list {
		for size := range strings.SplitSeq(text, "-") {
			n, _ := strconv.Atoi(size)
			all[i].sizes |= uint64(n) << (8 * all[i].k)
			all[i].k++
		}
	}
	return all
}

// is reports whether the groups have one of the shapes.
func (g *groups) is(shapes []shape) bool {
	for _, s := range shapes {
		if s.sizes == g.packed && s.k == g.k {
			return true
		}
	}
	return false
}

// begin reports whether the groups are the beginning of one of the shapes.
func (g *groups) begin(shapes []shape) bool {
	if g.k >= 8 {
		return false
	}
	mask := uint64(1)<<(8*g.k) - 1
	for _, s := range shapes {
		if s.sizes&mask == g.packed && s.k > g.k {
			return true
		}
	}
	return false
}

var (
	phoneShapes   = shapes("3-4-4", "3-8", "7-4", "3-2-2-4", "3-4-2-2")
	prefixShapes  = shapes("2-11", "2-3-4-4", "2-3-8", "2-7-4", "4-11", "4-3-4-4")
	serviceShapes = shapes("3-3-4", "3-4-3", "4-3-3", "3-7")
	idShapes      = shapes("6-8-4", "6-4-4-4", "6-4-2-2-4", "6-12", "14-4", "6-8-3-1", "17-1")
	oldIDShapes   = shapes("6-6-3")
	cardShapes    = shapes("4-4-4-4", "4-4-4-4-3", "4-4-4-4-2", "4-4-4-4-1", "4-4-4-5", "4-4-4-7", "6-13", "6-10", "4-6-5", "4-6-4", "8-8", "4-12", "4-15")
)

// startsNumber tells whether the digit r at p is the first of a number: whether
// none of its form comes before it, be it with something invisible between.
// 张三 and ① are no part of the number that follows them.
func (v *view) startsNumber(p int, r rune) bool {
	if p == 0 {
		return true
	}
	if c := v.b[p-1]; c < 0x80 && r < 0x80 {
		return ascii[c]&isDigit == 0
	}
	prev, _ := v.visibleBefore(p, p)
	return digit(prev) < 0 || formOf(prev) != formOf(r)
}

// glance looks at the digits at p in a hurry. Plain says that they are too few
// or too many for any value, and that nothing follows that could go on with
// them; over, that no word goes on behind them. Both may be false where they
// could be true.
func (v *view) glance(p int) (plain, over bool) {
	i := p
	for i < len(v.b) && i-p <= maxDigits && ascii[v.b[i]]&isDigit != 0 {
		i++
	}
	if i+1 >= len(v.b) {
		return false, false
	}
	ends := false // what follows is no separator either
	switch v.b[i] {
	case ',', '\n', ';', '!', '?', '"', '\'', ']', '}', '<', '>', '|':
		over, ends = true, true
	case ' ':
		over, ends = true, ascii[v.b[i+1]]&isLetter != 0
	case ')', '\t':
		over = true
	case 0xE4, 0xE5, 0xE6, 0xE7, 0xE8, 0xE9: // Chinese
		r, n := utf8.DecodeRune(v.b[i:])
		ends = n == 3 && numeral(r) < 0
		over = ends
	}
	first := v.b[p]
	switch n := i - p; {
	case !ends, n > maxDigits,
		n == 10 && (first == '4' || first == '8' || first == '0'),
		n == 11 && (first == '0' || first == '1' && v.b[p+1] >= '3'),
		n == 12 && first == '0',
		n == 13 && (first == '4' || first == '8'),
		n == 14 && first == '3',
		n >= 15,
		n >= 5 && v.mayBeLabelled(p):
		return false, over
	}
	return true, over
}

// mayBeLabelled reports whether a word may stand before p that names a number.
func (v *view) mayBeLabelled(p int) bool {
	if p > 1 && (v.b[p-1] == ' ' || v.b[p-1] == '-') {
		p--
		if ascii[v.b[p-1]]&isDigit != 0 {
			return false
		}
	}
	return p > 0 && v.d.words.labels[v.b[p-1]]
}

// numbers looks for the values that begin with the digit r at p: those in
// digits of its form, and where nothing comes before it those in any.
func (v *view) numbers(p int, r rune) {
	if prev, at := v.visibleBefore(p, p); v.number(p, prev, at, formOf(r)) && digit(prev) < 0 {
		v.number(p, prev, at, anyForm)
	}
}

// number looks for the values that begin at p, after prev. Mixed says that the
// number goes on in digits of other forms.
func (v *view) number(p int, prev rune, prevAt int, f form) (mixed bool) {
	g := groups{form: f}
	if !g.read(v, p) {
		return g.mixed
	}
	before, _ := v.before(p, prevAt)
	if prev == '+' && digit(before) < 0 && upper(before) == 0 || v.afterCountry(p, prev, prevAt) {
		return false // the value began there
	}
	// A number that goes on before p, or 3.14: nothing of its own.
	inner := separatorOf(prev) != noSeparator && digit(before) >= 0
	if prev == '.' && digit(before) >= 0 {
		return false
	}
	for {
		v.check(p, prev, &g)
		if v.short || separatorOf(g.next) == noSeparator || !v.mayGrow(&g, inner) || !g.more(v) {
			return g.mixed
		}
	}
}

// mayGrow reports whether more groups may make a value of g.
func (v *view) mayGrow(g *groups, inner bool) bool {
	if g.n >= maxDigits {
		return false
	}
	if g.size == 1 {
		return !inner && g.singles() && g.lonely()
	}
	const first = 1<<2 | 1<<3 | 1<<4 | 1<<6 | 1<<7 | 1<<8 | 1<<14 | 1<<17 // sizes that shapes begin with
	if first&(1<<g.size) == 0 {
		return false
	}
	d := g.d[:g.n]
	on := &v.d.on
	switch {
	case on[IDCard] && d[0] > 0 && (g.begin(idShapes) || g.begin(oldIDShapes)):
		return true
	case d[0] == 0 && (on[Phone] || on[Landline]):
		return on[Landline] && g.k < 3 && g.size == areaCode(d) || on[Phone] && g.begin(prefixShapes) && g.n >= 4 && number(d[:4]) == 86
	case d[0] == 1 && on[Phone] && g.begin(phoneShapes):
		return d[1] >= 3
	case on[Phone] && d[0] == 8 && g.size == 2 && d[1] == 6:
		return g.begin(prefixShapes)
	case on[Landline] && (d[0] == 4 || d[0] == 8) && g.size >= 3 && d[1] == 0 && d[2] == 0 && g.begin(serviceShapes):
		return true
	case on[BankCard] && g.size >= 4 && d[0] > 1 && g.begin(cardShapes):
		return true
	}
	return false
}

// singles reports whether every group is one digit.
func (g *groups) singles() bool { return g.k == g.n }

// lonely reports whether digits that stand alone may be the beginning of a
// value that somebody wrote that way.
func (g *groups) lonely() bool {
	d := g.d[:g.n]
	if g.n < 2 {
		return d[0] > 0
	}
	return d[0] == 1 && d[1] >= 3 && g.n < 11 || region(d) && g.n < 18 || d[0] == 6 && d[1] == 2
}

// check notes what the groups so far are.
func (v *view) check(p int, prev rune, g *groups) {
	on, d := &v.d.on, g.d[:g.n]
	alone := g.n >= 11 && g.singles()
	if alone {
		// Only all of a row of digits is a value, not some of it.
		if s := separatorOf(g.next); s != noSeparator {
			r, _, _ := v.visible(g.at + g.width)
			if digit(r) >= 0 {
				return
			}
		}
	}
	one := g.k == 1
	switch g.n {
	case 10:
		if on[Landline] && isService(d) && (one && v.near(p, v.d.words.landlines, 8) || !one && g.is(serviceShapes)) && v.free(p, prev, g) {
			v.found(Landline, p, g.end)
		}
	case 11:
		if on[Phone] && isMobile(d) && (one || alone || g.is(phoneShapes)) && v.isPhone(p, prev, g) {
			v.found(Phone, p, g.end)
		}
	case 13:
		if on[Phone] && d[0] == 8 && d[1] == 6 && isMobile(d[2:]) {
			if !one && g.is(prefixShapes) || one && v.near(p, v.d.words.phones, 8) {
				if v.isPhone(p, prev, g) {
					v.found(Phone, p, g.end)
				}
			}
		}
	case 15:
		if on[Phone] && number(d[:4]) == 86 && isMobile(d[4:]) && (one || g.is(prefixShapes)) && v.isPhone(p, prev, g) {
			v.found(Phone, p, g.end)
		}
		if on[IDCard] && (one || g.is(oldIDShapes)) && oldID(d) && v.near(p, v.d.words.ids, 10) {
			v.found(IDCard, p, g.end)
		}
	case 18:
		if on[IDCard] && (one || alone || g.is(idShapes)) && residentID(d, v.d.year) {
			v.found(IDCard, p, g.end)
		}
		if on[Company] && one && d[17] < 10 && region(d[2:]) && credit(d) && v.near(p, v.d.words.companies, 8) {
			v.found(Company, p, g.end)
		}
	}
	if on[Landline] && d[0] == 0 && g.n >= 10 && g.n <= 12 {
		v.landline(p, prev, g)
	}
	if on[BankCard] && g.n >= 13 && (one || alone || g.is(cardShapes)) && d[g.n-1] < 10 && luhn(d) {
		v.bankCard(p, prev, g)
	}
	if one && g.n >= 5 && v.mayBeLabelled(p) {
		v.labelledNumber(p, prev, g)
	}
}

func isMobile(d []byte) bool { return d[0] == 1 && d[1] >= 3 }

func isService(d []byte) bool { return (d[0] == 4 || d[0] == 8) && d[1] == 0 && d[2] == 0 }

// free reports whether no letter or decimal touches the number: what is part
// of an identifier or a measure is no value of its own.
func (v *view) free(p int, prev rune, g *groups) bool {
	if upper(prev) != 0 && !v.after(p, v.d.words.phones) {
		return false
	}
	if upper(g.next) != 0 {
		return false
	}
	if g.next == '.' || g.next == '%' {
		r, _, _ := v.visible(g.at + g.width)
		if g.next == '%' || digit(r) >= 0 {
			return false
		}
	}
	return true
}

// isPhone reports whether a number that looks like a mobile is not called
// something else.
func (v *view) isPhone(p int, prev rune, g *groups) bool {
	if g.k == 1 && v.near(p, v.d.words.orders, 6) && !v.near(p, v.d.words.phones, 4) {
		return false
	}
	return v.free(p, prev, g) || v.near(p, v.d.words.phones, 4)
}

// afterCountry reports whether the number at p follows 86 or 0086 and is the
// mobile that this makes a longer one of.
func (v *view) afterCountry(p int, prev rune, at int) bool {
	if separatorOf(prev) == noSeparator || !v.d.on[Phone] {
		return false
	}
	const country = "6800"
	i := at
	k := 0
	for k < len(country) {
		r, j := v.visibleBefore(p, i)
		if r != rune(country[k]) {
			break
		}
		i, k = j, k+1
	}
	if k != 2 && k != 4 {
		return false
	}
	r, _ := v.visibleBefore(p, i)
	if digit(r) >= 0 {
		return false
	}
	g := groups{form: western}
	if !g.read(v, p) {
		return false
	}
	for g.n < 11 && g.begin(phoneShapes) && g.more(v) {
	}
	return g.n == 11 && isMobile(g.d[:]) && (g.k == 1 || g.is(phoneShapes))
}

// plus looks for a number in international form: a plus, the country, and the
// rest in up to six groups.
func (v *view) plus(p int) {
	if !v.d.on[Phone] {
		return
	}
	if c := v.asciiBefore(p); isAlnum(c) || c == '+' || c == ')' {
		return
	}
	g := groups{form: western}
	if !g.read(v, p+1) || g.d[0] == 0 {
		return
	}
	for {
		d := g.d[:g.n]
		enough := g.n >= 10 && g.n <= 15
		if d[0] == 8 && g.n > 2 && d[1] == 6 {
			enough = g.n == 13 && isMobile(d[2:]) || g.n >= 11 && g.n <= 13 && d[2] != 1 || g.n == 12 && d[2] == 1 && d[3] == 0
		}
		if enough && v.free(p+1, '+', &g) {
			v.found(Phone, p, g.end)
		}
		if g.n > 13 || g.k == 6 || g.size > 4 || g.dots || !g.more(v) {
			return
		}
	}
}

// areaCode returns the length of the area code that digits begin with, or 0.
func areaCode(d []byte) int {
	switch {
	case len(d) < 3 || d[0] != 0 || d[1] == 0 || d[1] == 1 && d[2] != 0 || d[1] == 2 && d[2] == 6:
		return 0
	case d[1] <= 2:
		return 3
	case len(d) >= 4:
		return 4
	}
	return 0
}

// landline notes a number with an area code.
func (v *view) landline(p int, prev rune, g *groups) {
	d := g.d[:g.n]
	area := areaCode(d)
	if area == 0 || d[area] < 2 || g.dots {
		return
	}
	if local := g.n - area; local != 8 && (local != 7 || area == 3) {
		return
	}
	switch {
	case g.k == 1:
		if !v.near(p, v.d.words.landlines, 8) {
			return
		}
	case g.size != area || g.k > 3 || g.k == 3 && (g.packed>>8&0xFF < 3 || g.packed>>16&0xFF < 3):
		return
	}
	if !v.free(p, prev, g) {
		return
	}
	v.found(Landline, p, g.end)
	// An extension.
	ext := *g
	ext.n = 0
	if ext.k < 4 && ext.more(v) && ext.sep == dash && ext.n <= 6 {
		v.found(Landline, p, ext.end)
	}
}

// bankCard notes a number whose check digit is right, where it begins like a
// card, or is called one.
func (v *view) bankCard(p int, prev rune, g *groups) {
	d := g.d[:g.n]
	known, unionPay := issuer(d)
	named := v.near(p, v.d.words.cards, 10)
	switch {
	case named && (known || g.n >= 16):
	case unionPay && (g.k > 1 || !v.near(p, v.d.words.orders, 8)):
	case known && g.k > 1 && !v.near(p, v.d.words.orders, 8):
	default:
		return
	}
	if named || v.free(p, prev, g) {
		v.found(BankCard, p, g.end)
	}
}

// labelledNumber notes a number of one group that a word before it names.
func (v *view) labelledNumber(p int, prev rune, g *groups) {
	on, d := &v.d.on, g.d[:g.n]
	if upper(g.next) != 0 || g.next == '.' && func() bool { r, _, _ := v.visible(g.at + g.width); return digit(r) >= 0 }() {
		return
	}
	if on[QQ] && g.n >= 5 && g.n <= 11 && d[0] > 0 && v.after(p, v.d.words.qq) {
		v.found(QQ, p, g.end)
	}
	if on[Passport] && (g.n == 8 || g.n == 9 || g.n == 10) && v.after(p, v.d.words.passports) {
		v.found(Passport, p, g.end)
	}
	if on[SocialSecurity] && g.n >= 8 && v.after(p, v.d.words.social) {
		v.found(SocialSecurity, p, g.end)
	}
	if on[Secret] && g.n >= 6 && g.n <= 12 && v.after(p, v.d.words.pins) {
		v.found(Secret, p, g.end)
	}
}
