package audit_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"bendi/chat"
	"bendi/ledger"
	"bendi/ledger/audit"
	"bendi/ledger/chain"
)

var noon = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

// kept writes entries to a chain.
func kept(t testing.TB, dir string, entries ...*ledger.Entry) {
	t.Helper()
	l, err := chain.Open(chain.Options{Dir: dir, MaxFile: 2000})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		data, err := audit.RecordOf(e, audit.Facts{Zone: "inside", Lexicons: "v1"}).Encode()
		if err != nil {
			t.Fatal(err)
		}
		l.Add(audit.Kind, data)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

func entry(id, key, model string, at time.Time, prompt, completion int) *ledger.Entry {
	return &ledger.Entry{ID: id, Principal: key, Model: model, Route: "/v1/chat", Operation: "chat", Backend: "b", Start: at, Status: 200,
		Outcome: ledger.Success, Usage: chat.Usage{PromptTokens: prompt, CompletionTokens: completion}}
}

// A record has nothing of an error but its code, and of that no words.
func TestRecordOf(t *testing.T) {
	const canary = "canary words"
	tests := []struct {
		err  error
		want string
	}{
		{nil, ""},
		{errors.New(canary), "internal"},
		{&chat.Error{Kind: chat.Invalid, Msg: canary, Param: canary, Err: errors.New(canary)}, "invalid"},
		{&chat.Error{Kind: chat.Invalid, Code: "content_filter", Msg: canary}, "content_filter"},
		{&chat.Error{Kind: chat.BadBackend, Code: canary}, "bad_backend"},
	}
	for _, tt := range tests {
		e := entry("r", "shop", "m", noon, 1, 2)
		e.Session, e.Err, e.First, e.Total = canary, tt.err, time.Millisecond, time.Second
		e.Sent = []ledger.Sent{{Backend: "cloud", Outside: true, Bytes: 3, SHA256: "abc"}, {Backend: "near"}}
		r := audit.RecordOf(e, audit.Facts{Zone: "outside"})
		text, err := r.Encode()
		if err != nil || r.Code != tt.want || bytes.Contains(text, []byte("canary")) {
			t.Errorf("code %q, want %q: %s", r.Code, tt.want, text)
		}
		if r.Sent[0].Zone != "outside" || r.Sent[1].Zone != "inside" || r.Zone != "outside" || r.First != 1 || r.Total != 1000 {
			t.Errorf("%s", text)
		}
	}
}

func TestFind(t *testing.T) {
	dir := t.TempDir()
	failed := entry("r3", "shop", "", noon.Add(time.Hour), 0, 0)
	failed.Outcome, failed.Status, failed.Err = ledger.Failed, 400, &chat.Error{Kind: chat.Invalid, Code: "content_filter"}
	failed.Session = "s"
	kept(t, dir, entry("r1", "shop", "a", noon, 1, 2), entry("r2", "=1+1", "b", noon, 3, 4), failed)
	tests := []struct {
		q    audit.Query
		want string
	}{
		{audit.Query{}, "r1 r2 r3"},
		{audit.Query{Key: "shop"}, "r1 r3"},
		{audit.Query{Model: "b"}, "r2"},
		{audit.Query{Outcome: "failed"}, "r3"},
		{audit.Query{Status: 200, Key: "shop"}, "r1"},
		{audit.Query{Code: "content_filter"}, "r3"},
		{audit.Query{Session: audit.SessionHash("shop", "s")}, "r3"},
		{audit.Query{From: noon.Add(time.Minute)}, "r3"},
		{audit.Query{To: noon.Add(time.Minute)}, "r1 r2"},
		{audit.Query{ID: "r2"}, "r2"},
		{audit.Query{Route: "/other"}, ""},
	}
	for _, tt := range tests {
		var ids []string
		for m, err := range audit.Find(dir, tt.q) {
			if err != nil {
				t.Fatal(err)
			}
			ids = append(ids, m.ID)
		}
		if got := strings.Join(ids, " "); got != tt.want {
			t.Errorf("%+v finds %q, want %q", tt.q, got, tt.want)
		}
	}
	var out bytes.Buffer
	if err := audit.WriteCSV(&out, audit.Find(dir, audit.Query{})); err != nil {
		t.Fatal(err)
	}
	if strings.Count(out.String(), "\n") != 4 || !strings.Contains(out.String(), ",'=1+1,") {
		t.Errorf("%s", out.String())
	}
}

func TestParseTime(t *testing.T) {
	for text, want := range map[string]time.Time{
		"": {}, "2026-11-25": noon.Add(-12 * time.Hour), "2026-11-25T20:00:00+08:00": noon, "24h": noon.Add(-24 * time.Hour), "7d": noon.AddDate(0, 0, -7),
	} {
		if got, err := audit.ParseTime(text, noon); err != nil || !got.Equal(want) {
			t.Errorf("ParseTime(%q) = %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"yesterday", "-1h", "-1d", "2026-13-01", "d"} {
		if _, err := audit.ParseTime(text, noon); err == nil {
			t.Errorf("ParseTime(%q) is no error", text)
		}
	}
}

// The usage is what the records add up to, whether it was kept beside them, read
// on, or made anew.
func TestUsage(t *testing.T) {
	dir := t.TempDir()
	var all []*ledger.Entry
	for i := range 20 {
		all = append(all, entry(fmt.Sprint("r", i), []string{"shop", "batch"}[i%2], "m", noon.AddDate(0, 0, i%3), 10, 1))
	}
	all[0].Outcome, all[1].Outcome = ledger.Failed, ledger.Gone
	kept(t, dir, all[:10]...)
	prices := map[string]audit.Price{"m": {Prompt: 1000, Completion: 2000}}
	x := &audit.Index{Dir: dir, Keep: true}
	query := func(x *audit.Index, by string) string {
		t.Helper()
		rows, err := x.Usage(audit.UsageQuery{By: strings.Split(by, ","), Prices: prices})
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		if err := audit.WriteUsageCSV(&out, rows); err != nil {
			t.Fatal(err)
		}
		_, text, _ := strings.Cut(out.String(), "\n")
		return text
	}
	query(x, "key")
	kept(t, dir, all[10:]...)
	aside, _ := filepath.Glob(filepath.Join(dir, "*.usage"))
	if len(aside) == 0 {
		t.Error("nothing is kept beside")
	}
	want := map[string]string{
		"key":   ",batch,,,10,0,1,100,0,10,0,0.12\n,shop,,,10,1,0,100,0,10,0,0.12\n",
		"model": ",,m,,20,1,1,200,0,20,0,0.24\n",
		"route": ",,,/v1/chat,20,1,1,200,0,20,0,0.24\n",
		"day":   "2026-11-25,,,,7,1,0,70,0,7,0,0.084\n2026-11-26,,,,7,0,1,70,0,7,0,0.084\n2026-11-27,,,,6,0,0,60,0,6,0,0.072\n",
	}
	for by, want := range want {
		for name, x := range map[string]*audit.Index{"read on": x, "kept": {Dir: dir}} {
			if got := query(x, by); got != want {
				t.Errorf("%s, by %s:\n%swant\n%s", name, by, got, want)
			}
		}
	}
	for _, path := range aside {
		os.WriteFile(path, []byte("{"), 0o600)
	}
	if got := query(&audit.Index{Dir: dir}, "key"); got != want["key"] {
		t.Errorf("made anew: %s", got)
	}
	prices = nil
	if got := query(x, "model"); got != ",,m,,20,1,1,200,0,20,0,\n" {
		t.Errorf("without prices: %s", got)
	}
	for _, q := range []audit.UsageQuery{{}, {By: []string{"colour"}}, {By: []string{"key"}, From: "today"}, {By: []string{"key"}, From: "2026-02-02", To: "2026-01-01"}} {
		if _, err := x.Usage(q); err == nil {
			t.Errorf("%+v is no error", q)
		}
	}
}

// A record costs little, from the entry to the line.
func BenchmarkRecord(b *testing.B) {
	e := entry("req_abcdefghijklmnopqrstuvwxyz", "shop", "bendi-demo", noon, 100, 200)
	e.Session, e.Classes, e.Request = "visitor", []string{"pii.phone"}, &chat.Filtered{Action: "mask", Rules: []string{"pii.phone"}}
	for b.Loop() {
		if _, err := audit.RecordOf(e, audit.Facts{Zone: "inside", Lexicons: "v1"}).Encode(); err != nil {
			b.Fatal(err)
		}
	}
}
