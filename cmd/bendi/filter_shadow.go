package main

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"bendi/config"
	"bendi/filter"
	"bendi/filter/bank"
	"bendi/filter/lexicon"
)

func (p *program) filterShadowCommand() *cobra.Command {
	r := &reading{program: p}
	var texts, output, profile string
	cmd := &cobra.Command{
		Use:   "shadow LEXICON...",
		Short: p.say("Tell what new lexicons would find in texts, before they are in force", "上线前查看新词库会在文本中命中多少"),
		Long: p.say(
			`Tell what new lexicons would find in texts, one on each line, or JSON lines with
the key text, content, question or prompt; and how much of it the configured
lexicons do not find. Nothing is sent anywhere. For live traffic, write
lexicons: [{path: new.yaml, shadow: true}] in the configuration.

  bendi filter shadow new.yaml --texts chats.jsonl`,
			`查看新词库会在一批文本中命中多少，以及其中多少是现有词库没有命中的。文本每行一条，或为
带 text、content、question 或 prompt 键的 JSON 行。不发送任何数据。要在线上流量中观察，
在配置中写 lexicons: [{path: new.yaml, shadow: true}]。

  bendi filter shadow new.yaml --texts chats.jsonl`),
		Args: cobra.MinimumNArgs(1),
	}
	r.flags(cmd)
	outputFlag(cmd, p, &output)
	cmd.Flags().StringVar(&texts, "texts", "", p.say("file of texts; required", "文本文件，必填"))
	cmd.Flags().StringVar(&profile, "profile", "default", p.say("how hard to look: default, strict or sound", "识别力度：default、strict 或 sound"))
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		if texts == "" {
			return usage(errors.New(p.say("--texts FILE is missing: the texts to look through", "缺少 --texts 文件：要检查的文本")))
		}
		if !slices.Contains(config.Profile("").Values(), profile) {
			return usage(errors.New(p.say("--profile is default, strict or sound", "--profile 为 default、strict 或 sound")))
		}
		lines, err := readTexts(texts)
		if err != nil {
			return usage(err)
		}
		lexicons, err := r.all(args)
		if err != nil {
			return err
		}
		cfg, _, _, err := p.load(nil)
		if err != nil {
			return err
		}
		books, err := readBooks(cfg.Lexicons)
		if err != nil {
			return usage(err)
		}
		policy := watching(profile)
		now, err1 := compile(books, false, policy)
		then, err2 := filter.Compile(lexicons, policy)
		if err := errors.Join(err1, err2); err != nil {
			return usage(err)
		}
		return p.shadow(lines, judgeOf(now, policy), judgeOf(then, policy), lexicons, output)
	}
	return cmd
}

// watching returns a policy that logs everything and does nothing.
func watching(profile string) *filter.Policy {
	policy, err := policyOf("watching", config.Filter{
		Categories: map[string]config.WordRule{config.Other: {Request: config.Actions{"log", "log", "log"}, Answer: config.Actions{"log", "log", "log"}}},
		Profile:    config.Profile(profile), Buffer: "none",
	})
	if err != nil {
		panic(err) // its actions are written above
	}
	return policy
}

// judgeOf returns what judges texts by rules.
func judgeOf(rules *filter.Rules, policy *filter.Policy) *filter.Guarded {
	return filter.Guard(new(echo), filter.Options{Shelf: filter.NewShelf(rules), Policy: policy, Cache: -1})
}

// A shadowReport is what new lexicons would do.
type shadowReport struct {
	Texts int            `json:"texts"`
	Hit   shadowRate     `json:"hit"`      // by the new ones
	New   shadowRate     `json:"only_new"` // of those, not by the ones in force
	Now   shadowRate     `json:"hit_now"`  // by the ones in force
	Words []shadowedWord `json:"words"`    // most hits first
	By    map[string]int `json:"by_category"`
	Lines []int          `json:"only_new_lines"` // the first of them
}

