package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"unicode"

	"github.com/spf13/cobra"

	"bendi/chat"
	"bendi/config"
	"bendi/filter"
	"bendi/filter/find"
	"bendi/filter/lexicon"
)

// A trial shows what the filter would do with a text.
type trial struct {
	*program
	reading *reading

	policy, route, profile, direction, output string
	files                                     []string
	json                                      bool
}

func (p *program) filterTestCommand() *cobra.Command {
	t := &trial{program: p, reading: &reading{program: p}}
	cmd := &cobra.Command{
		Use:   "test [TEXT]",
		Short: p.say("Show what the filter finds in a text, and what it would do", "查看过滤器在一段文字中命中什么、会如何处置"),
		Long: p.say(
			`Show what the filter finds in a text, and what it would do with it in a request
and in an answer. Without a text, standard input is read. No server is needed.

  bendi filter test "电信诈骗，加我微信"
  bendi filter test --route /v1/chat/pro --lexicon words.yaml "..."`,
			`查看过滤器在一段文字中命中什么，以及作为请求和回答时会如何处置。不写文字时读标准输入。
无需启动服务。

  bendi filter test "电信诈骗，加我微信"
  bendi filter test --route /v1/chat/pro --lexicon words.yaml "..."`),
		RunE: func(cmd *cobra.Command, args []string) error { return t.run(cmd.Context(), strings.Join(args, " ")) },
	}
	f := cmd.Flags()
	f.StringVar(&t.policy, "policy", "", p.say("one of filters in the configuration", "配置中 filters 的名称"))
	f.StringVar(&t.route, "route", "", p.say("use the policy of this route", "使用该路由的策略"))
	f.StringVar(&t.profile, "profile", "", p.say("look harder than the policy does: default, strict or sound", "改用其他识别力度：default、strict 或 sound"))
	f.StringVar(&t.direction, "direction", "", p.say("request or answer (default: both)", "request(请求)或 answer(回答)，默认两者"))
	f.StringArrayVar(&t.files, "lexicon", nil, p.say("file of words in place of the configured ones; may be repeated", "代替配置中词库的词库文件，可多次使用"))
	f.BoolVar(&t.json, "json", false, p.say("print JSON", "以 JSON 输出"))
	t.reading.flags(cmd)
	outputFlag(cmd, p, &t.output)
	return cmd
}

// A hit is one finding in a text.
type hit struct {
	Rule     string `json:"rule"`
	Category string `json:"category"`
	Level    int    `json:"level"`
	Risk     string `json:"risk,omitempty"`
	Form     string `json:"form"`
	Action   string `json:"action"`
	Start    int    `json:"start"` // bytes
	End      int    `json:"end"`
	Text     string `json:"text"`
	Normal   string `json:"normal"` // as it was read
}

// A trialResult is what the filter does with a text in one direction.
type trialResult struct {
	Action string `json:"action"`
	Text   string `json:"text"` // what passes
	Error  string `json:"error,omitempty"`
	Hits   []hit  `json:"hits"`
}

func (t *trial) run(ctx context.Context, text string) error {
	if t.direction != "" && t.direction != "request" && t.direction != "answer" {
		return usage(errors.New(t.say("--direction is request or answer", "--direction 为 request 或 answer")))
	}
	if t.profile != "" && !slices.Contains(config.Profile("").Values(), t.profile) {
		return usage(errors.New(t.say("--profile is default, strict or sound", "--profile 为 default、strict 或 sound")))
	}
	if text == "" || text == "-" {
		input, err := io.ReadAll(t.stdin)
		if err != nil {
			return fmt.Errorf("reading standard input: %w", err)
		}
		text = strings.TrimSuffix(string(input), "\n")
	}
	cfg, _, _, err := t.load(nil)
	if err != nil {
		return err
	}
	policy, err := t.choose(cfg)
	if err != nil {
		return usage(err)
	}
	var rules *filter.Rules
	if len(t.files) > 0 {
		lexicons, err := t.reading.all(t.files)
		if err != nil {
			return err
		}
		if rules, err = filter.Compile(lexicons, policy); err != nil {
			return usage(err)
		}
	} else {
		books, err := readBooks(cfg.Lexicons)
		if err == nil {
			rules, err = compile(books, false, policy)
		}
		if err != nil {
			return usage(err)
		}
	}
	results := make(map[string]trialResult)
	for _, d := range []filter.Direction{filter.Request, filter.Answer} {
		if t.direction == "" || t.direction == d.String() {
			r := tryText(ctx, rules, policy, d, text)
			if r.Action == filter.Block.String() {
				r.Hits = beyond(r.Hits, tryText(ctx, rules, unblocked(policy), d, text).Hits, policy, d)
			}
			results[d.String()] = r
		}
	}
	if t.json || t.output == "json" {
		return writeJSON(t.stdout, struct {
			Policy  string                 `json:"policy"`
			Rules   string                 `json:"rules"`
			Results map[string]trialResult `json:"results"`
		}{policy.Name, rules.Version(), results})
	}
	t.print(policy, rules, results)
	return nil
}

