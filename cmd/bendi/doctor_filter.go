package main

import (
	"fmt"
	"log/slog"
	"strings"
	"time"

	"bendi/config"
	"bendi/filter"
	"bendi/filter/lexicon"
)

// staleAfter is when the doctor calls a lexicon old: the standards want an
// update every week.
const staleAfter = 7 * 24 * time.Hour

// checkFilter says which lexicons there are and which route has which filter.
func (p *program) checkFilter(cfg *config.Config) (status, detail string) {
	books, err := readBooks(cfg.Lexicons)
	if err == nil {
		var all map[string]*filter.Policy
		if all, err = policies(cfg); err == nil {
			_, err = newLibrary(cfg.Lexicons, slog.New(slog.DiscardHandler), inForce(cfg, all)...)
		}
	}
	if err != nil {
		return "fail", err.Error()
	}
	status = "ok"
	warn := func(format string, args ...any) string {
		status = "warn"
		return fmt.Sprintf(format, args...)
	}
	var lines []string
	serious := false
	var lexicons []*lexicon.Lexicon
	for _, b := range books {
		lines = append(lines, p.bookText(b))
		if !b.shadow {
			lexicons = append(lexicons, b.Lexicon)
		}
		serious = serious || !b.Starter && !b.shadow
		if age, known := b.Age(time.Now()); !b.Starter && known && age > staleAfter {
			lines = append(lines, warn(p.say("%s was updated %d days ago", "%s 已有 %d 天未更新"), b.Name, int(age/(24*time.Hour))))
		}
	}
	if !serious {
		lines = append(lines, p.say("there is no lexicon of your own: add one under lexicons before you serve the public", "没有您自己的词库：对公众提供服务之前，请在 lexicons 中加入"))
	}
	if n := len(lexicon.Lint(lexicons...)); n > 0 {
		lines = append(lines, p.sayf("%d findings of `bendi filter lint`", "`bendi filter lint` 有 %d 处提示", n))
	}
	for _, r := range cfg.Routes {
		text := r.Path + ": " + p.filterText(r.Filter)
		if r.Filter == config.Off {
			text = warn("%s", text)
		}
		lines = append(lines, text)
	}
	return status, strings.Join(lines, "\n")
}
