package programs

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestFreeAddress(t *testing.T) {
	address, err := FreeAddress()
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
}

func TestAPI(t *testing.T) {
	for printed, want := range map[string]string{
		"": "",
		"bendi\n API  http://127.0.0.1:8080/v1\n": "http://127.0.0.1:8080",
		" API https://0.0.0.0:1/v1\nReady":        "https://0.0.0.0:1",
		"an API http://127.0.0.1:8080/v1":         "",
	} {
		if url, ok := API(printed); url != want || ok != (want != "") {
			t.Errorf("%q has %q, %v, want %q", printed, url, ok, want)
		}
	}
}

// What this process is told of itself grows with what it does.
func TestUse(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("needs /proc")
	}
	pid := os.Getpid()
	before := Processor(pid)
	for begin := time.Now(); time.Since(begin) < 10*time.Second && Processor(pid) == before; {
	}
	if after := Processor(pid); after <= before {
		t.Errorf("it has computed for %v, and before for %v", after, before)
	}
	if size, err := Memory(pid, "VmRSS"); err != nil || size < 1<<20 {
		t.Errorf("it has %d bytes, %v", size, err)
	}
	if _, err := Memory(pid, "VmNone"); err == nil {
		t.Error("there is a field that there is not")
	}
}

// A program is held open, ends when it is asked to, and says why it failed.
func TestLaunch(t *testing.T) {
	launch := func(script string) *Process {
		t.Helper()
		p, err := Launch(exec.CommandContext(t.Context(), "/bin/sh", "-c", script))
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	p := launch("read line; echo got $line; exec sleep 600")
	fmt.Fprintln(p.Stdin, "a word")
	if line, err := p.Stdout.ReadString('\n'); line != "got a word\n" || err != nil {
		t.Errorf("it says %q, %v", line, err)
	}
	begin := time.Now()
	if p.Stop(); time.Since(begin) > 5*time.Second {
		t.Errorf("it ended after %v", time.Since(begin))
	}
	p = launch("sleep 600 & echo begun; wait")
	p.Stdout.ReadString('\n')
	if family := Family(p.Cmd.Process.Pid); runtime.GOOS == "linux" && (len(family) != 2 || family[0] != p.Cmd.Process.Pid) {
		t.Errorf("%d has the family %v", p.Cmd.Process.Pid, family)
	} else if len(family) == 2 {
		syscall.Kill(family[1], syscall.SIGKILL)
	}
	p.Stop()
	p = launch("yes no | head -c 100000 >&2; echo why >&2")
	p.Stdout.ReadString('\n')
	if err := p.Failed(errors.New("broken")); !strings.Contains(err.Error(), "sh: broken") || !strings.HasSuffix(err.Error(), "why\n") || len(err.Error()) > 5000 {
		t.Errorf("the error is %v", err)
	}
	(*Process)(nil).Stop()
}
