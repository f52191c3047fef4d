package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const explained = `
lexicons: []
filters: {strict: {privacy: {phone: block}}}
models:
  here: {path: here.gguf, context: 2048, adapters: {law: law.gguf}}
backends:
  cloud: {url: https://llm.invalid/v1, zone: outside, models: {large: large-2026}, mask: {email: deny}}
  gpus: {url: http://10.0.0.1:8000/v1, zone: inside, models: {big: {}}}
routes:
  - path: /v1/chat
    models:
      - {id: chat, tiers: [[here], [cloud/large]]}
      - cloud/large
      - here
      - "here:*"
    aliases: {gpt-4: chat}
    egress: {route: masked, classes: {pii.id_card: never}, keys: {batch: never}}
  - {path: /v1/strict, models: [here], filter: strict}
access:
  keys: [{name: batch, key_file: key}]
`

func TestExplain(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "bendi.yaml")
	for name, text := range map[string]string{file: explained, filepath.Join(dir, "key"): "0123456789abcdef-batch"} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("BENDI_API_KEY", "")
	t.Setenv("BENDI_HOME", dir)
	body := filepath.Join(dir, "body.json")
	if err := os.WriteFile(body, []byte(`{"model":"gpt-4","messages":[{"role":"user","content":"写信到 li.si@example.com"}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		args []string
		code int
		want []string
	}{
		{"nothing found", []string{"--text", "你好"}, 0, []string{"model     chat\n", "found     nothing", "may leave masked  (because of the route)", "1. here  (inside)\n", "2. cloud/large  (outside, masked) as large-2026"}},
		{"a phone number", []string{"--text", "打13800138000", "--model", "cloud/large"}, 0, []string{"found     pii.phone", "1. cloud/large"}},
		{"an identity card", []string{"--text", "身份证110101199003070011", "--model", "gpt-4"}, 0, []string{"may leave never  (because of pii.id_card)", "1. here", "-  cloud/large  (outside, masked) as large-2026; not asked: egress"}},
		{"nobody may", []string{"--text", "身份证110101199003070011", "--model", "cloud/large"}, 3, []string{"refused   None of the 1 backends may answer", "pii.id_card"}},
		{"a key", []string{"--key", "batch"}, 0, []string{"asked by  batch", "may leave never  (because of the key)"}},
		{"what a backend refuses", []string{"--body", body}, 0, []string{"refuses pii.email, then the next is asked"}},
		{"the filter refuses", []string{"--route", "/v1/strict", "--text", "打13800138000"}, 3, []string{"refused   The content filter stopped"}},
		{"an adapter", []string{"--model", "here:law"}, 0, []string{"1. here:law  (inside)"}},
		{"no such model", []string{"--model", "larg"}, 2, []string{"There is no model"}},
		{"no such route", []string{"--route", "/v2"}, 2, []string{"there are: /v1/chat"}},
		{"no such key", []string{"--key", "nobody"}, 2, []string{"There is no key"}},
		{"two requests", []string{"--text", "a", "--body", body}, 2, []string{"two requests"}},
		{"as JSON", []string{"--text", "打13800138000", "--output", "json"}, 0, []string{`"found":["pii.phone"]`, `"permission":"masked"`, `"backend":"cloud/large","as":"large-2026","zone":"outside","masked":true,"tier":2`}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var out, errs bytes.Buffer
			code := run(append([]string{"explain", "--lang", "en", "--config", file}, tt.args...), strings.NewReader(""), &out, &errs)
			all := out.String() + errs.String()
			for _, want := range tt.want {
				if !strings.Contains(all, want) {
					t.Errorf("no %q in\n%s", want, all)
				}
			}
			if code != tt.code || strings.Contains(all, "13800138000") || strings.Contains(all, "110101199003070011") {
				t.Errorf("exit code %d, want %d\n%s", code, tt.code, all)
			}
		})
	}
}

// The rules of an egress are told in the language of the program.
func TestEgressSaid(t *testing.T) {
	for lang, want := range map[string]string{"en": "masked, but pii.id_card never, key batch never", "zh": "masked，但 pii.id_card never、密钥 batch never"} {
		p := &program{language: lang}
		if got := p.egressSaid("masked, but pii.id_card never, key batch never"); got != want {
			t.Errorf("%s: %q, want %q", lang, got, want)
		}
	}
}
