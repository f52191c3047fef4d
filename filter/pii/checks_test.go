package pii

import (
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// The standards' own words, digit by digit.

func slowID(d []byte) bool {
	weights := []int{7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2}
	sum := 0
	for i, w := range weights {
		sum += int(d[i]) * w
	}
	x := "10X98765432"[sum%11]
	return x == 'X' && d[17] == 10 || x != 'X' && d[17] == x-'0'
}

func slowLuhn(d []byte) bool {
	sum := 0
	for i, x := range d {
		y := int(x)
		if (len(d)-i)%2 == 0 {
			y *= 2
		}
		sum += y/10 + y%10
	}
	return sum%10 == 0
}

func slowCredit(v []byte) bool {
	sum, weight := 0, 1
	for i := range 17 {
		sum += int(v[i]) * weight
		weight = weight * 3 % 31
	}
	return (sum+int(v[17]))%31 == 0
}

func TestChecks(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	passed := [3]int{}
	const n = 100_000
	for range n {
		d := make([]byte, 18)
		for i := range d {
			d[i] = byte(rng.IntN(10))
		}
		if rng.IntN(11) == 0 {
			d[17] = 10
		}
		if mod112(d) != slowID(d) {
			t.Fatalf("mod112(%v) = %v", d, mod112(d))
		}
		if mod112(d) {
			passed[0]++
		}
		d[17] %= 10
		card := d[:13+rng.IntN(6)]
		if luhn(card) != slowLuhn(card) {
			t.Fatalf("luhn(%v) = %v", card, luhn(card))
		}
		if luhn(card) {
			passed[1]++
		}
		for i := range d {
			d[i] = byte(rng.IntN(31))
		}
		if credit(d) != slowCredit(d) {
			t.Fatalf("credit(%v) = %v", d, credit(d))
		}
		if credit(d) {
			passed[2]++
		}
	}
	for i, want := range []float64{1.0 / 11, 1.0 / 10, 1.0 / 31} {
		if got := float64(passed[i]) / n; got < want*0.9 || got > want*1.1 {
			t.Errorf("check %d lets %.3f of random numbers pass, want %.3f", i, got, want)
		}
	}
}

// Exactly one last digit is right, and a wrong digit anywhere is noticed.
func FuzzCheckDigits(f *testing.F) {
	f.Add(uint64(110101199003070011), uint8(3), uint8(7))
	f.Fuzz(func(t *testing.T, seed uint64, at, to uint8) {
		rng := rand.New(rand.NewPCG(seed, 1))
		d := make([]byte, 18)
		for i := range d {
			d[i] = byte(rng.IntN(10))
		}
		right := 0
		for x := range byte(11) {
			d[17] = x
			if mod112(d) {
				right++
			}
		}
		if right != 1 {
			t.Fatalf("%d last digits of %v are right", right, d)
		}
		for d[17] = 0; !mod112(d); d[17]++ {
		}
		i := int(at) % 17
		old := d[i]
		if d[i] = to % 10; d[i] != old && mod112(d) {
			t.Fatalf("%v passes with digit %d changed", d, i)
		}
	})
}

func TestDate(t *testing.T) {
	for year := 1896; year <= 2004; year++ {
		for month := 0; month <= 13; month++ {
			for day := 0; day <= 32; day++ {
				d := time.Date(year, time.Month(month), day, 0, 0, 0, 0, time.UTC)
				if got, want := date(year, month, day), d.Day() == day && int(d.Month()) == month && d.Year() == year; got != want {
					t.Fatalf("date(%d, %d, %d) = %v", year, month, day, got)
				}
			}
		}
	}
}

// Every address that Go writes is found whole, where its range is in use, and
// what is found is an address to Go.
func FuzzIPv6(f *testing.F) {
	f.Add("2001:db8::1")
	f.Add("fe80::1:2")
	f.Add("2001:db8:1:2:3:4:5:6")
	d := New(IP)
	f.Fuzz(func(t *testing.T, text string) {
		spans, _ := d.Scanner().Scan(nil, text, true)
		for _, s := range spans {
			if _, err := netip.ParseAddr(text[s.Start:s.End]); err != nil {
				t.Fatalf("%q in %q is no address: %v", text[s.Start:s.End], text, err)
			}
		}
		if a, err := netip.ParseAddr(text); err == nil && len(text) > 4 && a.Is6() && a.Zone() == "" && !a.Is4In6() && text == a.String() && text[:2] == "20" && text[4] == ':' {
			if strings.ContainsAny(text, "0123456789") && (len(spans) != 1 || spans[0].End-spans[0].Start != len(text)) {
				t.Fatalf("%q is not found whole: %v", text, spans)
			}
		}
	})
}

func TestIPv6Random(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	d := New(IP)
	for range 5000 {
		var b [16]byte
		for i := range b {
			if rng.IntN(2) == 0 {
				b[i] = byte(rng.IntN(256))
			}
		}
		b[0], b[1] = 0x20, 0x01
		text := netip.AddrFrom16(b).String()
		spans, _ := d.Scanner().Scan(nil, text, true)
		if len(spans) != 1 || spans[0].Start != 0 || spans[0].End != len(text) {
			t.Fatalf("%q: %v", text, spans)
		}
	}
}

func TestTypes(t *testing.T) {
	for i, k := range Types() {
		if int(k.Type) != i || k.Name == "" || k.Chinese == "" || k.Suggested == "" || k.About == "" {
			t.Errorf("type %d: %+v", i, k)
		}
		if got, ok := Parse(k.Name); !ok || got != k.Type {
			t.Errorf("Parse(%q) = %v, %v", k.Name, got, ok)
		}
	}
	if _, ok := Parse("nothing"); ok {
		t.Error("there is a type of the name nothing")
	}
}

// A detector of one type finds what that of all finds of it.
func TestOneType(t *testing.T) {
	text := "手机13800138000，身份证11010119900307001" + "1，邮箱a@example.com，住在北京市朝阳区建国路88号，京A12345，姓名：张三，密码是hunter2x"
	all, _ := New().Scanner().Scan(nil, text, true)
	for _, s := range all {
		one, _ := New(Type(s.Rule)).Scanner().Scan(nil, text, true)
		if len(one) != 1 || one[0] != s {
			t.Errorf("%v alone: %v, want %v", Type(s.Rule), one, s)
		}
	}
	if len(all) != 7 {
		t.Errorf("%d found: %v", len(all), all)
	}
}

func TestNormal(t *testing.T) {
	for _, tt := range []struct {
		t          Type
		value, out string
	}{
		{Phone, "+86 １３８-0013-8000", "13800138000"}, {Phone, "008613800138000", "13800138000"}, {Phone, "一三八\u200b00138000", "13800138000"}, {Phone, "+1 415 555 2671", "14155552671"},
		{IDCard, "44030019851231202x", "44030019851231202X"}, {IDCard, "44030019851231202Ⅹ", "44030019851231202X"},
		{Plate, "粤b·d1234学", "粤BD1234学"}, {Email, "A@Example.COM", "a@example.com"}, {Secret, "Ab c", "Ab c"}, {Address, "文三路 ９０ 号", "文三路90号"}, {Name, "张三", "张三"},
	} {
		if got := Normal(tt.t, tt.value); got != tt.out {
			t.Errorf("Normal(%v, %q) = %q, want %q", tt.t, tt.value, got, tt.out)
		}
	}
}
