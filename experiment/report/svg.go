package report

import (
	"encoding/xml"
	"fmt"
	"math"
	"strings"

	"bendi/experiment/stats"
)

// The columns of a picture, and the heights of what is in it, in its pixels.
const (
	width       = 984
	margin      = 24
	nameWidth   = 170
	valueEnd    = 290 // where the values of arms end
	valueLeft   = 306 // of the panel of values
	valueRight  = 540
	diffEnd     = 680 // where the differences end
	diffLeft    = 700
	diffRight   = width - margin
	rowHeight   = 22
	titleHeight = 34
	tickHeight  = 30
	trailHeight = 150
	textSize    = 13
)

// style holds on light and dark grounds: a picture brings its own. The colours of
// arms are Okabe and Ito's, which people tell apart who see fewer colours; the
// shapes of their marks differ as well.
const style = `<style>
text { font: 13px system-ui, -apple-system, "Segoe UI", "Noto Sans CJK SC", "PingFang SC", "Microsoft YaHei", sans-serif; fill: #1a1a1a }
.title { font-size: 18px; font-weight: 600 } .head { font-weight: 600 } .small { font-size: 11px } .soft { fill: #5c5c5c }
.ground { fill: #ffffff } .panel { fill: #f4f4f4 } .zero { stroke: #5c5c5c; stroke-dasharray: 4 3 } .rule { stroke: #d9d9d9 } .warn { fill: #a33c00; font-weight: 600 }
@media (prefers-color-scheme: dark) {
text { fill: #ececec } .soft { fill: #ababab } .ground { fill: #1b1b1d } .panel { fill: #29292c } .zero { stroke: #ababab } .rule { stroke: #434347 } .warn { fill: #ffb070 }
}
</style>`

// colours of the arms, which are used again where there are more.
var colours = []string{"#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"}

// SVG draws the report.
func (r *Report) SVG(l Language) string {
	d := &drawing{page: page{Language: l, Report: r}}
	d.heading()
	for i := range r.Metrics {
		d.metric(&r.Metrics[i])
	}
	for i := range r.Trails {
		d.trail(&r.Trails[i])
	}
	height := d.y + margin/2
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img" aria-label="%s">`+"\n%s\n"+
		`<rect class="ground" width="%d" height="%d" rx="8"/>`+"\n%s</svg>\n",
		width, height, width, height, escape(d.say("Experiment %s", "实验 %s", r.Name)), style, width, height, d.String())
}

// A drawing is a picture while it is drawn, from its top to y.
type drawing struct {
	page
	y int
}

// text writes a line of text with its baseline at y.
func (d *drawing) text(class, anchor string, x, y int, s string) {
	d.line(`<text class="%s" text-anchor="%s" x="%d" y="%d">%s</text>`, class, anchor, x, y, escape(s))
}

// fitted writes text that may take so much room; what is cut off can still be
// read by pointing at it.
func (d *drawing) fitted(class string, x, y, room int, s string) {
	short := cut(s, room)
	if short == s {
		d.text(class, "start", x, y, s)
		return
	}
	d.line(`<text class="%s" x="%d" y="%d"><title>%s</title>%s</text>`, class, x, y, escape(s), escape(short))
}

// lines writes text in as many lines as it takes.
func (d *drawing) lines(class string, x int, s string) {
	for _, line := range wrap(s, width-margin-x) {
		d.y += 18
		d.text(class, "start", x, d.y, line)
	}
}

func (d *drawing) heading() {
	d.y = 18
	d.lines("title", margin, d.say("Experiment %s", "实验 %s", d.Name))
	d.y += 4
	d.lines("soft", margin, d.say("Route %s, split by %s: %s. Started %s, ended %s, drawn %s.", "路由 %s，按%s分组：%s。开始于 %s，结束于 %s，绘制于 %s。",
		d.Route, d.units(d.Units), d.state(d.Report), moment(d.Started), moment(d.Ended), moment(&d.At)))
	for _, w := range d.Warnings {
		d.y += 4
		d.lines("warn", margin, "⚠ "+strings.ReplaceAll(d.warning(w), "**", ""))
	}
	d.y += 8
	for i, a := range d.Arms { // the key: here every name stands whole
		d.mark(i, float64(margin+6), d.y+14)
		d.lines("", margin+20, d.say("%s: %s requests of %s units", "%s：%s 次请求，%s 个单位", d.armName(a), grouped(int64(a.Requests)), grouped(a.Units)))
	}
	d.y += 10
}

