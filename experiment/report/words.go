package report

import (
	"cmp"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"bendi/experiment/stats"
)

// A Language is one that a report is written in.
type Language string

const (
	English Language = "en"
	Chinese Language = "zh"
)

// say returns the text in the language.
func (l Language) say(english, chinese string, args ...any) string {
	if l == Chinese {
		english = chinese
	}
	if len(args) == 0 {
		return english
	}
	return fmt.Sprintf(english, args...)
}

// names are those of metrics that many experiments have; others go by what they
// are called.
var names = map[string][2]string{
	"feedback":        {"feedback score", "反馈评分"},
	"votes":           {"pairwise votes won", "两两投票胜率"},
	"errors":          {"errors", "出错率"},
	"gone":            {"clients that left", "中途离开率"},
	"ttft":            {"time to first token", "首 token 时间"},
	"speed":           {"speed", "速度"},
	"duration":        {"whole answer", "完整回答用时"},
	"filter_hits":     {"filter hits", "过滤命中率"},
	"refusals":        {"refusals", "拒答率"},
	"refusal_phrases": {"refusing phrases", "拒答措辞率"},
	"tokens":          {"tokens of an answer", "回答 token 数"},
	"length":          {"length of an answer", "回答长度"},
	"cost":            {"cost of a request", "每请求费用"},
}

// metric returns the name of a metric.
func (l Language) metric(name string) string {
	if n, ok := names[name]; ok {
		return l.say(n[0], n[1])
	}
	return name
}

// units names what is drawn into arms.
func (l Language) units(list string) string {
	if l == English {
		return list
	}
	return strings.NewReplacer("session", "会话", "user", "用户", "key", "密钥", ", ", "、").Replace(list)
}

// unit returns what stands behind a number, with the space before it.
func (l Language) unit(m stats.Metric) string {
	switch {
	case m.Unit == "":
		return ""
	case m.Unit == "characters":
		return l.say(" characters", " 字")
	}
	return " " + m.Unit
}

// value writes a value of the metric.
func (l Language) value(m stats.Metric, x float64) string {
	if m.Kind == stats.Rate || m.Kind == stats.Vote {
		return digits(100*x) + " %"
	}
	return digits(x) + l.unit(m)
}

// span writes an interval of the metric.
func (l Language) span(m stats.Metric, i *stats.Interval) string {
	if i == nil {
		return ""
	}
	scale, unit := 1.0, l.unit(m)
	if m.Kind == stats.Rate || m.Kind == stats.Vote {
		scale, unit = 100, " %"
	}
	return l.say("%s to %s%s", "%s 至 %s%s", digits(scale*i.Low), digits(scale*i.High), unit)
}

// difference writes an estimate of a comparison and its interval, either of which
// may be missing.
func (l Language) difference(m stats.Metric, c *Comparison) (estimate, span string) {
	if c.Estimate == nil {
		return "", ""
	}
	write, unit := func(x float64) string { return signed(x) }, l.unit(m)
	switch m.Kind {
	case stats.LogMean:
		write, unit = func(x float64) string { return signed(100 * (x - 1)) }, " %"
	case stats.Rate:
		write, unit = func(x float64) string { return signed(100 * x) }, l.say(" points", " 个百分点")
	case stats.Vote:
		write, unit = func(x float64) string { return digits(100 * x) }, " %"
	}
	return write(*c.Estimate) + unit, l.say("%s to %s%s", "%s 至 %s%s", write(c.Interval.Low), write(c.Interval.High), unit)
}

// verdict writes what may be said.
func (l Language) verdict(c *Comparison, decides bool) string {
	text := ""
	switch c.Verdict {
	case stats.ArmBetter:
		text = l.say("**better**", "**更好**")
	case stats.ArmWorse:
		text = l.say("**worse**", "**更差**")
	case stats.Different:
		return l.say("differs", "有差异")
	case stats.NoDifference:
		text := l.say("no difference seen yet", "尚未看到差异")
		if c.Needed > 0 {
			text += l.say("; about %s more observations if it stays as it is", "；若保持现状，还需约 %s 次观测", rounded(c.Needed))
		}
		return text
	default:
		return l.lacking(c)
	}
	if !decides {
		text += l.say(" (a hint)", "（仅为线索）")
	}
	return text
}

