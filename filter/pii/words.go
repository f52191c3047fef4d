package pii

// words are looked for before a value. They are in lower case, and in
// simplified and traditional Chinese as people write them.
type words struct {
	last  [256]uint8 // which of the lists has the words that end with a byte; 0: none
	lists [][]string
}

func newWords(list ...string) *words {
	w := &words{lists: [][]string{nil}}
	for _, s := range list {
		c := s[len(s)-1]
		if w.last[c] == 0 {
			w.last[c] = uint8(len(w.lists))
			w.lists = append(w.lists, nil)
		}
		w.lists[w.last[c]] = append(w.lists[w.last[c]], s)
	}
	return w
}

// end returns the length of the longest of the words that text ends with, in
// capitals or not, or 0. With bounds, a word of letters must not be the end of
// a longer one.
func (w *words) end(text []byte, bounds bool) int {
	if len(text) == 0 {
		return 0
	}
	k := w.last[lower(text[len(text)-1])]
	if k == 0 {
		return 0
	}
	longest := 0
next:
	for _, s := range w.lists[k] {
		i := len(text) - len(s)
		if i < 0 || len(s) <= longest {
			continue
		}
		for j := range len(s) {
			if lower(text[i+j]) != s[j] {
				continue next
			}
		}
		if !bounds || i == 0 || ascii[s[0]]&isLetter == 0 || ascii[text[i-1]]&isLetter == 0 {
			longest = len(s)
		}
	}
	return longest
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// learn makes the words that stand before values.
func (d *Detector) learn() {
	w := &d.words
	w.links = newWords(":", "：", "=", "\"", "'", " ", "　", "(", ")", "（", "）", "[", "【", "】", "]", "“", "「", "`", "#", "*", "号码", "號碼", "号", "號", "码", "卡", "是", "为", "為", "叫", "到", "no.", "no", "number", "num", "id", "_", "-", ".", "\t")
	w.cards = newWords("卡号", "银行卡", "信用卡", "储蓄卡", "借记卡", "工资卡", "银联", "卡片", "卡號", "銀行卡", "尾号", "bank card", "credit card", "debit card", "card", "visa", "mastercard", "unionpay")
	w.ids = newWords("身份证", "身份證", "证件号", "證件號", "证号", "公民身份", "身份号", "sfz", "identity", "id card", "id number", "id no", "idcard", "id_card")
	w.landlines = newWords("电话", "電話", "座机", "固话", "传真", "傳真", "热线", "致电", "拨打", "客服", "联系", "办公", "tel", "phone", "fax", "call", "hotline")
	w.phones = newWords("手机", "手機", "电话", "電話", "联系", "聯繫", "号码是", "致电", "拨打", "打给", "短信", "微信", "tel", "phone", "mobile", "mob", "cell", "call", "sms", "wx", "vx", "whatsapp", "contact", "qq", "ph", "hp")
	w.orders = newWords("订单", "訂單", "单号", "單號", "流水", "交易号", "编号", "編號", "序列号", "工单", "运单", "快递", "物流", "批次", "货号", "时间戳", "时戳", "版本", "金额", "order", "serial", "sn", "trace", "timestamp", "ts", "tracking", "invoice", "sku", "uid", "version", "build")
	w.coordinates = newWords("坐标", "座標", "经纬度", "經緯度", "经度", "纬度", "經度", "緯度", "定位", "位置", "gps", "coordinate", "coordinates", "location", "lat", "lng", "lon", "latitude", "longitude", "position", "point")
	w.companies = newWords("信用代码", "信用代碼", "税号", "稅號", "纳税人", "识别号", "营业执照", "uscc", "tax")
	w.versions = newWords("v", "ver", "version", "版本", "版", "升级到", "升级", "更新到", "release", "build", "sdk", "kernel", "内核", "固件", "firmware", "tag", "rev", "jdk", "driver", "驱动")
	w.hosts = newWords("ip", "地址", "host", "hosts", "server", "服务器", "主机", "ping", "addr", "address", "dns", "gateway", "网关", "proxy", "代理", "登录", "访问", "来自", "from", "ssh", "curl", "://", "@", "连接", "端口", "节点", "攻击", "remote", "client", "listen", "bind", "网段", "route")
	w.passports = newWords("护照", "護照", "通行证", "通行證", "回乡证", "回鄉證", "台胞证", "臺胞證", "军官证", "士兵证", "警官证", "永久居留证", "永居证", "passport", "permit", "travel document")
	w.social = newWords("社保", "社会保障", "社會保障", "社保卡", "医保", "醫保", "医保卡", "社会保障卡", "医疗保险", "social security", "ssn")
	w.wechat = newWords("微信", "微 信", "薇信", "威信", "v信", "加v", "wechat", "weixin", "wx", "vx")
	w.qq = newWords("qq", "扣扣", "企鹅", "q q")
	w.names = newWords("姓名", "名字", "我叫", "名叫", "联系人", "聯繫人", "收件人", "收货人", "寄件人", "持卡人", "申请人", "负责人", "法定代表人", "法人", "当事人", "投保人", "被保险人", "受益人", "患者", "病人", "学生姓名", "户主", "甲方", "乙方", "经办人", "委托人", "买受人", "出卖人", "借款人", "本人叫")
	w.addresses = newWords("地址", "住址", "家住", "住在", "现居", "居住在", "居住于", "居住地", "寄到", "寄往", "送到", "送货到", "户籍地", "位于")
	w.secrets = newWords("password", "passwd", "passcode", "pwd", "passphrase", "secret", "secret_key", "secretkey", "secret-key", "client_secret", "access_key", "accesskey", "access-key", "access_token", "access-token", "accesstoken", "auth_token", "refresh_token", "refreshtoken", "api_key", "api-key", "apikey", "private_key", "token", "bearer", "authorization", "accountkey", "sharedaccesskey", "密码", "密碼", "口令", "密钥", "密鑰", "令牌", "pass")
	w.pins = newWords("密码", "密碼", "口令", "password", "passwd", "pwd", "passcode", "pin")
	for _, w := range []*words{w.links, w.qq, w.passports, w.social, w.pins} {
		for c, k := range w.last {
			if k > 0 {
				d.words.labels[c] = true
				if 'a' <= c && c <= 'z' {
					d.words.labels[c-'a'+'A'] = true
				}
			}
		}
	}
}

// near reports whether one of the words stands before p in the same sentence,
// with at most gap runes between.
func (v *view) near(p int, w *words, gap int) bool {
	lo := max(0, p-memory)
	for i, runes := p, 0; i > lo && runes <= gap; {
		if w.end(v.b[lo:i], true) > 0 {
			return true
		}
		r, n := v.before(p, i)
		switch r {
		case '。', '！', '？', '；', '\n', ';', '!', '?':
			return false
		}
		i -= n
		runes++
	}
	return false
}

// maxLinks is how many links may stand between a word and its value.
const maxLinks = 12

// after reports whether one of the words stands before p, with nothing between
// but what links a name and its value: colons, quotes, 号码是, No. and the like.
func (v *view) after(p int, w *words) bool {
	lo := max(0, p-memory)
	i := p
	for range maxLinks {
		if w.end(v.b[lo:i], true) > 0 {
			return true
		}
		n := v.d.words.links.end(v.b[lo:i], false)
		if n == 0 {
			return false
		}
		i -= n
	}
	return false
}
