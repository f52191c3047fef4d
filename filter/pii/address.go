package pii

import "strings"

// An address begins with the name of a province or a city, or after a word
// such as 地址. It goes down from there, level by level, to a number: two
// levels at least, one of them a street, a village or a building.

// maxAddress and maxStep bound an address, and the name of one of its levels,
// in runes.
const (
	maxAddress = 64
	maxStep    = 8
)

// placeNames are the provinces and the bigger cities, without 省 and 市.
func placeNames() []string {
	return strings.Fields(`北京 天津 上海 重庆 河北 山西 辽宁 吉林 黑龙江 江苏 浙江 安徽 福建 江西 山东 河南 湖北 湖南 广东 海南 四川 贵州 云南 陕西 甘肃 青海 台湾 内蒙古 广西 西藏 宁夏 新疆 香港 澳门
石家庄 唐山 秦皇岛 邯郸 邢台 保定 张家口 承德 沧州 廊坊 衡水 太原 大同 阳泉 长治 晋城 朔州 晋中 运城 忻州 临汾 吕梁 呼和浩特 包头 乌海 赤峰 通辽 鄂尔多斯 呼伦贝尔
沈阳 大连 鞍山 抚顺 本溪 丹东 锦州 营口 阜新 辽阳 盘锦 铁岭 葫芦岛 长春 四平 辽源 通化 白山 松原 白城 哈尔滨 齐齐哈尔 鸡西 鹤岗 双鸭山 大庆 伊春 佳木斯 七台河 牡丹江 黑河 绥化
南京 无锡 徐州 常州 苏州 南通 连云港 淮安 盐城 扬州 镇江 泰州 宿迁 杭州 宁波 温州 嘉兴 湖州 绍兴 金华 衢州 舟山 台州 丽水 合肥 芜湖 蚌埠 淮南 马鞍山 淮北 铜陵 安庆 黄山 滁州 阜阳 宿州 六安 亳州 池州 宣城
福州 厦门 莆田 三明 泉州 漳州 南平 龙岩 宁德 南昌 景德镇 萍乡 九江 新余 鹰潭 赣州 吉安 宜春 抚州 上饶 济南 青岛 淄博 枣庄 东营 烟台 潍坊 济宁 泰安 威海 日照 临沂 德州 聊城 滨州 菏泽
郑州 开封 洛阳 平顶山 安阳 鹤壁 新乡 焦作 濮阳 许昌 漯河 三门峡 南阳 商丘 信阳 周口 驻马店 武汉 黄石 十堰 宜昌 襄阳 鄂州 荆门 孝感 荆州 黄冈 咸宁 随州 长沙 株洲 湘潭 衡阳 邵阳 岳阳 常德 张家界 益阳 郴州 永州 怀化 娄底
广州 韶关 深圳 珠海 汕头 佛山 江门 湛江 茂名 肇庆 惠州 梅州 汕尾 河源 阳江 清远 东莞 中山 潮州 揭阳 云浮 南宁 柳州 桂林 梧州 北海 防城港 钦州 贵港 玉林 百色 贺州 河池 来宾 崇左 海口 三亚 儋州
成都 自贡 攀枝花 泸州 德阳 绵阳 广元 遂宁 内江 乐山 南充 眉山 宜宾 广安 达州 雅安 巴中 资阳 贵阳 六盘水 遵义 安顺 毕节 铜仁 昆明 曲靖 玉溪 保山 昭通 丽江 普洱 临沧 大理 拉萨 日喀则
西安 铜川 宝鸡 咸阳 渭南 延安 汉中 榆林 安康 商洛 兰州 嘉峪关 金昌 白银 天水 武威 张掖 平凉 酒泉 庆阳 定西 陇南 西宁 海东 银川 石嘴山 吴忠 固原 中卫 乌鲁木齐 克拉玛依 吐鲁番 哈密 台北 高雄 台中 台南 新北
廣東 廣西 臺灣 遼寧 雲南 貴州 陝西 甘肅 寧夏 澳門 廣州 臺北 瀋陽`)
}

