package main

import "slices"

// hanSteps says which character stands for another: the simplified one for
// the traditional, the standard one for a variant. Only characters of the
// 通用规范汉字表 stand for others, and none for a part of its own: 匊 is an old
// 掬, but who writes it today spells out a character.
func hanSteps(db *database, shapes map[string]shape) map[rune]rune {
	own := pairs(hanOwn, hanJapanese)
	keep := map[rune]bool{}
	for _, r := range hanKept {
		keep[r] = true
	}
	to := map[rune]rune{}
	for r := range db.script {
		if db.script[r] != "Han" || keep[r] {
			continue
		}
		if t := firstCommon(db, r, db.simplified[r]); t != 0 {
			to[r] = t
			continue
		}
		if _, standard := db.common[r]; standard {
			continue
		}
		whole := slices.Clone(db.variants[r])
		for _, v := range db.variants[r] {
			whole = append(whole, db.simplified[v]...)
		}
		whole = slices.DeleteFunc(whole, func(v rune) bool { return slices.Contains(shapes[string(v)].parts, string(r)) })
		if t := firstCommon(db, r, whole); t != 0 {
			to[r] = t
		}
	}
	for r, t := range own {
		to[r] = t
	}
	return to
}

// firstCommon is the first of list that is a standard character other than r.
func firstCommon(db *database, r rune, list []rune) rune {
	for _, t := range list {
		if _, ok := db.common[t]; ok && t != r && t < 1<<16 {
			return t
		}
	}
	return 0
}

// hanKept fold to nothing else, though Unihan knows a variant: they are words
// of their own, or parts of characters that are something else there.
const hanKept = `覆幺卍卐厶疋乚勹冂匚巛彐冫阝卄㐅尃`

// hanOwn adds to Unihan, or decides where it names several: spellings of a
// radical as the character it is, variants met in disguised words, and
// traditional characters whose simplified form Unihan does not say.
const hanOwn = `
讠言 扌手 纟糸 糹糸 钅金 饣食 𧾷足 𥫗竹 罒网 罓网 艹草 艸草 氺水 耂老
妳你 牠它 託托 彊强 鬥斗 榦干 佈布 佔占 嚐尝 囌苏 搆构 揹背 撢掸 滷卤 煆煅 瘉愈 瞇眯 籤签 糢模 糰团 羶膻 蓆席 蠔蚝 襬摆 讚赞 譆嘻 豔艳 踫碰
迆迤 遊游 遝沓 鍊炼 鎗枪 鑤刨 齧啮 鬨哄 兇凶 塚冢 姪侄 嶽岳 彿佛 彷仿 綵彩 燉炖 犛牦 玨珏 醃腌 痲麻 痳麻 痠酸 睪睾 蔆菱 跼局 霤溜 甦苏
靑青 淸清 旣既 尙尚 囻国 圀国 囶国 囸日 祿禄 綠绿 錄录 彥彦 産产 溫温 奧奥 內内 沒没 強强 黃黄 歲岁 冊册 呂吕 倂并 併并 啟启
贜赃 賍赃 姦奸 慾欲 噁恶 髒脏 毉医 兠兜 屛屏 崑昆 慇殷 捱挨 霑沾 勣绩 朞期 儁俊 朮术 衹只 罎坛 頽颓 頹颓 繮缰
`

// hanJapanese are the Japanese simplifications that China did not make.
const hanJapanese = `
乗乘 亀龟 亜亚 仏佛 仮假 伝传 価价 倹俭 働动 児儿 円圆 剣剑 剤剂 剰剩 労劳 勧劝 勲勋 単单 厳严 喩喻 営营 団团 囲围 図图 圏圈 圧压
塁垒 増增 壊坏 壌壤 壱壹 売卖 姫姬 嬢娘 実实 寛宽 対对 専专 巣巢 巻卷 帯带 帰归 庁厅 広广 廃废 弐贰 弾弹 従从 徳德 徴征 応应 恵惠 悩恼
悪恶 懐怀 戦战 戻戾 払拂 抜拔 択择 拝拜 拠据 拡扩 挙举 捜搜 掲揭 搾榨 摂摄 撃击 斎斋 暁晓 暦历 曽曾 栄荣 桜樱 桟栈 検检 楽乐 様样 権权
歓欢 歩步 歯齿 毎每 気气 沢泽 浄净 涙泪 渇渴 済济 渉涉 渋涩 渓溪 満满 滝泷 瀬濑 焼烧 犠牺 猟猎 獣兽 畳叠 痩瘦 癒愈 発发 県县 砕碎 稲稻
穂穗 穏稳 竜龙 粛肃 経经 絵绘 継继 続续 総总 緑绿 縄绳 縦纵 繊纤 聴听 脳脑 臓脏 舎舍 舗铺 艶艳 荘庄 蔵藏 薫薰 薬药 蛍萤 覚觉 覧览 観观
訳译 読读 譲让 豊丰 転转 軽轻 辺边 遅迟 醸酿 釈释 鉱矿 銭钱 鋳铸 錬炼 録录 閲阅 闇暗 闘斗 陥陷 険险 雑杂 雰氛 霊灵 頬颊 顔颜 駄驮 駅驿
駆驱 騒骚 験验 髄髓 髪发 鶏鸡 麺面 齢龄 尭尧 巌岩 萠萌 讃赞 顚颠 駈驱 亙亘 冨富 嶋岛 惣总 愼慎 槇槙 皐皋 穣穰 聡聪 薗园 桒桑 姉姊 廰厅 侫佞 劔剑 剱剑 劵券 囓啮 埀垂 嚢囊 嵳嵯
崕崖 悧俐 搨拓 漑溉 潅灌 渕渊 瀰弥 煕熙 爼俎 貎貌 狢貉 疉叠 疂叠 癈废 穐秋 竃灶 筺筐 篏嵌 簑蓑 絏绁 繋系 繍绣 纒缠 聟婿 茘荔 莵兔 菷帚 蔘参 蝋蜡
蝿蝇 蠎蟒 袮祢 譛谮 譱善 讙欢 豼貔 踈疏 躰体 軣轰 輌辆 邉边 釡釜 鈩炉 閇闭 頚颈 飮饮 鳬凫 鴎鸥 鴬莺 麁粗 鼡鼠 檪栎 楳梅 枩松 掻搔 弉奘 卆卒 冐冒
倶俱 仭仞
`
