package e2e_test

import (
	"encoding/json"
	"net"
	"strings"
	"testing"
	"time"
)

func TestChatThroughAPipe(t *testing.T) {
	s := sharedServer(t)
	tests := []struct {
		name, stdin string
		args        []string
	}{
		{"the prompt on standard input", whoAreYou, nil},
		{"the prompt as an argument", "", []string{whoAreYou}},
		{"both", "你是谁?", []string{"你好,"}},
		{"the other route", whoAreYou, []string{"--route", "/v1/chat/pro"}},
		{"a system message", whoAreYou, []string{"--system", "请用中文回答。", "--model", "bendi-demo"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := run(t, tt.stdin, append([]string{"chat", "--server", s.url}, tt.args...)...)
			r.want(t, 0)
			if answer := strings.TrimSuffix(r.stdout, "\n"); answer == "" || answer == r.stdout || strings.ContainsRune(answer, '\x1b') {
				t.Errorf("want an answer, a newline and no colours on standard output%v", r)
			}
			if r.stderr != "" {
				t.Errorf("want nothing on standard error%v", r)
			}
		})
	}

	t.Run("nothing", func(t *testing.T) {
		run(t, "", "chat", "--server", s.url).want(t, 2, "empty")
	})
	t.Run("an unknown model", func(t *testing.T) {
		run(t, "你好", "chat", "--server", s.url, "--model", "bendi-dmo").want(t, 1, "bendi-dmo", "bendi-demo")
	})
	t.Run("an unknown route", func(t *testing.T) {
		run(t, "你好", "chat", "--server", s.url, "--route", "/v2").want(t, 1, "/v1/chat")
	})
	t.Run("no server there", func(t *testing.T) {
		free, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		address := free.Addr().String()
		free.Close()
		run(t, "你好", "chat", "--server", "http://"+address).want(t, 1, address)
	})
}

// Without a server the command loads the model itself.
func TestChatWithoutServer(t *testing.T) {
	if conn, err := net.DialTimeout("tcp", "127.0.0.1:8080", time.Second); err == nil {
		conn.Close()
		t.Skip("something listens on 127.0.0.1:8080, which the command would ask")
	}
	r := run(t, whoAreYou, "chat")
	r.want(t, 0, "no server at")
	if strings.TrimSpace(r.stdout) == "" {
		t.Errorf("want an answer%v", r)
	}
}

func TestModelsList(t *testing.T) {
	run(t, "", "models", "list").want(t, 0, "bendi-demo", "bendi-demo:service", "Q8_0", "2048", demo(t, demoModel))
	r := run(t, "", "models", "list", "--output", "json")
	r.want(t, 0)
	var all []struct {
		ID         string `json:"id"`
		Parameters int    `json:"parameters"`
		SizeBytes  int    `json:"size_bytes"`
	}
	if err := json.Unmarshal([]byte(r.stdout), &all); err != nil || len(all) != 2 || all[0].ID != "bendi-demo" || all[0].Parameters == 0 || all[1].SizeBytes == 0 {
		t.Errorf("got %+v, error %v; want the model and its adapter%v", all, err, r)
	}
}

func TestConfigCommands(t *testing.T) {
	bad := writeFile(t, "bad.yaml", `
listen: nowhere
lgo: {level: info}
models:
  demo:
    path: demo.gguf
    slots: 9999
routes:
  - path: v1/chat
    models: [dmeo]
server:
  keep_alive: 1ms
`)
	r := run(t, "", "config", "validate", bad)
	r.want(t, 2, bad, "listen", "lgo", "did you mean", "models.demo.slots", "9999", "routes[0].path", `"dmeo"`, "server.keep_alive", ":2:", ":7:")
	run(t, "", "serve", "--config", bad).want(t, 2, "lgo", "routes[0].path")

	good := writeFile(t, "good.yaml", "listen: 127.0.0.1:9999\n")
	run(t, "", "config", "validate", good).want(t, 0, good, "fine")
	run(t, "", "config", "show", "--config", good).want(t, 0, "listen", "127.0.0.1:9999", "server.max_body", "8MiB")
	run(t, "", "config", "show", "--origin", "--config", good).want(t, 0, good+":1")
	schema := run(t, "", "config", "schema")
	schema.want(t, 0, `"$schema"`)
	if !json.Valid([]byte(schema.stdout)) {
		t.Errorf("the schema is no JSON%v", schema)
	}
}

func TestSecretsStaySecret(t *testing.T) {
	const secret = "correct-horse-battery-staple"
	file := writeFile(t, "bendi.yaml", "listen: 127.0.0.1:0\n")
	show := bendi(t, "config", "show", "--origin", "--config", file)
	show.Env = append(show.Env, "BENDI_API_KEY="+secret)
	r := finish(t, show)
	r.want(t, 0, "***")
	if strings.Contains(r.String(), secret) {
		t.Errorf("the secret is shown%v", r)
	}
}

func TestDoctor(t *testing.T) {
	file := writeFile(t, "bendi.yaml", "listen: 127.0.0.1:0\n")
	r := run(t, "", "doctor", "--config", file)
	r.want(t, 0, "llama.cpp 0.5.0", "bendi-demo:service", "nothing is wrong")
	r = run(t, "", "doctor", "--config", file, "--output", "json")
	r.want(t, 0)
	var findings []struct{ Check, Status, Detail string }
	if err := json.Unmarshal([]byte(r.stdout), &findings); err != nil || len(findings) < 5 {
		t.Errorf("got %+v, error %v%v", findings, err, r)
	}
	for _, f := range findings {
		if f.Status != "ok" {
			t.Errorf("%+v", f)
		}
	}
}

func TestSmallCommands(t *testing.T) {
	tests := []struct {
		args  string
		code  int
		words []string
	}{
		{"version", 0, []string{"bendi 0.1.0", "linux/"}},
		{"version --output json", 0, []string{`"version":"0.1.0"`}},
		{"completion bash", 0, []string{"__start_bendi", "complete"}},
		{"help", 0, []string{"serve", "chat", "models", "config", "doctor"}},
		{"help --lang zh", 0, []string{"模型"}},
		{"serve extra", 2, []string{"extra", "bendi serve --help"}},
		{"serve --prot 1", 2, []string{"--prot", "bendi serve --help"}},
		{"doctor --output xml", 2, []string{"table or json"}},
		{"sevre", 2, []string{"sevre", "serve"}},
		{"serve --config nowhere.yaml", 2, []string{"nowhere.yaml"}},
	}
	for _, tt := range tests {
		t.Run(tt.args, func(t *testing.T) {
			run(t, "", strings.Fields(tt.args)...).want(t, tt.code, tt.words...)
		})
	}
}
