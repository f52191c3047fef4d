package pii

// A Type is a kind of personal data or secret. Its number is the rule that a
// [Scanner] tells.
type Type uint8

const (
	IDCard         Type = iota // resident identity card, residence permit, foreigner's permanent residence card
	Phone                      // mobile, or any in international form
	Landline                   // with area code, or 400 and 800
	BankCard                   // debit or credit
	Passport                   // and travel permits
	SocialSecurity             // and medical insurance
	Plate                      // of a car
	Email
	WeChat
	QQ
	Address // down to a house
	Name    // of a person
	GPS     // coordinates
	IP
	MAC
	Company // unified social credit code
	Secret  // keys, tokens, passwords
	count
)

// A Kind describes a Type.
type Kind struct {
	Type      Type
	Name      string // for configuration, such as "phone"
	Chinese   string // what people call it
	Sensitive bool   // what the law calls sensitive, or what opens doors
	Suggested string // what to do with it where it would leave the house: allow, mask, mask_irreversible
	About     string // how it is told from what only looks like it
}

var kinds = [count]Kind{
	IDCard:         {IDCard, "id_card", "身份证号", true, "mask_irreversible", "check digit, date of birth and region; 15 digits need a word before them"},
	Phone:          {Phone, "phone", "手机号", false, "mask", "1[3-9] and nine digits, 3-4-4 or in one; not after words such as 订单"},
	Landline:       {Landline, "landline", "座机号", false, "mask", "area code and a separator, or a word before it"},
	BankCard:       {BankCard, "bank_card", "银行卡号", true, "mask_irreversible", "check digit and issuer's range, or a word before it"},
	Passport:       {Passport, "passport", "护照和通行证号", true, "mask", "a word before it"},
	SocialSecurity: {SocialSecurity, "social_security", "社保号", true, "mask", "a word before it"},
	Plate:          {Plate, "plate", "车牌号", false, "mask", "the form of GA 36, and that of new energy cars"},
	Email:          {Email, "email", "电子邮箱", false, "mask", "its form, with a top-level domain that is no file name's"},
	WeChat:         {WeChat, "wechat", "微信号", false, "mask", "a word before it"},
	QQ:             {QQ, "qq", "QQ号", false, "mask", "a word before it"},
	Address:        {Address, "address", "住址", false, "mask", "two levels of places, a street or a building, and a number"},
	Name:           {Name, "name", "姓名", false, "mask", "a word before it, and a family name"},
	GPS:            {GPS, "gps", "经纬度", true, "mask", "a word before it, and ranges"},
	IP:             {IP, "ip", "IP 地址", false, "mask", "its form; not versions, not this machine's own"},
	MAC:            {MAC, "mac", "MAC 地址", false, "mask", "its form"},
	Company:        {Company, "company", "统一社会信用代码", false, "allow", "check digit and region; 18 digits without a letter need a word before them"},
	Secret:         {Secret, "secret", "密钥和口令", true, "mask_irreversible", "issuers' prefixes, JSON Web Tokens, private keys, logins in URLs, values after password= and the like"},
}

// Types lists all types, in their order.
func Types() []Kind { return append([]Kind(nil), kinds[:]...) }

// Parse returns the type of a name.
func Parse(name string) (Type, bool) {
	for _, k := range kinds {
		if k.Name == name {
			return k.Type, true
		}
	}
	return 0, false
}

// Kind describes t.
func (t Type) Kind() Kind { return kinds[t] }

// String returns the name of t, as in configuration.
func (t Type) String() string {
	if t < count {
		return kinds[t].Name
	}
	return "unknown"
}
