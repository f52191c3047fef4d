package e2e_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	bad "bendi/internal/badserver"
)

// The name servers fail, and the backends are asked where they were. The program
// has a /etc/resolv.conf of its own, for which this has to be run by root.
func TestChaosNames(t *testing.T) {
	const nameServer = "127.53.53.53"
	names, err := bad.ListenNames(net.JoinHostPort(nameServer, "53"), bad.Name{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil || os.Geteuid() != 0 || exec.Command("unshare", "-m", "true").Run() != nil {
		t.Skip("needs root, unshare and port 53")
	}
	t.Cleanup(names.Close)
	model, err := bad.Listen(func(*bad.Call) bad.Script { return bad.Answer(secondText) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(model.Close)
	_, port, _ := net.SplitHostPort(model.Addr())
	config := writeFile(t, "bendi.yaml", fmt.Sprintf(`
backends:
  far: {url: "http://llm.bendi.example:%s/v1", zone: inside, probe: off, max_idle: 0, connect_timeout: 4s, models: {a: {}}}
routes:
  - {path: /v1/chat, models: [far/a]}
`, port))
	resolv := writeFile(t, "resolv.conf", "nameserver "+nameServer+"\noptions timeout:30 attempts:1\n")
	cmd := bendiIn(t, t.TempDir(), "serve", "--listen", "127.0.0.1:0", "--config", config)
	program := cmd.Args
	program[0] = cmd.Path
	cmd.Path, err = exec.LookPath("unshare")
	if err != nil {
		t.Fatal(err)
	}
	cmd.Args = append([]string{"unshare", "-m", "sh", "-c", `mount --bind "$0" /etc/resolv.conf && exec "$@"`, resolv}, program...)
	s := started(t, cmd).ready(t)

	ask := func(what string, want bool) {
		t.Helper()
		began := time.Now()
		r := s.chaosAsk(t.Context(), question("你好", `"stream":true`))
		if err := r.check(); err != nil {
			t.Errorf("%s: %v%v", what, err, s)
		}
		if whole := r.text == secondText; whole != want {
			t.Errorf("%s: %v, want an answer: %v%v", what, r, want, s)
		}
		if took := time.Since(began); took > 30*time.Second {
			t.Errorf("%s: took %v", what, took)
		}
	}
	ask("a name", true)
	names.Say(bad.Name{Code: bad.ServerFailure})
	ask("the name server fails", true)
	names.Say(bad.Name{Quiet: true})
	ask("it says nothing", true)
	if n := strings.Count(s.stderr.String(), "cannot be looked up"); n != 1 {
		t.Errorf("the log tells of it %d times, want once a minute%v", n, s)
	}
	names.Say(bad.Name{Code: bad.NoSuchName})
	ask("there is no such name any more", false)
	names.Say(bad.Name{IP: net.IPv4(127, 0, 0, 1)})
	eventually(t, within(20*time.Second), "the backend again", func() bool {
		r := s.chaosAsk(t.Context(), question("你好", `"stream":true`))
		return r.check() == nil && r.text == secondText
	})
}