type shadowRate struct {
	Texts int     `json:"texts"`
	Rate  float64 `json:"rate"`
	Low   float64 `json:"low"` // 95 % interval
	High  float64 `json:"high"`
}

type shadowedWord struct {
	Rule     string `json:"rule"`
	Category string `json:"category"`
	Texts    int    `json:"texts"`
}

func (p *program) shadow(texts []string, now, then *filter.Guarded, lexicons []*lexicon.Lexicon, output string) error {
	const mostLines = 100
	r := shadowReport{Texts: len(texts), By: map[string]int{}, Lines: []int{}}
	words := map[string]int{}
	for i, text := range texts {
		before, after := now.Moderate([]string{text})[0], then.Moderate([]string{text})[0]
		if len(before.Rules) > 0 {
			r.Now.Texts++
		}
		if len(after.Rules) == 0 {
			continue
		}
		r.Hit.Texts++
		for _, id := range after.Rules {
			words[id]++
		}
		for category := range after.Categories {
			r.By[category]++
		}
		if len(before.Rules) == 0 {
			r.New.Texts++
			if len(r.Lines) < mostLines {
				r.Lines = append(r.Lines, i+1)
			}
		}
	}
	for _, s := range []*shadowRate{&r.Hit, &r.New, &r.Now} {
		s.Rate, s.Low, s.High = bank.Wilson(s.Texts, len(texts))
	}
	categories := map[string]string{}
	for _, l := range lexicons {
		for i := range l.Words {
			if w := &l.Words[i]; words[w.ID] > 0 {
				categories[w.ID] = w.Category
			}
		}
	}
	for _, id := range slices.SortedFunc(maps.Keys(words), func(a, b string) int { return cmp.Or(cmp.Compare(words[b], words[a]), cmp.Compare(a, b)) }) {
		r.Words = append(r.Words, shadowedWord{id, categories[id], words[id]})
	}
	if output == "json" {
		return writeJSON(p.stdout, r)
	}
	rows := [][]string{{p.sayf("OF %d TEXTS", "%d 条文本", len(texts)), p.say("HIT", "命中"), p.say("RATE", "命中率"), p.say("95 % INTERVAL", "95% 置信区间")}}
	line := func(what string, s shadowRate) {
		rows = append(rows, cells(what, s.Texts, percent(s.Rate), percent(s.Low)+" .. "+percent(s.High)))
	}
	line(p.say("the new lexicons", "新词库"), r.Hit)
	line(p.say("of those, not the ones in force", "其中现有词库未命中"), r.New)
	line(p.say("the lexicons in force", "现有词库"), r.Now)
	printTable(p.stdout, "", rows...)
	const mostWords = 20
	for i, word := range r.Words {
		if i == mostWords {
			fmt.Fprintln(p.stdout, p.sayf("and %d more rules; --output json has them all", "以及另外 %d 条规则；--output json 可列出全部", len(r.Words)-i))
			break
		}
		fmt.Fprintf(p.stdout, "%6d  %s  %s\n", word.Texts, word.Rule, word.Category)
	}
	return nil
}

// readTexts reads texts, one on each line, or as JSON lines.
func readTexts(name string) ([]string, error) {
	raw, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	lines := bufio.NewScanner(bytes.NewReader(bytes.TrimPrefix(raw, []byte("\xEF\xBB\xBF"))))
	lines.Buffer(nil, len(raw)+1)
	var texts []string
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" {
			texts = append(texts, "")
			continue
		}
		if line[0] != '{' {
			texts = append(texts, line)
			continue
		}
		var o struct{ Text, Content, Question, Prompt string }
		if err := json.Unmarshal([]byte(line), &o); err != nil {
			return nil, fmt.Errorf("%s:%d: is no JSON object with the text as text, content, question or prompt", name, n)
		}
		texts = append(texts, cmp.Or(o.Text, o.Content, o.Question, o.Prompt))
	}
	if len(texts) == 0 {
		return nil, fmt.Errorf("%s: has no texts", name)
	}
	return texts, lines.Err()
}
