package pii

// digit returns the value of a rune that people write a digit with, or -1. It
// is asked inside runs of digits alone: 三 is no 3 in a word.
func digit(r rune) int {
	if r < 0x80 {
		if '0' <= r && r <= '9' {
			return int(r - '0')
		}
		return -1
	}
	if r >= 0x4E00 && r <= 0x9FFF {
		return numeral(r)
	}
	for _, s := range digitSeries {
		if r < s.first {
			return -1
		}
		if d := r - s.first; d < s.n {
			return int(d + s.from)
		}
	}
	return -1
}

// digitSeries are runs of digits that follow each other, in order.
var digitSeries = [...]struct{ first, n, from rune }{
	{0xB2, 2, 2}, {0xB9, 1, 1}, // ² ³ ¹
	{0x660, 10, 0}, {0x6F0, 10, 0}, // Arabic
	{0x2070, 1, 0}, {0x2074, 6, 4}, {0x2080, 10, 0}, // superscript, subscript
	{0x2460, 9, 1}, {0x2474, 9, 1}, {0x2488, 9, 1}, // ① ⑴ ⒈
	{0x24EA, 1, 0}, {0x24F5, 9, 1}, {0x24FF, 1, 0}, // ⓪ ⓵ ⓿
	{0x25CB, 1, 0}, {0x25EF, 1, 0}, // ○ ◯
	{0x2776, 9, 1}, {0x2780, 9, 1}, {0x278A, 9, 1}, // ❶ ➀ ➊
	{0x3007, 1, 0},                 // 〇
	{0x3220, 9, 1}, {0x3280, 9, 1}, // ㈠ ㊀
	{0xFF10, 10, 0},                                                                          // full width
	{0x1D7CE, 10, 0}, {0x1D7D8, 10, 0}, {0x1D7E2, 10, 0}, {0x1D7EC, 10, 0}, {0x1D7F6, 10, 0}, // mathematical
	{0x1F101, 10, 0}, {0x1F10B, 2, 0}, {0x1FBF0, 10, 0},
}

// A form is a way to write digits. Numbers are mostly written in one.
type form uint8

const (
	anyForm form = iota
	western      // 0 to 9, in any width or weight
	han          // 零一二
	marked       // ①, ❶, ⒈, ¹
)

// formOf returns the form of a digit.
func formOf(r rune) form {
	switch {
	case r < 0x80, r >= 0xFF10 && r <= 0xFF19, r >= 0x1D7CE && r <= 0x1D7FF, r >= 0x1FBF0, r == 0x25CB, r == 0x25EF, r >= 0x660 && r <= 0x6F9:
		return western
	case isHan(r):
		return han
	}
	return marked
}

// numeral returns the value of a Chinese numeral, or -1.
func numeral(r rune) int {
	switch r {
	case '零':
		return 0
	case '一', '壹', '弌', '幺':
		return 1
	case '二', '贰', '貳', '弍':
		return 2
	case '三', '叁', '參', '叄', '弎':
		return 3
	case '四', '肆':
		return 4
	case '五', '伍':
		return 5
	case '六', '陆', '陸':
		return 6
	case '七', '柒':
		return 7
	case '八', '捌':
		return 8
	case '九', '玖':
		return 9
	}
	return -1
}

// upper returns the ASCII capital of a letter, in half or full width, or 0.
func upper(r rune) byte {
	switch {
	case 'A' <= r && r <= 'Z':
		return byte(r)
	case 'a' <= r && r <= 'z':
		return byte(r - 'a' + 'A')
	case 0xFF21 <= r && r <= 0xFF3A:
		return byte(r - 0xFF21 + 'A')
	case 0xFF41 <= r && r <= 0xFF5A:
		return byte(r - 0xFF41 + 'A')
	}
	return 0
}

// isX tells the letters that people end an identity number with.
func isX(r rune) bool {
	switch r {
	case 0x2169, 0x2179, 0x425, 0x445, 0x3A7, 0x3C7, 0xD7: // Ⅹ ⅹ Х х Χ χ ×
		return true
	}
	return upper(r) == 'X'
}

// isHan tells Chinese characters.
func isHan(r rune) bool {
	return 0x4E00 <= r && r <= 0x9FFF || 0x3400 <= r && r <= 0x4DBF || r == 0x3007 || 0x20000 <= r && r <= 0x323AF
}

// isInvisible tells what is not seen between two digits, or only around them.
func isInvisible(r rune) bool {
	if r < 0x300 {
		return r == 0xAD
	}
	switch {
	case r <= 0x36F, r == 0x61C, 0x180B <= r && r <= 0x180F,
		0x1DC0 <= r && r <= 0x1DFF,
		0x200B <= r && r <= 0x200F, 0x202A <= r && r <= 0x202E, 0x2060 <= r && r <= 0x206F,
		0x20D0 <= r && r <= 0x20FF,
		0xFE00 <= r && r <= 0xFE0F, 0xFE20 <= r && r <= 0xFE2F, r == 0xFEFF, 0xFFF9 <= r && r <= 0xFFFB,
		0xE0000 <= r && r <= 0xE0FFF:
		return true
	}
	return false
}

// A separator is what stands between groups of digits.
type separator uint8

const (
	noSeparator separator = iota
	space
	dash
	dot
	slash
	bracket
)

func separatorOf(r rune) separator {
	switch r {
	case ' ', '\t', 0xA0, 0x202F, 0x205F, 0x3000:
		return space
	case '-', '_', '~', '*', 0x2010, 0x2011, 0x2012, 0x2013, 0x2014, 0x2015, 0x2212, 0xFE63, 0xFF0D:
		return dash
	case '.', 0xB7, 0x2022, 0x30FB, 0xFF0E:
		return dot
	case '/', 0xFF0F:
		return slash
	case '(', ')', 0xFF08, 0xFF09:
		return bracket
	}
	if 0x2000 <= r && r <= 0x200A {
		return space
	}
	return noSeparator
}

// Classes of ASCII characters.
const (
	isLetter = 1 << iota
	isDigit
	isHex
	isLocal  // of the local part of an email address, thus of most words
	isDomain // of a domain name
	isToken  // of a key or a token: letters, digits, _ and -
	isUserinfo
)

var ascii = func() (t [256]uint8) {
	mark := func(set string, bits uint8) {
		for _, c := range []byte(set) {
			t[c] |= bits
		}
	}
	const lower, upper, digits = "abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "0123456789"
	mark(lower+upper, isLetter|isLocal|isDomain|isToken|isUserinfo)
	mark(digits, isDigit|isHex|isLocal|isDomain|isToken|isUserinfo)
	mark("abcdefABCDEF", isHex)
	mark("._%+-", isLocal)
	mark("-.", isDomain)
	mark("-_", isToken)
	mark("-._~%!$&'()*+,;=:#", isUserinfo)
	return
}()

func isAlnum(c byte) bool { return ascii[c]&(isLetter|isDigit) != 0 }
