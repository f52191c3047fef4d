package grammar

import (
	"fmt"
	"strings"
)

// numbers returns the name of a rule for the numbers of a shape.
func (w *writer) numbers(s *shape) string {
	switch {
	case s.typ == tInteger && s.min == nil && s.max == nil:
		return w.builtin("integer")
	case s.min == nil && s.max == nil:
		return w.builtin("number")
	case s.typ == tInteger:
		return w.rule("integer-range", either(signed(s.min, s.max, wholeBetween)))
	}
	return w.rule("number-range", either(signed(s.min, s.max, realBetween)))
}

func either(alts []string) string { return strings.Join(alts, " | ") }

// signed splits a range of numbers at zero and returns the alternatives for
// the negative and for the other numbers. between writes the numbers from lo
// to hi, neither negative; a hi of nil is no bound.
func signed(lo, hi *bound, between func(lo bound, hi *bound) []string) []string {
	var alts []string
	zero := decimal{whole: "0"}
	if lo == nil || lo.neg {
		from, to := bound{decimal: zero, exclusive: true}, (*bound)(nil)
		if hi != nil && hi.neg {
			from = bound{hi.negated(), hi.exclusive}
		}
		if lo != nil {
			to = &bound{lo.negated(), lo.exclusive}
		}
		if magnitudes := between(from, to); len(magnitudes) > 0 {
			alts = append(alts, `"-" (`+either(magnitudes)+")")
		}
	}
	if hi == nil || !hi.neg {
		from := bound{decimal: zero}
		if lo != nil && !lo.neg {
			from = *lo
		}
		alts = append(alts, between(from, hi)...)
	}
	return alts
}

// wholeBetween writes whole numbers. An exclusive bound can only be that of
// zero, which signed has put there.
func wholeBetween(lo bound, hi *bound) []string {
	from := lo.whole
	if lo.exclusive {
		from = addDigits(from, 1)
	}
	if hi == nil {
		return digitsFrom(from)
	}
	return digitsBetween(from, hi.whole)
}

// digitsFrom writes the whole numbers from lo up, as long as they may get.
func digitsFrom(lo string) []string {
	alts := []string{sameLength(lo, strings.Repeat("9", len(lo)))}
	if len(lo) < integerDigits {
		alts = append(alts, "[1-9] "+digits(len(lo), integerDigits-1))
	}
	return alts
}

// digitsBetween writes the whole numbers from lo to hi.
func digitsBetween(lo, hi string) []string {
	if compareDigits(lo, hi) > 0 {
		return nil
	}
	if len(lo) == len(hi) {
		return []string{sameLength(lo, hi)}
	}
	alts := []string{sameLength(lo, strings.Repeat("9", len(lo)))}
	if len(hi)-len(lo) > 1 {
		alts = append(alts, "[1-9] "+digits(len(lo), len(hi)-2))
	}
	return append(alts, sameLength("1"+strings.Repeat("0", len(hi)-1), hi))
}

// sameLength writes the strings of digits from lo to hi, all of one length.
func sameLength(lo, hi string) string {
	same := 0
	for same < len(lo) && lo[same] == hi[same] {
		same++
	}
	if same == len(lo) {
		return quote(lo)
	}
	a, b, rest := lo[same], hi[same], len(lo)-same-1
	var alts []string
	if strings.Trim(lo[same+1:], "0") != "" {
		alts = append(alts, quote(string(a))+" "+group1(sameLength(lo[same+1:], strings.Repeat("9", rest))))
		a++
	}
	last := ""
	if strings.Trim(hi[same+1:], "9") != "" {
		last = quote(string(b)) + " " + group1(sameLength(strings.Repeat("0", rest), hi[same+1:]))
		b--
	}
	if a <= b {
		alts = append(alts, strings.TrimSpace(digitRange(a, b)+" "+digits(rest, rest)))
	}
	if last != "" {
		alts = append(alts, last)
	}
	if same == 0 {
		return either(alts)
	}
	return quote(lo[:same]) + " " + group1(either(alts))
}

// group1 puts alternatives into brackets.
func group1(expr string) string {
	if strings.Contains(expr, " | ") {
		return "(" + expr + ")"
	}
	return expr
}

func digitRange(a, b byte) string {
	if a == b {
		return quote(string(a))
	}
	return fmt.Sprintf("[%c-%c]", a, b)
}

