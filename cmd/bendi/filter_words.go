package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"bendi/config"
	"bendi/filter/lexicon"
)

// A reading says how files of words are read on the command line.
type reading struct {
	*program
	format, category, name, risk string
	level                        int
	tags                         map[string]string
}

func (r *reading) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&r.format, "format", "auto", r.say("auto, yaml, json, csv, lines or tagged", "auto、yaml、json、csv、lines 或 tagged"))
	f.StringVar(&r.category, "category", "", r.say("category of words that name none", "未写明类别的词所属的类别"))
	f.IntVar(&r.level, "level", 0, r.say("level of words that name none, 1 to 3", "未写明级别的词的级别，1 至 3"))
	f.StringVar(&r.risk, "risk", "", r.say("risk of words that name none, such as A.1.6", "未写明风险的词的风险编号，如 A.1.6"))
	f.StringToStringVar(&r.tags, "tag", nil, r.say("the category of a tag, such as 0=politics; once for each", "标签对应的类别，如 0=politics，可多次使用"))
}

func (r *reading) options() (lexicon.Options, error) {
	format, err := lexicon.ParseFormat(r.format)
	if err != nil {
		return lexicon.Options{}, err
	}
	if r.level < 0 || r.level > 3 {
		return lexicon.Options{}, errors.New(r.say("--level wants 1 to 3", "--level 需为 1 至 3"))
	}
	o := lexicon.Options{Format: format, Name: r.name, Category: r.category, Level: r.level, Risk: r.risk, Tags: r.tags}
	if o.Level == 0 && (o.Category != "" || o.Tags != nil) {
		o.Level = 2
	}
	return o, nil
}

// load reads a lexicon: starter, or a file.
func (r *reading) load(path string) (*lexicon.Lexicon, error) {
	if path == config.Starter {
		return lexicon.Starter(), nil
	}
	o, err := r.options()
	if err != nil {
		return nil, err
	}
	return lexicon.Load(path, o)
}

// all reads the lexicons that were named, or else those of the configuration
// that are in force.
func (r *reading) all(paths []string) ([]*lexicon.Lexicon, error) {
	var lexicons []*lexicon.Lexicon
	if len(paths) == 0 {
		lexicons, _, err := r.configured()
		return lexicons, err
	}
	var errs []error
	for _, path := range paths {
		l, err := r.load(path)
		errs = append(errs, err)
		if err == nil {
			lexicons = append(lexicons, l)
		}
	}
	return lexicons, usage(errors.Join(errs...))
}

// configured reads the lexicons of the configuration: those in force, and those
// in the shadow.
func (p *program) configured() (force, shadow []*lexicon.Lexicon, err error) {
	cfg, _, _, err := p.load(nil)
	if err != nil {
		return nil, nil, err
	}
	books, err := readBooks(cfg.Lexicons)
	for _, b := range books {
		if b.shadow {
			shadow = append(shadow, b.Lexicon)
		} else {
			force = append(force, b.Lexicon)
		}
	}
	return force, shadow, usage(err)
}

func (p *program) filterLintCommand() *cobra.Command {
	r := &reading{program: p}
	var output string
	cmd := &cobra.Command{
		Use:   "lint [FILE...]",
		Short: p.say("Find what is unwise in lexicons: words that never match, or match everyday words", "检查词库：永不命中的词、误伤常用词的词、重复等"),
		Long: p.say(
			"Find what is unwise in lexicons: words that never match, that match everyday words, or that another word makes superfluous. Without files, those of the configuration are checked together. The exit code is 3 when something is found.",
			"检查词库：永不命中的词、误伤常用词的词、被其他词覆盖的词等。不写文件时检查配置中的全部词库。发现问题时退出码为 3。"),
	}
	r.flags(cmd)
	outputFlag(cmd, p, &output)
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		if len(args) == 0 {
			force, shadow, err := p.configured()
			if err != nil {
				return err
			}
			return p.lint(output, force, shadow)
		}
		lexicons, err := r.all(args)
		if err != nil {
			return err
		}
		return p.lint(output, lexicons)
	}
	return cmd
}

