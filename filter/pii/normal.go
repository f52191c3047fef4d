package pii

import (
	"strings"
	"unicode/utf8"
)

// Normal returns a value as it is written without any ornament, so that the
// same number has one form: digits and capitals of ASCII without separators
// and without the country, or what is its own only form.
func Normal(t Type, value string) string {
	switch t {
	case IDCard, Phone, Landline, BankCard, Plate, Company, Passport, SocialSecurity, QQ, MAC:
		return compact(t, value)
	case Email:
		return strings.ToLower(strings.ReplaceAll(value, "＠", "@"))
	case WeChat, IP:
		return strings.ToLower(value)
	case Secret:
		return value
	}
	return strings.Map(func(r rune) rune {
		switch {
		case isInvisible(r), separatorOf(r) == space:
			return -1
		case !isHan(r) && digit(r) >= 0:
			return rune('0' + digit(r))
		}
		return r
	}, value)
}

func compact(t Type, value string) string {
	out := make([]byte, 0, len(value))
	for _, r := range value {
		switch {
		case digit(r) >= 0:
			out = append(out, byte('0'+digit(r)))
		case t == IDCard && isX(r):
			out = append(out, 'X')
		case upper(r) != 0:
			out = append(out, upper(r))
		case isHan(r):
			out = utf8.AppendRune(out, r)
		}
	}
	if t == Phone {
		for _, country := range [...]string{"0086", "86"} {
			if s := string(out); len(s) == len(country)+11 && strings.HasPrefix(s, country) {
				return s[len(country):]
			}
		}
	}
	return string(out)
}
