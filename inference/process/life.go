package process

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unicode"

	"bendi/internal/life"
	"bendi/internal/output"
)

// A death is how a server ended.
type death struct {
	how string   // such as "ended with exit status 1"
	err error    // why it could not be started at all
	log []string // the last lines that it wrote before it was ready
}

// brief is the death without what the server wrote, which is logged once.
func (d *death) brief() error {
	if d.err != nil {
		return fmt.Errorf("the server %s: %w", d.how, d.err)
	}
	return errors.New("the server " + d.how)
}

func (d *death) Error() string {
	msg := d.brief().Error()
	if len(d.log) > 0 {
		msg += "\nthe end of what it wrote:\n" + strings.Join(d.log, "\n")
	}
	return msg
}

const notStarted = "could not be run"

const (
	maxLine   = 2 << 10                // bytes of a line of its output that are kept
	pipeDelay = 200 * time.Millisecond // for the end of a dead server's output, which children may hold open
	portTries = 3                      // ports in a row that somebody else takes in the meantime
)

// live runs the command once, until nothing of its group is left. It calls
// loaded once the server is ready. Where somebody takes the port that was
// chosen for it, another one is.
func (p *Process) live(loaded func()) *death {
	for try := 1; ; try++ {
		at, leave, err := p.cfg.choose()
		if err != nil {
			return &death{how: notStarted, err: err}
		}
		d, wasReady := p.run(at, loaded)
		leave()
		if wasReady || try == portTries || p.ctx.Err() != nil || !at.taken() {
			return d
		}
		p.cfg.Log.Info("another program took the port of the server; it is started at another one", slog.Int("port", at.Port))
	}
}

// run runs the command at a place.
func (p *Process) run(at Place, loaded func()) (d *death, wasReady bool) {
	d = new(death)
	client, err := p.cfg.Client(at)
	if err != nil {
		return &death{how: notStarted, err: err}, false
	}
	defer client.Close()

	log := newListener(p.cfg)
	cmd := p.cfg.command(at)
	cmd.Stdout, cmd.Stderr = log.writer("stdout"), log.writer("stderr")
	began, exited := launch(cmd)
	if err := <-began; err != nil {
		return &death{how: notStarted, err: err}, false
	}
	p.cfg.Log.Debug("server started", slog.Int("pid", cmd.Process.Pid))
	signal := func(sig syscall.Signal) { syscall.Kill(-cmd.Process.Pid, sig) }

	looking, stop := context.WithCancel(p.ctx)
	defer stop()
	healthy, heard := p.cfg.look(looking, at)
	startTimeout := time.After(p.cfg.StartTimeout)
	closing := p.ctx.Done()
	var kill, idle <-chan time.Time
	var leave chan struct{}
	for {
		select {
		case <-healthy:
			healthy, startTimeout, wasReady = nil, nil, true
			log.ready()
			l := life.New(p.ctx, client)
			leave = l.Leave
			p.arrive(l)
			loaded()
			idle = p.idleTimer(p.cfg.UnloadAfter)
		case <-idle:
			idle = p.idleTimer(p.tire())
		case <-leave:
			leave, kill = nil, time.After(p.cfg.StopTimeout)
			signal(syscall.SIGTERM)
		case <-startTimeout:
			healthy = nil
			d.how = fmt.Sprintf("was not healthy within %v (GET %s: %s) and was killed", p.cfg.StartTimeout, p.cfg.Health, heard())
			signal(syscall.SIGKILL)
		case <-closing:
			closing, leave, healthy, kill = nil, nil, nil, time.After(p.cfg.StopTimeout)
			signal(syscall.SIGTERM)
		case <-kill:
			signal(syscall.SIGKILL)
		case err := <-exited:
			// What the server started goes with it. The number of the group
			// is not given to another while one of them lives.
			signal(syscall.SIGKILL)
			d.log = log.end()
			if d.how == "" {
				d.how = "ended with " + life.Outcome(cmd, err)
			}
			return d, wasReady
		}
	}
}

