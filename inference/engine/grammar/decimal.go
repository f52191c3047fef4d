package grammar

import (
	"encoding/json"
	"fmt"
	"math/big"
	"strconv"
	"strings"
)

// A decimal is a number as JSON writes it, exactly.
type decimal struct {
	neg   bool   // never of zero
	whole string // digits without leading zeros; "0" for none
	frac  string // digits without trailing zeros
}

// parseDecimal reads a JSON number that has few enough digits without its
// exponent.
func parseDecimal(n json.Number) (decimal, error) {
	s, neg := strings.CutPrefix(string(n), "-")
	mantissa, exponent := s, 0
	if i := strings.IndexAny(s, "eE"); i >= 0 {
		e, err := strconv.Atoi(s[i+1:])
		if err != nil || e > maxDigits || e < -maxDigits {
			return decimal{}, fmt.Errorf("its exponent is over the limit of %d", maxDigits)
		}
		mantissa, exponent = s[:i], e
	}
	if len(mantissa) > 2*maxDigits {
		return decimal{}, fmt.Errorf("it has more than %d digits", 2*maxDigits)
	}
	whole, frac, _ := strings.Cut(mantissa, ".")
	for ; exponent > 0; exponent-- {
		if frac == "" {
			frac = "0"
		}
		whole, frac = whole+frac[:1], frac[1:]
	}
	for ; exponent < 0; exponent++ {
		if whole == "" {
			whole = "0"
		}
		last := len(whole) - 1
		whole, frac = whole[:last], whole[last:]+frac
	}
	d := decimal{neg: neg, whole: strings.TrimLeft(whole, "0"), frac: strings.TrimRight(frac, "0")}
	if d.whole == "" {
		d.whole = "0"
	}
	if d.isZero() {
		d.neg = false
	}
	if len(d.whole) > maxDigits || len(d.frac) > maxDigits {
		return decimal{}, fmt.Errorf("it has more than %d digits", maxDigits)
	}
	return d, nil
}

func (d decimal) isZero() bool    { return d.whole == "0" && d.frac == "" }
func (d decimal) isInteger() bool { return d.frac == "" }

func (d decimal) negated() decimal {
	d.neg = !d.neg && !d.isZero()
	return d
}

// cmp returns -1, 0 or 1 as d is below, at or above e.
func (d decimal) cmp(e decimal) int {
	switch {
	case d.neg && !e.neg:
		return -1
	case !d.neg && e.neg:
		return 1
	case d.neg:
		return compareMagnitude(e, d)
	}
	return compareMagnitude(d, e)
}

func compareMagnitude(d, e decimal) int {
	if c := compareDigits(d.whole, e.whole); c != 0 {
		return c
	}
	return strings.Compare(d.frac, e.frac)
}

// compareDigits compares whole numbers without leading zeros.
func compareDigits(a, b string) int {
	if len(a) != len(b) {
		if len(a) < len(b) {
			return -1
		}
		return 1
	}
	return strings.Compare(a, b)
}

// addDigits returns the whole number a plus n, which may be negative but not
// below zero in sum.
func addDigits(a string, n int64) string {
	x, _ := new(big.Int).SetString(a, 10)
	return x.Add(x, big.NewInt(n)).String()
}

// floor and ceil return the nearest integer not above, and not below, d.
func (d decimal) floor() decimal {
	if d.isInteger() {
		return d
	}
	if d.neg {
		return decimal{neg: true, whole: addDigits(d.whole, 1)}
	}
	return decimal{whole: d.whole}
}

func (d decimal) ceil() decimal { return d.negated().floor().negated() }

// next returns the integer d plus n.
func (d decimal) next(n int64) decimal {
	x, _ := new(big.Int).SetString(d.whole, 10)
	if d.neg {
		x.Neg(x)
	}
	x.Add(x, big.NewInt(n))
	return decimal{neg: x.Sign() < 0, whole: new(big.Int).Abs(x).String()}
}
