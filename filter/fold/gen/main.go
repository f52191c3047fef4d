// Command gen makes the tables of package fold from the Unicode Character
// Database and the CJK Decomposition Data. Package fold's documentation says
// how to get them; generate.sh, beside this file, does it.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

func main() {
	ucd := flag.String("ucd", "", "`directory` of the Unicode Character Database, with Unihan")
	decomp := flag.String("decomp", "", "`file` of the CJK Decomposition Data")
	out := flag.String("out", "tables", "`directory` to write to")
	flag.Parse()
	if err := run(*ucd, *decomp, *out); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

func run(ucd, decomp, out string) error {
	db, err := readDatabase(ucd)
	if err != nil {
		return err
	}
	shapes, err := readShapes(decomp)
	if err != nil {
		return err
	}
	f, err := makeFolds(db, shapes)
	if err != nil {
		return err
	}
	k := makeKinds(db, f)
	tables := map[string]string{
		"fold.txt":   f.text(false),
		"looks.txt":  f.text(true),
		"expand.txt": f.expandText(),
		"kinds.txt":  k.text(),
		"pinyin.txt": makeReadings(db, f).text(),
		"parts.txt":  makeParts(db, f, shapes).text(),
		"alikes.txt": makeAlikes(db, f, shapes),
	}
	for name, text := range tables {
		if err := os.WriteFile(filepath.Join(out, name), []byte(text), 0o644); err != nil {
			return err
		}
		fmt.Printf("%-12s %6d bytes, %5d lines\n", name, len(text), strings.Count(text, "\n"))
	}
	return nil
}
