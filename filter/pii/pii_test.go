package pii_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"bendi/filter/pii"
)

// scan returns what is found in a text, as "type text", sorted.
func scan(d *pii.Detector, text string) []string {
	spans, _ := d.Scanner().Scan(nil, text, true)
	var out []string
	for _, s := range spans {
		out = append(out, fmt.Sprintf("%s %s", pii.Type(s.Rule), text[s.Start:s.End]))
	}
	slices.Sort(out)
	return out
}

const (
	pem = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQ\nC7VJTUt9Us8cKjMzEfYyjiWA4R4/M2bS1GB4t7NXp98C3SC6dV\n-----END PRIVATE KEY-----"
	jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"
)

// All values are made up, and their check digits computed.
var found = []struct{ text, want string }{
	// Identity cards.
	{"身份证110101199003070011。", "id_card 110101199003070011"},
	{"他的号码44030019851231202x在这里", "id_card 44030019851231202x"},
	{"44030019851231202Ｘ", "id_card 44030019851231202Ｘ"},
	{"１１０１０１１９９００３０７００１１", "id_card １１０１０１１９９００３０７００１１"},
	{"110101 19900307 0011", "id_card 110101 19900307 0011"},
	{"110101-1990-0307-0011", "id_card 110101-1990-0307-0011"},
	{"1101\u200b011990\u200d\u200d03070011", "id_card 1101\u200b011990\u200d\u200d03070011"},
	{"1 1 0 1 0 1 1 9 9 0 0 3 0 7 0 0 1 1", "id_card 1 1 0 1 0 1 1 9 9 0 0 3 0 7 0 0 1 1"},
	{"港澳台居住证810000199901013012", "id_card 810000199901013012"},
	{"外国人910156198808081236", "id_card 910156198808081236"},
	{"身份证号码：110101900307001", "id_card 110101900307001"},
	{"id110101199003070011", "id_card 110101199003070011"},
	// Phones.
	{"手机13800138000。", "phone 13800138000"},
	{"13800138000", "phone 13800138000"},
	{"打+8613800138000吧", "phone +8613800138000"},
	{"+86 138 0013 8000", "phone +86 138 0013 8000"},
	{"+86-13800138000", "phone +86-13800138000"},
	{"86 13800138000", "phone 86 13800138000"},
	{"008613800138000", "phone 008613800138000"},
	{"0086 138 0013 8000", "phone 0086 138 0013 8000"},
	{"138-0013-8000", "phone 138-0013-8000"},
	{"138 0013 8000,", "phone 138 0013 8000"},
	{"138.0013.8000", "phone 138.0013.8000"},
	{"138-00 13 8000", "phone 138-00 13 8000"},
	{"1380013 8000", "phone 1380013 8000"},
	{"１３８００１３８０００", "phone １３８００１３８０００"},
	{"①③⑧⓪⓪①③⑧⓪⓪⓪", "phone ①③⑧⓪⓪①③⑧⓪⓪⓪"},
	{"❶❸❽00138000", "phone ❶❸❽00138000"},
	{"一三八〇〇一三八〇〇〇", "phone 一三八〇〇一三八〇〇〇"},
	{"壹叁捌零零壹叁捌零零零", "phone 壹叁捌零零壹叁捌零零零"},
	{"幺三八零零幺三八零零零", "phone 幺三八零零幺三八零零零"},
	{"138○○138○○○", "phone 138○○138○○○"},
	{"𝟏𝟑𝟖𝟎𝟎𝟏𝟑𝟖𝟎𝟎𝟎", "phone 𝟏𝟑𝟖𝟎𝟎𝟏𝟑𝟖𝟎𝟎𝟎"},
	{"1\ufe0f\u20e33800138000", "phone 1\ufe0f\u20e33800138000"},
	{"138\u200b0013\u20608000\u200b。", "phone 138\u200b0013\u20608000"},
	{"1 3 8 0 0 1 3 8 0 0 0", "phone 1 3 8 0 0 1 3 8 0 0 0"},
	{"1-3-8-0-0-1-3-8-0-0-0", "phone 1-3-8-0-0-1-3-8-0-0-0"},
	{"张三13800138000", "phone 13800138000"},
	{"13800138000三天内", "phone 13800138000"},
	{"①13800138000②13900139000", "phone 13800138000|phone 13900139000"},
	{"方案一：110101199003070011一份", "id_card 110101199003070011"},
	{"1三8零0138○〇0", "phone 1三8零0138○〇0"},
	{"13800138000,13900139000", "phone 13800138000|phone 13900139000"},
	{"13800138000/13900139000 15012345678", "phone 13800138000|phone 13900139000|phone 15012345678"},
	{"tel13800138000", "phone 13800138000"},
	{"+1 415 555 2671", "phone +1 415 555 2671"},
	{"+852 2345 6789", "phone +852 2345 6789"},
	{"?phone=13800138000&x=1", "phone 13800138000"},
	// Landlines.
	{"010-12345678", ""}, // local numbers do not begin with 1
	{"010-62345678", "landline 010-62345678"},
	{"(010)62345678", "landline 010)62345678"},
	{"0755 8234 5678", "landline 0755 8234 5678"},
	{"0571-87654321-8012", "landline 0571-87654321-8012"},
	{"座机：01062345678", "landline 01062345678"},
	{"0312-5123456", "landline 0312-5123456"},
	{"400-812-3456", "landline 400-812-3456"},
	{"客服热线4008123456", "landline 4008123456"},
	{"+86 10 6234 5678", "phone +86 10 6234 5678"},
	// Cards.
	{"6222020100123456780", "bank_card 6222020100123456780"},
	{"6228 4800 4012 3456 788", "bank_card 6228 4800 4012 3456 788"},
	{"４１１１ １１１１ １１１１ １１１１", "bank_card ４１１１ １１１１ １１１１ １１１１"},
	{"visa卡4111111111111111", "bank_card 4111111111111111"},
	{"信用卡号：378282246310005", "bank_card 378282246310005"},
	{"银行卡9558801234567890128", "bank_card 9558801234567890128"},
	// Codes.
	{"统一社会信用代码91440300708461136T", "company 91440300708461136T"},
	{"91110000ma0123456p", "company 91110000ma0123456p"},
	{"税号：914403007084600008", "company 914403007084600008"},
	{"ＭＡ９１４４", ""},
	{"护照号E12345678", "passport E12345678"},
	{"护照：EA1234567，", "passport EA1234567"},
	{"Passport No. G12345678", "passport G12345678"},
	{"港澳通行证C12345678", "passport C12345678"},
	{"回乡证号码是H1234567890", "passport H1234567890"},
	{"台胞证 01234567", "passport 01234567"},
	{"社保卡号：A12345678", "social_security A12345678"},
	{"医保号 1234567890", "social_security 1234567890"},
	{"微信号：wx_lisi2020", "wechat wx_lisi2020"},
	{"加我微信 zhangsan88", "wechat zhangsan88"},
	{"WeChat: zhang-san", "wechat zhang-san"},
	{"QQ：123456789", "qq 123456789"},
	{"我的qq号是 987654321", "qq 987654321"},
	// Plates.
	{"京A12345", "plate 京A12345"},
	{"车牌粤B·D1234学", "plate 粤B·D1234"},
	{"沪A·12345", "plate 沪A·12345"},
	{"粤Z1234港", "plate 粤Z1234港"},
	{"苏E12345D", "plate 苏E12345D"},
	{"苏ED12345到了", "plate 苏ED12345"},
	{"浙a88x88", "plate 浙a88x88"},
	// The net.
	{"邮箱zhang.san+x@mail.example.com.cn。", "email zhang.san+x@mail.example.com.cn"},
	{"<a_b-c%d@example.org>", "email a_b-c%d@example.org"},
	{"到a@example.com.", "email a@example.com"},
	{"a＠example.com", "email a＠example.com"},
	{"192.168.1.35", "ip 192.168.1.35"},
	{"ping 10.0.0.1 不通", "ip 10.0.0.1"},
	{"http://203.0.113.7:8080/x", "ip 203.0.113.7"},
	{"203.0.113.0/24", "ip 203.0.113.0"},
	{"2001:db8:85a3::8a2e:370:7334", "ip 2001:db8:85a3::8a2e:370:7334"},
	{"[fe80::1]", "ip fe80::1"},
	{"00:1A:2b:3c:4D:5e", "mac 00:1A:2b:3c:4D:5e"},
	{"00-1A-2b-3c-4D-5e", "mac 00-1A-2b-3c-4D-5e"},
	{"001a.2b3c.4d5e", "mac 001a.2b3c.4d5e"},
	{"坐标39.9042, 116.4074", "gps 39.9042, 116.4074"},
	{"GPS定位：(31.230416,121.473701)", "gps 31.230416,121.473701"},
	{"lat: 39.9042, lng: 116.4074", "gps 116.4074|gps 39.9042"},
	{"39.9042°N, 116.4074°E", "gps 116.4074°E|gps 39.9042°N, 116.4074°E"},
	// People and places.
	{"姓名：张三，", "name 张三"},
	{"我叫王小明，今年8岁", "name 王小明"},
	{"我叫张三今年20岁", "name 张三"},
	{"联系人：欧阳娜娜", "name 欧阳娜娜"},
	{"姓名：买买提·艾山，", "name 买买提·艾山"},
	{"{\"姓名\":\"葛小伟\",\"密码\":\"a1b2c3d4\"}", "name 葛小伟|secret a1b2c3d4"},
	{"收货人李四电话13800138000", "name 李四|phone 13800138000"},
	{"持卡人姓名: 赵六", "name 赵六"},
	{"广东省深圳市南山区科技园路12号3栋502室，", "address 广东省深圳市南山区科技园路12号3栋502室"},
	{"住在北京市朝阳区建国路88号院2号楼1503", "address 北京市朝阳区建国路88号院2号楼1503"},
	{"收货地址：南山区科技路9号A座1203室", "address 南山区科技路9号A座1203室"},
	{"浙江省杭州市西湖区文三路 90 号", "address 浙江省杭州市西湖区文三路 90 号"},
	{"湖北省恩施州巴东县野三关镇石桥坪村三组15号", "address 湖北省恩施州巴东县野三关镇石桥坪村三组15号"},
	{"上海浦东新区世纪大道100号", "address 上海浦东新区世纪大道100号"},
	// Secrets.
	{"key: sk-abcdEFGH1234abcdEFGH5678", "secret sk-abcdEFGH1234abcdEFGH5678"},
	{"sk-proj-Ab12Cd34Ef56Gh78Ij90Kl12Mn34", "secret sk-proj-Ab12Cd34Ef56Gh78Ij90Kl12Mn34"},
	{"AKIAIOSFODNN7EXAMPLE", "secret AKIAIOSFODNN7EXAMPLE"},
	{"ghp_0123456789abcdefghijABCDEFGHIJ012345", "secret ghp_0123456789abcdefghijABCDEFGHIJ012345"},
	{"Authorization: Bearer " + jwt, "secret " + jwt},
	{"见" + pem + "\n完", "secret " + pem},
	{"postgres://app:s3cr3tpw@db.internal:5432/x", "secret app:s3cr3tpw"},
	{"Server=db;Password=Abc12345;", "secret Abc12345"},
	{"\"api_key\": \"a1b2c3d4e5f6\"", "secret a1b2c3d4e5f6"},
	{"密码是hunter2x", "secret hunter2x"},
	{"初始密码：123456", "secret 123456"},
}