// lint tells what is unwise in sets of lexicons, each of which is used together.
func (p *program) lint(output string, sets ...[]*lexicon.Lexicon) error {
	var found []lexicon.Finding
	for _, set := range sets {
		found = append(found, lexicon.Lint(set...)...)
	}
	if output == "json" {
		list := make([]lintBody, len(found))
		for i, f := range found {
			list[i] = lintBody(f)
		}
		if err := writeJSON(p.stdout, list); err != nil {
			return err
		}
	} else {
		for _, f := range found {
			at := f.Lexicon
			if f.Line > 0 {
				at += fmt.Sprint(":", f.Line)
			}
			fmt.Fprintf(p.stdout, "%s: %s: %s: %s; %s\n", at, f.Kind, printableText(f.Text), f.Reason, f.Advice)
		}
		words, n := 0, 0
		for _, set := range sets {
			n += len(set)
			for _, l := range set {
				words += len(l.Words)
			}
		}
		fmt.Fprintln(p.stdout, p.sayf("findings: %d, in %d words, %d lexicons", "问题 %d 处，词 %d 个，词库 %d 个", len(found), words, n))
	}
	if len(found) > 0 {
		return exitError{code: exitProblems}
	}
	return nil
}

// printableText keeps the texts of files from moving the cursor.
func printableText(s string) string { return strings.Map(printable, s) }

func writeJSON(w io.Writer, v any) error {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	_, err = w.Write(append(text, '\n'))
	return err
}

func (p *program) filterCoverageCommand() *cobra.Command {
	r := &reading{program: p}
	var output, profile string
	cmd := &cobra.Command{
		Use:   "coverage [FILE...]",
		Short: p.say("Count the words for each risk that a standard lists", "按标准列出的风险统计词库覆盖情况"),
		Long: p.say(
			"Count the words for each risk that a standard lists, and say which lexicons are old. Without files, those of the configuration are counted. The exit code is 3 when a count is short. A count supports an assessment; it makes nothing compliant.",
			"按标准列出的风险统计词数，并指出哪些词库超期未更新。不写文件时统计配置中的词库。有不足时退出码为 3。统计结果可用于支持评估，但不等于合规。"),
	}
	r.flags(cmd)
	outputFlag(cmd, p, &output)
	cmd.Flags().StringVar(&profile, "profile", "gbt45654-2025", p.sayf("a standard's figures: %s, or a file", "标准的指标：%s，或文件", strings.Join(lexicon.ProfileNames(), ", ")))
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		figures, err := loadProfile(profile)
		if err != nil {
			return usage(err)
		}
		lexicons, err := r.all(args)
		if err != nil {
			return err
		}
		return p.coverage(lexicon.Cover(figures, time.Now(), lexicons...), output)
	}
	return cmd
}

// loadProfile reads a profile from its file, or one that comes along by its
// name, with .json or without.
func loadProfile(name string) (*lexicon.Profile, error) {
	if _, err := os.Stat(name); err == nil {
		return lexicon.LoadProfile(name)
	}
	return lexicon.LoadProfile(strings.TrimSuffix(name, ".json"))
}

func (p *program) coverage(c *lexicon.Coverage, output string) error {
	if output == "json" {
		if err := writeJSON(p.stdout, coverageOf(c)); err != nil {
			return err
		}
	} else {
		p.printCoverage(c)
	}
	if !c.Complete() {
		return exitError{code: exitProblems}
	}
	return nil
}

