package main

import (
	"bufio"
	"compress/bzip2"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"unicode"
)

const maxRune = unicode.MaxRune

// A database holds what the tables need of the Unicode Character Database.
type database struct {
	name     map[rune]string
	category map[rune]string
	number   map[rune]int // the numeric value, where it is a whole one
	lower    map[rune]rune
	script   map[rune]string
	hidden   map[rune]bool // Default_Ignorable_Code_Point
	picture  map[rune]bool // Extended_Pictographic
	radical  map[rune]rune // the ideograph that a radical stands for

	common     map[rune]int // place in the 通用规范汉字表: 1 to 3500 are the usual characters, to 6500 the rarer
	frequency  map[rune]int // how often it was met in a sample of Modern Chinese
	simplified map[rune][]rune
	variants   map[rune][]rune // semantic and z-variants
	spoofing   map[rune][]rune
	numeral    map[rune]bool     // counts, in any of its senses
	mandarin   map[rune][]string // the usual reading, the one for the mainland first
	readings   map[rune][]string // all readings in use
}

func readDatabase(dir string) (*database, error) {
	db := &database{
		name: map[rune]string{}, category: map[rune]string{}, number: map[rune]int{}, lower: map[rune]rune{},
		script: map[rune]string{}, hidden: map[rune]bool{}, picture: map[rune]bool{}, radical: map[rune]rune{},
		common: map[rune]int{}, frequency: map[rune]int{}, simplified: map[rune][]rune{}, variants: map[rune][]rune{},
		spoofing: map[rune][]rune{}, numeral: map[rune]bool{}, mandarin: map[rune][]string{}, readings: map[rune][]string{},
	}
	var first rune // of a range given by its two ends
	err := eachLine(filepath.Join(dir, "UnicodeData.txt"), func(line string) {
		f := strings.Split(line, ";")
		r := hex(f[0])
		if strings.HasSuffix(f[1], ", First>") {
			first = r
			return
		}
		from := r
		if strings.HasSuffix(f[1], ", Last>") {
			from = first
		}
		for c := from; c <= r; c++ {
			db.name[c], db.category[c] = f[1], f[2]
		}
		if n, err := strconv.Atoi(f[8]); err == nil {
			db.number[r] = n
		}
		if f[13] != "" {
			db.lower[r] = hex(f[13])
		}
	})
	if err != nil {
		return nil, err
	}
	for _, p := range []struct {
		file string
		take func(r rune, property string)
	}{
		{"Scripts.txt", func(r rune, p string) { db.script[r] = p }},
		{"DerivedCoreProperties.txt", func(r rune, p string) {
			if p == "Default_Ignorable_Code_Point" {
				db.hidden[r] = true
			}
		}},
		{"emoji/emoji-data.txt", func(r rune, p string) {
			if p == "Extended_Pictographic" {
				db.picture[r] = true
			}
		}},
		{"EquivalentUnifiedIdeograph.txt", func(r rune, p string) { db.radical[r] = hex(p) }},
	} {
		err := eachLine(filepath.Join(dir, p.file), func(line string) {
			points, property, _ := strings.Cut(line, ";")
			from, to, isRange := strings.Cut(strings.TrimSpace(points), "..")
			if !isRange {
				to = from
			}
			for r := hex(from); r <= hex(to); r++ {
				p.take(r, strings.TrimSpace(property))
			}
		})
		if err != nil {
			return nil, err
		}
	}
	return db, db.readHan(dir)
}

func (db *database) readHan(dir string) error {
	for _, file := range []string{"OtherMappings", "Variants", "Readings", "NumericValues"} {
		err := eachLine(filepath.Join(dir, "Unihan_"+file+".txt"), func(line string) {
			f := strings.Split(line, "\t")
			r, value := hex(strings.TrimPrefix(f[0], "U+")), f[2]
			switch f[1] {
			case "kTGH": // "2013:1234"
				_, place, _ := strings.Cut(strings.Fields(value)[0], ":")
				db.common[r], _ = strconv.Atoi(place)
			case "kSimplifiedVariant":
				db.simplified[r] = runes(value)
			case "kSemanticVariant", "kZVariant":
				db.variants[r] = append(db.variants[r], runes(value)...)
			case "kSpoofingVariant":
				db.spoofing[r] = runes(value)
			case "kOtherNumeric", "kAccountingNumeric", "kPrimaryNumeric":
				db.numeral[r] = true
			case "kMandarin": // "gān qián": the mainland's, then Taiwan's
				db.mandarin[r] = toneless(strings.Fields(value))
			case "kHanyuPinlu": // "dǔ(20) ...", with how often
				for _, s := range strings.Fields(value) {
					reading, count, _ := strings.Cut(strings.TrimSuffix(s, ")"), "(")
					n, _ := strconv.Atoi(count)
					db.frequency[r] += n
					db.readings[r] = append(db.readings[r], toneless([]string{reading})...)
				}
			case "kTGHZ2013": // "482.140:zhe 482.141:zhuó,zhāo"
				for _, s := range strings.Fields(value) {
					_, list, _ := strings.Cut(s, ":")
					db.readings[r] = append(db.readings[r], toneless(strings.Split(list, ","))...)
				}
			}
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// eachLine calls do with each line of the file that is not empty once its
// comment is gone. The file may be compressed: name.bz2.
func eachLine(name string, do func(line string)) error {
	f, err := os.Open(name)
	var text io.Reader = f
	if os.IsNotExist(err) {
		f, err = os.Open(name + ".bz2")
		text = bzip2.NewReader(f)
	}
	if err != nil {
		return fmt.Errorf("the Unicode Character Database: %w", err)
	}
	defer f.Close()
	lines := bufio.NewScanner(text)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line, _, _ := strings.Cut(lines.Text(), "#")
		if line = strings.TrimSpace(line); line != "" {
			do(line)
		}
	}
	return lines.Err()
}

func hex(s string) rune {
	n, err := strconv.ParseUint(s, 16, 32)
	if err != nil {
		panic(fmt.Sprintf("not a code point: %q", s))
	}
	return rune(n)
}

// runes reads a list of code points as Unihan writes it: "U+4E7E U+5E72<kX".
func runes(s string) []rune {
	var list []rune
	for _, f := range strings.Fields(s) {
		point, _, _ := strings.Cut(strings.TrimPrefix(f, "U+"), "<")
		list = append(list, hex(point))
	}
	return list
}