// lacking writes what a comparison has too little of.
func (l Language) lacking(c *Comparison) string {
	text := l.say("not enough data", "数据不足")
	m := c.Missing
	if m == nil {
		return text
	}
	switch m.What {
	case "units":
		where := l.say("this arm", "本组")
		if m.In == "control" {
			where = l.say("the control", "对照组")
		}
		return text + l.say(": worth %d of %d units in %s", "：%[3]s仅相当于 %[1]d 个单位，需要 %[2]d 个", m.Have, m.Want, where)
	case "events":
		return text + l.say(": the rarer outcome %d of %d times", "：较少的结果仅出现 %d 次，需要 %d 次", m.Have, m.Want)
	}
	return text + l.say(": no votes", "：没有投票")
}

// warning writes why the rest is to be read with care.
func (l Language) warning(w Warning) string {
	switch w.Code {
	case Mismatch:
		return l.say("The units are not in the arms as their weights say (p = %.2g). The draw is broken or an arm loses its units; **trust nothing below** until you know why.",
			"各组的单位数与权重不符（p = %.2g）。分组有误，或某一组在丢失单位；查明原因之前，**请勿相信以下任何结论**。", w.P)
	case Moved:
		return l.say("Units that came to another arm than before: %s; weights have changed, or an arm was stopped. What they do tells of both arms.",
			"换到另一组的单位：%s 个（权重变更，或某组被停止）。它们的表现同时受两组影响。", grouped(w.N))
	case Reweighs:
		return l.say("Changes of the weights: %s. Where the traffic has changed as well, arms are compared at different times; start anew for a clean answer.",
			"权重变更：%s 次。如果流量也随时间变化，各组就是在不同时段相比；要得到干净的结论请重新开始。", grouped(w.N))
	case Damaged:
		return l.say("Lines of the experiment's file that could not be read back, and do not count: %s.",
			"实验文件中无法读回、未计入的行：%s。", grouped(w.N))
	}
	return w.Code
}

// digits writes a number with three significant digits.
func digits(x float64) string {
	a := math.Abs(x)
	if a < 1e-12 { // what is left of a sum that is zero
		return "0"
	}
	s := strconv.FormatFloat(x, 'e', 2, 64)
	if a < 1e6 && a >= 1e-7 {
		s = strconv.FormatFloat(x, 'f', max(0, 2-int(math.Floor(math.Log10(a)))), 64)
		if strings.Contains(s, ".") {
			s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
		}
	}
	return strings.ReplaceAll(s, "-", "−")
}

// signed writes a number with its sign.
func signed(x float64) string {
	if x > 0 {
		return "+" + digits(x)
	}
	return digits(x)
}

// rounded writes a large number as what it is, an estimate.
func rounded(n int64) string {
	step := int64(math.Pow(10, math.Floor(math.Log10(float64(n)))-1))
	step = max(step, 1)
	return grouped((n + step - 1) / step * step)
}

// grouped writes a number with commas.
func grouped(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// probability writes one, and never as certain.
func probability(p float64) string {
	switch {
	case p < 0.001:
		return "< 0.001"
	case p > 0.999:
		return "> 0.999"
	}
	return strconv.FormatFloat(p, 'f', 3, 64)
}

// state writes the state of an experiment.
func (l Language) state(r *Report) string {
	text := map[string]string{
		"waiting": l.say("not started", "尚未开始"),
		"running": l.say("running", "进行中"),
		"stopped": l.say("stopped", "已停止"),
	}[r.State]
	text = cmp.Or(text, r.State)
	if r.Winner != "" {
		text += l.say("; %s answers everybody", "；由 %s 回答所有请求", r.Winner)
	}
	return text
}

func moment(t *time.Time) string {
	if t == nil {
		return "–"
	}
	return t.Format("2006-01-02 15:04 MST")
}