// metric draws a metric: for each arm a line, with its value at the left and its
// difference from the control at the right.
func (d *drawing) metric(row *Row) {
	d.line(`<path class="rule" d="M%d %dH%d"/>`, margin, d.y+4, width-margin)
	base := d.y + 24
	title := d.page.metric(row.Name)
	if !row.Decides {
		title += d.say(" (a hint only)", "（仅为线索）")
	}
	d.fitted("head", margin, base, valueLeft-margin, title)
	if row.Kind == stats.Vote {
		d.text("small soft", "start", diffLeft, base, d.say("share won against %s, and interval", "对 %s 的胜率及区间", cut(d.Control, 110)))
	} else {
		d.text("small soft", "start", valueLeft, base, d.say("value and interval", "数值与区间"))
		d.text("small soft", "start", diffLeft, base, d.say("difference from %s, and interval", "与 %s 的差异及区间", cut(d.Control, 110)))
	}
	d.y += titleHeight

	values, differences := d.scales(row)
	rows := 0
	for _, a := range d.Arms {
		if row.value(a.Name, d.Control) != nil {
			rows++
		}
	}
	values.panel(d, rows)
	differences.panel(d, rows)
	for i, a := range d.Arms {
		v := row.value(a.Name, d.Control)
		if v == nil {
			continue
		}
		d.y += rowHeight
		d.fitted("", margin, d.y-6, nameWidth, a.Name)
		d.value(i, row, v, values)
		if a.Name == d.Control {
			d.zero(differences)
		} else {
			d.comparison(i, row, row.find(a.Name), differences)
		}
	}
	values.ticks(d, func(x float64) string { return d.page.value(row.Metric, x) })
	differences.ticks(d, func(x float64) string { return d.delta(row, x) })
	d.y += tickHeight
}

// value draws an arm's value.
func (d *drawing) value(i int, row *Row, v *stats.Value, s *scale) {
	if v.N == 0 {
		d.text("soft", "end", valueEnd, d.y-6, d.say("no data", "没有数据"))
		return
	}
	d.text("", "end", valueEnd, d.y-6, d.page.value(row.Metric, v.Value))
	if row.Kind != stats.Vote { // whose value is the comparison
		d.whisker(i, s, v.Value, v.Interval)
	}
}

// zero draws the line of no difference through the present row.
func (d *drawing) zero(s *scale) {
	if s.some {
		d.line(`<path class="zero" d="M%.1f %dv%d"/>`, s.at(s.zero), d.y-rowHeight, rowHeight)
	}
}

// comparison draws an arm's difference from the control, or says what it lacks.
func (d *drawing) comparison(i int, row *Row, c *Comparison, s *scale) {
	if c.Estimate == nil {
		d.fitted("small soft", valueRight+16, d.y-6, diffRight-valueRight-16, d.lacking(c))
		return
	}
	d.zero(s)
	class := ""
	if c.Verdict != stats.NoDifference {
		class = "head"
	}
	if estimate, _ := d.difference(row.Metric, c); row.Kind != stats.Vote {
		d.text(class, "end", diffEnd, d.y-6, estimate)
	}
	d.whisker(i, s, *c.Estimate, c.Interval)
}

// delta writes a point on the scale of differences.
func (d *drawing) delta(row *Row, x float64) string {
	c := Comparison{Comparison: stats.Comparison{Estimate: &x, Interval: &stats.Interval{}}}
	estimate, _ := d.difference(row.Metric, &c)
	return estimate
}

// whisker draws an interval with the mark of its arm, hollow where it has none.
func (d *drawing) whisker(i int, s *scale, x float64, interval *stats.Interval) {
	colour, y := colours[i%len(colours)], d.y-rowHeight/2
	if interval != nil {
		d.line(`<path stroke="%s" stroke-width="2" d="M%.1f %dH%.1f"/>`, colour, s.at(interval.Low), y, s.at(interval.High))
	}
	d.mark(i, s.at(x), y)
}