func (p *program) printCoverage(c *lexicon.Coverage) {
	fmt.Fprintf(p.stdout, "%s\n%s\n\n", c.Profile.Title, c.Profile.Supports)
	rows := [][]string{strings.Fields(p.say("RISK WORDS WANTED MISSING NAME", "风险 词数 要求 缺少 名称"))}
	line := func(risk string, n lexicon.Count, name string) {
		missing := "-"
		if n.Short() > 0 {
			missing = fmt.Sprint(n.Short())
		}
		rows = append(rows, cells(risk, n.Have, n.Min, missing, name))
	}
	for _, r := range c.Risks {
		line(r.ID, r.Count, r.Name)
	}
	line(p.say("all", "合计"), c.Total, "")
	printTable(p.stdout, "", rows...)
	fmt.Fprintln(p.stdout)
	rows = [][]string{strings.Fields(p.say("LEXICON VERSION WORDS UPDATED", "词库 版本 词数 更新日期"))}
	for _, l := range c.Lexicons {
		updated := l.Updated
		if l.Days >= 0 {
			updated = p.sayf("%s, %d days ago", "%s，%d 天前", l.Updated, l.Days)
		}
		note := ""
		if l.Stale {
			note = p.say("OLD", "超期")
		}
		if l.Starter {
			note = strings.TrimSpace(note + " " + p.say("starter, not meant to be enough", "入门词库，不足以单独使用"))
		}
		rows = append(rows, cells(l.Name, l.Version, l.Words, updated, note))
	}
	printTable(p.stdout, "", rows...)
	for _, n := range []struct {
		n    int
		what string
	}{
		{c.Unassigned, p.say("words have no risk", "个词未标风险")},
		{c.Unknown, p.say("words have a risk that the profile does not list", "个词的风险不在指标中")},
		{c.TooLong, p.say("words are longer than what counts", "个词超过计数的长度")},
		{c.Duplicates, p.say("words are there twice", "个词重复")},
		{c.Starter, p.say("of the words are from the starter lexicon", "个词来自入门词库")},
	} {
		if n.n > 0 {
			fmt.Fprintf(p.stdout, "%d %s\n", n.n, n.what)
		}
	}
}

func (p *program) filterImportCommand() *cobra.Command {
	r := &reading{program: p}
	var out, version, updated string
	cmd := &cobra.Command{
		Use:   "import FILE",
		Short: p.say("Convert a list of words to a lexicon in YAML", "把词表转换为 YAML 词库"),
		Long: p.say(
			`Convert a list of words to a lexicon in YAML: one word per line, words with
commas, "word tag,tag", CSV with a header, or JSON.

  bendi filter import words.txt --category gambling --level 2 -o words.yaml
  bendi filter import dict.txt --tag 0=politics --tag 3=gambling -o dict.yaml
  bendi filter import starter --name mine -o mine.yaml`,
			`把词表转换为 YAML 词库。支持每行一词、逗号分隔、“词 标签,标签”、带表头的 CSV 和 JSON：

  bendi filter import words.txt --category gambling --level 2 -o words.yaml
  bendi filter import dict.txt --tag 0=politics --tag 3=gambling -o dict.yaml
  bendi filter import starter --name mine -o mine.yaml`),
		Args: cobra.ExactArgs(1),
	}
	r.flags(cmd)
	f := cmd.Flags()
	f.StringVarP(&out, "output", "o", "-", p.say("file to write; - is standard output", "输出文件，- 为标准输出"))
	f.StringVar(&r.name, "name", "", p.say("name of the lexicon (default: the file's)", "词库名称(默认取文件名)"))
	f.StringVar(&version, "version", "", p.say("its version (default: the day)", "词库版本(默认为日期)"))
	f.StringVar(&updated, "updated", "", p.say("the day it was brought up to date, such as 2026-11-25 (default: today)", "更新日期，如 2026-11-25(默认为今天)"))
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		l, err := r.load(args[0])
		if err != nil {
			return usage(err)
		}
		if r.name != "" {
			l.Name = r.name
			for i := range l.Words {
				if w := &l.Words[i]; strings.Contains(w.ID, ":") {
					w.ID = "" // it was made of the other name
				}
			}
		}
		day := time.Now().Format(time.DateOnly)
		if updated != "" {
			if _, err := time.Parse(time.DateOnly, updated); err != nil {
				return usage(errors.New(p.say("--updated wants a day such as 2026-11-25", "--updated 需为日期，如 2026-11-25")))
			}
			l.Updated = updated
		} else if l.Updated == "" {
			l.Updated = day
		}
		if version != "" {
			l.Version = version
		} else if l.Version == "" {
			l.Version = l.Updated
		}
		return p.writeLexicon(l, out)
	}
	return cmd
}

