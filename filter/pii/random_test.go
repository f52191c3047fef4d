package pii_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"bendi/filter/pii"
)

// forms are the ways that people write digits, from 0 to 9.
var forms = []string{"0123456789", "０１２３４５６７８９", "⓪①②③④⑤⑥⑦⑧⑨", "⓿❶❷❸❹❺❻❼❽❾", "〇一二三四五六七八九", "零壹贰叁肆伍陆柒捌玖", "𝟎𝟏𝟐𝟑𝟒𝟓𝟔𝟕𝟖𝟗"}

// dress writes digits, and letters among them, in a form, in groups of sizes.
func dress(rng *rand.Rand, digits string, sizes ...int) string {
	form := []rune(forms[rng.IntN(len(forms))])
	sep := []string{" ", "-", "－", " - ", ".", "\u00a0", "　"}[rng.IntN(7)]
	if len(sizes) == 0 {
		sizes = []int{len(digits)}
	}
	var b strings.Builder
	for k, n := range sizes {
		if k > 0 {
			b.WriteString(sep)
		}
		for i, c := range digits[:n] {
			if i > 0 && rng.IntN(12) == 0 {
				b.WriteString([]string{"\u200b", "\u2060", "\u200d\u200d", "\ufeff", "\u00ad"}[rng.IntN(5)])
			}
			if '0' <= c && c <= '9' {
				b.WriteRune(form[c-'0'])
			} else {
				b.WriteRune(c)
			}
		}
		digits = digits[n:]
	}
	return b.String()
}

func digits(rng *rand.Rand, n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte('0' + rng.IntN(10))
	}
	return string(b)
}

// made returns an identity number with a right check digit.
func made(rng *rand.Rand) string {
	region := []string{"110101", "440300", "310115", "650103", "510104", "330102", "820000"}[rng.IntN(7)]
	born := time.Date(1930+rng.IntN(90), time.Month(1+rng.IntN(12)), 1+rng.IntN(28), 0, 0, 0, 0, time.UTC)
	id := region + born.Format("20060102") + digits(rng, 3)
	sum := 0
	for i, w := range []int{7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2} {
		sum += int(id[i]-'0') * w
	}
	return id + "10X98765432"[sum%11:][:1]
}

// card returns a number of n digits with a right check digit.
func card(rng *rand.Rand, prefix string, n int) string {
	body := prefix + digits(rng, n-1-len(prefix))
	for c := '0'; ; c++ {
		sum := 0
		for i, d := range body + string(c) {
			x := int(d - '0')
			if (n-i)%2 == 0 {
				if x *= 2; x > 9 {
					x -= 9
				}
			}
			sum += x
		}
		if sum%10 == 0 {
			return body + string(c)
		}
	}
}

// In whatever form, shape and company it is written, a number is found, whole
// and alone.
func TestDressedUp(t *testing.T) {
	rng := rand.New(rand.NewPCG(21, 33))
	d := pii.New(pii.IDCard, pii.Phone, pii.BankCard)
	shapes := map[pii.Type][][]int{
		pii.IDCard:   {{18}, {6, 8, 4}, {6, 4, 4, 4}, {6, 12}, {14, 4}, {6, 4, 2, 2, 4}},
		pii.Phone:    {{11}, {3, 4, 4}, {3, 8}, {7, 4}},
		pii.BankCard: {{19}, {4, 4, 4, 4, 3}, {6, 13}},
	}
	around := []string{"", "。", "，", "是", "：", "张三", " ", "\n", "“", "a ", "（", "没", "吗", "/", "\t"}
	for range 6000 {
		var kind pii.Type
		var plain string
		switch rng.IntN(3) {
		case 0:
			kind, plain = pii.IDCard, made(rng)
		case 1:
			kind, plain = pii.Phone, fmt.Sprintf("1%d%s", 3+rng.IntN(7), digits(rng, 9))
		default:
			kind, plain = pii.BankCard, card(rng, "62", 19)
		}
		shape := shapes[kind][rng.IntN(len(shapes[kind]))]
		value := dress(rng, plain, shape...)
		before, after := around[rng.IntN(len(around))], around[rng.IntN(len(around))]
		if after == "张三" || after == "a " || before == "张三" && strings.ContainsAny(value[:3], "零〇一二三四五六七八九壹贰叁肆伍陆柒捌玖") {
			continue // it would be part of something else
		}
		text := before + value + after
		got := scan(d, text)
		if len(got) != 1 || got[0] != kind.String()+" "+value {
			t.Fatalf("%q: got %q, want %v %q", text, got, kind, value)
		}
		if n := pii.Normal(kind, value); n != plain {
			t.Fatalf("Normal(%v, %q) = %q, want %q", kind, value, n, plain)
		}
	}
}

// Numbers that mean nothing are left alone, or as good as: the figures are the
// chances of a random number, with no word before it.
func TestChances(t *testing.T) {
	rng := rand.New(rand.NewPCG(23, 24))
	d := pii.New()
	const n = 8_000
	for _, tt := range []struct {
		name string
		make func() string
		most float64
	}{
		{"milliseconds", func() string { return fmt.Sprint(1_000_000_000_000 + rng.Int64N(1_000_000_000_000)) }, 0},
		{"seconds", func() string { return fmt.Sprint(1_000_000_000 + rng.Int64N(1_000_000_000)) }, 0},
		{"a time in digits", func() string { return time.Unix(rng.Int64N(2_000_000_000), 0).UTC().Format("20060102150405") }, 0},
		{"an order, by its name", func() string { return "订单号" + digits(rng, 8+rng.IntN(12)) }, 0.001},
		{"12 digits", func() string { return "5" + digits(rng, 11) }, 0},
		{"16 digits", func() string { return digits(rng, 16) }, 0.002}, // UnionPay's range, and a right check digit
		{"18 digits", func() string { return digits(rng, 18) }, 0.002},
		{"20 digits and more", func() string { return digits(rng, 20+rng.IntN(20)) }, 0},
		{"a date", func() string { return time.Unix(rng.Int64N(2_000_000_000), 0).UTC().Format(time.DateTime) }, 0},
		{"a hash", func() string { return fmt.Sprintf("%016x%016x", rng.Uint64(), rng.Uint64()) }, 0},
		{"a UUID", func() string {
			return fmt.Sprintf("%08x-%04x-4%03x-a%03x-%012x", rng.Uint32(), rng.IntN(1<<16), rng.IntN(1<<12), rng.IntN(1<<12), rng.Uint64()>>16)
		}, 0},
		{"a version", func() string {
			return fmt.Sprintf("%d.%d.%d.%d", rng.IntN(30), rng.IntN(30), rng.IntN(30), rng.IntN(30))
		}, 0},
		{"an amount", func() string { return fmt.Sprintf("%d.%02d元", rng.Int64N(100_000_000), rng.IntN(100)) }, 0},
		{"a list", func() string { return fmt.Sprint(rng.Perm(12)) }, 0},
	} {
		hits := 0
		example := ""
		for range n {
			text := tt.make()
			if got := scan(d, text); got != nil {
				hits++
				example = text + ": " + strings.Join(got, "|")
			}
		}
		if rate := float64(hits) / n; rate > tt.most {
			t.Errorf("%s: %.4f%% found, want at most %.4f%%; such as %s", tt.name, 100*rate, 100*tt.most, example)
		} else {
			t.Logf("%s: %.4f%%", tt.name, 100*rate)
		}
	}
}
