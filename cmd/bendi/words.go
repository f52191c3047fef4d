package main

import (
	"cmp"
	"fmt"
	"os"
	"strings"

	"bendi/models/fit"
)

// say returns the text in the user's language.
func (p *program) say(english, chinese string) string {
	if p.chinese() {
		return chinese
	}
	return english
}

// sayf is say with formatting; both texts take the same arguments.
func (p *program) sayf(english, chinese string, args ...any) string {
	return fmt.Sprintf(p.say(english, chinese), args...)
}

func (p *program) chinese() bool {
	language := cmp.Or(p.language, flagValue(os.Args[1:], "--lang"), os.Getenv("BENDI_LANG"), os.Getenv("LC_ALL"), os.Getenv("LANG"))
	return strings.HasPrefix(strings.ToLower(language), "zh")
}

// flagValue finds a flag's value before the flags are parsed, for the help
// texts, which are made earlier.
func flagValue(args []string, flag string) string {
	for i, arg := range args {
		if value, ok := strings.CutPrefix(arg, flag+"="); ok {
			return value
		}
		if arg == flag && i+1 < len(args) {
			return args[i+1]
		}
	}
	return ""
}

// bytesText writes a number of bytes as a person would.
func bytesText(n int64) string { return fit.Bytes(n) }
