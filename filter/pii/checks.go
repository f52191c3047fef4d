package pii

// The checks take digits by value, 10 being the X of an identity number.

// mod112 checks the last of 18 digits by ISO 7064 MOD 11-2, as GB 11643 has it.
func mod112(d []byte) bool {
	if len(d) != 18 {
		return false
	}
	m := 0
	for _, x := range d {
		m = (m*2 + int(x)) % 11
	}
	return m == 1
}

// luhn checks the last digit as ISO/IEC 7812 has it.
func luhn(d []byte) bool {
	sum := 0
	for i := range d {
		x := int(d[len(d)-1-i])
		if i%2 == 1 {
			if x *= 2; x > 9 {
				x -= 9
			}
		}
		sum += x
	}
	return sum%10 == 0
}

// creditAlphabet holds the characters of a unified social credit code by value.
const creditAlphabet = "0123456789ABCDEFGHJKLMNPQRTUWXY"

// creditWeights are the powers of 3 modulo 31, of GB 32100.
var creditWeights = [17]int{1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28}

// credit checks the last of 18 characters of a unified social credit code,
// each by its value.
func credit(v []byte) bool {
	if len(v) != 18 {
		return false
	}
	sum := 0
	for i, w := range creditWeights {
		sum += int(v[i]) * w
	}
	return int(v[17]) == (31-sum%31)%31
}

// provinces has a bit for each first two digits that a region may have.
var provinces = func() (t [100]bool) {
	for _, p := range [...]int{11, 12, 13, 14, 15, 21, 22, 23, 31, 32, 33, 34, 35, 36, 37, 41, 42, 43, 44, 45, 46,
		50, 51, 52, 53, 54, 61, 62, 63, 64, 65, 71, 81, 82, 83, 91} {
		t[p] = true
	}
	return
}()

// region tells whether digits begin with a region of China.
func region(d []byte) bool { return d[0] < 10 && d[1] < 10 && provinces[d[0]*10+d[1]] }

// date tells whether a day exists.
func date(year, month, day int) bool {
	if month < 1 || month > 12 || day < 1 {
		return false
	}
	days := [...]int{31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31}[month-1]
	if month == 2 && (year%4 == 0 && year%100 != 0 || year%400 == 0) {
		days++
	}
	return day <= days
}

// number returns the value of a few digits.
func number(d []byte) int {
	n := 0
	for _, x := range d {
		n = n*10 + int(x)
	}
	return n
}

// residentID checks an identity number of 18 digits of somebody born from 1850
// to the year given.
func residentID(d []byte, year int) bool {
	if !mod112(d) {
		return false
	}
	if y := number(d[6:10]); y < 1850 || y > year || !date(y, number(d[10:12]), number(d[12:14])) {
		return false
	}
	if d[0] == 9 { // a foreigner: 9, the province, the country
		return region(d[1:]) || region(d)
	}
	return region(d)
}

// oldID checks an identity number of 15 digits, which has no check digit.
func oldID(d []byte) bool {
	return len(d) == 15 && region(d) && date(1900+number(d[6:8]), number(d[8:10]), number(d[10:12]))
}

// issuer tells whether a number of that length begins as an issuer's cards do.
// UnionPay's range is so much in use here that it needs no word before it.
func issuer(d []byte) (known, unionPay bool) {
	n, two, four := len(d), number(d[:2]), number(d[:4])
	switch {
	case two == 62:
		return n >= 16, n >= 16
	case d[0] == 4:
		return n == 13 || n == 16 || n == 19, false
	case two >= 51 && two <= 55, four >= 2221 && four <= 2720:
		return n == 16, false
	case two == 34, two == 37:
		return n == 15, false
	case four >= 3528 && four <= 3589:
		return n >= 16, false
	case two == 36, two == 38, two == 39, two == 30 && four <= 3059:
		return n == 14, false
	case four == 6011, two == 64, two == 65:
		return n == 16, false
	}
	return false, false
}