// mark draws the mark of the ith arm.
func (d *drawing) mark(i int, x float64, y int) {
	shape := []string{
		`<circle fill="%[1]s" cx="%.1[2]f" cy="%[3]d" r="5"/>`,
		`<path fill="%[1]s" d="M%.1[2]f %[3]dm-5 -5h10v10h-10z"/>`,
		`<path fill="%[1]s" d="M%.1[2]f %[3]dm0 -6l6 11h-12z"/>`,
		`<path fill="%[1]s" d="M%.1[2]f %[3]dm0 -7l6 7l-6 7l-6 -7z"/>`,
		`<path fill="%[1]s" d="M%.1[2]f %[3]dm0 6l6 -11h-12z"/>`,
	}[i%5]
	d.line(shape, colours[i%len(colours)], x, y)
}

// scales returns those of the values and of the differences of a metric.
func (d *drawing) scales(row *Row) (values, differences *scale) {
	values = &scale{left: valueLeft, right: valueRight}
	differences = &scale{left: diffLeft, right: diffRight}
	differences.log = row.Kind == stats.LogMean
	for _, a := range d.Arms {
		if v := row.value(a.Name, d.Control); v != nil && v.N > 0 && row.Kind != stats.Vote {
			values.include(v.Value, v.Interval)
		}
		if a.Name == d.Control {
			continue
		}
		if c := row.find(a.Name); c.Estimate != nil {
			differences.zero = c.Nothing
			differences.include(c.Nothing, nil)
			differences.include(*c.Estimate, c.Interval)
		}
	}
	return values, differences
}

// A scale puts numbers on a panel. Nothing is drawn before something is included.
type scale struct {
	left, right int
	log         bool
	zero        float64 // where the line of no difference is, if there is one
	low, high   float64 // in logarithms, with log
	some        bool
}

func (s *scale) native(x float64) float64 {
	if s.log {
		return math.Log(max(x, math.SmallestNonzeroFloat64))
	}
	return x
}

func (s *scale) include(x float64, i *stats.Interval) {
	all := []float64{x}
	if i != nil {
		all = append(all, i.Low, i.High)
	}
	for _, x := range all {
		x = s.native(x)
		if !s.some {
			s.low, s.high, s.some = x, x, true
		}
		s.low, s.high = min(s.low, x), max(s.high, x)
	}
}

// ends returns the least and the greatest number on the scale.
func (s *scale) ends() (low, high float64) {
	if s.log {
		return math.Exp(s.low), math.Exp(s.high)
	}
	return s.low, s.high
}

// at returns where x is, with some room to the edges.
func (s *scale) at(x float64) float64 {
	part := 0.5
	if s.high > s.low {
		part = min(max((s.native(x)-s.low)/(s.high-s.low), 0), 1)
	}
	const pad = 10
	return float64(s.left+pad) + part*float64(s.right-s.left-2*pad)
}

func (s *scale) panel(d *drawing, rows int) {
	if !s.some {
		return
	}
	d.line(`<rect class="panel" x="%d" y="%d" width="%d" height="%d" rx="3"/>`, s.left, d.y, s.right-s.left, rows*rowHeight)
}

// ticks writes the ends of the scale below it.
func (s *scale) ticks(d *drawing, write func(float64) string) {
	if !s.some || s.low == s.high {
		return
	}
	low, high := s.ends()
	d.text("small soft", "start", s.left, d.y+14, write(low))
	d.text("small soft", "end", s.right, d.y+14, write(high))
}