// writeLexicon writes a lexicon whole or not at all.
func (p *program) writeLexicon(l *lexicon.Lexicon, out string) error {
	if out == "-" {
		return lexicon.Write(p.stdout, l)
	}
	file, err := os.CreateTemp(filepath.Dir(out), ".bendi-lexicon-*")
	if err != nil {
		return err
	}
	defer os.Remove(file.Name())
	err = errors.Join(lexicon.Write(file, l), file.Chmod(0o644), file.Close())
	if err != nil {
		return err
	}
	if err := os.Rename(file.Name(), out); err != nil {
		return err
	}
	fmt.Fprintln(p.stderr, p.sayf("%d words, %d categories in %s; next: bendi filter lint %s", "%[3]s 中有 %[1]d 个词、%[2]d 个类别；下一步：bendi filter lint %[4]s", len(l.Words), len(l.Categories), out, out))
	return nil
}

func (p *program) filterDiffCommand() *cobra.Command {
	r := &reading{program: p}
	var output string
	cmd := &cobra.Command{
		Use:   "diff OLD NEW",
		Short: p.say("Tell what an update of a lexicon changes, for those who approve it", "列出词库更新的变化，供审批使用"),
		Args:  cobra.ExactArgs(2),
	}
	r.flags(cmd)
	outputFlag(cmd, p, &output)
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		old, err1 := r.load(args[0])
		new, err2 := r.load(args[1])
		if err := errors.Join(err1, err2); err != nil {
			return usage(err)
		}
		changes := lexicon.Diff(old, new)
		if output == "json" {
			return writeJSON(p.stdout, changesOf(changes))
		}
		p.printChanges(changes)
		return nil
	}
	return cmd
}

func (p *program) printChanges(c *lexicon.Changes) {
	word := func(w lexicon.Word) string {
		text := w.Text
		if w.All != nil {
			text = strings.Join(w.All, " + ")
		}
		return printableText(text)
	}
	fmt.Fprintf(p.stdout, "%s  %s\n%s  %s\n", c.OldVersion, c.OldDigest, c.NewVersion, c.NewDigest)
	for _, w := range c.Removed {
		fmt.Fprintf(p.stdout, "- %s  %s %d\n", word(w), w.Category, w.Level)
	}
	for _, w := range c.Added {
		fmt.Fprintf(p.stdout, "+ %s  %s %d\n", word(w), w.Category, w.Level)
	}
	for _, w := range c.Changed {
		fmt.Fprintf(p.stdout, "~ %s  %s %d -> %s %d (%s)\n", word(w.New), w.Old.Category, w.Old.Level, w.New.Category, w.New.Level, strings.Join(w.What, ", "))
	}
	list := func(sign string, names []string, what string) {
		for _, name := range names {
			fmt.Fprintf(p.stdout, "%s %s  %s\n", sign, printableText(name), what)
		}
	}
	list("-", c.AllowRemoved, p.say("(allow)", "(放行)"))
	list("+", c.AllowAdded, p.say("(allow)", "(放行)"))
	list("-", c.CategoryGone, p.say("(category)", "(类别)"))
	list("+", c.CategoryAdded, p.say("(category)", "(类别)"))
	list("~", c.Relabelled, p.say("(category)", "(类别)"))
	if c.Empty() {
		fmt.Fprintln(p.stdout, p.say("both find the same", "两者效果相同"))
		return
	}
	fmt.Fprintln(p.stdout, p.sayf("%d added, %d removed, %d changed", "新增 %d，删除 %d，修改 %d", len(c.Added), len(c.Removed), len(c.Changed)))
}
