package main

import (
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Every command and every flag is in the pages about the commands, in English
// and in Chinese.
func TestCommandsAreInTheDocumentation(t *testing.T) {
	shared := []string{"help", "config", "lang"} // told of once, at the top
	for _, path := range []string{"../../docs/cli.md", "../../docs/cli.zh-CN.md"} {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		page := string(text)
		table, _, _ := strings.Cut(page, "\n## ")
		each(root(t, "en"), func(cmd *cobra.Command) {
			name := strings.Fields(cmd.CommandPath())[1:]
			if len(name) == 0 || cobras(name[0]) {
				return
			}
			_, row, ok := strings.Cut(table, "\n| `bendi "+name[0])
			row, _, _ = strings.Cut(row, " |")
			if !ok || !strings.Contains(" "+name[0]+row, name[len(name)-1]) {
				t.Errorf("%s: the table at the top lacks %q", path, cmd.CommandPath())
			}
			cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
				told := regexp.MustCompile("--" + f.Name + "[^a-z-]").MatchString(page)
				if !told && !slices.Contains(shared, f.Name) {
					t.Errorf("%s: nothing about --%s of %q", path, f.Name, cmd.CommandPath())
				}
			})
		})
	}
}

// What --help says of a command and of its flags is in the language that was
// asked for.
func TestHelpIsInBothLanguages(t *testing.T) {
	han := func(s string) bool {
		return strings.ContainsFunc(s, func(r rune) bool { return r >= '一' && r <= '鿿' })
	}
	for _, language := range []string{"en", "zh"} {
		each(root(t, language), func(cmd *cobra.Command) {
			check := func(what, text string) {
				if han(text) != (language == "zh") {
					t.Errorf("--lang %s: %s of %q: %q", language, what, cmd.CommandPath(), text)
				}
			}
			check("the summary", cmd.Short)
			path := append(strings.Fields(cmd.CommandPath()), "")
			if cmd.Long != "" && language == "zh" && !cobras(path[1]) { // examples are Chinese in English, too
				check("the description", cmd.Long)
			}
			cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
				if path[1] != "completion" {
					check("--"+f.Name, f.Usage)
				}
			})
		})
	}
}

func root(t *testing.T, language string) *cobra.Command {
	t.Setenv("BENDI_LANG", language)
	p := &program{stdout: io.Discard, stderr: io.Discard}
	return p.root()
}

// cobras says whether a command is made by cobra.
func cobras(name string) bool { return name == "help" || name == "completion" }

// each calls visit with cmd and all commands below it.
func each(cmd *cobra.Command, visit func(*cobra.Command)) {
	visit(cmd)
	for _, sub := range cmd.Commands() {
		each(sub, visit)
	}
}
