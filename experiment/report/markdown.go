package report

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"bendi/experiment/stats"
)

// Markdown writes the report for people, with tables as GitHub's dialect has them.
func (r *Report) Markdown(l Language) string {
	p := page{Language: l, Report: r}
	p.head()
	for i := range r.Arms {
		if r.Arms[i].Name != r.Control {
			p.arm(r.Arms[i].Name)
		}
	}
	p.values()
	p.rest()
	return p.String()
}

// A page is a report while it is written.
type page struct {
	strings.Builder
	Language
	*Report
}

func (p *page) line(format string, args ...any) { fmt.Fprintf(&p.Builder, format+"\n", args...) }

// row writes a row of a table.
func (p *page) row(cells ...string) {
	for _, c := range cells {
		p.WriteString("| " + strings.NewReplacer("|", `\|`, "\n", " ").Replace(c) + " ")
	}
	p.WriteString("|\n")
}

// table writes the head of a table, whose columns stand at the left (l) or at the
// right (r).
func (p *page) table(columns string, cells ...string) {
	p.row(cells...)
	for _, c := range columns {
		p.WriteString(map[rune]string{'l': "|---", 'r': "|--:"}[c])
	}
	p.WriteString("|\n")
}

func (p *page) head() {
	p.line("# %s", p.say("Experiment %s", "实验 %s", p.Name))
	p.line("")
	p.line("%s", p.say("Route `%s`, split by %s: %s. Started %s, ended %s, this report %s.",
		"路由 `%s`，按%s分组：%s。开始于 %s，结束于 %s，本报告生成于 %s。", p.Route, p.units(p.Units), p.state(p.Report), moment(p.Started), moment(p.Ended), moment(&p.At)))
	p.line("")
	for _, w := range p.Warnings {
		p.line("> ⚠ %s", p.warning(w))
		p.line("")
	}
	p.table("lrrr", p.say("arm", "组"), p.say("weight", "权重"), p.say("requests", "请求数"), p.say("units", "单位数"))
	for _, a := range p.Arms {
		p.row(p.armName(a), digits(a.Weight), grouped(int64(a.Requests)), grouped(a.Units))
	}
	p.line("")
}

// armName returns the name of an arm with what it is.
func (p *page) armName(a ArmSummary) string {
	name := a.Name
	if a.Name == p.Control {
		name += p.say(" (control)", "（对照组）")
	}
	if a.Shadow {
		name += p.say(" (shadow)", "（影子）")
	}
	if a.Stopped != "" {
		name += p.say(" (stopped by the guard %s)", "（被护栏 %s 停止）", a.Stopped)
	}
	return name
}

// arm writes how an arm is beside the control.
func (p *page) arm(name string) {
	p.line("## %s", p.say("%s beside %s", "%s 与 %s 对比", name, p.Control))
	p.line("")
	p.line("%s", p.summary(name))
	p.line("")
	p.table("lrrrrrl", p.say("metric", "指标"), p.Control, name, p.say("difference", "差异"), p.say("always-valid interval", "随时有效区间"), p.say("probably better", "更好的概率"), p.say("verdict", "结论"))
	for i := range p.Metrics {
		row := &p.Metrics[i]
		c := row.find(name)
		estimate, span := p.difference(row.Metric, c)
		better := ""
		if c.Better != nil && row.Better != stats.Neither {
			better = probability(*c.Better)
		}
		p.row(p.metric(row.Name), p.mean(row, &row.Control), p.mean(row, &c.Arm), estimate, span, better, p.verdict(c, row.Decides))
	}
	p.line("")
}

// mean writes a value, or a dash where there is none.
func (p *page) mean(row *Row, v *stats.Value) string {
	if v.N == 0 {
		return "–"
	}
	return p.value(row.Metric, v.Value)
}

// summary says in a sentence what came out of the metrics that decide.
func (p *page) summary(name string) string {
	by := map[stats.Verdict][]string{}
	for i := range p.Metrics {
		if row := &p.Metrics[i]; row.Decides {
			v := row.find(name).Verdict
			by[v] = append(by[v], p.metric(row.Name))
		}
	}
	var parts []string
	for _, v := range []struct {
		verdict          stats.Verdict
		english, chinese string
	}{
		{stats.ArmBetter, "**Better** in %s.", "**更好**：%s。"},
		{stats.ArmWorse, "**Worse** in %s.", "**更差**：%s。"},
		{stats.Different, "Differs in %s.", "有差异：%s。"},
		{stats.NoDifference, "No difference seen yet in %s.", "尚未看到差异：%s。"},
		{stats.NotEnoughData, "Not enough data for %s.", "数据不足：%s。"},
	} {
		if len(by[v.verdict]) > 0 {
			parts = append(parts, p.say(v.english, v.chinese, strings.Join(by[v.verdict], p.say(", ", "、"))))
		}
	}
	return strings.Join(parts, p.say(" ", ""))
}

