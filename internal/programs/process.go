package programs

import (
	"bufio"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// A Process is a program that runs beside this one.
type Process struct {
	Cmd    *exec.Cmd
	Stdin  io.WriteCloser // held open: its end is the end of some programs
	Stdout *bufio.Reader
	stderr tail
}

// patience is how long a program may take to end.
const patience = 10 * time.Second

// Launch starts a command that was made with a context. The program is asked to
// end with that, and ends with this one.
func Launch(cmd *exec.Cmd) (*Process, error) {
	p := &Process{Cmd: cmd}
	cmd.Stderr = &p.stderr
	cmd.SysProcAttr = endWithParent()
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = patience
	var err error
	if p.Stdin, err = cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.Stdout = bufio.NewReader(out)
	return p, cmd.Start()
}

// Stop ends the program and waits for it. A nil process has ended. Its input
// stays open so long: a worker ends at once with that, and writes no profile.
func (p *Process) Stop() {
	if p == nil {
		return
	}
	p.Cmd.Process.Signal(syscall.SIGTERM)
	late := time.AfterFunc(patience, func() { p.Cmd.Process.Kill() })
	defer late.Stop()
	p.Cmd.Wait()
}

// Failed ends the program and returns err with what it last said.
func (p *Process) Failed(err error) error {
	p.Stop()
	return fmt.Errorf("%s: %w; its last lines:\n%s", filepath.Base(p.Cmd.Path), err, p.stderr.last)
}

// A tail keeps the last of what is written to it.
type tail struct{ last []byte }

func (t *tail) Write(p []byte) (int, error) {
	t.last = append(t.last, p...)
	if over := len(t.last) - 4096; over > 0 {
		t.last = t.last[over:]
	}
	return len(p), nil
}