// choose returns the policy to try.
func (t *trial) choose(cfg *config.Config) (*filter.Policy, error) {
	name := cmp.Or(t.policy, "default")
	if t.route != "" {
		i := slices.IndexFunc(cfg.Routes, func(r config.Route) bool { return r.Path == t.route })
		if i < 0 {
			return nil, fmt.Errorf(t.say("there is no route %s", "没有路由 %s"), t.route)
		}
		if name = cfg.Routes[i].Filter; name == config.Off {
			return nil, fmt.Errorf(t.say("the filter of the route %s is off", "路由 %s 的过滤已关闭"), t.route)
		}
	}
	f, ok := cfg.Filters[name]
	if !ok {
		return nil, fmt.Errorf(t.say("there is no filter %s in the configuration", "配置中没有过滤策略 %s"), name)
	}
	if t.profile != "" {
		f.Profile = config.Profile(t.profile)
	}
	f.SecondOpinion.Model = "" // nobody is asked here
	return policyOf(name, f)
}

// tryText has a Guard do with a text what it does with every other.
func tryText(ctx context.Context, rules *filter.Rules, policy *filter.Policy, d filter.Direction, text string) trialResult {
	var r trialResult
	var m echo
	asked := "?"
	if d == filter.Answer {
		m.says = text
	} else {
		asked = text
	}
	strongest := filter.None
	guard := filter.Guard(&m, filter.Options{Shelf: filter.NewShelf(rules), Policy: policy, Cache: -1, Observe: func(f filter.Finding) {
		if f.Direction != d {
			return
		}
		h := hit{Rule: f.Rule, Category: f.Category, Level: f.Level, Risk: f.Risk, Form: f.Form.String(), Action: f.Action.String(), Start: f.Start, End: f.End}
		if 0 <= f.Start && f.Start <= f.End && f.End <= len(text) {
			h.Text = text[f.Start:f.End]
			h.Normal = lexicon.Key(h.Text)
		}
		r.Hits = append(r.Hits, h)
		strongest = max(strongest, f.Action)
	}})
	req := &chat.Request{N: 1, Messages: []chat.Message{chat.TextMessage(chat.User, asked)}}
	var answer strings.Builder
	for ev, err := range guard.Chat(ctx, req) {
		if err != nil {
			r.Error = err.Error()
			if e, ok := errors.AsType[*chat.Error](err); ok {
				r.Error = e.Msg
			}
			break
		}
		answer.WriteString(ev.Text)
	}
	r.Action, r.Text = strongest.String(), answer.String()
	if d == filter.Request {
		r.Text = m.heard
	}
	slices.SortStableFunc(r.Hits, byPlace)
	if r.Hits == nil {
		r.Hits = []hit{}
	}
	return r
}

// unblocked returns p with review in place of every block: a block ends the
// search, and who tries a text wants to see what lies behind it as well.
func unblocked(p *filter.Policy) *filter.Policy {
	soft := func(a filter.Action) filter.Action {
		if a == filter.Block {
			return filter.Review
		}
		return a
	}
	u := *p
	u.Across = filter.Log
	u.Categories = make(map[string]filter.Category)
	for name, c := range p.Categories {
		for i := range c.Request {
			c.Request[i], c.Answer[i] = soft(c.Request[i]), soft(c.Answer[i])
		}
		u.Categories[name] = c
	}
	u.Personal = make(map[string]filter.Personal)
	for name, c := range p.Personal {
		c.Request, c.Answer = soft(c.Request), soft(c.Answer)
		u.Personal[name] = c
	}
	return &u
}

