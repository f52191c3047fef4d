package report_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"flag"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/tools/txtar"

	"bendi/experiment/report"
	"bendi/experiment/stats"
)

var update = flag.Bool("update", false, "rewrite the golden files")

var metrics = []stats.Metric{
	{Name: "feedback", Kind: stats.Mean, Better: stats.Higher},
	{Name: "votes", Kind: stats.Vote, Better: stats.Higher},
	{Name: "errors", Kind: stats.Rate, Better: stats.Lower},
	{Name: "ttft", Kind: stats.LogMean, Better: stats.Lower, Unit: "ms"},
	{Name: "length", Kind: stats.LogMean, Better: stats.Neither, Unit: "characters"},
	{Name: "cost", Kind: stats.Mean, Better: stats.Lower},
}

// ran makes up an arm that has answered n requests of n/2 units, at the speed and
// with the errors given.
func ran(t testing.TB, name string, weight float64, n int, speed, errors float64) report.Arm {
	t.Helper()
	r := rand.New(rand.NewPCG(uint64(len(name)), uint64(n)))
	a := report.Arm{Name: name, Weight: weight, Requests: n, Tallies: map[string]*stats.Tally{}}
	for _, m := range metrics {
		a.Tallies[m.Name] = stats.NewTally(m.Kind)
	}
	add := func(metric, unit string, x float64) {
		if err := a.Tallies[metric].Add(unit, x); err != nil {
			t.Fatal(err)
		}
	}
	for range n {
		unit := name + strconv.Itoa(r.IntN(n/2+1))
		failed := 0.0
		if r.Float64() < errors {
			failed = 1
		}
		add("errors", unit, failed)
		add("ttft", unit, math.Exp(6+0.5*r.NormFloat64())/speed)
		add("length", unit, math.Exp(5+r.NormFloat64()))
		add("cost", unit, 0.002*r.Float64())
		if r.IntN(20) == 0 {
			add("feedback", unit, float64(r.IntN(3)-1))
			add("votes", unit, float64(r.IntN(4)/2))
		}
	}
	return a
}

var day = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

// experiment returns one of the arms given, whose first is the control.
func experiment(arms ...report.Arm) report.Experiment {
	return report.Experiment{
		Name: "base-or-tuned", Route: "/v1/chat/pro", Units: "session", State: "running", Control: arms[0].Name,
		At: day.Add(50 * time.Hour), Started: day, Arms: arms, Metrics: metrics,
	}
}

// cases are the experiments that reports are checked with, by the name of their
// golden file.
func cases(t testing.TB) map[string]report.Experiment {
	two := experiment(ran(t, "base", 90, 3000, 1, 0.02), ran(t, "tuned", 10, 2000, 1.3, 0.05))
	two.Excluded = map[string]int{"background": 41, "no unit": 7}
	two.Draw = new(stats.Draw)
	for i := range 500 {
		two.Draw.Add([]string{"base", "tuned"}[i%2], strconv.Itoa(i))
	}
	two.Draw.Add("base", "1")
	for i := range 40 {
		p := report.Point{At: day.Add(time.Duration(i) * time.Hour), Estimate: 0.77 + 0.2*math.Cos(float64(i))/float64(i+1)}
		width := 0.6 / math.Sqrt(float64(i+1))
		p.Interval = stats.Interval{Low: p.Estimate * math.Exp(-width), High: p.Estimate * math.Exp(width)}
		if len(two.Trails) == 0 {
			two.Trails = []report.Trail{{Metric: "ttft", Arm: "tuned"}}
		}
		two.Trails[0].Points = append(two.Trails[0].Points, p)
	}

	four := experiment(ran(t, "base", 40, 800, 1, 0.02), ran(t, "tuned", 20, 400, 1, 0.02),
		ran(t, "一个名字相当长的远程模型分组，用来检验图中的排版", 20, 400, 0.7, 0.2), report.Arm{Name: "shadow-with-<a name> & more that does not fit its column", Shadow: true})
	four.Decide = []string{"ttft", "errors"}
	four.State, four.Winner, four.Ended = "stopped", "base", day.Add(48*time.Hour)
	four.Arms[2].Stopped = "errors"
	four.Stops = []report.Stop{{At: day.Add(time.Hour), Arm: four.Arms[2].Name, Guard: "errors", Why: "errors in 80 of 400 requests (20.0 %), where at most 5.0 % are allowed"}}
	four.Reweighs, four.Damaged = 2, 1

	return map[string]report.Experiment{
		"two":     two,
		"four":    four,
		"nothing": experiment(report.Arm{Name: "base", Weight: 1}, report.Arm{Name: "tuned", Weight: 1}),
	}
}

var languages = []report.Language{report.English, report.Chinese}

