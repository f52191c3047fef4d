package llamacpp

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"bendi/inference/remote"
	"bendi/internal/life"
	"bendi/internal/output"
)

// A death is why and how a process ended.
type death struct {
	how      string   // such as "exit status 1" or "signal: killed"
	reason   string   // what the worker said when it could not get ready
	log      []string // the last lines of its log
	wasReady bool
}

func (d *death) Error() string {
	msg := "the engine ended: " + d.brief()
	if len(d.log) > 0 {
		msg += "\nthe end of its log:\n" + strings.Join(d.log, "\n")
	}
	return msg
}

// brief is the death without the log.
func (d *death) brief() string {
	if d.reason != "" {
		return d.how + ": " + d.reason
	}
	return d.how
}

// pipeDelay bounds the wait for the end of a dead worker's output, which
// processes that it started may hold open.
const pipeDelay = 200 * time.Millisecond

// maxLine is how many bytes of a line of a worker's log are kept.
const maxLine = 2 << 10

// maxConns is more than a worker takes in, so that its own bounded queue, which
// answers when it is full, is the only one.
const maxConns = 4096

// live runs one process, from its start until nothing of its group is left. It
// calls loaded once that is ready.
func (w *Worker) live(loaded func()) *death {
	d := new(death)
	if err := w.clearSocket(); err != nil {
		d.how = fmt.Sprintf("not started: %v", err)
		return d
	}
	model, err := remote.New(remote.Options{Name: w.cfg.Name, Socket: w.socket, MaxConns: maxConns, Inside: w.secret})
	if err != nil {
		d.how = fmt.Sprintf("not started: %v", err)
		return d
	}
	defer model.Close()

	said := make(chan Info, 1) // the ready line
	var alive pulse
	stdout := &output.Lines{Max: 64 << 10, Each: func(line string) {
		n, ok := parseNotice(line)
		switch {
		case !ok:
			w.cfg.Log.Debug("engine output", slog.String("line", line))
		case n.Event == eventFailed:
			d.reason = n.Error
		case n.Event == eventAlive:
			alive.beat(time.Duration(n.Step) * time.Millisecond)
		default:
			select {
			case said <- *n.Info:
			default: // said before
			}
		}
	}}
	var end output.Tail
	stderr := &output.Lines{Max: maxLine, Each: func(line string) {
		end.Add(line)
		w.cfg.Log.Info("engine log", slog.String("line", line))
	}}

	w.mu.Lock()
	args := w.cfg.args(w.socket)
	w.mu.Unlock()
	cmd := exec.Command(w.cfg.Worker, args...)
	cmd.Env = append(life.Environment(os.Environ(), "GOMAXPROCS", "GOTRACEBACK"), "GGML_NO_BACKTRACE=1") // on abort ggml would start a debugger
	cmd.Stdout, cmd.Stderr = stdout, stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.WaitDelay = pipeDelay
	// The pipe is never written to. The worker exits when it closes, and the
	// system closes it when this process ends, however that comes about.
	if _, err := cmd.StdinPipe(); err != nil {
		d.how = fmt.Sprintf("not started: %v", err)
		return d
	}
	if err := cmd.Start(); err != nil {
		d.how = fmt.Sprintf("not started: %v", err)
		return d
	}
	w.cfg.Log.Debug("engine started", slog.Int("pid", cmd.Process.Pid))
	signal := func(sig syscall.Signal) { syscall.Kill(-cmd.Process.Pid, sig) }
	exited := make(chan error, 1)
	go func() { exited <- cmd.Wait() }()

	startTimeout := time.After(w.cfg.StartTimeout)
	closing := w.ctx.Done()
	var kill, idle, look <-chan time.Time
	var leave chan struct{}
	for {
		select {
		case info := <-said:
			p := &process{life.New(w.ctx, model), info}
			d.wasReady, startTimeout, leave = true, nil, p.Leave
			w.arrive(p)
			loaded()
			idle, look = w.unloadTimer(w.cfg.UnloadAfter), time.After(w.cfg.testOnlyTimes.watch)
		case <-idle:
			idle = w.unloadTimer(w.tire())
		case <-look:
			look = time.After(w.cfg.testOnlyTimes.watch)
			if how := alive.look(w.cfg.testOnlyTimes.watch, w.cfg.HangTimeout); how != "" {
				d.how, look = how, nil
				signal(syscall.SIGKILL)
				continue
			}
			if _, err := os.Lstat(w.socket); errors.Is(err, fs.ErrNotExist) && w.ctx.Err() == nil && leave != nil {
				// Nobody can reach it any more, whoever has done that.
				d.how, look = "its socket was removed, ended", nil
				signal(syscall.SIGKILL)
			}
		case <-leave:
			leave, kill = nil, time.After(w.cfg.testOnlyTimes.grace)
			signal(syscall.SIGTERM)
		case <-startTimeout:
			d.how = fmt.Sprintf("not ready within %v, killed", w.cfg.StartTimeout)
			signal(syscall.SIGKILL)
		case <-closing:
			closing, leave, kill = nil, nil, time.After(w.cfg.testOnlyTimes.grace)
			signal(syscall.SIGTERM)
		case <-kill:
			signal(syscall.SIGKILL)
		case err := <-exited:
			// What the worker started goes with it. The number of the group
			// is not given to another while one of them lives.
			signal(syscall.SIGKILL)
			stderr.Flush()
			d.log = end.Lines()
			if d.how == "" {
				d.how = life.Outcome(cmd, err)
			}
			return d
		}
	}
}