// command returns the command for a server at a place.
func (c Config) command(at Place) *exec.Cmd {
	words := make([]string, len(c.Command))
	for i, word := range c.Command {
		words[i] = at.fill(word)
	}
	cmd := exec.Command(words[0], words[1:]...)
	cmd.Dir = c.Dir
	cmd.Env = c.environment(os.Environ(), at)
	cmd.SysProcAttr = ownGroup()
	cmd.WaitDelay = pipeDelay
	return cmd
}

// launch starts a command and waits for its end, on a thread that lives as long
// as it does: the system counts the end of the thread that has started a
// process as that of its parent.
func launch(cmd *exec.Cmd) (began, exited <-chan error) {
	start, end := make(chan error, 1), make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		start <- err
		if err == nil {
			end <- cmd.Wait()
		}
	}()
	return start, end
}

// idleTimer fires after d; never where the server is not to be stopped.
func (p *Process) idleTimer(d time.Duration) <-chan time.Time {
	if p.cfg.UnloadAfter == 0 {
		return nil
	}
	return time.After(d)
}

const (
	firstLook = 50 * time.Millisecond // between two looks at a server that starts
	lastLook  = time.Second
	lookTime  = 5 * time.Second // for the answer to one
)

// look asks a server again and again for its health. healthy is closed when it
// is; heard says what the last answer was.
func (c Config) look(ctx context.Context, at Place) (healthy <-chan struct{}, heard func() string) {
	there := make(chan struct{})
	var last atomic.Value
	last.Store("no answer")
	go func() {
		client := &http.Client{
			Transport:     &http.Transport{DialContext: at.dial, DisableKeepAlives: true, MaxResponseHeaderBytes: 64 << 10},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
			Timeout:       lookTime,
		}
		for pause := firstLook; ctx.Err() == nil; pause = min(pause*5/4, lastLook) {
			said, ok := c.healthOf(ctx, client)
			if ok {
				close(there)
				return
			}
			last.Store(said)
			select {
			case <-time.After(pause):
			case <-ctx.Done():
			}
		}
	}()
	return there, func() string { return last.Load().(string) }
}

// healthOf asks a server once.
func (c Config) healthOf(ctx context.Context, client *http.Client) (said string, ok bool) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://localhost"+c.Health, nil)
	if err != nil {
		return err.Error(), false
	}
	res, err := client.Do(req)
	if err != nil {
		return "no answer", false
	}
	res.Body.Close()
	return fmt.Sprintf("status %d", res.StatusCode), res.StatusCode == http.StatusOK
}

// A listener reads what a server writes.
type listener struct {
	cfg   Config
	blot  *strings.Replacer // of secrets
	pipes []*output.Lines

	mu    sync.Mutex // guards what follows
	tail  output.Tail
	isUp  bool
	after int // lines that were dropped since
}

func newListener(cfg Config) *listener {
	var pairs []string
	for _, secret := range cfg.Secrets {
		if secret != "" {
			pairs = append(pairs, secret, "***")
		}
	}
	return &listener{cfg: cfg, blot: strings.NewReplacer(pairs...)}
}

// writer returns what one of the outputs of a server is written to.
func (l *listener) writer(from string) *output.Lines {
	w := &output.Lines{Max: maxLine, Each: func(line string) { l.note(from, line) }}
	l.pipes = append(l.pipes, w)
	return w
}

func (l *listener) note(from, line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.isUp && !l.cfg.LogAll {
		l.after++
		return
	}
	line = plain(l.blot.Replace(line))
	if !l.isUp {
		l.tail.Add(line)
	}
	l.cfg.Log.Debug("server output", slog.String("from", from), slog.String("line", line))
}

// ready notes that from now on requests come.
func (l *listener) ready() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.isUp = true
}

// end returns the last lines of a server that was never ready, or how many of
// another were dropped.
func (l *listener) end() []string {
	for _, w := range l.pipes {
		w.Flush()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case !l.isUp:
		return l.tail.Lines()
	case l.after > 0:
		return []string{fmt.Sprintf("%d lines were dropped, since they may repeat what users have asked; process.log_all keeps them", l.after)}
	}
	return nil
}

// plain escapes what a terminal might take for more than text.
func plain(line string) string {
	if !strings.ContainsFunc(line, hidden) {
		return line
	}
	var b strings.Builder
	for _, r := range line {
		switch {
		case r == '\t':
			b.WriteByte(' ')
		case hidden(r):
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

func hidden(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) }
