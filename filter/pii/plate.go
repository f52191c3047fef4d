package pii

// isPlateHead tells the characters that a plate begins with.
func isPlateHead(r rune) bool {
	switch r {
	case '京', '津', '沪', '渝', '冀', '豫', '云', '辽', '黑', '湘', '皖', '鲁', '新', '苏', '浙', '赣', '鄂', '桂', '甘', '晋', '蒙', '陕', '吉', '闽', '贵', '粤', '青', '藏', '川', '宁', '琼', '使',
		'滬', '雲', '遼', '魯', '蘇', '贛', '陝', '閩', '貴', '粵', '寧', '瓊':
		return true
	}
	return false
}

// plate notes a plate that begins with the character of n bytes at p: the
// province, a letter for the city, and five more, or six on a new energy car.
func (v *view) plate(p, n int) {
	i := p + n
	r, w := v.rune(i)
	if city := upper(r); city == 0 || city == 'I' || city == 'O' {
		return
	}
	i += w
	r, w = v.rune(i)
	if s := separatorOf(r); s == dot || s == space || s == dash {
		i += w
		r, w = v.rune(i)
	}
	var code [7]byte
	k, digits, tail := 0, 0, 0 // tail counts the digits at the end
	end := i
	for k < len(code) {
		c := upper(r)
		if d := digit(r); c == 0 && d >= 0 && !isHan(r) {
			c = byte('0' + d)
			digits++
			tail++
		} else if c != 0 {
			tail = 0
		}
		if c == 0 {
			break
		}
		code[k] = c
		k++
		i += w
		end = i
		r, w = v.rune(i)
	}
	for _, c := range code[:k] {
		if c == 'I' || c == 'O' {
			return
		}
	}
	switch {
	case k == 5 && digits >= 2:
	case k == 6 && isNEV(code[0]) && tail >= 4, k == 6 && isNEV(code[5]) && digits == 5:
	case k == 4 && digits >= 1 && (r == '挂' || r == '学' || r == '警' || r == '港' || r == '澳' || r == '试' || r == '超' || r == '领' || r == '使' || r == '掛' || r == '學'):
		end = i + w
	default:
		return
	}
	v.found(Plate, p, end)
}

// isNEV tells the letters that mark a new energy car.
func isNEV(c byte) bool { return 'A' <= c && c <= 'K' && c != 'I' }
