package grammar

import (
	"encoding/json"
	"fmt"
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"
)

// TestNumberRanges: for random bounds, exactly the numbers within them are
// accepted, whatever their digits.
func TestNumberRanges(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	digits := func(n int) string {
		var b strings.Builder
		for range n {
			b.WriteByte("0019"[rng.IntN(4)] + byte(rng.IntN(2))*byte(rng.IntN(2)))
		}
		return strings.ReplaceAll(b.String(), ":", "9")
	}
	number := func(fraction bool) string {
		whole := strings.TrimLeft(digits(1+rng.IntN(4)), "0")
		if whole == "" {
			whole = "0"
		}
		if rng.IntN(3) == 0 && whole != "0" {
			whole = "-" + whole
		}
		if fraction && rng.IntN(2) == 0 {
			whole += "." + digits(1+rng.IntN(3))
		}
		return whole
	}
	rat := func(s string) *big.Rat {
		r, ok := new(big.Rat).SetString(s)
		if !ok {
			t.Fatalf("not a number: %q", s)
		}
		return r
	}
	tried := 0
	for range 700 {
		typ, lo, hi := []string{"integer", "number"}[rng.IntN(2)], "", ""
		var keywords []string
		loOpen, hiOpen := rng.IntN(2) == 0, rng.IntN(2) == 0
		if rng.IntN(4) > 0 {
			lo = number(true)
			keywords = append(keywords, fmt.Sprintf(`%q:%s`, map[bool]string{false: "minimum", true: "exclusiveMinimum"}[loOpen], lo))
		}
		if rng.IntN(4) > 0 {
			hi = number(true)
			keywords = append(keywords, fmt.Sprintf(`%q:%s`, map[bool]string{false: "maximum", true: "exclusiveMaximum"}[hiOpen], hi))
		}
		schema := fmt.Sprintf(`{"type":%q%s}`, typ, strings.Join(append([]string{""}, keywords...), ","))
		gbnf, err := FromSchema(json.RawMessage(schema))
		if err != nil {
			checkError(t, err)
			continue
		}
		g := mustParse(t, gbnf)
		for i := range 40 {
			n := number(typ == "number")
			switch { // near the bounds
			case i%4 == 0 && lo != "" && typ == "number":
				n = lo
			case i%4 == 1 && hi != "" && typ == "number":
				n = hi
			}
			if typ == "number" && rng.IntN(3) == 0 {
				if !strings.Contains(n, ".") {
					n += "."
				}
				n += digits(1 + rng.IntN(2))
			}
			r, want := rat(n), true
			if lo != "" {
				c := r.Cmp(rat(lo))
				want = want && (c > 0 || c == 0 && !loOpen)
			}
			if hi != "" {
				c := r.Cmp(rat(hi))
				want = want && (c < 0 || c == 0 && !hiOpen)
			}
			if r.Sign() == 0 && n[0] == '-' {
				continue // -0 and -0.0 are left out where there are bounds
			}
			tried++
			if accepts(g, n) != want {
				t.Fatalf("%s: %s is accepted: %v\n%s", schema, n, !want, gbnf)
			}
		}
	}
	if tried < 10_000 {
		t.Errorf("only %d numbers were tried", tried)
	}
}

// TestDecimal: the arithmetic of bounds.
func TestDecimal(t *testing.T) {
	for _, tt := range []struct{ in, floor, ceil string }{
		{"0", "0", "0"}, {"-0.0", "0", "0"}, {"1.5", "1", "2"}, {"-1.5", "-2", "-1"}, {"-0.5", "-1", "0"}, {"15e-1", "1", "2"},
		{"1.5e3", "1500", "1500"}, {"-9.99", "-10", "-9"}, {"120e-2", "1", "2"}, {"0.001e3", "1", "1"},
	} {
		d, err := parseDecimal(json.Number(tt.in))
		if err != nil {
			t.Fatal(err)
		}
		show := func(d decimal) string {
			s := d.whole
			if d.neg {
				s = "-" + s
			}
			return s
		}
		if f, c := show(d.floor()), show(d.ceil()); f != tt.floor || c != tt.ceil {
			t.Errorf("%s lies between %s and %s, want %s and %s", tt.in, f, c, tt.floor, tt.ceil)
		}
	}
	for _, bad := range []string{"1e41", "1e-41", "1e99999999999999999999", strings.Repeat("9", 41), "0." + strings.Repeat("1", 41)} {
		if _, err := parseDecimal(json.Number(bad)); err == nil {
			t.Errorf("%s is not over the limit", bad)
		}
	}
}