// beyond returns all hits: the first, and of more those that a block hid, with
// the actions of p.
func beyond(first, more []hit, p *filter.Policy, d filter.Direction) []hit {
	for _, h := range more {
		if slices.ContainsFunc(first, func(f hit) bool { return f.Rule == h.Rule && f.Start == h.Start && f.End == h.End }) {
			continue
		}
		if h.Action == filter.Review.String() && h.Form == find.Plain.String() && actionOf(p, h, d) == filter.Block {
			h.Action = filter.Block.String()
		}
		first = append(first, h)
	}
	slices.SortStableFunc(first, byPlace)
	return first
}

func byPlace(a, b hit) int { return cmp.Or(cmp.Compare(a.Start, b.Start), cmp.Compare(b.End, a.End)) }

// actionOf returns what a policy has for the category and level of a hit.
func actionOf(p *filter.Policy, h hit, d filter.Direction) filter.Action {
	if kind, ok := strings.CutPrefix(h.Category, "pii."); ok {
		c, ok := p.Personal[kind]
		if !ok {
			c = p.Personal[config.Other]
		}
		if d == filter.Answer {
			return c.Answer
		}
		return c.Request
	}
	c, ok := p.Categories[h.Category]
	if !ok {
		c = p.Categories[config.Other]
	}
	if d == filter.Answer {
		return c.Answer.At(h.Level)
	}
	return c.Request.At(h.Level)
}

// echo is a model that says one thing and remembers what it was asked.
type echo struct{ says, heard string }

func (m *echo) Chat(_ context.Context, req *chat.Request) iter.Seq2[chat.Event, error] {
	return func(yield func(chat.Event, error) bool) {
		m.heard = req.Messages[len(req.Messages)-1].Text()
		if yield(chat.Event{Text: m.says}, nil) && yield(chat.Event{Finish: chat.Stop}, nil) {
			yield(chat.Event{Usage: &chat.Usage{}}, nil)
		}
	}
}

func (t *trial) print(policy *filter.Policy, rules *filter.Rules, results map[string]trialResult) {
	fmt.Fprintln(t.stdout, t.sayf("policy %s, rules %s", "策略 %s，规则 %s", policy.Name, rules.Version()))
	for _, d := range []struct{ name, title string }{{"request", t.say("in a request", "作为请求")}, {"answer", t.say("in an answer", "作为回答")}} {
		r, ok := results[d.name]
		if !ok {
			continue
		}
		fmt.Fprintf(t.stdout, "\n%s: %s\n", d.title, r.Action)
		if len(r.Hits) == 0 {
			fmt.Fprintln(t.stdout, "  "+t.say("nothing was found", "没有命中"))
			continue
		}
		rows := [][]string{strings.Fields(t.say("ACTION RULE CATEGORY LEVEL FORM BYTES TEXT READ-AS", "处置 规则 类别 级别 形式 字节 原文 识别为"))}
		for _, h := range r.Hits {
			rows = append(rows, cells(h.Action, h.Rule, h.Category, h.Level, h.Form, fmt.Sprintf("%d-%d", h.Start, h.End), oneLine(h.Text), oneLine(h.Normal)))
		}
		printTable(t.stdout, "  ", rows...)
		switch {
		case r.Error != "":
			fmt.Fprintf(t.stdout, "  -> %s\n", r.Error)
		default:
			fmt.Fprintf(t.stdout, "  -> %s\n", oneLine(r.Text))
		}
	}
}

// oneLine is a text that fits into a line of a terminal. What does not show is
// named.
func oneLine(s string) string {
	s = printableText(strings.NewReplacer("\n", "⏎", "\t", " ").Replace(s))
	var b strings.Builder
	for _, c := range s {
		if unicode.Is(unicode.Cf, c) {
			fmt.Fprintf(&b, "<%U>", c)
		} else {
			b.WriteRune(c)
		}
	}
	s = b.String()
	if r := []rune(s); len(r) > 200 {
		s = string(r[:200]) + "…"
	}
	return s
}