func TestFound(t *testing.T) {
	d := pii.New()
	for _, tt := range found {
		if got := strings.Join(scan(d, tt.text), "|"); got != tt.want {
			t.Errorf("%s\n got %s\nwant %s", tt.text, got, tt.want)
		}
	}
}

// Nothing is found in these.
var silent = []string{
	"1732550400000", "时间戳1732550400123毫秒", "ts=1732550400000", // milliseconds
	"1732550400", "20241125161400", "2024-11-25 16:14:00", "2024.12.01.01", "2024年11月25日", "2024/11/25", "24.12.1.1",
	"订单号4111111111111111", "订单4514023456789012", "流水号6222020100123456780", "单号13800138000", "订单编号：13912345678",
	"4111111111111111", "5105105105105100", // cards by their check digit alone
	"110101199003070012", "110101199013070011", "990101199003070011", // check digit, month, region
	"1234567890123456", "12345678901234567890", "0123456789", "110101900307001",
	"13800138000123", "213800138000", "138001380001", "0.13800138000", "3.14159265358", "13800138000.5",
	"v1.2.3.4", "版本1.2.3.4", "version 10.15.7.1", "nginx 1.2.3.4", "升级到 22.3.1.9", "pkg==203.0.113.7", "127.0.0.1", "0.0.0.0", "255.255.255.255", "1.2.3", "1.2.3.4.5", "256.1.1.1", "192.168.01.1",
	"std::vector", "a::b", "12:34:56", "08:30", "::1", "bad::cafe", "face:b00c", "00:00:00:00:00:00",
	"icon@2x.png", "git@github.com:x/y.git", "user@localhost", "@somebody", "pkg@1.2.3", "a@b", "a@.com",
	"护照", "护照有效期20年", "E12345678", "微信支付", "微信 Android 版", "QQ群", "QQ 2024", "QQ音乐",
	"云南A股", "京东A1234", "新A1000显卡", "川A", "冀I12345",
	"我叫他来", "姓名和电话", "联系人方式", "负责人高度重视这项工作", "患者常见症状有", "张三李四", "甲方应当在三日内付款", "法人代表大会",
	"北京是中国的首都", "北京市3号线", "上海浦东新区", "地址栏", "在南京市长江大桥上", "广东省人民政府2024年第3号文", "第3号",
	"sk-learn", "sk-estimator-checks-v2-plus-more", "eyJ", "token = getToken()", "password: string", "password=os.environ['PW']", "token=${TOKEN}", "secret: true", "your-api-key: your-api-key-here",
	"https://example.com/a:b@c", "http://example.com", "-----BEGIN CERTIFICATE-----", "-----BEGIN PRIVATE KEY----- is how such a file begins, and so on and on",
	"下三滥", "一五一十", "三三两两", "一二三四五六七八九十", "12345", "1, 2, 3, 4, 5", "1 2 3 4 5 6 7 8 9 10 11 12 13",
	"39.9042, 116.4074", "3.1415926", "位置1.5倍", "550e8400-e29b-41d4-a716-446655440000", "d41d8cd98f00b204e9800998ecf8427e", "da39a3ee5e6b4b0d3255bfef95601890afd80709",
	"$1,380,013,800", "13.8亿", "138001380%", "100000000000元",
}

func TestSilent(t *testing.T) {
	d := pii.New()
	for _, text := range silent {
		for _, text := range []string{text, "好" + text + "。", " " + text + " "} {
			if got := scan(d, text); got != nil {
				t.Errorf("%s: got %s", text, strings.Join(got, "|"))
			}
		}
	}
}