// trail draws how a comparison has come to be: the interval as a band, the
// estimate as a line.
func (d *drawing) trail(t *Trail) {
	i, row := d.index(t.Arm), d.row(t.Metric)
	if len(t.Points) < 2 || row == nil {
		return
	}
	d.line(`<path class="rule" d="M%d %dH%d"/>`, margin, d.y+4, width-margin)
	d.fitted("head", margin, d.y+24, width-2*margin, d.say("%s over time: %s beside %s", "%s随时间的变化：%s 与 %s 对比", d.page.metric(t.Metric), t.Arm, d.Control))
	top, bottom := d.y+titleHeight, d.y+trailHeight-tickHeight
	const left = 130
	s := &scale{left: -bottom, right: -top, log: row.Kind == stats.LogMean} // upwards
	nothing := row.find(t.Arm).Nothing
	s.include(nothing, nil)
	for _, p := range t.Points {
		s.include(p.Estimate, &p.Interval)
	}
	begin, end := t.Points[0].At, t.Points[len(t.Points)-1].At
	x := func(p Point) float64 {
		part := float64(p.At.Sub(begin)) / max(float64(end.Sub(begin)), 1)
		return left + part*float64(width-margin-left)
	}
	var band, line, back strings.Builder
	for k, p := range t.Points {
		move := "L"
		if k == 0 {
			move = "M"
		}
		fmt.Fprintf(&band, "%s%.1f %.1f", move, x(p), -s.at(p.High))
		fmt.Fprintf(&line, "%s%.1f %.1f", move, x(p), -s.at(p.Estimate))
		q := t.Points[len(t.Points)-1-k]
		fmt.Fprintf(&back, "L%.1f %.1f", x(q), -s.at(q.Low))
	}
	colour := colours[i%len(colours)]
	d.line(`<rect class="panel" x="%d" y="%d" width="%d" height="%d" rx="3"/>`, left, top, width-margin-left, bottom-top)
	d.line(`<path fill="%s" fill-opacity="0.25" d="%s%sZ"/>`, colour, band.String(), back.String())
	d.line(`<path fill="none" stroke="%s" stroke-width="2" d="%s"/>`, colour, line.String())
	d.line(`<path class="zero" d="M%d %.1fH%d"/>`, left, -s.at(nothing), width-margin)
	low, high := s.ends()
	d.text("small soft", "end", left-6, top+10, d.delta(row, high))
	d.text("small soft", "end", left-6, bottom, d.delta(row, low))
	d.text("small soft", "start", left, bottom+16, moment(&begin))
	d.text("small soft", "end", width-margin, bottom+16, moment(&end))
	d.y += trailHeight
}

// index returns the place of an arm.
func (d *drawing) index(arm string) int {
	for i, a := range d.Arms {
		if a.Name == arm {
			return i
		}
	}
	return 0
}

// row returns that of a metric; nil where there is none.
func (d *drawing) row(metric string) *Row {
	for i := range d.Metrics {
		if d.Metrics[i].Name == metric {
			return &d.Metrics[i]
		}
	}
	return nil
}

func escape(s string) string {
	var b strings.Builder
	xml.EscapeText(&b, []byte(s)) // a Builder fails at nothing
	return b.String()
}

// room returns about how wide a character is, in pixels.
func room(c rune) int {
	switch {
	case c >= 0x1100: // Chinese and what is as wide
		return textSize + 1
	case strings.ContainsRune("iljtf.,:;'| ", c):
		return textSize / 2
	case c >= 'A' && c <= 'Z' || c == 'm' || c == 'w':
		return textSize * 5 / 6
	}
	return textSize * 2 / 3
}

// cut returns so much of s as has room, with an ellipsis where that is not all.
func cut(s string, most int) string {
	used, end := 0, 0
	for i, c := range s {
		if used+textSize <= most {
			end = i // the ellipsis would fit from here
		}
		if used += room(c); used > most {
			return s[:end] + "…"
		}
	}
	return s
}

// wrap breaks s into lines for which there is room, between words where that is
// possible.
func wrap(s string, most int) []string {
	var all []string
	start, space, used := 0, -1, 0
	for i, c := range s {
		if used += room(c); used > most && i > start {
			end := i
			if space > start {
				end = space
			}
			all = append(all, strings.TrimSpace(s[start:end]))
			start, space, used = end, -1, 0
			for _, c := range s[end:i] {
				used += room(c)
			}
			used += room(c)
		}
		if c == ' ' {
			space = i
		}
	}
	return append(all, strings.TrimSpace(s[start:]))
}
