package main

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	table "bendi/internal/benchtable"
)

// What Locust writes of a request is read, with and without a first token.
func TestSample(t *testing.T) {
	for line, want := range map[string]sample{
		`[6.01, 6.012, 162.1, 450.7, ""]`:                       {6.01, 6.012, 162.1, 450.7, ""},
		`[6.02, 6.02, null, 163.9, "ConnectionRefusedError: "]`: {6.02, 6.02, 0, 163.9, "ConnectionRefusedError: "},
	} {
		var got sample
		if err := json.Unmarshal([]byte(line), &got); err != nil || got != want {
			t.Errorf("%s is %v, %v, want %v", line, got, err, want)
		}
	}
	if err := json.Unmarshal([]byte(`["a"]`), new(sample)); err == nil {
		t.Error("a word is a time")
	}
}

// The requests that were due after the warm-up count, all of them, and what
// ended in that time are the answers per second.
func TestSum(t *testing.T) {
	b := &bench{settings: settings{Warm: time.Second, For: 2 * time.Second}}
	got := b.sum([]sample{
		{0.5, 0.5, 100, 700, ""},              // not due in time, and ended in time
		{1.0, 1.001, 100, 300, ""},            // both
		{1.5, 1.501, 0, 50, "status 502"},     // no answer
		{2.9, 2.95, 200, 500, ""},             // due in time, ended later
		{3.0, 3.0, 100, 300, "not looked at"}, // not due in time
	})
	if got.Requests != 3 || got.Errors != 1 || got.Fault != "status 502" || got.Reached != 1 || got.P50 != 300 || got.First50 != 150 || math.Abs(float64(got.Late99)-49.02) > 0.01 {
		t.Errorf("the sum is %+v", got)
	}
}

// A later figure takes the place of an earlier one, figures of other settings
// are refused, and what was saved is read again, figures that are none too.
func TestReport(t *testing.T) {
	file := filepath.Join(t.TempDir(), "table.json")
	r, err := open(file)
	if err != nil {
		t.Fatal(err)
	}
	s := settings{Rate: 100, Users: 400}
	if err := r.take(s); err != nil {
		t.Fatal(err)
	}
	for _, o := range []result{{Way: "local", P99: 1}, {Way: "link", Loss: 0.03}, {Way: "link", P99: 5}, {Way: "direct", First99: table.Figure(math.NaN())}, {Way: "link", P99: 7}} {
		r.add(o)
	}
	if err := table.Save(file, r); err != nil {
		t.Fatal(err)
	}
	if r, err = open(file); err != nil {
		t.Fatal(err)
	}
	var order []string
	for _, o := range r.Results {
		order = append(order, o.Way)
	}
	if !slices.Equal(order, []string{"direct", "link", "link", "local"}) || r.Results[1].P99 != 7 || r.Results[2].Loss != 0.03 || !math.IsNaN(float64(r.Results[0].First99)) {
		t.Errorf("the results are %+v", r.Results)
	}
	if err := r.take(s); err != nil {
		t.Errorf("the same settings: %v", err)
	}
	if err := r.take(settings{Rate: 50}); err == nil || !strings.Contains(err.Error(), "other settings") {
		t.Errorf("other settings: %v", err)
	}
	r.print(io.Discard)
	d := xml.NewDecoder(strings.NewReader(r.svg()))
	for {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

// What cannot be measured is refused before anything begins.
func TestWrongFlags(t *testing.T) {
	for _, args := range [][]string{{"--ways", "boat"}, {"--loss", "1"}, {"--users", "5"}, {"--for", "1ms"}, {"now"}} {
		if err := run(t.Context(), append(args, "--json", ""), io.Discard, io.Discard); err == nil {
			t.Errorf("%q is no error", args)
		}
	}
}

// An answer has as many pieces as it says.
func TestAnswer(t *testing.T) {
	if n := len([]rune(whole())); n != 2*pieces {
		t.Errorf("an answer has %d characters, want two for each of %d pieces", n, pieces)
	}
}