// digits writes from lo to hi digits.
func digits(lo, hi int) string {
	switch {
	case hi == 0:
		return ""
	case lo == 1 && hi == 1:
		return "[0-9]"
	case lo == hi:
		return fmt.Sprintf("[0-9]{%d}", lo)
	}
	return fmt.Sprintf("[0-9]{%d,%d}", lo, hi)
}

// realBetween writes decimals: those with the whole part of lo, those with a
// whole part in between, and those with the whole part of hi.
func realBetween(lo bound, hi *bound) []string {
	low := &limit{lo.frac, lo.exclusive}
	if hi == nil {
		alts := withFraction(quote(lo.whole), fractions(low, nil))
		if between := digitsFrom(addDigits(lo.whole, 1)); len(between) > 0 {
			alts = append(alts, "("+either(between)+") "+anyFraction)
		}
		return alts
	}
	high := &limit{hi.frac, hi.exclusive}
	switch c := compareDigits(lo.whole, hi.whole); {
	case c > 0:
		return nil
	case c == 0:
		return withFraction(quote(lo.whole), fractions(low, high))
	}
	alts := withFraction(quote(lo.whole), fractions(low, nil))
	if between := digitsBetween(addDigits(lo.whole, 1), addDigits(hi.whole, -1)); len(between) > 0 {
		alts = append(alts, "("+either(between)+") "+anyFraction)
	}
	return append(alts, withFraction(quote(hi.whole), fractions(nil, high))...)
}

var anyFraction = fmt.Sprintf(`("." [0-9]{1,%d})?`, fractionDigits)

// A limit is the fraction of a bound.
type limit struct {
	digits    string
	exclusive bool
}

// withFraction writes a whole part with each of the fractions.
func withFraction(whole string, fractions []string) []string {
	var alts []string
	for _, f := range fractions {
		alts = append(alts, strings.TrimSpace(whole+" "+f))
	}
	return alts
}

// fractions writes what may follow a whole part: nothing, and a point with
// digits.
func fractions(lo, hi *limit) []string {
	var alts []string
	if mayEnd(lo, hi, 0) {
		alts = append(alts, "")
	}
	if more := fractionDigitsFrom(lo, hi, 0); len(more) > 0 {
		alts = append(alts, `"." `+group1(either(more)))
	}
	return alts
}

// mayEnd reports whether a fraction whose first i digits are those of the
// limits may have no more; a limit of nil does not matter any more.
func mayEnd(lo, hi *limit, i int) bool {
	if lo != nil && (i < len(lo.digits) || lo.exclusive) {
		return false
	}
	return hi == nil || i < len(hi.digits) || !hi.exclusive
}

// fractionDigitsFrom writes at least one more digit after the first i.
func fractionDigitsFrom(lo, hi *limit, i int) []string {
	if lo != nil && i >= len(lo.digits) && !lo.exclusive {
		lo = nil // whatever follows is not below
	}
	switch {
	case lo == nil && hi == nil:
		return []string{digits(1, fractionDigits)}
	case lo != nil && i >= len(lo.digits) && hi == nil:
		// Anything but zeros.
		return []string{fmt.Sprintf(`"0"{0,%d} [1-9] %s`, fractionDigits, digits(0, fractionDigits))}
	case hi != nil && i >= len(hi.digits):
		// Nothing but zeros.
		if hi.exclusive || lo != nil {
			return nil
		}
		return []string{fmt.Sprintf(`"0"{1,%d}`, fractionDigits)}
	}
	low, high := byte('0'), byte('9')
	if lo != nil && i < len(lo.digits) {
		low = lo.digits[i]
	}
	if hi != nil {
		high = hi.digits[i]
	}
	var alts []string
	at := func(c byte, lo, hi *limit) {
		if mayEnd(lo, hi, i+1) {
			alts = append(alts, quote(string(c)))
		}
		if more := fractionDigitsFrom(lo, hi, i+1); len(more) > 0 {
			alts = append(alts, quote(string(c))+" "+group1(either(more)))
		}
	}
	switch {
	case lo != nil && hi != nil && low == high:
		at(low, lo, hi)
		return alts
	case low > high:
		return nil
	}
	if lo != nil {
		at(low, lo, nil)
		low++
	}
	last := high
	if hi != nil {
		last--
	}
	if low <= last {
		alts = append(alts, strings.TrimSpace(digitRange(low, last)+" "+digits(0, fractionDigits)))
	}
	if hi != nil {
		at(high, nil, hi)
	}
	return alts
}