// place looks for an address that begins with the place whose first rune, of n
// bytes, is r.
func (v *view) place(p int, r rune, n int) {
	second, n2 := v.rune(p + n)
	if v.short || !isHan(second) {
		return
	}
	if !v.d.places[[2]rune{r, second}] {
		return
	}
	// A place inside an address that began before it is no other address.
	if before, i := v.visibleBefore(p, p); isHan(before) {
		first, _ := v.before(p, i)
		if v.d.places[[2]rune{first, before}] || strings.ContainsRune("省市州", before) {
			return
		}
	}
	v.address(p, p+n+n2, 1)
}

// addressAfterWord looks for an address that a word before p introduces.
func (v *view) addressAfterWord(p int) {
	if v.after(p, v.d.words.addresses) {
		v.address(p, p, 0)
	}
}

// Levels of an address end with these, or with a number and one of the units.
const (
	divisions = "省市区县旗盟州镇乡區縣鎮鄉"
	streets   = "路街道巷弄里村屯庄园苑厦场社坊胡同期院城大莊園廈場"
	units     = "号栋幢座楼层室元组队房户弄巷院號棟樓層組隊戶#"
	buildings = "栋幢座元室层房棟層"
	inProse   = "的了是在和与及也就都很不我你他她它们这那吗呢吧啊为于从到去来说有要会能可"
)

// address notes the address from p on, of which what stands before i, on so
// many levels, has been read.
func (v *view) address(p, i, levels int) {
	step, street, numbered, building := 0, false, false, false
	afterNumber, afterUnit := false, false
	var last rune
	end, gap := -1, 0
	for range maxAddress {
		r, n := v.rune(i)
		if v.short {
			return
		}
		unit := false
		switch {
		case r < 0:
		case digit(r) >= 0 && (!isHan(r) || afterNumber):
			afterNumber = true
			step, gap = 0, 0
		case isHan(r):
			gap = 0
			switch {
			case (afterNumber || afterUnit) && strings.ContainsRune(units, r) || last == '单' && r == '元':
				numbered, unit = true, true
				building = building || strings.ContainsRune(buildings, r)
				step = 0
				if levels >= 2 && (street || building) {
					end = i + n
				}
			case strings.ContainsRune(divisions, r):
				if step > 0 || levels == 1 && (r == '省' || r == '市') {
					if !(levels == 1 && step == 0) {
						levels++
					}
					step = 0
				}
			case strings.ContainsRune(streets, r) && step > 0:
				levels++
				street = true
				step = 0
			case strings.ContainsRune(inProse, r):
				r = -1
			default:
				if step++; step > maxStep {
					r = -1
				}
			}
			// 3单元: the number reaches over 单.
			afterNumber = afterNumber && r == '单' || digit(r) >= 0
		case upper(r) != 0:
			// 3A栋, A座
			afterNumber, gap = true, 0
		case (r == ' ' || r == '-' || r == '－' || r == '(' || r == '（' || r == ')' || r == '）' || r == '#') && gap == 0:
			gap = 1
			if r == '#' && afterNumber {
				numbered = true
				if levels >= 2 && (street || building) {
					end = i + n
				}
			}
		default:
			r = -1
		}
		if r < 0 {
			break
		}
		last, afterUnit = r, unit
		i += n
	}
	if end < 0 || !numbered {
		return
	}
	// 2号线 and 3号文 are none, and a number may stand after the last unit.
	if r, _ := v.rune(end); r == '线' || r == '文' || r == '線' || r == '令' {
		return
	}
	k := end
	for {
		r, n := v.rune(k)
		if digit(r) < 0 || isHan(r) {
			break
		}
		k += n
	}
	if r, _ := v.rune(k); k > end && !isHan(r) && upper(r) == 0 {
		end = k
	}
	v.found(Address, p, end)
}
