package main

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"bendi/filter"
	"bendi/metrics"
)

// A flood of findings makes a line for each rule a minute, and nothing of it
// is lost: the rest is counted.
func TestFindingsDoNotFloodTheLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		fs := newFindings(slog.New(slog.NewTextHandler(&log, nil)), metrics.NewGateway("1", nil).Filter)
		observe := fs.observe("/v1/chat")
		for range 10_000 {
			observe(filter.Finding{Rule: "a:1", Category: "fraud", Action: filter.Block, Hash: "0123abcd"})
			observe(filter.Finding{Rule: "a:2", Category: "fraud", Action: filter.Log})
		}
		if n := strings.Count(log.String(), "\n"); n != 2 {
			t.Fatalf("%d lines, want 2:\n%s", n, log.String())
		}
		time.Sleep(findingsWindow)
		fs.flush()
		if got := log.String(); strings.Count(got, "times=9999") != 2 {
			t.Errorf("the rest was not told:\n%s", got)
		}
		observe(filter.Finding{Rule: "a:1", Category: "fraud", Action: filter.Block})
		if n := strings.Count(log.String(), "\n"); n != 5 {
			t.Errorf("%d lines after the next minute's first, want 5:\n%s", n, log.String())
		}
		for i := range 3 * mostSeen {
			observe(filter.Finding{Rule: fmt.Sprint("b:", i), Action: filter.Log})
		}
		fs.close()
		if !strings.Contains(log.String(), fmt.Sprintf("times=%d", 2*mostSeen+1)) {
			t.Error("what the log has no room for was not counted")
		}
	})
}

// The log has the text of a finding only where the policy has put it there.
func TestFindingsHoldNoText(t *testing.T) {
	var log strings.Builder
	fs := newFindings(slog.New(slog.NewTextHandler(&log, nil)), metrics.NewGateway("1", nil).Filter)
	fs.observe("/v1/chat")(filter.Finding{Rule: "a:1", Category: "fraud", Level: 3, Risk: "A.2.1", Action: filter.Mask, Direction: filter.Answer,
		Field: "choices[0].message.content", Start: 3, End: 9, Hash: "0123abcd", Request: "req_1", History: true})
	want := `msg="filter: found" route=/v1/chat policy="" direction=answer action=mask rule=a:1 category=fraud level=3 form=plain ` +
		`field=choices[0].message.content start=3 end=9 risk=A.2.1 hash=0123abcd request=req_1 history=true`
	if !strings.Contains(log.String(), want) {
		t.Errorf("got %s\nwant %s", log.String(), want)
	}
}