// values writes each metric in each arm, with its interval and quantiles.
func (p *page) values() {
	p.line("## %s", p.say("Each arm by itself", "各组数值"))
	p.line("")
	p.table("llrrrrr", p.say("metric", "指标"), p.say("arm", "组"), p.say("observations", "观测数"), p.say("value", "数值"), p.say("always-valid interval", "随时有效区间"), "P50", "P95")
	for i := range p.Metrics {
		row := &p.Metrics[i]
		for _, a := range p.Arms {
			v := row.value(a.Name, p.Control)
			if v == nil {
				continue
			}
			span := p.span(row.Metric, v.Interval)
			if span == "" && v.N > 0 {
				span = p.say("not enough data", "数据不足")
			}
			p.row(p.metric(row.Name), a.Name, grouped(v.N), p.mean(row, v), span, p.quantile(row, v.P50), p.quantile(row, v.P95))
		}
	}
	p.line("")
}

func (p *page) quantile(row *Row, q *stats.Quantile) string {
	if q == nil {
		return ""
	}
	return p.say("%s (%s to %s)", "%s（%s 至 %s）", p.value(row.Metric, q.Value), digits(q.Low), digits(q.High))
}

// rest writes what else happened, and how the verdicts come to be.
func (p *page) rest() {
	if len(p.Stops) > 0 {
		p.line("## %s", p.say("Stopped by guards", "被护栏停止"))
		p.line("")
		for _, s := range p.Stops {
			p.line("- %s: %s, %s. %s", moment(&s.At), s.Arm, s.Guard, s.Why)
		}
		p.line("")
	}
	if len(p.Excluded) > 0 {
		p.line("## %s", p.say("Requests that count in no arm", "未计入任何组的请求"))
		p.line("")
		for _, why := range slices.Sorted(maps.Keys(p.Excluded)) {
			p.line("- %s: %s", why, grouped(int64(p.Excluded[why])))
		}
		p.line("")
	}
	p.line("## %s", p.say("How to read this", "如何阅读"))
	p.line("")
	for _, s := range []string{
		p.say("The intervals hold at every look at once: read this report as often as you like, and stop whenever you like.",
			"区间在每一次查看时同时成立：报告可以随时查看，实验可以随时停止。"),
		p.say("Metrics that decide: %s. Where no arm truly differs, the chance that any of them is ever called better or worse is at most %s %%; each comparison has its part of that. The verdicts of other metrics are hints, with as much again among them.",
			"决定性指标：%s。如果各组其实没有差别，其中任何一项曾被判为更好或更差的概率至多 %s %%，由各项比较分摊。其他指标的结论只是线索，另有同样大小的错误概率。", p.deciding(), digits(100*p.Alpha)),
		p.say("\"Probably better\" is a posterior probability under a prior around no difference. It decides nothing.",
			"“更好的概率”是以“没有差异”为中心的先验下的后验概率，不决定任何结论。"),
		p.say("An answer without text, or of which nobody has counted the tokens, is left out of its length, or of its tokens: a ratio has no room for zeros. The observations of each metric show how many there were.",
			"没有文本的回答不计入回答长度，未统计 token 的回答不计入 token 数：比值无法容纳零。每项指标的观测数可见实际计入多少。"),
		p.say("Requests of one unit resemble each other, so it is units whose variance counts. Methods and limits: docs/experiments.md.",
			"同一单位的请求彼此相似，因此方差按单位计算。方法与局限见 docs/experiments.zh-CN.md。"),
	} {
		p.line("- %s", s)
	}
}

func (p *page) deciding() string {
	var all []string
	for _, m := range p.Decide {
		all = append(all, p.metric(m))
	}
	return strings.Join(all, p.say(", ", "、"))
}

// find returns the comparison of an arm.
func (row *Row) find(arm string) *Comparison {
	for i := range row.Arms {
		if row.Arms[i].Name == arm {
			return &row.Arms[i]
		}
	}
	return &Comparison{Name: arm}
}

// value returns that of an arm; nil where it has none by its nature, as the
// control has no votes.
func (row *Row) value(arm, control string) *stats.Value {
	if arm != control {
		return &row.find(arm).Arm
	}
	if row.Kind == stats.Vote {
		return nil
	}
	return &row.Control
}
