package main

import (
	"cmp"
	"maps"
	"slices"
	"strings"
)

const maxGroup = 13 // a character and twelve that look like it

// makeAlikes writes groups of characters that look alike, one a line, the
// most frequent first: those that share the part which gives the sound, in the
// same place, and those that differ by a stroke.
func makeAlikes(db *database, f *folds, shapes map[string]shape) string {
	groups := map[string][]rune{}
	for r, place := range db.common {
		if place > usual || f.rune(r) != r {
			continue
		}
		s := shapes[string(r)]
		how, _, _ := strings.Cut(s.how, "/")
		if len(s.parts) != 2 || how != "a" && how != "d" {
			continue
		}
		left, right := f.string(s.parts[0]), f.string(s.parts[1])
		if sounds(right, semanticLast) {
			groups[how+"-"+right] = append(groups[how+"-"+right], r)
		}
		if sounds(left, semanticFirst) {
			groups[how+left+"-"] = append(groups[how+left+"-"], r)
		}
	}
	seen := map[string]bool{}
	var lines []string
	add := func(group []rune) {
		if line := string(group); len(group) > 1 && !seen[line] {
			seen[line] = true
			lines = append(lines, line)
		}
	}
	for _, line := range strings.Fields(strokeApart) {
		add([]rune(f.string(line)))
	}
	for _, r := range slices.Sorted(maps.Keys(db.spoofing)) {
		group := []rune{f.rune(r)}
		for _, s := range db.spoofing[r] {
			if t := f.rune(s); !slices.Contains(group, t) && t < 1<<16 {
				group = append(group, t)
			}
		}
		slices.Sort(group)
		if _, ok := db.common[group[0]]; ok && r < 1<<16 {
			add(group)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(groups)) {
		group := groups[key]
		slices.SortFunc(group, func(a, b rune) int {
			return cmp.Or(cmp.Compare(db.level(a), db.level(b)), cmp.Compare(db.frequency[b], db.frequency[a]), cmp.Compare(a, b))
		})
		add(group[:min(len(group), 2*maxGroup)])
	}
	return strings.Join(lines, "\n") + "\n"
}

func (db *database) level(r rune) int {
	if db.common[r] <= 3500 {
		return 1
	}
	return 2
}

// sounds reports whether a part is likely to give the sound: it is a character
// and none of those that give the sense in that place.
func sounds(part, semantic string) bool {
	r := only(part)
	return r != 0 && !strings.ContainsRune(semantic, r) && (r < 0x31C0 || r > 0x31EF)
}

// semanticFirst and semanticLast give the sense when they are the first part,
// to the left or above, or the last; folded.
const (
	semanticFirst = `人言水手心金食犬火示衣牛足糸木土女口日目贝月王石禾米虫鱼马车舟酉弓方巾山阝彳冫山歹片矢竹草雨宀穴网疒虍耳身走立彡田白老父羽齿鬼骨革韦角豸里页亠冖八厂广尸户门匚十`
	semanticLast  = `刀攵页鸟阝力戈见斤殳彡瓦犬卩欠隹心皿火木女贝手水衣糸土石虫金食言口日目月车鱼羽凵儿廾又黾黑巾田石示`
)

// strokeApart are characters that are easily taken for each other, and kana
// for characters.
const strokeApart = `
己已巳 未末 土士 日曰 人入八 大太犬 千干于 天夫无 刀力九刁 戊戌戍戎 贝见 睛晴 住往 折拆析 拔拨 治冶 今令 免兔 鸟乌 候侯 毋母 历厉 广厂
问间 囗口 田由甲申电 辨辩辫 孑子 木本术 白自 牛午 王玉主 目且 代伐 仓仑 民氏 凡几 买卖 爪瓜 又叉 斤斥 勺匀 万方 诈作炸 赌睹堵
毒毐 枪抢 性姓 炮泡 刹杀 法珐 轮轧 功攻 政攻 台合 独烛 疆缰 平乎 官宫 佛拂 九丸 水永冰 烟因 习刁 亨享 徽微 币帀
贷货 款歀 借惜 骗篇 赌镨 裸棵课 操澡燥 妓技枝 嫖漂飘 药约 粉纷份 麻嘛 党堂常 藏葬 信伩
口ロ 力カ 工エ 二ニ 八ハ 夕タ 卜ト 千チ 三ミ 才オ 又ヌ 厶ム 日ヨ
`
