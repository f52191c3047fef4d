package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// command runs a command of the program and returns its exit code and what it
// printed.
func command(t *testing.T, stdin string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	t.Setenv("BENDI_HOME", t.TempDir())
	t.Setenv("BENDI_CONFIG", "")
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	t.Setenv("BENDI_LANG", "en")
	var out, err bytes.Buffer
	code = run(args, strings.NewReader(stdin), &out, &err)
	return code, out.String(), err.String()
}

func TestFilterTest(t *testing.T) {
	t.Chdir(t.TempDir())
	code, out, errs := command(t, "", "filter", "test", "--json", "诈骗话术，去网赌平台 13800138000")
	var got struct {
		Policy  string
		Results map[string]trialResult
	}
	if err := json.Unmarshal([]byte(out), &got); code != 0 || err != nil {
		t.Fatal(code, err, out, errs)
	}
	r := got.Results["request"]
	if got.Policy != "default" || r.Action != "block" || r.Error == "" || len(got.Results) != 2 {
		t.Errorf("got %s", out)
	}
	found := map[string]string{}
	for _, h := range r.Hits {
		found[h.Text] = h.Action
	}
	if found["诈骗话术"] != "block" || found["网赌平台"] != "mask" || found["13800138000"] != "log" {
		t.Errorf("the hits are %v", found)
	}
	code, out, _ = command(t, "去网赌平台吧\n", "filter", "test", "--direction", "answer")
	if code != 0 || !strings.Contains(out, "-> 去***吧") || strings.Contains(out, "in a request") {
		t.Errorf("%d %s", code, out)
	}
	for _, args := range [][]string{{"--direction", "up", "x"}, {"--profile", "loud", "x"}, {"--policy", "none", "x"}, {"--route", "/none", "x"}, {"--lexicon", "none.yaml", "x"}} {
		if code, _, errs := command(t, "", append([]string{"filter", "test"}, args...)...); code != exitUsage || errs == "" {
			t.Errorf("%v: code %d, %s", args, code, errs)
		}
	}
}

func TestFilterWords(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	words(t, dir, "list.txt", "某某商城\n某某商城\n另一家店\n")
	code, _, errs := command(t, "", "filter", "import", "list.txt", "--category", "rivals", "--level", "2", "--version", "1", "-o", "shop.yaml")
	if code != 0 {
		t.Fatal(code, errs)
	}
	text, err := os.ReadFile("shop.yaml")
	if err != nil || !strings.Contains(string(text), "某某商城") {
		t.Fatalf("%v: %s", err, text)
	}
	if left, _ := filepath.Glob(".bendi-lexicon-*"); len(left) > 0 {
		t.Errorf("it left %v behind", left)
	}
	if code, _, errs := command(t, "", "filter", "import", "starter", "--name", "mine", "-o", "mine.yaml"); code != 0 {
		t.Error(code, errs)
	}
	if code, out, errs := command(t, "", "filter", "diff", "starter", "mine.yaml"); code != 0 || !strings.Contains(out, "both find the same") {
		t.Error(code, out, errs)
	}
	code, out, _ := command(t, "", "filter", "lint", "shop.yaml", "list.txt", "--category", "rivals")
	if code != exitProblems || !strings.Contains(out, "duplicate") {
		t.Errorf("lint: %d %s", code, out)
	}
	code, out, _ = command(t, "", "filter", "lint", "list.txt", "--category", "rivals", "-o", "json")
	var list []lintBody
	if err := json.Unmarshal([]byte(out), &list); code != exitProblems || err != nil || len(list) == 0 || list[0].Kind != "duplicate" {
		t.Errorf("lint: %d %v %s", code, err, out)
	}
	code, out, _ = command(t, "", "filter", "diff", "shop.yaml", "starter")
	if code != 0 || !strings.Contains(out, "- 另一家店") || !strings.Contains(out, "removed") {
		t.Errorf("diff: %d %s", code, out)
	}
	code, out, _ = command(t, "", "filter", "coverage", "--profile", "tc260-003.json", "-o", "json")
	var c coverageBody
	if err := json.Unmarshal([]byte(out), &c); code != exitProblems || err != nil || c.Profile != "tc260-003" || len(c.Risks) != 31 || c.Complete {
		t.Errorf("coverage: %d %v %s", code, err, out)
	}
	words(t, dir, "bendi.yaml", "lexicons: []\n")
	words(t, dir, "texts.txt", "我要买东西\n去某某商城看看\n{\"content\":\"另一家店\"}\n")
	code, out, errs = command(t, "", "filter", "shadow", "shop.yaml", "--texts", "texts.txt", "-o", "json")
	var s shadowReport
	if err := json.Unmarshal([]byte(out), &s); code != 0 || err != nil || s.Texts != 3 || s.Hit.Texts != 2 || s.New.Texts != 2 || s.By["rivals"] != 2 {
		t.Errorf("shadow: %d %v %s %s", code, err, out, errs)
	}
	for _, args := range [][]string{
		{"import", "none.txt"}, {"import", "list.txt"}, {"lint", "none.txt"}, {"coverage", "--profile", "none"}, {"diff", "shop.yaml"},
		{"shadow", "shop.yaml"}, {"lint", "--level", "9", "list.txt"}, {"eval", "none.jsonl"}, {"eval", "--concurrency", "0", "x"}, {"bench", "--profile", "x"},
	} {
		if code, _, errs := command(t, "", append([]string{"filter"}, args...)...); code != exitUsage || errs == "" {
			t.Errorf("%v: code %d, %s", args, code, errs)
		}
	}
}
