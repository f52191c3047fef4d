package main

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

const (
	usual    = 6500 // of the 通用规范汉字表: its first two levels
	maxWays  = 4
	maxParts = 4 // in one way
	unknown  = 1 << 20
)

// ways holds the ways to write a character as its parts.
type ways map[rune][]string

func makeParts(db *database, f *folds, shapes map[string]shape) ways {
	w := ways{}
	p := &splitter{db, f, shapes}
	for r, place := range db.common {
		if place <= usual && f.rune(r) == r {
			if list := p.ways(r); len(list) > 0 {
				w[r] = list
			}
		}
	}
	for r, list := range handParts {
		w[r] = append(strings.Fields(f.string(list)), w[r]...)
	}
	for r, list := range w {
		list = slices.DeleteFunc(list, func(s string) bool {
			n := utf8.RuneCountInString(s)
			return n < 2 || n > maxParts || strings.ContainsRune(s, r) || slices.Contains(ordinary, s)
		})
		var once []string
		for _, s := range list {
			if !slices.Contains(once, s) {
				once = append(once, s)
			}
		}
		if len(once) > 0 {
			w[r] = once[:min(len(once), maxWays)]
		} else {
			delete(w, r)
		}
	}
	return w
}

type splitter struct {
	db     *database
	f      *folds
	shapes map[string]shape
}

// ways tells the ways to write r, the most likely first: its two parts, the
// names that people use for a radical they cannot type, and then each part
// taken apart in turn.
func (p *splitter) ways(r rune) []string {
	s := p.shapes[string(r)]
	parts := s.split()
	if parts == nil {
		return nil
	}
	var list []string
	add := func(parts []string) {
		if way, ok := p.written(parts); ok {
			list = append(list, way)
		}
	}
	around := strings.HasPrefix(s.how, "sbl") && len(parts) == 2 // 过: 辶寸, or 寸辶 as it is written
	add(parts)
	if around {
		add([]string{parts[1], parts[0]})
	}
	for i, part := range parts {
		for _, name := range strings.Split(radicalNames[p.f.string(part)], "") {
			if name != "" {
				named := slices.Clone(parts)
				named[i] = name
				add(named)
			}
		}
	}
	rarest := len(parts) - 1 // the part that a reader would rather see taken apart
	if p.rank(parts[0]) > p.rank(parts[rarest]) {
		rarest = 0
	}
	for _, i := range []int{rarest, len(parts) - 1 - rarest} {
		inner := p.shapes[parts[i]]
		known := func(part string) bool { return p.rank(part) <= 3500 }
		if len(parts) == 2 && slices.Contains([]string{"a", "d", "ra", "rd"}, inner.how) && !slices.ContainsFunc(inner.split(), func(s string) bool { return !known(s) }) {
			add(slices.Concat(parts[:i], inner.split(), parts[i+1:]))
		}
	}
	slices.SortStableFunc(list, func(a, b string) int { return cmp.Compare(p.odd(a), p.odd(b)) })
	return list
}

// odd counts the parts of a way that no usual keyboard offers.
func (p *splitter) odd(way string) int {
	n := 0
	for _, r := range way {
		if p.rank(string(r)) == unknown {
			n++
		}
	}
	return n
}

// rank is how unusual a part is; radicals are usual, and what has no code
// point cannot be typed at all.
func (p *splitter) rank(part string) int {
	r := only(p.f.string(part))
	if place, ok := p.db.common[r]; ok {
		return place
	}
	if strings.ContainsRune(radicals, r) {
		return 0
	}
	return unknown
}

// written folds the parts, or reports that they cannot be typed.
func (p *splitter) written(parts []string) (string, bool) {
	var b strings.Builder
	for _, part := range parts {
		r := only(part)
		if r == 0 || r >= 1<<16 || 0x31C0 <= r && r <= 0x31EF { // a number, out of reach, or a mere stroke
			return "", false
		}
		b.WriteString(p.f.string(part))
	}
	return b.String(), true
}

// text writes a line for each character: "赌 贝者 ...".
func (w ways) text() string {
	var b strings.Builder
	for _, r := range slices.Sorted(maps.Keys(w)) {
		b.WriteString(string(r) + " " + strings.Join(w[r], " ") + "\n")
	}
	return b.String()
}

// radicals are parts that an input method offers though they are no words.
const radicals = `冫冖阝辶宀廴彳彡忄扌攵氵灬犭疒癶礻衤讠钅饣纟艹虍刂匚冂凵囗夂`

// radicalNames says what people type for a radical; the table folds 讠 to 言,
// 氵 to 水 and the like already.
var radicalNames = map[string]string{
	"草": "艹", "糸": "丝", "辶": "之走", "阝": "耳", "网": "四", "冫": "冰", "疒": "病", "攵": "文", "彳": "双", "囗": "口",
}

// handParts are ways that the shapes do not tell.
var handParts = map[rune]string{
	'毒': "主母 丰母", '黄': "共由 艹由八", '爱': "爫冖友", '党': "尚兄", '款': "士示欠", '药': "艹约", '赖': "束负", '监': "臣皿", '事': "十口", '军': "冖车",
}

// ordinary are ways that make a word anybody may write; reading them as one
// character would find it where it is not meant.
var ordinary = strings.Fields(`
之后 心中 心里 广大 不好 门口 日军 不用 山区 人人 大力 水面 人力 老子 人为 火山 木工 文武 手掌 正文 山谷 户口 月光 门人
壮大 水分 手足 千里 手工 女生 山石 水文 可可 水路 口音 口里 心血 日方 金色 古文 草本 水军 金庸 水解 日光 厂里 满心 沙鱼
古月 心动 出示 不正 金华 女方 日日 水兵 口才 金秋 木兰 舟山 山崖 女家 人儿 女单 口令 口齿 爪子 金发 水气 人本 鱼儿 山脊
人丁 山民 分心 草稿 九日 大区 人寿 病历 金川 开刀 火石 土豪 冰水 山风 水龙 金玉 分贝 心焦 五口 广发 金家 日立 水工 天心
手感 王英 黑土 雨林 心音 山冈 草寇 人居 月夜 女尼 草包 日文 心气 月台 石炭 女子 中心 日月 人士 人门 山水 子女 小大 白水
人山 水月 石头
`)
