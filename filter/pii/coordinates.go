package pii

// coordinates notes a latitude and a longitude, or one of them, that a word
// before it or a letter after it says is one.
func (v *view) coordinates(p int) {
	switch c := v.asciiBefore(p); {
	case isAlnum(c), c == '.', c == '-', c == '_', c == '/':
		return
	}
	a, ok := v.degrees(p)
	if !ok {
		return
	}
	if v.after(p, v.d.words.coordinates) || a.letter {
		v.found(GPS, p, a.end)
	}
	i, gap := a.end, false
	for range 3 {
		r, n := v.rune(i)
		if r != ',' && r != ' ' && r != '，' && r != '、' && r != '/' && r != '\t' {
			break
		}
		i += n
		gap = true
	}
	if c := v.at(i); !gap || c != '-' && ascii[c]&isDigit == 0 {
		return
	}
	b, ok := v.degrees(i)
	if !ok || a.whole > 90 && b.whole > 90 {
		return
	}
	if a.letter && b.letter || a.places >= 3 && b.places >= 3 && v.near(p, v.d.words.coordinates, 14) {
		v.found(GPS, p, b.end)
	}
}

// A degree is a number of degrees as it is written.
type degree struct {
	whole  int
	places int  // after the dot
	letter bool // N, S, E or W follows
	end    int
}

func (v *view) degrees(i int) (g degree, ok bool) {
	if v.at(i) == '-' {
		i++
	}
	n := 0
	for ; ascii[v.at(i)]&isDigit != 0; i++ {
		if n++; n > 3 {
			return
		}
		g.whole = g.whole*10 + int(v.b[i]-'0')
	}
	if n == 0 || g.whole > 180 || v.at(i) != '.' {
		return
	}
	for i++; ascii[v.at(i)]&isDigit != 0; i++ {
		if g.places++; g.places > 15 {
			return
		}
	}
	if g.places < 3 {
		return
	}
	g.end = i
	if r, n := v.rune(i); r == '°' || r == '度' {
		i += n
		g.end = i
	}
	switch c := v.at(i); c {
	case 'N', 'S', 'E', 'W':
		if !isAlnum(v.at(i + 1)) {
			g.letter, g.end = true, i+1
		}
	case '.':
		if ascii[v.at(i+1)]&isDigit != 0 {
			return
		}
	default:
		if isAlnum(c) {
			return
		}
	}
	return g, true
}
