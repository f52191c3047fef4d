package pii

import (
	"strings"
	"unicode/utf8"
)

// Names of people are told by a word before them and a family name. Where no
// more Chinese follows they end there; otherwise at a word that no name has in
// that place.

// isLead tells the last characters of the words that introduce a name or an
// address.
func isLead(r rune) bool {
	switch r {
	case '名', '字', '叫', '人', '者', '主', '方', '址', '住', '居', '于', '到', '往', '地':
		return true
	}
	return false
}

// isLink tells what may stand between such a word and what it introduces.
func isLink(r rune) bool {
	switch r {
	case ':', '：', '=', ' ', '　', '是', '为', '為', '"', '“', '「', '【', '】', '(', '（', '\'', '*', '`', '到':
		return true
	}
	return false
}

const families = "王李张刘陈杨黄赵吴周徐孙马朱胡郭何高林郑谢罗梁宋唐许韩冯邓曹彭曾肖田董袁潘于蒋蔡余杜叶程苏魏吕丁任沈姚卢姜崔钟谭陆汪范金石廖贾夏韦付方白邹孟熊秦邱江尹薛闫段雷侯龙史陶黎贺顾毛郝龚邵万钱严覃武戴莫孔向汤" +
	"傅康齐伍施洪翟倪牛温季俞章鲁葛毕聂岳庞樊兰殷詹申耿焦左柳甘祝包宁尚符舒阮柯纪梅童凌裴霍涂苗谷盛曲翁冉骆蓝游辛靳管柴蒙鲍华喻祁蒲房滕屈饶牟艾尤穆卓古吉缪简车项麦褚娄窦戚岑景党宫费冷晏席卫米柏宗瞿桂佟臧闵苟邬边卞姬仇栾隋商刁沙荣巫寇桑郎甄仲虞敖巩佘池麻迟邝" +
	"張劉陳楊黃趙吳孫馬鄭謝羅許韓馮鄧蕭呂鐘譚陸賈韋鄒薛閻龍賀顧龔邵萬錢嚴湯"

var compounds = [...]string{"欧阳", "上官", "司马", "诸葛", "东方", "皇甫", "尉迟", "公孙", "慕容", "司徒", "令狐", "夏侯", "端木", "南宫", "歐陽", "司馬", "諸葛", "東方", "尉遲", "公孫", "夏侯", "南宮"}

// afterName has the characters that a name ends before.
const afterName = "的是在了有和与及也就都很不我你他她它们这那先女男小老同学士生今年来从住给为被把将向对说要想会能可到去性出身电手联微邮地号码职务担任于以等因已曾，、，。先"

// name notes the name of a person that begins with r at p.
func (v *view) name(p int, r rune) {
	linked := v.linked(p)
	if !isHan(r) || !linked && !v.d.families.has(r) || !v.after(p, v.d.words.names) {
		return
	}
	if linked {
		v.dottedName(p)
	}
	n1 := utf8.RuneLen(r)
	second, n2 := v.rune(p + n1)
	if !isHan(second) {
		return
	}
	family := 1
	for _, c := range compounds {
		if f, n := firstTwo(c); r == f && second == n {
			family = 2
		}
	}
	if family == 1 && !strings.ContainsRune(families, r) {
		return
	}
	i := p + n1
	if family == 2 {
		i += n2
	}
	given, ended := 0, false
	end := i
	for given < 3 {
		c, n := v.rune(i)
		if v.short {
			return
		}
		if !isHan(c) || given > 0 && strings.ContainsRune(afterName, c) {
			ended = true
			break
		}
		if given == 2 {
			break
		}
		i += n
		given++
		end = i
	}
	if given == 0 {
		return
	}
	if !ended && !linked {
		return
	}
	switch string(v.b[p:end]) {
	case "方式", "高度", "方法", "方面", "方向", "任何", "任务", "万一", "向导", "金额", "石油", "白色", "黄色", "江苏", "江西", "云南", "高级", "高兴", "高管", "程序", "程度", "严重", "严格", "马上", "于是", "史上", "龙头", "何时", "何种", "何人", "余额", "毛利", "钱款", "武器", "丁方", "田地", "方可", "向我", "向他", "万元":
		return
	}
	v.found(Name, p, end)
}

// dottedName notes a name in two parts with a dot between, as 买买提·艾山.
func (v *view) dottedName(p int) {
	i := p
	for part := range 2 {
		k := 0
		for ; k < maxStep; k++ {
			r, n := v.rune(i)
			if !isHan(r) {
				break
			}
			i += n
		}
		if k == 0 {
			return
		}
		if part == 0 {
			r, n := v.rune(i)
			if separatorOf(r) != dot || r == '.' {
				return
			}
			i += n
		}
	}
	if r, _ := v.rune(i); !isHan(r) {
		v.found(Name, p, i)
	}
}

// linked reports whether a colon or a word such as 叫 stands right before p.
func (v *view) linked(p int) bool {
	r, i := v.visibleBefore(p, p)
	for r == ' ' || r == '"' || r == '“' || r == '*' {
		r, i = v.visibleBefore(p, i)
	}
	return r == ':' || r == '：' || r == '='
}

func firstTwo(s string) (a, b rune) {
	a, n := utf8.DecodeRuneInString(s)
	b, _ = utf8.DecodeRuneInString(s[n:])
	return a, b
}
