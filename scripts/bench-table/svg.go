package main

import (
	"fmt"
	"math"
	"strings"
)

// The columns of the picture, and the heights of what is in it, in its pixels.
const (
	width     = 860
	margin    = 24
	nameEnd   = 190
	lossEnd   = 244
	barsLeft  = 260
	barsRight = 700
	barHeight = 9
	rowHeight = 25
	gap       = 12
)

// style holds on light and dark grounds: a picture brings its own.
const style = `<style>
text { font: 13px system-ui, -apple-system, "Segoe UI", "Noto Sans CJK SC", "PingFang SC", "Microsoft YaHei", sans-serif; fill: #1a1a1a }
.head { font-weight: 600 } .small { font-size: 11px } .soft { fill: #5c5c5c } .end { text-anchor: end } .bad { fill: #a33c00; font-weight: 600 }
.ground { fill: #ffffff } .rule { stroke: #d9d9d9 } .whole { fill: #0072b2 } .first { fill: #e69f00 } .note { stroke: #1a1a1a; stroke-width: 1.5; stroke-dasharray: 4 3 }
@media (prefers-color-scheme: dark) {
text { fill: #ececec } .soft { fill: #ababab } .ground { fill: #1b1b1d } .rule { stroke: #434347 } .note { stroke: #ececec } .bad { fill: #ffb070 }
}
</style>`

// svg draws the 99th percentiles and the errors, with what the note says. Its
// words are in both languages, so that one picture serves both documents.
func (r *report) svg() string {
	most := 1000.0
	for _, w := range ways {
		most = max(most, w.says.P99)
	}
	for _, o := range r.Results {
		most = max(most, float64(o.P99))
	}
	step := 500.0
	for most/step > 8 {
		step *= 2
	}
	most = step * math.Ceil(most/step)
	at := func(ms float64) float64 { return barsLeft + ms/most*(barsRight-barsLeft) }

	d := &strings.Builder{}
	line := func(format string, args ...any) { fmt.Fprintf(d, format+"\n", args...) }
	y := margin + 10
	line(`<text class="head" x="%d" y="%d">P99, ms</text>`, margin, y)
	line(`<rect class="whole" x="%d" y="%d" width="14" height="%d"/><text class="small" x="%d" y="%d">whole answer 完整回答</text>`, barsLeft, y-9, barHeight, barsLeft+20, y)
	line(`<rect class="first" x="%d" y="%d" width="14" height="%d"/><text class="small" x="%d" y="%d">first token 首个词元</text>`, barsLeft+145, y-9, barHeight, barsLeft+165, y)
	line(`<path class="note" d="M%d %dv18"/><text class="small" x="%d" y="%d">as the note says 原文数值</text>`, barsLeft+281, y-13, barsLeft+289, y)
	line(`<text class="small soft end" x="%d" y="%d">loss 丢包</text>`, lossEnd, y)
	line(`<text class="small soft end" x="%d" y="%d">errors 错误率</text>`, width-margin, y)
	y += 14
	top := y
	var rows strings.Builder
	for _, w := range ways {
		list := r.of(w)
		if len(list) == 0 {
			continue
		}
		fmt.Fprintf(&rows, `<path class="rule" d="M%d %dH%d"/>`+"\n", margin, y, width-margin)
		y += gap / 2
		begin := y
		for i, o := range list {
			base := y + 16
			if i == 0 {
				fmt.Fprintf(&rows, `<text class="head" x="%d" y="%d">%s</text>`+"\n", margin, base, w.title)
				if w.says.P99 > 0 {
					fmt.Fprintf(&rows, `<text class="small soft" x="%d" y="%d">%s</text>`+"\n", margin, base+16, fmt.Sprintf("┆ %.0f ms, %s", w.says.P99, percent(w.says.Errors)))
				}
			}
			if w.far {
				fmt.Fprintf(&rows, `<text class="small end" x="%d" y="%d">%s</text>`+"\n", lossEnd, base, percent(o.Loss))
			}
			end := at(float64(o.P99))
			fmt.Fprintf(&rows, `<rect class="whole" x="%d" y="%d" width="%.1f" height="%d"/>`+"\n", barsLeft, y+3, end-barsLeft, barHeight)
			text := fmt.Sprintf("%.0f", float64(o.P99))
			if !math.IsNaN(float64(o.First99)) {
				fmt.Fprintf(&rows, `<rect class="first" x="%d" y="%d" width="%.1f" height="%d"/>`+"\n", barsLeft, y+3+barHeight, at(float64(o.First99))-barsLeft, barHeight)
				text += fmt.Sprintf(" / %.0f", float64(o.First99))
				end = max(end, at(float64(o.First99)))
			}
			if x := at(w.says.P99); x > end-5 && x < end+10+6*float64(len(text)) { // what the note says would cross the text
				end = x
			}
			fmt.Fprintf(&rows, `<text class="small" x="%.1f" y="%d">%s</text>`+"\n", end+5, base, text)
			kind := "small end"
			if o.Errors > 0 {
				kind += " bad"
			}
			fmt.Fprintf(&rows, `<text class="%s" x="%d" y="%d">%s</text>`+"\n", kind, width-margin, base, percent(o.share()))
			y += rowHeight
		}
		if w.says.P99 > 0 {
			fmt.Fprintf(&rows, `<path class="note" d="M%.1f %dV%d"><title>%.0f ms, %s</title></path>`+"\n", at(w.says.P99), begin, y, w.says.P99, percent(w.says.Errors))
		}
		y += gap / 2
	}
	for ms := 0.0; ms <= most; ms += step {
		line(`<path class="rule" d="M%.1f %dV%d"/><text class="small soft" text-anchor="middle" x="%.1f" y="%d">%.0f</text>`, at(ms), top, y, at(ms), y+16, ms)
	}
	d.WriteString(rows.String())
	height := y + 30
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img" aria-label="P99">`+"\n%s\n"+
		`<rect class="ground" width="%d" height="%d" rx="8"/>`+"\n%s</svg>\n", width, height, width, height, style, width, height, d)
}
