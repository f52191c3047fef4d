package main

// looksLatin names letters of other scripts that look like Latin ones, after
// the confusables of UTS #39. Both cases of a letter go to one Latin letter,
// but for Η Μ Ν Υ, whose small forms look like others than the capitals do.
const looksLatin = `
Аa Вb Еe Кk Мm Нh Оo Рp Сc Тt Уy Хx Ѕs Іi Јj Ԛq Ԝw Үy Һh Ԁd Ьb Гr Ѵv Ѡw Ӏl Ԍg Ҽe Єe Ԑe
аa вb еe кk мm нh оo рp сc тt уy хx ѕs іi јj ԛq ԝw үy һh ԁd ьb гr ѵv ѡw ӏl ԍg ҽe єe ԑe ꙇi

Αa Βb Εe Ζz Ηh Ιi Κk Μm Νn Οo Ρp Τt Υy Χx Ϲc Ϳj Ϝf Ϻm Ϸþ ϒy
αa βb εe ζz ηn ιi κk μu νv οo ρp τt υu χx ϲc ϳj ϝf ϻm ϸþ γy Σe Λa σo ςs ωw ϵe ϱp ϰk ᴦr ᴩp

Օo Ոn Սu Տs Լl Հh Ցg Զq Քf Յj Աw Ռn
օo ոn սu տs լl հh ցg զq քf յj աw ռn

Ꭰd Ꭱr Ꭲt Ꭵi Ꭹy Ꭺa Ꭻj Ꭼe Ꮃw Ꮇm Ꮋh Ꮍy Ꮐg Ꮒh Ꮓz Ꮟb Ꮢr Ꮤw Ꮥs Ꮩv Ꮪs Ꮮl Ꮯc Ꮲp Ꮶk Ꮷd Ᏻg Ᏼb Ꮁr Ꮛe Ᏸb
ꭰd ꭱr ꭲt ꭵi ꭹy ꭺa ꭻj ꭼe ꮃw ꮇm ꮋh ꮍy ꮐg ꮒh ꮓz ꮟb ꮢr ꮤw ꮥs ꮩv ꮪs ꮮl ꮯc ꮲp ꮶk ꮷd ᏻg ᏼb ꮁr ꮛe ᏸb

Ⲁa Ⲃb Ⲉe Ⲏh Ⲓi Ⲕk Ⲙm Ⲛn Ⲟo Ⲣp Ⲥc Ⲧt Ⲩy Ⲭx Ⲅr
ⲁa ⲃb ⲉe ⲏh ⲓi ⲕk ⲙm ⲛn ⲟo ⲣp ⲥc ⲧt ⲩy ⲭx ⲅr

ꓮa ꓐb ꓚc ꓒd ꓓd ꓰe ꓱe ꓝf ꓖg ꓧh ꓲi ꓙj ꓗk ꓡl ꓟm ꓠn ꓳo ꓑp ꓣr ꓢs ꓔt ꓴu ꓦv ꓪw ꓫx ꓬy ꓜz ꓛc

ჿo ყy
`

// latin names Latin letters and letter-like signs whose name does not begin
// with the letter they are read as.
var latin = pairs(`ɑa ɛe ɔo əe ɩi ŋn ĸk ðd ɜe ᴐo ẟd ꬰa ℮e ƅb ƨs ɣy ꞵb ꭓx`)

// signs are those that a keyboard has, in the forms that typography has.
var signs = pairs(`‐- ‑- ‒- –- −- ‘' ’' ‛' “" ”" ‟" ∼~ 〜~ ∗* ∣| ∕/ ⁄/ ∶: ․.`)

// ligatures are those that Unicode takes for letters of their own.
var ligatures = map[rune]string{
	'æ': "ae", 'œ': "oe", 'ß': "ss", 'ĳ': "ij", 'ꜳ': "aa", 'ꜵ': "ao", 'ꜷ': "au", 'ꜹ': "av", 'ꜽ': "ay", 'ꝏ': "oo",
	'ȸ': "db", 'ȹ': "qp", 'ʣ': "dz", 'ʦ': "ts", 'ʪ': "ls", 'ʫ': "lz", 'ꝡ': "vy", 'ᵫ': "ue", 'ꭣ': "uo",
	'ᴁ': "ae", 'ɶ': "oe",
}
