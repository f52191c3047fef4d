package main

import (
	"context"
	"crypto/rand"
	"os"

	"bendi/config"
	"bendi/filter"
	"bendi/openaicompat/wire"
)

// secretVariable holds the secret of the hashes in findings. Without it, they
// tell texts apart for as long as the program runs.
const secretVariable = "BENDI_FILTER_SECRET"

func filterSecret() []byte {
	if text := os.Getenv(secretVariable); text != "" {
		return []byte(text)
	}
	secret := make([]byte, 32)
	rand.Read(secret) // never fails
	return secret
}

// printFilter says which lexicons are in force, and which routes nobody looks
// after.
func (p *program) printFilter(line func(label, format string, args ...any), cfg *config.Config, books []book) {
	label := p.say("filter", "过滤")
	if len(books) == 0 {
		line(label, "%s", p.say("no lexicon: only personal data is looked for", "没有词库：只识别个人信息"))
	}
	for _, b := range books {
		line(label, "%s", p.bookText(b))
		label = ""
	}
	for _, r := range cfg.Routes {
		if r.Filter == config.Off {
			line(p.say("warning", "警告"), "%s", p.sayf("nothing filters %s: its filter is off", "%s 没有内容过滤：filter 为 off", r.Path))
		}
	}
}

// bookText says in a line what a lexicon is.
func (p *program) bookText(b book) string {
	text := p.sayf("%s %s, %d words", "%s %s，%d 个词", b.Name, b.Version, b.words)
	if b.Starter {
		text += p.say("; a beginning, not meant to be enough", "；仅为入门，不足以单独使用")
	}
	if b.shadow {
		text += p.say("; in the shadow: it is counted and does nothing", "；影子模式：只统计，不处置")
	}
	return text
}

// filterText says which filter a route has.
func (p *program) filterText(name string) string {
	if name == config.Off {
		return p.say("NO FILTER", "无过滤")
	}
	return p.sayf("filter %s", "过滤策略 %s", name)
}

// warn logs what an operator should know about the filter.
func (h *house) warn() {
	for _, r := range h.cfg.Routes {
		if r.Filter == config.Off {
			h.log.Warn("filter: nothing filters this route", "route", r.Path)
		}
	}
	for _, key := range strangers(h.cfg, h.library.shelf.Current()) {
		h.log.Warn("filter: no lexicon has this category; is it misspelt?", "key", key)
	}
	for name, f := range h.cfg.Filters {
		if f.RevealText {
			h.log.Warn("filter: the log will have words that users wrote", "key", "filters."+name+".reveal_text")
		}
	}
}

// A moderator answers moderations by what a filter finds.
type moderator struct{ judge *filter.Guarded }

func (m moderator) Moderate(_ context.Context, texts []string) (model string, categories []string, results []wire.Judgement, err error) {
	rules := m.judge.Shelf.Current()
	for _, v := range m.judge.Moderate(texts) {
		j := wire.Judgement{Flagged: v.Flagged, Categories: make(map[string]bool), Scores: make(map[string]float64)}
		for name, found := range v.OpenAI {
			j.Categories[name], j.Scores[name] = found, v.Scores[name]
		}
		for name, level := range v.Categories {
			j.Categories[name] = true
			j.Scores[name] = max(j.Scores[name], 0.1+0.3*float64(level)) // as for the keys of OpenAI
		}
		results = append(results, j)
	}
	return rules.Version(), rules.Categories(), results, nil
}
