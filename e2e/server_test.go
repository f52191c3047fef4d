package e2e_test

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"bendi/internal/programs"
)

// A server is a running `bendi serve`.
type server struct {
	url    string // such as http://127.0.0.1:34567
	cmd    *exec.Cmd
	stdout transcript
	stderr transcript
	done   chan struct{} // closed when it has ended
}

// start starts `bendi serve` on a free port with a configuration, and leaves
// it to the test's end. It does not wait until the server is ready.
func start(t testing.TB, config string) *server {
	t.Helper()
	s := launch(t, t.TempDir(), config)
	t.Cleanup(s.stop)
	return s
}

// started starts a server by a prepared command, and leaves it to the test's end.
func started(t testing.TB, cmd *exec.Cmd) *server {
	t.Helper()
	s := launched(t, cmd)
	t.Cleanup(s.stop)
	return s
}

// launch starts a server in a folder.
func launch(t testing.TB, dir, config string) *server {
	t.Helper()
	args := []string{"serve", "--listen", "127.0.0.1:0"}
	if config != "" {
		args = append(args, "--config", writeFile(t, "bendi.yaml", config))
	}
	return launched(t, bendiIn(t, dir, args...))
}

// launched is started without that end.
func launched(t testing.TB, cmd *exec.Cmd) *server {
	t.Helper()
	s := &server{cmd: cmd, done: make(chan struct{})}
	s.cmd.Stdout, s.cmd.Stderr = &s.stdout, &s.stderr
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		s.cmd.Wait()
		close(s.done)
	}()
	return s
}

// listening waits for the start print, which names the address.
func (s *server) listening(t testing.TB) {
	t.Helper()
	eventually(t, 30*time.Second, "the start print of bendi serve", func() bool {
		if url, ok := programs.API(s.stdout.String()); ok {
			s.url = url
			return true
		}
		select {
		case <-s.done:
			t.Fatalf("bendi serve ended with code %d before it was ready%v", s.cmd.ProcessState.ExitCode(), s)
		default:
		}
		return false
	})
}

// ready waits until the server can answer.
func (s *server) ready(t testing.TB) *server {
	t.Helper()
	s.listening(t)
	if status := s.readyz(); status != http.StatusOK {
		t.Fatalf("/readyz is %d after the start print%v", status, s)
	}
	return s
}

// readyz returns the status of /readyz, or 0 when nobody answers.
func (s *server) readyz() int { return s.readyzBy(&http.Client{Timeout: 5 * time.Second}) }

// readyzBy is readyz by a client.
func (s *server) readyzBy(client *http.Client) int {
	resp, err := client.Get(s.url + "/readyz")
	if err != nil {
		return 0
	}
	resp.Body.Close()
	return resp.StatusCode
}

// String is what the server has printed, for the messages of failures.
func (s *server) String() string {
	log := s.stderr.String()
	if extra := len(log) - 20_000; extra > 0 {
		log = fmt.Sprintf("... %d bytes ...", extra) + log[extra:]
	}
	return "\n-- stdout of bendi serve --\n" + s.stdout.String() + "-- stderr of bendi serve --\n" + log
}

// signal sends the gateway a signal.
func (s *server) signal(t testing.TB, sig syscall.Signal) {
	t.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil {
		t.Fatalf("%v: %v%v", sig, err, s)
	}
}

// exit waits for the end of the gateway and returns its exit code.
func (s *server) exit(t testing.TB, limit time.Duration) int {
	t.Helper()
	select {
	case <-s.done:
		return s.cmd.ProcessState.ExitCode()
	case <-time.After(limit):
		t.Fatalf("bendi serve did not end within %v%v", limit, s)
		return 0
	}
}

// stop ends the server, if it runs.
func (s *server) stop() {
	select {
	case <-s.done:
		return
	default:
	}
	s.cmd.Process.Signal(syscall.SIGINT)
	s.cmd.Process.Signal(syscall.SIGINT) // do not wait for answers
	select {
	case <-s.done:
	case <-time.After(5 * time.Second):
		s.cmd.Process.Kill()
		<-s.done
	}
}

// workers returns the process ids of the gateway's workers.
func (s *server) workers() []int {
	var pids []int
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range stats {
		if p, ok := readProcess(path); ok && p.parent == s.cmd.Process.Pid && p.name == "bendi-engine" && !p.zombie {
			pids = append(pids, p.pid)
		}
	}
	return pids
}

// worker returns the process id of the only worker.
func (s *server) worker(t testing.TB) int {
	t.Helper()
	pids := s.workers()
	if len(pids) != 1 {
		t.Fatalf("the gateway has %d workers, want 1%v", len(pids), s)
	}
	return pids[0]
}

// A process is what /proc tells of one.
type process struct {
	pid, parent int
	name        string
	zombie      bool // ended, and its parent has not noticed
}

func readProcess(stat string) (p process, ok bool) {
	data, err := os.ReadFile(stat)
	if err != nil {
		return p, false // it has ended meanwhile
	}
	var state string
	head, rest, _ := strings.Cut(string(data), " (")
	end := strings.LastIndex(rest, ")")
	if end < 0 {
		return p, false
	}
	p.name = rest[:end]
	_, err1 := fmt.Sscan(head, &p.pid)
	_, err2 := fmt.Sscan(rest[end+1:], &state, &p.parent)
	p.zombie = state == "Z"
	return p, err1 == nil && err2 == nil
}

// alive reports whether a process still runs.
func alive(pid int) bool {
	p, ok := readProcess(fmt.Sprintf("/proc/%d/stat", pid))
	return ok && !p.zombie
}

// memory returns a field of /proc/PID/status, in bytes.
func memory(t testing.TB, pid int, field string) int64 {
	t.Helper()
	size, err := programs.Memory(pid, field)
	if err != nil {
		t.Fatal(err)
	}
	return size
}

// The server that tests share which leave it as it was. The first that asks
// for it starts it, and TestMain ends it.
var shared struct {
	sync.Mutex
	server *server
	dir    string // outlives the test that starts it
}

func sharedServer(t testing.TB) *server {
	t.Helper()
	shared.Lock()
	defer shared.Unlock()
	if shared.server == nil {
		var err error
		if shared.dir, err = os.MkdirTemp("", "bendi-e2e-"); err != nil {
			t.Fatal(err)
		}
		s := launch(t, shared.dir, "")
		defer func() {
			if shared.server == nil {
				s.stop()
			}
		}()
		shared.server = s.ready(t)
	}
	return shared.server
}

func TestMain(m *testing.M) {
	code := m.Run()
	if shared.server != nil {
		shared.server.stop()
	}
	os.RemoveAll(shared.dir)
	os.Exit(code)
}