func TestGolden(t *testing.T) {
	for name, e := range cases(t) {
		t.Run(name, func(t *testing.T) {
			r := report.New(e)
			data, err := json.MarshalIndent(r, "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			got := &txtar.Archive{Files: []txtar.File{{Name: "json", Data: append(data, '\n')}}}
			for _, l := range languages {
				got.Files = append(got.Files, txtar.File{Name: "markdown." + string(l), Data: []byte(r.Markdown(l))})
			}
			var read report.Report
			if err := json.Unmarshal(data, &read); err != nil {
				t.Fatal(err)
			}
			for _, l := range languages {
				if read.Markdown(l) != r.Markdown(l) || read.SVG(l) != r.SVG(l) {
					t.Errorf("a report that was read from JSON says something else in %s", l)
				}
			}
			path := filepath.Join("testdata", name+".txtar")
			if *update {
				if err := os.WriteFile(path, txtar.Format(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if have := txtar.Format(got); !bytes.Equal(have, want) {
				t.Errorf("%s differs; run go test -update ./experiment/report and review it. Got:\n%s", path, have)
			}
		})
	}
}

// draws checks a picture: it is XML, says each of the texts somewhere, and reaches
// out for nothing.
func draws(t *testing.T, svg string, texts ...string) {
	t.Helper()
	said := strings.Join(strings.Fields(textOf(t, svg)), "")
	for _, text := range texts {
		if !strings.Contains(said, strings.Join(strings.Fields(text), "")) {
			t.Errorf("nowhere says %q", text)
		}
	}
	for _, bad := range []string{"NaN", "Inf", "%!", "<script", "href", "url(", "@import"} {
		if strings.Contains(svg, bad) {
			t.Errorf("has %q", bad)
		}
	}
}

// textOf returns all text of a picture, which must be XML.
func textOf(t *testing.T, svg string) string {
	t.Helper()
	var text strings.Builder
	for d := xml.NewDecoder(strings.NewReader(svg)); ; {
		token, err := d.Token()
		if err == io.EOF {
			return text.String()
		}
		if err != nil {
			t.Fatalf("not XML: %v", err)
		}
		if data, ok := token.(xml.CharData); ok {
			text.Write(data)
		}
	}
}

func TestSVG(t *testing.T) {
	for name, e := range cases(t) {
		for _, l := range languages {
			t.Run(name+"."+string(l), func(t *testing.T) {
				svg := report.New(e).SVG(l)
				if dir := os.Getenv("BENDI_PICTURES"); dir != "" {
					if err := os.WriteFile(filepath.Join(dir, name+"."+string(l)+".svg"), []byte(svg), 0o644); err != nil {
						t.Fatal(err)
					}
				}
				names := []string{e.Name}
				for _, a := range e.Arms {
					names = append(names, a.Name)
				}
				draws(t, svg, names...)
			})
		}
	}
}

// Whatever the names and numbers are, a report can be written in every form.
func FuzzReport(f *testing.F) {
	f.Add("1", "2<3>&|\n\"", 60, 1.0, 0.5, "µ")
	f.Add("甲", "乙", 0, 1e300, 1.0, "")
	f.Add("", "\xff\x00", 200, 1e-300, 0.0, "%d")
	f.Fuzz(func(t *testing.T, control, arm string, n int, x, rate float64, unit string) {
		n = min(max(n, 0), 300)
		if control == arm {
			return
		}
		ms := []stats.Metric{{Name: "m", Kind: stats.Mean, Better: stats.Higher, Unit: unit}, {Name: arm, Kind: stats.LogMean, Better: stats.Lower}, {Name: "r", Kind: stats.Rate, Better: stats.Neither}}
		e := report.Experiment{Name: arm, Route: control, Control: control, Metrics: ms}
		for _, name := range []string{control, arm} {
			a := report.Arm{Name: name, Weight: 1, Tallies: map[string]*stats.Tally{}}
			for _, m := range ms {
				a.Tallies[m.Name] = stats.NewTally(m.Kind)
				for i := range n {
					v := x * (1 + float64(i%3))
					if m.Kind == stats.Rate {
						v = math.Mod(math.Abs(rate), 1)
					}
					_ = a.Tallies[m.Name].Add(strconv.Itoa(i), v) // which may be refused
				}
			}
			e.Arms = append(e.Arms, a)
		}
		r := report.New(e)
		if _, err := json.Marshal(r); err != nil {
			t.Errorf("JSON: %v", err)
		}
		for _, l := range languages {
			r.Markdown(l)
			if svg := r.SVG(l); plain(control + arm + unit) {
				draws(t, svg)
			} else {
				textOf(t, svg)
			}
		}
	})
}

// plain reports whether s has nothing in it that draws looks for.
func plain(s string) bool {
	return !strings.ContainsFunc(s, func(c rune) bool { return c == '%' || c == '(' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' })
}
